//! `update`: ask the publishers what the moving names stand for today, check who says so, and write the pins down.
//!
//! Everything is asked before anything is written, and every failure is reported: a lock changes whole or not at all.
//! The policy of signatures and of time stands in `lock::provenance`. Read next: `ask` (what a publisher says), `image` (what a
//! registry says), `sign` (who signed it, and
//! what was known before), `output` (what changed).

mod ask;
mod image;
mod metalink;
mod notes;
mod output;
mod sign;

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

pub(super) use self::ask::PublisherQuery;
pub(super) use self::output::UpdateOutput;
use self::output::{ImageUpdate, PinUpdate};
pub(super) use self::sign::UpdateFlags;
use self::sign::{PinPolicy, PublisherAnswer};
use super::context::Context;
use super::printer::Printer;
use super::recipe_file::{self, LoadedRecipe};
use crate::base::{Code, Diagnostic, Diagnostics};
use crate::host::files;
use crate::lock::{self, ImagePin, Lock, Pin, Question};
use crate::recipe::{self, ImageReference, Source};

/// Pin what recipes name: ask the publishers, write `arca.lock`
#[derive(Debug, Args)]
pub(crate) struct UpdateOptions {
    /// Recipe files [default: every recipe in the working directory]
    #[arg(value_name = "RECIPE", value_hint = ValueHint::FilePath)]
    recipes: Vec<PathBuf>,
    #[command(flatten)]
    flags: UpdateFlags,
}

impl UpdateOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.show(&update(context, &self.recipes, self.flags)?)
    }
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
    flags: UpdateFlags,
) -> Result<UpdateOutput, Diagnostics> {
    let found = if recipes.is_empty() { beside_us(context)? } else { vec![] };
    let recipes = if recipes.is_empty() { &found } else { recipes };
    let policy = PinPolicy::new(context, flags)?;
    let mut output = UpdateOutput::new(found.iter().map(|path| shown(path)).collect(), flags.dry_run);
    let locks = ask_all(&policy, recipes, &mut output)?;
    if context.global.locked {
        notes::refuse_changes(&output.pins, &output.images)?;
    }
    for pending in &locks {
        if pending.write(flags.dry_run)? {
            output.written.push(pending.path.clone().into());
        }
    }
    if !flags.dry_run {
        output.pins.iter().for_each(|updated| policy.remember(updated));
    }
    output.notes = notes::notes(&output.pins, !policy.keyring.is_empty());
    output.notes.extend(notes::image_note(&output.images));
    Ok(output)
}

/// Asks every question of every recipe; all that fail are told.
fn ask_all(
    policy: &PinPolicy<'_>,
    recipes: &[PathBuf],
    output: &mut UpdateOutput,
) -> Result<Vec<LockUpdate>, Diagnostics> {
    let context = policy.context;
    let fetch = context.fetcher();
    let (mut locks, mut problems): (Vec<LockUpdate>, Vec<Diagnostic>) = (vec![], vec![]);
    for path in recipes {
        let loaded = match LoadedRecipe::read(context, path) {
            Ok(loaded) => loaded,
            Err(more) => {
                problems.extend(more.0);
                continue;
            }
        };
        let questions = lock::questions(&loaded.recipe);
        let is_open = !questions.is_empty() || loaded.recipe.images().next().is_some();
        let Some(lock_path) = loaded.lock_path.clone().filter(|_| is_open) else {
            output.pinned_themselves.push(loaded.recipe.file.clone());
            continue;
        };
        let query = PublisherQuery { context, fetch: fetch.as_ref(), mirrors: &policy.config.mirrors, loaded: &loaded };
        let pending = lock_update(&mut locks, lock_path);
        for question in questions {
            match pending.ask(question, &query, policy) {
                Ok(updated) => output.pins.extend(updated),
                Err(problem) => problems.push(problem.fact("recipe", &loaded.recipe.file)),
            }
        }
        for reference in query.references() {
            match pending.ask_image(reference, &query, policy) {
                Ok(updated) => output.images.extend(updated),
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

/// What was lock_update in this run for one lock, which several recipes may share.
struct LockUpdate {
    path: PathBuf,
    /// The same in its one spelling.
    place: PathBuf,
    /// With the recipe that asked.
    pins: Vec<(Pin, String)>,
    images: Vec<ImagePin>,
    /// What could not be lock_update: to ask again for another recipe would tell the same twice.
    failed: Vec<String>,
}

/// Finds or begins what was lock_update for a lock, however its path is spelt.
fn lock_update(locks: &mut Vec<LockUpdate>, path: PathBuf) -> &mut LockUpdate {
    let place = files::one_spelling(&path);
    let index = locks.iter().position(|pending| pending.place == place).unwrap_or(locks.len());
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
        let answer =
            query.hear(&question, Some(policy)).and_then(|answer| policy.check_rollback(before, answer, recipe));
        let PublisherAnswer { pin: after, signed_at, authenticity } = match answer {
            Ok(answer) => answer,
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
        Ok(Some(PinUpdate::new(key, recipe, before, after, authenticity, signed_at)))
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
        Ok(Some(ImageUpdate::new(recipe.file.clone(), before, after)))
    }

    /// Adds the pins to the lock as it is now, so that what another process added meanwhile stays; returns whether that changes it.
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
