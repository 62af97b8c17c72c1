//! NET-13 by whole programs: one large base from several mirrors at once, some of which lie, are slow, die or know nothing
//! of ranges; lists that lie; kills in the middle. Touches temporary directories and loopback.
//!
//! Read next: `src/realise/pieces`, `tests/support/server.rs`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::{ByteSize, Digest};
use crate::format::metalink::{File, Pieces};
use crate::format::qcow2;
use rustix::process::{Pid, Signal, kill_process};

use crate::tests::support::server::{Behaviour, Framing, HONEST, Server, Stop};
use crate::tests::support::{Bin, Output, workdir};

const MIB: usize = 1 << 20;
/// Above the threshold, and no multiple of the pieces.
const SIZE: usize = 36 * MIB + 12_345;
const PIECE: usize = MIB;
const COUNT: usize = 37;
const PATH: &str = "/d/x.qcow2";

/// A valid qcow2 with a tail of noise.
fn image(size: usize) -> Vec<u8> {
    let mut bytes = qcow2::blank(ByteSize::gib(1)).unwrap();
    let mut noise = 1_u64;
    while bytes.len() < size {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend_from_slice(&(noise ^ (noise >> 29)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The same with one byte of a piece changed.
fn lie(bytes: &[u8], piece: usize, mask: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[piece * PIECE + 77] ^= mask;
    bytes
}

fn list(bytes: &[u8]) -> File {
    let digests = bytes.chunks(PIECE).map(Digest::of).collect();
    File {
        name: "x.qcow2".into(),
        size: Some(bytes.len() as u64),
        sha256: Some(Digest::of(bytes)),
        pieces: Some(Pieces { length: PIECE as u64, digests }),
        mirrors: vec![],
    }
}

/// A recipe whose base is at every one of the servers, pinned, with a list of pieces.
struct World {
    dir: tempfile::TempDir,
    bytes: Vec<u8>,
    servers: Vec<Server>,
    lists: Server,
}

impl World {
    /// Serves with these behaviours, one server for each.
    fn new(mirrors: &[&[Behaviour]]) -> Self {
        Self::sized(SIZE, mirrors)
    }

    fn sized(size: usize, mirrors: &[&[Behaviour]]) -> Self {
        let bytes = image(size);
        let serve = |behaviours: &&[Behaviour]| {
            let server = Server::start();
            server.put(PATH, bytes.clone(), behaviours);
            server
        };
        let servers: Vec<_> = mirrors.iter().map(serve).collect();
        let world = Self { dir: workdir(), servers, lists: Server::start(), bytes };
        world.publish(&list(&world.bytes).print());
        world.write();
        world
    }

    fn publish(&self, list: &str) {
        self.lists.put("/x.qcow2.meta4", list.as_bytes(), &[]);
    }

    fn write(&self) {
        let urls: Vec<_> = self.servers.iter().map(|server| format!("\"{}\"", server.url(PATH))).collect();
        let digest = Digest::of(&self.bytes);
        let recipe = format!(
            "format = 1\nname = \"x\"\n[base]\nurl = {}\nmirrors = [{}]\n[machine.system]\nsize = \"2GiB\"\n",
            urls[0],
            urls[1..].join(", ")
        );
        let lock = format!(
            "format = 1\n\n[[input]]\nurl = {0}\nresolved = {0}\nsha256 = \"{digest}\"\nsize = \"{1} B\"\n\
             signer = \"none\"\nmetalink = \"{2}\"\n",
            urls[0],
            self.bytes.len(),
            self.lists.url("/x.qcow2.meta4")
        );
        let size = crate::base::ByteSize(self.bytes.len() as u64).exact();
        let lock = lock.replace(&format!("{} B", self.bytes.len()), &size);
        std::fs::write(self.dir.path().join("x.toml"), recipe).unwrap();
        std::fs::write(self.dir.path().join("arca.lock"), lock).unwrap();
    }

    fn bin(&self) -> Bin {
        Bin::new(self.dir.path())
    }

    fn fetch(&self) -> Output {
        self.bin().args(["-v", "fetch", "x.toml"]).run()
    }

    fn tmp(&self, ending: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("cache/tmp")).ok()?;
        let mut paths = entries.flatten().map(|entry| entry.path());
        paths.find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("partial-") && path.extension().unwrap_or_default() == ending
        })
    }

    /// How many pieces the journal lists.
    fn journal(&self) -> usize {
        let text = self.tmp("pieces").and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().skip(1).filter(|line| !line.is_empty()).count()
    }

    #[track_caller]
    fn holds_the_right_bytes(&self) {
        let hex = Digest::of(&self.bytes).to_string();
        let object = self.dir.path().join("cache/objects-v1").join(&hex[..2]).join(&hex[2..]);
        assert!(std::fs::read(&object).unwrap() == self.bytes, "other bytes");
        self.is_tidy();
    }

    #[track_caller]
    fn is_tidy(&self) {
        let left = std::fs::read_dir(self.dir.path().join("cache/tmp")).unwrap().count();
        assert_eq!(left, 0, "something stays in tmp");
    }

    fn sent(&self) -> usize {
        self.servers.iter().map(Server::sent).sum()
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn throttled(mib: usize) -> Behaviour {
    Behaviour::throttled(mib * MIB)
}

#[test]
fn net_13_every_mirror_gives_a_part_and_four_take_far_less_time_than_one() {
    let took = |mirrors: usize| {
        let rate = [throttled(4)];
        let world = World::new(&vec![&rate[..]; mirrors]);
        let begun = Instant::now();
        let run = world.fetch().success();
        let took = begun.elapsed();
        world.holds_the_right_bytes();
        for server in &world.servers {
            let line = format!(" from {}", server.url(PATH));
            assert!(run.stderr.lines().any(|told| told.starts_with("fetched ") && told.ends_with(&line)), "{run}");
            assert!(server.sent() > PIECE && server.hits(PATH) > 0);
        }
        if mirrors > 1 {
            let asked = world.servers.iter().flat_map(Server::requests);
            assert!(asked.into_iter().all(|request| request.headers["range"].starts_with("bytes=")));
            // What was on its way when another one took over is all that came twice.
            assert!(world.sent() < SIZE + 4 * PIECE, "{} bytes too many", world.sent() - SIZE);
        }
        took
    };
    let (one, four) = (took(1), took(4));
    // A quarter where nothing else happens; the rest is for a busy machine.
    assert!(four.as_secs_f64() < one.as_secs_f64() * 0.6, "{four:?} of {one:?}");
}

#[test]
fn net_13_one_bad_mirror_of_three_costs_nothing_but_itself() {
    let bytes = image(SIZE);
    let helper = Server::start();
    helper.put("/elsewhere/x.qcow2", bytes.clone(), &[]);
    let elsewhere = helper.url("/elsewhere/x.qcow2");
    let longer = [&bytes[..], b"more"].concat();
    let third = (2..COUNT).step_by(8).fold(bytes.clone(), |bytes, piece| lie(&bytes, piece, 1));
    let cases: Vec<(&str, Behaviour, &str)> = vec![
        (
            "lies in the third piece of whatever it is asked for",
            Behaviour::body(third),
            "of 37 is not what the list of mirrors says",
        ),
        ("is slow", Behaviour::throttled(100 << 10), ""),
        ("hangs", Behaviour::stopping(Stop::HangAfter(MIB + MIB / 2)), ""),
        ("dies", Behaviour::stopping(Stop::ResetAfter(MIB / 2)), "?asked no more"),
        ("dies after some pieces", Behaviour::stopping(Stop::CloseAfter(2 * MIB + 5)), ""),
        ("ignores ranges", Behaviour { ignores_range: true, ..HONEST }, "does not give parts of files"),
        ("knows no such file", Behaviour::status("404 Not Found"), "404"),
        ("is out of order", Behaviour::status("503 Service Unavailable"), "?503"),
        ("has a longer file", Behaviour::body(longer), "another size"),
        ("never ends", Behaviour::stopping(Stop::Never), ""),
        ("sends chunks", Behaviour { framing: Framing::Chunked, ..HONEST }, ""),
        ("gives another part", HONEST.with("Content-Range", "bytes 0-99/100"), "another size"),
        ("redirects", Behaviour::redirect(&elsewhere), ""),
        ("redirects for ever", Behaviour::redirect("/d/x.qcow2"), "hops"),
    ];
    for (name, bad, told) in cases {
        let good = [throttled(24)];
        let world = World::new(&[&good, &[bad], &good]);
        let begun = Instant::now();
        let run = world.fetch();
        assert_eq!(run.code, 0, "{name}\n{run}");
        assert!(begun.elapsed() < Duration::from_secs(25), "{name}: {:?}\n{run}", begun.elapsed());
        world.holds_the_right_bytes();
        let warned: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
        let of_bad = format!("({})", world.servers[1].url(PATH));
        match told {
            "" => assert!(warned.is_empty(), "{name}\n{run}"),
            // It may get its third chance after the others are done.
            _ if told.starts_with('?') && warned.is_empty() => {}
            _ => {
                let told = told.trim_start_matches('?');
                assert!(warned.iter().any(|line| line.contains(told) && line.contains(&of_bad)), "{name}\n{run}");
                assert_eq!(warned.len(), 1, "{name}: nobody else is accused\n{run}");
            }
        }
    }
    assert!(helper.sent() > PIECE, "the redirector's share");
}

#[test]
fn net_13_when_all_lie_each_is_named_and_nothing_is_kept() {
    let bytes = image(SIZE);
    let liars: Vec<_> = (0..3_u8)
        .map(|nth| [Behaviour { rate: Some(24 * MIB), ..Behaviour::body(lie(&bytes, 2, 1 << nth)) }])
        .collect();
    let world = World::new(&liars.iter().map(|liar| &liar[..]).collect::<Vec<_>>());
    let run = world.fetch().ends_with(3).says("E_HASH").says("no address gave the pinned bytes");
    for server in &world.servers {
        assert!(run.stderr.matches(&server.url(PATH)).count() >= 2, "warned of and listed\n{run}");
    }
    let hex = Digest::of(&bytes).to_string();
    assert!(!world.dir.path().join("cache/objects-v1").join(&hex[..2]).exists());
    // Once one of them is honest, the plain command goes through.
    world.servers[1].put(PATH, bytes, &[]);
    world.fetch().success();
    world.holds_the_right_bytes();
}

#[test]
fn net_13_whatever_the_list_lies_the_pinned_bytes_come() {
    let bytes = image(SIZE);
    let other = lie(&bytes, 2, 1);
    let right = list(&bytes);
    let text = right.print();
    let cases: Vec<(&str, String, &str)> = vec![
        ("of all pieces", File { pieces: list(&vec![7; SIZE]).pieces, ..right.clone() }.print(), "disagree"),
        ("of one piece", File { pieces: list(&other).pieces, ..right.clone() }.print(), "the list of mirrors is wrong"),
        ("of the digest", File { sha256: Some(Digest::of(b"")), ..right.clone() }.print(), "about other bytes"),
        ("of the size", File { size: Some(5), ..right.clone() }.print(), "a file of 5 bytes"),
        ("of the name", File { name: "y.qcow2".into(), ..right.clone() }.print(), "does not name the file `x.qcow2`"),
        ("of their number", text.replacen("      <hash>", "      <hash>no", 1), "no sha-256 digest"),
        ("a page", "<!DOCTYPE html><html><body>not here</body></html>".into(), "document type"),
        ("nothing", String::new(), "no Metalink list"),
        ("a bomb", format!("<!DOCTYPE a [<!ENTITY b \"{}\">]>{text}", "c".repeat(1000)), "document type"),
        ("too much", format!("{text}{}", " ".repeat(5 << 20)), "larger"),
    ];
    for (name, list, told) in cases {
        let honest = [throttled(48)];
        let world = World::new(&[&honest, &honest, &honest]);
        world.publish(&list);
        let run = world.fetch();
        assert_eq!(run.code, 0, "{name}\n{run}");
        world.holds_the_right_bytes();
        let is_told = run.stderr.lines().any(|line| line.starts_with("warning: ") && line.contains(told));
        assert!(is_told || name == "too much", "{name}\n{run}");
        assert!(run.stderr.contains("list of mirrors"), "{name}\n{run}");
    }
    // The list and two mirrors together against the pin: the third serves.
    let world = World::new(&[&[Behaviour::body(other.clone())], &[Behaviour::body(other.clone())], &[]]);
    world.publish(&File { pieces: list(&other).pieces, ..right }.print());
    world.fetch().success();
    world.holds_the_right_bytes();
    // No list at all.
    let world = World::new(&[&[], &[]]);
    world.lists.put("/x.qcow2.meta4", "", &[Behaviour::status("404 Not Found")]);
    world.fetch().success().says("the list of mirrors is not used");
    world.holds_the_right_bytes();
}

/// Ends a download in the middle; the next one goes on with all pieces that were whole.
fn ended_by(signal: Signal) {
    let slow = [throttled(3)];
    let world = World::new(&[&slow, &slow, &slow, &slow]);
    let mut running = world.bin().args(["fetch", "x.toml"]).start();
    until("some pieces", || world.journal() >= 9);
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), signal).unwrap();
    assert!(running.wait_for(Duration::from_secs(1)), "it goes on");
    let kept = world.journal();
    assert!((9..COUNT).contains(&kept), "{kept}");
    // The servers write on into sockets for a moment.
    std::thread::sleep(Duration::from_millis(300));
    let before = world.sent();
    // At most a piece on its way from each of four, and what lay in the sockets of each.
    assert!(before <= (kept + 4) * PIECE + 4 * (2 * MIB), "{before} bytes came, {kept} pieces are kept");
    world.fetch().success();
    let again = world.sent() - before;
    let missing = SIZE - kept * PIECE;
    assert!(again >= missing && again <= missing + 4 * PIECE, "{again} bytes for {missing}");
    world.holds_the_right_bytes();
}

#[test]
fn out_15_killed_in_the_middle_it_loses_no_more_than_the_pieces_on_their_way() {
    ended_by(Signal::KILL);
}

#[test]
fn out_15_ctrl_c_in_the_middle_loses_no_more_than_the_pieces_on_their_way() {
    ended_by(Signal::INT);
}

/// Leaves a download in the middle: with gaps where it came in pieces, else without.
fn halfway(world: &World, in_pieces: bool) {
    let mut running = world.bin().args(["fetch", "x.toml"]).start();
    until("a part", || match in_pieces {
        true => world.journal() >= 8,
        false => world.tmp("").is_some_and(|path| length(&path) >= 8 << 20),
    });
    running.kill();
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

#[test]
fn a_download_goes_on_when_the_list_goes_away_or_comes() {
    let slow = [throttled(6)];
    // In pieces, then in order: what lies behind the first gap is asked for again.
    let world = World::new(&[&slow, &slow, &slow]);
    halfway(&world, true);
    world.lists.put("/x.qcow2.meta4", "", &[Behaviour::status("404 Not Found")]);
    let requests = world.servers[0].requests().len();
    world.fetch().success();
    let asked = world.servers[0].requests();
    assert_eq!(asked.len(), requests + 1, "what was kept was no beginning of the file");
    let range = asked[requests].headers["range"].clone();
    let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    assert!(from >= PIECE && from.is_multiple_of(PIECE), "{range}");
    world.holds_the_right_bytes();
    // In order, then in pieces: what is there is compared and kept.
    let world = World::new(&[&slow, &slow, &slow]);
    world.lists.put("/x.qcow2.meta4", "", &[Behaviour::status("404 Not Found")]);
    halfway(&world, false);
    assert_eq!(world.tmp("pieces"), None);
    let there = length(&world.tmp("").unwrap()) as usize;
    world.publish(&list(&world.bytes).print());
    std::thread::sleep(Duration::from_millis(300));
    let before = world.sent();
    world.fetch().success();
    let again = world.sent() - before;
    assert!(again <= SIZE - there + 5 * PIECE, "{again} bytes for {}", SIZE - there);
    world.holds_the_right_bytes();
}

#[test]
fn what_an_earlier_run_left_is_compared_whatever_its_journal_says() {
    let slow = [throttled(6)];
    for spoil in ["bytes", "journal", "cut"] {
        let world = World::new(&[&slow, &slow]);
        halfway(&world, true);
        let (file, journal) = (world.tmp("").unwrap(), world.tmp("pieces").unwrap());
        match spoil {
            "bytes" => {
                use std::os::unix::fs::FileExt;
                let file = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
                file.write_all_at(b"spoilt", 5).unwrap();
            }
            "journal" => {
                let all: String = (0..COUNT).map(|index| format!("{index}\n")).collect();
                std::fs::write(&journal, format!("pieces {PIECE} {SIZE}\n{all}99999999\nx\n")).unwrap();
            }
            _ => std::fs::write(&journal, format!("pieces 7 {SIZE}\n0\n1\n")).unwrap(),
        }
        let run = world.fetch().success();
        assert!(!run.stderr.contains("warning"), "{spoil}: taken for good, and only the whole showed it\n{run}");
        world.holds_the_right_bytes();
    }
}

#[test]
fn two_processes_bring_one_file_once() {
    let slow = [throttled(6)];
    let world = World::new(&[&slow, &slow, &slow]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| world.fetch().success())).collect();
        runs.into_iter().for_each(|run| drop(run.join().unwrap()));
    });
    assert!(world.sent() < SIZE + 4 * PIECE, "{}", world.sent());
    world.holds_the_right_bytes();
}

#[test]
fn offline_asks_neither_list_nor_mirrors() {
    let world = World::new(&[&[], &[]]);
    world.bin().args(["--offline", "fetch", "x.toml"]).run().ends_with(4).says("E_OFFLINE");
    let asked: usize = world.servers.iter().chain([&world.lists]).map(Server::connections).sum();
    assert_eq!(asked, 0);
}
