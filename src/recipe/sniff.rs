//! Is a file a recipe at all? Touches nothing.

use crate::format::toml::Document;

/// Returns whether a TOML file looks like a recipe, sound or not: it has `format` and `base`.
///
/// A lock has no `base`, and other programs' files lack one of the two.
pub(crate) fn is_recipe(text: &str) -> bool {
    Document::open(text, "").is_ok_and(|document| {
        let root = document.root();
        root.has("format") && root.has("base")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_told_from_other_files_even_when_they_are_broken() {
        for (text, expected) in [
            ("format = 1\nname = \"a\"\n[base]\nurl = \"b\"\n", true),
            ("format = 1\nnmae = 3\n[base]\nurl = \n", true),
            ("format = 1\nbase = { url = \"b\" }\n", true),
            ("format = 1\n\n[[input]]\nurl = \"b\"\n", false),
            ("[package]\nname = \"base\"\n", false),
            ("[mirrors]\n", false),
            ("", false),
        ] {
            assert_eq!(is_recipe(text), expected, "{text}");
        }
    }
}
