//! A pool's script, run on real disks: loop devices that the guest would know by serial. It makes a pool of blank disks only,
//! finds one that is there, tells by name what is missing or in the way, and then changes no byte.
//!
//! Needs root and loop devices; runs in a mount namespace of its own, whose `/dev` has these loop devices only, so that
//! neither the script nor the kernel's list of btrfs members meets other disks of this machine. Touches the temporary
//! directory.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::provision::{compile, pins::PinnedInfo};
use crate::recipe::{LocalFiles, parse};

use crate::tests::support::{Output, ourselves, output, skip, tool, tools, workdir};

/// Says to a test that it runs in its namespace.
const INSIDE: &str = "ARCA_POOL_INSIDE";
const SHELLS: [&[&str]; 2] = [&["dash"], &["bash", "--posix"]];
const LABEL: &str = "ArcaTest";
const SIZE: u64 = 256 << 20;

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
    command.args(["--mount", "--propagation", "private", "--"]).args(ourselves(module_path!(), test));
    command.env(INSIDE, "1").stdin(Stdio::null());
    let status = command.status().unwrap();
    assert!(status.success(), "{test} failed in its namespace: see above");
    false
}

/// A machine with disks.
struct Guest {
    place: tempfile::TempDir,
    /// Serial, loop device.
    disks: Vec<(String, String)>,
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
        // In memory, where a sync is quick whatever else this machine does.
        ok("mount", &["-t", "tmpfs", "tmpfs", place.path().to_str().unwrap()]);
        let disks = serials.iter().map(|serial| attach(place.path(), serial)).collect();
        let guest = Self { script: place.path().join("pool.sh"), place, disks, shell };
        guest.devices();
        for directory in ["/run", "/srv", "/var/lib"] {
            ok("mount", &["-t", "tmpfs", "tmpfs", directory]);
        }
        std::fs::create_dir_all("/srv/arca").unwrap();
        let stubs = guest.place.path().join("stubs");
        std::fs::create_dir(&stubs).unwrap();
        write_stub(&stubs.join("sleep"), "echo waited >>/run/waited");
        write_stub(&stubs.join("systemctl"), "echo \"$*\" >>/run/asked");
        let real = |program: &str| tool(program).unwrap().display().to_string();
        // The kernel's list of members is not the namespace's: of a wish to forget all, only ours are forgotten.
        let ours: String = guest.disks.iter().map(|(_, device)| format!(" {device}")).collect();
        let (btrfs, chattr) = (real("btrfs"), real("chattr"));
        let forget = format!("for d in{ours}; do {btrfs} device scan --forget \"$d\" 2>/dev/null; done; exit 0");
        let forget = format!("[ \"$*\" = 'device scan --forget' ] && {{ echo >>/run/forgot; {forget}; }}");
        write_stub(&stubs.join("btrfs"), &format!("{forget}\nexec {btrfs} \"$@\""));
        write_stub(&stubs.join("chattr"), &format!("[ -e /run/no-chattr ] && exit 1\nexec {chattr} \"$@\""));
        guest.recipe(pool);
        guest
    }

    /// Writes the script of another recipe.
    fn recipe(&self, pool: &str) {
        std::fs::write(&self.script, pool_script(pool)).unwrap();
    }

    /// Gives the namespace a `/dev` of its own, with these disks alone.
    fn devices(&self) {
        let mut script = String::from("set -e; mount -t tmpfs tmpfs /dev");
        for name in ["null", "zero", "full", "random", "urandom", "loop-control", "btrfs-control"] {
            let number = std::fs::metadata(Path::new("/dev").join(name)).unwrap().rdev();
            let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
            script.push_str(&format!("; mknod -m 666 /dev/{name} c {major} {minor}"));
        }
        // In one, as nothing else starts while there is no /dev/null.
        ok("sh", &["-c", &script]);
        symlink("/proc/self/fd", "/dev/fd").unwrap();
        std::fs::create_dir_all("/dev/disk/by-id").unwrap();
        for (serial, _) in &self.disks {
            self.plug(serial);
        }
    }

    fn device(&self, serial: &str) -> &str {
        let (_, device) = self.disks.iter().find(|(other, _)| other == serial).unwrap();
        device
    }

    fn link(serial: &str) -> PathBuf {
        Path::new("/dev/disk/by-id").join(format!("virtio-{serial}"))
    }

    /// Attaches a disk; loop devices have the major number 7 (Linux, admin-guide/devices.txt).
    fn plug(&self, serial: &str) {
        let device = self.device(serial);
        ok("mknod", &[device, "b", "7", device.trim_start_matches("/dev/loop")]);
        symlink(device, Self::link(serial)).unwrap();
    }

    fn unplug(&self, serial: &str) {
        self.forget();
        std::fs::remove_file(Self::link(serial)).unwrap();
        std::fs::remove_file(self.device(serial)).unwrap();
    }

    /// What a boot begins with: the kernel knows no member. Its list is not the namespace's, so only ours are named.
    fn forget(&self) {
        for (_, device) in self.disks.iter().filter(|(_, device)| Path::new(device).exists()) {
            let _ = output(Command::new("btrfs").args(["device", "scan", "--forget", device]));
        }
    }

    /// Runs the script as a unit does after a boot.
    fn run(&self, verb: &str) -> Output {
        self.forget();
        self.run_without_forgetting(verb)
    }

    fn run_without_forgetting(&self, verb: &str) -> Output {
        let path = format!("{}:{}", self.place.path().join("stubs").display(), "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut command = Command::new(tool(self.shell[0]).unwrap());
        command.args(&self.shell[1..]).arg(&self.script).arg(verb).env("PATH", path);
        output(&mut command)
    }

    /// Checksums of all bytes of every disk.
    fn bytes(&self) -> String {
        let devices = self.disks.iter().map(|(_, device)| device).filter(|device| Path::new(device).exists());
        output(Command::new("sync").args(devices)).success();
        let images: Vec<_> = self.disks.iter().map(|(serial, _)| self.image(serial)).collect();
        output(Command::new("cksum").args(images)).success().stdout
    }

    fn image(&self, serial: &str) -> PathBuf {
        self.place.path().join(format!("{serial}.img"))
    }

    /// Changes a block that is full of one byte.
    fn rot(&self, serial: &str, full_of: u8) {
        use std::os::unix::fs::FileExt;
        ok("sync", &[self.device(serial)]);
        let bytes = std::fs::read(self.image(serial)).unwrap();
        let block = bytes.chunks(4096).position(|block| block.iter().all(|byte| *byte == full_of)).unwrap();
        let disk = std::fs::OpenOptions::new().write(true).open(self.device(serial)).unwrap();
        disk.write_all_at(b"rot", block as u64 * 4096).unwrap();
        disk.sync_all().unwrap();
    }

    /// Makes a disk as new.
    fn blank(&self, serial: &str) {
        ok("blkdiscard", &["--zeroout", self.device(serial)]);
    }

    fn uuid(&self, serial: &str) -> String {
        ok("blkid", &["-p", "-s", "UUID", "-o", "value", self.device(serial)])
    }

    /// Mounts as the unit does, tells something of it, and unmounts.
    fn mounted<T>(&self, look: impl FnOnce(&Path) -> T) -> T {
        ok("mount", &["-t", "btrfs", &Self::member(), "/srv/arca"]);
        let told = look(Path::new("/srv/arca"));
        ok("umount", &["/srv/arca"]);
        told
    }

    /// What the mount's unit names.
    fn member() -> String {
        let link = format!("/run/arca-build/pool-{LABEL}.device");
        let member = std::fs::read_link(&link).unwrap();
        assert!(member.starts_with("/dev") && member.exists(), "{}", member.display());
        link
    }

    /// What whoever logs in reads.
    fn notice(verb: &str) -> String {
        std::fs::read_to_string(format!("/run/motd.d/arca-pool-{LABEL}-{verb}")).unwrap_or_default()
    }

    /// How many seconds the script would have waited.
    fn waited() -> usize {
        std::fs::read_to_string("/run/waited").unwrap_or_default().lines().count()
    }

    /// Runs the script, which must tell these words, change no byte, and let the pool be mounted to be read.
    fn degrades(&self, words: &[&str]) -> Output {
        let _ = std::fs::remove_file("/run/asked");
        let before = self.bytes();
        let mut run = self.run("start").success();
        for word in words {
            run = run.says(&format!("<2>arca-build: pool {LABEL}: {word}"));
            assert!(Self::notice("start").contains(word), "{word}\n{}", Self::notice("start"));
        }
        assert!(self.bytes() == before, "the disks changed\n{run}");
        let dropin = std::fs::read_to_string("/run/systemd/system/srv-arca.mount.d/50-degraded.conf").unwrap();
        assert_eq!(dropin, "[Mount]\nOptions=ro,degraded\n");
        let asked = std::fs::read_to_string("/run/asked").unwrap();
        assert_eq!(asked, format!("daemon-reload\n--no-block start arca-check-{LABEL}.service\n"));
        run
    }

    /// Runs the script, which must refuse with these words, change no byte, and tell whoever logs in.
    fn refuses(&self, words: &[&str]) -> Output {
        let before = self.bytes();
        let mut run = self.run("start").ends_with(1);
        for word in words {
            run = run.says(&format!("<2>arca-build: pool {LABEL}: {word}"));
            assert!(Self::notice("start").contains(word), "{word}\n{}", Self::notice("start"));
        }
        assert!(self.bytes() == before, "the disks changed\n{run}");
        run
    }

    fn stamp() -> String {
        std::fs::read_to_string(format!("/var/lib/arca-build/pool-{LABEL}")).unwrap_or_default()
    }
}

impl Drop for Guest {
    /// Leaves the namespace as it was, and no loop device, also where a test fails half-way.
    fn drop(&mut self) {
        let devices: String = self.disks.iter().map(|(_, device)| format!(" {device}")).collect();
        let script = format!(
            "umount -q /srv/arca /run/arca-build/* 2>/dev/null; \
             for d in /dev /run /srv /var/lib; do umount -q \"$d\"; done; \
             for d in{devices}; do btrfs device scan --forget \"$d\"; done 2>/dev/null; \
             losetup --detach{devices}; umount -q {}",
            self.place.path().display()
        );
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
}

fn attach(place: &Path, serial: &str) -> (String, String) {
    let image = place.join(format!("{serial}.img"));
    std::fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
    let device = ok("losetup", &["--find", "--show", image.to_str().unwrap()]);
    (serial.to_owned(), device.trim().to_owned())
}

/// The waiting for disks is counted, not waited.
fn write_stub(path: &Path, does: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{does}\n")).unwrap();
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
    let lowered =
        compile(&recipe, &LocalFiles::default(), &PinnedInfo::default()).unwrap_or_else(|told| panic!("{told}"));
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
    let test = "pool_1_blank_disks_become_a_pool_once_and_it_is_found_again_with_its_data";
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
            assert!(usage.contains("Data, RAID1:") && usage.contains("Metadata, RAID1:"), "{usage}");
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

#[test]
fn pool_2_a_missing_disk_is_told_by_name_and_the_way_out_that_is_told_works() {
    if !is_inside("pool_2_a_missing_disk_is_told_by_name_and_the_way_out_that_is_told_works") {
        return;
    }
    for shell in SHELLS {
        let guest = Guest::new(shell, &THREE, RAID1);
        guest.unplug("data2");
        guest.refuses(&["a disk is missing: data2\n", "the pool was not made, for that every disk must be there"]);
        assert_eq!(Guest::waited(), 30, "half a minute, no more");
        guest.plug("data2");
        guest.run("start").success();
        assert_eq!(Guest::notice("start"), "");
        guest.mounted(|top| std::fs::write(top.join("media/photo"), "kept").unwrap());
        for lost in THREE {
            guest.unplug(lost);
            let there = THREE.iter().filter(|serial| **serial != lost).map(|serial| format!(" {serial}"));
            let there = there.collect::<String>();
            guest.degrades(&[
                &format!("a disk of the pool is missing: {lost}\n"),
                &format!("there is of it:{there}\n"),
                "it was waited for 30 seconds; nothing was changed, and the pool will be mounted read-only: findmnt /srv/arca",
            ]);
            ok("mount", &["-t", "btrfs", "-o", "ro,degraded", &Guest::member(), "/srv/arca"]);
            assert_eq!(std::fs::read_to_string("/srv/arca/media/photo").unwrap(), "kept");
            let check = guest.run_without_forgetting("check").ends_with(1);
            check.says("<0>").says("it is mounted with a disk missing");
            ok("umount", &["/srv/arca"]);
            guest.plug(lost);
        }
        guest.run("start").success();
        assert_eq!(Guest::notice("start"), "");
    }
}

/// The advice that is told, word by word.
#[test]
fn pool_2_a_new_disk_takes_the_place_of_a_lost_one() {
    if !is_inside("pool_2_a_new_disk_takes_the_place_of_a_lost_one") {
        return;
    }
    let guest = Guest::new(SHELLS[0], &["data1", "data2", "data3", "data4"], RAID1);
    guest.run("start").success();
    guest.mounted(|top| std::fs::write(top.join("media/photo"), "kept").unwrap());
    guest.unplug("data2");
    guest.degrades(&[
        "to put a new disk in its place: mount -o remount,rw,degraded /srv/arca, btrfs device usage /srv/arca, ",
    ]);
    ok("mount", &["-t", "btrfs", "-o", "ro,degraded", &Guest::member(), "/srv/arca"]);
    ok("mount", &["-o", "remount,rw,degraded", "/srv/arca"]);
    let usage = ok("btrfs", &["device", "usage", "/srv/arca"]);
    let missing = usage.lines().find(|line| line.starts_with("missing")).unwrap_or_else(|| panic!("{usage}"));
    let id = missing.rsplit_once("ID: ").unwrap().1;
    ok("btrfs", &["replace", "start", "-B", id, guest.device("data4"), "/srv/arca"]);
    ok("umount", &["/srv/arca"]);
    let again = guest.run("start").success();
    assert_eq!(Guest::notice("start"), "", "{again}");
    assert_eq!(guest.mounted(|top| std::fs::read_to_string(top.join("media/photo")).unwrap()), "kept");
}

#[test]
fn pool_2_the_kernel_forgets_members_that_are_gone_before_it_is_asked() {
    if !is_inside("pool_2_the_kernel_forgets_members_that_are_gone_before_it_is_asked") {
        return;
    }
    let guest = Guest::new(SHELLS[0], &THREE, RAID1);
    guest.run("start").success();
    assert!(!Path::new("/run/forgot").exists(), "of blank disks there is nothing to forget");
    guest.run("start").success();
    assert_eq!(std::fs::read_to_string("/run/forgot").unwrap().lines().count(), 1);
}

#[test]
fn a_subvolume_that_was_made_half_way_is_made_whole_at_the_next_boot() {
    if !is_inside("a_subvolume_that_was_made_half_way_is_made_whole_at_the_next_boot") {
        return;
    }
    for shell in SHELLS {
        let guest = Guest::new(shell, &THREE, RAID1);
        std::fs::write("/run/no-chattr", "").unwrap();
        guest.run("start").ends_with(1).says("the subvolume vm cannot be set to nocow");
        guest.run("start").ends_with(1);
        std::fs::remove_file("/run/no-chattr").unwrap();
        guest.run("start").success();
        assert_eq!(Guest::notice("start"), "");
        guest.mounted(|_| {
            let list = ok("btrfs", &["subvolume", "list", "/srv/arca"]);
            assert!(list.contains("path vm\n") && !list.contains("arca-new"), "{list}");
            let flags = ok("lsattr", &["-d", "/srv/arca/vm"]);
            assert!(flags.split(' ').next().unwrap().contains('C'), "{flags}");
        });
    }
}

#[test]
fn pool_3_a_disk_that_carries_anything_is_refused_by_name_and_no_byte_changes() {
    if !is_inside("pool_3_a_disk_that_carries_anything_is_refused_by_name_and_no_byte_changes") {
        return;
    }
    let Some(()) = tools(&["mkfs.ext4", "mkfs.xfs", "mkswap", "sfdisk", "sgdisk"]) else { return };
    let guest = Guest::new(SHELLS[0], &THREE, RAID1);
    let device = guest.device("data2").to_owned();
    let made = |words: &str| {
        guest.blank("data2");
        ok("sh", &["-ec", &format!("dev={device}; {words}")]);
    };
    for (words, found) in [
        ("mkfs.ext4 -q $dev", "ext4"),
        ("mkfs.xfs -q $dev 2>/dev/null || mkfs.ext4 -q $dev", ""),
        ("mkswap -q $dev", "swap"),
        ("echo , | sfdisk -q --no-reread $dev", "dos"),
        ("sgdisk -n 1 $dev >/dev/null", "PMBR gpt"),
        ("mkfs.btrfs -q -L Other $dev", "a btrfs with the label `Other`"),
        ("mkfs.btrfs -q $dev", "a btrfs with the label ``"),
        ("printf x | dd of=$dev bs=1 seek=1048575 status=none", "unknown data in its first MiB"),
        ("printf x | dd of=$dev bs=1 seek=5000 status=none", "unknown data in its first MiB"),
    ] {
        made(words);
        guest.refuses(&[
            &format!("the disk data2 is not blank, it carries {found}"),
            "nothing was changed, and the pool is",
        ]);
        assert_eq!(Guest::stamp(), "", "{words}");
    }
    // The way out that is told.
    made("mkfs.ext4 -q $dev");
    let told = guest.refuses(&[]);
    let typed: String =
        told.stderr.lines().filter_map(|line| Some(line.split_once(":   ")?.1.to_owned() + "\n")).collect();
    assert_eq!(typed.lines().count(), 2, "{told}");
    ok("sh", &["-ec", &typed.replace("SERIAL", "data2")]);
    guest.run("start").success();
    // One member of another pool of the same label among ours.
    made(&format!("mkfs.btrfs -q -L {LABEL} $dev"));
    guest.refuses(&["the disk data2 belongs to another btrfs of this label than data1"]);
    // Two foreign disks are both told.
    ok("sh", &["-ec", &format!("wipefs -qa {0}; mkswap -q {0}", guest.device("data3"))]);
    guest.refuses(&["the disk data2 belongs to another", "the disk data3 is not blank, it carries swap"]);
}

#[test]
fn pool_4_what_was_made_once_is_never_made_again_unless_it_is_allowed() {
    if !is_inside("pool_4_what_was_made_once_is_never_made_again_unless_it_is_allowed") {
        return;
    }
    let guest = Guest::new(SHELLS[0], &THREE, RAID1);
    guest.run("start").success();
    let uuid = guest.uuid("data1");
    THREE.iter().for_each(|serial| guest.blank(serial));
    let told =
        guest.refuses(&[&format!("it was made once, with the UUID {}, and now every disk is blank", uuid.trim())]);
    let typed = told.stderr.split_once("if it shall be: ").unwrap().1.split_once(',').unwrap().0;
    ok("sh", &["-c", typed]);
    guest.run("start").success();
    assert!(guest.uuid("data1") != uuid);
    // One disk is blank again: that is a lost member, and nothing is made over the others.
    guest.blank("data3");
    let told = guest.degrades(&[
        "a disk of the pool is missing: none that the recipe names",
        "there is of it: data1 data2, and blank: data3",
    ]);
    // What is told to be typed is typed: a new disk takes the lost one's place.
    let typed = told.stderr.split_once("in its place: ").unwrap().1.lines().next().unwrap();
    let typed: Vec<&str> = typed.split(", ").collect();
    ok("mount", &["-t", "btrfs", "-o", "ro,degraded", guest.device("data1"), "/srv/arca"]);
    ok("sh", &["-c", typed[0]]);
    let usage = ok("sh", &["-c", typed[1]]);
    let lost = usage.lines().find(|line| line.starts_with("missing")).unwrap();
    let id = lost.rsplit(' ').next().unwrap();
    let replace = typed[2].replace("ID", id).replace("DISK", guest.device("data3"));
    ok("sh", &["-c", &replace.replace("start", "start -B")]);
    ok("umount", &["/srv/arca"]);
    assert_eq!(guest.run("start").success().stderr, "");
}

#[test]
fn pool_2_a_pool_that_cannot_live_without_the_lost_disk_is_told_and_not_mounted() {
    if !is_inside("pool_2_a_pool_that_cannot_live_without_the_lost_disk_is_told_and_not_mounted") {
        return;
    }
    let guest = Guest::new(
        SHELLS[0],
        &THREE,
        "disks = [\"data1\", \"data2\", \"data3\"]\ndata = \"raid0\"\nmetadata = \"raid0\"",
    );
    guest.run("start").success();
    guest.unplug("data1");
    guest.refuses(&[
        "a disk of the pool is missing: data1\n",
        "nothing was changed; without it the pool cannot even be read",
    ]);
}

#[test]
fn pool_5_strangers_beside_a_pool_are_told_and_namesakes_refused() {
    if !is_inside("pool_5_strangers_beside_a_pool_are_told_and_namesakes_refused") {
        return;
    }
    let guest = Guest::new(SHELLS[0], &["data1", "data2", "data3", "data4"], RAID1);
    ok("mkfs.ext4", &["-q", "-L", LABEL, guest.device("data4")]);
    guest.refuses(&[&format!("another file system has the same label: {}", guest.device("data4"))]);
    guest.blank("data4");
    guest.run("start").success();
    // The recipe grew: the pool is whole without the new disk, and told how to take it in.
    guest.recipe("disks = [\"data1\", \"data2\", \"data3\", \"data4\"]\ndata = \"raid1\"");
    let told = guest.run("start").success().says("<4>arca-build: pool").says("not part of it, and blank: data4");
    let typed = told.stderr.split_once("to add a disk: ").unwrap().1.replace("SERIAL", "data4");
    guest.mounted(|_| ok("sh", &["-c", &typed]));
    assert_eq!(guest.run("start").success().stderr, "");
    // The recipe shrank, the pool did not: all that belongs to it counts.
    guest.recipe(RAID1);
    assert_eq!(guest.run("start").success().stderr, "");
    guest.unplug("data4");
    guest.degrades(&[
        "a disk of the pool is missing: none that the recipe names",
        "there is of it: data1 data2 data3\n",
    ]);
}

#[test]
fn pool_6_a_disk_that_errs_fails_the_daily_check_loudly_and_a_scrub_mends_what_it_can() {
    if !is_inside("pool_6_a_disk_that_errs_fails_the_daily_check_loudly_and_a_scrub_mends_what_it_can") {
        return;
    }
    let guest = Guest::new(SHELLS[0], &["data1", "data2"], "disks = [\"data1\", \"data2\"]");
    for verb in ["check", "scrub", "balance"] {
        guest.run(verb).ends_with(1).says("<0>arca-build: pool").says("it is not mounted at /srv/arca");
        assert!(Guest::notice(verb).contains("journalctl -u arca-pool-"), "{}", Guest::notice(verb));
    }
    guest.run("start").success();
    guest.mounted(|top| {
        for verb in ["check", "scrub", "balance"] {
            guest.run_without_forgetting(verb).success();
            assert_eq!(Guest::notice(verb), "");
        }
        std::fs::write(top.join("file"), vec![0xa5; 4 << 20]).unwrap();
    });
    guest.rot("data2", 0xa5);
    guest.mounted(|_| {
        guest.run_without_forgetting("scrub").success();
        guest.run_without_forgetting("check").ends_with(1).says("<0>arca-build: pool").says("a disk has made errors");
        assert!(Guest::notice("check").contains("a disk has made errors"));
        ok("btrfs", &["device", "stats", "--reset", "/srv/arca"]);
        guest.run_without_forgetting("scrub").success();
        guest.run_without_forgetting("check").success();
        assert_eq!(Guest::notice("check"), "");
    });
}

#[test]
fn pool_7_every_profile_is_made_as_it_was_asked() {
    if !is_inside("pool_7_every_profile_is_made_as_it_was_asked") {
        return;
    }
    for (disks, said, data, metadata) in [
        (1, "", "single", "DUP"),
        (1, "data = \"dup\"", "DUP", "DUP"),
        (2, "", "RAID1", "RAID1"),
        (2, "data = \"raid0\"\nmetadata = \"raid1\"", "RAID0", "RAID1"),
        (3, "data = \"raid1c3\"", "RAID1C3", "RAID1C3"),
        (4, "data = \"raid1c4\"", "RAID1C4", "RAID1C4"),
        (4, "data = \"raid10\"\nmetadata = \"raid1c3\"", "RAID10", "RAID1C3"),
        (3, "data = \"single\"", "single", "RAID1"),
    ] {
        let serials = &["data1", "data2", "data3", "data4"][..disks];
        let guest = Guest::new(SHELLS[0], serials, &format!("disks = {serials:?}\n{said}"));
        guest.run("start").success();
        let usage = guest.mounted(|_| ok("btrfs", &["filesystem", "df", "/srv/arca"]));
        assert!(usage.contains(&format!("Data, {data}:")), "{said}: {usage}");
        assert!(usage.contains(&format!("Metadata, {metadata}:")), "{said}: {usage}");
    }
}
