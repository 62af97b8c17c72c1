//! The rot gate: every file of a store that built two recipes is lost, emptied, cut, flipped, swapped and replaced, one at
//! a time; the next build must find it before it uses the bytes, give the right bytes, and leave a store without damage.
//! A short run does every fifth.
//!
//! Touches temporary directories and loopback. Read next: `gate/mod.rs`, `store.rs` (the same for the store alone),
//! src/store/repair.rs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::base::Digest;
use crate::store::{Repair, Store};

use super::gate::{Scale, grouped, program, report};
use super::store::deaf;
use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, Output, workdir};

/// The recipes: one that fetches, one that is inside the program. Swaps take place between what both left.
const RECIPES: [&str; 2] = ["recipes/nas.toml", "demo"];

/// What happens to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Deleted,
    Emptied,
    Truncated,
    /// One bit, at this many hundredths of the file; the time of the last change tells.
    Flipped(u64),
    /// The same, and nothing tells but the bytes.
    Rotten(u64),
    /// Two files change names.
    Swapped,
    Symlink,
    Directory,
    Fifo,
}

const DAMAGES: [Damage; 12] = [
    Damage::Deleted,
    Damage::Emptied,
    Damage::Truncated,
    Damage::Flipped(50),
    Damage::Flipped(100),
    Damage::Rotten(0),
    Damage::Rotten(50),
    Damage::Rotten(100),
    Damage::Swapped,
    Damage::Symlink,
    Damage::Directory,
    Damage::Fifo,
];

impl Damage {
    /// Returns whether only the bytes tell.
    const fn is_silent(self) -> bool {
        matches!(self, Self::Rotten(_))
    }

    /// Does it; `false` where it cannot be done to this file.
    fn inflict(self, path: &Path, other: Option<&Path>) -> bool {
        let before = std::fs::symlink_metadata(path).unwrap();
        let parent = path.parent().unwrap();
        let mode = std::fs::metadata(parent).unwrap().permissions();
        std::fs::set_permissions(parent, PermissionsExt::from_mode(0o700)).unwrap();
        let done = self.inflict_within(path, other, &before);
        std::fs::set_permissions(parent, mode).unwrap();
        done
    }

    fn inflict_within(self, path: &Path, other: Option<&Path>, before: &std::fs::Metadata) -> bool {
        match self {
            Self::Deleted => std::fs::remove_file(path).unwrap(),
            Self::Emptied | Self::Truncated if before.len() == 0 => return false,
            Self::Emptied => open(path).set_len(0).unwrap(),
            Self::Truncated => open(path).set_len(before.len() / 2).unwrap(),
            Self::Flipped(part) | Self::Rotten(part) => {
                if before.len() == 0 {
                    return false;
                }
                let (file, mut byte) = (open(path), [0]);
                let at = (before.len() - 1) * part / 100;
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 1], at).unwrap();
                let modified = before.modified().unwrap();
                file.set_modified(if self.is_silent() { modified } else { modified + STEP }).unwrap();
            }
            Self::Swapped => {
                let Some(other) = other else { return false };
                let aside = path.with_file_name("aside");
                std::fs::rename(path, &aside).unwrap();
                std::fs::rename(other, path).unwrap();
                std::fs::rename(&aside, other).unwrap();
            }
            Self::Symlink => {
                // To the very same bytes: that it is no file of ours is damage enough.
                let aside =
                    path.ancestors().find(|above| above.join("meta.json").exists()).unwrap().with_file_name("aside");
                let _ = std::fs::remove_file(&aside);
                std::fs::copy(path, &aside).unwrap();
                std::fs::remove_file(path).unwrap();
                symlink(&aside, path).unwrap();
            }
            Self::Directory => {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
                std::fs::write(path.join("x"), b"x").unwrap();
            }
            Self::Fifo => {
                std::fs::remove_file(path).unwrap();
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o600.into(), 0).unwrap();
            }
        }
        true
    }
}

const STEP: std::time::Duration = std::time::Duration::from_millis(3);

fn open(path: &Path) -> std::fs::File {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Every file of a bundle: mode and digest.
type Shape = BTreeMap<OsString, (u32, Digest)>;

fn shape(bundle: &Path) -> Shape {
    let entries = std::fs::read_dir(bundle).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        let metadata = std::fs::symlink_metadata(entry.path()).unwrap();
        let bytes = if metadata.is_file() { std::fs::read(entry.path()).unwrap() } else { vec![] };
        (entry.file_name(), (metadata.mode() & 0o777, Digest::of(&bytes)))
    };
    entries.map(file).collect()
}

/// A place in memory where there is one: nothing here is about power cuts, and syncs would take most of the time.
fn fast_workdir() -> tempfile::TempDir {
    let memory = tempfile::Builder::new().prefix("arca-test-").tempdir_in("/dev/shm");
    memory.unwrap_or_else(|_| workdir())
}

/// A store that built both recipes, and what is right.
struct World {
    dir: tempfile::TempDir,
    program: PathBuf,
    publisher: Publisher,
    right: Vec<(PathBuf, Shape)>,
}

impl World {
    fn new(program: &Path) -> Self {
        let dir = fast_workdir();
        let publisher = Publisher::start(dir.path());
        recipes(dir.path());
        let mut world = Self { dir, program: program.to_owned(), publisher, right: vec![] };
        world.bin().args(["update", RECIPES[0]]).run().success();
        for bundle in world.build(false).json()["bundles"].as_array().unwrap() {
            let path = PathBuf::from(bundle["path"].as_str().unwrap());
            world.right.push((path.clone(), shape(&path)));
        }
        world.lay_partial();
        world
    }

    fn bin(&self) -> Bin {
        Bin::of(&self.program, self.dir.path()).arg("--config").arg(&self.publisher.config)
    }

    fn build(&self, doubts: bool) -> Output {
        self.bin().args(["build", "--json"]).args(doubts.then_some("--verify")).args(RECIPES).run()
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Leaves the first half of the base as a cut download, and its validator.
    fn lay_partial(&self) {
        let base = self.base();
        let bytes = std::fs::read(self.right[0].0.join("base.qcow2")).unwrap();
        let name = self.cache().join(format!("tmp/partial-{base}"));
        // Whatever a damaged one left.
        for path in [&name, &name.with_extension("etag")] {
            let _ = std::fs::remove_file(path);
            assert!(std::fs::symlink_metadata(path).is_err(), "{} is still there", path.display());
        }
        std::fs::write(&name, &bytes[..bytes.len() / 2]).unwrap();
        std::fs::write(name.with_extension("etag"), "\"some-tag\"").unwrap();
    }

    fn base(&self) -> Digest {
        self.right[0].1[&OsString::from("base.qcow2")].1
    }

    /// Takes the bundles away, so that a build needs everything else.
    fn forget_bundles(&self) {
        for directory in ["bundles-v1", "stamps-v1"] {
            for entry in std::fs::read_dir(self.cache().join(directory)).unwrap() {
                let path = entry.unwrap().path();
                let is_bundle = path.file_name().unwrap().to_str().unwrap().contains('-');
                if is_bundle && std::fs::symlink_metadata(&path).unwrap().is_dir() {
                    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
                    std::fs::remove_dir_all(&path).unwrap();
                } else if is_bundle {
                    std::fs::remove_file(&path).unwrap();
                }
            }
        }
    }

    /// Returns what is not as it must be behind a build: the judge.
    fn judge(&self, built: &Output) -> Result<(), String> {
        if built.code != 0 {
            return Err(format!("the build failed: {built}"));
        }
        for (path, right) in &self.right {
            if shape(path) != *right {
                return Err(format!("wrong bytes in {}: {built}", path.display()));
            }
        }
        Ok(())
    }

    /// Returns whether every object, bundle and record of the store is right, as `store verify` does.
    fn is_sound(&self) -> bool {
        Store::open(&self.cache(), &deaf)
            .is_ok_and(|store| store.verify_and(Repair::No).is_ok_and(|report| report.is_clean()))
    }
}

/// One damage to one file.
struct Point {
    file: PathBuf,
    /// Another of its kind.
    other: Option<PathBuf>,
    damage: Damage,
    doubts: bool,
}

/// The folder a file lies in, which tells its kind.
fn kind(file: &Path) -> &str {
    file.iter().next().unwrap().to_str().unwrap()
}

/// Lists every file of the store beneath it, sorted.
fn files(cache: &Path) -> Vec<PathBuf> {
    let paths = super::store::snapshot(cache).into_iter().map(|entry| entry.0);
    let files = paths.filter(|path| std::fs::symlink_metadata(path).unwrap().is_file());
    files.map(|path| path.strip_prefix(cache).unwrap().to_owned()).collect()
}

/// Every point. Between files of one size in one folder a swap is the hardest to see, so those go first.
fn points(world: &World, scale: Scale) -> Vec<Point> {
    let all = files(&world.cache());
    let size = |file: &Path| std::fs::metadata(world.cache().join(file)).unwrap().len();
    let mut points = vec![];
    for file in &all {
        let mut kin: Vec<_> = all.iter().filter(|other| *other != file && kind(other) == kind(file)).collect();
        let bytes = |file: &Path| std::fs::read(world.cache().join(file)).unwrap();
        // Names of one inode, and the same bytes twice, may change places as they like.
        kin.retain(|other| bytes(other) != bytes(file));
        kin.sort_by_key(|other| size(other).abs_diff(size(file)));
        for damage in DAMAGES {
            for doubts in [true, false] {
                // A plain build trusts stamps: what only the bytes tell is for `--verify` (and the commands that read).
                let is_due = doubts || !damage.is_silent();
                // Small files have no stamps: to a plain build a flip in them is a flip.
                let is_small = !matches!(kind(file), "objects-v1" | "bundles-v1");
                if is_due || is_small {
                    let other = kin.first().map(|path| (*path).clone());
                    points.push(Point { file: file.clone(), other, damage, doubts });
                }
            }
        }
    }
    scale.sample(5, points)
}

/// What came of a point.
#[derive(Debug, Default)]
struct Tally {
    points: AtomicUsize,
    /// Told by the build before it used the bytes.
    told: AtomicUsize,
    /// Healed by the build alone; the rest was not used by it, and `store verify --repair` healed that.
    by_build: AtomicUsize,
    by_repair: AtomicUsize,
}

fn run(world: &World, point: &Point, tally: &Tally) -> Result<(), String> {
    let is_record = kind(&point.file) == "stamps-v1" && point.file.file_name().unwrap().to_str().unwrap().contains('-');
    let in_bundle = kind(&point.file) == "bundles-v1" || is_record;
    let is_partial = kind(&point.file) == "tmp";
    if is_partial {
        let digits = world.base().to_string();
        let object = world.cache().join("objects-v1").join(&digits[..2]).join(&digits[2..]);
        // It may be gone already: a damage that cannot be done to one file builds nothing.
        let _ = std::fs::remove_file(object);
    }
    let path = world.cache().join(&point.file);
    let other = point.other.as_ref().map(|other| world.cache().join(other));
    if !in_bundle || is_partial {
        world.forget_bundles();
    }
    if !path.exists() || !point.damage.inflict(&path, other.as_deref().filter(|other| other.exists())) {
        return Ok(());
    }
    tally.points.fetch_add(1, Ordering::Relaxed);
    let built = world.build(point.doubts);
    world.judge(&built)?;
    let is_object = matches!(kind(&point.file), "objects-v1" | "bundles-v1");
    let was_told = built.stderr.contains("damaged");
    if is_object && point.damage != Damage::Deleted && !was_told {
        return Err(format!("nothing was said: {built}"));
    }
    tally.told.fetch_add(usize::from(was_told), Ordering::Relaxed);
    if world.is_sound() {
        tally.by_build.fetch_add(1, Ordering::Relaxed);
    } else {
        world.bin().args(["store", "verify", "--repair"]).run();
        let again = world.build(true);
        world.judge(&again)?;
        if !world.is_sound() {
            return Err(format!("damage stays: {}", world.bin().args(["store", "verify"]).run()));
        }
        tally.by_repair.fetch_add(1, Ordering::Relaxed);
    }
    if is_partial {
        world.lay_partial();
    }
    Ok(())
}

#[test]
fn cas_05_gate_rot_of_every_file_of_the_store_is_found_before_use_and_healed() {
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let program = program();
    let first = World::new(&program);
    let names = points(&first, scale);
    let (next, tally, failures) = (AtomicUsize::new(0), Tally::default(), Mutex::new(vec![]));
    let work = |mut world: World| {
        let mut mine = points(&world, scale);
        while let Some(point) = mine.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = run(&world, point, &tally) {
                let why = why.lines().filter(|line| !line.starts_with([' ', '{', '}'])).collect::<Vec<_>>().join(" | ");
                let what = format!("{} {:?} verify={}: {why}", point.file.display(), point.damage, point.doubts);
                failures.lock().unwrap().push(what);
                world = World::new(&program);
                mine = points(&world, scale);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(World::new(&program)));
        scope.spawn(|| work(first));
    });
    let failures = failures.into_inner().unwrap();
    let [points, told, by_build, by_repair] =
        [&tally.points, &tally.told, &tally.by_build, &tally.by_repair].map(|count| count.load(Ordering::Relaxed));
    let text = format!(
        "{} damages, {} wrong, {} told, {} healed by the build, {} by `verify --repair`",
        grouped(points),
        failures.len(),
        grouped(told),
        grouped(by_build),
        grouped(by_repair)
    );
    report("rot", scale, &text, begun);
    assert!(failures.is_empty(), "{}\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
    assert!(points * 10 >= names.len() * 9, "only {points} of {}", names.len());
    scale.demand("damages", points, 1_500, 300);
}

#[test]
fn cas_05_gate_rot_the_judge_sees_wrong_bytes_lost_files_and_modes() {
    let world = World::new(&program());
    let fine = world.build(false);
    assert_eq!(world.judge(&fine), Ok(()));
    assert!(world.is_sound());
    // A plain build trusts stamps: without `--verify` the rot of one bit gets through, and the judge sees it.
    let base = world.right[0].0.join("base.qcow2");
    assert!(Damage::Rotten(50).inflict(&base, None));
    assert!(world.judge(&world.build(false)).is_err());
    assert!(!world.is_sound());
    assert_eq!(world.judge(&world.build(true)), Ok(()));
    let manifest = world.right[1].0.join("manifest.json");
    std::fs::set_permissions(&manifest, PermissionsExt::from_mode(0o400)).unwrap();
    assert!(world.judge(&fine).is_err());
    assert!(Damage::Deleted.inflict(&manifest, None));
    assert!(world.judge(&fine).is_err());
    assert!(world.judge(&Output { code: 5, ..fine }).is_err());
}
