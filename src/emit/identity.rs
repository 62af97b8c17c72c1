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

impl Identity {
    /// Derives the identity of the instance `name` of a plan.
    pub(crate) fn new(plan: &Digest, name: &Name) -> Self {
        let seed = format!("{plan}\0{name}");
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
    fn the_uuid_is_version_5_and_the_mac_is_a_virtual_one() {
        let nas = identity(b"plan", "nas");
        assert_eq!(nas.uuid.as_bytes()[14], b'5');
        assert!(nas.mac.starts_with("52:54:00:"));
    }
}
