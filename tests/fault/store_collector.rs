//! The collector takes what nobody keeps and nothing else. Touches temporary directories.
//! Read next: `store_processes.rs`.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::{ByteSize, Code, DerivationId, Digest, Name};
use crate::store::{Bundle, Collect, EmptyRoots, GcReport, Holder, Policy, Privacy, Repair, Root, Store};
use crate::stream::Sink;

use super::store::{ReportState, code, deaf, files_in, object_path, partial, patient, snapshot, world};
use super::store_bundles::{name, plan, publish};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn later() -> SystemTime {
    SystemTime::now() + 2 * DAY
}

/// Collects all that is older and not kept, unless there is no root.
pub fn older_than(grace: Duration) -> Policy {
    Policy { grace, keep_last: 0, max_size: None, empty_roots: EmptyRoots::Refuse }
}

fn collect(store: &Store) -> GcReport {
    store.collect_garbage(Collect::Remove, &older_than(DAY), later()).unwrap()
}

fn root_of(bundle: &Bundle, holder: Holder, extra: &[Digest]) -> Root {
    let objects = bundle.files().iter().map(|file| file.digest).chain(extra.iter().copied()).collect();
    Root { holder, bundle: Some(bundle.name().to_owned()), objects }
}

/// A store with a linked bundle, one object of its closure beside it, and one object of nobody.
fn rooted(place: &Path, store: &Store) -> (PathBuf, Digest, Digest) {
    let bundle = publish(store);
    let input = store.put(b"input of the closure", Privacy::Public).unwrap();
    let stray = store.put(b"nobody's", Privacy::Public).unwrap();
    store.record(&DerivationId(Digest::of(b"kept")), &input, "0").unwrap();
    store.record(&DerivationId(Digest::of(b"gone")), &stray, "0").unwrap();
    let link = place.join("result-nas");
    symlink(bundle.path(), &link).unwrap();
    store.add_root(&root_of(&bundle, Holder::Link(link.clone()), &[input.digest()])).unwrap();
    (link, input.digest(), stray.digest())
}

#[test]
fn gc_01_what_a_root_keeps_stays_and_the_rest_goes() {
    let (place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let (link, input, stray) = rooted(place.path(), &store);
    let before = snapshot(&cache);
    let told = store.collect_garbage(Collect::DryRun, &older_than(DAY), later()).unwrap();
    assert_eq!(snapshot(&cache), before, "a dry run changed something");
    let done = collect(&store);
    assert_eq!(done, told);
    assert!(done.freed.0 > 0 && done.kept == 3, "{done:?}");
    assert!(!object_path(&cache, &stray).exists() && object_path(&cache, &input).exists());
    assert_eq!(files_in(&cache.join("realisations-v1")), [Digest::of(b"kept").to_string()]);
    assert!(store.bundle(&plan(), &name()).unwrap().is_some());
    assert_eq!(store.verify_and(Repair::No).unwrap().damaged, []);
    assert_eq!(collect(&store).removed, []);
    std::fs::remove_file(link).unwrap();
    let done = collect(&store);
    assert!(files_in(&cache.join("bundles-v1")).is_empty() && files_in(&cache.join("roots-v1")).is_empty());
    assert_eq!((store.verify_and(Repair::No).unwrap().objects, done.kept), (0, 0));
    assert!(done.freed.0 >= 1 << 20, "the size of hard-linked files was not counted: {done:?}");
    assert!(files_in(&cache.join("stamps-v1")).is_empty() && files_in(&cache.join("tmp")).is_empty());
}

#[test]
fn gc_03_what_is_young_stays_and_so_does_what_seems_to_come_from_the_future() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    publish(&store);
    for now in [SystemTime::now(), SystemTime::now() + DAY / 2, SystemTime::UNIX_EPOCH] {
        assert_eq!(store.collect_garbage(Collect::Remove, &older_than(DAY), now).unwrap().removed, []);
    }
}

#[test]
fn gc_03_a_link_that_cannot_be_seen_keeps_and_one_that_points_elsewhere_does_not() {
    let cases: [(&str, bool, fn(&Path)); 6] = [
        ("the directory is gone", true, |link| std::fs::remove_dir_all(link.parent().unwrap()).unwrap()),
        ("the link is relative", true, |link| {
            std::fs::remove_file(link).unwrap();
            let bundle = format!("../cache/bundles-v1/{}-nas", plan());
            symlink(bundle, link).unwrap();
        }),
        ("the link leads by another path", true, |link| {
            let by = link.with_file_name("by");
            symlink(link.parent().unwrap().with_file_name("cache"), &by).unwrap();
            std::fs::remove_file(link).unwrap();
            symlink(by.join(format!("bundles-v1/{}-nas", plan())), link).unwrap();
        }),
        ("the link is gone", false, |link| std::fs::remove_file(link).unwrap()),
        ("the link points elsewhere", false, |link| {
            std::fs::remove_file(link).unwrap();
            symlink("/etc", link).unwrap();
        }),
        ("it is a file now", false, |link| {
            std::fs::remove_file(link).unwrap();
            std::fs::write(link, b"x").unwrap();
        }),
    ];
    for (what, stays, change) in cases {
        let (place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        let home = place.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let (link, ..) = rooted(&home, &store);
        change(&link);
        let report = collect(&store);
        assert_eq!(store.bundle(&plan(), &name()).unwrap().is_some(), stays, "{what}");
        assert_eq!(report.unknown.len(), usize::from(what == "the directory is gone"), "{what}");
    }
}

#[test]
fn a_named_root_keeps_objects_until_it_is_removed() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let object = store.put(b"fetched", Privacy::Public).unwrap();
    let holder = Holder::Named(Name::parse("inputs").unwrap());
    let root = Root { holder, bundle: None, objects: BTreeSet::from([object.digest()]) };
    store.add_root(&root).unwrap();
    let before = snapshot(&cache.join("roots-v1"));
    store.add_root(&root).unwrap();
    assert_eq!(snapshot(&cache.join("roots-v1")), before, "the same root was written again");
    assert_eq!(store.roots().unwrap(), [root]);
    assert_eq!(collect(&store).kept, 1);
}

#[test]
fn gc_03_roots_that_cannot_be_read_stop_the_collector() {
    let spoilers: [fn(&Path); 4] = [
        |roots| std::fs::remove_dir_all(roots).unwrap(),
        |roots| std::fs::write(roots.join("ab"), b"arca-build root 2\nend\n").unwrap(),
        |roots| {
            let file = roots.join(&files_in(roots)[0]);
            let text = std::fs::read(&file).unwrap();
            // Cut at a line's end: the last object and the line `end` are lost.
            std::fs::write(&file, &text[..text.len() - "object \nend\n".len() - 64]).unwrap();
        },
        |roots| symlink("/etc/hostname", roots.join("link")).unwrap(),
    ];
    for spoil in spoilers {
        let (place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        rooted(place.path(), &store);
        spoil(&cache.join("roots-v1"));
        let before = snapshot(&cache);
        let problem = store.collect_garbage(Collect::Remove, &older_than(DAY), later()).unwrap_err();
        assert!(matches!(problem.code, Code::CacheCorrupt | Code::Io), "{problem:?}");
        assert_eq!(problem.note.as_deref(), Some("nothing was removed"));
        assert_eq!(snapshot(&cache), before);
    }
}

#[test]
fn gc_01_the_collector_waits_for_users_and_then_gives_up() {
    let (_place, cache) = world();
    let user = Store::open(&cache, &deaf).unwrap();
    user.put(b"in use", Privacy::Public).unwrap();
    user.add_root(&Root { holder: Holder::Named(Name::parse("other").unwrap()), bundle: None, objects: [].into() })
        .unwrap();
    let heard = ReportState::default();
    let hear = |event| heard.hear(event);
    let store = Store::open_with(&cache, patient(Duration::from_millis(80)), &hear).unwrap();
    let problem = store.collect_garbage(Collect::Remove, &older_than(DAY), later()).unwrap_err();
    assert_eq!(problem.code, Code::CacheLock);
    assert!(heard.waited());
    // Giving up left the collector an ordinary user: another one is kept out by it.
    drop(user);
    let other = Store::open_with(&cache, patient(Duration::from_millis(80)), &deaf).unwrap();
    assert_eq!(code(other.collect_garbage(Collect::Remove, &older_than(DAY), later())), Code::CacheLock);
    drop(other);
    assert_eq!(collect(&store).removed.len(), 1);
}

#[test]
fn gc_04_old_downloads_and_quarantine_go_and_a_download_in_progress_stays() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let (idle, busy) = (Digest::of(b"idle"), Digest::of(b"busy"));
    for digest in [idle, busy] {
        partial(&store, &digest).append(b"part").unwrap();
    }
    let object = store.put(b"rotten", Privacy::Public).unwrap();
    super::store::rot(&store.path(&object), 0, b"R");
    assert_eq!(code(store.read(&object, 99)), Code::CacheCorrupt);
    let held = partial(&store, &busy);
    assert_eq!(store.collect_garbage(Collect::Remove, &older_than(DAY), SystemTime::now()).unwrap().removed, []);
    collect(&store);
    assert_eq!(files_in(&cache.join("tmp")), [format!("partial-{busy}")]);
    assert!(files_in(&cache.join("quarantine")).is_empty());
    assert_eq!(held.position(), 4);
}

/// Loses a file of a bundle, and looks at it: what is left of it goes to quarantine, hard links to good objects.
fn put_bundle_away(store: &Store, bundle: &Bundle) {
    std::fs::set_permissions(bundle.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::remove_file(bundle.path().join("run-qemu.sh")).unwrap();
    assert!(store.bundle(&plan(), &name()).unwrap().is_none());
}

/// Lets an object rot, and reads it: it goes to quarantine, and a bundle has a hard link to it.
fn put_object_away(store: &Store, bundle: &Bundle) {
    let base = store.find(&bundle.files()[0].digest).unwrap().unwrap();
    super::store::rot(&store.path(&base), 0, b"R");
    assert_eq!(code(store.read(&base, 4 << 20)), Code::CacheCorrupt);
}

#[test]
fn gc_01_bytes_with_a_name_in_quarantine_are_freed_with_their_last_name_and_told_then() {
    let spoilers: [fn(&Store, &Bundle); 2] = [put_bundle_away, put_object_away];
    for (spoil, max_size) in spoilers.into_iter().flat_map(|spoil| [(spoil, None), (spoil, Some(ByteSize(0)))]) {
        let (_place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        spoil(&store, &publish(&store));
        assert_eq!(files_in(&cache.join("quarantine")).len(), 1);
        let policy = Policy { max_size, empty_roots: EmptyRoots::Collect, ..older_than(DAY) };
        let before = store.usage().unwrap().total.0;
        let told = store.collect_garbage(Collect::DryRun, &policy, later()).unwrap();
        let done = store.collect_garbage(Collect::Remove, &policy, later()).unwrap();
        assert_eq!(done, told);
        assert_eq!((done.kept, store.bundle_names().unwrap()), (0, vec![]));
        let after = store.usage().unwrap().total.0;
        // Stamps and directories of objects are not told.
        let untold = (before - after).checked_sub(done.freed.0).unwrap();
        assert!(untold < 100 << 10 && done.freed.0 > 1 << 20, "{before} before, {after} after: {done:?}");
        assert_eq!(done.left.0, after + untold);
    }
}

#[test]
fn gc_01_what_a_bundle_in_quarantine_frees_counts_before_an_object_must_go() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    put_bundle_away(&store, &publish(&store));
    let most = ByteSize(store.usage().unwrap().total.0 - 1);
    let policy = Policy { max_size: Some(most), empty_roots: EmptyRoots::Collect, ..older_than(DAY) };
    let done = store.collect_garbage(Collect::Remove, &policy, later()).unwrap();
    assert_eq!((done.kept, done.is_too_large), (2, false), "{done:?}");
    assert!(done.left <= most && files_in(&cache.join("quarantine")).is_empty(), "{done:?}");
}

#[test]
fn bytes_that_quarantine_names_too_are_none_that_a_bundles_removal_frees() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let own = |store: &Store| store.usage().unwrap().bundles[0].own.0;
    put_bundle_away(&store, &publish(&store));
    publish(&store);
    assert!(own(&store) < 100 << 10 && store.usage().unwrap().bundles[0].shared.0 > 1 << 20);
    collect_rootless(&store);
    publish(&store);
    assert!(own(&store) > 1 << 20);
}

fn collect_rootless(store: &Store) {
    let policy = Policy { empty_roots: EmptyRoots::Collect, ..older_than(DAY) };
    store.collect_garbage(Collect::Remove, &policy, later()).unwrap();
}
