//! The typed wish, checked and with every byte at hand: what both writers write. Touches nothing.

use super::carried::{self, Known, Remote, Vehicle, WantedRpm};
use super::told::Told;
use super::{account, path, subvolume, unit};
use crate::base::text::one_line;
use crate::base::{Code, Place, Problem};
use crate::recipe::{CONTENT_LIMIT, Content, GuestFile, LocalFiles, Located, Recipe, RecipePath};

/// Everything typed, in the order written; but root comes first, then users with a uid of their own, before useradd gives it
/// to one that has none.
#[derive(Default)]
pub struct Wanted {
    pub logins: Vec<Login>,
    /// Directories that must belong to a user because files below them do.
    pub directories: Vec<WantedDirectory>,
    pub files: Vec<WantedFile>,
    pub units: Vec<WantedUnit>,
    /// In the order of their names.
    pub rpms: Vec<WantedRpm>,
    /// What carries packages, and under Combustion files.
    pub vehicle: Option<Vehicle>,
}

/// One account.
pub struct Login {
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
    pub place: Place,
}

/// One directory below a user's home.
#[derive(Clone, PartialEq, Eq)]
pub struct WantedDirectory {
    pub path: String,
    pub mode: u32,
    pub user: String,
    pub group: Option<String>,
}

/// One file.
pub struct WantedFile {
    pub path: String,
    pub bytes: Bytes,
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
    pub place: Place,
}

/// A file's content.
pub enum Bytes {
    Here(Vec<u8>),
    /// Brought when the plan is realised.
    Remote(Remote),
}

/// One unit.
pub struct WantedUnit {
    pub name: String,
    pub enable: Option<bool>,
    pub mask: bool,
    pub contents: Option<String>,
    /// Name and text.
    pub dropins: Vec<(String, String)>,
    pub place: Place,
}

impl Login {
    /// Begins an account that has nothing yet.
    pub fn new(name: &str, place: &Place) -> Self {
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
    pub fn is_root(&self) -> bool {
        self.name == "root"
    }

    /// Returns the home directory, where useradd would make it.
    pub fn home(&self) -> String {
        match &self.home {
            Some(home) => home.clone(),
            None if self.is_root() => "/root".to_owned(),
            None => format!("/home/{}", self.name),
        }
    }
}

impl WantedUnit {
    /// Returns where the unit's text stands in the guest.
    pub fn path(&self) -> String {
        format!("/etc/systemd/system/{}", self.name)
    }

    /// Returns where a drop-in stands in the guest.
    pub fn dropin_path(&self, name: &str) -> String {
        format!("/etc/systemd/system/{}.d/{name}", self.name)
    }
}

impl Wanted {
    /// Tells whether a script has carried files to install.
    pub fn carries(&self) -> bool {
        !self.rpms.is_empty() || self.files.iter().any(WantedFile::is_remote)
    }

    /// Returns every path that will be written to, homes included.
    pub fn paths(&self) -> Vec<String> {
        let homes = self.logins.iter().map(Login::home);
        homes.chain(self.files.iter().map(|file| file.path.clone())).collect()
    }
}

impl WantedFile {
    /// Tells whether its bytes come later.
    pub const fn is_remote(&self) -> bool {
        matches!(self.bytes, Bytes::Remote(_))
    }
}

/// Checks the typed part and fetches the bytes it names.
pub fn resolve(recipe: &Recipe, files: &LocalFiles, known: &Known, told: &mut Told) -> Wanted {
    let provision = &recipe.provision;
    let mut wanted =
        Wanted { logins: provision.root.iter().map(|root| account::root(root, told)).collect(), ..Wanted::default() };
    wanted.logins.extend(provision.users.iter().map(|user| account::user(user, told)));
    unique("user", wanted.logins.iter().map(|login| (login.name.as_str(), &login.place)), told);
    let uids = wanted.logins.iter().filter_map(|login| Some((login.uid?.to_string(), &login.place)));
    let uids: Vec<_> = uids.collect();
    unique("uid", uids.iter().map(|(uid, place)| (uid.as_str(), *place)), told);
    wanted.logins.sort_by_key(|login| (!login.is_root(), login.uid.is_none()));
    wanted.files.extend(provision.files.iter().filter_map(|item| file(recipe, item, files, known, told)));
    path::check_all(provision.files.iter().map(|file| (file.value.path.as_str(), &file.place)), told);
    wanted.units.extend(provision.units.iter().map(|item| unit::unit(recipe, item, files, told)));
    wanted.units.extend(provision.containers.iter().map(|container| carried::unit(container, known)));
    wanted.rpms.extend(provision.rpms.iter().map(|rpm| known.rpm(&rpm.value)));
    wanted.rpms.sort_by(|a, b| a.name.cmp(&b.name));
    unique("unit", wanted.units.iter().map(|unit| (unit.name.as_str(), &unit.place)), told);
    implied(&wanted, told);
    wanted.directories = directories(&wanted);
    wanted
}

/// Refuses a file where an account or a unit puts one of its own: the last writer would win, without a word.
fn implied(wanted: &Wanted, told: &mut Told) {
    let keyed = wanted.logins.iter().filter(|login| !login.keys.is_empty());
    let keys =
        keyed.map(|login| (format!("{}/.ssh/authorized_keys", login.home()), format!("the keys of `{}`", login.name)));
    let units = wanted.units.iter().flat_map(|unit| {
        let of = format!("the unit `{}`", one_line(&unit.name, 80));
        let text = unit.contents.as_ref().map(|_| unit.path());
        let dropins = unit.dropins.iter().map(|(name, _)| unit.dropin_path(name));
        text.into_iter().chain(dropins).map(move |path| (path, of.clone()))
    });
    for (path, of) in keys.chain(units) {
        if let Some(file) = wanted.files.iter().find(|file| file.path == path) {
            told.refuse_at(
                &file.place,
                format!("`{}` is also written for {of}", one_line(&path, 80)),
                "keep one of them",
            );
        }
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = (&'a str, &'a Place)>, told: &mut Told) {
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
    file: &Located<GuestFile>,
    files: &LocalFiles,
    known: &Known,
    told: &mut Told,
) -> Option<WantedFile> {
    let Located { value: GuestFile { path, content, mode, user, group }, place } = file;
    path::check(path, recipe.provision.engine(), place, told);
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
    Some(WantedFile { path: path.clone(), bytes, mode: *mode, user, group, place: place.clone() })
}

/// Fetches bytes, from the recipe or from a file beside it.
pub fn bytes(recipe: &Recipe, content: &Content, files: &LocalFiles, told: &mut Told) -> Option<Vec<u8>> {
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
pub fn local<'a>(
    recipe: &Recipe,
    path: &Located<RecipePath>,
    files: &'a LocalFiles,
    told: &mut Told,
) -> Option<&'a [u8]> {
    let content = files.content(&path.value);
    if content.is_none() {
        let problem = Problem::new(Code::Provision, format!("the content of `{}` is not known", path.value.as_str()))
            .fact("file", beside(recipe, &path.value))
            .note(format!("a file for the guest must exist and hold at most {} MiB", CONTENT_LIMIT.0 >> 20));
        told.refuse(problem.at(path.place.clone()));
    }
    content
}

/// Returns the name of a file beside the recipe as the user would type it where the recipe's own name works.
pub fn beside(recipe: &Recipe, path: &RecipePath) -> String {
    match recipe.file.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{}", path.as_str()),
        None => path.as_str().to_owned(),
    }
}

/// Finds the directories between a user's home and the user's files: left to the engines they would be root's, and the
/// user could not write beside the file (Ignition makes missing parents with owner root).
fn directories(wanted: &Wanted) -> Vec<WantedDirectory> {
    let mut directories: Vec<WantedDirectory> = vec![];
    for file in &wanted.files {
        let Some(owner) = wanted.logins.iter().find(|login| file.user.as_deref() == Some(&login.name)) else {
            continue;
        };
        let home = owner.home();
        if !subvolume::is_within(&file.path, &home) {
            continue;
        }
        for (end, _) in file.path.match_indices('/').filter(|(end, _)| *end > home.len()) {
            let path = file.path[..end].to_owned();
            let mode = if path.ends_with("/.ssh") { 0o700 } else { 0o755 };
            if directories.iter().all(|directory| directory.path != path) {
                directories.push(WantedDirectory { path, mode, user: owner.name.clone(), group: file.group.clone() });
            }
        }
    }
    directories.sort_by(|a, b| a.path.cmp(&b.path));
    directories
}
