//! Reads a recipe with its lock and what lies beside it, and plans it: the first half of every command.

use std::path::{Path, PathBuf};

use super::context::Context;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Finding, Kind, Severity};
use crate::bundle;
use crate::host::{RecipeDir, files};
use crate::lock::{self, Lock, PinnedInputs, facts};
use crate::plan::{self, Plan};
use crate::provision::explain::Explanation;
use crate::provision::facts::BaseFacts;
use crate::provision::pins::{InputInfo, PinnedInfo};
use crate::provision::{self, Allowed, GuestConfig};
use crate::recipe::{self, CONTENT_LIMIT, CONTENTS_LIMIT, LocalFile, LocalFiles, Recipe, Source, Use};

/// A recipe as read from disk, or from inside the program.
#[derive(Debug)]
pub(crate) struct LoadedRecipe {
    pub recipe: Recipe,
    /// What `recipe` was parsed from.
    pub text: String,
    pub beside: RecipeDir,
    pub lock: Lock,
    /// Where the lock is written; none for a recipe inside the program.
    pub lock_path: Option<PathBuf>,
}

/// What became of a recipe, and what the rules say of it.
#[derive(Debug)]
pub(super) struct Checked {
    pub plan: Result<Plan, Diagnostics>,
    pub findings: Vec<Finding>,
    pub allowed: Vec<Allowed>,
}

impl LoadedRecipe {
    /// Reads `named`: a file, or the name of a recipe inside the program where there is no such file.
    pub(super) fn read(context: &Context<'_>, named: &Path) -> Result<Self, Diagnostics> {
        let shown = named.display().to_string();
        let path = context.absolute(named);
        // `recipes/` holds the directory `demo` too, which is no recipe and hides none.
        let embedded = recipe::embedded(&shown);
        let text = if embedded.is_some() && files::is_directory(&path) { None } else { files::read_text(&path)? };
        let (text, beside) = match (text, embedded) {
            (Some(text), _) => (text, RecipeDir::open(&path)?),
            (None, Some(embedded)) => (embedded.text.to_owned(), RecipeDir::Embedded(embedded.files)),
            (None, None) => return Err(missing(&shown, &path, "recipe").into()),
        };
        let recipe = recipe::parse(&text, &shown).map_err(|problems| or_bundle(problems, named, &path))?;
        let beside_lock = beside.directory().map(|directory| directory.join(lock::FILE_NAME));
        let lock_path = context.global.lock.as_ref().map(|path| context.absolute(path)).or(beside_lock);
        let lock = match &lock_path {
            Some(path) => read_lock(path)?,
            None => Lock::default(),
        };
        Ok(Self { recipe, text, beside, lock, lock_path })
    }

    /// Reads the files it names and plans it; complaints about pins and about provisioning come together.
    pub(super) fn plan(&self, context: &Context<'_>) -> Result<Plan, Diagnostics> {
        let plan = self.check(context)?.plan?;
        for warning in plan.warnings.iter().filter(|finding| finding.severity != Severity::Note) {
            context.warn(warning.to_string());
        }
        Ok(plan)
    }

    /// As [`LoadedRecipe::plan`], with all that the rules noticed; says nothing.
    pub(super) fn check(&self, context: &Context<'_>) -> Result<Checked, Diagnostics> {
        let files = self.local_files()?;
        let pinned = lock::resolve(&self.recipe, &self.lock).map_err(|unpinned| self.with_command(context, unpinned));
        let known = self.known(pinned.as_ref().ok());
        let provision::Checked { compiled: lowered, findings, allowed } =
            provision::check(&self.recipe, &files, &known);
        let plan = self.plan_of(&files, pinned, lowered);
        Ok(Checked { plan, findings, allowed })
    }

    fn plan_of(
        &self,
        files: &LocalFiles,
        pinned: Result<PinnedInputs, Diagnostics>,
        lowered: Result<GuestConfig, Diagnostics>,
    ) -> Result<Plan, Diagnostics> {
        let (pinned, lowered) = match (pinned, lowered) {
            (Ok(pinned), Ok(lowered)) => (pinned, lowered),
            (Err(unpinned), Ok(_)) => return Err(unpinned),
            (Ok(_), Err(problems)) => return Err(problems),
            (Err(unpinned), Err(mut problems)) => {
                problems.0.extend(unpinned.0);
                return Err(problems);
            }
        };
        let plan = plan::plan(&self.recipe, &pinned, files, lowered)?;
        bundle::can_launch(&plan)?;
        Ok(plan)
    }

    /// Returns what the pins say, for provisioning.
    fn known(&self, pinned: Option<&PinnedInputs>) -> PinnedInfo {
        let inputs = self.recipe.inputs().into_iter().skip(1);
        let known = inputs.filter_map(|input| {
            let pinned = pinned?.others.get(&lock::key(&input.source.value))?;
            Some((input.source.value.clone(), InputInfo { digest: pinned.digest, size: pinned.size }))
        });
        let images = self.recipe.images().filter_map(|(_, reference)| {
            let manifest = &pinned?.images.get(&reference.value.to_string())?.manifest;
            let source = Source::Url(reference.value.manifest_url().clone());
            Some((source, InputInfo { digest: manifest.digest, size: manifest.size }))
        });
        PinnedInfo { inputs: known.chain(images).collect(), base: self.base_facts().unwrap_or_default() }
    }

    /// Returns what was learnt of the base when it was pinned, for the rules; nothing by a pin of other bytes.
    fn base_facts(&self) -> Option<BaseFacts> {
        let base = &self.recipe.base;
        let pin = self.lock.pins.get(&lock::key(&base.source.value))?;
        if base.sha256.is_some_and(|digest| digest != pin.sha256) {
            return None;
        }
        let file_name = pin.resolved.file_name().to_owned();
        let moved = (pin.resolved != base.source.value).then_some(&pin.resolved);
        let immutable = moved.and_then(|resolved| match (resolved, &base.source.value) {
            (Source::Url(url), Source::Url(written)) if !facts::is_immutable(written) => {
                facts::is_immutable(url).then(|| url.to_string())
            }
            _ => None,
        });
        let lock::ImageFacts { virtual_size, flavour, snapshot } = pin.image.clone();
        let newest_spec = facts::newest_spec(&file_name, snapshot.as_deref());
        Some(BaseFacts { virtual_size, file_name, flavour, snapshot, newest_spec, immutable })
    }

    /// Returns what becomes of its wish; needs no pin.
    pub(super) fn explain(&self) -> Result<Explanation, Diagnostics> {
        let files = self.local_files()?;
        let pinned = lock::resolve(&self.recipe, &self.lock);
        let known = self.known(pinned.as_ref().ok());
        Ok(provision::compile(&self.recipe, &files, &known)?.explain(&self.recipe))
    }

    /// Reports the whole command that pins, with the lock and configuration that were named for this one.
    fn with_command(&self, context: &Context<'_>, mut unpinned: Diagnostics) -> Diagnostics {
        for problem in unpinned.0.iter_mut().filter(|problem| problem.code == Code::Unpinned) {
            problem.hint = Some(format!("pin it with `{}`", context.command("update", &self.recipe.file)));
        }
        unpinned
    }

    /// Reads every file the recipe names for its content; all that are missing are told at once.
    pub(super) fn local_files(&self) -> Result<LocalFiles, Diagnostics> {
        let mut files = LocalFiles::default();
        let mut problems = vec![];
        let mut together = 0;
        for (path, usage) in self.recipe.local_files() {
            // The base may be large and its pin says what it is, so only its use reads it.
            if usage == Use::Input {
                continue;
            }
            match self.beside.read(path.as_str(), CONTENT_LIMIT) {
                Ok(bytes) if together + bytes.len() as u64 > CONTENTS_LIMIT.0 => {
                    let headline = format!("the files beside the recipe hold more than {CONTENTS_LIMIT} together");
                    let problem = Diagnostic::new(Code::Provision, headline).fact("last read", path.as_str());
                    problems.push(
                        problem.hint(
                            "name large ones by `url`: they are pinned like the base, and carried instead of read",
                        ),
                    );
                    break;
                }
                Ok(bytes) => {
                    together += bytes.len() as u64;
                    files.0.insert(path, LocalFile::of(bytes));
                }
                Err(problem) => problems.push(match self.recipe.place_of(&path) {
                    Some(place) => problem.at(place.clone()),
                    None => problem,
                }),
            }
        }
        if problems.is_empty() { Ok(files) } else { Err(Diagnostics(problems)) }
    }
}

pub(super) fn read_lock(path: &Path) -> Result<Lock, Diagnostics> {
    match files::read_text(path)? {
        Some(text) => Lock::parse(&text, &path.display().to_string()),
        None => Ok(Lock::default()),
    }
}

/// Of a file that is no TOML and lies in a bundle, the bundle may have been meant.
fn or_bundle(mut problems: Diagnostics, named: &Path, path: &Path) -> Diagnostics {
    let is_bundle = path.parent().is_some_and(|parent| files::exists(&parent.join(crate::plan::file::MANIFEST)));
    let is_foreign = problems.0.iter().any(|problem| problem.kind == Some(Kind::NotToml));
    if let (Some(last), true) = (problems.0.last_mut(), is_bundle && is_foreign) {
        let directory = named.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        last.hint = Some(format!("did you mean the bundle `{}`?", one_line(&directory.to_string_lossy(), 200)));
    }
    problems
}

/// Reports that there is no recipe, or whatever else may stand there, and what may be meant.
pub(super) fn missing(shown: &str, path: &Path, what: &str) -> Diagnostic {
    let shown = crate::base::text::one_line(shown, 200);
    let mut with_ending = path.as_os_str().to_owned();
    with_ending.push(".toml");
    let hint = if files::exists(Path::new(&with_ending)) {
        format!("did you mean `{shown}.toml`?")
    } else {
        "`arca-build new NAME` writes one to start from; `arca-build build demo` builds the one inside the program"
            .into()
    };
    let problem = Diagnostic::new(Code::Usage, format!("there is no {what} `{shown}`")).kind(Kind::NoRecipe).hint(hint);
    Diagnostic { input: Some(shown), ..problem }
}
