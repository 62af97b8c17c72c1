//! A verdict as JUnit XML, which CI systems read (no standard; the schema of Jenkins' xUnit plugin, junit-10.xsd).
//! Touches nothing.

use super::{Check, Verdict};
use crate::format::xml::{Element, element};

impl Verdict {
    /// Writes the verdict as one suite, one test case a check. No time, no host: the same report gives the same bytes.
    pub(crate) fn junit(&self, name: &str) -> Vec<u8> {
        suite(name, [self.checks.len(), self.failures().count(), 0], self.checks.iter().map(case).collect())
    }
}

/// Writes the suite of a machine that was to be tested and never reported, for the reason given: one test case, an error. Without
/// it a CI system would show no test that failed.
pub(crate) fn unreported(name: &str, why: &str) -> Vec<u8> {
    let case = element("testcase").with("classname", "report").with("name", "the guest reported");
    suite(name, [1, 0, 1], vec![case.containing([reason("error", why)])])
}

/// Writes a document with one suite; `counts` are its tests, failures and errors.
fn suite(name: &str, [tests, failures, errors]: [usize; 3], cases: Vec<Element>) -> Vec<u8> {
    let counted = |element: Element| {
        let element = element.with("name", writable(name)).with("tests", tests);
        element.with("failures", failures).with("errors", errors)
    };
    let suite = counted(element("testsuite")).with("skipped", 0).containing(cases);
    let document = counted(element("testsuites")).containing([suite]).to_document();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{document}").into_bytes()
}

fn case(check: &Check) -> Element {
    let case = element("testcase").with("classname", check.kind).with("name", writable(&check.name()));
    case.containing((!check.passed).then(|| reason("failure", &check.difference())))
}

fn reason(name: &str, why: &str) -> Element {
    let why = writable(why);
    element(name).with("message", &why).with_text(why)
}

/// Takes away what XML has no way to write (XML 1.0, production 2).
fn writable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }).collect()
}
