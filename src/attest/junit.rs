//! A verdict as JUnit XML, which CI systems read (no standard; the schema of Jenkins' xUnit plugin, junit-10.xsd).
//! Touches nothing.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::{Check, Verdict};
use crate::base::Problem;

impl Verdict {
    /// Writes the verdict as one suite, one test case a check. No time, no host: the same report gives the same bytes.
    ///
    /// # Errors
    /// None in practice: memory is written to.
    pub fn junit(&self, name: &str) -> Result<Vec<u8>, Problem> {
        self.document(name).map_err(|error| Problem::io("cannot write JUnit XML", &error))
    }

    fn document(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let mut writer = Writer::new_with_indent(vec![], b' ', 2);
        let (tests, failures) = (self.checks.len().to_string(), self.failures().count().to_string());
        let attributes = [("name", writable(name)), ("tests", tests), ("failures", failures)];
        writer.write_event(Event::Start(start("testsuites", &attributes)))?;
        let errors = [("errors", "0".to_owned()), ("skipped", "0".to_owned())];
        let attributes: Vec<_> = attributes.into_iter().chain(errors).collect();
        writer.write_event(Event::Start(start("testsuite", &attributes)))?;
        for check in &self.checks {
            case(&mut writer, check)?;
        }
        writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
        writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
        let mut bytes = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
        bytes.extend(writer.into_inner());
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn case(writer: &mut Writer<Vec<u8>>, check: &Check) -> std::io::Result<()> {
    let attributes = [("classname", check.kind.to_owned()), ("name", writable(&check.name()))];
    let case = start("testcase", &attributes);
    if check.passed {
        return writer.write_event(Event::Empty(case));
    }
    writer.write_event(Event::Start(case))?;
    let told = writable(&check.difference());
    writer.write_event(Event::Start(start("failure", &[("message", told.clone())])))?;
    writer.write_event(Event::Text(BytesText::new(&told)))?;
    writer.write_event(Event::End(BytesEnd::new("failure")))?;
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
