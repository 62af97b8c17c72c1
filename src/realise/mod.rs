//! Walks a plan: reuses what the store holds, builds the rest, records it.
//!
//! The only place where effects meet: the store keeps, `fetch` brings what is remote, `host` reads what is local, the
//! pure floors make the bytes. Nothing here decides what to build. Read next: [`scheduler`] (the walk), [`build`] (one function a builder),
//! [`input`] (how fixed-output bytes are brought), [`mirrors`] (where else they may be), [`unpack`] (compressed and
//! raw bases), [`check`](mod@check) (the same again, compared), then `bundle`.

mod build;
mod builders;
mod carry;
mod check;
mod context;
mod gate;
mod input;
mod learn;
mod mirrors;
mod scheduler;
mod unpack;

pub(crate) use check::{Difference, check};
pub(crate) use context::{BuildContext, BuildStats, Realised};
pub(crate) use learn::{head, learn};
pub(crate) use scheduler::{realise, realise_inputs};
