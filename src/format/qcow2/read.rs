//! Reads a gated image's disk as `Read + Seek`. Touches nothing.
//!
//! `qcow2-rs` reads; it gets a plain header that we write from [`ImageInfo`], never the file's own, and every read is
//! demanded whole, for it swallows errors of reads over several clusters and returns short.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use futures_executor::block_on;
use qcow2_rs::dev::{Qcow2Dev, Qcow2DevParams};
use qcow2_rs::error::{Qcow2Error, Qcow2Result};
use qcow2_rs::meta::Qcow2Header;
use qcow2_rs::ops::Qcow2IoOps;

use super::header::{Compression, ImageInfo};

const SECTOR: u64 = 512;

/// A disk inside an image.
pub(crate) struct Image<R: Read + Seek> {
    device: Qcow2Dev<File<R>>,
    size: u64,
    position: u64,
    /// One cluster, and where on the disk it stands; `u64::MAX` when none.
    cluster: Vec<u8>,
    at: u64,
}

impl<R: Read + Seek> Image<R> {
    /// Opens the disk of an image that `gate` passed; zstd is not read.
    pub(crate) fn open(reader: R, info: &ImageInfo) -> io::Result<Self> {
        if info.compression() == Compression::Zstd {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the image is compressed with zstd"));
        }
        let file = File { reader: RefCell::new(reader), length: info.file_size.0 };
        let mut plain = info.header.print();
        plain.resize(SECTOR as usize, 0);
        let header = Qcow2Header::from_buf(&plain).map_err(Qcow2Error::into_inner)?;
        // The default cache slices of 4 KiB do not fit smaller clusters.
        let slice = info.header.cluster_bits.min(12) as u8;
        let cache = Some((slice, 64 << slice));
        let params = Qcow2DevParams::new(9, cache, cache, true, false);
        let device = Qcow2Dev::new(Path::new("image"), header, &params, file).map_err(Qcow2Error::into_inner)?;
        block_on(device.qcow2_prep_io()).map_err(Qcow2Error::into_inner)?;
        let cluster = vec![0; info.cluster_size() as usize];
        Ok(Self { device, size: info.header.virtual_size, position: 0, cluster, at: u64::MAX })
    }

    /// Loads the cluster that holds `position`; the last one may be cut at the end of the disk.
    fn load(&mut self, start: u64) -> io::Result<()> {
        if self.at == start {
            return Ok(());
        }
        self.at = u64::MAX;
        let wanted = (self.size - start).min(self.cluster.len() as u64).next_multiple_of(SECTOR) as usize;
        let buffer = self.cluster.get_mut(..wanted).unwrap_or_default();
        let read = block_on(self.device.read_at(buffer, start)).map_err(Qcow2Error::into_inner)?;
        if read != wanted {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a cluster could not be read whole"));
        }
        self.at = start;
        Ok(())
    }
}

impl<R: Read + Seek> Read for Image<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.position);
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let cluster = self.cluster.len() as u64;
        let inside = self.position % cluster;
        self.load(self.position - inside)?;
        let count = (cluster - inside).min(left).min(buffer.len() as u64) as usize;
        let part = self.cluster.get(inside as usize..inside as usize + count).unwrap_or_default();
        buffer.iter_mut().zip(part).for_each(|(place, byte)| *place = *byte);
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Read + Seek> Seek for Image<R> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The image file; reads past its end give zeros only where the file was cut inside a sector run.
struct File<R> {
    reader: RefCell<R>,
    length: u64,
}

impl<R: Read + Seek> Qcow2IoOps for File<R> {
    async fn read_to(&self, offset: u64, buf: &mut [u8]) -> Qcow2Result<usize> {
        if offset >= self.length {
            return Err("a table points past the end of the file".into());
        }
        let there = (self.length - offset).min(buf.len() as u64) as usize;
        let (data, rest) = buf.split_at_mut(there);
        let mut reader = self.reader.borrow_mut();
        reader.seek(SeekFrom::Start(offset))?;
        reader.read_exact(data)?;
        rest.fill(0);
        Ok(buf.len())
    }

    async fn write_from(&self, _offset: u64, _buf: &[u8]) -> Qcow2Result<()> {
        Err("the image is open for reading only".into())
    }

    async fn fallocate(&self, _offset: u64, _len: usize, _flags: u32) -> Qcow2Result<()> {
        Err("the image is open for reading only".into())
    }

    async fn fsync(&self, _offset: u64, _len: usize, _flags: u32) -> Qcow2Result<()> {
        Ok(())
    }
}
