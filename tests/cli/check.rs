//! `build --check`: what is in the store against a rebuild from the inputs.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::tests::support::{Bin, workdir};

fn check(world: &Path) -> Bin {
    Bin::new(world).args(["build", "--check", "demo"])
}

/// Every file of the store with its bytes, but for stamps, which any reader may renew.
fn store(world: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![world.join("cache")];
    while let Some(path) = queue.pop() {
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.starts_with(world.join("cache/stamps-v1")) {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// Finds the realisation that names this digest.
fn record(world: &Path, digest: &str) -> PathBuf {
    let records = std::fs::read_dir(world.join("cache/realisations-v1")).unwrap().map(|entry| entry.unwrap().path());
    let mut naming = records.filter(|path| std::fs::read_to_string(path).unwrap().contains(digest));
    naming.next().unwrap()
}

/// The line of a realisation that names a bundle's file.
fn output(bundle: &str, name: &str) -> String {
    let bytes = std::fs::read(Path::new(bundle).join(name)).unwrap();
    format!("sha256:{} {}", crate::base::Digest::of(&bytes), bytes.len())
}

#[test]
fn a_good_store_passes_and_is_left_as_it_was() {
    let dir = workdir();
    check(dir.path()).run().ends_with(2).says("E_USAGE").says("is not built yet");
    Bin::new(dir.path()).arg("demo").run().success();
    let before = store(dir.path());
    let checked = check(dir.path()).run().success();
    assert!(checked.stdout.starts_with("demo: identical; "), "{checked}");
    assert!(store(dir.path()) == before, "checking changed the store");
    let json = check(dir.path()).arg("--json").run().success().json();
    assert_eq!((&json["rebuilt"][0]["identical"], &json["rebuilt"][0]["files"]), (&true.into(), &18.into()), "{json}");
    assert!(json["rebuilt"][0]["derivations"].as_u64().unwrap() >= 4, "{json}");
}

#[test]
fn a_record_that_names_another_object_is_found() {
    let dir = workdir();
    let bundle = Bin::new(dir.path()).arg("demo").run().success().line().to_owned();
    let (volume, disk) = (output(&bundle, "config.raw"), output(&bundle, "data-data1.qcow2"));
    let tampered = record(dir.path(), &volume);
    let text = std::fs::read_to_string(&tampered).unwrap().replace(&volume, &disk);
    std::fs::write(&tampered, &text).unwrap();
    // With the bundle, and for a store whose bundle was collected.
    for _ in 0..2 {
        let failed = check(dir.path()).run().ends_with(3).says("E_NOT_REPRODUCIBLE");
        let digest = |output: &str| output.split(' ').next().unwrap().to_owned();
        assert!(failed.stderr.contains(&format!("recorded: {}", digest(&disk))), "{failed}");
        assert!(failed.stderr.contains(&format!("rebuilt:  {}", digest(&volume))), "{failed}");
        assert_eq!(failed.stderr.matches("E_NOT_REPRODUCIBLE").count(), 1, "only the one that lies\n{failed}");
        assert_eq!(std::fs::read_to_string(&tampered).unwrap(), text, "checking replaced the record");
        let bundles = dir.path().join("cache/bundles-v1");
        if let Some(entry) = std::fs::read_dir(&bundles).unwrap().next() {
            let path = entry.unwrap().path();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}

#[test]
fn a_changed_launch_file_a_missing_one_and_a_stranger_are_named() {
    let dir = workdir();
    let bundle = PathBuf::from(Bin::new(dir.path()).arg("demo").run().success().line());
    std::fs::set_permissions(&bundle, std::fs::Permissions::from_mode(0o700)).unwrap();
    for (name, bytes) in [("domain.xml", Some(&b"<domain/>"[..])), ("install.sh", None), ("stranger", Some(b""))] {
        let _ = std::fs::remove_file(bundle.join(name));
        bytes.into_iter().for_each(|bytes| std::fs::write(bundle.join(name), bytes).unwrap());
    }
    let before = store(dir.path());
    let failed = check(dir.path())
        .run()
        .ends_with(3)
        .says("finding[E_NOT_REPRODUCIBLE]")
        .says("3 findings")
        .says("bundle:  no such file");
    for name in ["domain.xml", "install.sh", "stranger"] {
        assert!(failed.stderr.contains(&format!("file `{name}` of bundle `demo`")), "{failed}");
    }
    assert!(store(dir.path()) == before, "checking changed the store");
}

#[test]
fn an_input_is_hashed_even_where_its_stamp_still_fits() {
    let dir = workdir();
    let bundle = Bin::new(dir.path()).args(["demo"]).run().success().line().to_owned();
    let base = Path::new(&bundle).join("base.qcow2");
    let (bytes, metadata) = (std::fs::read(&base).unwrap(), std::fs::metadata(&base).unwrap());
    // Beyond the header, which is all that the overlay's builder reads.
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&base, &damaged).unwrap();
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::File::open(&base).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
    check(dir.path()).run().ends_with(3).says("E_CACHE_CORRUPT");
}

#[test]
fn checking_goes_with_no_flag_that_would_write() {
    let dir = workdir();
    for flag in ["--no-link", "--dry-run", "--out=x"] {
        check(dir.path()).arg(flag).run().ends_with(2);
    }
}
