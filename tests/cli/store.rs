//! `store verify|gc|du|root` and `build --verify`: every flag, by the whole program.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::Digest;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, Output, output, tool, workdir};

/// A world with the demo built and linked.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(workdir());
        world.run(&["build", "demo"]).success();
        world
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, words: &[&str]) -> Output {
        Bin::new(self.path()).args(words).run()
    }

    fn store(&self, words: &[&str]) -> Output {
        Bin::new(self.path()).arg("store").args(words).run()
    }

    fn cache(&self, name: &str) -> PathBuf {
        self.path().join("cache").join(name)
    }

    /// Builds the demo's bundle again under another provisioning, without a link.
    fn build_variant(&self, number: u32) -> String {
        let recipe = self.path().join(format!("variant-{number}.toml"));
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        if !self.path().join("demo").exists() {
            copy_tree(&demo.join("demo"), &self.path().join("demo"));
        }
        let text = std::fs::read_to_string(demo.join("demo.toml")).unwrap();
        let old = text.lines().find(|line| line.starts_with("description = ")).unwrap();
        std::fs::write(&recipe, text.replace(old, &format!("description = \"variant {number}\""))).unwrap();
        let built = self.run(&["build", "--no-link", "--json", recipe.to_str().unwrap()]).success().json();
        let path = PathBuf::from(built["bundles"][0]["path"].as_str().unwrap());
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn bundles(&self) -> Vec<String> {
        names(&self.cache("bundles-v1"))
    }

    fn result(&self, file: &str) -> PathBuf {
        self.path().join("result-demo").join(file)
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target)
        } else {
            std::fs::write(&target, std::fs::read(&path).unwrap()).unwrap()
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn objects(cache: &Path) -> Vec<PathBuf> {
    let fans = names(&cache.join("objects-v1"));
    let of = |fan: String| {
        let dir = cache.join("objects-v1").join(fan);
        names(&dir).into_iter().map(move |name| dir.join(name))
    };
    fans.into_iter().flat_map(of).collect()
}

/// Changes a byte and leaves the times as they are.
fn rot(path: &Path) {
    use std::os::unix::fs::FileExt;
    let before = std::fs::metadata(path).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, before.len() / 2).unwrap();
    file.write_all_at(&[byte[0] ^ 4], before.len() / 2).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    std::fs::set_permissions(path, before.permissions()).unwrap();
}

fn remove(path: &Path) {
    let parent = path.parent().unwrap().canonicalize().unwrap();
    std::fs::set_permissions(&parent, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::remove_file(parent.join(path.file_name().unwrap())).unwrap();
}

#[test]
fn cas_05_build_verify_finds_rot_that_a_plain_build_trusts() {
    let world = World::new();
    let base = world.result("base.qcow2");
    let right = Digest::of(&std::fs::read(&base).unwrap());
    rot(&base);
    world.run(&["build", "demo"]).success().says("nothing to do");
    assert_ne!(Digest::of(&std::fs::read(&base).unwrap()), right, "a plain build trusts the stamp");
    let built = world.run(&["build", "--verify", "demo"]).success().says("was damaged");
    assert!(!built.stderr.contains("nothing to do"), "{built}");
    assert_eq!(Digest::of(&std::fs::read(&base).unwrap()), right);
    let again = world.run(&["build", "--verify", "demo"]).success().says("nothing to do");
    assert!(!again.stderr.contains("damaged"), "{again}");
    for flag in ["--check", "--dry-run"] {
        world.run(&["build", "--verify", flag, "demo"]).ends_with(2);
    }
}

#[test]
fn cas_05_store_verify_tells_what_is_damaged_and_repair_heals_what_it_can() {
    let world = World::new();
    let clean = world.store(&["verify"]).success();
    assert!(clean.stdout.contains("0 damaged, 0 lost, 0 healed"), "{clean}");
    // An object without its name has another in the bundle.
    let object = objects(&world.cache("")).remove(0);
    remove(&object);
    let told = world.store(&["verify"]).ends_with(3).says("E_CACHE_CORRUPT").says("--repair").says("lost");
    assert!(told.stdout.contains("1 lost"), "{told}");
    let healed = world.store(&["verify", "--repair"]).success().says("healed: object sha256:");
    assert!(object.exists() && healed.stdout.contains("1 lost"), "{healed}");
    world.store(&["verify"]).success();
    // A file of the bundle has another name among the objects.
    for file in ["base.qcow2", "system.qcow2"] {
        remove(&world.result(file));
        world.store(&["verify", "--repair"]).success().says("healed: bundle");
        world.run(&["verify", "result-demo"]).success();
    }
    // Rot hits both names; only the build brings it back, and the output says so.
    rot(&world.result("config.ign"));
    let told = world.store(&["verify", "--repair", "--json"]).ends_with(3);
    let json: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&told.stdout).into_iter().map(|value| value.unwrap()).collect();
    assert_eq!(json[0]["damaged"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(json[0]["wanting"][0]["holder"], world.path().join("result-demo").to_str().unwrap());
    assert!(told.stderr.contains("arca-build build RECIPE"), "{told}");
    world.run(&["build", "demo"]).success();
    world.store(&["verify"]).success();
    world.run(&["verify", "result-demo"]).success();
    assert!(!names(&world.cache("quarantine")).is_empty());
}

#[test]
fn cas_08_repair_heals_by_copies_where_no_hard_link_may_be_made() {
    let Some(strace) = tool("strace") else { return };
    let world = World::new();
    let repair = || {
        let options = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:error=EPERM"];
        Bin::new(world.path()).args(["store", "verify", "--repair"]).under(&strace, &options).run().success()
    };
    for object in objects(&world.cache("")) {
        let before = std::fs::read(&object).unwrap();
        remove(&object);
        repair().says("healed: object sha256:");
        assert_eq!(std::fs::read(&object).unwrap(), before);
    }
    // Each object has bytes of its own now, so a bundle's file comes back from there.
    for file in ["base.qcow2", "config.ign"] {
        remove(&world.result(file));
        repair().says("healed: bundle");
        world.run(&["verify", "result-demo"]).success();
    }
    world.store(&["verify"]).success();
}

#[test]
fn cas_13_what_is_written_through_a_bundle_is_found_by_store_verify() {
    let world = World::new();
    // Not an object: a launch file has no other copy.
    rot(&world.result("run-qemu.sh"));
    world.run(&["build", "demo"]).success().says("nothing to do");
    world.store(&["verify"]).ends_with(3).says("run-qemu.sh");
    assert!(world.bundles().is_empty());
    world.run(&["build", "demo"]).success();
    world.run(&["verify", "result-demo"]).success();
    // Without its record the bundle's own manifest speaks.
    let record = world.cache("stamps-v1").join(&world.bundles()[0]);
    std::fs::remove_file(&record).unwrap();
    world.store(&["verify"]).success();
    rot(&world.result("domain.xml"));
    world.store(&["verify"]).ends_with(3).says("domain.xml");
    assert!(world.bundles().is_empty());
}

#[test]
fn gc_03_a_garbled_root_stops_the_collector_and_the_way_out_is_told() {
    let world = World::new();
    let file = names(&world.cache("roots-v1")).remove(0);
    std::fs::write(world.cache("roots-v1").join(&file), "rot").unwrap();
    world.store(&["gc", "--grace", "0"]).ends_with(3).says("nothing was removed").says(&file);
    world.store(&["verify", "--repair"]).ends_with(3).says(&file).says("store root remove");
    assert!(world.store(&["root", "list"]).success().stdout.contains("corrupt root record"));
    world.run(&["build", "demo"]).success();
    world.store(&["verify"]).success();
    std::fs::write(world.cache("roots-v1").join(&file), "rot").unwrap();
    world.store(&["root", "remove", &file]).success();
    assert!(names(&world.cache("roots-v1")).is_empty());
}

#[test]
fn gc_03_roots_that_the_disk_does_not_give_stop_the_collector() {
    let Some(strace) = tool("strace") else { return };
    let world = World::new();
    let second = world.build_variant(1);
    world.store(&["root", "add", "two", &second]).success();
    let roots = world.cache("roots-v1").canonicalize().unwrap();
    let files = names(&roots).into_iter().map(|name| (roots.join(name), "read"));
    // Each file alone: what the others keep must not pass for all that is kept.
    for (path, call) in files.chain([(roots.clone(), "getdents64")]) {
        let (path, inject) = (path.to_str().unwrap(), format!("inject={call}:error=EIO"));
        let options = ["-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &inject];
        let words = ["store", "gc", "--grace", "0", "--without-roots"];
        let told = Bin::new(world.path()).args(words).under(&strace, &options).run();
        told.ends_with(5).says("E_IO").says("nothing was removed");
        assert_eq!(world.bundles().len(), 2);
    }
    world.store(&["gc", "--grace", "0", "--without-roots"]).success();
    assert_eq!(world.bundles().len(), 2);
}

#[test]
fn gc_03_without_any_root_nothing_is_collected_unless_told() {
    let world = World::new();
    for file in names(&world.cache("roots-v1")) {
        std::fs::remove_file(world.cache("roots-v1").join(file)).unwrap();
    }
    world.store(&["gc", "--grace", "0"]).ends_with(2).says("E_USAGE").says("--without-roots");
    world.run(&["verify", "result-demo"]).success();
    let told = world.store(&["gc", "--grace", "0", "--dry-run"]).success().says("--without-roots");
    assert!(told.stdout.starts_with("would remove"), "{told}");
    world.store(&["gc", "--grace", "0", "--without-roots"]).success();
    assert!(world.bundles().is_empty());
    // With nothing to lose there is nothing to refuse.
    world.store(&["gc", "--grace", "0"]).success();
}

#[test]
fn gc_keeps_the_young_and_tells_sizes_in_a_dry_run() {
    let world = World::new();
    std::fs::remove_file(world.path().join("result-demo")).unwrap();
    assert!(world.store(&["gc"]).success().stdout.starts_with("removed 0 files"));
    let json = world.store(&["gc", "--grace", "0", "--dry-run", "--json"]).success().json();
    let sizes: u64 = json["removed"].as_array().unwrap().iter().map(|removed| removed["size"].as_u64().unwrap()).sum();
    assert_eq!(json["freed"], sizes);
    assert!(sizes > 0 && json["dry_run"] == true);
    let before = used(&world);
    assert_eq!(world.bundles().len(), 1);
    world.store(&["gc", "--grace", "0"]).success();
    // Directories go too, so a little more than told.
    let freed = before - used(&world);
    assert!((sizes..sizes + (200 << 10)).contains(&freed), "told {sizes}, freed {freed}");
}

/// What `du` says of the store.
fn used(world: &World) -> u64 {
    world.store(&["du", "--json"]).success().json()["total"].as_u64().unwrap()
}

#[test]
fn gc_keep_last_keeps_the_newest_of_each_name() {
    let world = World::new();
    std::fs::remove_file(world.path().join("result-demo")).unwrap();
    let bundles: Vec<_> = (0..3).map(|number| world.build_variant(number)).collect();
    assert_eq!(world.bundles().len(), 4);
    world.store(&["gc", "--grace", "0", "--keep-last", "2"]).success();
    let mut expected = bundles[1..].to_vec();
    expected.sort();
    assert_eq!(world.bundles(), expected);
    for bundle in &bundles[1..] {
        let place = world.cache("bundles-v1").join(bundle);
        world.run(&["verify", place.to_str().unwrap()]).success();
    }
    world.store(&["verify"]).success();
}

#[test]
fn gc_max_size_takes_what_was_used_longest_ago_until_it_fits_and_never_what_is_rooted() {
    let world = World::new();
    let bundles: Vec<_> = (0..3).map(|number| world.build_variant(number)).collect();
    // The first was used last.
    let now = SystemTime::now();
    for (bundle, hours) in bundles.iter().zip([1, 3, 2]) {
        let then = now - Duration::from_secs(hours * 3600);
        let times = std::fs::FileTimes::new().set_accessed(then).set_modified(then);
        for place in [world.cache("stamps-v1").join(bundle), world.cache("bundles-v1").join(bundle)] {
            std::fs::File::open(place).unwrap().set_times(times).unwrap();
        }
    }
    let total = used(&world);
    // Room for all but a byte: the one used longest ago goes, and no more.
    let size = format!("{}B", total - 1);
    let told = world.store(&["gc", "--grace", "0", "--max-size", &size]).success();
    assert!(!world.bundles().contains(&bundles[1]), "{told}");
    assert!(world.bundles().contains(&bundles[0]) && world.bundles().contains(&bundles[2]), "{told}");
    assert!(used(&world) < total, "{told}");
    // Enough room: nothing goes.
    let told = world.store(&["gc", "--grace", "0", "--max-size", "1GiB", "--json"]).success().json();
    assert_eq!((&told["removed"], &told["fits"]), (&serde_json::json!([]), &true.into()));
    // No room: everything goes but what the link keeps, and that it does not fit is told.
    world.store(&["gc", "--grace", "0", "--max-size", "1KiB"]).success().says("above 1 KiB");
    assert_eq!(world.bundles().len(), 1);
    world.run(&["verify", "result-demo"]).success();
    world.store(&["gc", "--max-size", "1GB"]).ends_with(2).says("KiB, MiB, GiB");
}

#[test]
fn a_named_root_keeps_a_bundle_until_it_is_removed() {
    let world = World::new();
    let second = world.build_variant(1);
    world.store(&["root", "add", "one", "result-nas"]).ends_with(2).says("no bundle of this name");
    world.store(&["root", "add", "one", "result-demo"]).success().says("`one` keeps bundle demo");
    world.store(&["root", "add", "two", &second]).success();
    world.store(&["root", "add", "three", "demo"]).ends_with(2).says("several bundles");
    world.store(&["root", "add", "three", "./result-demo", &second]).ends_with(2).says("one bundle");
    world.store(&["root", "add", "three", "/etc/hostname"]).ends_with(2).says("does not lead into the store");
    world.store(&["root", "add", "no good", "./result-demo"]).ends_with(2).says("is not a valid name for a root");
    std::fs::remove_file(world.path().join("result-demo")).unwrap();
    world.store(&["gc", "--grace", "0"]).success();
    assert_eq!(world.bundles().len(), 2);
    let list = world.store(&["root", "list"]).success();
    assert!(list.stdout.contains("one  bundle demo (") && list.stdout.contains("two  bundle demo ("), "{list}");
    let json = world.store(&["root", "list", "--json"]).success().json();
    assert_eq!(json["roots"].as_array().unwrap().len(), 2);
    assert_eq!(json["roots"][0]["state"], "live");
    world.store(&["root", "remove", "one"]).success();
    world.store(&["root", "remove", "one"]).ends_with(2).says("store root list");
    world.store(&["gc", "--grace", "0"]).success();
    assert_eq!(world.bundles(), [second]);
    // What the root kept is enough to build it again without a network.
    world.run(&["--offline", "build", "variant-1.toml"]).success().says("nothing to do");
}

#[test]
fn gc_01_what_fetch_and_import_brought_stays_as_long_as_the_recipe_is_there() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let run = |words: &[&str]| Bin::new(dir.path()).arg("--config").arg(&publisher.config).args(words).run();
    run(&["update", "recipes/nas.toml"]).success();
    let fetched = run(&["fetch", "recipes/nas.toml"]).success();
    run(&["store", "gc", "--grace", "0"]).success();
    assert!(Path::new(fetched.line()).exists());
    run(&["--offline", "build", "--no-link", "recipes/nas.toml"]).success().says("nothing fetched");
    let by_path = run(&["store", "root", "list"]).success();
    assert!(by_path.stdout.contains("recipes/nas.toml  "), "{by_path}");
    // Objects can be named too, by the path that fetch prints.
    run(&["store", "root", "add", "base", fetched.line()]).success().says("1 object");
    run(&["store", "root", "remove", "base"]).success();
    run(&["export", "recipes/nas.toml", "-o", "nas.arca"]).success();
    // The recipe goes, and with it what it kept.
    std::fs::rename(dir.path().join("recipes"), dir.path().join("elsewhere")).unwrap();
    std::fs::create_dir(dir.path().join("recipes")).unwrap();
    run(&["store", "gc", "--grace", "0"]).success();
    assert!(!Path::new(fetched.line()).exists());
    // An import keeps what it brought as long as its directory is there.
    run(&["import", "nas.arca", "--trust"]).success();
    run(&["store", "gc", "--grace", "0"]).success();
    assert!(Path::new(fetched.line()).exists());
    std::fs::remove_dir_all(dir.path().join("nas")).unwrap();
    run(&["store", "gc", "--grace", "0"]).success();
    assert!(!Path::new(fetched.line()).exists());
}

#[test]
fn gc_01_a_fetched_recipe_lets_go_what_its_pins_name_no_more() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let run = |words: &[&str]| Bin::new(dir.path()).arg("--config").arg(&publisher.config).args(words).run();
    run(&["update", "recipes/nas.toml"]).success();
    let old = run(&["fetch", "recipes/nas.toml"]).success();
    publisher.weigh("nas", 300_000, &[]);
    run(&["update", "recipes/nas.toml"]).success();
    run(&["build", "recipes/nas.toml"]).success();
    run(&["store", "gc", "--grace", "0"]).success();
    assert!(!Path::new(old.line()).exists());
    run(&["verify", "result-nas"]).success();
}

#[test]
fn du_adds_up_to_what_the_file_system_says_and_tells_shared_from_own() {
    let world = World::new();
    let second = world.build_variant(1);
    let json = world.store(&["du", "--json"]).success().json();
    let kinds: u64 = json["kinds"].as_array().unwrap().iter().map(|kind| kind["size"].as_u64().unwrap()).sum();
    assert_eq!(json["total"], kinds);
    if let Some(du) = tool("du") {
        let mut command = std::process::Command::new(du);
        let line = output(command.args(["-s", "-B1"]).arg(world.cache(""))).success();
        assert_eq!(line.stdout.split_whitespace().next().unwrap(), kinds.to_string(), "{line}");
    }
    let bundles = json["bundles"].as_array().unwrap();
    assert_eq!(bundles.len(), 2);
    let base = std::fs::metadata(world.result("base.qcow2")).unwrap().blocks() * 512;
    for bundle in bundles {
        assert!(bundle["shared"].as_u64().unwrap() >= base, "{bundle}");
        assert!(bundle["own"].as_u64().unwrap() > 0, "{bundle}");
    }
    let text = world.store(&["du"]).success();
    assert!(text.stdout.contains("not kept by any root") && text.stdout.contains("result-demo"), "{text}");
    assert!(text.stdout.lines().all(|line| line.len() <= 80 || line.contains("result-demo")), "{text}");
    assert!(!second.is_empty());
}

#[test]
fn cas_10_a_store_on_a_read_only_mount_serves_hits_and_says_why_it_keeps_nothing() {
    let Some(unshare) = tool("unshare") else { return };
    let world = World::new();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" || exit 77; exec \"$@\"";
    let cache = world.cache("");
    let sealed = |words: &[&str]| {
        let options = ["-Urm", "sh", "-c", script, cache.to_str().unwrap()];
        Bin::new(world.path()).args(words).under(&unshare, &options).run()
    };
    let hit = sealed(&["build", "demo"]);
    if hit.code == 77 || hit.stderr.contains("unshare") {
        return crate::tests::support::skip("a mount namespace of its own");
    }
    hit.success().says("nothing to do");
    sealed(&["build", "--verify", "demo"]).success().says("nothing to do");
    sealed(&["store", "du"]).success();
    sealed(&["store", "verify"]).success();
    // A link elsewhere cannot be recorded, and that is told; the build counts all the same.
    std::fs::create_dir(world.path().join("elsewhere")).unwrap();
    std::fs::remove_file(world.path().join("result-demo")).unwrap();
    sealed(&["build", "demo"]).success();
    world.build_variant(7);
    std::fs::write(
        world.path().join("new.toml"),
        std::fs::read_to_string(world.path().join("variant-7.toml")).unwrap().replace("variant 7", "variant 8"),
    )
    .unwrap();
    let miss = sealed(&["build", "--no-link", "new.toml"]).ends_with(5);
    assert!(miss.stderr.contains("E_CACHE_RO") && miss.stderr.contains("takes nothing new"), "{miss}");
    for words in
        [&["store", "gc", "--grace", "0"][..], &["store", "verify", "--repair"], &["store", "root", "add", "x", "demo"]]
    {
        let refused = sealed(words);
        assert!(refused.code != 70 && !refused.stderr.contains("E_BUG"), "{refused}");
    }
}

#[test]
fn a_question_makes_no_store() {
    let dir = workdir();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    // One that nobody named may be missing; one that is named must be there (`tests/cli/exits.rs`).
    for cache in ["empty", "missing/deep"] {
        let run = |words: &[&str]| {
            let bin = Bin::new(dir.path()).env("ARCA_CACHE", dir.path().join(cache)).arg("store");
            bin.args(words).run().success()
        };
        let told = run(&["du"]).says(&format!("there is no store in `{}` yet", dir.path().join(cache).display()));
        assert!(told.stdout.contains("0 B  together"), "{told}");
        let json = run(&["du", "--json"]).json();
        assert_eq!((&json["total"], json["kinds"].as_array().unwrap().len()), (&0.into(), 9), "{json}");
        assert_eq!(run(&["root", "list"]).stdout, "");
        run(&["verify"]).says("there is no store");
        run(&["gc"]).says("there is no store");
    }
    assert!(std::fs::read_dir(dir.path().join("empty")).unwrap().next().is_none());
    assert!(!dir.path().join("missing").exists());
    // What is not a store and not empty is refused as ever.
    std::fs::write(dir.path().join("empty/mine"), "").unwrap();
    Bin::new(dir.path())
        .args(["--cache", "empty", "store", "du"])
        .run()
        .ends_with(2)
        .says("is not a store and not empty");
}
