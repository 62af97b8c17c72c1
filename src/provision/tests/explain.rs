//! What `explain` tells: who does what and why, and the first boot in order.

use super::{KEY, compiled, golden};
use crate::recipe::{Recipe, parse};

const WISH: &str = "config = \"c\"\nscript = \"s\"\n[provision.root]\nssh_keys = [\"KEY\"]\n\
    [[provision.user]]\nname = \"bob\"\npassword_hash = \"HASH\"\n\
    [[provision.file]]\npath = \"/srv/token\"\ntext = \"sesame\"\n\
    [[provision.file]]\npath = \"/usr/lib/x\"\ntext = \"sesame\"\n\
    [[provision.unit]]\nname = \"a.service\"\nenable = true\n\
    text = \"[Unit]\\nDescription=sesame\\n[Install]\\nWantedBy=a.target\\n\"\n\
    [[provision.rpm]]\nurl = \"https://h/a.rpm\"\n";

const FILES: [(&str, &[u8]); 2] =
    [("c", b"{\"ignition\": {\"version\": \"3.2.0\"}}"), ("s", b"#!/bin/sh\n# combustion: network prepare\n")];

fn recipe(base: &str, provision: &str) -> Recipe {
    let provision = provision.replace("HASH", super::HASH).replace("KEY", KEY);
    let text = format!("format = 1\nname = \"nas\"\n[base]\nurl = \"https://h/{base}\"\n[provision]\n{provision}");
    parse(&text, "nas.toml").unwrap()
}

fn explained(wish: &str) -> String {
    compiled(wish, &FILES).explain(&recipe("MicroOS.qcow2", wish)).to_string()
}

#[test]
fn everything_wanted_is_told_in_the_order_it_happens() {
    golden("explained.txt", &explained(WISH));
}

#[test]
fn sec_4_nothing_provisioned_is_shown_but_names() {
    let text = explained(WISH);
    assert!(!text.contains("sesame") && !text.contains(super::HASH) && !text.contains("AAAA"), "{text}");
}

#[test]
fn who_decided_is_told() {
    let nothing = super::GuestConfig::default;
    for (engine, base, said) in [
        ("", "MicroOS.qcow2", "each part goes to the one that does it best"),
        ("", "openSUSE-MicroOS.x86_64-kvm-and-xen-sdboot.qcow2", "has no Ignition: Combustion does everything"),
        ("engine = \"ignition\"", "MicroOS.qcow2", "the recipe says Ignition"),
        ("engine = \"combustion\"", "MicroOS.qcow2", "the recipe says Combustion"),
    ] {
        let text = nothing().explain(&recipe(base, engine)).to_string();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn the_flavour_without_ignition_gets_everything_by_combustion() {
    let recipe = recipe("openSUSE-MicroOS.x86_64-kvm-and-xen-sdboot.qcow2", "[provision.root]\nssh_keys = [\"KEY\"]\n");
    let compiled = super::compile(&recipe, &Default::default(), &Default::default()).unwrap();
    assert!(compiled.config.is_none() && compiled.script.is_some());
    assert!(super::ids(&compiled).is_empty());
}

#[test]
fn what_no_engine_could_do_is_refused_where_the_choice_was_ours() {
    let refused = |base: &str, wish: &str, files: &[(&str, &[u8])]| {
        let recipe = recipe(base, wish);
        super::compile(&recipe, &super::local(files), &Default::default()).expect_err(base).to_string()
    };
    let key = "[provision.root]\nssh_keys = [\"KEY\"]\n";
    assert!(refused("openSUSE-MicroOS.x86_64-OpenStack-Cloud.qcow2", key, &[]).contains("only cloud-init configures"));
    let text = refused("openSUSE-MicroOS.x86_64-kvm-and-xen-sdboot.qcow2", "config = \"c\"\n", &FILES);
    assert!(text.contains("the image's flavour has no Ignition"), "{text}");
}
