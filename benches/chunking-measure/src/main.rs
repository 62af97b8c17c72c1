//! How much of one image is new with respect to another, by chunk size, and what reading it back from chunks costs.
//!
//! The measuring program of `benches/chunking`, which tells what it is for; results: `benches/README.md`. Reads the files
//! named on its command line, writes below the directory named there, prints rows of Markdown tables.
//!
//!   `chunking-measure new LABEL OLD NEW`   what of NEW is not in OLD, by chunk size
//!   `chunking-measure read OLD NEW DIR`    NEW read back, cold: the plain file, packs of chunks, one file for each chunk

mod cut;
mod readback;

use cut::{Chunk, Cutter};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

/// What went wrong, as the user of a benchmark needs it.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

const MIB: f64 = 1_048_576.0;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["new", label, old, new] => compare(label, Path::new(old), Path::new(new)),
        ["read", old, new, dir] => readback::measure(Path::new(old), Path::new(new), Path::new(dir)),
        _ => Err("chunking-measure new LABEL OLD NEW | read OLD NEW DIR".into()),
    }
}

/// Prints one row for each chunker.
fn compare(label: &str, old: &Path, new: &Path) -> Outcome<()> {
    let old = std::fs::read(old)?;
    let new = std::fs::read(new)?;
    let data = without_zeros(&new);
    for cutter in Cutter::all() {
        let known: BTreeSet<_> = cutter.chunks(&old).0.iter().map(|chunk| chunk.digest).collect();
        let (chunks, speed) = cutter.chunks(&new);
        let fresh = fresh(&chunks, &known);
        let bytes: u64 = fresh.iter().map(|chunk| chunk.bytes(&new).len() as u64).sum();
        println!(
            "| {label} | {cutter} | {:.1} | {:.1} | {:.1} % | {:.1} | {:.1} | {} | {:.0} | {:.0} / {:.0} |",
            data as f64 / MIB,
            bytes as f64 / MIB,
            100.0 * bytes as f64 / data as f64,
            squeezed_alone(&fresh, &new)? as f64 / MIB,
            squeezed_together(&fresh, &new)? as f64 / MIB,
            chunks.len(),
            // What a list of chunks holds for each: a digest and a length.
            (chunks.len() * 36) as f64 / 1024.0,
            speed.cut,
            speed.hash,
        );
    }
    Ok(())
}

/// Counts the bytes of all blocks of 4 KiB that hold anything: holes cost nobody anything.
fn without_zeros(bytes: &[u8]) -> u64 {
    bytes.chunks(4096).filter(|block| !cut::is_zero(block)).map(|block| block.len() as u64).sum()
}

/// Picks the chunks that are not known, each once, and none that is only zeros.
fn fresh<'a>(chunks: &'a [Chunk], known: &BTreeSet<[u8; 32]>) -> Vec<&'a Chunk> {
    let mut seen = BTreeSet::new();
    let is_new = |chunk: &&Chunk| !chunk.zero && !known.contains(&chunk.digest) && seen.insert(chunk.digest);
    chunks.iter().filter(is_new).collect()
}

/// What these chunks take when each is compressed for itself, as a store must.
fn squeezed_alone(chunks: &[&Chunk], of: &[u8]) -> Outcome<u64> {
    let mut compressor = zstd::bulk::Compressor::new(3)?;
    let mut total = 0;
    for chunk in chunks {
        let bytes = chunk.bytes(of);
        total += compressor.compress(bytes)?.len().min(bytes.len()) as u64;
    }
    Ok(total)
}

/// What these chunks take as one stream, as an export file may.
fn squeezed_together(chunks: &[&Chunk], of: &[u8]) -> Outcome<u64> {
    let mut stream = zstd::stream::write::Encoder::new(Count(0), 3)?;
    for chunk in chunks {
        std::io::Write::write_all(&mut stream, chunk.bytes(of))?;
    }
    Ok(stream.finish()?.0)
}

/// Counts what is written to it.
struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
