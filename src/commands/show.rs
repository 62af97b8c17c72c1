//! `show`: what an archive holds, without importing it.

use std::path::Path;

use super::{Context, Index};
use crate::base::{Diagnostic, Digest};
use crate::transfer;

/// A verified archive's digest, size and index.
#[derive(Debug)]
pub(crate) struct Shown {
    pub digest: Digest,
    pub size: u64,
    pub index: Index,
}

/// Verifies every byte of an archive and tells what it holds; the store is not opened.
pub(crate) fn show(context: &Context<'_>, archive: &Path) -> Result<Shown, Diagnostic> {
    let opened = transfer::open(&context.absolute(archive), context.events)?;
    Ok(Shown { digest: opened.digest, size: opened.size, index: opened.index })
}
