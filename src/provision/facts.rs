//! What is known of the base before it is there, for the rules that must know the image. Touches nothing.
//!
//! Whoever pinned the base kept it in the lock: hints, since nobody has verified them until the image's digest matches.
//! Where the base is not pinned, its published name has to do, or a rule is silent.

use crate::base::{ByteSize, Location};
use crate::recipe::{Recipe, Source};

/// What is known of the base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BaseFacts {
    /// The size of the disk it holds.
    pub virtual_size: Option<ByteSize>,
    /// The file's name: of what the address was resolved to, else as the recipe writes it.
    pub file_name: String,
    /// What the publisher calls this build of it, such as `kvm-and-xen-sdboot`.
    pub flavour: Option<String>,
    /// The number of the snapshot or build.
    pub snapshot: Option<String>,
    /// The newest spec 3 minor number that its Ignition can know.
    pub newest_spec: Option<u8>,
    /// The address of the very file, where the recipe's means another one every few days.
    pub immutable: Option<String>,
}

impl BaseFacts {
    /// Fills in what the recipe itself tells.
    #[must_use]
    pub(crate) fn of(recipe: &Recipe, known: &Self) -> Self {
        let written = match &recipe.base.source.value {
            Source::Url(url) => url.file_name(),
            Source::Path(path) => path.file_name(),
        };
        let file_name = if known.file_name.is_empty() { written.to_owned() } else { known.file_name.clone() };
        Self { file_name, ..known.clone() }
    }

    /// Returns whether the publisher's name for the image, or for its flavour, holds a word.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.file_name.contains(word) || self.flavour.as_ref().is_some_and(|flavour| flavour.contains(word))
    }

    /// Returns the date of a snapshot that is numbered by it, as Tumbleweed's are: 20240427.
    pub(crate) fn date(&self) -> Option<u32> {
        let number = self.snapshot.as_ref().filter(|number| number.len() == 8)?;
        number.parse().ok().filter(|date| (20_000_101..=29_991_231).contains(date) && self.is_tumbleweed())
    }

    fn is_tumbleweed(&self) -> bool {
        !["Leap", "SLE", "SL-Micro"].iter().any(|other| self.file_name.contains(other))
    }
}

/// Returns where the recipe names the base.
pub(crate) fn place(recipe: &Recipe) -> Location {
    recipe.base.source.place.clone()
}
