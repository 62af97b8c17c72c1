//! What a recipe names by address for its guest: pinned, fetched, carried, exported, and never shown with its secrets.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use base64::Engine as _;

use crate::tests::support::server::{Behaviour, Server};
use crate::tests::support::{Bin, Output, workdir};

/// A site with what guests want, reached through `[mirrors]`, and a directory with the demo's base.
struct World {
    dir: tempfile::TempDir,
    server: Server,
}

const SITE: &str = "https://files.example.org/";

impl World {
    fn new() -> Self {
        let dir = workdir();
        std::fs::write(dir.path().join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
        let server = Server::start();
        let config = format!("[mirrors]\n\"{SITE}\" = \"{}\"\n", server.url("/"));
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        let world = Self { dir, server };
        for (name, bytes) in inputs() {
            world.publish(name, &bytes);
        }
        world
    }

    /// Puts a file there with the `.sha256` that `update` asks for.
    fn publish(&self, name: &str, bytes: &[u8]) {
        self.server.put(&format!("/{name}.sha256"), format!("{}  {name}\n", Digest::of(bytes)), &[]);
        self.server.put(&format!("/{name}"), bytes, &[]);
    }

    fn recipe(&self, name: &str, provision: &str) {
        let base = Digest::of(include_bytes!("../../recipes/demo/guest.qcow2"));
        let text = format!(
            "format = 1\nname = \"{name}\"\n[base]\nurl = \"guest.qcow2\"\nsha256 = \"{base}\"\n[provision]\n{provision}"
        );
        std::fs::write(self.dir.path().join(format!("{name}.toml")), text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Output {
        Bin::new(self.dir.path()).args(["--config", "config.toml"]).args(words).run()
    }

    fn built(&self, recipe: &str) -> PathBuf {
        self.run(&["update", recipe]).success();
        PathBuf::from(self.run(&["--no-link", recipe]).success().line())
    }
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    next.take(size).collect()
}

fn inputs() -> [(&'static str, Vec<u8>); 4] {
    [
        ("tool", noise(1, 70_001)),
        ("one-1.0.rpm", noise(2, 5000)),
        ("two~rc1.rpm", noise(3, 512)),
        ("image.tar", noise(4, 100_000)),
    ]
}

fn input(name: &str) -> Vec<u8> {
    inputs().into_iter().find(|(known, _)| *known == name).unwrap().1
}

fn file(name: &str) -> String {
    format!("[[provision.file]]\npath = \"/etc/{name}\"\nurl = \"{SITE}{name}\"\n")
}

fn packages() -> String {
    ["two~rc1.rpm", "one-1.0.rpm"].map(|name| format!("[[provision.rpm]]\nurl = \"{SITE}{name}\"\n")).concat()
}

fn container() -> String {
    format!("[[provision.container]]\nname = \"web\"\nurl = \"{SITE}image.tar\"\nbefore = [\"web.service\"]\n")
}

fn all(engine: &str) -> String {
    format!("engine = \"{engine}\"\n{}{}{}", file("tool"), packages(), container())
}

fn bundle(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), (mode, std::fs::read(entry.path()).unwrap()))
    };
    entries.map(file).collect()
}

/// The files of a tar stream of plain entries, in order.
fn tar(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    let mut rest = bytes;
    while rest[0] != 0 {
        let field = |at: std::ops::Range<usize>| std::str::from_utf8(&rest[at]).unwrap().trim_end_matches('\0');
        let size = usize::from_str_radix(field(124..136), 8).unwrap();
        files.push((field(0..100).to_owned(), rest[512..512 + size].to_vec()));
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
    assert!(rest.len() >= 1024 && rest.iter().all(|byte| *byte == 0));
    files
}

fn decoded(config: &[u8]) -> Vec<u8> {
    let config: serde_json::Value = serde_json::from_slice(config).unwrap();
    let source = config["storage"]["files"][0]["contents"]["source"].as_str().unwrap();
    base64::engine::general_purpose::STANDARD.decode(source.strip_prefix("data:;base64,").unwrap()).unwrap()
}

#[test]
fn a_payload_disk_holds_every_byte_and_only_its_owner_reads_it() {
    let world = World::new();
    world.recipe("all", &all("combustion"));
    let bundle = bundle(&world.built("all.toml"));
    let (mode, payload) = &bundle["payload.raw"];
    assert_eq!((mode, payload.len()), (&0o400, 1 << 20));
    let files = format!("files/{}", Digest::of(&input("tool")));
    let expected = [
        ("containers/web.tar", "image.tar"),
        (&files, "tool"),
        ("rpms/one-1.0.rpm", "one-1.0.rpm"),
        ("rpms/two_rc1.rpm", "two~rc1.rpm"),
    ];
    assert_eq!(tar(payload), expected.map(|(path, name)| (path.to_owned(), input(name))));
    let manifest: serde_json::Value = serde_json::from_slice(&bundle["manifest.json"].1).unwrap();
    let listed = manifest["files"].as_array().unwrap().iter().find(|file| file["path"] == "payload.raw").unwrap();
    assert_eq!((listed["role"].as_str(), listed["mode"].as_str()), (Some("payload"), Some("0400")));
    for name in ["run-qemu.sh", "install.sh", "virt-install-fwcfg.sh", "domain-fwcfg.xml", "domain-disk.xml"] {
        let text = String::from_utf8(bundle[name].1.clone()).unwrap();
        assert!(text.contains("payload.raw"), "{name}");
    }
}

#[test]
fn ignition_holds_the_files_bytes_and_both_engines_share_the_rest() {
    let world = World::new();
    world.recipe("inline", &file("tool"));
    let one = bundle(&world.built("inline.toml"));
    assert_eq!(decoded(&one["config.ign"].1), input("tool"));
    assert_eq!(one["config.ign"].0, 0o400);
    assert!(!one.contains_key("payload.raw"));
    world.recipe("both", &all("auto"));
    let both = bundle(&world.built("both.toml"));
    assert_eq!(decoded(&both["config.ign"].1), input("tool"));
    let paths: Vec<_> = tar(&both["payload.raw"].1).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["containers/web.tar", "rpms/one-1.0.rpm", "rpms/two_rc1.rpm"]);
}

#[test]
fn what_is_little_lies_beside_the_script_on_the_config_disk() {
    let world = World::new();
    world.recipe("beside", &format!("engine = \"combustion\"\n{}{}", file("tool"), packages()));
    let path = world.built("beside.toml");
    assert!(!path.join("payload.raw").exists());
    let told = world.run(&["inspect", path.join("config.raw").to_str().unwrap()]).success();
    for name in ["one-1.0.rpm", "two_rc1.rpm", &Digest::of(&input("tool")).to_string()] {
        assert!(told.stdout.contains(name), "{told}");
    }
}

#[test]
fn an_imported_recipe_carries_the_same_bytes_without_a_network() {
    let world = World::new();
    for engine in ["combustion", "auto"] {
        world.recipe(engine, &all(engine));
        let recipe = format!("{engine}.toml");
        let expected = bundle(&world.built(&recipe));
        world.run(&["export", &recipe, "-o", "x.arca"]).success();
        let elsewhere = workdir();
        std::fs::copy(world.dir.path().join("x.arca"), elsewhere.path().join("x.arca")).unwrap();
        std::fs::remove_file(world.dir.path().join("x.arca")).unwrap();
        Bin::new(elsewhere.path()).args(["import", "x.arca", "--trust"]).run().success();
        let rebuilt = Bin::new(elsewhere.path()).args(["--offline", "--no-link", &format!("x/{recipe}")]).run();
        let rebuilt = rebuilt.success().says("nothing fetched");
        assert!(bundle(Path::new(rebuilt.line())) == expected, "{engine}");
        Bin::new(elsewhere.path()).args(["--offline", "build", "--check", &format!("x/{recipe}")]).run().success();
    }
}

#[test]
fn every_input_is_pinned_listed_and_fetched() {
    let world = World::new();
    world.recipe("all", &all("combustion"));
    let unpinned = world.run(&["check", "all.toml"]).ends_with(2).says("E_UNPINNED");
    for title in ["provision.file /etc/tool", "provision.rpm one-1.0.rpm", "provision.container web"] {
        assert!(unpinned.stderr.contains(&format!("`{title}` is in neither")), "{unpinned}");
    }
    world.run(&["update", "all.toml"]).success();
    let lock = std::fs::read_to_string(world.dir.path().join("arca.lock")).unwrap();
    assert_eq!(lock.matches("[[input]]").count(), 4, "{lock}");
    let fetched = world.run(&["fetch", "all.toml"]).success();
    assert_eq!(fetched.stdout.lines().count(), 5, "{fetched}");
    Bin::new(world.dir.path()).args(["--offline", "--no-link", "all.toml"]).run().success();
    let plan = world.run(&["plan", "all.toml"]).success();
    assert!(plan.stdout.contains("payload-tar") && plan.stdout.contains("provision.container web"), "{plan}");
}

#[test]
fn a_file_whose_bytes_changed_is_named_and_nothing_is_accepted() {
    let world = World::new();
    world.recipe("all", &all("combustion"));
    world.run(&["update", "all.toml"]).success();
    world.publish("one-1.0.rpm", b"another build");
    let moved = world.run(&["--no-link", "all.toml"]).ends_with(3).says("E_UPSTREAM_MOVED").says("another file");
    assert!(moved.stderr.contains("all.toml:14:"), "the place of that input: {moved}");
    let own =
        format!("[[provision.file]]\npath = \"/x\"\nurl = \"{SITE}tool\"\nsha256 = \"{}\"\n", Digest::of(b"else"));
    world.recipe("own", &own);
    world.run(&["--no-link", "own.toml"]).ends_with(3).says("E_HASH").says("provision.file /x").says("own.toml:9:");
}

#[test]
fn sec_5_secrets_of_an_address_are_shown_nowhere_and_reach_the_server() {
    const SECRETS: [&str; 2] = ["canary-password", "canary-token"];
    let world = World::new();
    let silent = |output: Output| {
        let shown = SECRETS.iter().any(|secret| format!("{}{}", output.stdout, output.stderr).contains(secret));
        assert!(!shown, "{output}");
        output
    };
    let address = format!("http://bob:{}@{}/NAME?t={}", SECRETS[0], world.server.authority(), SECRETS[1]);
    let entry = |kind: &str, name: &str, more: &str| {
        let url = address.replace("NAME", name);
        format!("[[provision.{kind}]]\nurl = \"{url}\"\nsha256 = \"{}\"\n{more}", Digest::of(&input(name)))
    };
    let (file, rpm) = (entry("file", "tool", "path = \"/etc/t\"\n"), entry("rpm", "one-1.0.rpm", ""));
    let wish = format!("engine = \"combustion\"\n{file}{rpm}{}", entry("container", "image.tar", "name = \"web\"\n"));
    world.recipe("x", &wish);
    for words in [
        &["check", "x.toml"][..],
        &["plan", "x.toml"],
        &["plan", "--json", "x.toml"],
        &["-v", "x.toml"],
        &["fetch", "x.toml"],
        &["export", "x.toml", "-o", "x.arca"],
        &["show", "x.arca"],
        &["verify", "result-x"],
    ] {
        silent(world.run(words).success());
    }
    let bundle = bundle(&std::fs::canonicalize(world.dir.path().join("result-x")).unwrap());
    for (name, (_, bytes)) in &bundle {
        let text = String::from_utf8_lossy(bytes);
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{name}");
    }
    world.recipe("wrong", &wish.replace(&Digest::of(&input("tool")).to_string(), &Digest::of(b"").to_string()));
    silent(world.run(&["wrong.toml"]).ends_with(3).says("E_HASH"));
    world.recipe("twice", &format!("{wish}{rpm}"));
    silent(world.run(&["check", "twice.toml"]).ends_with(2).says("two packages have the file name"));
    world.recipe("bad", &wish.replace("one-1.0.rpm", "-1.0.rpm"));
    silent(world.run(&["check", "bad.toml"]).ends_with(2).says("not the file name of a package"));
    world.server.put("/one-1.0.rpm", "", &[Behaviour::status("404 Not Found")]);
    let elsewhere = workdir();
    std::fs::write(elsewhere.path().join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
    std::fs::copy(world.dir.path().join("x.toml"), elsewhere.path().join("x.toml")).unwrap();
    silent(Bin::new(elsewhere.path()).arg("x.toml").run());
}

#[test]
fn a_file_too_large_for_ignition_is_refused_even_where_its_size_shows_only_late() {
    let world = World::new();
    let large = noise(9, (1 << 20) + 1);
    world.publish("large", &large);
    world.recipe("known", &format!("engine = \"ignition\"\n{}", file("large")));
    world.run(&["update", "known.toml"]).success();
    world.run(&["check", "known.toml"]).ends_with(2).says("E_PROVISION").says("engine = \"combustion\"");
    let large_file = file("large").replace("large\"", "large?\"");
    let unknown = format!("engine = \"ignition\"\n{large_file}sha256 = \"{}\"\n", Digest::of(&large));
    world.recipe("unknown", &unknown);
    std::fs::remove_file(world.dir.path().join("arca.lock")).unwrap();
    world.run(&["check", "unknown.toml"]).success();
    world.run(&["--no-link", "unknown.toml"]).ends_with(2).says("E_PROVISION").says("engine = \"combustion\"");
}

#[test]
fn rec_13_two_inputs_that_a_lock_cannot_tell_apart_are_refused() {
    let world = World::new();
    let one = |path: &str, query: &str, digest: &str| {
        format!(
            "[[provision.file]]\npath = \"{path}\"\nurl = \"{SITE}tool{query}\"\nsha256 = \"{}\"\n",
            Digest::of(digest.as_bytes())
        )
    };
    let same = one("/etc/a", "", "1") + &one("/etc/b", "", "1");
    world.recipe("same", &same);
    world.run(&["check", "same.toml"]).success();
    for other in [one("/etc/b", "?x", "1"), one("/etc/b", "", "2"), one("/etc/b", "?x", "2")] {
        world.recipe("apart", &(one("/etc/a", "", "1") + &other));
        world.run(&["check", "apart.toml"]).ends_with(2).says("E_RECIPE").says("have one address, but not one pin");
    }
}

#[test]
fn a_large_file_beside_the_recipe_is_pinned_and_carried_like_one_by_url() {
    let world = World::new();
    std::fs::create_dir(world.dir.path().join("big")).unwrap();
    std::fs::write(world.dir.path().join("big/data"), noise(5, 17 << 20)).unwrap();
    world.recipe("x", "engine = \"combustion\"\n[[provision.file]]\npath = \"/srv/data\"\nurl = \"big/data\"\n");
    let payload = std::fs::read(world.built("x.toml").join("payload.raw")).unwrap();
    assert_eq!(payload.len(), 18 << 20);
    assert!(tar(&payload)[0].1 == noise(5, 17 << 20));
}

#[test]
fn a_wrong_size_is_told_even_where_the_bytes_are_there_already() {
    let world = World::new();
    let wish = |size: &str| {
        format!("engine = \"combustion\"\n{}sha256 = \"{}\"\n{size}", file("tool"), Digest::of(&input("tool")))
    };
    world.recipe("x", &wish(""));
    world.run(&["fetch", "x.toml"]).success();
    world.recipe("x", &wish("size = \"1B\"\n"));
    world.run(&["--no-link", "x.toml"]).ends_with(3).says("E_HASH").says("70001").says("x.toml:10:");
    world.recipe("x", &wish("size = \"70001B\"\n"));
    world.run(&["--no-link", "x.toml"]).success();
}
