//! How a container runs: the quadlet that podman's generator makes a service of. Touches nothing.
//!
//! podman-systemd.unit(5): files in `/etc/containers/systemd`, read by the generator at boot; the service of `x.container`
//! is `x.service`, and systemd itself must know no other unit of that name. Values of variables go into a file beside it,
//! because what stands in a quadlet stands in the generated unit too, which everybody may read.

use super::carried::load_unit;
use super::split::{Part, Shares};
use super::told::{Told, hushed};
use super::wanted::{self, Bytes, WantedFile, Write};
use crate::base::text::one_line;
use crate::base::{Location, Rule, Spanned};
use crate::recipe::{Container, Content, LocalFiles, Quadlet, Recipe, Service, Volume};

/// Where podman's generator looks for root's quadlets.
const FOLDER: &str = "/etc/containers/systemd";

/// Adds what runs a container, where the recipe says how.
pub(crate) fn run(
    recipe: &Recipe,
    container: &Spanned<Container>,
    files: &LocalFiles,
    shares: &mut Shares,
    told: &mut Told,
) {
    let Spanned { value, place } = container;
    let Some(quadlet) = &value.quadlet else { return };
    refuse_unit(recipe, value, told);
    let mut made = vec![];
    match quadlet {
        Quadlet::Ready(content) => made.extend(ready(recipe, container, content, files, told)),
        Quadlet::Typed(service) => {
            made.push(file(format!("{FOLDER}/{}.container", value.name), typed(value, service), 0o644, place));
            if !service.environment.is_empty() {
                made.push(file(variables_path(value), variables(service), 0o600, place));
            }
        }
    }
    let side = shares.side(Part::Containers);
    for file in made {
        let why = "podman's generator makes a service of it at each boot";
        shares.account(Part::Containers, side, format!("file {} for {}", file.path, value.service()), why);
        shares.on(side).files.push(file);
    }
}

fn file(path: String, text: String, mode: u32, place: &Location) -> WantedFile {
    let bytes = Bytes::Here(text.into_bytes());
    WantedFile { path, bytes, write: Write::Replace, mode, user: None, group: None, place: place.clone() }
}

/// Refuses a unit that would stand before the generated one, or that systemd cannot enable because it is generated.
fn refuse_unit(recipe: &Recipe, container: &Container, told: &mut Told) {
    let service = container.service();
    let units = recipe.provision.units.iter().filter(|unit| unit.value.name == service);
    for unit in units.filter(|unit| unit.value.content.is_some() || unit.value.mask || unit.value.enable.is_some()) {
        let headline = format!("`{service}` is made from the quadlet of the container `{}`", container.name);
        let hint =
            "a `[[provision.unit]]` of this name may only have drop-ins; whether it starts at boot, `auto_start` says";
        told.refuse_at(&unit.place, headline, hint);
    }
}

/// Takes a quadlet as written, after a look at what would keep the generator from making a service of it.
fn ready(
    recipe: &Recipe,
    container: &Spanned<Container>,
    content: &Content,
    files: &LocalFiles,
    told: &mut Told,
) -> Option<WantedFile> {
    let place = if let Content::Path(path) = content { path.place.clone() } else { hushed(&container.place) };
    let bytes = wanted::bytes(recipe, content, files, told)?;
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains(['\0', '\r']));
    let name = &container.value.name;
    let Some(text) = text else {
        told.refuse_at(&place, format!("the quadlet of `{name}` is no text in UTF-8 with plain line ends"), "");
        return None;
    };
    let Some(image) = image(&text) else {
        let headline = format!("the quadlet of `{name}` has no `Image=` below `[Container]`");
        told.refuse_at(&place, headline, "podman would make no service of it (podman-systemd.unit(5))");
        return None;
    };
    if let Some(loaded) = container.value.image_name().filter(|loaded| loaded != image) {
        let image = one_line(image, 200);
        let text =
            format!("the quadlet of `{name}` runs `{image}`, and the image that is carried is loaded as `{loaded}`");
        told.warn(Rule::ContainerImageName, text, Some(place));
    }
    // What may hold a password is root's alone; podman's generator is root.
    let mode = if text.contains("Environment") || text.contains("Secret") { 0o600 } else { 0o644 };
    Some(file(format!("{FOLDER}/{name}.container"), text, mode, &container.place))
}

/// Finds the image that a quadlet names.
fn image(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != "[Container]").skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    lines.find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "Image")).map(|(_, image)| image.trim())
}

fn variables_path(container: &Container) -> String {
    format!("{FOLDER}/{}.env", container.name)
}

/// Writes variables as podman reads them: a line each, everything behind `=` as it stands (podman-run(1), `--env-file`).
fn variables(service: &Service) -> String {
    service.environment.iter().map(|(name, value)| format!("{name}={}\n", value.expose())).collect()
}

/// Writes a quadlet from typed keys.
///
/// The image is there when it starts, so nothing is pulled; what it mounts of the guest is mounted first, or it does not
/// start at all, rather than write beside a pool that is missing.
fn typed(container: &Container, service: &Service) -> String {
    let lines = |key: &str, values: &mut dyn Iterator<Item = String>| -> String {
        values.map(|value| format!("{key}={value}\n")).collect()
    };
    let mounts =
        lines("RequiresMountsFor", &mut service.volumes.iter().filter_map(Volume::host_path).map(str::to_owned));
    let ports = lines("PublishPort", &mut service.ports.iter().cloned());
    let volumes = lines("Volume", &mut service.volumes.iter().map(volume));
    let variables = (!service.environment.is_empty()).then(|| variables_path(container));
    let variables = lines("EnvironmentFile", &mut variables.into_iter());
    let exec = service.exec.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let exec = lines("Exec", &mut (!exec.is_empty()).then_some(exec).into_iter());
    let install = if service.auto_start { "\n[Install]\nWantedBy=multi-user.target\n" } else { "" };
    let (name, load, image) = (&container.name, load_unit(container), container.image_name().unwrap_or_default());
    format!(
        "# Written by arca-build: change the recipe, not this file.\n\
         [Unit]\n\
         Description=Container {name}\n\
         Requires={load}\n\
         After={load}\n\
         {mounts}\n\
         [Container]\n\
         Image={image}\n\
         Pull=never\n\
         {ports}{volumes}{variables}{exec}\n\
         [Service]\n\
         Restart=on-failure\n\
         {install}"
    )
}

fn volume(volume: &Volume) -> String {
    let Volume { source, target, options } = volume;
    if options.is_empty() { format!("{source}:{target}") } else { format!("{source}:{target}:{options}") }
}

/// Quotes a word for `Exec=`: quadlet unquotes it, quotes it again for `ExecStart=`, and leaves `%` and `$` to systemd, which
/// gives both a meaning (systemd.service(5), "Command Lines").
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}
