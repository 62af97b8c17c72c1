//! The names of openSUSE's published images: every product and flavour that the program knows by its name. Touches nothing.
//!
//! A name is a hint: nobody has verified it until the image's digest matches. Read next: `lock::facts` (build numbers).

use super::ByteSize;

/// Where the project publishes today's images.
pub(crate) const PUBLISHED: &str = "https://download.opensuse.org/tumbleweed/appliances/";
/// The image to start with where nothing says which one.
pub(crate) const USUAL: &str = "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2";

/// The product that this program is made for.
pub(crate) const MICROOS: &str = "MicroOS";
/// The flavour that boots by systemd-boot and has no Ignition.
pub(crate) const SDBOOT: &str = "-sdboot";
/// The flavour with podman.
pub(crate) const CONTAINER_HOST: &str = "ContainerHost";
/// The flavour that only cloud-init configures.
pub(crate) const OPENSTACK: &str = "OpenStack-Cloud";

/// What stands before the flavour in an unversioned name.
const STEM: &str = "openSUSE-MicroOS.x86_64-";
/// The flavours of MicroOS for x86_64 that are published under a name without a version.
const FLAVOURS: [&str; 5] = [
    "ContainerHost-kvm-and-xen.qcow2",
    "kvm-and-xen.qcow2",
    "OpenStack-Cloud.qcow2",
    "SelfInstall.iso",
    "ContainerHost-SelfInstall.iso",
];

/// Returns whether a name is that of an image of Tumbleweed, whose snapshots are numbered by the day.
pub(crate) fn is_tumbleweed(name: &str) -> bool {
    ["openSUSE-MicroOS", "openSUSE-Tumbleweed"].iter().any(|product| name.starts_with(product))
}

/// Returns whether a name says that the system has no versions.
pub(crate) fn is_rolling(name: &str) -> bool {
    (name.contains(MICROOS) || name.contains("Tumbleweed")) && !name.contains("Leap")
}

/// Returns the virtual size that openSUSE publishes an image with (`microos.yml` of get-o-o, and the image descriptions); `says`
/// tells whether its name holds a word.
pub(crate) fn published_size(says: impl Fn(&str) -> bool) -> Option<ByteSize> {
    let size = match () {
        () if says("MS-HyperV") => ByteSize::gib(30),
        () if says("VMware") || says("Vagrant") || says(OPENSTACK) => ByteSize::gib(24),
        () => ByteSize::gib(20),
    };
    (says("openSUSE-MicroOS") || says("openSUSE-Leap-Micro")).then_some(size)
}

/// Returns today's name of a published image: `openSUSE-MicroOS.x86_64[-VERSION]-FLAVOUR[-SnapshotDATE].ENDING`.
pub(crate) fn published(name: &str) -> Option<String> {
    let rest = name.strip_prefix(STEM)?;
    let (stem, ending) = rest.rsplit_once('.')?;
    let (stem, snapshot) = match stem.rsplit_once("-Snapshot") {
        Some((stem, date)) => (stem, Some(date)),
        None => (stem, None),
    };
    let dated = snapshot.is_none_or(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()));
    let numbered =
        stem.split_once('-').filter(|(version, _)| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let flavour = format!("{}.{ending}", numbered.map_or(stem, |(_, flavour)| flavour));
    (dated && FLAVOURS.contains(&flavour.as_str())).then(|| format!("{STEM}{flavour}"))
}
