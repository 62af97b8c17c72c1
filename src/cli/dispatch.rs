//! From a parsed command line to a command, and from its result to what is printed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Cli, Command};
use super::check;
use super::mirror::print_mirrored;
use super::shell;
use super::transfer::{print_exported, print_imported, print_shown};
use super::update;
use crate::base::text::count;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Event};
use crate::commands::build::{Built, Placement, Stamps};
use crate::commands::import::Trust;
use crate::commands::printer::Printer;
use crate::commands::rebuild::Rebuilt;
use crate::commands::update::{Outcome, UpdateOptions};
use crate::commands::{self, BuildStats, Context, Differences, Plan, Verified};
use crate::host::Environment;

/// Runs one command.
pub(super) fn run(cli: Cli, environment: Environment, printer: &Printer) -> Result<(), Diagnostics> {
    let events = |event: Event| printer.hear(event);
    let context = Context { environment, global: cli.global, events: &events };
    let result = dispatch(cli.command, &context, printer).and_then(|()| Ok(printer.delivered()?));
    printer.end_progress();
    result
}

/// A path as JSON can hold it, which is Unicode; a path need not be.
pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn dispatch(command: Command, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
    match command {
        Command::Build { recipes, dry_run: true, .. } | Command::Plan { recipes } => {
            print_plans(printer, &commands::check::check(context, &recipes.recipes)?);
        }
        Command::Build { recipes, check: true, .. } => {
            print_rebuilt(printer, &commands::rebuild::rebuild(context, &recipes.recipes)?);
        }
        Command::Build { recipes, out, no_link, dry_run: false, check: false, update, verify } => {
            let placement = placement(out, no_link, recipes.recipes.len())?;
            let stamps = if verify { Stamps::Verify } else { Stamps::Trusted };
            let updated = update.then(|| commands::update::update(context, &recipes.recipes, UpdateOptions::default()));
            let updated = updated.transpose()?;
            updated.iter().for_each(|outcome| update::say(printer, outcome, false));
            let built = commands::build::build_with(context, &recipes.recipes, &placement, stamps)?;
            print_built(printer, &built, updated.as_ref());
        }
        Command::Check { explain: Some(rule), .. } => check::explain(printer, &rule),
        Command::Check { recipes, deny, sarif, explain: None } => {
            let form = if sarif { check::Form::Sarif } else { check::Form::Plain };
            check::print(printer, &commands::check::judge(context, &recipes), deny.as_deref(), form)?;
        }
        Command::Explain { recipes } => {
            print_explained(printer, &commands::explain::explain(context, &recipes.recipes)?)
        }
        Command::Update { recipes, dry_run, allow_unsigned, allow_new_signer, allow_older } => {
            let options = UpdateOptions { dry_run, allow_unsigned, allow_new_signer, allow_older };
            update::print(printer, &commands::update::update(context, &recipes, options)?, dry_run);
        }
        Command::Fetch { recipes } => print_fetched(printer, &commands::fetch::fetch(context, &recipes.recipes)?),
        Command::Mirror { recipes, directory } => {
            print_mirrored(printer, &commands::mirror::mirror(context, &recipes.recipes, &directory)?);
        }
        Command::Export { recipes, output, bundles, since } => {
            let options = commands::export::ExportOptions { bundles, since };
            print_exported(printer, &output, &commands::export::export(context, &recipes.recipes, &output, &options)?);
        }
        Command::Import { archive, expect, trust, into } => {
            let trust = match (expect, trust) {
                (Some(digest), _) => Trust::Digest(digest),
                (None, true) => Trust::Blind,
                (None, false) => Trust::None,
            };
            print_imported(printer, &commands::import::import(context, &archive, &trust, into.as_deref())?);
        }
        Command::ImportConfig { files, output, name } => {
            let imported = commands::import_config::import_config(context, &files, output.as_deref(), name.as_deref())?;
            super::import_config::print(printer, &imported);
        }
        Command::Show { archive } => print_shown(printer, &commands::show::show(context, &archive)?),
        Command::New { name } => print_new(printer, &commands::new::new(context, &name)?),
        Command::Inspect { file } => {
            let report = commands::inspect::inspect(context, &file)?;
            if printer.is_json() { printer.json(&json!(report)) } else { printer.data(&sanitised(&report.to_string())) }
        }
        Command::Doctor { log, vms } => {
            let input = std::io::stdin().lock();
            super::doctor::print(printer, &commands::doctor::doctor(context, vms.as_deref(), &log, input)?)?;
        }
        Command::Verify { bundle } => print_verified(printer, &commands::verify::verify(context, &bundle)?),
        Command::Libvirt(command) => super::install::dispatch(command, context, printer)?,
        Command::Diff { before, after } => print_diff(printer, &commands::diff::diff(context, &before, &after)?)?,
        Command::Here(command) => super::run::dispatch(command, context, printer)?,
        Command::Store { command } => super::store::run(command, context, printer)?,
        Command::Schema => printer.json(&commands::schema::schema()),
        Command::Passwd { rounds } => super::passwd::run(printer, rounds)?,
        Command::Completions { shell } => printer.data(&shell::completions(shell)),
        Command::Man => printer.data(&super::man::page()),
    }
    Ok(())
}

fn print_new(printer: &Printer, path: &Path) {
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if printer.is_json() {
        return printer.json(&json!({ "recipe": lossy(path) }));
    }
    printer.data(&format!("{shown}\n"));
    printer.say("put your ssh key in, where it says so; then");
    printer.say_aligned(&[
        (&format!("  arca-build update {shown}"), "asks the publisher for today's image and pins it".to_owned()),
        (&format!("  arca-build {shown}"), "fetches, verifies, builds".to_owned()),
        (
            &format!("  arca-build run {shown} --test"),
            "boots it on throw-away disks: did it come up as asked?".to_owned(),
        ),
        (
            &format!("  sudo arca-build install ./result-{name} --start"),
            "or makes it a libvirt domain that stays".to_owned(),
        ),
    ]);
}

fn sanitised(text: &str) -> String {
    let text = crate::base::text::sanitise(text);
    if text.ends_with('\n') { text.into_owned() } else { format!("{text}\n") }
}

fn placement(out: Option<PathBuf>, no_link: bool, recipes: usize) -> Result<Placement, crate::base::Diagnostic> {
    match out {
        Some(_) if recipes > 1 => {
            Err(crate::base::Diagnostic::new(crate::base::Code::Usage, "`--out DIR` takes one recipe")
                .hint("build them one by one, each with its own directory"))
        }
        Some(out) => Ok(Placement::Copy(out)),
        None if no_link => Ok(Placement::Nowhere),
        None => Ok(Placement::Link),
    }
}

fn print_plans(printer: &Printer, plans: &[Plan]) {
    if printer.is_json() {
        return printer.json(&json!({ "plans": plans.iter().map(Plan::to_json).collect::<Vec<_>>() }));
    }
    for plan in plans {
        printer.data(&sanitised(&plan.to_string()));
    }
}

fn print_explained(printer: &Printer, all: &[commands::Explanation]) {
    if printer.is_json() {
        return printer.json(&json!({ "explanations": all.iter().map(explained_json).collect::<Vec<_>>() }));
    }
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    printer.data(&sanitised(&texts.join("\n")));
}

fn explained_json(one: &commands::Explanation) -> serde_json::Value {
    let placed = one.assignments.iter().map(|placed| {
        json!({
            "engine": placed.engine,
            "part": placed.feature.title(),
            "what": placed.what,
            "why": placed.why,
        })
    });
    let warnings = one
        .warnings
        .iter()
        .map(|warning| json!({ "rule": warning.rule, "severity": warning.severity, "text": warning.text }));
    json!({
        "name": one.name,
        "engine": one.engine,
        "placed": placed.collect::<Vec<_>>(),
        "first_boot": one.steps,
        "warnings": warnings.collect::<Vec<_>>(),
    })
}

fn print_built(printer: &Printer, all: &[Built], updated: Option<&Outcome>) {
    if printer.is_json() {
        let mut document = json!({ "bundles": all.iter().map(built_json).collect::<Vec<_>>() });
        if let Some(outcome) = updated {
            document["update"] = update::json(outcome, false);
        }
        return printer.json(&document);
    }
    for built in all {
        printer.data(&format!("{}\n", built.path.display()));
        printer.say_aligned(&[
            ("bundle", format!("{}{}", built.path.display(), if built.unchanged { " (nothing to do)" } else { "" })),
            ("digest", format!("sha256:{}", built.digest)),
            ("work", work(built)),
            ("try it", built.run.clone()),
            ("install", built.install.clone()),
        ]);
    }
}

fn print_rebuilt(printer: &Printer, all: &[Rebuilt]) {
    if printer.is_json() {
        let show = |one: &Rebuilt| json!({ "name": one.name.as_str(), "plan": one.plan, "identical": true, "derivations": one.derivations, "files": one.files });
        return printer.json(&json!({ "rebuilt": all.iter().map(show).collect::<Vec<_>>() }));
    }
    for one in all {
        let files = one.files.map_or_else(|| "the bundle is not in the store".to_owned(), |files| count(files, "file"));
        let derivations = count(one.derivations, "derivation");
        printer.data(&format!("{}: identical; {derivations}, {files}\n", one.name));
    }
}

fn work(built: &Built) -> String {
    if built.unchanged {
        return "everything was there already".to_owned();
    }
    let stats = &built.stats;
    if *stats == BuildStats::default() {
        return "copied from the store".to_owned();
    }
    let fetched = match stats.fetched {
        0 => "nothing fetched".to_owned(),
        count => format!("{count} fetched ({})", ByteSize(stats.fetched_bytes)),
    };
    format!("{} reused, {} built, {fetched}", stats.reused, stats.built)
}

fn built_json(built: &Built) -> serde_json::Value {
    json!({
        "name": built.name.as_str(),
        "plan": built.plan,
        "digest": built.digest,
        "path": lossy(&built.path),
        "link": built.link.as_deref().map(lossy),
        "unchanged": built.unchanged,
        "work": built.stats,
        "run": built.run,
        "install": built.install,
    })
}

fn print_fetched(printer: &Printer, (fetched, stats): &(Vec<commands::fetch::Fetched>, BuildStats)) {
    if printer.is_json() {
        let inputs: Vec<_> = fetched
            .iter()
            .map(
                |input| json!({ "input": input.title, "sha256": input.digest, "size": input.size, "path": lossy(&input.path) }),
            )
            .collect();
        return printer.json(&json!({ "inputs": inputs, "work": stats }));
    }
    for input in fetched {
        printer.data(&format!("{}\n", input.path.display()));
        printer.say(&format!("{}  sha256:{}  {}", input.title, input.digest.short(), input.size));
    }
    printer.say(&format!("{} reused, {} fetched ({})", stats.reused, stats.fetched, ByteSize(stats.fetched_bytes)));
}

fn print_verified(printer: &Printer, verified: &Verified) {
    if printer.is_json() {
        return printer.json(&json!({
            "name": verified.name, "digest": verified.digest, "files": verified.files, "bytes": verified.bytes,
        }));
    }
    let (files, size) = (count(verified.files, "file"), ByteSize(verified.bytes));
    printer.data(&format!("{}: {files}, {size}, good; sha256:{}\n", verified.name, verified.digest));
}

/// Prints what differs; that something does is the answer, told by the exit code.
fn print_diff(printer: &Printer, differences: &Differences) -> Result<(), Diagnostics> {
    if printer.is_json() {
        printer.json(&json!({ "identical": differences.0.is_empty(), "differences": differences }));
    } else {
        printer.data(&crate::base::text::sanitise(&differences.to_string()));
    }
    if differences.0.is_empty() {
        if !printer.is_json() {
            printer.say("identical");
        }
        return Ok(());
    }
    Err(Diagnostic::new(Code::Differs, count(differences.0.len(), "difference")).into())
}
