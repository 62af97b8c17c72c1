//! Paths in the guest: what can be written there, and which two exclude each other. Touches nothing.

use super::split::Side;
use super::subvolume;
use super::told::Told;
use crate::base::Location;
use crate::base::text::{is_unsafe, one_line};

/// Tells whether a text is an absolute path in its one spelling, naming something below `/`.
pub(crate) fn is_absolute(text: &str) -> bool {
    let fits = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    let parts = text.strip_prefix('/').map(|rest| rest.split('/'));
    text.len() < 4096
        && !text.chars().any(|c| is_unsafe(c) || matches!(c, '\n' | '\t'))
        && parts.is_some_and(|mut parts| parts.all(fits))
}

/// Checks the path of a file for the guest.
pub(crate) fn check(path: &str, side: Side, place: &Location, told: &mut Told) {
    let shown = one_line(path, 80);
    if !is_absolute(path) {
        let hint = "begin with `/`, without empty, `.` or `..` parts, control characters and a `/` at the end";
        return told.refuse_at(place, format!("`{shown}` is no absolute path in the guest"), hint);
    }
    // transactional-update mounts a tmpfs there; Ignition sees the real one.
    let var_tmp = (side == Side::Combustion && subvolume::is_within(path, "/var/tmp")).then_some("/var/tmp");
    if let Some(directory) = subvolume::fleeting(path).or(var_tmp) {
        let headline = format!("`{shown}` would be lost: nothing below {directory} outlives the first boot");
        told.refuse_at(place, headline, "write it elsewhere, or let a tmpfiles.d file make it at every boot");
    }
}

/// Refuses two things at one path, and a file (one of `files`) whose path is another's directory. `keyed` are paths that a
/// key of the recipe writes, with the key.
pub(crate) fn check_all<'a>(
    nodes: impl Iterator<Item = (&'a str, &'a Location)> + Clone,
    files: &[&str],
    keyed: &[(&str, &str)],
    told: &mut Told,
) {
    for (index, (path, place)) in nodes.clone().enumerate() {
        let earlier = nodes.clone().take(index).find(|(other, _)| *other == path);
        if let Some((_, first)) = earlier {
            let headline = format!("`{}` is written twice, first in line {}", one_line(path, 80), first.line);
            let key = keyed.iter().find(|(keyed, _)| *keyed == path);
            let hint = key.map(|(_, key)| format!("`{key}` writes it: keep one of them"));
            told.refuse_at(place, headline, hint.as_deref().unwrap_or("keep one of them"));
        }
        let below = nodes.clone().find(|(other, _)| *other != path && subvolume::is_within(other, path));
        if let Some((other, _)) = below.filter(|_| files.contains(&path)) {
            let headline =
                format!("`{}` cannot be a file and the directory of `{}`", one_line(path, 80), one_line(other, 80));
            told.refuse_at(place, headline, "rename one of them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_paths_have_one_spelling() {
        for good in ["/etc/motd", "/a b/'$`\"", "/ä", "/-x"] {
            assert!(is_absolute(good), "{good}");
        }
        for bad in ["", "/", "etc/x", "/a/", "/a//b", "/a/./b", "/a/../b", "/a\nb", "/a\u{1b}", "/a\u{202e}", "//a"] {
            assert!(!is_absolute(bad), "{bad:?}");
        }
    }
}
