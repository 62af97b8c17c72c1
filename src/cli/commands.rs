//! From a parsed command line to a command, and from its result to what is printed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Cli, Command};
use super::check;
use super::mirror::print_mirrored;
use super::out::Voice;
use super::shell;
use super::transfer::{print_exported, print_imported, print_shown};
use super::update;
use crate::base::text::count;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Event};
use crate::host::Environment;
use crate::ops::build::{Built, Placement, Stamps};
use crate::ops::import::Trust;
use crate::ops::rebuild::Rebuilt;
use crate::ops::update::{Options, Outcome};
use crate::ops::{self, Differences, Plan, Session, Tally, Verified};

/// Runs one command.
pub(super) fn run(cli: Cli, environment: Environment, voice: &Voice) -> Result<(), Diagnostics> {
    let events = |event: Event| voice.hear(event);
    let global = cli.global;
    let session = Session {
        environment,
        cache: global.cache,
        offline: global.offline,
        lock: global.lock,
        config: global.config,
        keyrings: global.keyrings,
        locked: global.locked,
        events: &events,
    };
    let result = dispatch(cli.command, &session, voice).and_then(|()| Ok(voice.delivered()?));
    voice.end_progress();
    result
}

/// A path as JSON can hold it, which is Unicode; a path need not be.
pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn dispatch(command: Command, session: &Session<'_>, voice: &Voice) -> Result<(), Diagnostics> {
    match command {
        Command::Build { recipes, dry_run: true, .. } | Command::Plan { recipes } => {
            print_plans(voice, &ops::check::check(session, &recipes.recipes)?);
        }
        Command::Build { recipes, check: true, .. } => {
            print_rebuilt(voice, &ops::rebuild::rebuild(session, &recipes.recipes)?);
        }
        Command::Build { recipes, out, no_link, dry_run: false, check: false, update, verify } => {
            let placement = placement(out, no_link, recipes.recipes.len())?;
            let stamps = if verify { Stamps::Doubted } else { Stamps::Trusted };
            let updated = update.then(|| ops::update::update(session, &recipes.recipes, Options::default()));
            let updated = updated.transpose()?;
            updated.iter().for_each(|outcome| update::say(voice, outcome, false));
            let built = ops::build::build_with(session, &recipes.recipes, &placement, stamps)?;
            print_built(voice, &built, updated.as_ref());
        }
        Command::Check { explain: Some(rule), .. } => check::explain(voice, &rule),
        Command::Check { recipes, deny, sarif, explain: None } => {
            let form = if sarif { check::Form::Sarif } else { check::Form::Plain };
            check::print(voice, &ops::check::judge(session, &recipes), deny.as_deref(), form)?;
        }
        Command::Explain { recipes } => print_explained(voice, &ops::explain::explain(session, &recipes.recipes)?),
        Command::Update { recipes, dry_run, allow_unsigned, allow_new_signer, allow_older } => {
            let options = Options { dry_run, allow_unsigned, allow_new_signer, allow_older };
            update::print(voice, &ops::update::update(session, &recipes, options)?, dry_run);
        }
        Command::Fetch { recipes } => print_fetched(voice, &ops::fetch::fetch(session, &recipes.recipes)?),
        Command::Mirror { recipes, directory } => {
            print_mirrored(voice, &ops::mirror::mirror(session, &recipes.recipes, &directory)?);
        }
        Command::Export { recipes, output, bundles, since } => {
            let wish = ops::export::Wish { bundles, since };
            print_exported(voice, &output, &ops::export::export(session, &recipes.recipes, &output, &wish)?);
        }
        Command::Import { archive, expect, trust, into } => {
            let trust = match (expect, trust) {
                (Some(digest), _) => Trust::Digest(digest),
                (None, true) => Trust::Blind,
                (None, false) => Trust::None,
            };
            print_imported(voice, &ops::import::import(session, &archive, &trust, into.as_deref())?);
        }
        Command::ImportConfig { files, output, name } => {
            let imported = ops::import_config::import_config(session, &files, output.as_deref(), name.as_deref())?;
            super::import_config::print(voice, &imported);
        }
        Command::Show { archive } => print_shown(voice, &ops::show::show(session, &archive)?),
        Command::New { name } => print_new(voice, &ops::new::new(session, &name)?),
        Command::Inspect { file } => {
            let report = ops::inspect::inspect(session, &file)?;
            if voice.is_json() { voice.json(&json!(report)) } else { voice.data(&sanitised(&report.to_string())) }
        }
        Command::Doctor { log, vms } => {
            let input = std::io::stdin().lock();
            super::doctor::print(voice, &ops::doctor::doctor(session, vms.as_deref(), &log, input)?)?;
        }
        Command::Verify { bundle } => print_verified(voice, &ops::verify::verify(session, &bundle)?),
        Command::Libvirt(command) => super::install::dispatch(command, session, voice)?,
        Command::Diff { before, after } => print_diff(voice, &ops::diff::diff(session, &before, &after)?)?,
        Command::Here(command) => super::run::dispatch(command, session, voice)?,
        Command::Store { command } => super::store::run(command, session, voice)?,
        Command::Schema => voice.json(&ops::schema::schema()),
        Command::Passwd { rounds } => super::passwd::run(voice, rounds)?,
        Command::Completions { shell } => voice.data(&shell::completions(shell)),
        Command::Man => voice.data(&super::man::page()),
    }
    Ok(())
}

fn print_new(voice: &Voice, path: &Path) {
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if voice.is_json() {
        return voice.json(&json!({ "recipe": lossy(path) }));
    }
    voice.data(&format!("{shown}\n"));
    voice.say("put your ssh key in, where it says so; then");
    voice.say_aligned(&[
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

fn print_plans(voice: &Voice, plans: &[Plan]) {
    if voice.is_json() {
        return voice.json(&json!({ "plans": plans.iter().map(Plan::to_json).collect::<Vec<_>>() }));
    }
    for plan in plans {
        voice.data(&sanitised(&plan.to_string()));
    }
}

fn print_explained(voice: &Voice, all: &[ops::Explanation]) {
    if voice.is_json() {
        return voice.json(&json!({ "explanations": all.iter().map(explained_json).collect::<Vec<_>>() }));
    }
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    voice.data(&sanitised(&texts.join("\n")));
}

fn explained_json(one: &ops::Explanation) -> serde_json::Value {
    let placed = one.placed.iter().map(|placed| {
        json!({
            "engine": placed.side.to_string().to_lowercase(),
            "part": placed.part.title(),
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

fn print_built(voice: &Voice, all: &[Built], updated: Option<&Outcome>) {
    if voice.is_json() {
        let mut document = json!({ "bundles": all.iter().map(built_json).collect::<Vec<_>>() });
        if let Some(outcome) = updated {
            document["update"] = update::json(outcome, false);
        }
        return voice.json(&document);
    }
    for built in all {
        voice.data(&format!("{}\n", built.path.display()));
        voice.say_aligned(&[
            ("bundle", format!("{}{}", built.path.display(), if built.unchanged { " (nothing to do)" } else { "" })),
            ("digest", format!("sha256:{}", built.digest)),
            ("work", work(built)),
            ("try it", built.run.clone()),
            ("install", built.install.clone()),
        ]);
    }
}

fn print_rebuilt(voice: &Voice, all: &[Rebuilt]) {
    if voice.is_json() {
        let show = |one: &Rebuilt| json!({ "name": one.name.as_str(), "plan": one.plan, "identical": true, "derivations": one.derivations, "files": one.files });
        return voice.json(&json!({ "rebuilt": all.iter().map(show).collect::<Vec<_>>() }));
    }
    for one in all {
        let files = one.files.map_or_else(|| "the bundle is not in the store".to_owned(), |files| count(files, "file"));
        let derivations = count(one.derivations, "derivation");
        voice.data(&format!("{}: identical; {derivations}, {files}\n", one.name));
    }
}

fn work(built: &Built) -> String {
    if built.unchanged {
        return "everything was there already".to_owned();
    }
    let tally = &built.tally;
    if *tally == Tally::default() {
        return "copied from the store".to_owned();
    }
    let fetched = match tally.fetched {
        0 => "nothing fetched".to_owned(),
        count => format!("{count} fetched ({})", ByteSize(tally.fetched_bytes)),
    };
    format!("{} reused, {} built, {fetched}", tally.reused, tally.built)
}

fn built_json(built: &Built) -> serde_json::Value {
    json!({
        "name": built.name.as_str(),
        "plan": built.plan,
        "digest": built.digest,
        "path": lossy(&built.path),
        "link": built.link.as_deref().map(lossy),
        "unchanged": built.unchanged,
        "work": built.tally,
        "run": built.run,
        "install": built.install,
    })
}

fn print_fetched(voice: &Voice, (fetched, tally): &(Vec<ops::fetch::Fetched>, Tally)) {
    if voice.is_json() {
        let inputs: Vec<_> = fetched
            .iter()
            .map(
                |input| json!({ "input": input.title, "sha256": input.digest, "size": input.size, "path": lossy(&input.path) }),
            )
            .collect();
        return voice.json(&json!({ "inputs": inputs, "work": tally }));
    }
    for input in fetched {
        voice.data(&format!("{}\n", input.path.display()));
        voice.say(&format!("{}  sha256:{}  {}", input.title, input.digest.short(), input.size));
    }
    voice.say(&format!("{} reused, {} fetched ({})", tally.reused, tally.fetched, ByteSize(tally.fetched_bytes)));
}

fn print_verified(voice: &Voice, verified: &Verified) {
    if voice.is_json() {
        return voice.json(&json!({
            "name": verified.name, "digest": verified.digest, "files": verified.files, "bytes": verified.bytes,
        }));
    }
    let (files, size) = (count(verified.files, "file"), ByteSize(verified.bytes));
    voice.data(&format!("{}: {files}, {size}, good; sha256:{}\n", verified.name, verified.digest));
}

/// Prints what differs; that something does is the answer, told by the exit code.
fn print_diff(voice: &Voice, differences: &Differences) -> Result<(), Diagnostics> {
    if voice.is_json() {
        voice.json(&json!({ "identical": differences.0.is_empty(), "differences": differences }));
    } else {
        voice.data(&crate::base::text::sanitise(&differences.to_string()));
    }
    if differences.0.is_empty() {
        if !voice.is_json() {
            voice.say("identical");
        }
        return Ok(());
    }
    Err(Diagnostic::new(Code::Differs, count(differences.0.len(), "difference")).into())
}
