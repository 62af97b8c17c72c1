//! Sizes in bytes. Touches nothing.

use std::fmt;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct ByteSize(pub u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SizeError {
    /// Not digits followed by a unit.
    #[error("a size is a whole number and a unit, like \"30GiB\" (B, KiB, MiB, GiB, TiB)")]
    Form,
    /// `20G` and `20GB` mean 10⁹ to some tools and 2³⁰ to others.
    #[error("`{0}` means different sizes to different tools; write KiB, MiB, GiB or TiB")]
    Ambiguous(String),
    /// The number of bytes does not fit in 63 bits.
    #[error("the size is too large")]
    Overflow,
}

const UNITS: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl ByteSize {
    /// Makes a size of whole mebibytes.
    pub(crate) const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// Makes a size of whole gibibytes.
    pub(crate) const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// Reads `"30GiB"`: digits, at most one space, and one of `B KiB MiB GiB TiB`; at most 2⁶³ − 1 bytes.
    pub(crate) fn parse(text: &str) -> Result<Self, SizeError> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::Form);
        }
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let shift = match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, shift)) => *shift,
            None if matches!(unit, "K" | "M" | "G" | "T" | "k" | "KB" | "kB" | "MB" | "GB" | "TB") => {
                return Err(SizeError::Ambiguous(unit.to_owned()));
            }
            None => return Err(SizeError::Form),
        };
        let number: u64 = number.parse().map_err(|_| SizeError::Overflow)?;
        let bytes = number.checked_mul(1 << shift).ok_or(SizeError::Overflow)?;
        if bytes > i64::MAX as u64 { Err(SizeError::Overflow) } else { Ok(Self(bytes)) }
    }

    /// Returns whether the size is a whole number of 512-byte sectors.
    pub(crate) const fn is_whole_sectors(self) -> bool {
        self.0.is_multiple_of(512)
    }

    /// Writes the size exactly, in the largest unit that divides it; what [`ByteSize::parse`] reads back.
    pub(crate) fn exact(self) -> String {
        let (unit, shift) =
            UNITS.iter().find(|(_, shift)| self.0 != 0 && self.0.is_multiple_of(1 << shift)).unwrap_or(&("B", 0));
        format!("{}{unit}", self.0 >> shift)
    }
}

/// Shows for people: one decimal in the largest unit that fits, as `1.2 GiB`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, shift)| *shift > 0 && self.0 >= 1 << shift) {
            None => write!(f, "{} B", self.0),
            Some((unit, shift)) if self.0.is_multiple_of(1 << shift) => write!(f, "{} {unit}", self.0 >> shift),
            Some((unit, shift)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_that_is_read_is_told() {
        let told = SizeError::Form.to_string();
        let listed: Vec<_> = UNITS.iter().rev().map(|(unit, _)| *unit).collect();
        assert!(told.contains(&format!("({})", listed.join(", "))), "{told}");
        assert_eq!(ByteSize::parse("314900480B"), Ok(ByteSize(314_900_480)));
    }

    #[test]
    fn sizes_are_read_with_binary_units_only() {
        assert_eq!(ByteSize::parse("30GiB"), Ok(ByteSize::gib(30)));
        assert_eq!(ByteSize::parse("512 B"), Ok(ByteSize(512)));
        assert_eq!(ByteSize::parse("0MiB"), Ok(ByteSize(0)));
    }

    #[test]
    fn rec_7_ambiguous_negative_fractional_and_huge_sizes_are_refused() {
        for bad in [
            "20G",
            "20GB",
            "-1",
            "-1GiB",
            "1.5GiB",
            "0x10MiB",
            "1_000MiB",
            "",
            "GiB",
            "1e30B",
            "  1GiB",
            "9999999999999TiB",
            "8388608TiB",
            "99999999999999999999B",
        ] {
            assert!(ByteSize::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exact_text_reads_back_and_shown_text_is_short() {
        for bytes in [0, 1, 512, 1 << 20, 3 << 30, (1 << 40) + 512] {
            assert_eq!(ByteSize::parse(&ByteSize(bytes).exact()), Ok(ByteSize(bytes)));
        }
        assert_eq!(ByteSize(1_288_490_189).to_string(), "1.2 GiB");
        assert_eq!(ByteSize(u64::MAX).to_string(), "16777215.9 TiB");
    }
}
