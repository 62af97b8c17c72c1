//! `[machine]` with its disks, and what its keys must agree on. Touches nothing. Read next: `hardware.rs`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::base::Base;
use super::hardware::{Cpu, CpuMode, Forward, Hardware, Topology};
use super::numbers::{DiskSize, MemorySize, Vcpus};
use super::table::{FromValue, KeyType, table};
use super::types::OsinfoId;
use crate::base::text::one_line;
use crate::base::words::{RuleError, in_json_as_text, vocabulary};
use crate::base::{Arch, BaseKind, ByteSize, DiskSerial, Name, Spanned, StorageDir};
use crate::format::toml::{Table, Value};

/// Where libvirt's default pool lives, and a machine that names no other `storage`.
pub(crate) const DEFAULT_STORAGE: &str = "/var/lib/libvirt/images";

vocabulary! {
    /// What starts the machine.
    Firmware { Bios = "bios", Uefi = "uefi" }
}
vocabulary! {
    /// How the machine shows a screen; every machine has a serial console.
    Graphics { None = "none", Vnc = "vnc", Spice = "spice" }
}
vocabulary! {
    /// Hardware virtualisation, or QEMU's software emulation (slow, works everywhere).
    Accel { Kvm = "kvm", Tcg = "tcg" }
}
vocabulary! {
    /// How the system disk is made from the base.
    SystemMode {
        /// Reads through to the base; cheap.
        Overlay = "overlay",
        /// A grown copy of the base that needs nothing else.
        Standalone = "standalone",
    }
}

table! {
    /// `[machine]`.
    MachineSpec in "machine" {
        /// the processor
        arch: Arch = "x86_64",
        /// whole MiB, 16MiB to 16TiB
        memory: MemorySize = "2GiB",
        /// 1 to 1024
        vcpus: Option<Vcpus> = "2",
        /// what starts the machine
        firmware: Option<Firmware> = "bios (uefi on aarch64)",
        /// hardware virtualisation, or emulation that works everywhere
        accel: Accel = "kvm",
        /// network:NAME (libvirt), bridge:NAME, user, passt (user, by the program passt) or none
        network: Network = "network:default",
        /// a screen besides the serial console
        graphics: Graphics = "none",
        /// a libosinfo short id
        osinfo: Option<OsinfoId> = "from the base's name",
    } flat {
        /// The further keys.
        hardware: Hardware,
    } then {
        /// where an instance's files will live on the host
        storage: Spanned<StorageDir> = "/var/lib/libvirt/images",
        /// the disk the system lives on
        system: Option<SystemSpec>,
        /// a blank disk; at most 24
        disks as "disk": Vec<DataDisk>,
    }
    check check
}

table! {
    /// `[machine.system]`: the disk the system lives on.
    SystemSpec in "machine.system" {
        /// whole sectors, 1MiB to 64TiB; required for an ISO
        size: Option<Spanned<DiskSize>> = "the base's own",
        /// reads through to the base, or is a grown copy
        mode: SystemMode = "overlay",
    }
}

/// A q35 machine's root bus has 32 slots; the chip set, network, config and system disk take their share.
pub(crate) const DISK_LIMIT: usize = 24;

/// Serials of the disks that every bundle may have.
pub(crate) const RESERVED_SERIALS: [&str; 4] = ["system", "config", "install", "arca-payload"];

table! {
    /// One `[[machine.disk]]`: a blank disk.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    DataDisk in "machine.disk[]" limit 24 {
        /// /dev/disk/by-id/virtio-SERIAL in the guest; at most 20 characters
        serial: DiskSerial = "required" like "\"data1\"",
    } with {
        /// whole sectors, 1MiB to 64TiB
        size: DiskSize = "required" like "\"30GiB\"",
    } into {
        /// Whole sectors.
        size: ByteSize = disk_size,
    }
}

fn disk_size(table: &Table<'_>) -> Option<ByteSize> {
    let value = table.need("size", "`size = \"30GiB\"`")?;
    DiskSize::from_value(&value).map(ByteSize::from)
}

impl MachineSpec {
    /// Returns what starts the machine; aarch64 has UEFI only.
    pub(crate) fn firmware(&self) -> Firmware {
        self.firmware.unwrap_or(if self.arch == Arch::Aarch64 { Firmware::Uefi } else { Firmware::Bios })
    }

    /// Returns the number of processors.
    pub(crate) fn vcpus(&self) -> u32 {
        let said = self.vcpus.map(|Vcpus(count)| count);
        said.or(self.hardware.topology.map(Topology::vcpus)).unwrap_or(2)
    }

    /// Returns how the system disk is made; an ISO has no mode.
    pub(crate) fn system_mode(&self) -> SystemMode {
        self.system.as_ref().map_or(SystemMode::Overlay, |system| system.mode)
    }

    /// Returns the size of the system disk; where unset, it is the base's own.
    pub(crate) fn system_size(&self) -> Option<&Spanned<DiskSize>> {
        self.system.as_ref()?.size.as_ref()
    }
}

/// Refuses keys that contradict each other.
fn check(table: &Table<'_>, machine: &MachineSpec) {
    let hardware = &machine.hardware;
    let (secure, is_arm) = (hardware.security.secure_boot, machine.arch == Arch::Aarch64);
    let cpu = hardware.cpu.as_ref().map(Cpu::to_string).unwrap_or_default();
    // Emulation cannot give what only the host's processor has.
    let of_host = matches!(hardware.cpu, Some(Cpu::Mode(CpuMode::HostPassthrough | CpuMode::HostModel)));
    let less = hardware.memory.max.is_some_and(|max| max < machine.memory);
    // The firmware that distributions ship with keys enrolled is for x86_64.
    for (is_broken, key, headline, hint) in [
        (
            is_arm && machine.firmware == Some(Firmware::Bios),
            "firmware",
            "an aarch64 machine has no BIOS".to_owned(),
            "write firmware = \"uefi\", or remove the line",
        ),
        (
            machine.network == Network::None && hardware.mac.is_some(),
            "mac",
            "`mac` is the address of a network card, and this machine has none".to_owned(),
            "remove `mac`",
        ),
        (
            machine.network != Network::Passt && !hardware.ports.is_empty(),
            "ports",
            "`ports` are forwarded by passt alone".to_owned(),
            "write network = \"passt\", or remove `ports`",
        ),
        (
            of_host && machine.accel == Accel::Tcg,
            "cpu",
            format!("emulation has no `{cpu}`"),
            "write cpu = \"maximum\", or accel = \"kvm\"",
        ),
        (
            less,
            "max_memory",
            format!("`max_memory` is less than the memory, {}", machine.memory.exact()),
            "it is the most that `memory` may grow to",
        ),
        (
            secure && is_arm,
            "secure_boot",
            format!("there is no secure boot for {}", machine.arch),
            "remove `secure_boot`",
        ),
        (
            secure && !is_arm && machine.firmware() != Firmware::Uefi,
            "secure_boot",
            "secure boot is UEFI's, and this machine has a BIOS".to_owned(),
            "add firmware = \"uefi\"",
        ),
    ] {
        table.get(key).iter().filter(|_| is_broken).for_each(|value| value.refuse(headline.as_str(), hint));
    }
    check_topology(table, machine);
    check_ports(table);
    check_serials(table);
}

fn check_topology(table: &Table<'_>, machine: &MachineSpec) {
    let Some((topology, value)) = machine.hardware.topology.zip(table.get("topology")) else { return };
    let product = topology.vcpus();
    if !Vcpus::BOUNDS.contains(&u64::from(product)) {
        value.refuse(format!("the topology makes more than {} processors", Vcpus::BOUNDS.end()), "");
    } else if machine.vcpus.is_some_and(|Vcpus(vcpus)| vcpus != product) {
        let headline = format!("the topology makes {product} processors, and `vcpus` says otherwise");
        value.refuse(headline, &format!("write vcpus = {product}, or leave `vcpus` out"));
    }
}

/// Returns the entries of a list that was read already.
fn entries<'d>(table: &Table<'d>, key: &'static str) -> Vec<Value<'d>> {
    table.get(key).filter(Value::is_list).map(|value| value.list()).unwrap_or_default()
}

/// Refuses a port of the host that leads to two of the guest, and more ports than anybody means.
fn check_ports(table: &Table<'_>) {
    let entries = entries(table, "ports");
    if let (Some(value), true) = (table.get("ports"), entries.len() > Forward::LIMIT) {
        value.refuse(format!("more than {} forwarded ports", Forward::LIMIT), "");
    }
    let mut ports: Vec<Forward> = vec![];
    for entry in entries.iter().take(Forward::LIMIT) {
        let Some(forward) = entry.as_text().and_then(|text| text.parse::<Forward>().ok()) else { continue };
        if ports.iter().any(|other| other.meets(&forward)) {
            entry.refuse(format!("port {} of the host is forwarded twice", forward.host), "");
        }
        ports.push(forward);
    }
}

/// Refuses a serial that is taken; two that differ in case only would be one file in many file systems.
fn check_serials(table: &Table<'_>) {
    let mut seen = BTreeSet::new();
    for disk in entries(table, "disk") {
        let Some(value) = disk.table("machine.disk[]").and_then(|disk| disk.get("serial")) else { continue };
        let Some(serial) = value.as_text().and_then(|text| DiskSerial::parse(text).ok()) else { continue };
        let folded = serial.as_str().to_ascii_lowercase();
        if RESERVED_SERIALS.contains(&folded.as_str()) {
            let headline = format!("the serial `{serial}` is taken by a disk of every machine");
            value.refuse(headline, "name data disks data1, data2, …");
        } else if !seen.insert(folded) {
            value.refuse(format!("the serial `{serial}` is given twice (upper and lower case count as one)"), "");
        }
    }
}

/// Refuses a system disk that an ISO cannot be installed on.
pub(super) fn check_installer(root: &Table<'_>, base: &Base) {
    if base.kind != BaseKind::Iso {
        return;
    }
    let machine = root.get("machine").filter(Value::is_table).and_then(|value| value.table("machine"));
    let system = machine.and_then(|machine| machine.get("system")).filter(Value::is_table);
    let system = system.and_then(|value| value.table("machine.system"));
    if let Some(mode) = system.as_ref().and_then(|system| system.get("mode")) {
        mode.refuse("`mode` has no meaning for an ISO: it installs onto an empty disk", "remove `mode`");
    }
    if system.as_ref().is_none_or(|system| !system.has("size")) {
        let mut problem = root.problem("the size of the system disk is missing: the ISO installs onto it");
        problem.place = Some(system.map_or_else(|| base.source.place.clone(), |system| system.place()));
        root.document.tell(problem.hint("add `size = \"24GiB\"` to `[machine.system]`"));
    }
}

/// How the machine reaches the network.
#[allow(clippy::enum_variant_names, reason = "libvirt calls it so")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Network {
    /// A libvirt network, by name (`"network:default"`).
    Network(Name),
    /// A bridge on the host (`"bridge:br0"`); the name has at most 15 characters.
    Bridge(Name),
    /// User-mode networking; needs no privileges (`"user"`).
    User,
    /// The same by the program passt, which must be on the host: faster, and it forwards ports (`"passt"`).
    Passt,
    /// No network card (`"none"`).
    None,
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error(transparent)]
    Name(#[from] RuleError),
    #[error("the name of a bridge has at most 15 characters (Linux's limit for interfaces)")]
    Bridge,
    #[error("one of: network:NAME, bridge:NAME, user, passt, none")]
    Form,
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Ok(match text.split_once(':') {
            None if text == "user" => Self::User,
            None if text == "passt" => Self::Passt,
            None if text == "none" => Self::None,
            Some(("network", name)) => Self::Network(Name::parse(name)?),
            Some(("bridge", name)) if name.len() > 15 => return Err(NetworkError::Bridge),
            Some(("bridge", name)) => Self::Bridge(Name::parse(name)?),
            _ => return Err(NetworkError::Form),
        })
    }
}

in_json_as_text!(Network);

impl FromValue for Network {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let read = text.parse();
        if read != Err(NetworkError::Form) {
            return value.accept(read, "");
        }
        let hint = match Name::parse(text) {
            Ok(name) => format!("a libvirt network is written \"network:{name}\", a bridge \"bridge:{name}\""),
            Err(_) => NetworkError::Form.to_string(),
        };
        value.refuse(format!("`network` cannot be `{}`", one_line(text, 60)), &hint);
        None
    }

    fn from_default(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl fmt::Display for Network {
    /// Writes the network as a recipe does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network:{name}"),
            Self::Bridge(name) => write!(f, "bridge:{name}"),
            Self::User => f.write_str("user"),
            Self::Passt => f.write_str("passt"),
            Self::None => f.write_str("none"),
        }
    }
}
