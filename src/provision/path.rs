//! Paths in the guest: which are lost, and which two exclude each other. Touches nothing.

use super::diagnostics::DiagnosticSink;
use super::subvolume;
use crate::base::Location;
use crate::base::text::one_line;

/// Refuses a path where nothing that is written outlives the first boot.
pub(crate) fn check(path: &str, place: &Location, diag: &mut DiagnosticSink) {
    subvolume::fleeting(path).into_iter().for_each(|directory| refuse_lost(path, directory, place, diag));
}

/// Refuses a path whose directory is not what the guest has there later.
pub(crate) fn refuse_lost(path: &str, directory: &str, place: &Location, diag: &mut DiagnosticSink) {
    let headline = format!("`{}` would be lost: nothing below {directory} outlives the first boot", one_line(path, 80));
    diag.refuse_at(place, headline, "write it elsewhere, or let a tmpfiles.d file make it at every boot");
}

/// Refuses two things at one path, and a file (one of `files`) whose path is another's directory. `keyed` are paths that a
/// key of the recipe writes, with the key.
pub(crate) fn check_all<'a>(
    nodes: impl Iterator<Item = (&'a str, &'a Location)> + Clone,
    files: &[&str],
    keyed: &[(&str, &str)],
    diag: &mut DiagnosticSink,
) {
    for (index, (path, place)) in nodes.clone().enumerate() {
        let earlier = nodes.clone().take(index).find(|(other, _)| *other == path);
        if let Some((_, first)) = earlier {
            let headline = format!("`{}` is written twice, first in line {}", one_line(path, 80), first.line);
            let key = keyed.iter().find(|(keyed, _)| *keyed == path);
            let hint = key.map(|(_, key)| format!("`{key}` writes it: keep one of them"));
            diag.refuse_at(place, headline, hint.as_deref().unwrap_or("keep one of them"));
        }
        let below = nodes.clone().find(|(other, _)| *other != path && subvolume::is_within(other, path));
        if let Some((other, _)) = below.filter(|_| files.contains(&path)) {
            let headline =
                format!("`{}` cannot be a file and the directory of `{}`", one_line(path, 80), one_line(other, 80));
            diag.refuse_at(place, headline, "rename one of them");
        }
    }
}
