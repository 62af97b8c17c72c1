//! Which transport each engine gets by the default launch files. Touches nothing.
//!
//! `auto` is the disk: it works on every platform and architecture, holds any size, and ends the waits of both engines for
//! a labelled device. The exception is the flavour that boots by systemd-boot: only Ignition's dracut module carries the
//! FAT driver (openSUSE/ignition: bsc#1184202), and that flavour has no Ignition, so a small script goes by fw_cfg there.

use super::FW_CFG_SLOW;
use super::carried::Vehicle;
use super::facts::BaseFacts;
use crate::base::{ByteSize, Transport};
use crate::recipe::Recipe;

/// The transport of each engine; that of one which takes no part means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
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
pub struct Freight {
    pub has_config: bool,
    /// The script's size, where there is one.
    pub script: Option<ByteSize>,
    /// Whether anything must lie beside the script.
    pub has_folder: bool,
}

impl Ways {
    /// Decides what the recipe leaves open; where it names one engine's transport, the other's is the same.
    pub fn choose(recipe: &Recipe, facts: &BaseFacts, freight: &Freight) -> Self {
        let said = &recipe.provision.transport;
        let own = said.ignition.or(said.combustion).unwrap_or_else(|| auto(facts, freight));
        Self { ignition: said.ignition.unwrap_or(own), combustion: said.combustion.unwrap_or(own) }
    }

    /// Tells whether the two engines that take part differ.
    pub fn differ(self, freight: &Freight) -> bool {
        freight.has_config && freight.script.is_some() && self.ignition != self.combustion
    }
}

impl Freight {
    /// Describes what was lowered.
    pub fn new(has_config: bool, script: Option<&[u8]>, vehicle: Option<Vehicle>, side_files_inside: bool) -> Self {
        let script = script.map(|script| ByteSize(u64::try_from(script.len()).unwrap_or(u64::MAX)));
        Self { has_config, script, has_folder: vehicle == Some(Vehicle::ConfigDisk) || !side_files_inside }
    }
}

fn auto(facts: &BaseFacts, freight: &Freight) -> Transport {
    let is_small = freight.script.is_some_and(|size| size <= FW_CFG_SLOW) && !freight.has_folder;
    if facts.says("-sdboot") && !freight.has_config && is_small { Transport::FwCfg } else { Transport::Disk }
}
