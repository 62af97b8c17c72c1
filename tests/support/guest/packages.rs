//! Gets Debian's cloud kernel and a static BusyBox by `apt-get download` (which checks them against the signed lists) and
//! unpacks them below `target/tmp/guest`. Nothing is installed and apt's own state stays as it is.
//! Touches: that directory, the network through apt. Read next: `initrd.rs`.

use super::initrd;
use crate::support::{Output, output};
use sha2::Digest;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's name for "the cloud kernel of today".
const KERNEL: &str = "linux-image-cloud-amd64";
const BUSYBOX: &str = "busybox-static";

/// Returns a directory with `vmlinuz` and `initrd`; the error tells why the packages could not be had.
pub fn prepare() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let ready = home.join(revision());
    if !ready.is_dir() {
        fs::create_dir_all(&home).expect("a directory below target");
        let lock = fs::File::create(home.join("lock")).expect("lock file");
        lock.lock().expect("lock");
        // Whoever held the lock before may have done the work.
        if !ready.is_dir() {
            let work = tempfile::tempdir_in(&home).expect("a directory below target");
            make(work.path())?;
            fs::rename(work.path().join("ready"), &ready).expect("rename");
        }
    }
    Ok(ready)
}

/// Names what the kept copy was made from, so that an edited script is not served from it.
fn revision() -> String {
    let text = format!("1 {KERNEL} {BUSYBOX} {} {:?}", initrd::INIT, initrd::MODULES);
    sha2::Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn make(work: &Path) -> Result<(), String> {
    let [debs, tree, ready] = ["debs", "tree", "ready"].map(|name| work.join(name));
    for dir in [&debs, &tree, &ready] {
        fs::create_dir(dir).expect("directory");
    }
    download(work, &debs)?;
    for deb in files_below(&debs) {
        output(Command::new("dpkg-deb").arg("-x").arg(deb).arg(&tree)).success();
    }
    let files = files_below(&tree);
    let kernel = files.iter().find(|path| file_name(path).starts_with("vmlinuz-")).expect("a kernel in its package");
    fs::copy(kernel, ready.join("vmlinuz")).expect("copy");
    fs::write(ready.join("initrd"), initrd::make(&files)).expect("write");
    Ok(())
}

/// Downloads with the lists that apt has; where it has none, or old ones, with a private copy of them.
fn download(work: &Path, debs: &Path) -> Result<(), String> {
    download_with(&[], debs).or_else(|_| {
        let options = private_lists(work);
        let _ = apt("apt-get", &options, &["update"], work);
        download_with(&options, debs)
    })
}

fn download_with(options: &[String], debs: &Path) -> Result<(), String> {
    let depends = apt("apt-cache", options, &["depends", KERNEL], debs)?;
    let kernel = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let kernel = kernel.ok_or_else(|| format!("no package {KERNEL}"))?;
    apt("apt-get", options, &["download", kernel, BUSYBOX], debs).map(drop)
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

fn apt(program: &str, options: &[String], arguments: &[&str], cwd: &Path) -> Result<String, String> {
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
