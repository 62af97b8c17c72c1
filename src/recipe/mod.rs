//! TOML text → [`Recipe`] as written, every complaint with file, line and column.
//!
//! Parsing touches no file and no network. Read next: [`model`] (what a recipe can say), [`keys`] (how it is written),
//! `parse/` (how one becomes the other), then `lock`.

mod allow;
pub(crate) mod carried;
pub(crate) mod embedded;
pub(crate) mod hardware;
pub(crate) mod image;
pub(crate) mod keys;
pub(crate) mod local;
pub(crate) mod model;
pub(crate) mod network;
mod parse;
pub(crate) mod quadlet;
pub(crate) mod reference;
mod rules;
pub(crate) mod scripts;
pub(crate) mod settings;
mod sniff;
pub(crate) mod storage;
mod template;
mod transport;
pub(crate) mod xml;

pub(crate) use allow::Allow;
pub(crate) use carried::{Carried, Container, Image};
pub(crate) use embedded::embedded;
pub(crate) use hardware::{CpuMode, Forward, Hardware, MemoryOptions, Security, Topology, Watchdog};
pub(crate) use image::{ImageReference, ReferenceError};
#[cfg(test)]
pub(crate) use keys::{KEYS, KeyType};
pub(crate) use local::{CONTENT_LIMIT, CONTENTS_LIMIT, LocalFile, LocalFiles, Use};
pub(crate) use model::*;
pub(crate) use parse::{FORMAT, parse};
pub(crate) use quadlet::{Quadlet, Service, Volume};
pub(crate) use settings::{CaCertificate, DirectorySpec, GroupSpec, LinkSpec, Proxy, Settings};
pub(crate) use sniff::is_recipe;
pub(crate) use transport::Transports;
pub(crate) use xml::XmlEdit;
