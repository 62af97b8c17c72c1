//! The gate that a base passes before it gets a name, and again each time it is used. Touches the file it is given.

use crate::base::{BaseKind, Diagnostic};
use crate::format::{iso, qcow2, raw};

/// Refuses a base that is not what the recipe says, before it has a final name.
pub(super) fn gate(file: &mut std::fs::File, kind: Option<BaseKind>) -> Result<(), Diagnostic> {
    match kind {
        Some(BaseKind::Qcow2) => qcow2::gate(file).map(drop).map_err(Diagnostic::from),
        Some(BaseKind::Raw) => raw::gate(file).map_err(Diagnostic::from),
        Some(BaseKind::Iso) => iso::gate(file).map(drop).map_err(Diagnostic::from),
        None => Ok(()),
    }
}
