//! Which parts of a MicroOS guest each engine sees on the first boot. Touches nothing.
//!
//! Sources: openSUSE's read-only-root-fs marks `/root`, `/var` and `/etc` with `x-initrd.mount`, so Ignition finds them
//! mounted; its other subvolumes are mounted only after it ran. transactional-update, in whose chroot Combustion runs, binds
//! `/root`, `/opt`, `/boot/writable` and a few directories below `/var` (lib/Transaction.cpp). What is written where
//! nothing is mounted lands beneath the later mount: no error, and the file is gone.

use crate::base::text::one_line;

/// The label of the root file system in every published image.
pub(crate) const ROOT_DEVICE: &str = "/dev/disk/by-label/ROOT";

/// Subvolumes that are not mounted when Ignition writes.
const IGNITION_HIDDEN: [&str; 5] = ["/boot/writable", "/home", "/opt", "/srv", "/usr/local"];

/// What is mounted, writable, when Ignition writes.
const IGNITION_SHOWN: [&str; 3] = ["/etc", "/root", "/var"];

/// Mount points that a Combustion script does not see; `/var` first, since others could lie below it.
pub(crate) const COMBUSTION_HIDDEN: [&str; 4] = ["/var", "/home", "/srv", "/usr/local"];

/// What transactional-update binds although it hides `/var`.
const COMBUSTION_SHOWN: [&str; 6] = [
    "/var/cache",
    "/var/lib/alternatives",
    "/var/lib/ca-certificates",
    "/var/lib/selinux",
    "/var/lib/zypp",
    "/var/log",
];

/// Kernel file systems and tmpfs: what is written there is gone at the latest with the first boot.
const FLEETING: [&str; 7] = ["/dev", "/proc", "/run", "/sys", "/tmp", "/var/lock", "/var/run"];

/// Directories that the system itself mounts, or could not live without.
const SYSTEM: &str = "/.snapshots /bin /boot /boot/efi /boot/writable /dev /etc /home /lib /lib64 /opt /proc /root /run /sbin \
                      /srv /sys /tmp /usr /usr/local /var";

/// Further directories of every system; a link in their place would take the system apart.
const SYSTEM_BELOW: &str =
    "/boot/grub2 /etc/systemd /etc/systemd/system /usr/bin /usr/lib /var/cache /var/lib /var/log";

/// Returns whether the system itself mounts something there, or could not live without it.
pub(crate) fn is_system(path: &str) -> bool {
    SYSTEM.split_whitespace().any(|directory| directory == path)
}

/// Returns whether a path is a directory of every system.
pub(crate) fn is_system_directory(path: &str) -> bool {
    is_system(path) || SYSTEM_BELOW.split_whitespace().any(|directory| directory == path)
}

/// Returns whether a path is a directory or lies below it.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the file system without a disk that a path would be lost in.
pub(crate) fn fleeting(path: &str) -> Option<&'static str> {
    FLEETING.into_iter().find(|directory| is_within(path, directory))
}

/// Returns the subvolumes that Ignition must mount to reach these paths, sorted.
pub(crate) fn for_ignition<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static str> {
    let reaches = |directory: &&str| paths.clone().any(|path| is_within(path, directory));
    IGNITION_HIDDEN.into_iter().filter(reaches).collect()
}

/// Returns whether a path lies in the root snapshot, which is read-only when Ignition writes; remounting it does not help
/// (SUSE/elemental, docs/firstboot-configuration.md: "leading to an ignition failure"). Combustion has a writable one.
pub(crate) fn is_read_only(path: &str) -> bool {
    let mut writable = IGNITION_SHOWN.into_iter().chain(IGNITION_HIDDEN).chain(FLEETING);
    !writable.any(|directory| is_within(path, directory))
}

/// Returns what to say of a path in the root snapshot.
pub(crate) fn read_only_text(path: &str) -> String {
    let path = one_line(path, 80);
    format!(
        "`{path}` lies in the root snapshot, which is read-only to Ignition: the boot may fail; Combustion can write it"
    )
}

/// Returns the mount points that a Combustion script must mount to reach these paths, in the order to mount them.
pub(crate) fn for_combustion<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static str> {
    let shown = |path: &str| COMBUSTION_SHOWN.iter().any(|directory| is_within(path, directory));
    let reaches = |directory: &&str| paths.clone().any(|path| is_within(path, directory) && !shown(path));
    COMBUSTION_HIDDEN.into_iter().filter(reaches).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_12_each_engine_is_shown_what_it_would_write_beside() {
        for (path, ignition, combustion) in [
            ("/etc/motd", &[][..], &[][..]),
            ("/root/.bashrc", &[], &[]),
            ("/home/a/x", &["/home"], &["/home"]),
            ("/home", &["/home"], &["/home"]),
            ("/homes/x", &[], &[]),
            ("/srv/x", &["/srv"], &["/srv"]),
            ("/usr/local/bin/x", &["/usr/local"], &["/usr/local"]),
            ("/opt/x", &["/opt"], &[]),
            ("/boot/writable/x", &["/boot/writable"], &[]),
            ("/var/lib/x", &[], &["/var"]),
            ("/var/lib/zypp/x", &[], &[]),
            ("/var/log/x", &[], &[]),
        ] {
            assert_eq!(for_ignition([path].into_iter()), ignition, "{path}");
            assert_eq!(for_combustion([path].into_iter()), combustion, "{path}");
        }
        assert_eq!(for_combustion(["/home/a", "/var/b"].into_iter()), ["/var", "/home"]);
        assert_eq!(fleeting("/run/x"), Some("/run"));
        assert_eq!(fleeting("/runner"), None);
        for (path, read_only) in
            [("/usr/lib/x", true), ("/x", true), ("/usr/local/x", false), ("/etc/x", false), ("/srv/x", false)]
        {
            assert_eq!(is_read_only(path), read_only, "{path}");
        }
    }
}
