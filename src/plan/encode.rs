//! The canonical encoding that ids are hashed from: tag, version, then fields, each with its length first.
//!
//! Two different values never encode alike, because nothing is joined without a length. Touches nothing.

use crate::base::Digest;

/// Version of the encoding itself; a change gives every derivation and plan a new id.
const VERSION: u64 = 1;

/// Gathers the fields of one value in a fixed order.
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    /// Begins an encoding under a tag that no other kind of value uses.
    pub(super) fn new(tag: &str) -> Self {
        let mut encoder = Self(Vec::with_capacity(256));
        encoder.text("arca-build").text(tag).number(VERSION);
        encoder
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(super) fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.bytes(digest.as_bytes())
    }

    /// Encodes an absent number differently from every present one.
    pub(super) fn optional(&mut self, number: Option<u64>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => self.bytes(&[]),
        }
    }

    pub(super) fn finish(&self) -> Digest {
        Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_never_run_together() {
        let digest = |fields: &[&str]| {
            let mut encoder = Encoder::new("test");
            fields.iter().for_each(|field| {
                encoder.text(field);
            });
            encoder.finish()
        };
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["", "a"]), digest(&["a", ""]));
        assert_ne!(Encoder::new("a").optional(None).finish(), Encoder::new("a").optional(Some(0)).finish());
    }
}
