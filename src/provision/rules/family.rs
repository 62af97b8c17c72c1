//! What openSUSE's images for machines like ours are known to have. Touches nothing.
//!
//! After the packages `system-users`, `aaa_base`, `filesystem`, `systemd-presets-common-SUSE`,
//! `systemd-presets-branding-MicroOS` and `patterns-microos` of openSUSE:Factory (build.opensuse.org); no image was looked
//! into. What is not listed may still be there, so nothing here is more than a warning.

use super::context::RuleContext;
use crate::base::image_name;

/// Groups of every image.
pub(crate) const GROUPS: [&str; 29] = [
    "audio",
    "bin",
    "cdrom",
    "chrony",
    "daemon",
    "dialout",
    "disk",
    "floppy",
    "games",
    "input",
    "kmem",
    "kvm",
    "lock",
    "lp",
    "mail",
    "man",
    "messagebus",
    "nobody",
    "nogroup",
    "render",
    "root",
    "shadow",
    "sshd",
    "systemd-journal",
    "tape",
    "trusted",
    "tty",
    "users",
    "video",
];
/// Groups that some images have.
pub(crate) const SOME: [&str; 3] = ["sgx", "utmp", "wheel"];

/// Units that can be enabled; those of systemd itself are known by their names.
pub(crate) const UNITS: [&str; 53] = [
    "NetworkManager-dispatcher.service",
    "NetworkManager-wait-online.service",
    "NetworkManager.service",
    "apparmor.service",
    "auditd.service",
    "btrfs-balance.timer",
    "btrfs-defrag.timer",
    "btrfs-scrub.timer",
    "btrfs-trim.timer",
    "btrfsmaintenance-refresh.path",
    "btrfsmaintenance-refresh.service",
    "chrony-wait.service",
    "chronyd.service",
    "ca-certificates.path",
    "cockpit.socket",
    "console-getty.service",
    "create-snapper-configs.service",
    "ctrl-alt-del.target",
    "debug-shell.service",
    "dnsmasq.service",
    "firewalld.service",
    "fstrim.timer",
    "getty@.service",
    "graphical.target",
    "haveged.service",
    "health-checker.service",
    "issue-add-ssh-keys.service",
    "issue-generator.service",
    "iscsid.service",
    "iscsid.socket",
    "jeos-firstboot.service",
    "kdump.service",
    "logrotate.timer",
    "multi-user.target",
    "multipathd.service",
    "nfs-client.target",
    "podman-auto-update.timer",
    "podman-clean-transient.service",
    "podman-restart.service",
    "podman.service",
    "podman.socket",
    "qemu-guest-agent.service",
    "rebootmgr.service",
    "rpcbind.socket",
    "serial-getty@.service",
    "setup-systemd-proxy-env.path",
    "snapper-cleanup.timer",
    "snapper-timeline.timer",
    "sshd.service",
    "tmp.mount",
    "transactional-update-cleanup.timer",
    "transactional-update.timer",
    "wpa_supplicant.service",
];

/// Returns whether the image is one of openSUSE's own for such machines, by its name.
pub(crate) fn is_known(ctx: &RuleContext<'_>) -> bool {
    image_name::published_size(|word| ctx.facts.says(word)).is_some()
}
