//! What every command is given: the global options, the environment, and what they open. Read next: [`super::printer`].

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Event, Events, Name, text::one_line};
use crate::fetch::{Fetch, Http, Offline, Settings};
use crate::host::{Environment, files};
use crate::lock::{Config, Mirrors};
use crate::recipe::Source;
use crate::store::Store;
use crate::vm::Program;

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// Store directory [default: the nearest tagged `cache/` above, else $XDG_CACHE_HOME/arca-build; env: ARCA_CACHE]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache: Option<PathBuf>,
    /// Configuration file with `[mirrors]` and `keyring` [default: $XDG_CONFIG_HOME/arca-build/config.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Lock file [default: `arca.lock` beside the recipe]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lock: Option<PathBuf>,
    /// OpenPGP keys that `update` checks signatures by, besides those of the configuration; may be given several times
    #[arg(long = "keyring", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub keyrings: Vec<PathBuf>,
    /// Require arca.lock to be up to date (for CI)
    #[arg(long, global = true)]
    pub locked: bool,
    /// Do not use the network; fail if an input is not in the store
    #[arg(long, global = true)]
    pub offline: bool,
    /// Print JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Print errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each step
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// What every command works with.
pub(crate) struct Context<'a> {
    pub environment: Environment,
    pub global: GlobalOptions,
    pub events: Events<'a>,
}

/// What stands in realisation records, for people who look.
pub(crate) const VERSION: &str = concat!("arca-build ", env!("CARGO_PKG_VERSION"));

/// Reads the name of something, as a person typed it.
pub(super) fn named(text: &str, what: &str) -> Result<Name, Diagnostic> {
    let shown = || format!("`{}` is not a valid name for a {what}", one_line(text, 80));
    Name::parse(text).map_err(|error| Diagnostic::new(Code::Usage, shown()).cause(error))
}

/// Writes a word as a shell reads it.
pub(super) fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// The largest input taken while its size is not pinned.
pub(crate) const LARGEST_INPUT: ByteSize = ByteSize::gib(64);

impl Context<'_> {
    pub(super) fn open_store(&self) -> Result<Store<'_>, Diagnostic> {
        Store::open(&self.cache_directory()?, self.events)
    }

    /// Refuses a `--cache` that is not there, for a command that only asks: a slip of the pen would be answered as an empty store.
    ///
    /// # Errors
    /// `E_USAGE`.
    pub(crate) fn demand_named_store(&self) -> Result<(), Diagnostic> {
        let Some(named) = self.global.cache.as_deref() else { return Ok(()) };
        let (path, shown) = (self.absolute(named), one_line(&named.to_string_lossy(), 200));
        // What cannot be seen may be there.
        Store::refuse_foreign_owner(&path)?;
        if files::is_directory(&path) {
            return Ok(());
        }
        let headline = match files::exists(&path) {
            true => format!("`--cache {shown}` is no directory"),
            false => format!("there is no store `{shown}`"),
        };
        Err(Diagnostic::new(Code::Usage, headline)
            .note("this command only looks, and makes no store")
            .hint("name the directory of an existing store, or leave out `--cache`; `arca-build store path` tells which one is used then"))
    }

    /// Opens the store where there is one: a question creates none.
    pub(super) fn open_existing_store(&self) -> Result<Option<Store<'_>>, Diagnostic> {
        let directory = self.cache_directory()?;
        if Store::is_absent(&directory) {
            let shown = one_line(&directory.to_string_lossy(), 400);
            self.tell(format!("there is no store in `{shown}` yet"));
            return Ok(None);
        }
        self.open_store().map(Some)
    }

    pub(super) fn cache_directory(&self) -> Result<PathBuf, Diagnostic> {
        self.environment.cache_directory(self.global.cache.as_deref())
    }

    pub(super) fn fetcher(&self) -> Box<dyn Fetch> {
        if self.global.offline { Box::new(Offline) } else { Box::new(Http::new(Settings::default())) }
    }

    /// Reads `[mirrors]`.
    pub(super) fn mirrors(&self) -> Result<Mirrors, Diagnostics> {
        self.configuration().map(|config| config.mirrors)
    }

    /// Reads the configuration file; one that is named on the command line must exist.
    pub(super) fn configuration(&self) -> Result<Config, Diagnostics> {
        let Some(path) = self.config_path() else { return Ok(Config::default()) };
        let text = files::read_text(&path).map_err(|problem| match &problem.hint {
            None => problem.hint("make it readable, or name another file with `--config FILE`"),
            Some(_) => problem,
        })?;
        // As it was named, where it was.
        let shown = self.global.config.as_ref().unwrap_or(&path).display().to_string();
        match text {
            Some(text) => Config::parse(&text, &shown),
            None if self.global.config.is_some() => {
                Err(Diagnostic::new(Code::Usage, format!("there is no configuration file `{shown}`")).into())
            }
            None => Ok(Config::default()),
        }
    }

    /// Returns where the configuration file is, or would be.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        self.global.config.clone().or_else(|| self.environment.config_file()).map(|path| self.absolute(&path))
    }

    /// Writes the command that a hint tells, for a recipe, with the files that were named for this one.
    pub(super) fn command(&self, words: &str, recipe: &str) -> String {
        let named = [("--lock", &self.global.lock), ("--config", &self.global.config)];
        let named = named.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
        let keyrings = self.global.keyrings.iter().map(|path| ("--keyring", path));
        let flags = named.chain(keyrings).map(|(flag, path)| format!(" {flag} {}", quoted(&path.to_string_lossy())));
        let recipe = quoted(&one_line(recipe, 200));
        format!("arca-build {words} {recipe}{}", flags.collect::<String>())
    }

    /// Lists where to look for a source: mirrors first, then itself.
    pub(super) fn candidates(mirrors: &Mirrors, source: &Source) -> Vec<Source> {
        match source {
            Source::Url(url) => mirrors.apply(url).into_iter().map(Source::Url).collect(),
            Source::Path(_) => vec![source.clone()],
        }
    }

    /// Informs the person while the command runs.
    pub(super) fn tell(&self, text: impl Into<String>) {
        (self.events)(Event::Told { text: text.into() });
    }

    /// Warns a person.
    pub(super) fn warn(&self, text: impl Into<String>) {
        (self.events)(Event::Warning { text: text.into() });
    }

    /// Finds a program of this machine; `hint` says how to get it.
    pub(super) fn program(&self, name: &str, hint: &str) -> Result<Program, Diagnostic> {
        Program::find(name, self.environment.search_path(), hint)
    }

    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.environment.directory().join(path)
    }
}
