//! A pool's script, run on real disks: loop devices that the guest would know by serial. It makes a pool of blank disks only,
//! finds one that is there, tells by name what is missing or in the way, and then changes no byte.
//!
//! Needs root and loop devices; runs in a mount namespace of its own, whose `/dev` has these loop devices only, so that
//! neither the script nor the kernel's list of btrfs members meets other disks of this machine. Touches the temporary
//! directory.

use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arca_build::base::Digest;
use arca_build::provision::{carried::Known, lower};
use arca_build::recipe::{LocalFiles, parse};

use crate::support::{Output, output, skip, tool, tools, workdir};

/// Says to a test that it runs in its namespace.
const INSIDE: &str = "ARCA_POOL_INSIDE";
const SHELLS: [&[&str]; 2] = [&["dash"], &["bash", "--posix"]];
const LABEL: &str = "ArcaTest";

/// Runs the named test again in a namespace; tells whether this already is the inside.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let loops = Path::new("/dev/loop-control").exists();
    if !rustix::process::geteuid().is_root() || !loops {
        skip("root and loop devices");
        return false;
    }
    let needed =
        ["unshare", "mount", "umount", "mknod", "losetup", "mkfs.btrfs", "btrfs", "wipefs", "blkid", "dash", "bash"];
    let (Some(()), Some(unshare)) = (tools(&needed), tool("unshare")) else { return false };
    let mut command = Command::new(unshare);
    command.args(["--mount", "--propagation", "private", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", test]).env(INSIDE, "1").stdin(Stdio::null());
    let status = command.status().unwrap();
    assert!(status.success(), "{test} failed in its namespace: see above");
    false
}

/// A machine with disks.
struct Guest {
    place: tempfile::TempDir,
    /// Serial, loop device.
    disks: Vec<(String, PathBuf)>,
    script: PathBuf,
    shell: &'static [&'static str],
}

fn ok(program: &str, words: &[&str]) -> String {
    output(Command::new(tool(program).unwrap()).args(words)).success().stdout
}

impl Guest {
    /// Boots a machine with disks of these serials and a pool over all of them.
    fn new(shell: &'static [&'static str], serials: &[&str], pool: &str) -> Self {
        let place = workdir();
        let disks = serials.iter().map(|serial| attach(place.path(), serial)).collect();
        let guest = Self { script: place.path().join("pool.sh"), place, disks, shell };
        guest.devices();
        for directory in ["/run", "/srv", "/var/lib"] {
            ok("mount", &["-t", "tmpfs", "tmpfs", directory]);
        }
        std::fs::create_dir_all("/srv/arca").unwrap();
        let stubs = guest.place.path().join("stubs");
        std::fs::create_dir(&stubs).unwrap();
        write_stub(&stubs.join("sleep"));
        guest.recipe(pool);
        guest
    }

    /// Writes the script of another recipe.
    fn recipe(&self, pool: &str) {
        std::fs::write(&self.script, pool_script(pool)).unwrap();
    }

    /// Gives the namespace a `/dev` of its own, with these disks alone.
    fn devices(&self) {
        let nodes: Vec<_> = self.disks.iter().map(|(_, device)| device.clone()).collect();
        let plain = ["null", "zero", "full", "random", "urandom", "loop-control", "btrfs-control"];
        let nodes = nodes.into_iter().chain(plain.iter().map(|name| Path::new("/dev").join(name)));
        let mut script = String::from("set -e; mount -t tmpfs tmpfs /dev");
        for node in nodes {
            let meta = std::fs::metadata(&node).unwrap();
            let kind = if meta.file_type().is_block_device() { "b" } else { "c" };
            let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
            script.push_str(&format!("; mknod -m 666 {} {kind} {major} {minor}", node.display()));
        }
        // In one, as nothing else starts while there is no /dev/null.
        ok("sh", &["-c", &script]);
        symlink("/proc/self/fd", "/dev/fd").unwrap();
        std::fs::create_dir_all("/dev/disk/by-id").unwrap();
        for (serial, _) in &self.disks {
            self.plug(serial);
        }
    }

    fn device(&self, serial: &str) -> &Path {
        let (_, device) = self.disks.iter().find(|(other, _)| other == serial).unwrap();
        device
    }

    fn link(serial: &str) -> PathBuf {
        Path::new("/dev/disk/by-id").join(format!("virtio-{serial}"))
    }

    fn plug(&self, serial: &str) {
        symlink(self.device(serial), Self::link(serial)).unwrap();
    }

    /// Takes a disk away: its name, its node, and what the kernel remembers of it.
    fn unplug(&self, serial: &str) {
        std::fs::remove_file(Self::link(serial)).unwrap();
        std::fs::rename(self.device(serial), self.place.path().join(serial)).unwrap_or_else(|_| self.hide(serial));
        self.forget();
    }

    fn hide(&self, serial: &str) {
        std::fs::remove_file(self.device(serial)).unwrap();
    }

    /// What a boot begins with: the kernel knows no member.
    fn forget(&self) {
        let _ = output(Command::new("btrfs").args(["device", "scan", "--forget"]));
    }

    /// Runs the script as a unit does.
    fn run(&self, verb: &str) -> Output {
        self.forget();
        let path = format!("{}:{}", self.place.path().join("stubs").display(), "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut command = Command::new(tool(self.shell[0]).unwrap());
        command.args(&self.shell[1..]).arg(&self.script).arg(verb).env("PATH", path);
        output(&mut command)
    }

    /// Digests of all bytes of every disk.
    fn bytes(&self) -> Vec<Digest> {
        self.disks.iter().map(|(serial, _)| Digest::of(&std::fs::read(self.image(serial)).unwrap())).collect()
    }

    fn image(&self, serial: &str) -> PathBuf {
        self.place.path().join(format!("{serial}.img"))
    }

    fn uuid(&self, serial: &str) -> String {
        ok("blkid", &["-p", "-s", "UUID", "-o", "value", self.device(serial).to_str().unwrap()])
    }

    /// Mounts as the unit does, tells something of it, and unmounts.
    fn mounted<T>(&self, look: impl FnOnce(&Path) -> T) -> T {
        ok("mount", &["-t", "btrfs", &format!("LABEL={LABEL}"), "/srv/arca"]);
        let told = look(Path::new("/srv/arca"));
        ok("umount", &["/srv/arca"]);
        told
    }

    /// What whoever logs in reads.
    fn notice() -> String {
        std::fs::read_to_string(format!("/run/motd.d/arca-pool-{LABEL}-start")).unwrap_or_default()
    }

    fn stamp() -> String {
        std::fs::read_to_string(format!("/var/lib/arca-build/pool-{LABEL}")).unwrap_or_default()
    }
}

impl Drop for Guest {
    /// Leaves the namespace as it was, and no loop device, also where a test fails half-way.
    fn drop(&mut self) {
        let devices: String = self.disks.iter().map(|(_, device)| format!(" {}", device.display())).collect();
        let script = format!(
            "btrfs device scan --forget; umount -q /srv/arca /run/arca-build/*; \
             for d in /dev /run /srv /var/lib; do umount -q \"$d\"; done; losetup --detach{devices}"
        );
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
}

fn attach(place: &Path, serial: &str) -> (String, PathBuf) {
    let image = place.join(format!("{serial}.img"));
    std::fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
    let device = ok("losetup", &["--find", "--show", image.to_str().unwrap()]);
    (serial.to_owned(), PathBuf::from(device.trim()))
}

/// The waiting for disks is counted, not waited.
fn write_stub(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, "#!/bin/sh\necho waited >>/run/waited\n").unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns the script as Combustion writes it into the guest.
fn pool_script(pool: &str) -> String {
    let serials = ["data1", "data2", "data3", "data4"];
    let disks: String =
        serials.iter().map(|serial| format!("[[machine.disk]]\nserial = \"{serial}\"\nsize = \"256MiB\"\n")).collect();
    let text = format!(
        "format = 1\nname = \"n\"\n[base]\nurl = \"https://h/MicroOS.qcow2\"\n{disks}[provision]\nengine = \"combustion\"\n\
         [[provision.pool]]\nlabel = \"{LABEL}\"\npath = \"/srv/arca\"\n{pool}\n"
    );
    let recipe = parse(&text, "n.toml").unwrap_or_else(|problems| panic!("{problems}"));
    let lowered = lower(&recipe, &LocalFiles::default(), &Known::default()).unwrap_or_else(|told| panic!("{told}"));
    let script = String::from_utf8(lowered.script.unwrap().expose().clone()).unwrap();
    let head = format!("put 0755 root:root /etc/arca-build/pool-{LABEL}.sh cat <<'END'\n");
    let (_, rest) = script.split_once(&head).unwrap();
    format!("{}\n", rest.split_once("\nEND\n").unwrap().0)
}

const RAID1: &str = "disks = [\"data1\", \"data2\", \"data3\"]\n[[provision.pool.subvolume]]\nname = \"media\"\n\
                     [[provision.pool.subvolume]]\nname = \"vm\"\nnocow = true\n";
const THREE: [&str; 3] = ["data1", "data2", "data3"];

#[test]
fn pool_1_blank_disks_become_a_pool_once_and_it_is_found_again_with_its_data() {
    let test = "pool::pool_1_blank_disks_become_a_pool_once_and_it_is_found_again_with_its_data";
    if !is_inside(test) {
        return;
    }
    for shell in SHELLS {
        let guest = Guest::new(shell, &THREE, RAID1);
        let made = guest.run("start").success().says("made over data1 data2 data3 with data raid1 and metadata raid1");
        assert!(!Path::new("/run/waited").exists(), "{made}");
        let uuid = guest.uuid("data1");
        assert_eq!(Guest::stamp(), uuid);
        assert_eq!((guest.uuid("data2"), guest.uuid("data3")), (uuid.clone(), uuid.clone()));
        guest.mounted(|top| {
            let usage = ok("btrfs", &["filesystem", "df", "/srv/arca"]);
            assert!(usage.contains("Data, RAID1") && usage.contains("Metadata, RAID1"), "{usage}");
            let list = ok("btrfs", &["subvolume", "list", "/srv/arca"]);
            assert!(list.contains("path media\n") && list.contains("path vm\n"), "{list}");
            let flags = ok("lsattr", &["-d", "/srv/arca/vm", "/srv/arca/media"]);
            assert!(flags.lines().next().unwrap().split(' ').next().unwrap().contains('C'), "{flags}");
            std::fs::write(top.join("media/photo"), "kept").unwrap();
        });
        // A second boot, and a system disk made anew, which has no stamp.
        for stamp in [true, false] {
            if !stamp {
                std::fs::remove_dir_all("/var/lib/arca-build").unwrap();
            }
            let before = guest.bytes();
            // What mount itself writes is not the script's: without subvolumes it mounts nothing.
            guest.recipe("disks = [\"data1\", \"data2\", \"data3\"]\n");
            let found = guest.run("start").success();
            assert_eq!((found.stderr.as_str(), guest.bytes() == before), ("", true), "{found}");
            guest.recipe(RAID1);
            guest.run("start").success();
            assert_eq!((guest.uuid("data1"), Guest::stamp()), (uuid.clone(), uuid.clone()));
            let kept = guest.mounted(|top| std::fs::read_to_string(top.join("media/photo")).unwrap());
            assert_eq!(kept, "kept");
        }
    }
}
