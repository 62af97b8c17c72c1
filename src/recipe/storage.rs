//! What a recipe says of file systems in the guest: mounts, subvolumes, pools over several disks. Values only; touches nothing.
//!
//! Profiles and what they need: mkfs.btrfs(8), "PROFILES".

use crate::base::words::vocabulary;
use crate::base::{ByteSize, DiskSerial, Name, Spanned};

vocabulary! {
    /// How btrfs spreads blocks over the members of a pool. The parity profiles are left out: after a power cut they may
    /// lose data (btrfs(5), "RAID56 STATUS AND RECOMMENDED PRACTICES").
    Profile {
        /// One copy.
        Single = "single",
        /// Two copies on the same disk.
        Dup = "dup",
        /// One copy, in stripes over all members.
        Raid0 = "raid0",
        /// Two copies on two members.
        Raid1 = "raid1",
        Raid1c3 = "raid1c3",
        Raid1c4 = "raid1c4",
        /// Two copies, in stripes over all members.
        Raid10 = "raid10",
    }
}

impl Profile {
    /// Returns how many members it needs. Since Linux 5.15 raid0 mounts with one and raid10 with two (mkfs.btrfs(8), note
    /// 5), which is then no better than single and raid1.
    pub(crate) const fn members(self) -> usize {
        match self {
            Self::Single | Self::Dup => 1,
            Self::Raid0 | Self::Raid1 => 2,
            Self::Raid1c3 => 3,
            Self::Raid1c4 | Self::Raid10 => 4,
        }
    }

    /// Returns how many copies of a block it keeps.
    pub(crate) const fn copies(self) -> usize {
        match self {
            Self::Single | Self::Raid0 => 1,
            Self::Dup | Self::Raid1 | Self::Raid10 => 2,
            Self::Raid1c3 => 3,
            Self::Raid1c4 => 4,
        }
    }

    /// Returns how many members may be lost without losing a block.
    pub(crate) const fn losses(self) -> usize {
        match self {
            Self::Dup => 0,
            other => other.copies() - 1,
        }
    }

    /// Returns what a pool over disks of these sizes holds at most, metadata included.
    ///
    /// Copies lie on different members, so a disk larger than all others together is not used to its end: with two copies
    /// it is the lesser of half of all and all but the largest.
    pub(crate) fn usable(self, sizes: &[ByteSize]) -> ByteSize {
        let mut sizes: Vec<u64> = sizes.iter().map(|size| size.0).collect();
        sizes.sort_unstable();
        let copies = if self == Self::Dup { 1 } else { self.copies() };
        // All but the k largest hold the copies that these k do not.
        let bound = |largest: usize| {
            let rest = sizes.get(..sizes.len().checked_sub(largest)?)?;
            let rest: u128 = rest.iter().copied().map(u128::from).sum();
            Some(rest / u128::try_from(copies - largest).ok()?)
        };
        let usable = (0..copies).map(|largest| bound(largest).unwrap_or(0)).min().unwrap_or(0);
        let usable = if self == Self::Dup { usable / 2 } else { usable };
        ByteSize(u64::try_from(usable).unwrap_or(u64::MAX))
    }
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// One of the machine's data disks.
    Serial(DiskSerial),
    /// A name below `/dev/disk` or `/dev/mapper` that udev gives by what the device is.
    Path(String),
}

/// `[[provision.mount]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub what: Spanned<Device>,
    /// Absolute path in the guest.
    pub path: String,
    /// A file system; left out, mount(8) finds it out.
    pub kind: Option<String>,
    pub options: Vec<String>,
}

/// `[[provision.subvolume]]`: a btrfs subvolume on a file system that the guest has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subvolume {
    /// Absolute path in the guest.
    pub path: String,
    /// Whether files in it are written in place, without checksums.
    pub nocow: bool,
}

/// `[[provision.pool]]`: one btrfs over several data disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The label of the file system, and the name of its units.
    pub label: Name,
    /// At least one.
    pub disks: Vec<Spanned<DiskSerial>>,
    pub data: Option<Spanned<Profile>>,
    pub metadata: Option<Spanned<Profile>>,
    /// Where it is mounted.
    pub path: String,
    pub options: Vec<String>,
    pub subvolumes: Vec<Spanned<PoolSubvolume>>,
    /// When everything is read and compared with its checksums; `None` is never.
    pub scrub: Option<String>,
    /// When half-empty blocks are joined; `None` is never.
    pub balance: Option<String>,
    /// Whether the disks' error counters are looked at every day.
    pub check: bool,
}

/// `[[provision.pool.subvolume]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolSubvolume {
    /// The name right below the top of the pool.
    pub name: String,
    /// Where it is mounted besides.
    pub path: Option<String>,
    pub options: Vec<String>,
    pub nocow: bool,
}

impl Pool {
    /// Returns the profile of data: two copies where there are two disks.
    pub(crate) fn data(&self) -> Profile {
        let default = if self.disks.len() > 1 { Profile::Raid1 } else { Profile::Single };
        self.data.as_ref().map_or(default, |profile| profile.value)
    }

    /// Returns the profile of metadata: two copies, or as many as of data.
    pub(crate) fn metadata(&self) -> Profile {
        let default = match self.data() {
            data @ (Profile::Raid1c3 | Profile::Raid1c4) => data,
            _ if self.disks.len() > 1 => Profile::Raid1,
            _ => Profile::Dup,
        };
        self.metadata.as_ref().map_or(default, |profile| profile.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pool_holds_follows_copies_and_the_largest_disk() {
        use Profile as P;
        for (profile, sizes, usable) in [
            (P::Raid1, &[30, 30, 30][..], 45),
            (P::Raid1, &[10, 10, 100], 20),
            (P::Raid1, &[10, 20, 30], 30),
            (P::Raid1, &[10, 10], 10),
            (P::Raid1, &[10], 0),
            (P::Raid10, &[10, 10, 10, 10], 20),
            (P::Raid1c3, &[10, 10, 10], 10),
            (P::Raid1c3, &[10, 100, 100], 10),
            (P::Raid1c3, &[10, 10, 100, 100], 20),
            (P::Raid1c3, &[30, 30, 30, 30], 40),
            (P::Raid1c4, &[10, 10, 10, 10, 10, 10], 15),
            (P::Single, &[10, 20], 30),
            (P::Raid0, &[10, 20], 30),
            (P::Dup, &[10], 5),
        ] {
            let sizes: Vec<_> = sizes.iter().map(|size| ByteSize::gib(*size)).collect();
            assert_eq!(profile.usable(&sizes), ByteSize::gib(usable), "{profile} {sizes:?}");
        }
        let whole = [ByteSize(u64::MAX); 24];
        assert_eq!(P::Single.usable(&whole), ByteSize(u64::MAX), "no sum overflows");
        assert_eq!(P::Raid1.usable(&[]), ByteSize(0));
    }
}
