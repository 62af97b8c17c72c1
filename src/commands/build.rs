//! `build`: from recipe to bundle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::update::PublisherQuery;
use super::{Context, LARGEST_INPUT, Loaded, VERSION, moved};
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Event, Name};
use crate::bundle;
use crate::host::{RecipeDir, files};
use crate::lock;
use crate::plan::{Builder, Plan, file};
use crate::realise::{self, BuildContext, BuildStats};
use crate::recipe::Source;
use crate::store::{Bundle, Copied, Holder, Root, Store};

/// Where the result goes beside the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// A link `result-<name>` in the working directory, which keeps the bundle from collection.
    Link,
    /// A self-contained copy in a directory.
    Copy(PathBuf),
    /// Nothing; the bundle may be collected after the grace time.
    Nowhere,
}

/// What a build gave.
#[derive(Debug)]
pub(crate) struct Built {
    pub name: Name,
    pub plan: Digest,
    /// The digest of `manifest.json`, which lists every other file.
    pub digest: Digest,
    /// The bundle in the store, or the copy.
    pub path: PathBuf,
    /// The link, where one was wanted.
    pub link: Option<PathBuf>,
    /// Whether the bundle was there already.
    pub unchanged: bool,
    pub stats: BuildStats,
    /// Commands that launch the machine, from the working directory: at once, and through libvirt.
    pub run: String,
    pub install: String,
}

/// Plans every recipe, then builds one after the other; all mistakes in all recipes are told before anything is done.
pub(crate) fn build(
    context: &Context<'_>,
    recipes: &[PathBuf],
    placement: &Placement,
) -> Result<Vec<Built>, Diagnostics> {
    build_with(context, recipes, placement, Stamps::Trusted)
}

/// What a build thinks of the store's stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// A file that is as it was when it was hashed last holds what it held then.
    Trusted,
    /// Every object and every file of a bundle that the build uses is hashed again: `--verify`.
    Verify,
}

/// As [`build`], with or without trust in stamps.
pub(crate) fn build_with(
    context: &Context<'_>,
    recipes: &[PathBuf],
    placement: &Placement,
    stamps: Stamps,
) -> Result<Vec<Built>, Diagnostics> {
    let planned = plan_all(context, recipes)?;
    let mirrors = context.mirrors()?;
    let store = context.open_store()?;
    let store = if stamps == Stamps::Verify { store.rehash() } else { store };
    outside(context, &store, placement)?;
    let fetch = context.fetcher();
    let rewrite = |source: &Source| Context::candidates(&mirrors, source);
    let build_one = |(loaded, plan): &(Loaded, Plan)| {
        let build = build_context(context, &store, fetch.as_ref(), &loaded.beside, &rewrite);
        let built = build_one(context, plan, &build, placement).and_then(|built| {
            super::fetch::move_root(context, &store, loaded, plan)?;
            Ok(built)
        });
        built.map_err(|problem| {
            let query = PublisherQuery { context, fetch: fetch.as_ref(), mirrors: &mirrors, loaded };
            moved::explain(problem, loaded, &query)
        })
    };
    let mut all: Vec<Built> = vec![];
    for planned in &planned {
        match build_one(planned) {
            Ok(built) => {
                tell_other_size(context, &planned.0, &store);
                all.push(built);
            }
            Err(problem) => return Err(told_with(problem, &planned.1.name, &all).into()),
        }
    }
    Ok(all)
}

/// Warns where the verified image holds another disk than `update` was told before anybody could verify it.
fn tell_other_size(context: &Context<'_>, loaded: &Loaded, store: &Store<'_>) {
    let pin = loaded.lock.pins.get(&lock::key(&loaded.recipe.base.source.value));
    let pin = pin.filter(|pin| loaded.recipe.base.sha256.is_none_or(|digest| digest == pin.sha256));
    let Some((pin, told)) = pin.and_then(|pin| Some((pin, pin.image.virtual_size?))) else { return };
    let object = store.find(&pin.sha256).ok().flatten();
    let head = object.and_then(|object| realise::head(store, &object, lock::facts::HEAD).ok());
    let Some(found) = head.and_then(|head| lock::facts::virtual_size(&head)).filter(|found| *found != told) else {
        return;
    };
    let command = context.command("update", &loaded.recipe.file);
    let text = format!("the base holds a disk of {found}, and the lock says {told}; `{command}` mends it");
    (context.events)(Event::Warning { text });
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

/// Says which of several recipes failed, and which are done, as their results are not told otherwise.
fn told_with(problem: Diagnostic, name: &Name, done: &[Built]) -> Diagnostic {
    let done: Vec<&str> = done.iter().map(|built| built.name.as_str()).collect();
    if done.is_empty() { problem } else { problem.fact("building", name).fact("built before", done.join(", ")) }
}

/// Reads and plans every recipe; two of one name would fight for one link.
pub(crate) fn plan_all(context: &Context<'_>, recipes: &[PathBuf]) -> Result<Vec<(Loaded, Plan)>, Diagnostics> {
    let mut planned: Vec<(Loaded, Plan)> = vec![];
    let mut problems = vec![];
    for path in recipes {
        let one = Loaded::read(context, path).and_then(|loaded| Ok((loaded.plan(context)?, loaded)));
        match one {
            Ok((plan, loaded)) => planned.push((loaded, plan)),
            Err(more) => problems.extend(more.0),
        }
    }
    let names = |index: usize| planned[..index].iter().find(|earlier| earlier.1.name == planned[index].1.name);
    for (index, (loaded, plan)) in planned.iter().enumerate() {
        if let Some(earlier) = names(index).filter(|earlier| earlier.1.id != plan.id) {
            problems.push(twins(&plan.name, &earlier.0.recipe.file, &loaded.recipe.file));
        }
    }
    if problems.is_empty() { Ok(planned) } else { Err(Diagnostics(problems)) }
}

/// Tells that two recipes would fight for one link.
pub(super) fn twins(name: &Name, first: &str, second: &str) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("two recipes are named `{name}`"))
        .fact("first", first)
        .fact("second", second)
        .hint("give one of them another `name`")
}

pub(super) fn build_context<'a>(
    context: &'a Context<'_>,
    store: &'a Store<'a>,
    fetch: &'a dyn crate::fetch::Fetch,
    beside: &'a RecipeDir,
    rewrite: realise::Rewrite<'a>,
) -> BuildContext<'a> {
    let (events, version, largest) = (context.events, VERSION, LARGEST_INPUT);
    BuildContext { store, fetch, beside, rewrite, events, version, largest }
}

fn build_one(
    context: &Context<'_>,
    plan: &Plan,
    build: &BuildContext<'_>,
    placement: &Placement,
) -> Result<Built, Diagnostic> {
    let (bundle, unchanged, stats) = make(plan, build)?;
    let mut built = Built {
        name: plan.name.clone(),
        plan: plan.id,
        digest: manifest_digest(&bundle)?,
        run: String::new(),
        install: String::new(),
        path: bundle.path().to_owned(),
        link: None,
        unchanged,
        stats,
    };
    place(context, plan, &bundle, build, placement, &mut built)?;
    Ok(built)
}

/// Finds the bundle of a plan in the store, or builds it; tells whether it was there.
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
    Ok((bundle::publish(&entries, plan, build.store)?, unchanged, stats))
}

/// Makes the link or the copy, and writes down what the link keeps.
fn place(
    context: &Context<'_>,
    plan: &Plan,
    bundle: &Bundle,
    build: &BuildContext<'_>,
    placement: &Placement,
    built: &mut Built,
) -> Result<(), Diagnostic> {
    let store = build.store;
    let shown = match placement {
        Placement::Link => {
            let file_name = format!("result-{}", built.name);
            let link = context.environment.directory().join(&file_name);
            let ours = |target: &Path| target.parent().is_some_and(|parent| parent.ends_with("bundles-v1"));
            // The link first: where it cannot be made, the root must go on keeping what the older link names. No
            // collection comes in between, as this process holds the store's lock.
            files::link_result(&link, bundle.path(), ours)?;
            let root = Root {
                holder: Holder::Link(link.clone()),
                bundle: Some(bundle.name().to_owned()),
                objects: closure(plan, bundle),
            };
            super::store::keep(context, store, &root)?;
            built.link = Some(link);
            PathBuf::from(format!("./{file_name}"))
        }
        Placement::Copy(directory) => {
            let out = context.absolute(directory);
            built.unchanged &= store.copy_bundle(bundle, &out)? == Copied::Same;
            built.path = out;
            directory.clone()
        }
        Placement::Nowhere => built.path.clone(),
    };
    let command = |word: &str| format!("arca-build {word} {}", super::quoted(&shown.to_string_lossy()));
    built.run = command("run");
    built.install = command("install");
    Ok(())
}

fn manifest_digest(bundle: &Bundle) -> Result<Digest, Diagnostic> {
    let listed = bundle.files().iter().find(|listed| listed.file_name == file::MANIFEST);
    listed.map(|listed| listed.digest).ok_or_else(|| Diagnostic::new(Code::CacheCorrupt, "a bundle without a manifest"))
}

/// Lists what a rebuild needs and what the bundle holds: inputs by their pins, outputs by their digests.
fn closure(plan: &Plan, bundle: &Bundle) -> BTreeSet<Digest> {
    inputs(plan).chain(bundle.files().iter().map(|listed| listed.digest)).collect()
}

/// Lists what a plan takes from outside, by its pins.
pub(super) fn inputs(plan: &Plan) -> impl Iterator<Item = Digest> + '_ {
    plan.derivations.iter().filter_map(|derivation| match &derivation.builder {
        Builder::Fixed { digest } => Some(*digest),
        _ => None,
    })
}
