//! Our volumes against pinned digests and our own reader; other people's readers stand in tests/oracle.

use super::super::Tree;
use super::*;
use crate::base::Digest;
use proptest::prelude::*;

fn volume<'a>(files: &[(&str, &'a [u8])]) -> Volume<'a> {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), *content)).collect();
    Volume { label: DiskLabel::Ignition, volume_id: 0x1234_abcd, epoch: 1_700_000_000, files }
}

fn tree(bytes: &[u8]) -> Tree {
    Tree::read(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
}

fn contents(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tree = tree(bytes);
    let files = tree.nodes.iter().filter(|node| !node.is_directory);
    files.map(|node| (node.path.clone(), tree.content(&mut Cursor::new(bytes), node, u64::MAX).unwrap())).collect()
}

#[test]
fn out_8_the_bytes_are_pinned() {
    // If a change is intended, bump the builder's revision.
    let small = write(&volume(&[("ignition/config.ign", b"{}"), ("combustion/script", b"#!/bin/sh\n")])).unwrap();
    let large = write(&volume(&[("combustion/blob", &vec![7; 3 << 20])])).unwrap();
    assert_eq!((Digest::of(&small).short(), small.len()), ("0bedea8c0081".to_owned(), 1 << 20));
    assert_eq!((Digest::of(&large).short(), large.len()), ("c50e190efa4e".to_owned(), 8 << 20));
}

#[test]
fn out_8_label_and_id_stand_where_the_guest_looks() {
    let bytes = write(&volume(&[("ignition/config.ign", b"{}")])).unwrap();
    let tree = tree(&bytes);
    assert_eq!(tree.label.as_deref(), Some(&b"ignition"[..]));
    assert_eq!(tree.geometry.label.trim_ascii_end(), b"ignition");
    assert_eq!(tree.geometry.volume_id, 0x1234_abcd);
    let paths: Vec<_> = tree.nodes.iter().map(|node| (node.path.as_str(), node.size)).collect();
    assert_eq!(paths, [("ignition", 0), ("ignition/config.ign", 2)]);
}

#[test]
fn out_8_the_order_of_files_does_not_reach_the_bytes_and_time_does() {
    let one = volume(&[("a/b", b"1"), ("c", b"2"), ("a/a", b"")]);
    let mut two = one.clone();
    two.files.reverse();
    assert_eq!(write(&one).unwrap(), write(&two).unwrap());
    let later = Volume { epoch: 1_800_000_000, ..two };
    assert_ne!(write(&one).unwrap(), write(&later).unwrap());
}

#[test]
fn out_8_the_smallest_size_that_holds_the_content_is_taken() {
    // The root directory holds these files, so each shape's clusters are the content's.
    for (index, shape) in SHAPES.iter().enumerate() {
        let full = vec![1; (shape.clusters * shape.cluster) as usize];
        let bytes = write(&volume(&[("f", &full)])).unwrap();
        assert_eq!(bytes.len(), (shape.mebibytes as usize) << 20, "full");
        assert!(contents(&bytes)[0].1 == full, "{} MiB", shape.mebibytes);
        let over = [&full[..], &[2]].concat();
        match (write(&volume(&[("f", &over)])), SHAPES.get(index + 1)) {
            (Ok(bytes), Some(next)) => assert_eq!(bytes.len(), (next.mebibytes as usize) << 20, "one more"),
            (Err(FatError::TooLarge { need, room }), None) => assert!(need > room),
            other => panic!("{:?}", other.0.map(|bytes| bytes.len())),
        }
    }
}

#[test]
fn out_8_the_clusters_of_each_shape_are_what_the_volume_has() {
    for shape in &SHAPES {
        let image = format(&volume(&[]), shape).unwrap();
        let system = FileSystem::new(image, FsOptions::new()).unwrap();
        assert_eq!(u64::from(system.stats().unwrap().total_clusters()), shape.clusters, "{} MiB", shape.mebibytes);
        assert_eq!(system.fat_type(), shape.kind);
    }
}

#[test]
fn out_8_no_volume_is_written_with_a_name_that_would_be_another_in_the_guest() {
    for paths in [["a/x", "A/y"], ["a", "a/b"], ["x.", "y"], ["NUL", "y"], ["a:b", "y"], ["../x", "y"]] {
        let files = paths.map(|path| (path, &b""[..]));
        assert!(matches!(write(&volume(&files)), Err(FatError::Name(_))), "{paths:?}");
    }
}

#[test]
fn out_8_a_full_root_directory_is_told_with_numbers() {
    let names: Vec<String> = (0..256).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(matches!(write(&volume(&files)), Err(FatError::RootEntries { need: 513 })));
    let bytes = write(&volume(&files[..255])).unwrap();
    assert_eq!(contents(&bytes).len(), 255);
}

#[test]
fn out_8_directories_have_short_dots_and_nothing_else_is_touched() {
    // The content looks like the pattern that is mended in directories.
    let decoy = [[&b".\0"[..], &[0; 9], &[0x0f], &[0; 20]].concat(), vec![0; 32]].concat().repeat(8);
    let bytes = write(&volume(&[("a/b/c", &decoy), ("a/b/d", b"x")])).unwrap();
    assert!(contents(&bytes).iter().any(|(path, content)| path == "a/b/c" && *content == decoy));
    let dots = bytes.chunks_exact(32).filter(|entry| entry.starts_with(b".          \x10")).count();
    assert_eq!(dots, 2, "one for each directory");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn out_8_what_is_written_is_read(
        files in prop::collection::btree_map("[a-z]{1,3}/[a-z0-9._+-]{1,40}x|[a-z]{4,20}x", prop::collection::vec(any::<u8>(), 0..9000), 0..20)
    ) {
        let list: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        match write(&volume(&list)) {
            Ok(bytes) => {
                let want: Vec<_> = files.into_iter().collect();
                let mut got = contents(&bytes);
                got.sort();
                prop_assert_eq!(got, want);
            }
            Err(error) => prop_assert!(matches!(error, FatError::Name(_)), "{}", error),
        }
    }
}
