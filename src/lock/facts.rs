//! What is known of an image before it is there: from the name its publisher gives it, and from its first bytes.
//!
//! A name ends in the build of the image, as `openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20240427`
//! (openSUSE/MirrorCache: t/Directory/01-smoke.t). Everything here is a hint: nobody has verified it until the image's
//! digest matches. Touches nothing.

use std::cmp::Ordering;

use super::ImageFacts;
use super::answer::decoded;
use crate::base::image_name::{flavour, is_tumbleweed, snapshot};
use crate::base::{ByteSize, Url};
use crate::format::qcow2::{self, Header};

/// How many of an image's first bytes are looked at: the header stands in them.
pub(crate) const HEAD: usize = 512;

impl ImageFacts {
    /// Reads what the address of an immutable image tells, and the disk's size from its first bytes.
    pub(crate) fn read(resolved: &Url, head: &[u8]) -> Self {
        let name = decoded(resolved.file_name());
        Self { virtual_size: virtual_size(head), flavour: flavour(&name), snapshot: snapshot(&name) }
    }
}

/// When Ignition came out with a spec (coreos/ignition: docs/release-notes.md), and Factory with 2.26 (its change log).
const SPECS: [(u32, u8); 5] = [(20_201_013, 2), (20_210_625, 3), (20_230_221, 4), (20_241_022, 5), (20_260_227, 6)];

/// Returns the newest minor number of spec 3 that the Ignition of an image can know.
///
/// Told only of Tumbleweed's images, whose snapshots are numbered by the day: one from before a release cannot hold it.
/// It is an upper bound, since openSUSE takes a release up some days or weeks later. Not written into the lock, which
/// keeps the snapshot that it follows from, so that a better table needs no new pin.
pub(crate) fn newest_spec(file_name: &str, snapshot: Option<&str>) -> Option<u8> {
    let name = decoded(file_name);
    let date: u32 = snapshot.filter(|number| is_tumbleweed(&name) && number.len() == 8)?.parse().ok()?;
    SPECS.iter().rev().find(|(day, _)| date >= *day).map(|(_, spec)| *spec)
}

/// Returns the size of the disk in a qcow2 image that begins so; the header is only read, and judged by nobody yet.
pub(crate) fn virtual_size(head: &[u8]) -> Option<ByteSize> {
    let header = (head.starts_with(&qcow2::MAGIC) && head.len() >= HEAD).then(|| Header::read(head))?;
    let sane = matches!(header.version, 2 | 3) && (1..=i64::MAX as u64).contains(&header.virtual_size);
    sane.then_some(ByteSize(header.virtual_size))
}

/// Returns whether a name is that of one build of an image, and stays so.
pub(crate) fn is_immutable(url: &Url) -> bool {
    snapshot(&decoded(url.file_name())).is_some()
}

/// Compares two snapshots by their numbers; none where either is not a number.
pub(crate) fn order(one: &str, other: &str) -> Option<Ordering> {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    Some(numbers(one)?.cmp(&numbers(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_flavour_and_snapshot() {
        let leap = "openSUSE-Leap-Micro.x86_64";
        for (name, flavour, snapshot) in [
            (
                "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20240427.qcow2".to_owned(),
                Some("ContainerHost-kvm-and-xen"),
                Some("20240427"),
            ),
            ("openSUSE-MicroOS.x86_64-kvm-and-xen-sdboot.qcow2".to_owned(), Some("kvm-and-xen-sdboot"), None),
            (format!("{leap}-6.2-Default-qcow-Build12.34.qcow2"), Some("Default-qcow"), Some("12.34")),
            (format!("{leap}-6.2-Default-qcow.qcow2"), Some("Default-qcow"), None),
            (format!("{leap}-6.2-Default-Build12.34.raw.xz"), Some("Default"), Some("12.34")),
            (format!("{leap}-Default-SelfInstall.iso"), Some("Default-SelfInstall"), None),
            ("openSUSE-MicroOS-DVD-x86_64-Snapshot20240427-Media.iso".to_owned(), None, Some("20240427")),
            ("jammy-server-cloudimg-amd64.img".to_owned(), None, None),
            ("Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2".to_owned(), None, None),
            ("X.x86_64-Build1-Snapshot2.qcow2".to_owned(), None, None),
            ("X.x86_64-a b.qcow2".to_owned(), None, None),
            (format!("X.x86_64-{}.qcow2", "a".repeat(200)), None, None),
            (String::new(), None, None),
        ] {
            let url = Url::parse("https://h/d/").unwrap().sibling(&name).unwrap();
            let facts = ImageFacts::read(&url, b"");
            assert_eq!((facts.flavour.as_deref(), facts.snapshot.as_deref()), (flavour, snapshot), "{name}");
            assert_eq!(is_immutable(&url), snapshot.is_some());
        }
    }

    #[test]
    fn the_day_of_a_snapshot_bounds_the_spec_of_its_ignition() {
        let name = "openSUSE-MicroOS.x86_64-16.0.0-kvm-and-xen-Snapshot20240427.qcow2";
        for (name, snapshot, spec) in [
            (name, Some("20240427"), Some(4)),
            (name, Some("20241022"), Some(5)),
            (name, Some("20260226"), Some(5)),
            (name, Some("20260227"), Some(6)),
            (name, Some("20201012"), None),
            (name, Some("12.34"), None),
            (name, None, None),
            ("openSUSE-Leap-Micro.x86_64-6.2-Default-qcow-Build20260301.qcow2", Some("20260301"), None),
            ("other.qcow2", Some("20260301"), None),
        ] {
            assert_eq!(newest_spec(name, snapshot), spec, "{name} {snapshot:?}");
        }
    }

    #[test]
    fn snapshots_are_compared_by_number() {
        use Ordering::{Equal, Greater, Less};
        for (one, other, expected) in [
            ("20240427", "20240428", Some(Less)),
            ("20240427", "20240427", Some(Equal)),
            ("12.34", "12.4", Some(Greater)),
            ("9.1", "12.0", Some(Less)),
            ("12", "12.1", Some(Less)),
            ("x", "12", None),
            ("99999999999999999999", "1", None),
        ] {
            assert_eq!(order(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_first_bytes_of_a_qcow2_tell_the_disks_size_and_nothing_else_does() {
        let image = qcow2::blank(ByteSize::gib(20)).unwrap();
        assert_eq!(virtual_size(&image[..HEAD]), Some(ByteSize::gib(20)));
        let with = |at: usize, bytes: &[u8]| {
            let mut head = image[..HEAD].to_vec();
            head[at..at + bytes.len()].copy_from_slice(bytes);
            head
        };
        for head in [
            vec![],
            image[..100].to_vec(),
            with(0, b"x"),
            with(4, &9u32.to_be_bytes()),
            with(24, &0u64.to_be_bytes()),
            with(24, &u64::MAX.to_be_bytes()),
        ] {
            assert_eq!(virtual_size(&head), None);
        }
    }
}
