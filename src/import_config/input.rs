//! What an import is given, and what it gives. Touches nothing.

use crate::base::{ByteSize, Name};
use crate::recipe::{Recipe, RecipePath};

/// The most that a file may hold; it is what a recipe's files may hold too.
pub(crate) const LIMIT: ByteSize = ByteSize::mib(1);

/// One file the user named.
#[derive(Debug)]
pub(crate) struct InputFile {
    /// As it was named, for messages.
    pub shown: String,
    pub bytes: Vec<u8>,
    /// Where it lies, or would be copied to, beneath the recipe's directory.
    pub path: RecipePath,
    /// Whether it only lies in the folder of a script, whatever is in it.
    pub is_side_file: bool,
}

/// What the user wants besides.
#[derive(Debug, Default)]
pub(crate) struct ImportOptions {
    /// Else the machine's own name, else the first file's.
    pub name: Option<Name>,
    /// Why the config must stay whole; empty where it may be taken apart.
    pub whole: Vec<String>,
}

/// A recipe.
#[derive(Debug)]
pub(crate) struct ImportedRecipe {
    pub text: String,
    /// What the text says.
    pub recipe: Recipe,
    /// The given files that the recipe names.
    pub used: Vec<RecipePath>,
    /// Whether an Ignition config was taken apart; it must then be compared with what the recipe becomes (`import_config::same`).
    pub typed: bool,
    /// What could not be carried over, one sentence each, fit to show.
    pub skipped: Vec<String>,
}
