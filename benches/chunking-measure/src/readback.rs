//! Reads a file back from a store of chunks that holds an older one too, and compares with reading the plain file.
//! Writes below one directory; asks the kernel to forget the pages of the files it reads, and of no others.

use crate::Outcome;
use crate::cut::{Chunk, Cutter};
use rustix::fs::{Advice, fadvise};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How often each way is tried; they take turns, and the best counts, for the disk has other users.
const ROUNDS: usize = 4;

/// Where a chunk lies: which file, and where in it.
type Place = (usize, u64);

/// A store of chunks: the files it has, and the order in which the newer image is read from them.
struct Stored {
    name: String,
    files: Vec<PathBuf>,
    list: Vec<(Place, usize)>,
}

/// Prints one row for each way to read.
pub fn measure(old: &Path, new: &Path, dir: &Path) -> Outcome<()> {
    let old = fs::read(old)?;
    let new = fs::read(new)?;
    fs::create_dir_all(dir)?;
    let mut stores = vec![plain(&new, dir)?];
    for kib in [16, 64, 256] {
        stores.push(packs(Cutter::Content(kib), [&old, &new], dir)?);
    }
    stores.push(one_file_each(Cutter::Content(64), [&old, &new], dir)?);
    let mut best = vec![f64::INFINITY; stores.len()];
    for _ in 0..ROUNDS {
        for (store, best) in stores.iter().zip(&mut best) {
            *best = best.min(read(store, new.len())?);
        }
    }
    for (store, seconds) in stores.iter().zip(&best) {
        let speed = new.len() as f64 / 1e6 / seconds;
        println!("| {} | {} | {speed:.0} | {:.2} |", store.name, store.list.len(), best[0] / seconds);
    }
    Ok(())
}

fn plain(new: &[u8], dir: &Path) -> Outcome<Stored> {
    let path = dir.join("plain");
    write_synced(&path, new)?;
    let piece = 1 << 20;
    let list = (0..new.len()).step_by(piece).map(|at| ((0, at as u64), piece.min(new.len() - at))).collect();
    Ok(Stored { name: "plain file".into(), files: vec![path], list })
}

/// One file for the chunks of each generation: the kindest layout there is.
fn packs(cutter: Cutter, generations: [&[u8]; 2], dir: &Path) -> Outcome<Stored> {
    let mut places: BTreeMap<[u8; 32], Place> = BTreeMap::new();
    let mut stored = Stored { name: format!("packs, {cutter}"), files: Vec::new(), list: Vec::new() };
    for (number, file) in generations.into_iter().enumerate() {
        let mut pack = Vec::new();
        let chunks = cutter.chunks(file).0;
        for chunk in &chunks {
            places.entry(chunk.digest).or_insert_with(|| {
                let at = pack.len() as u64;
                pack.extend_from_slice(chunk.bytes(file));
                (number, at)
            });
        }
        let path = dir.join(format!("pack-{}-{number}", stored.name.replace([' ', ','], "")));
        write_synced(&path, &pack)?;
        stored.files.push(path);
        stored.list = chunks.iter().map(|chunk| (places[&chunk.digest], chunk.length)).collect();
    }
    Ok(stored)
}

/// One object for each chunk, as the store keeps all else.
fn one_file_each(cutter: Cutter, generations: [&[u8]; 2], dir: &Path) -> Outcome<Stored> {
    let mut stored = Stored { name: format!("a file each, {cutter}"), files: Vec::new(), list: Vec::new() };
    let mut places: BTreeMap<[u8; 32], Place> = BTreeMap::new();
    let mut made = BTreeSet::new();
    for file in generations {
        let chunks = cutter.chunks(file).0;
        for chunk in &chunks {
            if let Entry::Vacant(place) = places.entry(chunk.digest) {
                place.insert((stored.files.len(), 0));
                stored.files.push(write_object(chunk, file, dir, &mut made)?);
            }
        }
        stored.list = chunks.iter().map(|chunk| (places[&chunk.digest], chunk.length)).collect();
    }
    Ok(stored)
}

fn write_object(chunk: &Chunk, of: &[u8], dir: &Path, made: &mut BTreeSet<u8>) -> Outcome<PathBuf> {
    let [first, rest @ ..] = chunk.digest;
    let folder = dir.join(format!("{first:02x}"));
    if made.insert(first) {
        fs::create_dir_all(&folder)?;
    }
    let name: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(name);
    fs::write(&path, chunk.bytes(of))?;
    Ok(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Reads everything once, cold, and tells the seconds. Bytes go nowhere: hashing them would cost every way the same.
fn read(store: &Stored, whole: usize) -> Outcome<f64> {
    for path in &store.files {
        let file = File::open(path)?;
        // Only clean pages are forgotten.
        file.sync_data()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    let begun = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    let few = (store.files.len() < 16)
        .then(|| store.files.iter().map(File::open).collect::<Result<Vec<_>, _>>())
        .transpose()?;
    let mut total = 0;
    for &((file, at), length) in &store.list {
        match &few {
            Some(files) => files[file].read_exact_at(&mut buffer[..length], at)?,
            None => File::open(&store.files[file])?.read_exact(&mut buffer[..length])?,
        }
        total += length;
    }
    if total != whole {
        return Err(format!("{}: {total} bytes of {whole}", store.name).into());
    }
    Ok(begun.elapsed().as_secs_f64())
}
