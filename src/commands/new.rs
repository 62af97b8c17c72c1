//! `new`: a commented recipe to start from.

use std::path::PathBuf;

use super::Context;
use crate::base::{Code, Diagnostic, Name};
use crate::host::files;
use crate::recipe::Recipe;

/// Writes `<name>.toml` in the working directory, never over a file that is there.
pub(crate) fn new(context: &Context<'_>, name: &str) -> Result<PathBuf, Diagnostic> {
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let name = Name::parse(stem).map_err(|error| {
        Diagnostic::new(Code::Usage, format!("`{}` is no name for a recipe", crate::base::text::one_line(stem, 80)))
            .cause(error)
    })?;
    let path = context.absolute(&PathBuf::from(format!("{name}.toml")));
    files::write_new(&path, Recipe::template(&name).as_bytes())?;
    Ok(path)
}
