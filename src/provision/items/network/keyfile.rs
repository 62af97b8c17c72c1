//! A profile as NetworkManager keeps it: sections of keys and values. Touches nothing.
//!
//! Source: nm-settings-keyfile(5) for the form, nm-settings-nmcli(5) for the properties. A port names its controller by
//! `master` and `slave-type`: NetworkManager 1.46 has better words and takes these for ever; those before, which Leap Micro
//! has, know no others.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Digest, Spanned};
use crate::provision::guest::HEAD;
use crate::recipe::network::{Addressing, Link, LinkType, NetworkProfile, Port, Route};

/// Whose port an interface or card is.
pub(crate) type Controllers<'p> = BTreeMap<&'p Port, &'p NetworkProfile>;

/// Finds every port and the bridge or bond it belongs to.
pub(crate) fn controllers(profiles: &[Spanned<NetworkProfile>]) -> Controllers<'_> {
    let ports = profiles.iter().flat_map(|profile| profile.value.ports().iter().map(|port| (port, &profile.value)));
    ports.map(|(port, profile)| (&port.value, profile)).collect()
}

/// Finds the bridge or bond that a profile's interface is a port of.
pub(crate) fn controller<'p>(profile: &NetworkProfile, controllers: &Controllers<'p>) -> Option<&'p NetworkProfile> {
    profile.as_ports().find_map(|port| controllers.get(&port).copied())
}

/// Writes every profile, and one for each port that has none: the profile it belongs to, name and text.
pub(crate) fn all<'p>(
    recipe: &str,
    profiles: &'p [Spanned<NetworkProfile>],
) -> Vec<(&'p Spanned<NetworkProfile>, String, String)> {
    let controllers = controllers(profiles);
    let owned: BTreeSet<Port> = profiles.iter().flat_map(|profile| profile.value.as_ports()).collect();
    let mut written = vec![];
    for profile in profiles {
        let name = profile.value.name.to_string();
        let text = write(recipe, &profile.value, controller(&profile.value, &controllers));
        written.push((profile, name.clone(), text));
        let ports: BTreeSet<&Port> = profile.value.ports().iter().map(|port| &port.value).collect();
        for port in ports.difference(&owned.iter().collect()) {
            let name = port_name(&name, port);
            let text = write_port(recipe, &name, port, &profile.value);
            written.push((profile, name, text));
        }
    }
    written
}

/// Names a port's profile: what no file's name should hold is written as `-`.
fn port_name(controller: &str, port: &Port) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    // Letters of an address are capitals in the names of files too.
    let port = match port {
        Port::Interface(name) => name.as_str().to_owned(),
        Port::Mac(mac) => mac.as_str().to_ascii_uppercase(),
    };
    format!("{controller}-port-{}", port.chars().map(plain).collect::<String>())
}

fn write(recipe: &str, profile: &NetworkProfile, controller: Option<&NetworkProfile>) -> String {
    let mut text = head(recipe, profile.name.as_str(), profile.link.kind());
    if let Some(interface) = profile.interface() {
        text.push_str(&line("interface-name", &escaped(interface.as_str())));
    }
    if !profile.autoconnect {
        text.push_str("autoconnect=false\n");
    }
    if let Link::Ethernet { interface: None, mac: None } = profile.link {
        // It fits every card, so those that name one go first.
        text.push_str("autoconnect-priority=-1\n");
    }
    if let Some(controller) = controller {
        text.push_str(&of_controller(controller));
    }
    link(&mut text, profile);
    if controller.is_none() {
        family(&mut text, profile, true);
        family(&mut text, profile, false);
    }
    text
}

fn write_port(recipe: &str, name: &str, port: &Port, controller: &NetworkProfile) -> String {
    let mut text = head(recipe, name, LinkType::Ethernet);
    if let Port::Interface(interface) = port {
        text.push_str(&line("interface-name", &escaped(interface.as_str())));
    }
    if !controller.autoconnect {
        text.push_str("autoconnect=false\n");
    }
    text.push_str(&of_controller(controller));
    text.push_str("\n[ethernet]\n");
    if let Port::Mac(mac) = port {
        text.push_str(&line("mac-address", &mac.as_str().to_ascii_uppercase()));
    }
    text
}

fn head(recipe: &str, name: &str, kind: LinkType) -> String {
    let uuid = uuid(recipe, name);
    format!("{HEAD}[connection]\nid={name}\nuuid={uuid}\ntype={kind}\n")
}

/// Makes the same UUID for the same recipe and profile, so that a rebuild gives the same bytes and the system goes on
/// with the connection that the initrd began (RFC 9562, version 8: ours, from a digest).
fn uuid(recipe: &str, name: &str) -> String {
    let digest = Digest::of(format!("arca-build network\0{recipe}\0{name}").as_bytes()).to_string();
    let (a, rest) = digest.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, rest) = rest.split_at(4);
    let (e, _) = rest.split_at(12);
    format!("{a}-{b}-8{}-a{}-{e}", &c[1..], &d[1..])
}

fn of_controller(controller: &NetworkProfile) -> String {
    let interface = controller.interface().map(|interface| escaped(interface.as_str())).unwrap_or_default();
    line("master", &interface) + &line("slave-type", controller.link.kind().as_str())
}

fn link(text: &mut String, profile: &NetworkProfile) {
    let mtu = profile.mtu.map(|mtu| format!("mtu={mtu}\n")).unwrap_or_default();
    let mac = profile.mac().map(|mac| line("mac-address", &mac.as_str().to_ascii_uppercase())).unwrap_or_default();
    if profile.link.kind() == LinkType::Ethernet || !mtu.is_empty() {
        text.push_str(&format!("\n[ethernet]\n{mac}{mtu}"));
    }
    match &profile.link {
        Link::Ethernet { .. } => {}
        // The flag is what NetworkManager itself writes: without it a file means another default than its own.
        Link::Vlan { parent, id, .. } => {
            text.push_str(&format!("\n[vlan]\nflags=1\nid={id}\n{}", line("parent", &escaped(parent.as_str()))));
        }
        Link::Bridge { .. } => text.push_str("\n[bridge]\n"),
        // The kernel's own default looks at no link at all.
        Link::Bond { mode, .. } => text.push_str(&format!("\n[bond]\nmiimon=100\nmode={mode}\n")),
    }
}

fn family(text: &mut String, profile: &NetworkProfile, v4: bool) {
    let method = match profile.addressing(v4) {
        Addressing::Auto => "auto",
        Addressing::Static => "manual",
        Addressing::Disabled => "disabled",
    };
    text.push_str(&format!("\n[{}]\nmethod={method}\n", if v4 { "ipv4" } else { "ipv6" }));
    let gateway = profile.gateway.iter().find(|gateway| gateway.value.is_ipv4() == v4);
    for (number, subnet) in (1..).zip(profile.of_family(v4)) {
        let gateway = gateway.filter(|_| number == 1).map(|gateway| format!(",{}", gateway.value)).unwrap_or_default();
        text.push_str(&format!("address{number}={}{gateway}\n", subnet.value));
    }
    let routes = profile.routes.iter().filter(|route| route.value.to.address.is_ipv4() == v4);
    for (number, Route { to, via }) in (1..).zip(routes.map(|route| route.value)) {
        let via = via.map(|via| format!(",{via}")).unwrap_or_default();
        text.push_str(&format!("route{number}={to}{via}\n"));
    }
    let dns = profile.dns.iter().filter(|dns| dns.value.is_ipv4() == v4);
    text.push_str(&list("dns", dns.map(|dns| dns.value.to_string())));
    // NetworkManager joins what both families say.
    if v4 == (profile.addressing(true) != Addressing::Disabled) {
        text.push_str(&list("dns-search", profile.dns_search.iter().map(ToString::to_string)));
    }
}

fn line(key: &str, value: &str) -> String {
    format!("{key}={value}\n")
}

fn list(key: &str, values: impl Iterator<Item = String>) -> String {
    let values: String = values.map(|value| escaped(&value).replace(';', "\\;") + ";").collect();
    if values.is_empty() { values } else { line(key, &values) }
}

/// Escapes a value as the format asks (GLib, "Key-value file parser": `\s \n \t \r \\`).
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    match value.strip_prefix(' ') {
        Some(rest) => format!("\\s{rest}"),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped(" a\\b;\n\t"), "\\sa\\\\b;\\n\\t");
        assert_eq!(list("dns-search", ["a;b".to_owned(), "c".to_owned()].into_iter()), "dns-search=a\\;b;c;\n");
        assert_eq!(list("dns", std::iter::empty()), "");
    }

    #[test]
    fn a_uuid_is_fixed_by_recipe_and_profile() {
        let one = uuid("nas", "lan");
        assert_eq!(one, uuid("nas", "lan"));
        assert!(one != uuid("nas", "wan") && one != uuid("web", "lan"));
        let shape: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12]);
        assert_eq!((one.as_bytes()[14], one.as_bytes()[19]), (b'8', b'a'), "{one}");
    }
}
