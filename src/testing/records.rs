//! The store's own files as inputs: each is laid into a store, and read the way the program reads it. Shared with the fuzz
//! targets by `readers.rs`. Touches a temporary directory, in memory where that is possible. Read next: `readers.rs`.
//!
//! What a record says must hold together; and bytes are never believed to be what only a stamp says they are.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::base::{Code, DerivationId, Digest, Event, Name};
use crate::store::{BundleEntry, Holder, Privacy, RollbackRecord, Root, Source, Store};

const BYTES: &[u8] = b"what the object holds";
const URL: &str = "https://h.example/d/X.qcow2";

/// A store of one object, one bundle, and one record of each kind.
pub struct Desk {
    place: tempfile::TempDir,
    store: Store<'static>,
    object: Digest,
    bundle: String,
}

thread_local! {
    /// Laid once in each process; goes with its thread.
    static DESK: OnceCell<Desk> = const { OnceCell::new() };
}

fn deaf(_: Event) {}

impl Desk {
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("arca-fuzz-");
        let place = builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).unwrap();
        let store = Store::open(&place.path().join("cache"), &deaf).unwrap();
        let object = store.put(BYTES, Privacy::Public).unwrap();
        store.record(&derivation(), &object, "0.1.0").unwrap();
        let entries = [
            BundleEntry { file_name: "base.qcow2".into(), source: Source::Object(object.clone()) },
            BundleEntry { file_name: "run.sh".into(), source: Source::Bytes { bytes: b"#!".to_vec(), mode: 0o555 } },
        ];
        let bundle = store.publish_bundle(&Digest::of(b"plan"), &name(), &entries).unwrap().name().to_owned();
        let objects = BTreeSet::from([object.digest(), Digest::of(b"other")]);
        store.add_root(&Root { holder: holder(), bundle: Some(bundle.clone()), objects }).unwrap();
        let seen = RollbackRecord {
            signer: None,
            snapshot: Some("20261120".into()),
            signed_at: Some(7),
            digest: object.digest(),
        };
        store.record_seen(URL, &seen).unwrap();
        Self { place, store, object: object.digest(), bundle }
    }

    /// The file that a kind of input replaces.
    pub fn file(&self, kind: &str) -> PathBuf {
        let below = match kind {
            "meta" => "meta.json".into(),
            "realisation" => format!("realisations-v1/{}", derivation()),
            "stamp" => format!("stamps-v1/{}", self.object),
            "record" => format!("stamps-v1/{}", self.bundle),
            "root" => format!("roots-v1/{}", Digest::of(format!("name {}", name()).as_bytes())),
            _ => format!("seen-v1/{}", Digest::of(URL.as_bytes())),
        };
        self.cache().join(below)
    }

    fn cache(&self) -> PathBuf {
        self.place.path().join("cache")
    }
}

fn derivation() -> DerivationId {
    DerivationId(Digest::of(b"derivation"))
}

fn name() -> Name {
    Name::parse("nas").unwrap()
}

fn holder() -> Holder {
    Holder::Named(name())
}

/// Lays bytes in place of a kind's file.
fn lay(desk: &Desk, kind: &str, bytes: &[u8]) {
    let path = desk.file(kind);
    let _ = std::fs::remove_file(&path);
    std::fs::write(path, bytes).unwrap();
}

fn at_desk(kind: &str, bytes: &[u8], read: fn(&Desk, &[u8])) {
    DESK.with(|desk| {
        let desk = desk.get_or_init(Desk::new);
        lay(desk, kind, bytes);
        read(desk, bytes);
    });
}

fn says(bytes: &[u8], text: &str) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|found| found.contains(text))
}

/// A store opens, or says that another version wrote it; behind damage it opens again as if nothing had been.
pub fn read_meta(bytes: &[u8]) {
    at_desk("meta", bytes, |desk, _| {
        for _ in 0..2 {
            match Store::open(&desk.cache(), &deaf) {
                Ok(store) => assert!(store.find(&desk.object).unwrap().is_some()),
                Err(problem) => assert_eq!(problem.code, Code::CacheVersion, "{problem:?}"),
            }
        }
    });
}

pub fn read_realisation(bytes: &[u8]) {
    at_desk("realisation", bytes, |desk, bytes| {
        if let Some((digest, _)) = desk.store.recorded(&derivation()) {
            assert!(says(bytes, &digest.to_string()) && says(bytes, &derivation().to_string()));
        }
        if let Some(object) = desk.store.realisation(&derivation()) {
            assert_eq!((object.digest(), object.size()), (desk.object, BYTES.len() as u64));
        }
    });
}

/// Whatever the stamp, an object that is right is found.
pub fn read_stamp(bytes: &[u8]) {
    at_desk("stamp", bytes, |desk, _| {
        let object = desk.store.find(&desk.object).unwrap().expect("a right object");
        assert_eq!(desk.store.read(&object, 99).unwrap(), BYTES);
    });
}

pub fn read_record(bytes: &[u8]) {
    at_desk("record", bytes, |desk, bytes| {
        for digest in desk.store.kept_with(&desk.bundle).unwrap() {
            assert!(says(bytes, &digest.to_string()) || digest == desk.object || digest == Digest::of(b"other"));
        }
    });
}

pub fn read_root(bytes: &[u8]) {
    at_desk("root", bytes, |desk, _| {
        let listed = desk.store.list_roots().unwrap();
        assert_eq!(listed.len(), 1);
        let Some(root) = desk.store.root(&holder()).filter(|root| root.holder == holder()) else { return };
        desk.store.add_root(&root).unwrap();
        assert_eq!(desk.store.root(&holder()), Some(root), "what was read is not what is read again");
    });
}

pub fn read_seen(bytes: &[u8]) {
    at_desk("seen", bytes, |desk, bytes| {
        for seen in desk.store.seen(URL) {
            assert!(says(bytes, &seen.digest.to_string()) && says(bytes, URL));
        }
    });
}

/// A right file of each kind, as the store writes it.
pub fn made(kind: &str) -> Vec<u8> {
    let desk = Desk::new();
    std::fs::read(desk.file(kind)).unwrap()
}
