//! What the recipe wants of Ignition, as its config. Touches nothing.
//!
//! Order is the recipe's; root comes first. SUSE builds Ignition so that keys land in `~/.ssh/authorized_keys`.

use super::template::DATA_URL;
use crate::format::ignition::{
    Config, Contents, DEFAULT_SPEC, Directory, Dropin, File, Filesystem, Group, Header, KERNEL_ARGUMENTS_SPEC,
    KernelArguments, Link, Owner, Passwd, SPECIAL_MODE_SPEC, Storage, Systemd, Unit, User, data_url,
};
use crate::provision::guest::{
    Bytes, Guest, GuestDirectory, GuestFile, GuestGroup, GuestLink, GuestUnit, GuestUser, Write,
};
use crate::provision::subvolume;

/// Returns the minor number of the lowest spec that says everything wanted, but not less than the usual one.
pub(crate) fn spec(guest: &Guest) -> u8 {
    let modes = guest.files.iter().filter(|file| file.write == Write::Replace).map(|file| file.mode);
    let mut modes = modes.chain(guest.directories.iter().map(|directory| directory.mode));
    if modes.any(|mode| mode & 0o7000 != 0) {
        SPECIAL_MODE_SPEC
    } else if guest.kernel_arguments.is_empty() {
        DEFAULT_SPEC
    } else {
        KERNEL_ARGUMENTS_SPEC
    }
}

/// Returns the subvolumes that must be mounted for Ignition to reach everything wanted.
///
/// Any further user brings `/home`, unless the recipe says that it is not a subvolume.
pub(crate) fn subvolumes(guest: &Guest, home_subvolume: bool) -> Vec<&'static str> {
    let mut paths = guest.paths();
    if guest.users.iter().any(|user| !user.is_root()) {
        paths.push("/home".to_owned());
    }
    let needed = subvolume::for_ignition(paths.iter().map(String::as_str));
    needed.into_iter().filter(|directory| home_subvolume || *directory != "/home").collect()
}

/// Writes the config; `subvolumes` are those the config must mount itself.
pub(crate) fn config(guest: &Guest, spec: u8, subvolumes: &[&str]) -> Config {
    Config {
        ignition: Header { version: format!("3.{spec}.0") },
        kernel_arguments: KernelArguments {
            should_exist: guest.kernel_arguments.iter().map(|argument| argument.value.to_string()).collect(),
        },
        passwd: Passwd {
            groups: guest.groups.iter().map(group).collect(),
            users: guest.users.iter().map(user).collect(),
        },
        storage: Storage {
            directories: guest.directories.iter().map(directory).collect(),
            files: guest.files.iter().map(file).collect(),
            filesystems: subvolumes.iter().map(|path| filesystem(path)).collect(),
            links: guest.links.iter().map(link).collect(),
        },
        systemd: Systemd {
            units: guest.units.iter().filter(|unit| !unit.is_preset || !unit.dropins.is_empty()).map(unit).collect(),
        },
    }
}

fn group(group: &GuestGroup) -> Group {
    Group { gid: group.gid, name: group.name.clone(), system: group.system.then_some(true) }
}

fn link(link: &GuestLink) -> Link {
    Link { group: None, overwrite: true, path: link.path.clone(), target: link.target.clone(), user: None }
}

fn user(user: &GuestUser) -> User {
    User {
        gecos: user.gecos.clone(),
        groups: user.groups.clone(),
        home_dir: user.home.clone(),
        name: user.name.clone(),
        password_hash: user.hash.clone(),
        shell: user.shell.clone(),
        ssh_authorized_keys: user.keys.clone(),
        system: user.system.then_some(true),
        uid: user.uid,
    }
}

fn owner(name: Option<&String>) -> Option<Owner> {
    name.map(|name| Owner { name: name.clone() })
}

fn directory(directory: &GuestDirectory) -> Directory {
    Directory {
        group: owner(directory.group.as_ref()),
        mode: directory.mode,
        path: directory.path.clone(),
        user: owner(directory.user.as_ref()),
    }
}

fn file(file: &GuestFile) -> File {
    let source = match &file.bytes {
        Bytes::Here(bytes) => data_url(bytes),
        Bytes::Remote(_) => DATA_URL.to_owned(),
    };
    let replaces = file.write == Write::Replace;
    let (contents, append) =
        if replaces { (Some(Contents { source }), vec![]) } else { (None, vec![Contents { source }]) };
    File {
        append,
        contents,
        group: owner(file.group.as_ref()),
        mode: replaces.then_some(file.mode),
        overwrite: replaces.then_some(true),
        path: file.path.clone(),
        user: owner(file.user.as_ref()),
    }
}

/// `/home` of MicroOS is the subvolume `@/home` of the root file system, and so on.
fn filesystem(path: &str) -> Filesystem {
    Filesystem {
        device: subvolume::ROOT_DEVICE.to_owned(),
        format: "btrfs".to_owned(),
        mount_options: vec![format!("subvol=/@{path}")],
        path: path.to_owned(),
        wipe_filesystem: false,
    }
}

fn unit(unit: &GuestUnit) -> Unit {
    let dropins = unit.dropins.iter().map(|(name, text)| Dropin { contents: text.clone(), name: name.clone() });
    Unit {
        contents: unit.contents.clone(),
        dropins: dropins.collect(),
        enabled: unit.enable.filter(|_| !unit.is_preset),
        mask: unit.mask.then_some(true),
        name: unit.name.clone(),
    }
}
