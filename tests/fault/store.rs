//! What the store does with damaged, planted, lost and cut-short files, alone in one process.
//! Touches temporary directories. Read next: `store_processes.rs` (several at once), `store_bundles.rs`.

use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::base::{Code, DerivationId, Diagnostic, Digest, Event};
use crate::store::{DownloadLock, Partial, Patience, Privacy, Repair, Store};
use crate::stream::Sink;

/// What the store said, for tests that ask.
#[derive(Default)]
pub struct ReportState(Mutex<Vec<Event>>);

impl ReportState {
    pub fn hear(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    pub fn warnings(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|event| matches!(event, Event::Warning { .. })).count()
    }

    pub fn waited(&self) -> bool {
        self.0.lock().unwrap().iter().any(|event| matches!(event, Event::Waiting { .. }))
    }
}

pub fn deaf(_: Event) {}

/// Waits at most so long wherever others must be waited for.
pub fn patient(limit: Duration) -> Patience {
    Patience { user: limit, collector: limit }
}

/// A directory for one test, with the path of a store that does not exist yet.
pub fn world() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::Builder::new().prefix("arca-store-").tempdir().unwrap();
    let cache = place.path().join("cache");
    (place, cache)
}

pub fn noise(length: usize, seed: u32) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

pub fn object_path(cache: &Path, digest: &Digest) -> PathBuf {
    let digits = digest.to_string();
    cache.join("objects-v1").join(&digits[..2]).join(&digits[2..])
}

/// Every path beneath, with what tells whether it was written.
pub fn snapshot(dir: &Path) -> Vec<(PathBuf, u32, u64, i64, i64, i64, i64)> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let m = std::fs::symlink_metadata(&path).unwrap();
        if m.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path, m.mode(), m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()));
    }
    found.sort();
    found
}

pub fn files_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn code<T>(result: Result<T, Diagnostic>) -> Code {
    match result {
        Ok(_) => panic!("it went well"),
        Err(problem) => problem.code,
    }
}

pub fn partial<'s, 'e>(store: &'s Store<'e>, digest: &Digest) -> Partial<'s, 'e> {
    match store.lock_download(digest, "base").unwrap() {
        DownloadLock::Ours(partial) => partial,
        DownloadLock::Ready(_) => panic!("it is there already"),
    }
}

/// Writes into a file and gives it its old modification time back, as rot on a disk would.
pub fn rot(path: &Path, at: u64, bytes: &[u8]) {
    let before = std::fs::metadata(path).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    drop(file);
    std::fs::set_permissions(path, before.permissions()).unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().modified().unwrap(), before.modified().unwrap());
}

#[test]
fn an_object_is_read_only_named_by_its_digest_and_found_again() {
    let (_place, cache) = world();
    let bytes = noise(700_000, 1);
    let store = Store::open(&cache, &deaf).unwrap();
    let mut writer = store.create(Privacy::Public, Some(bytes.len() as u64)).unwrap();
    writer.write_all(&bytes).unwrap();
    let object = writer.finish(Some((&Digest::of(&bytes), Some(700_000))), None).unwrap();
    let secret = store.put(b"secret", Privacy::Provisioning).unwrap();
    for (object, mode, bytes) in [(&object, 0o444, &bytes[..]), (&secret, 0o400, b"secret")] {
        let metadata = std::fs::metadata(object_path(&cache, &Digest::of(bytes))).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.len()), (mode, bytes.len() as u64));
        assert_eq!(store.read(object, 1 << 20).unwrap(), bytes);
    }
    drop(store);
    let store = Store::open(&cache, &deaf).unwrap();
    assert_eq!(store.find(&object.digest()).unwrap().unwrap(), object);
    assert_eq!(std::fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);
    assert!(files_in(&cache.join("tmp")).is_empty());
}

#[test]
fn an_object_that_turns_out_to_provision_is_closed_to_others() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    store.put(b"same bytes", Privacy::Public).unwrap();
    let object = store.put(b"same bytes", Privacy::Provisioning).unwrap();
    assert_eq!(std::fs::metadata(store.path(&object)).unwrap().mode() & 0o777, 0o400);
}

#[test]
fn bytes_that_differ_from_the_expected_are_never_an_object() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let before = snapshot(&cache.join("objects-v1"));
    let (right, bytes) = (Digest::of(b"right"), b"wrong");
    let mut writer = store.create(Privacy::Public, None).unwrap();
    writer.write_all(bytes).unwrap();
    let problem = writer.finish(Some((&right, Some(5))), None).unwrap_err();
    assert_eq!(problem.code, Code::Hash);
    let text = format!("{problem:?}");
    assert!(text.contains(&right.to_string()) && text.contains(&Digest::of(bytes).to_string()), "{text}");
    let mut writer = store.create(Privacy::Public, None).unwrap();
    writer.write_all(b"right").unwrap();
    assert_eq!(code(writer.finish(Some((&right, Some(6))), None)), Code::Hash);
    let mut writer = store.create(Privacy::Public, None).unwrap();
    writer.write_all(b"right").unwrap();
    let refuse = &mut |_: &mut std::fs::File, _: u64| Err(Diagnostic::new(Code::ImageFormat, "no image"));
    assert_eq!(code(writer.finish(Some((&right, None)), Some(refuse))), Code::ImageFormat);
    drop(store.create(Privacy::Public, None).unwrap());
    assert_eq!(snapshot(&cache.join("objects-v1")), before);
    assert!(files_in(&cache.join("tmp")).is_empty());
}

#[test]
fn the_gate_sees_the_whole_file_from_its_start() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let mut writer = store.create(Privacy::Public, None).unwrap();
    writer.write_all(b"head").unwrap();
    writer.skip(1 << 20).unwrap();
    let mut seen = Vec::new();
    let look = &mut |file: &mut std::fs::File, size: u64| {
        file.read_to_end(&mut seen).unwrap();
        assert_eq!(size, seen.len() as u64);
        Ok(())
    };
    let object = writer.finish(None, Some(look)).unwrap();
    assert_eq!((seen.len(), &seen[..4], Digest::of(&seen)), ((1 << 20) + 4, &b"head"[..], object.digest()));
    assert!(std::fs::metadata(store.path(&object)).unwrap().blocks() * 512 < 1 << 19, "the hole was filled");
}

#[test]
fn img_15_runs_of_zeros_become_holes() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let mut bytes = vec![0; 10 << 20];
    bytes[..5000].copy_from_slice(&noise(5000, 3));
    bytes[(6 << 20) + 17..(6 << 20) + 20].copy_from_slice(b"end");
    let object = store.put(&bytes, Privacy::Public).unwrap();
    assert!(store.read(&object, 1 << 30).unwrap() == bytes);
    assert!(std::fs::metadata(store.path(&object)).unwrap().blocks() * 512 <= 64 << 10);
}

/// One way to spoil the object at a path.
type Damage = fn(&Path);

fn reopen(path: &Path) -> std::fs::File {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::OpenOptions::new().write(true).open(path).unwrap()
}

const DAMAGES: [(&str, Damage); 12] = [
    ("flipped", |path| reopen(path).write_all_at(b"X", 1000).unwrap()),
    ("truncated", |path| reopen(path).set_len(4096).unwrap()),
    ("emptied", |path| reopen(path).set_len(0).unwrap()),
    ("extended", |path| reopen(path).set_len(10_001).unwrap()),
    ("zeroed", |path| reopen(path).write_all_at(&[0; 10_000], 0).unwrap()),
    ("replaced", |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, noise(10_000, 99)).unwrap();
    }),
    ("a link to other bytes", |path| {
        std::fs::remove_file(path).unwrap();
        symlink("/etc/hostname", path).unwrap();
    }),
    ("a link to the right bytes", |path| {
        let aside = path.with_extension("aside");
        std::fs::rename(path, &aside).unwrap();
        symlink(&aside, path).unwrap();
    }),
    ("a FIFO", |path| {
        std::fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }),
    ("a socket", |path| {
        std::fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Socket, 0o600.into(), 0).unwrap();
    }),
    ("a directory", |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("x"), b"x").unwrap();
    }),
    ("behind a linked directory", |path| {
        let parent = path.parent().unwrap();
        let aside = parent.with_extension("aside");
        std::fs::rename(parent, &aside).unwrap();
        symlink(&aside, parent).unwrap();
    }),
];

#[test]
fn cas_05_a_damaged_object_is_put_away_and_the_same_command_heals_the_store() {
    for (what, damage) in DAMAGES {
        let (_place, cache) = world();
        let heard = ReportState::default();
        let hear = |event| heard.hear(event);
        let store = Store::open(&cache, &hear).unwrap();
        let bytes = noise(10_000, 7);
        let object = store.put(&bytes, Privacy::Public).unwrap();
        damage(&object_path(&cache, &object.digest()));
        assert_eq!(store.find(&object.digest()).unwrap(), None, "{what}");
        assert_eq!(heard.warnings(), 1, "{what}");
        assert_eq!(files_in(&cache.join("quarantine")).len(), 1, "{what}");
        assert_eq!(store.put(&bytes, Privacy::Public).unwrap(), object, "{what}");
        assert_eq!(store.read(&object, 1 << 20).unwrap(), bytes, "{what}");
        assert_eq!(store.verify_and(Repair::No).unwrap().damaged, [], "{what}");
    }
}

#[test]
fn cas_05_damage_that_was_not_noticed_before_opening_is_told_and_healed() {
    for (what, damage) in DAMAGES {
        let (_place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        let object = store.put(&noise(10_000, 7), Privacy::Public).unwrap();
        damage(&object_path(&cache, &object.digest()));
        assert_eq!(code(store.read(&object, 1 << 20)), Code::CacheCorrupt, "{what}");
        assert_eq!(store.find(&object.digest()).unwrap(), None, "{what}");
    }
}

#[test]
fn cas_05_rot_behind_a_good_stamp_is_found_by_every_reader() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bytes = noise(600_000, 7);
    let readers: [(&str, fn(&Store, &crate::store::StoreObject) -> Code); 4] = [
        ("read", |store, object| code(store.read(object, 1 << 20))),
        ("reader", |store, object| {
            let error = std::io::copy(&mut store.reader(object).unwrap(), &mut std::io::sink()).unwrap_err();
            store.told(&object.digest(), error).code
        }),
        ("copy", |store, object| {
            let mut writer = store.create(Privacy::Public, None).unwrap();
            code(store.copy_verified(object, &mut writer, &[(0, vec![1])], "copy"))
        }),
        ("verify", |store, object| {
            let damaged = store.verify_and(Repair::No).unwrap().damaged;
            if damaged == [object.digest()] { Code::CacheCorrupt } else { Code::Bug }
        }),
    ];
    for (what, read) in readers {
        let object = store.put(&bytes, Privacy::Public).unwrap();
        rot(&store.path(&object), 500_000, b"rot");
        assert_eq!(
            store.find(&object.digest()).unwrap().as_ref(),
            Some(&object),
            "{what}: the stamp was to be trusted"
        );
        assert_eq!(read(&store, &object), Code::CacheCorrupt, "{what}");
        assert_eq!(store.find(&object.digest()).unwrap(), None, "{what}");
    }
}

#[test]
fn cas_05_a_rotten_object_in_the_way_of_a_new_one_is_replaced() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bytes = noise(50_000, 8);
    let object = store.put(&bytes, Privacy::Public).unwrap();
    rot(&store.path(&object), 9, b"rot");
    let mut writer = store.create(Privacy::Public, None).unwrap();
    writer.write_all(&bytes).unwrap();
    assert_eq!(writer.finish(None, None).unwrap(), object);
    assert_eq!(store.read(&object, 1 << 20).unwrap(), bytes);
    assert_eq!(files_in(&cache.join("quarantine")).len(), 1);
}

#[test]
fn cas_05_a_right_inode_with_another_name_needs_its_own_stamp() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let (one, other) = (noise(5000, 1), noise(5000, 2));
    let (a, b) = (store.put(&one, Privacy::Public).unwrap(), store.put(&other, Privacy::Public).unwrap());
    let (path_a, path_b) = (store.path(&a), store.path(&b));
    let aside = cache.join("aside");
    std::fs::rename(&path_a, &aside).unwrap();
    std::fs::rename(&path_b, &path_a).unwrap();
    std::fs::rename(&aside, &path_b).unwrap();
    // The same sizes, and mtimes made the same: only the inode tells.
    let time = std::fs::metadata(&path_a).unwrap().modified().unwrap();
    for (object, path) in [(&a, &path_a), (&b, &path_b)] {
        let stamp = cache.join("stamps-v1").join(object.digest().to_string());
        let text = std::fs::read_to_string(&stamp).unwrap();
        let inode = text.split(' ').next().unwrap();
        let m = std::fs::metadata(path).unwrap();
        reopen(path).set_modified(time).unwrap();
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
        std::fs::write(&stamp, format!("{inode} {} {} {}\n", m.len(), since.as_secs(), since.subsec_nanos())).unwrap();
    }
    assert_eq!(store.find(&a.digest()).unwrap(), None);
    assert_eq!(store.find(&b.digest()).unwrap(), None);
}

#[test]
fn cas_06_any_small_file_may_be_lost_cut_or_garbled() {
    let spoilers: [fn(&Path); 4] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| reopen(path).set_len(std::fs::metadata(path).unwrap().len() / 2).unwrap(),
        |path| reopen(path).write_all_at(b"\xff\0?", 3).unwrap(),
        |path| std::fs::write(path, vec![b'\n'; 100_000]).unwrap(),
    ];
    let id = DerivationId(Digest::of(b"derivation"));
    for spoil in spoilers {
        let (_place, cache) = world();
        let bytes = noise(20_000, 5);
        let object = Store::open(&cache, &deaf).unwrap().put(&bytes, Privacy::Public).unwrap();
        Store::open(&cache, &deaf).unwrap().record(&id, &object, "0.1.0").unwrap();
        let all = snapshot(&cache);
        let small = all.iter().map(|entry| &entry.0).filter(|path| path.is_file() && !path.ends_with("lock"));
        for path in small.filter(|path| !path.starts_with(cache.join("objects-v1"))) {
            spoil(path);
            let store = Store::open(&cache, &deaf).unwrap();
            let known = store.realisation(&id);
            assert!(known.is_none_or(|found| found == object));
            assert_eq!(store.read(&object, 1 << 20).unwrap(), bytes, "{path:?}");
            store.record(&id, &object, "0.1.0").unwrap();
            assert_eq!(store.realisation(&id), Some(object.clone()), "{path:?}");
        }
    }
}

#[test]
fn cas_06_missing_directories_are_made_again() {
    for name in ["tmp", "objects-v1", "realisations-v1", "stamps-v1", "quarantine", "bundles-v1"] {
        let (_place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        store.put(b"before", Privacy::Public).unwrap();
        std::fs::remove_dir_all(cache.join(name)).unwrap();
        let object = store.put(b"after", Privacy::Public).unwrap();
        store.record(&DerivationId(object.digest()), &object, "0").unwrap();
        assert_eq!(store.realisation(&DerivationId(object.digest())), Some(object.clone()), "{name}");
        rot(&store.path(&object), 0, b"x");
        assert_eq!(code(store.read(&object, 10)), Code::CacheCorrupt);
    }
}

#[test]
fn net_01_what_was_received_is_kept_resumed_and_hashed_once_more() {
    let (_place, cache) = world();
    let bytes = noise(900_000, 2);
    let digest = Digest::of(&bytes);
    let store = Store::open(&cache, &deaf).unwrap();
    let mut first = partial(&store, &digest);
    assert!(!first.is_resumed() && first.validator().is_none());
    first.reserve(900_000).unwrap();
    first.append(&bytes[..500_001]).unwrap();
    first.set_validator(Some("\"abc-1\"")).unwrap();
    drop(first);
    drop(store);
    let store = Store::open(&cache, &deaf).unwrap();
    let mut second = partial(&store, &digest);
    assert_eq!((second.position(), second.is_resumed()), (500_001, true));
    assert_eq!(second.validator().as_deref(), Some("\"abc-1\""));
    second.set_cap(900_000).unwrap();
    second.append(&bytes[500_001..]).unwrap();
    let object = second.finish(Some(900_000), None).unwrap();
    assert_eq!(store.read(&object, 1 << 20).unwrap(), bytes);
    assert!(files_in(&cache.join("tmp")).is_empty());
    assert!(matches!(store.lock_download(&digest, "base").unwrap(), DownloadLock::Ready(found) if found == object));
    let m = std::fs::metadata(store.path(&object)).unwrap();
    assert_eq!((m.mode() & 0o777, m.nlink()), (0o444, 1));
}

#[test]
fn gc_04_a_file_that_an_earlier_version_filled_in_any_order_goes_with_its_journal_and_not_from_under_its_holder() {
    let (_place, cache) = world();
    drop(Store::open(&cache, &deaf).unwrap());
    let [dead, living, whole] =
        [b"dead", b"live", b"whol"].map(|name| cache.join(format!("tmp/partial-{}", Digest::of(name))));
    for path in [&dead, &living] {
        std::fs::write(path, [7; 950]).unwrap();
        std::fs::write(path.with_extension("pieces"), "pieces 100 1000\n0\n9\n").unwrap();
    }
    std::fs::write(&whole, [7; 950]).unwrap();
    let holder = std::fs::File::open(&living).unwrap();
    holder.lock().unwrap();
    drop(Store::open(&cache, &deaf).unwrap());
    let exists = |path: &Path| [path.exists(), path.with_extension("pieces").exists()];
    assert_eq!([&dead, &living, &whole].map(|path| exists(path)[0]), [false, true, true]);
    assert!(!exists(&dead)[1]);
    drop(holder);
    let store = Store::open(&cache, &deaf).unwrap();
    assert_eq!(exists(&living), [false, false]);
    assert_eq!(partial(&store, &Digest::of(b"live")).position(), 0);
}

#[test]
fn net_11_a_download_with_other_bytes_is_dropped_and_the_next_try_begins_anew() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let digest = Digest::of(b"the image");
    for (bytes, size) in
        [(&b"the imagf"[..], Some(9)), (b"the image", Some(10)), (b"", None), (b"<!DOCTYPE html>..", None)]
    {
        let mut partial = partial(&store, &digest);
        assert_eq!(partial.position(), 0);
        partial.append(bytes).unwrap();
        partial.set_validator(Some("\"x\"")).unwrap();
        let problem = partial.finish(size, None).unwrap_err();
        assert_eq!(problem.code, Code::Hash);
        assert_eq!(problem.causes().count(), usize::from(bytes.starts_with(b"<!")), "{problem:?}");
        assert!(files_in(&cache.join("tmp")).is_empty());
        assert!(store.find(&digest).unwrap().is_none());
    }
    let mut kept = partial(&store, &digest);
    kept.append(b"the").unwrap();
    drop(kept);
    std::fs::write(cache.join(format!("tmp/partial-{digest}")), b"tho").unwrap();
    let mut resumed = partial(&store, &digest);
    resumed.append(b" image").unwrap();
    assert!(resumed.is_resumed());
    assert_eq!(code(resumed.finish(None, None)), Code::Hash);
    let mut fresh = partial(&store, &digest);
    fresh.append(b"the image").unwrap();
    fresh.finish(Some(9), None).unwrap();
}

#[test]
fn net_02_and_03_the_cap_holds_and_a_restart_forgets() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let digest = Digest::of(b"0123456789");
    let mut partial = partial(&store, &digest);
    partial.set_cap(10).unwrap();
    partial.append(b"abcdef").unwrap();
    partial.set_validator(Some("\"v\"")).unwrap();
    assert_eq!(code(partial.append(b"ghijk")), Code::NetSize);
    partial.restart().unwrap();
    assert_eq!((partial.position(), partial.validator(), partial.is_resumed()), (0, None, false));
    partial.append(b"0123456789").unwrap();
    assert_eq!(store.read(&partial.finish(Some(10), None).unwrap(), 99).unwrap(), b"0123456789");
}

#[test]
fn cas_11_what_is_planted_as_a_download_is_removed_and_what_it_points_to_is_not_touched() {
    let planters: [fn(&Path, &Path); 4] = [
        |victim, at| symlink(victim, at).unwrap(),
        |victim, at| std::fs::hard_link(victim, at).unwrap(),
        |_, at| rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap(),
        |_, at| std::fs::create_dir(at).unwrap(),
    ];
    for plant in planters {
        let (place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        let victim = place.path().join("victim");
        std::fs::write(&victim, b"mine").unwrap();
        let digest = Digest::of(b"bytes");
        plant(&victim, &cache.join(format!("tmp/partial-{digest}")));
        let mut partial = partial(&store, &digest);
        partial.append(b"bytes").unwrap();
        partial.finish(None, None).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
        assert_eq!(std::fs::metadata(&victim).unwrap().nlink(), 1);
    }
}

#[test]
fn a_garbled_validator_is_none() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let digest = Digest::of(b"bytes");
    let partial = partial(&store, &digest);
    for bad in [&b""[..], b"a\r\nHost: evil", b"\xff", &[b'a'; 2000]] {
        std::fs::write(cache.join(format!("tmp/partial-{digest}.etag")), bad).unwrap();
        assert_eq!(partial.validator(), None, "{bad:?}");
    }
}

#[test]
fn gc_05_a_store_of_a_newer_format_is_left_alone() {
    for (text, expected) in [
        (r#"{"format":2,"features":{}}"#, Code::CacheVersion),
        (r#"{"format":1,"features":{"ignorable":[],"read_only":[],"required":["dedup"]}}"#, Code::CacheVersion),
        (r#"{"format":1,"features":{"ignorable":["x"],"read_only":["dedup"],"required":[]}}"#, Code::CacheReadOnly),
    ] {
        let (_place, cache) = world();
        let object = Store::open(&cache, &deaf).unwrap().put(b"old", Privacy::Public).unwrap();
        std::fs::write(cache.join("meta.json"), text).unwrap();
        let before = snapshot(&cache);
        match Store::open(&cache, &deaf) {
            Err(problem) => assert_eq!(problem.code, expected),
            Ok(store) => {
                assert_eq!(store.read(&store.find(&object.digest()).unwrap().unwrap(), 9).unwrap(), b"old");
                assert_eq!(code(store.put(b"new", Privacy::Public)), expected);
                assert_eq!(code(store.create(Privacy::Public, None)), expected);
                assert_eq!(code(store.lock_download(&Digest::of(b"x"), "x")), expected);
            }
        }
        assert_eq!(snapshot(&cache), before, "{text}");
    }
}

#[test]
fn a_directory_that_holds_something_else_does_not_become_a_store() {
    let (place, _) = world();
    std::fs::write(place.path().join("letter.txt"), b"dear").unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let before = snapshot(place.path());
    assert_eq!(code(Store::open(place.path(), &deaf)), Code::Usage);
    assert_eq!(snapshot(place.path()), before);
    std::fs::write(place.path().join("CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\n").unwrap();
    Store::open(place.path(), &deaf).unwrap().put(b"x", Privacy::Public).unwrap();
}

#[test]
fn cas_11_a_store_that_others_can_write_is_refused() {
    let (_place, cache) = world();
    Store::open(&cache, &deaf).unwrap();
    for mode in [0o770, 0o777, 0o702, 0o1777] {
        std::fs::set_permissions(&cache, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(code(Store::open(&cache, &deaf)), Code::CachePerm, "{mode:o}");
    }
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o755)).unwrap();
    Store::open(&cache, &deaf).unwrap();
    if std::os::unix::fs::chown(&cache, Some(12345), None).is_ok() {
        assert_eq!(code(Store::open(&cache, &deaf)), Code::CachePerm);
    }
}

#[test]
fn a_grown_copy_reads_its_base_once_and_is_an_object_of_its_own() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let mut base = noise(3 << 20, 4);
    base[1 << 20..2 << 20].fill(0);
    let object = store.put(&base, Privacy::Public).unwrap();
    let mut writer = store.create(Privacy::Public, None).unwrap();
    store.copy_verified(&object, &mut writer, &[(24, vec![0xab; 8]), (3 << 20, vec![1, 2, 3])], "copy").unwrap();
    let copy = writer.finish(None, None).unwrap();
    base[24..32].fill(0xab);
    base.extend([1, 2, 3]);
    assert_eq!((copy.digest(), copy.size()), (Digest::of(&base), (3 << 20) + 3));
    assert!(std::fs::metadata(store.path(&copy)).unwrap().blocks() * 512 < (2 << 20) + (64 << 10));
}

#[test]
fn an_open_store_waits_for_the_collector_only_so_long() {
    let (_place, cache) = world();
    drop(Store::open(&cache, &deaf).unwrap());
    let lock = std::fs::File::open(cache.join("lock")).unwrap();
    lock.lock().unwrap();
    let heard = ReportState::default();
    let hear = |event| heard.hear(event);
    let problem = Store::open_with(&cache, patient(Duration::from_millis(80)), &hear).map(drop).unwrap_err();
    assert_eq!(problem.code, Code::CacheLock);
    assert!(heard.waited() && format!("{problem:?}").contains(&format!("process {}", std::process::id())));
    let freed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        drop(lock);
    });
    Store::open(&cache, &hear).unwrap();
    freed.join().unwrap();
}

#[test]
fn cas_07_what_came_slowly_lies_in_the_file_while_more_is_waited_for() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let digest = Digest::of(b"slow");
    let mut download = partial(&store, &digest);
    let file = cache.join(format!("tmp/partial-{digest}"));
    for count in 1..=3 {
        std::thread::sleep(Duration::from_millis(60));
        download.append(&[7; 1000]).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), count * 1000);
    }
}
