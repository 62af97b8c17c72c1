//! `schema`: what can be written in a recipe, for editors.

/// Returns the JSON Schema of recipes.
pub(crate) fn schema() -> serde_json::Value {
    crate::recipe::reference::schema()
}
