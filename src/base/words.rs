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
/// Lets serde write types as `Display` does and read them by `FromStr`; `try_from` and `into` of String belong to it.
macro_rules! in_json_as_text {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )+};
}
pub(crate) use {in_json_as_text, vocabulary};

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

/// Why a text breaks the rule of its type; the text itself is for the caller to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RuleError(&'static str);

/// Declares types of text: the rule in words, and the reading, which gives the one spelling that is kept.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $rule:literal, $read:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(String);

        impl $name {
            /// Checks the rule.
            pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
                let read: fn(&str) -> Option<String> = $read;
                read(text).map(Self).ok_or(RuleError($rule))
            }

            /// Returns the text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = RuleError;

            fn try_from(text: String) -> Result<Self, RuleError> {
                Self::parse(&text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

/// Returns a text that begins with a letter or digit and holds only those and some marks.
fn word(text: &str, longest: usize, marks: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    (first && text.len() <= longest && text.chars().all(plain)).then(|| text.to_owned())
}

texts! {
    /// A name that people give: of a recipe, hence of a bundle, a domain and a link on disk.
    ///
    /// It goes into paths, shell scripts, XML and a libvirt domain name, so it is kept to what is plain in all of them.
    Name: "a name is 1 to 63 characters of A-Z a-z 0-9 . _ - and begins with a letter or digit",
        |text| word(text, 63, "._-");
    /// A disk's serial: the most that virtio-blk carries.
    ///
    /// The guest finds the disk as `/dev/disk/by-id/virtio-<serial>`.
    DiskSerial: "a serial is 1 to 20 characters of A-Z a-z 0-9 _ -, beginning with a letter or digit (virtio carries no more \
        than 20)",
        |text| word(text, 20, "_-");
    /// The address of a network card, kept in lower case.
    ///
    /// It is one card's (the first octet is even) and not all zero, which is what libvirt takes (util/virmacaddr.c).
    MacAddress: "a MAC address is six pairs of hexadecimal digits like 52:54:00:12:34:56, the first pair even (of one card, not \
        of many)",
        |text| {
            let plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let first = text.get(..2).and_then(|first| u8::from_str_radix(first, 16).ok());
            let one_card = first.is_some_and(|first| first & 1 == 0);
            let zero = text.bytes().all(|byte| matches!(byte, b'0' | b':'));
            let good = text.split(':').count() == 6 && text.split(':').all(plain) && one_card && !zero;
            good.then(|| text.to_ascii_lowercase())
        };
    /// The absolute directory on the host where an instance's files will live, without a trailing `/`.
    ///
    /// It is written into XML, shell and virt-install options; virt-install 4.1 mis-escapes `" ' & <`.
    StorageDir: "a storage directory is an absolute path of A-Z a-z 0-9 / . _ + @ - without `.` or `..` parts (virt-install \
        mishandles others)",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '+' | '@' | '-');
            let trimmed = text.trim_end_matches('/');
            let dots = trimmed.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
            let good = trimmed.starts_with('/') && trimmed.len() <= 512 && trimmed.chars().all(plain) && !dots;
            good.then(|| trimmed.to_owned())
        };
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
            assert!(MacAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rec_3_names_outside_the_policy_are_refused() {
        for good in ["nas", "n", "Arca.1_x-y", &"a".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-rf", "a/b", "a b", "a\0", "é", "a\u{202e}b", "a\n", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
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
