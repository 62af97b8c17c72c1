//! NET-13 by whole programs: a publisher's list of mirrors (`.meta4`), which is asked when an input's own addresses have
//! failed: lists that lie, mirrors that lie, no network. Touches temporary directories and loopback.
//!
//! Read next: `src/realise/mirrors.rs`, `tests/fault/net_matrix.rs` (each address by itself), `tests/support/server.rs`.

use crate::base::{ByteSize, Digest, Url};
use crate::format::metalink::{File, Mirror};
use crate::format::qcow2;

use crate::tests::support::server::{Behaviour, Server};
use crate::tests::support::{Bin, Output, workdir};

const PATH: &str = "/d/x.qcow2";
const LIST: &str = "/x.qcow2.meta4";

/// A recipe whose base is pinned at one server, with a list that names others.
struct World {
    dir: tempfile::TempDir,
    bytes: Vec<u8>,
    /// The pinned address, which has no such file, then the mirrors of the list.
    servers: Vec<Server>,
    lists: Server,
}

impl World {
    /// Serves with these behaviours, one mirror of the list for each.
    fn new(mirrors: &[&[Behaviour]]) -> Self {
        let mut bytes = qcow2::blank(ByteSize::gib(1)).unwrap();
        bytes.extend_from_slice(&[7; 1 << 20]);
        let gone = [Behaviour::status("404 Not Found")];
        let serve = |behaviours: &&[Behaviour]| {
            let server = Server::start();
            server.put(PATH, bytes.clone(), behaviours);
            server
        };
        let servers: Vec<_> = [&gone[..]].iter().chain(mirrors).map(serve).collect();
        let world = Self { dir: workdir(), servers, lists: Server::start(), bytes };
        world.publish(&world.list().print());
        world.write();
        world
    }

    /// The right list; the mirrors' public names lead to this machine by the configuration.
    fn list(&self) -> File {
        let mirror = |nth| Mirror { url: Url::parse(&format!("https://m{nth}.example{PATH}")).unwrap(), priority: 1 };
        File {
            name: "x.qcow2".into(),
            size: Some(self.bytes.len() as u64),
            sha256: Some(Digest::of(&self.bytes)),
            mirrors: (1..self.servers.len()).map(mirror).collect(),
        }
    }

    fn publish(&self, list: &str) {
        self.lists.put(LIST, list.as_bytes(), &[]);
    }

    fn write(&self) {
        let (url, digest) = (self.servers[0].url(PATH), Digest::of(&self.bytes));
        let (size, list) = (ByteSize(self.bytes.len() as u64).exact(), self.lists.url(LIST));
        let recipe = format!("format = 1\nname = \"x\"\n[base]\nurl = \"{url}\"\n[machine.system]\nsize = \"2GiB\"\n");
        let lock = format!(
            "format = 1\n\n[[input]]\nurl = \"{url}\"\nresolved = \"{url}\"\nsha256 = \"{digest}\"\nsize = \"{size}\"\n\
             signer = \"none\"\nmetalink = \"{list}\"\n"
        );
        let rules = self.servers.iter().enumerate().skip(1);
        let rules: String =
            rules.map(|(nth, server)| format!("\"https://m{nth}.example/\" = \"{}\"\n", server.url("/"))).collect();
        for (name, text) in [("x.toml", recipe), ("arca.lock", lock), ("config.toml", format!("[mirrors]\n{rules}"))] {
            std::fs::write(self.dir.path().join(name), text).unwrap();
        }
    }

    fn bin(&self) -> Bin {
        Bin::new(self.dir.path()).args(["--config", "config.toml"])
    }

    fn fetch(&self) -> Output {
        self.bin().args(["-v", "fetch", "x.toml"]).run()
    }

    #[track_caller]
    fn holds_the_right_bytes(&self) {
        let hex = Digest::of(&self.bytes).to_string();
        let object = self.dir.path().join("cache/objects-v1").join(&hex[..2]).join(&hex[2..]);
        assert!(std::fs::read(&object).unwrap() == self.bytes, "other bytes");
        let left = std::fs::read_dir(self.dir.path().join("cache/tmp")).unwrap().count();
        assert_eq!(left, 0, "something stays in tmp");
    }
}

/// The same bytes with one changed.
fn lie(bytes: &[u8], mask: u8) -> Behaviour {
    let mut bytes = bytes.to_vec();
    bytes[77_777] ^= mask;
    Behaviour::body(bytes)
}

#[test]
fn net_13_the_list_is_asked_only_when_the_addresses_have_failed_and_one_good_mirror_is_enough() {
    let world = World::new(&[&[], &[], &[]]);
    let liar = lie(&world.bytes, 1);
    world.servers[1].put(PATH, "", &[liar]);
    world.servers[2].put(PATH, "", &[Behaviour::status("403 Forbidden")]);
    let run = world.fetch().success().says("trying the next address");
    for (nth, times) in [(0, 1), (1, 1), (2, 1), (3, 0)] {
        let warnings = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect::<Vec<_>>();
        let of = warnings.iter().filter(|line| line.contains(&world.servers[nth].url(PATH))).count();
        assert_eq!(of, times, "{nth}\n{run}");
    }
    world.holds_the_right_bytes();
    let world = World::new(&[&[]]);
    world.servers[0].put(PATH, world.bytes.clone(), &[]);
    world.fetch().success();
    assert_eq!((world.lists.connections(), world.servers[1].connections()), (0, 0));
    world.holds_the_right_bytes();
}

#[test]
fn net_13_when_all_lie_each_is_named_and_nothing_is_kept() {
    let world = World::new(&[&[], &[], &[]]);
    for (nth, server) in world.servers.iter().enumerate() {
        server.put(PATH, "", &[lie(&world.bytes, 1 << nth)]);
    }
    let run = world.fetch().ends_with(3).says("E_HASH").says("no address gave the pinned bytes");
    for server in &world.servers {
        assert!(run.stderr.contains(&server.url(PATH)), "{run}");
    }
    let hex = Digest::of(&world.bytes).to_string();
    assert!(!world.dir.path().join("cache/objects-v1").join(&hex[..2]).exists());
    // Once one of them is honest, the plain command goes through.
    world.servers[1].put(PATH, world.bytes.clone(), &[]);
    world.fetch().success();
    world.holds_the_right_bytes();
}

#[test]
fn net_13_a_list_that_lies_is_not_used_and_said_so() {
    let world = World::new(&[&[]]);
    let right = world.list();
    let text = right.print();
    let cases: Vec<(&str, String, &str)> = vec![
        ("of the digest", File { sha256: Some(Digest::of(b"")), ..right.clone() }.print(), "about other bytes"),
        ("of the size", File { size: Some(5), ..right.clone() }.print(), "a file of 5 bytes"),
        ("of the name", File { name: "y.qcow2".into(), ..right }.print(), "does not name the file `x.qcow2`"),
        ("a page", "<!DOCTYPE html><html><body>not here</body></html>".into(), "document type"),
        ("nothing", String::new(), "not a Metalink list"),
        ("a bomb", format!("<!DOCTYPE a [<!ENTITY b \"{}\">]>{text}", "c".repeat(1000)), "document type"),
        ("too much", format!("{text}{}", " ".repeat(5 << 20)), ""),
    ];
    for (name, list, told) in cases {
        world.publish(&list);
        let run = world.fetch().ends_with(4).says("E_NET_STATUS");
        let is_told =
            |line: &&str| line.starts_with("warning: ") && line.contains("list of mirrors") && line.contains(told);
        assert_eq!(run.stderr.lines().filter(is_told).count(), 1, "{name}\n{run}");
        assert_eq!(world.servers[1].connections(), 0, "{name}");
    }
    world.publish(&text);
    world.fetch().success();
    world.holds_the_right_bytes();
}

#[test]
fn offline_asks_neither_list_nor_mirrors() {
    let world = World::new(&[&[]]);
    world.bin().args(["--offline", "fetch", "x.toml"]).run().ends_with(4).says("E_OFFLINE");
    let asked: usize = world.servers.iter().chain([&world.lists]).map(Server::connections).sum();
    assert_eq!(asked, 0);
}
