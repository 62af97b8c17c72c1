//! Realisations: which object a derivation gave. Touches `realisations-v1`. Read next: `crate::realise`.
//!
//! ```text
//! arca-build realisation 1
//! output sha256:<64 digits> <size>
//! tool <version>
//! derivation <id>
//! ```
//!
//! The last line is the file's own name: a record under another name would give one derivation the bytes of another.

use std::path::{Path, PathBuf};

use super::fail;
use super::handle::Store;
use super::layout::REALISATIONS;
use super::object::StoreObject;
use crate::base::{DerivationId, Diagnostic, Digest, text::one_line};

const HEADER: &str = "arca-build realisation 1";
/// The most bytes a record may have.
pub(super) const CAP: u64 = 4 << 10;

fn name(id: &DerivationId) -> PathBuf {
    Path::new(REALISATIONS).join(id.to_string())
}

impl Store<'_> {
    /// Finds the object a derivation gave earlier.
    ///
    /// A record that is lost, garbled or of a newer format is a miss, and so is one whose object is gone or damaged: a
    /// record only ever spares work.
    pub(crate) fn realisation(&self, id: &DerivationId) -> Option<StoreObject> {
        let (digest, size) = self.recorded(id)?;
        self.find(&digest).ok().flatten().filter(|object| object.size() == size)
    }

    /// Records durably what a derivation gave; `note` is the version of the tool.
    pub(crate) fn record(&self, id: &DerivationId, object: &StoreObject, note: &str) -> Result<(), Diagnostic> {
        if self.recorded(id) == Some((object.digest(), object.size())) {
            return Ok(());
        }
        self.check_writable()?;
        let text = print(id, object, note);
        self.write_durable(&name(id), text.as_bytes())
            .map_err(|error| fail::write("cannot record a realisation", self.dir(), &error))
    }

    /// Returns digest and size of what a derivation gave earlier, as the record says; the object may be gone.
    pub(crate) fn recorded(&self, id: &DerivationId) -> Option<(Digest, u64)> {
        parse(&self.tree.read_small(name(id), CAP).ok()?, id)
    }
}

fn print(id: &DerivationId, object: &StoreObject, note: &str) -> String {
    let (digest, size, note) = (object.digest(), object.size(), one_line(note, 200));
    format!("{HEADER}\noutput sha256:{digest} {size}\ntool {note}\nderivation {id}\n")
}

/// Reads the record of a derivation; that of another one is none.
pub(super) fn parse(bytes: &[u8], id: &DerivationId) -> Option<(Digest, u64)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (header, rest) = text.split_once('\n')?;
    let (output, tool) = rest.strip_prefix("output sha256:")?.split_once('\n')?;
    let (digest, size) = output.split_once(' ')?;
    let whole = header == HEADER && tool.starts_with("tool ") && tool.ends_with(&format!("\nderivation {id}\n"));
    whole.then_some((Digest::parse(digest).ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_06_a_garbled_record_is_a_miss() {
        let object = StoreObject::new(Digest::of(b"x"), 1);
        let id = DerivationId(Digest::of(b"id"));
        let text = print(&id, &object, "0.1.0\nevil \u{1b}");
        assert_eq!(parse(text.as_bytes(), &id), Some((object.digest(), 1)));
        assert_eq!(parse(text.as_bytes(), &DerivationId(Digest::of(b"other"))), None, "swapped");
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end], &id), None, "cut at {end}");
        }
        assert_eq!(parse(text.replace("realisation 1", "realisation 2").as_bytes(), &id), None);
        assert_eq!(parse(text.replace("sha256", "sha512").as_bytes(), &id), None);
    }
}
