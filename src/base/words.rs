//! Small closed vocabularies and strings with a rule. Touches nothing.

use std::fmt;

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub(crate) enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        #[allow(dead_code, reason = "not every vocabulary is one that a recipe may use")]
        impl $name {
            /// Every word a recipe may use, as written there.
            pub(crate) const WORDS: &'static [&'static str] = &[$($text),+];

            /// Returns the word.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the word.
            pub(crate) fn parse(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary! {
    /// The guest's processor architecture.
    Arch { X86_64 = "x86_64", Aarch64 = "aarch64" }
}
vocabulary! {
    /// What kind of file the base is.
    BaseKind {
        /// A disk image the system boots from.
        Qcow2 = "qcow2",
        /// The same without a format around it; it is made a qcow2 first.
        Raw = "raw",
        /// An installer that writes the system disk at its first boot.
        Iso = "iso",
    }
}
vocabulary! {
    /// What lies around the base as it is published; the words are the endings of file names.
    Compression { None = "none", Xz = "xz", Zstd = "zst", Gzip = "gz" }
}
vocabulary! {
    /// What applies the configuration in the guest.
    Engine { Ignition = "ignition", Combustion = "combustion" }
}
vocabulary! {
    /// How a configuration reaches the guest.
    Transport { Disk = "disk", FwCfg = "fw_cfg" }
}

impl BaseKind {
    /// Returns what a bundle holds for it: a raw disk is made a qcow2.
    pub(crate) const fn bundled(self) -> Self {
        match self {
            Self::Raw | Self::Qcow2 => Self::Qcow2,
            Self::Iso => Self::Iso,
        }
    }
}

impl Engine {
    /// Returns its name as prose writes it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ignition => "Ignition",
            Self::Combustion => "Combustion",
        }
    }
}

/// A disk's serial: 1 to 20 characters `[A-Za-z0-9_-]`, the most that virtio-blk carries.
///
/// The guest finds the disk as `/dev/disk/by-id/virtio-<serial>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DiskSerial(String);

impl TryFrom<String> for DiskSerial {
    type Error = SerialError;

    fn try_from(text: String) -> Result<Self, SerialError> {
        Self::parse(&text)
    }
}

/// Why a text is no serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a serial is 1 to 20 characters of A-Z a-z 0-9 _ -, beginning with a letter or digit (virtio carries no more than 20)"
)]
pub(crate) struct SerialError;

impl DiskSerial {
    /// Checks the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, SerialError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first && text.len() <= 20 && text.chars().all(plain) { Ok(Self(text.to_owned())) } else { Err(SerialError) }
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DiskSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

vocabulary! {
    /// The label of the config disk, exactly as the guest looks for it: lower case (see `format::fat`).
    DiskLabel { Ignition = "ignition", Combustion = "combustion" }
}

vocabulary! {
    /// The fw_cfg key an engine reads, at most 55 bytes (QEMU docs/specs/fw_cfg.rst).
    FwCfgName {
        /// Ignition: internal/providers/qemu/qemu_fwcfg.go.
        Ignition = "opt/com.coreos/config",
        /// Combustion: its README and script. No other key below that directory may exist.
        Combustion = "opt/org.opensuse.combustion/script",
    }
}

/// The address of a network card: six pairs of hexadecimal digits with `:` between them, kept in lower case.
///
/// It is one card's (the first octet is even) and not all zero, which is what libvirt takes (util/virmacaddr.c).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct MacAddress(String);

/// Why a text is no address of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a MAC address is six pairs of hexadecimal digits like 52:54:00:12:34:56, the first pair even (of one card, not of many)"
)]
pub(crate) struct MacError;

impl MacAddress {
    /// Checks the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, MacError> {
        let plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let first = text.get(..2).and_then(|first| u8::from_str_radix(first, 16).ok());
        let one_card = first.is_some_and(|first| first & 1 == 0);
        let zero = text.bytes().all(|byte| matches!(byte, b'0' | b':'));
        let good = text.split(':').count() == 6 && text.split(':').all(plain) && one_card && !zero;
        if good { Ok(Self(text.to_ascii_lowercase())) } else { Err(MacError) }
    }

    /// Returns the address.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MacAddress {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        Self::parse(&text)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The absolute directory on the host where an instance's files will live.
///
/// It is written into XML, shell and virt-install options; virt-install 4.1 mis-escapes `" ' & <`, so only
/// `[A-Za-z0-9/._+@-]` is taken and no `.` or `..` component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StorageDir(String);

impl TryFrom<String> for StorageDir {
    type Error = StorageError;

    fn try_from(text: String) -> Result<Self, StorageError> {
        Self::parse(&text)
    }
}

/// Why a text is no storage directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a storage directory is an absolute path of A-Z a-z 0-9 / . _ + @ - without `.` or `..` parts (virt-install mishandles others)"
)]
pub(crate) struct StorageError;

impl StorageDir {
    /// Checks the rule; a trailing `/` is dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, StorageError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '+' | '@' | '-');
        let trimmed = text.trim_end_matches('/');
        let dots = trimmed.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
        let good = trimmed.starts_with('/') && trimmed.len() <= 512 && trimmed.chars().all(plain) && !dots;
        if good { Ok(Self(trimmed.to_owned())) } else { Err(StorageError) }
    }

    /// Returns the path, without a trailing `/`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_is_of_one_card() {
        assert_eq!(MacAddress::parse("52:54:00:AB:cd:09").unwrap().as_str(), "52:54:00:ab:cd:09");
        for bad in [
            "",
            "52:54:00:ab:cd",
            "52-54-00-ab-cd-09",
            "53:54:00:ab:cd:09",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "52:54:00:ab:cd:0g",
            "52:54:00:ab:cd:009",
            "+2:54:00:ab:cd:09",
            "é:54:00:ab:cd:09",
        ] {
            assert_eq!(MacAddress::parse(bad), Err(MacError), "{bad}");
        }
    }

    #[test]
    fn serials_fit_virtio() {
        assert!(DiskSerial::parse("data-1_A").is_ok());
        for bad in ["", "-a", "a.b", "a b", "ä", &"a".repeat(21)] {
            assert!(DiskSerial::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn out_3_storage_paths_that_virt_install_mishandles_are_refused() {
        assert_eq!(StorageDir::parse("/var/lib/libvirt/images/").unwrap().as_str(), "/var/lib/libvirt/images");
        for bad in [
            "", "/", "images", "/a b", "/a'b", "/a\"", "/a&b", "/a<b", "/a,b", "/a/../b", "/a//b", "/a/./b", "/a\nb",
            "/é",
        ] {
            assert!(StorageDir::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn out_5_fw_cfg_names_fit() {
        assert!(FwCfgName::WORDS.iter().all(|name| name.len() <= 55 && name.starts_with("opt/")));
    }
}
