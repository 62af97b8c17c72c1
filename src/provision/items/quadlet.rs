//! How a container runs: the quadlet that podman's generator makes a service of. Touches nothing.
//!
//! podman-systemd.unit(5): files in `/etc/containers/systemd`, read by the generator at boot; the service of `x.container`
//! is `x.service`, and systemd itself must know no other unit of that name. Values of variables go into a file beside it,
//! because what stands in a quadlet stands in the generated unit too, which everybody may read.

use super::context::{Context, content_place};
use crate::base::text::one_line;
use crate::base::{Rule, Spanned};
use crate::guest_report::Kind;
use crate::provision::checks::{GuestCheck, HEALTHY, any, is};
use crate::provision::diagnostics::redacted;
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestFile, HEAD};
use crate::recipe::{Container, Content, Quadlet, Service, Volume};

/// Where podman's generator looks for root's quadlets.
const FOLDER: &str = "/etc/containers/systemd";

/// Adds what runs a container, where the recipe says how.
pub(crate) fn run(row: &Spanned<Container>, cx: &mut Context<'_>) {
    let Spanned { value: container, place } = row;
    let Some(quadlet) = &container.quadlet else { return };
    let service = container.service();
    refuse_unit(container, &service, cx);
    let mut files = vec![];
    // Whether a ready-made one starts at boot is not known.
    let mut active = any(&HEALTHY);
    match quadlet {
        Quadlet::Ready(content) => files.extend(ready(row, content, cx)),
        Quadlet::Typed(service) => {
            let path = format!("{FOLDER}/{}.container", container.name);
            files.push(GuestFile::new(path, typed(container, service), 0o644, place));
            if !service.environment.is_empty() {
                files.push(GuestFile::new(variables_path(container), variables(service), 0o600, place));
            }
            if service.auto_start {
                active = is("active");
            }
        }
    }
    for file in files {
        let why = "podman's generator makes a service of it at each boot";
        let engine = cx.outputs.choice.engine(Feature::Containers);
        cx.outputs.record_why(Feature::Containers, engine, format!("file {} for {service}", file.path), why);
        cx.outputs.on(engine).files.push(file);
    }
    cx.outputs.checks.push((Feature::Containers, GuestCheck::new(Kind::Unit, &service, [("active", active)])));
}

/// Returns the name of the unit that loads an image.
pub(crate) fn load_unit(container: &Container) -> String {
    format!("arca-load-{}.service", container.name)
}

/// Refuses a unit that would stand before the generated one, or that systemd cannot enable because it is generated.
fn refuse_unit(container: &Container, service: &str, cx: &mut Context<'_>) {
    let units = cx.recipe.provision.units.iter().filter(|unit| unit.value.name.as_str() == service);
    for unit in units.filter(|unit| unit.value.content.is_some() || unit.value.mask || unit.value.enable.is_some()) {
        let headline = format!("`{service}` is made from the quadlet of the container `{}`", container.name);
        let hint =
            "a `[[provision.unit]]` of this name may only have drop-ins; whether it starts at boot, `auto_start` says";
        cx.diag.refuse_at(&unit.place, headline, hint);
    }
}

/// Takes a quadlet as written, after a look at what would keep the generator from making a service of it.
fn ready(row: &Spanned<Container>, content: &Content, cx: &mut Context<'_>) -> Option<GuestFile> {
    let Spanned { value: container, place: row } = row;
    let name = &container.name;
    let bytes = cx.bytes(content)?;
    let redacted = redacted(row);
    let place = content_place(content, &redacted);
    let Some(text) = String::from_utf8(bytes).ok().filter(|text| !text.contains(['\0', '\r'])) else {
        cx.diag.refuse_at(place, format!("the quadlet of `{name}` is not text in UTF-8 with plain line ends"), "");
        return None;
    };
    let Some(image) = image(&text) else {
        let headline = format!("the quadlet of `{name}` has no `Image=` below `[Container]`");
        cx.diag.refuse_at(place, headline, "podman would make no service of it (podman-systemd.unit(5))");
        return None;
    };
    if let Some(loaded) = container.image_name().filter(|loaded| loaded != image) {
        let image = one_line(image, 200);
        let text =
            format!("the quadlet of `{name}` runs `{image}`, and the image that is carried is loaded as `{loaded}`");
        cx.diag.warn(Rule::ContainerImageName, text, Some(place.clone()));
    }
    // What may hold a password is root's alone; podman's generator is root.
    let mode = if text.contains("Environment") || text.contains("Secret") { 0o600 } else { 0o644 };
    Some(GuestFile::new(format!("{FOLDER}/{name}.container"), text, mode, row))
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
    service.environment.iter().map(|one| format!("{}={}\n", one.name, one.value.expose())).collect()
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
    let ports = lines("PublishPort", &mut service.ports.iter().map(ToString::to_string));
    let volumes = lines("Volume", &mut service.volumes.iter().map(volume));
    let variables = (!service.environment.is_empty()).then(|| variables_path(container));
    let variables = lines("EnvironmentFile", &mut variables.into_iter());
    let exec = service.exec.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let exec = lines("Exec", &mut (!exec.is_empty()).then_some(exec).into_iter());
    let install = if service.auto_start { "\n[Install]\nWantedBy=multi-user.target\n" } else { "" };
    let (name, load, image) = (&container.name, load_unit(container), container.image_name().unwrap_or_default());
    format!(
        "{HEAD}\
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
