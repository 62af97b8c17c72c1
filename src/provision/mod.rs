//! What the user wants in the guest → Ignition config and Combustion script; the rules that know MicroOS. Touches nothing.
//!
//! [`lower`] judges everything that `recipe` could not: login data, paths, ready-made files, what openSUSE's first boot
//! shows and hides (`subvolume`). Then `ignition` and `combustion` write the same wish for either engine. Read next:
//! `wanted` (the wish, checked), then the two writers.

mod account;
pub mod carried;
mod combustion;
pub mod explain;
mod hash;
mod ignition;
mod keys;
mod lints;
mod merge;
mod network;
mod packages;
mod path;
mod ready;
mod scripts;
pub mod split;
mod subvolume;
pub mod template;
mod told;
mod unit;
mod wanted;

use crate::base::{ByteSize, Code, DiskLabel, Place, Problem, Problems, Secret, Transport};
use crate::format;
use crate::recipe::{LocalFiles, Recipe, RecipePath};

use carried::{Known, Load, Vehicle};
use ready::Script;
use split::{Part, Placed, Shares, Side};
use template::Template;
use told::Told;
use wanted::Wanted;

/// Reading fw_cfg through sysfs costs about n²/8192 port reads in the guest; up to here nobody notices.
pub const FW_CFG_SLOW: ByteSize = ByteSize(64 << 10);
/// From here on the first boot stands still for minutes (linux: drivers/firmware/qemu_fw_cfg.c, `fw_cfg_read_blob`).
pub const FW_CFG_LIMIT: ByteSize = ByteSize(256 << 10);

/// The name under which a script travels inside the generated one; no side file may bear it.
pub const READY_SCRIPT: &str = "script.recipe";

/// How every text begins that this module writes for systemd.
pub const BY_US: &str = "# Written by arca-build";

/// What goes into the bundle for the guest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lowered {
    /// `config.ign`, canonical JSON; or a ready-made config, byte for byte, when nothing is added to it.
    pub config: Option<Secret<Vec<u8>>>,
    /// The same where bytes that are not there yet go into it; then `config` is empty.
    pub template: Option<Template>,
    /// `combustion/script`; the same bytes serve the disk and fw_cfg, since side files travel inside where they fit.
    pub script: Option<Secret<Vec<u8>>>,
    /// Files that lie beside the script on the config disk: name in `combustion/`, and where it comes from.
    pub side_files: Vec<(String, RecipePath)>,
    /// What travels as it is, sorted, and on what.
    pub loads: Vec<Load>,
    pub vehicle: Option<Vehicle>,
    /// `ignition` whenever there is a config, `combustion` when there is only a script.
    pub label: Option<DiskLabel>,
    /// What went to which engine, in the order written.
    pub placed: Vec<Placed>,
    /// The first boot, in order.
    pub steps: Vec<explain::Step>,
    /// In the order found.
    pub warnings: Vec<Warning>,
}

impl Lowered {
    /// Tells whether there is an Ignition config.
    pub const fn has_config(&self) -> bool {
        self.config.is_some() || self.template.is_some()
    }
}

/// Something that will work, but hardly as meant; or that was done without being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A stable name of the rule.
    pub id: &'static str,
    /// One sentence without a full stop; nothing in it is secret.
    pub text: String,
    pub place: Option<Place>,
}

/// Lowers `[provision]` for the engine and transport the recipe names; `known` is what pins tell of its inputs.
///
/// Every mistake is told at once: `E_SECRET` for login data that is no hash or no public key, `E_FWCFG_LIMIT` for what
/// fw_cfg cannot carry, `E_PROVISION` for the rest.
pub fn lower(recipe: &Recipe, files: &LocalFiles, known: &Known) -> Result<Lowered, Problems> {
    let mut told = Told::default();
    lints::recipe(recipe, &mut told);
    let mut shares = wanted::resolve(recipe, files, known, &mut told);
    let (loads, vehicle) = carried::loads(recipe, &shares, known, &mut told);
    shares.combustion.vehicle = vehicle;
    let config = ready::config(recipe, files, &mut told);
    let script = ready::script(recipe, files, &mut told);
    ready_made(recipe, &mut shares);
    let (config, template) = lower_config(recipe, &shares, config, &mut told);
    let has_config = config.is_some() || template.is_some();
    let steps = explain::steps(recipe, &shares, has_config, script.as_ref());
    let typed = Some(&shares.combustion).filter(|wanted| !wanted.is_empty());
    let script = lower_script(recipe, script.as_ref(), typed, &mut told);
    limit_config(recipe, config.as_deref(), template.as_ref(), &mut told);
    told.finish(Lowered {
        label: label(has_config, script.is_some()),
        config: config.map(Secret::new),
        template,
        script: script.map(Secret::new),
        loads,
        vehicle,
        side_files: recipe.provision.side_files.iter().map(|path| side_file(&path.value)).collect(),
        placed: shares.placed,
        steps,
        warnings: vec![],
    })
}

/// Enters the ready-made files into the account.
fn ready_made(recipe: &Recipe, shares: &mut Shares) {
    let (config, script) = (recipe.provision.config.as_ref(), recipe.provision.script.as_ref());
    for (side, path) in [(Side::Ignition, config), (Side::Combustion, script)] {
        if let Some(path) = path {
            shares.account(Part::ReadyMade, side, format!("the recipe's own {}", path.value.as_str()), "");
        }
    }
}

/// Writes the config: the typed part joined with the ready-made one, or that byte for byte.
fn lower_config(
    recipe: &Recipe,
    shares: &Shares,
    config: Option<ready::Config>,
    told: &mut Told,
) -> (Option<Vec<u8>>, Option<Template>) {
    if let Some(config) = &config {
        merge::conflicts(&shares.combustion, config, told);
    }
    if shares.ignition.is_empty() {
        return (config.map(|config| config.bytes), None);
    }
    let home = recipe.provision.home_subvolume.unwrap_or(true);
    let joined = merge::join(&shares.ignition, config.as_ref(), home, told);
    let encoded = joined.as_ref().and_then(|value| encode(value, told));
    match joined.and_then(|value| template::cut(&value, &shares.ignition)) {
        Some(template) => (None, Some(template)),
        None => (encoded, None),
    }
}

const fn label(config: bool, script: bool) -> Option<DiskLabel> {
    match (config, script) {
        (true, _) => Some(DiskLabel::Ignition),
        (false, true) => Some(DiskLabel::Combustion),
        (false, false) => None,
    }
}

fn side_file(path: &RecipePath) -> (String, RecipePath) {
    (path.file_name().to_owned(), path.clone())
}

fn encode(value: &serde_json::Value, told: &mut Told) -> Option<Vec<u8>> {
    match format::ignition::canonical(value) {
        Ok(bytes) => {
            if told.problems.is_empty() {
                joined_well(&bytes, told);
            }
            Some(bytes)
        }
        Err(error) => {
            told.refuse(Problem::new(Code::Bug, "cannot write the Ignition config").cause(error));
            None
        }
    }
}

/// Refuses what only the whole config breaks, such as a typed file below a link of the ready-made part.
fn joined_well(bytes: &[u8], told: &mut Told) {
    for fault in format::ignition::read(bytes).err().unwrap_or_default() {
        let headline = format!("Ignition would refuse the recipe and its config together: {}", fault.text);
        told.refuse(Problem::new(Code::Provision, headline));
    }
}

/// Writes the script, its side files inside; where that is too much for fw_cfg, without them.
fn lower_script(recipe: &Recipe, ready: Option<&Script>, typed: Option<&Wanted>, told: &mut Told) -> Option<Vec<u8>> {
    if ready.is_none() && typed.is_none() {
        return None;
    }
    let whole = combustion::script(typed, ready, combustion::SideFiles::Inside);
    let fits = u64::try_from(whole.len()).is_ok_and(|size| size <= FW_CFG_LIMIT.0);
    let has_side_files = ready.is_some_and(|ready| !ready.side_files.is_empty());
    if fits || !has_side_files {
        limit(recipe, "the Combustion script", whole.len(), told);
        return Some(whole);
    }
    limit(recipe, "the Combustion script with its side files", whole.len(), told);
    Some(combustion::script(typed, ready, combustion::SideFiles::Beside))
}

fn limit_config(recipe: &Recipe, config: Option<&[u8]>, template: Option<&Template>, told: &mut Told) {
    let filled = template.and_then(Template::length).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if let Some(length) = config.map(<[u8]>::len).or(filled) {
        limit(recipe, "the Ignition config", length, told);
    }
}

/// Refuses or warns of what is too large for fw_cfg; the bundle has launch files for both transports.
fn limit(recipe: &Recipe, what: &str, size: usize, told: &mut Told) {
    let size = ByteSize(u64::try_from(size).unwrap_or(u64::MAX));
    if size <= FW_CFG_SLOW {
        return;
    }
    let place = recipe.provision.script.as_ref().or(recipe.provision.config.as_ref()).map(|path| path.place.clone());
    if size <= FW_CFG_LIMIT {
        let text = format!("{what} is {} KiB; by fw_cfg the guest reads it slowly, by disk at once", size.0 >> 10);
        told.warn("fwcfg-size", text, place);
    } else if recipe.provision.transport == Some(Transport::FwCfg) {
        let problem = Problem::new(Code::FwCfgLimit, format!("{what} is too large for fw_cfg"))
            .fact("size", format!("{} bytes", size.0))
            .fact("limit", format!("{} bytes", FW_CFG_LIMIT.0))
            .hint("write transport = \"disk\"");
        told.refuse(Problem { place, ..problem });
    } else {
        let text =
            format!("{what} is {} KiB: only the disk can carry it, the fw_cfg launch files cannot", size.0 >> 10);
        told.warn("fwcfg-size", text, place);
    }
}

#[cfg(test)]
mod tests;
