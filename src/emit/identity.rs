//! Who a machine is: its UUID and MAC address, from plan id and name, so that a rebuild gives the same ones.
//! Touches nothing. Read next: [`super::domain`].

use crate::base::{Digest, Name};

/// What must differ between two machines and stay the same between two builds of one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Identity {
    /// RFC 9562 version 5, lower case with hyphens.
    pub uuid: String,
    /// `52:54:00:…`, the prefix that QEMU and libvirt use.
    pub mac: String,
}

/// What the version 5 UUIDs hang under: itself version 5, of this address, in RFC 9562's URL name space.
const NAMESPACE_URL: &str = "https://github.com/arca-build/arca-build#identity";

/// The id of a host, 32 lower-case hexadecimal digits, not all zero.
///
/// Source: <https://www.freedesktop.org/software/systemd/man/latest/machine-id.html>.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HostId(String);

impl std::fmt::Debug for HostId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HostId")
    }
}

impl HostId {
    /// Reads the text of `/etc/machine-id`; `None` for anything else, as `uninitialized`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = text.strip_suffix('\n').unwrap_or(text);
        let is_hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (id.len() == 32 && is_hex && id.bytes().any(|byte| byte != b'0')).then(|| Self(id.to_owned()))
    }
}

impl Identity {
    /// Derives the identity of the instance `name` of a plan.
    pub(crate) fn new(plan: &Digest, name: &Name) -> Self {
        Self::of(&format!("{plan}\0{name}"))
    }

    /// As [`Self::new`], and another one on each host. The host's id is confidential (machine-id(5)) and only hashed.
    pub(crate) fn on_host(plan: &Digest, name: &Name, host: &HostId) -> Self {
        Self::of(&format!("{plan}\0{name}\0{}", host.0))
    }

    fn of(seed: &str) -> Self {
        let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, NAMESPACE_URL.as_bytes());
        let digest = Digest::of(format!("arca-build mac\0{seed}").as_bytes());
        let [a, b, c, ..] = digest.as_bytes();
        Self {
            uuid: uuid::Uuid::new_v5(&namespace, seed.as_bytes()).hyphenated().to_string(),
            mac: format!("52:54:00:{a:02x}:{b:02x}:{c:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(plan: &[u8], name: &str) -> Identity {
        Identity::new(&Digest::of(plan), &Name::parse(name).unwrap())
    }

    #[test]
    fn an_identity_is_fixed_by_plan_and_name() {
        let nas = identity(b"plan", "nas");
        assert_eq!(nas, identity(b"plan", "nas"));
        assert_eq!(nas.uuid, "cc041e97-13e4-59bf-a323-553b34cc0307");
        assert_eq!(nas.mac, "52:54:00:cf:b5:6e");
    }

    #[test]
    fn another_plan_or_name_is_another_machine() {
        let nas = identity(b"plan", "nas");
        for other in [identity(b"plam", "nas"), identity(b"plan", "nas2")] {
            assert_ne!(nas.uuid, other.uuid);
            assert_ne!(nas.mac, other.mac);
        }
    }

    #[test]
    fn on_another_host_it_is_another_machine_and_on_one_host_the_same() {
        let on = |host: &str| {
            Identity::on_host(&Digest::of(b"plan"), &Name::parse("nas").unwrap(), &HostId::parse(host).unwrap())
        };
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        assert_eq!(on(&one), on(&format!("{one}\n")));
        for other in [on(&two), identity(b"plan", "nas")] {
            assert_ne!(on(&one).uuid, other.uuid);
            assert_ne!(on(&one).mac, other.mac);
        }
        assert!(on(&one).mac.starts_with("52:54:00:"));
        assert_eq!(format!("{:?}", HostId::parse(&one)), "Some(HostId)");
    }

    #[test]
    fn what_is_no_id_of_a_host_is_none() {
        let short = "1".repeat(31);
        let zero = "0".repeat(32);
        let upper = "A".repeat(32);
        let two_lines = format!("{}\n\n", "1".repeat(32));
        for text in
            ["", "\n", "uninitialized\n", &short, &zero, &upper, &two_lines, "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"]
        {
            assert_eq!(HostId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_uuid_is_version_5_and_the_mac_is_a_virtual_one() {
        let nas = identity(b"plan", "nas");
        assert_eq!(nas.uuid.as_bytes()[14], b'5');
        assert!(nas.mac.starts_with("52:54:00:"));
    }
}
