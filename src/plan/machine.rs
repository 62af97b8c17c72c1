//! The machine a bundle describes: the one model that every launch file is written from. Touches nothing.

use crate::base::{Arch, BaseKind, ByteSize, DiskLabel, DiskSerial, FwCfgName, Name, StorageDir, Transport};
pub use crate::provision::carried::PAYLOAD_SERIAL;
pub use crate::recipe::{Accel, DataDisk, Firmware, Graphics, Network, SystemMode};

/// Fixed file names in a bundle.
pub mod file {
    pub const BASE_QCOW2: &str = "base.qcow2";
    pub const BASE_ISO: &str = "base.iso";
    pub const SYSTEM: &str = "system.qcow2";
    pub const CONFIG_RAW: &str = "config.raw";
    pub const CONFIG_QCOW2: &str = "config.qcow2";
    pub const CONFIG_USB: &str = "config-usb.raw";
    pub const CONFIG_IGN: &str = "config.ign";
    pub const SCRIPT: &str = "script";
    /// What is carried besides the configuration, where that is much: a raw disk that holds one tar stream.
    pub const PAYLOAD: &str = "payload.raw";
    pub const DOMAIN: &str = "domain.xml";
    pub const DOMAIN_DISK: &str = "domain-disk.xml";
    pub const DOMAIN_FWCFG: &str = "domain-fwcfg.xml";
    pub const VIRT_INSTALL: &str = "virt-install.sh";
    pub const VIRT_INSTALL_DISK: &str = "virt-install-disk.sh";
    pub const VIRT_INSTALL_FWCFG: &str = "virt-install-fwcfg.sh";
    pub const INSTALL: &str = "install.sh";
    pub const RUN_QEMU: &str = "run-qemu.sh";
    pub const MANIFEST: &str = "manifest.json";
    pub const SHA256SUMS: &str = "SHA256SUMS";

    /// Returns `data-<serial>.qcow2`.
    pub fn data(serial: &crate::base::DiskSerial) -> String {
        format!("data-{serial}.qcow2")
    }
}

/// Everything a launch file says, less the identity (UUID, MAC), which follows from plan id and name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Machine {
    #[serde(serialize_with = "shown")]
    pub name: Name,
    pub description: Option<String>,
    pub arch: Arch,
    pub memory: ByteSize,
    pub vcpus: u32,
    pub firmware: Firmware,
    pub accel: Accel,
    #[serde(serialize_with = "network")]
    pub network: Network,
    pub graphics: Graphics,
    pub osinfo: String,
    pub storage: StorageDir,
    /// What the system disk starts from, as the bundle holds it (never raw); with an ISO the disk is blank and `base.iso` is the installer's medium.
    pub base: BaseKind,
    /// Meaningless for an ISO.
    pub mode: SystemMode,
    pub data: Vec<DataDisk>,
    /// The label of `config.qcow2`, where the bundle has one.
    pub config_disk: Option<DiskLabel>,
    /// Whether the bundle has a payload disk; left out of what is printed where it has none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub payload: bool,
    /// fw_cfg keys and the bundle file each carries; same content as the config disk.
    pub fw_cfg: Vec<(FwCfgName, &'static str)>,
    /// Which set of launch files is the default.
    pub transport: Transport,
    /// What comes by fw_cfg although the default set has the config disk, which then lacks it; mostly nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mixed: Vec<(FwCfgName, &'static str)>,
}

/// Revision of the launch files' text; it enters every plan id, so a change of their bytes bumps it.
pub const LAUNCH_REVISION: u64 = 2;

/// The serial of the system disk.
pub const SYSTEM_SERIAL: &str = "system";
/// The serial of the config disk.
pub const CONFIG_SERIAL: &str = "config";

impl Machine {
    /// Returns the backing file of the system disk, where it has one.
    pub fn backing_file(&self) -> Option<&'static str> {
        (self.base == BaseKind::Qcow2 && self.mode == SystemMode::Overlay).then_some(file::BASE_QCOW2)
    }

    /// Tells whether the engines get their configuration by different transports; then there is no set with the disk alone.
    pub const fn is_mixed(&self) -> bool {
        !self.mixed.is_empty()
    }

    /// Returns the data disks' serials and bundle file names.
    pub fn data_files(&self) -> impl Iterator<Item = (&DiskSerial, String)> {
        self.data.iter().map(|disk| (&disk.serial, file::data(&disk.serial)))
    }
}

fn shown<S: serde::Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

fn network<S: serde::Serializer>(network: &Network, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&network.to_string())
}
