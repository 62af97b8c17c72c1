//! Each topic of `[provision]`, from its part of the recipe into what the engines are to do. Touches nothing.
//!
//! An item never names an engine: it asks for the one of its feature, and leaves what engines do in different ways as a
//! task. A new key is added in the file of its topic, a new topic in [`ITEMS`].

mod accounts;
mod certificates;
mod containers;
pub(crate) mod context;
mod files;
mod kernel;
mod mounts;
mod network;
mod packages;
mod pool;
mod quadlet;
mod scripts;
mod settings;
pub(crate) mod units;
pub(crate) mod whole;

use context::Context;

/// Every item, in the order in which they are written.
pub(crate) const ITEMS: [fn(&mut Context<'_>); 15] = [
    accounts::users,
    files::files,
    units::units,
    accounts::groups,
    files::directories_and_links,
    settings::settings,
    kernel::kernel_arguments,
    certificates::certificates,
    containers::containers,
    network::profiles,
    packages::packages,
    mounts::mounts,
    pool::pools,
    scripts::scripts,
    scripts::timers,
];
