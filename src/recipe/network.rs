//! `[[provision.network]]`: how the guest reaches its networks. Values only; touches nothing.
//!
//! Every text has its rule in a type here, so what a profile says fits NetworkManager's files and the kernel's names.

use std::fmt;
use std::net::IpAddr;

use crate::base::words::vocabulary;
use crate::base::{Name, Spanned};

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

/// One `[[provision.network]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetworkProfile {
    /// Names the profile and its file.
    pub name: Name,
    pub link: Link,
    /// Default: static where an address of the family is given, else auto.
    pub ipv4: Option<Addressing>,
    pub ipv6: Option<Addressing>,
    pub addresses: Vec<Spanned<Subnet>>,
    /// Where everything else is sent; at most one of each family.
    pub gateway: Vec<Spanned<IpAddr>>,
    pub dns: Vec<Spanned<IpAddr>>,
    /// Domains that short names are looked up in.
    pub dns_search: Vec<String>,
    pub mtu: Option<u32>,
    /// Default true.
    pub autoconnect: bool,
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
        id: u16,
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

/// The name of an interface in the guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InterfaceName(String);

/// Why a text names no interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of an interface is 1 to 15 printable ASCII characters without space, `/`, `:` and `%`, not digits only"
)]
pub(crate) struct InterfaceError;

impl InterfaceName {
    /// Checks the rule: the kernel's (linux: net/core/dev.c, `dev_valid_name`) and systemd's, which is stricter.
    pub(crate) fn parse(text: &str) -> Result<Self, InterfaceError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
        let taken = matches!(text, "" | "." | ".." | "all" | "default") || text.chars().all(|c| c.is_ascii_digit());
        if text.len() <= 15 && !taken && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InterfaceError)
        }
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The address of one network card, in capitals.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MacAddress(String);

/// Why a text is no address of a network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MacError {
    #[error("an address of a card is six pairs of hexadecimal digits with `:` between them, like 52:54:00:12:34:56")]
    Shape,
    /// The lowest bit of the first byte is set (IEEE 802), or all are zero.
    #[error("no network card has this address: it is one of a group, or all zero")]
    Group,
}

impl MacAddress {
    /// Checks the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, MacError> {
        let bytes: Vec<u8> = text.split(':').map_while(byte).collect();
        if bytes.len() != 6 || text.len() != 17 {
            return Err(MacError::Shape);
        }
        let group = bytes.first().is_some_and(|first| first & 1 == 1) || bytes.iter().all(|byte| *byte == 0);
        if group { Err(MacError::Group) } else { Ok(Self(text.to_ascii_uppercase())) }
    }

    /// Returns the text, in capitals.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn byte(pair: &str) -> Option<u8> {
    let digits = pair.len() == 2 && pair.chars().all(|c| c.is_ascii_hexdigit());
    u8::from_str_radix(pair, 16).ok().filter(|_| digits)
}

impl Port {
    /// Reads an interface name or, where there is a `:`, the address of a card.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            MacAddress::parse(text).map(Self::Mac).map_err(|error| error.to_string())
        } else {
            InterfaceName::parse(text).map(Self::Interface).map_err(|error| error.to_string())
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

/// Why a text is no address with a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubnetError {
    #[error("no address of IPv4 or IPv6 with `/` and the length of its prefix")]
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

    /// Tells whether an address lies in the same network.
    pub(crate) fn holds(&self, other: &IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= prefix,
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= prefix,
            _ => false,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Tells whether a text is a domain name as one is written: labels of letters, digits and `-`.
pub(super) fn is_domain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label = |part: &str| {
        (1..=63).contains(&part.len()) && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
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

    /// Tells whether the profile is the one of a port.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_those_the_kernel_and_systemd_take() {
        for good in ["eth0", "enp1s0", "br-lan", "a", "bond0.10", "x;y", "a\\b", &"n".repeat(15)] {
            assert!(InterfaceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a:b", "a%b", "é", "12", "all", "default", "a\n", &"n".repeat(16)] {
            assert!(InterfaceName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_cards_have_one_form() {
        assert_eq!(MacAddress::parse("52:54:00:ab:cd:ef").unwrap().as_str(), "52:54:00:AB:CD:EF");
        for bad in [
            "",
            "52:54:00:ab:cd",
            "52-54-00-ab-cd-ef",
            "52:54:00:ab:cd:eg",
            "52:54:00:ab:cd:ef:01",
            "5:254:00:ab:cd:ef",
            "+2:54:00:ab:cd:ef",
        ] {
            assert_eq!(MacAddress::parse(bad), Err(MacError::Shape), "{bad}");
        }
        for bad in ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"] {
            assert_eq!(MacAddress::parse(bad), Err(MacError::Group), "{bad}");
        }
    }

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

    #[test]
    fn domains_are_labels() {
        assert!(["example.org", "lan", "a-b.x_y"].iter().all(|text| is_domain(text)));
        for bad in ["", ".", "a.", ".a", "-a", "a-", "a b", "a;b", "~a", &"a".repeat(64)] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
