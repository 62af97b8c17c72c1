//! One file per command, each a short story read top to bottom. The only voice is the value returned and the events.
//!
//! Names everything above but `stream` and `format`; touches the world through them. Read next: [`build`].

pub mod build;
pub mod check;
pub mod diff;
pub mod export;
pub mod fetch;
pub mod import;
pub mod inspect;
mod metalink;
pub mod mirror;
mod moved;
pub mod new;
pub mod rebuild;
mod recipe_file;
pub mod show;
pub mod store;
pub mod update;
pub mod verify;

use std::path::{Path, PathBuf};

use crate::base::{ByteSize, Events, Problem};
use crate::fetch::{Fetch, Http, Offline, Settings};
use crate::host::Environment;
use crate::lock::Mirrors;
use crate::store::Store;
// What results hold, so that `cli` needs to name no deeper floor.
pub use crate::bundle::Verified;
pub use crate::closure::{Index, Packed, Unpacked};
pub use crate::compare::Differences;
pub use crate::lock::Pin;
pub use crate::plan::Plan;
pub use crate::realise::Tally;
pub use crate::recipe::Source;
pub use crate::store::{
    BundleUsage, Collect, Flaw, GcReport, Healed, Holder, Listed, Policy, Repair, Root, Rootless, State, Usage,
    VerifyReport,
};
pub use recipe_file::Loaded;

/// What said how, for every command alike.
pub struct Session<'a> {
    pub environment: Environment,
    /// `--cache`.
    pub cache: Option<PathBuf>,
    /// `--offline`.
    pub offline: bool,
    /// `--lock`.
    pub lock: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    pub events: Events<'a>,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("cache", &self.cache).field("offline", &self.offline).finish_non_exhaustive()
    }
}

/// What stands in realisation records, for people who look.
pub const VERSION: &str = concat!("arca-build ", env!("CARGO_PKG_VERSION"));
/// The largest input taken while its size is not pinned.
pub const LARGEST_INPUT: ByteSize = ByteSize::gib(64);
/// Below this, asking a list of mirrors costs more than it brings.
pub const PIECES_FROM: ByteSize = ByteSize::mib(32);

impl Session<'_> {
    fn open_store(&self) -> Result<Store<'_>, Problem> {
        Store::open(&self.cache_directory()?, self.events)
    }

    fn cache_directory(&self) -> Result<PathBuf, Problem> {
        self.environment.cache_directory(self.cache.as_deref())
    }

    fn fetcher(&self) -> Box<dyn Fetch> {
        if self.offline { Box::new(Offline) } else { Box::new(Http::new(Settings::default())) }
    }

    /// Reads `[mirrors]`; a configuration file named on the command line must exist.
    fn mirrors(&self) -> Result<Mirrors, crate::base::Problems> {
        let named = self.config.clone();
        let Some(path) = named.clone().or_else(|| self.environment.config_file()) else {
            return Ok(Mirrors::default());
        };
        let text = crate::host::files::read_text(&self.absolute(&path)).map_err(|problem| match &problem.hint {
            None => problem.hint("make it readable, or name another file with `--config FILE`"),
            Some(_) => problem,
        })?;
        match text {
            Some(text) => Mirrors::parse(&text, &path.display().to_string()),
            None if named.is_some() => Err(Problem::new(
                crate::base::Code::Usage,
                format!("there is no configuration file `{}`", path.display()),
            )
            .into()),
            None => Ok(Mirrors::default()),
        }
    }

    /// Lists where to look for a source: mirrors first, then itself.
    fn candidates(mirrors: &Mirrors, source: &Source) -> Vec<Source> {
        match source {
            Source::Url(url) => mirrors.apply(url).into_iter().map(Source::Url).collect(),
            Source::Path(_) => vec![source.clone()],
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.environment.directory().join(path)
    }
}
