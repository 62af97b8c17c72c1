//! Mounts and subvolumes as units of systemd, the same under either engine. Touches nothing.
//!
//! Sources: systemd.mount(5), systemd.unit(5) ("STRING ESCAPING FOR INCLUSION IN UNIT NAMES"), systemd.device(5). The unit of
//! a mount is wanted, not required, by local-fs.target, so the guest boots without the device; what /etc/fstab says by
//! `x-systemd.device-timeout` is a drop-in for the device's unit. A mount point is made by systemd where it can be: in a
//! subvolume, not in the root snapshot. Read next: `pool`.

use super::context::Context;
use crate::base::text::{nearest, one_line};
use crate::base::{DiskSerial, Location, Rule, Spanned};
use crate::guest_report::{Kind, Matcher};
use crate::provision::checks::{GuestCheck, any, is};
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestUnit, HEAD, Task};
use crate::provision::outputs::LatePath;
use crate::provision::subvolume::{self, is_within};
use crate::recipe::Recipe;
use crate::recipe::storage::{Device, Mount, Subvolume};

/// How long a boot waits for a device, and a pool for its members.
const PATIENCE: &str = "30s";

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
    pub feature: Feature,
    /// What messages call what is mounted.
    pub title: &'static str,
    pub place: &'a Location,
}

/// Adds the mounts and subvolumes.
pub(crate) fn mounts(cx: &mut Context<'_>) {
    cx.recipe.provision.mounts.iter().for_each(|row| mount(row, cx));
    cx.recipe.provision.subvolumes.iter().for_each(|row| subvolume(row, cx));
}

fn mount(row: &Spanned<Mount>, cx: &mut Context<'_>) {
    let Spanned { value: Mount { what, path, kind, options }, place } = row;
    let device = match &what.value {
        Device::Path(path) => path.clone(),
        Device::Serial(serial) => {
            check_serial(cx.recipe, serial, &what.place, &mut cx.diag);
            let mut pools = cx.recipe.provision.pools.iter();
            if let Some(pool) = pools.find(|pool| pool.value.disks.iter().any(|disk| disk.value == *serial)) {
                let headline = format!("the disk `{serial}` is a member of the pool `{}`", pool.value.label);
                cx.diag.refuse_at(&what.place, headline, "the pool has a mount point of its own, `path`");
            }
            format!("/dev/disk/by-id/virtio-{serial}")
        }
    };
    check_point(path, place, &mut cx.diag);
    cx.outputs.record(Feature::Mounts, format!("mount {} at {}", one_line(&device, 100), one_line(path, 100)));
    patience(&device, place, cx);
    let point = Point {
        what: device,
        path,
        kind: kind.as_deref(),
        options: options.iter().map(|option| option.as_ref().to_owned()).collect(),
        description: path.to_string(),
        unit: String::new(),
        mount: "",
        feature: Feature::Mounts,
        title: "the mount at",
        place,
    };
    add(point, cx);
    cx.outputs.checks.push((Feature::Mounts, mounted(path, kind.as_deref(), options)));
}

/// Refuses a serial that no disk of the machine has.
pub(crate) fn check_serial(recipe: &Recipe, serial: &DiskSerial, place: &Location, diag: &mut DiagnosticSink) {
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
    diag.refuse_at(place, format!("no disk of the machine has the serial `{serial}`"), &hint);
}

/// Checks that something can be mounted at a path without hiding the system.
pub(crate) fn check_point(path: &str, place: &Location, diag: &mut DiagnosticSink) {
    let shown = one_line(path, 80);
    if let Some(directory) = subvolume::fleeting(path) {
        let hint = "mount it below /srv, /mnt or /var";
        diag.refuse_at(place, format!("nothing is mounted at `{shown}`: {directory} is made anew at every boot"), hint);
    } else if subvolume::is_system(path) {
        let hint = format!("mount it at a directory of its own, like {shown}/data");
        diag.refuse_at(place, format!("a mount at `{shown}` would hide what the system has there"), &hint);
    }
}

/// Writes the unit of a mount, and has its mount point made where the running guest cannot.
pub(crate) fn add(point: Point<'_>, cx: &mut Context<'_>) {
    directory(point.path, point.place, cx);
    let Point { what, path, kind, options, description, unit, mount, feature, title, place } = point;
    late(title, path, true, place, cx);
    let kind = kind.map(|kind| format!("Type={kind}\n")).unwrap_or_default();
    let options = options.iter().map(|option| specifiers(option)).collect::<Vec<_>>().join(",");
    let options = if options.is_empty() { options } else { format!("Options={options}\n") };
    let (what, shown, description) = (specifiers(&what), specifiers(path), specifiers(&description));
    let text = format!(
        "{HEAD}[Unit]\nDescription={description}\n{unit}\n[Mount]\nWhat={what}\nWhere={shown}\n{kind}{options}{mount}\n\
         # Wanted only: the guest boots without it.\n[Install]\nWantedBy=local-fs.target\n"
    );
    let name = format!("{}.mount", escape(path));
    check_name(&name, path, place, &mut cx.diag);
    let is_ours = |unit: &GuestUnit| unit.contents.as_ref().is_some_and(|text| text.starts_with(HEAD));
    // A second one at this path is refused once, when all is there.
    if !cx.outputs.units().any(|unit| unit.name == name && is_ours(unit)) {
        cx.outputs.guest(feature).units.push(GuestUnit::new(name, Some(true), text, place));
    }
}

/// Remembers what comes only when the guest runs.
pub(crate) fn late(what: &'static str, path: &str, is_mounted: bool, place: &Location, cx: &mut Context<'_>) {
    let late = LatePath { path: path.to_owned(), what, is_mounted, place: place.clone() };
    cx.outputs.late_paths.push(late);
}

fn check_name(name: &str, path: &str, place: &Location, diag: &mut DiagnosticSink) {
    if name.len() > 255 {
        let headline = format!("the path `{}` is too long for the name of a unit", one_line(path, 80));
        diag.refuse_at(place, headline, "a unit's name has 255 characters; all but A-Z a-z 0-9 : _ . count as four");
    }
}

/// Makes a mount point that lies in the root snapshot, where an engine takes part that can write it.
fn directory(path: &str, place: &Location, cx: &mut Context<'_>) {
    // The package `filesystem` brings it.
    if !subvolume::is_read_only(path) || path == "/mnt" {
        return;
    }
    let shown = one_line(path, 100);
    if let Some(engine) = cx.outputs.choice.snapshot_writer() {
        cx.outputs.on(engine).tasks.push(Task::SnapshotDirectory(path.to_owned()));
        let why = "the root snapshot is read-only, to Ignition and to the running guest";
        cx.outputs.record_why(Feature::Mounts, engine, format!("directory {shown}"), why);
    } else {
        let text = format!(
            "`{}` lies in the root snapshot, which is read-only: nothing can be mounted there unless the image has the \
             directory; below /srv it can, and Combustion can make it",
            one_line(path, 80)
        );
        cx.diag.warn(Rule::ReadOnlyRoot, text, Some(redacted(place)));
    }
}

/// Lets the boot wait for a device no longer than [`PATIENCE`]; by itself systemd waits for 90 seconds. The system's own
/// device is left alone: its other mounts need it too, and on a slow machine it may come late.
fn patience(device: &str, place: &Location, cx: &mut Context<'_>) {
    let guest = cx.outputs.guest(Feature::Mounts);
    let name = format!("{}.device", escape(device));
    if device == subvolume::ROOT_DEVICE || guest.units.iter().any(|unit| unit.name == name) {
        return;
    }
    let text = format!("{HEAD}[Unit]\nJobRunningTimeoutSec={PATIENCE}\n");
    let dropins = vec![("10-arca-build.conf".to_owned(), text)];
    guest.units.push(GuestUnit { contents: None, dropins, ..GuestUnit::new(name, None, "", place) });
}

fn subvolume(row: &Spanned<Subvolume>, cx: &mut Context<'_>) {
    let Spanned { value: Subvolume { path, nocow }, place } = row;
    let shown = one_line(path, 80);
    let pool = cx.recipe.provision.pools.iter().find(|pool| is_within(path, &pool.value.path));
    if let Some(pool) = pool {
        let hint = "list it as `[[provision.pool.subvolume]]`";
        cx.diag.refuse_at(place, format!("`{shown}` lies in the pool `{}`", pool.value.label), hint);
    } else if subvolume::is_system(path) {
        cx.diag.refuse_at(place, format!("`{shown}` is a part of the system already"), "write a directory below it");
    } else if subvolume::is_read_only(path) || subvolume::fleeting(path).is_some() || is_within(path, "/etc") {
        let hint = "write it below /home, /opt, /root, /srv, /usr/local or /var";
        cx.diag.refuse_at(place, format!("`{shown}` would not be there in the next snapshot of the system"), hint);
    }
    cx.outputs.record(Feature::Mounts, format!("subvolume {shown}"));
    late("the subvolume", path, false, place, cx);
    let name = format!("arca-subvolume-{}.service", escape(path));
    check_name(&name, path, place, &mut cx.diag);
    let unit = GuestUnit::new(name, Some(true), subvolume_unit(path, *nocow), place);
    cx.outputs.guest(Feature::Mounts).units.push(unit);
    cx.outputs.checks.push((Feature::Mounts, made(path, *nocow)));
}

/// Writes the unit that makes a subvolume where nothing is; before local-fs.target, which everything else waits for.
///
/// It has its name only when all is done: what failed half-way is taken up at the next boot.
fn subvolume_unit(path: &str, nocow: bool) -> String {
    let path = specifiers(path);
    let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    // In what is started `$` would be a variable.
    let words = |text: &str| text.replace('$', "$$");
    let (word, above) = (words(&path), words(parent));
    let nocow = if nocow { format!("ExecStart=chattr +C \"{word}.arca-new\"\n") } else { String::new() };
    format!(
        "{HEAD}[Unit]\nDescription=Make the subvolume {path}\nDefaultDependencies=no\n\
         RequiresMountsFor=\"{parent}\"\nConditionPathExists=!{path}\n\
         After=systemd-remount-fs.service\n\
         Before=local-fs.target shutdown.target\nConflicts=shutdown.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=mkdir -p \"{above}\"\n\
         ExecStart=sh -c 'test -e \"$$1\" || exec btrfs subvolume create \"$$1\"' sh \"{word}.arca-new\"\n{nocow}\
         ExecStart=mv -T \"{word}.arca-new\" \"{word}\"\n\n\
         [Install]\nWantedBy=local-fs.target\n"
    )
}

/// Expects a subvolume.
pub(crate) fn made(path: &str, nocow: bool) -> GuestCheck {
    GuestCheck::new(Kind::Subvolume, path, nocow.then(|| ("nocow", is("yes"))))
}

/// Expects a mount.
pub(crate) fn mounted(path: &str, kind: Option<&str>, options: &[impl AsRef<str>]) -> GuestCheck {
    let kind = kind.and_then(file_system).map(|wish| ("type", wish));
    GuestCheck::new(Kind::Mount, path, kind.into_iter().chain([("access", access(options))]).chain(shown(options)))
}

/// Expects those options that the kernel shows as they are written, but for a level that it adds (btrfs(5), "MOUNT OPTIONS").
pub(crate) fn shown(options: &[impl AsRef<str>]) -> Option<(&'static str, Matcher)> {
    let plain =
        ["autodefrag", "flushoncommit", "noatime", "nodatacow", "nodatasum", "nodev", "nodiratime", "noexec", "nosuid"];
    let shown = |option: &str| match option.split_once('=') {
        Some(("compress" | "compress-force", "zstd" | "zlib")) => Some(format!("{option}:3")),
        Some(("compress" | "compress-force", _)) => Some(option.to_owned()),
        _ => plain.contains(&option).then(|| option.to_owned()),
    };
    let shown: Vec<_> = options.iter().filter_map(|option| shown(option.as_ref())).collect();
    (!shown.is_empty()).then_some(("options", Matcher::Has(shown)))
}

/// Expects what the options of a mount say of writing.
pub(crate) fn access(options: &[impl AsRef<str>]) -> Matcher {
    is(if options.iter().any(|option| option.as_ref() == "ro") { "ro" } else { "rw" })
}

/// Returns what the kernel calls a type that mount(8) is given; `None` where that does not follow.
fn file_system(kind: &str) -> Option<Matcher> {
    match kind {
        // A bind mount shows the type of what is bound.
        "auto" | "none" => None,
        "nfs" => Some(any(&["nfs", "nfs4"])),
        "btrfs" | "ext2" | "ext3" | "ext4" | "xfs" | "vfat" | "exfat" | "f2fs" | "tmpfs" | "iso9660" | "udf"
        | "squashfs" | "overlay" | "9p" | "virtiofs" | "cifs" | "nfs4" => Some(is(kind)),
        // mount.KIND(8) may be a program of FUSE's.
        _ => Some(any(&[kind, &format!("fuse.{kind}"), "fuseblk"])),
    }
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

    #[test]
    fn the_report_compares_options_as_the_kernel_shows_them() {
        for (options, expected) in [
            (&["compress=zstd", "noatime"][..], &["compress=zstd:3", "noatime"][..]),
            (&["compress-force=zlib"], &["compress-force=zlib:3"]),
            (&["compress=lzo", "x=y"], &["compress=lzo"]),
            (&["compress=zstd:9", "ro", "autodefrag"], &["compress=zstd:9", "autodefrag"]),
            (&["ro", "defaults"], &[]),
        ] {
            let found = shown(options);
            let expected: Vec<String> = expected.iter().map(|&option| option.to_owned()).collect();
            assert_eq!(found, (!expected.is_empty()).then_some(("options", Matcher::Has(expected))), "{options:?}");
        }
    }
}
