//! Launch files: domain XML, virt-install and QEMU scripts, and the script that puts an instance in place.
//!
//! Everything is written from one model, [`crate::plan::Machine`], by typed writers and one encoder per target
//! language, so no two files can tell different machines (a test compares them through virt-install itself).
//! Touches nothing. Read next: [`form`] (which drives and boot a form has), [`domain`], [`virt_install`], [`scripts`].
//!
//! **Two sets, one transport each.** A guest that sees a configuration on a disk and by fw_cfg takes Ignition's from the
//! disk and Combustion's from fw_cfg, so the `disk` files never name fw_cfg and the `fwcfg` files never name the config
//! disk; the one exception is a recipe that asks for different transports, whose default set has both, each engine's part
//! once. `domain.xml`, `domain-installed.xml` and `virt-install.sh` are the recipe's default set under a plain name.
//!
//! **An ISO installs unattended.** A kiwi SelfInstall medium shows a boot menu whose first entry is the (still blank)
//! hard disk, then a menu of disks when it sees more than one (the config disk counts), then "Destroying ALL data"
//! (kiwi: `dracut/modules.d/55kiwi-dump/kiwi-dump-image.sh`, `kiwi/bootloader/template/grub2.py`). All three are
//! skipped when its kernel is given `rd.kiwi.oem.installdevice=DEVICE` (kiwi: `59kiwi-lib/kiwi-lib.sh`,
//! `lib_initialize`, since pull request 2418; documented as "Non interactive mode"). So the installing form boots the
//! medium's own kernel, which `install.sh` takes out of `base.iso`, with that argument naming the system disk by serial.
//! The installer then starts the installed system by kexec, in the same run of the machine: that is the first boot,
//! when the config medium and the data disks must be there; so they are, and nothing is attached later. A reboot must not come
//! back to the installer's kernel: the installing form ends there (`on_reboot` destroy, as virt-install does it), and
//! `domain-*-installed.xml`, without the kernel, is what stays defined.

mod domain;
mod edit;
mod form;
mod identity;
mod qemu;
mod qemu_argv;
pub(crate) mod quote;
mod script;
mod scripts;
mod virt_install;

pub(crate) use form::{INITRD, KERNEL, loader_directory, machine_type, virt_type};
pub(crate) use identity::{HostId, Identity};
pub(crate) use qemu::firmware_places;
pub(crate) use qemu_argv::{Launch, argv, written};

use crate::base::{BaseKind, Diagnostic, Transport};
use crate::plan::{Machine, file};
use form::{Form, Stage};

/// One launch file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaunchFile {
    /// The fixed name in the bundle.
    pub name: String,
    pub bytes: Vec<u8>,
    /// Whether the file is a script (mode 0555 in a bundle) or data (0444).
    pub executable: bool,
}

/// Writes every launch file of a machine, sorted by name.
///
/// # Errors
///
/// `E_RECIPE` when a text of the machine holds a character that XML cannot carry, or an edit of the recipe finds no place.
pub(crate) fn launch_files(machine: &Machine, identity: &Identity) -> Result<Vec<LaunchFile>, Diagnostic> {
    check(machine)?;
    let mut files = vec![
        script(file::INSTALL, scripts::install(machine, &domain_names(machine))),
        script(file::RUN_QEMU, scripts::run_qemu(machine, identity)),
        data(file::MACHINE, machine.to_text().into_bytes()),
    ];
    for transport in [Transport::Disk, Transport::FwCfg] {
        let default = transport == machine.transport;
        for &stage in stages(machine) {
            let bytes = domain::write(&Form { machine, identity, transport, stage })?;
            if default {
                files.push(data(domain_name(None, stage), bytes.clone()));
            }
            if has_set(machine, transport) {
                files.push(data(domain_name(Some(transport), stage), bytes));
            }
        }
        let form = Form { machine, identity, transport, stage: stages(machine)[0] };
        let (plain, own) = (file::VIRT_INSTALL, virt_install_name(transport));
        files.extend(default.then(|| script(plain, scripts::virt_install(&form, plain))));
        files.extend(has_set(machine, transport).then(|| script(own, scripts::virt_install(&form, own))));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Returns whether there are files of a transport's own name: where the engines' transports differ, the disk holds one
/// engine's part only, and the set with the disk is the default one under the plain names.
const fn has_set(machine: &Machine, transport: Transport) -> bool {
    matches!(transport, Transport::FwCfg) || !machine.is_mixed()
}

/// Lists the forms that a machine goes through, the first being the one to start with.
fn stages(machine: &Machine) -> &'static [Stage] {
    match machine.base {
        BaseKind::Qcow2 | BaseKind::Raw => &[Stage::Ready],
        BaseKind::Iso => &[Stage::Installing, Stage::Installed],
    }
}

/// Returns the file name of a domain: the default one where no transport is named.
fn domain_name(transport: Option<Transport>, stage: Stage) -> String {
    let name = match transport {
        None => file::DOMAIN,
        Some(Transport::Disk) => file::DOMAIN_DISK,
        Some(Transport::FwCfg) => file::DOMAIN_FWCFG,
    };
    match stage {
        Stage::Ready | Stage::Installing => name.to_owned(),
        Stage::Installed => name.replace(".xml", "-installed.xml"),
    }
}

fn domain_names(machine: &Machine) -> Vec<String> {
    let sets = [None, Some(Transport::Disk), Some(Transport::FwCfg)];
    let sets = sets.into_iter().filter(|set| set.is_none_or(|transport| has_set(machine, transport)));
    sets.flat_map(|set| stages(machine).iter().map(move |stage| domain_name(set, *stage))).collect()
}

fn virt_install_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Disk => file::VIRT_INSTALL_DISK,
        Transport::FwCfg => file::VIRT_INSTALL_FWCFG,
    }
}

/// Refuses the free texts of a machine that not every target can carry; all others have a type with a rule.
fn check(machine: &Machine) -> Result<(), Diagnostic> {
    if let Some(description) = &machine.description {
        quote::printable("description", description)?;
    }
    quote::printable("machine.osinfo", &machine.osinfo).map(drop)
}

fn data(name: impl Into<String>, bytes: Vec<u8>) -> LaunchFile {
    LaunchFile { name: name.into(), bytes, executable: false }
}

fn script(name: &str, text: String) -> LaunchFile {
    LaunchFile { name: name.to_owned(), bytes: text.into_bytes(), executable: true }
}

#[cfg(test)]
mod tests;
