//! Recipes made to hurt.
