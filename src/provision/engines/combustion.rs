//! What the recipe wants of Combustion, as its script, and a ready-made script carried inside it. Touches nothing.
//!
//! The script is plain POSIX sh. It runs in `transactional-update shell` with the working directory
//! `/dev/shm/combustion/config`; exit code 0 keeps the new snapshot, any other rolls it back and fails the boot
//! (openSUSE/combustion, README). So every command may fail the script, and none is silenced.

use std::collections::BTreeSet;

use crate::format::combustion::{Flags, payload, quote, script_payload};
use crate::provision::guest::{
    Bytes, Guest, GuestFile, GuestGroup, GuestPackage, GuestUnit, GuestUser, HEAD, PAYLOAD_SERIAL, PayloadMedium,
    Stage, Write,
};
use crate::provision::ready::{FOLDER, READY_SCRIPT, Script};
use crate::provision::subvolume;

/// Where side files travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SideFiles {
    /// Inside the script as well as beside it, so that fw_cfg, which carries one file, brings them too.
    Inside,
    /// Only beside it, on the config disk.
    Beside,
}

const UNPACK: &str = include_str!("shell/unpack.sh");
const MOUNTS: &str = include_str!("shell/mounts.sh");
const PUT: &str = include_str!("shell/put.sh");
const DIRECTORY: &str = include_str!("shell/directory.sh");
const APPEND: &str = include_str!("shell/append.sh");
const AUTHORIZE: &str = include_str!("shell/authorize.sh");
const PASSWORD: &str = include_str!("shell/password.sh");
const PINNED: &str = include_str!("shell/pinned.sh");

/// What first boot's presets say of the units to disable; read before those of the image (systemd.preset(5)).
const PRESET: &str = "/etc/systemd/system-preset/20-arca-build.preset";

/// Writes the script.
///
/// A ready-made one alone, with no side files to carry, comes out byte for byte. Otherwise it is unpacked beside the
/// generated one and run last, by its own interpreter, with the same arguments and working directory; its exit code is
/// the script's.
pub(crate) fn script(typed: Option<&Guest>, ready: Option<&Script>, side_files: SideFiles) -> Vec<u8> {
    let carried = ready.map_or(&[][..], |ready| ready.side_files.as_slice());
    let carried = if side_files == SideFiles::Inside { carried } else { &[] };
    if let (None, Some(ready), true) = (typed, ready, carried.is_empty()) {
        return ready.bytes.clone();
    }
    let mut text = header(flags(typed, ready));
    // The run in the initrd wants nothing of what is carried, and must not wait for it.
    let prepares = flags(typed, ready).prepare;
    if let Some(typed) = typed {
        loads(&mut text, typed, !prepares);
        functions(&mut text, typed);
    }
    if let Some(ready) = ready {
        unpack(&mut text, carried, ready);
    }
    prepare(&mut text, typed, ready);
    if let Some(typed) = typed {
        loads(&mut text, typed, prepares);
        self::typed(&mut text, typed);
    }
    if ready.is_some() {
        text.push_str(&format!("\nexec ./{READY_SCRIPT} \"$@\"\n"));
    }
    text.into_bytes()
}

/// Joins what both parts ask of Combustion; commands for the initrd ask for the prepare run by being there.
pub(crate) fn flags(typed: Option<&Guest>, ready: Option<&Script>) -> Flags {
    let ready = ready.map_or(Flags::default(), |ready| ready.flags);
    let Some(typed) = typed else { return ready };
    Flags {
        network: ready.network || typed.flags.network,
        prepare: ready.prepare || typed.flags.prepare || commands(typed, Stage::Prepare).next().is_some(),
    }
}

fn commands(guest: &Guest, stage: Stage) -> impl Iterator<Item = &str> {
    guest.commands.iter().filter(move |command| command.stage == stage).map(|command| command.text.as_str())
}

/// Writes the run in the initrd, which ends here; the main run goes on.
fn prepare(text: &mut String, typed: Option<&Guest>, ready: Option<&Script>) {
    let own: Vec<&str> = typed.into_iter().flat_map(|typed| commands(typed, Stage::Prepare)).collect();
    let is_ready = ready.is_some_and(|ready| ready.flags.prepare);
    if own.is_empty() && !is_ready {
        return;
    }
    // Not indented: a command may hold a here document.
    text.push_str("\nif [ \"${1-}\" = --prepare ]; then\n");
    own.iter().for_each(|command| text.push_str(command));
    text.push_str(&if is_ready {
        format!("    exec ./{READY_SCRIPT} \"$@\"\nfi\n")
    } else {
        "    exit 0\nfi\n".to_owned()
    });
}

fn header(flags: Flags) -> String {
    let mut text = String::from("#!/bin/sh\n");
    if let Some(line) = flags.line() {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!("{HEAD}set -eu\n"));
    text
}

fn unpack(text: &mut String, carried: &[(String, Vec<u8>)], ready: &Script) {
    text.push_str(&format!("\n{UNPACK}"));
    let folders: BTreeSet<_> = carried.iter().filter_map(|(name, _)| Some(name.rsplit_once('/')?.0)).collect();
    for folder in folders {
        text.push_str(&format!("mkdir -p {}\n", quote(&format!("./{folder}"))));
    }
    for (name, bytes) in carried {
        text.push_str(&payload(bytes).render(&format!("unpack {}", quote(&format!("./{name}")))));
    }
    text.push_str(&script_payload(&ready.bytes).render(&format!("unpack ./{READY_SCRIPT}")));
}

/// Writes what finds and proves carried files, where this is the place for it.
fn loads(text: &mut String, guest: &Guest, here: bool) {
    if let Some(medium) = guest.medium.filter(|_| here && guest.carries()) {
        text.push_str(&format!("\n{PINNED}\n{}", carried(medium)));
    }
}

/// Writes the functions that the typed part uses.
fn functions(text: &mut String, guest: &Guest) {
    let has_keys = guest.users.iter().any(|user| !user.keys.is_empty());
    let has_hash = guest.users.iter().any(|user| user.hash.is_some());
    let has_unit_files = !disabled(guest).is_empty()
        || guest.units.iter().any(|unit| unit.contents.is_some() || !unit.dropins.is_empty());
    let (append, replace): (Vec<_>, Vec<_>) = guest.files.iter().partition(|file| file.write == Write::Append);
    // Words of a command that needs them; a needless function does no harm.
    let says = |word: &str| guest.commands.iter().any(|command| command.text.contains(word));
    for (needed, function) in [
        (!hidden(guest).is_empty() || says("show "), MOUNTS),
        (has_hash, PASSWORD),
        (has_keys || has_unit_files || !replace.is_empty() || says("put "), PUT),
        (guest.directories.iter().any(|directory| directory.place.is_some()), DIRECTORY),
        (!append.is_empty(), APPEND),
        (has_keys, AUTHORIZE),
    ] {
        if needed {
            text.push_str(&format!("\n{function}"));
        }
    }
}

/// Returns the mount points that the script mounts for itself.
fn hidden(guest: &Guest) -> Vec<&'static str> {
    let paths = guest.paths();
    subvolume::for_combustion(paths.iter().map(String::as_str))
}

fn typed(text: &mut String, guest: &Guest) {
    let hidden = hidden(guest);
    text.push_str("\numask 022\n");
    hidden.iter().for_each(|directory| text.push_str(&format!("show {directory}\n")));
    commands(guest, Stage::First).for_each(|command| text.push_str(command));
    // First, since what the recipe says of accounts and files is to stand above what a package brings.
    packages(text, &guest.packages, guest.medium);
    guest.groups.iter().for_each(|group| self::group(text, group));
    guest.users.iter().for_each(|user| self::user(text, user));
    files(text, guest);
    guest.units.iter().for_each(|unit| self::unit(text, unit));
    let disabled = disabled(guest);
    if !disabled.is_empty() {
        text.push_str(&payload(disabled.as_bytes()).render(&format!("put 0644 root:root {PRESET}")));
    }
    commands(guest, Stage::Last).for_each(|command| text.push_str(command));
    if !hidden.is_empty() || guest.commands.iter().any(|command| command.text.contains("show ")) {
        text.push_str("\nhide\ntrap - EXIT\n");
    }
}

/// Makes the group, or gives the one that the image has its number.
fn group(text: &mut String, group: &GuestGroup) {
    let name = quote(&group.name);
    let system = if group.system { " --system" } else { "" };
    let gid = group.gid.map(|gid| format!(" --gid {gid}")).unwrap_or_default();
    text.push_str(&format!("if ! getent group {name} >/dev/null; then\n    groupadd{system}{gid} {name}\n"));
    if !gid.is_empty() {
        text.push_str(&format!("else\n    groupmod{gid} {name}\n"));
    }
    text.push_str("fi\n");
}

fn user(text: &mut String, user: &GuestUser) {
    let name = quote(&user.name);
    if !user.is_root() {
        account(text, user);
    }
    if let Some(hash) = &user.hash {
        // A judged hash holds nothing that could end the document.
        text.push_str(&format!("password {name} <<'END'\n{hash}\nEND\n"));
    }
    if !user.keys.is_empty() {
        let lines: String = user.keys.iter().map(|key| format!("{key}\n")).collect();
        text.push_str(&payload(lines.as_bytes()).render(&format!("authorize {name}")));
    }
}

/// Makes the user, or changes one that the image has, as Ignition does.
fn account(text: &mut String, user: &GuestUser) {
    let name = quote(&user.name);
    let system = if user.system { " --system" } else { "" };
    // useradd alone would lock the account with `!`, which sshd without PAM takes for "no keys either"; Ignition gives `*`.
    let closed = if user.hash.is_none() { " --password '*'" } else { "" };
    let make = options(user, "--home-dir", "--groups");
    // usermod would replace the groups that the image gave.
    let change = options(user, "--home", "--append --groups");
    let change = if change.is_empty() { String::new() } else { format!("else\n    usermod{change} {name}\n") };
    text.push_str(&format!(
        "if ! id -u {name} >/dev/null 2>&1; then\n    useradd --create-home{system}{closed}{make} {name}\n{change}fi\n"
    ));
}

fn options(user: &GuestUser, home: &str, groups: &str) -> String {
    let joined = (!user.groups.is_empty()).then(|| user.groups.join(","));
    let uid = user.uid.map(|uid| uid.to_string());
    let given = [
        ("--comment", user.gecos.as_ref()),
        (home, user.home.as_ref()),
        ("--shell", user.shell.as_ref()),
        ("--uid", uid.as_ref()),
        (groups, joined.as_ref()),
    ];
    given.into_iter().filter_map(|(option, value)| Some(format!(" {option} {}", quote(value?)))).collect()
}

fn files(text: &mut String, guest: &Guest) {
    for directory in &guest.directories {
        let name = |name: &Option<String>| quote(name.as_deref().unwrap_or("root"));
        let (user, group, path) = (name(&directory.user), name(&directory.group), quote(&directory.path));
        let mode = directory.mode;
        text.push_str(&match directory.place {
            Some(_) => format!("directory {mode:04o} {user} {group} {path}\n"),
            None => format!("install -d -m {mode:04o} -o {user} -g {group} {path}\n"),
        });
    }
    guest.files.iter().for_each(|file| self::file(text, file));
    for link in &guest.links {
        let (path, target) = (quote(&link.path), quote(&link.target));
        let parent = quote(link.path.rsplit_once('/').map_or("/", |(parent, _)| parent));
        // `-n`: one that stands there and leads to a directory is replaced, not entered.
        text.push_str(&format!("mkdir -p {parent}/\nrm -f {path}\nln -sn -- {target} {path}\n"));
    }
}

/// Writes one file.
pub(crate) fn file(text: &mut String, file: &GuestFile) {
    let owner = format!("{}:{}", file.user.as_deref().unwrap_or("root"), file.group.as_deref().unwrap_or("root"));
    let path = quote(&file.path);
    let head = match file.write {
        Write::Replace => format!("put {:04o} {} {path}", file.mode, quote(&owner)),
        Write::Append => format!("append {path}"),
    };
    match &file.bytes {
        Bytes::Here(bytes) => text.push_str(&payload(bytes).render(&head)),
        Bytes::Remote(input) => {
            let digest = input.digest;
            text.push_str(&format!("{head} carried {}\npinned {digest} {path}\n", input.file_path()));
        }
    }
}

/// Writes the function that prints a carried file.
fn carried(medium: PayloadMedium) -> String {
    match medium {
        PayloadMedium::ConfigDisk => CARRIED_BESIDE.replace("FOLDER", FOLDER),
        PayloadMedium::PayloadDisk => CARRIED_ON_DISK.replace("SERIAL", PAYLOAD_SERIAL),
    }
}

const CARRIED_BESIDE: &str = include_str!("shell/carried-beside.sh");
const CARRIED_ON_DISK: &str = include_str!("shell/carried-on-disk.sh");

/// Installs packages: one transaction of rpm, in the order of their names.
///
/// Not zypper, which reads and refreshes repositories that an air gap cuts off, unless each recipe brought one of its own
/// with metadata for the solver (Edge Image Builder makes such a repository on the host: 10-rpm-install.sh.tpl). rpm takes
/// exactly the files it is given, and says which dependency is missing. Signatures are not asked for, as Edge Image Builder
/// does not (`--no-gpg-checks`): the image may lack the key, and the digest says more. `/var/cache` is on a disk, and
/// transactional-update binds it (lib/Transaction.cpp); `/tmp` would be memory.
fn packages(text: &mut String, packages: &[GuestPackage], medium: Option<PayloadMedium>) {
    let (false, Some(medium)) = (packages.is_empty(), medium) else { return };
    text.push_str(
        "\n# One transaction, in which packages may need each other. rpm, since zypper would want its repositories;\n",
    );
    text.push_str("# no signatures, since the image may lack their keys and the recipe pins every byte.\n");
    let (folder, indent) = match medium {
        PayloadMedium::ConfigDisk => (format!("./{FOLDER}"), ""),
        PayloadMedium::PayloadDisk => ("\"$packages\"".to_owned(), "    "),
    };
    // Nothing in such a path means anything to a shell.
    let paths: Vec<String> = packages.iter().map(GuestPackage::path).collect();
    if medium == PayloadMedium::PayloadDisk {
        text.push_str(
            "(\n    packages=$(mktemp -d /var/cache/arca-build.XXXXXX)\n    trap 'rm -rf \"$packages\"' EXIT\n",
        );
        text.push_str(&format!("    tar -xf \"$payload\" -C \"$packages\" {}\n", paths.join(" ")));
    }
    for (package, path) in packages.iter().zip(&paths) {
        text.push_str(&format!("{indent}pinned {} {folder}/{path}\n", package.input.digest));
    }
    let files: String = paths.iter().map(|path| format!(" {folder}/{path}")).collect();
    text.push_str(&format!("{indent}rpm --upgrade --replacepkgs --nosignature{files}\n"));
    if medium == PayloadMedium::PayloadDisk {
        text.push_str(")\n");
    }
}

/// Lists the units to disable as presets: where the image's own preset says enable, systemd's first start would enable
/// them again (machine-id(5), "First Boot Semantics"). Ignition writes a preset too.
fn disabled(guest: &Guest) -> String {
    let units = guest.units.iter().filter(|unit| unit.enable == Some(false) && !unit.mask);
    units.map(|unit| format!("disable {}\n", unit.name)).collect()
}

fn unit(text: &mut String, unit: &GuestUnit) {
    for (path, contents) in unit.texts() {
        text.push_str(&payload(contents.as_bytes()).render(&format!("put 0644 root:root {}", quote(&path))));
    }
    // systemd has units like `-.mount`.
    let end = if unit.name.starts_with('-') { "-- " } else { "" };
    let name = quote(&unit.name);
    let verb = match (unit.mask, unit.enable) {
        (true, _) => "mask",
        (false, Some(true)) => "enable",
        (false, Some(false)) => "disable",
        (false, None) => return,
    };
    text.push_str(&format!("systemctl {verb} {end}{name}\n"));
}

/// One a line: Ignition and systemd both have a longest line, and a reader too.
pub(crate) fn each<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!(" \\\n    {}", quote(name))).collect()
}
