//! Options of virt-install → the elements that virt-install makes of them (virtinst/cli.py, seen at 4.1). Touches nothing.
//!
//! Only keys in the tables here are known; an option with another is left behind by its key's name.

use super::found::Machine;
use super::options::Pair;
use super::xpath;
use crate::base::text::one_line;
use crate::format::xml::{Element, element};
use crate::machine::options::Form::{Answer, Means, Nothing, Switch, Text, There};
use crate::machine::options::{CARD, Form, KNOWN, Known, UNTOLD};
use crate::recipe::Forward;

/// Returns what is known of an option.
pub(crate) fn known(option: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.option == option)
}

/// Puts an option's element into the domain; what is not known of it is named.
pub(crate) fn take(known: &Known, pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    let place = if known.place.is_empty() { domain } else { domain.child_mut(known.place) };
    let node = match known.element {
        "" => place,
        name => {
            place.children.push(element(name));
            let Some(node) = place.children.last_mut() else { return };
            node
        }
    };
    let mut first = known.first.iter();
    for (word, value) in pairs.iter().filter(|(key, _)| !xpath::is_step(key)) {
        let (key, said) = match (value, first.next()) {
            (None, Some(positional)) => (*positional, word.as_str()),
            (value, _) => (word.as_str(), value.as_deref().unwrap_or("on")),
        };
        let found = known.keys.iter().find_map(|(name, path, form)| Some((counted(name, path, key)?, *form)));
        let done = found.as_ref().and_then(|(path, form)| written(*form, said).map(|value| put(node, path, value)));
        if done.flatten().is_none() {
            machine.skip(unknown(known.option, key, found.is_some() || value.is_some()));
        }
    }
    for key in xpath::device(pairs, node) {
        machine.skip(format!("--{} {}", known.option, one_line(&key, 60)));
    }
    usual(node);
}

/// Returns the path of a key; where it counts, by its number.
fn counted(name: &str, path: &str, key: &str) -> Option<String> {
    let Some((before, after)) = name.split_once('*') else { return (name == key).then(|| path.to_owned()) };
    let number = key.strip_prefix(before)?.strip_suffix(after)?.parse::<u16>().ok()?;
    Some(path.replace('*', &(u32::from(number) + 1).to_string()))
}

/// Names what is not known of an option; a word alone may be a value.
pub(crate) fn unknown(option: &str, key: &str, is_key: bool) -> String {
    if is_key { format!("--{option} {}", one_line(key, 60)) } else { format!("--{option}: a word without a key") }
}

/// Puts a device of the model `none` into the domain.
pub(crate) fn take_none(name: &str, domain: &mut Element) {
    let mut node = element(name);
    node.child_mut("model").set("type", "none");
    domain.child_mut("devices").children.push(node);
}

/// Sets what is to be written; what is there by its name alone, and switched off, is nothing.
fn put(node: &mut Element, path: &str, value: Option<&str>) -> Option<()> {
    value.map_or(Some(()), |value| xpath::set(node, path, value))
}

/// Returns the value in XML: nothing to write is `None` inside.
fn written(form: Form, value: &str) -> Option<Option<&str>> {
    let is_on = match value {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    };
    match form {
        Nothing => Some(None),
        Means(word) => Some(Some(word).filter(|_| is_on != Some(false))),
        Text if value.is_empty() => None,
        // What is chosen where nothing is said.
        Text if value == "default" => Some(None),
        Text => Some(Some(value)),
        Switch => is_on.map(|is_on| Some(if is_on { "on" } else { "off" })),
        Answer => is_on.map(|is_on| Some(if is_on { "yes" } else { "no" })),
        // That something is not there cannot be said.
        There(_) => is_on.filter(|is_on| *is_on).map(|_| Some("")),
    }
}

/// Fills in what virt-install does where nothing is said.
fn usual(node: &mut Element) {
    match node.name.as_str() {
        "watchdog" => {
            node.set_default("model", "i6300esb");
            node.set_default("action", "reset");
        }
        "filesystem" => {
            node.set_default("type", "mount");
            if node.of("driver", "type") != Some("virtiofs") {
                node.set_default("accessmode", "mapped");
            }
        }
        "tpm" => {
            let backend = node.child_mut("backend");
            // A path alone is the host's own.
            if let Some(path) = backend.attribute("type").filter(|kind| kind.starts_with('/')).map(str::to_owned) {
                backend.child_mut("device").set("path", &path);
                backend.retain_attributes(|name, _| name != "type");
            }
            let kind = if backend.child("device").is_some() { "passthrough" } else { "emulator" };
            backend.set_default("type", kind);
        }
        "sound" => node.set_default("model", "ich9"),
        "panic" => node.set_default("model", "isa"),
        _ => {}
    }
}

/// Makes the element of a network card; `None` where there is to be none.
pub(crate) fn network(pairs: &[Pair], machine: &mut Machine) -> Option<Element> {
    let mut node = element("interface");
    let pairs = spelt_out(pairs)?;
    for (key, value) in pairs.iter().filter(|(key, _)| !xpath::is_step(key)) {
        if card(key, value.as_deref().unwrap_or_default(), &mut node).is_none() {
            machine.skip(unknown("network", key, value.is_some()));
        }
    }
    for key in xpath::device(&pairs, &mut node) {
        machine.skip(format!("--network {}", one_line(&key, 60)));
    }
    // Where passt is asked for by its name alone.
    if node.attribute("type").is_none() && node.of("backend", "type") == Some("passt") {
        node.set("type", "user");
    }
    name_source(&mut node);
    Some(node)
}

/// Gives the first word its key; `None` means no card.
fn spelt_out(pairs: &[Pair]) -> Option<Vec<Pair>> {
    let Some(((word, None), rest)) = pairs.split_first() else { return Some(pairs.to_vec()) };
    let (key, value) = match (word.as_str(), word.split_once(':')) {
        ("none", _) => return None,
        ("default", _) => ("network", "default"),
        ("passt", _) => ("backend.type", "passt"),
        // The old spelling `network:default`.
        (_, Some(old)) => old,
        (kind, None) => ("type", kind),
    };
    Some(std::iter::once((key.to_owned(), Some(value.to_owned()))).chain(rest.iter().cloned()).collect())
}

/// What `source=` names, the type of the card tells.
fn name_source(node: &mut Element) {
    let kind = node.attribute("type").unwrap_or_default().to_owned();
    let Some(name) = node.of("source", UNTOLD).map(str::to_owned) else { return };
    let source = node.child_mut("source");
    source.retain_attributes(|name, _| name != UNTOLD);
    source.set(if kind == "direct" { "dev" } else { &kind }, &name);
}

fn card(key: &str, value: &str, node: &mut Element) -> Option<()> {
    match key {
        "network" | "bridge" => {
            node.set("type", key);
            node.child_mut("source").set(key, value);
            return Some(());
        }
        "mac" | "mac.address" if value == "RANDOM" => return Some(()),
        // The host's own choice.
        "model" | "model.type" if value == "default" => return Some(()),
        _ => {}
    }
    if let Some(rest) = key.strip_prefix("portForward") {
        return forward(rest, value, node);
    }
    let (_, path) = CARD.iter().find(|(name, _)| *name == key)?;
    put(node, path, Some(value).filter(|value| !value.is_empty()))
}

/// Takes `portForwardN=[ADDRESS:]HOST[:GUEST][/PROTO]`, as virt-install 5 has it.
fn forward(number: &str, value: &str, node: &mut Element) -> Option<()> {
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (ports, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    let both = if ports.contains(':') { format!("{ports}/{protocol}") } else { format!("{ports}:{ports}/{protocol}") };
    let forward: Forward = both.parse().ok()?;
    let mut made = element("portForward").with("proto", forward.protocol);
    if let Some(address) = forward.address {
        made.set("address", &address.to_string());
    }
    made.children.push(element("range").with("start", forward.host).with("to", forward.guest));
    node.children.push(made);
    Some(())
}

/// Makes the element of a processor; `None` where virt-install would say nothing of it.
pub(crate) fn cpu(pairs: &[Pair], machine: &mut Machine) -> Option<Element> {
    let mut node = element("cpu");
    for (index, (key, value)) in pairs.iter().enumerate() {
        let done = match value.as_deref() {
            Some(value) => ability(key, value, &mut node),
            None => word(key, index == 0, &mut node),
        };
        if done.is_none() {
            machine.skip(unknown("cpu", key, value.is_some()));
        }
    }
    if node.attribute("mode").is_none() && node.child("model").is_some() {
        node.set("mode", "custom");
    }
    (node.attributes().next().is_some() || !node.children.is_empty()).then_some(node)
}

/// Takes a word alone: the model at first, else a feature with its sign.
fn word(word: &str, is_first: bool, node: &mut Element) -> Option<()> {
    match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(name), _) => feature("force", name, node),
        (_, Some(name)) => feature("disable", name, node),
        _ if is_first => model(word, node),
        _ => return None,
    }
    Some(())
}

fn ability(key: &str, value: &str, node: &mut Element) -> Option<()> {
    match key {
        "model" => model(value, node),
        "force" | "require" | "optional" | "disable" | "forbid" => feature(key, value, node),
        "mode" | "match" | "check" => node.set(key, value),
        "migratable" => node.set(key, written(Switch, value)??),
        "model.fallback" | "model_fallback" => node.child_mut("model").set("fallback", value),
        "vendor" => value.clone_into(&mut node.child_mut("vendor").text),
        "topology.sockets" | "topology.dies" | "topology.cores" | "topology.threads" => {
            node.child_mut("topology").set(key.rsplit_once('.')?.1, value);
        }
        _ => return None,
    }
    Some(())
}

fn model(name: &str, node: &mut Element) {
    match name {
        "host" | "host-model" | "host-copy" | "host-model-only" => node.set("mode", "host-model"),
        "host-passthrough" | "maximum" => node.set("mode", name),
        "none" | "hv-default" => {}
        _ => {
            node.set("mode", "custom");
            node.set("match", "exact");
            name.clone_into(&mut node.child_mut("model").text);
        }
    }
}

fn feature(policy: &str, name: &str, node: &mut Element) {
    node.children.push(element("feature").with("policy", policy).with("name", name));
}

/// Puts `--clock` into the domain.
pub(crate) fn clock(pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    let clock = domain.child_mut("clock");
    for (key, value) in pairs {
        let value = value.as_deref().unwrap_or_default();
        let timer = key.split_once('_');
        let done = match (key.as_str(), timer) {
            ("offset", _) => {
                clock.set("offset", value);
                Some(())
            }
            (_, Some((name, "tickpolicy"))) => Some((name, "tickpolicy", value)).map(|row| timer_says(clock, row)),
            (_, Some((name, "present"))) => {
                written(Answer, value).flatten().map(|value| timer_says(clock, (name, "present", value)))
            }
            _ => None,
        };
        if done.is_none() {
            machine.skip(unknown("clock", key, !value.is_empty()));
        }
    }
}

fn timer_says(clock: &mut Element, (name, key, value): (&str, &str, &str)) {
    if !clock.children.iter().any(|timer| timer.attribute("name") == Some(name)) {
        clock.children.push(element("timer").with("name", name));
    }
    for timer in clock.children.iter_mut().filter(|timer| timer.attribute("name") == Some(name)) {
        timer.set(key, value);
    }
}
