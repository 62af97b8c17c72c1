//! What libvirt would fail on later, looked for before anything is done; every finding is told at once.
//!
//! Looks at the storage directory and those above it, the user that QEMU runs as, `/dev/kvm`, free space, and asks
//! libvirt about domain, network, emulator and firmware. Changes nothing. Read next: [`super::virsh`].

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::instance;
use super::virsh::Virsh;
use crate::base::{ByteSize, Code, Diagnostic, Digest, Kind, Name};
use crate::plan::{Accel, Firmware, Machine, Network};
use crate::vm::Program;

/// What is about to be installed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'s> {
    /// With the name and storage of the instance.
    pub machine: &'s Machine,
    pub uuid: &'s str,
    /// The bundle's files that will be copied.
    pub copies: &'s [PathBuf],
    /// The base that instances share, with its path in the bundle.
    pub base: Option<(&'s Path, Digest)>,
    /// libvirt's names of domain type and machine type.
    pub virt_type: &'s str,
    pub machine_type: &'s str,
    /// Whether we make the storage directory ourselves where it is not there.
    pub makes_storage: bool,
}

/// What the preflight found: what stands in the way, and what it could not see.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub problems: Vec<Diagnostic>,
    pub doubts: Vec<String>,
    /// How much will be copied at most, and how much room there is.
    pub needed: u64,
    pub free: Option<u64>,
}

impl Findings {
    fn add(&mut self, checked: Result<(), Diagnostic>) {
        self.problems.extend(checked.err());
    }
}

/// Looks at everything.
pub(crate) fn look(subject: &Subject<'_>, virsh: &Result<Virsh, Diagnostic>, search: Option<&OsStr>) -> Findings {
    let mut findings = Findings::default();
    let storage = Path::new(subject.machine.storage.as_str());
    findings.add(place(storage, &subject.machine.name, subject.makes_storage));
    space(subject, storage, &mut findings);
    match virsh {
        Err(problem) => findings.problems.push(Diagnostic { code: Code::Preflight, ..problem.clone() }),
        Ok(virsh) => {
            let user = if virsh.is_session() { None } else { QemuUser::find(search) };
            if !virsh.is_session() && user.is_none() {
                findings.doubts.push(
                    "the user that QEMU runs as is not known here; whether it can enter the storage was not seen"
                        .into(),
                );
            }
            if let Some(user) = &user {
                findings.add(user.enters(storage));
            }
            match virsh.reach() {
                Err(problem) => findings.problems.push(unreachable(virsh, &problem)),
                Ok(()) => {
                    findings.add(domain(subject, virsh));
                    findings.add(network(&subject.machine.network, virsh, search));
                    findings.add(emulator(subject, virsh, user.as_ref()));
                }
            }
        }
    }
    findings
}

/// Whether the directory is there, may be written, and has the name free.
fn place(storage: &Path, name: &Name, makes_storage: bool) -> Result<(), Diagnostic> {
    let shown = storage.display();
    if !storage.is_dir() {
        return if makes_storage && !storage.exists() { Ok(()) } else { Err(no_storage(storage)) };
    }
    if rustix::fs::access(storage, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(finding(format!("the storage directory `{shown}` cannot be written"))
            .hint("install as root, or name another directory with `--storage DIR`"));
    }
    let instance = storage.join(name.as_str());
    if instance.symlink_metadata().is_err() {
        return Ok(());
    }
    let problem = finding(format!("`{}` exists already", instance.display()));
    Err(match instance::find(storage, name) {
        Ok(_) => problem.hint(format!(
            "take it away with `arca-build uninstall {name} --storage {shown}`, or install under another name with `--name`"
        )),
        Err(why) => problem.cause(&why.headline).causes_of(&why).hint("install under another name with `--name NAME`"),
    })
}

fn no_storage(storage: &Path) -> Diagnostic {
    let shown = storage.display();
    finding(format!("there is no storage directory `{shown}`"))
        .hint(format!("make it (`mkdir -p {shown}`), or name another with `--storage DIR`"))
}

/// Compares what will be written with what is free. Disks are sparse: what they hold now counts, not what they may grow to.
fn space(subject: &Subject<'_>, storage: &Path, findings: &mut Findings) {
    let base = subject.base.filter(|(_, digest)| !instance::shared(storage, digest).is_file());
    let files = subject.copies.iter().map(PathBuf::as_path).chain(base.map(|(path, _)| path));
    findings.needed = files.filter_map(|path| path.metadata().ok()).map(|found| found.blocks() * 512).sum();
    let there = storage.ancestors().find(|directory| directory.is_dir()).unwrap_or(storage);
    let Ok(found) = rustix::fs::statvfs(there) else { return };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    findings.free = Some(free);
    if findings.needed <= free {
        return;
    }
    findings.problems.push(
        finding(format!("too little space in `{}`", storage.display()))
            .fact(
                "needed",
                format!(
                    "{} (copies share blocks where the file system can; that is not counted)",
                    ByteSize(findings.needed)
                ),
            )
            .fact("free", ByteSize(free))
            .note("the guest's disks grow later, as it writes")
            .hint("make room, or name a directory elsewhere with `--storage DIR`"),
    );
}

fn domain(subject: &Subject<'_>, virsh: &Virsh) -> Result<(), Diagnostic> {
    let name = subject.machine.name.as_str();
    let told = |what: &str| {
        finding(format!("{what} is defined already"))
            .fact("libvirt", virsh.uri())
            .hint(format!("install under another name with `--name`, or see `virsh -c {} dominfo {name}`", virsh.uri()))
    };
    if virsh.knows(name)? {
        return Err(told(&format!("a domain `{name}`")));
    }
    if virsh.knows(subject.uuid)? {
        return Err(told(&format!("a domain with the UUID of this instance, {},", subject.uuid)));
    }
    Ok(())
}

fn network(network: &Network, virsh: &Virsh, search: Option<&OsStr>) -> Result<(), Diagnostic> {
    match network {
        Network::None | Network::User => Ok(()),
        Network::Passt => Program::find("passt", search, "").map(drop).map_err(|_| {
            finding("`network = \"passt\"` needs the program `passt`").hint("install it, or write `network = \"user\"`")
        }),
        Network::Network(name) => match virsh.network(name.as_str())? {
            Some(true) => Ok(()),
            Some(false) => Err(finding(format!("the libvirt network `{name}` is not active"))
                .fact("libvirt", virsh.uri())
                .hint(format!("start it: `virsh -c {} net-start {name}`", virsh.uri()))),
            None => Err(finding(format!("libvirt has no network `{name}`")).fact("libvirt", virsh.uri()).hint(if virsh.is_session() {
                "a session has no networks of its own: write `network = \"user\"` under `[machine]`, or use `--connect qemu:///system`".to_owned()
            } else {
                format!("see `virsh -c {} net-list --all`, or write another `network` under `[machine]`", virsh.uri())
            })),
        },
        Network::Bridge(name) => {
            let link = Path::new("/sys/class/net").join(name.as_str());
            let what = if !link.exists() {
                "there is no bridge"
            } else if !link.join("bridge").exists() {
                "there is no bridge but another network device"
            } else {
                return Ok(());
            };
            Err(finding(format!("{what} `{name}` on this host")).hint("make it first, or write another `network` under `[machine]`"))
        }
    }
}

/// Asks libvirt for emulator and accelerator at once; where it refuses KVM, emulation is asked for, to know which lacks.
fn emulator(subject: &Subject<'_>, virsh: &Virsh, user: Option<&QemuUser>) -> Result<(), Diagnostic> {
    let machine = subject.machine;
    let arch = machine.arch.as_str();
    let ask = |virt_type: &str| virsh.capabilities(virt_type, arch, subject.machine_type);
    let told = match ask(subject.virt_type) {
        Ok(told) => told,
        Err(problem) if machine.accel == Accel::Kvm && ask("qemu").is_ok() => return Err(no_kvm().causes_of(&problem)),
        Err(problem) => {
            return Err(finding(format!("libvirt has no emulator for {arch}"))
                .fact("libvirt", virsh.uri())
                .causes_of(&problem)
                .hint(format!("install QEMU for it (qemu-system-{})", if arch == "aarch64" { "arm" } else { "x86" })));
        }
    };
    if machine.firmware == Firmware::Uefi && !told.contains("<value>efi</value>") {
        return Err(finding(format!("libvirt finds no UEFI firmware for {arch}"))
            .fact("libvirt", virsh.uri())
            .hint(format!("install it ({})", if arch == "aarch64" { "qemu-efi-aarch64" } else { "ovmf" })));
    }
    if machine.hardware.security.tpm && !told.contains("<value>emulator</value>") {
        return Err(finding("libvirt can give no TPM").fact("libvirt", virsh.uri()).hint("install swtpm"));
    }
    match user {
        Some(user) if machine.accel == Accel::Kvm => user.uses_kvm(),
        _ => Ok(()),
    }
}

fn no_kvm() -> Diagnostic {
    finding("KVM cannot be used here").hint(
        "write `accel = \"tcg\"` under `[machine]` for software emulation, which is slower and the same otherwise",
    )
}

fn unreachable(virsh: &Virsh, problem: &Diagnostic) -> Diagnostic {
    finding("libvirt does not answer")
        .fact("libvirt", virsh.uri())
        .causes_of(problem)
        .hint(way_to(virsh.uri(), problem.kind == Some(Kind::Denied)))
}

/// Returns what to do where a libvirt does not answer.
fn way_to(uri: &str, denied: bool) -> &'static str {
    if !uri.contains(":///") {
        "this is not a libvirt address; try `--connect qemu:///system` or `qemu:///session`"
    } else if denied {
        "join the group that may use it (mostly `libvirt`), or use `--connect qemu:///session`"
    } else if super::virsh::is_session(uri) {
        "install libvirt's daemon (libvirt-daemon), which virsh starts for a session"
    } else {
        "start it: `systemctl start libvirtd` (or `virtqemud`), or use `--connect qemu:///session`"
    }
}

fn finding(headline: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::Preflight, headline)
}

/// The user that the system's libvirt runs QEMU as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QemuUser {
    name: String,
    uid: u32,
    groups: Vec<u32>,
}

impl QemuUser {
    /// Finds it: what `qemu.conf` says where we may read it, else the first that distributions name so.
    fn find(search: Option<&OsStr>) -> Option<Self> {
        let written = std::fs::read_to_string("/etc/libvirt/qemu.conf").ok().and_then(|text| configured(&text));
        let id = Program::find("id", search, "").ok()?;
        let numbers = |option: &str, name: &str| -> Option<Vec<u32>> {
            let told = id.run(&[option, "--", name].map(OsString::from)).ok().filter(|told| told.is_success())?;
            told.text().split_whitespace().map(|word| word.parse().ok()).collect()
        };
        let known = ["libvirt-qemu", "qemu", "qemu-libvirtd"].map(str::to_owned);
        written.into_iter().chain(known).find_map(|name| {
            let uid = *numbers("-u", &name)?.first()?;
            Some(Self { uid, groups: numbers("-G", &name)?, name })
        })
    }

    /// Returns whether it may do something, by mode bits of one class; root may do all.
    fn may(&self, found: &std::fs::Metadata, bit: u32) -> bool {
        let shift = if self.uid == found.uid() {
            6
        } else if self.groups.contains(&found.gid()) {
            3
        } else {
            0
        };
        self.uid == 0 || found.mode() & (bit << shift) != 0
    }

    /// Looks at every directory on the way into the storage.
    fn enters(&self, storage: &Path) -> Result<(), Diagnostic> {
        let real = storage.ancestors().find_map(|path| path.canonicalize().ok()).unwrap_or_else(|| storage.to_owned());
        let is_closed =
            |directory: &&Path| directory.metadata().is_ok_and(|found| !self.may(&found, 1)) && !has_list(directory);
        let closed = real.ancestors().filter(is_closed).last();
        let Some(closed) = closed else { return Ok(()) };
        let (user, shown) = (&self.name, closed.display());
        Err(finding(format!("the user `{user}`, as whom libvirt runs QEMU, cannot enter `{shown}`"))
            .fact("storage", storage.display())
            .cause("no file below that directory can be opened by a machine of qemu:///system")
            .hint(format!(
                "name a directory elsewhere with `--storage DIR`, use `--connect qemu:///session`, or let that user through: `setfacl -m u:{user}:x {shown}`"
            )))
    }

    fn uses_kvm(&self) -> Result<(), Diagnostic> {
        let device = Path::new("/dev/kvm");
        match device.metadata() {
            Err(error) => Err(no_kvm().cause(format!("/dev/kvm: {error}"))),
            Ok(found) if (self.may(&found, 4) && self.may(&found, 2)) || has_list(device) => Ok(()),
            Ok(_) => {
                Err(no_kvm()
                    .cause(format!("the user `{}`, as whom libvirt runs QEMU, may not open /dev/kvm", self.name)))
            }
        }
    }
}

/// Returns whether an access list stands on a file, which may allow more than its mode; it is believed.
fn has_list(path: &Path) -> bool {
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0][..]).is_ok_and(|size| size > 0)
}

/// Reads `user = "…"` of libvirt's `qemu.conf`; `+` before a number is libvirt's way to say that it is no name.
fn configured(text: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix("user")?.trim_start().strip_prefix('='));
    let value = values.next_back()?.trim().trim_matches('"').trim_start_matches('+');
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_no_address_is_not_mended_by_a_daemon() {
        for (uri, denied, hint) in [
            ("nonsense", false, "not a libvirt address"),
            ("qemu:/system", true, "not a libvirt address"),
            ("qemu:///system", false, "systemctl start libvirtd"),
            ("qemu:///system", true, "join the group"),
            ("qemu+unix:///session?socket=/run/x", false, "install libvirt's daemon"),
        ] {
            assert!(way_to(uri, denied).contains(hint), "{uri}: {}", way_to(uri, denied));
        }
    }

    #[test]
    fn the_configured_user_is_read_as_libvirt_reads_it() {
        for (text, user) in [
            ("#user = \"libvirt-qemu\"\n", None),
            ("user = \"root\"\n", Some("root")),
            ("  user=\"+1000\" \nuser_other = 1", Some("1000")),
            ("user = \"\"", None),
        ] {
            assert_eq!(configured(text).as_deref(), user, "{text}");
        }
    }

    #[test]
    fn out_7_a_directory_that_the_qemu_user_cannot_enter_is_named() {
        let top = tempfile::tempdir().unwrap();
        let storage = top.path().join("home/vms");
        std::fs::create_dir_all(&storage).unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let owner = top.path().metadata().unwrap();
        mode(top.path(), 0o755);
        let stranger = QemuUser { name: "qemu".into(), uid: owner.uid() + 7, groups: vec![owner.gid() + 7] };
        let grouped = QemuUser { groups: vec![owner.gid()], ..stranger.clone() };
        let home = top.path().join("home");
        for (bits, stranger_enters, grouped_enters) in
            [(0o700, false, false), (0o710, false, true), (0o701, true, false), (0o711, true, true)]
        {
            mode(&home, bits);
            let enters = |user: &QemuUser| user.enters(&storage).is_ok();
            assert_eq!((enters(&stranger), enters(&grouped)), (stranger_enters, grouped_enters), "{bits:o}");
        }
        mode(&home, 0o700);
        let problem = stranger.enters(&storage.join("not/yet")).unwrap_err();
        assert!(problem.headline.contains(&format!("cannot enter `{}`", home.canonicalize().unwrap().display())));
        assert_eq!(problem.code, Code::Preflight);
        assert!(QemuUser { uid: 0, ..stranger }.enters(&storage).is_ok(), "root enters everything");
    }
}
