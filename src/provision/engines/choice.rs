//! Which engine does which feature, and why. Touches nothing.
//!
//! Either engine can do everything. Where the recipe leaves the choice, Ignition takes what it checks before it acts
//! (accounts, files, units) and Combustion what needs commands in the new snapshot (packages, pools, scripts) or the initrd
//! before the network is up. Read next: `outputs`, through which items reach the engine of their feature.

use crate::base::{BaseKind, Engine};
use crate::provision::subvolume;
use crate::recipe::{Recipe, Source};

/// A part of the recipe that goes to one engine as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
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
    /// Reports on all the others.
    Report,
    /// A ready-made config or script: whose it is, is not ours to choose.
    ReadyMade,
}

impl serde::Serialize for Feature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.title())
    }
}

impl Feature {
    /// Returns what it is called in a sentence, the engine that does it best, and why.
    const fn row(self) -> (&'static str, Engine, &'static str) {
        use Engine::{Combustion, Ignition};
        match self {
            Self::Accounts => ("accounts", Ignition, "Ignition checks accounts before it touches the disk"),
            Self::Files => ("files", Ignition, "Ignition writes files before anything of the system has started"),
            Self::Units => ("units", Ignition, "Ignition presets units before systemd reads them"),
            Self::Settings => ("settings", Ignition, "plain files, which Ignition writes before the system starts"),
            Self::KernelArguments => (
                "kernel arguments",
                Ignition,
                "Ignition restarts the guest in the initrd; after Combustion all would start once in vain",
            ),
            Self::Certificates => (
                "certificates",
                Ignition,
                "plain files; the image makes its trust store anew when it starts, by either engine",
            ),
            Self::Network => ("the network", Combustion, "Combustion's prepare phase sets it up in the initrd already"),
            Self::Packages => {
                ("packages", Combustion, "packages are installed in Combustion's transaction, without a further reboot")
            }
            Self::Containers => {
                ("containers", Ignition, "units and files, which Ignition writes before the system starts")
            }
            Self::Scripts => {
                ("scripts", Combustion, "scripts run in Combustion's snapshot, which a failure rolls back")
            }
            Self::Mounts => ("mounts", Ignition, "mount units, which Ignition writes before systemd reads them"),
            Self::Pools => {
                ("pools", Combustion, "a pool over several disks is beyond Ignition, which looks at the first only")
            }
            Self::Report => {
                ("the report", Ignition, "a unit and its script, which Ignition writes before systemd reads them")
            }
            Self::ReadyMade => ("ready-made files", Ignition, ""),
        }
    }

    /// Returns what the feature is called in a sentence.
    pub(crate) const fn title(self) -> &'static str {
        self.row().0
    }
}

/// How the features are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineChoice {
    /// Everything to one engine.
    All(Engine),
    /// Each feature to the one that does it best.
    Best,
}

impl EngineChoice {
    /// Decides by the recipe's engine; where that is `auto`, by the image.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        match recipe.provision.engine {
            Some(engine) => Self::All(engine),
            None if lacks_ignition(recipe) => Self::All(Engine::Combustion),
            None => Self::Best,
        }
    }

    /// Returns the engine of a feature.
    pub(crate) const fn engine(self, feature: Feature) -> Engine {
        match self {
            Self::All(engine) => engine,
            Self::Best => feature.row().1,
        }
    }

    /// Returns the engine of a path: Ignition cannot write the root snapshot, Combustion can. With it why, where it is not
    /// the one that writes the others; a `large` file is too large for a config.
    pub(crate) fn engine_of_path(self, path: &str, large: bool) -> (Engine, &'static str) {
        match self {
            Self::Best if subvolume::is_read_only(path) => {
                (Engine::Combustion, "the root snapshot is read-only to Ignition")
            }
            Self::Best if large => (Engine::Combustion, "it is too large for an Ignition config"),
            _ => (self.engine(Feature::Files), ""),
        }
    }

    /// Returns the engine that can write the root snapshot, where it takes part.
    pub(crate) fn snapshot_writer(self) -> Option<Engine> {
        (self != Self::All(Engine::Ignition)).then_some(Engine::Combustion)
    }

    /// Returns why an engine does a feature: what is odd about it there, or why it was chosen where the choice was ours.
    pub(crate) fn why(self, feature: Feature, engine: Engine) -> &'static str {
        match (feature, engine) {
            (Feature::Network, Engine::Ignition) => "for the system only: in the initrd the network stays as it was",
            (Feature::Scripts, Engine::Ignition) => {
                "Ignition runs nothing: a unit does, in the system, whose root is read-only"
            }
            (Feature::Scripts, Engine::Combustion) => {
                "in Combustion's snapshot, which a failure rolls back; what transactional-update hides is mounted for it"
            }
            _ if self == Self::Best && feature.row().1 == engine => feature.row().2,
            _ => "",
        }
    }

    /// Describes who decided and how.
    pub(crate) fn describe(recipe: &Recipe) -> &'static str {
        match recipe.provision.engine {
            Some(Engine::Ignition) => "the recipe says Ignition",
            Some(Engine::Combustion) => "the recipe says Combustion",
            None if lacks_ignition(recipe) => "the image's flavour has no Ignition: Combustion does everything",
            None => "each part goes to the one that does it best",
        }
    }
}

/// Returns whether the image is of the flavour that boots by systemd-boot and has no Ignition, by its published name.
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
