//! The same walk again, as if nothing had been built before, and what came out otherwise than recorded.
//!
//! Touches the store only: a result that is there already is left as it is, one that differs is one object more, which
//! nothing names. Read next: `crate::bundle::compare`.

use super::context::{BuildContext, Realised};
use super::scheduler::{CachePolicy, Scheduler};
use crate::base::{Diagnostic, Digest};
use crate::plan::{Builder, Plan};

/// What building everything anew gave.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Every derivation's result, from this walk alone.
    pub realised: Realised,
    /// How many results were compared with a record.
    pub compared: u32,
    /// In the plan's order.
    pub differences: Vec<Difference>,
}

/// A derivation that gave other bytes than it is recorded to have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub title: String,
    pub recorded: Digest,
    pub rebuilt: Digest,
}

/// Makes every derivation of the plan from its inputs anew and compares the results with the records.
///
/// No record is believed or written. Inputs are hashed whole; one that is missing is brought as for any build.
pub(crate) fn check(plan: &Plan, context: &BuildContext<'_>) -> Result<Checked, Diagnostic> {
    let mut scheduler = Scheduler::new(plan, context, CachePolicy::Recheck);
    for derivation in &plan.derivations {
        scheduler.rank(&derivation.id)?;
    }
    let realised = scheduler.run()?;
    let mut checked = Checked { realised, compared: 0, differences: vec![] };
    let made = plan.derivations.iter().filter(|one| !matches!(one.builder, Builder::Fixed { .. }));
    for derivation in made {
        let Some((recorded, _)) = context.store.recorded(&derivation.id) else { continue };
        let rebuilt = checked.realised.object(&derivation.id)?.digest();
        checked.compared += 1;
        if recorded != rebuilt {
            checked.differences.push(Difference { title: derivation.title.clone(), recorded, rebuilt });
        }
    }
    Ok(checked)
}
