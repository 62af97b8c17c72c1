//! A real kernel in a virtual machine that tells what it was given: which disks, which files on the volumes that MicroOS
//! looks for, which fw_cfg entries, each with the digest of the bytes that arrived. Debian's cloud kernel and BusyBox,
//! taken from Debian's packages and kept below `target/`; nothing is installed. Software emulation only.
//! Touches: `target/tmp/guest`, the network through apt (once), processes. Read next: `guest/init`, `guest/packages.rs`.

pub mod initrd;
pub mod packages;

use super::{BOOT_LIMIT, boot, skip, tool, tools};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Between these lines the guest reports; see `guest/init`.
const BEGIN: &str = "ARCA-GUEST-BEGIN\n";
const END: &str = "ARCA-GUEST-END\n";

/// A kernel and an initrd, ready to boot.
#[derive(Clone, Debug)]
pub struct Guest {
    kernel: PathBuf,
    initrd: PathBuf,
}

/// A disk to attach: read-only, as a config disk should be.
#[derive(Clone, Debug)]
pub struct Disk {
    path: PathBuf,
    format: &'static str,
    serial: String,
}

impl Disk {
    /// A raw image.
    pub fn raw(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: "raw", serial: String::new() }
    }

    /// A qcow2 image.
    pub fn qcow2(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: "qcow2", serial: String::new() }
    }

    /// Gives the disk a serial: at most 20 bytes.
    pub fn serial(mut self, serial: &str) -> Self {
        serial.clone_into(&mut self.serial);
        self
    }
}

/// What the guest found.
#[derive(Clone, Debug, Default)]
pub struct GuestReport {
    /// Every virtio disk, in the order attached.
    pub disks: Vec<SeenDisk>,
    /// Every volume labelled `ignition`, `combustion` or `COMBUSTION`, as libblkid (and so udev) tells labels.
    pub volumes: Vec<Volume>,
    /// Every file of the payload disk, by its path in the stream.
    pub carried: BTreeMap<String, Bytes>,
    /// Every fw_cfg entry below `opt/`, by its whole name.
    pub fw_cfg: BTreeMap<String, Bytes>,
    /// What should have worked and did not.
    pub problems: Vec<String>,
    /// Everything said on the serial port.
    pub serial: String,
    /// How long the virtual machine ran, on this machine's clock.
    pub wall: Duration,
}

/// A disk as the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenDisk {
    pub device: String,
    pub size: u64,
    pub serial: String,
}

/// A mounted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    pub device: String,
    pub label: String,
    /// The file system, in the kernel's words (`vfat`, `iso9660`).
    pub kind: String,
    /// Every file, by its path from the volume's root.
    pub files: BTreeMap<String, Bytes>,
}

/// What arrived: digest in hexadecimal, and length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    pub sha256: String,
    pub size: u64,
}

impl Bytes {
    /// Tells what arrives when these bytes do.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(bytes);
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { sha256, size: bytes.len() as u64 }
    }
}

impl Guest {
    /// Makes the guest ready, from the kept copy or from Debian's packages; `None`, told as a skipped test, where a tool
    /// is missing or the packages cannot be had.
    ///
    /// # Panics
    /// As [`super::tool`] does; and when a package is not what this code knows.
    pub fn prepare() -> Option<Self> {
        tools(&["qemu-system-x86_64", "apt-get", "apt-cache", "dpkg-deb", "ldd", "blkid"])?;
        match packages::prepare() {
            Ok(dir) => Some(Self { kernel: dir.join("vmlinuz"), initrd: dir.join("initrd") }),
            Err(reason) => {
                skip(&format!("Debian's cloud kernel ({reason})"));
                None
            }
        }
    }

    /// The kernel's image.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// The initrd that reports.
    pub fn initrd(&self) -> &Path {
        &self.initrd
    }

    /// Boots with these disks and these fw_cfg entries (name, file), and reads the report.
    ///
    /// # Panics
    /// When the machine does not start, does not power off in time, or reports half.
    pub fn boot(&self, disks: &[Disk], fw_cfg: &[(&str, &Path)]) -> GuestReport {
        self.boot_with(&arguments(disks, fw_cfg))
    }

    /// Boots with further arguments for QEMU, such as those of a bundle's own launch file.
    ///
    /// # Panics
    /// As [`Guest::boot`].
    pub fn boot_with(&self, arguments: &[String]) -> GuestReport {
        let mut command = Command::new(tool("qemu-system-x86_64").expect("checked by prepare"));
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"]);
        command.args(["-machine", "pc", "-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", "256"]);
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initrd);
        command.args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1"]).args(arguments);
        let begun = Instant::now();
        let serial = boot(&mut command, BOOT_LIMIT);
        GuestReport { wall: begun.elapsed(), ..GuestReport::read(serial) }
    }
}

fn arguments(disks: &[Disk], fw_cfg: &[(&str, &Path)]) -> Vec<String> {
    let mut arguments = Vec::new();
    for (index, disk) in disks.iter().enumerate() {
        let (format, path) = (disk.format, escaped(&disk.path));
        arguments.extend(["-drive".into(), format!("if=none,id=disk{index},readonly=on,format={format},file={path}")]);
        let serial = if disk.serial.is_empty() { String::new() } else { format!(",serial={}", disk.serial) };
        arguments.extend(["-device".into(), format!("virtio-blk-pci,drive=disk{index}{serial}")]);
    }
    for (name, file) in fw_cfg {
        arguments.extend(["-fw_cfg".into(), format!("name={name},file={}", escaped(file))]);
    }
    arguments
}

/// QEMU's option syntax ends a value at a comma unless it is doubled.
fn escaped(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").replace(',', ",,")
}

impl GuestReport {
    /// The only volume with this label; `None` where there is none.
    ///
    /// # Panics
    /// When several volumes carry it, or the guest told a problem.
    pub fn volume(&self, label: &str) -> Option<&Volume> {
        assert!(self.problems.is_empty(), "{:?}\n{}", self.problems, self.serial);
        let mut found = self.volumes.iter().filter(|volume| volume.label == label);
        let volume = found.next();
        assert!(found.next().is_none(), "several volumes are labelled {label:?}: {:?}", self.volumes);
        volume
    }

    fn read(serial: String) -> Self {
        let report = serial.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
        let (lines, _) = report.unwrap_or_else(|| panic!("the guest reported half:\n{serial}"));
        let mut told = Self::default();
        for line in lines.lines() {
            told.take(line).unwrap_or_else(|| panic!("not understood: {line:?}\n{serial}"));
        }
        Self { serial, ..told }
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "DISK" => {
                let [device, size, serial] = three(rest)?;
                self.disks.push(SeenDisk { device, size: size.parse().ok()?, serial });
            }
            "VOLUME" => {
                let [device, kind, label] = three(rest)?;
                self.volumes.push(Volume { device, label, kind, files: BTreeMap::new() });
            }
            "FILE" => {
                let (path, bytes) = named_bytes(rest)?;
                self.volumes.last_mut()?.files.insert(path, bytes);
            }
            "CARRIED" => self.carried.extend([named_bytes(rest)?]),
            "FWCFG" => self.fw_cfg.extend([named_bytes(rest)?]),
            "PROBLEM" => self.problems.push(rest.to_owned()),
            // A line of the kernel's, or of a program that complains.
            _ => self.problems.push(line.to_owned()),
        }
        Some(())
    }
}

fn three(text: &str) -> Option<[String; 3]> {
    let mut parts = text.splitn(3, ' ').map(str::to_owned);
    Some([parts.next()?, parts.next()?, parts.next()?])
}

fn named_bytes(text: &str) -> Option<(String, Bytes)> {
    let [sha256, size, name] = three(text)?;
    Some((name, Bytes { sha256, size: size.parse().ok()? }))
}
