//! Network profiles: golden files of both engines, and what is refused or warned of.

use super::{compile_with, compiled, config, golden, ids, refused, script};
use crate::base::DiskLabel;
use crate::base::Engine;

const WISH: &str = include_str!("network.toml");

fn lan(rest: &str) -> String {
    format!("[[provision.network]]\nname = \"lan\"\ninterface = \"eth0\"\n{rest}\n")
}

fn other(name: &str, rest: &str) -> String {
    format!("[[provision.network]]\nname = \"{name}\"\n{rest}\n")
}

#[test]
fn ignition_writes_profiles_as_files_of_root_alone() {
    let compiled = compiled(&format!("engine = \"ignition\"\n{WISH}"), &[]);
    golden("network.ign", &config(&compiled));
    assert_eq!((&compiled.script, ids(&compiled)), (&None, vec!["profile-card"]));
}

#[test]
fn combustion_writes_profiles_in_the_initrd_and_in_the_system() {
    let compiled = compiled(&format!("engine = \"combustion\"\n{WISH}"), &[]);
    golden("network.script", &script(&compiled));
    assert_eq!((compiled.label, ids(&compiled)), (Some(DiskLabel::Ignition), vec!["profile-card"]));
}

/// The initrd has a shell, `mkdir` and `cat`; `base64` is optional there (openSUSE/combustion, module-setup.sh).
#[test]
fn out_12_the_run_in_the_initrd_needs_no_more_than_is_there_and_ends_there() {
    let text = script(&compiled(&format!("engine = \"combustion\"\n{WISH}"), &[]));
    let (_, rest) = text.split_once("if [ \"${1-}\" = --prepare ]; then\n").unwrap();
    let (initrd, system) = rest.split_once("    exit 0\nfi\n").unwrap();
    assert!(text.lines().nth(1) == Some("# combustion: prepare") && !initrd.contains("base64"), "{text}");
    let inside = |text: &str| text.matches(".nmconnection").count();
    assert_eq!((inside(initrd), inside(system)), (8, 8));
    for (mode, count) in [("umask 077", 1), ("put 0600 root:root /etc/NetworkManager/system-connections/", 8)] {
        assert_eq!(
            initrd.matches(mode).count() + system.matches(mode).count(),
            count + usize::from(count == 1) * system.matches("umask 077").count(),
            "{mode}"
        );
    }
    let mut words: Vec<_> = initrd.lines().filter_map(|line| line.split_once(" >").map(|(word, _)| word)).collect();
    words.dedup();
    assert_eq!(words, ["cat"]);
}

#[test]
fn left_open_the_network_is_combustions_and_the_rest_is_not() {
    let compiled =
        compiled(&format!("[provision.root]\nssh_keys = [\"KEY\"]\n{}", lan("addresses = [\"192.0.2.2/24\"]")), &[]);
    assert!(!config(&compiled).contains("nmconnection") && script(&compiled).contains("lan.nmconnection"));
    let assigned = &compiled.assignments[1];
    assert_eq!((assigned.engine, assigned.what.as_str()), (Engine::Combustion, "network lan: ethernet, 192.0.2.2/24"));
    assert!(assigned.why.contains("initrd"));
}

#[test]
fn what_is_carried_is_not_waited_for_in_the_initrd() {
    let digest = crate::base::Digest::of(b"x");
    let rpm = format!("[[provision.rpm]]\nurl = \"https://h/a.rpm\"\nsha256 = \"{digest}\"\n");
    let text = script(&compiled(&format!("engine = \"combustion\"\n{}{rpm}", lan("")), &[]));
    assert!(text.find("exit 0").unwrap() < text.find("arca-payload").unwrap(), "{text}");
}

#[test]
fn profiles_that_could_not_work_are_refused() {
    let vlan = |name: &str, parent: &str| {
        other(name, &format!("type = \"vlan\"\ninterface = \"{name}\"\nparent = \"{parent}\"\nid = 2"))
    };
    let of = |kind: &str, name: &str, ports: &str| other(name, &format!("type = \"{kind}\"\nports = [{ports}]"));
    for (wish, word) in [
        (lan("addresses = [\"192.0.2.0/24\"]"), "192.0.2.0/24 is the network's own address"),
        (lan("addresses = [\"192.0.2.255/24\"]"), "192.0.2.255/24 is the network's broadcast address"),
        (lan("addresses = [\"224.0.0.1/24\"]"), "is a multicast address"),
        (lan("addresses = [\"127.0.0.5/8\"]"), "is an address of the loopback"),
        (lan("addresses = [\"::1/128\"]"), "is an address of the loopback"),
        (lan("addresses = [\"::/64\"]"), "is no address at all"),
        (lan("addresses = [\"::ffff:192.0.2.1/120\"]"), "is an IPv4-mapped IPv6 address"),
        (
            lan("addresses = [\"192.0.2.2/24\", \"192.0.2.2/25\"]"),
            "the address 192.0.2.2 is there twice, first in line 9",
        ),
        (
            lan("addresses = [\"192.0.2.2/24\"]") + &other("b", "interface = \"eth1\"\naddresses = [\"192.0.2.2/24\"]"),
            "the address 192.0.2.2 is there twice, first in line 9",
        ),
        (
            lan("addresses = [\"192.0.2.2/24\"]\ngateway = [\"192.0.2.1\", \"192.0.2.3\"]"),
            "`lan` has two gateways of IPv4",
        ),
        (lan("addresses = [\"192.0.2.2/24\"]\ngateway = [\"192.0.2.2\"]"), "the gateway 192.0.2.2 is the guest's own"),
        (lan("addresses = [\"192.0.2.2/24\"]\ngateway = [\"fe80::1\"]"), "`lan` has a gateway of IPv6 and no static"),
        (lan("gateway = [\"192.0.2.1\"]"), "`lan` has a gateway of IPv4 and no static address of it"),
        (lan("addresses = [\"192.0.2.2/24\"]\ngateway = [\"0.0.0.0\"]"), "the gateway 0.0.0.0 is no address at all"),
        (lan("ipv4 = \"static\""), "`ipv4` of `lan` is static, and no address of it is given"),
        (
            lan("ipv6 = \"disabled\"\naddresses = [\"2001:db8::2/64\"]"),
            "`ipv6` of `lan` is disabled, and 2001:db8::2/64 is",
        ),
        (
            lan("ipv4 = \"disabled\"\ndns = [\"192.0.2.1\"]"),
            "the name server 192.0.2.1 is of a family that `lan` has disabled",
        ),
        (lan("dns = [\"ff02::1\"]"), "the name server ff02::1 is a multicast address"),
        (lan("ipv4 = \"disabled\"\nipv6 = \"disabled\"\ndns_search = [\"a\"]"), "has `dns_search`, and both families"),
        (lan("") + &other("b", "interface = \"eth0\""), "interface `eth0` has two profiles, the first in line 6"),
        (
            other("a", "mac = \"52:54:00:00:00:0a\"") + &other("b", "mac = \"52:54:00:00:00:0A\""),
            "mac `52:54:00:00:00:0a` has two profiles, the first in line 6",
        ),
        (other("a", "") + &other("b", ""), "`b` would take any card, and so does the profile in line 6"),
        (of("bridge", "a", "\"eth0\"") + &of("bridge", "b", "\"eth0\""), "`eth0` is a port of `a` already"),
        (of("bridge", "a", "\"eth0\", \"eth0\""), "`eth0` is a port of `a` already"),
        (of("bridge", "a", "\"a\""), "`a` cannot be a port of itself"),
        (
            of("bridge", "a", "\"b\"") + &of("bridge", "b", "\"eth0\""),
            "`b` is a bridge, which the kernel takes for no port of a bridge",
        ),
        (
            of("bond", "a", "\"b\"") + &of("bond", "b", "\"eth0\""),
            "`b` is a bond, which the kernel takes for no port of a bond",
        ),
        (vlan("a", "b") + &of("bridge", "b", "\"a\""), "`a` forms a cycle, or is stacked more than 8 deep"),
        (vlan("a", "b") + &vlan("b", "a"), "`a` forms a cycle"),
        (vlan("a", "a"), "`a` forms a cycle"),
        (
            (0..9).map(|n| vlan(&format!("v{n}"), &format!("v{}", n + 1))).collect(),
            "`v0` forms a cycle, or is stacked more than 8",
        ),
        (
            lan("addresses = [\"192.0.2.2/24\"]") + &of("bridge", "b", "\"eth0\""),
            "`lan` is a port of `b`, so it has no addresses",
        ),
        (
            lan("")
                + "[[provision.file]]\npath = \"/etc/NetworkManager/system-connections/lan.nmconnection\"\ntext = \"\"\n",
            "is written twice",
        ),
        (of("bridge", "a", "\"eth0\"") + &other("a-port-eth0", "interface = \"eth1\""), "is written twice"),
    ] {
        let problems = refused(&wish, &[]);
        assert!(problems.len() == 1 && problems[0].contains(word), "{wish} {problems:?}");
        assert!(problems[0].contains("@recipes/nas.toml:"), "{problems:?}");
    }
}

#[test]
fn routes_that_could_not_work_are_refused() {
    for (wish, word) in [
        (
            lan("ipv6 = \"disabled\"\nroutes = [\"2001:db8:1::/48\"]"),
            "the route to 2001:db8:1::/48 is of a family that `lan` has disabled",
        ),
        (
            lan("routes = [\"10.0.0.0/8 via 224.0.0.1\"]"),
            "the router of the route to 10.0.0.0/8 is a multicast address",
        ),
        (
            lan("routes = [\"10.0.0.0/8\"]") + &other("b", "type = \"bridge\"\nports = [\"eth0\"]"),
            "`lan` is a port of `b`, so it has no addresses",
        ),
    ] {
        let problems = refused(&wish, &[]);
        assert!(problems.len() == 1 && problems[0].contains(word), "{wish} {problems:?}");
    }
}

#[test]
fn profiles_that_hardly_work_as_meant_are_warned_of() {
    for (wish, warned) in [
        (lan("addresses = [\"192.0.2.2/24\"]\ngateway = [\"192.0.3.1\"]"), &["gateway-subnet"][..]),
        (lan("addresses = [\"192.0.2.2/24\", \"192.0.3.2/24\"]\ngateway = [\"192.0.3.1\"]"), &[]),
        (lan("addresses = [\"2001:db8::2/64\"]\ngateway = [\"fe80::1\"]"), &[]),
        (lan("addresses = [\"2001:db8::2/64\"]\ngateway = [\"2001:db8:1::1\"]"), &["gateway-subnet"]),
        (lan("mtu = 1279"), &["mtu-ipv6"]),
        (lan("mtu = 1279\nipv6 = \"disabled\""), &[]),
        (lan("mtu = 1280"), &[]),
    ] {
        assert_eq!(ids(&compiled(&wish, &[])), warned, "{wish}");
    }
}

#[test]
fn what_a_keyfile_would_take_for_a_mark_is_escaped() {
    let text = script(&compile_with(&other("a", "interface = 'a\\b;c'"), &[]).unwrap());
    assert_eq!(text.matches("interface-name=a\\\\b;c\n").count(), 2, "{text}");
}
