//! Ignition configs, spec 3.0.0 to 3.6.0: read as Ignition reads them, written canonically. Touches nothing.
//!
//! Specification: coreos/ignition, `docs/configuration-v3_0.md` … `v3_6.md`, and `docs/migrating-configs.md` for what came
//! when. Ignition keeps the last of two equal keys, so a slip of the pen leaves a guest without its user; [`read`] refuses
//! that. Of a key it does not know Ignition only warns, and so does [`read`]. Read next: `config` (what is written), [`schema`].

mod config;
pub(crate) mod data;
mod json;
mod meaning;
mod rules;
pub(crate) mod schema;
pub(crate) mod unit;

pub(crate) use config::{
    Config, Contents, Directory, Dropin, File, Filesystem, Group, Header, KernelArguments, Link, Owner, Passwd,
    Storage, Systemd, Unit, User, canonical, data_url,
};
#[cfg(test)]
pub(crate) use json::At;
pub(crate) use json::{Fault, Kind, Node};

/// The lowest and the highest minor number of spec 3 that is taken; 3.7.0 is experimental and no release reads it.
pub(crate) const SPECS: std::ops::RangeInclusive<u8> = 0..=6;

/// What is written unless a used field needs more: every Ignition that openSUSE ever shipped takes it.
pub(crate) const DEFAULT_SPEC: u8 = 2;

/// The first spec with kernel arguments.
pub(crate) const KERNEL_ARGUMENTS_SPEC: u8 = 3;

/// The first spec whose Ignition honours setuid, setgid and sticky bits (older ones drop them with a warning).
pub(crate) const SPECIAL_MODE_SPEC: u8 = 6;

/// Where a recipe's config has its presets (systemd.preset(5)), for units that Ignition leaves as they are; after those that
/// Ignition and Combustion's script write.
pub(crate) const PRESET: &str = "/etc/systemd/system-preset/21-arca-build.preset";

/// A config that passed every check of this module.
pub(crate) struct Ready {
    /// The minor number of its spec version.
    pub spec: u8,
    /// Without the keys that Ignition ignores, the others as the specification spells them.
    pub root: Node,
    /// What Ignition ignores.
    pub ignored: Vec<Fault>,
}

/// Reads a config and checks grammar, keys, types and meaning; every mistake is told.
///
/// A byte-order mark, an empty file and duplicate keys are faults: Ignition fails on the first, boots unprovisioned on the
/// second and drops all but the last of the third.
pub(crate) fn read(bytes: &[u8]) -> Result<Ready, Vec<Fault>> {
    let mut root = json::read(bytes).map_err(|fault| vec![fault])?;
    schema::respell(&mut root, &schema::CONFIG);
    let mut faults = json::duplicates(&root);
    let spec = schema::spec(&root).unwrap_or_else(|fault| {
        faults.push(fault);
        *SPECS.end()
    });
    let checked = schema::check(&mut root, spec);
    faults.extend(checked.faults);
    if faults.is_empty() {
        faults = meaning::check(&root);
    }
    if faults.is_empty() { Ok(Ready { spec, root, ignored: checked.ignored }) } else { Err(faults) }
}

#[cfg(test)]
mod tests;
