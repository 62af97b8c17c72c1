//! Ready-made files of the recipe: read, judged, and told about with the line they are wrong in. Touches nothing.

use super::split::lacks_ignition;
use super::told::Told;
use super::wanted::{beside, local};
use super::{READY_SCRIPT, lints};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Engine, Location, Rule, Spanned};
use crate::format::{combustion, fat, ignition};
use crate::recipe::{LocalFiles, Recipe, RecipePath};

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
    /// Name beside the script, and bytes.
    pub side_files: Vec<(String, Vec<u8>)>,
    /// How messages call the file.
    pub file: String,
}

/// Makes a place in a ready-made file; its line is never shown, for it may hold a secret.
pub(crate) fn place(file: &str, line: u32, column: u32) -> Location {
    Location { file: file.to_owned(), line, column, width: 1, text: String::new() }
}

/// Reads the ready-made Ignition config.
pub(crate) fn config(recipe: &Recipe, files: &LocalFiles, told: &mut Told) -> Option<Config> {
    let path = recipe.provision.config.as_ref()?;
    if !recipe.provision.engine().uses_ignition() {
        unread(path, "an Ignition config", told);
        return None;
    }
    if recipe.provision.engine() == Engine::Auto && lacks_ignition(recipe) {
        let headline =
            format!("`{}` is an Ignition config, and the image's flavour has no Ignition", path.value.as_str());
        told.refuse_at(&path.place, headline, "say it in the recipe, or take an image with Ignition");
        return None;
    }
    let bytes = local(recipe, path, files, told)?;
    let file = beside(recipe, &path.value);
    match ignition::read(bytes) {
        Ok(ready) => {
            lints::config(recipe, &ready.root, &file, told);
            Some(Config { bytes: bytes.to_vec(), ready, file })
        }
        Err(faults) => {
            for fault in faults {
                let mut problem = Diagnostic::new(Code::Provision, fault.text);
                problem.hint = fault.hint;
                told.refuse(problem.at(place(&file, fault.at.line, fault.at.column)));
            }
            None
        }
    }
}

/// Reads the ready-made Combustion script and its side files.
pub(crate) fn script(recipe: &Recipe, files: &LocalFiles, told: &mut Told) -> Option<Script> {
    let Some(path) = recipe.provision.script.as_ref() else {
        for side in &recipe.provision.side_files {
            told.refuse_at(&side.place, "`side_files` lie beside a script, and there is none", "add `script`");
        }
        return None;
    };
    if !recipe.provision.engine().uses_combustion() {
        unread(path, "a Combustion script", told);
        return None;
    }
    let side_files = side_files(recipe, files, told);
    let bytes = local(recipe, path, files, told)?;
    let file = beside(recipe, &path.value);
    match combustion::inspect(bytes) {
        Ok(inspected) => {
            for odd in inspected.oddities {
                told.warn(Rule::Script, odd.text, Some(place(&file, odd.line, 1)));
            }
            lints::script(bytes, &file, told);
            lints::memory(recipe, bytes.len() + side_files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), told);
            Some(Script { bytes: bytes.to_vec(), flags: inspected.flags, side_files, file })
        }
        Err(remarks) => {
            for remark in remarks {
                told.refuse(Diagnostic::new(Code::Provision, remark.text).at(place(&file, remark.line, 1)));
            }
            None
        }
    }
}

fn unread(path: &Spanned<RecipePath>, what: &str, told: &mut Told) {
    let headline = format!("`{}` is {what}, which the chosen engine never reads", path.value.as_str());
    told.refuse_at(&path.place, headline, "write engine = \"auto\"");
}

fn side_files(recipe: &Recipe, files: &LocalFiles, told: &mut Told) -> Vec<(String, Vec<u8>)> {
    let mut taken = vec!["script".to_owned(), READY_SCRIPT.to_owned()];
    let mut side_files = vec![];
    for side in &recipe.provision.side_files {
        let name = side.value.file_name();
        let shown = one_line(name, 80);
        if taken.contains(&name.to_lowercase()) {
            let headline = format!("the name `{shown}` is taken in the folder of the script");
            told.refuse_at(&side.place, headline, "rename one; upper and lower case count as one on the config disk");
        } else if let Err(error) = fat::name::check(std::iter::once(name)) {
            let headline = format!("`{shown}` cannot be the name of a file on the config disk");
            let problem = Diagnostic::new(Code::Provision, headline).at(side.place.clone()).cause(error);
            told.refuse(problem.hint("rename the file beside the recipe"));
        }
        taken.push(name.to_lowercase());
        if let Some(bytes) = local(recipe, side, files, told) {
            side_files.push((name.to_owned(), bytes.to_vec()));
        }
    }
    side_files.sort();
    side_files
}
