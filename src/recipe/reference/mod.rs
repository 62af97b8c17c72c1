//! What can be written in a recipe, told from the table of keys: a JSON Schema for editors, a page for people. Touches nothing.

#[cfg(test)]
pub(crate) mod page;
mod schema;

pub(crate) use schema::schema;

use super::keys::{KEYS, Key};

/// Lists the keys right below a table, by its path; the file itself is the empty path.
fn children(table: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    KEYS.iter().filter_map(move |key| Some((key, super::keys::name_below(key.path, table)?)))
}
