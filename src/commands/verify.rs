//! `verify`: a bundle against its own manifest, with nothing else at hand.

use std::path::Path;

use super::Context;
use crate::base::Diagnostics;
use crate::bundle::{self, Verified};

/// Hashes every file of a bundle; every difference is told.
pub(crate) fn verify(context: &Context<'_>, bundle: &Path) -> Result<Verified, Diagnostics> {
    bundle::verify(&context.absolute(bundle), context.events)
}
