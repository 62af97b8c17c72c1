//! From a recipe to what goes into the bundle for the guest. Touches nothing.
//!
//! Items say what is wanted, engines perform what they do in their own ways, and each writes what it got. Everything that
//! `recipe` could not check is checked here: login data, paths, ready-made files, what openSUSE's first boot shows and hides
//! (`subvolume`). Read next: `items`, then `engines`.

use super::diagnostics::{Allowed, DiagnosticSink};
use super::engines::choice::EngineChoice;
use super::engines::combustion::SideFiles;
use super::engines::template::{self, Template};
use super::engines::transports::{FW_CFG_LIMIT, FW_CFG_SLOW, PayloadSummary, TransportChoice};
use super::engines::{combustion, ignition, merge};
use super::explain::Explanation;
use super::facts::BaseFacts;
use super::guest::{Guest, PayloadFile, PayloadMedium};
use super::items::context::Context;
use super::outputs::{Assignment, EngineOutputs};
use super::pins::PinnedInfo;
use super::ready::{self, Script};
use super::rules::context::RuleContext;
use super::{engines, explain, items, payload, report, rules};
use crate::base::{
    ByteSize, Code, Diagnostic, Diagnostics, DiskLabel, Finding, Location, Rule, Secret, Severity, Transport,
};
use crate::format;
use crate::guest_report::Expectation;
use crate::recipe::{LocalFiles, Recipe, RecipePath};

/// What goes into the bundle for the guest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct GuestConfig {
    /// `config.ign`, canonical JSON; or a ready-made config, byte for byte, when nothing is added to it.
    pub config: Option<Secret<Vec<u8>>>,
    /// The same where bytes that are not there yet go into it; then `config` is empty.
    pub template: Option<Template>,
    /// `combustion/script`; the same bytes serve the disk and fw_cfg, since side files travel inside where they fit.
    pub script: Option<Secret<Vec<u8>>>,
    /// Files that lie beside the script on the config disk: name in `combustion/`, and where it comes from.
    pub side_files: Vec<(String, RecipePath)>,
    /// What travels as it is, sorted, and on what.
    pub payload_files: Vec<PayloadFile>,
    pub medium: Option<PayloadMedium>,
    /// The config disk's: `combustion` where Ignition has its config by fw_cfg, else `ignition`.
    pub label: Option<DiskLabel>,
    /// How the default launch files bring it to each engine.
    pub transports: TransportChoice,
    /// Whether the engines' transports differ; then the config disk holds only what goes by disk.
    pub is_mixed: bool,
    /// What went to which engine, in the order written.
    pub assignments: Vec<Assignment>,
    /// The first boot, in order.
    pub steps: Vec<explain::Step>,
    /// What the guest should tell of all that, where it is to tell.
    pub report: Option<Expectation>,
    /// In the order found; none of them an error.
    pub warnings: Vec<Finding>,
}

impl GuestConfig {
    /// Describes what was made of a recipe.
    pub(crate) fn explain(self, recipe: &Recipe) -> Explanation {
        let Self { assignments, steps, warnings, .. } = self;
        Explanation {
            name: recipe.name.to_string(),
            engine: EngineChoice::describe(recipe),
            assignments,
            steps,
            warnings,
        }
    }

    /// Returns whether there is an Ignition config.
    pub(crate) const fn has_config(&self) -> bool {
        self.config.is_some() || self.template.is_some()
    }
}

/// What the rules noticed, whether or not anything could be made.
#[derive(Debug)]
pub(crate) struct Checked {
    pub compiled: Result<GuestConfig, Diagnostics>,
    /// In the order found, errors too, which `compiled` has as problems.
    pub findings: Vec<Finding>,
    /// What the recipe allows.
    pub allowed: Vec<Allowed>,
}

/// Compiles `[provision]` for the engine and transport the recipe names; `pins` is what pins tell of its inputs.
///
/// Every mistake is reported at once: `E_SECRET` for login data that is no hash or no public key, `E_FWCFG_LIMIT` for what
/// fw_cfg cannot carry, `E_PROVISION` for the rest.
pub(crate) fn compile(recipe: &Recipe, files: &LocalFiles, pins: &PinnedInfo) -> Result<GuestConfig, Diagnostics> {
    check(recipe, files, pins).compiled
}

/// As [`compile`], with all that the rules noticed.
pub(crate) fn check(recipe: &Recipe, files: &LocalFiles, pins: &PinnedInfo) -> Checked {
    let mut cx = Context::new(recipe, files, pins);
    for item in items::ITEMS {
        item(&mut cx);
        engines::perform(&mut cx.outputs, &mut cx.diag);
    }
    engines::presets(&mut cx.outputs);
    items::whole::finish(&mut cx);
    engines::check(&cx.outputs, &mut cx.diag);
    let payload_files = payload::payload(recipe, &mut cx.outputs, &mut cx.diag);
    let (config, script) = (ready::config(&mut cx), ready::script(&mut cx));
    let Context { mut outputs, mut diag, .. } = cx;
    let ready = Ready { config, script };
    let report = recipe.provision.reports().then(|| report(recipe, &mut outputs, &ready, &mut diag));
    let written = Written::new(recipe, &outputs, &ready, &mut diag);
    let made = written.finish(recipe, pins, outputs, ready, payload_files, &mut diag);
    let (compiled, findings, allowed) = diag.finish(recipe, GuestConfig { report, ..made });
    Checked { compiled: compiled.map(|made| GuestConfig { warnings: findings.clone(), ..made }), findings, allowed }
}

/// The ready-made files.
struct Ready {
    config: Option<ready::Config>,
    script: Option<Script>,
}

/// What the engines read.
struct Written {
    config: Option<Vec<u8>>,
    template: Option<Template>,
    script: Option<Vec<u8>>,
    side_files: SideFiles,
}

impl Written {
    fn new(recipe: &Recipe, outputs: &EngineOutputs, ready: &Ready, diag: &mut DiagnosticSink) -> Self {
        let (config, template) = write_config(outputs, ready.config.as_ref(), diag);
        let typed = Some(&outputs.combustion).filter(|guest| !guest.is_empty());
        let (script, side_files) = write_script(recipe, ready.script.as_ref(), typed, diag);
        Self { config, template, script, side_files }
    }

    /// Chooses the transports, applies the rules and describes the whole.
    fn finish(
        self,
        recipe: &Recipe,
        pins: &PinnedInfo,
        outputs: EngineOutputs,
        ready: Ready,
        payload_files: Vec<PayloadFile>,
        diag: &mut DiagnosticSink,
    ) -> GuestConfig {
        let Self { config, template, script, side_files } = self;
        limit_config(recipe, config.as_deref(), template.as_ref(), diag);
        let has_config = config.is_some() || template.is_some();
        let medium = outputs.combustion.medium;
        let facts = BaseFacts::of(recipe, &pins.base);
        let payload = PayloadSummary::new(has_config, script.as_deref(), medium, side_files == SideFiles::Inside);
        let transports = TransportChoice::choose(recipe, &facts, &payload);
        let typed_spec = (!outputs.ignition.is_empty()).then(|| ignition::spec(&outputs.ignition));
        let (ready_config, ready_script) = (ready.config.as_ref(), ready.script.as_ref());
        let ctx = RuleContext {
            recipe,
            facts: &facts,
            typed_spec,
            guests: [&outputs.ignition, &outputs.combustion],
            config: ready_config,
            script: ready_script,
            transports,
            payload,
        };
        rules::check(&ctx, diag);
        let is_mixed = transports.differ(&payload);
        let on_disk = |way| !is_mixed || way == Transport::Disk;
        GuestConfig {
            label: label(
                has_config,
                has_config && on_disk(transports.ignition),
                script.is_some() && on_disk(transports.combustion),
            ),
            transports,
            is_mixed,
            steps: explain::steps(&outputs, has_config, ready_script),
            config: config.map(Secret::new),
            template,
            script: script.map(Secret::new),
            payload_files,
            medium,
            side_files: self::side_files(recipe),
            assignments: outputs.assignments,
            report: None,
            warnings: vec![],
        }
    }
}

/// Adds the report, with the digest of the configuration as it would be without; what the writers complain of, they do again.
fn report(recipe: &Recipe, outputs: &mut EngineOutputs, ready: &Ready, diag: &mut DiagnosticSink) -> Expectation {
    let written = Written::new(recipe, outputs, ready, &mut DiagnosticSink::default());
    let digest = report::digest(written.config.as_deref(), written.template.as_ref(), written.script.as_deref());
    let place = Location { file: recipe.file.clone(), line: 1, column: 1, width: 1, text: String::new() };
    report::add(outputs, digest, &place, diag)
}

/// Writes the config: the typed part joined with the ready-made one, or that byte for byte.
fn write_config(
    outputs: &EngineOutputs,
    config: Option<&ready::Config>,
    diag: &mut DiagnosticSink,
) -> (Option<Vec<u8>>, Option<Template>) {
    if let Some(config) = config {
        merge::conflicts(&outputs.combustion, config, diag);
    }
    if outputs.ignition.is_empty() {
        return (config.map(|config| config.bytes.clone()), None);
    }
    let joined = merge::join(&outputs.ignition, config, outputs.home_subvolume, diag);
    let encoded = joined.as_ref().and_then(|value| encode(value, diag));
    match joined.and_then(|value| template::cut(&value, &outputs.ignition)) {
        Some(template) => (None, Some(template)),
        None => (encoded, None),
    }
}

/// Chooses the label by what is on the disk: Ignition's also serves Combustion, and Ignition's helper waits ten seconds where no
/// disk has it. But where Ignition's config comes by fw_cfg, which it asks second, no disk must stand before that.
const fn label(has_config: bool, config: bool, script: bool) -> Option<DiskLabel> {
    match (config, script) {
        (false, false) => None,
        (false, true) if has_config => Some(DiskLabel::Combustion),
        _ => Some(DiskLabel::Ignition),
    }
}

fn side_files(recipe: &Recipe) -> Vec<(String, RecipePath)> {
    let Some(script) = &recipe.provision.script else { return vec![] };
    let files = recipe.provision.side_files.iter().map(|path| &path.value);
    files.map(|path| (path.beside(&script.value).to_owned(), path.clone())).collect()
}

fn encode(value: &serde_json::Value, diag: &mut DiagnosticSink) -> Option<Vec<u8>> {
    match format::ignition::canonical(value) {
        Ok(bytes) => {
            if diag.problems.is_empty() {
                joined_well(&bytes, diag);
            }
            Some(bytes)
        }
        Err(error) => {
            diag.refuse(Diagnostic::new(Code::Bug, "cannot write the Ignition config").cause(error));
            None
        }
    }
}

/// Refuses what only the whole config breaks, such as a typed file below a link of the ready-made part.
fn joined_well(bytes: &[u8], diag: &mut DiagnosticSink) {
    for fault in format::ignition::read(bytes).err().unwrap_or_default() {
        let headline = format!("Ignition would refuse the recipe and its config together: {}", fault.text);
        diag.refuse(Diagnostic::new(Code::Provision, headline));
    }
}

/// Writes the script, its side files inside; where that is too much for fw_cfg, without them.
fn write_script(
    recipe: &Recipe,
    ready: Option<&Script>,
    typed: Option<&Guest>,
    diag: &mut DiagnosticSink,
) -> (Option<Vec<u8>>, SideFiles) {
    if ready.is_none() && typed.is_none() {
        return (None, SideFiles::Inside);
    }
    let explicit = recipe.provision.transport.combustion;
    let whole = combustion::script(typed, ready, SideFiles::Inside);
    let fits = u64::try_from(whole.len()).is_ok_and(|size| size <= FW_CFG_LIMIT.0);
    let has_side_files = ready.is_some_and(|ready| !ready.side_files.is_empty());
    if fits || !has_side_files {
        limit(recipe, explicit, "the Combustion script", whole.len(), diag);
        return (Some(whole), SideFiles::Inside);
    }
    limit(recipe, explicit, "the Combustion script with its engine files", whole.len(), diag);
    (Some(combustion::script(typed, ready, SideFiles::Beside)), SideFiles::Beside)
}

fn limit_config(recipe: &Recipe, config: Option<&[u8]>, template: Option<&Template>, diag: &mut DiagnosticSink) {
    let filled = template.and_then(Template::length).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if let Some(length) = config.map(<[u8]>::len).or(filled) {
        limit(recipe, recipe.provision.transport.ignition, "the Ignition config", length, diag);
    }
}

/// Refuses or warns of what is too large for fw_cfg, and notes it where the recipe leaves the choice, which is then the
/// disk: the bundle has launch files for both transports.
fn limit(recipe: &Recipe, transport: Option<Transport>, what: &str, size: usize, diag: &mut DiagnosticSink) {
    let size = ByteSize(u64::try_from(size).unwrap_or(u64::MAX));
    if size <= FW_CFG_SLOW {
        return;
    }
    let place = recipe.provision.script.as_ref().or(recipe.provision.config.as_ref()).map(|path| path.place.clone());
    if size <= FW_CFG_LIMIT {
        let text = format!("{what} is {} KiB; by fw_cfg the guest reads it slowly, by disk at once", size.0 >> 10);
        let severity = if transport == Some(Transport::FwCfg) { Severity::Warning } else { Severity::Note };
        diag.tell(Finding::new(Rule::FwcfgSize, text).at(place).with_severity(severity));
    } else if transport == Some(Transport::FwCfg) {
        let problem = Diagnostic::new(Code::FwCfgLimit, format!("{what} is too large for fw_cfg"))
            .fact("size", format!("{} bytes", size.0))
            .fact("limit", format!("{} bytes", FW_CFG_LIMIT.0))
            .hint("write transport = \"disk\"")
            .of(Rule::FwcfgSize);
        diag.refuse(Diagnostic { place, ..problem });
    } else {
        let text =
            format!("{what} is {} KiB: only the disk can carry it, the fw_cfg launch files cannot", size.0 >> 10);
        diag.note(Rule::FwcfgSize, text, place);
    }
}
