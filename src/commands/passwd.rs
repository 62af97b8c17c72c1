//! `passwd`: a password's hash, for a recipe.

use crate::base::{Code, Diagnostic, Secret};
use crate::host::entropy;
use crate::provision::crypt;

pub(crate) use crate::provision::crypt::{LONGEST, ROUNDS, ROUNDS_RANGE};

/// Hashes a password with a salt of its own.
pub(crate) fn passwd(password: &Secret<Vec<u8>>, rounds: u32) -> Result<Secret<String>, Diagnostic> {
    crypt::hash(password, entropy::random()?, rounds).map_err(|error| Diagnostic::new(Code::Secret, error.to_string()))
}
