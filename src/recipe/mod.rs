//! TOML text → [`Recipe`] as written, every complaint with file, line and column.
//!
//! Parsing touches no file and no network. Read next: [`recipe`](self) (a whole recipe), `table.rs` (how a key is declared),
//! then `lock`.

pub(crate) mod account;
mod allow;
mod base;
pub(crate) mod container;
mod content;
pub(crate) mod embedded;
pub(crate) mod files;
pub(crate) mod hardware;
pub(crate) mod image;
pub(crate) mod inputs;
pub(crate) mod keys;
pub(crate) mod local;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod numbers;
pub(crate) mod path;
pub(crate) mod provision;
#[expect(clippy::module_inception, reason = "a whole recipe is the top of what recipes are made of")]
mod recipe;
pub(crate) mod reference;
pub(crate) mod settings;
mod sniff;
pub(crate) mod storage;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod transport;
pub(crate) mod types;
pub(crate) mod units;
mod values;
pub(crate) mod xml;

pub(crate) use account::{Account, User};
pub(crate) use base::Base;
pub(crate) use container::{Container, Image, Quadlet, Service, Volume};
pub(crate) use content::{CONTENT_LIMIT, Carried, Content};
pub(crate) use embedded::{EXAMPLE_LOGIN, embedded};
pub(crate) use files::{CaCertificate, DirectorySpec, FileSpec, LinkSpec};
pub(crate) use hardware::{Cpu, CpuMode, Forward, Hardware, Topology, Watchdog};
pub(crate) use image::ImageReference;
pub(crate) use inputs::Input;
pub(crate) use local::{CONTENTS_LIMIT, LocalFile, LocalFiles, Use};
pub(crate) use machine::{Accel, DEFAULT_STORAGE, DataDisk, Firmware, Graphics, Network, SystemMode};
pub(crate) use path::{RecipePath, Source};
pub(crate) use provision::Media;
pub(crate) use recipe::{FORMAT, Recipe, parse};
pub(crate) use settings::{Proxy, Settings};
pub(crate) use sniff::is_recipe;
pub(crate) use units::{Run, Timer, Unit};
pub(crate) use xml::XmlEdit;
