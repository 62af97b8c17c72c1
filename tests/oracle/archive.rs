//! Archives as other people's tar programs see them: the same names, sizes and bytes, and nothing to complain about.

use std::process::Command;

use crate::base::Digest;
use crate::format::archive::{FileEntry, Index, Member, ObjectEntry, Root, Writer};

use crate::tests::support::{Bin, output, tool, workdir};

/// An archive with a name that needs the prefix field, one outside ASCII, an empty object and one in parts.
fn sample() -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let long = format!("{}/{}", "d".repeat(60), "f".repeat(90));
    let files = [("a.toml".to_owned(), b"recipe".to_vec()), (long, b"x".to_vec()), ("é ü".to_owned(), vec![0; 512])];
    let contents = [vec![], (0..1300u32).map(|i| (i % 251) as u8).collect::<Vec<_>>()];
    let object = |bytes: &Vec<u8>| ObjectEntry {
        sha256: Digest::of(bytes),
        size: bytes.len() as u64,
        private: bytes.is_empty(),
        held: true,
    };
    let mut objects: Vec<_> = contents.iter().map(object).collect();
    objects.sort_by_key(|object| object.sha256);
    let inputs = objects.iter().map(|object| object.sha256).collect();
    let root = Root { recipe: "a.toml".into(), name: "a".into(), plan: Digest::of(b""), inputs, bundle: vec![] };
    let entry = |(path, bytes): &(String, Vec<u8>)| FileEntry {
        path: path.clone(),
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    let index = Index { format: 1, part: 512, files: files.iter().map(entry).collect(), objects, roots: vec![root] };
    let mut expected = vec![("arca/index.json".to_owned(), index.print())];
    let mut writer = Writer::begin(vec![], &index).unwrap();
    for member in index.members() {
        let held = files.iter().map(|(_, bytes)| bytes).chain(&contents);
        let content = held.into_iter().find(|bytes| Digest::of(bytes) == member.sha256()).unwrap();
        writer.add(&member, &mut content.as_slice()).unwrap();
        match member {
            Member::Object(object) if object.size > 512 => expected.extend(
                content
                    .chunks(512)
                    .enumerate()
                    .map(|(i, part)| (format!("{}.{i:03}", member_path(&object)), part.to_vec())),
            ),
            other => expected.push((other.path(), content.clone())),
        }
    }
    (writer.finish().unwrap(), expected)
}

fn member_path(object: &ObjectEntry) -> String {
    Member::Object(object.clone()).path()
}

#[test]
fn xfer_02_gnu_tar_python_and_busybox_read_the_same_names_and_bytes() {
    let (Some(tar), Some(python)) = (tool("tar"), tool("python3")) else { return };
    let dir = workdir();
    let (bytes, expected) = sample();
    std::fs::write(dir.path().join("x.arca"), &bytes).unwrap();
    let names: String = expected.iter().map(|(name, _)| format!("{name}\n")).collect();

    let listed = output(Command::new(&tar).args(["--quoting-style=literal", "-tf", "x.arca"]).current_dir(dir.path()));
    assert_eq!((listed.stdout.as_str(), listed.stderr.as_str()), (&*names, ""), "{listed}");
    let out = dir.path().join("tar");
    std::fs::create_dir(&out).unwrap();
    let taken = output(Command::new(&tar).args(["-xf", "../x.arca"]).current_dir(&out)).success();
    assert_eq!(taken.stderr, "");
    for (name, content) in &expected {
        assert!(std::fs::read(out.join(name)).unwrap() == *content, "{name}");
    }

    let script = "import sys, tarfile, hashlib\nt = tarfile.open('x.arca', 'r:', errorlevel=2)\n\
        for m in t.getmembers():\n  assert m.isreg() and m.mtime == 0 and m.uid == 0 and not m.pax_headers and not m.uname\n  \
        print(m.name, m.size, oct(m.mode), hashlib.sha256(t.extractfile(m).read()).hexdigest())\n\
        assert t.fileobj.tell() <= 1 << 20\n";
    let seen = output(Command::new(&python).args(["-X", "utf8", "-c", script]).current_dir(dir.path())).success();
    let empty = Digest::of(b"").to_string();
    let mode = |name: &str| if name.starts_with("arca/recipes/") || name.ends_with(&empty) { "0o600" } else { "0o644" };
    let line =
        |(name, bytes): &(String, Vec<u8>)| format!("{name} {} {} {}\n", bytes.len(), mode(name), Digest::of(bytes));
    assert_eq!(seen.stdout, expected.iter().map(line).collect::<String>());

    let Some(busybox) = tool("busybox") else { return };
    let listed = output(Command::new(&busybox).args(["tar", "-tf", "x.arca"]).current_dir(dir.path()));
    // It shows what is not ASCII as question marks.
    let plain = |text: &str| {
        text.lines().filter(|line| line.is_ascii() && !line.contains('?')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(plain(&listed.success().stdout), plain(&names));
}

#[test]
fn gnu_tar_finds_nothing_odd_in_a_whole_export() {
    let Some(tar) = tool("tar") else { return };
    let dir = workdir();
    Bin::new(dir.path()).args(["export", "demo", "--bundles", "-o", "demo.arca"]).run().success();
    let listed = output(Command::new(&tar).args(["-tvf", "demo.arca"]).current_dir(dir.path())).success();
    assert_eq!(listed.stderr, "");
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(lines[0].ends_with("arca/index.json") && lines[1].ends_with("arca/recipes/demo.toml"), "{listed}");
    assert!(lines.len() > 15 && lines.iter().all(|line| line.starts_with("-rw") && line.contains(" 0/0 ")), "{listed}");
}
