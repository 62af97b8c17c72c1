//! What the user wants in the guest → Ignition config and Combustion script; the rules that know MicroOS. Touches nothing.
//!
//! [`lower`] judges everything that `recipe` could not: login data, paths, ready-made files, what openSUSE's first boot
//! shows and hides (`subvolume`). Then `ignition` and `combustion` write the same wish for either engine. Read next:
//! `wanted` (the wish, checked), then the two writers.

mod account;
pub(crate) mod carried;
mod certificates;
mod combustion;
pub(crate) mod crypt;
pub(crate) mod explain;
pub(crate) mod facts;
mod hash;
mod ignition;
mod kernel;
mod keys;
mod lints;
mod merge;
mod mounts;
mod network;
mod nodes;
mod packages;
mod path;
mod pool;
mod quadlet;
mod ready;
mod report;
mod rules;
mod scripts;
mod settings;
pub(crate) mod split;
mod subvolume;
pub(crate) mod template;
mod told;
mod unit;
mod wanted;
pub(crate) mod ways;

use crate::base::{
    ByteSize, Code, Diagnostic, Diagnostics, Digest, DiskLabel, Finding, Rule, Secret, Severity, Transport,
};
use crate::format;
use crate::guest_report::Expectation;
use crate::recipe::{LocalFiles, Recipe, RecipePath};

use carried::{Known, Load, Vehicle};
use combustion::SideFiles;
use facts::BaseFacts;
use ready::Script;
use rules::Sight;
use split::{Part, Placed, Shares, Side};
use template::Template;
use told::Told;
use wanted::Wanted;
use ways::{Freight, Ways};

/// Reading fw_cfg through sysfs costs about n²/8192 port reads in the guest; up to here nobody notices.
pub(crate) const FW_CFG_SLOW: ByteSize = ByteSize(64 << 10);
/// From here on the first boot stands still for minutes (linux: drivers/firmware/qemu_fw_cfg.c, `fw_cfg_read_blob`).
pub(crate) const FW_CFG_LIMIT: ByteSize = ByteSize(256 << 10);

/// The name under which a script travels inside the generated one; no side file may bear it.
pub(crate) const READY_SCRIPT: &str = "script.recipe";

/// How every text begins that this module writes for systemd.
pub(crate) const BY_US: &str = "# Written by arca-build";

/// What goes into the bundle for the guest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Lowered {
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
    /// The config disk's: `ignition` whenever there is a config on it, `combustion` when there is only a script.
    pub label: Option<DiskLabel>,
    /// How the default launch files bring it to each engine.
    pub ways: Ways,
    /// Whether the engines' transports differ; then the config disk holds only what goes by disk.
    pub is_mixed: bool,
    /// What went to which engine, in the order written.
    pub placed: Vec<Placed>,
    /// The first boot, in order.
    pub steps: Vec<explain::Step>,
    /// What the guest should tell of all that, where it is to tell.
    pub report: Option<Expectation>,
    /// In the order found; none of them an error.
    pub warnings: Vec<Finding>,
}

impl Lowered {
    /// Tells whether there is an Ignition config.
    pub(crate) const fn has_config(&self) -> bool {
        self.config.is_some() || self.template.is_some()
    }
}

/// What the rules noticed, whether or not anything could be made.
#[derive(Debug)]
pub(crate) struct Judged {
    pub lowered: Result<Lowered, Diagnostics>,
    /// In the order found, errors too, which `lowered` tells as problems.
    pub findings: Vec<Finding>,
    /// What the recipe allows.
    pub allowed: Vec<Allowed>,
}

/// Something a rule noticed that the recipe allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub finding: Finding,
    /// As the recipe gives it.
    pub reason: String,
}

/// Lowers `[provision]` for the engine and transport the recipe names; `known` is what pins tell of its inputs.
///
/// Every mistake is told at once: `E_SECRET` for login data that is no hash or no public key, `E_FWCFG_LIMIT` for what
/// fw_cfg cannot carry, `E_PROVISION` for the rest.
pub(crate) fn lower(recipe: &Recipe, files: &LocalFiles, known: &Known) -> Result<Lowered, Diagnostics> {
    judge(recipe, files, known).lowered
}

/// As [`lower`], with all that the rules noticed.
pub(crate) fn judge(recipe: &Recipe, files: &LocalFiles, known: &Known) -> Judged {
    let mut told = Told::default();
    let facts = BaseFacts::of(recipe, &known.base);
    let mut shares = wanted::resolve(recipe, files, known, &mut told);
    let (loads, vehicle) = carried::loads(recipe, &shares, known, &mut told);
    shares.combustion.vehicle = vehicle;
    let config = ready::config(recipe, files, &mut told);
    let script = ready::script(recipe, files, &mut told);
    ready_made(recipe, &mut shares);
    let report = recipe.provision.reports().then(|| {
        let digest = digest(recipe, &shares, config.as_ref(), script.as_ref());
        report::add(recipe, &mut shares, digest, &mut told)
    });
    let (made, template) = lower_config(recipe, &shares, config.as_ref(), &mut told);
    let has_config = made.is_some() || template.is_some();
    let steps = explain::steps(recipe, &shares, has_config, script.as_ref());
    let typed = Some(&shares.combustion).filter(|wanted| !wanted.is_empty());
    let (text, side_files) = lower_script(recipe, script.as_ref(), typed, &mut told);
    limit_config(recipe, made.as_deref(), template.as_ref(), &mut told);
    let freight = Freight::new(has_config, text.as_deref(), vehicle, side_files == SideFiles::Inside);
    let ways = Ways::choose(recipe, &facts, &freight);
    let typed_spec = (!shares.ignition.is_empty()).then(|| ignition::spec(&shares.ignition));
    let (ready, scripts) = (config.as_ref(), script.as_ref());
    let sight = Sight { recipe, facts: &facts, typed_spec, config: ready, script: scripts, ways, freight };
    rules::judge(&sight, &mut told);
    let is_mixed = ways.differ(&freight);
    let on_disk = |way| !is_mixed || way == Transport::Disk;
    let lowered = Lowered {
        label: label(has_config && on_disk(ways.ignition), text.is_some() && on_disk(ways.combustion)),
        ways,
        is_mixed,
        config: made.map(Secret::new),
        template,
        script: text.map(Secret::new),
        loads,
        vehicle,
        side_files: recipe.provision.side_files.iter().map(|path| side_file(&path.value)).collect(),
        placed: shares.placed,
        steps,
        report,
        warnings: vec![],
    };
    told.finish(recipe, lowered)
}

/// Hashes the configuration as it would be without the report; what the writers complain of, they do again.
fn digest(recipe: &Recipe, shares: &Shares, config: Option<&ready::Config>, script: Option<&Script>) -> Digest {
    let mut told = Told::default();
    let (made, template) = lower_config(recipe, shares, config, &mut told);
    let typed = Some(&shares.combustion).filter(|wanted| !wanted.is_empty());
    let (text, _) = lower_script(recipe, script, typed, &mut told);
    report::digest(made.as_deref(), template.as_ref(), text.as_deref())
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
    config: Option<&ready::Config>,
    told: &mut Told,
) -> (Option<Vec<u8>>, Option<Template>) {
    if let Some(config) = config {
        merge::conflicts(&shares.combustion, config, told);
        kernel::conflicts(recipe, config, told);
    }
    if shares.ignition.is_empty() {
        return (config.map(|config| config.bytes.clone()), None);
    }
    let home = recipe.provision.home_subvolume.unwrap_or(true);
    let joined = merge::join(&shares.ignition, config, home, told);
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
            told.refuse(Diagnostic::new(Code::Bug, "cannot write the Ignition config").cause(error));
            None
        }
    }
}

/// Refuses what only the whole config breaks, such as a typed file below a link of the ready-made part.
fn joined_well(bytes: &[u8], told: &mut Told) {
    for fault in format::ignition::read(bytes).err().unwrap_or_default() {
        let headline = format!("Ignition would refuse the recipe and its config together: {}", fault.text);
        told.refuse(Diagnostic::new(Code::Provision, headline));
    }
}

/// Writes the script, its side files inside; where that is too much for fw_cfg, without them.
fn lower_script(
    recipe: &Recipe,
    ready: Option<&Script>,
    typed: Option<&Wanted>,
    told: &mut Told,
) -> (Option<Vec<u8>>, SideFiles) {
    if ready.is_none() && typed.is_none() {
        return (None, SideFiles::Inside);
    }
    let explicit = recipe.provision.transport.combustion;
    let whole = combustion::script(typed, ready, SideFiles::Inside);
    let fits = u64::try_from(whole.len()).is_ok_and(|size| size <= FW_CFG_LIMIT.0);
    let has_side_files = ready.is_some_and(|ready| !ready.side_files.is_empty());
    if fits || !has_side_files {
        limit(recipe, explicit, "the Combustion script", whole.len(), told);
        return (Some(whole), SideFiles::Inside);
    }
    limit(recipe, explicit, "the Combustion script with its side files", whole.len(), told);
    (Some(combustion::script(typed, ready, SideFiles::Beside)), SideFiles::Beside)
}

fn limit_config(recipe: &Recipe, config: Option<&[u8]>, template: Option<&Template>, told: &mut Told) {
    let filled = template.and_then(Template::length).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if let Some(length) = config.map(<[u8]>::len).or(filled) {
        limit(recipe, recipe.provision.transport.ignition, "the Ignition config", length, told);
    }
}

/// Refuses or warns of what is too large for fw_cfg, and notes it where the recipe leaves the choice, which is then the
/// disk: the bundle has launch files for both transports.
fn limit(recipe: &Recipe, transport: Option<Transport>, what: &str, size: usize, told: &mut Told) {
    let size = ByteSize(u64::try_from(size).unwrap_or(u64::MAX));
    if size <= FW_CFG_SLOW {
        return;
    }
    let place = recipe.provision.script.as_ref().or(recipe.provision.config.as_ref()).map(|path| path.place.clone());
    if size <= FW_CFG_LIMIT {
        let text = format!("{what} is {} KiB; by fw_cfg the guest reads it slowly, by disk at once", size.0 >> 10);
        let severity = if transport == Some(Transport::FwCfg) { Severity::Warning } else { Severity::Note };
        told.tell(Finding::new(Rule::FwcfgSize, text).at(place).with_severity(severity));
    } else if transport == Some(Transport::FwCfg) {
        let problem = Diagnostic::new(Code::FwCfgLimit, format!("{what} is too large for fw_cfg"))
            .fact("size", format!("{} bytes", size.0))
            .fact("limit", format!("{} bytes", FW_CFG_LIMIT.0))
            .hint("write transport = \"disk\"")
            .of(Rule::FwcfgSize);
        told.refuse(Diagnostic { place, ..problem });
    } else {
        let text =
            format!("{what} is {} KiB: only the disk can carry it, the fw_cfg launch files cannot", size.0 >> 10);
        told.note(Rule::FwcfgSize, text, place);
    }
}

#[cfg(test)]
mod tests;
