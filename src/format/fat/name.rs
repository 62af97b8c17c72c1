//! Which names go onto the config disk, and which of them would meet. Touches nothing.
//!
//! Specification: fatgen103, "Long File Names"; reserved device names: Microsoft, "Naming Files, Paths, and
//! Namespaces". The guest copies what the long names say, so names are kept to what is plain everywhere.

use std::collections::BTreeMap;

use super::MAX_DEPTH;
use crate::base::text::one_line;

/// Why a path cannot stand on the volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("`{0}` cannot be a file name there: parts are 1 to 255 characters of A-Z a-z 0-9 . _ + -")]
    Character(String),
    /// Linux drops the dot, so the name would be another.
    #[error("`{0}` ends in a dot, which FAT drops")]
    TrailingDot(String),
    /// Windows opens a device instead of the file.
    #[error("`{0}` is the name of a DOS device")]
    Reserved(String),
    #[error("`{0}` lies deeper than {MAX_DEPTH} directories")]
    Deep(String),
    /// The second file would replace the first.
    #[error("`{0}` and `{1}` are the same name on FAT, which does not tell upper from lower case")]
    Twins(String, String),
    #[error("`{0}` is a file and also a directory")]
    FileAndDirectory(String),
}

/// Checks every path, and that no two of them meet.
pub(crate) fn check<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), NameError> {
    let mut seen = BTreeMap::new();
    for path in paths {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.len() > MAX_DEPTH {
            return Err(NameError::Deep(one_line(path, 80)));
        }
        parts.iter().try_for_each(|part| check_part(part))?;
        for end in 1..=parts.len() {
            enter(&mut seen, &parts[..end].join("/"), end == parts.len())?;
        }
    }
    Ok(())
}

/// Remembers a path by its lower-case form; `is_file` tells it from a directory on the way to one.
fn enter(seen: &mut BTreeMap<String, (String, bool)>, path: &str, is_file: bool) -> Result<(), NameError> {
    let Some((known, was_file)) = seen.insert(path.to_ascii_lowercase(), (path.to_owned(), is_file)) else {
        return Ok(());
    };
    match (known == path, was_file, is_file) {
        (true, false, false) => Ok(()),
        (true, true, true) | (false, _, _) => Err(NameError::Twins(known, path.to_owned())),
        (true, _, _) => Err(NameError::FileAndDirectory(path.to_owned())),
    }
}

fn check_part(part: &str) -> Result<(), NameError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    if part.is_empty() || part.len() > 255 || !part.chars().all(plain) {
        return Err(NameError::Character(one_line(part, 80)));
    }
    if part.ends_with('.') {
        return Err(NameError::TrailingDot(part.to_owned()));
    }
    if is_device(part) { Err(NameError::Reserved(part.to_owned())) } else { Ok(()) }
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_uppercase();
    match stem.as_bytes() {
        b"CON" | b"PRN" | b"AUX" | b"NUL" => true,
        [b'C', b'O', b'M', digit] | [b'L', b'P', b'T', digit] => digit.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_8_names_that_fat_mangles_are_refused() {
        let long = "a".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a:b",
            "a\\b",
            "ä",
            "a\0",
            "a*",
            "name.",
            "con",
            "CON.txt",
            "dir/aux",
            "com1",
            "lpt9.sh",
            "nul.tar.gz",
            "a/b/c/d/e/f/g/h/i",
            &long,
        ] {
            assert!(check([bad].into_iter()).is_err(), "{bad:?}");
        }
        for good in [
            "ignition/config.ign",
            "combustion/script",
            ".bashrc",
            "a-b_c+d.e",
            "console",
            "com",
            "com10",
            "nul_",
            &long[1..],
        ] {
            assert_eq!(check([good].into_iter()), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn out_8_names_that_meet_without_case_are_refused() {
        for (one, two) in
            [("a/x", "A/y"), ("a/x", "a/X"), ("a", "A"), ("a", "a"), ("a", "a/b"), ("a/b", "a"), ("A", "a/b")]
        {
            assert!(check([one, two].into_iter()).is_err(), "{one} {two}");
        }
        assert_eq!(check(["a/x", "a/y", "b/x"].into_iter()), Ok(()));
    }
}
