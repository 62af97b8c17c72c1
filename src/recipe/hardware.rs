//! What a machine may have beyond memory, disks and a network: the host's choice, or nothing, unless the recipe says more.
//!
//! One field for each key, with its text; read back from `machine.json` the values are held to their rules again. Touches nothing.
//! Read next: [`super::xml`] (what is not modelled), [`crate::machine`] (what each key is to libvirt and QEMU).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::numbers::{MemorySize, Vcpus};
use super::table::table;
use super::xml::XmlEdit;
use crate::base::words::{RuleError, in_json_as_text, vocabulary};
use crate::base::{MacAddress, Name};

table! {
    /// The further keys of `[machine]`. The default is a machine without any of them; nothing of it is printed.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    Hardware in "machine" {
        /// the network card's address; instances of one bundle share it
        #[serde(skip_serializing_if = "is_default")]
        mac: Option<MacAddress> = "from plan and name",
        /// with passt: ports of the host that lead to the guest, `[ADDRESS:]HOST:GUEST[/tcp|/udp]`
        #[serde(skip_serializing_if = "is_default")]
        ports: Vec<Forward>,
        /// libvirt starts the machine with the host
        #[serde(skip_serializing_if = "is_default")]
        autostart: bool = "false",
        /// host-passthrough, host-model, maximum, or a model of `virsh cpu-models`
        #[serde(skip_serializing_if = "is_default")]
        cpu: Option<Cpu> = "host-passthrough (maximum with tcg)",
        /// how the processors are laid out; their product is `vcpus`
        #[serde(skip_serializing_if = "is_default")]
        topology: Option<Topology>,
    } flat {
        #[serde(skip_serializing_if = "is_default")]
        memory: MemoryOptions,
        #[serde(skip_serializing_if = "is_default")]
        security: Security,
    } then {
        /// what happens when the guest stops tending its i6300esb
        #[serde(skip_serializing_if = "is_default")]
        watchdog: Option<Watchdog>,
        /// an element of the domain XML that no key stands for; each in turn, after all else, in every domain and by virt-install
        #[serde(skip_serializing_if = "is_default")]
        xml: Vec<XmlEdit>,
    }
}

table! {
    /// How the guest's memory is backed on the host.
    #[derive(Copy, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    MemoryOptions in "machine" {
        /// up to where a balloon may grow the memory while the machine runs
        #[serde(skip_serializing_if = "is_default")]
        max as "max_memory": Option<MemorySize> = "memory",
        /// memory from huge pages the host has set aside; not in run-qemu.sh
        #[serde(skip_serializing_if = "is_default")]
        hugepages: bool = "false",
        /// memory that other processes of the host may map, as for virtiofs
        #[serde(skip_serializing_if = "is_default")]
        shared as "shared_memory": bool = "false",
    }
}

table! {
    /// What makes a machine trust, and be trusted.
    #[derive(Copy, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    Security in "machine" {
        /// only signed boot loaders start; with uefi on x86_64
        #[serde(skip_serializing_if = "is_default")]
        secure_boot: bool = "false",
        /// a TPM 2.0, emulated by swtpm, which the host must have
        #[serde(skip_serializing_if = "is_default")]
        tpm: bool = "false",
    }
}

table! {
    /// How the processors are laid out.
    #[derive(Copy, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    Topology in "machine.topology" {
        /// 1 to 1024
        sockets: Vcpus = "1",
        /// of each socket, 1 to 1024
        cores: Vcpus = "1",
        /// of each core, 1 to 1024
        threads: Vcpus = "1",
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Hardware {
    /// Returns whether there is nothing to say.
    pub(crate) fn is_plain(&self) -> bool {
        is_default(self)
    }
}

impl Topology {
    /// Returns how many processors that makes.
    pub(crate) const fn vcpus(self) -> u32 {
        self.sockets.0.saturating_mul(self.cores.0).saturating_mul(self.threads.0)
    }
}

vocabulary! {
    /// What a watchdog does once it has waited in vain.
    Watchdog { Reset = "reset", Poweroff = "poweroff", Pause = "pause", None = "none" }
}

vocabulary! {
    /// Which of the host's abilities the guest gets.
    CpuMode { HostPassthrough = "host-passthrough", HostModel = "host-model", Maximum = "maximum" }
}

/// The processor that the guest sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Cpu {
    Mode(CpuMode),
    /// A model as `virsh cpu-models` lists them, which the host must have all of; QEMU has the same names.
    Model(Name),
}

impl FromStr for Cpu {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        CpuMode::parse(text).map_or_else(|| Name::parse(text).map(Self::Model), |mode| Ok(Self::Mode(mode)))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode(mode) => mode.fmt(f),
            Self::Model(name) => name.fmt(f),
        }
    }
}

/// A port of the host that leads to one of the guest: `[ADDRESS:]HOST:GUEST[/tcp|/udp]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Forward {
    pub protocol: Protocol,
    /// Where the host listens; everywhere if unset.
    pub address: Option<Ipv4Addr>,
    pub host: u16,
    pub guest: u16,
}

vocabulary! {
    /// What can be forwarded.
    Protocol { Tcp = "tcp", Udp = "udp" }
}

/// Why a text is not a forwarded port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a forwarded port is [ADDRESS:]HOST:GUEST[/tcp|/udp], with an IPv4 address and ports of 1 to 65535")]
pub(crate) struct ForwardError;

impl FromStr for Forward {
    type Err = ForwardError;

    fn from_str(text: &str) -> Result<Self, ForwardError> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = Protocol::parse(protocol).ok_or(ForwardError)?;
        let (rest, guest) = ports.rsplit_once(':').ok_or(ForwardError)?;
        let (address, host) = rest.rsplit_once(':').map_or((None, rest), |(address, host)| (Some(address), host));
        let address = address.map(str::parse).transpose().map_err(|_| ForwardError)?;
        Ok(Self { protocol, address, host: port(host)?, guest: port(guest)? })
    }
}

impl Forward {
    /// The most of one machine.
    pub(crate) const LIMIT: usize = 64;

    /// Returns whether both want the same port of the host.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let address = self.address.is_none() || other.address.is_none() || self.address == other.address;
        address && (self.protocol, self.host) == (other.protocol, other.host)
    }
}

fn port(text: &str) -> Result<u16, ForwardError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| plain && *port > 0).ok_or(ForwardError)
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address}:")?;
        }
        write!(f, "{}:{}/{}", self.host, self.guest, self.protocol)
    }
}

in_json_as_text!(Cpu, Forward);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_ports_are_read_and_printed() {
        for (text, printed) in
            [("2222:22", "2222:22/tcp"), ("127.0.0.1:8080:80/tcp", "127.0.0.1:8080:80/tcp"), ("53:53/udp", "53:53/udp")]
        {
            assert_eq!(text.parse::<Forward>().unwrap().to_string(), printed);
        }
        for bad in [
            "",
            "22",
            ":22",
            "22:",
            "0:22",
            "1:65536",
            "+1:2",
            "a:1:2",
            "[::1]:1:2",
            "1:2/sctp",
            "1:2:3:4",
            "1:2,hostfwd=",
        ] {
            assert_eq!(bad.parse::<Forward>(), Err(ForwardError), "{bad}");
        }
    }

    #[test]
    fn a_plain_machine_prints_nothing() {
        assert_eq!(serde_json::to_string(&Hardware::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Hardware>("{}").unwrap(), Hardware::default());
        assert!(serde_json::from_str::<Hardware>("{\"gpu\": true}").is_err());
    }
}
