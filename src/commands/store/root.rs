//! `store root`: what gc keeps beside the results on disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;

use crate::base::text::{count, one_line, sanitise};
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Name};
use crate::commands::context::Context;
use crate::commands::printer::{Output, Printer};
use crate::host::files;
use crate::store::{Holder, Listed, Root, State, Store};

/// How many digits of a plan's id distinguish bundles on a terminal.
const SHORT: usize = 12;

/// Show or change what gc keeps beside the results on disk
#[derive(Debug, Args)]
pub(crate) struct RootOptions {
    #[command(subcommand)]
    command: RootCommand,
}

/// What can be done with roots.
#[derive(Debug, Subcommand)]
enum RootCommand {
    /// List what gc keeps, and for whom
    List,
    /// Keep a bundle or inputs under a name
    Add {
        /// Name of the root; one of the same name is replaced
        name: String,
        /// A `result-NAME` link, a path that `fetch` printed, a bundle's name, or an object's sha256
        #[arg(required = true, value_name = "WHAT", value_hint = ValueHint::AnyPath)]
        things: Vec<PathBuf>,
    },
    /// Remove a root; what it alone keeps goes with the next gc
    Remove {
        /// Name or path of the root, as `list` shows it
        root: String,
    },
}

impl RootOptions {
    pub(super) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        match self.command {
            RootCommand::List => {
                let roots = context.open_existing_store()?.map_or_else(|| Ok(vec![]), |store| store.list_roots())?;
                printer.show(&RootList { roots: roots.into_iter().map(ListedRoot::of).collect() })
            }
            RootCommand::Add { name, things } => printer.show(&add(context, &name, &things)?),
            RootCommand::Remove { root } => {
                let removed = remove(context, &root)?;
                let removed = removed.root.map_or(removed.file_name, |root| root.holder.to_string());
                printer.show(&RemovedRoot { removed })
            }
        }
    }
}

#[derive(Serialize)]
struct RootList {
    roots: Vec<ListedRoot>,
}

#[derive(Serialize)]
struct ListedRoot {
    #[serde(flatten)]
    root: Option<Root>,
    file: String,
    state: &'static str,
}

#[derive(Serialize)]
struct RemovedRoot {
    removed: String,
}

impl ListedRoot {
    fn of(listed: Listed) -> Self {
        let state = match (listed.root.is_some(), listed.state) {
            (false, _) => "garbled",
            (true, State::Live) => "live",
            (true, State::Dead) => "dead",
            (true, State::Unknown) => "unseen",
        };
        Self { root: listed.root, file: listed.file_name, state }
    }
}

fn kept(root: &Root) -> String {
    let objects = count(root.objects.len(), "object");
    root.bundle.as_ref().map_or(objects.clone(), |bundle| format!("bundle {}, {objects}", short(bundle)))
}

impl Output for RootList {
    fn print(&self, printer: &Printer) {
        for ListedRoot { root, file, state } in &self.roots {
            let state = match *state {
                "dead" => " (gone; the next gc drops it)",
                "unseen" => " (cannot be seen; kept)",
                _ => "",
            };
            let line = match root {
                Some(root) => format!("{}  {}{state}", root.holder, kept(root)),
                None => format!("{file}  corrupt root record; contents unknown"),
            };
            printer.line(sanitise(&line));
        }
        if self.roots.is_empty() {
            printer.say("no roots; only files newer than the grace period are kept");
        }
    }
}

impl Output for Root {
    fn print(&self, printer: &Printer) {
        printer.say(&format!("`{}` keeps {}", self.holder, kept(self)));
    }
}

impl Output for RemovedRoot {
    fn print(&self, printer: &Printer) {
        let root = &self.removed;
        printer.say(&format!("removed the root `{root}`; what it alone kept goes with the next `arca-build store gc`"));
    }
}

/// Shows a bundle by its name and the beginning of its plan's id.
pub(super) fn short(bundle: &str) -> String {
    match bundle.split_once('-') {
        Some((plan, name)) => format!("{name} ({})", plan.get(..SHORT).unwrap_or(plan)),
        None => bundle.to_owned(),
    }
}

/// Opens the store that holds what is named.
fn open<'a>(context: &'a Context<'_>) -> Result<Store<'a>, Diagnostic> {
    let absent = || Diagnostic::new(Code::Usage, "there is no store yet").hint("build or fetch something first");
    context.open_existing_store()?.ok_or_else(absent)
}

/// Keeps a bundle, or objects, under a name until that is removed.
fn add(context: &Context<'_>, name: &str, things: &[PathBuf]) -> Result<Root, Diagnostic> {
    let name = Name::parse(name).map_err(|error| {
        Diagnostic::new(Code::Usage, format!("`{}` is not a valid name for a root", one_line(name, 80))).cause(error)
    })?;
    let store = open(context)?;
    let mut root = Root { holder: Holder::Named(name), bundle: None, objects: BTreeSet::new() };
    for thing in things {
        match find(context, &store, thing)? {
            Thing::Object(digest) => drop(root.objects.insert(digest)),
            Thing::Bundle(bundle) if root.bundle.as_ref().is_none_or(|first| *first == bundle) => {
                root.objects.extend(store.kept_with(&bundle)?);
                root.bundle = Some(bundle);
            }
            Thing::Bundle(_) => {
                return Err(Diagnostic::new(Code::Usage, "a root keeps one bundle")
                    .note("nothing was changed")
                    .hint("give each bundle a root of its own"));
            }
        }
    }
    store.add_root(&root)?;
    Ok(root)
}

/// Removes a root; `which` is its name, its path, or the name of its file.
fn remove(context: &Context<'_>, which: &str) -> Result<Listed, Diagnostic> {
    let store = open(context)?;
    let path = files::one_spelling(&context.absolute(Path::new(which)));
    let is_it = |listed: &Listed| match listed.root.as_ref().map(|root| &root.holder) {
        Some(Holder::Named(name)) => name.as_str() == which,
        Some(Holder::Link(link)) => *link == path || *link == context.absolute(Path::new(which)),
        None => listed.file_name == which,
    };
    // A name first: a file may be called like it.
    let mut found: Vec<_> = store.list_roots()?.into_iter().filter(is_it).collect();
    found.sort_by_key(|listed| matches!(listed.root.as_ref().map(|root| &root.holder), Some(Holder::Link(_))));
    let Some(root) = found.into_iter().next() else {
        return Err(Diagnostic::new(Code::Usage, format!("there is no root `{}`", one_line(which, 200)))
            .note("nothing was changed")
            .hint("`arca-build store root list` shows them all"));
    };
    store.remove_root(&root)?;
    Ok(root)
}

/// What a root can keep.
enum Thing {
    Bundle(String),
    Object(Digest),
}

/// Finds what a person means: a path into the store (a `result-NAME` link, what `fetch` printed), a bundle's directory
/// name, the name of a recipe, or an object's digest.
fn find(context: &Context<'_>, store: &Store<'_>, thing: &Path) -> Result<Thing, Diagnostic> {
    let shown = one_line(&thing.to_string_lossy(), 200);
    let unknown = |why: &str| {
        Diagnostic::new(Code::Usage, format!("`{shown}` is not in this store"))
            .cause(why)
            .fact("store", store.dir().display())
            .note("nothing was changed")
            .hint(
                "name a `result-NAME` link, a path that `fetch` printed, or a bundle as `arca-build store du` shows it",
            )
    };
    // Only what is meant as a path: a file here may be called like a bundle.
    let is_path = thing.is_absolute() || thing.components().count() > 1 || thing.starts_with("..");
    let place = files::destination(&context.absolute(thing));
    let beneath = place.as_deref().and_then(|place| place.strip_prefix(store.dir()).ok());
    if let Some(beneath) = beneath {
        let parts: Vec<_> = beneath.iter().filter_map(|part| part.to_str()).collect();
        return match parts[..] {
            ["bundles-v1", name, ..] if store.holds_bundle(name) => Ok(Thing::Bundle(name.to_owned())),
            ["objects-v1", first, rest] => object(store, &format!("{first}{rest}")).ok_or_else(|| unknown("no object")),
            _ => Err(unknown("the path leads to neither a bundle nor an object")),
        };
    }
    if is_path {
        let why = if place.is_some() { "the path does not lead into the store" } else { "the path leads nowhere" };
        return Err(unknown(why));
    }
    let text = thing.to_str().unwrap_or_default();
    if let Some(object) = object(store, text.strip_prefix("sha256:").unwrap_or(text)) {
        return Ok(object);
    }
    let bundles = store.bundle_names()?;
    let is_meant = |name: &&String| **name == *text || name.split_once('-').is_some_and(|(_, name)| name == text);
    match bundles.iter().filter(is_meant).collect::<Vec<_>>()[..] {
        [] => Err(unknown("there is no such file in the store, and no bundle of this name")),
        [bundle] => Ok(Thing::Bundle(bundle.clone())),
        _ => Err(unknown("several bundles have this name; write the one you mean in full")),
    }
}

fn object(store: &Store<'_>, digits: &str) -> Option<Thing> {
    let digest = Digest::parse(digits).ok()?;
    store.find(&digest).ok().flatten().map(|object| Thing::Object(object.digest()))
}
