//! `verify`: a bundle against its own manifest, with nothing else at hand.

use std::path::Path;

use super::Session;
use crate::base::Diagnostics;
use crate::bundle::{self, Verified};

/// Hashes every file of a bundle; every difference is told.
pub(crate) fn verify(session: &Session<'_>, bundle: &Path) -> Result<Verified, Diagnostics> {
    bundle::verify(&session.absolute(bundle), session.events)
}
