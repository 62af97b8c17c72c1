//! Instances without libvirt: what is made, shared, kept and removed.

use std::os::unix::fs::symlink;

use super::*;
use crate::vm::signals::Signals;

fn work<T>(run: impl FnOnce(&Work<'_>) -> T) -> T {
    let signals = Signals::default();
    run(&Work { events: &|_| {}, signals: &signals })
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn part(path: &str, kind: Kind, bytes: &[u8]) -> Part {
    Part { path: path.into(), kind, sha256: Digest::of(bytes), size: bytes.len() as u64 }
}

/// A bundle's directory and a storage beside it.
struct Place {
    top: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        for directory in ["bundle", "storage"] {
            std::fs::create_dir(top.path().join(directory)).unwrap();
        }
        for (name, bytes) in [("base", b"base"), ("data", b"data"), ("disk", b"disk")] {
            std::fs::write(top.path().join("bundle").join(name), bytes).unwrap();
        }
        Self { top }
    }

    fn storage(&self) -> PathBuf {
        self.top.path().join("storage")
    }

    fn from(&self, name: &str) -> PathBuf {
        self.top.path().join("bundle").join(name)
    }

    fn names(&self) -> Vec<String> {
        super::names(&self.storage())
    }

    fn open(&self) -> Storage {
        work(|work| Storage::open(&self.storage(), work)).unwrap()
    }

    fn draft<'s>(&self, storage: &'s Storage, called: &str) -> Draft<'s> {
        let digest = Digest::of(b"x");
        let record = Record::new(name(called), digest, digest, "uuid".into(), "test:///default".into());
        let mut draft = storage.begin(record).unwrap();
        work(|work| {
            draft.copy(&self.from("disk"), part("system.qcow2", Kind::Part, b"disk"), 0o600, work).unwrap();
            draft.copy(&self.from("data"), part("data-tank.qcow2", Kind::Data, b"data"), 0o600, work).unwrap();
            draft.share(&self.from("base"), part("base.qcow2", Kind::Base, b"base"), 0o444, work).unwrap();
        });
        draft.write("domain.xml", b"<domain/>", 0o644).unwrap();
        draft
    }

    fn install(&self, called: &str) -> Instance {
        let storage = self.open();
        let instance = self.draft(&storage, called).publish().unwrap();
        instance.finish().unwrap();
        instance
    }

    fn remove(&self, called: &str, data: Data) -> Removed {
        let storage = self.open();
        let instance = storage.find(&name(called)).unwrap().unwrap();
        work(|work| storage.remove(&instance, data, work)).unwrap()
    }
}

#[test]
fn an_instance_is_made_recorded_and_removed_without_a_trace() {
    let place = Place::new();
    let instance = place.install("nas");
    assert_eq!(
        super::names(&instance.directory),
        ["base.qcow2", "data-tank.qcow2", "domain.xml", "instance.json", "system.qcow2"]
    );
    assert_eq!(place.open().find(&name("nas")).unwrap(), Some(instance.clone()));
    assert_eq!(std::fs::metadata(&instance.directory).unwrap().mode() & 0o7777, 0o711);
    assert_eq!(place.remove("nas", Data::Keep), Removed { kept: vec![], foreign: vec![] });
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn the_base_is_shared_and_goes_with_the_last_instance() {
    let place = Place::new();
    let inode = |called: &str| std::fs::metadata(place.storage().join(called).join("base.qcow2")).unwrap().ino();
    place.install("one");
    place.install("two");
    assert_eq!(inode("one"), inode("two"));
    place.remove("one", Data::Keep);
    assert_eq!(place.names(), [BASES, "two"]);
    place.remove("two", Data::Keep);
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn img_12_a_shared_base_that_was_changed_is_not_handed_on() {
    let place = Place::new();
    let one = place.install("one");
    let base = shared(&place.storage(), &Digest::of(b"base"));
    std::fs::set_permissions(&base, Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&base, b"bass").unwrap();
    let two = place.install("two");
    assert_eq!(std::fs::read(two.directory.join("base.qcow2")).unwrap(), b"base");
    assert_eq!(std::fs::read(one.directory.join("base.qcow2")).unwrap(), b"bass", "what a guest uses is not swapped");
}

#[test]
fn a_data_disk_that_was_written_is_kept_until_told_otherwise() {
    for written in [&b"DATA"[..], b"longer"] {
        let place = Place::new();
        let disk = place.install("nas").directory.join("data-tank.qcow2");
        std::fs::write(&disk, written).unwrap();
        assert_eq!(place.remove("nas", Data::Keep).kept, std::slice::from_ref(&disk));
        assert_eq!(super::names(disk.parent().unwrap()), ["data-tank.qcow2", RECORD]);
        // Again, and nothing more goes; and no instance takes its place.
        assert_eq!(place.remove("nas", Data::Keep).kept, std::slice::from_ref(&disk));
        let storage = place.open();
        assert_eq!(place.draft(&storage, "nas").publish().unwrap_err().code, Code::OutputExists);
        drop(storage);
        assert_eq!(std::fs::read(&disk).unwrap(), written);
        place.remove("nas", Data::Delete);
        assert_eq!(place.names(), [""; 0]);
    }
}

#[test]
fn what_somebody_else_put_there_stays() {
    let place = Place::new();
    let instance = place.install("nas");
    let notes = instance.directory.join("notes.txt");
    std::fs::write(&notes, b"mine").unwrap();
    assert_eq!(place.remove("nas", Data::Delete).foreign, std::slice::from_ref(&notes));
    assert_eq!(super::names(&instance.directory), ["notes.txt"]);
    std::fs::create_dir(place.storage().join("other")).unwrap();
    symlink(&instance.directory, place.storage().join("link")).unwrap();
    for odd in ["nas", "other", "link"] {
        assert_eq!(place.open().find(&name(odd)).unwrap_err().code, Code::Usage, "{odd}");
    }
    assert_eq!(place.open().find(&name("none")).unwrap(), None);
}

#[test]
fn cas_01_what_a_killed_run_left_is_swept_and_a_draft_that_fails_leaves_nothing() {
    let place = Place::new();
    let storage = place.open();
    let draft = place.draft(&storage, "nas");
    assert_eq!(place.names(), [BASES, ".arca-new-nas"]);
    std::mem::forget(draft);
    drop(storage);
    let storage = place.open();
    assert_eq!(place.names(), [""; 0]);
    drop(place.draft(&storage, "nas"));
    assert_eq!(place.names(), [""; 0]);
    let unfinished = place.draft(&storage, "nas").publish().unwrap();
    assert_eq!(storage.unfinished(), std::slice::from_ref(&unfinished));
    unfinished.finish().unwrap();
    assert_eq!(storage.unfinished(), []);
}

#[test]
fn two_wait_for_each_other_and_a_signal_ends_the_waiting() {
    let place = Place::new();
    let first = place.open();
    let waits = Signals::of(2);
    let told = std::sync::Mutex::new(vec![]);
    let work = Work { events: &|event| told.lock().unwrap().push(event), signals: &waits };
    assert_eq!(Storage::open(&place.storage(), &work).unwrap_err().code, Code::Interrupted);
    assert!(matches!(told.into_inner().unwrap()[..], [Event::Waiting { .. }]));
    drop(first);
    place.open();
}

#[test]
fn a_record_with_a_path_in_it_is_refused() {
    let place = Place::new();
    let record = place.install("nas").directory.join(RECORD);
    let text = std::fs::read_to_string(&record).unwrap();
    for (from, to) in
        [("domain.xml", "../../bundle/base"), ("\"format\": 1", "\"format\": 2"), ("\"nas\"", "\"other\"")]
    {
        assert!(text.contains(from));
        std::fs::write(&record, text.replacen(from, to, 1)).unwrap();
        assert_eq!(place.open().find(&name("nas")).unwrap_err().code, Code::Usage, "{to}");
    }
}
