//! Whole files of every kind, joined and apart.
