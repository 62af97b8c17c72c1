//! `[[provision.network]]`: form only; what profiles mean together is judged by `provision`. Touches nothing.

use std::net::IpAddr;

use super::super::network::{
    Addressing, BondMode, InterfaceName, Link, LinkType, MacAddress, NetworkProfile, Port, Subnet, is_domain,
};
use crate::base::text::one_line;
use crate::base::{Name, Spanned};
use crate::format::toml::{Table, Value};

/// The most profiles, and ports of one: each becomes a file.
const PROFILE_LIMIT: usize = 100;
const PORT_LIMIT: usize = 32;

/// Refuses more profiles than a machine has links.
pub(super) fn limited(table: &Table<'_>, mut profiles: Vec<Spanned<NetworkProfile>>) -> Vec<Spanned<NetworkProfile>> {
    if let (Some(value), true) = (table.get("network"), profiles.len() > PROFILE_LIMIT) {
        value.refuse(format!("more than {PROFILE_LIMIT} times `[[provision.network]]`"), "");
        profiles.truncate(PROFILE_LIMIT);
    }
    profiles
}

/// Reads one profile.
pub(super) fn profile(table: &Table<'_>) -> Option<NetworkProfile> {
    let name = table.get("name").and_then(|value| value.accept(Name::parse(value.line()?), ""));
    let link = link(table, name.as_ref());
    let word = |key| table.get(key).and_then(|value| value.word(Addressing::parse, Addressing::WORDS));
    let mtu = table.get("mtu").and_then(|value| value.integer(576..=65_535));
    let profile = NetworkProfile {
        ipv4: word("ipv4"),
        ipv6: word("ipv6"),
        addresses: each(table, "addresses", subnet),
        gateway: each(table, "gateway", address),
        dns: each(table, "dns", address),
        dns_search: each(table, "dns_search", domain).into_iter().map(|domain| domain.value).collect(),
        mtu: mtu.and_then(|mtu| mtu.try_into().ok()),
        autoconnect: table.get("autoconnect").and_then(|value| value.boolean()).unwrap_or(true),
        name: name?,
        link: link?,
    };
    Some(profile)
}

/// What a profile says of its link, whatever its type: a value that is wrong is told of even where it has no place.
struct Said {
    interface: Option<InterfaceName>,
    mac: Option<MacAddress>,
    parent: Option<InterfaceName>,
    id: Option<u16>,
    ports: Vec<Spanned<Port>>,
    mode: Option<BondMode>,
}

fn said(table: &Table<'_>) -> Said {
    let value = |key| table.get(key);
    let id = value("id").and_then(|value| value.integer(1..=4094));
    Said {
        interface: value("interface").and_then(|value| interface(&value)),
        mac: value("mac").and_then(|value| value.accept(MacAddress::parse(value.line()?), "")),
        parent: value("parent").and_then(|value| interface(&value)),
        id: id.and_then(|id| u16::try_from(id).ok()),
        ports: ports(table),
        mode: value("mode").and_then(|value| value.word(BondMode::parse, BondMode::WORDS)),
    }
}

fn link(table: &Table<'_>, name: Option<&Name>) -> Option<Link> {
    let kind = table.get("type").map(|value| value.word(LinkType::parse, LinkType::WORDS));
    let said = said(table);
    let kind = kind.unwrap_or(Some(LinkType::Ethernet))?;
    refuse_others(table, kind);
    match kind {
        LinkType::Ethernet => {
            let Said { interface, mac, .. } = said;
            // A faulty match is no match: the profile would take any card.
            let read = table.has("interface") == interface.is_some() && table.has("mac") == mac.is_some();
            read.then_some(Link::Ethernet { interface, mac })
        }
        LinkType::Vlan => vlan(table, said),
        LinkType::Bridge => {
            need_ports(table);
            Some(Link::Bridge { interface: own_interface(table, said.interface, name)?, ports: said.ports })
        }
        LinkType::Bond => {
            need_ports(table);
            let mode = said.mode.unwrap_or(BondMode::ActiveBackup);
            Some(Link::Bond { interface: own_interface(table, said.interface, name)?, ports: said.ports, mode })
        }
    }
}

/// Refuses keys of other types of link.
fn refuse_others(table: &Table<'_>, kind: LinkType) {
    for (key, kinds) in [
        ("mac", &[LinkType::Ethernet][..]),
        ("parent", &[LinkType::Vlan]),
        ("id", &[LinkType::Vlan]),
        ("ports", &[LinkType::Bridge, LinkType::Bond]),
        ("mode", &[LinkType::Bond]),
    ] {
        if let (Some(value), false) = (table.get(key), kinds.contains(&kind)) {
            let words: Vec<_> = kinds.iter().map(|kind| format!("type = \"{kind}\"")).collect();
            value.refuse(
                format!("`{key}` means nothing to a link of type {kind}"),
                &format!("write {}", words.join(" or ")),
            );
        }
    }
}

fn interface(value: &Value<'_>) -> Option<InterfaceName> {
    value.accept(InterfaceName::parse(value.line()?), "")
}

fn vlan(table: &Table<'_>, said: Said) -> Option<Link> {
    let value = table.need("parent", "`parent = \"eth0\"`");
    table.need("id", "`id = 10`");
    let (parent, id) = said.parent.zip(said.id)?;
    if let Some(interface) = said.interface {
        return Some(Link::Vlan { interface, parent, id });
    }
    let name = format!("{}.{id}", parent.as_str());
    let interface = InterfaceName::parse(&name).ok();
    if interface.is_none() {
        let headline = format!("`{}` is too long for the name of an interface", one_line(&name, 40));
        value?.refuse(headline, "add `interface` with at most 15 characters");
    }
    Some(Link::Vlan { interface: interface?, parent, id })
}

/// Returns the interface that the profile makes, which bears the profile's name unless it is given one.
fn own_interface(table: &Table<'_>, given: Option<InterfaceName>, name: Option<&Name>) -> Option<InterfaceName> {
    if given.is_some() || table.has("interface") {
        return given;
    }
    let parsed = InterfaceName::parse(name?.as_str()).ok();
    if parsed.is_none() {
        let headline = format!("`{}` cannot be the name of an interface", name?);
        table.get("name")?.refuse(headline, "add `interface` with at most 15 characters, not digits only");
    }
    parsed
}

fn ports(table: &Table<'_>) -> Vec<Spanned<Port>> {
    let Some(value) = table.get("ports") else { return vec![] };
    let list = value.list();
    if list.len() > PORT_LIMIT {
        value.refuse(format!("`ports` has more than {PORT_LIMIT} entries"), "");
    }
    list.iter()
        .take(PORT_LIMIT)
        .filter_map(|port| Some(port.located(port.accept(Port::parse(port.line()?), "")?)))
        .collect()
}

fn need_ports(table: &Table<'_>) {
    let Some(value) = table.need("ports", "`ports = [\"eth0\", \"eth1\"]`") else { return };
    if value.is_list() && value.list().is_empty() {
        value.refuse("`ports` is empty: nothing would go through", "name an interface, or the address of a card");
    }
}

/// Reads a list, each element by its own rule and none twice.
fn each<T: PartialEq>(table: &Table<'_>, key: &'static str, read: fn(&Value<'_>) -> Option<T>) -> Vec<Spanned<T>> {
    let mut kept: Vec<Spanned<T>> = vec![];
    for value in table.get(key).map(|value| value.list()).unwrap_or_default() {
        let Some(one) = read(&value) else { continue };
        if kept.iter().any(|other| other.value == one) {
            let shown = one_line(value.as_text().unwrap_or_default(), 80);
            value.refuse(format!("`{shown}` is there twice"), "remove one of them");
        } else {
            kept.push(value.located(one));
        }
    }
    kept
}

fn subnet(value: &Value<'_>) -> Option<Subnet> {
    let text = value.line()?;
    let subnet = Subnet::parse(text);
    if let Err(error) = subnet {
        let hint = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("add the length of its prefix, like \"{text}/24\""),
            Ok(IpAddr::V6(_)) => format!("add the length of its prefix, like \"{text}/64\""),
            Err(_) => "write it like \"192.0.2.10/24\" or \"2001:db8::5/64\"".to_owned(),
        };
        value.refuse(format!("`{}`: {error}", one_line(text, 80)), &hint);
    }
    subnet.ok()
}

fn address(value: &Value<'_>) -> Option<IpAddr> {
    let text = value.line()?;
    let address = text.parse().ok();
    if address.is_none() {
        let hint = match Subnet::parse(text) {
            Ok(subnet) => format!("write \"{}\"; a prefix belongs to `addresses`", subnet.address),
            Err(_) => "write it like \"192.0.2.1\" or \"2001:db8::1\"".to_owned(),
        };
        value.refuse(format!("`{}` is no address of IPv4 or IPv6", one_line(text, 80)), &hint);
    }
    address
}

fn domain(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !is_domain(text) {
        value.refuse(format!("`{}` is no name of a domain", one_line(text, 80)), "write it like \"example.org\"");
        return None;
    }
    Some(text.to_owned())
}
