//! Disks and pools in ready-made files: names that move, profiles that lose. Touches nothing.

use super::context::RuleContext;
use crate::base::text::one_line;
use crate::base::{Location, Rule};
use crate::format::ignition::Node;
use crate::provision::diagnostics::{DiagnosticSink, place_in};

/// Checks what ready-made files do to disks.
pub(crate) fn check(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    if let Some(script) = ctx.script {
        self::script(&script.bytes, |line| place_in(&script.file, line, 1), diag);
    }
    if let Some(config) = ctx.config {
        let storage = config.ready.root.at_path(&["storage"]);
        storage.into_iter().for_each(|storage| nodes(storage, &config.file, diag));
    }
}

/// Returns the name of a disk by its order: `/dev/vdb`, `/dev/sda1`, and so on.
fn by_order(text: &str) -> Option<&str> {
    let at = ["/dev/vd", "/dev/sd", "/dev/hd", "/dev/xvd"].iter().filter_map(|prefix| {
        let at = text.find(prefix)?;
        let rest = &text[at + prefix.len()..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let after = rest[letters..].trim_start_matches(|c: char| c.is_ascii_digit());
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        (1..=2).contains(&letters).then_some(())?;
        ends.then(|| &text[at..text.len() - after.len()])
    });
    at.min_by_key(|found| found.as_ptr())
}

fn warn_by_order(text: &str, place: impl FnOnce() -> Location, diag: &mut DiagnosticSink) {
    if let Some(name) = by_order(text) {
        let text = format!("`{}` is whichever disk the kernel finds in that order", one_line(name, 40));
        diag.warn(Rule::DevVdx, text, Some(place()));
    }
}

fn nodes(node: &Node, file: &str, diag: &mut DiagnosticSink) {
    if let Some(text) = node.as_text() {
        warn_by_order(text, || place_in(file, node.at.line, node.at.column), diag);
    }
    node.children().for_each(|child| nodes(child, file, diag));
}

/// Checks what a script does to disks; `at` gives the place of a line.
pub(crate) fn script(bytes: &[u8], at: impl Fn(u32) -> Location, diag: &mut DiagnosticSink) {
    let text = String::from_utf8_lossy(bytes);
    for (number, line) in logical_lines(&text) {
        let place = || at(number);
        warn_by_order(&line, place, diag);
        if let Some(pool) = Mkfs::read(&line) {
            pool.check(place(), diag);
        }
    }
}

/// Joins lines that end in `\`, and leaves comments out; each with the number of its first line.
pub(crate) fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = vec![];
    let mut open = false;
    for (line, number) in text.lines().zip(1..) {
        if !open && line.trim_start().starts_with('#') {
            continue;
        }
        let (body, goes_on) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| open) {
            Some((_, last)) => last.push_str(body),
            None => lines.push((number, body.to_owned())),
        }
        open = goes_on;
    }
    lines
}

/// One call of mkfs.btrfs, as far as a line tells without a shell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mkfs {
    data: Option<String>,
    metadata: Option<String>,
    /// None where a word is only known to the shell, as `$disks`.
    devices: Option<usize>,
}

impl Mkfs {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        words.find(|word| *word == "mkfs.btrfs" || word.ends_with("/mkfs.btrfs"))?;
        let mut found = Self { devices: Some(0), ..Self::default() };
        while let Some(word) = words.next() {
            if ["&&", "||", ";", "|", ">"].contains(&word) {
                break;
            }
            let (flag, joined) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
            let mut value = || joined.or_else(|| words.next()).map(str::to_owned);
            match flag {
                "-d" | "--data" => found.data = value(),
                "-m" | "--metadata" => found.metadata = value(),
                "-L" | "--label" | "-U" | "--uuid" | "-n" | "-s" | "-O" | "--features" => drop(value()),
                _ if flag.starts_with('-') => {}
                _ if word.contains(['$', '*', '{', '`']) => found.devices = None,
                _ => found.devices = found.devices.map(|count| count + 1),
            }
        }
        Some(found)
    }

    fn check(&self, place: Location, diag: &mut DiagnosticSink) {
        for profile in self.data.iter().chain(&self.metadata) {
            let (Some(least), Some(devices)) = (least(profile), self.devices) else { continue };
            if devices < least {
                let text = format!("{profile} needs {least} disks, and this line names {devices}");
                diag.warn(Rule::Raid1Odd, text, Some(place.clone()));
                break;
            }
        }
        let several = self.devices.is_none_or(|devices| devices > 1);
        let metadata = self.metadata.as_deref();
        if let Some(profile) = metadata.filter(|profile| ["raid5", "raid6"].contains(profile)) {
            let text = format!("{profile} for metadata may lose the whole pool in a power cut");
            diag.warn(Rule::RaidMetadata, text, Some(place));
        } else if let Some(profile) = metadata.filter(|profile| several && ["single", "dup", "raid0"].contains(profile))
        {
            let text = format!("{profile} for metadata loses the whole pool with any one of its disks");
            diag.warn(Rule::RaidMetadata, text, Some(place));
        }
    }
}

/// How many disks a profile needs (mkfs.btrfs(8), profiles).
pub(crate) fn least(profile: &str) -> Option<usize> {
    match profile {
        "single" | "dup" | "raid0" => Some(1),
        "raid1" | "raid10" | "raid5" => Some(2),
        "raid1c3" | "raid6" => Some(3),
        "raid1c4" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_order_are_told_from_names_that_stay() {
        for (text, name) in [
            ("mkfs.xfs /dev/vdb", Some("/dev/vdb")),
            ("mount /dev/sda1 /mnt", Some("/dev/sda1")),
            ("x=/dev/sdaa;", Some("/dev/sdaa")),
            ("/dev/disk/by-id/virtio-data1", None),
            ("/dev/sdcard", None),
            ("/dev/vda-x", None),
            ("/dev/sd", None),
            ("dev/sda", None),
        ] {
            assert_eq!(by_order(text), name, "{text}");
        }
    }

    #[test]
    fn a_line_tells_its_profiles_and_counts_its_disks() {
        let read = |line: &str| {
            Mkfs::read(line)
                .map(|found| (found.data.unwrap_or_default(), found.metadata.unwrap_or_default(), found.devices))
        };
        let some = |data: &str, metadata: &str, devices| Some((data.to_owned(), metadata.to_owned(), devices));
        assert_eq!(read("mkfs.btrfs -f -L Arca -d raid1 -m raid1 a b c"), some("raid1", "raid1", Some(3)));
        assert_eq!(read("/sbin/mkfs.btrfs --data=raid0 --metadata raid5 a && x"), some("raid0", "raid5", Some(1)));
        assert_eq!(read("mkfs.btrfs -d raid1 $disks"), some("raid1", "", None));
        assert_eq!(read("mkfs.xfs -d x a"), None);
        assert_eq!(logical_lines("a \\\n b\n# c\nd"), [(1, "a  b".to_owned()), (4, "d".to_owned())]);
    }
}
