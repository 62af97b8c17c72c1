//! The table of keys as a page of Markdown. Touches nothing.

use crate::base::Rule;
use crate::format::toml::table::title;
use crate::recipe::keys::{Key, KeyType, all, below};

const HEAD: &str = "\
# Every key of a recipe

<!-- Written from the tables in `src/recipe/` by `UPDATE_DOCS=1 cargo test tests::house`; a test holds the two together. -->

A recipe is a TOML file. A key that is not here is refused, with the nearest one that is; a path lies beneath the recipe's own
directory; sizes are written `\"30GiB\"`. `arca-build schema` prints the same as a JSON Schema: put `arca-build schema >
recipe.schema.json` beside your recipes and `#:schema ./recipe.schema.json` in a recipe's first line, and an editor that knows
TOML schemas (such as Taplo's) completes keys and marks mistakes while you write. `arca-build new NAME` writes a recipe to
start from, `arca-build check RECIPE` tells every mistake in one.
";

/// Returns the page; the same program gives the same bytes.
pub(crate) fn page() -> String {
    let mut page = format!("{HEAD}\n## The file\n\n{}", table(""));
    for key in all().iter().filter(|key| is_section(key)) {
        page.push_str(&format!("\n## `{}`\n\n{}\n", title(&key.path), sentence(key.row.doc)));
        match key.kind {
            KeyType::Reasons => page.push_str(&format!("\n{}", rules())),
            _ => page.push_str(&format!("\n{}", table(&key.path))),
        }
    }
    page
}

/// Returns whether a key has keys of its own.
fn is_section(key: &Key) -> bool {
    matches!(key.kind, KeyType::Reasons) || below(&key.path).next().is_some()
}

fn table(path: &str) -> String {
    let rows: String = below(path).map(|(key, name)| row(key, name)).collect();
    format!("| key | what it holds | default | what it is |\n|---|---|---|---|\n{rows}")
}

fn row(key: &Key, name: &str) -> String {
    let kind = match key.kind {
        KeyType::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        KeyType::Table | KeyType::Tables | KeyType::Reasons => {
            let title = title(&key.path);
            format!("[`{title}`](#{})", anchor(&title))
        }
        kind => kind.to_string(),
    };
    format!("| `{name}` | {} | {} | {} |\n", cell(&kind), cell(key.row.default), cell(key.row.doc))
}

/// Writes the name that a page's viewer gives to a heading: lower case, without marks.
fn anchor(title: &str) -> String {
    title.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>().to_ascii_lowercase()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn rules() -> String {
    let rows = Rule::all().filter(|rule| *rule != Rule::UnusedAllow).map(|rule| {
        let row = rule.row();
        format!("| `{rule}` | {} | {} |\n", row.severity, cell(row.summary))
    });
    format!("| rule | severity | what it finds |\n|---|---|---|\n{}", rows.collect::<String>())
}
