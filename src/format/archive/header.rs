//! One ustar header: the only one that an entry can have. Touches nothing. Read next: `super::index`.

use super::BLOCK;

/// The longest content that eleven octal digits count.
pub(super) const LARGEST: u64 = (1 << 33) - 1;
const NAME: usize = 100;
const PREFIX: usize = 155;
const SIZE: std::ops::Range<usize> = 124..136;

/// What the header says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) size: u64,
}

/// Writes the header of an entry; `None` for a path or size that ustar has no room for.
pub(super) fn print(entry: &Entry) -> Option<[u8; BLOCK]> {
    let (prefix, name) = split(&entry.path)?;
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, format!("{:07o}", entry.mode & 0o777).as_bytes());
    [108, 116, 329, 337].into_iter().for_each(|at| put(at, b"0000000"));
    put(SIZE.start, format!("{:011o}", Some(entry.size).filter(|size| *size <= LARGEST)?).as_bytes());
    put(136, b"00000000000");
    // While it is summed, the field of the sum counts as blanks.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Splits a path into the fields `prefix` and `name`.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME {
        return Some(("", path));
    }
    let slash = path.match_indices('/').map(|(at, _)| at).find(|at| path.len() - at - 1 <= NAME)?;
    (slash <= PREFIX && slash + 1 < path.len()).then(|| (&path[..slash], &path[slash + 1..]))
}

/// Returns whether a path fits.
pub(super) fn fits(path: &str) -> bool {
    split(path).is_some()
}

/// Reads the size that a header claims: eleven octal digits, nothing else.
pub(super) fn size(block: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(block[SIZE].strip_suffix(b"\0")?).ok()?;
    let octal = digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    u64::from_str_radix(digits, 8).ok().filter(|_| octal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size: u64) -> Entry {
        Entry { path: path.to_owned(), mode: 0o644, size }
    }

    #[test]
    fn a_header_has_its_fields_where_the_standard_puts_them() {
        let block = print(&entry("arca/index.json", 0o1234)).unwrap();
        assert_eq!(&block[..16], b"arca/index.json\0");
        assert_eq!(&block[100..124], b"0000644\x000000000\x000000000\0");
        assert_eq!(&block[124..148], b"00000001234\x0000000000000\0");
        assert_eq!(&block[156..265], [&b"0"[..], &[0; 100], b"ustar\x0000"].concat());
        assert!(block[265..329].iter().chain(&block[345..]).all(|byte| *byte == 0));
        let blanked = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { *byte });
        let sum: u32 = blanked.map(u32::from).sum();
        assert_eq!(&block[148..156], format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(size(&block), Some(0o1234));
    }

    #[test]
    fn long_paths_are_split_at_the_first_slash_that_serves() {
        let (long, longer) = ("a".repeat(100), "a".repeat(101));
        for (path, fields) in [
            (long.clone(), Some((String::new(), long.clone()))),
            (longer.clone(), None),
            (format!("x/{long}"), Some(("x".into(), long.clone()))),
            (format!("x/y/{}", "b".repeat(98)), Some(("x".into(), format!("y/{}", "b".repeat(98))))),
            (format!("{}/{long}", "p".repeat(155)), Some(("p".repeat(155), long.clone()))),
            (format!("{}/{long}", "p".repeat(156)), None),
            (format!("x/{longer}"), None),
        ] {
            let found = split(&path).map(|(prefix, name)| (prefix.to_owned(), name.to_owned()));
            assert_eq!(found, fields, "{path}");
        }
    }

    #[test]
    fn xfer_02_a_size_in_any_other_spelling_is_no_size() {
        let good = print(&entry("a", 8)).unwrap();
        for odd in [
            &b"0000000010 \0"[..],
            b"          10",
            b"+0000000010\0",
            b"\x80\0\0\0\0\0\0\0\0\0\0\x08",
            b"00000000018\0",
        ] {
            let mut block = good;
            block[SIZE].copy_from_slice(odd);
            assert_eq!(size(&block), None, "{odd:?}");
        }
        assert_eq!(print(&entry("a", LARGEST + 1)), None);
    }
}
