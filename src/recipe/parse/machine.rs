//! `[machine]` with its disks. Touches nothing.

use std::collections::BTreeSet;

use super::hardware::{self, Basics, memory, vcpus};
use crate::base::text::one_line;
use crate::base::{Arch, BaseKind, ByteSize, DiskSerial, Name, Spanned, StorageDir};
use crate::format::toml::{Table, Value};
use crate::recipe::machine_keys::below;
use crate::recipe::table::refuse_unknown;
use crate::recipe::{
    Accel, Base, DEFAULT_STORAGE, DataDisk, Firmware, Graphics, MachineSpec, Network, SystemMode, SystemSpec, Topology,
};

/// A q35 machine's root bus has 32 slots; the chip set, network, config and system disk take their share.
const DISK_LIMIT: usize = 24;

/// Serials of the disks that every bundle may have.
const RESERVED: [&str; 4] = ["system", "config", "install", "arca-payload"];

const SECTOR: ByteSize = ByteSize(512);
const SMALLEST_DISK: ByteSize = ByteSize::mib(1);
const LARGEST_DISK: ByteSize = ByteSize::gib(64 << 10);

/// Reads the machine; a recipe without `[machine]` gets all defaults.
pub(in crate::recipe) fn lower(root: &Table<'_>, base: Option<&Base>) -> Option<MachineSpec> {
    let table = root.table("machine", "machine");
    let get = |key| table.as_ref().and_then(|table| table.get(key));
    if let Some(table) = &table {
        refuse_unknown(table, &below(table.path));
    }
    let arch = get("arch").and_then(|value| value.word(Arch::parse, Arch::WORDS)).unwrap_or(Arch::X86_64);
    let firmware = firmware(get("firmware"), arch);
    let accel = get("accel").and_then(|value| value.word(Accel::parse, Accel::WORDS)).unwrap_or(Accel::Kvm);
    let network = get("network").and_then(|value| network(&value)).or_else(default_network)?;
    let memory = get("memory").and_then(|value| memory(&value)).unwrap_or(ByteSize::gib(2));
    let vcpus = get("vcpus").and_then(|value| vcpus(&value));
    let basics = Basics { arch, firmware, accel, network: &network, memory, vcpus };
    let hardware = table.as_ref().map(|table| hardware::lower(table, &basics)).unwrap_or_default();
    Some(MachineSpec {
        arch,
        memory,
        vcpus: vcpus.or(hardware.topology.map(Topology::vcpus)).unwrap_or(2),
        firmware,
        accel,
        graphics: get("graphics")
            .and_then(|value| value.word(Graphics::parse, Graphics::WORDS))
            .unwrap_or(Graphics::None),
        osinfo: get("osinfo")
            .and_then(|value| value.accept(Name::parse(value.line()?), "see `virt-install --osinfo list`")),
        storage_place: get("storage").map(|value| value.place()),
        storage: get("storage")
            .and_then(|value| value.accept(StorageDir::parse(value.line()?), ""))
            .or_else(|| StorageDir::parse(DEFAULT_STORAGE).ok())?,
        system: system(root, table.as_ref(), base),
        disks: table.as_ref().map(disks).unwrap_or_default(),
        network,
        hardware,
    })
}

fn default_network() -> Option<Network> {
    Name::parse("default").ok().map(Network::Network)
}

fn firmware(value: Option<Value<'_>>, arch: Arch) -> Firmware {
    let said = value.as_ref().and_then(|value| value.word(Firmware::parse, Firmware::WORDS));
    if let (Some(value), Some(Firmware::Bios), Arch::Aarch64) = (&value, said, arch) {
        value.refuse("an aarch64 machine has no BIOS", "write firmware = \"uefi\", or remove the line");
    }
    said.unwrap_or(if arch == Arch::Aarch64 { Firmware::Uefi } else { Firmware::Bios })
}

/// Reads `network:NAME`, `bridge:NAME`, `user` or `none`.
fn network(value: &Value<'_>) -> Option<Network> {
    let text = value.line()?;
    match text.split_once(':') {
        None if text == "user" => Some(Network::User),
        None if text == "passt" => Some(Network::Passt),
        None if text == "none" => Some(Network::None),
        Some(("network", name)) => value.accept(Name::parse(name), "").map(Network::Network),
        Some(("bridge", name)) if name.len() > 15 => {
            value.refuse("the name of a bridge has at most 15 characters (Linux's limit for interfaces)", "");
            None
        }
        Some(("bridge", name)) => value.accept(Name::parse(name), "").map(Network::Bridge),
        _ => {
            let hint = match Name::parse(text) {
                Ok(name) => format!("a libvirt network is written \"network:{name}\", a bridge \"bridge:{name}\""),
                Err(_) => "one of: network:NAME, bridge:NAME, user, passt, none".to_owned(),
            };
            value.refuse(format!("`network` cannot be `{}`", one_line(text, 60)), &hint);
            None
        }
    }
}

fn system(root: &Table<'_>, machine: Option<&Table<'_>>, base: Option<&Base>) -> SystemSpec {
    let table = machine.and_then(|machine| machine.table("system", "machine.system"));
    if let Some(table) = &table {
        refuse_unknown(table, &below(table.path));
    }
    let written = table.as_ref().and_then(|table| table.get("size"));
    let size = written.as_ref().and_then(|value| Some(value.located(disk_size(value)?)));
    let mode = table.as_ref().and_then(|table| table.get("mode"));
    let said = mode.as_ref().and_then(|mode| mode.word(SystemMode::parse, SystemMode::WORDS));
    if base.is_some_and(|base| base.kind == BaseKind::Iso) {
        if let Some(mode) = mode {
            mode.refuse("`mode` has no meaning for an ISO: it installs onto an empty disk", "remove `mode`");
        }
        if written.is_none() {
            let place = table.as_ref().map(Table::place).or_else(|| Some(base?.source.place.clone()));
            let mut problem = root.problem("the size of the system disk is missing: the ISO installs onto it");
            problem.place = place.or(problem.place);
            root.document.tell(problem.hint("add `size = \"24GiB\"` to `[machine.system]`"));
        }
    }
    SystemSpec { size, mode: said.unwrap_or(SystemMode::Overlay) }
}

fn disk_size(value: &Value<'_>) -> Option<ByteSize> {
    value.size(SMALLEST_DISK..=LARGEST_DISK, SECTOR)
}

fn disks(machine: &Table<'_>) -> Vec<DataDisk> {
    let mut seen = BTreeSet::new();
    let tables = machine.tables("disk", "machine.disk[]", DISK_LIMIT);
    tables.iter().filter_map(|table| disk(table, &mut seen)).collect()
}

fn disk(table: &Table<'_>, seen: &mut BTreeSet<String>) -> Option<DataDisk> {
    refuse_unknown(table, &below(table.path));
    let serial = table.need("serial", "`serial = \"data1\"`").and_then(|value| serial(&value, seen));
    let size = table.need("size", "`size = \"30GiB\"`").and_then(|value| disk_size(&value));
    Some(DataDisk { serial: serial?, size: size? })
}

/// Reads a serial; two that differ in case only would be one file in many file systems.
fn serial(value: &Value<'_>, seen: &mut BTreeSet<String>) -> Option<DiskSerial> {
    let Spanned { value: serial, .. } = value.located(value.accept(DiskSerial::parse(value.line()?), "")?);
    let folded = serial.as_str().to_ascii_lowercase();
    if RESERVED.contains(&folded.as_str()) {
        let headline = format!("the serial `{serial}` is taken by a disk of every machine");
        value.refuse(headline, "name data disks data1, data2, …");
        return None;
    }
    if !seen.insert(folded) {
        value.refuse(format!("the serial `{serial}` is given twice (upper and lower case count as one)"), "");
        return None;
    }
    Some(serial)
}
