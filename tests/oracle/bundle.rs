//! Does the field agree with whole bundles, as the program writes them? Starts qemu-img, fsck.fat, mtools, blkid,
//! sgdisk, ignition-validate, virt-xml-validate, xmllint and sha256sum in temporary directories.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tests::support::publisher::{Publisher, image, recipes};
use crate::tests::support::{Bin, Output, output, tool, tools, workdir};

struct World {
    dir: tempfile::TempDir,
    publisher: Publisher,
}

/// Every shipped recipe, and two variations that none of them shows.
const RECIPES: [&str; 6] = ["demo", "nas", "microos-combustion", "selfinstall-iso", "standalone", "usb"];

impl World {
    fn new() -> Self {
        let dir = workdir();
        let publisher = Publisher::start(dir.path());
        let folder = recipes(dir.path());
        let nas = std::fs::read_to_string(folder.join("nas.toml")).unwrap();
        let renamed = |name: &str| nas.replace("name = \"nas\"", &format!("name = \"{name}\""));
        let standalone = renamed("standalone").replace("[machine.system]", "[machine.system]\nmode = \"standalone\"");
        std::fs::write(folder.join("standalone.toml"), standalone).unwrap();
        let usb = renamed("usb").replace("[provision]", "[provision]\nmedia = \"gpt\"");
        std::fs::write(folder.join("usb.toml"), usb).unwrap();
        Self { dir, publisher }
    }

    fn build(&self, recipe: &str) -> PathBuf {
        let recipe = format!("recipes/{recipe}.toml");
        let run = |words: &[&str]| {
            Bin::new(self.dir.path()).arg("--config").arg(&self.publisher.config).args(words).run().success()
        };
        run(&["update", &recipe]);
        PathBuf::from(run(&["--no-link", &recipe]).line())
    }
}

fn run(program: &str, words: &[&str], directory: &Path) -> Output {
    output(Command::new(tool(program).unwrap()).args(words).current_dir(directory))
}

fn files(bundle: &Path, ending: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(bundle)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

#[test]
fn qemu_img_finds_every_disk_sound_and_of_the_size_asked() {
    if tools(&["qemu-img"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in RECIPES {
        let bundle = world.build(recipe);
        for name in files(&bundle, ".qcow2") {
            let checked = run("qemu-img", &["check", "-f", "qcow2", &name], &bundle).success();
            assert!(checked.stdout.contains("No errors were found"), "{recipe} {name}\n{checked}");
            let info = run("qemu-img", &["info", "-f", "qcow2", "--output=json", &name], &bundle).success().json();
            assert_eq!(info["format"], "qcow2");
            assert_eq!(info["cluster-size"], 65536);
            assert_eq!(info["dirty-flag"], false);
            let size = info["virtual-size"].as_u64().unwrap();
            let expected = match (recipe, name.as_str()) {
                ("demo", "system.qcow2") => 16 << 20,
                ("nas" | "standalone" | "usb", "system.qcow2") => 32 << 30,
                ("selfinstall-iso", "system.qcow2") => 24 << 30,
                ("microos-combustion", "system.qcow2") => 20 << 30,
                ("demo", "data-data1.qcow2") => 64 << 20,
                (_, name) if name.starts_with("data-") => 30 << 30,
                _ => size,
            };
            assert_eq!(size, expected, "{recipe} {name}");
            let backing = (name == "system.qcow2" && bundle.join("base.qcow2").exists()).then_some("base.qcow2");
            assert_eq!(info["backing-filename"].as_str(), backing, "{recipe} {name}");
            assert_eq!(info["backing-filename-format"].as_str(), backing.map(|_| "qcow2"), "{recipe} {name}");
        }
    }
}

#[test]
fn qemu_img_finds_a_standalone_copy_equal_to_its_base() {
    if tools(&["qemu-img", "qemu-io"]).is_none() {
        return;
    }
    let world = World::new();
    // A base with something in it: a stand-in of the field's own making.
    let base = world.dir.path().join("full.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", base.to_str().unwrap(), "20G"], world.dir.path()).success();
    for (pattern, at) in [("0x11", "0"), ("0x22", "5G"), ("0x33", "19G")] {
        let command = format!("write -P {pattern} {at} 3M");
        run("qemu-io", &["-f", "qcow2", "-c", &command, base.to_str().unwrap()], world.dir.path()).success();
    }
    let bytes = std::fs::read(&base).unwrap();
    world.publisher.move_on("nas", bytes);
    let bundle = world.build("standalone");
    let words = ["compare", "-f", "qcow2", "-F", "qcow2", "system.qcow2", base.to_str().unwrap()];
    let compared = run("qemu-img", &words, &bundle);
    assert!(compared.stdout.contains("Images are identical"), "{compared}");
    assert!(!bundle.join("base.qcow2").exists());
    assert_ne!(image("x"), image("y"));
}

#[test]
fn fsck_mtools_and_blkid_agree_on_every_config_disk() {
    if tools(&["fsck.fat", "mcopy", "mdir", "blkid"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in RECIPES {
        let bundle = world.build(recipe);
        run("fsck.fat", &["-n", "config.raw"], &bundle).success();
        let told = run("blkid", &["-p", "-o", "export", "config.raw"], &bundle).success();
        assert!(told.stdout.lines().any(|line| line == "LABEL=ignition"), "{recipe}\n{told}");
        assert!(told.stdout.lines().any(|line| line == "TYPE=vfat"), "{recipe}\n{told}");
        for (name, inside) in [("config.ign", "ignition/config.ign"), ("script", "combustion/script")] {
            if bundle.join(name).exists() {
                let copied = output(
                    Command::new(tool("mcopy").unwrap())
                        .args(["-i", "config.raw", &format!("::{inside}"), "-"])
                        .current_dir(&bundle),
                );
                let copied = copied.success();
                assert_eq!(copied.stdout.as_bytes(), std::fs::read(bundle.join(name)).unwrap(), "{recipe} {inside}");
            }
        }
    }
}

#[test]
fn qemu_img_finds_both_forms_of_the_config_disk_equal() {
    if tools(&["qemu-img"]).is_none() {
        return;
    }
    let bundle = World::new();
    let bundle = bundle.build("nas");
    let words = ["compare", "-f", "raw", "-F", "qcow2", "config.raw", "config.qcow2"];
    assert!(run("qemu-img", &words, &bundle).stdout.contains("Images are identical"));
}

#[test]
fn sgdisk_finds_the_usb_form_sound_and_its_volume_the_same() {
    if tools(&["sgdisk", "blkid"]).is_none() {
        return;
    }
    let world = World::new();
    let bundle = world.build("usb");
    let told = run("sgdisk", &["-v", "config-usb.raw"], &bundle).success();
    assert!(told.stdout.contains("No problems found"), "{told}");
    let volume = std::fs::read(bundle.join("config.raw")).unwrap();
    let disk = std::fs::read(bundle.join("config-usb.raw")).unwrap();
    assert!(disk[1 << 20..].starts_with(&volume), "the partition at 1 MiB holds the volume");
}

#[test]
fn ignition_validate_takes_every_config_without_a_warning() {
    if tools(&["ignition-validate"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in RECIPES {
        let bundle = world.build(recipe);
        if bundle.join("config.ign").exists() {
            let told = run("ignition-validate", &["config.ign"], &bundle).success();
            assert_eq!((told.stdout.trim(), told.stderr.trim()), ("", ""), "{recipe}");
        }
    }
}

#[test]
fn virt_xml_validate_takes_every_domain() {
    if tools(&["virt-xml-validate", "xmllint"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in RECIPES {
        let bundle = world.build(recipe);
        let domains = files(&bundle, ".xml");
        assert!(domains.len() >= 3, "{domains:?}");
        for name in domains {
            run("virt-xml-validate", &[&name, "domain"], &bundle).success();
        }
    }
}

#[test]
fn sha256sum_accepts_every_bundle_and_a_copy_elsewhere() {
    if tools(&["sha256sum"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in RECIPES {
        let bundle = world.build(recipe);
        let told = run("sha256sum", &["-c", "--strict", "SHA256SUMS"], &bundle).success();
        let listed = told.stdout.lines().count();
        assert_eq!(
            listed + 1,
            std::fs::read_dir(&bundle).unwrap().count(),
            "every file but SHA256SUMS is listed\n{told}"
        );
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts_of_a_bundle() {
    if tools(&["shellcheck", "dash"]).is_none() {
        return;
    }
    let world = World::new();
    for recipe in ["demo", "selfinstall-iso"] {
        let bundle = world.build(recipe);
        let scripts = files(&bundle, ".sh");
        let words: Vec<_> = scripts.iter().map(String::as_str).collect();
        run("shellcheck", &words, &bundle).success();
        for script in words {
            run("dash", &["-n", script], &bundle).success();
        }
    }
}
