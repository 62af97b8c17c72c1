//! `store du`: what uses the space, and what keeps each bundle.

use serde::Serialize;

use super::root::short;
use crate::base::text::{count, one_line};
use crate::base::{ByteSize, Diagnostic};
use crate::commands::context::Context;
use crate::commands::printer::{Output, Printer};
use crate::store::{BundleUsage, KindUsage, State, Usage};

#[derive(Serialize)]
pub(super) struct UsageOutput {
    total: ByteSize,
    kinds: Vec<KindUsage>,
    bundles: Vec<KeptBundle>,
}

#[derive(Serialize)]
struct KeptBundle {
    #[serde(flatten)]
    usage: BundleUsage,
    /// What keeps it.
    roots: Vec<String>,
}

impl UsageOutput {
    pub(super) fn of(context: &Context<'_>) -> Result<Self, Diagnostic> {
        let (usage, roots) = match context.open_existing_store()? {
            Some(store) => (store.usage()?, store.list_roots()?),
            None => (Usage::nothing(), vec![]),
        };
        let live = roots.iter().filter(|listed| listed.state != State::Dead).filter_map(|listed| listed.root.as_ref());
        let kept = |usage: BundleUsage| {
            let keepers = live.clone().filter(|root| root.bundle.as_deref() == Some(&usage.name));
            let roots = keepers.map(|root| root.holder.to_string()).collect();
            KeptBundle { usage, roots }
        };
        Ok(Self { total: usage.total, kinds: usage.kinds, bundles: usage.bundles.into_iter().map(kept).collect() })
    }
}

impl Output for UsageOutput {
    fn print(&self, printer: &Printer) {
        for kind in self.kinds.iter().filter(|kind| kind.files > 0 || kind.size.0 > 0) {
            printer.line(format_args!("{:>10}  {} ({})", kind.size.to_string(), kind.kind, count(kind.files, "file")));
        }
        printer.line(format_args!("{:>10}  together", self.total.to_string()));
        if self.bundles.is_empty() {
            return;
        }
        printer.data(&format!("\n{:>10}  {:>10}  bundle\n", "own", "shared"));
        for KeptBundle { usage, roots } in &self.bundles {
            let keepers = if roots.is_empty() { "not kept by any root".to_owned() } else { roots.join(", ") };
            let (own, shared) = (usage.own.to_string(), usage.shared.to_string());
            let keepers = one_line(&keepers, 400);
            printer.data(&format!("{own:>10}  {shared:>10}  {}\n{:>24}{keepers}\n", short(&usage.name), ""));
        }
    }
}
