//! Did bytes or text change? Pinned texts and digests; see tests/README.md.

mod bundles;
mod emit;
mod import_config;
