//! What a file is, by its content. Touches nothing.

use super::input::{InputFile, LIMIT};
use super::{virt_install, words};
use crate::base::{Code, Diagnostic, text::one_line};
use crate::format;

/// Programs whose commands describe a machine, too.
const OTHERS: [&str; 5] = ["kvm", "qemu-kvm", "qm", "VBoxManage", "incus"];

/// What can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ignition,
    /// A Combustion script.
    Script,
    /// A shell script or text with a `virt-install` command.
    Command,
    /// libvirt's XML of a domain.
    Domain,
    /// Something else: a file that lies beside a script.
    Plain,
}

impl Kind {
    /// Returns what it is called in a sentence.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ignition => "an Ignition config",
            Self::Script => "a Combustion script",
            Self::Command => "a virt-install command",
            Self::Domain => "a domain XML",
            Self::Plain => "nothing that can be imported",
        }
    }
}

/// Returns what a file is.
///
/// # Errors
/// What is too large, or known to be something that has to be turned into another thing first.
pub(super) fn of(input: &InputFile) -> Result<Kind, Diagnostic> {
    let shown = one_line(&input.shown, 200);
    if input.bytes.len() as u64 > LIMIT.0 {
        return Err(Diagnostic::new(Code::Recipe, format!("`{shown}` is larger than {LIMIT}")));
    }
    if input.is_side_file {
        return Ok(Kind::Plain);
    }
    let bytes = input.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&input.bytes).trim_ascii_start();
    if bytes.is_empty() {
        return Err(Diagnostic::new(Code::Recipe, format!("`{shown}` is empty")));
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    match (bytes.first(), text) {
        (Some(b'{' | b'['), _) => Ok(Kind::Ignition),
        (Some(b'<'), _) => Ok(Kind::Domain),
        (_, Some(text)) => foreign(text, &shown).map_or_else(|| shell(text, &shown), Err),
        (_, None) if bytes.starts_with(b"#!") => Ok(Kind::Script),
        (_, None) => Ok(Kind::Plain),
    }
}

/// Tells shell text by what it runs; what speaks to Combustion is its script, whatever that runs.
fn shell(text: &str, shown: &str) -> Result<Kind, Diagnostic> {
    let is_script = text.starts_with("#!");
    let Ok(read) = words::read(&virt_install::without_prompt(text)) else {
        // A reader says where the quote is that never ends.
        let is_command = text.lines().any(|line| line.split_whitespace().any(|word| word == virt_install::PROGRAM));
        let is_magic = text.lines().any(|line| format::combustion::is_magic(line.as_bytes()));
        return Ok(match is_command && !is_magic {
            true => Kind::Command,
            false if is_script || is_magic => Kind::Script,
            false => Kind::Plain,
        });
    };
    if read.is_combustion {
        return Ok(Kind::Script);
    }
    let programs = || read.commands.iter().filter_map(|words| words[words::program(words)?].text.rsplit('/').next());
    if programs().any(|program| program == virt_install::PROGRAM) {
        return Ok(Kind::Command);
    }
    match programs().find(|program| OTHERS.contains(program) || program.starts_with("qemu-system-")) {
        Some(program) => {
            Err(Diagnostic::new(Code::Usage, format!("`{shown}` runs `{program}`, which is not imported")).hint(
                "give a virt-install command, or the XML of the machine: virsh dumpxml --inactive NAME. A Combustion \
                   script has a line that begins with `# combustion:`",
            ))
        }
        None if is_script => Ok(Kind::Script),
        None => Ok(Kind::Plain),
    }
}

/// Knows what people may take for one of the formats.
fn foreign(text: &str, shown: &str) -> Option<Diagnostic> {
    let key = |name: &str| text.lines().any(|line| line.starts_with(name));
    let (what, hint) = if text.starts_with("#cloud-config") {
        (
            "is for cloud-init, which the self-install and kvm images of MicroOS do not have",
            "write `[provision]` by hand",
        )
    } else if key("variant:") && key("version:") {
        ("is a Butane config", "turn it into an Ignition config first: butane --strict FILE > config.ign")
    } else if crate::recipe::is_recipe(text) {
        ("is a recipe already", "build it: arca-build FILE")
    } else {
        return None;
    };
    Some(Diagnostic::new(Code::Usage, format!("`{shown}` {what}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::RecipePath;

    fn kind(bytes: &[u8]) -> Result<Kind, String> {
        let path = RecipePath::parse("x").unwrap();
        of(&InputFile { shown: "x".into(), bytes: bytes.to_vec(), path, is_side_file: false })
            .map_err(|problem| problem.headline)
    }

    #[test]
    fn what_a_file_is_is_told_by_its_content() {
        for (bytes, expected) in [
            (&b"{\"ignition\": {}}"[..], Kind::Ignition),
            (b"\n  {}", Kind::Ignition),
            (b"\xef\xbb\xbf{}", Kind::Ignition),
            (b"<domain/>", Kind::Domain),
            (b"<?xml version='1.0'?><domain/>", Kind::Domain),
            (b"virt-install --name x", Kind::Command),
            (b"#!/bin/sh\nset -e\nsudo /usr/bin/virt-install \\\n --name x", Kind::Command),
            (b"$ virt-install --import", Kind::Command),
            (b"# virt-install --import", Kind::Command),
            (b"#!/bin/bash\n# combustion: network\nzypper in virt-install-x\n", Kind::Script),
            (
                b"#!/bin/bash\n# combustion: network\nzypper -n in qemu-kvm virt-install\nvirt-install --x\n",
                Kind::Script,
            ),
            (b"#!/bin/bash\nzypper -n in virt-install\necho virt-install --x\n", Kind::Script),
            (b"cat > s <<'E'\n# combustion: network\nE\nvirt-install --name x", Kind::Command),
            (b"V='sudo virt-install'\n$V --name x", Kind::Command),
            (b"f() {\n  LC_ALL=C virt-install --name x\n}", Kind::Command),
            (b"#!/bin/bash\n# combustion: network\nqm list\n", Kind::Script),
            (b"cat /dev/kvm\n", Kind::Plain),
            (b"#!/bin/bash\n# install virt-install later\n", Kind::Script),
            (b"# combustion: network\ntrue\n", Kind::Script),
            (b"#!/bin/bash\necho \xff\n", Kind::Script),
            (b"hello\n", Kind::Plain),
            (b"\0\x01", Kind::Plain),
        ] {
            assert_eq!(kind(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
        for (bytes, words) in [
            (&b" \n"[..], "empty"),
            (b"#cloud-config\nusers: []\n", "cloud-init"),
            (b"variant: fcos\nversion: 1.5.0\n", "Butane"),
            (b"qm create 100 --name x\n", "runs `qm`"),
            (
                b"#!/bin/sh\nexec qemu-system-x86_64 -m 1G -fw_cfg name=opt/org.opensuse.combustion/script,file=x\n",
                "runs `qemu-system-x86_64`",
            ),
            (b"N=1\nsudo /usr/bin/qemu-kvm -m $N\n", "runs `qemu-kvm`"),
            (b"format = 1\nname = \"a\"\n[base]\nurl = \"b\"\n", "recipe already"),
            (&[b' '; (1 << 20) + 1], "larger than"),
        ] {
            assert!(kind(bytes).unwrap_err().contains(words), "{words}");
        }
    }
}
