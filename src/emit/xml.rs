//! A small tree of XML elements and its writer. Touches nothing.
//!
//! Names are ours, or of the recipe's edits, where they were checked. `quick-xml` escapes; what it cannot write, control characters, [`super::quote::printable`] refused before.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::plan::XmlElement;

/// An element: attributes in the order given, then either children or text.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    name: Cow<'static, str>,
    attributes: Vec<(Cow<'static, str>, String)>,
    children: Vec<Element>,
    text: Option<String>,
}

/// Begins an element.
pub(crate) const fn element(name: &'static str) -> Element {
    Element { name: Cow::Borrowed(name), attributes: vec![], children: vec![], text: None }
}

impl Element {
    /// Begins an element of a name that only the recipe knows.
    pub(crate) const fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), attributes: vec![], children: vec![], text: None }
    }

    /// Adds an attribute.
    #[must_use]
    pub(crate) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Sets the text; an element has text or children.
    #[must_use]
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds a child.
    #[must_use]
    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    #[must_use]
    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether an attribute has a value.
    pub(crate) fn says(&self, name: &str, value: &str) -> bool {
        self.attributes.iter().any(|(known, said)| known == name && said == value)
    }

    /// Returns the children, to be changed.
    pub(crate) const fn children_mut(&mut self) -> &mut Vec<Self> {
        &mut self.children
    }

    /// Writes the element as a document of its own, two spaces an indent, a final newline.
    pub(crate) fn document(&self) -> std::io::Result<Vec<u8>> {
        let mut writer = Writer::new_with_indent(vec![], b' ', 2);
        self.write(&mut writer)?;
        let mut bytes = writer.into_inner();
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(&*self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((&**name, value.as_str()));
        }
        if self.children.is_empty() && self.text.is_none() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            writer.write_event(Event::Text(BytesText::new(text)))?;
        }
        self.children.iter().try_for_each(|child| child.write(writer))?;
        writer.write_event(Event::End(BytesEnd::new(&*self.name)))
    }
}

impl From<&XmlElement> for Element {
    fn from(written: &XmlElement) -> Self {
        let attributes = written.attributes().map(|(name, value)| (Cow::Owned(name.to_owned()), value.to_owned()));
        Self {
            name: Cow::Owned(written.name().to_owned()),
            attributes: attributes.collect(),
            children: written.children().iter().map(Self::from).collect(),
            text: written.text().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_6_text_and_attributes_are_escaped() {
        let nasty = "<a href='x'>&amp;\"</a>]]>";
        let tree = element("d").attribute("v", nasty).child(element("t").text(nasty)).child(element("e"));
        let bytes = tree.document().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text.matches("<a").count() + text.matches("]]>").count(), 0, "{text}");
        let mut reader = quick_xml::Reader::from_reader(bytes.as_slice());
        let Event::Start(start) = reader.read_event().unwrap() else { panic!("{text}") };
        let value = start.attributes().next().unwrap().unwrap();
        assert_eq!(quick_xml::escape::unescape(&value.value).unwrap(), nasty);
    }
}
