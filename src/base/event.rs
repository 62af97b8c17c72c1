//! What the depths say while they work; `cli` alone draws it. Touches nothing.

use super::{Digest, size::ByteSize};

/// One thing that happened. Names are short and already free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Work that may take long begins; `total` is in bytes where it is known.
    Started { what: String, total: Option<ByteSize> },
    /// `done` bytes of it are there; sent at most a few times a second.
    Progress { what: String, done: ByteSize },
    /// It ended, well or not; a failure is told by the error.
    Finished { what: String },
    /// A thing was already in the store.
    Reused { what: String, digest: Digest },
    /// An input came over the network or from a file.
    Fetched { what: String, from: String, size: ByteSize },
    /// A derivation was built.
    Built { what: String, digest: Digest },
    /// Another process holds what we need.
    Waiting { what: String },
    /// What a person wants to know while it lasts, such as how to log in; one line.
    Told { text: String },
    /// Something the person should know; one sentence.
    Warning { text: String },
}

/// Who listens. Called from any thread.
pub(crate) type Events<'a> = &'a (dyn Fn(Event) + Sync);
