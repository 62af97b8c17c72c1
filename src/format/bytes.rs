//! Fixed-width integers out of byte slices, without a panic. Touches nothing.

use std::io::{self, Read, Seek, SeekFrom};

/// Takes `N` bytes at `at`; `None` where the slice ends before.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Reads a big-endian 32-bit integer; 0 where the slice ends before.
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    array(bytes, at).map_or(0, u32::from_be_bytes)
}

/// Reads a big-endian 64-bit integer; 0 where the slice ends before.
pub(crate) fn be64(bytes: &[u8], at: usize) -> u64 {
    array(bytes, at).map_or(0, u64::from_be_bytes)
}

/// Reads a little-endian 16-bit integer; 0 where the slice ends before.
pub(crate) fn le16(bytes: &[u8], at: usize) -> u16 {
    array(bytes, at).map_or(0, u16::from_le_bytes)
}

/// Reads a little-endian 32-bit integer; 0 where the slice ends before.
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    array(bytes, at).map_or(0, u32::from_le_bytes)
}

/// Reads a little-endian 64-bit integer; 0 where the slice ends before.
pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    array(bytes, at).map_or(0, u64::from_le_bytes)
}

/// Writes `field` at `at`; does nothing where it would not fit.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = at.checked_add(field.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(field);
    }
}

/// Reads up to `limit` bytes (a constant of the caller's, at most 64 KiB at a time) from `offset`; fewer only where
/// the stream ends.
pub(crate) fn read_up_to<R: Read + Seek>(reader: &mut R, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(limit.min(64 << 10) as usize);
    reader.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
