//! `arca.lock` as text: TOML, one `[[input]]` an input, sorted, so that two people's changes merge or conflict visibly.
//!
//! Printing and parsing are inverse. Read back strictly: a lock decides which bytes are trusted. Touches nothing.

use std::fmt::Write as _;

use super::{FORMAT, ImageFacts, ImagePin, Lock, Pin, has_secrets, images, key};
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, Location, Url};
use crate::format::toml::{Charset, Document, Table, Value};
use crate::recipe::{RecipePath, Source};

const HEADER: &str = "# Written by `arca-build update`; commit it. It says which bytes the recipes' inputs are.\n";

const KEYS: [&str; 9] =
    ["url", "resolved", "sha256", "size", "signer", "metalink", "virtual_size", "flavour", "snapshot"];

/// The most inputs of one lock.
const INPUT_LIMIT: usize = 4096;

/// How a lock says that nobody signed a digest.
const NOBODY: &str = "none";

impl Lock {
    /// Writes the lock; the same value gives the same bytes.
    pub(crate) fn print(&self) -> String {
        let mut text = format!("{HEADER}format = {FORMAT}\n");
        for pin in self.pins.values() {
            let signer = pin.signer.as_deref().unwrap_or(NOBODY);
            let size = pin.size.map(|size| format!("size = {}\n", quoted(&size.exact()))).unwrap_or_default();
            let (url, resolved) = (quoted(&pin.url), quoted(&key(&pin.resolved)));
            let (digest, signer) = (pin.sha256, quoted(signer));
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[[input]]\nurl = {url}\nresolved = {resolved}\nsha256 = \"{digest}\"\n{size}signer = {signer}\n"
            );
            text.push_str(&facts(pin));
        }
        text.extend(self.images.values().map(ImagePin::print));
        text
    }

    /// Reads a lock; `file` is its name for messages. Everything wrong is told at once.
    ///
    /// Merge conflicts, Windows line ends and inputs out of order are refused with their line: each is the trace of an edit
    /// that may have mixed two pins.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, Diagnostics> {
        if let Some(problem) = foreign(text, file) {
            return Err(problem.into());
        }
        let document = Document::open(text, file)?;
        let root = document.root();
        if let Some(problem) = newer_format(&root) {
            return Err(problem.into());
        }
        root.refuse_unknown(&["format", "input", "image"], |_| None);
        if let Some(format) = root.need("format", "`format = 1`") {
            format.integer(FORMAT..=FORMAT);
        }
        let mut lock = Self::default();
        for table in root.tables("input", "input[]", INPUT_LIMIT) {
            let Some(pin) = pin(&table) else { continue };
            if in_order(&table, &lock, &pin) {
                lock.insert(pin);
            }
        }
        for table in root.tables("image", "image[]", INPUT_LIMIT) {
            let Some(image) = images::read(&table) else { continue };
            if images_in_order(&table, &lock, &image) {
                lock.insert_image(image);
            }
        }
        document.finish(Some(lock))
    }
}

/// Writes what is known besides, each key only where it is.
fn facts(pin: &Pin) -> String {
    let ImageFacts { virtual_size, flavour, snapshot } = &pin.image;
    let known = [
        ("metalink", pin.metalink.as_ref().map(|url| url.expose().to_owned())),
        ("virtual_size", virtual_size.map(|size| size.exact())),
        ("flavour", flavour.clone()),
        ("snapshot", snapshot.clone()),
    ];
    known.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", quoted(&value?)))).collect()
}

/// Quotes text as a TOML basic string (toml.io/en/v1.0.0#string).
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Finds what git or an editor left behind.
fn foreign(text: &str, file: &str) -> Option<Diagnostic> {
    let marks = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    for (number, line) in (1u32..).zip(text.split('\n')) {
        let place = |column: usize, width: u32| Location {
            file: one_line(file, 200),
            line: number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
            width,
            text: String::new(),
        };
        if marks.iter().any(|mark| line.starts_with(mark)) {
            return Some(
                Diagnostic::new(Code::Recipe, "the lock holds an unresolved merge conflict")
                    .at(Location { text: one_line(line, 200), ..place(1, 7) })
                    .hint("take either side whole, then run `arca-build update` on the recipe"),
            );
        }
        if let Some(at) = line.find('\r') {
            let column = line.get(..at).map_or(1, |before| before.chars().count() + 1);
            return Some(
                Diagnostic::new(Code::Recipe, "the lock has Windows line ends")
                    .at(place(column, 1))
                    .hint("put `arca.lock text eol=lf` into .gitattributes and check the file out again"),
            );
        }
    }
    None
}

fn newer_format(root: &Table<'_>) -> Option<Diagnostic> {
    let value = root.get("format")?;
    let (digits, radix) = value.digits()?;
    let format = u128::from_str_radix(digits, radix).ok().filter(|format| *format > u128::from(FORMAT))?;
    let problem = value.problem(format!("the lock is written in format {format}, this program reads format {FORMAT}"));
    Some(problem.hint(format!("use a version of arca-build newer than {}", env!("CARGO_PKG_VERSION"))))
}

fn pin(table: &Table<'_>) -> Option<Pin> {
    table.refuse_unknown(&KEYS, |_| None);
    let url = table.need("url", "`url = \"…\"`").and_then(|value| source(&value));
    let resolved = table.need("resolved", "`resolved = \"…\"`").and_then(|value| source(&value));
    let sha256 =
        table.need("sha256", "`sha256 = \"…\"`").and_then(|value| value.accept(Digest::parse(value.line()?), ""));
    let size_of =
        |key| table.get(key).and_then(|value| value.size(ByteSize(0)..=ByteSize(i64::MAX as u64), ByteSize(1)));
    let signer = table.need("signer", "`signer = \"none\"`").and_then(|value| signer(&value));
    let word_of = |key| table.get(key).and_then(|value| word(&value, key));
    let image = ImageFacts {
        virtual_size: size_of("virtual_size"),
        flavour: word_of("flavour"),
        snapshot: word_of("snapshot"),
    };
    let metalink = table.get("metalink").and_then(|value| match source(&value)? {
        Source::Url(url) => Some(url),
        Source::Path(_) => {
            value.refuse("`metalink` is not an address", "run `arca-build update` again");
            None
        }
    });
    let size = size_of("size");
    let (url, resolved) = (url?, resolved?);
    if matches!((&url, &resolved), (Source::Path(path), other) if Source::Path(path.clone()) != *other) {
        table.document.tell(table.problem("a path beside the recipe can only be resolved to itself"));
        return None;
    }
    Some(Pin { url: key(&url), resolved, sha256: sha256?, size, signer: signer?, metalink, image })
}

fn source(value: &Value<'_>) -> Option<Source> {
    let text = value.line()?;
    if !text.contains("://") {
        return value.accept(RecipePath::parse(text), "").map(Source::Path);
    }
    let url = value.accept(Url::parse(text), "")?;
    if has_secrets(&url) {
        value.refuse("an address in a lock has no user name, password, query or `#`", "run `arca-build update` again");
        return None;
    }
    // Two spellings of one address would be two inputs.
    if url.expose() != text {
        value.refuse("the address is not written in its normal form", &format!("write \"{url}\""));
        return None;
    }
    Some(Source::Url(url))
}

fn signer(value: &Value<'_>) -> Option<Option<String>> {
    let text = value.text(Charset::Line, ByteSize(256))?;
    let plain = !text.is_empty() && !text.contains(['"', '\\']);
    if !plain {
        value.refuse("`signer` is not a name", "write \"none\"");
        return None;
    }
    Some((text != NOBODY).then(|| text.to_owned()))
}

/// A name as publishers give to builds of an image.
fn word(value: &Value<'_>, key: &str) -> Option<String> {
    let text = value.text(Charset::Line, ByteSize(128))?;
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c)) {
        value.refuse(
            format!("`{key}` holds other characters than A-Z a-z 0-9 . _ + -"),
            "run `arca-build update` again",
        );
        return None;
    }
    Some(text.to_owned())
}

fn in_order(table: &Table<'_>, lock: &Lock, pin: &Pin) -> bool {
    let Some((last, _)) = lock.pins.last_key_value().filter(|(last, _)| **last >= pin.url) else { return true };
    let last = one_line(last, 200);
    let problem = match lock.pins.contains_key(&pin.url) {
        true => table.problem("an input stands twice in the lock").fact("input", one_line(&pin.url, 200)),
        false => table.problem("the inputs of the lock are out of order").fact("after", last),
    };
    table.document.tell(problem.hint("remove this block and run `arca-build update` on its recipe"));
    false
}

fn images_in_order(table: &Table<'_>, lock: &Lock, image: &ImagePin) -> bool {
    let is_last = lock.images.last_key_value().is_none_or(|(last, _)| *last < image.key());
    if !is_last {
        let problem = table.problem("an image stands twice in the lock, or out of order");
        let problem = problem.fact("image", one_line(&image.reference, 300));
        table.document.tell(problem.hint("remove this block and run `arca-build update` on its recipe"));
    }
    is_last
}
