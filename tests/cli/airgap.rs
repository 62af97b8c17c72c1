//! The air gap: exported here, imported elsewhere, rebuilt there without a network, identical byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::Digest;
use crate::format::archive::{Reader, Writer};

use crate::tests::support::publisher::{Publisher, image, recipes};
use crate::tests::support::{Bin, output, tool, workdir};

/// A connected side: a publisher, the shipped recipes, a store, `nas` pinned.
struct Connected {
    dir: tempfile::TempDir,
    publisher: Publisher,
}

impl Connected {
    fn new() -> Self {
        let dir = workdir();
        let publisher = Publisher::start(dir.path());
        recipes(dir.path());
        let this = Self { dir, publisher };
        this.run(&["update", "recipes/nas.toml"]);
        this
    }

    fn run(&self, words: &[&str]) -> crate::tests::support::Output {
        let config = self.publisher.config.as_os_str();
        Bin::new(self.dir.path()).arg("--config").arg(config).args(words).run().success()
    }

    /// Exports to a file and returns the digest that was printed.
    fn export(&self, file: &str, more: &[&str]) -> String {
        let words: Vec<_> = ["export", "recipes/nas.toml", "-o", file].iter().chain(more).copied().collect();
        let line = self.run(&words).line().to_owned();
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(name, file);
        assert_eq!(Digest::of(&self.read(file)).to_string(), digest, "what `sha256sum` says");
        digest.to_owned()
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(file)).unwrap()
    }

    /// Carries a file over to another world.
    fn carry(&self, file: &str, to: &Path) {
        std::fs::copy(self.dir.path().join(file), to.join(file)).unwrap();
    }
}

fn bundle(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), (mode, std::fs::read(entry.path()).unwrap()))
    };
    entries.map(file).collect()
}

#[test]
fn an_imported_recipe_is_rebuilt_offline_to_the_same_bytes() {
    let connected = Connected::new();
    let built = connected.run(&["build", "recipes/nas.toml"]);
    let digest = connected.export("nas.arca", &["--bundles"]);
    let world = workdir();
    let deep = world.path().join("a/much/deeper place");
    std::fs::create_dir_all(&deep).unwrap();
    connected.carry("nas.arca", &deep);
    let expected = bundle(Path::new(built.line()));
    drop(connected);
    let imported = Bin::new(&deep).args(["import", "nas.arca", "--expect", &digest]).run().success();
    assert!(imported.line().ends_with("/nas/nas.toml"), "{imported}");
    let rebuilt = Bin::new(&deep).args(["--offline", "build", "nas/nas.toml"]).run().success().says("nothing fetched");
    assert!(!rebuilt.stderr.contains("nothing to do"), "it was built, not taken from the archive: {rebuilt}");
    assert!(bundle(Path::new(rebuilt.line())) == expected);
    assert!(bundle(&deep.join("nas/bundles/nas")) == expected);
    Bin::new(&deep).args(["verify", "nas/bundles/nas"]).run().success();
    // It carries on: what was imported can be exported again, to the very same file.
    let again = Bin::new(&deep).args(["--offline", "export", "nas/nas.toml", "--bundles", "-o", "again.arca"]).run();
    assert!(again.success().line().starts_with(&digest));
}

#[test]
fn xfer_06_what_an_archive_calls_a_bundle_decides_no_build() {
    let connected = Connected::new();
    let honest = bundle(Path::new(connected.run(&["build", "recipes/nas.toml"]).line()));
    connected.export("nas.arca", &["--bundles"]);
    let world = workdir();
    std::fs::write(world.path().join("nas.arca"), poisoned(&connected.read("nas.arca"))).unwrap();
    Bin::new(world.path()).args(["import", "nas.arca", "--trust"]).run().success();
    assert_eq!(std::fs::read(world.path().join("nas/bundles/nas/run-qemu.sh")).unwrap(), b"#!/bin/sh\necho evil\n");
    Bin::new(world.path()).args(["verify", "nas/bundles/nas"]).run().ends_with(3);
    let built = Bin::new(world.path()).args(["--offline", "build", "nas/nas.toml"]).run().success();
    assert!(bundle(Path::new(built.line())) == honest);
}

/// The same archive, whole in itself, with another script in its bundle.
fn poisoned(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::open(bytes, bytes.len() as u64).unwrap();
    let mut index = reader.index().clone();
    let mut contents = BTreeMap::new();
    while let Some(member) = reader.next_member() {
        let mut content = vec![];
        reader.next_into(&mut content, &member).unwrap();
        contents.insert(member.sha256(), content);
    }
    let evil = b"#!/bin/sh\necho evil\n".to_vec();
    let file = index.roots[0].bundle.iter_mut().find(|file| file.file == "run-qemu.sh").unwrap();
    let (old, new) = (file.sha256, Digest::of(&evil));
    file.sha256 = new;
    let object = index.objects.iter_mut().find(|object| object.sha256 == old).unwrap();
    (object.sha256, object.size) = (new, evil.len() as u64);
    index.objects.sort_by_key(|object| object.sha256);
    contents.insert(new, evil);
    let mut writer = Writer::begin(vec![], &index).unwrap();
    for member in index.members() {
        writer.add(&member, &mut contents[&member.sha256()].as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn xfer_10_an_air_gapped_rebuild_opens_no_socket() {
    let (Some(strace), Some(unshare)) = (tool("strace"), tool("unshare")) else { return };
    let connected = Connected::new();
    connected.export("nas.arca", &[]);
    let world = workdir();
    connected.carry("nas.arca", world.path());
    for words in [&["import", "nas.arca", "--trust"][..], &["--offline", "build", "nas/nas.toml", "--no-link"]] {
        let log = world.path().join("log");
        let mut command = std::process::Command::new(&unshare);
        command.args(["-Urn"]).arg(&strace).args(["-f", "-e", "trace=socket,connect", "-o"]).arg(&log);
        command.arg(crate::tests::support::program()).args(words).current_dir(world.path()).env_clear();
        output(command.env("ARCA_CACHE", world.path().join("cache"))).success();
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("exited with 0") && !log.contains("connect(") && !log.contains("socket("), "{log}");
    }
}

#[test]
fn two_stores_export_the_same_bytes_and_a_file_that_is_there_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let (one, other) = (Connected::new(), Connected::new());
    other.run(&["build", "recipes/nas.toml"]);
    assert_eq!(one.export("nas.arca", &[]), other.export("nas.arca", &[]));
    assert!(one.read("nas.arca") == other.read("nas.arca"));
    let path = one.dir.path().join("nas.arca");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    one.run(&["export", "recipes/nas.toml", "-o", "nas.arca"]).says("nothing to do");
    // Anything else of that name is never replaced, not even when only its last byte differs.
    let mut bytes = one.read("nas.arca");
    *bytes.last_mut().unwrap() ^= 1;
    for content in [b"mine".to_vec(), bytes] {
        std::fs::write(&path, &content).unwrap();
        let refused = Bin::new(one.dir.path()).args(["export", "recipes/nas.toml", "-o", "nas.arca"]).run();
        refused.ends_with(5).says("E_OUTPUT_EXISTS");
        assert!(one.read("nas.arca") == content);
    }
    let left = std::fs::read_dir(one.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".arca")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_archive_since_another_holds_only_what_is_new_and_needs_the_other() {
    let connected = Connected::new();
    let first = connected.export("nas.arca", &[]);
    connected.publisher.move_on("nas", image("a newer one"));
    connected.run(&["update", "recipes/nas.toml"]);
    let whole = connected.export("whole.arca", &["--bundles"]);
    connected.export("since.arca", &["--bundles", "--since", "nas.arca"]);
    connected.export("same.arca", &["--bundles", "--since", "whole.arca"]);
    assert!(connected.read("same.arca").len() < 16 << 10, "recipes, files and the index only");
    let world = workdir();
    ["same.arca", "whole.arca"].iter().for_each(|file| connected.carry(file, world.path()));
    let import = |words: &[&str]| Bin::new(world.path()).arg("import").args(words).run();
    import(&["same.arca", "--trust"]).ends_with(3).says("E_ARCHIVE").says("missing").says("--since");
    assert!(!world.path().join("same").exists());
    import(&["whole.arca", "--expect", &whole]).success();
    import(&["same.arca", "--trust"]).success().says("0 objects added");
    assert!(bundle(&world.path().join("same/bundles/nas")) == bundle(&world.path().join("whole/bundles/nas")));
    assert_ne!(first, whole);
}

#[test]
fn show_lists_an_archive_as_text_and_json_and_opens_no_store() {
    let connected = Connected::new();
    let digest = connected.export("nas.arca", &[]);
    let world = workdir();
    connected.carry("nas.arca", world.path());
    let text = Bin::new(world.path()).args(["show", "nas.arca"]).run().success().stdout;
    assert!(text.contains(&digest) && text.contains("arca.lock") && text.contains("recipe nas.toml (nas)"), "{text}");
    let json = Bin::new(world.path()).args(["show", "nas.arca", "--json"]).run().success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["digest"], digest);
    assert_eq!(json["index"]["objects"].as_array().unwrap().len(), 1);
    assert_eq!(json["index"]["roots"][0]["name"], "nas");
    assert!(!world.path().join("cache").exists() && !world.path().join("nas").exists());
}

#[test]
fn two_recipes_that_would_overwrite_each_other_are_refused_and_two_that_agree_are_not() {
    let connected = Connected::new();
    let dir = connected.dir.path();
    std::fs::create_dir(dir.join("more")).unwrap();
    let text = std::fs::read_to_string(dir.join("recipes/demo.toml")).unwrap();
    std::fs::write(dir.join("more/nas.toml"), text).unwrap();
    std::fs::create_dir(dir.join("more/demo")).unwrap();
    for file in ["guest.qcow2", "script"] {
        std::fs::copy(dir.join("recipes/demo").join(file), dir.join("more/demo").join(file)).unwrap();
    }
    let refused = Bin::new(dir).arg("--config").arg(&connected.publisher.config);
    let refused = refused.args(["export", "recipes/nas.toml", "more/nas.toml", "-o", "two.arca"]).run();
    refused.ends_with(2).says("E_USAGE").says("nas.toml");
    assert!(!dir.join("two.arca").exists());
    connected.run(&["export", "recipes/nas.toml", "recipes/demo.toml", "-o", "two.arca"]);
    let shown = Bin::new(dir).args(["show", "two.arca"]).run().success().stdout;
    assert!(shown.contains("2 recipes"), "{shown}");
}
