//! REC-10 by whole programs: a file of the user's that changes while it is read is never taken for what was pinned.
//!
//! strace slows the reading down, so that the change comes in the middle. Touches temporary directories and strace.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::{ByteSize, Digest};
use crate::format::qcow2;

use crate::tests::support::{Bin, Output, tool, workdir};

/// A base whose last megabytes are noise, so that there is something left to read when it changes.
fn base() -> Vec<u8> {
    let mut bytes = qcow2::blank(ByteSize::gib(1)).unwrap();
    bytes.extend((0..4_usize << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8));
    bytes
}

fn lay(world: &Path, provision: &str) -> Digest {
    let digest = Digest::of(&base());
    std::fs::write(world.join("base.qcow2"), base()).unwrap();
    let recipe = format!(
        "format = 1\nname = \"x\"\n[base]\nurl = \"base.qcow2\"\nsha256 = \"{digest}\"\n\
         [machine.system]\nsize = \"2GiB\"\n{provision}"
    );
    std::fs::write(world.join("x.toml"), recipe).unwrap();
    digest
}

/// Builds while reading `slow` takes its time; `change` runs as soon as `begun` holds.
fn build_during(
    world: &Path,
    strace: &Path,
    (slow, inject): (&str, &str),
    begun: impl Fn() -> bool + Sync,
    change: impl FnOnce() + Send,
) -> Output {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            while !begun() && start.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(1));
            }
            change();
        });
        let log = world.join("log");
        let options = ["-f", "-qq", "-o", log.to_str().unwrap(), "-P", slow, "-e", inject];
        Bin::new(world).arg("x.toml").under(strace, &options).run()
    })
}

fn has_partial(world: &Path) -> bool {
    std::fs::read_dir(world.join("cache/tmp"))
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("partial-")))
}

fn object(world: &Path, digest: &Digest) -> bool {
    let hex = digest.to_string();
    world.join("cache/objects-v1").join(&hex[..2]).join(&hex[2..]).exists()
}

#[test]
fn rec_10_a_base_that_changes_while_it_is_read_is_not_what_was_pinned() {
    let Some(strace) = tool("strace") else { return };
    let slow = ("base.qcow2", "inject=read:delay_enter=100000");
    type Change = fn(&std::fs::File, u64);
    let changes: [(&str, Change); 3] = [
        ("flipped near its end", |file, length| assert_eq!(file.write_at(b"?", length - 1).unwrap(), 1)),
        ("grown", |file, length| assert_eq!(file.write_at(b"more", length).unwrap(), 4)),
        ("cut", |file, length| file.set_len(length - 70_000).unwrap()),
    ];
    for (name, change) in changes {
        let dir = workdir();
        let world = dir.path();
        let digest = lay(world, "");
        let file = std::fs::OpenOptions::new().write(true).open(world.join("base.qcow2")).unwrap();
        let run = build_during(world, &strace, slow, || has_partial(world), || change(&file, base().len() as u64));
        assert_eq!(run.code, 3, "{name}\n{run}");
        assert!(run.stderr.contains("E_HASH"), "{name}\n{run}");
        let found = Digest::of(&std::fs::read(world.join("base.qcow2")).unwrap());
        assert!(!object(world, &digest) && !object(world, &found), "{name}: an object");
        assert!(std::fs::read_dir(world.join("cache/bundles-v1")).map_or(0, Iterator::count) == 0, "{name}");
        assert!(!world.join("result-x").exists(), "{name}");

        // Put right again, the plain command goes through.
        std::fs::write(world.join("base.qcow2"), base()).unwrap();
        Bin::new(world).arg("x.toml").run().success();
    }
}

#[test]
fn rec_10_what_lies_beside_the_recipe_is_read_once_so_no_later_change_can_tell() {
    let Some(strace) = tool("strace") else { return };
    let dir = workdir();
    let world = dir.path();
    lay(world, "[provision]\nengine = \"combustion\"\nscript = \"script\"\nside_files = [\"side\"]\n");
    std::fs::write(world.join("script"), "#!/bin/sh\n# combustion: prepare\ntrue\n").unwrap();
    std::fs::write(world.join("side"), "side").unwrap();
    let log = world.join("log");
    let options = ["-f", "-y", "-qq", "-e", "trace=openat,openat2,open", "-o", log.to_str().unwrap()];
    Bin::new(world).arg("x.toml").under(&strace, &options).run().success();
    let text = std::fs::read_to_string(&log).unwrap();
    let world = world.canonicalize().unwrap();
    for name in ["x.toml", "script", "side", "base.qcow2"] {
        let opened = format!("<{}>", world.join(name).display());
        assert_eq!(text.lines().filter(|line| line.contains(&opened)).count(), 1, "{name}\n{text}");
    }
}
