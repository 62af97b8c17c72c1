//! What one engine is to set up in the guest, as plain data with every byte at hand or pinned. Touches nothing.
//!
//! `items` fill a [`Guest`] from the recipe, `engines` write it. What the engines do in different ways is a [`Task`] until
//! the engine it went to has turned it into files, units or commands. Read next: `outputs`, which holds one for each engine.

use crate::base::{ByteSize, Digest, Location, Spanned};
use crate::format::combustion::Flags;
use crate::recipe::Source;
use crate::recipe::provision::plain_rpm_name;
use crate::recipe::types::{KernelArgument, PackageName};

/// The first words of every text written here for systemd.
pub(crate) const BY_US: &str = "# Written by arca-build";

/// The first line of every text written here.
pub(crate) const HEAD: &str = "# Written by arca-build: change the recipe, not this file.\n";

/// The serial of the payload disk, and with it its name in the guest: `/dev/disk/by-id/virtio-arca-payload`.
pub(crate) const PAYLOAD_SERIAL: &str = "arca-payload";

/// Where NetworkManager looks for profiles.
pub(crate) const PROFILES: &str = "/etc/NetworkManager/system-connections";

/// Read by login shells (openSUSE/aaa_base: profile.sh), zypper, and for services by `setup-systemd-proxy-env.service`
/// (openSUSE/microos-tools), which copies it to a file that everybody may read.
pub(crate) const PROXY: &str = "/etc/sysconfig/proxy";

/// What one engine is to do, in the order written; but root comes first, then users with a uid of their own, before useradd
/// gives it to one that has none.
#[derive(Default)]
pub(crate) struct Guest {
    /// Made before users, who may be in them.
    pub groups: Vec<GuestGroup>,
    pub users: Vec<GuestUser>,
    /// Those asked for, and those that must belong to a user because files below them do.
    pub directories: Vec<GuestDirectory>,
    pub files: Vec<GuestFile>,
    pub links: Vec<GuestLink>,
    pub units: Vec<GuestUnit>,
    pub kernel_arguments: Vec<Spanned<KernelArgument>>,
    /// In the order of their names.
    pub packages: Vec<GuestPackage>,
    /// What the engine has yet to turn into the rest.
    pub tasks: Vec<Task>,
    /// Combustion only, each stage in the order written.
    pub commands: Vec<Command>,
    /// What the script asks of Combustion besides what a ready-made one asks.
    pub flags: Flags,
    /// What carries packages, and under Combustion files.
    pub medium: Option<PayloadMedium>,
}

/// Something that each engine does in its own way.
pub(crate) enum Task {
    /// Adds [`Guest::kernel_arguments`].
    KernelArguments(Location),
    /// Has the trust store made anew from the anchors.
    TrustStore(Location),
    /// Writes profiles of NetworkManager, in the initrd too where the engine can.
    NetworkProfiles(Vec<GuestFile>),
    /// Installs packages by name, and [`Guest::packages`].
    Packages(Vec<Spanned<PackageName>>, Location),
    /// Runs scripts, each after the one before.
    Scripts(Vec<GuestScript>),
    /// Makes a directory in the root snapshot.
    SnapshotDirectory(String),
}

/// A script that runs once.
pub(crate) struct GuestScript {
    /// As the recipe calls it.
    pub title: String,
    /// Its place in the order and its name; nothing in it means anything to a shell.
    pub name: String,
    pub bytes: Vec<u8>,
    pub network: bool,
    pub place: Location,
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
pub(crate) struct GuestGroup {
    pub name: String,
    pub gid: Option<u32>,
    pub system: bool,
    pub place: Location,
}

/// One account.
pub(crate) struct GuestUser {
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
pub(crate) struct GuestDirectory {
    pub path: String,
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
    /// None where nobody asked for it: it lies between a user's home and a file of the user's.
    pub place: Option<Location>,
}

/// One symbolic link; a file or link that stands at its path is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestLink {
    pub path: String,
    /// As it is written into the link.
    pub target: String,
    pub place: Location,
}

/// One file.
pub(crate) struct GuestFile {
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
pub(crate) struct GuestUnit {
    pub name: String,
    pub enable: Option<bool>,
    /// Whether a preset of ours enables it, and not Ignition: a package brings it only later.
    pub is_preset: bool,
    pub mask: bool,
    pub contents: Option<String>,
    /// Name and text.
    pub dropins: Vec<(String, String)>,
    pub place: Location,
}

/// A package that will be installed from a file.
pub(crate) struct GuestPackage {
    pub name: String,
    pub input: Remote,
}

/// An input by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// What messages call it.
    pub title: String,
    pub source: Source,
    pub digest: Digest,
    pub size: Option<ByteSize>,
}

/// What carries files that are too many or too large for a config or script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadMedium {
    /// The folder beside the script.
    ConfigDisk,
    /// A raw, read-only disk whose content is one tar stream, found by [`PAYLOAD_SERIAL`].
    PayloadDisk,
}

/// One file that travels on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PayloadFile {
    /// Where it lies in the folder or the stream.
    pub path: String,
    pub input: Remote,
    pub format: PayloadFormat,
}

/// As what an input travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PayloadFormat {
    AsItIs,
    /// The input is the manifest of an image, which travels with all that it lists as one `oci-archive`.
    OciArchive {
        /// As the recipe writes it, which is its key among the pins.
        reference: String,
        /// The name under which the guest finds it.
        name: String,
    },
}

impl GuestUser {
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

    /// Returns whether this is root.
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

impl GuestFile {
    /// Makes a file of root's, which replaces what stands at its path.
    pub(crate) fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>, mode: u32, place: &Location) -> Self {
        let (path, bytes, place) = (path.into(), Bytes::Here(bytes.into()), place.clone());
        Self { path, bytes, write: Write::Replace, mode, user: None, group: None, place }
    }

    /// Returns the input that brings its bytes, where they come later.
    pub(crate) const fn remote(&self) -> Option<&Remote> {
        match &self.bytes {
            Bytes::Remote(input) => Some(input),
            Bytes::Here(_) => None,
        }
    }
}

impl GuestUnit {
    /// Makes a unit with a text.
    pub(crate) fn new(
        name: impl Into<String>,
        enable: Option<bool>,
        text: impl Into<String>,
        place: &Location,
    ) -> Self {
        let (name, contents, place) = (name.into(), Some(text.into()), place.clone());
        Self { name, enable, is_preset: false, mask: false, contents, dropins: vec![], place }
    }

    /// Returns its texts, each with its path in the guest.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let at = |rest: String| format!("/etc/systemd/system/{}{rest}", self.name);
        let own = self.contents.iter().map(move |text| (at(String::new()), text.as_str()));
        own.chain(self.dropins.iter().map(move |(name, text)| (at(format!(".d/{name}")), text.as_str())))
    }
}

impl GuestPackage {
    /// Returns where the package lies in the folder or the stream.
    pub(crate) fn path(&self) -> String {
        format!("rpms/{}", plain_rpm_name(&self.name))
    }
}

impl GuestScript {
    /// Returns whether a line begins with one of these commands.
    pub(crate) fn begins_with(&self, commands: &[&str]) -> bool {
        let begins =
            |line: &str| commands.iter().any(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')));
        String::from_utf8_lossy(&self.bytes).lines().any(|line| begins(line.trim_start()))
    }
}

impl Remote {
    /// Returns where a file's content lies in the folder or the stream: by digest, as two files may share it.
    pub(crate) fn file_path(&self) -> String {
        format!("files/{}", self.digest)
    }
}

impl Guest {
    /// Returns whether nothing is wanted of the engine.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [self.groups.len(), self.users.len(), self.directories.len(), self.files.len(), self.links.len()];
        let more = [self.units.len(), self.kernel_arguments.len(), self.packages.len(), self.commands.len()];
        lists.iter().chain(&more).all(|length| *length == 0)
    }

    /// Returns whether a script has carried files to install.
    pub(crate) fn carries(&self) -> bool {
        !self.packages.is_empty() || self.files.iter().any(|file| file.remote().is_some())
    }

    /// Adds a command.
    pub(crate) fn command(&mut self, stage: Stage, text: String) {
        self.commands.push(Command { stage, text });
    }

    /// Returns every path that will be written to, homes included.
    pub(crate) fn paths(&self) -> Vec<String> {
        let homes = self.users.iter().map(GuestUser::home);
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
