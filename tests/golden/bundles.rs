//! Plan ids and every file's digest of the shipped recipes, as they were, beside the revisions of the builders.
//!
//! `UPDATE_GOLDEN=1 cargo test tests::golden` writes `bundles.txt` anew. A changed digest under an unchanged revision is
//! refused even then: two bundles of one plan id would differ, which is the one thing that must never happen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::bundle::Manifest;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, workdir};

const RECIPES: [&str; 9] =
    ["demo", "nas", "microos-combustion", "selfinstall-iso", "standalone", "usb", "packed-disk", "packed-iso", "image"];

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bundles.txt")
}

/// Builds every recipe and tells what came of it.
fn dump() -> String {
    let world = workdir();
    let publisher = Publisher::start(world.path());
    let folder = recipes(world.path());
    let nas = std::fs::read_to_string(folder.join("nas.toml")).unwrap();
    let standalone = nas.replace("[machine.system]", "[machine.system]\nmode = \"standalone\"");
    std::fs::write(folder.join("standalone.toml"), standalone).unwrap();
    std::fs::write(folder.join("usb.toml"), nas.replace("[provision]", "[provision]\nmedia = \"gpt\"")).unwrap();
    packed(&folder, "packed-disk", "disk.raw.xz");
    packed(&folder, "packed-iso", "volume.iso.gz");
    image(&folder);
    let mut text = String::new();
    for recipe in RECIPES {
        let path = format!("recipes/{recipe}.toml");
        let run =
            |words: &[&str]| Bin::new(world.path()).arg("--config").arg(&publisher.config).args(words).run().success();
        run(&["update", &path]);
        let bundle = PathBuf::from(run(&["--no-link", &path]).line());
        let manifest = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
        let manifest = Manifest::parse(&manifest).unwrap();
        writeln!(text, "{recipe}: plan {}", manifest.plan).unwrap();
        let revisions: Vec<_> = manifest.builders.iter().map(|(name, revision)| format!("{name} {revision}")).collect();
        writeln!(text, "  builders: {}", revisions.join(", ")).unwrap();
        for file in manifest.files {
            writeln!(text, "  {} {} {:>8} {}", file.sha256, file.mode, file.size, file.path).unwrap();
        }
    }
    text
}

/// Writes a recipe on a compressed base of `tests/fixtures/packed`: a disk of 1 MiB with a boot sector and 4 KiB of data
/// (`xz`), and `publisher::iso` (`gzip -n`). They are files because other versions of a packer give other bytes.
fn packed(folder: &Path, name: &str, base: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packed");
    std::fs::copy(fixtures.join(base), folder.join(base)).unwrap();
    let recipe =
        format!("format = 1\nname = \"{name}\"\n[base]\nurl = \"{base}\"\n[machine.system]\nsize = \"1GiB\"\n");
    std::fs::write(folder.join(format!("{name}.toml")), recipe).unwrap();
}

/// Writes a recipe with a container image of a registry, which a service runs.
fn image(folder: &Path) {
    let recipe = "format = 1\nname = \"image\"\n[base]\nurl = \"disk.raw.xz\"\n[machine.system]\nsize = \"1GiB\"\n\
                  [[provision.container]]\nname = \"files\"\nimage = \"quay.io/samba.org/samba-server:latest\"\n\
                  ports = [\"445:445\"]\nvolumes = [\"/srv/arca:/share:Z\"]\nenvironment = [\"A=b\"]\n";
    std::fs::write(folder.join("image.toml"), recipe).unwrap();
}

/// Plan id → everything that is said of it.
fn plans(text: &str) -> BTreeMap<String, String> {
    let mut plans = BTreeMap::<String, String>::new();
    let mut id = String::new();
    for line in text.lines() {
        match line.split_once(": plan ") {
            Some((_, plan)) => id = plan.to_owned(),
            None => plans.entry(id.clone()).or_default().push_str(&format!("{line}\n")),
        }
    }
    plans
}

#[test]
fn bundles_are_what_they_were() {
    let (now, before) = (dump(), std::fs::read_to_string(kept()).unwrap_or_default());
    let (new, old) = (plans(&now), plans(&before));
    for (id, said) in &new {
        let same = old.get(id).is_none_or(|earlier| earlier == said);
        assert!(same, "other bytes under plan {id}: bump the builder's revision, then UPDATE_GOLDEN=1\n{said}");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(kept(), &now).unwrap();
    }
    let kept = std::fs::read_to_string(kept()).unwrap_or_default();
    assert!(kept == now, "plans changed; if that is meant: UPDATE_GOLDEN=1 cargo test tests::golden\n{now}");
}
