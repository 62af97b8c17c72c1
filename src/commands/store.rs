//! `store path|verify|gc|du|root`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Context;
use crate::base::{Code, Diagnostic, Digest, Event, Name, text::one_line};
use crate::bundle;
use crate::host::files;
use crate::store::{Collect, GcReport, Holder, Listed, Policy, Repair, Root, Store, Usage, VerifyReport};

/// Returns the directory of the store that commands here would use.
pub(crate) fn path(context: &Context<'_>) -> Result<PathBuf, Diagnostic> {
    context.cache_directory()
}

/// Hashes every object and bundle; damaged ones go to quarantine, and are mended where that is wished and possible.
pub(crate) fn verify(context: &Context<'_>, repair: Repair) -> Result<VerifyReport, Diagnostic> {
    let store = context.open_store()?;
    let mut report = store.verify_and(repair)?;
    // Without its record a bundle has its own manifest to speak for it.
    for name in std::mem::take(&mut report.unrecorded) {
        let directory = store.dir().join("bundles-v1").join(&name);
        if let Err(problems) = bundle::verify(&directory, context.events) {
            let found = problems.0.first().map_or_else(String::new, |problem| problem.headline.clone());
            store.condemn_bundle(&name, &found);
            report.damaged_bundles.push(crate::store::DamagedBundle { name, file: found });
        }
    }
    Ok(report)
}

/// Removes what neither a root nor the policy keeps.
pub(crate) fn gc(context: &Context<'_>, collect: Collect, policy: &Policy) -> Result<GcReport, Diagnostic> {
    context.open_store()?.collect_garbage(collect, policy, context.environment.now())
}

/// Tells what uses the space, and what keeps each bundle.
pub(crate) fn usage(context: &Context<'_>) -> Result<(Usage, Vec<Listed>), Diagnostic> {
    match asked(context)? {
        Some(store) => Ok((store.usage()?, store.list_roots()?)),
        None => Ok((Usage::nothing(), vec![])),
    }
}

/// Lists what the collector keeps, and for whom.
pub(crate) fn roots(context: &Context<'_>) -> Result<Vec<Listed>, Diagnostic> {
    asked(context)?.map_or_else(|| Ok(vec![]), |store| store.list_roots())
}

/// Opens the store where there is one: a question makes none.
fn asked<'s>(context: &'s Context<'_>) -> Result<Option<Store<'s>>, Diagnostic> {
    let directory = context.cache_directory()?;
    if Store::is_absent(&directory) {
        let shown = one_line(&directory.to_string_lossy(), 400);
        (context.events)(Event::Told { text: format!("there is no store in `{shown}` yet") });
        return Ok(None);
    }
    context.open_store().map(Some)
}

/// Keeps a bundle, or objects, under a name until that is removed.
pub(crate) fn add_root(context: &Context<'_>, name: &str, things: &[PathBuf]) -> Result<Root, Diagnostic> {
    let name = Name::parse(name).map_err(|error| {
        Diagnostic::new(Code::Usage, format!("`{}` cannot name a root", one_line(name, 80))).cause(error)
    })?;
    let store = context.open_store()?;
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

/// Lets go what a root kept; `which` is its name, its path, or the name of its file.
pub(crate) fn remove_root(context: &Context<'_>, which: &str) -> Result<Listed, Diagnostic> {
    let store = context.open_store()?;
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

/// Records a root for something that was done already; in a store that may only be read the work still counts.
pub(super) fn keep(context: &Context<'_>, store: &Store<'_>, root: &Root) -> Result<(), Diagnostic> {
    match store.add_root(root) {
        // One that could be written and did not take this is a failure: nobody would know until the next collection.
        Err(problem) if problem.code == Code::CacheReadOnly && !store.is_writable() => {
            let text = "the store may only be read here, so it does not record what the next collection must keep";
            (context.events)(Event::Warning { text: text.into() });
            Ok(())
        }
        other => other,
    }
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
        Diagnostic::new(Code::Usage, format!("`{shown}` is nothing that this store holds"))
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
            _ => Err(unknown("the path leads to no bundle and no object")),
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
