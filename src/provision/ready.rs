//! Ready-made files of the recipe: read and checked, each complaint with the line it is about. Touches nothing.

use super::diagnostics::place_in;
use super::engines::choice::{Feature, lacks_ignition};
use super::items::context::Context;
use super::lints;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Engine, Finding, Rule, Spanned};
use crate::format::{combustion, fat, ignition};
use crate::recipe::RecipePath;

/// The name under which a ready-made script travels inside the generated one; no side file may bear it.
pub(crate) const READY_SCRIPT: &str = "script.recipe";

/// The folder beside the script that holds what is carried on the config disk; no side file lies in it.
pub(crate) const FOLDER: &str = "carried";

/// A ready-made config that passed.
pub(crate) struct Config {
    pub bytes: Vec<u8>,
    pub ready: ignition::Ready,
    /// How messages call the file.
    pub file: String,
}

/// A ready-made script that passed, with the files beside it.
pub(crate) struct Script {
    pub bytes: Vec<u8>,
    pub flags: combustion::Flags,
    /// Path in the folder of the script, and bytes.
    pub side_files: Vec<(String, Vec<u8>)>,
    /// How messages call the file.
    pub file: String,
}

/// Reads the ready-made Ignition config.
pub(crate) fn config(cx: &mut Context<'_>) -> Option<Config> {
    let path = cx.recipe.provision.config.as_ref()?;
    if cx.recipe.provision.engine.is_none() && lacks_ignition(cx.recipe) {
        let headline =
            format!("`{}` is an Ignition config, and the image's flavour has no Ignition", path.value.as_str());
        cx.diag.refuse_at(&path.place, headline, "say it in the recipe, or take an image with Ignition");
        return None;
    }
    record(cx, Engine::Ignition, path);
    let bytes = cx.local(path)?;
    let file = cx.beside(&path.value);
    match ignition::read(bytes) {
        Ok(ready) => {
            for fault in &ready.ignored {
                let place = place_in(&file, fault.at.line, fault.at.column);
                let finding = Finding::new(Rule::IgnitionKey, &fault.text).at(place);
                cx.diag.tell(fault.hint.iter().fold(finding, |finding, hint| finding.hint(hint)));
            }
            lints::config(cx.recipe, &ready.root, &file, &mut cx.diag);
            Some(Config { bytes: bytes.to_vec(), ready, file })
        }
        Err(faults) => {
            for fault in faults {
                let mut problem = Diagnostic::new(Code::Provision, fault.text);
                problem.hint = fault.hint;
                cx.diag.refuse(problem.at(place_in(&file, fault.at.line, fault.at.column)));
            }
            None
        }
    }
}

/// Reads the ready-made Combustion script and its side files.
pub(crate) fn script(cx: &mut Context<'_>) -> Option<Script> {
    let path = cx.recipe.provision.script.as_ref()?;
    record(cx, Engine::Combustion, path);
    let side_files = side_files(cx);
    let bytes = cx.local(path)?;
    let file = cx.beside(&path.value);
    match combustion::inspect(bytes) {
        Ok(inspected) => {
            for odd in inspected.oddities {
                cx.diag.warn(Rule::Script, odd.text, Some(place_in(&file, odd.line, 1)));
            }
            lints::memory(
                cx.recipe,
                bytes.len() + side_files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(),
                &mut cx.diag,
            );
            Some(Script { bytes: bytes.to_vec(), flags: inspected.flags, side_files, file })
        }
        Err(warnings) => {
            for warning in warnings {
                cx.diag.refuse(Diagnostic::new(Code::Provision, warning.text).at(place_in(&file, warning.line, 1)));
            }
            None
        }
    }
}

fn record(cx: &mut Context<'_>, engine: Engine, path: &Spanned<RecipePath>) {
    let what = format!("the recipe's own {}", path.value.as_str());
    cx.outputs.record_why(Feature::ReadyMade, engine, what, "");
}

fn side_files(cx: &mut Context<'_>) -> Vec<(String, Vec<u8>)> {
    let mut side_files = vec![];
    let script = cx.recipe.provision.script.as_ref();
    for side in &cx.recipe.provision.side_files {
        let name = script.map_or_else(|| side.value.file_name(), |script| side.value.beside(&script.value));
        let shown = one_line(name, 80);
        let first = name.split('/').next().unwrap_or_default();
        if [READY_SCRIPT, FOLDER].iter().any(|taken| first.eq_ignore_ascii_case(taken)) {
            let headline = format!("the name `{shown}` is taken in the folder of the script");
            cx.diag.refuse_at(
                &side.place,
                headline,
                "rename one; upper and lower case count as one on the config disk",
            );
        } else if let Err(error) = fat::name::check(std::iter::once(name)) {
            let headline = format!("`{shown}` cannot be the name of a file on the config disk");
            let problem = Diagnostic::new(Code::Provision, headline).at(side.place.clone()).cause(error);
            cx.diag.refuse(problem.hint("rename the file beside the recipe"));
        }
        if let Some(bytes) = cx.local(side) {
            side_files.push((name.to_owned(), bytes.to_vec()));
        }
    }
    side_files.sort();
    side_files
}
