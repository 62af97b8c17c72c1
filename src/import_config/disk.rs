//! Which of a machine's disks are the base, the system, data, or the config. Touches nothing.

use std::collections::BTreeSet;

use super::found::{Disk, Machine};
use crate::base::image_name::{PUBLISHED, USUAL, published};
use crate::base::text::one_line;
use crate::base::{BaseKind, ByteSize, Compression, DiskSerial, Url};
use crate::recipe::RecipePath;
use crate::recipe::machine::{DISK_LIMIT, RESERVED_SERIALS};
use crate::recipe::numbers::DiskSize;

/// The serial of the disk that brings packages and container images.
const PAYLOAD: &str = "arca-payload";

/// The image that everything starts from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub url: String,
    /// Where the address does not tell it.
    pub kind: Option<BaseKind>,
    /// What a person should know, without a line end.
    pub comment: String,
}

/// A blank disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Data {
    pub serial: String,
    /// Unknown where the file was there already.
    pub size: Option<DiskSize>,
}

/// All disks, sorted out.
#[derive(Debug)]
pub(crate) struct Disks {
    pub base: Base,
    pub system_size: Option<DiskSize>,
    pub data: Vec<Data>,
}

/// Sorts a machine's disks.
pub(crate) fn sorted(machine: &mut Machine) -> Disks {
    let mut disks = std::mem::take(&mut machine.disks);
    disks.retain(|disk| !is_config(disk, machine) && !is_drive(disk, machine));
    let system = if disks.is_empty() { Disk::default() } else { disks.remove(0) };
    let (base, size) = match machine.medium.take() {
        Some(medium) => (base(&medium, Some("iso")), installed(&system, machine)),
        None => {
            grown(&system, machine);
            image(&system)
        }
    };
    if let Some(serial) = system.serial.as_deref().filter(|serial| *serial != "system") {
        machine.skip(format!("the serial `{}` of the system disk: it is `system`", one_line(serial, 40)));
    }
    let mut taken: BTreeSet<String> = RESERVED_SERIALS.map(str::to_owned).into();
    if disks.len() > DISK_LIMIT {
        machine
            .skip(format!("{} disks: a recipe has at most {DISK_LIMIT} besides its system", disks.len() - DISK_LIMIT));
        disks.truncate(DISK_LIMIT);
    }
    let data: Vec<_> = disks.iter().map(|disk| data(disk, &mut taken, machine)).collect();
    Disks { base, system_size: size, data }
}

/// An ISO installs onto a disk, whose size a recipe must say.
/// Tells where a system disk may be larger than its image, as no domain says how large a file is.
fn grown(system: &Disk, machine: &mut Machine) {
    let Some(path) = system.path.as_deref().filter(|_| system.backing.is_none() || system.size.is_none()) else {
        return;
    };
    let said = system.size.map_or("what it has grown to is not said".to_owned(), |size| {
        format!("{size} was asked, which virt-install does not give to a file that exists")
    });
    machine.skip(format!(
        "the size of the system disk `{}`: {said}; the image's own holds, unless [machine.system] has a `size`",
        one_line(file_name(path), 60)
    ));
}

fn installed(system: &Disk, machine: &mut Machine) -> Option<DiskSize> {
    whole(system.size).or_else(|| {
        machine.skip("the size of the disk that is installed on: it was not said, and is 24GiB now");
        ByteSize::gib(24).try_into().ok()
    })
}

/// Without a machine nothing tells which image it is.
pub(crate) fn unknown() -> Base {
    let comment = format!("CHANGE IT: nothing said which image; of MicroOS it is {PUBLISHED}{USUAL}");
    Base { url: "file:///CHANGE-ME.qcow2".to_owned(), kind: None, comment }
}

/// Returns what the system disk is made from: the file behind it, or its own.
fn image(system: &Disk) -> (Base, Option<DiskSize>) {
    match (&system.backing, &system.path) {
        (Some(backing), _) => (base(backing, system.backing_format.as_deref()), whole(system.size)),
        // A size beside a file that exists is not looked at by virt-install.
        (None, Some(path)) => (base(path, system.format.as_deref()), None),
        (None, None) => (unknown(), whole(system.size)),
    }
}

fn whole(size: Option<ByteSize>) -> Option<DiskSize> {
    size?.try_into().ok()
}

/// Takes a disk that only brings a configuration: a bundle makes its own.
fn is_config(disk: &Disk, machine: &mut Machine) -> bool {
    let file = disk.path.as_deref().unwrap_or_default();
    let stem = file_name(file).to_ascii_lowercase();
    let words = ["ignition", "combustion", "config", "cidata", "oemdrv"];
    let named = words.iter().any(|word| stem.contains(word)) && !stem.contains("kvm-and-xen");
    let serial = matches!(disk.serial.as_deref(), Some("config" | "ignition" | "combustion"));
    if disk.serial.as_deref() == Some(PAYLOAD) {
        machine.skip(format!(
            "the disk `{}`: what a bundle carries it packs by itself; name its packages and images in the recipe",
            one_line(file_name(file), 60)
        ));
        return true;
    }
    // Its own file, not one with a system in it: a bundle made by us keeps both in one directory.
    let is_config = (named || serial) && disk.backing.is_none() && machine.medium.as_deref() != Some(file);
    if is_config {
        machine.skip(format!(
            "the disk `{}`: taken for a config disk, which every bundle makes by itself; give the files that are on it too",
            one_line(file_name(file), 60)
        ));
    }
    is_config
}

fn is_drive(disk: &Disk, machine: &mut Machine) -> bool {
    let file = disk.path.as_deref().unwrap_or_default();
    if disk.is_removable && !file.is_empty() && machine.medium.as_deref() != Some(file) {
        machine.skip(format!("the medium `{}` in a drive", one_line(file_name(file), 60)));
    }
    disk.is_removable
}

fn data(disk: &Disk, taken: &mut BTreeSet<String>, machine: &mut Machine) -> Data {
    let said = disk.serial.as_deref().filter(|serial| DiskSerial::parse(serial).is_ok());
    let said = said.filter(|serial| !taken.contains(&serial.to_ascii_lowercase()));
    let free = (1..).map(|number| format!("data{number}")).find(|name| !taken.contains(name));
    let serial = said.map(str::to_owned).or(free).unwrap_or_default();
    taken.insert(serial.to_ascii_lowercase());
    let shown = one_line(disk.path.as_deref().map_or("without a file", file_name), 60);
    if said.is_none() && disk.serial.is_some() {
        machine.skip(format!("the serial of the disk `{shown}`: it is `{serial}` now"));
    }
    let size = whole(disk.size);
    if size.is_none() {
        machine.skip(format!("the disk `{shown}`: its size is not said; it stands as a comment"));
    } else if disk.path.is_some() {
        machine.skip(format!("what is on the disk `{shown}`: `{serial}` begins blank"));
    }
    Data { serial, size }
}

pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Names the image: by its public address where its name is a published one, else by the file it is.
fn base(path: &str, format: Option<&str>) -> Base {
    let name = file_name(path);
    if let Some(published) = published(name) {
        let moved = if published == name { "" } else { "; it was an older snapshot" };
        let comment = format!("was `{}`{moved}", one_line(path, 200));
        return Base { url: format!("{PUBLISHED}{published}"), kind: None, comment };
    }
    let url = if Url::parse(path).is_ok_and(|url| !url.file_name().is_empty()) && !path.contains('#') {
        Some(path.to_owned())
    } else if path.starts_with('/') {
        file_url(path)
    } else {
        RecipePath::parse(path.trim_start_matches("./")).ok().map(|path| path.as_str().to_owned())
    };
    let Some(url) = url else {
        return Base { comment: format!("CHANGE IT: `{}` cannot stand here", one_line(path, 200)), ..unknown() };
    };
    let comment = if path.starts_with('/') { "as it was named; on another machine it must be there too" } else { "" };
    Base { kind: kind(name, format), url, comment: comment.to_owned() }
}

/// Returns the kind where the file's name does not.
fn kind(name: &str, format: Option<&str>) -> Option<BaseKind> {
    let lower = name.to_ascii_lowercase();
    let stem = lower.rsplit_once('.').filter(|(_, ending)| Compression::parse(ending).is_some()).map(|(stem, _)| stem);
    let ending = stem.unwrap_or(&lower).rsplit_once('.').map(|(_, ending)| ending);
    match ending.and_then(BaseKind::parse) {
        Some(_) => None,
        None => format.and_then(BaseKind::parse).or(Some(BaseKind::Qcow2)),
    }
}

/// Writes an absolute path as an address.
fn file_url(path: &str) -> Option<String> {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'+' | b'@' => {
                url.push(char::from(byte))
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    let parsed = Url::parse(&url).ok()?;
    (!parsed.file_name().is_empty() && parsed.expose() == url).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_lead_to_todays_image_and_others_to_their_file() {
        let published = |name: &str| format!("{PUBLISHED}{name}");
        let microos = "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2";
        for (path, format, url, kind) in [
            (format!("/x/{microos}"), None, published(microos), None),
            (
                "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20260101.qcow2".into(),
                None,
                published(microos),
                None,
            ),
            (
                "/x/openSUSE-MicroOS.x86_64-SelfInstall.iso".into(),
                Some("iso"),
                published("openSUSE-MicroOS.x86_64-SelfInstall.iso"),
                None,
            ),
            (
                "/x/openSUSE-MicroOS.x86_64-other.qcow2".into(),
                None,
                "file:///x/openSUSE-MicroOS.x86_64-other.qcow2".into(),
                None,
            ),
            ("/a b/ü#.img".into(), Some("raw"), "file:///a%20b/%C3%BC%23.img".into(), Some(BaseKind::Raw)),
            ("/x/disk".into(), None, "file:///x/disk".into(), Some(BaseKind::Qcow2)),
            ("/x/disk.raw.xz".into(), Some("raw"), "file:///x/disk.raw.xz".into(), None),
            ("images/a.qcow2".into(), Some("qcow2"), "images/a.qcow2".into(), None),
            ("./a.qcow2".into(), None, "a.qcow2".into(), None),
            ("https://h/a.iso".into(), Some("iso"), "https://h/a.iso".into(), None),
            ("../a.qcow2".into(), None, unknown().url, None),
            ("/x/../a.qcow2".into(), None, unknown().url, None),
        ] {
            let base = base(&path, format);
            assert_eq!((base.url, base.kind), (url, kind), "{path}");
        }
    }
}
