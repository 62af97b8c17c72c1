//! CAS-2: the power goes, at any moment, on ext4, xfs and btrfs. What was reported done is still there, nothing torn stands
//! under a final name, and the plain command needs no recovery step.
//!
//! Each file system lives in a file behind a loop device. While a command works on it, the command is stopped, the file is
//! copied, and the command goes on. The copy holds what reached the device and nothing of what still lay in memory; it is
//! mounted as after a power cut and judged. The control runs the same under a program whose syncs do nothing (strace answers
//! them), and must be found wrong.
//!
//! Needs root and loop devices, in a mount namespace of its own that takes every mount away in the end. Where these are
//! there the gate is required; `ARCA_NO_POWER_CUTS=1` leaves it out. Touches /dev/shm, or the temporary directory where there is none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::base::{ByteSize, Digest};
use crate::format::qcow2;

use super::gate::{Scale, program, report};
use crate::tests::support::{Bin, Running, ourselves, output, skip, tool, tools};

/// Cuts on each file system in a full run, and in a short one.
const CUTS: [usize; 2] = [112, 28];
/// Cuts on one file system until it is made anew: every cut copies it, and looks through all that was promised on it.
const ROUND: usize = 28;
/// Cuts of the control.
const CONTROL_CUTS: [usize; 2] = [12, 6];
/// Says to the test that it runs in the namespace.
const INSIDE: &str = "ARCA_POWER_CUTS_INSIDE";

/// What a file system is made with; sizes are the least that each takes, with room for the work.
const SYSTEMS: [(&str, &str, &[&str]); 3] =
    [("ext4", "384M", &["-q", "-F"]), ("xfs", "384M", &["-q", "-f"]), ("btrfs", "384M", &["-q", "-f"])];

/// Every file below a directory: mode and digest, or where a link leads.
type Listing = BTreeMap<PathBuf, String>;

#[test]
fn cas_02_gate_a_power_cut_at_any_moment_loses_nothing_reported_and_leaves_nothing_torn() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if std::env::var_os("ARCA_NO_POWER_CUTS").is_some_and(|value| value == "1") {
        return;
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        return skip("root and loop devices (or ARCA_NO_POWER_CUTS=1)");
    }
    let needed = ["unshare", "mount", "umount", "strace", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"];
    let (Some(()), Some(unshare)) = (tools(&needed), tool("unshare")) else { return };
    let mut command = Command::new(unshare);
    let test = "cas_02_gate_a_power_cut_at_any_moment_loses_nothing_reported_and_leaves_nothing_torn";
    command.args(["--mount", "--propagation", "private", "--"]).args(ourselves(module_path!(), test));
    let status = command.env(INSIDE, "1").stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "the gate failed: see above");
}

fn inside() {
    let shm = Path::new("/dev/shm");
    let place = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    let place = tempfile::Builder::new().prefix("arca-power-").tempdir_in(place).unwrap();
    let scale = Scale::chosen();
    let [cuts, control_cuts] = [CUTS, CONTROL_CUTS].map(|[full, short]| if scale.is_full() { full } else { short });
    let world = World::prepare(&program(), &place.path().join("reference"), cuts, scale);
    let mut failed = vec![];
    for (system, size, options) in SYSTEMS {
        let begun = Instant::now();
        let make = |name: &str| Rig::make(&place.path().join(name), system, size, options);
        let mut told = Told::default();
        for (round, jobs) in world.jobs.chunks(ROUND).enumerate() {
            told.add(make(&format!("{system}-{round}")).run(&world, jobs, Syncs::Real));
        }
        let jobs = &world.jobs[..control_cuts];
        let without = make(&format!("{system}-control")).run(&world, jobs, Syncs::Answered);
        let figures = format!(
            "{} cuts ({} inside a command, {} after its success), {} promises, {} wrong; \
             without sync {} of {} cuts wrong",
            told.cuts,
            told.inside,
            told.cuts - told.inside,
            told.promises,
            told.wrong.len(),
            without.wrong.len(),
            without.cuts,
        );
        report(&format!("power {system}"), scale, &figures, begun);
        scale.demand("cuts", told.cuts, 100, 28);
        for wrong in &told.wrong {
            failed.push(format!("{system}: {wrong}"));
        }
        if without.wrong.is_empty() {
            failed.push(format!("{system}: without any sync nothing was found wrong, so the judge is blind"));
        }
        if told.inside * 4 < cuts {
            failed.push(format!("{system}: only {} cuts fell inside a command", told.inside));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Whether syncs reach the kernel, or are answered by strace in its place.
#[derive(Clone, Copy, PartialEq)]
enum Syncs {
    Real,
    Answered,
}

/// Recipes with what they must give, made on an undisturbed file system.
struct World {
    program: PathBuf,
    dir: PathBuf,
    jobs: Vec<Job>,
    /// Where the moments of the cuts begin.
    seed: u64,
}

/// One command and what holds once it has succeeded.
struct Job {
    words: Vec<String>,
    /// What must then be below the working directory, links followed.
    gives: (String, Listing),
    /// The bundle in the store, by directory name.
    bundle: (String, Listing),
}

impl World {
    fn prepare(program: &Path, dir: &Path, count: usize, scale: Scale) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let jobs = (0..count).map(|number| job(program, dir, number)).collect();
        let seed = 0x5eed ^ scale.offset(1 << 31) as u64;
        Self { program: program.to_owned(), dir: dir.to_owned(), jobs, seed }
    }
}

/// Writes a recipe with a base of its own, runs its command undisturbed, and notes what came.
fn job(program: &Path, dir: &Path, number: usize) -> Job {
    let name = format!("r{number}");
    let place = dir.join(&name);
    std::fs::create_dir_all(&place).unwrap();
    let mut base = qcow2::blank(ByteSize::gib(1)).unwrap();
    // Unlike in every job, and nothing that a file system could keep as a hole.
    let mut noise = number as u64 + 1;
    base.extend(
        std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        })
        .take(128 << 10),
    );
    std::fs::write(place.join("base.qcow2"), &base).unwrap();
    let recipe = format!(
        "format = 1\nname = \"{name}\"\n[base]\nurl = \"base.qcow2\"\nsha256 = \"{}\"\n\
         [[machine.disk]]\nserial = \"data1\"\nsize = \"{}MiB\"\n\
         [[provision.file]]\npath = \"/etc/hostname\"\ntext = \"{name}\"\n\
         [[provision.file]]\npath = \"/etc/motd\"\ntext = \"{}\"\n",
        Digest::of(&base),
        64 + number,
        "m".repeat(100 * (number % 7)),
    );
    let file = place.join(format!("{name}.toml"));
    std::fs::write(&file, recipe).unwrap();
    let file = file.display().to_string();
    let archive = place.join(format!("{name}.arca")).display().to_string();
    let told = Bin::of(program, &place).args(["--json", "build", &file]).run().success().json();
    let stored = PathBuf::from(told["bundles"][0]["path"].as_str().unwrap());
    let bundle = (stored.file_name().unwrap().to_string_lossy().into_owned(), listing(&stored));
    Bin::of(program, &place).args(["export", "--bundles", &file, "-o", &archive]).run().success();

    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let out = format!("out-{name}");
    let (words, gives): (Vec<String>, _) = match number % 4 {
        0 => (words(&["build", &file, "--out", &out]), out),
        1 => (words(&["import", &archive, "--trust", "--into", &out]), out),
        2 => (words(&["export", "--bundles", &file, "-o", &format!("{name}.arca")]), format!("{name}.arca")),
        _ => (words(&["build", &file]), format!("result-{name}")),
    };
    let clean = place.join("clean");
    std::fs::create_dir(&clean).unwrap();
    Bin::of(program, &clean).args(&words).run().success();
    let listed = listing(&clean.join(&gives));
    Job { words, gives: (gives, listed), bundle }
}

/// A file system behind a loop device, mounted while the value lives.
struct Rig {
    system: &'static str,
    image: PathBuf,
    mount: PathBuf,
}

/// How some cuts came out.
#[derive(Default)]
struct Told {
    cuts: usize,
    inside: usize,
    promises: usize,
    wrong: Vec<String>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.inside += other.inside;
        self.promises += other.promises;
        self.wrong.extend(other.wrong);
    }
}

impl Rig {
    fn make(dir: &Path, system: &'static str, size: &str, options: &[&str]) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let rig = Self { system, image: dir.join("image"), mount: dir.join("mount") };
        output(Command::new("truncate").args(["-s", size]).arg(&rig.image)).success();
        let mkfs = tool(&format!("mkfs.{system}")).unwrap();
        output(Command::new(mkfs).args(options).arg(&rig.image)).success();
        mount(&rig.image, &rig.mount, "loop");
        rig
    }

    /// Runs job after job, each with one cut, and judges every copy.
    fn run(&self, world: &World, jobs: &[Job], syncs: Syncs) -> Told {
        let mut told = Told::default();
        let mut done: Vec<&Job> = vec![];
        let mut random = world.seed ^ Digest::of(jobs[0].words.join(" ").as_bytes()).as_bytes()[0] as u64;
        let mut usual = Duration::from_millis(60);
        std::fs::create_dir_all(self.mount.join("work")).unwrap();
        // What was there before the first command is no matter of ours.
        output(Command::new("sync").arg("-f").arg(&self.mount)).success();
        for (number, job) in jobs.iter().enumerate() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let copy = self.image.with_file_name("copy");
            let begun = Instant::now();
            let mut work = command(&self.mount, world, job, syncs);
            let mut running = Running::start(work.stdout(Stdio::null()).stderr(Stdio::null()));
            // Every fourth comes right after the success, where a promise is youngest; so do the control's, as strace and
            // what it traces cannot be stopped together.
            let delay = if number % 4 == 3 || syncs == Syncs::Answered {
                Duration::from_secs(300)
            } else {
                usual.mul_f64((random >> 40) as f64 / f64::from(1 << 24))
            };
            let ended = running.wait_for(delay);
            if ended {
                assert!(running.kill().success(), "{}: job {number} failed undisturbed", self.system);
                usual = begun.elapsed().mul_f64(0.95);
                done.push(job);
            } else {
                signal(&running, rustix::process::Signal::STOP);
            }
            output(Command::new("cp").arg("--sparse=auto").arg(&self.image).arg(&copy)).success();
            told.inside += usize::from(!ended);
            told.cuts += 1;
            let interrupted = (!ended).then_some(job);
            if !ended {
                signal(&running, rustix::process::Signal::CONT);
            }
            let wrong = self.judge(&copy, world, &done, interrupted);
            told.promises += done.len();
            if !wrong.is_empty() {
                let when = if ended { "after" } else { "inside" };
                told.wrong.push(format!("cut {number}, {when} `{}`: {wrong}", job.words[0]));
            }
            if !ended {
                assert!(running.wait_for(Duration::from_secs(300)), "job {number} hangs");
                assert!(running.kill().success(), "{}: job {number} failed after it was stopped", self.system);
                done.push(job);
            }
        }
        told
    }

    /// Mounts a copy as after a power cut; returns what is wrong with it, or nothing.
    fn judge(&self, copy: &Path, world: &World, done: &[&Job], interrupted: Option<&Job>) -> String {
        let place = self.image.with_file_name("judged");
        // xfs knows its twin by the UUID, and would refuse it.
        mount(copy, &place, if self.system == "xfs" { "loop,nouuid" } else { "loop" });
        let mut wrong = String::new();
        torn(&place.join("cache"), world, &mut wrong);
        for job in done {
            let (name, expected) = &job.gives;
            if listing(&place.join("work").join(name)) != *expected {
                let _ = write!(wrong, "`{name}` of a finished `{}` is lost or changed; ", job.words[0]);
            }
        }
        // No recovery step: the last command again, as it was, or the same for one that nothing has touched.
        if let Some(job) = interrupted.or(done.last().copied()) {
            let again = output(&mut command(&place, world, job, Syncs::Real));
            let there = again.stderr.contains("E_OUTPUT_EXISTS") && interrupted.is_none();
            if again.code != 0 && !there {
                let _ = write!(wrong, "the plain command fails: {again}; ");
            } else if listing(&place.join("work").join(&job.gives.0)) != job.gives.1 {
                let _ = write!(wrong, "the plain command gives other bytes; ");
            }
            let verify = Bin::of(&world.program, &place.join("work")).env("ARCA_CACHE", place.join("cache"));
            let verify = verify.args(["store", "verify"]).run();
            if verify.code != 0 {
                let _ = write!(wrong, "`store verify`: {verify}; ");
            }
        }
        output(Command::new("umount").arg(&place)).success();
        std::fs::remove_file(copy).unwrap();
        wrong
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // In the namespace's last moment it would go anyway.
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
        let _ = std::fs::remove_file(&self.image);
    }
}

fn mount(image: &Path, place: &Path, options: &str) {
    std::fs::create_dir_all(place).unwrap();
    output(Command::new("mount").args(["-o", options]).arg(image).arg(place)).success();
}

fn signal(running: &Running, signal: rustix::process::Signal) {
    let group = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, signal).unwrap();
}

/// The job's command on a mounted file system: store and results there, the recipe outside.
fn command(mounted: &Path, world: &World, job: &Job, syncs: Syncs) -> Command {
    let work = mounted.join("work");
    let bin = Bin::of(&world.program, &work)
        .env("ARCA_CACHE", mounted.join("cache"))
        .env("HOME", &world.dir)
        .args(&job.words);
    let bin = match syncs {
        Syncs::Real => bin,
        Syncs::Answered => {
            let calls = "fsync,fdatasync,sync,syncfs,sync_file_range,msync";
            let options =
                ["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={calls}:retval=0")].map(str::to_owned);
            bin.under(&tool("strace").unwrap(), &options)
        }
    };
    bin.into_command()
}

/// Hashes every object against its name and every bundle against what it must be.
fn torn(cache: &Path, world: &World, wrong: &mut String) {
    for (path, found) in listing(&cache.join("objects-v1")) {
        let name: String = path.to_string_lossy().replace('/', "");
        if !found.ends_with(&name) {
            let _ = write!(wrong, "object {name} is torn; ");
        }
    }
    for entry in std::fs::read_dir(cache.join("bundles-v1")).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = world.jobs.iter().find(|job| job.bundle.0 == name);
        if known.is_none_or(|job| listing(&entry.path()) != job.bundle.1) {
            let _ = write!(wrong, "bundle {name} is torn; ");
        }
    }
}

/// Lists a file, or everything below a directory, with what it holds.
fn listing(path: &Path) -> Listing {
    let mut all = Listing::new();
    list(path, Path::new(""), &mut all);
    all
}

fn list(path: &Path, shown: &Path, all: &mut Listing) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    if !meta.is_dir() {
        let digest = std::fs::read(path).map_or_else(|error| error.to_string(), |bytes| Digest::of(&bytes).to_string());
        // Hard links may be fewer where a stand-alone copy was made; mode and bytes are what is promised.
        let mode = meta.permissions().mode() & 0o7777;
        all.insert(shown.to_owned(), format!("{mode:o} {} {digest}", meta.size()));
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        list(&entry.path(), &shown.join(entry.file_name()), all);
    }
}
