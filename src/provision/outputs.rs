//! What goes to which engine, and the record of it that `explain` prints. Touches nothing.
//!
//! Items ask for the [`Guest`] of their feature, or of a path, and never name an engine. Read next: `items`, `engines`.

use super::checks::GuestCheck;
use super::engines::choice::{EngineChoice, Feature};
use super::guest::{Guest, GuestFile, GuestUnit, GuestUser, PayloadFile};
use crate::base::{Engine, Location};
use crate::recipe::Recipe;

/// One line of the record: what was written for whom.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Assignment {
    pub engine: Engine,
    #[serde(rename = "part")]
    pub feature: Feature,
    /// Such as "user `bob` with 2 keys"; nothing in it is secret.
    pub what: String,
    /// Why that engine, or which habit of MicroOS the line serves.
    pub why: String,
}

/// Something that is there only when the guest runs.
pub(crate) struct LatePath {
    pub path: String,
    pub what: &'static str,
    /// Whether a file system is mounted there.
    pub is_mounted: bool,
    pub place: Location,
}

/// What each engine is to do, and what is derived from the whole.
pub(crate) struct EngineOutputs {
    pub choice: EngineChoice,
    pub ignition: Guest,
    pub combustion: Guest,
    /// In the order written.
    pub assignments: Vec<Assignment>,
    pub late_paths: Vec<LatePath>,
    /// What the report looks at besides files, units and accounts, in the order written.
    pub checks: Vec<(Feature, GuestCheck)>,
    /// Container images, which travel apart from either engine.
    pub images: Vec<PayloadFile>,
    /// Whether `/home` is a subvolume.
    pub home_subvolume: bool,
}

impl EngineOutputs {
    /// Begins with nothing wanted.
    pub(crate) fn new(recipe: &Recipe) -> Self {
        Self {
            choice: EngineChoice::of(recipe),
            ignition: Guest::default(),
            combustion: Guest::default(),
            assignments: vec![],
            late_paths: vec![],
            checks: vec![],
            images: vec![],
            home_subvolume: recipe.provision.home_subvolume.unwrap_or(true),
        }
    }

    /// Returns what is written for an engine.
    pub(crate) const fn on(&mut self, engine: Engine) -> &mut Guest {
        match engine {
            Engine::Ignition => &mut self.ignition,
            Engine::Combustion => &mut self.combustion,
        }
    }

    /// Returns what is written for the engine that does a feature.
    pub(crate) const fn guest(&mut self, feature: Feature) -> &mut Guest {
        self.on(self.choice.engine(feature))
    }

    /// Records what a feature does, on its engine.
    pub(crate) fn record(&mut self, feature: Feature, what: impl Into<String>) {
        self.record_why(feature, self.choice.engine(feature), what, "");
    }

    /// Records what a feature does on an engine; without `why` the feature's own reason stands.
    pub(crate) fn record_why(&mut self, feature: Feature, engine: Engine, what: impl Into<String>, why: &str) {
        let why = if why.is_empty() { self.choice.why(feature, engine) } else { why };
        self.assignments.push(Assignment { engine, feature, what: what.into(), why: why.to_owned() });
    }

    /// Returns whether an engine does anything of a feature.
    pub(crate) fn has(&self, feature: Feature, engine: Engine) -> bool {
        self.count(feature, engine) > 0
    }

    /// Counts the lines of a feature on an engine.
    pub(crate) fn count(&self, feature: Feature, engine: Engine) -> usize {
        self.assignments.iter().filter(|one| (one.feature, one.engine) == (feature, engine)).count()
    }

    /// Goes through what both engines do.
    pub(crate) fn both(&self) -> impl Iterator<Item = &Guest> + Clone {
        [&self.ignition, &self.combustion].into_iter()
    }

    /// Lists what was asked for by path.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Location)> + Clone {
        self.both().flat_map(Guest::nodes)
    }

    /// Lists the accounts.
    pub(crate) fn users(&self) -> impl Iterator<Item = &GuestUser> + Clone {
        self.both().flat_map(|guest| &guest.users)
    }

    /// Lists the files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &GuestFile> + Clone {
        self.both().flat_map(|guest| &guest.files)
    }

    /// Lists the units.
    pub(crate) fn units(&self) -> impl Iterator<Item = &GuestUnit> + Clone {
        self.both().flat_map(|guest| &guest.units)
    }
}
