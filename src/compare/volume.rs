//! What differs between two FAT volumes: label, id, and file by file. Touches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};

use super::text::{TEXT_LIMIT, text};
use super::what::{What, opaque};
use crate::base::text::one_line;
use crate::format::fat::{ReadError, Tree, read::Node};
use crate::plan::file;

/// The most of a volume or a file in it that is read.
pub(super) const LIMIT: u64 = 64 << 20;

/// A difference, with the path of the file on the volume it is in.
type Found = (Option<String>, What);

/// Compares two volumes; where one cannot be read, tells of both sides why or that it could.
pub(crate) fn compare<R: Read + Seek>(before: &mut R, after: &mut R) -> Result<Vec<Found>, (String, String)> {
    match (read(before), read(after)) {
        (Ok(old), Ok(new)) => Ok(trees(before, &old, after, &new)),
        (old, new) => Err((told(&old), told(&new))),
    }
}

fn read<R: Read + Seek>(reader: &mut R) -> Result<Tree, ReadError> {
    let length = reader.seek(SeekFrom::End(0))?;
    Tree::read(reader, length)
}

fn told<T>(read: &Result<T, ReadError>) -> String {
    match read {
        Ok(_) => "readable".into(),
        Err(error) => one_line(&error.to_string(), 120),
    }
}

fn trees<R: Read + Seek>(before: &mut R, old: &Tree, after: &mut R, new: &Tree) -> Vec<Found> {
    let label =
        |tree: &Tree| tree.label.as_ref().map_or("none".into(), |label| one_line(&String::from_utf8_lossy(label), 40));
    let id = |tree: &Tree| format!("{:04X}-{:04X}", tree.geometry.volume_id >> 16, tree.geometry.volume_id & 0xffff);
    let cluster = |tree: &Tree| tree.geometry.cluster.to_string();
    let facts = [
        ("label", label(old), label(new)),
        ("volume id", id(old), id(new)),
        ("cluster size", cluster(old), cluster(new)),
    ];
    let differing = facts.into_iter().filter(|(_, old, new)| old != new);
    let mut found: Vec<Found> = differing.map(|(at, old, new)| (None, What::value(at, old, new))).collect();
    let (olds, news) = (by_path(old), by_path(new));
    let paths: BTreeSet<_> = olds.keys().chain(news.keys()).collect();
    for path in paths {
        let nodes = (olds.get(path).copied(), news.get(path).copied());
        let whats = match nodes {
            (Some(one), Some(other)) if one.is_directory == other.is_directory => {
                if one.is_directory {
                    continue;
                }
                contents(path, old.content(before, one, LIMIT), new.content(after, other, LIMIT))
            }
            (one, other) => {
                vec![What::Value { at: "file".into(), before: one.map(size), after: other.map(size) }]
            }
        };
        found.extend(whats.into_iter().map(|what| (Some((*path).to_owned()), what)));
    }
    found
}

fn by_path(tree: &Tree) -> BTreeMap<&str, &Node> {
    tree.nodes.iter().map(|node| (node.path.as_str(), node)).collect()
}

fn size(node: &Node) -> String {
    if node.is_directory { "a directory".into() } else { format!("{} bytes", node.size) }
}

/// Everything on a config disk provisions a guest: nothing of it is shown but what `text` lets through.
fn contents(path: &str, before: Result<Vec<u8>, ReadError>, after: Result<Vec<u8>, ReadError>) -> Vec<What> {
    let name = match path {
        "ignition/config.ign" => file::CONFIG_IGN,
        "combustion/script" => file::SCRIPT,
        _ => "",
    };
    match (before, after) {
        (Ok(before), Ok(after)) if before == after => vec![],
        (Ok(before), Ok(after)) if before.len().max(after.len()) as u64 > TEXT_LIMIT => {
            vec![opaque(before.len() as u64, after.len() as u64)]
        }
        (Ok(before), Ok(after)) => text(name, &before, &after),
        (before, after) => vec![What::value("content", told(&before), told(&after))],
    }
}
