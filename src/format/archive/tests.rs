//! The codec against itself: whole, cut at every byte, changed at every byte, and indexes that break each rule.

use std::io;

use super::*;
use crate::base::Digest;

const SMALL: u64 = 512;

fn object(bytes: &[u8], held: bool) -> ObjectEntry {
    ObjectEntry { sha256: Digest::of(bytes), size: bytes.len() as u64, private: false, held }
}

fn file(path: &str, bytes: &[u8]) -> FileEntry {
    FileEntry { path: path.to_owned(), size: bytes.len() as u64, sha256: Digest::of(bytes) }
}

/// An archive of one recipe with a side file, one object in three parts, an empty and an absent one.
fn sample() -> (Index, Vec<Vec<u8>>) {
    let large: Vec<u8> = (0..1300u32).map(|i| (i % 251) as u8).collect();
    let contents = [large, vec![], b"absent".to_vec()];
    let mut objects: Vec<_> = contents.iter().zip([true, true, false]).map(|(one, held)| object(one, held)).collect();
    objects.sort_by_key(|object| object.sha256);
    let inputs = objects.iter().map(|object| object.sha256).collect();
    let (recipe, side) = (b"recipe".to_vec(), b"side".to_vec());
    let files = vec![file("nas.toml", &recipe), file("nas/side", &side)];
    let root =
        Root { recipe: "nas.toml".into(), name: "nas".into(), plan: Digest::of(b"plan"), inputs, bundle: vec![] };
    let index = Index { format: FORMAT, part: SMALL, files, objects, roots: vec![root] };
    let held = index.objects.iter().filter(|object| object.held);
    let find = |digest: Digest| contents.iter().find(|one| Digest::of(one) == digest).unwrap().clone();
    let members = [recipe, side].into_iter().chain(held.map(|object| find(object.sha256))).collect();
    (index, members)
}

fn write(index: &Index, contents: &[Vec<u8>]) -> Result<Vec<u8>, ArchiveError> {
    let mut writer = Writer::begin(vec![], index)?;
    for (member, content) in index.members().zip(contents) {
        writer.add(&member, &mut content.as_slice())?;
    }
    writer.finish()
}

fn read(bytes: &[u8], length: usize) -> Result<Vec<Vec<u8>>, ArchiveError> {
    let mut reader = Reader::open(bytes, length as u64)?;
    let mut contents = vec![];
    while let Some(member) = reader.next_member() {
        let mut content = vec![];
        reader.next_into(&mut content, &member)?;
        contents.push(content);
    }
    reader.finish()?;
    Ok(contents)
}

#[test]
fn what_is_written_reads_back_and_has_the_length_that_was_foretold() {
    let (index, contents) = sample();
    let bytes = write(&index, &contents).unwrap();
    assert_eq!(bytes.len() as u64, index.length());
    assert_eq!(read(&bytes, bytes.len()).unwrap(), contents);
    let reader = Reader::open(&bytes[..], bytes.len() as u64).unwrap();
    assert_eq!(*reader.index(), index);
    assert!(reader::verify(reader).unwrap().is_empty());
}

#[test]
fn xfer_03_an_archive_cut_at_any_byte_is_refused_whatever_length_is_claimed() {
    let (index, contents) = sample();
    let bytes = write(&index, &contents).unwrap();
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end], end).is_err(), "cut at {end}");
        assert!(read(&bytes[..end], bytes.len()).is_err(), "cut at {end} unnoticed by the length");
    }
    let longer = [&bytes[..], &[0; 512]].concat();
    assert!(matches!(read(&longer, longer.len()), Err(ArchiveError::Length { .. })));
    assert!(matches!(read(&longer, bytes.len()), Err(ArchiveError::Trailing(_))));
}

#[test]
fn xfer_02_an_archive_with_any_byte_changed_is_refused() {
    let (index, contents) = sample();
    let bytes = write(&index, &contents).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        // What the index says of itself alone, as a plan's id, is vouched for by the archive's digest.
        if let Ok(read) = read(&changed, changed.len()) {
            assert_eq!(read, contents, "at {at}");
            let claim = Reader::open(&changed[..], changed.len() as u64).unwrap().index().clone();
            assert_ne!(claim, index, "byte {at} counts for nothing");
        }
    }
}

#[test]
fn a_writer_takes_no_other_content_than_it_was_promised() {
    let (index, contents) = sample();
    for (at, wrong) in [(0, b"recipf".to_vec()), (0, b"recip".to_vec()), (0, b"recipes".to_vec())] {
        let mut contents = contents.clone();
        contents[at] = wrong;
        assert!(matches!(write(&index, &contents), Err(ArchiveError::Digest(_))));
    }
}

#[test]
fn xfer_01_an_index_that_breaks_any_rule_is_refused() {
    type Break = fn(&mut Index);
    let breaks: [(&str, Break); 26] = [
        ("format", |index| index.format = 2),
        ("no part", |index| index.part = 0),
        ("odd part", |index| index.part = 513),
        ("huge part", |index| index.part = 2 * PART),
        ("absolute", |index| index.files[1].path = "/etc/passwd".into()),
        ("parent", |index| index.files[1].path = "../x".into()),
        ("inner parent", |index| index.files[1].path = "nas/../../x".into()),
        ("dot", |index| index.files[1].path = "nas/./x".into()),
        ("empty part", |index| index.files[1].path = "nas//x".into()),
        ("backslash", |index| index.files[1].path = "nas\\..\\x".into()),
        ("drive", |index| index.files[1].path = "z:x".into()),
        ("NUL", |index| index.files[1].path = "nas/x\0y".into()),
        ("line end", |index| index.files[1].path = "nas/x\ny".into()),
        ("direction", |index| index.files[1].path = "nas/\u{202e}y".into()),
        ("too long", |index| index.files[1].path = format!("nas/{}", "x".repeat(120))),
        ("a directory that is a file", |index| index.files[1].path = "nas.toml/x".into()),
        ("file size", |index| index.files[1].size = index::FILE_LIMIT + 1),
        ("twice", |index| index.files[1] = index.files[0].clone()),
        ("order", |index| index.files.reverse()),
        ("object order", |index| index.objects.reverse()),
        ("object size", |index| index.objects[0].size = u64::MAX),
        ("object not listed", |index| index.objects.truncate(2)),
        ("object not needed", |index| index.roots[0].inputs.truncate(2)),
        ("recipe not there", |index| index.roots[0].recipe = "other.toml".into()),
        ("name", |index| index.roots[0].name = "..".into()),
        ("bundle file", |index| {
            let sha256 = index.objects[0].sha256;
            index.roots[0].bundle = vec![BundleFile { file: "../x".into(), sha256, mode: 0o444 }];
        }),
    ];
    for (what, change) in breaks {
        let mut index = sample().0;
        change(&mut index);
        assert!(Index::parse(&index.print()).is_err(), "{what}");
        assert!(Writer::begin(io::sink(), &index).is_err(), "{what}");
    }
}

#[test]
fn xfer_02_an_index_in_another_spelling_is_refused() {
    let good = String::from_utf8(sample().0.print()).unwrap();
    assert!(Index::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("{\n", "{\n\n"),
        ("\"format\": 1", "\"format\": 1, \"extra\": 1"),
        ("\"part\": 512", "\"part\": 512, \"part\": 512"),
        ("nas.toml", "nas\\u002etoml"),
        ("\"part\": 512", "\"part\": 5.12e2"),
    ] {
        assert!(Index::parse(good.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    assert!(Index::parse(format!("{good}\n").as_bytes()).is_err());
    let newer = good.replace("\"format\": 1", "\"format\": 2");
    assert!(matches!(Index::parse(newer.as_bytes()), Err(ArchiveError::Format(2))));
}
