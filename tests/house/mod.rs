//! Is the house still itself? See tests/README.md.

mod arrows;
mod ci;
mod dependencies;
mod documents;
mod harness;
mod picture;
mod scripts;
mod security;
