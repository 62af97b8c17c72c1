//! The rules that look at the recipe as a whole: its image, its disks, the way its configuration takes. Touches nothing.
//!
//! What a rule is about stands in one table, `base::rule`; here is what it looks at. Rules that check one file or one
//! account stand where that is read: `lints` (ready-made files), `items`, `engines`, `payload`.

pub(crate) mod context;
pub(crate) mod disks;
mod family;
mod files;
mod image;
pub(crate) mod logins;
mod machine;
mod script;
mod seen;
mod transports;
mod units;

use super::diagnostics::DiagnosticSink;
use context::RuleContext;

/// Applies every rule of this module.
pub(crate) fn check(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    image::check(ctx, diag);
    machine::check(ctx, diag);
    transports::check(ctx, diag);
    disks::check(ctx, diag);
    let seen = seen::Seen::of(ctx);
    files::check(&seen, diag);
    logins::check(ctx, &seen, diag);
    units::check(ctx, &seen, diag);
    ctx.script.into_iter().for_each(|script| script::check(script, diag));
}
