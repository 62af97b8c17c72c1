//! Mends what `fatfs` 0.3 leaves in a volume that we just wrote. Touches nothing.
//!
//! The crate gives `.` and `..` long names, which `fsck.fat` calls an error, and stamps neither the label's entry.
//! Only directories are looked at: a file's content may look like anything. Specification: fatgen103.

use fatfs::DateTime;

use super::read::{Geometry, Place};
use super::{DIRECTORY, ENTRY, FREE, LONG_NAME, MAX_DEPTH, VOLUME_ID, time};
use crate::format::bytes::{le16, put};

/// Mends all directories, from the root down.
pub(super) fn repair(bytes: &mut [u8], stamp: DateTime) {
    let Ok(geometry) = Geometry::read(bytes, bytes.len() as u64) else { return };
    let fat = bytes.get(geometry.fat_range()).unwrap_or_default().to_vec();
    let mut waiting = vec![(Place::Root, 0)];
    while let Some((place, depth)) = waiting.pop() {
        for (index, at) in entries(&geometry, &fat, place).into_iter().enumerate() {
            let Some(entry) = bytes.get(at..at + ENTRY).map(<[u8]>::to_vec) else { break };
            let (first, attributes) = (entry.first().copied().unwrap_or(0), entry.get(11).copied().unwrap_or(0));
            if first == 0 {
                break;
            }
            if matches!(place, Place::Cluster(_)) && index == 0 {
                dots(bytes, at);
            }
            let is_named = first != b'.' && first != FREE && attributes != LONG_NAME;
            if is_named && attributes & VOLUME_ID != 0 {
                label(bytes, at, stamp);
            } else if is_named && attributes & DIRECTORY != 0 && depth < MAX_DEPTH {
                waiting.push((Place::Cluster(le16(&entry, 26)), depth + 1));
            }
        }
    }
}

fn entries(geometry: &Geometry, fat: &[u8], place: Place) -> Vec<usize> {
    geometry.extents(fat, place).flat_map(|range| (range.start as usize..range.end as usize).step_by(ENTRY)).collect()
}

/// Moves the short entries 1 and 3 to the places that `.` and `..` must have, and frees the two behind.
fn dots(bytes: &mut [u8], at: usize) {
    let Some(slots) = bytes.get_mut(at..at + 4 * ENTRY) else { return };
    let is_long = |slot: usize| slots.get(slot * ENTRY + 11) == Some(&LONG_NAME);
    if !(is_long(0) && is_long(2)) {
        return;
    }
    slots.copy_within(ENTRY..2 * ENTRY, 0);
    slots.copy_within(3 * ENTRY..4 * ENTRY, ENTRY);
    for slot in [2, 3] {
        put(slots, slot * ENTRY, &[0; ENTRY]);
        put(slots, slot * ENTRY, &[FREE]);
    }
}

fn label(bytes: &mut [u8], at: usize, stamp: DateTime) {
    let (time, date) = time::words(stamp);
    put(bytes, at + 22, &time.to_le_bytes());
    put(bytes, at + 24, &date.to_le_bytes());
}
