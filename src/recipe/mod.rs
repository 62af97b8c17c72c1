//! TOML text → [`Recipe`] as written, every complaint with file, line and column.
//!
//! Parsing touches no file and no network. Read next: [`model`] (what a recipe can say), [`keys`] (how it is written),
//! `parse/` (how one becomes the other), then `lock`.

mod allow;
pub mod carried;
pub mod embedded;
pub mod hardware;
pub mod image;
pub mod keys;
pub mod local;
pub mod model;
pub mod network;
mod parse;
pub mod quadlet;
pub(crate) mod reader;
pub mod reference;
mod rules;
pub mod scripts;
pub mod settings;
mod sniff;
pub mod storage;
mod template;
mod transport;
pub mod xml;

pub use allow::Allow;
pub use carried::{Carried, Container, Image};
pub use embedded::{Embedded, embedded};
pub use hardware::{CpuMode, Forward, Hardware, MemoryOptions, Protocol, Security, Topology, Watchdog};
pub use image::{ImageReference, ReferenceError};
pub use keys::{KEYS, Key, KeyType};
pub use local::{CONTENT_LIMIT, CONTENTS_LIMIT, LocalFile, LocalFiles, Use};
pub use model::*;
pub use parse::{FORMAT, parse};
pub use quadlet::{Quadlet, Service, Volume};
pub use reader::FILE_LIMIT;
pub use rules::PathError;
pub use settings::{CaCertificate, GuestDirectory, GuestGroup, GuestLink, Proxy, Settings};
pub use sniff::is_recipe;
pub use transport::Transports;
pub use xml::{XmlEdit, XmlElement};
