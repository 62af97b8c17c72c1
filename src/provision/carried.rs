//! How bytes by address reach the guest: which of them travel, on what, and where they lie there. Touches nothing.
//!
//! Only digests and sizes are known here; the bytes come in when the plan is realised. For Ignition a small file goes into
//! the config itself (a config cannot name a file of the disk it came from); for Combustion files and packages lie
//! in a folder beside the script. What is much, or must still be there after the engines are done, goes on a disk of its
//! own. Read next: `template` (a config with places for bytes), `combustion` (the script's side), `plan::carry`.

use std::collections::BTreeMap;

use super::facts::BaseFacts;
use super::split::Shares;
use super::told::Told;
use super::wanted::{Bytes, Wanted, WantedUnit};
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Digest, Location, Rule, Spanned, Transport};
use crate::recipe::carried::{container_title, file_title, plain_rpm_name, rpm_title};
use crate::recipe::{CONTENT_LIMIT, CONTENTS_LIMIT, Carried, Container, Image, Media, Recipe, Source};

/// The serial of the payload disk, and with it its name in the guest: `/dev/disk/by-id/virtio-arca-payload`.
pub(crate) const PAYLOAD_SERIAL: &str = "arca-payload";

/// The folder beside the script that holds what is carried on the config disk.
pub(crate) const FOLDER: &str = "carried";

/// What may lie on the config disk, all of it together: Combustion copies its folder into the guest's memory.
pub(crate) const CONFIG_DISK_LIMIT: ByteSize = ByteSize::mib(16);

/// What pins tell of each input, before its bytes are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub inputs: BTreeMap<Source, Knowledge>,
    pub base: BaseFacts,
}

/// What is known of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Knowledge {
    pub digest: Digest,
    pub size: Option<ByteSize>,
}

/// What carries files that are too many or too large for a config or script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vehicle {
    /// The folder beside the script, in [`FOLDER`].
    ConfigDisk,
    /// A raw, read-only disk whose content is one tar stream, found by [`PAYLOAD_SERIAL`].
    PayloadDisk,
}

/// One file that travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Where it lies in the folder or the stream.
    pub path: String,
    pub input: Remote,
    pub form: Form,
}

/// As what an input travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    AsItIs,
    /// The input is the manifest of an image, which travels with all that it lists as one `oci-archive`.
    OciArchive {
        /// As the recipe writes it, which is its key among the pins.
        reference: String,
        /// The name under which the guest finds it.
        name: String,
    },
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

/// A package that will be installed.
pub(crate) struct WantedRpm {
    pub name: String,
    pub input: Remote,
}

impl Known {
    /// Looks an input up. One without a pin is told by `lock`, and no plan is made; until then it counts as empty.
    fn remote(&self, title: String, carried: &Carried) -> Remote {
        self.by_source(title, carried.source.value.clone())
    }

    fn by_source(&self, title: String, source: Source) -> Remote {
        let unknown = Knowledge { digest: Digest::of(b""), size: None };
        let Knowledge { digest, size } = self.inputs.get(&source).copied().unwrap_or(unknown);
        Remote { title, source, digest, size }
    }

    /// Tells whether an input is known to be too large for a config.
    pub(super) fn is_large(&self, carried: &Carried) -> bool {
        self.inputs.get(&carried.source.value).and_then(|known| known.size).is_some_and(|size| size > CONTENT_LIMIT)
    }

    /// Looks an image up: the archive, or the manifest of what the registry holds.
    fn image(&self, container: &Container) -> (Remote, Form) {
        let title = container_title(container);
        match &container.image {
            Image::Archive(carried) => (self.remote(title, carried), Form::AsItIs),
            Image::Registry(reference) => {
                let name = container.image_name().unwrap_or_default();
                let form = Form::OciArchive { reference: reference.value.to_string(), name };
                (self.by_source(title, Source::Url(reference.value.manifest_url().clone())), form)
            }
        }
    }

    /// Looks a file's content up.
    pub(super) fn file(&self, path: &str, carried: &Carried) -> Remote {
        self.remote(file_title(path), carried)
    }

    /// Looks a package up.
    pub(super) fn rpm(&self, rpm: &Carried) -> WantedRpm {
        WantedRpm { name: rpm.file_name().to_owned(), input: self.remote(rpm_title(rpm), rpm) }
    }
}

impl Remote {
    /// Returns where a file's content lies in the folder or the stream: by digest, as two files may share it.
    pub(crate) fn file_path(&self) -> String {
        format!("files/{}", self.digest)
    }
}

impl WantedRpm {
    /// Returns where the package lies in the folder or the stream.
    pub(crate) fn path(&self) -> String {
        format!("rpms/{}", plain_rpm_name(&self.name))
    }
}

/// Decides what carries what an engine cannot hold; refuses what nothing can.
pub(crate) fn loads(recipe: &Recipe, shares: &Shares, known: &Known, told: &mut Told) -> (Vec<Load>, Option<Vehicle>) {
    let containers = recipe.provision.containers.iter().map(|one| {
        let (input, form) = known.image(&one.value);
        Load { path: container_path(&one.value), input, form }
    });
    let wanted = &shares.combustion;
    let rpms = shares.both().flat_map(|wanted| &wanted.rpms);
    let rpms = rpms.map(|rpm| Load { path: rpm.path(), input: rpm.input.clone(), form: Form::AsItIs });
    let mut loads: Vec<Load> = rpms.chain(containers).collect();
    inline(recipe, &shares.ignition, told);
    loads.extend(wanted.files.iter().filter_map(|file| match &file.bytes {
        Bytes::Remote(input) => Some(Load { path: input.file_path(), input: input.clone(), form: Form::AsItIs }),
        Bytes::Here(_) => None,
    }));
    loads.sort_by(|a, b| a.path.cmp(&b.path));
    loads.dedup_by(|a, b| a.path == b.path);
    let by_unit = !shares.ignition.rpms.is_empty();
    let vehicle = (!loads.is_empty()).then(|| vehicle(recipe, &loads, by_unit));
    warn(recipe, vehicle, told);
    (loads, vehicle)
}

/// Units load containers, and packages under Ignition, when Combustion's folder is gone; over fw_cfg there is no folder; and
/// what has no known size may be large.
fn vehicle(recipe: &Recipe, loads: &[Load], by_unit: bool) -> Vehicle {
    let together = loads.iter().try_fold(0u64, |sum, load| sum.checked_add(load.input.size?.0));
    let is_small = together.is_some_and(|together| together <= CONFIG_DISK_LIMIT.0);
    let by_disk = recipe.provision.transport.combustion != Some(Transport::FwCfg);
    let fits = is_small && by_disk && !by_unit && recipe.provision.containers.is_empty();
    if fits { Vehicle::ConfigDisk } else { Vehicle::PayloadDisk }
}

fn warn(recipe: &Recipe, vehicle: Option<Vehicle>, told: &mut Told) {
    let place = || recipe.provision.inputs().next().map(|input| super::told::hushed(&input.source.place));
    match vehicle {
        Some(Vehicle::ConfigDisk) => {
            let text = "what the recipe carries lies on the config disk: the fw_cfg launch files cannot bring it";
            told.warn(Rule::CarriedFwcfg, text, place());
        }
        Some(Vehicle::PayloadDisk) if recipe.provision.media == Some(Media::Gpt) => {
            let text = "what the recipe carries needs `payload.raw` as a disk of its own: the USB stick lacks it";
            told.warn(Rule::CarriedUsb, text, place());
        }
        _ => {}
    }
}

/// Refuses what a config is no place for: Ignition holds it in memory, several times.
fn inline(recipe: &Recipe, wanted: &Wanted, told: &mut Told) {
    let mut together = 0u64;
    for file in &wanted.files {
        let Bytes::Remote(input) = &file.bytes else { continue };
        let place = super::told::hushed(&file.place);
        match input.size {
            Some(size) if size > CONTENT_LIMIT => told.refuse(too_large(input, size, &place)),
            Some(size) => together = together.saturating_add(size.0),
            None if recipe.provision.transport.ignition == Some(Transport::FwCfg) => {
                let headline = format!("the size of `{}` is not known", one_line(&input.title, 80));
                let problem = Diagnostic::new(Code::FwCfgLimit, headline).at(place);
                told.refuse(problem.note("what fw_cfg can carry is limited").hint("add `size` beside `sha256`"));
            }
            None => {}
        }
    }
    if together > CONTENTS_LIMIT.0 {
        let headline = format!("the files by URL hold more than {CONTENTS_LIMIT} together, too much for a config");
        told.refuse(Diagnostic::new(Code::Provision, headline).hint(WAY_OUT));
    }
}

const WAY_OUT: &str = "write engine = \"combustion\": it takes files of any size";

fn too_large(input: &Remote, size: ByteSize, place: &Location) -> Diagnostic {
    let headline = format!("`{}` is too large for an Ignition config", one_line(&input.title, 80));
    let problem = Diagnostic::new(Code::Provision, headline).at(place.clone());
    problem.fact("size", size.exact()).fact("limit", CONTENT_LIMIT.exact()).hint(WAY_OUT)
}

fn container_path(container: &Container) -> String {
    format!("containers/{}.tar", container.name)
}

/// Returns the name of the unit that loads an image.
pub(crate) fn load_unit(container: &Container) -> String {
    format!("arca-load-{}.service", container.name)
}

/// Writes the unit that loads an image, once.
///
/// The archive passes through `/var/cache`, which is on a disk, and is gone afterwards. Steps are lines of their own
/// because a pipe would hide the failure of its first command. What it loads has the name that the archive gives it.
pub(crate) fn unit(container: &Spanned<Container>, known: &Known) -> WantedUnit {
    let Spanned { value, place } = container;
    let (Remote { digest, .. }, form) = known.image(value);
    let (name, path) = (value.name.as_str(), container_path(value));
    let own = value.quadlet.as_ref().map(|_| value.service());
    let others = value.before.iter().filter(|unit| own.as_ref() != Some(unit));
    let before: String = own.iter().chain(others).map(|unit| format!("Before={unit}\n")).collect();
    let device = format!("/dev/disk/by-id/virtio-{PAYLOAD_SERIAL}");
    let done = match &form {
        Form::AsItIs => format!("arca-build/loaded-{digest}"),
        // The same image may be wanted under two names.
        Form::OciArchive { .. } => format!("arca-build/loaded-{name}-{digest}"),
    };
    let check = check(&form, &path, &digest);
    let text = format!(
        "# Written by arca-build: change the recipe, not this file.\n\
         [Unit]\n\
         Description=Load the container image {name} from the payload disk\n\
         ConditionPathExists={device}\n\
         ConditionPathExists=!/var/lib/{done}\n\
         RequiresMountsFor=/var/lib/containers /var/lib/arca-build /var/cache/arca-build\n\
         {before}\n\
         [Service]\n\
         Type=oneshot\n\
         CacheDirectory=arca-build/{name}\n\
         StateDirectory=arca-build\n\
         ExecStart=/usr/bin/tar -xf {device} -C /var/cache/arca-build/{name} {path}\n\
         ExecStart=/bin/sh -c 'cd /var/cache/arca-build/{name} && {check}'\n\
         ExecStart=/usr/bin/podman load --input /var/cache/arca-build/{name}/{path}\n\
         ExecStart=/usr/bin/touch /var/lib/{done}\n\
         ExecStopPost=/usr/bin/rm -rf /var/cache/arca-build/{name}/containers\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    WantedUnit {
        name: load_unit(value),
        enable: Some(true),
        mask: false,
        contents: Some(text),
        dropins: vec![],
        place: place.clone(),
    }
}

/// Writes what compares the archive with its pin. One that is packed in the build has no pin of its own, but its manifest
/// has, and podman compares with that one whatever else it loads.
fn check(form: &Form, path: &str, digest: &Digest) -> String {
    match form {
        Form::AsItIs => format!("echo \"{digest}  {path}\" | sha256sum -c"),
        Form::OciArchive { .. } => {
            let manifest = format!("blobs/sha256/{digest}");
            format!(
                "tar -xf {path} -C containers {manifest} && echo \"{digest}  containers/{manifest}\" | sha256sum -c"
            )
        }
    }
}
