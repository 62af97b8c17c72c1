//! Gets a kernel of Debian's, a static BusyBox and what else a guest asks for by `apt-get download` (which checks them
//! against the signed lists) and unpacks them below `target/tmp`. Nothing is installed and apt's own state stays as it is.
//! Touches: that directory, the network through apt. Read next: `initrd.rs`.

use super::initrd;
use crate::tests::support::{Output, output};
use sha2::Digest;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's name for "the cloud kernel of today".
const KERNEL: &str = "linux-image-cloud-amd64";
/// The static BusyBox.
pub const BUSYBOX: &str = "busybox-static";

/// What a guest is made from.
pub struct Kit<'a> {
    /// The directory below `target/tmp`.
    pub home: &'a str,
    /// The package that depends on the kernel of today, where one is wanted.
    pub kernel: Option<&'a str>,
    /// Further packages; none is followed to what it depends on.
    pub packages: &'a [&'a str],
    /// Names everything else that the result is made from, so that an edited script is not served from a kept copy.
    pub revision: String,
}

/// Returns a directory with `vmlinuz` and `initrd`; the error tells why the packages could not be had.
pub fn prepare() -> Result<PathBuf, String> {
    let revision = format!("1 {KERNEL} {BUSYBOX} {} {:?}", initrd::INIT, initrd::MODULES);
    Kit { home: "guest", kernel: Some(KERNEL), packages: &[BUSYBOX], revision }.prepare(|_, files, ready| {
        fs::copy(kernel(files), ready.join("vmlinuz")).expect("copy");
        fs::write(ready.join("initrd"), initrd::make(files)).expect("write");
    })
}

/// The kernel's image among the unpacked files.
pub fn kernel(files: &[PathBuf]) -> &Path {
    files.iter().find(|path| file_name(path).starts_with("vmlinuz-")).expect("a kernel in its package")
}

impl Kit<'_> {
    /// Returns the directory that `make` filled, now or earlier; it is given the tree of all packages, every file in it,
    /// and the directory.
    pub fn prepare(&self, make: impl FnOnce(&Path, &[PathBuf], &Path)) -> Result<PathBuf, String> {
        let home = crate::tests::support::target_tmp().join(self.home);
        let digest = sha2::Sha256::digest(&self.revision);
        let ready = home.join(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
        if !ready.is_dir() {
            fs::create_dir_all(&home).expect("a directory below target");
            let lock = fs::File::create(home.join("lock")).expect("lock file");
            lock.lock().expect("lock");
            // Whoever held the lock before may have done the work.
            if !ready.is_dir() {
                let work = tempfile::tempdir_in(&home).expect("a directory below target");
                let [debs, tree, made] = ["debs", "tree", "ready"].map(|name| work.path().join(name));
                for dir in [&debs, &tree, &made] {
                    fs::create_dir(dir).expect("directory");
                }
                self.unpack(work.path(), &debs, &tree)?;
                make(&tree, &files_below(&tree), &made);
                fs::rename(made, &ready).expect("rename");
            }
        }
        Ok(ready)
    }

    fn unpack(&self, work: &Path, debs: &Path, tree: &Path) -> Result<(), String> {
        self.download(work, debs)?;
        for deb in files_below(debs) {
            output(Command::new("dpkg-deb").arg("-x").arg(deb).arg(tree)).success();
        }
        Ok(())
    }

    /// Downloads with the lists that apt has; where it has none, or old ones, with a private copy of them.
    fn download(&self, work: &Path, debs: &Path) -> Result<(), String> {
        self.download_with(&[], debs).or_else(|_| {
            let options = private_lists(work);
            let _ = apt("apt-get", &options, &["update"], work);
            self.download_with(&options, debs)
        })
    }

    fn download_with(&self, options: &[String], debs: &Path) -> Result<(), String> {
        let mut wanted = vec!["download".to_owned()];
        if let Some(name) = self.kernel {
            let depends = apt("apt-cache", options, &["depends", name], debs)?;
            let kernel = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
            wanted.push(kernel.ok_or_else(|| format!("no package {name}"))?.to_owned());
        }
        wanted.extend(self.packages.iter().map(|name| (*name).to_owned()));
        apt("apt-get", options, &wanted, debs).map(drop)
    }
}

/// Options under which apt keeps lists of its own below `work`, as an ordinary user may.
fn private_lists(work: &Path) -> Vec<String> {
    let [lists, cache] = ["lists", "cache"].map(|name| work.join(name));
    for dir in [lists.join("partial"), cache.join("archives/partial")] {
        fs::create_dir_all(dir).expect("directory");
    }
    let set = |name: &str, dir: &Path| ["-o".to_owned(), format!("{name}={}", dir.display())];
    [set("Dir::State::lists", &lists), set("Dir::Cache", &cache)].concat()
}

fn apt(program: &str, options: &[String], arguments: &[impl AsRef<OsStr>], cwd: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    // As root, apt would fetch as a user who cannot reach a directory below somebody's home.
    command.args(["-q", "-o", "APT::Sandbox::User=root"]).args(options).args(arguments);
    let Output { stdout, stderr, code } = output(command.current_dir(cwd).env("LC_ALL", "C"));
    let complaint = stderr.lines().rev().find(|line| line.starts_with("E:")).unwrap_or("no word from apt");
    if code == 0 { Ok(stdout) } else { Err(complaint.to_owned()) }
}

/// Every regular file below a directory, sorted.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).expect("directory").map(Result::unwrap) {
            let kind = entry.file_type().expect("file type");
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

pub fn file_name(path: &Path) -> &str {
    path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default()
}
