//! `store …`: from flags to commands, and what they print. Touches the terminal through its printer.

use std::time::Duration;

use serde_json::{Value, json};

use super::args::{RootCommand, StoreCommand};
use super::dispatch::lossy;
use crate::base::text::count;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics};
use crate::commands::printer::Printer;
use crate::commands::{
    self, Collect, Context, Damage, EmptyRoots, GcReport, Holder, Listed, Policy, Repair, RepairOutcome, Root, State,
    Usage, VerifyReport,
};

/// How many digits of a plan's id tell bundles apart on a terminal.
const SHORT: usize = 12;

/// Runs one command of `store`.
pub(super) fn run(command: StoreCommand, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
    match command {
        StoreCommand::Path => {
            let path = commands::store::path(context)?;
            if printer.is_json() {
                printer.json(&json!({ "path": lossy(&path) }))
            } else {
                printer.data(&format!("{}\n", path.display()))
            }
        }
        StoreCommand::Verify { repair } => {
            let repair = if repair { Repair::Yes } else { Repair::No };
            print_verified(printer, &commands::store::verify(context, repair)?, repair)?;
        }
        StoreCommand::Gc { dry_run, grace, keep_last, max_size, without_roots } => {
            let collect = if dry_run { Collect::DryRun } else { Collect::Remove };
            let empty_roots = if without_roots { EmptyRoots::Collect } else { EmptyRoots::Refuse };
            let grace = Duration::from_secs(u64::from(grace) * 3600);
            let policy = Policy { grace, keep_last, max_size, empty_roots };
            print_collected(printer, &commands::store::gc(context, collect, &policy)?, collect, &policy);
        }
        StoreCommand::Du => {
            let (usage, roots) = commands::store::usage(context)?;
            print_usage(printer, &usage, &roots);
        }
        StoreCommand::Root { command } => roots(command, context, printer)?,
    }
    Ok(())
}

fn roots(command: RootCommand, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostic> {
    match command {
        RootCommand::List => print_roots(printer, &commands::store::roots(context)?),
        RootCommand::Add { name, things } => {
            let root = commands::store::add_root(context, &name, &things)?;
            if printer.is_json() {
                printer.json(&root_json(&root));
            } else {
                let what = kept(&root);
                printer.say(&format!("`{}` keeps {what}", holder(&root.holder)));
            }
        }
        RootCommand::Remove { root } => {
            let removed = commands::store::remove_root(context, &root)?;
            let shown = removed.root.as_ref().map_or(removed.file_name.clone(), |root| holder(&root.holder));
            if printer.is_json() {
                printer.json(&json!({ "removed": shown }));
            } else {
                printer.say(&format!(
                    "removed the root `{shown}`; what it alone kept goes with the next `arca-build store gc`"
                ));
            }
        }
    }
    Ok(())
}

fn print_roots(printer: &Printer, roots: &[Listed]) {
    if printer.is_json() {
        return printer.json(&json!({ "roots": roots.iter().map(listed_json).collect::<Vec<_>>() }));
    }
    for listed in roots {
        let line = match &listed.root {
            Some(root) => format!("{}  {}{}", holder(&root.holder), kept(root), state(listed.state)),
            None => format!("{}  garbled: nobody knows what it keeps", listed.file_name),
        };
        printer.data(&format!("{}\n", crate::base::text::sanitise(&line)));
    }
    if roots.is_empty() {
        printer.say("no root: nothing is kept but what is young");
    }
}

const fn state(state: State) -> &'static str {
    match state {
        State::Live => "",
        State::Dead => " (gone; the next gc drops it)",
        State::Unknown => " (cannot be seen; kept)",
    }
}

fn kept(root: &Root) -> String {
    let inputs = count(root.objects.len(), "object");
    root.bundle.as_ref().map_or(inputs.clone(), |bundle| format!("bundle {}, {inputs}", short(bundle)))
}

/// Shows a bundle by its name and the beginning of its plan's id.
fn short(bundle: &str) -> String {
    match bundle.split_once('-') {
        Some((plan, name)) => format!("{name} ({})", plan.get(..SHORT).unwrap_or(plan)),
        None => bundle.to_owned(),
    }
}

fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Link(path) => lossy(path),
        Holder::Named(name) => name.to_string(),
    }
}

fn root_json(root: &Root) -> Value {
    let objects: Vec<_> = root.objects.iter().map(ToString::to_string).collect();
    let kind = if matches!(root.holder, Holder::Named(_)) { "name" } else { "path" };
    json!({ "holder": holder(&root.holder), "kind": kind, "bundle": root.bundle, "objects": objects })
}

fn listed_json(listed: &Listed) -> Value {
    let state = match (listed.root.is_some(), listed.state) {
        (false, _) => "garbled",
        (true, State::Live) => "live",
        (true, State::Dead) => "dead",
        (true, State::Unknown) => "unseen",
    };
    let mut value = listed.root.as_ref().map_or_else(|| json!({}), root_json);
    value["file"] = listed.file_name.clone().into();
    value["state"] = state.into();
    value
}

fn print_verified(printer: &Printer, report: &VerifyReport, repair: Repair) -> Result<(), Diagnostics> {
    if printer.is_json() {
        printer.json(&verified_json(report));
    } else {
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
        report.healed.iter().for_each(|healed| printer.say(&told(healed)));
    }
    if report.is_clean() || (repair == Repair::Yes && report.is_whole()) {
        return Ok(());
    }
    Err(problem(report, repair).into())
}

fn told(healed: &RepairOutcome) -> String {
    match healed {
        RepairOutcome::Object(digest) => format!("healed: object sha256:{digest}, from a good copy in a bundle"),
        RepairOutcome::Bundle(name) => format!("healed: bundle {name}, from good copies of its files"),
        RepairOutcome::Record(name) => format!("healed: {name}, which named nothing or names what is there again"),
    }
}

fn verified_json(report: &VerifyReport) -> Value {
    let digests = |all: &[crate::base::Digest]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let bundles: Vec<_> =
        report.damaged_bundles.iter().map(|one| json!({ "name": one.name, "file": one.file })).collect();
    let flaw = |flaw: Damage| match flaw {
        Damage::Garbled => "garbled",
        Damage::Dangling => "names what is not there",
        Damage::GarbledRoot => "garbled root",
    };
    let records: Vec<_> =
        report.bad_records.iter().map(|one| json!({ "name": one.name, "flaw": flaw(one.what) })).collect();
    let healed: Vec<_> = report
        .healed
        .iter()
        .map(|one| match one {
            RepairOutcome::Object(digest) => json!({ "object": digest.to_string() }),
            RepairOutcome::Bundle(name) => json!({ "bundle": name }),
            RepairOutcome::Record(name) => json!({ "record": name }),
        })
        .collect();
    json!({
        "objects": report.objects, "bundles": report.bundles, "records": report.records, "bytes": report.size,
        "damaged": digests(&report.damaged), "lost": digests(&report.lost), "damaged_bundles": bundles,
        "bad_records": records, "healed": healed, "whole": report.is_whole(),
        "wanting": report.wanting.iter().map(root_json).collect::<Vec<_>>(),
    })
}

/// Tells what was found, what is still wrong, and which command brings it back.
fn problem(report: &VerifyReport, repair: Repair) -> Diagnostic {
    let headline = match repair {
        Repair::No => "the store held damaged things",
        Repair::Yes => "the store held damaged things, and not all could be mended from what it holds",
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
        problem = problem.fact("wanted by", holder(&root.holder));
    }
    problem.note(note(report)).hint(way_out(report, repair))
}

fn note(report: &VerifyReport) -> String {
    let moved = !report.damaged.is_empty() || !report.damaged_bundles.is_empty();
    if moved { "what was damaged is in quarantine".into() } else { "nothing was changed".to_owned() }
}

fn way_out(report: &VerifyReport, repair: Repair) -> String {
    if report.bad_records.iter().any(|record| record.what == Damage::GarbledRoot) {
        return "build the recipe again whose result a garbled root kept, or let it go with `arca-build store root remove FILE`"
            .into();
    }
    match repair {
        Repair::No => {
            "`arca-build store verify --repair` mends what it can; the next build, fetch or import brings the rest"
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

fn print_collected(printer: &Printer, report: &GcReport, collect: Collect, policy: &Policy) {
    let is_dry_run = collect == Collect::DryRun;
    if printer.is_json() {
        let removed: Vec<_> =
            report.removed.iter().map(|removed| json!({ "name": removed.name, "size": removed.size })).collect();
        let unknown: Vec<_> = report.unknown.iter().map(|root| holder(&root.holder)).collect();
        return printer.json(&json!({
            "dry_run": is_dry_run, "removed": removed, "freed": report.freed, "kept_objects": report.kept,
            "unknown_roots": unknown, "roots": report.roots, "left": report.left, "rooted": report.rooted,
            "fits": policy.max_size.map(|_| !report.is_too_large),
        }));
    }
    for removed in &report.removed {
        printer.say(&format!("{:>10}  {}", removed.size.to_string(), removed.name));
    }
    for root in &report.unknown {
        printer.say(&format!("kept although its link cannot be seen: {}", holder(&root.holder)));
    }
    let verb = if is_dry_run { "would remove" } else { "removed" };
    let removed = count(report.removed.len(), "file");
    let stay = if report.kept == 1 { "stays" } else { "stay" };
    let kept = count(report.kept, "object");
    printer.data(&format!("{verb} {removed}, {}; {kept} {stay}, {}\n", report.freed, report.left));
    printer.say(&match report.roots {
        0 => "no root keeps anything".to_owned(),
        1 => format!("1 root keeps {}; `arca-build store root list` shows it", report.rooted),
        many => format!("{many} roots keep {}; `arca-build store root list` shows them", report.rooted),
    });
    if let Some(most) = policy.max_size.filter(|_| report.is_too_large) {
        let over = ByteSize(report.left.0.saturating_sub(most.0));
        printer.say(&format!(
            "warning: the store stays {over} above {most}: what is left is rooted, young, or among the last of its name"
        ));
    }
}

fn print_usage(printer: &Printer, usage: &Usage, roots: &[Listed]) {
    let keepers = |bundle: &str| -> Vec<String> {
        let live = roots.iter().filter(|listed| listed.state != State::Dead).filter_map(|listed| listed.root.as_ref());
        live.filter(|root| root.bundle.as_deref() == Some(bundle)).map(|root| holder(&root.holder)).collect()
    };
    if printer.is_json() {
        let kinds: Vec<_> = usage
            .kinds
            .iter()
            .map(|kind| json!({ "kind": kind.kind, "files": kind.files, "size": kind.size }))
            .collect();
        let bundle = |one: &commands::BundleUsage| {
            let roots = keepers(&one.name);
            json!({ "name": one.name, "files": one.files, "own": one.own, "shared": one.shared, "roots": roots })
        };
        let bundles: Vec<_> = usage.bundles.iter().map(bundle).collect();
        return printer.json(&json!({ "total": usage.total, "kinds": kinds, "bundles": bundles }));
    }
    for kind in usage.kinds.iter().filter(|kind| kind.files > 0 || kind.size.0 > 0) {
        printer.data(&format!("{:>10}  {} ({})\n", kind.size.to_string(), kind.kind, count(kind.files, "file")));
    }
    printer.data(&format!("{:>10}  together\n", usage.total.to_string()));
    if usage.bundles.is_empty() {
        return;
    }
    printer.data(&format!("\n{:>10}  {:>10}  bundle\n", "own", "shared"));
    for one in &usage.bundles {
        let keepers = match &keepers(&one.name)[..] {
            [] => "not kept by any root".to_owned(),
            all => all.join(", "),
        };
        let line = format!("{:>10}  {:>10}  {}", one.own.to_string(), one.shared.to_string(), short(&one.name));
        printer.data(&format!("{line}\n{:>24}{}\n", "", crate::base::text::one_line(&keepers, 400)));
    }
}
