//! Which engine does which part of the wish, and the account of it that `explain` prints. Touches nothing.
//!
//! Either engine can do everything. Where the recipe leaves the choice, Ignition takes what it checks before it acts
//! (accounts, files, units) and Combustion what needs commands in the new snapshot (packages, pools, scripts) or the initrd
//! before the network is up. Feature modules ask [`Shares::of`] where their part goes and write there.

use std::fmt;

use super::subvolume;
use super::wanted::{Wanted, WantedFile, WantedUnit};
use crate::base::{BaseKind, Engine};
use crate::recipe::{Recipe, Source};

/// One of the two engines, as the place where a part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Ignition,
    Combustion,
}

/// A part of the wish that goes to one engine as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Root, users, groups, their keys.
    Accounts,
    /// Files, directories, links.
    Files,
    Units,
    /// Host name, time zone, locale, keymap, time servers, proxy.
    Settings,
    KernelArguments,
    Certificates,
    Network,
    Packages,
    Containers,
    Scripts,
    Mounts,
    Pools,
    /// What tells of all the others.
    Report,
    /// A ready-made config or script: whose it is, is not ours to choose.
    ReadyMade,
}

impl Part {
    /// Returns the engine that does it best, and why.
    pub(crate) const fn best(self) -> (Side, &'static str) {
        match self {
            Self::Accounts => (Side::Ignition, "Ignition checks accounts before it touches the disk"),
            Self::Files => (Side::Ignition, "Ignition writes files before anything of the system has started"),
            Self::Units => (Side::Ignition, "Ignition presets units before systemd reads them"),
            Self::Settings => (Side::Ignition, "plain files, which Ignition writes before the system starts"),
            Self::KernelArguments => (
                Side::Ignition,
                "Ignition restarts the guest in the initrd; after Combustion all would start once in vain",
            ),
            Self::Certificates => {
                (Side::Ignition, "plain files; the image makes its trust store anew when it starts, by either engine")
            }
            Self::Network => (Side::Combustion, "Combustion's prepare phase sets it up in the initrd already"),
            Self::Packages => {
                (Side::Combustion, "packages are installed in Combustion's transaction, without a further reboot")
            }
            Self::Containers => (Side::Ignition, "units and files, which Ignition writes before the system starts"),
            Self::Scripts => (Side::Combustion, "scripts run in Combustion's snapshot, which a failure rolls back"),
            Self::Mounts => (Side::Ignition, "mount units, which Ignition writes before systemd reads them"),
            Self::Report => (Side::Ignition, "a unit and its script, which Ignition writes before systemd reads them"),
            Self::ReadyMade => (Side::Ignition, ""),
            Self::Pools => {
                (Side::Combustion, "a pool over several disks is beyond Ignition, which looks at the first only")
            }
        }
    }
}

impl Part {
    /// Returns what the part is called in a sentence.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Files => "files",
            Self::Units => "units",
            Self::Settings => "settings",
            Self::KernelArguments => "kernel arguments",
            Self::Certificates => "certificates",
            Self::Network => "the network",
            Self::Packages => "packages",
            Self::Containers => "containers",
            Self::Scripts => "scripts",
            Self::Mounts => "mounts",
            Self::Pools => "pools",
            Self::Report => "the report",
            Self::ReadyMade => "ready-made files",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignition => "Ignition",
            Self::Combustion => "Combustion",
        })
    }
}

/// One line of the account: what was written for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub side: Side,
    pub part: Part,
    /// Such as "user `bob` with 2 keys"; nothing in it is secret.
    pub what: String,
    /// Why that engine, or which habit of MicroOS the line serves.
    pub why: String,
}

/// How the parts are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Everything to one engine.
    All(Side),
    /// Each part to the one that does it best.
    Best,
}

impl Split {
    /// Decides by the recipe's engine; where that is `auto`, by the image.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        match recipe.provision.engine() {
            Engine::Ignition => Self::All(Side::Ignition),
            Engine::Combustion => Self::All(Side::Combustion),
            Engine::Auto if lacks_ignition(recipe) => Self::All(Side::Combustion),
            Engine::Auto => Self::Best,
        }
    }

    /// Returns the engine of a part.
    pub(crate) const fn side(self, part: Part) -> Side {
        match self {
            Self::All(side) => side,
            Self::Best => part.best().0,
        }
    }

    /// Returns the engine of a path: Ignition cannot write the root snapshot, Combustion can.
    pub(crate) fn side_of_path(self, path: &str) -> Side {
        match self.side(Part::Files) {
            Side::Ignition if self == Self::Best && subvolume::is_read_only(path) => Side::Combustion,
            side => side,
        }
    }
}

impl Split {
    /// Returns the engine of a path, and why where that is not who writes the others.
    pub(crate) fn side_of_path_why(self, path: &str) -> (Side, &'static str) {
        let side = self.side_of_path(path);
        let is_odd = side != self.side(Part::Files);
        (side, if is_odd { "the root snapshot is read-only to Ignition" } else { "" })
    }
}

/// Tells whether the image is of the flavour that boots by systemd-boot and has no Ignition, by its published name.
pub(crate) fn lacks_ignition(recipe: &Recipe) -> bool {
    recipe.base.kind != BaseKind::Iso && image_name(recipe).contains("-sdboot")
}

/// Returns the image's published name.
pub(crate) fn image_name(recipe: &Recipe) -> &str {
    match &recipe.base.source.value {
        Source::Url(url) => url.file_name(),
        Source::Path(path) => path.file_name(),
    }
}

/// The wish, shared out.
pub(crate) struct Shares {
    pub split: Split,
    pub ignition: Wanted,
    pub combustion: Wanted,
    /// In the order written.
    pub placed: Vec<Placed>,
}

impl Shares {
    /// Begins with nothing wanted.
    pub(crate) fn new(split: Split) -> Self {
        Self { split, ignition: Wanted::default(), combustion: Wanted::default(), placed: vec![] }
    }

    /// Returns the engine that does a part.
    pub(crate) const fn side(&self, part: Part) -> Side {
        self.split.side(part)
    }

    /// Returns what is written for an engine.
    pub(crate) const fn on(&mut self, side: Side) -> &mut Wanted {
        match side {
            Side::Ignition => &mut self.ignition,
            Side::Combustion => &mut self.combustion,
        }
    }

    /// Enters a line into the account; without `why` the part's own reason is told, where the choice was ours.
    pub(crate) fn account(&mut self, part: Part, side: Side, what: impl Into<String>, why: &str) {
        let own = if self.split == Split::Best && part.best().0 == side { part.best().1 } else { "" };
        let why = if why.is_empty() { own } else { why };
        self.placed.push(Placed { side, part, what: what.into(), why: why.to_owned() });
    }

    /// Goes through both shares.
    pub(crate) fn both(&self) -> impl Iterator<Item = &Wanted> + Clone {
        [&self.ignition, &self.combustion].into_iter()
    }

    /// Goes through the files of both.
    pub(crate) fn files(&self) -> impl Iterator<Item = &WantedFile> + Clone {
        self.both().flat_map(|wanted| &wanted.files)
    }

    /// Goes through the units of both.
    pub(crate) fn units(&self) -> impl Iterator<Item = &WantedUnit> + Clone {
        self.both().flat_map(|wanted| &wanted.units)
    }
}
