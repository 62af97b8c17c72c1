//! What is named by address: what each engine makes of it, what carries it, and what is refused.

use super::{GuestConfig, compiled, golden, ids, refused, script};
use crate::base::{ByteSize, Digest, DiskSerial};
use crate::provision::engines::template::{Segment, Template};
use crate::provision::guest::{PAYLOAD_SERIAL, PayloadMedium};
use crate::provision::payload::CONFIG_DISK_LIMIT;

const WISH: &str = include_str!("carried.toml");

/// The recipe part with `DIGEST` and such in place, as it would be where everything is small and pinned.
fn wish(engine: &str) -> String {
    let digest = |text: &[u8]| Digest::of(text).to_string();
    let text = WISH.replace("FILE", &digest(b"a file")).replace("ONE", &digest(b"one")).replace("TWO", &digest(b"two"));
    format!("engine = \"{engine}\"\n{}", text.replace("IMAGE", &digest(b"an image")))
}

/// The part above the first container.
fn without_containers(engine: &str) -> String {
    wish(engine).split("[[provision.container]]").next().unwrap().to_owned()
}

fn without_rpms(engine: &str) -> String {
    let wish = wish(engine);
    let (before, after) = (wish.split("[[provision.rpm]]").next().unwrap(), wish.split("[[provision.container]]"));
    before.to_owned() + "[[provision.container]]" + after.last().unwrap()
}

/// A template with each place shown as `{title}`.
fn shown(template: &Template) -> String {
    let part = |part: &Segment| match part {
        Segment::Text(text) => String::from_utf8(text.expose().clone()).unwrap(),
        Segment::Base64(input) => format!("{{{}}}", input.title),
    };
    template.0.iter().map(part).collect()
}

fn paths(compiled: &GuestConfig) -> Vec<&str> {
    compiled.payload_files.iter().map(|load| load.path.as_str()).collect()
}

fn file(path: &str, size: Option<u64>) -> String {
    let size = size.map(|size| format!("size = \"{size}B\"\n")).unwrap_or_default();
    let digest = Digest::of(path.as_bytes());
    format!("[[provision.file]]\npath = \"{path}\"\nurl = \"https://h{path}\"\nsha256 = \"{digest}\"\n{size}")
}

#[test]
fn a_script_installs_what_lies_beside_it() {
    let compiled = compiled(&without_containers("combustion"), &[]);
    golden("carried-beside", &script(&compiled));
    assert_eq!(compiled.medium, Some(PayloadMedium::ConfigDisk));
    let digest = Digest::of(b"a file");
    assert_eq!(paths(&compiled), [&format!("files/{digest}"), "rpms/one-1.0.rpm", "rpms/two_rc1.rpm"]);
    assert_eq!(ids(&compiled), ["carried-fwcfg"]);
}

#[test]
fn a_script_installs_what_the_payload_disk_holds() {
    let compiled = compiled(&wish("combustion"), &[]);
    golden("carried-on-disk", &script(&compiled));
    assert_eq!(compiled.medium, Some(PayloadMedium::PayloadDisk));
    assert_eq!(paths(&compiled)[0], "containers/web.tar");
    assert_eq!(compiled.payload_files.len(), 4);
    assert_eq!(ids(&compiled), ["container-podman"]);
}

#[test]
fn ignition_has_a_place_for_the_file_and_a_unit_for_the_image() {
    let compiled = compiled(&without_rpms("ignition"), &[]);
    golden("carried.ign", &shown(compiled.template.as_ref().unwrap()));
    assert_eq!((&compiled.config, &compiled.script, compiled.has_config()), (&None, &None, true));
    assert_eq!(paths(&compiled), ["containers/web.tar"]);
}

#[test]
fn with_both_engines_packages_are_all_that_combustion_gets() {
    let compiled = compiled(&without_containers("auto"), &[]);
    let script = script(&compiled);
    assert!(script.contains("rpm --upgrade") && !script.contains("put ") && !script.contains("/etc/big"), "{script}");
    assert!(shown(compiled.template.as_ref().unwrap()).contains("{provision.file /etc/big file}"));
    assert_eq!(paths(&compiled), ["rpms/one-1.0.rpm", "rpms/two_rc1.rpm"]);
}

#[test]
fn what_carries_follows_size_transport_and_what_is_known() {
    let limit = CONFIG_DISK_LIMIT.0;
    let rows = [
        (file("/etc/a", Some(limit)), PayloadMedium::ConfigDisk),
        (file("/etc/a", Some(limit + 1)), PayloadMedium::PayloadDisk),
        (file("/etc/a", Some(limit)) + &file("/etc/b", Some(1)), PayloadMedium::PayloadDisk),
        (file("/etc/a", None), PayloadMedium::PayloadDisk),
        (file("/etc/a", Some(i64::MAX as u64 >> 19)) + &file("/etc/b", Some(1)), PayloadMedium::PayloadDisk),
        (format!("transport = \"fw_cfg\"\n{}", file("/etc/a", Some(1))), PayloadMedium::PayloadDisk),
    ];
    for (wish, expected) in rows {
        let compiled = compiled(&format!("engine = \"combustion\"\n{wish}"), &[]);
        assert_eq!(compiled.medium, Some(expected), "{wish}");
    }
    let gpt = compiled(&format!("engine = \"combustion\"\nmedia = \"gpt\"\n{}", file("/etc/a", None)), &[]);
    assert_eq!(ids(&gpt), ["carried-usb"]);
    assert!(DiskSerial::parse(PAYLOAD_SERIAL).is_ok());
}

#[test]
fn two_files_of_the_same_bytes_are_carried_once() {
    let one = file("/etc/a", Some(1));
    let other = one.replace("path = \"/etc/a\"", "path = \"/etc/b\"");
    let compiled = compiled(&format!("engine = \"combustion\"\n{one}{other}"), &[]);
    assert_eq!((compiled.payload_files.len(), script(&compiled).matches(" carried files/").count()), (1, 2));
}

#[test]
fn ignition_refuses_what_is_too_large_for_a_config_and_names_the_way_out() {
    let mib = ByteSize::mib(1).0;
    for (wish, expected) in [
        (file("/etc/a", Some(mib + 1)), "E_PROVISION: `provision.file /etc/a` is too large for an Ignition config"),
        ((0..17).map(|n| file(&format!("/etc/{n}"), Some(mib))).collect(), "hold more than 16 MiB together"),
        (format!("transport = \"fw_cfg\"\n{}", file("/etc/a", None)), "E_FWCFG_LIMIT: the size of"),
        (format!("transport = \"fw_cfg\"\n{}", file("/etc/a", Some(mib / 4))), "E_FWCFG_LIMIT: the Ignition config"),
    ] {
        let problems = refused(&format!("engine = \"ignition\"\n{wish}"), &[]);
        assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?}");
    }
    assert!(compiled(&file("/etc/a", Some(mib)), &[]).template.is_some());
    let left_open = compiled(&file("/etc/a", Some(mib + 1)), &[]);
    assert!(script(&left_open).contains("put 0644 root:root /etc/a carried files/"), "Combustion takes it");
    assert_eq!(left_open.assignments[0].why, "it is too large for an Ignition config");
}

/// Whatever a user writes, only what the recipe names by address becomes a place.
#[test]
fn out_16_no_text_of_a_user_passes_for_a_place() {
    let marks: String = (0..3).map(|n| format!("place-{n}-0.place-{n}-1. {{}} \\\" data:;base64,")).collect();
    let text = format!("[[provision.file]]\npath = \"/etc/t\"\ntext = \"{marks}\"\n");
    let named = file("/etc/place-0-0.", Some(1)).replace("https://h/etc/place-0-0.", "https://h/x");
    let unit = format!("[[provision.unit]]\nname = \"a.service\"\ntext = \"[Unit]\\nDescription={marks}\\n\"\n");
    let compiled = compiled(&format!("{text}{named}{}{unit}", file("/etc/z", Some(1))), &[]);
    let Template(parts) = compiled.template.unwrap();
    let titles: Vec<_> = parts
        .iter()
        .filter_map(|part| if let Segment::Base64(input) = part { Some(input.title.as_str()) } else { None })
        .collect();
    assert_eq!(titles, ["provision.file /etc/place-0-0.", "provision.file /etc/z"]);
    let filled: String = parts
        .iter()
        .map(|part| match part {
            Segment::Text(text) => String::from_utf8(text.expose().clone()).unwrap(),
            Segment::Base64(_) => "YQ==".to_owned(),
        })
        .collect();
    let read = crate::format::ignition::read(filled.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(read.root.list(&["storage", "files"]).len(), 3);
    let value: serde_json::Value = serde_json::from_str(&filled).unwrap();
    assert_eq!(crate::format::ignition::canonical(&value).unwrap(), filled.as_bytes(), "it stays canonical");
}

#[test]
fn a_container_has_a_unit_whose_name_is_taken() {
    let unit = "[[provision.unit]]\nname = \"arca-load-web.service\"\nenable = true\n";
    let problems = refused(&format!("{}{unit}", without_rpms("ignition")), &[]);
    assert!(problems.len() == 1 && problems[0].contains("unit `arca-load-web.service` is there twice"), "{problems:?}");
}
