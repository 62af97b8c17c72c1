//! Archives by strangers: each is refused, nothing is written outside the store, nothing is laid out.
//!
//! The archives are made here block by block, by a tar writer of the test's own that can write what ours cannot.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::base::Digest;
use crate::format::archive::{FileEntry, Index, ObjectEntry, Root};

use crate::tests::support::{Bin, Output, output, tool, workdir};

const PART: u64 = 512;

/// One entry as it is written: the test may set any field to anything.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    prefix: Vec<u8>,
    kind: u8,
    mode: &'static [u8],
    size: Option<Vec<u8>>,
    link: &'static [u8],
    /// Bytes written over the header, before it is summed.
    over: Vec<(usize, Vec<u8>)>,
    sum: Option<&'static [u8]>,
    content: Vec<u8>,
    pad: u8,
}

impl Entry {
    fn new(name: &str, mode: &'static [u8], content: &[u8]) -> Self {
        let (name, content) = (name.as_bytes().to_vec(), content.to_vec());
        let (prefix, link, over) = (vec![], &b""[..], vec![]);
        Self { name, prefix, kind: b'0', mode, size: None, link, over, sum: None, content, pad: 0 }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name);
        put(100, self.mode);
        [108, 116, 329, 337].into_iter().for_each(|at| put(at, b"0000000"));
        put(124, &self.size.clone().unwrap_or_else(|| format!("{:011o}\0", self.content.len()).into_bytes()));
        put(136, b"00000000000");
        put(156, &[self.kind]);
        put(157, self.link);
        put(257, b"ustar\x0000");
        put(345, &self.prefix);
        self.over.iter().for_each(|(at, bytes)| put(*at, bytes));
        put(148, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        let spelt = self.sum.map_or_else(|| format!("{sum:06o}\0 ").into_bytes(), <[u8]>::to_vec);
        block[148..156].copy_from_slice(&spelt);
        block.extend_from_slice(&self.content);
        let end = block.len().next_multiple_of(512);
        block.resize(end, self.pad);
        block
    }
}

/// A whole archive: index, entries behind it, and what ends it.
#[derive(Clone)]
struct Archive {
    index: Index,
    entries: Vec<Entry>,
    end: Vec<u8>,
}

fn base() -> Vec<u8> {
    (0..1300u32).map(|i| (i % 251) as u8).collect()
}

fn recipe() -> String {
    let digest = Digest::of(&base());
    format!(
        "format = 1\nname = \"nas\"\n[base]\nurl = \"https://example.org/nas.qcow2\"\nsha256 = \"{digest}\"\n\
         [provision]\nscript = \"nas/script\"\nengine = \"combustion\"\n"
    )
}

const SCRIPT: &[u8] = b"#!/bin/sh\n# combustion: network\ntrue\n";

/// The good archive that every hostile one is made from.
fn good() -> Archive {
    of(&[("nas.toml", recipe().into_bytes()), ("nas/script", SCRIPT.to_vec())])
}

fn of(files: &[(&str, Vec<u8>)]) -> Archive {
    let base = base();
    let sha256 = Digest::of(&base);
    let entry = |(path, bytes): &(&str, Vec<u8>)| FileEntry {
        path: (*path).to_owned(),
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    let recipe = files[0].0.to_owned();
    let root = Root { recipe, name: "nas".into(), plan: Digest::of(b""), inputs: vec![sha256], bundle: vec![] };
    let mut listed: Vec<_> = files.iter().map(entry).collect();
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    let object = ObjectEntry { sha256, size: base.len() as u64, private: false, held: true };
    let index = Index { format: 1, part: PART, files: listed, objects: vec![object], roots: vec![root] };
    let mut sorted: Vec<_> = files.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    let file = |(path, bytes): &(&str, Vec<u8>)| Entry::new(&format!("arca/recipes/{path}"), b"0000600", bytes);
    let mut entries: Vec<_> = sorted.iter().map(file).collect();
    for (number, part) in base.chunks(PART as usize).enumerate() {
        entries.push(Entry::new(&format!("arca/objects/{sha256}.{number:03}"), b"0000644", part));
    }
    Archive { index, entries, end: vec![0; 1024] }
}

impl Archive {
    fn bytes(&self) -> Vec<u8> {
        self.with_index(&self.index.print())
    }

    fn with_index(&self, index: &[u8]) -> Vec<u8> {
        let index = Entry::new("arca/index.json", b"0000644", index);
        let entries = [index].into_iter().chain(self.entries.iter().cloned());
        entries.flat_map(|entry| entry.bytes()).chain(self.end.iter().copied()).collect()
    }

    /// The same with one entry changed; number 0 is the index.
    fn changed(&self, number: usize, change: impl Fn(&mut Entry)) -> Vec<u8> {
        let mut entries = vec![Entry::new("arca/index.json", b"0000644", &self.index.print())];
        entries.extend(self.entries.iter().cloned());
        change(&mut entries[number]);
        entries.iter().flat_map(Entry::bytes).chain(self.end.iter().copied()).collect()
    }

    /// The same with something put before an entry; number 0 is the index.
    fn inserted(&self, number: usize, what: &[Entry]) -> Vec<u8> {
        let mut entries = vec![Entry::new("arca/index.json", b"0000644", &self.index.print())];
        entries.extend(self.entries.iter().cloned());
        entries.splice(number..number, what.iter().cloned());
        entries.iter().flat_map(Entry::bytes).chain(self.end.iter().copied()).collect()
    }

    fn indexed(&self, change: impl Fn(&mut Index)) -> Vec<u8> {
        let mut index = self.index.clone();
        change(&mut index);
        self.with_index(&index.print())
    }
}

/// Every path below a directory but the store's, with its bytes.
fn around(world: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let mut queue = vec![world.to_owned()];
    while let Some(path) = queue.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            if path.ends_with("cache") {
                continue;
            }
            let bytes = if meta.is_file() { std::fs::read(&path).unwrap() } else { vec![] };
            found.insert((path.display().to_string(), bytes));
            if meta.is_dir() {
                queue.push(path);
            }
        }
    }
    found
}

/// Everything in the store that has a final name is what its name says.
fn store_is_right(store: &Path) {
    let Ok(fan_outs) = std::fs::read_dir(store.join("objects-v1")) else { return };
    for fan_out in fan_outs.map(|entry| entry.unwrap().path()) {
        for object in std::fs::read_dir(&fan_out).unwrap().map(|entry| entry.unwrap().path()) {
            let name =
                [fan_out.file_name().unwrap(), object.file_name().unwrap()].map(|name| name.to_str().unwrap()).concat();
            assert_eq!(Digest::of(&std::fs::read(&object).unwrap()).to_string(), name);
        }
    }
}

fn import(world: &Path, bytes: &[u8]) -> Output {
    std::fs::write(world.join("evil.arca"), bytes).unwrap();
    Bin::new(world).args(["import", "evil.arca", "--trust", "--into", "in/out"]).run()
}

/// Imports each archive; every one must be refused without a trace.
fn refuse(cases: &[(String, Vec<u8>)]) {
    let world = workdir();
    std::fs::create_dir(world.path().join("in")).unwrap();
    for (what, bytes) in cases {
        std::fs::write(world.path().join("evil.arca"), bytes).unwrap();
        let before = around(world.path());
        let output = import(world.path(), bytes);
        assert_eq!(output.code, 3, "{what}\n{output}");
        assert!(output.stderr.contains("error[E_ARCHIVE]"), "{what}\n{output}");
        assert!(before == around(world.path()), "{what}: something was left behind");
        store_is_right(&world.path().join("cache"));
    }
}

#[test]
fn xfer_01_the_archive_that_the_hostile_ones_are_made_from_is_good() {
    let world = workdir();
    std::fs::create_dir(world.path().join("in")).unwrap();
    import(world.path(), &good().bytes()).success();
    assert_eq!(std::fs::read(world.path().join("in/out/nas/script")).unwrap(), SCRIPT);
    store_is_right(&world.path().join("cache"));
}

#[test]
fn xfer_01_entries_of_any_other_type_are_refused() {
    let kinds = b"\x001234567xgLKSVMNDA";
    let good = good();
    let cases = |number: usize| {
        let change = move |kind: u8| (format!("type {:?} at {number}", char::from(kind)), kind);
        kinds.iter().map(move |kind| change(*kind)).collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..4)
        .flat_map(|number| cases(number).into_iter().map(move |(what, kind)| (number, what, kind)))
        .map(|(number, what, kind)| {
            let bytes = good.changed(number, |entry| {
                entry.kind = kind;
                entry.link = if matches!(kind, b'1' | b'2') { b"/etc/passwd" } else { b"" };
            });
            (what, bytes)
        })
        .collect();
    assert!(all.len() >= 60);
    refuse(&all);
}

#[test]
fn xfer_01_names_that_lead_elsewhere_are_refused_in_the_header() {
    let good = good();
    let names: [&[u8]; 12] = [
        b"/etc/passwd",
        b"../evil",
        b"arca/recipes/../../evil",
        b"./arca/recipes/nas.toml",
        b"arca//recipes/nas.toml",
        b"arca/recipes/nas.toml/",
        b"arca\\recipes\\nas.toml",
        b"C:evil",
        b"arca/recipes/nas.toml\0/evil",
        b"",
        b".",
        b"arca/recipes/\x1b[31m",
    ];
    let mut all = vec![];
    for number in 0..4 {
        for name in names {
            let bytes = good.changed(number, |entry| entry.name = name.to_vec());
            all.push((format!("{:?} at {number}", String::from_utf8_lossy(name)), bytes));
        }
        let bytes = good.changed(number, |entry| entry.prefix = b"/evil".to_vec());
        all.push((format!("prefix at {number}"), bytes));
    }
    refuse(&all);
}

#[test]
fn xfer_02_fields_in_any_other_spelling_are_refused() {
    let good = good();
    let fields: [(&str, usize, &[u8]); 17] = [
        ("set-uid", 100, b"0004644"),
        ("other mode", 100, b"0000777"),
        ("owner", 108, b"0001750"),
        ("group", 116, b"0001750"),
        ("size in base 256", 124, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]),
        ("negative size", 124, &[0xff; 12]),
        ("huge size", 124, b"77777777777\0"),
        ("blank size", 124, b"           \0"),
        ("no size", 124, b"00000000000\0"),
        ("time", 136, b"14000000000"),
        ("GNU magic", 257, b"ustar  \0"),
        ("no magic", 257, &[0; 8]),
        ("user's name", 265, b"root"),
        ("group's name", 297, b"root"),
        ("device", 329, b"0000001"),
        ("minor device", 337, b"0000001"),
        ("behind the prefix", 500, b"x"),
    ];
    let mut all = vec![];
    for number in [0, 1, 5] {
        for (what, at, bytes) in fields {
            all.push((
                format!("{what} at {number}"),
                good.changed(number, |entry| entry.over.push((at, bytes.to_vec()))),
            ));
        }
        for sum in [&b"000000\0 "[..], b"        ", b"0000000\0"] {
            all.push((format!("sum at {number}"), good.changed(number, |entry| entry.sum = Some(sum))));
        }
        all.push((format!("padding at {number}"), good.changed(number, |entry| entry.pad = 1)));
    }
    refuse(&all);
}

#[test]
fn xfer_02_extensions_that_rename_or_resize_the_next_entry_are_refused() {
    let good = good();
    let pax = |kind: u8, text: &[u8]| Entry { kind, ..Entry::new("PaxHeaders/x", b"0000644", text) };
    let long = Entry { kind: b'L', ..Entry::new("././@LongLink", b"0000644", b"../../evil\0") };
    let link = Entry { kind: b'2', link: b"/tmp", ..Entry::new("arca/recipes/nas", b"0000777", b"") };
    let hard = Entry { kind: b'1', link: b"/etc/passwd", ..Entry::new("arca/recipes/x", b"0000644", b"") };
    let extra = Entry::new("arca/extra", b"0000644", b"extra");
    let object = Entry::new(&format!("arca/objects/{}", Digest::of(b"x")), b"0000644", b"x");
    let dir = Entry { kind: b'5', ..Entry::new("arca/", b"0000755", b"") };
    let mut all = vec![];
    for number in 0..=good.entries.len() + 1 {
        for (what, entry) in [
            ("pax path", pax(b'x', b"21 path=../../evil\n")),
            ("pax size", pax(b'x', b"12 size=512\n")),
            ("global pax", pax(b'g', b"21 path=../../evil\n")),
            ("long name", long.clone()),
            ("link to a directory", link.clone()),
            ("hard link", hard.clone()),
            ("extra file", extra.clone()),
            ("extra object", object.clone()),
            ("directory", dir.clone()),
        ] {
            all.push((format!("{what} before {number}"), good.inserted(number, &[entry])));
        }
    }
    refuse(&all);
}

#[test]
fn xfer_03_bombs_doubles_and_odd_ends_are_refused() {
    let good = good();
    let bytes = good.bytes();
    let with = |change: &dyn Fn(&mut Archive)| {
        let mut archive = good.clone();
        change(&mut archive);
        archive.bytes()
    };
    let all: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("only zeros", vec![0; 1024]),
        ("no tar", b"#!/bin/sh\n".repeat(200)),
        ("one end block", with(&|one| one.end.truncate(512))),
        ("no end", with(&|one| one.end.clear())),
        ("three end blocks", with(&|one| one.end.resize(1536, 0))),
        ("trailing byte", with(&|one| one.end.push(0))),
        ("garbage in the end", with(&|one| one.end[700] = 1)),
        ("twice in one file", [&bytes[..], &bytes[..]].concat()),
        ("something first", [&[0; 512][..], &bytes[..]].concat()),
        ("recipe twice", with(&|one| one.entries.insert(0, one.entries[0].clone()))),
        ("object twice", with(&|one| one.entries.push(one.entries[2].clone()))),
        ("part missing", with(&|one| drop(one.entries.remove(3)))),
        ("last part missing", with(&|one| drop(one.entries.pop()))),
        ("parts swapped", with(&|one| one.entries.swap(2, 3))),
        ("files swapped", with(&|one| one.entries.swap(0, 1))),
        ("object before recipes", with(&|one| one.entries.rotate_right(3))),
        ("recipe changed", with(&|one| one.entries[0].content[0] ^= 1)),
        ("object changed", with(&|one| one.entries[3].content[9] ^= 1)),
        ("object of another size", with(&|one| one.entries[4].content.push(0))),
        ("1 EiB", good.indexed(|index| index.objects[0].size = 1 << 60)),
        ("16 EiB", good.indexed(|index| index.objects[0].size = u64::MAX)),
        ("a large file", good.indexed(|index| index.files[0].size = 1 << 40)),
        ("a million parts", good.indexed(|index| index.objects[0].size = PART * 1_000_000)),
        (
            "many files",
            good.indexed(|index| {
                let one = index.files[1].clone();
                index.files.extend((0..5000).map(|i| FileEntry { path: format!("o/{i:06}"), ..one.clone() }));
            }),
        ),
        (
            "many objects",
            good.indexed(|index| {
                let one = index.objects[0].clone();
                let digest = |i: u32| Digest::of(&i.to_le_bytes());
                index.objects.extend((0..20_000).map(|i| ObjectEntry { sha256: digest(i), ..one.clone() }));
                index.objects.sort_by_key(|object| object.sha256);
            }),
        ),
        ("same object twice", good.indexed(|index| index.objects.push(index.objects[0].clone()))),
        ("same file twice", good.indexed(|index| index.files[1] = index.files[0].clone())),
        ("index of 1 GiB", good.changed(0, |entry| entry.size = Some(b"10000000000\0".to_vec()))),
        ("index cut short", good.changed(0, |entry| entry.content.truncate(100))),
        ("deep index", good.with_index(&b"[".repeat(1 << 20))),
        ("no index", good.with_index(b"")),
        ("null index", good.with_index(b"null\n")),
        ("future format", good.indexed(|index| index.format = 2)),
    ];
    refuse(&all.into_iter().map(|(what, bytes)| (what.to_owned(), bytes)).collect::<Vec<_>>());
}

#[test]
fn xfer_03_an_archive_cut_anywhere_is_refused_by_the_program() {
    let bytes = good().bytes();
    let ends = (0..bytes.len()).step_by(97).chain((0..bytes.len()).step_by(512));
    refuse(&ends.map(|end| (format!("cut at {end}"), bytes[..end].to_vec())).collect::<Vec<_>>());
}

#[test]
fn xfer_03_an_archive_cut_at_any_byte_is_refused_before_the_store_is_opened() {
    let world = workdir();
    let bytes = good().bytes();
    let path = world.path().join("cut.arca");
    for end in 0..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        assert!(crate::transfer::open(&path, &|_| {}).is_err(), "cut at {end}");
    }
    std::fs::write(&path, &bytes).unwrap();
    crate::transfer::open(&path, &|_| {}).unwrap();
}

#[test]
fn xfer_01_paths_of_the_index_that_lead_elsewhere_are_refused() {
    let paths = [
        "../evil",
        "/evil",
        "nas/../../evil",
        "nas/./x",
        "nas//x",
        "nas/",
        "~/x",
        "nas\\x",
        "C:x",
        "nas/\u{1b}[31m",
        "nas/\u{202e}x",
        "nas/x\ny",
        "nas.toml/x",
    ];
    let all: Vec<_> = paths
        .iter()
        .map(|path| ((*path).to_owned(), of(&[("nas.toml", recipe().into_bytes()), (path, SCRIPT.to_vec())]).bytes()))
        .collect();
    refuse(&all);
}

#[test]
fn xfer_04_what_is_not_complete_in_itself_is_refused() {
    let recipe = || recipe().into_bytes();
    let other = String::from_utf8(recipe()).unwrap().replace("name = \"nas\"", "name = \"other\"").into_bytes();
    let unpinned_here = Digest::of(b"other base").to_string();
    let text = String::from_utf8(recipe()).unwrap();
    let other_base = text.replace(&Digest::of(&base()).to_string(), &unpinned_here).into_bytes();
    let script = ("nas/script", SCRIPT.to_vec());
    let all = vec![
        ("side file missing", of(&[("nas.toml", recipe())]).bytes()),
        ("a file that no recipe names", of(&[("nas.toml", recipe()), script.clone(), ("x", vec![1])]).bytes()),
        ("a recipe that no root names", of(&[("nas.toml", recipe()), script.clone(), ("b.toml", recipe())]).bytes()),
        ("a recipe of another name", of(&[("nas.toml", other), script.clone()]).bytes()),
        ("a recipe with another base", of(&[("nas.toml", other_base), script.clone()]).bytes()),
        ("a recipe that is no text", of(&[("nas.toml", vec![0xff; 9]), script.clone()]).bytes()),
        ("a recipe in a directory", of(&[("r/nas.toml", recipe()), script.clone()]).bytes()),
        ("an object that must be there and is not", {
            let mut archive = of(&[("nas.toml", recipe()), script]);
            archive.index.objects[0].held = false;
            archive.entries.truncate(2);
            archive.bytes()
        }),
    ];
    refuse(&all.into_iter().map(|(what, bytes)| (what.to_owned(), bytes)).collect::<Vec<_>>());
}

#[test]
fn xfer_05_without_an_expected_digest_or_trust_nothing_happens() {
    let world = workdir();
    let bytes = good().bytes();
    std::fs::write(world.path().join("nas.arca"), &bytes).unwrap();
    let digest = Digest::of(&bytes).to_string();
    let before = around(world.path());
    let run = |words: &[&str]| Bin::new(world.path()).args(["import", "nas.arca"]).args(words).run();
    run(&[]).ends_with(3).says("E_UNTRUSTED_ROOT").says(&digest).says("nas.toml").says("1 (1.2 KiB)");
    run(&["--expect", &Digest::of(b"x").to_string()]).ends_with(3).says("E_HASH").says(&digest);
    assert!(before == around(world.path()) && !world.path().join("cache").exists());
    run(&["--expect", &format!("sha256:{digest}")]).success();
    assert!(world.path().join("nas/nas.toml").exists());
}

#[test]
fn xfer_05_an_import_lays_nothing_over_what_is_there() {
    let world = workdir();
    std::fs::write(world.path().join("nas.arca"), good().bytes()).unwrap();
    let run = || Bin::new(world.path()).args(["import", "nas.arca", "--trust"]).run();
    std::fs::create_dir(world.path().join("nas")).unwrap();
    std::fs::write(world.path().join("nas/nas.toml"), "precious").unwrap();
    let before = around(world.path());
    run().ends_with(5).says("E_OUTPUT_EXISTS").says("nas/nas.toml");
    assert!(before == around(world.path()) && !world.path().join("cache/objects-v1").join("x").exists());
    // The same bytes are no obstacle, and other files stay.
    std::fs::write(world.path().join("nas/nas.toml"), recipe()).unwrap();
    std::fs::write(world.path().join("nas/notes"), "mine").unwrap();
    run().success().says("1 file laid out");
    run().success().says("0 files laid out");
    assert_eq!(std::fs::read(world.path().join("nas/notes")).unwrap(), b"mine");
    // Nothing goes through a link that somebody put there.
    std::fs::remove_dir_all(world.path().join("nas")).unwrap();
    std::fs::create_dir_all(world.path().join("elsewhere")).unwrap();
    std::fs::create_dir(world.path().join("nas")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", world.path().join("nas/nas")).unwrap();
    run().ends_with(5).says("E_OUTPUT_EXISTS");
    assert_eq!(std::fs::read_dir(world.path().join("elsewhere")).unwrap().count(), 0);
}

/// Runs the import under strace, with a fault at one of its calls.
fn disturbed(strace: &Path, world: &Path, fault: &[&str]) -> Output {
    let mut command = Command::new(strace);
    command.args(["-f", "-qq"]).args(fault).arg(crate::tests::support::program());
    command.args(["import", "nas.arca", "--trust", "--into", "in/out"]).current_dir(world).env_clear();
    output(command.env("ARCA_CACHE", world.join("cache")))
}

fn fresh() -> tempfile::TempDir {
    let world = workdir();
    std::fs::create_dir(world.path().join("in")).unwrap();
    std::fs::write(world.path().join("nas.arca"), good().bytes()).unwrap();
    world
}

/// What is laid out, if anything is.
fn laid(world: &Path) -> Option<[Vec<u8>; 2]> {
    let out = world.join("in/out");
    out.exists().then(|| ["nas.toml", "nas/script"].map(|file| std::fs::read(out.join(file)).unwrap()))
}

/// Every call of an undisturbed import that changes files, by name and number.
fn calls(strace: &Path) -> Vec<(String, usize)> {
    let world = fresh();
    disturbed(strace, world.path(), &["-o", "log"]).success();
    let log = std::fs::read_to_string(world.path().join("log")).unwrap();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let changing = [
        "openat",
        "openat2",
        "mkdir",
        "mkdirat",
        "write",
        "pwrite64",
        "fsync",
        "rename",
        "renameat2",
        "linkat",
        "fchmod",
        "ftruncate",
        "fallocate",
        "lseek",
    ];
    let names =
        log.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name));
    let counted = names.map(|name| {
        let count = seen.entry(name.to_owned()).or_default();
        *count += 1;
        (name.to_owned(), *count)
    });
    counted.filter(|(name, _)| changing.contains(&name.as_str())).collect()
}

#[test]
fn xfer_09_an_import_that_fails_or_is_killed_at_any_call_lays_out_all_or_nothing() {
    let Some(strace) = tool("strace") else { return };
    let whole = Some([recipe().into_bytes(), SCRIPT.to_vec()]);
    let calls = calls(&strace);
    let step = (calls.len() / 60).max(1) | 1;
    let (mut failed, mut killed) = (0, 0);
    // The last calls are those of the layout: each of them, and some of those before.
    let late = calls.len().saturating_sub(30);
    for (call, count) in calls[..late].iter().step_by(step).chain(&calls[late..]) {
        for fault in ["error=EIO", "signal=SIGKILL"] {
            let world = fresh();
            let inject = format!("inject={call}:{fault}:when={count}");
            let run = disturbed(&strace, world.path(), &["-o", "/dev/null", "-e", &inject]);
            let found = laid(world.path());
            failed += usize::from(run.code != 0 && run.code != 137);
            killed += usize::from(run.code == 137);
            match run.code {
                0 => assert_eq!(found, whole, "{inject}"),
                137 => assert!(found.is_none() || found == whole, "{inject}: half of it is there"),
                // All was done and only the telling failed; that is told by the code, and undoes nothing.
                _ if run.stderr.contains("cannot write to stdout") => assert_eq!(found, whole, "{inject}\n{run}"),
                _ => assert_eq!(found, None, "{inject}: a failed import left something\n{run}"),
            }
            store_is_right(&world.path().join("cache"));
            let again = Bin::new(world.path()).args(["import", "nas.arca", "--trust", "--into", "in/out"]).run();
            assert_eq!((again.code, laid(world.path())), (0, whole.clone()), "{inject}\n{again}");
        }
    }
    assert!(failed > 30 && killed > 30, "{failed} failed, {killed} were killed, of {} calls", calls.len());
}
