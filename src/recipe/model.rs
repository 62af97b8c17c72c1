//! What a recipe can say. Values only; every text with a rule has its type. Touches nothing.

use crate::base::words::vocabulary;
use crate::base::{
    Arch, BaseKind, ByteSize, Compression, Digest, DiskSerial, Engine, Location, Name, Secret, Spanned, StorageDir, Url,
};

/// Where libvirt's default pool lives, and a machine that names no other `storage`.
pub(crate) const DEFAULT_STORAGE: &str = "/var/lib/libvirt/images";

/// A whole recipe, checked for form; whether files exist and inputs are pinned is found out later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The recipe's file name as the user gave it, for messages only.
    pub file: String,
    pub name: Name,
    /// Free text without control characters; shown by libvirt.
    pub description: Option<String>,
    /// Seconds since 1970 that stand for every time stamp; default 315532800 (1980-01-01, FAT's first day).
    pub epoch: u64,
    pub base: Base,
    pub machine: MachineSpec,
    pub provision: Provision,
    /// `[allow]`: rules that may be broken, in the order of their ids.
    pub allow: Vec<Spanned<super::Allow>>,
}

/// `[base]`: the image everything starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub source: Spanned<Source>,
    pub kind: BaseKind,
    /// What lies around the image in the file.
    pub compression: Compression,
    /// The exact size of what the file unpacks to.
    pub unpacked_size: Option<ByteSize>,
    /// The pin, when the recipe itself carries it; else the lock does.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    pub mirrors: Vec<Url>,
}

/// One input whose bytes a recipe names by address: what has to be pinned, here or in the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input<'a> {
    /// What messages call it, such as `base`.
    pub what: String,
    pub source: &'a Spanned<Source>,
    /// The pin, when the recipe itself carries it.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    /// Other addresses of the same bytes.
    pub mirrors: &'a [Url],
}

impl Recipe {
    /// Lists every input that has to be pinned; the base comes first.
    pub(crate) fn inputs(&self) -> Vec<Input<'_>> {
        std::iter::once(self.base.input()).chain(self.provision.inputs()).collect()
    }
}

impl Base {
    /// Returns what has to be pinned of it.
    pub(crate) fn input(&self) -> Input<'_> {
        let what = "base".to_owned();
        Input { what, source: &self.source, sha256: self.sha256, size: self.size, mirrors: &self.mirrors }
    }
}

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// `http`, `https` or `file` URL.
    Url(Url),
    /// A path relative to the recipe's directory, beneath it, with `/` between parts; never absolute, no `..`.
    Path(RecipePath),
}

/// A relative path beneath the recipe's directory: parts of printable characters, none of them empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecipePath(pub(super) String);

impl RecipePath {
    /// Returns the path with `/` between its parts.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part.
    pub(crate) fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

vocabulary! {
    /// What starts the machine.
    Firmware { Bios = "bios", Uefi = "uefi" }
}
vocabulary! {
    /// How the machine shows a screen; every machine has a serial console.
    Graphics { None = "none", Vnc = "vnc", Spice = "spice" }
}
vocabulary! {
    /// Hardware virtualisation, or QEMU's software emulation (slow, works everywhere).
    Accel { Kvm = "kvm", Tcg = "tcg" }
}
vocabulary! {
    /// How the system disk is made from the base.
    SystemMode {
        /// Reads through to the base; cheap.
        Overlay = "overlay",
        /// A grown copy of the base that needs nothing else.
        Standalone = "standalone",
    }
}
vocabulary! {
    /// Extra form of the config disk.
    Media {
        /// Whole-disk FAT volume only.
        Disk = "disk",
        /// Also `config-usb.raw`, the volume as a partition of a GPT disk.
        Gpt = "gpt",
    }
}

/// How the machine reaches the network.
#[allow(clippy::enum_variant_names, reason = "libvirt calls it so")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    /// A libvirt network, by name (`"network:default"`).
    Network(Name),
    /// A bridge on the host (`"bridge:br0"`); the name has at most 15 characters.
    Bridge(Name),
    /// User-mode networking; needs no privileges (`"user"`).
    User,
    /// The same by the program passt, which must be on the host: faster, and it forwards ports (`"passt"`).
    Passt,
    /// No network card (`"none"`).
    None,
}

/// `[machine]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachineSpec {
    pub arch: Arch,
    /// Default 2 GiB; whole MiB, 16 MiB to 16 TiB.
    pub memory: ByteSize,
    /// Default 2; 1 to 1024.
    pub vcpus: u32,
    /// Default bios; uefi for aarch64.
    pub firmware: Firmware,
    /// Default kvm.
    pub accel: Accel,
    /// Default the libvirt network `default`.
    pub network: Network,
    /// Default none.
    pub graphics: Graphics,
    /// A libosinfo short id; where unset, told from the base's name.
    pub osinfo: Option<Name>,
    /// Default `/var/lib/libvirt/images`.
    pub storage: StorageDir,
    /// Where it was written.
    pub storage_place: Option<Location>,
    pub system: SystemSpec,
    /// `[[machine.disk]]`, in the order written.
    pub disks: Vec<DataDisk>,
    /// The further keys.
    pub hardware: super::Hardware,
}

/// `[machine.system]`: the disk the system lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemSpec {
    /// Virtual size; where unset, the base's own (for an ISO it must be set). Whole sectors.
    pub size: Option<Spanned<ByteSize>>,
    /// Default overlay; an ISO has no mode.
    pub mode: SystemMode,
}

/// One `[[machine.disk]]`: a blank disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataDisk {
    /// Unique without case; not `system`, `config` or `install`.
    pub serial: DiskSerial,
    /// Whole sectors, 1 MiB to 64 TiB.
    pub size: ByteSize,
}

/// `[provision]`: what the user wants in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Provision {
    /// None is `auto`: each part goes to the engine that does it best, as far as the image has both.
    pub engine: Option<Engine>,
    /// How the configuration reaches the guest by the default launch files; default auto.
    pub transport: super::Transports,
    pub media: Option<Media>,
    /// A ready-made `config.ign`.
    pub config: Option<Spanned<RecipePath>>,
    /// A ready-made Combustion script.
    pub script: Option<Spanned<RecipePath>>,
    /// Side files that lie beside the script in the guest, each under its own file name.
    pub side_files: Vec<Spanned<RecipePath>>,
    /// Whether to add the `/home` subvolume entry where Ignition needs it (default true; MicroOS hides `/home`).
    pub home_subvolume: Option<bool>,
    /// Whether the guest tells what was applied; by default it does where anything typed is wanted.
    pub report: Option<bool>,
    pub root: Option<Spanned<Account>>,
    /// `[[provision.user]]`.
    pub users: Vec<Spanned<User>>,
    /// `[[provision.file]]`.
    pub files: Vec<Spanned<FileSpec>>,
    /// `[[provision.unit]]`.
    pub units: Vec<Spanned<Unit>>,
    /// `[[provision.rpm]]`: packages, installed without a network.
    pub rpms: Vec<Spanned<super::Carried>>,
    /// `[[provision.container]]`.
    pub containers: Vec<Spanned<super::Container>>,
    /// `[[provision.network]]`.
    pub networks: Vec<Spanned<super::network::NetworkProfile>>,
    /// From the image's repositories, in the order written.
    pub packages: Vec<Spanned<String>>,
    /// `[[provision.run]]`, in the order they run.
    pub runs: Vec<Spanned<super::scripts::Run>>,
    /// `[[provision.timer]]`.
    pub timers: Vec<Spanned<super::scripts::Timer>>,
    /// `[[provision.group]]`.
    pub groups: Vec<Spanned<super::GroupSpec>>,
    /// `[[provision.directory]]`.
    pub directories: Vec<Spanned<super::DirectorySpec>>,
    /// `[[provision.link]]`.
    pub links: Vec<Spanned<super::LinkSpec>>,
    /// Host name, time zone and the like.
    pub settings: super::Settings,
    /// `[[provision.ca_certificate]]`.
    pub certificates: Vec<Spanned<super::CaCertificate>>,
    /// `[[provision.mount]]`.
    pub mounts: Vec<Spanned<super::storage::Mount>>,
    /// `[[provision.subvolume]]`.
    pub subvolumes: Vec<Spanned<super::storage::Subvolume>>,
    /// `[[provision.pool]]`.
    pub pools: Vec<Spanned<super::storage::Pool>>,
}

impl Provision {
    /// Every word of `engine`.
    pub(crate) const ENGINES: &'static [&'static str] = &["auto", "ignition", "combustion"];

    /// Tells whether anything typed (not ready-made) is wanted.
    pub(crate) fn has_typed(&self) -> bool {
        let rows = [self.users.len(), self.files.len(), self.units.len(), self.rpms.len(), self.containers.len()];
        let more = [self.groups.len(), self.directories.len(), self.links.len(), self.certificates.len()];
        let steps = [self.networks.len(), self.packages.len(), self.runs.len(), self.timers.len()];
        let storage = [self.mounts.len(), self.subvolumes.len(), self.pools.len()];
        let is_set = self.root.is_some() || self.settings.is_set();
        is_set || rows.iter().chain(&more).chain(&steps).chain(&storage).any(|rows| *rows > 0)
    }

    /// Tells whether anything at all is wanted in the guest.
    pub(crate) fn is_wanted(&self) -> bool {
        self.has_typed() || self.config.is_some() || self.script.is_some() || self.reports()
    }

    /// Tells whether the guest is to tell what was applied. Ready-made files alone stay as they are, byte for byte.
    pub(crate) fn reports(&self) -> bool {
        self.report.unwrap_or_else(|| self.has_typed())
    }
}

/// How somebody may log in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Account {
    /// In crypt form; checked for shape by `provision`.
    pub password_hash: Option<Secret<String>>,
    /// OpenSSH public keys, one a line; checked by `provision`.
    pub ssh_keys: Vec<Spanned<String>>,
}

/// `[[provision.user]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub name: String,
    pub account: Account,
    pub uid: Option<u32>,
    pub groups: Vec<String>,
    pub shell: Option<String>,
    pub home: Option<String>,
    pub gecos: Option<String>,
    pub system: bool,
}

/// Where bytes for the guest come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(Secret<String>),
    /// A file beside the recipe, at most 1 MiB.
    Path(Spanned<RecipePath>),
    /// Bytes by address, pinned like the base; `[[provision.file]]` only.
    Carried(super::Carried),
}

/// `[[provision.file]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSpec {
    /// Absolute path in the guest.
    pub path: String,
    pub content: Content,
    /// Whether the content follows what is there; mode and owner are then those that are there.
    pub append: bool,
    /// Permission bits, at most `0o7777`; default `0o644`.
    pub mode: u32,
    /// Owner by name; default root.
    pub user: Option<String>,
    pub group: Option<String>,
}

/// `[[provision.unit]]`: a systemd unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub name: String,
    pub enable: Option<bool>,
    pub mask: bool,
    pub content: Option<Content>,
    pub dropins: Vec<Dropin>,
}

/// `[[provision.unit.dropin]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dropin {
    /// Ends in `.conf`.
    pub name: String,
    pub content: Content,
}

impl Network {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "user" => Some(Self::User),
            None if text == "passt" => Some(Self::Passt),
            None if text == "none" => Some(Self::None),
            Some(("network", name)) => Name::parse(name).ok().map(Self::Network),
            Some(("bridge", name)) if name.len() <= 15 => Name::parse(name).ok().map(Self::Bridge),
            _ => None,
        }
    }
}

impl std::fmt::Display for Network {
    /// Writes the network as a recipe does.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network:{name}"),
            Self::Bridge(name) => write!(f, "bridge:{name}"),
            Self::User => f.write_str("user"),
            Self::Passt => f.write_str("passt"),
            Self::None => f.write_str("none"),
        }
    }
}
