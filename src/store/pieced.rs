//! Downloads in any order: a file of known size, filled piece by piece from several places at once, kept across runs.
//! Touches `tmp/partial-<digest>` and, beside it, `.pieces`: the journal of which pieces are there.
//!
//! Only whole pieces that the caller has compared are ever written, so no later byte can spoil an earlier one. The journal
//! is a hint, written without sync: what it lists is compared again by whoever resumes, and a download that is then
//! continued in order ([`Store::claim`]) keeps what is there without a gap from the start. Read next: `super::partial`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::object::StoreObject;
use super::paced::begin_storing;
use super::partial::{Partial, Seized};
use super::tree::Tree;
use super::writer::Gate;
use super::{Store, stamp, temp};
use crate::base::{Code, Diagnostic, Digest};
use crate::stream::Sink;

/// The most bytes of a journal: a million lines of seven digits.
const JOURNAL: u64 = 8 << 20;

/// How a file is cut: into equal pieces, of which the last may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Of the file, in bytes.
    pub size: u64,
    /// Of a piece, in bytes, at least 1.
    pub piece: u64,
}

impl Cut {
    /// Returns how many pieces there are.
    pub(crate) const fn count(&self) -> u64 {
        self.size.div_ceil(self.piece)
    }

    /// Returns where a piece begins, and its length; nothing lies behind the last one.
    pub(crate) fn span(&self, index: u64) -> (u64, u64) {
        let from = index.saturating_mul(self.piece).min(self.size);
        (from, self.piece.min(self.size - from))
    }
}

/// What [`Store::claim_pieces`] found.
#[expect(clippy::large_enum_variant, reason = "one is made for each download, and moved once")]
pub(crate) enum PiecedClaim<'s, 'e> {
    /// The object is there; perhaps another process brought it while we waited.
    Ready(StoreObject),
    /// It must be brought, and nobody else does.
    Pieced(Pieced<'s, 'e>),
}

/// A download that this process alone fills.
///
/// Dropped before [`Pieced::finish`] it keeps the pieces, for the next run to resume.
pub(crate) struct Pieced<'s, 'e> {
    partial: Partial<'s, 'e>,
    filler: Filler<'s, 'e>,
    kept: BTreeSet<u64>,
}

/// The file of a [`Pieced`] download, for any of the process's threads.
pub(crate) struct Filler<'s, 'e> {
    store: &'s Store<'e>,
    file: File,
    journal: Option<File>,
    cut: Cut,
}

/// Returns the name of the journal of a partial file.
pub(super) fn journal_name(partial: &Path) -> PathBuf {
    partial.with_extension("pieces")
}

/// Makes a file that was filled in any order one that is continued in order: what lies behind the first gap goes.
pub(super) fn flatten(tree: &Tree, name: &Path, file: &File) -> io::Result<()> {
    let journal = journal_name(name);
    let prefix = match tree.read_small(&journal, JOURNAL) {
        Ok(bytes) => parse(&bytes).map_or(0, |(cut, there)| prefix(&cut, &there)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(_) => 0,
    };
    // First the bytes, then what tells that they are not to be trusted.
    if file.metadata()?.len() > prefix {
        file.set_len(prefix)?;
    }
    tree.remove(journal)
}

/// Counts the bytes that are there without a gap from the start.
fn prefix(cut: &Cut, there: &BTreeSet<u64>) -> u64 {
    let whole = (0..cut.count()).take_while(|index| there.contains(index)).count() as u64;
    whole.saturating_mul(cut.piece).min(cut.size)
}

fn header(cut: &Cut) -> String {
    format!("pieces {} {}\n", cut.piece, cut.size)
}

/// Reads a journal; lines that a kill cut short, or that make no sense, count for nothing.
fn parse(bytes: &[u8]) -> Option<(Cut, BTreeSet<u64>)> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split_inclusive('\n');
    let words: Vec<_> = lines.next()?.strip_suffix('\n')?.split(' ').collect();
    let ["pieces", piece, size] = words[..] else { return None };
    let cut = Cut { piece: piece.parse().ok().filter(|piece| *piece > 0)?, size: size.parse().ok()? };
    let listed = lines.filter_map(|line| line.strip_suffix('\n')?.parse().ok());
    Some((cut, listed.filter(|index| *index < cut.count()).collect()))
}

impl<'e> Store<'e> {
    /// Finds an object, or gives the right to bring it piece by piece; else as [`Store::claim`].
    ///
    /// Nothing is hashed here: what [`Pieced::kept`] lists is for the caller to compare.
    pub(crate) fn claim_pieces(
        &self,
        expected: &Digest,
        what: &str,
        cut: Cut,
    ) -> Result<PiecedClaim<'_, 'e>, Diagnostic> {
        let held = match self.seize(expected, what)? {
            Seized::Ready(object) => return Ok(PiecedClaim::Ready(object)),
            held => held,
        };
        let begin = || -> io::Result<Pieced<'_, 'e>> {
            let kept = match &held {
                Seized::File(name, file) => self.kept_pieces(name, file, &cut)?,
                _ => BTreeSet::new(),
            };
            let partial = self.begin_unordered(expected, held)?;
            let file = partial.temp.file.try_clone()?;
            Ok(Pieced { partial, filler: Filler { store: self, file, journal: None, cut }, kept })
        };
        let pieced = begin().map_err(|error| self.unwritable(None, &error))?;
        Ok(PiecedClaim::Pieced(pieced))
    }

    /// Lists which pieces an earlier run left, by its journal or because they lie in what came in order.
    fn kept_pieces(&self, name: &Path, file: &File, cut: &Cut) -> io::Result<BTreeSet<u64>> {
        let listed = self.tree.read_small(journal_name(name), JOURNAL).ok().and_then(|bytes| parse(&bytes));
        if let Some((_, there)) = listed.filter(|(other, _)| other == cut) {
            return Ok(there);
        }
        flatten(&self.tree, name, file)?;
        let length = file.metadata()?.len();
        if length > cut.size {
            file.set_len(0)?;
            return Ok(BTreeSet::new());
        }
        let whole = if length == cut.size { cut.count() } else { length / cut.piece };
        Ok((0..whole).collect())
    }
}

impl Pieced<'_, '_> {
    /// Lists the pieces that an earlier run may have left; each must be compared before it counts.
    pub(crate) fn kept(&self) -> &BTreeSet<u64> {
        &self.kept
    }

    /// Begins to fill: reserves the space (`E_NOSPC` shows now) and opens the journal, with these pieces in it.
    pub(crate) fn begin(&mut self, there: &BTreeSet<u64>) -> Result<(), Diagnostic> {
        // An entity tag of an earlier server says nothing of pieces from several.
        self.partial.set_validator(None)?;
        let Filler { store, file, cut, .. } = &self.filler;
        temp::reserve(file, 0, cut.size).map_err(|error| store.unwritable(Some(cut.size), &error))?;
        let Some(name) = self.partial.name.as_deref().map(journal_name) else { return Ok(()) };
        let journal = open_journal(&store.tree, &name, cut, there);
        self.filler.journal = Some(journal.map_err(|error| store.unwritable(None, &error))?);
        Ok(())
    }

    /// Gives the file to read and write.
    pub(crate) fn filler(&self) -> &Filler<'_, '_> {
        &self.filler
    }

    /// Compares, gates and publishes what hashes to `digest` as a whole; see [`Partial::finish`].
    pub(crate) fn finish(self, digest: Digest, gate: Option<Gate<'_>>) -> Result<StoreObject, Diagnostic> {
        let size = self.filler.cut.size;
        self.partial.settle(digest, size, Some(size), gate)
    }
}

/// Opens a journal, or makes one that lists what is there.
///
/// An older one is continued: between removing and making one, a kill would leave a file with gaps and nothing that tells
/// of them.
fn open_journal(tree: &Tree, name: &Path, cut: &Cut, there: &BTreeSet<u64>) -> io::Result<File> {
    if tree.look(name).is_err() {
        let lines: String = there.iter().map(|index| format!("{index}\n")).collect();
        stamp::write_derivable(tree, name, (header(cut) + &lines).as_bytes())?;
    }
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut journal = File::from(tree.open_at(name, flags, Mode::empty())?);
    // Behind a line that a kill cut short.
    journal.write_all(b"\n")?;
    Ok(journal)
}

impl Filler<'_, '_> {
    /// Reads what stands at a place of the file.
    pub(crate) fn read(&self, from: u64, buffer: &mut [u8]) -> Result<(), Diagnostic> {
        self.file.read_exact_at(buffer, from).map_err(|error| self.store.unwritable(None, &error))
    }

    /// Writes one whole piece, which the caller has compared, and remembers that it is there.
    pub(crate) fn write(&self, index: u64, bytes: &[u8]) -> Result<(), Diagnostic> {
        let (from, length) = self.cut.span(index);
        if bytes.len() as u64 != length {
            return Err(Diagnostic::new(Code::Bug, format!("piece {index} has {} bytes, not {length}", bytes.len())));
        }
        let write = || -> io::Result<()> {
            self.file.write_all_at(bytes, from)?;
            // One call for one line: lines of several threads do not mix (open(2), O_APPEND).
            self.journal.as_ref().map_or(Ok(()), |mut journal| journal.write_all(format!("{index}\n").as_bytes()))
        };
        write().map_err(|error| self.store.unwritable(None, &error))
    }

    /// Lets the system store a range by and by, so that the end need not wait for all of it.
    pub(crate) fn begin_storing(&self, from: u64, length: u64) {
        begin_storing(&self.file, from, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_cut_or_garbled_tells_what_is_sure() {
        let cut = Cut { size: 25, piece: 10 };
        assert_eq!((cut.count(), cut.span(0), cut.span(2), cut.span(3)), (3, (0, 10), (20, 5), (25, 0)));
        let there =
            |text: &str| parse(format!("pieces 10 25\n{text}").as_bytes()).map(|(_, there)| prefix(&cut, &there));
        for (text, bytes) in [
            ("", 0),
            ("0\n", 10),
            ("1\n", 0),
            ("1\n0\n", 20),
            ("2\n0\n1\n", 25),
            ("0\n\n1\n", 20),
            ("0\n1", 10),
            ("0\nx\n-1\n1\n99\n18446744073709551616\n", 20),
        ] {
            assert_eq!(there(text), Some(bytes), "{text:?}");
        }
        for bad in ["", "pieces 10 25", "pieces 0 25\n", "pieces 10\n", "pieces 10 25 1\n", "piece 10 25\n0\n", "\n0\n"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(parse(&[0xff, b'\n']), None);
        // No count of a hostile journal is walked further than it has lines.
        let endless = parse(b"pieces 1 18446744073709551615\n0\n1\n").unwrap();
        assert_eq!(prefix(&endless.0, &endless.1), 2);
    }
}
