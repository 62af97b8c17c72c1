//! `[base]`: the image everything starts from, and what it is, by its name or by `kind` and `compression`. Touches nothing.

use std::fmt::Display;

use super::content::Carried;
use super::path::Source;
use super::table::{FromValue, keys, located};
use crate::base::text::one_line;
use crate::base::{BaseKind, ByteSize, Compression, Digest, Spanned, Url};
use crate::format::toml::{Table, Value};

/// The largest disk that any image may hold; the gate of qcow2 images has the same bound.
const LARGEST: ByteSize = ByteSize::gib(1 << 10);

/// `[base]`: the image everything starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub source: Spanned<Source>,
    pub kind: BaseKind,
    /// What lies around the image in the file.
    pub compression: Compression,
    /// The exact size of what the file unpacks to.
    pub unpacked_size: Option<ByteSize>,
    /// The pin, when the recipe itself carries it; else the lock does.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    pub mirrors: Vec<Url>,
}

keys! {
    Base in "base" read read {
        /// http, https or file URL, or a path beneath the recipe's directory
        url: Source = "required" like "\"https://…/image.qcow2\"",
        /// the image's digest; left out, `arca-build update` pins it
        sha256: Option<Digest> = "from arca.lock",
        /// the image file's size in bytes, checked while it is fetched
        size: Option<ByteSize>,
        /// what the image is
        kind: Option<BaseKind> = "from the file name",
        /// what is around it; it is unpacked once
        compression: Option<Compression> = "from the file name",
        /// how large it unpacks, exactly; needed above 512MiB where that is 256 times the file, and above 64GiB
        unpacked_size: Option<ByteSize>,
        /// other addresses of the same bytes, tried in order
        mirrors: Vec<Url>,
    }
}

/// Reads the base; what the name of its file says and what is written must agree.
fn read(table: &Table<'_>) -> Option<Base> {
    table.need("url", "`url = \"https://…/image.qcow2\"`");
    let url = table.get("url").and_then(|value| located::<Source>(&value));
    let (kind_named, packed_named) = url.as_ref().map(|source| named(source.value.file_name())).unwrap_or_default();
    let compression = compression(table, packed_named);
    let kind = kind(table, url.as_ref(), kind_named);
    let unpacked_size = unpacked_size(table, compression);
    let Carried { source, sha256, size, mirrors } = Carried::of(table, url)?;
    Some(Base { source, kind: kind?, compression: compression?, unpacked_size, sha256, size, mirrors })
}

/// Returns what the endings of a file name say, as in `disk.raw.xz`.
fn named(file_name: &str) -> (Option<BaseKind>, Option<Compression>) {
    let lower = file_name.to_ascii_lowercase();
    let ending = |name: &str| name.rsplit_once('.').map(|(stem, ending)| (stem.to_owned(), ending.to_owned()));
    let Some((stem, last)) = ending(&lower) else { return (None, None) };
    match Compression::parse(&last).filter(|packed| *packed != Compression::None) {
        Some(packed) => (ending(&stem).and_then(|(_, last)| BaseKind::parse(&last)), Some(packed)),
        None => (BaseKind::parse(&last), None),
    }
}

/// Returns the kind, by the file name's ending or by `kind`; both must agree.
fn kind(table: &Table<'_>, source: Option<&Spanned<Source>>, named: Option<BaseKind>) -> Option<BaseKind> {
    let Some(value) = table.get("kind") else {
        if let (Some(source), None) = (source, named) {
            let shown = one_line(source.value.file_name(), 80);
            let mut problem = table.problem(format!("`{shown}` does not tell what kind of image it is"));
            problem.place = Some(source.place.clone());
            table.document.tell(problem.hint(match shown.to_ascii_lowercase().rsplit_once('.') {
                Some((_, "bz2" | "zip" | "lz4" | "lzma" | "7z" | "tar" | "tgz" | "txz")) => {
                    "of compressed images those in xz, zst and gz are taken: unpack this one first"
                }
                _ => "add `kind = \"qcow2\"`, `kind = \"raw\"` or `kind = \"iso\"` to `[base]`",
            }));
        }
        return named;
    };
    agreed(&value, named)
}

/// Reads what is written; the name of the file may say it too, but nothing else.
fn agreed<T: FromValue + PartialEq + Display>(value: &Value<'_>, named: Option<T>) -> Option<T> {
    let said = T::from_value(value)?;
    if let Some(named) = named.filter(|named| *named != said) {
        let key = value.key();
        let headline = format!("`{key}` says {said}, the name of the base says {named}");
        value.refuse(headline, &format!("remove `{key}`, or correct `url`"));
        return None;
    }
    Some(said)
}

fn compression(table: &Table<'_>, named: Option<Compression>) -> Option<Compression> {
    match table.get("compression") {
        Some(value) => agreed(&value, named),
        None => Some(named.unwrap_or(Compression::None)),
    }
}

fn unpacked_size(table: &Table<'_>, compression: Option<Compression>) -> Option<ByteSize> {
    let value = table.get("unpacked_size")?;
    let size = value.size(ByteSize(1)..=LARGEST, ByteSize(1))?;
    if compression == Some(Compression::None) {
        value.refuse("`unpacked_size` is for a compressed base", "write `size`, or say what `compression` it has");
        return None;
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_the_kind_and_what_is_around_it() {
        use BaseKind::{Iso, Qcow2, Raw};
        use Compression::{Gzip, Xz, Zstd};
        for (name, kind, packed) in [
            ("a.qcow2", Some(Qcow2), None),
            ("a.raw", Some(Raw), None),
            ("openSUSE-Leap-Micro.x86_64-Default.raw.xz", Some(Raw), Some(Xz)),
            ("A.RAW.XZ", Some(Raw), Some(Xz)),
            ("a.qcow2.zst", Some(Qcow2), Some(Zstd)),
            ("a.iso.gz", Some(Iso), Some(Gzip)),
            ("a.img.xz", None, Some(Xz)),
            ("a.img", None, None),
            ("a.xz", None, Some(Xz)),
            ("raw.xz", None, Some(Xz)),
            ("a.raw.xz.gz", None, Some(Gzip)),
            ("a.raw.none", None, None),
            ("raw", None, None),
            ("", None, None),
        ] {
            assert_eq!(named(name), (kind, packed), "{name}");
        }
    }
}
