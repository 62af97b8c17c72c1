//! How the plain types and those of `base` are read from a recipe. Touches nothing. Read next: `types.rs`.

use super::hardware::{Cpu, Forward, Watchdog};
use super::image::{ImageReference, ReferenceError};
use super::machine::{Accel, Firmware, Graphics, SystemMode};
use super::network::{Addressing, BondMode, LinkType, Port};
use super::provision::Media;
use super::storage::Profile;
use super::table::{FromValue, KeyType};
use super::xml::XmlAction;
use crate::base::text::one_line;
use crate::base::{Arch, BaseKind, ByteSize, Compression, Digest, MacAddress, Name, Secret, StorageDir};
use crate::format::toml::Value;

macro_rules! read_as {
    ($($kind:ident $type:ty: |$value:ident| $read:expr;)+) => {$(
        impl FromValue for $type {
            const KIND: KeyType = KeyType::$kind;

            fn from_value($value: &Value<'_>) -> Option<Self> {
                $read
            }
        }
    )+};
}

read_as! {
    Text String: |value| value.line().map(str::to_owned);
    Text Secret<String>: |value| value.line().map(|line| Secret::new(line.to_owned()));
    Text Name: |value| value.accept(Name::parse(value.line()?), "");
    Text Cpu: |value| value.accept(value.line()?.parse(), "see `virsh cpu-models x86_64`");
    Text Forward: |value| value.accept(value.line()?.parse(), "write it like \"2222:22\" or \"127.0.0.1:8080:80/tcp\"");
    Text MacAddress: |value| value.accept(MacAddress::parse(value.line()?), "write the card's address, or leave the key out");
    Text Port: |value| value.accept(Port::parse(value.line()?), "");
    Text ImageReference: |value| image(value);
    // The size of a file that is fetched.
    Size ByteSize: |value| value.size(ByteSize(1)..=ByteSize::gib(16 << 10), ByteSize(1));
    Digest Digest: |value| digest(value);
}

impl FromValue for StorageDir {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        value.accept(Self::parse(value.line()?), "")
    }

    fn from_default(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl FromValue for bool {
    const KIND: KeyType = KeyType::Flag;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        value.boolean()
    }

    fn from_default(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

macro_rules! read_words {
    ($($type:ty),+ $(,)?) => {$(
        impl FromValue for $type {
            const KIND: KeyType = KeyType::Word(<$type>::WORDS);

            fn from_value(value: &Value<'_>) -> Option<Self> {
                value.word(Self::parse, Self::WORDS)
            }

            fn from_default(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )+};
}

read_words! {
    Accel, Addressing, Arch, BaseKind, BondMode, Compression, Firmware, Graphics, LinkType, Media, Profile, SystemMode,
    Watchdog, XmlAction,
}

fn digest(value: &Value<'_>) -> Option<Digest> {
    let text = value.as_text().filter(|text| text.is_empty()).or_else(|| value.line())?;
    let bare = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    let sum = |name| format!("this has the length of {name} sum; `sha256sum FILE` tells the right one");
    let hint = match text.len() {
        _ if Digest::parse(&bare).is_ok() => format!("write \"{bare}\""),
        32 => sum("an MD5"),
        40 => sum("a SHA-1"),
        128 => sum("a SHA-512"),
        _ => "leave it out and let `arca-build update` pin it".to_owned(),
    };
    value.accept(Digest::parse(text), &hint)
}

fn image(value: &Value<'_>) -> Option<ImageReference> {
    let text = value.line()?;
    let refuse = |error: &ReferenceError| {
        let headline = format!("`{}` is not an image: {}", one_line(text, 100), one_line(&error.to_string(), 200));
        value.refuse(headline, &error.hint(text));
    };
    ImageReference::parse(text).inspect_err(refuse).ok()
}
