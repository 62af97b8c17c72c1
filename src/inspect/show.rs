//! A report as plain text, one fact a line. Touches nothing.

use std::fmt::{self, Display, Formatter};

use super::guest::{Finding, Outcome};
use super::{ImageReport, Report, VolumeReport};
use crate::format::qcow2::Compression;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", self.what, self.file_size)?;
        if let Some(image) = &self.image {
            writeln!(f, "{image}")?;
        }
        if let Some(iso) = &self.iso {
            let boots = if iso.is_bootable { "boots (El Torito)" } else { "does not boot" };
            writeln!(f, "  volume `{}`, {}, {boots}", iso.volume_id, iso.volume_size)?;
        }
        if let Some(refused) = &self.refused {
            writeln!(f, "  as a base: refused, {} ({})", refused.reason, refused.code)?;
        }
        self.partitions(f)?;
        self.volumes.iter().try_for_each(|volume| write!(f, "{volume}"))?;
        if !self.guest.is_empty() {
            writeln!(f, "in the guest")?;
        }
        self.guest.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl Report {
    fn partitions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.partitions.is_empty() {
            writeln!(f, "partitions")?;
        }
        self.partitions.iter().try_for_each(|partition| {
            let (size, name) = (partition.size.to_string(), &partition.name);
            writeln!(f, "  {:>3}  {size:>10}  {}  {name}", partition.number, partition.type_guid)
        })
    }
}

impl Display for ImageReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  version {}, disk of {}", self.version, self.virtual_size)?;
        if let Some(size) = self.cluster_size {
            write!(f, ", clusters of {size}")?;
        }
        match self.compression {
            Some(Compression::Zstd) => write!(f, ", zstd")?,
            Some(Compression::Zlib) | None => {}
        }
        if self.ignored_autoclear != 0 {
            write!(f, ", autoclear bits {:#x} ignored", self.ignored_autoclear)?;
        }
        Ok(())
    }
}

impl Display for VolumeReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} volume", self.kind)?;
        if let Some(number) = self.partition {
            write!(f, " in partition {number}")?;
        }
        match &self.label {
            Some(label) => writeln!(f, ", label `{label}`, id {}", self.id)?,
            None => writeln!(f, ", no label, id {}", self.id)?,
        }
        self.files.iter().try_for_each(|file| {
            let size = if file.path.ends_with('/') { String::new() } else { file.size.to_string() };
            writeln!(f, "  {size:>10}  {}", file.path)
        })
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Applied => "applied",
            Outcome::Ignored => "ignored",
            Outcome::Fails => "fails",
        };
        write!(f, "{word:<7}  {}", self.text)
    }
}
