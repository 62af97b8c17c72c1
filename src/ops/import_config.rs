//! `import-config`: what people have already becomes a recipe, and what could not be carried over is told.

use std::path::{Path, PathBuf};

use super::Session;
use crate::adopt::{self, Adopted, Given, LIMIT, Wish, same};
use crate::base::text::one_line;
use crate::base::{Code, Digest, Name, Problem, Problems, Secret};
use crate::host::files;
use crate::provision;
use crate::provision::carried::Known;
use crate::recipe::{LocalFile, LocalFiles, RecipePath};

/// The most files that are taken beside a script.
const BESIDE: usize = 100;

/// What was written.
#[derive(Debug)]
pub struct ImportedConfig {
    pub recipe: PathBuf,
    pub text: String,
    /// Files that were copied beside the recipe.
    pub copied: Vec<PathBuf>,
    /// What could not be carried over, one sentence each.
    pub left: Vec<String>,
}

/// One file that was named, or lies beside a script.
struct Found {
    path: PathBuf,
    given: Given,
    /// Whether it lies where the recipe will name it.
    in_place: bool,
}

/// Writes a recipe from `named` files, to `output` or `NAME.toml` in the working directory, never over a file that is there.
///
/// Its mode is 0600, for it may hold hashes; so is that of the files that are copied beside it.
pub fn import_config(
    session: &Session<'_>,
    named: &[PathBuf],
    output: Option<&Path>,
    name: Option<&str>,
) -> Result<ImportedConfig, Problems> {
    let name = name.map(wanted_name).transpose()?;
    let directory = match output.and_then(Path::parent) {
        Some(parent) => session.absolute(parent),
        None => session.absolute(Path::new("")),
    };
    let mut found = vec![];
    for path in with_side_files(session, named)? {
        let mut one = read(session, &path, &directory)?;
        one.given.is_side_file = !named.contains(&path);
        found.push(one);
    }
    let given: Vec<_> = found.iter().map(|found| &found.given).map(borrowed).collect();
    let adopted = exactly(&given, name)?;
    let recipe = match output {
        Some(output) => session.absolute(output),
        None => directory.join(format!("{}.toml", adopted.recipe.name)),
    };
    files::refuse_existing(&recipe)?;
    let copied = copy(&found, &adopted.used, &directory)?;
    files::write_new_private(&recipe, adopted.text.as_bytes())?;
    Ok(ImportedConfig { recipe, text: adopted.text, copied, left: adopted.left })
}

fn wanted_name(name: &str) -> Result<Name, Problem> {
    Name::parse(name).map_err(|error| {
        Problem::new(Code::Usage, format!("`{}` is no name for a recipe", one_line(name, 80))).cause(error)
    })
}

fn borrowed(given: &Given) -> Given {
    let Given { shown, bytes, path, is_side_file } = given;
    Given { shown: shown.clone(), bytes: bytes.clone(), path: path.clone(), is_side_file: *is_side_file }
}

/// Adds what lies in the folder of a script that is laid out as Combustion reads it: `combustion/script` and all beside it.
fn with_side_files(session: &Session<'_>, named: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut all = named.to_vec();
    for path in named {
        let folder = path.parent().filter(|folder| folder.file_name().is_some_and(|name| name == "combustion"));
        let (Some(folder), true) = (folder, path.file_name().is_some_and(|name| name == "script")) else { continue };
        for name in files::list(&session.absolute(folder))? {
            let beside = folder.join(name);
            if !all.contains(&beside) && !files::is_directory(&session.absolute(&beside)) {
                all.push(beside);
            }
        }
    }
    match all.len() > BESIDE {
        true => Err(Problem::new(Code::Usage, format!("more than {BESIDE} files"))),
        false => Ok(all),
    }
}

fn read(session: &Session<'_>, path: &Path, directory: &Path) -> Result<Found, Problem> {
    let (absolute, shown) = (session.absolute(path), path.display().to_string());
    let bytes = files::read_small(&absolute, LIMIT)?
        .ok_or_else(|| Problem::new(Code::Usage, format!("there is no file `{}`", one_line(&shown, 200))))?;
    let place = files::destination(&absolute).zip(files::destination(directory));
    let beneath = place.and_then(|(file, directory)| Some(file.strip_prefix(directory).ok()?.to_str()?.to_owned()));
    let beneath = beneath.and_then(|path| RecipePath::parse(&path).ok());
    let in_place = beneath.is_some();
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    let beside = match beneath {
        Some(path) => path,
        None => RecipePath::parse(&name).map_err(|error| {
            Problem::new(Code::Usage, format!("`{}` cannot lie beside a recipe", one_line(&shown, 200))).cause(error)
        })?,
    };
    Ok(Found { path: absolute, given: Given { shown, bytes, path: beside, is_side_file: false }, in_place })
}

/// Makes the recipe; a config that was taken apart must mean the same when the recipe becomes one, or it stays whole.
fn exactly(given: &[Given], name: Option<Name>) -> Result<Adopted, Problems> {
    let adopted = adopt::adopt(given, &Wish { name: name.clone(), whole: vec![] })?;
    if !adopted.typed {
        return Ok(adopted);
    }
    let whole = differences(&adopted, given);
    if whole.is_empty() { Ok(adopted) } else { adopt::adopt(given, &Wish { name, whole }) }
}

/// Tells why the recipe would not do what the config did.
fn differences(adopted: &Adopted, given: &[Given]) -> Vec<String> {
    let lowered = match provision::lower(&adopted.recipe, &beside(adopted, given), &Known::default()) {
        Ok(lowered) => lowered,
        Err(problems) => return problems.0.into_iter().map(|problem| problem.headline).collect(),
    };
    // A recipe that wants nothing has no config, which is what an empty one means.
    let empty = br#"{"ignition":{"version":"3.2.0"}}"#.to_vec();
    let becomes = lowered.config.map_or(empty, |config| config.expose().clone());
    let config = given.iter().find(|given| !adopted.used.contains(&given.path) && is_config(given));
    config.map(|config| same::differences(&config.bytes, &becomes)).unwrap_or_default()
}

fn is_config(given: &Given) -> bool {
    given.bytes.trim_ascii_start().starts_with(b"{")
}

/// The files beside the recipe as it will be.
fn beside(adopted: &Adopted, given: &[Given]) -> LocalFiles {
    let used = given.iter().filter(|given| adopted.used.contains(&given.path));
    let file = |given: &Given| LocalFile {
        digest: Digest::of(&given.bytes),
        size: crate::base::ByteSize(given.bytes.len() as u64),
        content: Some(Secret::new(given.bytes.clone())),
    };
    LocalFiles(used.map(|given| (given.path.clone(), file(given))).collect())
}

/// Copies what the recipe names beside it; a file that is there already is right when it is the same.
fn copy(found: &[Found], used: &[RecipePath], directory: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut copied = vec![];
    for found in found.iter().filter(|found| !found.in_place && used.contains(&found.given.path)) {
        let target = directory.join(found.given.path.as_str());
        if target == found.path
            || files::read_small(&target, LIMIT).is_ok_and(|there| there.as_ref() == Some(&found.given.bytes))
        {
            continue;
        }
        files::write_new_private(&target, &found.given.bytes)?;
        copied.push(target);
    }
    Ok(copied)
}
