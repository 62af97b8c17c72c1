//! The machine a bundle describes: the one model that every launch file is written from. Touches nothing.

use crate::base::{
    Arch, BaseKind, ByteSize, Code, Diagnostic, DiskLabel, DiskSerial, FwCfgName, Name, StorageDir, Transport,
};
pub(crate) use crate::guest_report::PORT as REPORT_PORT;
pub(crate) use crate::provision::guest::PAYLOAD_SERIAL;
pub(crate) use crate::recipe::hardware::{Cpu, CpuMode, Forward, Hardware};
pub(crate) use crate::recipe::xml::XmlEdit;
pub(crate) use crate::recipe::{Accel, DataDisk, Firmware, Graphics, Network, SystemMode};

/// Fixed file names in a bundle.
pub(crate) mod file {
    pub(crate) const BASE_QCOW2: &str = "base.qcow2";
    pub(crate) const BASE_ISO: &str = "base.iso";
    pub(crate) const SYSTEM: &str = "system.qcow2";
    pub(crate) const CONFIG_RAW: &str = "config.raw";
    pub(crate) const CONFIG_QCOW2: &str = "config.qcow2";
    pub(crate) const CONFIG_USB: &str = "config-usb.raw";
    pub(crate) const CONFIG_IGN: &str = "config.ign";
    pub(crate) const SCRIPT: &str = "script";
    /// What the guest should report; private.
    pub(crate) const REPORT: &str = "report.json";
    /// What is carried besides the configuration, where that is much: a raw disk that holds one tar stream.
    pub(crate) const PAYLOAD: &str = "payload.raw";
    pub(crate) const DOMAIN: &str = "domain.xml";
    pub(crate) const DOMAIN_DISK: &str = "domain-disk.xml";
    pub(crate) const DOMAIN_FWCFG: &str = "domain-fwcfg.xml";
    pub(crate) const VIRT_INSTALL: &str = "virt-install.sh";
    pub(crate) const VIRT_INSTALL_DISK: &str = "virt-install-disk.sh";
    pub(crate) const VIRT_INSTALL_FWCFG: &str = "virt-install-fwcfg.sh";
    pub(crate) const INSTALL: &str = "install.sh";
    pub(crate) const RUN_QEMU: &str = "run-qemu.sh";
    /// The whole machine as data: what an instance of another name or place is rendered from.
    pub(crate) const MACHINE: &str = "machine.json";
    pub(crate) const MANIFEST: &str = "manifest.json";
    pub(crate) const SHA256SUMS: &str = "SHA256SUMS";

    /// Returns `data-<serial>.qcow2`.
    pub(crate) fn data(serial: &crate::base::DiskSerial) -> String {
        format!("data-{serial}.qcow2")
    }
}

/// Everything a launch file says, less the identity (UUID, MAC), which follows from plan id and name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub name: Name,
    pub description: Option<String>,
    pub arch: Arch,
    pub memory: ByteSize,
    pub vcpus: u32,
    pub firmware: Firmware,
    pub accel: Accel,
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub payload: bool,
    /// Whether the guest reports, on a port of its own; left out of what is printed where it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub report: bool,
    /// fw_cfg keys and the bundle file each carries; same content as the config disk.
    #[serde(deserialize_with = "entries")]
    pub fw_cfg: Vec<(FwCfgName, &'static str)>,
    /// Which set of launch files is the default.
    pub transport: Transport,
    /// What comes by fw_cfg although the default set has the config disk, which then lacks it; mostly nothing.
    #[serde(default, deserialize_with = "entries", skip_serializing_if = "Vec::is_empty")]
    pub mixed: Vec<(FwCfgName, &'static str)>,
    /// The further keys of the recipe; left out of what is printed where it has none.
    #[serde(default, skip_serializing_if = "Hardware::is_plain")]
    pub hardware: Hardware,
}

/// Revision of the launch files' text; it enters every plan id, so a change of their bytes bumps it.
pub(crate) const LAUNCH_REVISION: u64 = 3;

/// The libosinfo ids that are chosen where a recipe names none: of MicroOS and Tumbleweed, and of everything else.
///
/// Databases of 2022 already know them. `opensusemicroos` came in December 2025 only, and virt-install fails on an
/// unknown id (virt-manager: virtinst/osdict.py), so MicroOS goes by Tumbleweed's.
pub(crate) const OSINFO: [&str; 2] = ["opensusetumbleweed", "linux2022"];

/// The serial of the system disk.
pub(crate) const SYSTEM_SERIAL: &str = "system";
/// The serial of the config disk.
pub(crate) const CONFIG_SERIAL: &str = "config";

impl Machine {
    /// Returns the backing file of the system disk, where it has one.
    pub(crate) fn backing_file(&self) -> Option<&'static str> {
        (self.base == BaseKind::Qcow2 && self.mode == SystemMode::Overlay).then_some(file::BASE_QCOW2)
    }

    /// Writes the canonical text of `machine.json`: two-space indented, one final line end.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads `machine.json`; every text in it is held to its rule again, as a bundle may come from anywhere.
    ///
    /// # Errors
    ///
    /// `E_CACHE_CORRUPT` where it is not a machine that this version knows.
    pub(crate) fn parse(text: &str) -> Result<Self, Diagnostic> {
        serde_json::from_str(text).map_err(|error| {
            Diagnostic::new(Code::CacheCorrupt, format!("`{}` is not one of ours", file::MACHINE))
                .cause(crate::base::text::one_line(&error.to_string(), 200))
                .hint("build the bundle again with this version")
        })
    }

    /// Returns whether the engines get their configuration by different transports; then there is no set with the disk alone.
    pub(crate) const fn is_mixed(&self) -> bool {
        !self.mixed.is_empty()
    }

    /// Returns the data disks' serials and bundle file names.
    pub(crate) fn data_files(&self) -> impl Iterator<Item = (&DiskSerial, String)> {
        self.data.iter().map(|disk| (&disk.serial, file::data(&disk.serial)))
    }
}

/// Reads fw_cfg entries; only files that a bundle has can be carried.
fn entries<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<(FwCfgName, &'static str)>, D::Error> {
    let told: Vec<(FwCfgName, String)> = serde::Deserialize::deserialize(deserializer)?;
    let known = |name: &str| [file::CONFIG_IGN, file::SCRIPT].into_iter().find(|file| *file == name);
    let entry = |(key, name): (FwCfgName, String)| {
        let file = known(&name).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is carried by no entry")))?;
        Ok((key, file))
    };
    told.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ByteSize;
    use crate::recipe::hardware::{Security, Topology, Watchdog};
    use crate::recipe::numbers::Vcpus;

    fn machine() -> Machine {
        Machine {
            name: Name::parse("nas").unwrap(),
            description: Some("a \"box\"".into()),
            arch: Arch::X86_64,
            memory: ByteSize::gib(2),
            vcpus: 2,
            firmware: Firmware::Uefi,
            accel: Accel::Kvm,
            network: Network::Bridge(Name::parse("br0").unwrap()),
            graphics: Graphics::None,
            osinfo: "linux2022".into(),
            storage: StorageDir::parse("/srv/vm").unwrap(),
            base: BaseKind::Qcow2,
            mode: SystemMode::Overlay,
            data: vec![DataDisk { serial: DiskSerial::parse("tank-1").unwrap(), size: ByteSize::gib(30) }],
            config_disk: Some(DiskLabel::Ignition),
            payload: true,
            report: true,
            fw_cfg: vec![(FwCfgName::Ignition, file::CONFIG_IGN), (FwCfgName::Combustion, file::SCRIPT)],
            transport: Transport::Disk,
            mixed: vec![],
            hardware: Hardware::default(),
        }
    }

    #[test]
    fn printing_and_parsing_are_inverse() {
        let bare = Machine { description: None, payload: false, report: false, network: Network::User, ..machine() };
        let hardware = Hardware {
            ports: vec!["127.0.0.1:80:8080".parse().unwrap()],
            cpu: "EPYC".parse().ok(),
            topology: Some(Topology { sockets: Vcpus(1), cores: Vcpus(2), threads: Vcpus(1) }),
            security: Security { secure_boot: true, tpm: false },
            watchdog: Some(Watchdog::None),
            ..Hardware::default()
        };
        let equipped = Machine { network: Network::Passt, hardware, ..machine() };
        assert!(!machine().to_text().contains("hardware") && equipped.to_text().contains("hardware"));
        for machine in [machine(), bare, equipped] {
            assert_eq!(Machine::parse(&machine.to_text()), Ok(machine));
        }
        assert!(machine().to_text().ends_with("}\n"));
    }

    #[test]
    fn a_hostile_or_newer_machine_is_refused() {
        let text = machine().to_text();
        for (from, to) in [
            ("\"nas\"", "\"../nas\""),
            ("\"/srv/vm\"", "\"/srv/../etc\""),
            ("\"tank-1\"", "\"tank,1\""),
            ("\"bridge:br0\"", "\"bridge:a b\""),
            ("\"config.ign\"", "\"/etc/shadow\""),
            ("\"vcpus\"", "\"cpus\""),
            ("\"kvm\"", "\"xen\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Machine::parse(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
