//! The report: a unit in the guest that tells what was applied, and what it should tell. Touches nothing.
//!
//! List and expectation come from the same walk over what both writers write, so they cannot disagree. The unit runs after
//! everything that multi-user.target wants (systemd.target(5): a target is ordered after what it wants), and before the unit
//! that restarts the guest for its kernel arguments. Read next: `report.sh`, `attest` (the grammar and the judge).

use super::split::{Part, Shares, Side, Split};
use super::template::{self, Template};
use super::told::Told;
use super::wanted::{Bytes, Login, Wanted, WantedFile, WantedUnit, Write};
use super::{BY_US, certificates, kernel, packages};
use crate::base::{Digest, Location};
use crate::guest_report::{Expectation, Expected, Kind, PORT, Wish};
use crate::recipe::{Quadlet, Recipe};

const SCRIPT: &str = include_str!("report.sh");
const UNIT: &str = "arca-report.service";
const SCRIPT_PATH: &str = "/etc/arca-build/report.sh";
const LIST_PATH: &str = "/etc/arca-build/report.list";
/// Each engine's part leaves a file of its name here, which holds the configuration's digest.
const MARKS: &str = "/etc/arca-build/applied";

/// What stands at the place of a detail that a thing does not need.
const NONE: &str = "-";

/// One thing to look at.
struct Look {
    expected: Expected,
    detail: String,
}

/// Adds the report where the recipe wants one; call it when everything else is shared out. `digest` is that of the
/// configuration without it.
pub(crate) fn add(recipe: &Recipe, shares: &mut Shares, digest: Digest, told: &mut Told) -> Expectation {
    let place = Location { file: recipe.file.clone(), line: 1, column: 1, width: 1, text: String::new() };
    let side = side(recipe, shares);
    let sides: Vec<Side> = [Side::Ignition, Side::Combustion]
        .into_iter()
        .filter(|one| {
            *one == side || !if *one == Side::Ignition { &shares.ignition } else { &shares.combustion }.is_empty()
        })
        .collect();
    refuse_namesakes(shares, told);
    let looks = looks(recipe, shares, &sides, digest);
    let list = list(shares, &looks);
    for one in sides {
        let file = file(&mark(one), 0o600, format!("{digest}\n"), &place);
        shares.on(one).files.push(file);
    }
    let script = format!("#!/bin/sh\n{BY_US}: change the recipe, not this file.\n#\n{SCRIPT}");
    let wanted = shares.on(side);
    wanted.files.push(file(SCRIPT_PATH, 0o700, script, &place));
    wanted.files.push(file(LIST_PATH, 0o600, list, &place));
    wanted.units.push(super::mounts::written(UNIT.to_owned(), Some(true), unit(), &place));
    shares.account(Part::Report, side, format!("unit {UNIT} tells what was applied"), "");
    Expectation::new(looks.into_iter().map(|look| look.expected).collect())
}

/// Decides who writes it: who does something anyway, so that no second engine comes into it for its sake.
fn side(recipe: &Recipe, shares: &Shares) -> Side {
    let Split::Best = shares.split else { return shares.side(Part::Report) };
    let by_script = recipe.provision.script.is_some() && recipe.provision.config.is_none();
    let is_unused = shares.ignition.is_empty();
    if is_unused && (!shares.combustion.is_empty() || by_script) { Side::Combustion } else { Side::Ignition }
}

fn mark(side: Side) -> String {
    format!("{MARKS}/{}", word(side))
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Ignition => "ignition",
        Side::Combustion => "combustion",
    }
}

/// Refuses what the recipe itself puts in the report's place.
fn refuse_namesakes(shares: &Shares, told: &mut Told) {
    let hint = "rename it, or write report = false";
    for (path, place) in shares.both().flat_map(Wanted::nodes) {
        if [SCRIPT_PATH, LIST_PATH, MARKS].contains(&path) || path.starts_with(&format!("{MARKS}/")) {
            told.refuse_at(place, format!("`{path}` is what the report itself writes"), hint);
        }
    }
    if let Some(unit) = shares.units().find(|unit| unit.name == UNIT) {
        told.refuse_at(&unit.place, format!("`{UNIT}` is the report's own unit"), hint);
    }
}

fn file(path: &str, mode: u32, text: String, place: &Location) -> WantedFile {
    let (path, bytes, place) = (path.to_owned(), Bytes::Here(text.into_bytes()), place.clone());
    WantedFile { path, bytes, write: Write::Replace, mode, user: None, group: None, place }
}

/// Writes the unit. A shell runs the script, as SELinux has it (see `scripts`).
fn unit() -> String {
    format!(
        "{BY_US}: change the recipe, not this file.\n\
         [Unit]\n\
         Description=Tell what was applied to this system\n\
         # Where somebody listens, at every boot; else until it was told once.\n\
         ConditionPathExists=|/dev/virtio-ports/{PORT}\n\
         ConditionPathExists=|!/var/lib/arca-build/reported\n\
         RequiresMountsFor=/etc/arca-build /var/lib/arca-build\n\
         After=multi-user.target\n\
         Before={restart}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         TimeoutStartSec=10min\n\
         ExecStart=/bin/sh {SCRIPT_PATH}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        restart = kernel::RESTART
    )
}

/// Writes the list that the script reads: kind, detail, subject, with a tab between them.
fn list(shares: &Shares, looks: &[Look]) -> String {
    let lines = looks
        .iter()
        .map(|Look { expected, detail }| format!("{}\t{detail}\t{}\n", expected.kind.as_str(), expected.subject));
    let done = format!("/var/lib/arca-build/done/{}", packages::MARK);
    let restarts = [(packages::UNIT, done.as_str()), (kernel::RESTART, kernel::RESTARTED)];
    let restarts = restarts.into_iter().filter(|(name, _)| shares.units().any(|unit| unit.name == *name));
    lines.chain(restarts.map(|(name, done)| format!("restart\t{done}\t{name}\n"))).collect()
}

/// Hashes a configuration: what each engine gets, bytes that come later by their digest.
pub(crate) fn digest(config: Option<&[u8]>, template: Option<&Template>, script: Option<&[u8]>) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![config.unwrap_or_default().into(), script.unwrap_or_default().into()];
    parts.extend(template.into_iter().flat_map(|template| &template.0).map(|part| match part {
        template::Part::Text(text) => text.expose().clone(),
        template::Part::Base64(input) => input.digest.as_bytes().to_vec(),
    }));
    let digests: Vec<u8> = parts.iter().flat_map(|part| *Digest::of(part).as_bytes()).collect();
    Digest::of(&digests)
}

/// Lists what to look at.
fn looks(recipe: &Recipe, shares: &Shares, sides: &[Side], digest: Digest) -> Vec<Look> {
    let mut looks: Vec<Look> =
        sides.iter().map(|side| look(Kind::Engine, word(*side), [("config", Wish::Digest(digest))])).collect();
    settings(recipe, &mut looks);
    for wanted in shares.both() {
        looks.extend(
            wanted.groups.iter().map(|group| look(Kind::Group, &group.name, group.gid.map(|gid| ("gid", is(gid))))),
        );
    }
    looks.extend(shares.both().flat_map(|wanted| &wanted.logins).map(user));
    nodes(shares, &mut looks);
    packages(recipe, &mut looks);
    looks.extend(shares.units().filter_map(of_unit));
    containers(recipe, &mut looks);
    storage(recipe, &mut looks);
    once(looks)
}

/// Joins what is said twice, such as a package that is asked for by two names: the guest tells of each thing once.
fn once(looks: Vec<Look>) -> Vec<Look> {
    let mut joined: Vec<Look> = vec![];
    for look in looks {
        let Expected { kind, subject, .. } = &look.expected;
        match joined.iter_mut().find(|one| one.expected.kind == *kind && one.expected.subject == *subject) {
            Some(one) => {
                for (name, wish) in look.expected.facts {
                    one.expected.facts.entry(name).or_insert(wish);
                }
            }
            None => joined.push(look),
        }
    }
    joined
}

fn look(kind: Kind, subject: &str, facts: impl IntoIterator<Item = (&'static str, Wish)>) -> Look {
    let facts = facts.into_iter().map(|(name, wish)| (name.to_owned(), wish)).collect();
    Look { expected: Expected { kind, subject: subject.to_owned(), facts }, detail: NONE.to_owned() }
}

fn is(word: impl ToString) -> Wish {
    Wish::Is(word.to_string())
}

fn any(words: &[&str]) -> Wish {
    Wish::Any(words.iter().map(|word| (*word).to_owned()).collect())
}

fn settings(recipe: &Recipe, looks: &mut Vec<Look>) {
    let settings = &recipe.provision.settings;
    let (hostname, timezone) = (&settings.hostname, &settings.timezone);
    for (name, value) in
        [("hostname", hostname), ("timezone", timezone), ("locale", &settings.locale), ("keymap", &settings.keymap)]
    {
        looks.extend(value.iter().map(|value| look(Kind::Setting, name, [("value", is(&value.value))])));
    }
    looks.extend(settings.kernel_arguments.iter().map(|one| look(Kind::KernelArgument, &one.value, [])));
}

/// Of an account that the image may have already, only what the recipe says.
fn user(login: &Login) -> Look {
    let password = login.hash.as_ref().map(|hash| if hash.starts_with(['!', '*']) { "locked" } else { "set" });
    let lines: String = login.keys.iter().map(|key| format!("{key}\n")).collect();
    let keys = (!login.keys.is_empty()).then(|| Wish::Digest(Digest::of(lines.as_bytes())));
    let groups = (!login.groups.is_empty()).then(|| Wish::Has(login.groups.clone()));
    let facts = [
        ("uid", login.uid.map(is)),
        ("groups", groups),
        ("gecos", login.gecos.as_ref().map(is)),
        ("home", login.home.as_ref().map(is)),
        ("shell", login.shell.as_ref().map(is)),
        ("password", password.map(is)),
        ("keys", keys),
    ];
    look(Kind::User, &login.name, facts.into_iter().filter_map(|(name, wish)| Some((name, wish?))))
}

fn nodes(shares: &Shares, looks: &mut Vec<Look>) {
    let directories = shares.both().flat_map(|wanted| &wanted.directories).filter(|one| one.place.is_some());
    looks.extend(
        directories.map(|one| look(Kind::Directory, &one.path, owned(one.mode, one.user.as_ref(), one.group.as_ref()))),
    );
    looks.extend(shares.files().filter(|file| file.path != certificates::MARK).map(of_file));
    for unit in shares.units() {
        let contents = unit.contents.as_ref().map(|text| (unit.path(), text));
        let texts = contents.into_iter().chain(unit.dropins.iter().map(|(name, text)| (unit.dropin_path(name), text)));
        looks.extend(texts.map(|(path, text)| {
            let digest = Wish::Digest(Digest::of(text.as_bytes()));
            look(Kind::File, &path, owned(0o644, None, None).into_iter().chain([("sha256", digest)]))
        }));
    }
    let links = shares.both().flat_map(|wanted| &wanted.links);
    looks.extend(links.map(|link| look(Kind::Link, &link.path, [("target", is(&link.target))])));
}

fn owned(mode: u32, user: Option<&String>, group: Option<&String>) -> [(&'static str, Wish); 3] {
    let name = |name: Option<&String>| is(name.map_or("root", String::as_str));
    [("mode", is(format!("{mode:o}"))), ("user", name(user)), ("group", name(group))]
}

fn of_file(file: &WantedFile) -> Look {
    let digest = match &file.bytes {
        Bytes::Here(bytes) => Digest::of(bytes),
        Bytes::Remote(input) => input.digest,
    };
    match (file.write, &file.bytes) {
        (Write::Append, Bytes::Here(bytes)) => {
            let look = look(Kind::File, &file.path, [("tail", Wish::Digest(digest))]);
            Look { detail: bytes.len().to_string(), ..look }
        }
        (Write::Append, Bytes::Remote(_)) => look(Kind::File, &file.path, []),
        (Write::Replace, _) => {
            let facts = owned(file.mode, file.user.as_ref(), file.group.as_ref());
            look(Kind::File, &file.path, facts.into_iter().chain([("sha256", Wish::Digest(digest))]))
        }
    }
}

/// Of a pattern rpm knows nothing; of a file only its name tells what it installs, where that is as rpm writes it.
fn packages(recipe: &Recipe, looks: &mut Vec<Look>) {
    let names = recipe.provision.packages.iter().map(|name| name.value.as_str()).filter(|name| !name.contains(':'));
    let names = names.map(|name| name.split(['=', '<', '>']).next().unwrap_or_default().trim_end());
    looks.extend(names.map(|name| look(Kind::Package, name, [])));
    let rpms = recipe.provision.rpms.iter().filter_map(|rpm| rpm.value.file_name().strip_suffix(".rpm"));
    let named = |stem: &&str| {
        let (name, arch) = stem.rsplit_once('.').unwrap_or_default();
        name.matches('-').count() >= 2 && ["noarch", "x86_64", "aarch64", "i586", "i686"].contains(&arch)
    };
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-".contains(c));
    let rpms = rpms.filter(named).filter(plain).filter_map(|stem| stem.rsplitn(3, '-').nth(2));
    looks.extend(rpms.map(|name| look(Kind::Package, name, [])));
}

/// States of a unit that did not fail; a oneshot's is `inactive` when it is done. Not `auto-restart`, which systemd has as a kind of
/// `activating`.
const HEALTHY: [&str; 5] = ["active", "inactive", "activating", "reloading", "deactivating"];
/// States of the files of a unit that the image has and that starts at boot.
const ENABLED: [&str; 7] = ["enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked"];
/// What starts at every boot.
const BOOT: [&str; 5] = ["multi-user.target", "timers.target", "sockets.target", "paths.target", "local-fs.target"];

fn of_unit(unit: &WantedUnit) -> Option<Look> {
    if unit.enable.is_none() && !unit.mask && unit.contents.is_none() {
        return None;
    }
    let text = unit.contents.as_deref();
    let enabled = match (unit.mask, unit.enable) {
        (true, _) => Some(is("masked")),
        (false, Some(false)) => Some(is("disabled")),
        (false, Some(true)) if text.is_some_and(super::unit::has_install) => Some(is("enabled")),
        (false, Some(true)) if text.is_none() => Some(any(&ENABLED)),
        (false, _) => None,
    };
    let stays = [".timer", ".path", ".socket", ".mount"].iter().any(|ending| unit.name.ends_with(ending));
    let at_boot = text.is_some_and(|text| BOOT.iter().any(|target| text.contains(&format!("WantedBy={target}"))));
    let active = if unit.enable == Some(true) && stays && at_boot { is("active") } else { any(&HEALTHY) };
    let is_template = unit.name.contains("@.");
    let active = (!is_template).then_some(("active", active));
    Some(look(Kind::Unit, &unit.name, enabled.map(|enabled| ("enabled", enabled)).into_iter().chain(active)))
}

/// The service of a quadlet is made by a generator; whether it starts at boot, a typed one says.
fn containers(recipe: &Recipe, looks: &mut Vec<Look>) {
    for container in recipe.provision.containers.iter().map(|container| &container.value) {
        let active = match &container.quadlet {
            Some(Quadlet::Typed(service)) if service.auto_start => is("active"),
            Some(_) => any(&HEALTHY),
            None => continue,
        };
        looks.push(look(Kind::Unit, &container.service(), [("active", active)]));
    }
}

fn storage(recipe: &Recipe, looks: &mut Vec<Look>) {
    let provision = &recipe.provision;
    for pool in provision.pools.iter().map(|pool| &pool.value) {
        let facts = [
            ("path", is(&pool.path)),
            ("access", access(&pool.options)),
            ("data", is(pool.data())),
            ("metadata", is(pool.metadata())),
            ("members", is(pool.disks.len())),
            ("missing", is("no")),
        ];
        // The script is told where it is mounted, and compares the label.
        let mut one = look(Kind::Pool, pool.label.as_str(), facts);
        one.detail.clone_from(&pool.path);
        looks.push(one);
        for subvolume in pool.subvolumes.iter().map(|one| &one.value) {
            let path = format!("{}/{}", pool.path, subvolume.name);
            looks.push(look(Kind::Subvolume, &path, subvolume.nocow.then(|| ("nocow", is("yes")))));
            let point = subvolume.path.as_deref().map(|path| mount(path, Some("btrfs"), &subvolume.options));
            looks.extend(point);
        }
    }
    for one in provision.mounts.iter().map(|mount| &mount.value) {
        looks.push(mount(&one.path, one.kind.as_deref(), &one.options));
    }
    for one in provision.subvolumes.iter().map(|one| &one.value) {
        looks.push(look(Kind::Subvolume, &one.path, one.nocow.then(|| ("nocow", is("yes")))));
    }
}

/// Returns what the kernel calls a type that mount(8) is given; `None` where that does not follow.
fn file_system(kind: &str) -> Option<Wish> {
    match kind {
        // A bind mount shows the type of what is bound.
        "auto" | "none" => None,
        "nfs" => Some(any(&["nfs", "nfs4"])),
        "btrfs" | "ext2" | "ext3" | "ext4" | "xfs" | "vfat" | "exfat" | "f2fs" | "tmpfs" | "iso9660" | "udf"
        | "squashfs" | "overlay" | "9p" | "virtiofs" | "cifs" | "nfs4" => Some(is(kind)),
        // mount.KIND(8) may be a program of FUSE's.
        _ => Some(any(&[kind, &format!("fuse.{kind}"), "fuseblk"])),
    }
}

fn mount(path: &str, kind: Option<&str>, options: &[String]) -> Look {
    let kind = kind.and_then(file_system).map(|wish| ("type", wish));
    look(Kind::Mount, path, kind.into_iter().chain([("access", access(options))]))
}

fn access(options: &[String]) -> Wish {
    is(if options.iter().any(|option| option == "ro") { "ro" } else { "rw" })
}
