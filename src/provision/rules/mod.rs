//! The rules that look at the recipe as a whole: its image, its disks, the way its configuration takes. Touches nothing.
//!
//! What a rule is about stands in one table, `base::rule`; here is what it looks at. Rules that judge one file or one
//! account stand where that is read: `lints` (ready-made files), `account`, `unit`, `merge`, `carried`.

pub(crate) mod disks;
mod image;
mod machine;
mod transports;

use super::facts::BaseFacts;
use super::ready::{Config, Script};
use super::told::Told;
use super::ways::{Freight, Ways};
use crate::recipe::Recipe;

/// What the rules see.
pub(crate) struct Sight<'a> {
    pub recipe: &'a Recipe,
    pub facts: &'a BaseFacts,
    /// The spec of the config without its ready-made part, where there is such a config.
    pub typed_spec: Option<u8>,
    pub config: Option<&'a Config>,
    pub script: Option<&'a Script>,
    pub ways: Ways,
    pub freight: Freight,
}

/// Applies every rule of this module.
pub(crate) fn judge(sight: &Sight<'_>, told: &mut Told) {
    image::judge(sight, told);
    machine::judge(sight, told);
    transports::judge(sight, told);
    disks::judge(sight, told);
}
