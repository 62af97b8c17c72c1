//! Which transport each engine gets by the default launch files. Touches nothing.
//!
//! `auto` is the disk: it works on every platform and architecture, holds any size, and ends the waits of both engines for
//! a labelled device. The exception is the flavour that boots by systemd-boot: only Ignition's dracut module carries the
//! FAT driver (openSUSE/ignition: bsc#1184202), and that flavour has no Ignition, so a small script goes by fw_cfg there.

use super::FW_CFG_SLOW;
use super::carried::Vehicle;
use super::facts::BaseFacts;
use crate::base::{ByteSize, Transport, image_name};
use crate::recipe::Recipe;

/// The transport of each engine; that of one which takes no part means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    pub ignition: Transport,
    pub combustion: Transport,
}

impl Default for Ways {
    fn default() -> Self {
        Self { ignition: Transport::Disk, combustion: Transport::Disk }
    }
}

/// What there is to bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freight {
    pub has_config: bool,
    /// The script's size, where there is one.
    pub script: Option<ByteSize>,
    /// Whether anything must lie beside the script.
    pub has_folder: bool,
}

impl Ways {
    /// Decides what the recipe leaves open; where it names one engine's transport, the other's is the same.
    pub(crate) fn choose(recipe: &Recipe, facts: &BaseFacts, freight: &Freight) -> Self {
        let said = &recipe.provision.transport;
        let own = said.ignition.or(said.combustion).unwrap_or_else(|| auto(facts, freight));
        Self { ignition: said.ignition.unwrap_or(own), combustion: said.combustion.unwrap_or(own) }
    }

    /// Tells whether the two engines that take part differ.
    pub(crate) fn differ(self, freight: &Freight) -> bool {
        freight.has_config && freight.script.is_some() && self.ignition != self.combustion
    }
}

impl Freight {
    /// Describes what was lowered.
    pub(crate) fn new(
        has_config: bool,
        script: Option<&[u8]>,
        vehicle: Option<Vehicle>,
        side_files_inside: bool,
    ) -> Self {
        let script = script.map(|script| ByteSize(u64::try_from(script.len()).unwrap_or(u64::MAX)));
        Self { has_config, script, has_folder: vehicle == Some(Vehicle::ConfigDisk) || !side_files_inside }
    }
}

fn auto(facts: &BaseFacts, freight: &Freight) -> Transport {
    let is_small = freight.script.is_some_and(|size| size <= FW_CFG_SLOW) && !freight.has_folder;
    if facts.says(image_name::SDBOOT) && !freight.has_config && is_small { Transport::FwCfg } else { Transport::Disk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Disk, FwCfg};

    fn ways(transport: &str, name: &str, freight: &Freight) -> (Transport, Transport) {
        let text = format!("format = 1\nname = \"n\"\n[base]\nurl = \"https://h/{name}\"\n[provision]\n{transport}\n");
        let recipe = crate::recipe::parse(&text, "n.toml").unwrap();
        let ways = Ways::choose(&recipe, &BaseFacts::of(&recipe, &BaseFacts::default()), freight);
        (ways.ignition, ways.combustion)
    }

    #[test]
    fn the_disk_is_taken_but_for_a_small_script_where_nothing_reads_fat() {
        let script = |size| Freight { has_config: false, script: Some(ByteSize(size)), has_folder: false };
        let small = script(FW_CFG_SLOW.0);
        let sdboot = "MicroOS-kvm-and-xen-sdboot.qcow2";
        for (name, freight, way) in [
            ("MicroOS-kvm-and-xen.qcow2", small, Disk),
            (sdboot, small, FwCfg),
            (sdboot, script(FW_CFG_SLOW.0 + 1), Disk),
            (sdboot, Freight { has_folder: true, ..small }, Disk),
            (sdboot, Freight { has_config: true, ..small }, Disk),
            (sdboot, Freight { script: None, ..small }, Disk),
        ] {
            for transport in ["", "transport = \"auto\""] {
                assert_eq!(ways(transport, name, &freight), (way, way), "{name} {freight:?}");
            }
            assert_eq!(ways("transport = \"disk\"", name, &freight), (Disk, Disk), "what is said holds");
        }
    }

    #[test]
    fn an_engine_of_which_nothing_is_said_goes_with_the_other() {
        let both = Freight { has_config: true, script: Some(ByteSize(1)), has_folder: false };
        for (transport, expected) in [
            ("transport = \"fw_cfg\"", (FwCfg, FwCfg)),
            ("transport = { ignition = \"fw_cfg\" }", (FwCfg, FwCfg)),
            ("transport = { combustion = \"fw_cfg\" }", (FwCfg, FwCfg)),
            ("transport = { ignition = \"auto\", combustion = \"disk\" }", (Disk, Disk)),
            ("transport = { ignition = \"disk\", combustion = \"fw_cfg\" }", (Disk, FwCfg)),
        ] {
            assert_eq!(ways(transport, "a.qcow2", &both), expected, "{transport}");
        }
    }
}
