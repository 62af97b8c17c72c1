//! QEMU's own argument list for a machine that runs right here, from the model that the launch files come from.
//!
//! `run-qemu.sh` says the same in shell; `tests/oracle/qemu_argv.rs` compares the two for every golden machine. Touches
//! nothing. Source of the options: QEMU, `qemu-options.hx`. Read next: `vm::qemu`, which starts it.

use super::form::{Drive, Form, Role, Stage, installer_arguments};
use super::identity::Identity;
use super::qemu;
use super::quote::qemu_option;
use super::script::Word;
use crate::base::{BaseKind, DiskSerial, Transport};
use crate::machine::keys::tpm_device;
use crate::plan::{Accel, Machine, Network};

/// A machine as QEMU shall start it.
#[derive(Clone, Debug)]
pub(crate) struct Launch<'a> {
    pub machine: &'a Machine,
    pub identity: &'a Identity,
    pub transport: Transport,
    /// Whether the system disk holds a system already; what that means is only asked of a machine that an ISO installs.
    pub installed: bool,
    /// Accelerators, tried in this order.
    pub accel: &'a [Accel],
    /// Directory of the bundle's files, as QEMU finds it.
    pub files: &'a str,
    /// Directory of the disks that are written, each by its name in the bundle; without one what the guest writes goes to
    /// files that QEMU unlinks at once.
    pub disks: Option<&'a str>,
    /// Disks that are left out, as if they had failed.
    pub detached: &'a [DiskSerial],
    /// UEFI firmware: code, and the file that keeps its variables; `None` for a BIOS.
    pub firmware: Option<(&'a str, &'a str)>,
    /// The installer's kernel and initrd, while it is what boots.
    pub kernel: Option<(&'a str, &'a str)>,
    /// The socket of an emulated TPM.
    pub tpm: Option<&'a str>,
    /// The options that say where the serial console goes.
    pub console: &'a [String],
}

impl Launch<'_> {
    fn form(&self) -> Form<'_> {
        let stage = match (self.machine.base, self.installed) {
            (BaseKind::Iso, false) => Stage::Installing,
            (BaseKind::Iso, true) => Stage::Installed,
            (BaseKind::Qcow2 | BaseKind::Raw, _) => Stage::Ready,
        };
        Form { machine: self.machine, identity: self.identity, transport: self.transport, stage }
    }

    /// Returns whether the installer's kernel is what boots, which the caller then takes out of the medium.
    pub(crate) fn is_installing(&self) -> bool {
        self.form().stage == Stage::Installing
    }
}

/// Returns the arguments, without the program's own name.
pub(crate) fn argv(launch: &Launch<'_>) -> Vec<String> {
    let form = launch.form();
    let mut words = plain(qemu::main(&form, launch.console).concat());
    words.extend(launch.accel.iter().flat_map(|accel| pair("-accel", accel.as_str())));
    if let Some(socket) = launch.tpm {
        words.extend(pair("-chardev", format!("socket,id=tpm0,path={}", qemu_option(socket))));
        words.extend(pair("-tpmdev", "emulator,id=tpm0,chardev=tpm0"));
        words.extend(pair("-device", format!("{},tpmdev=tpm0", tpm_device(launch.machine.arch))));
    }
    if let Some((kernel, initrd)) = launch.kernel {
        words.extend(pair("-kernel", kernel));
        words.extend(pair("-initrd", initrd));
        words.extend(pair("-append", installer_arguments(launch.machine.arch)));
        words.push("-no-reboot".into());
    }
    if let Some((code, variables)) = launch.firmware {
        words.extend(firmware(code, variables, launch.disks.is_some()));
    }
    words.extend(network(&form));
    let is_there = |drive: &&Drive| !drive.serial.as_ref().is_some_and(|serial| is_detached(launch, serial));
    let drives = form.drives();
    let (config, others): (Vec<&Drive>, Vec<&Drive>) =
        drives.iter().filter(is_there).partition(|drive| drive.role == Role::Config);
    words.extend(others.into_iter().chain(config).flat_map(|drive| drive_arguments(launch, drive)));
    words.extend(plain(qemu::fw_cfg(&form, &directory(launch.files)).concat()));
    words
}

/// Lists the disks that the guest writes: serial and the name of the file, the system disk first.
pub(crate) fn written(machine: &Machine) -> Vec<(String, String)> {
    let identity = Identity { uuid: String::new(), mac: String::new() };
    let form = Form { machine, identity: &identity, transport: machine.transport, stage: Stage::Ready };
    let drives = form.drives().into_iter().filter(|drive| !drive.is_readonly());
    drives.filter_map(|drive| Some((drive.serial?, drive.file))).collect()
}

fn is_detached(launch: &Launch<'_>, serial: &str) -> bool {
    launch.detached.iter().any(|detached| detached.as_str() == serial)
}

fn pair(option: &str, value: impl Into<String>) -> [String; 2] {
    [option.to_owned(), value.into()]
}

/// The variables are written where the instance has its own copy of them.
fn firmware(code: &str, variables: &str, is_own: bool) -> Vec<String> {
    let (code, variables) = (qemu_option(code), qemu_option(variables));
    let keep = if is_own { "" } else { "snapshot=on," };
    let code = format!("if=pflash,unit=0,format=raw,readonly=on,file={code}");
    let variables = format!("if=pflash,unit=1,format=raw,{keep}file={variables}");
    [pair("-drive", code), pair("-drive", variables)].concat()
}

fn network(form: &Form<'_>) -> Vec<String> {
    if form.machine.network == Network::None {
        return vec![];
    }
    let device = format!("virtio-net-pci,netdev=net0,romfile=,mac={}", form.mac());
    let backend = format!("user,id=net0{}", qemu::ports(form.machine));
    [pair("-netdev", backend), pair("-device", device)].concat()
}

fn plain(words: Vec<Word>) -> Vec<String> {
    words.iter().map(Word::plain).collect()
}

fn directory(path: &str) -> Word {
    Word::text(qemu_option(path))
}

fn drive_arguments(launch: &Launch<'_>, drive: &Drive) -> Vec<String> {
    let (keep, files) = match (drive.is_readonly(), launch.disks) {
        (true, _) => (",readonly=on", launch.files),
        (false, None) => (",snapshot=on", launch.files),
        (false, Some(disks)) => ("", disks),
    };
    plain(qemu::drive(launch.machine.arch, drive, keep, directory(files)))
}
