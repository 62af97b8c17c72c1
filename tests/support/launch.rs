//! A stand-in bundle: real disks by qemu-img, an ISO laid out like kiwi's by xorriso, and the real launch files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::base::{BaseKind, Digest};
use crate::plan::{Machine, file};

use crate::tests::support::machines;

/// What [`Bundle::new`] runs.
pub const TOOLS: [&str; 2] = ["qemu-img", "xorriso"];

/// A directory that looks like a bundle, with a storage directory beside it.
pub struct Bundle {
    pub root: tempfile::TempDir,
    pub path: PathBuf,
    pub storage: PathBuf,
    pub machine: Machine,
}

impl Bundle {
    pub fn new(machine: &Machine) -> Self {
        Self::named(machine, "bundle")
    }

    /// Makes the bundle in a directory of this name.
    pub fn named(machine: &Machine, name: &str) -> Self {
        let root = tempfile::Builder::new().prefix("arca-launch-").tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let (path, storage) = (root.path().join(name), root.path().join("storage"));
        fs::create_dir(&path).unwrap();
        fs::create_dir(&storage).unwrap();
        let bundle = Self { root, path, storage, machine: machine.clone() };
        bundle.disks();
        bundle.configs();
        for file in machines::files(machine) {
            bundle.write(&file.name, &file.bytes);
        }
        bundle.sums();
        bundle
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path.join(name), bytes).unwrap();
    }

    fn disks(&self) {
        let create = |arguments: &[&str]| {
            let mut command = Command::new("qemu-img");
            command.args(["create", "-q", "-f", "qcow2"]).args(arguments).current_dir(&self.path);
            ok(command.stdin(Stdio::null()).output().unwrap());
        };
        if self.machine.base == BaseKind::Qcow2 {
            create(&["base.qcow2", "16M"]);
        } else {
            self.iso();
        }
        match self.machine.backing_file() {
            Some(base) => create(&["-F", "qcow2", "-b", base, "system.qcow2", "32M"]),
            None => create(&["system.qcow2", "32M"]),
        }
        for (_, name) in self.machine.data_files() {
            create(&[&name, "8M"]);
        }
        if self.machine.payload {
            self.write(file::PAYLOAD, &[0; 1 << 20]);
        }
        if self.machine.config_disk.is_some() {
            create(&[file::CONFIG_QCOW2, "1M"]);
        }
    }

    fn iso(&self) {
        let tree = self.root.path().join("tree");
        let loader = tree.join(format!("boot/{}/loader", self.machine.arch));
        fs::create_dir_all(&loader).unwrap();
        fs::write(loader.join("linux"), "a kernel\n").unwrap();
        fs::write(loader.join("initrd"), "an initrd\n").unwrap();
        let iso = self.path.join(file::BASE_ISO);
        let mkisofs = ["-as", "mkisofs", "-quiet", "-R", "-V", "INSTALL", "-o"];
        ok(Command::new("xorriso").args(mkisofs).arg(iso).arg(tree).output().unwrap());
    }

    fn configs(&self) {
        for (_, name) in &self.machine.fw_cfg {
            self.write(name, format!("the bytes of {name}\n").as_bytes());
        }
    }

    /// Writes `SHA256SUMS` anew.
    pub fn sums(&self) {
        let sums: String = self
            .files()
            .iter()
            .map(|name| format!("{}  {name}\n", Digest::of(&fs::read(self.path.join(name)).unwrap())))
            .collect();
        self.write(file::SHA256SUMS, sums.as_bytes());
    }

    fn files(&self) -> Vec<String> {
        let mut names = names(&self.path);
        names.retain(|name| name != file::SHA256SUMS);
        names
    }

    /// Makes a command that runs a script of the bundle by a shell, away from the bundle.
    pub fn script(&self, shell: &str, name: &str) -> Command {
        let mut command = Command::new(shell);
        if shell == "busybox" {
            command.arg("sh");
        }
        command.arg(self.path.join(name)).current_dir("/").stdin(Stdio::null());
        command.env("HOME", self.root.path()).env("XDG_CACHE_HOME", self.root.path());
        command
    }

    /// Puts a program of our own first on the command's `PATH`.
    pub fn shim(&self, command: &mut Command, name: &str, text: &str) {
        let bin = self.root.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
        command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    }

    /// The directory of the instance.
    pub fn instance(&self) -> PathBuf {
        self.storage.join(self.machine.name.as_str())
    }

    /// Reads a file of the bundle.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }
}

/// Lists a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Demands success and returns what was printed.
pub fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that was printed.
pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
