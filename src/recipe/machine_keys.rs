//! The keys of `[machine]`. Touches nothing.

use super::hardware::Watchdog;
use super::model::{Accel, Firmware, Graphics, SystemMode};
use super::table::{FromValue, Key, KeyType, KeyType as T, Row};
use super::xml::XmlAction;
use crate::base::Arch;
use crate::format::toml::Value;

/// Stands for the keys of `[machine]`, which `parse/machine.rs` reads.
pub(super) struct MachineKeys;

impl FromValue for MachineKeys {
    const KIND: KeyType = KeyType::Table;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        value.table("machine").map(|_| Self)
    }

    fn describe(keys: &mut Vec<Key>) {
        keys.extend(ROWS.iter().map(|(path, kind, default, doc)| {
            let name = path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]");
            Key { path: (*path).to_owned(), kind: *kind, row: Row { name, default, example: "", doc } }
        }));
    }
}

/// Returns the names of the keys right below a table, by its path.
pub(super) fn below(table: &str) -> Vec<&'static str> {
    let name = |(path, ..): &(&'static str, T, &str, &str)| {
        let name = path.strip_prefix(table)?.strip_prefix('.')?.trim_end_matches("[]");
        (!name.contains('.')).then_some(name)
    };
    ROWS.iter().filter_map(name).collect()
}

/// Path, type, default, text.
const ROWS: &[(&str, T, &str, &str)] = &[
    ("machine.arch", T::Word(Arch::WORDS), "x86_64", "the processor"),
    ("machine.memory", T::Size, "2GiB", "whole MiB, 16MiB to 16TiB"),
    ("machine.vcpus", T::Number, "2", "1 to 1024"),
    ("machine.firmware", T::Word(Firmware::WORDS), "bios (uefi on aarch64)", "what starts the machine"),
    ("machine.accel", T::Word(Accel::WORDS), "kvm", "hardware virtualisation, or emulation that works everywhere"),
    (
        "machine.network",
        T::Text,
        "network:default",
        "network:NAME (libvirt), bridge:NAME, user, passt (user, by the program passt) or none",
    ),
    ("machine.graphics", T::Word(Graphics::WORDS), "none", "a screen besides the serial console"),
    ("machine.osinfo", T::Text, "from the base's name", "a libosinfo short id"),
    ("machine.mac", T::Text, "from plan and name", "the network card's address; instances of one bundle share it"),
    (
        "machine.ports",
        T::Texts,
        "[]",
        "with passt: ports of the host that lead to the guest, [ADDRESS:]HOST:GUEST[/tcp|/udp]",
    ),
    ("machine.autostart", T::Flag, "false", "libvirt starts the machine with the host"),
    (
        "machine.cpu",
        T::Text,
        "host-passthrough (maximum with tcg)",
        "host-passthrough, host-model, maximum, or a model of `virsh cpu-models`",
    ),
    ("machine.topology", T::Table, "", "how the processors are laid out; their product is `vcpus`"),
    ("machine.topology.sockets", T::Number, "1", "1 to 1024"),
    ("machine.topology.cores", T::Number, "1", "of each socket, 1 to 1024"),
    ("machine.topology.threads", T::Number, "1", "of each core, 1 to 1024"),
    ("machine.max_memory", T::Size, "memory", "up to where a balloon may grow the memory while the machine runs"),
    ("machine.hugepages", T::Flag, "false", "memory from huge pages the host has set aside; not in run-qemu.sh"),
    ("machine.shared_memory", T::Flag, "false", "memory that other processes of the host may map, as for virtiofs"),
    ("machine.secure_boot", T::Flag, "false", "only signed boot loaders start; with uefi on x86_64"),
    ("machine.tpm", T::Flag, "false", "a TPM 2.0, emulated by swtpm, which the host must have"),
    ("machine.watchdog", T::Word(Watchdog::WORDS), "", "what happens when the guest stops tending its i6300esb"),
    (
        "machine.xml[]",
        T::Tables,
        "",
        "an element of the domain XML that no key stands for; each in turn, after all else, in every domain and by virt-install",
    ),
    (
        "machine.xml[].parent",
        T::Text,
        "required",
        "names of elements below the domain with `/` between them (made where missing), `.` for the domain itself",
    ),
    (
        "machine.xml[].element",
        T::Text,
        "required",
        "one element; not name, uuid, sysinfo, disks, nor what a key stands for",
    ),
    (
        "machine.xml[].action",
        T::Word(XmlAction::WORDS),
        "add",
        "add puts it behind the parent's others; replace puts it in the place of the one child of the same name",
    ),
    (
        "machine.xml[].match",
        T::Text,
        "",
        "with replace: an attribute of the element; it replaces the one child with the same value there",
    ),
    ("machine.storage", T::Text, "/var/lib/libvirt/images", "where an instance's files will live on the host"),
    ("machine.system", T::Table, "", "the disk the system lives on"),
    ("machine.system.size", T::Size, "the base's own", "whole sectors, 1MiB to 64TiB; required for an ISO"),
    ("machine.system.mode", T::Word(SystemMode::WORDS), "overlay", "reads through to the base, or is a grown copy"),
    ("machine.disk[]", T::Tables, "", "a blank disk; at most 24"),
    ("machine.disk[].serial", T::Text, "required", "/dev/disk/by-id/virtio-SERIAL in the guest; at most 20 characters"),
    ("machine.disk[].size", T::Size, "required", "whole sectors, 1MiB to 64TiB"),
];
