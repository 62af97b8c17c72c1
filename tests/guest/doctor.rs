//! A machine that `run --keep` keeps fails at its first boot, and `doctor` says by its name what it is. Boots the stand-in for
//! MicroOS, in which the real Ignition runs. Read next: `microos.rs`.

use crate::tests::guest::microos::MicroOs;
use crate::tests::support::{Bin, workdir};

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn what_ails_a_kept_machine_is_told_by_its_name_and_a_good_one_has_nothing() {
    let Some(guest) = MicroOs::prepare() else { return };
    let dir = workdir();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bin =
        |words: &[&str]| Bin::new(dir.path()).env("PATH", &path).env("ARCA_VMS", dir.path().join("vms")).args(words);
    // In Ignition's eyes only: a group that the guest lacks.
    let ill = "engine = \"ignition\"\n[[provision.user]]\nname = \"a\"\ngroups = [\"nobody-has\"]\n";
    for (name, provision, found) in [
        ("ill", ill, &["ignition-account", "ignition-failed"][..]),
        ("well", "engine = \"ignition\"\nhostname = \"well\"\n", &[]),
    ] {
        let machine = guest.machine(provision, &[]);
        let bundle = machine.bundle.to_str().unwrap();
        bin(&["run", bundle, "--keep", name, "--"]).args(guest.options()).run().success();
        let told = bin(&["--json", "doctor", name]).run().ends_with(i32::from(!found.is_empty()));
        let json = told.json();
        let ids: Vec<_> =
            json["findings"].as_array().unwrap().iter().map(|found| found["id"].as_str().unwrap()).collect();
        assert_eq!(ids, found, "{told}");
    }
}
