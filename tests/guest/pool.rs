//! A pool over three disks in a guest that boots: made, found again, re-provisioned with its data, told of when a member is
//! missing, and never made over a disk that carries something. Boots the stand-in for MicroOS. Read next: `microos.rs`.

use std::collections::BTreeSet;
use std::io::{Seek as _, Write as _};
use std::process::Command;

use crate::tests::guest::microos::{Boot, Disks, Instance, Machine, MicroOs};
use crate::tests::support::output;

const POOL: &str = include_str!("fixtures/pool.toml");
const SERIALS: [&str; 3] = ["data1", "data2", "data3"];

fn has(told: &BTreeSet<&str>, words: &str) -> bool {
    told.iter().any(|line| line.contains(words))
}

/// Demands that the pool is whole and mounted; returns the digest of what was kept in it.
#[track_caller]
fn whole<'a>(boot: &'a Boot, what: &str) -> &'a str {
    let told = boot.up();
    for words in [
        "btrfs Label: 'Arca'",
        "btrfs Total devices 3",
        "mount /srv/arca btrfs rw,noatime,",
        "mount /var/lib/vm btrfs rw,",
        "active arca-check-Arca.timer",
        "active arca-scrub-Arca.timer",
    ] {
        assert!(has(&told, words), "{what}: no `{words}`: {told:#?}");
    }
    assert!(!has(&told, "failed ") && !has(&told, "notice "), "{what}: {told:#?}");
    let kept = told.iter().find(|line| line.contains(" /srv/arca/media/kept ")).expect("what was kept");
    kept.rsplit(' ').next().unwrap()
}

/// What the guest tells that its bundle does not expect.
fn failures(machine: &Machine, boot: &Boot) -> Vec<String> {
    let verdict = machine.verdict(boot);
    verdict.failures().map(|check| format!("{}: {}", check.name(), check.difference())).collect()
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_pool_is_made_survives_a_second_boot_and_a_new_system_and_mounts_and_tells_when_a_member_is_missing() {
    let Some(guest) = MicroOs::prepare() else { return };
    let disks = guest.disks(&SERIALS);
    let by_ignition = guest.machine(&format!("engine = \"ignition\"\n{POOL}"), &SERIALS);
    let system = Instance::new(&by_ignition);
    let first = system.boot(&disks, &SERIALS);
    let kept = whole(&first, "made");
    assert_eq!(failures(&by_ignition, &first), Vec::<String>::new());
    assert!(has(&first.up(), "made over data1 data2 data3"), "{first:#?}");
    let second = system.boot(&disks, &SERIALS);
    assert_eq!(whole(&second, "second boot"), kept);
    assert!(!second.serial.contains("first boot"), "{}", second.serial);
    // Told again where somebody listens, and on the console no more.
    assert_eq!(failures(&by_ignition, &second), Vec::<String>::new());
    assert!(first.serial.contains("arca-build: report (final)"), "{}", first.serial);
    assert!(!second.serial.contains("arca-build: report"), "{}", second.serial);

    let by_combustion = guest.machine(&format!("engine = \"combustion\"\nhostname = \"new\"\n{POOL}"), &SERIALS);
    let system = Instance::new(&by_combustion);
    let anew = system.boot(&disks, &SERIALS);
    assert!(has(&anew.up(), "hostname new"));
    assert_eq!(whole(&anew, "new system"), kept);

    let lost = system.boot(&disks, &SERIALS[..2]);
    let told = lost.up();
    for words in [
        "failed arca-check-Arca.service",
        "notice ./arca-pool-Arca-start:pool Arca: a disk of the pool is missing: data3",
        "mount /srv/arca",
    ] {
        assert!(has(&told, words), "no `{words}`: {told:#?}");
    }
    let data = told.iter().find(|line| line.contains(" /srv/arca/media/kept ")).expect("what was kept");
    assert_eq!(data.rsplit(' ').next().unwrap(), kept, "the pool is read without the lost disk");
    assert!(lost.serial.contains("a disk of the pool is missing: data3"), "not on the console: {}", lost.serial);
    let told = failures(&by_combustion, &lost);
    for words in [
        "pool Arca: access: expected rw, found ro",
        "pool Arca: missing: expected no, found yes",
        "mount /var/lib/vm: access: expected rw, found ro",
    ] {
        assert!(told.iter().any(|line| line == words), "no `{words}`: {told:#?}");
    }
    let back = system.boot(&disks, &SERIALS);
    assert_eq!(whole(&back, "member back"), kept);
    for (what, boot) in
        [("made", &first), ("second boot", &second), ("new system", &anew), ("lost", &lost), ("back", &back)]
    {
        eprintln!("{what}: {:?}", boot.wall);
    }
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_disk_that_is_not_blank_is_left_as_it_is_and_told_of_and_the_guest_boots() {
    let Some(guest) = MicroOs::prepare() else { return };
    let disks = guest.disks(&SERIALS);
    // No signature that any tool knows, on the last of the three.
    let foreign = disks.path("data3");
    let mut file = std::fs::OpenOptions::new().write(true).open(&foreign).unwrap();
    file.seek(std::io::SeekFrom::Start(70_000)).unwrap();
    file.write_all(b"somebody's").unwrap();
    let before = digests(&disks);
    let machine = guest.machine(&format!("engine = \"combustion\"\n{POOL}"), &SERIALS);
    let boot = Instance::new(&machine).boot(&disks, &SERIALS);
    let told = boot.up();
    for words in
        ["failed arca-pool-Arca.service", "the disk data3 is not blank, it carries unknown data in its first MiB"]
    {
        assert!(has(&told, words), "no `{words}`: {told:#?}");
    }
    assert!(!has(&told, "mount /srv/arca") && !has(&told, "btrfs Label: 'Arca'"), "{told:#?}");
    assert_eq!(digests(&disks), before, "the guest wrote to a disk of a pool that it refused to make");
}

fn digests(disks: &Disks) -> [String; 3] {
    SERIALS.map(|serial| output(Command::new("sha256sum").arg(disks.path(serial))).success().stdout)
}
