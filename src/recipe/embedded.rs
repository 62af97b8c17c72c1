//! The recipe inside the program, with what lies beside it: `arca-build build demo` works wherever the binary is.

/// What tells the password hash and the ssh key of the recipes that ship: everybody has them.
pub(crate) const EXAMPLE_LOGIN: [&str; 2] =
    ["$6$arcabuildexample$", "AAAAC3NzaC1lZDI1NTE5AAAAIPm0Q788hbFbKRJVAFal545wxGhhm6P19iYViIoIiYsL"];

/// A recipe and its files, as they ship in `recipes/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedded {
    pub text: &'static str,
    /// By path relative to the recipe.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// Returns the recipe of that name inside the program.
pub(crate) fn embedded(name: &str) -> Option<Embedded> {
    (name == "demo").then_some(Embedded {
        text: include_str!("../../recipes/demo.toml"),
        files: &[
            ("demo/guest.qcow2", include_bytes!("../../recipes/demo/guest.qcow2")),
            ("demo/script", include_bytes!("../../recipes/demo/script")),
        ],
    })
}
