//! What the rules see. Touches nothing.

use crate::provision::engines::transports::{PayloadSummary, TransportChoice};
use crate::provision::facts::BaseFacts;
use crate::provision::guest::Guest;
use crate::provision::ready::{Config, Script};
use crate::recipe::Recipe;

/// What the rules see.
pub(crate) struct RuleContext<'a> {
    pub recipe: &'a Recipe,
    pub facts: &'a BaseFacts,
    /// The spec of the config without its ready-made part, where there is such a config.
    pub typed_spec: Option<u8>,
    /// What each engine is told by the recipe's own keys.
    pub guests: [&'a Guest; 2],
    pub config: Option<&'a Config>,
    pub script: Option<&'a Script>,
    pub transports: TransportChoice,
    pub payload: PayloadSummary,
}
