//! What Combustion does in its own way: commands in its script. Touches nothing.
//!
//! Packages are installed in its snapshot, which becomes the running system at once, and scripts run there, before the
//! system has started; a failure fails the boot. In the initrd it runs the script before the network is up; what it writes
//! there replaces the default of DHCP on every card (openSUSE/combustion, README, and NetworkManager since 1.36), and is
//! gone with the initrd, so the main run writes the same files again. It boots the new snapshot with the kernel that runs,
//! so kernel arguments would hold from the next boot on; a unit restarts the guest once, when all else has started.
//! Read next: `combustion`, which writes the script.

use super::combustion;
use crate::base::text::one_line;
use crate::base::{Finding, Rule, Spanned};
use crate::format::combustion::{Payload, payload, quote};
use crate::provision::diagnostics::DiagnosticSink;
use crate::provision::guest::{Bytes, Guest, GuestFile, GuestScript, GuestUnit, HEAD, PROFILES, PROXY, Stage, Task};
use crate::provision::outputs::LatePath;
use crate::provision::{path, subvolume};
use crate::recipe::types::PackageName;

/// Where GRUB is configured by a menu, its defaults keep the arguments (suse-edge/edge-image-builder does the same:
/// guestfish-snippet.tpl). With boot loader entries, as systemd-boot has them, it is /etc/kernel/cmdline.
const FUNCTION: &str = include_str!("shell/kernel-arguments.sh");

/// The unit that restarts the guest under Combustion, and what it leaves behind.
pub(crate) const RESTART: &str = "arca-restart-once.service";
pub(crate) const RESTARTED: &str = "/var/lib/arca-build-restarted";

/// Boot loader entries are made of the cmdline of the system that runs, so those of a new snapshot, made when its transaction
/// is complete, lack what it says itself (openSUSE/sdbootutil: `create_boot_options`, 10-sdbootutil.snapper).
///
/// After what may not be cut off: the commit of the machine's id, without which the next boot would be a first one again, and
/// MicroOS's own check of the snapshot. mkdir fails where it has run before, so it never restarts twice.
const RESTART_TEXT: &str = include_str!("shell/restart-once.service");

/// Ends what zypper leaves running, for it would keep mounts busy (openSUSE/combustion, `combustion`, "cleanup").
const STRAY: &str = "# zypper leaves gpg-agent running, which would keep what is mounted busy.\n\
                         while pkill -x gpg-agent; do sleep 1; done\n";

/// Beside the script and not in `/tmp`: Combustion itself runs a file there.
const RUN: &str = include_str!("shell/run.sh");

const UPDATE: &str = "
# Makes the trust store anew; in a snapshot it leaves a mark, by which the next boot does it.
update-ca-certificates
";

/// Turns a task into commands, files and units; `late` is what is there only when the guest runs.
pub(crate) fn perform(guest: &mut Guest, task: Task, late: &[LatePath], diag: &mut DiagnosticSink) {
    match task {
        Task::KernelArguments(place) => {
            let words: String = guest.kernel_arguments.iter().map(|word| format!(" {}", quote(&word.value))).collect();
            guest.command(Stage::Last, format!("\n{}{words}\n", FUNCTION.trim_end()));
            guest.units.push(GuestUnit::new(RESTART, Some(true), format!("{HEAD}{RESTART_TEXT}"), &place));
        }
        Task::TrustStore(_) => guest.command(Stage::Last, UPDATE.to_owned()),
        Task::NetworkProfiles(files) => {
            guest.command(Stage::Prepare, prepare(&files));
            guest.files.extend(files);
        }
        Task::Packages(names, _) => zypper(&names, guest),
        Task::Scripts(scripts) => {
            scripts.iter().for_each(|script| check_script(script, late, diag));
            run(&scripts, guest);
        }
        Task::SnapshotDirectory(path) => guest.command(Stage::Last, format!("mkdir -p {}\n", quote(&path))),
    }
}

/// Checks what only this engine loses: transactional-update mounts a tmpfs at `/var/tmp`.
pub(crate) fn check(guest: &Guest, diag: &mut DiagnosticSink) {
    for (at, place) in guest.nodes().filter(|(at, _)| subvolume::is_within(at, "/var/tmp")) {
        path::refuse_lost(at, "/var/tmp", place, diag);
    }
}

/// Writes the run in the initrd. There is little but a shell there (openSUSE/combustion, module-setup.sh): no `base64`,
/// which profiles never need, being plain ASCII.
fn prepare(files: &[GuestFile]) -> String {
    let mut text = format!("(\numask 077\nmkdir -p {PROFILES}\n");
    for file in files {
        let Bytes::Here(bytes) = &file.bytes else { continue };
        let Payload { decoder, delimiter, body } = payload(bytes);
        text.push_str(&format!("{decoder} >{} <<'{delimiter}'\n{body}{delimiter}\n", file.path));
    }
    text + ")\n"
}

/// Installs by name in the snapshot.
fn zypper(names: &[Spanned<PackageName>], guest: &mut Guest) {
    if names.is_empty() {
        return;
    }
    guest.flags.network = true;
    let mut text = String::new();
    if let Some(proxy) = guest.files.iter().find(|file| file.path == PROXY) {
        text.push_str("\n# Before the other files, since zypper heeds it.\n");
        combustion::file(&mut text, proxy);
    }
    text.push_str(&format!(
        "\n# First, since what the recipe carries may need them.\n\
         zypper --non-interactive install --auto-agree-with-licenses --{}\n{STRAY}",
        combustion::each(names.iter().map(|name| name.value.as_str())),
    ));
    guest.command(Stage::First, text);
}

/// Runs scripts at the end of the generated one, in the order written.
fn run(scripts: &[GuestScript], guest: &mut Guest) {
    guest.flags.network |= scripts.iter().any(|script| script.network);
    let mut text = format!("\n{RUN}");
    text.push_str("# As it is in the system: what a script writes there must not vanish.\n");
    subvolume::COMBUSTION_HIDDEN.iter().for_each(|directory| text.push_str(&format!("show {directory}\n")));
    for script in scripts {
        text.push_str(&payload(&script.bytes).render(&format!("run {}", script.name)));
    }
    text.push_str(STRAY);
    guest.command(Stage::Last, text);
}

/// Warns of a script that does what fails here, or that uses what is mounted in the system only.
fn check_script(script: &GuestScript, late: &[LatePath], diag: &mut DiagnosticSink) {
    let name = &script.title;
    let mut tell = |finding: Finding| diag.tell(finding.at(script.place.clone()));
    if script.begins_with(&["systemctl start", "systemctl restart", "systemctl enable --now"]) {
        let text =
            format!("script `{name}` starts a service, and Combustion runs it before there are any; enable it instead");
        tell(Finding::new(Rule::RunNoServices, text));
    }
    let text = String::from_utf8_lossy(&script.bytes);
    for point in late.iter().filter(|late| late.is_mounted && text.contains(late.path.as_str())) {
        let text = format!(
            "script `{name}` uses {}, which is mounted in the system only: what it writes there vanishes",
            one_line(&point.path, 80)
        );
        let hint = "write there from a unit that has `RequiresMountsFor=` with that path";
        tell(Finding::new(Rule::CombustionMount, text).hint(hint));
    }
}
