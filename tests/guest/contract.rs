//! Is the stand-in for MicroOS a fair judge? What a script or a config would lose or break on MicroOS, it must lose or
//! break here. Scripts by hand, through `arca-build` as ready-made ones. Boots the stand-in. Read next: `microos.rs`.

use crate::tests::guest::microos::{Boot, MicroOs};

/// Boots a ready-made script, by disk.
fn script(guest: &MicroOs, text: &str) -> Boot {
    let machine = guest.machine_with("engine = \"combustion\"\nscript = \"hand.sh\"\n", &[], &[("hand.sh", text)]);
    machine.run("disk")
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_script_that_writes_where_nothing_is_mounted_loses_its_files_and_one_that_mounts_keeps_them() {
    let Some(guest) = MicroOs::prepare() else { return };
    let boot = script(
        &guest,
        "#!/bin/sh\nset -eu\n\
         for place in /home /srv /usr/local /var/lib /opt /root /etc /var/log /var/cache; do echo x >$place/unmounted; done\n\
         mount /home\necho x >/home/mounted\numount /home\n",
    );
    let told = boot.up();
    let kept = |path: &str| told.iter().any(|line| line.starts_with("file ") && line.contains(&format!(" {path} ")));
    for path in ["/home/unmounted", "/srv/unmounted", "/usr/local/unmounted", "/var/lib/unmounted"] {
        assert!(!kept(path), "{path} was kept: {told:#?}");
    }
    for path in ["/home/mounted", "/opt/unmounted", "/root/unmounted", "/etc/unmounted"] {
        assert!(kept(path), "{path} was lost: {told:#?}");
    }
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_script_that_fails_ends_the_boot_and_what_it_did_is_rolled_back() {
    let Some(guest) = MicroOs::prepare() else { return };
    let boot = script(&guest, "#!/bin/sh\necho half >/etc/half\nexit 3\n");
    assert_eq!(boot.emergency(), "combustion");
    assert!(boot.serial.contains("the script ended with 3; rolling back"), "{}", boot.serial);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_script_runs_first_in_the_initrd_where_its_flags_say_so_and_fails_the_boot_there() {
    let Some(guest) = MicroOs::prepare() else { return };
    let text =
        "#!/bin/sh\n# combustion: network prepare\n[ \"${1-}\" != --prepare ] || { echo \"at $(pwd)\"; exit 4; }\n";
    let boot = script(&guest, text);
    assert_eq!(boot.emergency(), "combustion --prepare");
    assert!(boot.serial.contains("at /dev/shm/combustion/config"), "{}", boot.serial);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_config_that_ignition_refuses_ends_the_boot() {
    let Some(guest) = MicroOs::prepare() else { return };
    // In Ignition's eyes only: a group that the guest lacks.
    let machine =
        guest.machine("engine = \"ignition\"\n[[provision.user]]\nname = \"a\"\ngroups = [\"nobody-has\"]\n", &[]);
    assert_eq!(machine.run("fw_cfg").emergency(), "ignition files");
}
