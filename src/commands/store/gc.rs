//! `store gc`: remove what neither a root nor a flag keeps.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::base::text::count;
use crate::base::{ByteSize, Diagnostics};
use crate::commands::context::Context;
use crate::commands::printer::{Output, Printer};
use crate::store::{Collect, EmptyRoots, GcReport, Policy};

/// Remove what no result on disk, no root and no flag keeps
#[derive(Debug, Args)]
pub(crate) struct GcOptions {
    /// Show what would be removed and its size, remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep what is younger than this many hours
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    grace: u32,
    /// Keep the newest N bundles of each name
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: usize,
    /// Remove only until the store is no larger, what was used longest ago first; such as 20GiB
    #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
    max_size: Option<ByteSize>,
    /// Remove also when no root at all is recorded, so that nothing is kept
    #[arg(long)]
    without_roots: bool,
}

#[derive(Serialize)]
struct GcOutput {
    dry_run: bool,
    #[serde(flatten)]
    report: GcReport,
    /// Whether the store is as small as was asked for.
    fits: Option<bool>,
    #[serde(skip)]
    max_size: Option<ByteSize>,
}

impl GcOptions {
    pub(super) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let Self { dry_run, grace, keep_last, max_size, without_roots } = self;
        let collect = if dry_run { Collect::DryRun } else { Collect::Remove };
        let empty_roots = if without_roots { EmptyRoots::Collect } else { EmptyRoots::Refuse };
        let grace = Duration::from_secs(u64::from(grace) * 3600);
        let policy = Policy { grace, keep_last, max_size, empty_roots };
        let report = match context.open_existing_store()? {
            Some(store) => store.collect_garbage(collect, &policy, context.environment.now())?,
            None => GcReport::default(),
        };
        let fits = max_size.map(|_| !report.is_too_large);
        printer.show(&GcOutput { dry_run, report, fits, max_size })
    }
}

impl Output for GcOutput {
    fn print(&self, printer: &Printer) {
        let report = &self.report;
        for removed in &report.removed {
            printer.say(&format!("{:>10}  {}", removed.size.to_string(), removed.name));
        }
        for root in &report.unknown {
            printer.say(&format!("kept although its link cannot be seen: {}", root.holder));
        }
        let verb = if self.dry_run { "would remove" } else { "removed" };
        let removed = count(report.removed.len(), "file");
        let stay = if report.kept == 1 { "stays" } else { "stay" };
        let kept = count(report.kept, "object");
        printer.line(format_args!("{verb} {removed}, {}; {kept} {stay}, {}", report.freed, report.left));
        printer.say(&match report.roots {
            0 => "no root keeps anything".to_owned(),
            1 => format!("1 root keeps {}; `arca-build store root list` shows it", report.rooted),
            many => format!("{many} roots keep {}; `arca-build store root list` shows them", report.rooted),
        });
        if let (Some(most), Some(false)) = (self.max_size, self.fits) {
            let over = ByteSize(report.left.0.saturating_sub(most.0));
            printer.say(&format!(
                "warning: the store stays {over} above {most}: what is left is rooted, young, or among the last of its name"
            ));
        }
    }
}
