//! Values that must not be shown. Touches nothing.

use std::fmt;

/// Holds a password hash, key or provisioned content; shows as `***` and cannot be serialised.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// Gives the value to the one place that writes it into the guest's configuration.
    pub(crate) const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_4_a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("$6$salt$hash")), "***");
    }
}
