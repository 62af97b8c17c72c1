//! Whether a machine came up as asked: what its report should say, what it says, and a judgement line by line.
//! Touches nothing.
//!
//! The report is text that a unit in the guest writes to a virtio-serial port (`provision::report` writes that unit):
//!
//! ```text
//! arca-report 1 begin
//! stage⇥final                                        or `pending`: the guest will restart once more by itself
//! file⇥/etc/motd⇥present=yes⇥mode=644⇥user=root⇥group=root⇥sha256=…
//! failed⇥some.service                                a unit of the system that failed
//! arca-report 1 end
//! ```
//!
//! A line is a kind, a subject and facts, with a tab between them. In subjects and facts `\` is written `\\`, a tab `\t`, a
//! line end `\n`; any other control character has become `?`. Lines of unknown kinds and facts nobody asks for are passed over,
//! so that an older program reads the report of a newer guest.
//!
//! **The guest is not trusted.** Whoever rules it can write any report, so a good one proves that provisioning worked, not
//! that the guest is honest. But no report may harm the reader: sizes are bounded, the last whole report counts, nothing of it
//! is shown without being made fit to show, and of digests only whether they match. Read next: [`Expectation`], `told`,
//! `verdict`.

mod expectation;
mod junit;
mod report;
mod verdict;

pub(crate) use expectation::{Expectation, Expected, Kind, Matcher};
pub(crate) use junit::unreported;
#[cfg(test)]
pub(crate) use report::escape;
pub(crate) use report::{LIMIT, ReportState, heard};
pub(crate) use verdict::{Check, Verdict, judge};

/// The name of the port, on either side.
pub(crate) const PORT: &str = "org.arca_build.report";
/// The first line of a report; the number is the version of its grammar.
pub(crate) const BEGIN: &str = "arca-report 1 begin";
/// The last line of a report.
pub(crate) const END: &str = "arca-report 1 end";

#[cfg(test)]
mod tests;
