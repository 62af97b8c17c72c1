//! Compressed and raw bases as the real tools make them: what `xz`, `zstd` and `gzip` write is unpacked by the whole
//! program, and `qemu-img` finds the very disk in what came of it. Touches temporary directories.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::format::qcow2;

use crate::tests::support::publisher::iso;
use crate::tests::support::{Bin, Running, output, tool, tools, workdir};

/// Data before, within and behind a long stretch of nothing; over 512 MiB, so that there are two L2 tables.
fn write_disk(path: &Path) {
    use std::os::unix::fs::FileExt;
    let noise: Vec<u8> = (0..300_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let file = std::fs::File::create(path).unwrap();
    file.set_len((600 << 20) + 512).unwrap();
    for at in [1 << 20, 100_001_000, (512 << 20) - 100_000, (600 << 20) + 512 - 300_000] {
        file.write_all_at(&noise, at).unwrap();
    }
    file.write_all_at(&[0x55, 0xaa], 510).unwrap();
}

fn sh(world: &Path, line: &str) {
    output(Command::new("sh").current_dir(world).args(["-euc", line])).success();
}

fn recipe(world: &Path, name: &str, base: &str, more: &str) -> String {
    let text = format!("format = 1\nname = \"{name}\"\n[base]\nurl = \"{base}\"\n{more}");
    let file = format!("{name}.toml");
    std::fs::write(world.join(&file), text).unwrap();
    Bin::new(world).args(["update", &file]).run().success();
    file
}

#[test]
fn a_disk_packed_by_any_tool_is_the_same_disk() {
    let Some(()) = tools(&["xz", "zstd", "gzip", "qemu-img"]) else { return };
    let dir = workdir();
    let world = dir.path();
    write_disk(&world.join("d.raw"));
    let ways = [
        ("plain", "cp --sparse=always d.raw plain.raw", "plain.raw"),
        ("xz", "xz -0 -c d.raw > a.raw.xz", "a.raw.xz"),
        ("blocks", "xz -0 -T2 --block-size=16MiB --check=sha256 -c d.raw > b.raw.xz", "b.raw.xz"),
        (
            "joined",
            "{ head -c 9999999 d.raw | xz -0; tail -c +10000000 d.raw | xz -0 -Ccrc32; } > c.raw.xz",
            "c.raw.xz",
        ),
        ("zst", "zstd -q -3 --long=27 d.raw -o d.raw.zst", "d.raw.zst"),
        ("fast", "zstd -q --fast=5 --no-check < d.raw > e.raw.zst", "e.raw.zst"),
        ("gz", "gzip -1 -c d.raw > f.raw.gz", "f.raw.gz"),
    ];
    let mut digests = vec![];
    for (name, line, base) in ways {
        sh(world, line);
        let size = if name == "plain" { "" } else { "unpacked_size = \"629146112B\"\n" };
        let recipe = recipe(world, name, base, size);
        Bin::new(world).arg(&recipe).run().success();
        let image = format!("result-{name}/base.qcow2");
        sh(world, &format!("qemu-img check -q {image} && qemu-img compare -q -f raw -F qcow2 d.raw {image}"));
        sh(world, &format!("qemu-img compare -q -f raw -F qcow2 d.raw result-{name}/system.qcow2"));
        digests.push(std::fs::read(world.join(image)).unwrap());
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "the way it was packed shows in the image");
    assert!(digests[0].len() < 4 << 20, "empty clusters were written");
}

#[test]
fn packed_qcow2_and_iso_images_come_out_as_they_were_and_a_rebuild_elsewhere_is_the_same() {
    let Some(()) = tools(&["xz", "zstd", "gzip", "cmp"]) else { return };
    let dir = workdir();
    let world = dir.path();
    let mut disk = vec![0; 3 << 20];
    disk[1_000_000..1_200_000].fill(7);
    std::fs::write(world.join("a.qcow2"), qcow2::from_raw(&disk).unwrap()).unwrap();
    std::fs::write(world.join("a.iso"), iso()).unwrap();
    let system = "[machine.system]\nsize = \"1GiB\"\n";
    for kind in ["qcow2", "iso"] {
        for (pack, ending) in [("xz", "xz"), ("zstd -q", "zst"), ("gzip", "gz")] {
            sh(world, &format!("{pack} -c a.{kind} > a.{kind}.{ending}"));
            let name = format!("{kind}-{ending}");
            let recipe = recipe(world, &name, &format!("a.{kind}.{ending}"), system);
            Bin::new(world).args(["fetch", &recipe]).run().success();
            Bin::new(world).arg(&recipe).run().success();
            sh(world, &format!("cmp a.{kind} result-{name}/base.{kind}"));
            Bin::new(world).args(["--check", &recipe]).run().success();
        }
    }
    std::fs::create_dir(world.join("there")).unwrap();
    Bin::new(world).args(["export", "qcow2-zst.toml", "iso-xz.toml", "-o", "x.arca"]).run().success();
    let there = world.join("there");
    Bin::new(&there).args(["import", "../x.arca", "--trust", "--into", "r"]).run().success();
    for name in ["qcow2-zst", "iso-xz"] {
        Bin::new(&there).args(["--offline", &format!("r/{name}.toml")]).run().success();
        sh(world, &format!("diff -r result-{name}/ there/result-{name}/"));
    }
}

#[test]
fn a_standalone_system_on_a_raw_base_is_the_disk_grown() {
    let Some(()) = tools(&["zstd", "qemu-img"]) else { return };
    let dir = workdir();
    let world = dir.path();
    write_disk(&world.join("d.raw"));
    sh(world, "zstd -q d.raw");
    let more = "unpacked_size = \"629146112B\"\n[machine.system]\nmode = \"standalone\"\nsize = \"5TiB\"\n";
    let recipe = recipe(world, "s", "d.raw.zst", more);
    // The L1 table has room for 4 TiB.
    Bin::new(world).arg(&recipe).run().ends_with(3).says("E_IMAGE_LIMIT");
    let text = std::fs::read_to_string(world.join(&recipe)).unwrap().replace("5TiB", "4TiB");
    std::fs::write(world.join(&recipe), text).unwrap();
    Bin::new(world).arg(&recipe).run().success();
    sh(world, "qemu-img check -q result-s/system.qcow2");
    sh(world, "qemu-img compare -q -f raw -F qcow2 d.raw result-s/system.qcow2");
}

/// Builds, and returns the most memory that the program ever had, in MiB (proc(5), `VmHWM`).
fn peak(world: &Path, recipe: &str) -> u64 {
    let mut running: Running = Bin::new(world).arg(recipe).start();
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    while !running.wait_for(Duration::from_millis(2)) {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) >> 10);
    }
    assert!(running.kill().success(), "{recipe}");
    peak
}

#[test]
fn img_13_unpacking_takes_at_most_192_mib_of_memory() {
    let Some(()) = tools(&["xz", "zstd"]) else { return };
    let dir = workdir();
    let world = dir.path();
    // Clusters that are not empty, and more of them than any dictionary holds; easy to pack.
    let block: Vec<u8> = (0..1_u32 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 1).collect();
    let mut disk = block.repeat(144);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(world.join("large.raw"), &disk).unwrap();
    std::fs::write(world.join("small.raw"), &disk[..72 << 20]).unwrap();
    // The dictionary of `xz -9e`, and the window of `zstd --ultra -22 --long=27`, without the time they take.
    sh(world, "xz -T1 --lzma2=preset=0,dict=64MiB small.raw & zstd -q -1 --long=27 large.raw; wait");
    for (name, base, size, least) in [("x", "small.raw.xz", 72, 64), ("z", "large.raw.zst", 144, 128)] {
        let recipe = recipe(world, name, base, &format!("unpacked_size = \"{size}MiB\"\n"));
        let peak = peak(world, &recipe);
        assert!((least..=192).contains(&peak), "{base}: {peak} MiB");
    }
}

#[test]
fn img_13_files_of_the_real_tools_beyond_the_bounds_are_refused() {
    let Some(zstd) = tool("zstd") else { return };
    let dir = workdir();
    let world = dir.path();
    std::fs::write(world.join("d.raw"), vec![1; 1 << 20]).unwrap();
    // From a pipe, zstd cannot know that so large a window is in vain.
    sh(world, &format!("cat d.raw | {} -q -1 --ultra --long=30 > d.raw.zst", zstd.display()));
    let recipe = recipe(world, "w", "d.raw.zst", "");
    Bin::new(world).arg(&recipe).run().ends_with(3).says("E_DECOMP_MEM");
}
