//! Roots: what the collector must keep. Touches `roots-v1`; the links on disk are only looked at.
//! Read next: `super::gc`.
//!
//! ```text
//! arca-build root 1
//! link <absolute path>            a link to the bundle, or without one anything; or: name <name>
//! bundle <plan id>-<name>         where there is one
//! object <sha256>                 any number: inputs and outputs of the closure
//! end
//! ```
//!
//! In the path, `%`, white space, control characters and bytes above 126 are written as `%XX`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::fail;
use super::handle::Store;
use super::layout::{BUNDLES, ROOTS};
use crate::base::{Code, Diagnostic, Digest, Name};
use crate::fs::tree::is_planted;

const HEADER: &str = "arca-build root 1";
/// The most bytes a root may have: about two hundred thousand objects.
const CAP: u64 = 16 << 20;

/// Who wants something kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(tag = "kind", content = "holder")]
pub(crate) enum Holder {
    /// Something at this absolute path. With a bundle it is a symbolic link, and holds as long as it points there;
    /// without one (a fetched recipe, an imported directory) it holds as long as it is there.
    #[serde(rename = "path", serialize_with = "lossy")]
    Link(PathBuf),
    /// A name, until it is removed.
    #[serde(rename = "name")]
    Named(Name),
}

/// JSON is Unicode: bytes of a path that are not are replaced.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(path) => path.display().fmt(f),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// Something the collector keeps, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Root {
    #[serde(flatten)]
    pub holder: Holder,
    /// The bundle's directory name; see [`super::Bundle::name`].
    pub bundle: Option<String>,
    /// Every object of the closure: what was fetched and what was built.
    pub objects: BTreeSet<Digest>,
}

/// A root as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The name of its file.
    pub file_name: String,
    /// `None` where the file is garbled.
    pub root: Option<Root>,
    pub state: State,
}

/// What became of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is named, or its link points to its bundle.
    Live,
    /// What held it is gone, or points elsewhere.
    Dead,
    /// It is garbled, or its link's directory cannot be seen: perhaps a disk that is not mounted. It is kept.
    Unknown,
}

impl Store<'_> {
    /// Records a root durably, in place of an earlier one of the same holder.
    pub(crate) fn add_root(&self, root: &Root) -> Result<(), Diagnostic> {
        if let Holder::Link(path) = &root.holder
            && !path.is_absolute()
        {
            return Err(Diagnostic::new(Code::Bug, format!("the root's link `{}` is not absolute", fail::path(path))));
        }
        let (name, text) = (Path::new(ROOTS).join(file_name(&root.holder)), print(root));
        if self.tree.read_small(&name, CAP).is_ok_and(|found| found == text.as_bytes()) {
            return Ok(());
        }
        self.check_writable()?;
        self.write_durable(&name, text.as_bytes())
            .map_err(|error| fail::write("cannot record a root", self.dir(), &error))
    }

    /// Returns every root that can be read, by holder.
    pub(crate) fn roots(&self) -> Result<Vec<Root>, Diagnostic> {
        let mut roots: Vec<_> = self.read_roots()?.into_iter().filter_map(|(_, root)| root).collect();
        roots.sort_by(|a, b| a.holder.cmp(&b.holder));
        Ok(roots)
    }

    /// Lists every root, garbled ones too, by holder.
    pub(crate) fn list_roots(&self) -> Result<Vec<Listed>, Diagnostic> {
        let list = |(name, root): (OsString, Option<Root>)| {
            let state = root.as_ref().map_or(State::Unknown, |root| self.state_of(root));
            Listed { file_name: name.to_string_lossy().into_owned(), root, state }
        };
        let mut listed: Vec<_> = self.read_roots()?.into_iter().map(list).collect();
        let holder = |listed: &Listed| listed.root.as_ref().map(|root| root.holder.clone());
        listed.sort_by(|a, b| holder(a).cmp(&holder(b)).then_with(|| a.file_name.cmp(&b.file_name)));
        Ok(listed)
    }

    /// Finds the root of a holder.
    pub(crate) fn root(&self, holder: &Holder) -> Option<Root> {
        parse(&self.tree.read_small(Path::new(ROOTS).join(file_name(holder)), CAP).ok()?)
    }

    /// Returns whether something has a bundle's name.
    pub(crate) fn holds_bundle(&self, name: &str) -> bool {
        !name.contains('/') && self.tree.look(Path::new(BUNDLES).join(name)).is_ok_and(|found| found.is_dir())
    }

    /// Lists the bundles' directory names.
    pub(crate) fn bundle_names(&self) -> Result<Vec<String>, Diagnostic> {
        Ok(self.names(BUNDLES)?.iter().filter_map(|name| name.to_str().map(str::to_owned)).collect())
    }

    /// Lists what goes with a bundle: the objects it holds, and what other roots keep to build it again.
    pub(crate) fn kept_with(&self, bundle: &str) -> Result<BTreeSet<Digest>, Diagnostic> {
        let roots = self.roots()?.into_iter().filter(|root| root.bundle.as_deref() == Some(bundle));
        let held = self.bundle_record(bundle).into_iter().flatten().map(|file| file.digest);
        Ok(roots.flat_map(|root| root.objects).chain(held).collect())
    }

    /// Removes a root by its file's name, durably; what it kept may be collected then.
    pub(crate) fn remove_root(&self, listed: &Listed) -> Result<(), Diagnostic> {
        self.check_writable()?;
        let name = Path::new(ROOTS).join(&listed.file_name);
        self.tree
            .remove_all(name)
            .and_then(|()| self.tree.sync_dir(ROOTS))
            .map_err(|error| fail::write("cannot remove a root", self.dir(), &error))
    }

    /// Reads every file in `roots-v1`; `None` for one that is garbled. A directory that cannot be read is an error.
    pub(super) fn read_roots(&self) -> Result<Vec<(OsString, Option<Root>)>, Diagnostic> {
        let told = |error: std::io::Error| fail::read("cannot read the roots of the store", self.dir(), &error);
        let names = self.tree.list(ROOTS).map_err(told)?;
        let read = |name: OsString| match self.tree.read_small(Path::new(ROOTS).join(&name), CAP) {
            // Under another's name it would be lost when that one is written again.
            Ok(bytes) => Ok(Some((name.clone(), parse(&bytes).filter(|root| *name == *file_name(&root.holder))))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if is_planted(&error) => Ok(Some((name, None))),
            Err(error) => Err(told(error)),
        };
        names.into_iter().filter_map(|name| read(name).transpose()).collect()
    }

    /// Looks whether a root still holds.
    pub(super) fn state_of(&self, root: &Root) -> State {
        let Holder::Link(link) = &root.holder else { return State::Live };
        let directory = link.parent().unwrap_or(Path::new("/"));
        let Some(bundle) = &root.bundle else {
            return match std::fs::symlink_metadata(link) {
                Ok(_) => State::Live,
                Err(error) if error.kind() == ErrorKind::NotFound && directory.is_dir() => State::Dead,
                Err(_) => State::Unknown,
            };
        };
        match std::fs::read_link(link) {
            Ok(target) if directory.join(&target) == self.dir().join(BUNDLES).join(bundle) => State::Live,
            // The store may be reached by another path than the link was made with.
            Ok(_) => match (std::fs::canonicalize(link), self.dir().join(BUNDLES).join(bundle)) {
                (Ok(found), bundle) if found == bundle => State::Live,
                _ => State::Dead,
            },
            // Not a link any more.
            Err(error) if error.kind() == ErrorKind::InvalidInput => State::Dead,
            Err(error) if error.kind() == ErrorKind::NotFound && directory.is_dir() => State::Dead,
            Err(_) => State::Unknown,
        }
    }
}

fn file_name(holder: &Holder) -> String {
    let holder = match holder {
        Holder::Link(path) => Digest::of(path.as_os_str().as_bytes()),
        Holder::Named(name) => Digest::of(format!("name {name}").as_bytes()),
    };
    holder.to_string()
}

fn print(root: &Root) -> String {
    let mut text = match &root.holder {
        Holder::Link(path) => format!("{HEADER}\nlink {}\n", percent_encode(path.as_os_str().as_bytes(), ESCAPED)),
        Holder::Named(name) => format!("{HEADER}\nname {name}\n"),
    };
    text.extend(root.bundle.iter().map(|bundle| format!("bundle {bundle}\n")));
    text.extend(root.objects.iter().map(|object| format!("object {object}\n")));
    text + "end\n"
}

fn parse(bytes: &[u8]) -> Option<Root> {
    let text = std::str::from_utf8(bytes).ok()?;
    // The last line shows that nothing was cut off: an object less would be an object lost.
    let mut lines = text.strip_suffix("end\n")?.lines().peekable();
    if lines.next()? != HEADER {
        return None;
    }
    let holder = match lines.next()?.split_once(' ')? {
        ("link", path) => Holder::Link(unescape(path)),
        ("name", name) => Holder::Named(Name::parse(name).ok()?),
        _ => return None,
    };
    let bundle = lines.next_if(|line| line.starts_with("bundle ")).map(|line| line["bundle ".len()..].to_owned());
    let objects = lines.map(|line| Digest::parse(line.strip_prefix("object ")?).ok());
    Some(Root { holder, bundle, objects: objects.collect::<Option<_>>()? })
}

/// What is not written as it is: it must stay on its line, and `%` be known for what it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

fn unescape(text: &str) -> PathBuf {
    PathBuf::from(OsString::from_vec(percent_decode_str(text).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gc_03_a_root_reads_back_whatever_its_path_and_a_cut_one_does_not() {
        let objects = BTreeSet::from([Digest::of(b"a"), Digest::of(b"b")]);
        for path in [&b"/home/x/result-nas"[..], b"/a b/%41\n\xff\xc3\xa4", b"/"] {
            let holder = Holder::Link(PathBuf::from(OsString::from_vec(path.to_vec())));
            let root = Root { holder, bundle: Some("ab-nas".into()), objects: objects.clone() };
            let text = print(&root);
            assert_eq!(parse(text.as_bytes()), Some(root));
            for end in 0..text.len() {
                assert_eq!(parse(&text.as_bytes()[..end]), None, "cut at {end}");
            }
        }
        let named = Root { holder: Holder::Named(Name::parse("nas").unwrap()), bundle: None, objects };
        assert_eq!(parse(print(&named).as_bytes()), Some(named));
    }
}
