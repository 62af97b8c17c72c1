//! The stand-in's medium: made once from Debian's kernel, BusyBox and syslinux, and the scripts beside this file. Nothing is
//! installed and no root is needed. Debian's ordinary kernel, because its cloud kernel has no AHCI, where the CD of a q35
//! machine is attached.
//! Touches: `target/tmp/selfinstall`, the network through apt (once), processes. Read next: `build`, `installer`, `system`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::Digest;

use crate::tests::support::guest::initrd;
use crate::tests::support::guest::packages::{BUSYBOX, Kit, kernel};
use crate::tests::support::{output, skip, tools};

const COMMON: &str = include_str!("common");
const INSTALLER: &str = include_str!("installer");
const SYSTEM: &str = include_str!("system");
const KEXEC: &str = include_str!("kexec.c");
const BUILD: &str = include_str!("build");

const KERNEL: &str = "linux-image-amd64";
const SYSLINUX: [&str; 3] = ["syslinux", "syslinux-common", "syslinux-efi"];

/// The installed system's own kernel command line, as kiwi keeps it in the installer's initrd.
pub const BOOT_OPTIONS: &str = "root=LABEL=ROOT console=tty0 console=ttyS0,115200";

/// Disks, the CD of a q35 machine, the file systems of config disk and medium, and fw_cfg.
const MODULES: [&str; 11] = [
    "virtio_pci",
    "virtio_blk",
    "ahci",
    "sr_mod",
    "isofs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859_1",
    "nls_utf8",
    "qemu_fw_cfg",
];

const TOOLS: [&str; 13] = [
    "apt-cache",
    "apt-get",
    "blkid",
    "cc",
    "dpkg-deb",
    "gzip",
    "ldd",
    "mcopy",
    "mkfs.vfat",
    "qemu-system-x86_64",
    "sfdisk",
    "sha256sum",
    "xorriso",
];

/// The medium, ready to be named by a recipe.
pub struct Medium {
    pub iso: PathBuf,
    pub sha256: Digest,
}

impl Medium {
    /// Makes the medium ready, from the kept copy or from Debian's packages; `None`, told as a skipped test, where a tool is
    /// missing or the packages cannot be had.
    ///
    /// # Panics
    /// As [`tools`] does; and when a package is not what this code knows.
    pub fn prepare() -> Option<Self> {
        tools(&TOOLS)?;
        let revision = format!("1 {KERNEL} {MODULES:?} {BOOT_OPTIONS} {COMMON} {INSTALLER} {SYSTEM} {KEXEC} {BUILD}");
        let packages = &[&[BUSYBOX][..], &SYSLINUX].concat();
        match (Kit { home: "selfinstall", kernel: Some(KERNEL), packages, revision }).prepare(make) {
            Ok(dir) => {
                let iso = dir.join("install.iso");
                let sha256 = Digest::of(&fs::read(&iso).expect("the medium"));
                Some(Self { iso, sha256 })
            }
            Err(reason) => {
                skip(&format!("Debian's kernel and syslinux ({reason})"));
                None
            }
        }
    }
}

fn make(tree: &Path, files: &[PathBuf], ready: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/selfinstall");
    fs::copy(kernel(files), ready.join("vmlinuz")).expect("copy");
    fs::write(ready.join("bootoptions"), BOOT_OPTIONS).expect("write");
    let kexec = ready.join("kexec");
    output(Command::new("cc").args(["-static", "-Os", "-o"]).arg(&kexec).arg(here.join("kexec.c"))).success();
    let kexec = fs::read(kexec).expect("kexec");
    let installer: [(&str, &[u8]); 4] = [
        ("init", INSTALLER.as_bytes()),
        ("common", COMMON.as_bytes()),
        ("bin/kexec", &kexec),
        ("config.bootoptions", BOOT_OPTIONS.as_bytes()),
    ];
    let system: [(&str, &[u8]); 2] = [("init", SYSTEM.as_bytes()), ("common", COMMON.as_bytes())];
    for (name, programs) in [("installer.initrd", &installer[..]), ("system.initrd", &system)] {
        fs::write(ready.join(name), initrd::archive(files, &MODULES, programs)).expect("write");
        output(Command::new("gzip").args(["-n", "--suffix", ".gz"]).arg(ready.join(name))).success();
        fs::rename(ready.join(format!("{name}.gz")), ready.join(name)).expect("rename");
    }
    output(Command::new(here.join("build")).arg(ready).arg(tree)).success();
}
