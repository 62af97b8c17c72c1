//! Mounts and subvolumes as units of systemd, the same under either engine. Touches nothing.
//!
//! Sources: systemd.mount(5), systemd.unit(5) ("STRING ESCAPING FOR INCLUSION IN UNIT NAMES"), systemd.device(5). The unit of
//! a mount is wanted, not required, by local-fs.target, so the guest boots without the device; what /etc/fstab says by
//! `x-systemd.device-timeout` is a drop-in for the device's unit. A mount point is made by systemd where it can be: in a
//! subvolume, not in the root snapshot. Read next: `pool`.

use super::split::{Part, Shares, Side, Split};
use super::subvolume::{self, is_within};
use super::told::{Told, hushed};
use super::wanted::{Command, Stage, Wanted, WantedUnit};
use crate::base::text::{nearest, one_line};
use crate::base::{DiskSerial, Location, Rule, Spanned};
use crate::format::combustion::quote;
use crate::recipe::Recipe;
use crate::recipe::storage::{Device, Mount, Subvolume};

/// How long a boot waits for a device, and a pool for its members.
pub(crate) const PATIENCE: &str = "30s";

/// The first line of everything written here.
pub(crate) const HEAD: &str = "# Written by arca-build: change the recipe, not this file.\n";

/// Directories that the system itself mounts, or could not live without.
const SYSTEM: [&str; 21] = [
    "/.snapshots",
    "/bin",
    "/boot",
    "/boot/efi",
    "/boot/writable",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/local",
    "/var",
];

/// A mount unit to be.
pub(crate) struct Point<'a> {
    /// As it stands after `What=`.
    pub what: String,
    pub path: &'a str,
    pub kind: Option<&'a str>,
    pub options: Vec<String>,
    /// What messages of systemd call it.
    pub description: String,
    /// Lines of the section `[Unit]` and of `[Mount]`, each with its line end.
    pub unit: String,
    pub mount: &'static str,
    pub place: &'a Location,
}

/// Checks the mounts and subvolumes of the recipe and shares them out.
pub(crate) fn resolve(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let side = shares.side(Part::Mounts);
    for mount in &recipe.provision.mounts {
        self::mount(recipe, mount, side, shares, told);
    }
    for subvolume in &recipe.provision.subvolumes {
        self::subvolume(recipe, subvolume, side, shares, told);
    }
}

fn mount(recipe: &Recipe, mount: &Spanned<Mount>, side: Side, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: Mount { what, path, kind, options }, place } = mount;
    let device = match &what.value {
        Device::Path(path) => path.clone(),
        Device::Serial(serial) => {
            check_serial(recipe, serial, &what.place, told);
            member(serial)
        }
    };
    if let Device::Serial(serial) = &what.value {
        let pool = recipe.provision.pools.iter().find(|pool| pool.value.disks.iter().any(|disk| disk.value == *serial));
        if let Some(pool) = pool {
            let headline = format!("the disk `{serial}` is a member of the pool `{}`", pool.value.label);
            told.refuse_at(&what.place, headline, "the pool has a mount point of its own, `path`");
        }
    }
    check_point(path, place, told);
    shares.account(Part::Mounts, side, format!("mount {} at {}", one_line(&device, 100), one_line(path, 100)), "");
    patience(shares.on(side), &device, place);
    let point = Point {
        what: device,
        path,
        kind: kind.as_deref(),
        options: options.clone(),
        description: path.clone(),
        unit: String::new(),
        mount: "",
        place,
    };
    add(point, side, shares, told);
}

/// Returns where the guest finds a disk of the machine.
pub(crate) fn member(serial: &DiskSerial) -> String {
    format!("/dev/disk/by-id/virtio-{serial}")
}

/// Refuses a serial that no disk of the machine has.
pub(crate) fn check_serial(recipe: &Recipe, serial: &DiskSerial, place: &Location, told: &mut Told) {
    let mut serials = recipe.machine.disks.iter().map(|disk| disk.serial.as_str());
    if serials.clone().any(|other| other == serial.as_str()) {
        return;
    }
    let hint = match nearest(serial.as_str(), serials.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if serials.next().is_none() => {
            format!("add `[[machine.disk]]` with `serial = \"{serial}\"` and a `size`")
        }
        None => {
            let known: Vec<_> = recipe.machine.disks.iter().map(|disk| disk.serial.as_str()).collect();
            format!("the machine's disks: {}", known.join(", "))
        }
    };
    told.refuse_at(place, format!("no disk of the machine has the serial `{serial}`"), &hint);
}

/// Checks that something can be mounted at a path without hiding the system.
pub(crate) fn check_point(path: &str, place: &Location, told: &mut Told) {
    let shown = one_line(path, 80);
    if let Some(directory) = subvolume::fleeting(path) {
        let hint = "mount it below /srv, /mnt or /var";
        told.refuse_at(place, format!("nothing is mounted at `{shown}`: {directory} is made anew at every boot"), hint);
    } else if SYSTEM.contains(&path) {
        let hint = format!("mount it at a directory of its own, like {shown}/data");
        told.refuse_at(place, format!("a mount at `{shown}` would hide what the system has there"), &hint);
    }
}

/// Writes the unit of a mount, and has its mount point made where the running guest cannot.
pub(crate) fn add(point: Point<'_>, side: Side, shares: &mut Shares, told: &mut Told) {
    directory(point.path, point.place, side, shares, told);
    let Point { what, path, kind, options, description, unit, mount, place } = point;
    let kind = kind.map(|kind| format!("Type={kind}\n")).unwrap_or_default();
    let options = options.iter().map(|option| specifiers(option)).collect::<Vec<_>>().join(",");
    let options = if options.is_empty() { options } else { format!("Options={options}\n") };
    let (what, shown, description) = (specifiers(&what), specifiers(path), specifiers(&description));
    let text = format!(
        "{HEAD}[Unit]\nDescription={description}\n{unit}\n[Mount]\nWhat={what}\nWhere={shown}\n{kind}{options}{mount}\n\
         # Wanted only: the guest boots without it.\n[Install]\nWantedBy=local-fs.target\n"
    );
    let name = format!("{}.mount", escape(path));
    check_name(&name, path, place, told);
    let is_ours = |unit: &WantedUnit| unit.contents.as_ref().is_some_and(|text| text.starts_with(HEAD));
    // A second one at this path is told of by `hidden`, once.
    if !shares.units().any(|unit| unit.name == name && is_ours(unit)) {
        shares.on(side).units.push(written(name, Some(true), text, place));
    }
}

/// Returns a unit with a text.
pub(crate) fn written(name: String, enable: Option<bool>, text: String, place: &Location) -> WantedUnit {
    WantedUnit { name, enable, mask: false, contents: Some(text), dropins: vec![], place: place.clone() }
}

fn check_name(name: &str, path: &str, place: &Location, told: &mut Told) {
    if name.len() > 255 {
        let headline = format!("the path `{}` is too long for the name of a unit", one_line(path, 80));
        told.refuse_at(place, headline, "a unit's name has 255 characters; all but A-Z a-z 0-9 : _ . count as four");
    }
}

/// Makes a mount point that lies in the root snapshot, which only Combustion can write.
fn directory(path: &str, place: &Location, side: Side, shares: &mut Shares, told: &mut Told) {
    // The package `filesystem` brings it.
    if !subvolume::is_read_only(path) || path == "/mnt" {
        return;
    }
    if side == Side::Combustion || shares.split == Split::Best {
        let text = format!("mkdir -p {}\n", quote(path));
        shares.combustion.commands.push(Command { stage: Stage::Last, text });
        let why = "the root snapshot is read-only, to Ignition and to the running guest";
        shares.account(Part::Mounts, Side::Combustion, format!("directory {}", one_line(path, 100)), why);
    } else {
        let text = format!(
            "`{}` lies in the root snapshot, which is read-only: nothing can be mounted there unless the image has the \
             directory; below /srv it can, and Combustion can make it",
            one_line(path, 80)
        );
        told.warn(Rule::ReadOnlyRoot, text, Some(hushed(place)));
    }
}

/// Lets the boot wait for a device no longer than [`PATIENCE`]; by itself systemd waits for 90 seconds. The system's own
/// device is left alone: its other mounts need it too, and on a slow machine it may come late.
fn patience(wanted: &mut Wanted, device: &str, place: &Location) {
    if device == subvolume::ROOT_DEVICE {
        return;
    }
    let name = format!("{}.device", escape(device));
    if wanted.units.iter().any(|unit| unit.name == name) {
        return;
    }
    let text = format!("{HEAD}[Unit]\nJobRunningTimeoutSec={PATIENCE}\n");
    let dropins = vec![("10-arca-build.conf".to_owned(), text)];
    let unit = WantedUnit { name, enable: None, mask: false, contents: None, dropins, place: place.clone() };
    wanted.units.push(unit);
}

fn subvolume(recipe: &Recipe, subvolume: &Spanned<Subvolume>, side: Side, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: Subvolume { path, nocow }, place } = subvolume;
    let shown = one_line(path, 80);
    let pool = recipe.provision.pools.iter().find(|pool| is_within(path, &pool.value.path));
    if let Some(pool) = pool {
        let hint = "list it as `[[provision.pool.subvolume]]`";
        told.refuse_at(place, format!("`{shown}` lies in the pool `{}`", pool.value.label), hint);
    } else if SYSTEM.contains(&path.as_str()) {
        told.refuse_at(place, format!("`{shown}` is a part of the system already"), "write a directory below it");
    } else if subvolume::is_read_only(path) || subvolume::fleeting(path).is_some() || is_within(path, "/etc") {
        let hint = "write it below /home, /opt, /root, /srv, /usr/local or /var";
        told.refuse_at(place, format!("`{shown}` would not be there in the next snapshot of the system"), hint);
    }
    shares.account(Part::Mounts, side, format!("subvolume {shown}"), "");
    let name = format!("arca-subvolume-{}.service", escape(path));
    check_name(&name, path, place, told);
    let text = subvolume_unit(path, *nocow);
    shares.on(side).units.push(written(name, Some(true), text, place));
}

/// Writes the unit that makes a subvolume where nothing is; before local-fs.target, which everything else waits for.
fn subvolume_unit(path: &str, nocow: bool) -> String {
    let path = specifiers(path);
    let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    // In what is started `$` would be a variable.
    let words = |text: &str| text.replace('$', "$$");
    let (word, above) = (words(&path), words(parent));
    let nocow = if nocow { format!("ExecStart=chattr +C \"{word}\"\n") } else { String::new() };
    format!(
        "{HEAD}[Unit]\nDescription=Make the subvolume {path}\nDefaultDependencies=no\n\
         RequiresMountsFor=\"{parent}\"\nConditionPathExists=!{path}\n\
         Before=local-fs.target shutdown.target\nConflicts=shutdown.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=mkdir -p \"{above}\"\n\
         ExecStart=btrfs subvolume create \"{word}\"\n{nocow}\n\
         [Install]\nWantedBy=local-fs.target\n"
    )
}

/// Refuses what would lie beneath a later mount, or keep a subvolume from being made; call it when all is shared out.
pub(crate) fn hidden(recipe: &Recipe, shares: &Shares, told: &mut Told) {
    let points = points(recipe);
    for (index, (path, _, place)) in points.iter().enumerate() {
        if let Some((_, _, first)) = points[..index].iter().find(|(other, _, _)| other == path) {
            let headline = format!("`{}` is a mount point twice, first in line {}", one_line(path, 80), first.line);
            told.refuse_at(place, headline, "keep one of them");
        }
    }
    let logins = shares.both().flat_map(|wanted| &wanted.logins);
    let homes: Vec<_> = logins.filter(|login| !login.is_root()).map(|login| (login.home(), &login.place)).collect();
    let homes = homes.iter().map(|(path, place)| (path.as_str(), *place));
    for (path, place) in shares.both().flat_map(Wanted::nodes).chain(homes) {
        let over = points.iter().find(|(point, _, _)| is_within(path, point));
        if let Some((point, what, _)) = over {
            let headline = format!(
                "`{}` would be written before {what} `{}` is there, and be hidden by it",
                one_line(path, 80),
                one_line(point, 80)
            );
            told.refuse_at(&hushed(place), headline, "put it there when the guest runs, by a unit of your own");
        }
    }
}

/// Lists all that comes only when the guest runs: path, what it is, where it was written.
fn points(recipe: &Recipe) -> Vec<(&str, &'static str, &Location)> {
    let provision = &recipe.provision;
    let mounts = provision.mounts.iter().map(|mount| (mount.value.path.as_str(), "the mount at", &mount.place));
    let made = provision.subvolumes.iter().map(|one| (one.value.path.as_str(), "the subvolume", &one.place));
    let pools = provision.pools.iter().map(|pool| (pool.value.path.as_str(), "the pool at", &pool.place));
    let inner = provision.pools.iter().flat_map(|pool| &pool.value.subvolumes);
    let inner = inner.filter_map(|one| Some((one.value.path.as_deref()?, "the mount at", &one.place)));
    mounts.chain(made).chain(pools).chain(inner).collect()
}

/// Writes a path as the name of a unit, as `systemd-escape --path` does: `/` becomes `-`, anything but letters, digits and
/// `:_.` becomes `\xNN`, as does a dot that comes first.
pub(crate) fn escape(path: &str) -> String {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (index, byte) in trimmed.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("\\x{byte:02x}")),
        }
    }
    name
}

/// Keeps systemd from reading `%` as a specifier.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units_are_escaped_as_systemd_does() {
        for (path, name) in [
            ("/", "-"),
            ("/srv/arca", "srv-arca"),
            ("/srv/arca-x", "srv-arca\\x2dx"),
            ("/.hidden/.x", "\\x2ehidden-.x"),
            ("/a b/ü\\", "a\\x20b-\\xc3\\xbc\\x5c"),
            ("/dev/disk/by-label/A", "dev-disk-by\\x2dlabel-A"),
        ] {
            assert_eq!(escape(path), name);
        }
    }
}
