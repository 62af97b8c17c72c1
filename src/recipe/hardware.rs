//! What a machine may have beyond memory, disks and a network: the host's choice, or nothing, unless the recipe says more.
//!
//! Values only, with their rules; read back from `machine.json` they are held to them again. Touches nothing.
//! Read next: [`super::xml`] (what is not modelled), `parse/hardware.rs` (how it is written).

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::xml::XmlEdit;
use crate::base::words::vocabulary;
use crate::base::{ByteSize, MacAddress, Name};
use crate::format::toml::Value;

/// The further keys of `[machine]`. The default is a machine without any of them; nothing of it is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hardware {
    /// Instead of the one that follows from plan and name; two instances of one bundle would share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Ports of the host that lead to the guest; with `passt` only, as libvirt can forward none otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Forward>,
    /// Whether libvirt starts it with the host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub autostart: bool,
    /// One of libvirt's modes, or a model as `virsh cpu-models` lists them, which the host must have all of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Name>,
    /// Its product is the number of processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    #[serde(skip_serializing_if = "MemoryOptions::is_plain")]
    pub memory: MemoryOptions,
    #[serde(skip_serializing_if = "Security::is_plain")]
    pub security: Security,
    /// What happens when the guest no longer tends its watchdog; without, it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<Watchdog>,
    /// `[[machine.xml]]`, in the order written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub xml: Vec<XmlEdit>,
}

/// Sets a key from what is written.
type Read = fn(&mut Hardware, &Value<'_>);

/// The keys that hang on no other key, and how each is read.
pub(super) const READ: &[(&str, Read)] = &[
    ("autostart", |hardware, value| hardware.autostart = value.boolean() == Some(true)),
    ("hugepages", |hardware, value| hardware.memory.hugepages = value.boolean() == Some(true)),
    ("shared_memory", |hardware, value| hardware.memory.shared = value.boolean() == Some(true)),
    ("tpm", |hardware, value| hardware.security.tpm = value.boolean() == Some(true)),
    ("watchdog", |hardware, value| hardware.watchdog = value.word(Watchdog::parse, Watchdog::WORDS)),
];

impl Hardware {
    /// Returns whether there is nothing to say.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How the guest's memory is backed on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MemoryOptions {
    /// Up to where a balloon may grow it while it runs; at least the memory it starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<ByteSize>,
    /// On huge pages that the host has set aside.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hugepages: bool,
    /// Shared with other processes of the host, as virtiofs needs it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

impl MemoryOptions {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What makes a machine trust, and be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Security {
    /// Only signed boot loaders start; UEFI on x86_64, with the keys that firmware is shipped with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secure_boot: bool,
    /// A TPM 2.0, emulated by swtpm.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tpm: bool,
}

impl Security {
    fn is_plain(&self) -> bool {
        *self == Self::default()
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

/// How the processors are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topology {
    pub sockets: u32,
    pub cores: u32,
    pub threads: u32,
}

impl Topology {
    /// Returns how many processors that makes.
    pub(crate) const fn vcpus(self) -> u32 {
        self.sockets.saturating_mul(self.cores).saturating_mul(self.threads)
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

/// Why a text is no forwarded port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a forwarded port is [ADDRESS:]HOST:GUEST[/tcp|/udp], with an IPv4 address and ports of 1 to 65535")]
pub(crate) struct ForwardError;

impl Forward {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, ForwardError> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = Protocol::parse(protocol).ok_or(ForwardError)?;
        let (rest, guest) = ports.rsplit_once(':').ok_or(ForwardError)?;
        let (address, host) = rest.rsplit_once(':').map_or((None, rest), |(address, host)| (Some(address), host));
        let address = address.map(str::parse).transpose().map_err(|_| ForwardError)?;
        Ok(Self { protocol, address, host: port(host)?, guest: port(guest)? })
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

impl TryFrom<String> for Forward {
    type Error = ForwardError;

    fn try_from(text: String) -> Result<Self, ForwardError> {
        Self::parse(&text)
    }
}

impl From<Forward> for String {
    fn from(forward: Forward) -> Self {
        forward.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_ports_are_read_and_printed() {
        for (text, printed) in
            [("2222:22", "2222:22/tcp"), ("127.0.0.1:8080:80/tcp", "127.0.0.1:8080:80/tcp"), ("53:53/udp", "53:53/udp")]
        {
            assert_eq!(Forward::parse(text).unwrap().to_string(), printed);
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
            assert_eq!(Forward::parse(bad), Err(ForwardError), "{bad}");
        }
    }

    #[test]
    fn a_plain_machine_prints_nothing() {
        assert_eq!(serde_json::to_string(&Hardware::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Hardware>("{}").unwrap(), Hardware::default());
        assert!(serde_json::from_str::<Hardware>("{\"gpu\": true}").is_err());
    }
}
