//! The keys of the hardware: one row each. Touches nothing.

use crate::base::{Arch, ByteSize};
use crate::format::xml::{Element, element, fixed};
use crate::recipe::{Hardware, Watchdog};

/// What a row is written for.
#[derive(Clone, Copy)]
pub(crate) struct Spec<'a> {
    pub arch: Arch,
    pub memory: ByteSize,
    pub hardware: &'a Hardware,
}

/// The value of a key in a recipe.
pub(crate) enum Value {
    Flag,
    Text(String),
    Texts(Vec<String>),
}

/// One key of `[machine]`.
pub(crate) struct Key {
    pub name: &'static str,
    /// Returns its value, where it is set.
    pub value: fn(&Hardware) -> Option<Value>,
    /// The element of the domain that [`Key::xml`] stands in; nothing where that has a writer of its own.
    parent: &'static str,
    xml: fn(&Spec<'_>) -> Vec<Element>,
    /// Every value that an import can find, each as it is set; nothing where that has a reader of its own.
    values: &'static [fn(&mut Hardware)],
    /// Options of QEMU: words without quotes, with one space between two.
    qemu: fn(&Spec<'_>) -> String,
    /// What it adds to QEMU's `-machine`.
    qemu_machine: &'static str,
    /// How many PCI devices it makes.
    pci_devices: usize,
}

const PLAIN: Key = Key {
    name: "",
    value: |_| None,
    parent: "",
    xml: |_| vec![],
    values: &[],
    qemu: |_| String::new(),
    qemu_machine: "",
    pci_devices: 0,
};

/// The watchdog that both machine types can have (a PCI device; q35's own is known to libvirt since 9.1 only).
const WATCHDOG: &str = "i6300esb";

/// All keys, in the order of a recipe.
///
/// Huge pages and autostart are the host's business: QEMU is told nothing of them.
pub(crate) const KEYS: &[Key] = &[
    Key { name: "mac", value: |hardware| Some(Value::Text(hardware.mac.as_ref()?.to_string())), ..PLAIN },
    Key {
        name: "ports",
        value: |hardware| {
            let ports: Vec<_> = hardware.ports.iter().map(ToString::to_string).collect();
            (!ports.is_empty()).then_some(Value::Texts(ports))
        },
        ..PLAIN
    },
    Key { name: "autostart", value: |hardware| flag(hardware.autostart), ..PLAIN },
    Key { name: "cpu", value: |hardware| Some(Value::Text(hardware.cpu.as_ref()?.to_string())), ..PLAIN },
    Key { name: "max_memory", value: |hardware| Some(Value::Text(hardware.memory.max?.exact())), ..PLAIN },
    Key {
        name: "hugepages",
        value: |hardware| flag(hardware.memory.hugepages),
        parent: "memoryBacking",
        xml: |_| vec![element("hugepages")],
        values: &[|hardware| hardware.memory.hugepages = true],
        ..PLAIN
    },
    Key {
        name: "shared_memory",
        value: |hardware| flag(hardware.memory.shared),
        parent: "memoryBacking",
        xml: |_| vec![fixed("<source type='memfd'/>"), fixed("<access mode='shared'/>")],
        values: &[|hardware| hardware.memory.shared = true],
        qemu: |spec| format!("-object memory-backend-memfd,id=memory0,share=on,size={}M", spec.memory.0 >> 20),
        qemu_machine: ",memory-backend=memory0",
        ..PLAIN
    },
    Key {
        name: "secure_boot",
        value: |hardware| flag(hardware.security.secure_boot),
        parent: "features",
        // System management mode keeps the variables.
        xml: |_| vec![fixed("<smm state='on'/>")],
        qemu: |_| "-global driver=cfi.pflash01,property=secure,value=on".to_owned(),
        qemu_machine: ",smm=on",
        ..PLAIN
    },
    Key {
        name: "tpm",
        value: |hardware| flag(hardware.security.tpm),
        parent: "devices",
        xml: |spec| {
            let backend = fixed("<backend type='emulator' version='2.0'/>");
            vec![element("tpm").with("model", tpm_model(spec.arch)).containing([backend])]
        },
        values: &[|hardware| hardware.security.tpm = true],
        ..PLAIN
    },
    Key {
        name: "watchdog",
        value: |hardware| Some(Value::Text(hardware.watchdog?.to_string())),
        parent: "devices",
        xml: |spec| {
            let watchdog = |action| element("watchdog").with("model", WATCHDOG).with("action", action);
            spec.hardware.watchdog.map(watchdog).into_iter().collect()
        },
        values: &[
            |hardware| hardware.watchdog = Some(Watchdog::Reset),
            |hardware| hardware.watchdog = Some(Watchdog::Poweroff),
            |hardware| hardware.watchdog = Some(Watchdog::Pause),
            |hardware| hardware.watchdog = Some(Watchdog::None),
        ],
        qemu: |spec| {
            let action = spec.hardware.watchdog.unwrap_or(Watchdog::Reset);
            format!("-device {WATCHDOG} -action watchdog={action}")
        },
        pci_devices: 1,
        ..PLAIN
    },
];

fn flag(is_set: bool) -> Option<Value> {
    is_set.then_some(Value::Flag)
}

/// Returns the TPM's interface: `virt` has no CRB.
const fn tpm_model(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "tpm-crb",
        Arch::Aarch64 => "tpm-tis",
    }
}

/// Returns QEMU's own name of that device: of the TIS it has two, one for an ISA bus and one for `virt`.
pub(crate) const fn tpm_device(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "tpm-crb",
        Arch::Aarch64 => "tpm-tis-device",
    }
}

fn set<'a>(hardware: &'a Hardware) -> impl DoubleEndedIterator<Item = &'static Key> + 'a {
    KEYS.iter().filter(|key| (key.value)(hardware).is_some())
}

/// Returns what the keys that are set add to an element of the domain.
pub(crate) fn elements(parent: &str, spec: &Spec<'_>) -> Vec<Element> {
    set(spec.hardware).filter(|key| key.parent == parent).flat_map(|key| (key.xml)(spec)).collect()
}

/// Returns QEMU's options, one text for each key.
pub(crate) fn qemu(spec: &Spec<'_>) -> Vec<String> {
    set(spec.hardware).map(|key| (key.qemu)(spec)).filter(|options| !options.is_empty()).collect()
}

/// Returns what the keys add to QEMU's `-machine`.
pub(crate) fn qemu_machine(hardware: &Hardware) -> String {
    set(hardware).rev().map(|key| key.qemu_machine).collect()
}

/// Returns how many PCI devices the keys make.
pub(crate) fn pci_devices(hardware: &Hardware) -> usize {
    set(hardware).map(|key| key.pci_devices).sum()
}

/// Sets the keys that say exactly what stands in an element of a domain; returns what no key says.
pub(crate) fn take(parent: &str, mut nodes: Vec<Element>, arch: Arch, hardware: &mut Hardware) -> Vec<Element> {
    for key in KEYS.iter().filter(|key| key.parent == parent) {
        let values = if (key.value)(hardware).is_none() { key.values } else { &[] };
        for set in values {
            let mut meant = Hardware::default();
            set(&mut meant);
            let ours = (key.xml)(&Spec { arch, memory: ByteSize(0), hardware: &meant });
            if ours.iter().all(|own| nodes.iter().any(|node| own.covers(node))) {
                set(hardware);
                nodes.retain(|node| !ours.iter().any(|own| own.covers(node)));
                break;
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::keys::all as declared;

    #[test]
    fn every_row_is_a_key_of_a_recipe_and_what_it_writes_it_reads() {
        for key in KEYS {
            assert!(declared().iter().any(|declared| declared.path == format!("machine.{}", key.name)), "{}", key.name);
            for set in key.values {
                let mut hardware = Hardware::default();
                set(&mut hardware);
                for arch in [Arch::X86_64, Arch::Aarch64] {
                    let written = elements(key.parent, &Spec { arch, memory: ByteSize::gib(1), hardware: &hardware });
                    let mut read = Hardware::default();
                    assert!(take(key.parent, written, arch, &mut read).is_empty(), "{}", key.name);
                    assert_eq!(read, hardware, "{}", key.name);
                }
            }
        }
    }
}
