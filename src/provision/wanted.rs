//! The typed wish, checked and with every byte at hand: what both writers write. Touches nothing.

use super::carried::{self, Known, Remote, Vehicle, WantedRpm};
use super::split::{Part, Shares, Side, Split};
use super::told::Told;
use super::{
    account, certificates, kernel, mounts, network, nodes, packages, path, pool, quadlet, scripts, settings, subvolume,
    unit,
};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Location, Spanned};
use crate::format::combustion::Flags;
use crate::recipe::{CONTENT_LIMIT, Content, GuestFile, LocalFiles, Recipe, RecipePath};

/// What one engine is to do, in the order written; but root comes first, then users with a uid of their own, before useradd
/// gives it to one that has none.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Made before users, who may be in them.
    pub groups: Vec<WantedGroup>,
    pub logins: Vec<Login>,
    /// Those asked for, and those that must belong to a user because files below them do.
    pub directories: Vec<WantedDirectory>,
    pub files: Vec<WantedFile>,
    pub links: Vec<WantedLink>,
    pub units: Vec<WantedUnit>,
    /// Ignition only; under Combustion commands do it.
    pub kernel_arguments: Vec<String>,
    /// In the order of their names; under Ignition a unit installs them.
    pub rpms: Vec<WantedRpm>,
    /// Combustion only, each stage in the order written.
    pub commands: Vec<Command>,
    /// What the script asks of Combustion besides what a ready-made one asks.
    pub flags: Flags,
    /// What carries packages, and under Combustion files.
    pub vehicle: Option<Vehicle>,
}

/// Lines of POSIX sh for the Combustion script, which runs with `set -eu`; they end in a line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub stage: Stage,
    pub text: String,
}

/// When a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// In the initrd, before the network is up and apart from the main run: nothing it writes outlives the initrd.
    Prepare,
    /// In the main run, before packages, accounts and files.
    First,
    /// In the main run, after files and units; the ready-made script follows.
    Last,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedGroup {
    pub name: String,
    pub gid: Option<u32>,
    pub system: bool,
    pub place: Location,
}

/// One account.
pub(crate) struct Login {
    pub name: String,
    pub hash: Option<String>,
    /// Lines of `authorized_keys`.
    pub keys: Vec<String>,
    pub uid: Option<u32>,
    pub groups: Vec<String>,
    pub shell: Option<String>,
    pub home: Option<String>,
    pub gecos: Option<String>,
    pub system: bool,
    pub place: Location,
}

/// One directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedDirectory {
    pub path: String,
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
    /// None where nobody asked for it: it lies between a user's home and a file of the user's.
    pub place: Option<Location>,
}

/// One symbolic link; a file or link that stands at its path is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedLink {
    pub path: String,
    /// As it is written into the link.
    pub target: String,
    pub place: Location,
}

/// One file.
pub(crate) struct WantedFile {
    pub path: String,
    pub bytes: Bytes,
    pub write: Write,
    /// Not set for what is appended.
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
    pub place: Location,
}

/// What becomes of what stood at the file's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// It is gone.
    Replace,
    /// It stays, and the bytes follow it; owner and mode stay too.
    Append,
}

/// A file's content.
pub(crate) enum Bytes {
    Here(Vec<u8>),
    /// Brought when the plan is realised.
    Remote(Remote),
}

/// One unit.
pub(crate) struct WantedUnit {
    pub name: String,
    pub enable: Option<bool>,
    pub mask: bool,
    pub contents: Option<String>,
    /// Name and text.
    pub dropins: Vec<(String, String)>,
    pub place: Location,
}

impl Login {
    /// Begins an account that has nothing yet.
    pub(crate) fn new(name: &str, place: &Location) -> Self {
        Self {
            name: name.to_owned(),
            hash: None,
            keys: vec![],
            uid: None,
            groups: vec![],
            shell: None,
            home: None,
            gecos: None,
            system: false,
            place: place.clone(),
        }
    }

    /// Tells whether this is root.
    pub(crate) fn is_root(&self) -> bool {
        self.name == "root"
    }

    /// Returns the home directory, where useradd would make it.
    pub(crate) fn home(&self) -> String {
        match &self.home {
            Some(home) => home.clone(),
            None if self.is_root() => "/root".to_owned(),
            None => format!("/home/{}", self.name),
        }
    }
}

impl WantedUnit {
    /// Returns where the unit's text stands in the guest.
    pub(crate) fn path(&self) -> String {
        format!("/etc/systemd/system/{}", self.name)
    }

    /// Returns where a drop-in stands in the guest.
    pub(crate) fn dropin_path(&self, name: &str) -> String {
        format!("/etc/systemd/system/{}.d/{name}", self.name)
    }
}

impl Wanted {
    /// Tells whether nothing is wanted of the engine.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [self.groups.len(), self.logins.len(), self.directories.len(), self.files.len(), self.links.len()];
        let more = [self.units.len(), self.kernel_arguments.len(), self.rpms.len(), self.commands.len()];
        lists.iter().chain(&more).all(|length| *length == 0)
    }

    /// Tells whether a script has carried files to install.
    pub(crate) fn carries(&self) -> bool {
        !self.rpms.is_empty() || self.files.iter().any(WantedFile::is_remote)
    }

    /// Returns every path that will be written to, homes included.
    pub(crate) fn paths(&self) -> Vec<String> {
        let homes = self.logins.iter().map(Login::home);
        let nodes = self.nodes().map(|(path, _)| path.to_owned());
        homes.chain(nodes).collect()
    }

    /// Lists what was asked for by path: files, directories, links.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Location)> + Clone {
        let files = self.files.iter().map(|file| (file.path.as_str(), &file.place));
        let directories = self.directories.iter().filter_map(|one| Some((one.path.as_str(), one.place.as_ref()?)));
        files.chain(directories).chain(self.links.iter().map(|link| (link.path.as_str(), &link.place)))
    }
}

impl WantedFile {
    /// Tells whether its bytes come later.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self.bytes, Bytes::Remote(_))
    }
}

/// Checks the typed part, fetches the bytes it names and shares it out.
pub(crate) fn resolve(recipe: &Recipe, files: &LocalFiles, known: &Known, told: &mut Told) -> Shares {
    let mut shares = Shares::new(Split::of(recipe));
    accounts(recipe, &mut shares, told);
    for item in &recipe.provision.files {
        let (side, why) = side(shares.split, &item.value, known);
        if let Some(file) = file(recipe, item, files, known, side, told) {
            shares.account(Part::Files, side, format!("file {}", one_line(&file.path, 100)), why);
            shares.on(side).files.push(file);
        }
    }
    for item in &recipe.provision.units {
        let side = shares.side(Part::Units);
        let unit = unit::unit(recipe, item, files, side, told);
        shares.account(Part::Units, side, format!("unit {}", one_line(&unit.name, 100)), "");
        shares.on(side).units.push(unit);
    }
    nodes::groups(recipe, &mut shares, told);
    nodes::nodes(recipe, &mut shares, told);
    settings::settings(recipe, &mut shares, told);
    kernel::arguments(recipe, &mut shares);
    certificates::certificates(recipe, files, &mut shares, told);
    carry(recipe, known, files, &mut shares, told);
    network::add(recipe, &mut shares, told);
    packages::add(recipe, known, &mut shares);
    mounts::resolve(recipe, &mut shares, told);
    pool::resolve(recipe, &mut shares, told);
    scripts::add(recipe, files, &mut shares, told);
    finish(recipe, &mut shares, told);
    mounts::hidden(recipe, &shares, told);
    shares
}

/// Decides who writes a file, and why where that is not who writes the others.
fn side(split: Split, file: &GuestFile, known: &Known) -> (Side, &'static str) {
    let side = split.side_of_path(&file.path);
    if side != split.side(Part::Files) {
        return (side, "the root snapshot is read-only to Ignition");
    }
    match &file.content {
        Content::Carried(carried) if split == Split::Best && known.is_large(carried) => {
            (Side::Combustion, "it is too large for an Ignition config")
        }
        _ => (side, ""),
    }
}

/// Checks who may log in.
fn accounts(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let provision = &recipe.provision;
    let mut logins: Vec<Login> = provision.root.iter().map(|root| account::root(root, told)).collect();
    logins.extend(provision.users.iter().map(|user| account::user(user, told)));
    unique("user", logins.iter().map(|login| (login.name.as_str(), &login.place)), told);
    let uids: Vec<_> = logins.iter().filter_map(|login| Some((login.uid?.to_string(), &login.place))).collect();
    unique("uid", uids.iter().map(|(uid, place)| (uid.as_str(), *place)), told);
    logins.sort_by_key(|login| (!login.is_root(), login.uid.is_none()));
    let side = shares.side(Part::Accounts);
    for login in &logins {
        shares.account(Part::Accounts, side, account::told(login), "");
    }
    shares.on(side).logins = logins;
}

/// Adds what brings containers.
fn carry(recipe: &Recipe, known: &Known, files: &LocalFiles, shares: &mut Shares, told: &mut Told) {
    let side = shares.side(Part::Containers);
    for container in &recipe.provision.containers {
        let unit = carried::unit(container, known);
        shares.account(Part::Containers, side, format!("unit {} loads an image once", unit.name), "");
        shares.on(side).units.push(unit);
        quadlet::run(recipe, container, files, shares, told);
    }
}

/// Judges what only the whole shows; call it when every part has written its share.
fn finish(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let nodes: Vec<_> = shares.both().flat_map(Wanted::nodes).collect();
    let files: Vec<_> = shares.files().map(|file| file.path.as_str()).collect();
    path::check_all(nodes.iter().copied(), &files, &settings::paths(&recipe.provision.settings), told);
    nodes::below_links(shares, told);
    unique("unit", shares.units().map(|unit| (unit.name.as_str(), &unit.place)), told);
    implied(shares, told);
    for wanted in [&mut shares.ignition, &mut shares.combustion] {
        let implied = directories(wanted);
        wanted.directories.extend(implied);
        wanted.directories.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

/// Refuses a file where an account or a unit puts one of its own: the last writer would win, without a word.
fn implied(shares: &Shares, told: &mut Told) {
    let keyed = shares.both().flat_map(|wanted| &wanted.logins).filter(|login| !login.keys.is_empty());
    let keys =
        keyed.map(|login| (format!("{}/.ssh/authorized_keys", login.home()), format!("the keys of `{}`", login.name)));
    let units = shares.units().flat_map(|unit| {
        let of = format!("the unit `{}`", one_line(&unit.name, 80));
        let text = unit.contents.as_ref().map(|_| unit.path());
        let dropins = unit.dropins.iter().map(|(name, _)| unit.dropin_path(name));
        text.into_iter().chain(dropins).map(move |path: String| (path, of.clone()))
    });
    for (path, of) in keys.chain(units) {
        if let Some((_, place)) = shares.both().flat_map(Wanted::nodes).find(|(other, _)| *other == path) {
            let headline = format!("`{}` is also written for {of}", one_line(&path, 80));
            told.refuse_at(place, headline, "keep one of them");
        }
    }
}

pub(crate) fn unique<'a>(what: &str, names: impl Iterator<Item = (&'a str, &'a Location)>, told: &mut Told) {
    let mut seen = std::collections::BTreeMap::new();
    for (name, place) in names {
        if let Some(first) = seen.insert(name, place) {
            let headline = format!("{what} `{}` is there twice, first in line {}", one_line(name, 80), first.line);
            told.refuse_at(place, headline, "join the two");
        }
    }
}

fn file(
    recipe: &Recipe,
    file: &Spanned<GuestFile>,
    files: &LocalFiles,
    known: &Known,
    side: Side,
    told: &mut Told,
) -> Option<WantedFile> {
    let Spanned { value: GuestFile { path, content, append, mode, user, group }, place } = file;
    path::check(path, side, place, told);
    for (what, name) in [("user", user), ("group", group)] {
        if let Some(name) = name {
            account::check_name(name, what, place, told);
        }
    }
    if *mode > 0o7777 {
        told.refuse_at(place, format!("mode {mode:o} has more than permission bits"), "write at most 7777");
    }
    let bytes = match content {
        Content::Carried(carried) => Bytes::Remote(known.file(path, carried)),
        Content::Text(_) | Content::Path(_) => Bytes::Here(bytes(recipe, content, files, told)?),
    };
    let (user, group) = (user.clone(), group.clone());
    let write = if *append { Write::Append } else { Write::Replace };
    Some(WantedFile { path: path.clone(), bytes, write, mode: *mode, user, group, place: place.clone() })
}

/// Fetches bytes, from the recipe or from a file beside it.
pub(crate) fn bytes(recipe: &Recipe, content: &Content, files: &LocalFiles, told: &mut Told) -> Option<Vec<u8>> {
    match content {
        Content::Text(text) => Some(text.expose().as_bytes().to_vec()),
        Content::Path(path) => local(recipe, path, files, told).map(<[u8]>::to_vec),
        Content::Carried(carried) => {
            told.refuse_at(&carried.source.place, "only a file can come by `url`", "");
            None
        }
    }
}

/// Fetches the content of a file beside the recipe; one that `host` could not read, or that is too large, is refused.
pub(crate) fn local<'a>(
    recipe: &Recipe,
    path: &Spanned<RecipePath>,
    files: &'a LocalFiles,
    told: &mut Told,
) -> Option<&'a [u8]> {
    let content = files.content(&path.value);
    if content.is_none() {
        let problem =
            Diagnostic::new(Code::Provision, format!("the content of `{}` is not known", path.value.as_str()))
                .fact("file", beside(recipe, &path.value))
                .note(format!("a file for the guest must exist and hold at most {} MiB", CONTENT_LIMIT.0 >> 20));
        told.refuse(problem.at(path.place.clone()));
    }
    content
}

/// Returns the name of a file beside the recipe as the user would type it where the recipe's own name works.
pub(crate) fn beside(recipe: &Recipe, path: &RecipePath) -> String {
    match recipe.file.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{}", path.as_str()),
        None => path.as_str().to_owned(),
    }
}

/// Finds the directories between a user's home and the user's files: left to the engines they would be root's, and the
/// user could not write beside the file (Ignition makes missing parents with owner root).
fn directories(wanted: &Wanted) -> Vec<WantedDirectory> {
    let mut directories: Vec<WantedDirectory> = vec![];
    let files = wanted.files.iter().map(|file| (&file.path, &file.user, &file.group));
    let asked = wanted.directories.iter().map(|directory| (&directory.path, &directory.user, &directory.group));
    for (path, user, group) in files.chain(asked) {
        let Some(owner) = wanted.logins.iter().find(|login| user.as_deref() == Some(&login.name)) else {
            continue;
        };
        let home = owner.home();
        if !subvolume::is_within(path, &home) {
            continue;
        }
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > home.len()) {
            let path = path[..end].to_owned();
            let mode = if path.ends_with("/.ssh") { 0o700 } else { 0o755 };
            if wanted.directories.iter().chain(&directories).all(|directory| directory.path != path) {
                let (user, group) = (Some(owner.name.clone()), group.clone());
                directories.push(WantedDirectory { path, mode, user, group, place: None });
            }
        }
    }
    directories
}
