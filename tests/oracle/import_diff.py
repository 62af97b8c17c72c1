"""Compares what went into an import with what came out, by readers of this language.

Each leaf of a domain (an attribute, a text, an empty element), and each key of a command's options, must be in the emitted
domain at the same place, or its value in the recipe, or it must be named in a line of what was left out.
"""

import pathlib
import re
import shlex
import sys
import xml.etree.ElementTree as ET

# What follows from the recipe, and stands elsewhere or in other units: each is judged by its value in the recipe.
BY_RECIPE = {"name", "memory", "vcpu", "type", "loader"}
# How a disk is found and stored, which a bundle decides; the serial names it.
OF_BUNDLE = {("driver", "name"), ("driver", "type"), ("target", "dev"), ("disk", "type"), ("domain", "type"), ("readonly", "")}


def leaves(node, path=()):
    path = path + (node.tag.split("}")[-1],)
    for key, value in node.attrib.items():
        yield path, key, value
    text = (node.text or "").strip()
    if text or (not node.attrib and not len(node)):
        yield path, "", text
    for child in node:
        yield from leaves(child, path)


def domain(case, text, emitted, recipe, left):
    found = set(leaves(ET.fromstring(emitted)))
    for path, key, value in leaves(ET.fromstring(text)):
        tag = path[-1]
        if (path, key, value) in found:
            continue
        if (tag, key) in OF_BUNDLE and "disk" in path + ("disk",) and (tag != "readonly" or "cdrom" in text):
            continue
        names = [word for word in (key, f"<{tag}>", tag) if word] + [f"<{name}>" for name in path[1:]]
        if any(word in line for line in left for word in names):
            continue
        if value and (value in recipe or key == "file" and any(f"`{value.split('/')[-1]}`" in line for line in left)):
            continue
        if "cdrom" in text and value in ("sata", "cdrom") and any("an empty drive (cdrom)" in line for line in left):
            continue
        if tag == "cpu" and any("the host's processor" in line for line in left):
            continue
        # The machine boots from its system disk, by the order of its devices; memory may be in GiB.
        if (tag, value) == ("boot", "hd") or tag == "memory" and not key and f'"{int(value) // 1024}GiB"' in recipe:
            continue
        if tag in BY_RECIPE and not key and re.sub(r"\D", "", value) in recipe.replace("GiB", "").replace("MiB", ""):
            continue
        if path[1:3] == ("devices", "disk") and key == "device" or (key in ("unit", "arch", "machine") and tag in ("memory", "type")):
            continue
        yield f"{case}: {'/'.join(path)}@{key}={value!r} is neither carried over nor named"


def command(case, text, emitted, recipe, left):
    words = shlex.split(text.replace("\\\n", " "), comments=True)
    variables = dict(word.split("=", 1) for word in words if re.match(r"^[A-Z]+=", word))
    words = [variables.get(word.lstrip("$"), word) for word in words]
    told = emitted + recipe
    option = ""
    for word in words[words.index("virt-install") + 1 :]:
        if word.startswith("--"):
            option, _, word = word.lstrip("-").partition("=")
            if not word or option == "import":
                if option == "autostart" and "autostart = true" not in recipe:
                    yield f"{case}: --autostart"
                continue
        for part in word.split(","):
            key, _, value = part.rpartition("=")
            key, value = key or option, value or part
            last = key.split(".")[-1]
            words_of = (f"--{option}", f"<{option}>", f"<{last}>", f"<{key.split('.')[0]}>", last, value, value.strip("-"))
            named = any(word in line for line in left for word in words_of if len(word) > 2)
            is_on = value in ("on", "off") and (last in told or key.split(".")[0] in told)
            number = value.isdigit() and re.search(rf"\b{value}\b", told)
            memory = option == "memory" and value.isdigit() and (f"{value}MiB" in recipe or f"{int(value) // 1024}GiB" in recipe)
            known = {"default", "none", "uefi", "hd", "user", "ignore", "/dev/tpm7"} & {value} and (last in told or option in told)
            if not (named or is_on or number or memory or known or value in told):
                yield f"{case}: --{option} {part!r} is neither carried over nor named"


def main(folder):
    wrong, counts = [], {"xml": 0, "sh": 0}
    for given in sorted(pathlib.Path(folder).glob("*.in")):
        kind = given.stem.split("-")[1]
        counts[kind] += 1
        read = [given.with_suffix(ending).read_text() for ending in (".in", ".domain", ".recipe", ".left")]
        judge = domain if kind == "xml" else command
        wrong += judge(given.stem, read[0], read[1], without_list(read[2]), read[3].split("\n"))
    if wrong:
        sys.exit("\n".join(wrong[:40]))
    print(f"{counts['xml']} domains, {counts['sh']} commands, nothing lost in silence")


def without_list(recipe):
    """A disk whose size is not known stands as a comment; what was left out is listed beside the recipe, too."""
    return "\n".join(line for line in recipe.split("\n") if not line.startswith("# *"))


main(sys.argv[1])
