//! Mounts, subvolumes and pools: golden texts for both engines, and tables of what is refused or warned of.

use super::{compile_with, compiled, config, golden, ids, refused, script};
use crate::base::Engine;
use crate::provision::engines::choice::Feature;

const WISH: &str = include_str!("storage.toml");

/// Data disks of 30 GiB, for the end of a recipe.
fn disks(serials: &[&str]) -> String {
    serials.iter().map(|serial| format!("[[machine.disk]]\nserial = \"{serial}\"\nsize = \"30GiB\"\n")).collect()
}

fn pool(rest: &str) -> String {
    format!("[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\n{rest}\n")
}

#[test]
fn ignition_writes_mounts_subvolumes_and_the_pool() {
    let compiled = compiled(&format!("engine = \"ignition\"\n{WISH}"), &[]);
    golden("storage.ign", &config(&compiled));
    assert_eq!((ids(&compiled), &compiled.script), (vec!["read-only-root"], &None));
}

#[test]
fn combustion_writes_mounts_subvolumes_and_the_pool() {
    let compiled = compiled(&format!("engine = \"combustion\"\n{WISH}"), &[]);
    golden("storage-script", &script(&compiled));
    assert!(ids(&compiled).is_empty() && compiled.config.is_none());
}

#[test]
fn left_open_mounts_go_to_ignition_and_the_pool_and_what_lies_in_the_snapshot_to_combustion() {
    let compiled = compiled(WISH, &[]);
    let (config, script) = (config(&compiled), script(&compiled));
    assert!(config.contains("srv-backup\\\\x2d1.mount") && !config.contains("arca-pool-Arca"), "{config}");
    assert!(
        script.contains("arca-pool-Arca.service") && script.contains("\nmkdir -p '/data/my scratch'\n"),
        "{script}"
    );
    assert!(!script.contains("backup") && ids(&compiled).is_empty());
    let told: Vec<_> = compiled
        .assignments
        .iter()
        .map(|assigned| (assigned.engine, assigned.feature, assigned.what.as_str()))
        .collect();
    let (mounts, pools) = (Feature::Mounts, Feature::Pools);
    assert_eq!(
        told,
        [
            (Engine::Ignition, mounts, "mount /dev/disk/by-label/backup at /srv/backup-1"),
            (Engine::Ignition, mounts, "mount /dev/disk/by-id/virtio-scratch at /data/my scratch"),
            (Engine::Combustion, mounts, "directory /data/my scratch"),
            (Engine::Ignition, mounts, "subvolume /srv/photos"),
            (Engine::Ignition, mounts, "subvolume /var/lib/100% db"),
            (
                Engine::Combustion,
                pools,
                "pool Arca at /srv/arca: data1, data2, data3 with data raid1, metadata raid1; 45 GiB usable of 90 GiB"
            ),
        ]
    );
    assert!(compiled.assignments[5].why.contains("would fail the boot"));
}

#[test]
fn pools_are_refused_for_what_no_disk_or_profile_can_give() {
    for (wish, word) in [
        (pool("disks = [\"data9\"]") + &disks(&["data1"]), "no disk of the machine has the serial `data9`"),
        (pool("disks = [\"data1\"]"), "no disk of the machine has the serial `data1`"),
        (
            pool("disks = [\"a\"]\ndata = \"raid1\"") + &disks(&["a"]),
            "`data = \"raid1\"` needs 2 disks, the pool `Arca` has 1",
        ),
        (pool("disks = [\"a\"]\nmetadata = \"raid1\"") + &disks(&["a"]), "`metadata = \"raid1\"` needs 2 disks"),
        (
            pool("disks = [\"a\", \"b\"]\ndata = \"raid1c3\"\nmetadata = \"raid1\"") + &disks(&["a", "b"]),
            "needs 3 disks",
        ),
        (pool("disks = [\"a\", \"b\", \"c\"]\ndata = \"raid10\"") + &disks(&["a", "b", "c"]), "needs 4 disks"),
        (
            pool("disks = [\"a\", \"b\"]\ndata = \"dup\"") + &disks(&["a", "b"]),
            "keeps both copies on one disk, and the pool has 2",
        ),
        (
            pool("disks = [\"a\"]") + "[[machine.disk]]\nserial = \"a\"\nsize = \"64MiB\"\n",
            "the disk `a` is too small for a pool: 64MiB",
        ),
        (
            pool("disks = [\"a\"]").replace("/srv/arca", "/srv") + &disks(&["a"]),
            "a mount at `/srv` would hide what the system has there",
        ),
        (
            pool("disks = [\"a\"]").replace("/srv/arca", "/run/arca") + &disks(&["a"]),
            "nothing is mounted at `/run/arca`: /run is made anew",
        ),
        (
            pool("disks = [\"a\"]")
                + &pool("disks = [\"b\"]").replace("Arca", "arca").replace("/srv/arca", "/srv/b")
                + &disks(&["a", "b"]),
            "two pools have the label `arca`",
        ),
        (
            pool("disks = [\"a\"]") + &pool("disks = [\"b\"]").replace("Arca", "B") + &disks(&["a", "b"]),
            "`/srv/arca` is a mount point twice, first in line 6",
        ),
        (
            pool("disks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"x\"\npath = \"/var\"") + &disks(&["a"]),
            "a mount at `/var` would hide",
        ),
        (
            pool("disks = [\"a\"]") + "[[provision.unit]]\nname = \"srv-arca.mount\"\nmask = true\n" + &disks(&["a"]),
            "unit `srv-arca.mount` is there twice",
        ),
    ] {
        let found = refused(&wish, &[]);
        assert!(!found.is_empty() && found.iter().all(|told| told.contains(word)), "{wish} {found:#?}");
        assert!(found[0].contains("@recipes/nas.toml:"), "{found:?}");
    }
    let near = compile_with(&(pool("disks = [\"dta1\"]") + &disks(&["data1"])), &[]).unwrap_err();
    assert_eq!(near.0[0].hint.as_deref(), Some("did you mean \"data1\"?"));
}

#[test]
fn what_would_be_hidden_by_a_later_mount_is_refused() {
    let mount = "[[provision.mount]]\nwhat = \"UUID=12-34\"\npath = \"/srv/m\"\n";
    let subvolume = "[[provision.subvolume]]\npath = \"/srv/s\"\n";
    let file = |path: &str| format!("[[provision.file]]\npath = \"{path}\"\ntext = \"\"\n");
    let user = "[[provision.user]]\nname = \"bob\"\nhome = \"/srv/m/bob\"\nssh_keys = [\"KEY\"]\n";
    for (wish, word) in [
        (file("/srv/m/x") + mount, "`/srv/m/x` would be written before the mount at `/srv/m` is there"),
        (file("/srv/m") + mount, "`/srv/m` would be written before"),
        (file("/srv/s/x") + subvolume, "`/srv/s/x` would be written before the subvolume `/srv/s` is there"),
        (user.to_owned() + mount, "`/srv/m/bob` would be written before"),
        (
            pool("disks = [\"a\"]") + &file("/srv/arca/.keep") + &disks(&["a"]),
            "before the pool at `/srv/arca` is there",
        ),
        (format!("{mount}{}", mount.replace("12-34", "1")), "E_RECIPE: `/srv/m` is there twice"),
        (format!("{subvolume}{}", mount.replace("/srv/m", "/srv/s")), "`/srv/s` is a mount point twice"),
    ] {
        let found = refused(&wish, &[]);
        assert!(found.len() == 1 && found[0].contains(word), "{wish} {found:#?}");
    }
    assert!(compile_with(&(file("/srv/mx") + mount), &[]).is_ok());
}

#[test]
fn a_subvolume_is_refused_where_no_snapshot_keeps_it() {
    let at = |path: &str| format!("[[provision.subvolume]]\npath = \"{path}\"\n");
    for (wish, word) in [
        (at("/data"), "`/data` would not be there in the next snapshot of the system"),
        (at("/etc/x"), "would not be there in the next snapshot"),
        (at("/run/x"), "would not be there in the next snapshot"),
        (at("/srv"), "`/srv` is a part of the system already"),
        (pool("disks = [\"a\"]") + &at("/srv/arca/x") + &disks(&["a"]), "`/srv/arca/x` lies in the pool `Arca`"),
    ] {
        let found = refused(&wish, &[]);
        assert!(found.len() == 1 && found[0].contains(word), "{wish} {found:#?}");
    }
    for path in ["/home/x", "/opt/x", "/root/x", "/srv/a/b", "/usr/local/x", "/var/lib/x"] {
        assert!(compile_with(&at(path), &[]).is_ok(), "{path}");
    }
}

#[test]
fn a_mount_waits_for_a_disk_of_the_machine_that_is_in_no_pool() {
    let mount = "[[provision.mount]]\nserial = \"a\"\npath = \"/srv/m\"\n";
    let in_pool = refused(&(pool("disks = [\"a\"]") + mount + &disks(&["a"])), &[]);
    assert!(in_pool.len() == 1 && in_pool[0].contains("the disk `a` is a member of the pool `Arca`"), "{in_pool:?}");
    assert!(refused(mount, &[])[0].contains("no disk of the machine has the serial `a`"));
    // One device mounted twice has one unit that says how long to wait.
    let twice = mount.to_owned() + &mount.replace("/srv/m", "/srv/n") + &disks(&["a"]);
    let config = config(&compiled(&twice, &[]));
    assert_eq!(config.matches("JobRunningTimeoutSec=30s").count(), 1, "{config}");
}

#[test]
fn pools_that_lose_space_or_safety_are_warned_of() {
    let sized = |sizes: &[&str]| {
        let names: Vec<_> = (0..sizes.len()).map(|n| format!("\"d{n}\"")).collect();
        let disks = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| format!("[[machine.disk]]\nserial = \"d{n}\"\nsize = \"{size}\"\n"));
        (format!("disks = [{}]", names.join(", ")), disks.collect::<String>())
    };
    for (sizes, rest, warned) in [
        (&["30GiB", "30GiB", "30GiB"][..], "", &[][..]),
        (&["10GiB", "20GiB", "30GiB"], "", &[]),
        (&["10GiB", "10GiB", "30GiB"], "", &["pool-capacity"]),
        (&["10GiB", "30GiB"], "data = \"single\"", &[]),
        (&["10GiB", "10GiB"], "metadata = \"single\"", &["raid-metadata"]),
        (&["10GiB", "10GiB", "10GiB"], "data = \"raid1c3\"", &[]),
        (&["10GiB", "10GiB", "10GiB"], "data = \"raid1c3\"\nmetadata = \"raid1\"", &["raid-metadata"]),
        (&["10GiB"], "data = \"dup\"", &[]),
    ] {
        let (names, disks) = sized(sizes);
        let compiled = compiled(&format!("{}{disks}", pool(&format!("{names}\n{rest}"))), &[]);
        assert_eq!(ids(&compiled), warned, "{sizes:?} {rest}");
    }
    let (names, disks) = sized(&["10GiB", "10GiB", "30GiB"]);
    let text = &compiled(&(pool(&names) + &disks), &[]).warnings[0].text;
    assert!(text.contains("can use only 40 GiB of 50 GiB"), "{text}");
}

#[test]
fn a_pool_of_one_disk_and_schedules_that_are_off_leave_their_units_out() {
    let wish = pool("disks = [\"a\"]\nscrub = \"off\"\nbalance = \"off\"\ncheck = false") + &disks(&["a"]);
    let script = script(&compiled(&wish, &[]));
    assert!(script.contains("\ndata=single metadata=dup\n") && !script.contains(".timer"), "{script}");
}

/// The system's own mounts need the device too: where it comes late they would fail with ours.
#[test]
fn the_systems_own_device_is_waited_for_as_long_as_the_system_does() {
    let mount = |what: &str| format!("[[provision.mount]]\nwhat = \"{what}\"\npath = \"/srv/x\"\n");
    let text = |what: &str| config(&compiled(&format!("engine = \"ignition\"\n{}", mount(what)), &[]));
    assert!(text("LABEL=other").contains("JobRunningTimeoutSec"));
    assert!(!text("LABEL=ROOT").contains("JobRunningTimeoutSec"));
}

/// What fails half-way must be tried again, so a subvolume has its name only when all is done.
#[test]
fn a_subvolume_has_its_name_last_and_waits_for_a_root_that_can_be_written() {
    let config =
        config(&compiled("engine = \"ignition\"\n[[provision.subvolume]]\npath = \"/srv/a $b\"\nnocow = true\n", &[]));
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let unit = config["systemd"]["units"][0]["contents"].as_str().unwrap();
    let starts: Vec<_> = unit.lines().filter(|line| line.starts_with("ExecStart=")).collect();
    assert_eq!(
        starts[2..],
        ["ExecStart=chattr +C \"/srv/a $$b.arca-new\"", "ExecStart=mv -T \"/srv/a $$b.arca-new\" \"/srv/a $$b\""]
    );
    assert!(
        starts[1].contains("test -e \"$$1\" || exec btrfs subvolume create \"$$1\"' sh \"/srv/a $$b.arca-new\""),
        "{unit}"
    );
    assert!(
        unit.contains("\nAfter=systemd-remount-fs.service\n") && unit.contains("\nConditionPathExists=!/srv/a $b\n"),
        "{unit}"
    );
}

#[test]
fn a_pool_is_mounted_by_a_link_that_no_device_unit_stands_for_and_before_what_is_mounted_of_it() {
    let wish = pool(
        "disks = [\"a\", \"b\"]\noptions = [\"compress=zstd\", \"noatime\"]\n[[provision.pool.subvolume]]\nname = \"vm\"\npath = \"/var/vm\"",
    ) + &disks(&["a", "b"]);
    let config: serde_json::Value =
        serde_json::from_str(&config(&compiled(&format!("engine = \"ignition\"\n{wish}"), &[]))).unwrap();
    let unit = |name: &str| {
        let mut units = config["systemd"]["units"].as_array().unwrap().iter();
        units.find(|unit| unit["name"] == name).unwrap()["contents"].as_str().unwrap().to_owned()
    };
    for (name, rest) in [("srv-arca.mount", ""), ("var-vm.mount", "After=srv-arca.mount\n")] {
        let text = unit(name);
        assert!(text.contains("\nWhat=/run/arca-build/pool-Arca.device\n"), "{text}");
        assert!(
            text.contains(&format!("Requires=arca-pool-Arca.service\nAfter=arca-pool-Arca.service\n{rest}\n[Mount]")),
            "{text}"
        );
    }
    assert!(unit("arca-pool-Arca.service").contains("After=systemd-remount-fs.service local-fs-pre.target\n"));
}
