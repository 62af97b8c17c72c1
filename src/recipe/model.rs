//! `[machine]` as a recipe says it. Values only; every text with a rule has its type. Touches nothing.

use crate::base::words::vocabulary;
use crate::base::{Arch, ByteSize, DiskSerial, Location, Name, Spanned, StorageDir};

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
/// How the machine reaches the network.
#[allow(clippy::enum_variant_names, reason = "libvirt calls it so")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// `[machine]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachineSpec {
    pub arch: Arch,
    /// Default 2 GiB; whole MiB, 16 MiB to 16 TiB.
    pub memory: ByteSize,
    /// Default 2; 1 to 1024.
    pub vcpus: u32,
    /// Default bios; uefi for aarch64.
    pub firmware: Firmware,
    /// Default kvm.
    pub accel: Accel,
    /// Default the libvirt network `default`.
    pub network: Network,
    /// Default none.
    pub graphics: Graphics,
    /// A libosinfo short id; where unset, told from the base's name.
    pub osinfo: Option<Name>,
    /// Default `/var/lib/libvirt/images`.
    pub storage: StorageDir,
    /// Where it was written.
    pub storage_place: Option<Location>,
    pub system: SystemSpec,
    /// `[[machine.disk]]`, in the order written.
    pub disks: Vec<DataDisk>,
    /// The further keys.
    pub hardware: super::Hardware,
}

/// `[machine.system]`: the disk the system lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemSpec {
    /// Virtual size; where unset, the base's own (for an ISO it must be set). Whole sectors.
    pub size: Option<Spanned<ByteSize>>,
    /// Default overlay; an ISO has no mode.
    pub mode: SystemMode,
}

/// One `[[machine.disk]]`: a blank disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataDisk {
    /// Unique without case; not `system`, `config` or `install`.
    pub serial: DiskSerial,
    /// Whole sectors, 1 MiB to 64 TiB.
    pub size: ByteSize,
}

impl Network {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "user" => Some(Self::User),
            None if text == "passt" => Some(Self::Passt),
            None if text == "none" => Some(Self::None),
            Some(("network", name)) => Name::parse(name).ok().map(Self::Network),
            Some(("bridge", name)) if name.len() <= 15 => Name::parse(name).ok().map(Self::Bridge),
            _ => None,
        }
    }
}

impl std::fmt::Display for Network {
    /// Writes the network as a recipe does.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network:{name}"),
            Self::Bridge(name) => write!(f, "bridge:{name}"),
            Self::User => f.write_str("user"),
            Self::Passt => f.write_str("passt"),
            Self::None => f.write_str("none"),
        }
    }
}
