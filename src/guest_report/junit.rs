//! A verdict as JUnit XML, which CI systems read (no standard; the schema of Jenkins' xUnit plugin, junit-10.xsd).
//! Touches nothing.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::{Check, Verdict};
use crate::base::Diagnostic;

impl Verdict {
    /// Writes the verdict as one suite, one test case a check. No time, no host: the same report gives the same bytes.
    ///
    /// # Errors
    /// None in practice: memory is written to.
    pub(crate) fn junit(&self, name: &str) -> Result<Vec<u8>, Diagnostic> {
        self.document(name).map_err(|error| Diagnostic::io("cannot write JUnit XML", &error))
    }

    fn document(&self, name: &str) -> std::io::Result<Vec<u8>> {
        suite(name, [self.checks.len(), self.failures().count(), 0], |writer| {
            self.checks.iter().try_for_each(|check| case(writer, check))
        })
    }
}

/// Writes the suite of a machine that was to be tested and never reported, for the reason given: one test case, an error. Without
/// it a CI system would show no test that failed.
///
/// # Errors
/// None in practice: memory is written to.
pub(crate) fn unreported(name: &str, why: &str) -> Result<Vec<u8>, Diagnostic> {
    let attributes = [("classname", "report".to_owned()), ("name", "the guest reported".to_owned())];
    let document = suite(name, [1, 0, 1], |writer| told(writer, &attributes, "error", why));
    document.map_err(|error| Diagnostic::io("cannot write JUnit XML", &error))
}

/// Writes a document with one suite; `counts` are its tests, failures and errors.
fn suite(
    name: &str,
    counts: [usize; 3],
    cases: impl FnOnce(&mut Writer<Vec<u8>>) -> std::io::Result<()>,
) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(vec![], b' ', 2);
    let [tests, failures, errors] = counts.map(|count| count.to_string());
    let attributes = [("name", writable(name)), ("tests", tests), ("failures", failures), ("errors", errors)];
    writer.write_event(Event::Start(start("testsuites", &attributes)))?;
    let attributes: Vec<_> = attributes.into_iter().chain([("skipped", "0".to_owned())]).collect();
    writer.write_event(Event::Start(start("testsuite", &attributes)))?;
    cases(&mut writer)?;
    writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut bytes = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    bytes.extend(writer.into_inner());
    bytes.push(b'\n');
    Ok(bytes)
}

fn case(writer: &mut Writer<Vec<u8>>, check: &Check) -> std::io::Result<()> {
    let attributes = [("classname", check.kind.to_owned()), ("name", writable(&check.name()))];
    if check.passed {
        return writer.write_event(Event::Empty(start("testcase", &attributes)));
    }
    told(writer, &attributes, "failure", &check.difference())
}

/// Writes a test case that tells why it did not pass.
fn told(
    writer: &mut Writer<Vec<u8>>,
    attributes: &[(&'static str, String)],
    element: &'static str,
    why: &str,
) -> std::io::Result<()> {
    let why = writable(why);
    writer.write_event(Event::Start(start("testcase", attributes)))?;
    writer.write_event(Event::Start(start(element, &[("message", why.clone())])))?;
    writer.write_event(Event::Text(BytesText::new(&why)))?;
    writer.write_event(Event::End(BytesEnd::new(element)))?;
    writer.write_event(Event::End(BytesEnd::new("testcase")))
}

fn start(name: &'static str, attributes: &[(&'static str, String)]) -> BytesStart<'static> {
    let mut start = BytesStart::new(name);
    attributes.iter().for_each(|(name, value)| start.push_attribute((*name, value.as_str())));
    start
}

/// Takes away what XML has no way to write (XML 1.0, production 2).
fn writable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }).collect()
}
