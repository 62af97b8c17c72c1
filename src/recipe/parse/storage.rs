//! `[[provision.mount]]`, `[[provision.subvolume]]`, `[[provision.pool]]`: form only. Touches nothing.

use std::collections::BTreeSet;

use super::super::rules;
use super::super::storage::{Device, Mount, Pool, PoolSubvolume, Profile, Subvolume};
use super::provision::{guest_path, rows};
use crate::base::text::{nearest, one_line};
use crate::base::{Code, Diagnostic, DiskSerial, Name, Rule, Spanned};
use crate::format::toml::{Table, Value};

/// A pool has as many members as a machine has data disks.
const MEMBER_LIMIT: usize = 24;

/// Labels of file systems that every machine has, and of those that carry its configuration.
const TAKEN_LABELS: [&str; 6] = ["root", "efi", "swap", "install", "ignition", "combustion"];

/// The words of systemd.time(7) that a schedule may be; anything else is a calendar expression.
const SCHEDULES: [&str; 9] =
    ["off", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually"];

/// Reads every mount.
pub(super) fn mounts(table: &Table<'_>) -> Vec<Spanned<Mount>> {
    rows(table, "mount", "provision.mount[]", "path", mount)
}

/// Reads every subvolume of the guest's own file systems.
pub(super) fn subvolumes(table: &Table<'_>) -> Vec<Spanned<Subvolume>> {
    rows(table, "subvolume", "provision.subvolume[]", "path", subvolume)
}

/// Reads every pool.
pub(super) fn pools(table: &Table<'_>) -> Vec<Spanned<Pool>> {
    let pools = rows(table, "pool", "provision.pool[]", "label", pool);
    let mut seen = BTreeSet::new();
    for disk in pools.iter().flat_map(|pool| &pool.value.disks) {
        if !seen.insert(disk.value.as_str().to_ascii_lowercase()) {
            let problem = Diagnostic::new(Code::Recipe, format!("the disk `{}` is a member twice", disk.value));
            table.document.tell(problem.at(disk.place.clone()).hint("a disk is in one pool, once"));
        }
    }
    pools
}

fn mount(table: &Table<'_>) -> Option<Mount> {
    let what = what(table);
    let kind = table.get("type").and_then(|value| kind(&value));
    let path = table.get("path").and_then(|value| mount_point(&value));
    let options = table.get("options").map(|value| options(&value)).unwrap_or_default();
    Some(Mount { what: what?, path: path?, kind, options })
}

/// Reads `what` or `serial`.
fn what(table: &Table<'_>) -> Option<Spanned<Device>> {
    match (table.get("what"), table.get("serial")) {
        (Some(_), Some(serial)) => {
            serial.refuse("`what` and `serial` are both given", "keep one of them");
            None
        }
        (Some(what), None) => device(&what).map(|device| what.located(device)),
        (None, Some(serial)) => {
            let parsed = self::serial(&serial)?;
            Some(serial.located(Device::Serial(parsed)))
        }
        (None, None) => {
            table.need("what", "`what = \"LABEL=…\"`, or `serial = \"data1\"` for a disk of the machine");
            None
        }
    }
}

fn serial(value: &Value<'_>) -> Option<DiskSerial> {
    let text = value.line()?;
    if is_moving(text) {
        refuse_moving(value, text);
        return None;
    }
    value.accept(DiskSerial::parse(text), "")
}

/// Tells whether a name is one that the kernel gives in the order in which it finds the disks.
fn is_moving(text: &str) -> bool {
    let name = text.strip_prefix("/dev/").unwrap_or(text);
    let counted = ["vd", "sd", "hd", "xvd", "nvme", "mmcblk", "sr", "md", "dm-"];
    text.starts_with("/dev/")
        && !name.contains('/')
        && counted.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
}

fn refuse_moving(value: &Value<'_>, text: &str) {
    let headline = format!("`{}` is whichever disk the guest finds first, not always the same", one_line(text, 60));
    value.refuse_by(Rule::DevVdx, headline, "name it by its serial, or by LABEL=, UUID= or /dev/disk/by-id/…");
}

/// Reads how udev names a device by what it is.
fn device(value: &Value<'_>) -> Option<Device> {
    let text = value.line()?;
    if is_moving(text) {
        refuse_moving(value, text);
        return None;
    }
    // Other characters are escaped by udev in the names it gives.
    let plain = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '#' | '+' | '-' | '.' | ':' | '=' | '@' | '_');
        !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && name.chars().all(plain)
    };
    let tags = [("LABEL", "label"), ("UUID", "uuid"), ("PARTLABEL", "partlabel"), ("PARTUUID", "partuuid")];
    let tagged = text.split_once('=').and_then(|(tag, name)| {
        let (_, folder) = tags.iter().find(|(known, _)| *known == tag)?;
        Some(format!("/dev/disk/by-{folder}/{name}")).filter(|_| plain(name))
    });
    let parts: Vec<&str> = text.split('/').collect();
    let is_path = match parts.as_slice() {
        ["", "dev", "disk", by, name] => by.starts_with("by-") && plain(by) && plain(name),
        ["", "dev", "mapper", name] => plain(name),
        _ => false,
    };
    let path = tagged.or_else(|| is_path.then(|| text.to_owned()));
    if path.is_none() {
        let headline = format!("`{}` does not name a device by what it is", one_line(text, 80));
        let hint = "LABEL=, UUID=, PARTLABEL=, PARTUUID=, /dev/disk/by-…/… or /dev/mapper/…; \
                    what is no disk, as a share, is mounted by a unit in `[[provision.unit]]`";
        value.refuse(headline, hint);
    }
    path.map(Device::Path)
}

fn kind(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.len() > 32 || !text.chars().all(plain) {
        value
            .refuse(format!("`{}` is no type of file system", one_line(text, 40)), "like \"btrfs\", \"xfs\", \"vfat\"");
        return None;
    }
    Some(text.to_owned())
}

/// Reads a path that becomes part of units and scripts.
fn mount_point(value: &Value<'_>) -> Option<String> {
    let path = guest_path(value)?;
    let spaced = path.split('/').any(|part| part.trim() != part);
    if spaced || path.contains(['"', '\\', '\'']) {
        let hint = "without quotes and backslashes, no part beginning or ending with a space";
        value.refuse(format!("`{}` cannot be a mount point", one_line(&path, 80)), hint);
        return None;
    }
    Some(path)
}

/// Reads mount options.
fn options(value: &Value<'_>) -> Vec<String> {
    value.list().iter().filter_map(option).collect()
}

fn option(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let fault = if text.contains([',', '"', '\\', '\'']) || text.contains(char::is_whitespace) {
        "one option without commas, quotes, backslashes and spaces each"
    } else if matches!(name, "nofail" | "noauto" | "auto" | "_netdev") || name.starts_with("x-") {
        "it means something in /etc/fstab only; the guest boots without the device anyway"
    } else {
        return Some(text.to_owned());
    };
    value.refuse(format!("`{}` cannot be a mount option here", one_line(text, 60)), fault);
    None
}

fn subvolume(table: &Table<'_>) -> Option<Subvolume> {
    let path = table.get("path").and_then(|value| mount_point(&value));
    let nocow = table.get("nocow").and_then(|value| value.boolean()).unwrap_or(false);
    Some(Subvolume { path: path?, nocow })
}

fn pool(table: &Table<'_>) -> Option<Pool> {
    let disks = table.need("disks", "`disks = [\"data1\", \"data2\"]`");
    let path = table.need("path", "`path = \"/srv/nas\"`");
    let path = path.and_then(|value| mount_point(&value));
    let disks = disks.map(|value| self::disks(&value)).unwrap_or_default();
    let label = table.get("label").and_then(|value| label(&value));
    let profile = |key| {
        let value = table.get(key)?;
        Some(value.located(value.word(Profile::parse, Profile::WORDS)?))
    };
    let pool = Pool {
        data: profile("data"),
        metadata: profile("metadata"),
        options: table.get("options").map(|value| pool_options(&value)).unwrap_or_default(),
        subvolumes: rows(table, "subvolume", "provision.pool[].subvolume[]", "name", pool_subvolume),
        scrub: schedule(table, "scrub", "monthly"),
        balance: schedule(table, "balance", "weekly"),
        check: table.get("check").and_then(|value| value.boolean()).unwrap_or(true),
        label: label?,
        path: path?,
        disks,
    };
    (!pool.disks.is_empty()).then_some(pool)
}

fn disks(value: &Value<'_>) -> Vec<Spanned<DiskSerial>> {
    let list = value.list();
    if value.is_list() && list.is_empty() {
        value.refuse("a pool has at least one disk", "list serials of `[[machine.disk]]`");
    }
    if list.len() > MEMBER_LIMIT {
        value.refuse(format!("a pool has at most {MEMBER_LIMIT} disks, as many as a machine"), "");
    }
    list.iter().take(MEMBER_LIMIT).filter_map(|disk| Some(disk.located(serial(disk)?))).collect()
}

/// Reads a label: it names units and is a word of the guest's script.
fn label(value: &Value<'_>) -> Option<Name> {
    let label = value.accept(Name::parse(value.line()?), "")?;
    if TAKEN_LABELS.contains(&label.as_str().to_ascii_lowercase().as_str()) {
        let headline = format!("the label `{label}` is taken by a file system that the guest has already");
        value.refuse(headline, "choose another; upper and lower case count as one");
        return None;
    }
    Some(label)
}

/// Reads the options of a pool, less those that would mount something else than the pool.
fn pool_options(value: &Value<'_>) -> Vec<String> {
    let mut kept = vec![];
    for (option, entry) in value.list().iter().filter_map(|entry| Some((option(entry)?, entry))) {
        let name = option.split_once('=').map_or(option.as_str(), |(name, _)| name);
        let fault = match name {
            "degraded" => "a pool with a lost disk is told of, not mounted: by hand once, with `mount -o degraded`",
            "subvol" | "subvolid" => "list subvolumes as `[[provision.pool.subvolume]]`",
            "device" => "the members are those in `disks`",
            _ => {
                kept.push(option);
                continue;
            }
        };
        entry.refuse(format!("`{}` cannot be an option of a pool", one_line(&option, 60)), fault);
    }
    kept
}

fn pool_subvolume(table: &Table<'_>) -> Option<PoolSubvolume> {
    let name = table.get("name").and_then(|value| {
        let text = value.line()?;
        if !rules::is_subvolume_name(text) {
            let hint = "A-Z a-z 0-9 . _ @ + -, beginning with a letter, a digit, _ or @, at most 255";
            value.refuse(format!("`{}` is no name of a subvolume", one_line(text, 60)), hint);
            return None;
        }
        Some(text.to_owned())
    });
    Some(PoolSubvolume {
        path: table.get("path").and_then(|value| mount_point(&value)),
        options: table.get("options").map(|value| pool_options(&value)).unwrap_or_default(),
        nocow: table.get("nocow").and_then(|value| value.boolean()).unwrap_or(false),
        name: name?,
    })
}

/// Reads when something happens; `None` is never.
fn schedule(table: &Table<'_>, key: &'static str, default: &str) -> Option<String> {
    let Some(value) = table.get(key) else { return Some(default.to_owned()) };
    let text = value.line()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "*:,./~- ".contains(c);
    let is_expression = text.contains(|c: char| c.is_ascii_digit() || c == '*') && text.chars().all(plain);
    if text.len() > 100 || !(SCHEDULES.contains(&text) || is_expression) {
        let hint = match nearest(text, SCHEDULES) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of: {}; or a calendar expression like \"Sun *-*-* 03:00\"", SCHEDULES.join(", ")),
        };
        value.refuse(format!("`{key}` cannot be `{}`", one_line(text, 60)), &hint);
        return None;
    }
    (text != "off").then(|| text.to_owned())
}
