//! The guest's initrd: `init`, BusyBox, util-linux' blkid with the libraries it needs, and a few kernel modules in the
//! order in which they must be loaded. Reads the files it is told; starts `ldd` and decompressors.
//! Format: the "newc" cpio archive, Linux Documentation/driver-api/early-userspace/buffer-format.rst.

use super::packages::file_name;
use crate::tests::support::{output, tool};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first process.
pub const INIT: &str = include_str!("init");

/// Disks, the file systems a config may come on with the character sets FAT asks for, and fw_cfg.
pub const MODULES: [&str; 9] =
    ["virtio_pci", "virtio_blk", "vfat", "isofs", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8", "qemu_fw_cfg"];

/// Permission and type bits, as in `st_mode`.
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;

/// Puts the archive together from the unpacked packages' files.
pub fn make(files: &[PathBuf]) -> Vec<u8> {
    archive(files, &MODULES, &[("init", INIT.as_bytes())])
}

/// The same with other modules, and with these programs, of which `init` is one.
pub fn archive(files: &[PathBuf], modules: &[&str], programs: &[(&str, &[u8])]) -> Vec<u8> {
    let busybox = files.iter().find(|path| file_name(path) == "busybox").expect("BusyBox in its package");
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "sys", "mnt"] {
        archive.add(dir, DIRECTORY, &[]);
    }
    for (path, bytes) in programs {
        archive.add(path, PROGRAM, bytes);
    }
    archive.add("bin/busybox", PROGRAM, &fs::read(busybox).expect("BusyBox"));
    archive.add("bin/sh", SYMLINK, b"busybox");
    let blkid = tool("blkid").expect("checked by prepare");
    archive.add("usr/sbin/blkid", PROGRAM, &fs::read(&blkid).expect("blkid"));
    for library in libraries(&blkid) {
        let path = library.to_str().expect("a path in UTF-8").trim_start_matches('/').to_owned();
        archive.add(&path, PROGRAM, &fs::read(&library).expect("a library"));
    }
    add_modules(&mut archive, files, modules);
    archive.finish()
}

fn add_modules(archive: &mut Archive, files: &[PathBuf], modules: &[&str]) {
    let mut loader = Modules::new(files);
    modules.iter().for_each(|name| loader.take(name));
    let order = loader.order.iter().map(|(name, _)| format!("{name}.ko\n")).collect::<String>();
    archive.add("modules/order", PROGRAM, order.as_bytes());
    for (name, bytes) in &loader.order {
        archive.add(&format!("modules/{name}.ko"), PROGRAM, bytes);
    }
}

/// The shared libraries of a program, its loader among them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let told = output(Command::new("ldd").arg(program)).success().stdout;
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    told.lines().filter_map(path).collect()
}

/// Kernel modules by name, and those taken so far with what they need before them.
struct Modules {
    known: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    order: Vec<(String, Vec<u8>)>,
}

impl Modules {
    fn new(files: &[PathBuf]) -> Self {
        let known = files.iter().filter_map(|path| Some((module_name(file_name(path))?, path.clone()))).collect();
        let builtin = files.iter().find(|path| file_name(path) == "modules.builtin").expect("modules.builtin");
        let builtin = fs::read_to_string(builtin).expect("modules.builtin");
        let builtin = builtin.lines().filter_map(|line| module_name(line.rsplit('/').next()?)).collect();
        Self { known, builtin, order: Vec::new() }
    }

    fn take(&mut self, name: &str) {
        if self.builtin.contains(name) || self.order.iter().any(|(taken, _)| taken == name) {
            return;
        }
        let path = self.known.get(name).unwrap_or_else(|| panic!("the kernel package has no module {name}"));
        let bytes = plain(path);
        depends(&bytes).iter().for_each(|needed| self.take(needed));
        self.order.push((name.to_owned(), bytes));
    }
}

/// `nls_iso8859-1.ko.xz` is the module `nls_iso8859_1`.
fn module_name(file: &str) -> Option<String> {
    let (name, rest) = file.split_once(".ko")?;
    matches!(rest, "" | ".xz" | ".zst").then(|| name.replace('-', "_"))
}

/// Reads what a module needs from its `.modinfo` section (Debian's package brings no `modules.dep`).
fn depends(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let at = module.windows(key.len()).position(|window| window == key).expect("depends= in the module");
    let value = module[at + key.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value).replace('-', "_");
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The module's bytes: BusyBox' insmod takes no compressed ones.
fn plain(path: &Path) -> Vec<u8> {
    let program = match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).expect("a module"),
    };
    let told = Command::new(program).arg("-dc").arg(path).stderr(Stdio::inherit()).output().expect(program);
    assert!(told.status.success(), "{program} {}", path.display());
    told.stdout
}

/// A cpio archive being written.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds one entry, after the directories above it.
    fn add(&mut self, path: &str, mode: u32, content: &[u8]) {
        for (end, _) in path.match_indices('/') {
            if self.directories.insert(path[..end].to_owned()) {
                self.entry(&path[..end], DIRECTORY, &[]);
            }
        }
        self.entry(path, mode, content);
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a small file");
        let name_size = u32::try_from(name.len() + 1).expect("a short name");
        // inode, mode, uid, gid, links, mtime, size, device (2), own device (2), name's size, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        fields.iter().for_each(|field| self.bytes.extend(format!("{field:08x}").bytes()));
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}
