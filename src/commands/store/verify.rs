//! `store verify`: every object and bundle is hashed; damage goes to quarantine and, where asked, is repaired.

use clap::Args;
use serde::Serialize;

use super::root::short;
use crate::base::text::count;
use crate::base::{Code, Diagnostic, Diagnostics, Kind};
use crate::bundle;
use crate::commands::context::Context;
use crate::commands::printer::{Output, Printer};
use crate::store::{Damage, DamagedBundle, Repair, RepairOutcome, VerifyReport};

/// Hash every object and bundle; what is damaged goes to quarantine
#[derive(Debug, Args)]
pub(crate) struct StoreVerifyOptions {
    /// Also repair what good copies in the store allow, and drop records that only mislead
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct VerifyOutput<'r> {
    #[serde(flatten)]
    report: &'r VerifyReport,
    whole: bool,
}

impl StoreVerifyOptions {
    pub(super) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let repair = if self.repair { Repair::Yes } else { Repair::No };
        let report = verify(context, repair)?;
        printer.show(&VerifyOutput { report: &report, whole: report.is_whole() })?;
        if report.is_clean() || (self.repair && report.is_whole()) {
            return Ok(());
        }
        Err(problem(&report, repair).into())
    }
}

fn verify(context: &Context<'_>, repair: Repair) -> Result<VerifyReport, Diagnostic> {
    let Some(store) = context.open_existing_store()? else { return Ok(VerifyReport::default()) };
    let mut report = store.verify_and(repair)?;
    // Without its record a bundle has only its own manifest to be compared with.
    for name in std::mem::take(&mut report.unrecorded) {
        let directory = store.dir().join("bundles-v1").join(&name);
        if let Err(problems) = bundle::verify(&directory, context.events) {
            let found = problems.0.first().map_or_else(String::new, |problem| problem.headline.clone());
            store.quarantine_bundle(&name, &found);
            report.damaged_bundles.push(DamagedBundle { name, file: found });
        }
    }
    Ok(report)
}

impl Output for VerifyOutput<'_> {
    fn print(&self, printer: &Printer) {
        let report = self.report;
        let damaged = report.damaged.len() + report.damaged_bundles.len() + report.bad_records.len();
        printer.data(&format!(
            "{}, {}, {}, {}; {damaged} damaged, {} lost, {} healed\n",
            count(report.objects, "object"),
            count(report.bundles, "bundle"),
            count(report.records, "record"),
            report.size,
            report.lost.len(),
            report.healed.len(),
        ));
        report.healed.iter().for_each(|healed| printer.say(&repaired(healed)));
    }
}

fn repaired(healed: &RepairOutcome) -> String {
    match healed {
        RepairOutcome::Object(digest) => format!("healed: object sha256:{digest}, from a good copy in a bundle"),
        RepairOutcome::Bundle(name) => format!("healed: bundle {name}, from good copies of its files"),
        RepairOutcome::Record(name) => format!("healed: {name}, which named nothing or names what is there again"),
    }
}

/// Reports what was found, what is still wrong, and which command brings it back.
fn problem(report: &VerifyReport, repair: Repair) -> Diagnostic {
    let headline = match repair {
        Repair::No => "damage was found in the store",
        Repair::Yes => "damage was found in the store, and not all of it could be repaired",
    };
    let mut problem = Diagnostic::new(Code::CacheCorrupt, headline);
    let healed = |healed: &RepairOutcome| report.healed.contains(healed);
    for digest in report.damaged.iter().filter(|digest| !healed(&RepairOutcome::Object(**digest))) {
        problem = problem.fact("damaged", format!("sha256:{digest}"));
    }
    for digest in report.lost.iter().filter(|digest| !healed(&RepairOutcome::Object(**digest))) {
        problem = problem.fact("lost", format!("sha256:{digest}"));
    }
    for bundle in report.damaged_bundles.iter().filter(|bundle| !healed(&RepairOutcome::Bundle(bundle.name.clone()))) {
        problem = problem.fact("damaged", format!("bundle {}, file `{}`", short(&bundle.name), bundle.file));
    }
    for record in report.unhealed() {
        problem = problem.fact("damaged", &record.name);
    }
    for root in &report.wanting {
        problem = problem.fact("wanted by", &root.holder);
    }
    problem.kind(Kind::Answer).note(note(report)).hint(way_out(report, repair))
}

fn note(report: &VerifyReport) -> String {
    let moved = !report.damaged.is_empty() || !report.damaged_bundles.is_empty();
    if moved { "what was damaged is in quarantine".into() } else { "nothing was changed".to_owned() }
}

fn way_out(report: &VerifyReport, repair: Repair) -> String {
    if report.bad_records.iter().any(|record| record.what == Damage::GarbledRoot) {
        return "rebuild the recipe whose result a corrupt root record kept, or remove the record with `arca-build store root remove FILE`"
            .into();
    }
    match repair {
        Repair::No => {
            "`arca-build store verify --repair` repairs what it can; the next build, fetch or import brings the rest"
                .into()
        }
        Repair::Yes => {
            let builds = report.wanting.iter().filter(|root| root.bundle.is_some()).count();
            let (bundles, inputs) = (builds > 0, builds < report.wanting.len());
            match (bundles, inputs) {
                (true, false) => {
                    "run `arca-build build RECIPE` for each result above: it brings and makes what is missing"
                }
                (false, _) => {
                    "run `arca-build fetch RECIPE` for each recipe above; for a directory, import its archive again"
                }
                (true, true) => {
                    "run `arca-build build RECIPE` for each result above, `fetch` for each recipe, or import again"
                }
            }
            .into()
        }
    }
}
