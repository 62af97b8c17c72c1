//! `update`: ask the publishers what the moving names stand for today, policy who says so, and write the pins down.
//!
//! Everything is asked before anything is written, and everything that fails is told: a lock changes whole or not at all.
//! The policy of signatures and of time stands in `lock::vouch`. Read next: `ask` (what a publisher says), `image` (what a
//! registry says), `sign` (who
//! vouches for it, and what was known before), `show` (the change, for people).

mod ask;
mod image;
mod show;
mod sign;

use std::path::{Path, PathBuf};

pub(super) use self::ask::PublisherQuery;
pub(crate) use self::image::ImageUpdate;
pub(crate) use self::show::{Change, changes, image_changes};
pub(crate) use self::sign::Authenticity;
use self::sign::{PinPolicy, PublisherAnswer};
use super::{Context, Loaded, recipe_file};
use crate::base::{Code, Diagnostic, Diagnostics};
use crate::host::files;
use crate::lock::{self, ImagePin, Lock, Pin, Question};
use crate::recipe::{self, ImageReference, Source};

/// What the person allows although it loses something, and whether anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpdateOptions {
    /// `--dry-run`: show the change, write no lock and remember nothing.
    pub dry_run: bool,
    /// `--allow-unsigned`: take what nobody signed, although there is a keyring.
    pub allow_unsigned: bool,
    /// `--allow-new-signer`: take what another key signed than before, or none.
    pub allow_new_signer: bool,
    /// `--allow-older`: take an older snapshot than the one pinned or seen.
    pub allow_older: bool,
}

/// How one input's pin came out.
#[derive(Debug)]
pub(crate) struct PinUpdate {
    pub key: String,
    pub before: Option<Pin>,
    pub after: Pin,
    pub authenticity: Authenticity,
    /// When it was signed, in seconds since 1970, where it was.
    pub signed_at: Option<u64>,
    /// The recipe that asked first.
    pub recipe: String,
}

/// What an update did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The recipes that were found, where none was named.
    pub found: Vec<String>,
    pub pins: Vec<PinUpdate>,
    /// Container images, of registries.
    pub images: Vec<ImageUpdate>,
    /// Locks that were written, or would be.
    pub written: Vec<PathBuf>,
    /// Recipes that carry their own pin and were left alone.
    pub pinned_themselves: Vec<String>,
    /// What the person should know once, in sentences.
    pub notes: Vec<String>,
}

/// Asks for every input that the recipes leave to the lock, then writes each lock once, whole.
///
/// Without recipes, those of the working directory are taken: every `*.toml` with `format` and `base`.
///
/// # Errors
/// All that failed, together; then no lock was changed. `E_LOCKED` where one would be, and `--locked` forbids it.
pub(crate) fn update(
    context: &Context<'_>,
    recipes: &[PathBuf],
    options: UpdateOptions,
) -> Result<Outcome, Diagnostics> {
    let found = if recipes.is_empty() { beside_us(context)? } else { vec![] };
    let recipes = if recipes.is_empty() { &found } else { recipes };
    let policy = PinPolicy::new(context, options)?;
    let mut outcome = Outcome { found: found.iter().map(|path| shown(path)).collect(), ..Outcome::default() };
    let locks = ask_all(&policy, recipes, &mut outcome)?;
    if context.global.locked {
        show::refuse_changes(&outcome.pins, &outcome.images)?;
    }
    for learnt in &locks {
        if learnt.write(options.dry_run)? {
            outcome.written.push(learnt.path.clone());
        }
    }
    if !options.dry_run {
        outcome.pins.iter().for_each(|updated| policy.remember(updated));
    }
    outcome.notes = show::notes(&outcome.pins, !policy.keyring.is_empty());
    outcome.notes.extend(show::image_note(&outcome.images));
    Ok(outcome)
}

/// Asks every question of every recipe; all that fail are told.
fn ask_all(policy: &PinPolicy<'_>, recipes: &[PathBuf], outcome: &mut Outcome) -> Result<Vec<LockUpdate>, Diagnostics> {
    let context = policy.context;
    let fetch = context.fetcher();
    let (mut locks, mut problems): (Vec<LockUpdate>, Vec<Diagnostic>) = (vec![], vec![]);
    for path in recipes {
        let loaded = match Loaded::read(context, path) {
            Ok(loaded) => loaded,
            Err(more) => {
                problems.extend(more.0);
                continue;
            }
        };
        let questions = lock::questions(&loaded.recipe);
        let is_open = !questions.is_empty() || loaded.recipe.images().next().is_some();
        let Some(lock_path) = loaded.lock_path.clone().filter(|_| is_open) else {
            outcome.pinned_themselves.push(loaded.recipe.file.clone());
            continue;
        };
        let query = PublisherQuery { context, fetch: fetch.as_ref(), mirrors: &policy.config.mirrors, loaded: &loaded };
        let learnt = lock_update(&mut locks, lock_path);
        for question in questions {
            match learnt.ask(question, &query, policy) {
                Ok(updated) => outcome.pins.extend(updated),
                Err(problem) => problems.push(problem.fact("recipe", &loaded.recipe.file)),
            }
        }
        for reference in query.references() {
            match learnt.ask_image(reference, &query, policy) {
                Ok(updated) => outcome.images.extend(updated),
                Err(problem) => problems.push(problem.fact("recipe", &loaded.recipe.file)),
            }
        }
    }
    match problems.last_mut() {
        None => Ok(locks),
        Some(last) => {
            last.note.get_or_insert_with(|| "no lock was changed".to_owned());
            Err(Diagnostics(problems))
        }
    }
}

/// Finds the recipes of the working directory; other TOML files are passed over, broken recipes are not.
fn beside_us(context: &Context<'_>) -> Result<Vec<PathBuf>, Diagnostic> {
    let directory = context.environment.directory();
    let names = files::list(directory)?.into_iter().filter(|name| name.ends_with(".toml"));
    let is_recipe = |name: &String| {
        let text = files::read_text(&directory.join(name)).ok().flatten();
        text.is_some_and(|text| recipe::is_recipe(&text))
    };
    let found: Vec<_> = names.filter(is_recipe).map(PathBuf::from).collect();
    if found.is_empty() {
        return Err(Diagnostic::new(Code::Usage, "there is no recipe in this directory")
            .note("without a name, `update` takes every `*.toml` here that has `format` and `[base]`")
            .hint("name the recipes: `arca-build update RECIPE…`"));
    }
    Ok(found)
}

fn shown(path: &Path) -> String {
    crate::base::text::one_line(&path.display().to_string(), 200)
}

/// What was learnt in this run for one lock, which several recipes may share.
struct LockUpdate {
    path: PathBuf,
    /// The same in its one spelling.
    place: PathBuf,
    /// With the recipe that asked.
    pins: Vec<(Pin, String)>,
    images: Vec<ImagePin>,
    /// What could not be learnt: to ask again for another recipe would tell the same twice.
    failed: Vec<String>,
}

/// Finds or begins what was learnt for a lock, however its path is spelt.
fn lock_update(locks: &mut Vec<LockUpdate>, path: PathBuf) -> &mut LockUpdate {
    let place = files::one_spelling(&path);
    let index = locks.iter().position(|learnt| learnt.place == place).unwrap_or(locks.len());
    if index == locks.len() {
        locks.push(LockUpdate { path, place, pins: vec![], images: vec![], failed: vec![] });
    }
    &mut locks[index]
}

impl LockUpdate {
    /// Asks, unless another recipe of this lock asked the same: twice might be told two answers.
    fn ask(
        &mut self,
        question: Question,
        query: &PublisherQuery<'_>,
        policy: &PinPolicy<'_>,
    ) -> Result<Option<PinUpdate>, Diagnostic> {
        let earlier = self.pins.iter().find(|(pin, _)| pin.url == question.key);
        let is_asked = earlier.is_some() || self.failed.contains(&question.key);
        if is_asked && matches!(question.source, Source::Url(_)) {
            return Ok(None);
        }
        let recipe = &query.loaded.recipe.file;
        let before = query.loaded.lock.pins.get(&question.key);
        let heard = query.hear(&question, Some(policy)).and_then(|heard| policy.check_rollback(before, heard, recipe));
        let PublisherAnswer { pin: after, signed_at, authenticity } = match heard {
            Ok(heard) => heard,
            Err(problem) => {
                self.failed.push(question.key);
                return Err(problem);
            }
        };
        match earlier {
            Some((pin, _)) if *pin == after => return Ok(None),
            Some((_, first)) => return Err(two_files(&question.key, &self.path, first, recipe)),
            None => {}
        }
        self.pins.push((after.clone(), recipe.clone()));
        let (key, before, recipe) = (question.key, before.cloned(), recipe.clone());
        Ok(Some(PinUpdate { key, before, after, authenticity, signed_at, recipe }))
    }

    /// Asks a registry, unless another recipe of this lock asked the same for the same processor.
    fn ask_image(
        &mut self,
        reference: &ImageReference,
        query: &PublisherQuery<'_>,
        policy: &PinPolicy<'_>,
    ) -> Result<Option<ImageUpdate>, Diagnostic> {
        let recipe = &query.loaded.recipe;
        let key = (reference.to_string(), recipe.machine.arch);
        let name = format!("{} {}", key.0, key.1);
        if self.images.iter().any(|image| image.key() == key) || self.failed.contains(&name) {
            return Ok(None);
        }
        let after = query.hear_image(reference, policy).inspect_err(|_| self.failed.push(name))?;
        self.images.push(after.clone());
        let before = query.loaded.lock.images.get(&key).cloned();
        Ok(Some(ImageUpdate { before, after, recipe: recipe.file.clone() }))
    }

    /// Adds the pins to the lock as it is now, so that what another process added meanwhile stays; tells of a change.
    fn write(&self, is_dry_run: bool) -> Result<bool, Diagnostics> {
        // Another update of the same lock waits, so that neither drops what the other pins.
        let _held = (!is_dry_run).then(|| files::hold_directory(&self.path)).flatten();
        let old = recipe_file::read_lock(&self.path)?;
        let mut new: Lock = old.clone();
        for (pin, _) in &self.pins {
            new.insert(pin.clone());
        }
        for image in &self.images {
            new.insert_image(image.clone());
        }
        if new == old {
            return Ok(false);
        }
        if !is_dry_run {
            files::write_whole(&self.path, new.print().as_bytes())?;
        }
        Ok(true)
    }
}

/// A lock knows a file beside a recipe by its relative path, so it can serve one directory only.
fn two_files(key: &str, lock: &Path, first: &str, second: &str) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{key}` is two files for one lock"))
        .fact("lock", lock.display())
        .fact("first", first)
        .fact("second", second)
        .note("nothing was pinned")
        .hint("give each recipe a lock of its own, or write `sha256` into `[base]` of one")
}
