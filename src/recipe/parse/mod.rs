//! TOML text → [`Recipe`]: the top level and `[base]`; every mistake is told at once.
//!
//! Lowered by hand from the parsed tree, because derived readers stop at the first mistake and lose its place. Form only:
//! what a guest makes of a value is judged by `provision`. Touches nothing. Read next: `machine.rs`, `provision.rs`.

mod allow;
mod carried;
mod container;
mod hardware;
mod image;
mod machine;
mod network;
mod provision;
mod scripts;
mod settings;
mod storage;
#[cfg(test)]
mod tests;

use super::keys::{below, owner};
use super::{Base, Recipe, RecipePath, Source};
use crate::base::text::one_line;
use crate::base::url::UrlError;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, Name, Spanned, Url};
use crate::format::toml::{Charset, Document, Table, Value};

/// The recipe format this program reads and writes.
pub(crate) const FORMAT: u64 = 1;

/// 1980-01-01, the first day a FAT volume can name.
const FIRST_EPOCH: u64 = 315_532_800;
/// 2107-12-31 23:59:58, the last moment a FAT volume can name.
const LAST_EPOCH: u64 = 4_354_819_198;

/// The most mirrors of one input.
const MIRROR_LIMIT: usize = 16;

/// Reads a recipe.
///
/// `file` is its name as the user gave it, for messages only. All mistakes are told together, in the order of the file: form
/// is [`Code::Recipe`], a password in plain text [`Code::Secret`], a path that leaves the recipe's directory
/// [`Code::InputEscape`]. A recipe of a newer format is refused whole, without guessing at the rest.
pub(crate) fn parse(text: &str, file: &str) -> Result<Recipe, Diagnostics> {
    let document = Document::open(text, file)?;
    let root = document.root();
    if let Some(problem) = newer_format(&root) {
        return Err(problem.into());
    }
    let recipe = lower(&root, file);
    document.finish(recipe)
}

fn lower(root: &Table<'_>, file: &str) -> Option<Recipe> {
    refuse_unknown(root);
    if let Some(format) = root.need("format", "`format = 1` as the first line") {
        format.integer(FORMAT..=FORMAT);
    }
    let name = root.need("name", "`name = \"nas\"`").and_then(|value| value.accept(Name::parse(value.line()?), ""));
    let description = root.get("description").and_then(|value| value.text(Charset::Free, ByteSize(4096)));
    let epoch = root.get("epoch").and_then(|value| value.integer(FIRST_EPOCH..=LAST_EPOCH));
    root.need("base", "`[base]` with a `url`");
    let base = root.table("base", "base").map(|table| lower_base(&table));
    let machine = machine::lower(root, base.as_ref());
    let provision = root.table("provision", "provision").map(|table| provision::lower(&table));
    let allow = allow::allow(root);
    Some(Recipe {
        file: file.to_owned(),
        name: name?,
        description: description.map(str::to_owned),
        epoch: epoch.unwrap_or(FIRST_EPOCH),
        base: finish_base(base?)?,
        machine: machine?,
        provision: provision.unwrap_or_default(),
        allow,
    })
}

/// Tells of a recipe that only a later version can read.
fn newer_format(root: &Table<'_>) -> Option<Diagnostic> {
    let value = root.get("format")?;
    let (digits, radix) = value.digits()?;
    let format = u128::from_str_radix(digits, radix).ok().filter(|format| *format > u128::from(FORMAT))?;
    let version = env!("CARGO_PKG_VERSION");
    let problem =
        value.problem(format!("the recipe is written in format {format}, this program reads format {FORMAT}"));
    Some(problem.hint(format!("use a version of arca-build newer than {version}")))
}

/// Tells every key the table does not know, with the place where such a key belongs.
fn refuse_unknown(table: &Table<'_>) {
    let mut known = below(table.path);
    if known.contains(&"password_hash") {
        known.extend(provision::plain_password(table));
    }
    table.refuse_unknown(&known, |word| {
        let belongs = owner(word)?;
        Some(format!("`{word}` belongs in `{}`", crate::format::toml::table::title(belongs)))
    });
}

/// `[base]` as far as it could be read.
struct BaseParts {
    source: Option<Spanned<Source>>,
    image: image::Image,
    sha256: Option<Digest>,
    size: Option<ByteSize>,
    mirrors: Vec<Url>,
}

fn lower_base(table: &Table<'_>) -> BaseParts {
    refuse_unknown(table);
    let url = table.need("url", "`url = \"https://…/image.qcow2\"`");
    let source = url.as_ref().and_then(|value| Some(value.located(source(value)?)));
    BaseParts {
        image: image::lower(table, source.as_ref()),
        sha256: table.get("sha256").and_then(|value| digest(&value)),
        size: table.get("size").and_then(|value| value.size(ByteSize(1)..=ByteSize::gib(16 << 10), ByteSize(1))),
        mirrors: mirrors(table, source.as_ref()),
        source,
    }
}

fn finish_base(parts: BaseParts) -> Option<Base> {
    let BaseParts { source, image, sha256, size, mirrors } = parts;
    let (kind, compression) = (image.kind?, image.compression?);
    Some(Base { source: source?, kind, compression, unpacked_size: image.unpacked_size, sha256, size, mirrors })
}

/// Reads an address, or a path beneath the recipe's directory.
fn source(value: &Value<'_>) -> Option<Source> {
    let text = value.line()?;
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| scheme.len() > 1 && !scheme.contains('/'));
    if scheme { url(value).map(Source::Url) } else { path(value).map(Source::Path) }
}

fn url(value: &Value<'_>) -> Option<Url> {
    let text = value.line()?;
    let hint = match Url::parse(text) {
        Err(UrlError::Character) => "write a space as %20",
        Err(UrlError::Scheme(_)) => "fetch the file yourself and name it by its path",
        _ => "",
    };
    let url = value.accept(Url::parse(text), hint)?;
    if text.contains('#') {
        value.refuse(
            "a URL with `#` names a part of a page, not a file",
            "write the address without `#`, or `#` as %23",
        );
        return None;
    }
    if url.file_name().is_empty() {
        value.refuse("the URL names a directory, not a file", "add the name of the file");
        return None;
    }
    Some(url)
}

/// Reads a path beneath the recipe's directory.
fn path(value: &Value<'_>) -> Option<RecipePath> {
    use super::rules::PathError;
    let text = value.line()?;
    let shown = one_line(text, 100);
    match RecipePath::parse(text) {
        Ok(path) => Some(path),
        Err(PathError::Escape) => {
            let headline = format!("the path `{shown}` leaves the recipe's directory");
            let hint = match value.key() {
                "url" => "name an input elsewhere on this machine by a file:///… URL",
                _ => "put the file beside the recipe",
            };
            value.refuse_as(Code::InputEscape, headline, hint);
            None
        }
        Err(reason) => {
            let hint = text.strip_prefix("./").map(|rest| format!("write \"{}\"", one_line(rest, 100)));
            value.refuse(format!("`{shown}`: {reason}"), &hint.unwrap_or_default());
            None
        }
    }
}

fn digest(value: &Value<'_>) -> Option<Digest> {
    let text = value.as_text().filter(|text| text.is_empty()).or_else(|| value.line())?;
    let bare = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    let hint = match text.len() {
        _ if Digest::parse(&bare).is_ok() => format!("write \"{bare}\""),
        32 => "this has the length of an MD5 sum; `sha256sum FILE` tells the right one".to_owned(),
        40 => "this has the length of a SHA-1 sum; `sha256sum FILE` tells the right one".to_owned(),
        128 => "this has the length of a SHA-512 sum; `sha256sum FILE` tells the right one".to_owned(),
        _ => "leave it out and let `arca-build update` pin it".to_owned(),
    };
    value.accept(Digest::parse(text), &hint)
}

fn file_name(source: &Source) -> &str {
    match source {
        Source::Url(url) => url.file_name(),
        Source::Path(path) => path.file_name(),
    }
}

fn mirrors(table: &Table<'_>, source: Option<&Spanned<Source>>) -> Vec<Url> {
    let Some(value) = table.get("mirrors") else { return vec![] };
    let own = match source.map(|source| &source.value) {
        Some(Source::Path(_)) => {
            if !value.list().is_empty() {
                value.refuse("an input beside the recipe has no mirrors", "remove `mirrors`");
            }
            return vec![];
        }
        Some(Source::Url(url)) => Some(url.clone()),
        None => None,
    };
    let list = value.list();
    if list.len() > MIRROR_LIMIT {
        value.refuse(format!("more than {MIRROR_LIMIT} mirrors"), "");
    }
    let mut mirrors: Vec<Url> = vec![];
    for entry in list.iter().take(MIRROR_LIMIT) {
        match url(entry) {
            Some(url) if mirrors.contains(&url) || own.as_ref() == Some(&url) => {
                entry.refuse("this address is named twice", "remove one of them");
            }
            Some(url) => mirrors.push(url),
            None => {}
        }
    }
    mirrors
}
