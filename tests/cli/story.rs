//! The whole story of `recipes/nas.toml`, as its header tells it, against a web server that serves the publisher's exact
//! names: pin by signature, build, the publisher moves on, carry away, rebuild without a network. Touches loopback.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::Digest;

use crate::tests::support::gpg::{Gpg, THEN};
use crate::tests::support::nginx::Nginx;
use crate::tests::support::publisher::{image, recipes};
use crate::tests::support::{Bin, Output, output, tool, tools, workdir};

const NAS: &str = "recipes/nas.toml";
const APPLIANCES: &str = "/tumbleweed/appliances";
const MOVING: &str = "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2";

/// The name that stays, as the publisher gives it.
fn immutable(snapshot: &str) -> String {
    format!("openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot{snapshot}.qcow2")
}

/// The publisher: a directory, a web server over it, a key.
struct Upstream {
    tree: PathBuf,
    nginx: Nginx,
    gpg: Gpg,
    key: String,
}

impl Upstream {
    fn new(dir: &Path) -> Option<Self> {
        let (gpg, tree) = (Gpg::new()?, dir.join("tree"));
        std::fs::create_dir_all(tree.join(&APPLIANCES[1..])).unwrap();
        let nginx = Nginx::serve(&tree, &dir.join("nginx"))?;
        let key = gpg.key("Stand-in openSUSE <stand-in@example.org>", "rsa3072", 0);
        Some(Self { tree, nginx, gpg, key })
    }

    /// Publishes a snapshot, signed, under its own name; leads the moving name to it; deletes the one before.
    fn publish(&mut self, snapshot: &str, before: Option<&str>, at: u64) -> Digest {
        let name = immutable(snapshot);
        let bytes = image(snapshot);
        let digest = Digest::of(&bytes);
        let directory = self.tree.join(&APPLIANCES[1..]);
        let sums = format!("{digest}  {name}\n");
        let signature = self.gpg.sign(at, &self.key, &["--digest-algo", "SHA512"], &sums);
        std::fs::write(directory.join(&name), bytes).unwrap();
        for file in [MOVING, &name] {
            std::fs::write(directory.join(format!("{file}.sha256")), &sums).unwrap();
            std::fs::write(directory.join(format!("{file}.sha256.asc")), &signature).unwrap();
        }
        if let Some(before) = before {
            for ending in ["", ".sha256", ".sha256.asc"] {
                std::fs::remove_file(directory.join(format!("{}{ending}", immutable(before)))).unwrap();
            }
        }
        let (from, to) = (format!("{APPLIANCES}/{MOVING}"), format!("{APPLIANCES}/{name}"));
        self.nginx.begin(&[(&from, &to)]);
        digest
    }
}

/// Every file of a bundle: mode and bytes.
fn bundle(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let file = |entry: std::fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), (mode, std::fs::read(entry.path()).unwrap()))
    };
    std::fs::read_dir(path).unwrap().map(|entry| file(entry.unwrap())).collect()
}

#[test]
fn net_12_and_xfer_10_nas_is_pinned_built_outlives_its_publisher_and_is_rebuilt_far_from_any_network() {
    let Some(()) = tools(&["nginx", "gpg", "unshare", "setpriv", "strace"]) else { return };
    let dir = workdir();
    let Some(mut upstream) = Upstream::new(dir.path()) else { return };
    let home = dir.path().join("user");
    std::fs::create_dir(&home).unwrap();
    recipes(&home);
    std::fs::write(home.join("opensuse.asc"), upstream.gpg.export(&[&upstream.key])).unwrap();
    let config = format!(
        "keyring = \"opensuse.asc\"\n[mirrors]\n\"https://download.opensuse.org/\" = \"http://127.0.0.1:{}/\"\n",
        upstream.nginx.port
    );
    std::fs::write(home.join("config.toml"), config).unwrap();
    let run = |words: &[&str]| Bin::new(&home).args(["--config", "config.toml"]).args(words).run();
    let lock = || std::fs::read_to_string(home.join("recipes/arca.lock")).unwrap();

    // Nothing is pinned: the way out is told, and it is the one of the recipe's header.
    let first = upstream.publish("20261120", None, THEN);
    run(&[NAS]).ends_with(2).says("E_UNPINNED").says("arca-build update recipes/nas.toml");
    run(&["update", NAS]).success().says(&upstream.key);
    for fact in [
        format!("url = \"https://download.opensuse.org{APPLIANCES}/{MOVING}\""),
        format!("resolved = \"https://download.opensuse.org{APPLIANCES}/{}\"", immutable("20261120")),
        format!("sha256 = \"{first}\""),
        format!("signer = \"{} Stand-in openSUSE <stand-in@example.org>\"", upstream.key),
        "virtual_size = \"20GiB\"".to_owned(),
        "snapshot = \"20261120\"".to_owned(),
    ] {
        assert!(lock().contains(&fact), "{fact}\n{}", lock());
    }
    run(&["--locked", "update", NAS]).success();
    let built = run(&["--locked", NAS]).success();
    let expected = bundle(Path::new(built.line()));
    assert!(upstream.nginx.asked().iter().any(|path| path.ends_with(&immutable("20261120"))));

    // The publisher moves on and deletes what was pinned.
    let pinned = lock();
    let second = upstream.publish("20261122", Some("20261120"), THEN + 172_800);
    run(&[NAS]).success().says("nothing to do");
    let cold = ["--cache", "cold", NAS];
    run(&cold)
        .ends_with(3)
        .says("E_UPSTREAM_MOVED")
        .says("Snapshot20261122")
        .says("arca-build update recipes/nas.toml");
    assert_eq!(lock(), pinned, "nothing is accepted silently");
    run(&["--locked", "update", NAS]).ends_with(1).says("E_LOCKED").says(&second.to_string());

    // What is pinned is carried away, signer and all.
    let line = run(&["export", NAS, "-o", "nas.arca"]).success().line().to_owned();
    let (digest, _) = line.split_once("  ").unwrap();
    let (far, archive) = (dir.path().join("far/away place"), home.join("nas.arca"));
    std::fs::create_dir_all(&far).unwrap();
    let other = Other::new(&far);
    std::fs::copy(archive, far.join("carried.arca")).unwrap();
    other.own();
    other.run(&["import", "carried.arca", "--expect", digest]).success();
    let rebuilt = other.run(&["--offline", "build", "carried/nas.toml"]).success();
    other.opened_no_socket();
    assert!(bundle(Path::new(rebuilt.line())) == expected, "byte for byte and mode for mode");
    assert!(std::fs::read_to_string(far.join("carried/arca.lock")).unwrap().contains(&upstream.key));

    // Here, the new snapshot is reviewed and taken; the way back is refused.
    run(&["update", NAS]).success().says("- 20261120").says("+ 20261122");
    run(&["--locked", NAS]).success();
    upstream.publish("20261120", Some("20261122"), THEN + 259_200);
    run(&["update", NAS]).ends_with(3).says("E_SIG_OLDER");
    assert!(lock().contains(&second.to_string()));
}

/// Another user, in another directory, in a namespace that has no network; every socket would be seen.
struct Other<'a> {
    place: &'a Path,
    is_root: bool,
}

impl<'a> Other<'a> {
    fn new(place: &'a Path) -> Self {
        Self { place, is_root: rustix::process::geteuid().is_root() }
    }

    /// Gives the place to the other user, where this one may.
    fn own(&self) {
        if self.is_root {
            output(Command::new("chown").args(["-R", "65534:65534"]).arg(self.place)).success();
            let mut above = self.place.to_owned();
            while above.pop() && above.starts_with(std::env::temp_dir()) && above != std::env::temp_dir() {
                output(Command::new("chmod").arg("a+x").arg(&above)).success();
            }
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        let program = crate::tests::support::program();
        let mut line: Vec<String> = vec![];
        if self.is_root {
            let setpriv = tool("setpriv").unwrap().display().to_string();
            line.extend([setpriv, "--reuid=65534".into(), "--regid=65534".into(), "--clear-groups".into()]);
        }
        line.extend(["unshare".into(), "--user".into(), "--map-root-user".into(), "--net".into()]);
        line.extend(["strace", "-f", "-A", "-e", "trace=socket,connect", "-o", "calls"].map(str::to_owned));
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).arg(program).args(words).current_dir(self.place).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        output(command.env("HOME", self.place).env("ARCA_CACHE", self.place.join("cache")))
    }

    fn opened_no_socket(&self) {
        let calls = std::fs::read_to_string(self.place.join("calls")).unwrap();
        assert!(
            calls.contains("exited with 0") && !calls.contains("socket(") && !calls.contains("connect("),
            "{calls}"
        );
    }
}
