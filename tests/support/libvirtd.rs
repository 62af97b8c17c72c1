//! A libvirtd of a test's own: unprivileged (session mode), with all its state in one directory.
//!
//! As root, libvirtd would be the system's; so there it is run as nobody. (virsh with the embedded driver, `qemu:///embed`, needs
//! no daemon but was seen to hang on its way out.)

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// nobody and nogroup.
const NOBODY: u32 = 65534;

/// What [`Libvirtd::start`] and [`Libvirtd::virsh`] run.
pub const TOOLS: [&str; 4] = ["libvirtd", "virtlogd", "virsh", "setpriv"];

pub struct Libvirtd {
    child: Child,
    state: PathBuf,
}

impl Libvirtd {
    /// Starts it with its state below `directory`, which every user must be able to reach.
    pub fn start(directory: &Path) -> Self {
        let state = directory.join("libvirt");
        for name in ["", "run", "home"] {
            fs::create_dir(state.join(name)).unwrap();
            give(&state.join(name));
        }
        let log = fs::File::create(directory.join("libvirtd.log")).unwrap();
        let mut command = alone(&state, "libvirtd");
        let child = command.args(["--timeout", "120"]).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        let started = Self { child, state };
        for _ in 0..300 {
            if started.virsh(&["-q", "version"]).status.success() {
                return started;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("libvirtd does not answer: {}", fs::read_to_string(directory.join("libvirtd.log")).unwrap());
    }

    /// Runs virsh against it.
    pub fn virsh(&self, arguments: &[&str]) -> Output {
        let mut command = alone(&self.state, "virsh");
        command.args(["-c", "qemu:///session"]).args(arguments).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        // What it started goes on without it: a virtlogd for the consoles,
        if let Ok(pid) = fs::read_to_string(self.state.join("run/libvirt/virtlogd.pid")) {
            drop(Command::new("kill").arg(pid.trim()).status());
        }
        // and the guests of a test that failed. Their state is on their command lines, also where it is gone already.
        let state = self.state.to_string_lossy().into_owned();
        let is_ours = |process: &PathBuf| {
            fs::read(process.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&state))
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        for process in processes.filter(is_ours) {
            drop(Command::new("kill").arg("-9").arg(process.file_name().unwrap_or_default()).status());
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Gives a file to the user that libvirtd and its QEMU run as.
pub fn give(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    } else {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    }
}

/// A command in a world of its own, as an ordinary user.
pub fn alone(state: &Path, program: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        let (user, group) = (NOBODY.to_string(), NOBODY.to_string());
        command.args(["--reuid", &user, "--regid", &group, "--clear-groups", program]);
        command
    } else {
        Command::new(program)
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("XDG_RUNTIME_DIR", state.join("run"));
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env(name, state.join("home"));
    }
    // Else virsh would start a second libvirtd while ours is not yet listening.
    command.env("LIBVIRT_AUTOSTART", "0").current_dir("/");
    command
}
