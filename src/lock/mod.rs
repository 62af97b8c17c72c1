//! (stand-in)
use crate::base::{ByteSize, Digest};
use crate::recipe::Source;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedBase {
    pub digest: Digest,
    pub size: Option<ByteSize>,
    pub sources: Vec<Source>,
}
