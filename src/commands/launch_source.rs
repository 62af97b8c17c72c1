//! What a machine is launched from: a bundle, or a recipe that is built first.

use std::path::{Path, PathBuf};

use super::build::{Placement, Stamps, build};
use super::context::Context;
use super::recipe_file::missing;
use super::recipes::Recipes;
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Name};
use crate::bundle::{self, Manifest};
use crate::host::files;
use crate::plan::{Machine, file};
use crate::recipe;

/// What a person means by a name where a bundle or a recipe may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The bundle in this directory.
    Bundle(PathBuf),
    Recipe,
}

impl Target {
    /// Decides it: a directory is a bundle where it holds a manifest; any other hides no recipe inside the program, and is
    /// neither.
    pub(super) fn by(context: &Context<'_>, target: &Path) -> Result<Self, Diagnostic> {
        let path = context.absolute(target);
        let is_embedded = recipe::embedded(&target.to_string_lossy()).is_some();
        if files::is_directory(&path) {
            return match files::exists(&path.join(file::MANIFEST)) {
                true => Ok(Self::Bundle(path)),
                false if is_embedded => Ok(Self::Recipe),
                false => Err(bundle::no_bundle(target)),
            };
        }
        if is_embedded || files::destination(&path).is_some() {
            return Ok(Self::Recipe);
        }
        let problem = missing(&target.display().to_string(), &path, "recipe or bundle");
        let leads_nowhere = files::exists(&path).then_some("the link leads nowhere: what it named was removed");
        Err(leads_nowhere.into_iter().fold(problem, Diagnostic::cause))
    }
}

/// A bundle that was verified: by its store, as a build does, or all of it, where it lies elsewhere.
#[derive(Debug)]
pub(super) struct LaunchSource {
    /// Where it lies, every link followed.
    pub path: PathBuf,
    pub manifest: Manifest,
    pub machine: Machine,
    /// Digest of the manifest.
    pub digest: Digest,
}

impl LaunchSource {
    /// Verifies `target` where it is a bundle, builds it where it is a recipe; see [`Target`].
    pub(super) fn of(context: &Context<'_>, target: &Path) -> Result<Self, Diagnostics> {
        match Target::by(context, target)? {
            Target::Bundle(path) => Self::verified(context, &path),
            Target::Recipe => Self::built(context, target),
        }
    }

    fn built(context: &Context<'_>, target: &Path) -> Result<Self, Diagnostics> {
        let built = build(context, &Recipes { recipes: vec![target.to_owned()] }, &Placement::None, Stamps::Trust)?;
        let built = built.first().ok_or_else(|| Diagnostic::new(Code::Bug, "a build gave nothing"))?;
        Ok(Self::read(&built.path)?)
    }

    /// As [`of`](Self::of), for who hashes every file of the bundle before it is used; what is read here is hashed already.
    pub(super) fn unverified(context: &Context<'_>, target: &Path) -> Result<Self, Diagnostics> {
        let Target::Bundle(path) = Target::by(context, target)? else { return Self::built(context, target) };
        let read = Self::read(&path)?;
        let missing = bundle::missing(&read.path, &read.manifest);
        if missing.is_empty() { Ok(read) } else { Err(Diagnostics(missing)) }
    }

    /// Verifies a bundle and reads it.
    pub(super) fn verified(context: &Context<'_>, path: &Path) -> Result<Self, Diagnostics> {
        let read = Self::read(path)?;
        if !read.is_in_store(context) {
            bundle::verify(&read.path, context.events)?;
        }
        Ok(read)
    }

    fn read(path: &Path) -> Result<Self, Diagnostic> {
        let path = files::destination(path).unwrap_or_else(|| path.to_owned());
        let manifest = bundle::read_manifest(&path)?;
        let listed = manifest.files.iter().find(|entry| entry.path == file::MACHINE);
        let text = files::read_text(&path.join(file::MACHINE))?.ok_or_else(|| {
            if listed.is_some() {
                return bundle::is_missing(file::MACHINE);
            }
            Diagnostic::new(Code::Usage, format!("`{}` holds no `{}`", path.display(), file::MACHINE))
                .cause("an older version built it")
                .hint("build it again")
        })?;
        if listed.is_none_or(|entry| entry.sha256 != Digest::of(text.as_bytes())) {
            let problem = Diagnostic::new(Code::Hash, format!("`{}` is not what the manifest says", file::MACHINE));
            return Err(problem.fact("bundle", path.display()).hint("build the bundle again"));
        }
        Ok(Self { path, machine: Machine::parse(&text)?, digest: manifest.digest(), manifest })
    }

    /// Returns whether the store holds exactly this one, and its stamps say that it is as it was.
    pub(super) fn is_in_store(&self, context: &Context<'_>) -> bool {
        let Ok(name) = Name::parse(&self.manifest.name) else { return false };
        let Ok(Some(store)) = context.open_existing_store() else { return false };
        let found = store.bundle(&self.manifest.plan, &name).ok().flatten();
        found.and_then(|found| files::destination(found.path())).is_some_and(|path| path == self.path)
    }

    /// Returns whether the bundle has a file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.manifest.files.iter().any(|entry| entry.path == name)
    }

    /// Returns whom to log in as by ssh: root where a key of root's is provisioned by Ignition, else the first user with a key.
    pub(super) fn user(&self) -> String {
        let text = files::read_text(&self.path.join(file::CONFIG_IGN)).ok().flatten().unwrap_or_default();
        let config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let users = config["passwd"]["users"].as_array().cloned().unwrap_or_default();
        let has_key =
            |user: &&serde_json::Value| user["sshAuthorizedKeys"].as_array().is_some_and(|keys| !keys.is_empty());
        let names: Vec<&str> = users.iter().filter(has_key).filter_map(|user| user["name"].as_str()).collect();
        match names.first() {
            Some(first) if !names.contains(&"root") => (*first).to_owned(),
            _ => "root".to_owned(),
        }
    }
}
