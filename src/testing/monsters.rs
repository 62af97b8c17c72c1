//! Inputs too large to store: each is as large as its reader takes, and made to cost as much as it can. Mostly holes.
//! Touches nothing.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::base::{ByteSize, Compression, Digest};
use crate::format::archive::{BundleFile, FileEntry, Index, ObjectEntry, Root};

use super::seeds::put;
use crate::testing::readers::{self, all_files, gpt_with_sums, whole_file};

/// Makes the input and returns what reads it; only the reading is judged.
type Monster = fn() -> Box<dyn Fn()>;

/// By the reader whose memory each may take.
pub const MONSTERS: [(&str, &str, Monster); 19] = [
    ("fat", "a directory of many files eight names deep", deep_directory),
    ("fat", "files that are all the whole volume", crossed_files),
    ("inspect", "many partitions that are one volume", one_volume),
    ("inspect", "a config of many small values", large_config),
    ("qcow2", "an L1 table of 32 MiB in clusters of 512 bytes", || large_table(9)),
    ("qcow2", "an L1 table of 32 MiB in clusters of 64 KiB", || large_table(16)),
    ("archive", "an archive's index of 16 MiB", large_index),
    ("archive", "an index of 16 MiB that lists nothing", || {
        let root = format!(r#"{{"recipe":"","name":"","plan":"{}","inputs":[],"bundle":[]}}"#, "0".repeat(64));
        let roots = vec![root; (16 << 20) / 130].join(",");
        whole("archive", format!(r#"{{"format":1,"part":512,"files":[],"objects":[],"roots":[{roots}]}}"#))
    }),
    ("recipe", "a recipe of one long list", || whole("recipe", format!("a = [{}]", "1,".repeat((1 << 19) - 10)))),
    ("recipe", "a recipe of empty tables", || whole("recipe", "[[a]]\n".repeat((1 << 20) / 6))),
    ("recipe", "a recipe of many keys", || whole("recipe", (0..80_000).map(|key| format!("k{key}=[]\n")).collect())),
    ("recipe", "a recipe of many mistakes", || whole("recipe", "=\n".repeat(1 << 19))),
    ("lock", "a lock of many inputs", || whole("lock", format!("format = 1\n{}", "[[input]]\n".repeat(100_000)))),
    ("ignition", "an Ignition config of one long list", || {
        whole("ignition", format!("[{}0]", "0,".repeat((1 << 19) - 10)))
    }),
    ("combustion", "a script of many requests", || {
        whole("combustion", "# combustion: network\n".repeat((1 << 20) / 22))
    }),
    ("root", "a root of 16 MiB", large_root),
    ("record", "a record of 1 MiB", large_record),
    ("xz", "a dictionary of 96 MiB that is filled", || {
        filled(Compression::Xz, "xz/zeros-behind-a-dictionary-of-96-MiB")
    }),
    ("zstd", "a window of 128 MiB that is filled", || {
        filled(Compression::Zstd, "zstd/zeros-behind-a-window-of-128-MiB")
    }),
];

fn whole(reader: &'static str, text: String) -> Box<dyn Fn()> {
    Box::new(move || readers::run(reader, text.as_bytes()))
}

/// As many objects as a root may name.
fn large_root() -> Box<dyn Fn()> {
    let objects: String =
        (0_u32..232_000).map(|number| format!("object {}\n", Digest::of(&number.to_le_bytes()))).collect();
    let text = format!("arca-build root 1\nname nas\n{objects}end\n");
    assert!((15 << 20..16 << 20).contains(&text.len()), "{}", text.len());
    whole("root", text)
}

fn large_record() -> Box<dyn Fn()> {
    let line = |number| format!("{} 444 1 2 3 4 {number}\n", Digest::of(b"x"));
    let lines: String = (0..11_500).map(line).collect();
    assert!(lines.len() < 1 << 20, "{}", lines.len());
    whole("record", format!("arca-build bundle 1\n{lines}"))
}

/// A file of the corpus that holds more zeros than its decoder must remember.
fn filled(compression: Compression, name: &str) -> Box<dyn Fn()> {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)).unwrap();
    Box::new(move || readers::unpack(compression, &bytes, ByteSize::mib(256)))
}

/// A file with holes.
#[derive(Clone, Default)]
struct Sparse {
    length: u64,
    position: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Sparse {
    fn new(length: u64) -> Self {
        Self { length, ..Self::default() }
    }

    fn put(&mut self, at: u64, bytes: impl Into<Vec<u8>>) {
        self.pieces.insert(at, bytes.into());
    }
}

impl Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.length.saturating_sub(self.position).min(buffer.len() as u64) as usize;
        let (buffer, start) = (&mut buffer[..count], self.position);
        buffer.fill(0);
        let before = self.pieces.range(..start).next_back().map_or(start, |(at, _)| *at);
        for (at, piece) in self.pieces.range(before..start + count as u64) {
            let (skip, into) = (start.saturating_sub(*at) as usize, at.saturating_sub(start) as usize);
            let Some(piece) = piece.get(skip..) else { continue };
            let length = piece.len().min(count - into);
            buffer[into..into + length].copy_from_slice(&piece[..length]);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.position = match target {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.length.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?,
            SeekFrom::Current(by) => self.position.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?,
        };
        Ok(self.position)
    }
}

/// Where the parts of a FAT16 volume lie, in bytes; sectors of 512 bytes, two reserved.
struct Fat16 {
    cluster: u64,
    root: u64,
    data: u64,
    sparse: Sparse,
    table: Vec<u8>,
}

impl Fat16 {
    /// A volume of so many clusters, each of so many sectors, with a root directory of so many entries.
    fn new(clusters: u16, sectors: u8, entries: u16) -> Self {
        let table = vec![0; (usize::from(clusters) + 2) * 2];
        let fat_sectors = table.len().div_ceil(512) as u64;
        let root = 512 * (2 + fat_sectors);
        let data = root + (u64::from(entries) * 32).next_multiple_of(512);
        let cluster = u64::from(sectors) * 512;
        let total = data / 512 + u64::from(clusters) * u64::from(sectors);
        let mut boot = vec![0; 512];
        put(&mut boot, 11, &[0, 2, sectors, 2, 0, 1]);
        put(&mut boot, 17, &entries.to_le_bytes());
        put(&mut boot, 22, &(fat_sectors as u16).to_le_bytes());
        put(&mut boot, 32, &(total as u32).to_le_bytes());
        put(&mut boot, 54, b"FAT16   ");
        put(&mut boot, 510, &[0x55, 0xaa]);
        let mut sparse = Sparse::new(total * 512);
        sparse.put(0, boot);
        Self { cluster, root, data, sparse, table }
    }

    fn at(&self, cluster: u16) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster
    }

    /// Lets each cluster of a range lead to the next.
    fn chain(&mut self, clusters: std::ops::Range<u16>) {
        let end = clusters.end;
        for cluster in clusters {
            let next = if cluster + 1 == end { 0xffff } else { cluster + 1 };
            put(&mut self.table, usize::from(cluster) * 2, &next.to_le_bytes());
        }
    }

    fn finish(mut self) -> Sparse {
        self.sparse.put(1024, self.table);
        self.sparse
    }
}

fn entry(name: &[u8; 11], attributes: u8, cluster: u16, size: u32) -> Vec<u8> {
    let mut entry = vec![0; 32];
    put(&mut entry, 0, name);
    // The name is written in lower case.
    put(&mut entry, 11, &[attributes, 0x18]);
    put(&mut entry, 26, &cluster.to_le_bytes());
    put(&mut entry, 28, &size.to_le_bytes());
    entry
}

/// A directory entry under a name of 260 characters of three bytes.
fn long_entry(number: u8, attributes: u8, cluster: u16) -> Vec<u8> {
    let name = *b"LONG    DIR";
    let sum = name.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut entries = vec![];
    for order in (1..=20_u8).rev() {
        let mut part = [number, 0x30].repeat(16);
        put(&mut part, 0, &[if order == 20 { 0x40 | order } else { order }]);
        put(&mut part, 11, &[0x0f, 0, sum]);
        put(&mut part, 26, &[0, 0]);
        // Every unit of the name is U+30xx, whatever byte the fields above fall on.
        for at in [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] {
            put(&mut part, at, &[number, 0x30]);
        }
        entries.extend(part);
    }
    entries.extend(entry(&name, attributes, cluster, 0));
    entries
}

/// Eight directories in each other, in the last of which are as many entries as are followed.
fn deep_volume(files: usize) -> Sparse {
    let mut volume = Fat16::new(5000, 64, 512);
    volume.sparse.put(volume.root, [entry(b"IGNITION   ", 8, 0, 0), long_entry(0x41, 0x10, 2)].concat());
    for depth in 2..9_u16 {
        let place = volume.at(depth);
        volume.sparse.put(place, long_entry(0x40 + depth as u8, 0x10, depth + 1));
        volume.chain(depth..depth + 1);
    }
    let files: Vec<u8> = (0..files).flat_map(|_| entry(b"FILE    TXT", 0x20, 0, 0)).collect();
    let place = volume.at(9);
    volume.chain(9..9 + files.len().div_ceil(volume.cluster as usize) as u16);
    volume.sparse.put(place, files);
    volume.finish()
}

fn deep_directory() -> Box<dyn Fn()> {
    let volume = deep_volume(54 * 1024);
    Box::new(move || {
        all_files(&mut volume.clone(), volume.length);
        whole_file(volume.clone(), volume.length);
    })
}

/// Four thousand files on one chain of all clusters; of every other the size is small, but the chain is not.
fn crossed_files() -> Box<dyn Fn()> {
    let make = |size: fn(u32) -> u32| {
        let mut volume = Fat16::new(65_000, 1, 4096);
        volume.chain(2..65_002);
        let files: Vec<u8> = (0..4000).flat_map(|number| entry(b"FILE    TXT", 0x20, 2, size(number))).collect();
        volume.sparse.put(volume.root, files);
        volume.finish()
    };
    let (small, large) = (make(|_| 1), make(|_| 32 << 20));
    Box::new(move || {
        all_files(&mut small.clone(), small.length);
        all_files(&mut large.clone(), large.length);
    })
}

/// A volume with a config that JSON takes and that is larger than is looked into, or just as large.
fn config_volume(config: Vec<u8>) -> Sparse {
    let mut volume = Fat16::new(5000, 64, 512);
    let label = entry(b"ignition   ", 8, 0, 0);
    volume
        .sparse
        .put(volume.root, [label, entry(b"IGNITION   ", 0x10, 2, 0), entry(b"COMBUSTI   ", 0x10, 3, 0)].concat());
    volume.chain(2..3);
    volume.chain(3..4);
    let clusters = config.len().div_ceil(volume.cluster as usize) as u16;
    volume.chain(4..4 + clusters);
    let (directory, place) = (volume.at(2), volume.at(4));
    volume.sparse.put(directory, entry(b"CONFIG  IGN", 0x20, 4, config.len() as u32));
    volume.sparse.put(place, config);
    volume.finish()
}

fn large_config() -> Box<dyn Fn()> {
    let head = br#"{"ignition":{"version":"3.2.0"},"x":["#.to_vec();
    let config = [head, b"0,".repeat((4 << 20) - 30), b"0]}".to_vec()].concat();
    let volume = config_volume(config);
    Box::new(move || whole_file(volume.clone(), volume.length))
}

/// Puts a volume into a partition table whose entries all name it.
fn partitioned(volume: &Sparse) -> Sparse {
    let entries = 1024_u64;
    let first = 2 + entries / 4;
    let last = first + volume.length / 512 - 1;
    let mut head = vec![0; first as usize * 512];
    put(&mut head, 512, b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (at, value) in [(24, 1), (32, last + 1), (40, first), (48, last), (72, 2)] {
        put(&mut head, 512 + at, &value.to_le_bytes());
    }
    put(&mut head, 512 + 80, &[(entries as u32).to_le_bytes(), 128_u32.to_le_bytes()].concat());
    for number in 0..entries as usize {
        let at = 1024 + number * 128;
        put(
            &mut head,
            at,
            &[0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7],
        );
        put(&mut head, at + 16, &[(number % 255) as u8 + 1; 16]);
        put(&mut head, at + 32, &[first.to_le_bytes(), last.to_le_bytes()].concat());
        put(&mut head, at + 56, &[0x42, 0x30].repeat(36));
    }
    let mut disk = Sparse::new((last + 2) * 512);
    disk.put(0, gpt_with_sums(&head).unwrap());
    volume.pieces.iter().for_each(|(at, piece)| disk.put(first * 512 + at, piece.clone()));
    disk
}

fn one_volume() -> Box<dyn Fn()> {
    let many = partitioned(&deep_volume(4000));
    let head = br#"{"ignition":{"version":"3.2.0"}}"#.to_vec();
    let large = partitioned(&config_volume([head, b" ".repeat((8 << 20) - 100)].concat()));
    Box::new(move || {
        whole_file(many.clone(), many.length);
        whole_file(large.clone(), large.length);
    })
}

fn large_table(bits: u32) -> Box<dyn Fn()> {
    let cluster = 1_u64 << bits;
    let entries = (32_u64 << 20) / 8;
    let mut head = vec![0; 512];
    put(&mut head, 0, b"QFI\xfb\0\0\0\x03");
    put(&mut head, 20, &bits.to_be_bytes());
    put(&mut head, 24, &(entries << (2 * bits - 3)).to_be_bytes());
    put(&mut head, 36, &(entries as u32).to_be_bytes());
    put(&mut head, 40, &(cluster + (8 << 20)).to_be_bytes());
    put(&mut head, 48, &cluster.to_be_bytes());
    put(&mut head, 56, &((8_u32 << 20) >> bits).to_be_bytes());
    put(&mut head, 96, &[0, 0, 0, 4, 0, 0, 0, 104]);
    let mut image = Sparse::new(cluster + (48 << 20));
    image.put(0, head);
    Box::new(move || whole_file(image.clone(), image.length))
}

/// As many files of bundles as fit in an index, all of one object.
fn large_index() -> Box<dyn Fn()> {
    let digest = Digest::of(b"x");
    let bundle = |root: usize| {
        let file = |number: usize| BundleFile { file: format!("{root:04}-{number:05}"), sha256: digest, mode: 0o444 };
        (0..4000).map(file).collect()
    };
    let root = |number: usize| Root {
        recipe: format!("{number:04}.toml"),
        name: format!("n{number:04}"),
        plan: digest,
        inputs: vec![digest],
        bundle: bundle(number),
    };
    let file = |number: usize| FileEntry { path: format!("{number:04}.toml"), size: 0, sha256: digest };
    let index = Index {
        format: 1,
        part: 512,
        files: (0..25).map(file).collect(),
        objects: vec![ObjectEntry { sha256: digest, size: 1, private: false, held: true }],
        roots: (0..25).map(root).collect(),
    };
    let bytes = index.print();
    assert!((12 << 20..16 << 20).contains(&bytes.len()), "{}", bytes.len());
    Box::new(move || readers::run("archive", &bytes))
}
