//! `[[provision.container]]`: an image by registry or address, and how it is run. Form only; touches nothing.

use super::super::{Container, Image, ImageReference, Quadlet, ReferenceError, Service, Volume, rules};
use super::carried::{carried, refuse_pin_without_url, unit_name};
use super::provision::content;
use crate::base::text::one_line;
use crate::base::{Name, Secret};
use crate::format::toml::{Table, Value};

/// The keys that are written into a quadlet.
const TYPED: [&str; 5] = ["ports", "volumes", "environment", "exec", "auto_start"];

/// Reads `[[provision.container]]`.
pub(super) fn container(table: &Table<'_>) -> Option<Container> {
    let name = table.get("name").and_then(|value| value.accept(Name::parse(value.line()?), ""));
    let before = table.get("before").map(|value| value.list()).unwrap_or_default();
    let before = before.iter().filter_map(unit_name).collect();
    let image = image(table);
    let quadlet = quadlet(table);
    Some(Container { name: name?, image: image?, before, quadlet: quadlet.ok()? })
}

/// Reads `image` or `url`.
fn image(table: &Table<'_>) -> Option<Image> {
    refuse_pin_without_url(table);
    match (table.get("image"), table.get("url")) {
        (Some(image), Some(_)) => {
            image.refuse("`image` and `url` are both given", "keep one of them");
            None
        }
        (Some(image), None) => {
            let reference = reference(&image)?;
            Some(Image::Registry(image.located(reference)))
        }
        (None, _) => {
            table.need("url", "`url = \"https://…/image.tar\"`, or `image = \"registry.example.org/name:tag\"`");
            carried(table).map(Image::Archive)
        }
    }
}

fn reference(value: &Value<'_>) -> Option<ImageReference> {
    let text = value.line()?;
    let told = |error: &ReferenceError| {
        value.refuse(
            format!("`{}` is no image: {}", one_line(text, 100), one_line(&error.to_string(), 200)),
            &error.hint(text),
        );
    };
    ImageReference::parse(text).inspect_err(told).ok()
}

/// Reads how it is run: a whole quadlet, or the keys that one is written from. Fails where that was told to be wrong.
fn quadlet(table: &Table<'_>) -> Result<Option<Quadlet>, ()> {
    let typed = TYPED.into_iter().find_map(|key| table.get(key));
    if !table.has("text") && !table.has("source") {
        return typed.map(|first| service(table, &first).map(Quadlet::Typed)).transpose();
    }
    if let Some(typed) = typed {
        let headline = format!("`{}` is written into a quadlet, and the recipe has one of its own", typed.key());
        typed.refuse(headline, "write it there, or leave `text` and `source` out");
        return Err(());
    }
    content(table).map(|content| Some(Quadlet::Ready(content))).ok_or(())
}

fn service(table: &Table<'_>, first: &Value<'_>) -> Result<Service, ()> {
    let rows = |key: &'static str| table.get(key).map(|value| value.list()).unwrap_or_default();
    // Everything is read before anything is given up, so that every mistake is told.
    let ports: Vec<_> = rows("ports").iter().map(port).collect();
    let volumes: Vec<_> = rows("volumes").iter().map(volume).collect();
    let environment = environment(&rows("environment"));
    let exec: Vec<_> = rows("exec").iter().map(word).collect();
    let auto_start = table.get("auto_start").map(|value| value.boolean());
    if !table.has("image") && table.has("url") && !table.document.is_broken() {
        let headline =
            format!("`{}` needs `image`: under which name an archive is loaded, only the archive knows", first.key());
        first.refuse(headline, "name the image by `image`, or write the quadlet yourself with `text`");
    }
    let read = || {
        Some(Service {
            ports: ports.into_iter().collect::<Option<_>>()?,
            volumes: volumes.into_iter().collect::<Option<_>>()?,
            environment: environment?,
            exec: exec.into_iter().collect::<Option<_>>()?,
            auto_start: auto_start.unwrap_or(Some(true))?,
        })
    };
    read().ok_or(())
}

/// Reads `[address:][host port:]container port[/protocol]` (podman-systemd.unit(5), `PublishPort=`).
fn port(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !rules::is_published_port(text) {
        let hint = "write it like \"8080:80\", \"127.0.0.1:8080:80\", \"[::1]:53:53/udp\" or \"8000-8010:8000-8010\"";
        value.refuse(format!("`{}` publishes no port", one_line(text, 60)), hint);
        return None;
    }
    Some(text.to_owned())
}

/// Reads `source:target[:options]`; of characters, what neither quadlet nor systemd gives a meaning.
fn volume(value: &Value<'_>) -> Option<Volume> {
    let text = value.line()?;
    let refuse = |why: &str| {
        let headline = format!("`{}` is no volume: {why}", one_line(text, 100));
        value.refuse(headline, "write it like \"/srv/arca:/data:Z\" or \"cache:/var/cache\"");
        None
    };
    let mut parts = text.split(':');
    let (Some(source), Some(target), options, None) =
        (parts.next(), parts.next(), parts.next().unwrap_or_default(), parts.next())
    else {
        return refuse("it is not a source, a target and perhaps options, with `:` between them");
    };
    let plain =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ','));
    if ![source, target, options].into_iter().all(plain) {
        return refuse("podman or systemd would give one of its characters a meaning");
    }
    if !rules::is_guest_path(target) {
        return refuse("the target is no absolute path");
    }
    let is_name = Name::parse(source).is_ok() && !source.ends_with(".volume");
    if !rules::is_guest_path(source) && !is_name {
        return refuse("the source is neither an absolute path nor the name of one of podman's volumes");
    }
    Some(Volume { source: source.to_owned(), target: target.to_owned(), options: options.to_owned() })
}

/// Reads `NAME=value`, each name once. Podman reads them from a file, line by line and without quotes.
fn environment(rows: &[Value<'_>]) -> Option<Vec<(String, Secret<String>)>> {
    let mut variables: Vec<(String, Secret<String>)> = vec![];
    for value in rows {
        let Some((name, content)) = value.line()?.split_once('=') else {
            value.refuse("an entry of `environment` has no `=`", "write \"NAME=value\"");
            return None;
        };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
            value.refuse(
                "what stands before `=` in an entry of `environment` is no name",
                "A-Z a-z 0-9 _, no digit first",
            );
            return None;
        }
        if variables.iter().any(|(other, _)| other == name) {
            value.refuse(format!("`{}` is there twice in `environment`", one_line(name, 60)), "keep one of them");
            return None;
        }
        variables.push((name.to_owned(), Secret::new(content.to_owned())));
    }
    Some(variables)
}

fn word(value: &Value<'_>) -> Option<String> {
    value.line().map(str::to_owned)
}
