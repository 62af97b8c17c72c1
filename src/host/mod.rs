//! This machine: environment, clock, randomness, files the user named. The only floor that reads them.
//!
//! Names `base`, `stream` and `fs`; may touch the environment, the clock, the kernel's random generator and the files that the user named on the command line or in
//! a recipe. Read next: [`files`] (how files beside a recipe are read), then `realise`.
#![expect(clippy::disallowed_methods, reason = "this floor is the address of these effects")]

pub(crate) mod entropy;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod layout;
pub(crate) mod mirror_dir;

pub(crate) use environment::Environment;
pub(crate) use files::RecipeDir;
