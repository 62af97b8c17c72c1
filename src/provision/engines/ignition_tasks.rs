//! What Ignition does in its own way: it runs no commands, so units do it in the system, whose root is read-only. Touches nothing.
//!
//! For packages a unit makes a snapshot with transactional-update(8) and reboots into it, once. A script that fails fails
//! its unit, and those after it wait. Kernel arguments it adds itself, through Combustion's own way, and restarts the guest
//! at once, in the initrd (openSUSE/combustion: combustion, "ignition-kargs-helper"). Read next: `ignition`, which writes
//! the config.

use super::combustion::each;
use crate::base::{Location, Rule, Spanned};
use crate::format::ignition::PRESET;
use crate::format::ignition::unit::{LINE_LIMIT, fault};
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::guest::{
    Bytes, Guest, GuestFile, GuestPackage, GuestScript, GuestUnit, HEAD, PAYLOAD_SERIAL, Task,
};
use crate::recipe::types::PackageName;

/// The unit that installs packages, the mark it leaves, and what it runs.
pub(crate) const PACKAGES: &str = "arca-packages.service";
pub(crate) const PACKAGES_MARK: &str = "packages";
const PACKAGES_SCRIPT: &str = "/etc/arca-build/packages";

/// Has the next boot make the trust store anew, and take this away.
pub(crate) const TRUST_MARK: &str = "/etc/pki/trust/.updated";

/// What a unit says that needs the network (systemd.special(7), "network-online.target").
const ONLINE: &str = "Wants=network-online.target\nAfter=network-online.target\n";

/// Turns a task into files and units.
pub(crate) fn perform(guest: &mut Guest, task: Task, diag: &mut DiagnosticSink) {
    match task {
        // The config says them; and nothing makes a directory in a snapshot that is read-only.
        Task::KernelArguments(_) | Task::SnapshotDirectory(_) => {}
        Task::TrustStore(place) => guest.files.push(GuestFile::new(TRUST_MARK, "", 0o644, &place)),
        Task::NetworkProfiles(files) => guest.files.extend(files),
        Task::Packages(names, place) => packages(&names, &redacted(&place), guest),
        Task::Scripts(scripts) => {
            scripts.iter().for_each(|script| check_script(script, diag));
            run(&scripts, guest);
        }
    }
}

/// Writes presets, where Ignition itself fails or does nothing; call it when all units are there.
///
/// Ignition 2.26 writes nothing for a unit that is not to be enabled, and the first start's presets then enable it. A unit
/// that a package brings is not there yet: openSUSE's Ignition enables by `systemctl --root=/sysroot enable`, which fails.
pub(crate) fn presets(guest: &mut Guest, has_packages: bool) {
    let mut lines = String::new();
    let mut later = vec![];
    let mut place = None;
    for unit in guest.units.iter_mut().filter(|unit| !unit.mask) {
        let name = &unit.name;
        match unit.enable {
            Some(false) => lines.push_str(&format!("disable {name}\n")),
            Some(true) if unit.contents.is_none() && has_packages => {
                lines.push_str(&enable_line(name));
                later.push(name.clone());
                unit.is_preset = true;
            }
            _ => continue,
        }
        place.get_or_insert_with(|| redacted(&unit.place));
    }
    let Some(place) = place else { return };
    guest.files.push(GuestFile::new(PRESET, format!("{HEAD}{lines}"), 0o644, &place));
    let installer = guest.files.iter_mut().find(|file| file.path == PACKAGES_SCRIPT);
    if let (Some(Bytes::Here(bytes)), false) = (installer.map(|file| &mut file.bytes), later.is_empty()) {
        bytes.extend(enables(&later).into_bytes());
    }
}

/// Writes a preset; of an instance its template's, with what stands behind the `@` (systemd.preset(5)).
fn enable_line(name: &str) -> String {
    match name.split_once('@').and_then(|(head, rest)| Some((head, rest.rsplit_once('.')?))) {
        Some((head, (instance, kind))) if !instance.is_empty() => format!("enable {head}@.{kind} {instance}\n"),
        _ => format!("enable {name}\n"),
    }
}

/// Enables units in the snapshot that has the packages: presets are heeded at the first boot, and by packages that ask for it.
fn enables(units: &[String]) -> String {
    let mark = "/var/cache/arca-build/packages/enabled";
    format!(
        "rm -f {mark}\n\
         transactional-update --non-interactive --no-selfupdate --continue run /bin/sh -c \\\n    \
         'systemctl enable -- \"$@\" && touch {mark}' sh{}\n\
         test -e {mark}\nrm -f {mark}\n",
        each(units.iter().map(String::as_str))
    )
}

/// Refuses units that systemd takes but Ignition, which reads them too, fails the boot at.
pub(crate) fn check(guest: &Guest, diag: &mut DiagnosticSink) {
    for unit in &guest.units {
        for (_, text) in unit.texts() {
            let long = text.lines().position(|line| line.len() >= LINE_LIMIT);
            let long =
                long.map(|line| (line + 1, "a line has 2048 bytes or more; continue it in the next by a final `\\`"));
            if let Some((line, what)) = fault(text).or(long) {
                let headline = format!("Ignition cannot read line {line} of this unit: {what}");
                let hint = "Ignition is stricter than systemd here; engine = \"combustion\" is not";
                diag.refuse_at(&unit.place, headline, hint);
            }
        }
    }
}

fn packages(names: &[Spanned<PackageName>], place: &Location, guest: &mut Guest) {
    let script = packages_script(names, &guest.packages);
    guest.files.push(GuestFile::new(PACKAGES_SCRIPT, script, 0o700, place));
    guest.units.push(GuestUnit::new(PACKAGES, Some(true), packages_unit(!names.is_empty()), place));
}

/// Writes what the unit runs.
fn packages_script(names: &[Spanned<PackageName>], packages: &[GuestPackage]) -> String {
    let mut text = format!(
        "#!/bin/sh\n{HEAD}\
         # Installs packages in a new snapshot; after a reboot it is the running system.\nset -eu\n"
    );
    if !names.is_empty() {
        text.push_str("transactional-update --non-interactive --continue pkg install --auto-agree-with-licenses --");
        text.push_str(&each(names.iter().map(|name| name.value.as_str())));
        text.push('\n');
    }
    if !packages.is_empty() {
        carried(&mut text, packages);
    }
    text
}

/// Installs carried files. `/var/cache` is on a disk, and transactional-update shows it (lib/Transaction.cpp).
fn carried(text: &mut String, packages: &[GuestPackage]) {
    let paths: Vec<String> = packages.iter().map(GuestPackage::path).collect();
    let files = || each(paths.iter().map(String::as_str));
    let pins: String =
        packages.iter().zip(&paths).map(|(package, path)| format!("{}  {path}\n", package.input.digest)).collect();
    text.push_str(&format!(
        "cd /var/cache/arca-build/packages\n\
         tar -xf /dev/disk/by-id/virtio-{PAYLOAD_SERIAL}{files}\n\
         sha256sum -c <<'END'\n{pins}END\n\
         # `run` does not tell how its command ended (transactional-update, sbin/transactional-update.in): hence the mark.\n\
         rm -f installed\n\
         transactional-update --non-interactive --no-selfupdate --continue run /bin/sh -c \\\n    \
         'cd /var/cache/arca-build/packages && rpm --upgrade --replacepkgs --nosignature \"$@\" && touch installed' sh{files}\n\
         test -e installed\n\
         rm -rf rpms installed\n",
        files = files()
    ));
}

/// Writes the unit that installs packages. It tries again where another run of transactional-update holds the lock, or a mirror fails.
fn packages_unit(network: bool) -> String {
    let network = if network { ONLINE } else { "" };
    format!(
        "{HEAD}\
         [Unit]\n\
         Description=Install the recipe's packages and reboot into them, once\n\
         ConditionPathExists=!/var/lib/arca-build/done/{PACKAGES_MARK}\n\
         {network}\
         Before=transactional-update.service\n\
         StartLimitIntervalSec=1h\n\
         StartLimitBurst=5\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         StateDirectory=arca-build/done\n\
         CacheDirectory=arca-build/packages\n\
         ExecStart=/bin/sh -c 'exec {PACKAGES_SCRIPT}'\n\
         ExecStartPost=/usr/bin/touch /var/lib/arca-build/done/{PACKAGES_MARK}\n\
         ExecStartPost=/usr/bin/systemctl --no-block reboot\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// Runs scripts by units, each after the one before; packages come first, and their reboot.
fn run(scripts: &[GuestScript], guest: &mut Guest) {
    let has_packages = guest.units.iter().any(|unit| unit.name == PACKAGES);
    let mut before: Option<String> = None;
    for script in scripts {
        let path = format!("/etc/arca-build/scripts/{}", script.name);
        let unit = format!("arca-run-{}.service", script.name);
        let contents = script_unit(script, &path, before.as_deref(), has_packages);
        guest.files.push(GuestFile::new(path, script.bytes.clone(), 0o700, &script.place));
        guest.units.push(GuestUnit::new(unit.clone(), Some(true), contents, &script.place));
        before = Some(unit);
    }
}

/// Writes a unit. A shell runs the script, for SELinux lets a service of a shell do what an administrator may, and one
/// that begins with a file below `/etc` hardly anything.
fn script_unit(script: &GuestScript, path: &str, before: Option<&str>, has_packages: bool) -> String {
    let name = &script.name;
    let network = if script.network { ONLINE } else { "" };
    let before = before.map(|unit| format!("Requires={unit}\nAfter={unit}\n")).unwrap_or_default();
    let packages = if has_packages {
        format!("ConditionPathExists=/var/lib/arca-build/done/{}\nAfter={}\n", PACKAGES_MARK, PACKAGES)
    } else {
        String::new()
    };
    format!(
        "{HEAD}\
         [Unit]\n\
         Description=Run the recipe's script {name}, once\n\
         ConditionPathExists=!/var/lib/arca-build/done/{name}\n\
         {packages}{before}{network}\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         StateDirectory=arca-build/done\n\
         ExecStart=/bin/sh -c 'exec {path}'\n\
         ExecStartPost=/usr/bin/touch /var/lib/arca-build/done/{name}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// Warns of a script that does what a read-only root makes fail.
fn check_script(script: &GuestScript, diag: &mut DiagnosticSink) {
    if script.begins_with(&["zypper", "rpm"]) {
        let text = format!(
            "script `{}` installs packages, and Ignition's unit runs it where the root is read-only; use `packages`",
            script.title
        );
        diag.warn(Rule::RunReadOnly, text, Some(script.place.clone()));
    }
}
