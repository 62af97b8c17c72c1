//! What makes a directory a store: its tag, its format, its owner and mode. Touches the store directory and, when it
//! makes one, the parents that are missing. Read next: `super::lock`.
//!
//! `CACHEDIR.TAG`: the Cache Directory Tagging Specification, <https://bford.info/cachedir/>.

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{BUNDLES, OBJECTS, QUARANTINE, REALISATIONS, ROOTS, SEEN, STAMPS, TMP};
use super::{fail, owner};
use crate::base::{
    Code, Diagnostic, Digest, Event, Events,
    text::{one_line, shell_word},
};
use crate::fs::tree::is_planted;
use crate::fs::{TempFile, Tree, temp_path};

const TAG: &str = "CACHEDIR.TAG";
const META: &str = "meta.json";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This directory is the store of arca-build: everything in it can be made or fetched again.
# See https://bford.info/cachedir/
";
/// The format this program writes; another number is another layout.
const FORMAT: u32 = 1;
/// Names that may stand in a directory which is about to become a store: what a killed start or a checkout leaves.
const EXPECTED: [&str; 13] = [
    TMP,
    TAG,
    META,
    OBJECTS,
    REALISATIONS,
    BUNDLES,
    STAMPS,
    ROOTS,
    SEEN,
    QUARANTINE,
    "lock",
    "README.md",
    ".gitignore",
];

#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    features: Features,
}

/// Three sets of names, after ext4 and composefs: what a program that does not know a name must do with the store.
#[derive(Serialize, Deserialize, Default)]
struct Features {
    /// Go on as if it were not there.
    ignorable: Vec<String>,
    /// Read, but write nothing.
    read_only: Vec<String>,
    /// Stay away.
    required: Vec<String>,
}

/// Makes the directory and the parents that are missing, and makes their names durable.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let parent = temp_path::parent(path);
    if !parent.exists() {
        make_directory(parent)?;
    }
    match rustix::fs::mkdir(path, rustix::fs::Mode::RWXU) {
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        other => other?,
    }
    Tree::open(parent)?.sync_dir(".")
}

/// Refuses a directory that another user could have written into: realisations and stamps there would be theirs.
pub(super) fn check_owner(tree: &Tree, fresh: bool) -> Result<(), Diagnostic> {
    let found = tree.metadata().map_err(|error| fail::read("cannot look at the store", tree.path(), &error))?;
    let me = rustix::process::geteuid().as_raw();
    let shown = fail::path(tree.path());
    if found.uid() != 0
        && let Some(problem) = owner::of(tree)
    {
        return Err(problem);
    }
    if fresh && found.uid() == me {
        return tree.set_mode(0o700).map_err(|error| fail::write("cannot set the store's mode", tree.path(), &error));
    }
    if found.mode() & 0o022 != 0 {
        return Err(Diagnostic::new(Code::CachePerm, format!("the store `{shown}` can be written by other users"))
            .fact("mode", format!("{:04o}", found.mode() & 0o7777))
            .note("nothing in it was read or written")
            .hint(format!("chmod 0700 {}", shell_word(&shown))));
    }
    Ok(())
}

/// What the metadata says about using the store.
pub(super) enum StoreState {
    /// There is none: the directory is not a store yet, or its making was cut short.
    Absent,
    Usable,
    /// A newer program left something that forbids writing; its name.
    ReadOnly(String),
}

/// Reads `meta.json`; a file that is not JSON is put into quarantine and counts as absent.
pub(super) fn state(tree: &Tree, events: Events) -> Result<StoreState, Diagnostic> {
    let bytes = match tree.read_small(META, 64 << 10) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(StoreState::Absent),
        Err(error) if is_planted(&error) => Vec::new(),
        Err(error) => {
            let told = || fail::read("cannot read `meta.json` of the store", tree.path(), &error);
            let closed = (error.kind() == ErrorKind::PermissionDenied).then(|| owner::of(tree)).flatten();
            return Err(closed.unwrap_or_else(told));
        }
    };
    if !is_whole(&bytes) {
        events(Event::Warning { text: "`meta.json` of the store was damaged; it is written anew".into() });
        tree.remove_all(META).map_err(|error| fail::write("cannot mend `meta.json`", tree.path(), &error))?;
        return Ok(StoreState::Absent);
    }
    judge(&bytes).map_err(|why| {
        Diagnostic::new(Code::CacheVersion, format!("the store `{}` is not for this version", fail::path(tree.path())))
            .cause(why)
            .note("nothing in it was changed")
            .hint("use the newer arca-build that wrote it, or name another store with `--cache DIR`")
    })
}

fn judge(bytes: &[u8]) -> Result<StoreState, String> {
    let meta: Meta = serde_json::from_slice(bytes).map_err(|error| one_line(&error.to_string(), 200))?;
    if meta.format != FORMAT {
        return Err(format!("its format is {}, this program knows {FORMAT}", meta.format));
    }
    if let Some(name) = meta.features.required.first() {
        return Err(format!("it needs the feature `{}`, which this program does not know", one_line(name, 80)));
    }
    Ok(meta.features.read_only.first().map_or(StoreState::Usable, |name| StoreState::ReadOnly(one_line(name, 80))))
}

/// Turns a directory into a store; what is there already from an earlier attempt stays. `meta.json` comes last.
pub(super) fn initialise(tree: &Tree) -> Result<(), Diagnostic> {
    lay_out(tree).map_err(|error| fail::write("cannot lay out the store", tree.path(), &error))
}

fn lay_out(tree: &Tree) -> io::Result<()> {
    tree.make_dir(TMP)?;
    write_new(tree, TAG, TAG_TEXT.as_bytes())?;
    for name in [OBJECTS, REALISATIONS, BUNDLES, STAMPS, ROOTS, QUARANTINE] {
        tree.make_dir(name)?;
    }
    write_new(tree, META, &seal(serde_json::to_string(&Meta { format: FORMAT, features: Features::default() })?))?;
    tree.sync_dir(".")
}

/// How a file ends that says what it was when it was written: the sha256 of all that stands before this.
const SEAL: &str = ",\"sha256\":\"";

/// Adds the seal to the text of a JSON object.
fn seal(text: String) -> Vec<u8> {
    let open = text.strip_suffix('}').unwrap_or(&text);
    format!("{open}{SEAL}{}\"}}", Digest::of(open.as_bytes())).into_bytes()
}

/// Returns whether `meta.json` is as it was written: JSON, and its seal unbroken where it has one.
///
/// Without the seal one flipped bit could be taken for a newer format, and the store for another program's.
fn is_whole(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let is_sealed = match text.rsplit_once(SEAL) {
        Some((open, seal)) => seal.trim_end() == format!("{}\"}}", Digest::of(open.as_bytes())),
        // Stores before the seal.
        None => true,
    };
    is_sealed && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Writes the tag anew where it was lost or garbled: without it nobody finds the store, and backups take it.
pub(super) fn mend_tag(tree: &Tree, events: Events) {
    let is_ours = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.starts_with(&TAG_TEXT[..43]) && text.contains("arca-build")
    };
    let found = tree.read_small(TAG, 4096);
    // What cannot be read for another reason is not damage.
    let damaged = match &found {
        Ok(text) => !is_ours(text),
        Err(error) => error.kind() == ErrorKind::NotFound || is_planted(error),
    };
    if damaged && tree.remove_all(TAG).and_then(|()| write_new(tree, TAG, TAG_TEXT.as_bytes())).is_ok() {
        events(Event::Warning { text: format!("`{TAG}` of the store was damaged; it is written anew") });
    }
}

fn write_new(tree: &Tree, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut temp = TempFile::create(tree, TMP)?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    match temp.publish(name) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Refuses a directory that holds something else: a slip like `--cache ~` must not scatter a store over it.
pub(super) fn refuse_foreign(tree: &Tree) -> Result<(), Diagnostic> {
    let names = tree.list(".").map_err(|error| fail::read("cannot list the store", tree.path(), &error))?;
    let tagged = tree.read_small(TAG, 4096).is_ok_and(|text| text.starts_with(&TAG_TEXT.as_bytes()[..43]));
    let foreign = names.iter().find(|name| !EXPECTED.iter().any(|expected| *name == expected));
    match foreign {
        Some(name) if !tagged => {
            Err(Diagnostic::new(Code::Usage, format!("`{}` is not a store and not empty", fail::path(tree.path())))
                .fact("holds", one_line(&name.to_string_lossy(), 80))
                .note("nothing in it was changed")
                .hint("name an empty or a new directory with `--cache DIR`"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> &'static str {
        match judge(text.as_bytes()) {
            Ok(StoreState::Usable) => "usable",
            Ok(StoreState::ReadOnly(_)) => "read only",
            Ok(StoreState::Absent) => "absent",
            Err(_) => "refused",
        }
    }

    #[test]
    fn cas_06_no_flipped_bit_of_the_metadata_makes_it_a_newer_stores() {
        let meta = seal(serde_json::to_string(&Meta { format: FORMAT, features: Features::default() }).unwrap());
        assert!(is_whole(&meta) && judge(&meta).is_ok());
        for index in 0..meta.len() * 8 {
            let mut flipped = meta.clone();
            flipped[index / 8] ^= 1 << (index % 8);
            let verdict = if is_whole(&flipped) { judge(&flipped).map(drop) } else { Ok(()) };
            assert_eq!(verdict, Ok(()), "bit {index}: {}", String::from_utf8_lossy(&flipped));
        }
        let newer = seal(r#"{"format":2,"features":{},"more":[1]}"#.into());
        assert!(is_whole(&newer) && judge(&newer).is_err());
        assert!(is_whole(br#"{"format":1,"features":{"ignorable":[],"read_only":[],"required":[]}}"#));
    }

    #[test]
    fn gc_05_unknown_features_are_ignored_only_where_the_store_says_so() {
        let store = |i: &str, r: &str, n: &str| {
            format!(r#"{{"format":1,"features":{{"ignorable":[{i}],"read_only":[{r}],"required":[{n}]}}}}"#)
        };
        assert_eq!(verdict(&store("", "", "")), "usable");
        assert_eq!(verdict(&store("\"x\"", "", "")), "usable");
        assert_eq!(verdict(&store("\"x\"", "\"y\"", "")), "read only");
        assert_eq!(verdict(&store("", "\"y\"", "\"z\"")), "refused");
        assert_eq!(verdict(&store("", "", "").replace(":1,", ":2,")), "refused");
        assert_eq!(verdict("{}"), "refused");
    }
}
