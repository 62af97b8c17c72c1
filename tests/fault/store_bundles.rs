//! Bundles in the store and their copies outside: whole or not at all, noticed when changed.
//! Touches temporary directories. Read next: `store_collector.rs`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::base::{Code, Digest, Name};
use crate::store::{Bundle, BundleEntry, Copied, Privacy, Repair, Source, Store};

use super::store::{ReportState, code, deaf, files_in, noise, rot, snapshot, world};

pub fn name() -> Name {
    Name::parse("nas").unwrap()
}

pub fn plan() -> Digest {
    Digest::of(b"plan")
}

/// Three files: a public object with a hole, a private one, and bytes.
pub fn entries(store: &Store) -> Vec<BundleEntry> {
    let mut base = noise(2 << 20, 6);
    base[1 << 20..].fill(0);
    let base = store.put(&base, Privacy::Public).unwrap();
    let config = store.put(b"hash of a password", Privacy::Provisioning).unwrap();
    let entry = |file_name: &str, source| BundleEntry { file_name: file_name.into(), source };
    vec![
        entry("run-qemu.sh", Source::Bytes { bytes: b"#!/bin/sh\n".to_vec(), mode: 0o555 }),
        entry("base.qcow2", Source::Object(base)),
        entry("config.ign", Source::Object(config)),
    ]
}

pub fn publish(store: &Store) -> Bundle {
    store.publish_bundle(&plan(), &name(), &entries(store)).unwrap()
}

fn unlock(dir: &Path) {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_bundle_appears_whole_read_only_and_linked_to_its_objects() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    assert!(store.bundle(&plan(), &name()).unwrap().is_none());
    let bundle = publish(&store);
    assert_eq!(bundle.path(), store.dir().join("bundles-v1").join(format!("{}-nas", plan())));
    assert_eq!(std::fs::metadata(bundle.path()).unwrap().mode() & 0o777, 0o500);
    assert_eq!(files_in(bundle.path()), ["base.qcow2", "config.ign", "run-qemu.sh"]);
    let modes: Vec<_> = bundle.files().iter().map(|file| file.mode).collect();
    assert_eq!(modes, [0o444, 0o400, 0o555]);
    let base = store.find(&bundle.files()[0].digest).unwrap().unwrap();
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&bundle.path().join("base.qcow2")), inode(&store.path(&base)));
    let before = snapshot(&cache);
    assert_eq!(store.bundle(&plan(), &name()).unwrap().unwrap().files(), bundle.files());
    assert_eq!(publish(&store).files(), bundle.files());
    assert_eq!(snapshot(&cache), before, "a second time something was written");
}

#[test]
fn cas_05_a_changed_bundle_is_put_away_and_made_again() {
    let damages: [(&str, fn(&Path)); 6] = [
        ("a file changed", |dir| {
            let script = dir.join("run-qemu.sh");
            std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
            std::fs::write(&script, b"#!/bin/sh\nrm\n").unwrap();
        }),
        ("a file replaced", |dir| {
            unlock(dir);
            std::fs::remove_file(dir.join("run-qemu.sh")).unwrap();
            std::fs::write(dir.join("run-qemu.sh"), b"#!/bin/sh\n").unwrap();
        }),
        ("a file missing", |dir| {
            unlock(dir);
            std::fs::remove_file(dir.join("config.ign")).unwrap();
        }),
        ("a file more", |dir| {
            unlock(dir);
            std::fs::write(dir.join("extra"), b"x").unwrap();
        }),
        ("a link in its place", |dir| {
            unlock(dir);
            std::fs::rename(dir.join("config.ign"), dir.with_extension("aside")).unwrap();
            std::os::unix::fs::symlink(dir.with_extension("aside"), dir.join("config.ign")).unwrap();
        }),
        ("no directory", |dir| {
            unlock(dir);
            std::fs::remove_dir_all(dir).unwrap();
            std::fs::write(dir, b"x").unwrap();
        }),
    ];
    for (what, damage) in damages {
        let (_place, cache) = world();
        let heard = ReportState::default();
        let hear = |event| heard.hear(event);
        let store = Store::open(&cache, &hear).unwrap();
        let bundle = publish(&store);
        damage(bundle.path());
        assert!(store.bundle(&plan(), &name()).unwrap().is_none(), "{what}");
        assert_eq!((heard.warnings(), files_in(&cache.join("quarantine")).len()), (1, 1), "{what}");
        assert_eq!(publish(&store).path(), bundle.path(), "{what}");
        assert!(store.bundle(&plan(), &name()).unwrap().is_some(), "{what}");
    }
}

#[test]
fn cas_06_without_its_record_a_bundle_is_compared_and_kept_or_replaced() {
    for spoilt in [false, true] {
        let (_place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        let bundle = publish(&store);
        let inode = std::fs::metadata(bundle.path()).unwrap().ino();
        std::fs::remove_file(cache.join("stamps-v1").join(bundle.name())).unwrap();
        if spoilt {
            rot(&bundle.path().join("run-qemu.sh"), 2, b"X");
        }
        assert!(store.bundle(&plan(), &name()).unwrap().is_none());
        let again = publish(&store);
        assert_eq!(std::fs::read(again.path().join("run-qemu.sh")).unwrap(), b"#!/bin/sh\n");
        assert_eq!(std::fs::metadata(again.path()).unwrap().ino() == inode, !spoilt);
        assert_eq!(files_in(&cache.join("quarantine")).len(), usize::from(spoilt));
        assert!(store.bundle(&plan(), &name()).unwrap().is_some());
    }
}

#[test]
fn a_bundle_is_not_made_of_an_object_that_was_changed_meanwhile() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let entries = entries(&store);
    let Source::Object(base) = &entries[1].source else { panic!() };
    let path = store.path(base);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&path, noise(2 << 20, 60)).unwrap();
    assert_eq!(code(store.publish_bundle(&plan(), &name(), &entries)), Code::CacheCorrupt);
    assert!(files_in(&cache.join("bundles-v1")).is_empty() && files_in(&cache.join("tmp")).is_empty());
}

#[test]
fn names_that_lead_elsewhere_are_refused_in_a_bundle() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    for bad in ["", ".", "..", "../x", "a/b", "a\0b", "a b"] {
        let source = Source::Bytes { bytes: vec![], mode: 0o444 };
        let entry = BundleEntry { file_name: bad.into(), source };
        assert_eq!(code(store.publish_bundle(&plan(), &name(), &[entry])), Code::Bug, "{bad:?}");
    }
    assert!(files_in(&cache.join("bundles-v1")).is_empty());
}

#[test]
fn cas_13_what_is_written_through_a_bundle_is_found_by_verify() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bundle = publish(&store);
    rot(&bundle.path().join("base.qcow2"), 5, b"guest");
    let report = store.verify_and(Repair::No).unwrap();
    assert_eq!((report.objects, report.damaged), (2, vec![bundle.files()[0].digest]));
}

#[test]
fn out_15_a_copy_is_self_contained_sparse_and_never_over_something_else() {
    let (place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bundle = publish(&store);
    let out = place.path().join("out");
    assert_eq!(store.copy_bundle(&bundle, &out).unwrap(), Copied::Made);
    let before = snapshot(&out);
    assert_eq!(store.copy_bundle(&bundle, &out).unwrap(), Copied::Same);
    assert_eq!(snapshot(&out), before);
    assert_eq!(std::fs::metadata(&out).unwrap().mode() & 0o777, 0o700);
    for file in bundle.files() {
        let m = std::fs::metadata(out.join(&file.file_name)).unwrap();
        assert_eq!((m.mode() & 0o777, m.nlink()), (file.mode, 1), "{}", file.file_name);
        assert_eq!(Digest::of(&std::fs::read(out.join(&file.file_name)).unwrap()), file.digest);
    }
    assert!(std::fs::metadata(out.join("base.qcow2")).unwrap().blocks() * 512 < (1 << 20) + (64 << 10));
    std::fs::write(out.join("notes.txt"), b"mine").unwrap();
    let before = snapshot(&out);
    assert_eq!(code(store.copy_bundle(&bundle, &out)), Code::OutputExists);
    assert_eq!(snapshot(&out), before);
    assert_eq!(files_in(place.path()), ["cache", "out"]);
    assert_eq!(code(store.copy_bundle(&bundle, &place.path().join("no/out"))), Code::OutputPath);
    assert_eq!(code(store.copy_bundle(&bundle, Path::new("/"))), Code::OutputPath);
}

#[test]
fn out_15_a_copy_of_rotten_bytes_leaves_nothing_and_the_bundle_is_put_away() {
    for file in ["base.qcow2", "run-qemu.sh"] {
        let (place, cache) = world();
        let store = Store::open(&cache, &deaf).unwrap();
        let bundle = publish(&store);
        rot(&bundle.path().join(file), 3, b"rot");
        assert!(store.bundle(&plan(), &name()).unwrap().is_some(), "{file}: the stamp was to be trusted");
        let out = place.path().join("out");
        assert_eq!(code(store.copy_bundle(&bundle, &out)), Code::CacheCorrupt, "{file}");
        assert_eq!(files_in(place.path()), ["cache"]);
        let again = publish(&store);
        assert_eq!(store.copy_bundle(&again, &out).unwrap(), Copied::Made, "{file}");
    }
}

#[test]
fn out_15_a_dead_copy_is_swept_by_the_next_and_a_strangers_file_is_not() {
    let (place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bundle = publish(&store);
    for leftover in [".out.arca-dead01", ".other.arca-dead01", "out.arca-x"] {
        std::fs::create_dir(place.path().join(leftover)).unwrap();
    }
    store.copy_bundle(&bundle, &place.path().join("out")).unwrap();
    assert_eq!(files_in(place.path()), [".other.arca-dead01", "cache", "out", "out.arca-x"]);
}
