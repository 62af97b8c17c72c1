//! What network profiles mean, each and together. Touches nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::keyfile::{controller, controllers};
use crate::base::text::one_line;
use crate::base::{Location, Rule, Spanned};
use crate::provision::diagnostics::DiagnosticSink;
use crate::recipe::network::{Addressing, Link, LinkType, NetworkProfile, Port, Route, Subnet};
use crate::recipe::numbers::Mtu;

type Profiles = [Spanned<NetworkProfile>];
/// Whose an interface or card is, as far as a profile names it.
type Owners<'p> = BTreeMap<Port, &'p NetworkProfile>;

/// The MTU of a card about which nothing is said (IEEE 802.3).
const USUAL_MTU: u32 = 1500;
/// How many links may lie on one another (linux: net/core/dev.c, `MAX_NEST_DEV`).
const DEEPEST: usize = 8;

/// Judges all profiles.
pub(crate) fn all(profiles: &Profiles, diag: &mut DiagnosticSink) {
    matches(profiles, diag);
    let owners: Owners<'_> =
        profiles.iter().flat_map(|profile| profile.value.as_ports().map(|port| (port, &profile.value))).collect();
    ports(profiles, &owners, diag);
    circles(profiles, &owners, diag);
    let controllers = controllers(profiles);
    let mut seen: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for profile in profiles {
        let Spanned { value, place } = profile;
        match controller(value, &controllers) {
            Some(controller) => port(value, controller, place, diag),
            None => addressing(value, place, diag),
        }
        for subnet in &value.addresses {
            address(subnet, diag);
            if let Some(line) = seen.insert(subnet.value.address, subnet.place.line) {
                let headline = format!("the address {} is there twice, first in line {line}", subnet.value.address);
                diag.refuse_at(&subnet.place, headline, "keep one of them");
            }
        }
        gateways(value, diag);
        routes(value, diag);
        dns(value, diag);
        mtu(value, place, diag);
        larger(value, &owners, place, diag);
    }
}

/// Finds a link that would carry larger packets than what it lies on; a bond hands its own MTU to its ports.
fn larger(profile: &NetworkProfile, owners: &Owners<'_>, place: &Location, diag: &mut DiagnosticSink) {
    let parts: Vec<Port> = match &profile.link {
        Link::Vlan { parent, .. } => vec![Port::Interface(parent.clone())],
        Link::Bridge { ports, .. } => ports.iter().map(|port| port.value.clone()).collect(),
        Link::Ethernet { .. } | Link::Bond { .. } => vec![],
    };
    let Some(Mtu(mtu)) = profile.mtu else { return };
    let below = |port: &Port| owners.get(port).and_then(|below| below.mtu).map_or(USUAL_MTU, |Mtu(mtu)| mtu);
    for port in parts.iter().filter(|port| below(port) < mtu) {
        let text = format!("the mtu {mtu} of `{}` is above the {} of `{}`", profile.name, below(port), port.as_str());
        diag.warn(Rule::MtuAbove, text, Some(place.clone()));
    }
}

/// Refuses two profiles for one interface or card: which of them comes up would be left to chance.
fn matches(profiles: &Profiles, diag: &mut DiagnosticSink) {
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for Spanned { value, place } in profiles {
        let interface = value.interface().map(|name| ("interface", name.as_str()));
        let mac = value.mac().map(|mac| ("mac", mac.as_str()));
        let any = (interface.is_none() && mac.is_none()).then_some(("any", ""));
        for (what, which) in [interface, mac, any].into_iter().flatten() {
            let Some(first) = seen.insert((what, which), place.line) else { continue };
            let headline = match what {
                "any" => format!("`{}` would take any card, and so does the profile in line {first}", value.name),
                _ => format!("{what} `{}` has two profiles, the first in line {first}", one_line(which, 40)),
            };
            diag.refuse_at(place, headline, "give each an `interface` or `mac` of its own");
        }
    }
}

/// Judges what bridges and bonds are made of.
fn ports(profiles: &Profiles, owners: &Owners<'_>, diag: &mut DiagnosticSink) {
    let mut seen: BTreeMap<&Port, &NetworkProfile> = BTreeMap::new();
    for Spanned { value: profile, .. } in profiles {
        for Spanned { value: port, place } in profile.ports() {
            let shown = one_line(port.as_str(), 40);
            if let Some(first) = seen.insert(port, profile) {
                let headline = format!("`{shown}` is a port of `{}` already", first.name);
                diag.refuse_at(place, headline, "an interface belongs to one bridge or bond");
            }
            if profile.is(port) {
                diag.refuse_at(place, format!("`{shown}` cannot be a port of itself"), "");
                continue;
            }
            let Some(below) = owners.get(port) else { continue };
            let (above, below) = (profile.link.kind(), below.link.kind());
            let refused = matches!(
                (above, below),
                (LinkType::Bridge, LinkType::Bridge) | (LinkType::Bond, LinkType::Bond | LinkType::Bridge)
            );
            if refused {
                diag.refuse_at(
                    place,
                    format!("`{shown}` is a {below}, which the kernel takes for no port of a {above}"),
                    "",
                );
            }
        }
    }
}

/// Refuses profiles that lie on one another in a circle, or too deep: the kernel would refuse the last of them.
fn circles(profiles: &Profiles, owners: &Owners<'_>, diag: &mut DiagnosticSink) {
    for Spanned { value, place } in profiles {
        let mut below: BTreeMap<&str, &NetworkProfile> = BTreeMap::from([(value.name.as_str(), value)]);
        for _ in 0..DEEPEST {
            below = below.values().flat_map(|one| beneath(one, owners)).map(|one| (one.name.as_str(), one)).collect();
        }
        if !below.is_empty() {
            let headline = format!(
                "`{}` forms a cycle, or is stacked more than {DEEPEST} deep, by its ports or parent",
                value.name
            );
            return diag.refuse_at(place, headline, "an interface cannot be a part of what it is made of");
        }
    }
}

/// Finds the profiles of what a profile is made of; that one is made of itself is reported elsewhere.
fn beneath<'p>(profile: &NetworkProfile, owners: &Owners<'p>) -> Vec<&'p NetworkProfile> {
    let parent = match &profile.link {
        Link::Vlan { parent, .. } => Some(Port::Interface(parent.clone())),
        _ => None,
    };
    let ports = profile.ports().iter().map(|port| &port.value).filter(|port| !profile.is(port));
    ports.chain(&parent).filter_map(|port| owners.get(port).copied()).collect()
}

/// Refuses addresses of a port: what it carries belongs to its bridge or bond.
fn port(profile: &NetworkProfile, controller: &NetworkProfile, place: &Location, diag: &mut DiagnosticSink) {
    let lists = profile.addresses.len()
        + profile.gateway.len()
        + profile.routes.len()
        + profile.dns.len()
        + profile.dns_search.len();
    if lists > 0 || profile.ipv4.is_some() || profile.ipv6.is_some() {
        let headline =
            format!("`{}` is a port of `{}`, so it has no addresses of its own", profile.name, controller.name);
        diag.refuse_at(place, headline, "say them of the bridge or bond");
    }
}

fn addressing(profile: &NetworkProfile, place: &Location, diag: &mut DiagnosticSink) {
    for (v4, family) in [(true, "ipv4"), (false, "ipv6")] {
        let first = profile.of_family(v4).next();
        match (profile.addressing(v4), first) {
            (Addressing::Static, None) => {
                let headline = format!("`{family}` of `{}` is static, and no address of it is given", profile.name);
                diag.refuse_at(place, headline, "add one to `addresses`, or write \"auto\" or \"disabled\"");
            }
            (Addressing::Disabled, Some(subnet)) => {
                let headline =
                    format!("`{family}` of `{}` is disabled, and {} is one of it", profile.name, subnet.value);
                diag.refuse_at(&subnet.place, headline, &format!("remove it, or `{family}`"));
            }
            _ => {}
        }
    }
    let disabled = |v4| profile.addressing(v4) == Addressing::Disabled;
    if disabled(true) && disabled(false) && !profile.dns_search.is_empty() {
        let headline = format!("`{}` has `dns_search`, and both families are disabled", profile.name);
        diag.refuse_at(place, headline, "remove `dns_search`");
    }
}

/// Refuses addresses that no interface can have.
fn address(subnet: &Spanned<Subnet>, diag: &mut DiagnosticSink) {
    let Spanned { value, place } = subnet;
    let why = odd(&value.address).or_else(|| match value.address {
        IpAddr::V4(v4) if v4.is_loopback() => Some("an address of the loopback"),
        IpAddr::V6(v6) if v6.is_loopback() => Some("an address of the loopback"),
        IpAddr::V4(v4) => end_of_subnet(v4.to_bits(), value.prefix),
        IpAddr::V6(_) => None,
    });
    if let Some(why) = why {
        diag.refuse_at(place, format!("{value} is {why}, not one that an interface can have"), "");
    }
}

/// Returns why an address is never one of an interface.
fn odd(address: &IpAddr) -> Option<&'static str> {
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    if address.is_unspecified() {
        Some("no address at all")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if mapped {
        Some("an IPv4-mapped IPv6 address")
    } else {
        None
    }
}

/// Recognizes the first and last address of a network: its own and the broadcast; of 31 and 32 bits there are none (RFC 3021).
fn end_of_subnet(bits: u32, prefix: u8) -> Option<&'static str> {
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    match bits & host {
        _ if prefix >= 31 => None,
        0 => Some("the network's own address"),
        rest if rest == host => Some("the network's broadcast address"),
        _ => None,
    }
}

fn gateways(profile: &NetworkProfile, diag: &mut DiagnosticSink) {
    for (v4, family) in [(true, "IPv4"), (false, "IPv6")] {
        let mut own = profile.gateway.iter().filter(|gateway| gateway.value.is_ipv4() == v4);
        let Some(Spanned { value, place }) = own.next() else { continue };
        if let Some(second) = own.next() {
            diag.refuse_at(
                &second.place,
                format!("`{}` has two gateways of {family}", profile.name),
                "keep one of them",
            );
        }
        let local = matches!(value, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let mut subnets = profile.of_family(v4).map(|subnet| subnet.value).peekable();
        if let Some(why) = odd(value) {
            diag.refuse_at(place, format!("the gateway {value} is {why}"), "");
        } else if subnets.peek().is_none() {
            let headline = format!("`{}` has a gateway of {family} and no static address of it", profile.name);
            diag.refuse_at(place, headline, "DHCP brings its own gateway; add to `addresses`, or remove `gateway`");
        } else if profile.of_family(v4).any(|subnet| subnet.value.address == *value) {
            diag.refuse_at(place, format!("the gateway {value} is the guest's own address"), "");
        } else if !local && !subnets.any(|subnet| subnet.holds(value)) {
            let text = format!("the gateway {value} of `{}` lies in none of its networks", profile.name);
            diag.warn(Rule::GatewaySubnet, text, Some(place.clone()));
        }
    }
}

fn dns(profile: &NetworkProfile, diag: &mut DiagnosticSink) {
    for Spanned { value, place } in &profile.dns {
        if let Some(why) = odd(value) {
            diag.refuse_at(place, format!("the name server {value} is {why}"), "");
        }
        if profile.addressing(value.is_ipv4()) == Addressing::Disabled {
            let headline = format!("the name server {value} is of a family that `{}` has disabled", profile.name);
            diag.refuse_at(place, headline, "remove it, or enable the family");
        }
    }
}

/// Refuses routes of a family that is disabled, and routers that can be none.
fn routes(profile: &NetworkProfile, diag: &mut DiagnosticSink) {
    for Spanned { value: Route { to, via }, place } in &profile.routes {
        if let Some(why) = via.as_ref().and_then(odd) {
            diag.refuse_at(place, format!("the router of the route to {to} is {why}"), "");
        }
        if profile.addressing(to.address.is_ipv4()) == Addressing::Disabled {
            let headline = format!("the route to {to} is of a family that `{}` has disabled", profile.name);
            diag.refuse_at(place, headline, "remove it, or enable the family");
        }
    }
}

fn mtu(profile: &NetworkProfile, place: &Location, diag: &mut DiagnosticSink) {
    let v6 = profile.addressing(false) != Addressing::Disabled;
    if let Some(mtu) = profile.mtu.filter(|mtu| mtu.0 < 1280 && v6) {
        let text = format!(
            "IPv6 needs an mtu of 1280 (RFC 8200), and `{}` has {mtu}; write ipv6 = \"disabled\"",
            profile.name
        );
        diag.warn(Rule::MtuIpv6, text, Some(place.clone()));
    }
}
