//! `[provision]`: what the user wants in the guest. Form only; what an engine or MicroOS makes of it is judged by the module
//! `provision`. Touches nothing. Read next: the file of a table, such as `files.rs`.

use std::collections::BTreeSet;

use super::account::{Account, GroupSpec, User};
use super::container::Container;
use super::content::Carried;
use super::files::{CaCertificate, DirectorySpec, FileSpec, LinkSpec};
use super::network::NetworkProfile;
use super::path::{RecipePath, Source};
use super::settings::Settings;
use super::storage::{Mount, Pool, Subvolume, pools};
use super::table::{FromValue, KeyType, keys, located, table};
use super::transport::Transports;
use super::types::{PackageName, RpmName, TextError};
use super::units::{Run, Timer, Unit};
use crate::base::text::one_line;
use crate::base::words::vocabulary;
use crate::base::{ByteSize, Code, Diagnostic, Digest, Engine, Spanned, Url};
use crate::format::toml::{Table, Value};

vocabulary! {
    /// Extra form of the config disk.
    Media {
        /// Whole-disk FAT volume only.
        Disk = "disk",
        /// Also `config-usb.raw`, the volume as a partition of a GPT disk.
        Gpt = "gpt",
    }
}

table! {
    /// `[provision]`: what the user wants in the guest.
    #[derive(Default)]
    Provision in "provision" {
        /// what applies it; auto gives each part to the one that does it best
        engine: Option<Engine> = "auto",
        /// how the default launch files bring it; a word, or a table with one for each engine
        transport: Transports = "auto",
        /// gpt: also an image for a USB stick
        media: Option<Media> = "disk",
        /// a ready-made Ignition config
        config: Option<Spanned<RecipePath>>,
        /// mount /home while Ignition runs, where it is needed
        home_subvolume: Option<bool> = "true",
        /// the guest tells what was applied; `arca-build run --test` compares
        report: Option<bool> = "true, but false of ready-made files alone",
        /// how root may log in
        root: Option<Spanned<Account>>,
        /// a further user
        users as "user": Vec<Spanned<User>>,
        /// a file in the guest
        files as "file": Vec<Spanned<FileSpec>>,
        /// a systemd unit
        units as "unit": Vec<Spanned<Unit>>,
        /// a package that is installed without a network
        rpms as "rpm": Vec<Spanned<Carried>>,
        /// a container image that podman loads once, at the first boot
        containers as "container": Vec<Spanned<Container>>,
        /// a NetworkManager profile; with Combustion it holds in the initrd already
        networks as "network": Vec<Spanned<NetworkProfile>>,
        /// packages from the image's repositories; needs a network at the first boot
        packages: Vec<Spanned<PackageName>>,
        /// a script that runs once, as root in `/`, in the order written
        runs as "run": Vec<Spanned<Run>>,
        /// a script that runs by the calendar
        timers as "timer": Vec<Spanned<Timer>>,
        /// a group, made before the users
        groups as "group": Vec<Spanned<GroupSpec>>,
        /// a directory in the guest; one that is there keeps what it holds
        directories as "directory": Vec<Spanned<DirectorySpec>>,
        /// a symbolic link in the guest
        links as "link": Vec<Spanned<LinkSpec>>,
        /// certificates that the guest trusts
        certificates as "ca_certificate": Vec<Spanned<CaCertificate>>,
        /// a file system mounted at boot; the guest boots without its device too
        mounts as "mount": Vec<Spanned<Mount>>,
        /// a btrfs subvolume on the guest's own disk, made where it is not
        subvolumes as "subvolume": Vec<Spanned<Subvolume>>,
        /// one btrfs over data disks: made if all are blank, kept if it is there
        pools as "pool": Vec<Spanned<Pool>>,
    } with {
        /// a ready-made Combustion script
        script: Option<RecipePath>,
        /// files that lie beside the script in the guest
        side_files: Vec<RecipePath>,
    } into {
        /// A ready-made Combustion script.
        script: Option<Spanned<RecipePath>> = script,
        /// Side files that lie beside the script in the guest, each under its own file name.
        side_files: Vec<Spanned<RecipePath>> = side_files,
    } flat {
        /// Host name, time zone and the like.
        settings: Settings,
    }
    check check_whole
}

impl Provision {
    /// Every word of `engine`.
    const ENGINES: &'static [&'static str] = &["auto", "ignition", "combustion"];

    /// Returns whether anything typed (not ready-made) is wanted.
    pub(crate) fn has_typed(&self) -> bool {
        let rows = [self.users.len(), self.files.len(), self.units.len(), self.rpms.len(), self.containers.len()];
        let more = [self.groups.len(), self.directories.len(), self.links.len(), self.certificates.len()];
        let steps = [self.networks.len(), self.packages.len(), self.runs.len(), self.timers.len()];
        let storage = [self.mounts.len(), self.subvolumes.len(), self.pools.len()];
        let is_set = self.root.is_some() || self.settings.is_set();
        is_set || rows.iter().chain(&more).chain(&steps).chain(&storage).any(|rows| *rows > 0)
    }

    /// Returns whether anything at all is wanted in the guest.
    pub(crate) fn is_wanted(&self) -> bool {
        self.has_typed() || self.config.is_some() || self.script.is_some() || self.reports()
    }

    /// Returns whether the guest is to tell what was applied. Ready-made files alone stay as they are, byte for byte.
    pub(crate) fn reports(&self) -> bool {
        self.report.unwrap_or_else(|| self.has_typed())
    }
}

impl FromValue for Engine {
    const KIND: KeyType = KeyType::Word(Provision::ENGINES);

    /// Reads an engine; none where it is `auto`. Older recipes may say `both`, which gave the same plan.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        if value.as_text() == Some("both") {
            value.refuse("`engine` cannot be `both` any more", "write engine = \"auto\"; the plan is the same");
            return None;
        }
        let parse = |word: &str| if word == "auto" { Some(None) } else { Self::parse(word).map(Some) };
        value.word(parse, Provision::ENGINES).flatten()
    }
}

/// Judges what several keys say together.
fn check_whole(table: &Table<'_>, provision: &Provision) {
    pools(table, &provision.pools);
    one_name_each(table, &provision.rpms);
    let parts =
        [("script", "a Combustion script", Engine::Combustion), ("config", "an Ignition config", Engine::Ignition)];
    for (key, what, other) in parts {
        if let (Some(value), Some(engine)) = (table.get(key), provision.engine.filter(|engine| *engine != other)) {
            let headline = format!("`{key}` is {what}, but the engine is {engine}");
            value.refuse(headline, &format!("write engine = \"{other}\" or engine = \"auto\""));
        }
    }
    if let (Some(value), None) = (table.get("side_files"), table.get("script")) {
        value.refuse("`side_files` lie beside a script, and there is none", "add `script`, or remove `side_files`");
    }
    provision.transport.check(table, provision.engine);
    if let (Some(media), Some(Media::Gpt), false) = (table.get("media"), provision.media, provision.is_wanted()) {
        media.refuse("`media = \"gpt\"` without anything to provision: the stick would be empty", "remove `media`");
    }
}

/// Reads the path of a ready-made script. Tables under that name are meant for another key.
fn script(table: &Table<'_>) -> Option<Option<Spanned<RecipePath>>> {
    let value = table.get("script");
    if let Some(value) = value.as_ref().filter(|value| value.is_list()) {
        let headline = "`script` is the path of one ready-made Combustion script";
        value.refuse(headline, "scripts that are part of the recipe are `[[provision.run]]`");
        return Some(None);
    }
    Some(value.and_then(|value| located(&value)))
}

/// Reads side files: they lie in the folder of the script, on a FAT volume, which knows no case.
fn side_files(table: &Table<'_>) -> Option<Vec<Spanned<RecipePath>>> {
    let script = table.get("script").and_then(|value| RecipePath::parse(value.as_text()?).ok());
    let mut seen = BTreeSet::from(["script".to_owned()]);
    let mut files = vec![];
    for value in table.get("side_files").map(|value| value.list()).unwrap_or_default() {
        let Some(path) = RecipePath::from_value(&value) else { continue };
        let name = script.as_ref().map_or_else(|| path.file_name(), |script| path.beside(script)).to_owned();
        let lower = name.to_lowercase();
        let is_within = |one: &str, folder: &str| one.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let is_taken = seen.iter().any(|other| *other == lower || is_within(other, &lower) || is_within(&lower, other));
        if !is_taken {
            seen.insert(lower);
            files.push(value.located(path));
            continue;
        }
        let headline = format!("`{}` is taken: side files and `script` lie in one folder", one_line(&name, 80));
        value.refuse(headline, "rename one; upper and lower case count as one on the config disk");
    }
    Some(files)
}

keys! {
    Carried in "provision.rpm[]" read rpm {
        /// as `base.url`; its file name ends in .rpm
        url: Source = "required" like "\"https://…/a.rpm\"",
        /// its digest
        sha256: Option<Digest> = "from arca.lock",
        /// its size in bytes, checked while it is fetched
        size: Option<ByteSize>,
        /// other addresses of the same bytes, tried in order
        mirrors: Vec<Url>,
    }
}

/// Reads a package; the name in the address is the package's in the guest.
fn rpm(table: &Table<'_>) -> Option<Carried> {
    let url = table.need("url", "`url = \"https://…/a.rpm\"`");
    let carried = Carried::read(table)?;
    let name = carried.file_name().parse::<RpmName>();
    let refuse = |error: TextError| {
        url?.refuse(format!("`{}` is not {}", one_line(carried.file_name(), 100), error.what), error.rule);
        Some(())
    };
    match name {
        Ok(_) => Some(carried),
        Err(error) => refuse(error).and(None),
    }
}

/// Refuses packages of one file name: they would lie in one folder, which on the config disk knows no case.
fn one_name_each(table: &Table<'_>, rpms: &[Spanned<Carried>]) {
    let mut seen = BTreeSet::new();
    for rpm in rpms {
        let name = rpm.value.file_name();
        if !seen.insert(plain_rpm_name(name).to_ascii_lowercase()) {
            let headline = format!("two packages have the file name `{}`", one_line(name, 100));
            let problem = Diagnostic::new(Code::Recipe, headline).at(rpm.value.source.place.clone());
            let hint = "keep one of them; upper and lower case count as one, and so do ~, ^ and _";
            table.document.tell(problem.hint(hint));
        }
    }
}

/// Returns the name that a package gets on its way: the config disk knows neither `~` nor `^`, nor case.
pub(crate) fn plain_rpm_name(name: &str) -> String {
    name.replace(['~', '^'], "_")
}
