//! The disks that a run adds to a machine or leaves out: judged on the machine as it will be, before anything is made.
//!
//! Read next: `vm::disks`, which makes them.

use super::prepared::Prepared;
use crate::base::{Arch, BaseKind, Code, Diagnostic, DiskSerial};
use crate::machine::keys::pci_devices;
use crate::plan::{CONFIG_SERIAL, DataDisk, Machine, Network, PAYLOAD_SERIAL, SYSTEM_SERIAL};
use crate::vm::directory::{State, Vm, with_added};
use crate::vm::disks;

impl Prepared<'_> {
    /// Returns the state with the disks that are asked for.
    ///
    /// # Errors
    ///
    /// `E_USAGE` where a serial is taken, where the machine has no slot left, and where a disk to leave out is none.
    pub(super) fn with_asked(&self, before: &State) -> Result<State, Diagnostic> {
        let mut state = before.clone();
        let mut machine = with_added(&self.source.machine, &state);
        for (size, serial) in &self.options.data {
            let serial = match serial {
                Some(serial) if is_taken(&machine, serial) => return Err(taken(serial)),
                Some(serial) => serial.clone(),
                None => disks::free_serial(&machine).ok_or_else(|| Diagnostic::new(Code::Usage, "too many disks"))?,
            };
            disks::judge_size(*size)?;
            let disk = DataDisk { serial, size: *size };
            machine.data.push(disk.clone());
            state.added.push(disk);
        }
        let most = slots(&machine);
        if machine.data.len() > most && !self.options.data.is_empty() {
            let (now, name) = (machine.data.len() - self.options.data.len(), &self.name);
            return Err(Diagnostic::new(Code::Usage, format!("`{name}` has no room for so many disks"))
                .fact("data disks", format!("{now}, and {} more are asked for", self.options.data.len()))
                .fact("room", format!("{most}: each takes a PCI slot"))
                .note("nothing was changed"));
        }
        self.options.detach.iter().try_for_each(|serial| detachable(&machine, serial))?;
        Ok(state)
    }
}

/// Makes the instance's disks those of another state: adds blank ones, or takes away what was added.
pub(super) fn go_to(vm: &Vm, from: &State, to: &State) -> Result<(), Diagnostic> {
    if from == to {
        return Ok(());
    }
    let only_in = |there: &State, here: &State| -> Vec<DataDisk> {
        there.added.iter().filter(|disk| !here.added.contains(disk)).cloned().collect()
    };
    // A disk is there before the state names it and until the state names it no more; what no state names nobody misses.
    only_in(to, from).iter().try_for_each(|disk| disks::add(vm.directory(), disk))?;
    vm.set_state(to)?;
    only_in(from, to).iter().try_for_each(|disk| disks::take_away(vm.directory(), disk))
}

fn is_taken(machine: &Machine, serial: &DiskSerial) -> bool {
    [SYSTEM_SERIAL, CONFIG_SERIAL, PAYLOAD_SERIAL].contains(&serial.as_str())
        || machine.data.iter().any(|disk| disk.serial == *serial)
}

fn taken(serial: &DiskSerial) -> Diagnostic {
    let problem = Diagnostic::new(Code::Usage, format!("there is a disk `{serial}` already"));
    let problem = match serial.as_str() {
        CONFIG_SERIAL => problem.cause("it is the name of the disk that carries the configuration"),
        PAYLOAD_SERIAL => problem.cause("it is the name of the disk that carries packages and files"),
        _ => problem,
    };
    problem.note("nothing was changed").hint("give another serial: `--data SIZE:SERIAL`")
}

fn detachable(machine: &Machine, serial: &DiskSerial) -> Result<(), Diagnostic> {
    if machine.data.iter().any(|disk| disk.serial == *serial) {
        return Ok(());
    }
    let there: Vec<_> = machine.data.iter().map(|disk| disk.serial.to_string()).collect();
    Err(Diagnostic::new(Code::Usage, format!("there is no disk `{serial}` to detach"))
        .fact("data disks", if there.is_empty() { "none".into() } else { there.join(", ") })
        .note("nothing was changed"))
}

/// Returns how many data disks the machine's PCI bus has slots for (QEMU: hw/i386/pc_q35.c, hw/arm/virt.c).
///
/// The bus has 32. The first is the host bridge's, q35's last the chipset's, and each device takes one.
fn slots(machine: &Machine) -> usize {
    let own = match machine.arch {
        // Chipset and graphics.
        Arch::X86_64 => 2,
        Arch::Aarch64 => usize::from(machine.base == BaseKind::Iso),
    };
    // Random numbers, the report's port, the system disk.
    let always = 3;
    let others = [machine.network != Network::None, machine.payload, machine.config_disk.is_some()];
    31 - own - always - pci_devices(&machine.hardware) - others.into_iter().filter(|is_there| *is_there).count()
}
