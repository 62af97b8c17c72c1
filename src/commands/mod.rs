//! One file per command, each a short story read top to bottom. The only printer is the value returned and the events.
//!
//! Names everything above but `stream` and `format`; touches the world through them. Read next: [`build`].

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod context;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod import;
pub(crate) mod import_config;
pub(crate) mod inspect;
pub(crate) mod install;
mod launch_source;
mod metalink;
pub(crate) mod mirror;
mod moved;
pub(crate) mod new;
pub(crate) mod passwd;
pub(crate) mod printer;
mod progress;
pub(crate) mod rebuild;
mod recipe_file;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod store;
pub(crate) mod uninstall;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod vms;

// What results hold, so that `cli` needs to name no deeper floor.
pub(crate) use crate::bundle::Verified;
pub(crate) use crate::compare::Differences;
pub(crate) use crate::guest_report::{Check, Verdict};
pub(crate) use crate::lock::oci::Blob;
pub(crate) use crate::lock::{ImagePin, Pin};
pub(crate) use crate::plan::Plan;
pub(crate) use crate::provision::explain::Explanation;
pub(crate) use crate::realise::BuildStats;
pub(crate) use crate::recipe::Source;
pub(crate) use crate::store::{
    BundleUsage, Collect, Damage, EmptyRoots, GcReport, Holder, Listed, Policy, Repair, RepairOutcome, Root, State,
    Usage, VerifyReport,
};
pub(crate) use crate::transfer::{Index, Packed, Unpacked};
pub(crate) use context::Context;
use context::{LARGEST_INPUT, VERSION, quoted};
pub(crate) use recipe_file::Loaded;
