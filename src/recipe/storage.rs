//! What a recipe says of file systems in the guest: mounts, subvolumes, pools over several disks. Form
//! only; touches nothing.
//!
//! Profiles and what they need: mkfs.btrfs(8), "PROFILES".

use std::collections::BTreeSet;

use super::table::{FromValue, KeyType, located, table};
use super::types::{FileSystem, MountOption, MountPoint, PoolOption, Schedule, SubvolumeName};
use crate::base::text::one_line;
use crate::base::words::vocabulary;
use crate::base::{ByteSize, Code, Diagnostic, DiskSerial, Name, Rule, Spanned};
use crate::format::toml::{Table, Value};

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

table! {
    /// `[[provision.mount]]`.
    Mount in "provision.mount[]" by "path" {
        /// where; absolute path in the guest
        path: MountPoint = "required",
        /// the file system, like btrfs, xfs or vfat
        kind as "type": Option<FileSystem> = "found out",
        /// as in mount(8), one each
        options: Vec<MountOption>,
    } with {
        /// LABEL=, UUID=, /dev/disk/by-…; or `serial`
        what: Option<Device>,
        /// a data disk of the machine; or `what`
        serial: Option<DiskSerial>,
    } into {
        what: Spanned<Device> = what,
    }
}

table! {
    /// `[[provision.subvolume]]`: a btrfs subvolume on a file system that the guest has.
    Subvolume in "provision.subvolume[]" by "path" {
        /// below /home, /opt, /root, /srv, /usr/local or /var
        path: MountPoint = "required",
        /// files in it are written in place, without checksums
        nocow: bool = "false",
    }
}

table! {
    /// `[[provision.pool]]`: one btrfs over several data disks.
    Pool in "provision.pool[]" by "label" {
        /// its name, and the label of the file system
        label: Name = "required",
        /// serials of `machine.disk`
        disks: Vec<Spanned<DiskSerial>> = "required" like "[\"data1\", \"data2\"]",
        /// how blocks of files are kept
        data: Option<Spanned<Profile>> = "raid1; of one disk single",
        /// how everything else is kept
        metadata: Option<Spanned<Profile>> = "raid1, or as many copies as `data`; of one disk dup",
        /// where it is mounted; absolute path in the guest
        path: MountPoint = "required" like "\"/srv/nas\"",
        /// mount options, like `noatime`, `compress=zstd`
        options: Vec<PoolOption>,
        /// when everything is read and verified: off, or systemd.time(7)
        scrub: Schedule = "monthly",
        /// when half-empty blocks are joined: off, or systemd.time(7)
        balance: Schedule = "weekly",
        /// look for disk errors every day, and fail loudly
        check: bool = "true",
        /// a subvolume in the pool, made where it is not
        subvolumes as "subvolume": Vec<Spanned<PoolSubvolume>>,
    }
    check check_pool
}

table! {
    /// `[[provision.pool.subvolume]]`.
    PoolSubvolume in "provision.pool[].subvolume[]" by "name" {
        /// its name below the pool's top
        name: SubvolumeName = "required",
        /// where it is mounted besides
        path: Option<MountPoint>,
        /// mount options for there
        options: Vec<PoolOption>,
        /// files in it are written in place, without checksums
        nocow: bool = "false",
    }
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

/// A pool has as many members as a machine has data disks.
const MEMBER_LIMIT: usize = 24;

/// Labels of file systems that every machine has, and of those that carry its configuration.
const TAKEN_LABELS: [&str; 6] = ["root", "efi", "swap", "install", "ignition", "combustion"];

fn check_pool(table: &Table<'_>, pool: &Pool) {
    if let Some(disks) = table.get("disks").filter(Value::is_list) {
        match disks.list().len() {
            0 => disks.refuse("a pool has at least one disk", "list serials of `[[machine.disk]]`"),
            1..=MEMBER_LIMIT => {}
            _ => disks.refuse(format!("a pool has at most {MEMBER_LIMIT} disks, as many as a machine"), ""),
        }
    }
    let label = &pool.label;
    if let (Some(value), true) =
        (table.get("label"), TAKEN_LABELS.contains(&label.as_str().to_ascii_lowercase().as_str()))
    {
        let headline = format!("the label `{label}` is taken by a file system that the guest has already");
        value.refuse(headline, "choose another; upper and lower case count as one");
    }
}

/// Refuses a disk that is a member twice, of one pool or of two.
pub(super) fn pools(table: &Table<'_>, pools: &[Spanned<Pool>]) {
    let mut seen = BTreeSet::new();
    for disk in pools.iter().flat_map(|pool| &pool.value.disks) {
        if !seen.insert(disk.value.as_str().to_ascii_lowercase()) {
            let problem = Diagnostic::new(Code::Recipe, format!("the disk `{}` is a member twice", disk.value));
            table.document.tell(problem.at(disk.place.clone()).hint("a disk is in one pool, once"));
        }
    }
}

/// Reads `what` or `serial`.
fn what(table: &Table<'_>) -> Option<Spanned<Device>> {
    match (table.get("what"), table.get("serial")) {
        (Some(_), Some(serial)) => {
            serial.refuse("`what` and `serial` are both given", "keep one of them");
            None
        }
        (Some(what), None) => located(&what),
        (None, Some(serial)) => Some(serial.located(Device::Serial(DiskSerial::from_value(&serial)?))),
        (None, None) => {
            table.need("what", "`what = \"LABEL=…\"`, or `serial = \"data1\"` for a disk of the machine");
            None
        }
    }
}

impl FromValue for DiskSerial {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        if refuse_moving(value, text) { None } else { value.accept(Self::parse(text), "") }
    }
}

/// Refuses a name that the kernel gives in the order in which it finds the disks.
fn refuse_moving(value: &Value<'_>, text: &str) -> bool {
    let counted = ["vd", "sd", "hd", "xvd", "nvme", "mmcblk", "sr", "md", "dm-"];
    let moves = text.strip_prefix("/dev/").is_some_and(|name| {
        let number = |prefix| name.strip_prefix(prefix).is_some_and(|rest: &str| !rest.is_empty());
        !name.contains('/') && counted.into_iter().any(number)
    });
    if moves {
        let headline = format!("`{}` is whichever disk the guest finds first, not always the same", one_line(text, 60));
        value.refuse_by(Rule::DevVdx, headline, "name it by its serial, or by LABEL=, UUID= or /dev/disk/by-id/…");
    }
    moves
}

impl FromValue for Device {
    const KIND: KeyType = KeyType::Text;

    /// Reads how udev names a device by what it is.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        if refuse_moving(value, text) {
            return None;
        }
        // Other characters are escaped by udev in the names it gives.
        let plain = |name: &str| {
            let plain =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '#' | '+' | '-' | '.' | ':' | '=' | '@' | '_');
            !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && name.chars().all(plain)
        };
        let tags = [("LABEL", "label"), ("UUID", "uuid"), ("PARTLABEL", "partlabel"), ("PARTUUID", "partuuid")];
        let tagged = text.split_once('=').and_then(|(tag, name)| {
            let (_, folder) = tags.iter().find(|(known, _)| *known == tag)?;
            Some(format!("/dev/disk/by-{folder}/{name}")).filter(|_| plain(name))
        });
        let parts: Vec<&str> = text.split('/').collect();
        let is_path = match parts.as_slice() {
            ["", "dev", "disk", by, name] => by.starts_with("by-") && plain(by) && plain(name),
            ["", "dev", "mapper", name] => plain(name),
            _ => false,
        };
        let path = tagged.or_else(|| is_path.then(|| text.to_owned()));
        if path.is_none() {
            let headline = format!("`{}` does not name a device by what it is", one_line(text, 80));
            let hint = "LABEL=, UUID=, PARTLABEL=, PARTUUID=, /dev/disk/by-…/… or /dev/mapper/…; \
                        what is not a disk, such as a share, is mounted by a unit in `[[provision.unit]]`";
            value.refuse(headline, hint);
        }
        path.map(Self::Path)
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
