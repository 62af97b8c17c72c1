//! `explain`: every shipped recipe, unpinned, without store or network; text and JSON; mistakes of all told at once.

use crate::tests::support::publisher::recipes;
use crate::tests::support::{Bin, workdir};

#[test]
fn every_shipped_recipe_is_explained_before_anything_is_pinned_or_fetched() {
    let dir = workdir();
    let folder = recipes(dir.path());
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name.to_string_lossy().ends_with(".toml"));
    assert!(names.len() >= 4);
    for name in names {
        let path = format!("recipes/{}", name.to_string_lossy());
        let text = Bin::new(dir.path()).args(["--offline", "explain", &path]).run().success().stdout;
        assert!(text.contains("At its first boot the guest\n  1. initrd: finds the config disk"), "{text}");
        let json = Bin::new(dir.path()).args(["--offline", "--json", "explain", &path]).run().success().json();
        let one = &json["explanations"][0];
        assert!(!one["placed"].as_array().unwrap().is_empty() && !one["first_boot"].as_array().unwrap().is_empty());
        assert!(one["placed"][0]["engine"] == "ignition" || one["placed"][0]["engine"] == "combustion", "{one}");
    }
    assert!(!dir.path().join("cache").exists(), "no store was opened");
}

#[test]
fn mistakes_of_every_recipe_are_told_at_once() {
    let dir = workdir();
    let bad = "format = 1\nname = \"x\"\n[base]\nurl = \"https://h/MicroOS.qcow2\"\n[[provision.file]]\npath = \"/run/x\"\n\
               text = \"\"\n";
    std::fs::write(dir.path().join("one.toml"), bad).unwrap();
    std::fs::write(dir.path().join("two.toml"), bad.replace("/run/x", "/tmp/x")).unwrap();
    let told = Bin::new(dir.path()).args(["explain", "one.toml", "two.toml"]).run().ends_with(2);
    told.says("`/run/x` would be lost").says("`/tmp/x` would be lost");
}

#[test]
fn units_are_listed_in_the_order_in_which_they_start() {
    let dir = workdir();
    let unit = |name: &str, text: &str| {
        let text = format!("[Unit]\\n{text}\\n[Install]\\nWantedBy=multi-user.target\\n");
        format!("[[provision.unit]]\nname = \"{name}\"\nenable = true\ntext = \"{text}\"\n")
    };
    let units = [
        unit("last.service", "After=first.service middle.service"),
        unit("middle.service", "After=first.service"),
        unit("a.service", "RequiresMountsFor=/srv/x/y"),
        unit("srv-x.mount", "[Mount]\\nWhere=/srv/x"),
        unit("first.service", "Before=srv-x.mount"),
        unit("round.service", "After=trip.service"),
        unit("trip.service", "After=round.service"),
    ];
    let text = format!("format = 1\nname = \"x\"\n[base]\nurl = \"b.qcow2\"\n{}", units.concat());
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    let told = Bin::new(dir.path()).args(["explain", "x.toml"]).run().success();
    let started: Vec<_> = told.stdout.lines().filter_map(|line| line.split_once("system: starts ")).collect();
    let started: Vec<_> = started.iter().map(|(_, unit)| unit.split([':', ' ']).next().unwrap()).collect();
    let expected = [
        "first.service",
        "middle.service",
        "last.service",
        "srv-x.mount",
        "a.service",
        "round.service",
        "trip.service",
    ];
    assert_eq!(started, [&expected[..], &["arca-report.service"]].concat());
}
