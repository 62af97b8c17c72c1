//! XML as a tree that tests can compare.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
    pub children: Vec<Node>,
}

impl Node {
    fn new(start: &BytesStart) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
            (name(attribute.key.as_ref()), value)
        });
        Self { name: name(start.name().as_ref()), attributes: attributes.collect(), ..Self::default() }
    }

    /// Follows a path of element names, taking the first of each.
    pub fn at(&self, path: &str) -> &Self {
        path.split('/').fold(self, |node, name| {
            node.children
                .iter()
                .find(|child| child.name == name)
                .unwrap_or_else(|| panic!("no {name} of {path}: {node:#?}"))
        })
    }

    /// Lists the children of a name.
    pub fn all(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Writes one line for every element: its path, attributes and text.
    pub fn lines(&self, path: &str) -> Vec<String> {
        let attributes: String = self.attributes.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
        let path = format!("{path}/{}", self.name);
        let mut lines = vec![format!("{path}{attributes} {:?}", self.text)];
        lines.extend(self.children.iter().flat_map(|child| child.lines(&path)));
        lines
    }

    /// Sorts children by name, keeping those of one name in order, all the way down: libvirt does not care.
    pub fn sort(&mut self) {
        self.children.sort_by(|a, b| a.name.cmp(&b.name));
        self.children.iter_mut().for_each(Self::sort);
    }
}

fn name(bytes: &(impl AsRef<[u8]> + ?Sized)) -> String {
    String::from_utf8(bytes.as_ref().to_vec()).unwrap()
}

/// Reads one document, or several that follow each other.
pub fn parse(text: &str) -> Vec<Node> {
    let (mut reader, mut open, mut done) = (Reader::from_str(text), vec![Node::default()], vec![]);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(Node::new(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(Node::new(&start)),
            Event::End(_) => {
                let mut node = open.pop().unwrap();
                node.text = node.text.trim().to_owned();
                open.last_mut().unwrap().children.push(node);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", &*reference);
                open.last_mut().unwrap().text.push_str(&quick_xml::escape::unescape(&reference).unwrap());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    done.append(&mut open[0].children);
    done
}
