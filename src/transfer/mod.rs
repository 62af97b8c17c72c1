//! Everything a rebuild needs, as one deterministic file, and back.
//!
//! Names `base stream format recipe lock plan store host`; touches the world through `store` and `host`. An archive holds
//! recipes with the files they name, the part of the lock they need, and as objects the inputs that come from outside; with
//! them a store elsewhere builds the same bytes without a network. Bundles go along as plain directories to compare with:
//! what a derivation gave is never taken from an archive, as that would let one recipe's archive decide another's build.
//!
//! Read next: [`pack`] (gather and write), [`mod@open`] (verify), [`mod@unpack`] (into store and directory), then
//! `crate::format::archive` (the bytes).

pub(crate) mod open;
pub(crate) mod pack;
pub(crate) mod unpack;

pub(crate) use open::{Opened, listed, open};
pub(crate) use pack::{Packed, Piece, gather};
pub(crate) use unpack::{Unpacked, unpack};

pub(crate) use crate::format::archive::Index;
