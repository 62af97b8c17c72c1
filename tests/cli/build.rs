//! `build`: what it prints, where it puts things, and what it never overwrites.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::tests::support::{Bin, workdir};

fn demo(cwd: &Path) -> Bin {
    Bin::new(cwd).args(["build", "demo"])
}

#[test]
fn a_build_ends_by_telling_where_what_and_how_to_launch() {
    let dir = workdir();
    let built = demo(dir.path()).run().success();
    let path = built.line().to_owned();
    assert!(
        path.starts_with(dir.path().join("cache/bundles-v1").to_str().unwrap()) && path.ends_with("-demo"),
        "{built}"
    );
    let labels: Vec<_> = built.stderr.lines().filter_map(|line| line.split("  ").next()).map(str::trim).collect();
    assert_eq!(labels, ["bundle", "digest", "work", "try it", "install"], "{built}");
    built
        .says("try it   arca-build run ./result-demo\n")
        .says("install  arca-build install ./result-demo")
        .says("1 fetched");
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let dir = workdir();
    let first = demo(dir.path()).run().success();
    let before = snapshot(dir.path());
    let second = demo(dir.path()).run().success().says("nothing to do");
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(before, snapshot(dir.path()));
}

/// Path, mode, size, inode and mtime of everything below a directory.
fn snapshot(top: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found = vec![];
    let mut queue = vec![top.to_owned()];
    while let Some(path) = queue.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.push(format!("{} {:o}", path.display(), meta.mode()));
        } else {
            let (mode, size, inode) = (meta.mode(), meta.size(), meta.ino());
            found.push(format!("{} {mode:o} {size} {inode} {}.{}", path.display(), meta.mtime(), meta.mtime_nsec()));
        }
    }
    found.sort();
    found
}

#[test]
fn the_bundle_holds_what_is_promised_read_only_and_provisioning_unreadable_to_others() {
    let dir = workdir();
    let bundle = demo(dir.path()).run().success().line().to_owned();
    let mut names: Vec<_> = std::fs::read_dir(&bundle)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            format!("{mode:04o} {}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort_by_key(|line| line[5..].to_owned());
    assert_eq!(
        names,
        [
            "0444 SHA256SUMS",
            "0444 base.qcow2",
            "0400 config.ign",
            "0400 config.qcow2",
            "0400 config.raw",
            "0444 data-data1.qcow2",
            "0444 domain-disk.xml",
            "0444 domain-fwcfg.xml",
            "0444 domain.xml",
            "0555 install.sh",
            "0444 machine.json",
            "0444 manifest.json",
            "0555 run-qemu.sh",
            "0400 script",
            "0444 system.qcow2",
            "0555 virt-install-disk.sh",
            "0555 virt-install-fwcfg.sh",
            "0555 virt-install.sh",
        ]
    );
    let mode = std::fs::metadata(&bundle).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o500);
    let store = std::fs::metadata(dir.path().join("cache")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(store, 0o700);
}

#[test]
fn sec_2_modes_do_not_depend_on_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let dir = workdir();
        let mut command = std::process::Command::new("sh");
        let script = format!("umask {umask}; exec \"$@\"");
        command.args(["-c", &script, "sh", crate::tests::support::program(), "--json", "build", "demo"]);
        command.env_clear().env("ARCA_CACHE", dir.path().join("cache")).current_dir(dir.path());
        let output = crate::tests::support::output(&mut command).success();
        let bundle = output.json()["bundles"][0]["path"].as_str().unwrap().to_owned();
        let mode = |name: &str| std::fs::metadata(Path::new(&bundle).join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("config.ign"), mode("base.qcow2"), mode("install.sh")), (0o400, 0o444, 0o555), "{umask}");
    }
}

#[test]
fn json_goes_to_stdout_and_nothing_to_stderr() {
    let dir = workdir();
    let built = demo(dir.path()).arg("--json").run().success();
    assert_eq!(built.stderr, "");
    let bundle = &built.json()["bundles"][0];
    assert_eq!(bundle["name"], "demo");
    assert_eq!(bundle["unchanged"], false);
    let manifest = std::fs::read(Path::new(bundle["path"].as_str().unwrap()).join("manifest.json")).unwrap();
    assert_eq!(bundle["digest"], crate::base::Digest::of(&manifest).to_string());
}

#[test]
fn out_makes_a_copy_that_stands_alone_and_never_overwrites() {
    let dir = workdir();
    let out = dir.path().join("out");
    let built = demo(dir.path()).arg("--out").arg(&out).run().success();
    assert_eq!(built.line(), out.to_str().unwrap());
    assert!(!dir.path().join("result-demo").exists());
    std::fs::remove_dir_all(dir.path().join("cache/objects-v1")).unwrap();
    Bin::new(dir.path()).args(["verify", "out"]).run().success();

    demo(dir.path()).arg("--out").arg(&out).run().success();
    std::fs::write(out.join("mine.txt"), "precious").unwrap();
    demo(dir.path()).arg("--out").arg(&out).run().ends_with(5).says("E_OUTPUT_EXISTS");
    assert_eq!(std::fs::read_to_string(out.join("mine.txt")).unwrap(), "precious");
}

#[test]
fn no_link_leaves_no_link() {
    let dir = workdir();
    demo(dir.path()).arg("--no-link").run().success();
    assert!(std::fs::symlink_metadata(dir.path().join("result-demo")).is_err());
}

#[test]
fn out_15_something_of_the_users_in_the_links_place_is_left_alone() {
    let dir = workdir();
    std::fs::write(dir.path().join("result-demo"), "precious").unwrap();
    demo(dir.path()).run().ends_with(5).says("E_OUTPUT_EXISTS").says("--no-link");
    assert_eq!(std::fs::read_to_string(dir.path().join("result-demo")).unwrap(), "precious");
}

#[test]
fn a_dry_run_prints_the_plan_and_makes_nothing() {
    let dir = workdir();
    let planned = demo(dir.path()).arg("--dry-run").run().success();
    assert!(planned.stdout.starts_with("plan ") && planned.stdout.contains("fat-volume"), "{planned}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn cas_6_any_file_of_the_store_deleted_emptied_or_flipped_heals_by_the_plain_command() {
    let dir = workdir();
    let bundle = demo(dir.path()).run().success().line().to_owned();
    let mut files = vec![];
    let mut queue = vec![dir.path().join("cache")];
    while let Some(path) = queue.pop() {
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        for damage in ["delete", "empty", "flip"] {
            let Ok(bytes) = std::fs::read(&file) else { continue };
            let folder = file.parent().unwrap();
            let mode = std::fs::metadata(folder).unwrap().permissions();
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
            std::fs::remove_file(&file).unwrap();
            match damage {
                "delete" => {}
                "empty" => std::fs::write(&file, "").unwrap(),
                _ => {
                    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x20).collect();
                    std::fs::write(&file, flipped).unwrap();
                }
            }
            std::fs::set_permissions(folder, mode).unwrap();
            let name = format!("{damage} {}", file.display());
            // The two files that say what the directory is are nobody's to guess.
            let format = file.ends_with("meta.json") && damage != "delete";
            let run = demo(dir.path()).run();
            if format {
                assert!(run.stderr.contains("E_CACHE_VERSION") || run.code == 0, "{name}\n{run}");
                std::fs::remove_file(&file).unwrap();
                continue;
            }
            assert_eq!(run.code, 0, "{name}\n{run}");
            assert_eq!(run.line(), bundle, "{name}");
            let verified = Bin::new(dir.path()).args(["verify", &bundle]).run();
            assert_eq!(verified.code, 0, "{name}\n{verified}");
        }
    }
}

/// The link's own name fits below the longest path (PATH_MAX, 4096), that of its temporary does not: making it fails
/// for every user, root too.
#[test]
fn gc_01_a_link_that_cannot_be_moved_on_keeps_what_it_names() {
    let dir = workdir();
    let mut deep = dir.path().to_owned();
    while deep.as_os_str().len() < 3850 {
        deep.push("d".repeat(100));
    }
    deep.push("d".repeat(4081 - deep.as_os_str().len() - 1));
    std::fs::create_dir_all(&deep).unwrap();
    let cache = dir.path().join("cache");
    let recipe = |text: &str| {
        let recipe = include_str!("../../recipes/demo.toml").replace("demo\\n", text);
        std::fs::create_dir_all(dir.path().join("demo")).unwrap();
        for name in ["guest.qcow2", "script"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/demo").join(name);
            std::fs::copy(from, dir.path().join("demo").join(name)).unwrap();
        }
        std::fs::write(dir.path().join("demo.toml"), recipe).unwrap();
        dir.path().join("demo.toml")
    };
    let run = |words: &[&str]| Bin::new(dir.path()).args(words).run();
    // What an earlier build left, in a directory where it still could.
    let old = run(&["build", "demo", "--no-link"]).success();
    std::os::unix::fs::symlink(old.line(), deep.join("result-demo")).unwrap();
    let build = |recipe: &Path| {
        Bin::new(&deep).env("ARCA_CACHE", &cache).env("HOME", dir.path()).arg("build").arg(recipe).run()
    };
    build(Path::new("demo")).success();
    build(&recipe("changed\\n")).ends_with(5).says("cannot make the link");
    run(&["store", "gc", "--grace", "0"]).success();
    run(&["verify", old.line()]).success();
}

#[test]
fn a_copy_does_not_go_into_the_store() {
    let dir = workdir();
    for out in ["cache/tmp/copy", "cache/bundles-v1/copy", "./home/../cache/copy"] {
        std::fs::create_dir_all(dir.path().join("home")).unwrap();
        demo(dir.path()).args(["--out", out]).run().ends_with(2).says("lies inside the store");
    }
    demo(dir.path()).args(["--out", "copy/"]).run().success().says("try it   arca-build run copy/");
}
