//! Metalink lists (`.meta4`): where else a file is found, and its digest. Touches nothing.
//!
//! Format: RFC 5854, The Metalink Download Description Format; §4.1 (elements), §4.2.6 (`hash`), §4.2.16 (`url`).
//! Read by [`crate::format::xml`], so without document type and entities. A list is a stranger's
//! word: nothing in it is believed until it names the digest that is pinned, and then only as far as bytes prove it.
//! Read next: `read.rs`, then `crate::realise`, which asks the mirrors.

mod read;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

pub(crate) use read::parse;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Digest, Url};

/// The largest list that is read; a DVD's, with the pieces that we pass over, has about 1.5 MiB.
pub(crate) const MAX_LENGTH: u64 = 4 << 20;
/// The most mirrors of one list.
pub(crate) const MAX_URLS: usize = 4096;
/// The most files of one list.
pub(crate) const MAX_FILES: usize = 1024;
/// The lowest priority, which a mirror without one has (RFC 5854, §4.2.16.1).
pub(crate) const LAST: u32 = 999_999;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:metalink";

/// Why a list says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetalinkError {
    #[error("the document is not a Metalink list (RFC 5854): {0}")]
    Form(String),
    #[error("the list holds too many {0}")]
    TooMany(&'static str),
    #[error("`{0}` is not a {1}")]
    Value(String, &'static str),
    /// Nothing says which of them is meant.
    #[error("the list holds two {0} of one file")]
    Twice(&'static str),
    #[error("the list does not name the file `{0}`")]
    NoFile(String),
    #[error("the list gives no sha-256 of the file")]
    NoDigest,
    #[error("the list is about other bytes: sha256:{0}")]
    OtherDigest(Digest),
    #[error("the list is about a file of {0} bytes")]
    OtherSize(u64),
}

impl From<MetalinkError> for Diagnostic {
    fn from(error: MetalinkError) -> Self {
        Self::new(Code::NetProtocol, format!("cannot use the list of mirrors: {error}"))
    }
}

/// A list as it was read; what it says of hashes other than sha-256 is left out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Metalink {
    pub files: Vec<File>,
}

/// One file of a list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct File {
    /// As written, not encoded; a name is compared, never used as a path.
    pub name: String,
    pub size: Option<u64>,
    pub sha256: Option<Digest>,
    /// In the order of the list; see [`File::by_priority`].
    pub mirrors: Vec<Mirror>,
}

/// One address of a file, `http` or `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub url: Url,
    /// 1 is asked first.
    pub priority: u32,
}

impl Metalink {
    /// Finds the one file of exactly this name.
    pub(crate) fn file(&self, name: &str) -> Result<&File, MetalinkError> {
        let mut named = self.files.iter().filter(|file| file.name == name);
        match (named.next(), named.next()) {
            (Some(file), None) => Ok(file),
            (Some(_), Some(_)) => Err(MetalinkError::Twice("entries")),
            (None, _) => Err(MetalinkError::NoFile(one_line(name, 200))),
        }
    }
}

impl File {
    /// Demands that the list is about just these bytes; a size it does not tell cannot disagree.
    pub(crate) fn agrees(&self, digest: &Digest, size: Option<u64>) -> Result<(), MetalinkError> {
        match (self.sha256, self.size, size) {
            (None, ..) => Err(MetalinkError::NoDigest),
            (Some(other), ..) if other != *digest => Err(MetalinkError::OtherDigest(other)),
            (_, Some(told), Some(size)) if told != size => Err(MetalinkError::OtherSize(told)),
            _ => Ok(()),
        }
    }

    /// Returns the mirrors, best first; those of one priority in the order of the list.
    pub(crate) fn by_priority(&self) -> Vec<&Mirror> {
        let mut mirrors: Vec<_> = self.mirrors.iter().collect();
        mirrors.sort_by_key(|mirror| mirror.priority);
        mirrors
    }

    /// Writes a list of this one file; [`parse`] reads back the same.
    pub(crate) fn print(&self) -> String {
        let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metalink xmlns=\"{NAMESPACE}\">\n");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  <file name=\"{}\">", escaped(&self.name));
        if let Some(size) = self.size {
            let _ = writeln!(text, "    <size>{size}</size>");
        }
        if let Some(digest) = self.sha256 {
            let _ = writeln!(text, "    <hash type=\"sha-256\">{digest}</hash>");
        }
        for Mirror { url, priority } in &self.mirrors {
            let _ = writeln!(text, "    <url priority=\"{priority}\">{}</url>", escaped(url.expose()));
        }
        text + "  </file>\n</metalink>\n"
    }
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
