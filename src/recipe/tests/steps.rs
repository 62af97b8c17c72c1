//! Networks, scripts, timers and packages: broken ones, one mistake each, and what whole ones say.

use std::net::IpAddr;

use super::broken::{Case, check};
use super::*;
use crate::recipe::network::{Addressing, BondMode, Link};
use crate::recipe::numbers::Mtu;
use crate::recipe::{Content, Use};

#[rustfmt::skip]
const NETWORK: &[Case] = &[
    ("network without name", "\n[[provision.network]]\nmac = \"52:54:00:12:34:56\"\n", "E_RECIPE 5:1+21", "`name` is missing from `[[provision.network]]`", "add `name ="),
    ("network named like a path", "\n[[provision.network]]\nname = \"../x\"\n", "E_RECIPE 6:8+6", "`name`: a name is 1 to 63 characters", "-"),
    ("network twice", "\n[[provision.network]]\nname = \"a\"\n[[provision.network]]\nname = \"a\"\ninterface = \"eth1\"\n", "E_RECIPE 8:8+3", "`a` is there twice", "join the two"),
    ("network of no type", "\n[[provision.network]]\nname = \"a\"\ntype = \"vlam\"\n", "E_RECIPE 7:8+6", "`type` cannot be `vlam`", "did you mean \"vlan\"?"),
    ("interface too long", "\n[[provision.network]]\nname = \"a\"\ninterface = \"sixteen-letters-\"\n", "E_RECIPE 7:13+18", "`sixteen-letters-` is not the name of an interface", "1 to 15 printable ASCII characters"),
    ("interface with a slash", "\n[[provision.network]]\nname = \"a\"\ninterface = \"a/b\"\n", "E_RECIPE 7:13+5", "`a/b` is not the name of an interface", "1 to 15 printable ASCII characters"),
    ("mac of another form", "\n[[provision.network]]\nname = \"a\"\nmac = \"52-54-00-12-34-56\"\n", "E_RECIPE 7:7+19", "six pairs of hexadecimal digits like 52:54:00:12:34:56", "write the card's address, or leave the key out"),
    ("mac of a group", "\n[[provision.network]]\nname = \"a\"\nmac = \"ff:ff:ff:ff:ff:ff\"\n", "E_RECIPE 7:7+19", "of one card, not of many", "write the card's address, or leave the key out"),
    ("address without prefix", "\n[[provision.network]]\nname = \"a\"\naddresses = [\"192.0.2.1\"]\n", "E_RECIPE 7:14+11", "`192.0.2.1`: not an address of IPv4 or IPv6 with `/`", "like \"192.0.2.1/24\""),
    ("address with a mask", "\n[[provision.network]]\nname = \"a\"\naddresses = [\"192.0.2.1/255.255.255.0\"]\n", "E_RECIPE 7:14+25", "the prefix is 1 to 32 for IPv4 and 1 to 128", "write it like"),
    ("address of nothing", "\n[[provision.network]]\nname = \"a\"\naddresses = [\"host/24\"]\n", "E_RECIPE 7:14+9", "`host/24`: not an address", "write it like \"192.0.2.10/24\""),
    ("address twice", "\n[[provision.network]]\nname = \"a\"\naddresses = [\"2001:db8::1/64\", \"2001:0db8::1/64\"]\n", "E_RECIPE 7:32+17", "`2001:0db8::1/64` is there twice", "keep one of them"),
    ("address outside a list", "\n[[provision.network]]\nname = \"a\"\naddresses = \"192.0.2.1/24\"\n", "E_RECIPE 7:13+14", "`addresses` must be a list, this is text", "put it in brackets"),
    ("gateway with a prefix", "\n[[provision.network]]\nname = \"a\"\ngateway = [\"192.0.2.1/24\"]\n", "E_RECIPE 7:12+14", "`192.0.2.1/24` is not an address of IPv4 or IPv6", "write \"192.0.2.1\"; a prefix belongs to `addresses`"),
    ("route of two families", "\n[[provision.network]]\nname = \"a\"\nroutes = [\"10.0.0.0/8 via fe80::1\"]\n", "E_RECIPE 7:11+24", "the router is of the other family", "write it like \"10.0.0.0/8 via 192.0.2.254\""),
    ("route without a router", "\n[[provision.network]]\nname = \"a\"\nroutes = [\"10.0.0.0/8 via gw\"]\n", "E_RECIPE 7:11+19", "`via` is not followed by an address", "or without `via`"),
    ("default route", "\n[[provision.network]]\nname = \"a\"\nroutes = [\"0.0.0.0/0 via 192.0.2.1\"]\n", "E_RECIPE 7:11+25", "the prefix is 1 to 32 for IPv4", "the default route is `gateway`"),
    ("route twice", "\n[[provision.network]]\nname = \"a\"\nroutes = [\"10.0.0.0/8\", \"10.0.0.0/8 via 192.0.2.1\"]\n", "E_RECIPE 7:25+26", "is there twice", "keep one of them"),
    ("name server by name", "\n[[provision.network]]\nname = \"a\"\ndns = [\"dns.example.org\"]\n", "E_RECIPE 7:8+17", "`dns.example.org` is not an address", "write it like \"192.0.2.1\""),
    ("domain with a space", "\n[[provision.network]]\nname = \"a\"\ndns_search = [\"a b\"]\n", "E_RECIPE 7:15+5", "`a b` is not the name of a domain", "like \"example.org\""),
    ("mtu too small", "\n[[provision.network]]\nname = \"a\"\nmtu = 500\n", "E_RECIPE 7:7+3", "`mtu` must be 576 to 65535, this is 500", "-"),
    ("method of no family", "\n[[provision.network]]\nname = \"a\"\nipv4 = \"dhcp\"\n", "E_RECIPE 7:8+6", "`ipv4` cannot be `dhcp`", "one of: auto, static, disabled"),
    ("vlan without id", "\n[[provision.network]]\nname = \"a\"\ntype = \"vlan\"\nparent = \"eth0\"\n", "E_RECIPE 5:1+21", "`id` is missing from `[[provision.network]]`", "add `id = 10`"),
    ("vlan without parent", "\n[[provision.network]]\nname = \"a\"\ntype = \"vlan\"\nid = 1\n", "E_RECIPE 5:1+21", "`parent` is missing from `[[provision.network]]`", "add `parent ="),
    ("vlan 4095", "\n[[provision.network]]\nname = \"a\"\ntype = \"vlan\"\nparent = \"eth0\"\nid = 4095\n", "E_RECIPE 9:6+4", "`id` must be 1 to 4094, this is 4095", "-"),
    ("vlan on a long parent", "\n[[provision.network]]\nname = \"a\"\ntype = \"vlan\"\nparent = \"long-interface\"\nid = 10\n", "E_RECIPE 8:10+16", "`long-interface.10` is too long", "add `interface`"),
    ("bridge without ports", "\n[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\n", "E_RECIPE 5:1+21", "`ports` is missing from `[[provision.network]]`", "add `ports ="),
    ("bridge of nothing", "\n[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = []\n", "E_RECIPE 8:9+2", "`ports` is empty", "name an interface"),
    ("bridge with a long name", "\n[[provision.network]]\nname = \"the-guests-bridge\"\ntype = \"bridge\"\nports = [\"eth0\"]\n", "E_RECIPE 6:8+19", "`the-guests-bridge` cannot be the name of an interface", "add `interface`"),
    ("port with a space", "\n[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = [\"a b\"]\n", "E_RECIPE 8:10+5", "`ports`: not the name of an interface: 1 to 15", "-"),
    ("bond of no mode", "\n[[provision.network]]\nname = \"b\"\ntype = \"bond\"\nports = [\"eth0\"]\nmode = \"lacp\"\n", "E_RECIPE 9:8+6", "`mode` cannot be `lacp`", "one of: balance-rr"),
    ("mode of a bridge", "\n[[provision.network]]\nname = \"b\"\ntype = \"bridge\"\nports = [\"eth0\"]\nmode = \"802.3ad\"\n", "E_RECIPE 9:8+9", "`mode` means nothing to a link of type bridge", "write type = \"bond\""),
    ("ports of a card", "\n[[provision.network]]\nname = \"b\"\nports = [\"eth0\"]\n", "E_RECIPE 7:9+8", "`ports` means nothing to a link of type ethernet", "write type = \"bridge\" or type = \"bond\""),
];

#[rustfmt::skip]
const SCRIPTS: &[Case] = &[
    ("scripts as tables", "\n[[provision.script]]\nname = \"a\"\ntext = \"x\"\n", "E_RECIPE 5:1+20", "`script` is the path of one ready-made Combustion script", "scripts that are part of the recipe are `[[provision.run]]`"),
    ("run without name", "\n[[provision.run]]\ntext = \"x\"\n", "E_RECIPE 5:1+17", "`name` is missing from `[[provision.run]]`", "add `name ="),
    ("run of nothing", "\n[[provision.run]]\nname = \"a\"\n", "E_RECIPE 5:1+17", "`[[provision.run]]` has neither `text` nor `source`", "add `text`, or `source`"),
    ("run of both", "\n[[provision.run]]\nname = \"a\"\ntext = \"x\"\nsource = \"y\"\n", "E_RECIPE 8:10+3", "`text` and `source` are both given", "keep one of them"),
    ("run from above", "\n[[provision.run]]\nname = \"a\"\nsource = \"../y\"\n", "E_INPUT_ESCAPE 7:10+6", "the path `../y` leaves the recipe's directory", "put the file beside the recipe"),
    ("run with carriage returns", "\n[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\r\\n\"\n", "E_RECIPE 7:8+15", "`text` holds the character U+000D", "beside the recipe"),
    ("run named twice", "\n[[provision.run]]\nname = \"a\"\ntext = \"x\"\n[[provision.run]]\nname = \"a\"\ntext = \"x\"\n", "E_RECIPE 9:8+3", "`a` is there twice", "join the two"),
    ("run with a network as text", "\n[[provision.run]]\nname = \"a\"\ntext = \"x\"\nnetwork = \"yes\"\n", "E_RECIPE 8:11+5", "`network` must be true or false", "without quotes"),
    ("timer without time", "\n[[provision.timer]]\nname = \"a\"\ntext = \"x\"\n", "E_RECIPE 5:1+19", "`on_calendar` is missing from `[[provision.timer]]`", "add `on_calendar ="),
    ("timer as of cron", "\n[[provision.timer]]\nname = \"a\"\ntext = \"x\"\non_calendar = \"0 3 * * *\"\n", "E_RECIPE 8:15+11", "`0 3 * * *` is not a calendar event of systemd", "write \"daily\""),
    ("package like an option", "\n[provision]\npackages = [\"--root=/\"]\n", "E_RECIPE 6:13+10", "`--root=/` is not the name of a package", "a name like \"htop\""),
    ("package by file", "\n[provision]\npackages = [\"htop.rpm\"]\n", "E_RECIPE 6:13+10", "`htop.rpm` is not the name of a package", "a file by address is a `[[provision.rpm]]`"),
    ("package twice", "\n[provision]\npackages = [\"a\", \"a\"]\n", "E_RECIPE 6:18+3", "`a` is there twice in `packages`", "keep one of them"),
];

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_networks() {
    check(NETWORK);
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_scripts_and_packages() {
    check(SCRIPTS);
}

#[test]
fn more_profiles_or_ports_than_a_machine_has_are_refused() {
    let rows: String =
        (0..101).map(|n| format!("[[provision.network]]\nname = \"n{n}\"\ninterface = \"e{n}\"\n")).collect();
    let ports: Vec<String> = (0..33).map(|n| format!("\"e{n}\"")).collect();
    let bridge = format!("[[provision.network]]\nname = \"b\"\ntype = \"bridge\"\nports = [{}]\n", ports.join(", "));
    for (text, words) in [
        (rows, "101 times `[[provision.network]]`, at most 100 are allowed"),
        (bridge, "`ports` has more than 32 entries"),
    ] {
        let found = problems(&format!("{HEAD}{text}"));
        assert!(found.len() == 1 && found[0].headline.contains(words), "{found:?}");
    }
}

#[test]
fn whole_profiles_say_what_is_written_and_default_the_rest() {
    let recipe = crate::recipe::parse(
        &format!("{HEAD}[provision]\n{}", include_str!("../../provision/tests/network.toml")),
        "t.toml",
    )
    .unwrap();
    let profiles: Vec<_> = recipe.provision.networks.iter().map(|profile| &profile.value).collect();
    let [lan, any, vlan, bond, bridge] = profiles[..] else { panic!("{}", profiles.len()) };
    assert_eq!((lan.mac().unwrap().as_str(), lan.interface(), lan.mtu), ("52:54:00:12:34:56", None, Some(Mtu(9000))));
    assert_eq!((lan.addressing(true), lan.addressing(false)), (Addressing::Static, Addressing::Static));
    assert_eq!(lan.gateway[1].value, "fe80::1".parse::<IpAddr>().unwrap());
    assert_eq!((any.interface(), any.mac(), any.autoconnect), (None, None, true));
    assert_eq!((any.addressing(true), any.addressing(false)), (Addressing::Auto, Addressing::Auto));
    assert_eq!((vlan.interface().unwrap().as_str(), vlan.addressing(false)), ("bond0.30", Addressing::Disabled));
    assert!(matches!(&bond.link, Link::Bond { interface, mode: BondMode::Lacp, .. } if interface.as_str() == "bond0"));
    assert_eq!((bridge.interface().unwrap().as_str(), bridge.addressing(true)), ("br0", Addressing::Auto));
}

#[test]
fn files_that_scripts_name_are_read_before_planning() {
    let text = format!(
        "{HEAD}[provision]\npackages = [\"htop\"]\n[[provision.run]]\nname = \"a\"\nsource = \"s/a\"\nnetwork = true\n[[provision.timer]]\nname = \"b\"\nsource = \"s/b\"\non_calendar = \"daily\"\n"
    );
    let recipe = crate::recipe::parse(&text, "t.toml").unwrap();
    let files: Vec<_> = recipe.local_files().into_iter().map(|(path, what)| (path.as_str().to_owned(), what)).collect();
    for path in ["s/a", "s/b"] {
        assert!(files.contains(&(path.to_owned(), Use::Content)), "{files:?}");
    }
    let run = &recipe.provision.runs[0].value;
    assert!(run.network && matches!(&run.content, Content::Path(path) if path.value.as_str() == "s/a"));
    assert!(recipe.provision.has_typed() && recipe.provision.packages[0].value == "htop");
    for part in [
        "packages = [\"a\"]\n",
        "[[provision.network]]\nname = \"a\"\n",
        "[[provision.run]]\nname = \"a\"\ntext = \"x\"\n",
    ] {
        let recipe = crate::recipe::parse(&format!("{HEAD}[provision]\n{part}"), "t.toml").unwrap();
        assert!(recipe.provision.has_typed() && recipe.provision.is_wanted(), "{part}");
    }
}
