//! What `[provision]` names by address: `url`, `sha256`, `size`, `mirrors`, as `[base]` has them. Touches nothing.

use std::collections::BTreeSet;

use super::super::carried::plain_rpm_name;
use super::super::{Carried, rules};
use super::{digest, mirrors, refuse_unknown, source};
use crate::base::text::one_line;
use crate::base::{ByteSize, Spanned};
use crate::format::toml::{Table, Value};

/// The keys that say more of an address.
const OF_URL: [&str; 3] = ["sha256", "size", "mirrors"];

/// Reads an address and its pin; `None` where there is none, or not a good one.
pub(super) fn carried(table: &Table<'_>) -> Option<Carried> {
    let source = table.get("url").and_then(|value| Some(value.located(source(&value)?)));
    let sha256 = table.get("sha256").and_then(|value| digest(&value));
    let size = table.get("size").and_then(|value| value.size(ByteSize(1)..=ByteSize::gib(16 << 10), ByteSize(1)));
    let mirrors = mirrors(table, source.as_ref());
    Some(Carried { source: source?, sha256, size, mirrors })
}

/// Refuses a pin of nothing.
pub(super) fn refuse_pin_without_url(table: &Table<'_>) {
    if table.has("url") || table.document.is_broken() {
        return;
    }
    for value in OF_URL.iter().filter_map(|key| table.get(key)) {
        value.refuse(format!("`{}` is said of a `url`, and there is none", value.key()), "add `url`, or remove it");
    }
}

/// Reads every `[[provision.rpm]]`; two of one file name would lie in one folder, which on the config disk knows no case.
pub(super) fn rpms(table: &Table<'_>, limit: usize) -> Vec<Spanned<Carried>> {
    let mut seen = BTreeSet::new();
    let mut rpms = vec![];
    for row in table.tables("rpm", "provision.rpm[]", limit) {
        refuse_unknown(&row);
        let Some((value, rpm)) = row.need("url", "`url = \"https://…/a.rpm\"`").zip(rpm(&row)) else { continue };
        let name = rpm.file_name();
        if !seen.insert(plain_rpm_name(name).to_ascii_lowercase()) {
            let headline = format!("two packages have the file name `{}`", one_line(name, 100));
            value.refuse(headline, "keep one of them; upper and lower case count as one, and so do ~, ^ and _");
        }
        rpms.push(Spanned { value: rpm, place: row.place() });
    }
    rpms
}

/// Reads one; the name in the address is the package's in the guest.
fn rpm(table: &Table<'_>) -> Option<Carried> {
    let carried = carried(table)?;
    if !rules::is_rpm_name(carried.file_name()) {
        let headline = format!("`{}` is no file name of a package", one_line(carried.file_name(), 100));
        let hint = "it ends in .rpm, holds A-Z a-z 0-9 . _ + ~ ^ - only, and at most 100 characters; write %2B as +";
        table.get("url")?.refuse(headline, hint);
        return None;
    }
    Some(carried)
}

/// Reads the name of a unit that waits for something.
pub(super) fn unit_name(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !rules::is_unit_name(text) {
        let headline = format!("`{}` is not the name of a systemd unit", one_line(text, 80));
        value.refuse(headline, "it ends in .service, .timer, .mount, …; that of `x.container` is `x.service`");
        return None;
    }
    Some(text.to_owned())
}
