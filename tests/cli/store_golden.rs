//! GC-5: the store of every released version is opened, verified, built from and collected by this one.
//!
//! The stores lie in `tests/fixtures/stores/<version>`, with the script that made them. Needs tar.

use std::path::{Path, PathBuf};

use crate::tests::support::{Bin, output, tool, workdir};

/// The versions that were released, and what each one's bundle was.
const VERSIONS: [(&str, &str); 1] = [("v0.1.0", "17d4f19b7b3d0e6fb6a0948f1d2b35cd5589d5728e1286cda388d42fc5d07d1e")];

fn unpack(version: &str, into: &Path, tar: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores").join(version);
    for archive in ["store.tar.gz", "recipe.tar.gz"] {
        let mut command = std::process::Command::new(tar);
        // As an ordinary user unpacks: the files are theirs.
        command.args(["--no-same-owner", "-p", "-xzf"]).arg(fixtures.join(archive)).arg("-C").arg(into);
        output(&mut command).success();
    }
}

fn bundles(world: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(world.join("cache/bundles-v1")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The revision of every builder that made a bundle.
fn builders(bundle: &Path) -> serde_json::Value {
    let manifest = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&manifest).unwrap()["builders"].clone()
}

#[test]
fn gc_05_the_store_of_every_released_version_serves_this_one() {
    let Some(tar) = tool("tar") else { return };
    for (version, digest) in VERSIONS {
        let dir = workdir();
        unpack(version, dir.path(), &tar);
        let run = |words: &[&str]| Bin::new(dir.path()).args(words).run();
        // As it is: sound, its root known, its bundle whole.
        let verified = run(&["store", "verify", "--json"]).success().json();
        assert_eq!(
            (&verified["objects"], &verified["bundles"], &verified["whole"]),
            (&5.into(), &1.into(), &true.into())
        );
        let roots = run(&["store", "root", "list", "--json"]).success().json();
        assert_eq!(roots["roots"][0]["holder"], "kept", "{version}");
        let [bundle] = &bundles(dir.path())[..] else { panic!("{version}: not one bundle") };
        run(&["verify", bundle.to_str().unwrap()]).success();
        let then = builders(bundle);
        // A collection by this version takes nothing that the old one's root keeps.
        run(&["store", "gc", "--grace", "0"]).success();
        let verified = run(&["store", "verify", "--json"]).success().json();
        assert_eq!(verified["objects"], 5, "{version}");
        // A build gives the very bundle exactly if the builders are those of then, and fetches nothing: the base is there.
        std::fs::remove_file(dir.path().join("base.qcow2")).unwrap();
        let built = run(&["--offline", "build", "--verify", "--json", "golden.toml"]).success().json();
        assert_eq!(built["bundles"][0]["work"]["fetched"], 0, "{version}");
        let same_digest = built["bundles"][0]["digest"] == digest;
        assert_eq!(
            same_digest,
            builders(Path::new(built["bundles"][0]["path"].as_str().unwrap())) == then,
            "{version}"
        );
        run(&["store", "verify"]).success();
        assert!(run(&["store", "du"]).success().stdout.contains("golden"));
    }
}

#[test]
fn gc_05_an_old_store_with_damage_is_healed_by_this_version() {
    let Some(tar) = tool("tar") else { return };
    for (version, _) in VERSIONS {
        let dir = workdir();
        unpack(version, dir.path(), &tar);
        let run = |words: &[&str]| Bin::new(dir.path()).args(words).run();
        for name in ["meta.json", "CACHEDIR.TAG"] {
            std::fs::write(dir.path().join("cache").join(name), "rot").unwrap();
        }
        for directory in ["realisations-v1", "stamps-v1"] {
            for entry in std::fs::read_dir(dir.path().join("cache").join(directory)).unwrap() {
                std::fs::write(entry.unwrap().path(), "rot").unwrap();
            }
        }
        run(&["build", "golden.toml"]).success().says("`meta.json` of the store was damaged");
        // Records of steps that this version takes otherwise are no longer met by a build.
        run(&["store", "verify", "--repair"]).success();
        run(&["store", "verify"]).success();
        run(&["verify", "result-golden"]).success();
    }
}
