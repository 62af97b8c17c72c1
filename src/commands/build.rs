//! `build`: from recipe to bundle. Read next: [`super::recipes`], [`super::rebuild`] (`--check`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::{Context, quoted};
use super::plan::PlanOutput;
use super::printer::{Output, Printer, ShownPath};
use super::rebuild::RebuildOutput;
use super::recipe_file::LoadedRecipe;
use super::recipes::{Realiser, Recipes};
use super::roots::{add_root, follow_pins, inputs};
use super::update::{UpdateFlags, UpdateOutput, update};
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, Name};
use crate::bundle;
use crate::host::files;
use crate::lock;
use crate::plan::{Plan, file};
use crate::realise::{self, BuildContext, BuildStats};
use crate::store::{Bundle, Copied, Holder, Root, Store};

/// Build bundles (the default command)
#[derive(Debug, Args)]
pub(crate) struct BuildOptions {
    #[command(flatten)]
    recipes: Recipes,
    /// Also write a self-contained copy to DIR, and no link
    #[arg(long, value_name = "DIR", conflicts_with = "no_link", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Leave no `result-<name>` link; the bundle may be collected later
    #[arg(long)]
    no_link: bool,
    /// Print the plan and build nothing
    #[arg(long)]
    dry_run: bool,
    /// Build everything again from its inputs and compare every byte with what is in the store; replaces nothing
    #[arg(long, conflicts_with_all = ["out", "no_link", "dry_run"])]
    check: bool,
    /// Pin first, as `arca-build update` does
    #[arg(long, conflicts_with_all = ["check", "dry_run"])]
    update: bool,
    /// Hash again everything the build uses, instead of trusting files that look untouched; what is damaged is replaced
    #[arg(long, conflicts_with_all = ["dry_run", "check"])]
    verify: bool,
}

/// Where the result goes beside the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// A link `result-<name>` in the working directory, which keeps the bundle from collection.
    Link,
    /// A self-contained copy in a directory.
    Copy(PathBuf),
    /// Nowhere; the bundle may be collected after the grace time.
    None,
}

/// Whether the store's stamps are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// A file that is as it was when it was hashed last holds what it held then.
    Trust,
    /// Every object and every file of a bundle that the build uses is hashed again: `--verify`.
    Verify,
}

/// One bundle that was built, or was there.
#[derive(Debug, Serialize)]
pub(crate) struct BuiltBundle {
    pub name: Name,
    pub plan: Digest,
    /// The digest of `manifest.json`, which lists every other file.
    pub digest: Digest,
    /// The bundle in the store, or the copy.
    pub path: ShownPath,
    /// The link, where one was wanted.
    pub link: Option<ShownPath>,
    /// Whether the bundle was there already.
    pub unchanged: bool,
    pub work: BuildStats,
    /// Commands that launch the machine, from the working directory: at once, and through libvirt.
    pub run: String,
    pub install: String,
}

#[derive(Debug, Serialize)]
struct BuildOutput {
    bundles: Vec<BuiltBundle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<UpdateOutput>,
}

impl BuildOptions {
    pub(crate) const fn only_looks(&self) -> bool {
        self.dry_run
    }

    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        if self.dry_run {
            return printer.show(&PlanOutput::of(context, &self.recipes)?);
        }
        if self.check {
            return printer.show(&RebuildOutput::of(context, &self.recipes)?);
        }
        let placement = placement(self.out, self.no_link, self.recipes.recipes.len())?;
        let stamps = if self.verify { Stamps::Verify } else { Stamps::Trust };
        let update = self.update.then(|| update(context, &self.recipes.recipes, UpdateFlags::default())).transpose()?;
        if let Some(update) = update.as_ref().filter(|_| !printer.is_json()) {
            update.say(printer);
        }
        let bundles = build(context, &self.recipes, &placement, stamps)?;
        printer.show(&BuildOutput { bundles, update })
    }
}

fn placement(out: Option<PathBuf>, no_link: bool, recipes: usize) -> Result<Placement, Diagnostic> {
    match out {
        Some(_) if recipes > 1 => Err(Diagnostic::new(Code::Usage, "`--out DIR` takes one recipe")
            .hint("build them one by one, each with its own directory")),
        Some(out) => Ok(Placement::Copy(out)),
        None if no_link => Ok(Placement::None),
        None => Ok(Placement::Link),
    }
}

impl Output for BuildOutput {
    fn print(&self, printer: &Printer) {
        for built in &self.bundles {
            let path = built.path.display();
            printer.line(&path);
            printer.say_aligned(&[
                ("bundle", format!("{path}{}", if built.unchanged { " (nothing to do)" } else { "" })),
                ("digest", format!("sha256:{}", built.digest)),
                ("work", built.work()),
                ("try it", built.run.clone()),
                ("install", built.install.clone()),
            ]);
        }
    }
}

impl BuiltBundle {
    fn work(&self) -> String {
        let BuildStats { reused, built, fetched, fetched_bytes } = self.work;
        match fetched {
            _ if self.unchanged => "everything was there already".to_owned(),
            _ if self.work == BuildStats::default() => "copied from the store".to_owned(),
            0 => format!("{reused} reused, {built} built, nothing fetched"),
            _ => format!("{reused} reused, {built} built, {fetched} fetched ({})", ByteSize(fetched_bytes)),
        }
    }
}

/// Plans every recipe, then builds one after the other; all mistakes in all recipes are reported before anything is done.
pub(crate) fn build(
    context: &Context<'_>,
    recipes: &Recipes,
    placement: &Placement,
    stamps: Stamps,
) -> Result<Vec<BuiltBundle>, Diagnostics> {
    let planned = recipes.plan(context)?;
    let mut realiser = Realiser::open(context)?;
    if stamps == Stamps::Verify {
        realiser.store = realiser.store.rehash();
    }
    outside(context, &realiser.store, placement)?;
    let mut all: Vec<BuiltBundle> = vec![];
    for (loaded, plan) in &planned {
        let built = realiser.with(loaded, |build| {
            let built = build_one(context, plan, build, placement)?;
            follow_pins(context, &realiser.store, loaded, plan)?;
            Ok(built)
        });
        all.push(built.map_err(|problems| failed(problems, &plan.name, &all))?);
        warn_other_size(context, loaded, &realiser.store);
    }
    Ok(all)
}

/// Warns where the verified image holds another disk than `update` was told before anybody could verify it.
fn warn_other_size(context: &Context<'_>, loaded: &LoadedRecipe, store: &Store<'_>) {
    let pin = loaded.lock.pins.get(&lock::key(&loaded.recipe.base.source.value));
    let pin = pin.filter(|pin| loaded.recipe.base.sha256.is_none_or(|digest| digest == pin.sha256));
    let Some((pin, told)) = pin.and_then(|pin| Some((pin, pin.image.virtual_size?))) else { return };
    let object = store.find(&pin.sha256).ok().flatten();
    let head = object.and_then(|object| realise::head(store, &object, lock::facts::HEAD).ok());
    let Some(found) = head.and_then(|head| lock::facts::virtual_size(&head)).filter(|found| *found != told) else {
        return;
    };
    let command = context.command("update", &loaded.recipe.file);
    let text = format!("the base holds a disk of {found}, and the lock says {told}; `{command}` corrects it");
    context.warn(text);
}

/// Refuses a copy inside the store, where the next collection or sweep would take it for its own.
pub(super) fn outside(context: &Context<'_>, store: &Store<'_>, placement: &Placement) -> Result<(), Diagnostic> {
    let Placement::Copy(directory) = placement else { return Ok(()) };
    let out = files::one_spelling(&context.absolute(directory));
    if !out.starts_with(files::one_spelling(store.dir())) {
        return Ok(());
    }
    Err(Diagnostic::new(Code::OutputPath, format!("`{}` lies inside the store", out.display()))
        .fact("store", store.dir().display())
        .note("nothing was built")
        .hint("name a directory elsewhere: what lies in the store belongs to it and is collected"))
}

/// Adds which of several recipes failed, and which are done, as their results are not reported otherwise.
fn failed(mut problems: Diagnostics, name: &Name, done: &[BuiltBundle]) -> Diagnostics {
    let done: Vec<&str> = done.iter().map(|built| built.name.as_str()).collect();
    if let (Some(first), false) = (problems.0.first_mut(), done.is_empty()) {
        first.facts.extend([("building", name.to_string()), ("built before", done.join(", "))]);
    }
    problems
}

/// Builds one bundle, makes the link or the copy, and writes down what the link keeps.
fn build_one(
    context: &Context<'_>,
    plan: &Plan,
    build: &BuildContext<'_>,
    placement: &Placement,
) -> Result<BuiltBundle, Diagnostic> {
    let (bundle, mut unchanged, work) = make(plan, build)?;
    let (mut path, mut link) = (bundle.path().to_owned(), None);
    let shown = match placement {
        Placement::Link => {
            let file_name = format!("result-{}", plan.name);
            let at = context.environment.directory().join(&file_name);
            let ours = |target: &Path| target.parent().is_some_and(|parent| parent.ends_with("bundles-v1"));
            // The link first: where it cannot be made, the root must go on keeping what the older link names. No
            // collection comes in between, as this process holds the store's lock.
            files::link_result(&at, bundle.path(), ours)?;
            let root = Root {
                holder: Holder::Link(at.clone()),
                bundle: Some(bundle.name().to_owned()),
                objects: closure(plan, &bundle),
            };
            add_root(context, build.store, &root)?;
            link = Some(at.into());
            PathBuf::from(format!("./{file_name}"))
        }
        Placement::Copy(directory) => {
            path = context.absolute(directory);
            unchanged &= build.store.copy_bundle(&bundle, &path)? == Copied::Same;
            directory.clone()
        }
        Placement::None => path.clone(),
    };
    let command = |word: &str| format!("arca-build {word} {}", quoted(&shown.to_string_lossy()));
    Ok(BuiltBundle {
        name: plan.name.clone(),
        plan: plan.id,
        digest: manifest_digest(&bundle)?,
        path: path.into(),
        link,
        unchanged,
        work,
        run: command("run"),
        install: command("install"),
    })
}

/// Finds the bundle of a plan in the store, or builds it; returns also whether it was there.
pub(super) fn make(plan: &Plan, build: &BuildContext<'_>) -> Result<(Bundle, bool, BuildStats), Diagnostic> {
    let there = build.store.bundle(&plan.id, &plan.name)?;
    let was_there = there.is_some();
    if let Some(bundle) = there.filter(|_| !build.store.is_rehashing()) {
        return Ok((bundle, true, BuildStats::default()));
    }
    let realised = realise::realise(plan, build)?;
    let entries = bundle::entries(plan, &realised)?;
    let stats = realised.stats;
    let unchanged = was_there && stats.built == 0 && stats.fetched == 0;
    Ok((build.store.publish_bundle(&plan.id, &plan.name, &entries)?, unchanged, stats))
}

fn manifest_digest(bundle: &Bundle) -> Result<Digest, Diagnostic> {
    let listed = bundle.files().iter().find(|listed| listed.file_name == file::MANIFEST);
    listed.map(|listed| listed.digest).ok_or_else(|| Diagnostic::new(Code::CacheCorrupt, "a bundle without a manifest"))
}

/// Lists what a rebuild needs and what the bundle holds: inputs by their pins, outputs by their digests.
fn closure(plan: &Plan, bundle: &Bundle) -> BTreeSet<Digest> {
    inputs(plan).chain(bundle.files().iter().map(|listed| listed.digest)).collect()
}
