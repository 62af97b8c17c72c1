//! The typed wish as an Ignition config. Touches nothing.
//!
//! Order is the recipe's; root comes first. SUSE builds Ignition so that keys land in `~/.ssh/authorized_keys`.

use super::subvolume;
use super::template::DATA_URL;
use super::wanted::{Bytes, Login, Wanted, WantedDirectory, WantedFile, WantedGroup, WantedLink, WantedUnit, Write};
use crate::format::ignition::{
    Config, Contents, DEFAULT_SPEC, Directory, Dropin, File, Filesystem, Group, Header, KERNEL_ARGUMENTS_SPEC,
    KernelArguments, Link, Owner, Passwd, SPECIAL_MODE_SPEC, Storage, Systemd, Unit, User, data_url,
};

/// Returns the minor number of the lowest spec that says everything wanted, but not less than the usual one.
pub(crate) fn spec(wanted: &Wanted) -> u8 {
    let modes = wanted.files.iter().filter(|file| file.write == Write::Replace).map(|file| file.mode);
    let mut modes = modes.chain(wanted.directories.iter().map(|directory| directory.mode));
    if modes.any(|mode| mode & 0o7000 != 0) {
        SPECIAL_MODE_SPEC
    } else if wanted.kernel_arguments.is_empty() {
        DEFAULT_SPEC
    } else {
        KERNEL_ARGUMENTS_SPEC
    }
}

/// Returns the subvolumes that must be mounted for Ignition to reach everything wanted.
///
/// Any further user brings `/home`, unless the recipe says that it is no subvolume.
pub(crate) fn subvolumes(wanted: &Wanted, home_subvolume: bool) -> Vec<&'static str> {
    let mut paths = wanted.paths();
    if wanted.logins.iter().any(|login| !login.is_root()) {
        paths.push("/home".to_owned());
    }
    let needed = subvolume::for_ignition(paths.iter().map(String::as_str));
    needed.into_iter().filter(|directory| home_subvolume || *directory != "/home").collect()
}

/// Writes the wish; `subvolumes` are those the config must mount itself.
pub(crate) fn config(wanted: &Wanted, spec: u8, subvolumes: &[&str]) -> Config {
    Config {
        ignition: Header { version: format!("3.{spec}.0") },
        kernel_arguments: KernelArguments { should_exist: wanted.kernel_arguments.clone() },
        passwd: Passwd {
            groups: wanted.groups.iter().map(group).collect(),
            users: wanted.logins.iter().map(user).collect(),
        },
        storage: Storage {
            directories: wanted.directories.iter().map(directory).collect(),
            files: wanted.files.iter().map(file).collect(),
            filesystems: subvolumes.iter().map(|path| filesystem(path)).collect(),
            links: wanted.links.iter().map(link).collect(),
        },
        systemd: Systemd { units: wanted.units.iter().map(unit).collect() },
    }
}

fn group(group: &WantedGroup) -> Group {
    Group { gid: group.gid, name: group.name.clone(), system: group.system.then_some(true) }
}

fn link(link: &WantedLink) -> Link {
    Link { group: None, overwrite: true, path: link.path.clone(), target: link.target.clone(), user: None }
}

fn user(login: &Login) -> User {
    User {
        gecos: login.gecos.clone(),
        groups: login.groups.clone(),
        home_dir: login.home.clone(),
        name: login.name.clone(),
        password_hash: login.hash.clone(),
        shell: login.shell.clone(),
        ssh_authorized_keys: login.keys.clone(),
        system: login.system.then_some(true),
        uid: login.uid,
    }
}

fn owner(name: Option<&String>) -> Option<Owner> {
    name.map(|name| Owner { name: name.clone() })
}

fn directory(directory: &WantedDirectory) -> Directory {
    Directory {
        group: owner(directory.group.as_ref()),
        mode: directory.mode,
        path: directory.path.clone(),
        user: owner(directory.user.as_ref()),
    }
}

fn file(file: &WantedFile) -> File {
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

fn unit(unit: &WantedUnit) -> Unit {
    let dropins = unit.dropins.iter().map(|(name, text)| Dropin { contents: text.clone(), name: name.clone() });
    Unit {
        contents: unit.contents.clone(),
        dropins: dropins.collect(),
        enabled: unit.enable,
        mask: unit.mask.then_some(true),
        name: unit.name.clone(),
    }
}
