//! `store verify --repair`: gives back what good copies in the store allow, and takes records away that only mislead.
//! Touches `objects-v1`, `bundles-v1`, `realisations-v1`, `stamps-v1`, `tmp`, `quarantine`. Read next: `super::verify`.
//!
//! Every good copy was hashed by this very command. An object and the files of bundles are hard links to one inode, so rot
//! hits them together; but a name that was deleted or replaced leaves the others good.

use std::io;
use std::path::{Path, PathBuf};

use super::bundle::{BundleFile, copy_file};
use super::handle::Store;
use super::layout::{BUNDLES, OBJECTS, STAMPS, TMP, object_name};
use super::object::StoreObject;
use super::verify::VerifyReport;
use super::verify::{DamagedBundle, Good, Recorded, Repair, RepairOutcome};
use super::{bundle, fail};
use crate::base::{Diagnostic, Digest};
use crate::fs::TempDir;
use crate::fs::tree::is_refused;

impl Store<'_> {
    /// Puts damaged bundles away; before that, where it is wished, mends what can be mended.
    pub(super) fn settle(
        &self,
        bundles: &Recorded,
        mut good: Good,
        repair: Repair,
        report: &mut VerifyReport,
    ) -> Result<(), Diagnostic> {
        if repair == Repair::Yes {
            self.restore_objects(&mut good, report)?;
        }
        for damaged in &report.damaged_bundles {
            let files = bundles.iter().find(|(name, _)| *name == damaged.name).map(|(_, files)| files);
            match files.filter(|_| repair == Repair::Yes) {
                Some(files) if self.put_together(damaged, files, &good)? => {
                    report.healed.push(RepairOutcome::Bundle(damaged.name.clone()));
                }
                Some(_) => {}
                None => self.quarantine_bundle(&damaged.name, &told(damaged)),
            }
        }
        if repair == Repair::Yes {
            self.drop_records(report)?;
        }
        report.healed.sort();
        Ok(())
    }

    /// Gives objects that are gone their names again, from files of bundles that hold the same bytes.
    fn restore_objects(&self, good: &mut Good, report: &mut VerifyReport) -> Result<(), Diagnostic> {
        let gone: Vec<Digest> = report.damaged.iter().chain(&report.lost).copied().collect();
        for digest in gone {
            let Some(place) = good.get(&digest) else { continue };
            let told = |error: io::Error| fail::write("cannot restore an object", self.dir(), &error);
            let name = object_name(&digest);
            let fan_out = name.parent().unwrap_or(Path::new(OBJECTS));
            self.tree.make_dir(OBJECTS).and_then(|_| self.tree.make_dir(fan_out)).map_err(told)?;
            match self.tree.link(place, &self.tree, &name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) if is_refused(&error) => self.copy_back(&digest, place)?,
                Err(error) => return Err(told(error)),
            }
            for directory in [fan_out, Path::new(OBJECTS)] {
                self.tree.sync_dir(directory).map_err(told)?;
            }
            self.tree.look(&name).map(|metadata| self.stamp(&digest, &metadata)).map_err(told)?;
            good.insert(digest, name);
            report.healed.push(RepairOutcome::Object(digest));
        }
        Ok(())
    }

    fn copy_back(&self, digest: &Digest, place: &Path) -> Result<(), Diagnostic> {
        use std::os::unix::fs::MetadataExt;
        let (mut file, metadata) = self.tree.regular(place).map_err(|error| self.unreadable(digest, &error))?;
        let is_private = metadata.mode() & 0o044 == 0;
        let privacy = if is_private { super::writer::Privacy::Provisioning } else { super::writer::Privacy::Public };
        let mut writer = self.create(privacy, None)?;
        io::copy(&mut file, &mut writer).map_err(|error| writer.told(&error))?;
        writer.finish(Some((digest, Some(metadata.len()))), None).map(drop)
    }

    /// Makes a damaged bundle again from good copies of all its files, and puts the damaged one away; returns whether.
    fn put_together(&self, damaged: &DamagedBundle, files: &[BundleFile], good: &Good) -> Result<bool, Diagnostic> {
        let why = told(damaged);
        let problem = |error: io::Error| fail::write("cannot mend a bundle", self.dir(), &error);
        let places: Option<Vec<&PathBuf>> = files.iter().map(|file| good.get(&file.digest)).collect();
        let Some(places) = places else {
            self.quarantine_bundle(&damaged.name, &why);
            return Ok(false);
        };
        let mut temp = TempDir::create(&self.tree, TMP, "bundle-").map_err(problem)?;
        for (file, place) in files.iter().zip(places) {
            match self.tree.link(place, &temp.dir, &file.file_name) {
                // It lay in another bundle that was put away meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.quarantine_bundle(&damaged.name, &why);
                    return Ok(false);
                }
                Err(error) if is_refused(&error) => self.copy_into(file, place, &temp).map_err(problem)?,
                other => other.map_err(problem)?,
            }
        }
        temp.dir.sync_dir(".").map_err(problem)?;
        self.quarantine_bundle(&damaged.name, &why);
        temp.publish(&self.tree, Path::new(BUNDLES).join(&damaged.name), 0o500).map_err(problem)?;
        self.tree.sync_dir(BUNDLES).map_err(problem)?;
        let mut files = files.to_vec();
        if bundle::restamp(&temp.dir, &mut files).map_err(problem)? {
            let _ = self.write_derivable(&Path::new(STAMPS).join(&damaged.name), bundle::print(&files).as_bytes());
        }
        Ok(true)
    }

    fn copy_into(&self, file: &BundleFile, place: &Path, temp: &TempDir) -> io::Result<()> {
        let (source, _) = self.tree.regular(place)?;
        copy_file(&source, file.size, &temp.dir, &file.file_name, file.mode, self.events).map(drop)
    }

    /// Removes realisations that say nothing or name what is gone, and stamps of objects that are gone: without them the
    /// next build sees a plain miss.
    fn drop_records(&self, report: &mut VerifyReport) -> Result<(), Diagnostic> {
        let problem = |error: io::Error| fail::write("cannot remove a record", self.dir(), &error);
        for record in &report.bad_records {
            let names_something = match record.what {
                super::verify::Damage::GarbledRoot => continue,
                super::verify::Damage::Garbled => false,
                super::verify::Damage::Dangling => self.names_an_object(Path::new(&record.name)),
            };
            if !names_something {
                self.tree.remove_all(&record.name).map_err(problem)?;
            }
            report.healed.push(RepairOutcome::Record(record.name.clone()));
        }
        for digest in &report.lost {
            if self.tree.look(object_name(digest)).is_err() {
                self.unstamp(digest);
            }
        }
        Ok(())
    }

    /// Returns whether a realisation's object is there, perhaps again.
    fn names_an_object(&self, record: &Path) -> bool {
        let id = record.file_name().and_then(|name| Digest::parse(name.to_str()?).ok());
        let output = id.and_then(|id| self.recorded(&crate::base::DerivationId(id)));
        output
            .is_some_and(|(digest, size)| self.find(&digest).is_ok_and(|it| it == Some(StoreObject::new(digest, size))))
    }
}

fn told(damaged: &DamagedBundle) -> String {
    format!("`{}` is missing, new or holds other bytes", damaged.file)
}
