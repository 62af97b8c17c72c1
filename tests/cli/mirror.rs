//! `mirror`: a directory that serves others, as it is and through a real web server; and lists of mirrors from `update`
//! on. Touches temporary directories, loopback, nginx and strace.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::format::metalink::{self, File, Mirror};

use crate::tests::support::nginx::Nginx;
use crate::tests::support::publisher::{PUBLISHED, Publisher, image, recipes};
use crate::tests::support::server::{Behaviour, Server};
use crate::tests::support::{Bin, Output, tool, workdir};

const NAS: &str = "recipes/nas.toml";
const ALL: [&str; 3] = [NAS, "recipes/microos-combustion.toml", "recipes/selfinstall-iso.toml"];
const APPLIANCES: &str = "download.opensuse.org/tumbleweed/appliances";

/// A connected world with its recipes pinned.
struct World {
    dir: tempfile::TempDir,
    publisher: Publisher,
}

impl World {
    fn new() -> Self {
        let dir = workdir();
        let publisher = Publisher::start(dir.path());
        recipes(dir.path());
        Self { dir, publisher }
    }

    fn pinned() -> Self {
        let world = Self::new();
        world.bin().arg("update").args(ALL).run().success();
        world
    }

    fn bin(&self) -> Bin {
        Bin::new(self.dir.path()).arg("--config").arg(&self.publisher.config)
    }

    fn mirror(&self, recipes: &[&str]) -> Output {
        self.bin().arg("mirror").args(recipes).arg("stick").run()
    }

    fn stick(&self) -> PathBuf {
        self.dir.path().join("stick")
    }

    fn lock(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("recipes/arca.lock")).unwrap()
    }

    fn nas(&self) -> PathBuf {
        self.stick().join(APPLIANCES).join(PUBLISHED[0].2)
    }

    /// The digest of the bundle that a build gives.
    fn digest(&self) -> String {
        digest(self.bin().args(["--json", NAS]))
    }
}

fn digest(build: Bin) -> String {
    build.run().success().json()["bundles"][0]["digest"].as_str().unwrap().to_owned()
}

/// Another machine, which knows nothing but a configuration file.
fn elsewhere(config: &str, lock: Option<&str>) -> (tempfile::TempDir, impl Fn() -> Bin + use<>) {
    let dir = workdir();
    recipes(dir.path());
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    if let Some(lock) = lock {
        std::fs::write(dir.path().join("recipes/arca.lock"), lock).unwrap();
    }
    let path = dir.path().to_owned();
    (dir, move || Bin::new(&path).arg("--config").arg(path.join("config.toml")))
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut open = vec![directory.to_owned()];
    while let Some(here) = open.pop() {
        for entry in std::fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_directory_serves_build_and_update_elsewhere_without_a_network() {
    let world = World::pinned();
    let mirrored = world.mirror(&ALL).success();
    let stick = world.stick().canonicalize().unwrap();
    let line = format!("\"https://download.opensuse.org/\" = \"{}/download.opensuse.org/\"", stick.display());
    assert_eq!(mirrored.stdout, format!("[mirrors]\n{line}\n"));
    let mut expected: Vec<_> = PUBLISHED
        .iter()
        .flat_map(|(_, moving, immutable)| {
            [format!("{moving}.sha256"), format!("{immutable}.sha256"), (*immutable).to_owned()]
        })
        .map(|name| format!("{APPLIANCES}/{name}"))
        .collect();
    expected.sort();
    assert_eq!(files(&stick), expected);
    for name in &expected {
        assert_eq!(std::fs::metadata(stick.join(name)).unwrap().permissions().mode() & 0o7777, 0o644, "{name}");
    }

    let (dir, bin) = elsewhere(&mirrored.stdout, Some(&world.lock()));
    assert_eq!(digest(bin().args(["--offline", "--json", NAS])), world.digest());
    // Without a lock `update` finds the same pins there.
    std::fs::remove_file(dir.path().join("recipes/arca.lock")).unwrap();
    bin().args(["--offline", "update"]).args(ALL).run().success();
    assert_eq!(std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap(), world.lock());
}

#[test]
fn a_web_server_makes_it_a_mirror_for_others() {
    let world = World::pinned();
    world.mirror(&ALL).success();
    let Some(nginx) = Nginx::serve(&world.stick(), &world.dir.path().join("nginx")) else { return };
    let port = nginx.port;
    let config =
        format!("[mirrors]\n\"https://download.opensuse.org/\" = \"http://127.0.0.1:{port}/download.opensuse.org/\"\n");
    let (dir, bin) = elsewhere(&config, None);
    bin().arg("update").args(ALL).run().success();
    assert_eq!(std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap(), world.lock());
    assert_eq!(digest(bin().args(["--json", NAS])), world.digest());
}

#[test]
fn a_second_run_changes_nothing_and_a_wrong_file_is_replaced_and_told() {
    let world = World::pinned();
    world.mirror(&[NAS]).success().says("made ");
    let stamp = || std::fs::metadata(world.nas()).unwrap().modified().unwrap();
    let before = stamp();
    let requests = world.publisher.server.requests().len();
    let again = world.bin().args(["--offline", "--json", "mirror", NAS, "stick"]).run().success().json();
    assert!(again["files"].as_array().unwrap().iter().all(|file| file["state"] == "left"), "{again}");
    assert_eq!((stamp(), world.publisher.server.requests().len()), (before, requests));
    // Same length, other bytes; and a sidecar of an older snapshot.
    let mut bytes = std::fs::read(world.nas()).unwrap();
    let right = bytes.clone();
    bytes[100_000] ^= 1;
    std::fs::write(world.nas(), bytes).unwrap();
    std::fs::write(world.stick().join(APPLIANCES).join(format!("{}.sha256", PUBLISHED[0].1)), "older").unwrap();
    std::fs::write(world.stick().join(APPLIANCES).join("another"), "mine").unwrap();
    let told = world.mirror(&[NAS]).success();
    assert_eq!(told.stderr.lines().filter(|line| line.starts_with("replaced ")).count(), 2, "{told}");
    assert!(std::fs::read(world.nas()).unwrap() == right);
    assert_eq!(std::fs::read(world.stick().join(APPLIANCES).join("another")).unwrap(), b"mine");
}

#[test]
fn a_moved_on_publisher_adds_its_new_snapshot_beside_the_old() {
    let world = World::pinned();
    world.mirror(&[NAS]).success();
    world.publisher.move_on("nas", image("newer"));
    world.bin().args(["update", NAS]).run().success();
    world.mirror(&[NAS]).success().says("replaced ");
    let images: Vec<_> = files(&world.stick()).into_iter().filter(|name| name.ends_with(".qcow2")).collect();
    assert_eq!(images.len(), 2, "{images:?}");
    let (_dir, bin) = elsewhere(
        &format!(
            "[mirrors]\n\"https://download.opensuse.org/\" = \"{}/download.opensuse.org/\"\n",
            world.stick().display()
        ),
        None,
    );
    bin().args(["--offline", "update", NAS]).run().success();
    bin().args(["--offline", NAS]).run().success();
}

#[test]
fn what_comes_from_no_server_is_skipped_and_odd_addresses_are_refused_before_anything_is_done() {
    let world = World::pinned();
    let base = image("own");
    std::fs::write(world.dir.path().join("own.qcow2"), &base).unwrap();
    let recipe = |url: &str| {
        format!("format = 1\nname = \"own\"\n[base]\nurl = \"{url}\"\nsha256 = \"{}\"\n", Digest::of(&base))
    };
    std::fs::write(world.dir.path().join("own.toml"), recipe("own.qcow2")).unwrap();
    let skipped = world.mirror(&["own.toml"]).success().says("`own.qcow2` comes from no server; skipped");
    let skipped = skipped.says("nothing to mirror: no input comes from a server; nothing was made");
    assert!(skipped.stdout.is_empty() && !skipped.stderr.contains("0 files"), "{skipped}");
    assert!(!world.stick().exists());
    world.mirror(&["own.toml", NAS]).success().says("skipped");
    assert!(world.nas().exists());
    for bad in [
        "https://h.example/a%2f..%2f..%2fetc",
        "https://h.example/a%00b",
        "https://h.example/a%0ab",
        "https://h.example/a/",
    ] {
        std::fs::write(world.dir.path().join("own.toml"), recipe(bad)).unwrap();
        let before = files(&world.stick());
        let refused = world.mirror(&["own.toml", NAS]);
        assert_ne!(refused.code, 0, "{bad}\n{refused}");
        assert!(refused.stderr.contains("error[E_"), "{bad}\n{refused}");
        assert_eq!(files(&world.stick()), before, "{bad}");
    }
    // Unpinned: which command helps. In the store: it would be collected. What lacks, offline: what to do.
    let fresh = World::new();
    fresh.mirror(&[NAS]).ends_with(2).says("E_UNPINNED");
    world.bin().args(["mirror", NAS, "cache/stick"]).run().ends_with(2).says("inside the store");
    let other = World::pinned();
    other.bin().args(["--offline", "mirror", NAS, "stick"]).run().ends_with(4).says("E_OFFLINE");
    assert!(!other.stick().exists());
}

#[test]
fn killed_or_failing_at_any_call_leaves_whole_files_only_and_the_next_run_finishes() {
    let Some(strace) = tool("strace") else { return };
    let world = World::pinned();
    world.bin().args(["fetch", NAS]).run().success();
    let mirror = || world.bin().args(["--offline", "mirror", NAS, "stick"]);
    let mut broken = 0;
    for call in ["openat", "write", "fsync", "renameat", "mkdirat", "fchmod"] {
        for (how, when) in [("signal=SIGKILL", 1), ("signal=SIGKILL", 3), ("error=ENOSPC", 1), ("error=ENOSPC", 2)] {
            let _ = std::fs::remove_dir_all(world.stick());
            let inject = format!("inject={call}:{how}:when={when}");
            // Only calls about the mirror, not those about the store.
            let run = mirror()
                .under(
                    &strace,
                    &[
                        "-f",
                        "-qq",
                        "-o",
                        "/dev/null",
                        "-P",
                        world.stick().to_str().unwrap(),
                        "-P",
                        world.stick().join(APPLIANCES).to_str().unwrap(),
                        "-e",
                        &inject,
                    ],
                )
                .run();
            broken += usize::from(run.code != 0);
            if world.stick().exists() {
                for name in files(&world.stick()).iter().filter(|name| !name.contains(".arca-")) {
                    let bytes = std::fs::read(world.stick().join(name)).unwrap();
                    assert!(name.ends_with(".sha256") || bytes == image(PUBLISHED[0].1), "{call} {how} {when}: {name}");
                    assert!(!bytes.is_empty());
                }
            }
            mirror().run().success();
            assert_eq!(files(&world.stick()).len(), 3, "{call} {how} {when}");
        }
    }
    assert!(broken >= 6, "only {broken} runs were broken");
}

/// A list about an image.
fn list(name: &str, bytes: &[u8]) -> File {
    let (size, sha256) = (Some(bytes.len() as u64), Some(Digest::of(bytes)));
    File { name: name.to_owned(), size, sha256, mirrors: vec![] }
}

#[test]
fn update_records_a_list_that_agrees_and_warns_of_one_that_does_not() {
    let (_, moving, immutable) = PUBLISHED[0];
    let bytes = image(moving);
    let path = format!("/tumbleweed/appliances/{immutable}.meta4");
    let right = list(immutable, &bytes);
    let line = format!("metalink = \"https://download.opensuse.org{path}\"\n");
    let world = World::new();
    let update = || world.bin().args(["update", NAS]).run().success();
    let quiet = update();
    assert!(!world.lock().contains("metalink") && !quiet.stderr.contains("warning"), "{quiet}");
    world.publisher.server.put(&path, right.print(), &[]);
    let quiet = update();
    assert!(world.lock().contains(&line) && !quiet.stderr.contains("warning"), "{}\n{quiet}", world.lock());
    for (text, told) in [
        (File { sha256: Some(Digest::of(b"")), ..right.clone() }.print(), "about other bytes"),
        (File { size: Some(1), ..right.clone() }.print(), "a file of 1 bytes"),
        (File { sha256: None, ..right.clone() }.print(), "gives no sha-256"),
        (File { name: moving.into(), ..right.clone() }.print(), "does not name the file"),
        ("<html>not here</html>".to_owned(), "not a Metalink list"),
        ("\u{1b}[2J".to_owned(), "not a Metalink list"),
    ] {
        world.publisher.server.put(&path, text, &[]);
        let warned = update().says("warning: ").says(told).says("it is not recorded");
        assert!(!world.lock().contains("metalink") && !warned.stderr.contains('\u{1b}'), "{told}");
    }
    world.publisher.server.put(&path, "", &[Behaviour::status("403 Forbidden")]);
    assert!(!update().stderr.contains("warning"));
}

#[test]
fn a_mirror_of_what_has_a_list_has_one_too_and_update_there_gives_the_same_lock() {
    let (_, moving, immutable) = PUBLISHED[0];
    let world = World::new();
    let path = format!("/tumbleweed/appliances/{immutable}.meta4");
    world.publisher.server.put(&path, list(immutable, &image(moving)).print(), &[]);
    world.bin().args(["update", NAS]).run().success();
    let mirrored = world.mirror(&[NAS]).success();
    let text = std::fs::read(world.stick().join(format!("download.opensuse.org{path}"))).unwrap();
    let found = metalink::parse(&text).unwrap();
    let file = found.file(immutable).unwrap();
    assert_eq!(File { mirrors: vec![], ..file.clone() }, list(immutable, &image(moving)));
    assert_eq!(
        file.mirrors[0].url.expose(),
        format!("https://download.opensuse.org/tumbleweed/appliances/{immutable}")
    );
    let (dir, bin) = elsewhere(&mirrored.stdout, None);
    bin().args(["--offline", "update", NAS]).run().success();
    assert_eq!(std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap(), world.lock());
}

#[test]
fn the_mirrors_of_a_recorded_list_are_asked_where_the_configuration_leads() {
    let bytes = image("x");
    let serve = |path: &str| {
        let server = Server::start();
        server.put(path, bytes.clone(), &[]);
        server
    };
    let (first, second) = (serve("/d/x.qcow2"), serve("/pub/x.qcow2"));
    let mirror = |url: &str| Mirror { url: crate::base::Url::parse(url).unwrap(), priority: 1 };
    // The last two are never asked: no https, and no public name.
    let mirrors = ["https://two.example/pub/x.qcow2", "http://three.example/x.qcow2", "https://192.0.2.1/x.qcow2"];
    let list = File { mirrors: mirrors.map(mirror).to_vec(), ..list("x.qcow2", &bytes) };
    first.put("/d/x.qcow2.meta4", list.print(), &[]);
    first.put("/d/x.qcow2.sha256", format!("{}  x.qcow2\n", Digest::of(&bytes)), &[]);
    let config = format!(
        "[mirrors]\n\"https://one.example/\" = \"{}\"\n\"https://two.example/\" = \"{}\"\n",
        first.url("/"),
        second.url("/")
    );
    let (dir, bin) = elsewhere(&config, None);
    let recipe = "format = 1\nname = \"x\"\n[base]\nurl = \"https://one.example/d/x.qcow2\"\n";
    std::fs::write(dir.path().join("x.toml"), recipe).unwrap();
    bin().args(["update", "x.toml"]).run().success();
    first.put("/d/x.qcow2", "", &[Behaviour::status("404 Not Found")]);
    let fetched = bin().args(["-v", "fetch", "x.toml"]).run().success().says("trying the next address");
    let line = format!(" from {}", second.url("/pub/x.qcow2"));
    assert!(fetched.stderr.lines().any(|told| told.starts_with("fetched ") && told.ends_with(&line)), "{fetched}");
    assert!(!fetched.stderr.contains("three.example") && !fetched.stderr.contains("192.0.2.1"), "{fetched}");
}
