//! The names of openSUSE's published images: every product and flavour that the program knows by its name. Touches nothing.
//!
//! A name is a hint: nobody has verified it until the image's digest matches. Read next: `lock::facts`, `lock::answer`.

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

/// SUSE Linux Micro 6, as SUSE names its images: `SL-Micro.x86_64-6.1-Base-qcow-GM.qcow2`.
const SL_MICRO: &str = "SL-Micro";

/// The longest word that a lock takes.
const WORD_LIMIT: usize = 128;

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
    (says("openSUSE-MicroOS") || says("openSUSE-Leap-Micro") || says(SL_MICRO)).then_some(size)
}

/// Returns today's name of a published image: `openSUSE-MicroOS.x86_64[-VERSION]-FLAVOUR[-SnapshotDATE].ENDING`.
pub(crate) fn published(name: &str) -> Option<String> {
    let (_, ending) = name.strip_prefix(STEM)?.rsplit_once('.')?;
    let is_dated = snapshot(name).is_none_or(|date| date.len() == 8);
    let flavour = format!("{}.{ending}", flavour(name)?);
    (is_dated && FLAVOURS.contains(&flavour.as_str())).then(|| format!("{STEM}{flavour}"))
}

/// Returns the number of the snapshot or build in a name.
pub(crate) fn snapshot(name: &str) -> Option<String> {
    let (stem, _) = split_ending(name)?;
    let mut tokens = stem.split('-').filter_map(token);
    let number = tokens.next().filter(|number| number.len() <= WORD_LIMIT)?;
    tokens.next().is_none().then(|| number.to_owned())
}

/// Returns what stands behind the architecture, without versions: `ContainerHost-kvm-and-xen`.
pub(crate) fn flavour(name: &str) -> Option<String> {
    let (stem, _) = split_ending(name)?;
    let mut parts = stem.split('-').skip_while(|part| !names_architecture(part));
    parts.next()?;
    let parts: Vec<&str> =
        parts.filter(|part| token(part).is_none() && !is_version(part) && !is_release(part)).collect();
    let flavour = parts.join("-");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    (!flavour.is_empty() && flavour.len() <= WORD_LIMIT && flavour.chars().all(plain)).then_some(flavour)
}

/// openSUSE writes `MicroOS.x86_64`.
fn names_architecture(part: &str) -> bool {
    let known = ["x86_64", "aarch64", "armv7l", "ppc64le", "s390x", "riscv64"];
    part.rsplit_once('.').is_some_and(|(_, last)| known.contains(&last))
}

/// Splits off the ending, which may be two: `.raw.xz`, and kiwi's `.install.iso`.
pub(crate) fn split_ending(name: &str) -> Option<(&str, &str)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let inner = ["raw", "qcow2", "vmdk", "vhdx", "vdi", "tar", "install"];
    match stem.rsplit_once('.') {
        Some((shorter, part)) if inner.contains(&part) => Some((shorter, name.get(shorter.len() + 1..)?)),
        _ => Some((stem, ending)),
    }
}

/// Returns the number of MirrorCache's pattern of what makes a name immutable: `Snapshot` or `Build` and a number.
pub(crate) fn token(part: &str) -> Option<&str> {
    ["Snapshot", "Build"].iter().find_map(|word| part.strip_prefix(word).filter(|number| is_version(number)))
}

/// Returns whether a part is what SUSE ends the name of a release with: `GM`, or `RC2`, `Beta3` and their like before it.
fn is_release(part: &str) -> bool {
    let number = ["GMC", "GM", "RC", "Beta", "Alpha"].iter().find_map(|word| part.strip_prefix(word));
    number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
}

/// Returns whether a part of a name is numbers joined by dots.
pub(crate) fn is_version(part: &str) -> bool {
    part.split('.').all(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of SUSE's download page for SUSE Linux Micro 6.x.
    #[test]
    fn images_of_sl_micro_are_known_by_their_names() {
        for (name, want, gib, build) in [
            ("SL-Micro.x86_64-6.1-Base-qcow-GM.qcow2", "Base-qcow", 20, None),
            ("SL-Micro.x86_64-6.1-Default-encrypted-GM.raw.xz", "Default-encrypted", 20, None),
            ("SL-Micro.x86_64-6.1-Default-GM.raw.xz", "Default", 20, None),
            ("SL-Micro.x86_64-6.1-Default-SelfInstall-GM.install.iso", "Default-SelfInstall", 20, None),
            ("SL-Micro.aarch64-6.0-Base-RT-SelfInstall-GM2.install.iso", "Base-RT-SelfInstall", 20, None),
            ("SL-Micro.s390x-6.2-Default-qcow.qcow2", "Default-qcow", 20, None),
            ("SL-Micro.x86_64-6.1-Default-VMware-GM.vmdk.xz", "Default-VMware", 24, None),
            ("SL-Micro.x86_64-6.2-Base-qcow-Build12.3.qcow2", "Base-qcow", 20, Some("12.3")),
            ("SL-Micro.x86_64-6.2-Default-RC1.raw.xz", "Default", 20, None),
        ] {
            assert_eq!((flavour(name).as_deref(), snapshot(name).as_deref()), (Some(want), build), "{name}");
            assert_eq!(published_size(|word| name.contains(word)), Some(ByteSize::gib(gib)), "{name}");
            assert!(!is_rolling(name) && !is_tumbleweed(name) && published(name).is_none(), "{name}");
        }
        // What only looks like a release is a part of the name.
        assert_eq!(flavour("SL-Micro.x86_64-6.1-GMX-RCx.qcow2").as_deref(), Some("GMX-RCx"));
        assert_eq!(published_size(|word| "SLE-Micro.x86_64.qcow2".contains(word)), None);
    }
}
