//! Numbers and sizes with bounds: each a type. Touches nothing. Read next: `types.rs`.

use std::fmt;
use std::ops::{Deref, RangeInclusive};

use super::table::{FromValue, KeyType};
use crate::base::ByteSize;
use crate::format::toml::Value;

/// Declares types of numbers with their bounds.
macro_rules! number_types {
    ($($(#[$doc:meta])* $name:ident($number:ty): $bounds:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name(pub(crate) $number);

        #[allow(dead_code, reason = "not every number is read from elsewhere")]
        impl $name {
            /// The least and the most.
            pub(crate) const BOUNDS: RangeInclusive<u64> = $bounds;

            /// Reads a number within the bounds.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                let number = text.parse::<u64>().ok().filter(|number| Self::BOUNDS.contains(number))?;
                number.try_into().ok().map(Self)
            }
        }

        impl FromValue for $name {
            const KIND: KeyType = KeyType::Number;

            fn from_value(value: &Value<'_>) -> Option<Self> {
                value.integer(Self::BOUNDS).and_then(|number| number.try_into().ok()).map(Self)
            }

            fn from_default(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

number_types! {
    /// The number of a user or group; 0 is root's, the highest stands for none.
    AccountId(u32): 1..=4_294_967_294;
    /// The largest packet of a link, in bytes.
    Mtu(u32): 576..=65_535;
    /// The number of a VLAN (IEEE 802.1Q).
    VlanId(u16): 1..=4094;
    /// Seconds since 1970 that a FAT volume can name: 1980-01-01 to 2107-12-31 23:59:58.
    Epoch(u64): Epoch::FIRST.0..=4_354_819_198;
    /// The format of a recipe.
    Format(u64): 1..=1;
    /// A number of processors, or of what makes them.
    Vcpus(u32): 1..=1024;
}

/// Why a size breaks the rule of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{size} is not a multiple of {unit} from {low} to {high}")]
pub(crate) struct BoundsError {
    size: ByteSize,
    low: ByteSize,
    high: ByteSize,
    unit: ByteSize,
}

/// Declares types of sizes with their bounds; each is a multiple of a unit.
macro_rules! size_types {
    ($($(#[$doc:meta])* $name:ident: $bounds:expr, by $unit:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "ByteSize", into = "ByteSize")]
        pub(crate) struct $name {
            size: ByteSize,
        }

        impl TryFrom<ByteSize> for $name {
            type Error = BoundsError;

            fn try_from(size: ByteSize) -> Result<Self, BoundsError> {
                let (low, high) = $bounds.into_inner();
                let good = (low..=high).contains(&size) && size.0.is_multiple_of($unit.0);
                if good { Ok(Self { size }) } else { Err(BoundsError { size, low, high, unit: $unit }) }
            }
        }

        impl From<$name> for ByteSize {
            fn from(size: $name) -> Self {
                size.size
            }
        }

        impl Deref for $name {
            type Target = ByteSize;

            fn deref(&self) -> &ByteSize {
                &self.size
            }
        }

        impl FromValue for $name {
            const KIND: KeyType = KeyType::Size;

            fn from_value(value: &Value<'_>) -> Option<Self> {
                value.size($bounds, $unit).map(|size| Self { size })
            }

            fn from_default(text: &str) -> Option<Self> {
                ByteSize::parse(text).ok()?.try_into().ok()
            }
        }
    )+};
}

size_types! {
    /// An amount of memory.
    MemorySize: ByteSize::mib(16)..=ByteSize::gib(16 << 10), by ByteSize::mib(1);
    /// The size of a disk: whole sectors.
    DiskSize: ByteSize::mib(1)..=ByteSize::gib(64 << 10), by ByteSize(512);
}

impl Epoch {
    /// The first day a FAT volume can name.
    pub(super) const FIRST: Self = Self(315_532_800);
}
