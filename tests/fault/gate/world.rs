//! Worlds to break: small recipes, a publisher on loopback, states to begin in, and the commands that are broken.
//! Touches the directory it is given and loopback. Read next: `judge.rs`.
//!
//! A root in the store names an absolute path, so each worker has one world, made again and again at the same place.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::{ByteSize, Digest};
use crate::format::qcow2;
use crate::store::{DownloadLock, Store};
use crate::stream::Sink;

use super::judge::{Picture, Reference};
use super::trace::{Ended, run};
use crate::tests::support::server::Server;

/// What a command finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Recipes, and no store.
    Empty,
    /// Half of the image lies in the store as a download that was cut short.
    Part,
    Fetched,
    Built,
    /// A flipped object, a lost file of the bundle, a cut record.
    Damaged,
    /// Beside a bundle that is kept: one whose link is gone, a kept download, a damaged thing, a dead temporary.
    Garbage,
    /// An archive of everything, and no store.
    Packed,
    /// The same, and a directory in which only some of its files lie.
    HalfLaid,
    /// A store with the bundle, and an archive without it.
    Exported,
}

/// A command, what it finds, and how it is called in a gate's line.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub command: &'static str,
    pub state: State,
    pub words: &'static [&'static str],
    /// Newer system calls that this system lacks.
    pub lacks: &'static [&'static str],
}

const fn scenario(command: &'static str, state: State, words: &'static [&'static str]) -> Scenario {
    Scenario { command, state, words, lacks: &[] }
}

impl Scenario {
    /// Returns whether the command did what it is for. `verify` says with its exit code that something was damaged.
    pub fn is_well(&self, ended: &Ended) -> bool {
        let found_damage = self.command == "verify" && ended.code == 3 && ended.stderr.contains("E_CACHE_CORRUPT");
        ended.code == 0 || found_damage
    }
}

/// What the gates break.
pub const SCENARIOS: [Scenario; 16] = [
    scenario("fetch", State::Empty, &["fetch", "tiny.toml"]),
    scenario("fetch", State::Part, &["fetch", "tiny.toml"]),
    scenario("build", State::Empty, &["tiny.toml"]),
    scenario("build", State::Fetched, &["tiny.toml"]),
    scenario("build", State::Damaged, &["tiny.toml"]),
    scenario("build", State::Built, &["tiny.toml", "--out", "out"]),
    scenario("build", State::Fetched, &["tiny.toml", "other.toml"]),
    Scenario {
        command: "build",
        state: State::Fetched,
        words: &["tiny.toml"],
        lacks: &["inject=renameat2:error=ENOSYS", "inject=flock:error=ENOLCK"],
    },
    scenario("import", State::Packed, &["import", "--trust", "tiny.arca"]),
    scenario("import", State::HalfLaid, &["import", "--trust", "tiny.arca"]),
    scenario("export", State::Fetched, &["export", "-o", "tiny.arca", "tiny.toml"]),
    scenario("export", State::Empty, &["export", "--bundles", "-o", "tiny.arca", "tiny.toml"]),
    scenario(
        "export",
        State::Exported,
        &["export", "--bundles", "--since", "base.arca", "-o", "tiny.arca", "tiny.toml"],
    ),
    scenario("gc", State::Garbage, &["store", "gc", "--grace", "0", "--without-roots"]),
    scenario("gc", State::Part, &["store", "gc", "--grace", "0", "--without-roots"]),
    scenario("verify", State::Damaged, &["store", "verify"]),
];

/// The publisher, and what the recipes' texts are.
pub struct Publisher {
    pub server: Server,
    pub image: Vec<u8>,
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Publisher {
    pub fn start() -> Self {
        Self::of(320_000)
    }

    /// Publishes an image of about so many bytes: more than a hashing buffer, so that threads come in.
    pub fn of(size: usize) -> Self {
        let server = Server::start();
        let (image, other) = (image(1, size), image(2, 70_000));
        server.put("/tiny.qcow2", image.clone(), &[]);
        let base = format!("url = \"{}\"\nsha256 = \"{}\"", server.url("/tiny.qcow2"), Digest::of(&image));
        let local = format!("url = \"other.qcow2\"\nsha256 = \"{}\"", Digest::of(&other));
        let disks = "[[machine.disk]]\nserial = \"data1\"\nsize = \"64MiB\"\n\
                     [[machine.disk]]\nserial = \"data2\"\nsize = \"32MiB\"\n";
        let files = BTreeMap::from([
            ("tiny.toml", recipe("tiny", &base, disks).into_bytes()),
            ("other.toml", recipe("other", &local, "").into_bytes()),
            ("other.qcow2", other),
            ("script", b"#!/bin/sh\n# combustion: network\necho tiny\n".to_vec()),
        ]);
        Self { server, image, files }
    }
}

fn recipe(name: &str, base: &str, disks: &str) -> String {
    format!(
        "format = 1\nname = \"{name}\"\ndescription = \"for the gates\"\n[base]\n{base}\n[machine]\nmemory = \"64MiB\"\n\
         network = \"none\"\n[machine.system]\nsize = \"16MiB\"\n{disks}[provision]\nengine = \"auto\"\nscript = \"script\"\n\
         [[provision.file]]\npath = \"/etc/hostname\"\ntext = \"{name}\\n\"\n"
    )
}

/// A valid qcow2 with noise behind its tables, which is legal there.
fn image(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = qcow2::blank(ByteSize::mib(1)).unwrap();
    bytes.extend(noise(seed).take(size.saturating_sub(bytes.len())));
    bytes
}

fn noise(mut seed: u64) -> impl Iterator<Item = u8> {
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    })
}

/// One worker's world, and the states it was in.
pub struct World<'p> {
    pub root: PathBuf,
    states: PathBuf,
    program: PathBuf,
    publisher: &'p Publisher,
    references: BTreeMap<usize, Reference>,
}

impl<'p> World<'p> {
    pub fn new(arena: &Path, number: usize, program: &Path, publisher: &'p Publisher) -> Self {
        let (root, states) = (arena.join(format!("w{number}")), arena.join(format!("states{number}")));
        std::fs::create_dir_all(&states).unwrap();
        Self { root, states, program: program.to_owned(), publisher, references: BTreeMap::new() }
    }

    /// Prepares the program in this world, as a stranger would call it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.root).env_clear();
        command.env("HOME", self.root.join("home")).env("ARCA_CACHE", self.root.join("cache"));
        command
    }

    /// Runs the program undisturbed.
    pub fn plain(&self, words: &[&str]) -> Result<Ended, String> {
        let ended = run(&mut self.command(words))?;
        if ended.code == 0 {
            Ok(ended)
        } else {
            Err(format!("the plain command `{}` failed: {ended}", words.join(" ")))
        }
    }

    /// Makes the world anew, in a state.
    pub fn enter(&self, state: State) {
        let kept = self.states.join(format!("{state:?}"));
        if !kept.exists() {
            remove_tree(&self.root);
            std::fs::create_dir_all(&self.root).unwrap();
            self.make(state);
            copy_tree(&self.root, &kept);
        }
        remove_tree(&self.root);
        copy_tree(&kept, &self.root);
        if state != State::Damaged {
            restamp(&self.root.join("cache"));
        }
    }

    fn make(&self, state: State) {
        let plain = |words: &[&str]| drop(self.plain(words).unwrap());
        for (name, bytes) in &self.publisher.files {
            std::fs::write(self.root.join(name), bytes).unwrap();
        }
        match state {
            State::Empty => {}
            State::Part => self.receive_half(),
            State::Fetched => plain(&["fetch", "tiny.toml"]),
            State::Built => plain(&["tiny.toml"]),
            State::Damaged => {
                plain(&["tiny.toml"]);
                self.damage();
            }
            State::Garbage => {
                plain(&["tiny.toml"]);
                plain(&["other.toml"]);
                self.litter();
            }
            State::Packed | State::HalfLaid => {
                plain(&["export", "--bundles", "-o", "tiny.arca", "tiny.toml"]);
                remove_tree(&self.root.join("cache"));
                if state == State::HalfLaid {
                    plain(&["import", "--trust", "tiny.arca"]);
                    self.take_away_half("tiny");
                }
            }
            State::Exported => {
                plain(&["export", "-o", "base.arca", "tiny.toml"]);
                plain(&["tiny.toml"]);
            }
        }
    }

    /// Leaves what a download leaves that was cut short.
    fn receive_half(&self) {
        let store = Store::open(&self.root.join("cache"), &drop).unwrap();
        let image = &self.publisher.image;
        let DownloadLock::Ours(mut partial) = store.lock_download(&Digest::of(image), "tiny").unwrap() else {
            panic!("it is there")
        };
        partial.set_validator(Some(&crate::tests::support::server::etag(image))).unwrap();
        partial.append(&image[..image.len() / 2]).unwrap();
    }

    fn damage(&self) {
        let cache = self.root.join("cache");
        let object = object_path(&cache, &Digest::of(&self.publisher.image));
        let mut bytes = std::fs::read(&object).unwrap();
        bytes[1000] ^= 1;
        // In place: the bundle's hard link is damaged with it.
        std::fs::set_permissions(&object, PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::write(&object, bytes).unwrap();
        std::fs::set_permissions(&object, PermissionsExt::from_mode(0o444)).unwrap();
        let record = first_file(&cache.join("realisations-v1"));
        std::fs::write(&record, b"cut").unwrap();
        let bundle = first_file(&cache.join("bundles-v1"));
        std::fs::set_permissions(&bundle, PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::remove_file(bundle.join("domain.xml")).unwrap();
        std::fs::set_permissions(&bundle, PermissionsExt::from_mode(0o500)).unwrap();
    }

    fn litter(&self) {
        let cache = self.root.join("cache");
        std::fs::remove_file(self.root.join("result-other")).unwrap();
        std::fs::write(cache.join("quarantine/rotten"), b"rotten").unwrap();
        std::fs::write(cache.join("tmp").join(format!("partial-{}", Digest::of(b"never"))), b"half").unwrap();
        std::fs::create_dir(cache.join("tmp/bundle-dead")).unwrap();
        std::fs::write(cache.join("tmp/bundle-dead/disk"), b"half").unwrap();
        symlink("/nowhere", cache.join("tmp/planted")).unwrap();
    }

    fn take_away_half(&self, directory: &str) {
        let names: Vec<_> = Picture::of(&self.root.join(directory)).0.into_keys().collect();
        for name in
            names.iter().step_by(2).map(|name| self.root.join(directory).join(name)).filter(|name| name.is_file())
        {
            std::fs::remove_file(name).unwrap();
        }
    }

    /// The scenario's command on a system where a call says that it did its work and does none.
    pub fn deceived(&self, strace: &Path, scenario: &Scenario, call: &str) -> Result<Ended, String> {
        let (only, lie) = (format!("trace={call}"), format!("inject={call}:retval=0"));
        run(&mut super::trace::under(
            strace,
            &["-o", "/dev/null", "-e", &only, "-e", &lie],
            &self.command(scenario.words),
        ))
    }

    /// What the scenario's command makes of this world, undisturbed; made once.
    pub fn reference(&mut self, index: usize) -> Reference {
        if let Some(reference) = self.references.get(&index) {
            return reference.clone();
        }
        let scenario = &SCENARIOS[index];
        self.enter(scenario.state);
        let before = Picture::of(&self.root);
        self.heal(scenario).unwrap();
        let after = Picture::of(&self.root);
        let reference = Reference { before, after, is_damaged: scenario.state == State::Damaged };
        self.references.insert(index, reference.clone());
        reference
    }

    /// The plain command again.
    pub fn heal(&self, scenario: &Scenario) -> Result<(), String> {
        let ended = run(&mut self.command(scenario.words))?;
        if scenario.is_well(&ended) { Ok(()) } else { Err(format!("the plain command failed: {ended}")) }
    }
}

/// Where a store keeps an object.
pub fn object_path(cache: &Path, digest: &Digest) -> PathBuf {
    let digits = digest.to_string();
    cache.join("objects-v1").join(&digits[..2]).join(&digits[2..])
}

/// Makes stamps true again behind a copy, where they were true: inode, size and time (`src/store/stamp.rs`).
fn restamp(cache: &Path) {
    for entry in std::fs::read_dir(cache.join("stamps-v1")).into_iter().flatten().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let bundle = cache.join("bundles-v1").join(&name);
        let line = |line: &str| {
            if !bundle.is_dir() {
                let (first, rest) = name.split_at(2);
                return stamp(line, &cache.join("objects-v1").join(first).join(rest));
            }
            // `<digest> <mode> <stamp> <file>`
            let words: Vec<_> = line.splitn(3, ' ').collect();
            let [digest, mode, rest] = words[..] else { return line.to_owned() };
            let Some((old, file)) = rest.rsplit_once(' ') else { return line.to_owned() };
            format!("{digest} {mode} {} {file}", stamp(old, &bundle.join(file)))
        };
        let lines: Vec<_> = text.lines().map(line).collect();
        std::fs::write(entry.path(), lines.join("\n") + "\n").unwrap();
    }
}

fn stamp(old: &str, path: &Path) -> String {
    let size = old.split(' ').nth(1).and_then(|size| size.parse::<u64>().ok());
    match path.symlink_metadata() {
        Ok(found) if Some(found.size()) == size => {
            format!("{} {} {} {}", found.ino(), found.size(), found.mtime(), found.mtime_nsec())
        }
        _ => old.to_owned(),
    }
}

fn first_file(directory: &Path) -> PathBuf {
    let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.remove(0)
}

/// Removes whatever is there, read-only directories too.
pub fn remove_tree(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        for entry in std::fs::read_dir(path).unwrap() {
            remove_tree(&entry.unwrap().path());
        }
        std::fs::remove_dir(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path).unwrap();
    }
}

/// Copies a tree with modes, symbolic links, and hard links within it.
pub fn copy_tree(from: &Path, to: &Path) {
    copy_into(from, to, &mut BTreeMap::new());
}

fn copy_into(from: &Path, to: &Path, linked: &mut BTreeMap<u64, PathBuf>) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            copy_into(&source, &target, linked);
        } else if found.is_symlink() {
            symlink(std::fs::read_link(&source).unwrap(), &target).unwrap();
        } else if let Some(first) = linked.get(&found.ino()) {
            std::fs::hard_link(first, &target).unwrap();
        } else {
            std::fs::copy(&source, &target).unwrap();
            if found.nlink() > 1 {
                linked.insert(found.ino(), target);
            }
        }
    }
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
}
