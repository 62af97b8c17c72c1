//! The pool of the recipe: what its guard on the guest (`provision/pool.sh`) says. Touches nothing.

use super::{Ailment, Kind, PLAIN};

const BTRFS: (&str, &str) = ("btrfs(5)", "https://btrfs.readthedocs.io/en/latest/btrfs-man5.html");
const REPLACE: (&str, &str) = ("btrfs-replace(8)", "https://btrfs.readthedocs.io/en/latest/btrfs-replace.html");

pub(super) const ROWS: &[Ailment] = &[
    Ailment {
        id: "pool-not-blank",
        headline: "the pool `{pool}` was not made: the disk {disk} carries {found}",
        signs: &["pool {pool}: the disk {disk} is not blank, it carries {found}"],
        why: "A pool is made only where every member is blank, so that no data is lost by a disk that was attached by mistake. Nothing \
            was written to any of them.",
        cure: "if all on that disk may go: `wipefs --all /dev/disk/by-id/virtio-SERIAL`, overwrite its first MiB with zeros, and boot again",
        sources: &[BTRFS, ("wipefs(8)", "https://man7.org/linux/man-pages/man8/wipefs.8.html")],
        ..PLAIN
    },
    Ailment {
        id: "pool-foreign",
        headline: "the pool `{pool}` is not mounted: the disk {disk} belongs to another one of the same label",
        signs: &["pool {pool}: the disk {disk} belongs to another btrfs of this label than"],
        why: "The disks carry btrfs file systems of one label and different UUIDs, as of two machines of the same recipe. Which is \
            the right one cannot be told.",
        cure: "attach the disks that belong together",
        sources: &[BTRFS],
        ..PLAIN
    },
    Ailment {
        id: "pool-namesake",
        headline: "the pool `{pool}` is not mounted: {device} has the same label",
        signs: &["pool {pool}: another file system has the same label: {device}"],
        why: "A pool is mounted by its label, and the guest sees another file system that has it too.",
        cure: "give the other one a new label (`btrfs filesystem label DEVICE NEW`), or detach it",
        sources: &[BTRFS],
        ..PLAIN
    },
    Ailment {
        id: "pool-incomplete",
        headline: "the pool `{pool}` was not made: a disk is missing: {missing}",
        signs: &["pool {pool}: a disk is missing: {missing}"],
        why: "A pool is made when all its members are there; one that was made without a disk would have less redundancy than the \
            recipe says, without a word.",
        cure: "attach the disk under that serial, and boot again",
        sources: &[BTRFS],
        ..PLAIN
    },
    Ailment {
        id: "pool-degraded",
        headline: "the pool `{pool}` has lost a disk, and is mounted to be read only: {missing}",
        signs: &["pool {pool}: a disk of the pool is missing:{missing}"],
        why: "A member that the file system knows did not appear. The data is still there, from the other copy; to be read only, so that \
            nothing differs when the disk comes back.",
        cure: "attach the disk and boot again; or replace it: `mount -o remount,rw`, `btrfs replace start ID DISK PATH`",
        sources: &[REPLACE],
        ..PLAIN
    },
    Ailment {
        id: "pool-made-once",
        headline: "the pool `{pool}` was made once, and now all its disks are blank",
        signs: &["pool {pool}: it was made once, with the UUID {uuid}, and now every disk is blank"],
        why: "The system knows that it made the pool, and every member is blank now: other disks are attached, or theirs were made anew. \
            It is not made a second time by itself.",
        cure: "attach the right disks; or remove the mark that is named (`rm /var/lib/arca-build/pool-LABEL`), and boot again",
        sources: &[BTRFS],
        ..PLAIN
    },
    Ailment {
        id: "pool-mkfs",
        headline: "the pool `{pool}` could not be made",
        signs: &["pool {pool}: mkfs.btrfs could not make it"],
        before: 4,
        why: "mkfs.btrfs refused; its own words stand before. Disks that are too small (109 MiB each at the least), or fewer than the \
            profile wants, are the usual reasons.",
        cure: "mend what it says; if disks are no longer blank, `wipefs --all` them first",
        sources: &[("mkfs.btrfs(8)", "https://btrfs.readthedocs.io/en/latest/mkfs.btrfs.html")],
        ..PLAIN
    },
    Ailment {
        id: "pool-errors",
        headline: "a disk of the pool `{pool}` has made errors",
        signs: &["pool {pool}: a disk has made errors; see above"],
        before: 4,
        why: "btrfs counts errors of reading, writing and check sums for each disk, and one of the counters is not zero.",
        cure: "`btrfs scrub start PATH` mends from the other copy; replace the disk if they come again",
        sources: &[("btrfs-device(8): stats", "https://btrfs.readthedocs.io/en/latest/btrfs-device.html")],
        ..PLAIN
    },
    Ailment {
        id: "pool-unmounted",
        headline: "the pool `{pool}` is not mounted at {path}",
        signs: &["pool {pool}: it is not mounted at {path}", "pool {pool}: it cannot be mounted; see above{path}"],
        is_symptom: true,
        why: "The check that runs by the calendar, or the guard at boot, found the pool's directory without the pool, so what is written \
            there goes to the system disk.",
        cure: "see `journalctl -u 'arca-pool-*'` in the guest for why",
        sources: &[BTRFS],
        ..PLAIN
    },
    Ailment {
        id: "pool-smaller",
        kind: Kind::Warning,
        headline: "the pool `{pool}` and the recipe do not name the same disks: {disks}",
        signs: &[
            "pool {pool}: the recipe names {disks}, which are not there, and the pool is whole without",
            "pool {pool}: not part of it, and blank: {disks}; to add a disk",
        ],
        why: "The pool was made with other members than the recipe names now. It is whole and mounted; a recipe never adds disks to a \
            pool that has data, or takes them away.",
        cure: "`btrfs device add DISK PATH`, then a balance; or take the disk out of the recipe",
        sources: &[("btrfs-device(8)", "https://btrfs.readthedocs.io/en/latest/btrfs-device.html")],
        ..PLAIN
    },
];
