//! One recipe, through Ignition and through Combustion, by disk and by fw_cfg: is the guest the same?
//! Boots a stand-in for MicroOS in software emulation. Read next: `microos.rs`, `fixtures/everything.toml`.

use std::path::Path;

use crate::tests::guest::microos::{Boot, Machine, MicroOs};

const EVERYTHING: &str = include_str!("fixtures/everything.toml");
const SUBVOLUMES: &str = include_str!("fixtures/subvolumes.toml");

/// What one engine leaves behind and the other does not, by the nature of the thing.
const MARKS: [&str; 8] = [
    "/etc/.ignition-result.json",
    // Ignition enables by a preset; Combustion disables by one.
    "/etc/systemd/system-preset",
    // Only Combustion has a phase in the initrd, where profiles of the network are needed early.
    "initrd-network ",
    // Ignition runs nothing itself: a unit runs the recipe's scripts.
    "arca-run-",
    "/etc/arca-build/scripts",
    // The list names those, and each engine leaves a mark of its own.
    "/etc/arca-build/report.list",
    "/etc/arca-build/applied",
    "/var/lib/arca-build",
];

/// The report without the engines' own marks.
fn facts(boot: &Boot) -> String {
    let told = boot.up();
    let marked = |line: &&&str| MARKS.iter().any(|mark| line.contains(mark));
    told.iter().filter(|line| !marked(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_broad_recipe_through_ignition_by_disk_makes_the_guest_of_the_report() {
    hold(&reports(EVERYTHING, &[("ignition", "disk")]), "everything.report");
}

#[test]
#[ignore = "full: a boot of two minutes"]
fn the_broad_recipe_through_combustion_by_fw_cfg_makes_the_guest_of_the_report() {
    hold(&reports(EVERYTHING, &[("combustion", "fw_cfg")]), "everything.report");
}

#[test]
#[ignore = "full: three boots"]
fn the_broad_recipe_by_the_other_ways_makes_the_same_guest() {
    let ways = [("ignition", "fw_cfg"), ("combustion", "disk"), ("auto", "disk")];
    hold(&reports(EVERYTHING, &ways), "everything.report");
}

/// Demands that the guest tells of everything that the recipe wants, as it wants it.
#[track_caller]
fn whole(machine: &Machine, boot: &Boot, how: &str) {
    boot.up();
    let verdict = machine.verdict(boot);
    let said: Vec<_> = boot.report.iter().filter(|line| line.starts_with("journal ")).collect();
    assert!(verdict.passed(), "{how}: {:#?}\n{said:#?}", verdict.lines());
    eprintln!("{how}: {}", verdict.lines().pop().unwrap());
}

/// Boots a recipe in each of these ways (engine, transport); nothing where the guest cannot be had.
fn reports(recipe: &str, ways: &[(&str, &str)]) -> Vec<(String, String)> {
    let Some(guest) = MicroOs::prepare() else { return vec![] };
    let report = |(engine, transport): &(&str, &str)| {
        let machine = guest.machine(&format!("engine = \"{engine}\"\n{recipe}"), &[]);
        let (boot, how) = (machine.run(transport), format!("{engine} by {transport}"));
        whole(&machine, &boot, &how);
        let facts = facts(&boot);
        eprintln!("{how} in {:?}: {} lines", boot.wall, facts.lines().count());
        (how, facts)
    };
    ways.iter().map(report).collect()
}

#[test]
#[ignore = "full: two boots"]
fn files_on_every_subvolume_arrive_by_either_engine_where_ignition_is_patched_as_opensuses_is() {
    // Debian's Ignition takes one entry for a device: the stand-in gives each further one another name of the same device.
    hold(&reports(SUBVOLUMES, &[("ignition", "disk"), ("combustion", "disk")]), "subvolumes.report");
}

/// Holds reports, each with what made it, to the one that stands beside the recipe, and so to each other.
#[track_caller]
fn hold(told: &[(String, String)], golden: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/fixtures").join(golden);
    if let (Some((_, first)), Some("1")) = (told.first(), std::env::var("UPDATE_GOLDEN").ok().as_deref()) {
        std::fs::write(&golden, first).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap_or_default();
    let lines = |a: &str, b: &str| -> String {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(|line| format!("    {line}\n")).collect()
    };
    for (how, facts) in told {
        assert!(
            *facts == expected,
            "{how}: missing\n{}not expected\n{}",
            lines(&expected, facts),
            lines(facts, &expected)
        );
    }
}
