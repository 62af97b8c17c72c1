//! Is the house still itself? See tests/README.md.

mod arrows;
mod ci;
mod circles;
mod dependencies;
mod documents;
mod harness;
mod picture;
mod scripts;
mod security;
