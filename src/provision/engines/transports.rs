//! Which transport each engine gets by the default launch files. Touches nothing.
//!
//! `auto` is the disk: it works on every platform and architecture, holds any size, and ends the waits of both engines for
//! a labelled device. The exception is the flavour that boots by systemd-boot: only Ignition's dracut module carries the
//! FAT driver (openSUSE/ignition: bsc#1184202), and that flavour has no Ignition, so a small script goes by fw_cfg there.

use crate::base::{ByteSize, Transport, image_name};
use crate::provision::facts::BaseFacts;
use crate::provision::guest::PayloadMedium;
use crate::recipe::Recipe;

/// Reading fw_cfg through sysfs costs about n²/8192 port reads in the guest; up to here nobody notices.
pub(crate) const FW_CFG_SLOW: ByteSize = ByteSize(64 << 10);
/// From here on the first boot stands still for minutes (linux: drivers/firmware/qemu_fw_cfg.c, `fw_cfg_read_blob`).
pub(crate) const FW_CFG_LIMIT: ByteSize = ByteSize(256 << 10);

/// The transport of each engine; that of one which takes no part means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransportChoice {
    pub ignition: Transport,
    pub combustion: Transport,
}

impl Default for TransportChoice {
    fn default() -> Self {
        Self { ignition: Transport::Disk, combustion: Transport::Disk }
    }
}

/// What there is to bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadSummary {
    pub has_config: bool,
    /// The script's size, where there is one.
    pub script: Option<ByteSize>,
    /// Whether anything must lie beside the script.
    pub has_folder: bool,
}

impl TransportChoice {
    /// Decides what the recipe leaves open; where it names one engine's transport, the other's is the same.
    pub(crate) fn choose(recipe: &Recipe, facts: &BaseFacts, payload: &PayloadSummary) -> Self {
        let said = &recipe.provision.transport;
        let own = said.ignition.or(said.combustion).unwrap_or_else(|| auto(facts, payload));
        Self { ignition: said.ignition.unwrap_or(own), combustion: said.combustion.unwrap_or(own) }
    }

    /// Returns whether the two engines that take part differ.
    pub(crate) fn differ(self, payload: &PayloadSummary) -> bool {
        payload.has_config && payload.script.is_some() && self.ignition != self.combustion
    }
}

impl PayloadSummary {
    /// Describes what was compiled.
    pub(crate) fn new(
        has_config: bool,
        script: Option<&[u8]>,
        medium: Option<PayloadMedium>,
        side_files_inside: bool,
    ) -> Self {
        let script = script.map(|script| ByteSize(u64::try_from(script.len()).unwrap_or(u64::MAX)));
        Self { has_config, script, has_folder: medium == Some(PayloadMedium::ConfigDisk) || !side_files_inside }
    }
}

fn auto(facts: &BaseFacts, payload: &PayloadSummary) -> Transport {
    let is_small = payload.script.is_some_and(|size| size <= FW_CFG_SLOW) && !payload.has_folder;
    if facts.says(image_name::SDBOOT) && !payload.has_config && is_small { Transport::FwCfg } else { Transport::Disk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Disk, FwCfg};

    fn transports(transport: &str, name: &str, payload: &PayloadSummary) -> (Transport, Transport) {
        let text = format!("format = 1\nname = \"n\"\n[base]\nurl = \"https://h/{name}\"\n[provision]\n{transport}\n");
        let recipe = crate::recipe::parse(&text, "n.toml").unwrap();
        let transports = TransportChoice::choose(&recipe, &BaseFacts::of(&recipe, &BaseFacts::default()), payload);
        (transports.ignition, transports.combustion)
    }

    #[test]
    fn the_disk_is_taken_but_for_a_small_script_where_nothing_reads_fat() {
        let script = |size| PayloadSummary { has_config: false, script: Some(ByteSize(size)), has_folder: false };
        let small = script(FW_CFG_SLOW.0);
        let sdboot = "MicroOS-kvm-and-xen-sdboot.qcow2";
        for (name, payload, way) in [
            ("MicroOS-kvm-and-xen.qcow2", small, Disk),
            (sdboot, small, FwCfg),
            (sdboot, script(FW_CFG_SLOW.0 + 1), Disk),
            (sdboot, PayloadSummary { has_folder: true, ..small }, Disk),
            (sdboot, PayloadSummary { has_config: true, ..small }, Disk),
            (sdboot, PayloadSummary { script: None, ..small }, Disk),
        ] {
            for transport in ["", "transport = \"auto\""] {
                assert_eq!(transports(transport, name, &payload), (way, way), "{name} {payload:?}");
            }
            assert_eq!(transports("transport = \"disk\"", name, &payload), (Disk, Disk), "what is said holds");
        }
    }

    #[test]
    fn an_engine_of_which_nothing_is_said_goes_with_the_other() {
        let both = PayloadSummary { has_config: true, script: Some(ByteSize(1)), has_folder: false };
        for (transport, expected) in [
            ("transport = \"fw_cfg\"", (FwCfg, FwCfg)),
            ("transport = { ignition = \"fw_cfg\" }", (FwCfg, FwCfg)),
            ("transport = { combustion = \"fw_cfg\" }", (FwCfg, FwCfg)),
            ("transport = { ignition = \"auto\", combustion = \"disk\" }", (Disk, Disk)),
            ("transport = { ignition = \"disk\", combustion = \"fw_cfg\" }", (Disk, FwCfg)),
        ] {
            assert_eq!(transports(transport, "a.qcow2", &both), expected, "{transport}");
        }
    }
}
