//! One file per command, each a short story read top to bottom. The only voice is the value returned and the events.
//!
//! Names everything above but `stream` and `format`; touches the world through them. Read next: [`build`].

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod import;
pub(crate) mod import_config;
pub(crate) mod inspect;
pub(crate) mod install;
mod launchable;
mod metalink;
pub(crate) mod mirror;
mod moved;
pub(crate) mod new;
pub(crate) mod passwd;
pub(crate) mod rebuild;
mod recipe_file;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod store;
pub(crate) mod uninstall;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod vms;

use std::path::{Path, PathBuf};

use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Events};
use crate::fetch::{Fetch, Http, Offline, Settings};
use crate::host::Environment;
use crate::lock::{Config, Mirrors};
use crate::store::Store;
// What results hold, so that `cli` needs to name no deeper floor.
pub(crate) use crate::bundle::Verified;
pub(crate) use crate::compare::Differences;
pub(crate) use crate::guest_report::{Check, Verdict};
pub(crate) use crate::lock::oci::Blob;
pub(crate) use crate::lock::{ImagePin, Pin};
pub(crate) use crate::plan::Plan;
pub(crate) use crate::provision::explain::Explanation;
pub(crate) use crate::realise::Tally;
pub(crate) use crate::recipe::Source;
pub(crate) use crate::store::{
    BundleUsage, Collect, Flaw, GcReport, Healed, Holder, Listed, Policy, Repair, Root, Rootless, State, Usage,
    VerifyReport,
};
pub(crate) use crate::transfer::{Index, Packed, Unpacked};
pub(crate) use recipe_file::Loaded;

/// What said how, for every command alike.
pub(crate) struct Session<'a> {
    pub environment: Environment,
    /// `--cache`.
    pub cache: Option<PathBuf>,
    /// `--offline`.
    pub offline: bool,
    /// `--lock`.
    pub lock: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--keyring`, any number of them.
    pub keyrings: Vec<PathBuf>,
    /// `--locked`: no lock may change.
    pub locked: bool,
    pub events: Events<'a>,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("cache", &self.cache).field("offline", &self.offline).finish_non_exhaustive()
    }
}

/// What stands in realisation records, for people who look.
pub(crate) const VERSION: &str = concat!("arca-build ", env!("CARGO_PKG_VERSION"));
/// Writes a word as a shell reads it.
fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// The largest input taken while its size is not pinned.
pub(crate) const LARGEST_INPUT: ByteSize = ByteSize::gib(64);
/// Below this, asking a list of mirrors costs more than it brings.
pub(crate) const PIECES_FROM: ByteSize = ByteSize::mib(32);

impl Session<'_> {
    fn open_store(&self) -> Result<Store<'_>, Diagnostic> {
        Store::open(&self.cache_directory()?, self.events)
    }

    fn cache_directory(&self) -> Result<PathBuf, Diagnostic> {
        self.environment.cache_directory(self.cache.as_deref())
    }

    fn fetcher(&self) -> Box<dyn Fetch> {
        if self.offline { Box::new(Offline) } else { Box::new(Http::new(Settings::default())) }
    }

    /// Reads `[mirrors]`.
    fn mirrors(&self) -> Result<Mirrors, Diagnostics> {
        self.configuration().map(|config| config.mirrors)
    }

    /// Reads the configuration file; one that is named on the command line must exist.
    fn configuration(&self) -> Result<Config, Diagnostics> {
        let Some(path) = self.config_path() else { return Ok(Config::default()) };
        let text = crate::host::files::read_text(&path).map_err(|problem| match &problem.hint {
            None => problem.hint("make it readable, or name another file with `--config FILE`"),
            Some(_) => problem,
        })?;
        // As it was named, where it was.
        let shown = self.config.as_ref().unwrap_or(&path).display().to_string();
        match text {
            Some(text) => Config::parse(&text, &shown),
            None if self.config.is_some() => {
                Err(Diagnostic::new(Code::Usage, format!("there is no configuration file `{shown}`")).into())
            }
            None => Ok(Config::default()),
        }
    }

    /// Returns where the configuration file is, or would be.
    fn config_path(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| self.environment.config_file()).map(|path| self.absolute(&path))
    }

    /// Writes the command that a hint tells, for a recipe, with the files that were named for this one.
    fn command(&self, words: &str, recipe: &str) -> String {
        let named = [("--lock", &self.lock), ("--config", &self.config)];
        let named = named.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
        let keyrings = self.keyrings.iter().map(|path| ("--keyring", path));
        let flags = named.chain(keyrings).map(|(flag, path)| format!(" {flag} {}", quoted(&path.to_string_lossy())));
        let recipe = quoted(&crate::base::text::one_line(recipe, 200));
        format!("arca-build {words} {recipe}{}", flags.collect::<String>())
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
