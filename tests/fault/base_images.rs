//! IMG rows by whole programs: hostile base images, rightly pinned, given by real recipes; judged from outside.
//!
//! Each ends with its stable code and leaves nothing; strace shows that nothing was opened but what is ours. Touches
//! temporary directories, loopback and strace. Read next: `src/format/qcow2/gate_tests.rs` for the gate by itself.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

use crate::base::{ByteSize, Digest};
use crate::format::qcow2;

use crate::tests::support::publisher::iso;
use crate::tests::support::{Bin, tool, workdir};

/// A file that no image may make us read.
const SECRET: &str = "secret.raw";

struct Hostile {
    name: String,
    kind: &'static str,
    code: &'static str,
    bytes: Vec<u8>,
}

fn hostile(name: impl Into<String>, code: &'static str, bytes: Vec<u8>) -> Hostile {
    Hostile { name: name.into(), kind: "qcow2", code, bytes }
}

/// A plain image that passes, for the patches to spoil.
fn image() -> Vec<u8> {
    let mut raw = vec![0; 1 << 20];
    raw[100_000] = 7;
    qcow2::from_raw(&raw).unwrap()
}

fn patched(patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = image();
    for (at, patch) in patches {
        bytes[*at..at + patch.len()].copy_from_slice(patch);
    }
    bytes
}

/// `docs/interop/qcow2.rst`, "Header": offset and length of the name.
fn backed_by(name: &str) -> Vec<u8> {
    let length = (name.len() as u32).to_be_bytes();
    patched(&[(8, &512_u64.to_be_bytes()), (16, &length), (512, name.as_bytes())])
}

/// The extension "External data file name string", with the feature's bit or without.
fn data_in(name: &str, bit: u8) -> Vec<u8> {
    let length = (name.len() as u32).to_be_bytes();
    patched(&[(79, &[bit]), (112, b"DATA"), (116, &length), (120, name.as_bytes())])
}

/// Places outside that an image could name, the first few of which are there.
fn elsewhere(world: &Path, port: u16) -> Vec<String> {
    let secret = world.join(SECRET).display().to_string();
    vec![
        "/etc/hostname".into(),
        SECRET.into(),
        format!("../{SECRET}"),
        "/dev/zero".into(),
        format!("json:{{\"driver\":\"raw\",\"file\":{{\"driver\":\"file\",\"filename\":\"{secret}\"}}}}"),
        format!("nbd://127.0.0.1:{port}/export"),
        format!("http://127.0.0.1:{port}/disk.raw"),
        "fd:3".into(),
        secret,
    ]
}

fn named_elsewhere(world: &Path, port: u16) -> Vec<Hostile> {
    let mut all = vec![];
    for place in elsewhere(world, port) {
        all.push(hostile(format!("backing {place}"), "E_IMAGE_BACKING", backed_by(&place)));
        all.push(hostile(format!("data file {place}"), "E_IMAGE_DATAFILE", data_in(&place, 4)));
        all.push(hostile(format!("data file without the bit {place}"), "E_IMAGE_DATAFILE", data_in(&place, 0)));
    }
    all
}

fn flawed() -> Vec<Hostile> {
    let h = |name: &str, code, patches: &[(usize, &[u8])]| hostile(name, code, patched(patches));
    vec![
        h("data file bit alone", "E_IMAGE_DATAFILE", &[(79, &[4])]),
        h("backing offset alone", "E_IMAGE_BACKING", &[(14, &[2, 0])]),
        h("backing size alone", "E_IMAGE_BACKING", &[(19, &[9])]),
        h("backing format alone", "E_IMAGE_BACKING", &[(112, b"\xe2\x79\x2a\xca\0\0\0\x03raw")]),
        h("LUKS", "E_IMAGE_FEATURE", &[(35, &[2])]),
        h("AES", "E_IMAGE_FEATURE", &[(35, &[1])]),
        h("encryption header alone", "E_IMAGE_FEATURE", &[(112, b"\x05\x37\xbe\x77\0\0\0\x10")]),
        h("dirty", "E_IMAGE_DIRTY", &[(79, &[1])]),
        h("corrupt", "E_IMAGE_DIRTY", &[(79, &[2])]),
        h("unknown bit 63", "E_IMAGE_FEATURE", &[(72, &[0x80])]),
        h("extended L2 entries", "E_IMAGE_FEATURE", &[(79, &[16])]),
        h("snapshots", "E_IMAGE_FEATURE", &[(63, &[1])]),
        h("version 1", "E_IMAGE_FORMAT", &[(7, &[1])]),
        h("version 4", "E_IMAGE_FORMAT", &[(7, &[4])]),
        h("cluster bits 63", "E_IMAGE_LIMIT", &[(23, &[63])]),
        h("a disk of 8 EiB", "E_IMAGE_LIMIT", &[(24, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0])]),
        h("no disk", "E_IMAGE_LIMIT", &[(24, &[0; 8])]),
        h("L1 of 32 GiB", "E_IMAGE_LIMIT", &[(36, &[0xff; 4])]),
        h("L1 behind the end", "E_IMAGE_LIMIT", &[(40, &[0x7f, 0, 0, 0, 0, 0, 0, 0])]),
        h("L1 in the header", "E_IMAGE_LIMIT", &[(40, &[0; 8])]),
        h("refcount table of 256 TiB", "E_IMAGE_LIMIT", &[(56, &[0xff; 4])]),
        h("refcounts of 2^255 bits", "E_IMAGE_LIMIT", &[(99, &[255])]),
        h("a header of 4 GiB", "E_IMAGE_LIMIT", &[(100, &[0xff; 4])]),
        h("an extension of 4 GiB", "E_IMAGE_LIMIT", &[(112, &[1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff])]),
        h("compression of a future kind", "E_IMAGE_LIMIT", &[(79, &[8]), (104, &[9])]),
        h("also an ISO", "E_IMAGE_FORMAT", &[(0x8001, b"CD001")]),
        h("also a GPT disk", "E_IMAGE_FORMAT", &[(512, b"EFI PART")]),
    ]
}

fn of_other_kinds() -> Vec<Hostile> {
    let whole = image();
    let mut vhd = image();
    vhd.extend_from_slice(b"conectix");
    vhd.resize(vhd.len() + 504, 0);
    let mut polyglot = iso();
    polyglot[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    let mut cut = iso();
    cut.truncate(40 * 2048);
    let as_iso = |name: &str, bytes| Hostile { kind: "iso", ..hostile(name, "E_IMAGE_FORMAT", bytes) };
    let huge = qcow2::blank(ByteSize::gib(1 << 20)).unwrap_or_else(|_| patched(&[(24, &[0, 4, 0, 0, 0, 0, 0, 0])]));
    vec![
        hostile("also a VHD", "E_IMAGE_FORMAT", vhd),
        hostile(
            "a page",
            "E_IMAGE_FORMAT",
            b"<!DOCTYPE html><html><body>Sign in to the network</body></html>".to_vec(),
        ),
        hostile("gzip", "E_IMAGE_FORMAT", [&[0x1f, 0x8b, 8, 0][..], &whole].concat()),
        hostile("xz", "E_IMAGE_FORMAT", b"\xfd7zXZ\0\0\x04".to_vec()),
        hostile("VMDK", "E_IMAGE_FORMAT", b"KDMV\x01\0\0\0".repeat(64)),
        hostile(
            "a VMDK descriptor",
            "E_IMAGE_FORMAT",
            b"# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n".to_vec(),
        ),
        hostile("raw zeros", "E_IMAGE_FORMAT", vec![0; 65536]),
        hostile("empty", "E_IMAGE_FORMAT", vec![]),
        hostile("four bytes", "E_IMAGE_FORMAT", b"QFI\xfb".to_vec()),
        hostile("cut in the header", "E_IMAGE_FORMAT", whole[..80].to_vec()),
        hostile("cut in the tables", "E_IMAGE_LIMIT", whole[..200_000].to_vec()),
        hostile("a disk of 1 PiB", "E_IMAGE_LIMIT", huge),
        hostile("an ISO as qcow2", "E_IMAGE_FORMAT", iso()),
        as_iso("a qcow2 as ISO", whole),
        as_iso("an ISO that is a qcow2", polyglot),
        as_iso("an ISO cut short", cut),
        as_iso("empty as ISO", vec![]),
    ]
}

fn all(world: &Path, port: u16) -> Vec<Hostile> {
    let mut all = named_elsewhere(world, port);
    all.extend(flawed());
    all.extend(of_other_kinds());
    all
}

/// Lays the image and its recipe into `world/shared`, and what the image may not reach beside and inside.
fn lay(world: &Path, image: &Hostile) -> Digest {
    let shared = world.join("shared");
    std::fs::create_dir_all(&shared).unwrap();
    for secret in [world.join(SECRET), shared.join(SECRET)] {
        std::fs::write(secret, vec![b's'; 1 << 20]).unwrap();
    }
    std::fs::write(shared.join("base.img"), &image.bytes).unwrap();
    let digest = Digest::of(&image.bytes);
    let recipe = format!(
        "format = 1\nname = \"bad\"\n[base]\nurl = \"base.img\"\nkind = \"{}\"\nsha256 = \"{digest}\"\n\
         [machine.system]\nsize = \"4GiB\"\n",
        image.kind
    );
    std::fs::write(shared.join("bad.toml"), recipe).unwrap();
    digest
}

fn build(world: &Path) -> Bin {
    Bin::new(world).arg("shared/bad.toml")
}

/// What is left behind that must not be; nothing when all is well.
fn leftovers(world: &Path, digest: &Digest) -> Vec<String> {
    let hex = digest.to_string();
    let store = world.join("cache");
    let mut left = vec![];
    if store.join("objects-v1").join(&hex[..2]).join(&hex[2..]).exists() {
        left.push("an object".into());
    }
    let entries = |path: &Path| std::fs::read_dir(path).map_or(0, Iterator::count);
    for place in ["bundles-v1", "roots-v1", "quarantine", "tmp"] {
        if entries(&store.join(place)) > 0 {
            left.push(format!("something in {place}"));
        }
    }
    if world.join("result-bad").symlink_metadata().is_ok() {
        left.push("a link".into());
    }
    left
}

#[test]
fn img_01_to_img_14_a_hostile_base_ends_with_its_code_and_leaves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut wrong = vec![];
    let dir = workdir();
    let all = all(dir.path(), listener.local_addr().unwrap().port());
    assert!(all.len() >= 60, "{}", all.len());
    let world = dir.path();
    for image in &all {
        let digest = lay(world, image);
        let run = build(world).run();
        if run.code != 3 || !run.stderr.contains(&format!("[{}]", image.code)) {
            wrong.push(format!("{}: not {}\n{run}", image.name, image.code));
        }
        if !run.stdout.is_empty() || run.stderr.contains('\u{1b}') {
            wrong.push(format!("{}: odd output\n{run}", image.name));
        }
        wrong.extend(leftovers(world, &digest).iter().map(|left| format!("{}: left {left}", image.name)));
    }
    assert!(listener.accept().is_err(), "somebody was told to connect");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));

    // What is refused is the images, not the recipe: the plain one builds in the same world.
    lay(world, &hostile("plain", "", image()));
    build(world).run().success();
}

#[test]
fn img_10_what_came_into_the_store_as_something_else_passes_the_gate_before_it_is_a_base() {
    let bytes = backed_by("/etc/hostname");
    let as_iso = Hostile { kind: "iso", ..hostile("as an ISO", "E_IMAGE_FORMAT", bytes.clone()) };
    for image in [hostile("as a qcow2", "E_IMAGE_BACKING", bytes), as_iso] {
        let dir = workdir();
        let digest = lay(dir.path(), &image);
        carry(dir.path());
        assert!(leftovers(dir.path(), &digest).contains(&"an object".to_owned()), "it was not carried");
        let run = build(dir.path()).run().ends_with(3);
        assert!(run.stderr.contains(image.code), "{}\n{run}", image.name);
        assert!(dir.path().join("result-bad").symlink_metadata().is_err());
    }
}

/// Builds another recipe with the image as a side file: bytes like any others, an object by its digest.
fn carry(world: &Path) {
    let shared = world.join("shared");
    std::fs::write(shared.join("plain.qcow2"), image()).unwrap();
    std::fs::write(shared.join("script"), "#!/bin/sh\n# combustion: prepare\ntrue\n").unwrap();
    let carrier = format!(
        "format = 1\nname = \"carrier\"\n[base]\nurl = \"plain.qcow2\"\nsha256 = \"{}\"\n[provision]\n\
         engine = \"combustion\"\nscript = \"script\"\nside_files = [\"base.img\"]\n",
        Digest::of(&image())
    );
    std::fs::write(shared.join("carrier.toml"), carrier).unwrap();
    Bin::new(world).args(["--no-link", "shared/carrier.toml"]).run().success();
}

/// One call of a log that `strace -f -y` wrote: its name, what it was asked, what it gave.
fn calls(log: &str) -> Vec<(&str, &str, &str)> {
    let parse = |line: &'_ str| -> Option<(usize, usize, usize)> {
        let open = line.find('(')?;
        let name = line[..open].rfind(' ').map_or(0, |at| at + 1);
        let end = line.rfind(" = ")?;
        Some((name, open, end))
    };
    log.lines().filter_map(|line| parse(line).map(|(n, o, e)| (&line[n..o], &line[o..e], &line[e + 3..]))).collect()
}

/// Judges every call: only what lies in the world or belongs to the system's loader and kernel was opened.
fn strays(log: &str, world: &Path, names: &[String]) -> Vec<String> {
    let ours = world.display().to_string();
    let system = ["/lib", "/usr/lib", "/etc/ld.so", "/proc/", "/sys/fs/cgroup", "/sys/devices/system/cpu"];
    let mut strays = vec![];
    for (name, asked, gave) in calls(log) {
        let place = gave.split_once('<').map(|(_, rest)| rest.trim_end_matches('>'));
        let is_ours = place.is_none_or(|place| {
            let inside = place.strip_prefix(&ours).is_some_and(|rest| rest != format!("/{SECRET}"));
            let secret = place.ends_with(SECRET);
            (inside && !secret) || system.iter().any(|start| place.starts_with(start))
        });
        let is_named = names.iter().any(|name| asked.contains(&format!("\"{name}\"")));
        if name == "connect" || !is_ours || is_named {
            strays.push(format!("{name}{asked} = {gave}"));
        }
    }
    strays
}

#[test]
fn img_01_and_img_02_no_file_or_host_that_an_image_names_is_ever_touched() {
    let Some(strace) = tool("strace") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let dir = workdir();
    let world = dir.path().canonicalize().unwrap();
    let port = listener.local_addr().unwrap().port();
    let names = elsewhere(&world, port);
    let log = dir.path().join("strace.log");
    let mut seen = BTreeMap::<&str, usize>::new();
    for image in named_elsewhere(&world, port).iter().step_by(2) {
        lay(&world, image);
        let options =
            ["-f", "-y", "-qq", "-s", "4096", "-e", "trace=openat,openat2,open,connect", "-o", log.to_str().unwrap()];
        build(&world).under(&strace, &options).run().ends_with(3).says(image.code);
        let text = std::fs::read_to_string(&log).unwrap();
        for (name, _, gave) in calls(&text) {
            *seen.entry(if gave.contains("base.img") { "base.img" } else { name_of(name) }).or_default() += 1;
        }
        let strays = strays(&text, &world, &names);
        assert!(strays.is_empty(), "{}:\n{}", image.name, strays.join("\n"));
    }
    assert!(listener.accept().is_err());
    // The log was read rightly: the image itself is in it.
    assert!(seen.get("base.img").is_some_and(|count| *count >= 13), "{seen:?}");
}

fn name_of(call: &str) -> &'static str {
    if call == "connect" { "connect" } else { "open" }
}

#[test]
fn the_judge_of_the_log_sees_a_stray() {
    let world = Path::new("/tmp/w");
    let log = "7 openat(AT_FDCWD</tmp/w>, \"/etc/hostname\", O_RDONLY) = 3</etc/hostname>\n\
               7 openat2(4</tmp/w/shared>, \"secret.raw\", {flags=O_RDONLY}, 24) = -1 ENOENT (No such file)\n\
               7 openat(4</tmp/w>, \"x\", O_RDONLY) = 3</tmp/w/secret.raw>\n\
               7 connect(3<socket:[1]>, {sa_family=AF_INET}, 16) = 0\n\
               7 openat(4</tmp/w/shared>, \"base.img\", O_RDONLY) = 3</tmp/w/shared/base.img>\n";
    assert_eq!(strays(log, world, &[SECRET.to_owned()]).len(), 4);
}
