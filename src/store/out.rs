//! `--out DIR`: a self-contained copy of a bundle. Touches `DIR` and a temporary directory beside it.
//! Read next: `super::root`.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::bundle::{self, Bundle, BundleFile};
use super::fail;
use super::handle::Store;
use super::layout::BUNDLES;
use crate::base::{Code, Diagnostic};
use crate::fs::Tree;
use crate::fs::temp_path;

/// What [`Store::copy_bundle`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Made,
    /// The directory was there with exactly these files.
    Same,
}

impl Store<'_> {
    /// Copies a bundle to a directory (0700) that does not exist yet, whole or not at all.
    ///
    /// Every byte is hashed on the way; holes stay holes. A directory that is there with exactly these files is left, one
    /// with anything else is `E_OUTPUT_EXISTS`. The parent must exist.
    pub(crate) fn copy_bundle(&self, bundle: &Bundle, out: &Path) -> Result<Copied, Diagnostic> {
        let told = |error: io::Error| unwritable(out, &error);
        let (parent, name) = split(out)?;
        let parent = Tree::open(parent).map_err(told)?;
        match parent.look(name) {
            Ok(_) => return check_existing(&parent, name, bundle.files(), out),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(told(error)),
        }
        let mut temp = temp_path::directory(out).map_err(told)?;
        let source = self.tree.sub(Path::new(BUNDLES).join(bundle.name()));
        let source = source.map_err(|error| fail::read("cannot open a bundle", self.dir(), &error))?;
        for file in bundle.files() {
            self.copy_out(&source, bundle, file, &temp.dir, out)?;
        }
        temp.dir.sync_dir(".").map_err(told)?;
        match temp.publish(&parent, name, 0o700) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
                return check_existing(&parent, name, bundle.files(), out);
            }
            Err(error) => return Err(told(error)),
        }
        parent.sync_dir(".").map_err(told)?;
        Ok(Copied::Made)
    }

    fn copy_out(
        &self,
        source: &Tree,
        bundle: &Bundle,
        file: &BundleFile,
        into: &Tree,
        out: &Path,
    ) -> Result<(), Diagnostic> {
        let damaged = |found: String| {
            // The object behind a hard link is hashed anew when it is next wanted.
            self.unstamp(&file.digest);
            self.quarantine_bundle(bundle.name(), &format!("`{}` was changed", file.file_name));
            fail::corrupt(&file.digest, found, self.dir()).fact("file", &file.file_name)
        };
        let (open, metadata) = match source.regular(&file.file_name) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Err(damaged("nothing, or not a regular file".into()));
            }
            Err(error) => return Err(fail::read("cannot read a bundle", self.dir(), &error)),
        };
        if metadata.len() != file.size {
            return Err(damaged(format!("{} bytes instead of {}", metadata.len(), file.size)));
        }
        let found = bundle::copy_file(&open, file.size, into, &file.file_name, file.mode, self.events)
            .map_err(|error| unwritable(out, &error))?;
        if found == file.digest { Ok(()) } else { Err(damaged(format!("sha256:{found}"))) }
    }
}

fn split(out: &Path) -> Result<(&Path, &OsStr), Diagnostic> {
    let name = out.file_name().ok_or_else(|| {
        Diagnostic::new(Code::OutputPath, format!("`{}` does not end in a name", fail::path(out)))
            .hint("name a new directory, as in `--out ./nas`")
    })?;
    Ok((temp_path::parent(out), name))
}

fn check_existing(parent: &Tree, name: &OsStr, files: &[BundleFile], out: &Path) -> Result<Copied, Diagnostic> {
    let same = match parent.sub(name) {
        Ok(dir) => bundle::holds_exactly(&dir, files).map_err(|error| unwritable(out, &error))?,
        Err(_) => false,
    };
    if same {
        return Ok(Copied::Same);
    }
    Err(Diagnostic::new(Code::OutputExists, format!("`{}` exists and holds something else", fail::path(out)))
        .note("nothing in it was changed")
        .hint("name another directory, or move this one away"))
}

fn unwritable(out: &Path, error: &io::Error) -> Diagnostic {
    let mut problem = Diagnostic::io(format!("cannot write the bundle to `{}`", fail::path(out)), error);
    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied) {
        problem.code = Code::OutputPath;
        problem = problem.hint("the directory it shall lie in must exist and be yours to write");
    }
    problem.note("no part of it is left there")
}
