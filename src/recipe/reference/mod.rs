//! What can be written in a recipe, told from the table of keys: a JSON Schema for editors, a page for people. Touches nothing.

#[cfg(test)]
pub(crate) mod page;
mod schema;

pub(crate) use schema::schema;
