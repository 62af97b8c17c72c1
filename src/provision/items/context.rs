//! What every item works on: the recipe with its files and pins, and what is made of it. Touches nothing.

use crate::base::{Code, Diagnostic, Location, Spanned};
use crate::provision::diagnostics::DiagnosticSink;
use crate::provision::outputs::EngineOutputs;
use crate::provision::pins::PinnedInfo;
use crate::recipe::{CONTENT_LIMIT, Content, LocalFiles, Recipe, RecipePath};

/// The recipe, and what has been made of it so far.
pub(crate) struct Context<'a> {
    pub recipe: &'a Recipe,
    pub files: &'a LocalFiles,
    pub pins: &'a PinnedInfo,
    pub outputs: EngineOutputs,
    pub diag: DiagnosticSink,
}

impl<'a> Context<'a> {
    /// Begins with nothing made.
    pub(crate) fn new(recipe: &'a Recipe, files: &'a LocalFiles, pins: &'a PinnedInfo) -> Self {
        Self { recipe, files, pins, outputs: EngineOutputs::new(recipe), diag: DiagnosticSink::default() }
    }

    /// Returns bytes from the recipe or from a file beside it.
    pub(crate) fn bytes(&mut self, content: &Content) -> Option<Vec<u8>> {
        match content {
            Content::Text(text) => Some(text.expose().as_bytes().to_vec()),
            Content::Path(path) => self.local(path).map(<[u8]>::to_vec),
            Content::Carried(carried) => {
                self.diag.refuse_at(&carried.source.place, "only a file can come by `url`", "");
                None
            }
        }
    }

    /// Returns the content of a file beside the recipe; one that `host` could not read, or that is too large, is refused.
    pub(crate) fn local(&mut self, path: &Spanned<RecipePath>) -> Option<&'a [u8]> {
        let content = self.files.content(&path.value);
        if content.is_none() {
            let headline = format!("the content of `{}` is not known", path.value.as_str());
            let problem = Diagnostic::new(Code::Provision, headline)
                .fact("file", self.beside(&path.value))
                .note(format!("a file for the guest must exist and hold at most {} MiB", CONTENT_LIMIT.0 >> 20));
            self.diag.refuse(problem.at(path.place.clone()));
        }
        content
    }

    /// Returns the name of a file beside the recipe as the user would type it where the recipe's own name works.
    pub(crate) fn beside(&self, path: &RecipePath) -> String {
        match self.recipe.file.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/{}", path.as_str()),
            None => path.as_str().to_owned(),
        }
    }
}

/// Returns where a content is written: its path's place, or that of its row.
pub(crate) const fn content_place<'p>(content: &'p Content, row: &'p Location) -> &'p Location {
    if let Content::Path(path) = content { &path.place } else { row }
}
