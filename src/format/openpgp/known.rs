//! Signing keys whose fingerprints their owners have published: shown to help a user decide, trusted by nobody.
//! Touches nothing.

/// A key that some publisher says is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownKey {
    /// Of the primary key, upper-case hex.
    pub fingerprint: &'static str,
    pub owner: &'static str,
    /// What it signs.
    pub signs: &'static str,
    /// Where the fingerprint can be read in public.
    pub source: &'static str,
}

/// Known keys, newest first. That a key is here gives it no trust: keys come from a keyring that the user names.
pub(crate) const KNOWN: &[KnownKey] = &[
    KnownKey {
        fingerprint: "AD485664E901B867051AB15F35A2F86E29B700A4",
        owner: "openSUSE Project Signing Key <opensuse@opensuse.org>",
        signs: "Tumbleweed, MicroOS, Leap and Leap Micro, since 2023",
        source: "https://github.com/openSUSE/news-o-o/blob/master/_posts/2023/2023-01-23-new-4096-bit-signing-key.md",
    },
    KnownKey {
        fingerprint: "22C07BA534178CD02EFE22AAB88B2FD43DBDC284",
        owner: "openSUSE Project Signing Key <opensuse@opensuse.org>",
        signs: "openSUSE before 2023",
        source: "https://github.com/openSUSE/libzypp/blob/master/zypp/base/String.h (documentation of `gapify`)",
    },
];

/// Finds a known key by the end of its fingerprint: a key id (16 digits) or all of it, upper-case hex.
pub(crate) fn known(id: &str) -> Option<&'static KnownKey> {
    (id.len() >= 16).then(|| KNOWN.iter().find(|key| key.fingerprint.ends_with(id))).flatten()
}
