//! `install` and `uninstall`: what is told, what is refused, what stays. libvirt is a stand-in (support/virsh.rs); the real
//! one is in tests/guest/install.rs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tests::support::virsh::{Fake, names};
use crate::tests::support::{Bin, Output, output, skip, tool, workdir};

/// What a recipe says of accelerator and network when a case does not.
const ACCEL: &str = "accel = \"tcg\"";
/// See [`ACCEL`].
const NETWORK: &str = "network = \"none\"";

struct World {
    dir: tempfile::TempDir,
    fake: Fake,
}

impl World {
    fn new() -> Self {
        let dir = workdir();
        let fake = Fake::new(dir.path());
        let world = Self { dir, fake };
        std::fs::create_dir(world.storage()).unwrap();
        Bin::new(world.dir.path()).args(["build", "demo"]).run().success();
        world
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    fn run(&self, words: &[&str]) -> Output {
        self.fake.bin(self.dir.path(), words).run()
    }

    /// Installs into the storage for a session.
    fn install(&self, words: &[&str]) -> Output {
        let given = ["install", "--connect", "qemu:///session", "--storage", "storage"];
        self.run(&[&given, words].concat())
    }

    /// Writes a recipe that is the demo but for some lines of `[machine]`.
    fn recipe(&self, name: &str, lines: &str) -> String {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let text = std::fs::read_to_string(from.join("demo.toml")).unwrap();
        let kept = |line: &&str| !["accel =", "network ="].iter().any(|key| line.starts_with(key));
        let text: String = text.lines().filter(kept).map(|line| format!("{line}\n")).collect();
        let text = text.replace("name = \"demo\"", &format!("name = \"{name}\""));
        let default = |key: &str, line| if lines.contains(key) { "" } else { line };
        let lines = format!("{lines}\n{}\n{}", default("accel", ACCEL), default("network", NETWORK));
        let text = text.replacen("[machine]\n", &format!("[machine]\n{lines}\n"), 1);
        let beside = self.dir.path().join("demo");
        if !beside.exists() {
            output(Command::new("cp").arg("-r").arg(from.join("demo")).arg(&beside)).success();
        }
        std::fs::write(self.dir.path().join(format!("{name}.toml")), text).unwrap();
        format!("{name}.toml")
    }
}

/// What `run` does for every bundle: a session has no `default`, which is what a recipe has where it says nothing.
#[test]
fn a_session_gets_user_networking_in_place_of_the_default_network_and_is_told() {
    let world = World::new();
    let recipe = world.recipe("home", "network = \"network:default\"");
    let done = world.install(&[&recipe]).success().says("a session has no network `default`");
    assert!(done.stderr.contains("user networking, as with `run`"), "{done}");
    let xml = std::fs::read_to_string(world.storage().join("home/domain.xml")).unwrap();
    assert!(xml.contains("<interface type=\"user\">") && !xml.contains("network=\"default\""), "{xml}");
}

/// Who knows the example could log in to the machine; what `[allow]` says is of no account.
#[test]
fn sec_4_no_machine_that_lasts_has_the_login_of_an_example() {
    let world = World::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPm0Q788hbFbKRJVAFal545wxGhhm6P19iYViIoIiYsL example";
    let logins = [
        ("key", format!("[provision.root]\nssh_keys = [\"{key}\"]\n")),
        (
            "ignition",
            format!("[provision]\nengine = \"ignition\"\n[[provision.user]]\nname = \"a\"\nssh_keys = [\"{key}\"]\n"),
        ),
        (
            "hidden",
            format!(
                "[provision]\nengine = \"ignition\"\n[[provision.file]]\npath = \"/root/.ssh/authorized_keys\"\ntext = \"{key}\"\n"
            ),
        ),
        ("allowed", format!("[allow]\nexample-login = \"a test\"\n[provision.root]\nssh_keys = [\"{key}\"]\n")),
    ];
    for (name, login) in logins {
        let recipe = world.recipe(name, "");
        let path = world.dir.path().join(&recipe);
        let text = std::fs::read_to_string(&path).unwrap();
        let end = text.find("[provision").unwrap();
        std::fs::write(&path, format!("{}{login}", &text[..end])).unwrap();
        let built = Bin::new(world.dir.path()).args(["build", &recipe]).run().success();
        assert_eq!(built.stderr.contains("example"), name != "allowed", "{name}: {built}");
        for target in [recipe.clone(), format!("result-{name}")] {
            let told = world.install(&[&target]).ends_with(5).says("password or ssh key of an example");
            assert!(told.stderr.contains("arca-build passwd") && !told.stderr.contains("AAAAC3"), "{told}");
        }
        assert!(!world.storage().join(name).exists());
    }
}

#[test]
fn an_instance_is_installed_told_and_taken_away() {
    let world = World::new();
    let done = world.install(&["result-demo"]).success();
    let directory = world.storage().join("demo");
    assert_eq!(done.line(), directory.to_str().unwrap());
    for part in ["start it   virsh -c qemu:///session start demo", "remove it  arca-build uninstall demo --storage "] {
        assert!(done.stderr.contains(part), "{part}\n{done}");
    }
    let files = names(&directory);
    let expected = ["base.qcow2", "config.qcow2", "data-data1.qcow2", "domain.xml", "instance.json", "system.qcow2"];
    assert_eq!(files, expected);
    let xml = std::fs::read_to_string(directory.join("domain.xml")).unwrap();
    assert!(xml.contains(&format!("file=\"{}/system.qcow2\"", directory.display())), "{xml}");
    assert!(world.fake.get("domains").ends_with(" demo shut off\n"));
    world.install(&["result-demo"]).ends_with(5).says("exists already").says("arca-build uninstall demo");
    let gone = world.run(&["uninstall", "demo", "--storage", "storage"]).success();
    assert_eq!((gone.stdout.as_str(), world.fake.get("domains").as_str()), ("", ""));
    assert_eq!(names(&world.storage()), [""; 0]);
    world.run(&["uninstall", "demo", "--storage", "storage"]).ends_with(2).says("there is no instance `demo`");
}

#[test]
fn names_and_transports_are_chosen_and_json_tells_all() {
    let world = World::new();
    let told =
        world.install(&["result-demo", "--name", "two", "--transport", "fw_cfg", "--start", "--json"]).success().json();
    assert_eq!((told["state"].as_str(), told["name"].as_str()), (Some("running"), Some("two")));
    let files = names(&world.storage().join("two"));
    assert!(files.contains(&"config.ign".to_owned()) && !files.contains(&"config.qcow2".to_owned()), "{files:?}");
    let other = world.install(&["result-demo", "--json"]).success().json();
    assert_ne!(told["uuid"], other["uuid"]);
    assert_ne!(told["mac"], other["mac"]);
    world.run(&["uninstall", "two", "--storage", "storage"]).ends_with(5).says("`two` is running").says("shutdown two");
    let gone = world.run(&["uninstall", "demo", "--storage", "storage", "--json"]).success().json();
    assert_eq!((gone["undefined"].as_bool(), gone["kept"].as_array().map(Vec::len)), (Some(true), Some(0)));
    world.install(&["result-demo", "--name", "a/b"]).ends_with(2);
}

/// Runs a command where this host has another id.
fn on_host(world: &World, id: &str, words: &[&str]) -> Output {
    let file = world.dir.path().join("host-id");
    std::fs::write(&file, id).unwrap();
    let given = ["install", "--connect", "qemu:///session", "--storage", "storage", "result-demo", "--json"];
    let mount = format!("mount --bind '{}' /etc/machine-id && exec \"$@\"", file.display());
    let wrapper = ["--user", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let unshare = tool("unshare").expect("asked before");
    world.fake.bin(world.dir.path(), &[&given, words].concat()).under(&unshare, &wrapper).run()
}

#[test]
fn on_two_hosts_one_bundle_is_two_machines_where_that_is_asked_and_is_told_of_where_not() {
    let (Some(_), Some(_)) = (tool("unshare"), tool("mount")) else { return };
    let world = World::new();
    let probe = Command::new("unshare").args(["-rm", "mount", "--bind", "/dev/null", "/etc/machine-id"]).output();
    if !probe.unwrap().status.success() {
        return skip("user namespaces and /etc/machine-id");
    }
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let who = |told: Output| {
        let told = told.success().json();
        (told["uuid"].as_str().unwrap().to_owned(), told["mac"].as_str().unwrap().to_owned(), told["notes"].to_string())
    };
    let first = who(on_host(&world, &one, &["--unique", "--dry-run"]));
    let second = who(on_host(&world, &two, &["--unique", "--dry-run"]));
    assert!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}");
    assert!(!first.2.contains("--unique") && !first.2.contains(&one), "{first:?}");
    let shared = who(on_host(&world, &one, &["--dry-run"]));
    assert_eq!(shared, who(on_host(&world, &two, &["--dry-run"])));
    assert!(shared.2.contains("`--unique` makes them this host's own") && shared.0 != first.0, "{shared:?}");
    assert!(!who(on_host(&world, &one, &["--name", "two", "--dry-run"])).2.contains("--unique"));

    // What is installed is what was told, and goes by its record.
    assert_eq!(who(on_host(&world, &one, &["--unique"])), first);
    let xml = std::fs::read_to_string(world.storage().join("demo/domain.xml")).unwrap();
    assert!(xml.contains(&first.0) && !xml.contains(&one), "{xml}");
    world.run(&["uninstall", "demo", "--storage", "storage"]).success();
    assert_eq!(world.fake.get("domains"), "");

    for id in ["", "uninitialized\n", "no id\n"] {
        let told = on_host(&world, id, &["--unique"]).ends_with(5);
        assert!(told.stderr.contains("systemd-machine-id-setup") && told.stderr.contains("--name"), "{told}");
    }
    let fixed = world.recipe("fixed", "mac = \"52:54:00:00:00:07\"\nnetwork = \"user\"");
    world.install(&[&fixed, "--unique", "--dry-run"]).says("the recipe's `mac` stays as it is");
}

#[test]
fn a_dry_run_tells_all_and_changes_nothing() {
    let world = World::new();
    let told = world.install(&["result-demo", "--dry-run", "--start"]).success();
    for part in ["/storage/demo/base.qcow2  ", "shared with other instances", "define --validate ", " start demo\n"] {
        assert!(told.stdout.contains(part), "{part}\n{told}");
    }
    assert!(told.stderr.contains("at most") && told.stderr.contains("are free"), "{told}");
    assert_eq!(names(&world.storage()), [""; 0]);
    assert_eq!(world.fake.get("domains"), "");
    let log = world.fake.get("log");
    assert!(!log.contains("define") && !log.contains("start"), "{log}");
    world.fake.set("domains", "u demo running\n");
    world.install(&["result-demo", "--dry-run"]).ends_with(5).says("a domain `demo` is defined already");
}

/// A name of a case, how the world is changed for it, lines of `[machine]`, and what must be told.
type Case = (&'static str, fn(&World), &'static str, &'static [&'static str]);

/// Without one of these, libvirt would refuse later, or the guest stand still.
const CASES: [Case; 10] = [
    (
        "domain",
        |world| world.fake.set("domains", "u domain shut off\n"),
        "",
        &["a domain `domain` is defined already", "--name"],
    ),
    ("no-network", |_| {}, "network = \"network:lan\"", &["libvirt has no network `lan`", "network = \"user\""]),
    (
        "asleep",
        |world| world.fake.set("networks", "lan inactive\n"),
        "network = \"network:lan\"",
        &["is not active", "net-start lan"],
    ),
    ("bridge", |_| {}, "network = \"bridge:br-none\"", &["there is no bridge `br-none`"]),
    (
        "kvm",
        |world| world.fake.set("no-kvm", ""),
        "accel = \"kvm\"",
        &["KVM cannot be used here", "KVM is not supported", "accel = \"tcg\""],
    ),
    ("emulator", |world| world.fake.set("no-emulator", ""), "", &["no emulator for x86_64", "qemu-system-x86"]),
    ("uefi", |world| world.fake.set("no-uefi", ""), "firmware = \"uefi\"", &["no UEFI firmware", "ovmf"]),
    ("down", |world| world.fake.set("down", ""), "", &["libvirt does not answer", "failed to connect"]),
    (
        "taken",
        |world| std::fs::create_dir(world.storage().join("taken")).unwrap(),
        "",
        &["/taken` exists already", "no `instance.json`", "--name"],
    ),
    (
        "nowhere",
        |world| std::fs::remove_dir(world.storage()).unwrap(),
        "",
        &["there is no storage directory", "mkdir -p"],
    ),
];

#[test]
fn out_7_what_libvirt_would_fail_on_later_is_told_before() {
    for (name, change, lines, told) in CASES {
        let world = World::new();
        let recipe = world.recipe(name, lines);
        change(&world);
        let refused = world.install(&[&recipe]).ends_with(5);
        assert!(refused.stderr.contains("E_PREFLIGHT"), "{name}\n{refused}");
        told.iter().for_each(|part| assert!(refused.stderr.contains(part), "{name}: {part}\n{refused}"));
        assert!(!world.fake.get("log").contains("define "), "{name}");
        if world.storage().exists() {
            assert!(names(&world.storage()).iter().all(|left| left == "taken"), "{name}");
        }
    }
}

#[test]
fn out_7_everything_that_stands_in_the_way_is_told_at_once() {
    let world = World::new();
    world.fake.set("no-kvm", "");
    world.fake.set("networks", "");
    world.fake.set("domains", "u all shut off\n");
    let recipe = world.recipe("all", "accel = \"kvm\"\nnetwork = \"network:default\"");
    // The home keeps all others out, and the system's QEMU runs as somebody else.
    std::fs::set_permissions(world.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let given = ["install", &recipe, "--connect", "qemu:///system", "--storage", "storage"];
    let refused = world.run(&given).ends_with(5);
    let closed =
        format!("the user `libvirt-qemu`, as whom libvirt runs QEMU, cannot enter `{}`", world.dir.path().display());
    let told = [
        closed.as_str(),
        "setfacl -m u:libvirt-qemu:x",
        "KVM cannot be used",
        "no network `default`",
        "a domain `all`",
        "4 errors",
    ];
    told.iter().for_each(|part| assert!(refused.stderr.contains(part), "{part}\n{refused}"));
    let json = world.run(&[&given[..], &["--json"]].concat()).ends_with(5).json();
    let codes: Vec<_> =
        json["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E_PREFLIGHT"; 4]);
}

#[test]
fn out_3_a_storage_path_that_virt_install_mishandles_is_refused() {
    let world = World::new();
    for odd in ["a b", "a'b", "a&b", "a,b", "a/../b", "a\nb"] {
        let given = ["install", "result-demo", "--connect", "qemu:///session", "--storage", odd];
        world.run(&given).ends_with(5).says("E_PREFLIGHT").says("not a valid storage directory");
    }
    let remote = ["install", "result-demo", "--connect", "qemu+ssh://host/system"];
    world.run(&remote).ends_with(2).says("another machine");
    let path = world.dir.path().join("result-demo");
    let lonely = Bin::new(world.dir.path()).env("PATH", "/nowhere").args([
        "install",
        "--connect",
        "qemu:///session",
        "--storage",
        "storage",
    ]);
    lonely.arg(path).run().ends_with(5).says("there is no program `virsh`").says("libvirt-clients");
}

#[test]
fn cas_04_too_little_space_is_told_before_a_byte_is_written() {
    let Some(unshare) = tool("unshare") else { return };
    let world = World::new();
    let script = "mount -t tmpfs -o size=32k none storage && exec \"$@\"";
    let words = ["install", "result-demo", "--connect", "qemu:///session", "--storage", "storage"];
    let bin = world.fake.bin(world.dir.path(), &words);
    let told = bin.under(&unshare, &["-rm", "sh", "-c", script, "sh"]).run();
    if told.stderr.contains("unshare") {
        return crate::tests::support::skip("a user namespace");
    }
    told.ends_with(5).says("too little space").says("needed:").says("32 KiB").says("share blocks");
}

#[test]
fn img_12_a_damaged_bundle_is_not_installed() {
    let world = World::new();
    world.run(&["build", "demo", "--out", "copy"]).success();
    for (file, code) in [("base.qcow2", 3), ("config.qcow2", 3), ("machine.json", 3)] {
        let path = world.dir.path().join("copy").join(file);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &bad).unwrap();
        world.install(&["copy"]).ends_with(code).says(&format!("`{file}` is not what the manifest says"));
        assert_eq!(names(&world.storage()), [""; 0]);
        std::fs::write(&path, &good).unwrap();
    }
    world.install(&["copy"]).success();
}

#[test]
fn img_12_a_strangers_bundle_that_edits_its_domain_is_installed_only_when_told_so() {
    let world = World::new();
    let edit = "[[machine.xml]]\nparent = \"devices\"\nelement = \"<filesystem type='mount'><source dir='/root'/><target dir='x'/></filesystem>\"\n";
    let recipe = world.recipe("box", "");
    let text = std::fs::read_to_string(world.dir.path().join(&recipe)).unwrap();
    let at = text.find("[provision]").unwrap();
    std::fs::write(world.dir.path().join(&recipe), format!("{}{edit}\n{}", &text[..at], &text[at..])).unwrap();
    world.run(&["build", &recipe, "--out", "copy"]).success();
    let refused = world.install(&["copy", "--dry-run"]).ends_with(5).says("edits the domain").says("--allow-edits");
    refused.says("<filesystem").says("/root");
    world.install(&["copy"]).ends_with(5);
    assert_eq!(names(&world.storage()), [""; 0]);
    world.install(&["copy", "--allow-edits"]).success();
    world.run(&["uninstall", "box", "--storage", "storage"]).success();
    // One's own: from the recipe, or as the store has it.
    world.install(&[&recipe]).success();
    world.run(&["uninstall", "box", "--storage", "storage"]).success();
    world.run(&["build", &recipe]).success();
    world.install(&["result-box"]).success();
}

#[test]
fn sec_4_what_an_instance_holds_is_its_owners_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.install(&["result-demo"]).success();
    let directory = world.storage().join("demo");
    for name in names(&directory).iter().filter(|name| *name != "base.qcow2") {
        let mode = std::fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[test]
fn a_machine_that_asks_for_it_starts_with_the_host() {
    let world = World::new();
    let recipe = world.recipe("box", "autostart = true");
    let told = world.install(&[&recipe, "--dry-run"]).success();
    assert!(told.stdout.contains(" autostart ") && !world.fake.get("log").contains("autostart"), "{told}");
    world.fake.set("no-autostart", "");
    world.install(&[&recipe]).ends_with(5).says("no autostart").says("nothing stays installed");
    assert_eq!((world.fake.get("domains").as_str(), names(&world.storage()).len()), ("", 0));
    world.fake.unset("no-autostart");
    world.install(&[&recipe]).success();
    let uuid = world.fake.get("domains").split(' ').next().unwrap().to_owned();
    assert!(world.fake.get("log").lines().any(|line| line == format!("autostart {uuid}")));
    // One that does not ask is left as libvirt leaves it.
    world.fake.set("log", "");
    world.install(&["result-demo"]).success();
    assert!(!world.fake.get("log").contains("autostart"));
}

#[test]
fn a_domain_that_libvirt_does_not_take_leaves_nothing_and_one_that_does_not_start_stays() {
    let world = World::new();
    world.fake.set("no-define", "");
    world.install(&["result-demo"]).ends_with(5).says("no define").says("nothing stays installed");
    assert_eq!(names(&world.storage()), [""; 0]);
    world.fake.unset("no-define");
    world.fake.set("no-start", "");
    world
        .install(&["result-demo", "--start"])
        .ends_with(5)
        .says("no start")
        .says("installed and defined")
        .says("start demo");
    assert!(world.storage().join("demo/domain.xml").exists());
}
