//! `[[provision.network]]`: how the guest reaches its networks. Form only; touches nothing.
//!
//! Every text has its rule in a type here, so what a profile says fits NetworkManager's files and the kernel's names.

use std::fmt;
use std::net::IpAddr;

use super::content::field;
use super::numbers::{Mtu, VlanId};
use super::table::{FromValue, KeyType, located, table};
use super::types::{DomainName, InterfaceName, TextError};
use crate::base::text::one_line;
use crate::base::words::vocabulary;
use crate::base::{MacAddress, Name, Spanned};
use crate::format::toml::{Table, Value};

/// The most ports of one link.
const PORT_LIMIT: usize = 32;

vocabulary! {
    /// What kind of link a profile is for.
    LinkType { Ethernet = "ethernet", Vlan = "vlan", Bridge = "bridge", Bond = "bond" }
}
vocabulary! {
    /// How one family of addresses is set up.
    Addressing {
        /// DHCP, and for IPv6 what the router announces.
        Auto = "auto",
        /// The addresses of the recipe alone.
        Static = "static",
        Disabled = "disabled",
    }
}
vocabulary! {
    /// How a bond spreads its traffic (linux: Documentation/networking/bonding.rst, "mode").
    BondMode {
        BalanceRr = "balance-rr",
        ActiveBackup = "active-backup",
        BalanceXor = "balance-xor",
        Broadcast = "broadcast",
        Lacp = "802.3ad",
        BalanceTlb = "balance-tlb",
        BalanceAlb = "balance-alb",
    }
}

table! {
    /// One `[[provision.network]]`.
    NetworkProfile in "provision.network[]" by "name" limit 100 {
        /// names the profile and its file, NAME.nmconnection
        name: Name = "required",
        /// static addresses, like "192.0.2.10/24", of either family
        addresses: Vec<Spanned<Subnet>>,
        /// at most one of each family
        gateway: Vec<Spanned<IpAddr>>,
        /// static routes, like "10.0.0.0/8 via 192.0.2.254"; without `via` the network is reached on the link
        routes: Vec<Spanned<Route>>,
        /// name servers, by address
        dns: Vec<Spanned<IpAddr>>,
        /// domains that short names are looked up in
        dns_search: Vec<DomainName>,
        /// auto is DHCP
        ipv4: Option<Addressing> = "static with an address of it, else auto",
        /// auto is what the router announces, and DHCP
        ipv6: Option<Addressing> = "static with an address of it, else auto",
        /// the largest packet, 576 to 65535 bytes
        mtu: Option<Mtu> = "the link's",
        /// bring it up at boot
        autoconnect: bool = "true",
    } with {
        /// what kind of link
        r#type as "type": LinkType = "ethernet",
        /// the interface's name in the guest, at most 15 characters
        interface: Option<InterfaceName> = "any card; a VLAN's PARENT.ID; else NAME",
        /// the card's address, like 52:54:00:12:34:56; ethernet only
        mac: Option<MacAddress>,
        /// the interface a VLAN lies on
        parent: Option<InterfaceName> = "required for a vlan",
        /// the VLAN's number, 1 to 4094
        id: Option<VlanId> = "required for a vlan",
        /// interfaces, by name or card's address
        ports: Vec<Port> = "required for a bridge or bond",
        /// how a bond spreads its traffic
        mode: BondMode = "active-backup",
    } into {
        link: Link = link,
    }
}

/// The link a profile is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A card; without both, any that no other profile names.
    Ethernet {
        interface: Option<InterfaceName>,
        mac: Option<MacAddress>,
    },
    /// A VLAN on top of another interface.
    Vlan {
        interface: InterfaceName,
        parent: InterfaceName,
        id: VlanId,
    },
    Bridge {
        interface: InterfaceName,
        ports: Vec<Spanned<Port>>,
    },
    Bond {
        interface: InterfaceName,
        ports: Vec<Spanned<Port>>,
        mode: BondMode,
    },
}

/// What a bridge or a bond is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Port {
    Interface(InterfaceName),
    Mac(MacAddress),
}

/// An address and how many of its first bits name the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subnet {
    pub address: IpAddr,
    pub prefix: u8,
}

/// A network, and the router behind which it lies; without one it is on the link itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub to: Subnet,
    pub via: Option<IpAddr>,
}

impl Port {
    /// Reads an interface name or, where there is a `:`, the address of a card.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            MacAddress::parse(text).map(Self::Mac).map_err(|error| error.to_string())
        } else {
            text.parse().map(Self::Interface).map_err(|error: TextError| error.to_string())
        }
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Interface(name) => name.as_str(),
            Self::Mac(mac) => mac.as_str(),
        }
    }
}

/// Why a text is not an address with a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubnetError {
    #[error("not an address of IPv4 or IPv6 with `/` and the length of its prefix")]
    Shape,
    #[error("the prefix is 1 to 32 for IPv4 and 1 to 128 for IPv6")]
    Prefix,
}

impl Subnet {
    /// Reads `192.0.2.10/24` or `2001:db8::5/64`.
    pub(crate) fn parse(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = text.split_once('/').ok_or(SubnetError::Shape)?;
        let address: IpAddr = address.parse().map_err(|_| SubnetError::Shape)?;
        let digits = (1..=3).contains(&prefix.len()) && prefix.chars().all(|c| c.is_ascii_digit());
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.parse().ok().filter(|prefix| digits && (1..=longest).contains(prefix));
        Ok(Self { address, prefix: prefix.ok_or(SubnetError::Prefix)? })
    }

    /// Returns whether an address lies in the same network.
    pub(crate) fn holds(&self, other: &IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= prefix,
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= prefix,
            _ => false,
        }
    }
}

impl Route {
    /// Reads `10.0.0.0/8 via 192.0.2.254` or `10.0.0.0/8`, as ip-route(8) writes them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (to, via) = match text.split_once(" via ") {
            Some((to, via)) => (to, Some(via.parse::<IpAddr>().map_err(|_| "`via` is not followed by an address")?)),
            None => (text, None),
        };
        let to = Subnet::parse(to).map_err(|error| error.to_string())?;
        match via {
            Some(via) if via.is_ipv4() != to.address.is_ipv4() => Err("the router is of the other family".to_owned()),
            via => Ok(Self { to, via }),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl NetworkProfile {
    /// Returns the name of the interface, where the profile gives one.
    pub(crate) fn interface(&self) -> Option<&InterfaceName> {
        match &self.link {
            Link::Ethernet { interface, .. } => interface.as_ref(),
            Link::Vlan { interface, .. } | Link::Bridge { interface, .. } | Link::Bond { interface, .. } => {
                Some(interface)
            }
        }
    }

    /// Returns the address of the card, where the profile gives one.
    pub(crate) fn mac(&self) -> Option<&MacAddress> {
        match &self.link {
            Link::Ethernet { mac, .. } => mac.as_ref(),
            Link::Vlan { .. } | Link::Bridge { .. } | Link::Bond { .. } => None,
        }
    }

    /// Returns what a bridge or bond is made of; nothing for others.
    pub(crate) fn ports(&self) -> &[Spanned<Port>] {
        match &self.link {
            Link::Bridge { ports, .. } | Link::Bond { ports, .. } => ports,
            Link::Ethernet { .. } | Link::Vlan { .. } => &[],
        }
    }

    /// Returns what a bridge or bond would name to have the profile's link as a port.
    pub(crate) fn as_ports(&self) -> impl Iterator<Item = Port> {
        let interface = self.interface().cloned().map(Port::Interface);
        interface.into_iter().chain(self.mac().cloned().map(Port::Mac))
    }

    /// Returns whether the profile is the one of a port.
    pub(crate) fn is(&self, port: &Port) -> bool {
        match port {
            Port::Interface(name) => self.interface() == Some(name),
            Port::Mac(mac) => self.mac() == Some(mac),
        }
    }

    /// Returns the addresses of one family.
    pub(crate) fn of_family(&self, v4: bool) -> impl Iterator<Item = &Spanned<Subnet>> {
        self.addresses.iter().filter(move |subnet| subnet.value.address.is_ipv4() == v4)
    }

    /// Returns how a family is set up.
    pub(crate) fn addressing(&self, v4: bool) -> Addressing {
        let own = if self.of_family(v4).next().is_some() { Addressing::Static } else { Addressing::Auto };
        (if v4 { self.ipv4 } else { self.ipv6 }).unwrap_or(own)
    }
}

impl Link {
    /// Returns the kind.
    pub(crate) const fn kind(&self) -> LinkType {
        match self {
            Self::Ethernet { .. } => LinkType::Ethernet,
            Self::Vlan { .. } => LinkType::Vlan,
            Self::Bridge { .. } => LinkType::Bridge,
            Self::Bond { .. } => LinkType::Bond,
        }
    }
}

/// What a profile says of its link, whatever its type: a value that is wrong is told of even where it has no place.
struct Given {
    interface: Option<InterfaceName>,
    mac: Option<MacAddress>,
    parent: Option<InterfaceName>,
    id: Option<VlanId>,
    ports: Vec<Spanned<Port>>,
    mode: Option<BondMode>,
}

fn given(table: &Table<'_>) -> Given {
    Given {
        interface: field(table, "interface"),
        mac: field(table, "mac"),
        parent: field(table, "parent"),
        id: field(table, "id"),
        ports: ports(table),
        mode: field(table, "mode"),
    }
}

fn link(table: &Table<'_>) -> Option<Link> {
    let name = table.get("name").and_then(|name| Name::parse(name.as_text()?).ok());
    let name = name.as_ref();
    let kind = table.get("type").map(|value| LinkType::from_value(&value));
    let given = given(table);
    let kind = kind.unwrap_or(Some(LinkType::Ethernet))?;
    refuse_others(table, kind);
    match kind {
        LinkType::Ethernet => {
            let Given { interface, mac, .. } = given;
            // Without the faulty match the profile would take any card.
            let read = table.has("interface") == interface.is_some() && table.has("mac") == mac.is_some();
            read.then_some(Link::Ethernet { interface, mac })
        }
        LinkType::Vlan => vlan(table, given),
        LinkType::Bridge => {
            need_ports(table);
            Some(Link::Bridge { interface: own_interface(table, given.interface, name)?, ports: given.ports })
        }
        LinkType::Bond => {
            need_ports(table);
            let mode = given.mode.unwrap_or(BondMode::ActiveBackup);
            Some(Link::Bond { interface: own_interface(table, given.interface, name)?, ports: given.ports, mode })
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

fn vlan(table: &Table<'_>, given: Given) -> Option<Link> {
    let value = table.need("parent", "`parent = \"eth0\"`");
    table.need("id", "`id = 10`");
    let (parent, id) = given.parent.zip(given.id)?;
    if let Some(interface) = given.interface {
        return Some(Link::Vlan { interface, parent, id });
    }
    let name = format!("{}.{id}", parent.as_str());
    let interface = name.parse::<InterfaceName>().ok();
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
    let parsed = name?.as_str().parse::<InterfaceName>().ok();
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
    list.iter().take(PORT_LIMIT).filter_map(located).collect()
}

fn need_ports(table: &Table<'_>) {
    let Some(value) = table.need("ports", "`ports = [\"eth0\", \"eth1\"]`") else { return };
    if value.is_list() && value.list().is_empty() {
        value.refuse("`ports` is empty: nothing would go through", "name an interface, or the address of a card");
    }
}

impl FromValue for Subnet {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let subnet = Self::parse(text);
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

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl FromValue for Route {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let route = Self::parse(text);
        if let Err(error) = &route {
            let hint = "write it like \"10.0.0.0/8 via 192.0.2.254\", or without `via`; the default route is `gateway`";
            value.refuse(format!("`{}`: {error}", one_line(text, 80)), hint);
        }
        route.ok()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.to == other.to
    }
}

impl FromValue for IpAddr {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let address = text.parse().ok();
        if address.is_none() {
            let hint = match Subnet::parse(text) {
                Ok(subnet) => format!("write \"{}\"; a prefix belongs to `addresses`", subnet.address),
                Err(_) => "write it like \"192.0.2.1\" or \"2001:db8::1\"".to_owned(),
            };
            value.refuse(format!("`{}` is not an address of IPv4 or IPv6", one_line(text, 80)), &hint);
        }
        address
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_knows_its_own() {
        let subnet = |text: &str| Subnet::parse(text).unwrap();
        for (own, other, held) in [
            ("192.0.2.10/24", "192.0.2.1", true),
            ("192.0.2.10/24", "192.0.3.1", false),
            ("192.0.2.10/32", "192.0.2.10", true),
            ("192.0.2.10/1", "127.0.0.1", false),
            ("2001:db8::5/64", "2001:db8::1", true),
            ("2001:db8::5/64", "2001:db8:1::1", false),
            ("2001:db8::5/64", "192.0.2.1", false),
            ("0.0.0.1/8", "::1", false),
        ] {
            assert_eq!(subnet(own).holds(&other.parse().unwrap()), held, "{own} {other}");
        }
        for (bad, error) in [
            ("192.0.2.10", SubnetError::Shape),
            ("192.0.2/24", SubnetError::Shape),
            ("192.0.2.010/24", SubnetError::Shape),
            ("2001:db8::5%eth0/64", SubnetError::Shape),
            ("192.0.2.10/33", SubnetError::Prefix),
            ("192.0.2.10/0", SubnetError::Prefix),
            ("192.0.2.10/+24", SubnetError::Prefix),
            ("192.0.2.10/255.255.255.0", SubnetError::Prefix),
            ("2001:db8::5/129", SubnetError::Prefix),
        ] {
            assert_eq!(Subnet::parse(bad), Err(error), "{bad}");
        }
        assert_eq!(subnet("2001:0db8::0005/64").to_string(), "2001:db8::5/64");
    }
}
