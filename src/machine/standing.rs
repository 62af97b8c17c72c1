//! The elements that every domain of ours has, whatever its recipe says. Touches nothing.
//!
//! Among them is what virt-install adds without being asked (timers, power management), so that the two ways to start a machine
//! give the same one.

use crate::base::Arch;
use crate::format::xml::{Element, fixed};

/// The element that it stands in, whether only x86_64 has it, and its XML.
const ROWS: &[(&str, bool, &str)] = &[
    // What QEMU's fw_cfg device is announced by.
    ("features", false, "<acpi/>"),
    ("features", true, "<apic/>"),
    ("features", true, "<vmport state='off'/>"),
    ("clock", true, "<timer name='rtc' tickpolicy='catchup'/>"),
    ("clock", true, "<timer name='pit' tickpolicy='delay'/>"),
    ("clock", true, "<timer name='hpet' present='no'/>"),
    ("domain", false, "<on_poweroff>destroy</on_poweroff>"),
    ("domain", false, "<on_crash>destroy</on_crash>"),
    ("domain", true, "<pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>"),
    ("devices", false, "<memballoon model='virtio'/>"),
    ("devices", false, "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"),
];

/// The video device of a machine with a screen.
pub(crate) const VIDEO: &str = "<video><model type='virtio'/></video>";

/// Returns the elements that stand in one of every domain's.
pub(crate) fn standing(parent: &str, arch: Arch) -> Vec<Element> {
    let here = |row: &&(&str, bool, &str)| row.0 == parent && !(row.1 && arch != Arch::X86_64);
    ROWS.iter().filter(here).map(|row| fixed(row.2)).collect()
}

/// Returns those of one name.
pub(crate) fn named(parent: &str, name: &str, arch: Arch) -> Vec<Element> {
    standing(parent, arch).into_iter().filter(|element| element.name == name).collect()
}
