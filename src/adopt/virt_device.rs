//! Options of virt-install → the elements that virt-install makes of them (virtinst/cli.py, seen at 4.1). Touches nothing.
//!
//! Only keys in the tables here are known; an option with another is left behind by its key's name.

use super::found::Machine;
use super::options::Pair;
use super::xml::Element;
use super::xpath;
use crate::base::text::one_line;
use crate::recipe::Forward;

/// How a value is written in XML.
#[derive(Clone, Copy)]
enum Form {
    Text,
    /// `on` and `off`.
    Switch,
    /// `yes` and `no`.
    Answer,
    /// An element that is there or not.
    There,
}

use Form::{Answer, Switch, Text, There};

/// What is known of one option.
pub struct Known {
    option: &'static str,
    /// Names of the elements around it, below the domain.
    place: &'static str,
    element: &'static str,
    /// The keys that the first words need not name.
    first: &'static [&'static str],
    /// Each key, and where its value goes.
    keys: &'static [(&'static str, &'static str, Form)],
}

const fn device(
    option: &'static str,
    first: &'static [&'static str],
    keys: &'static [(&'static str, &'static str, Form)],
) -> Known {
    Known { option, place: "devices", element: option, first, keys }
}

/// All that is known.
const KNOWN: &[Known] = &[
    device(
        "tpm",
        &["type"],
        &[
            ("type", "./backend/@type", Text),
            ("backend.type", "./backend/@type", Text),
            ("version", "./backend/@version", Text),
            ("backend.version", "./backend/@version", Text),
            ("model", "./@model", Text),
        ],
    ),
    device("watchdog", &["model"], &[("model", "./@model", Text), ("action", "./@action", Text)]),
    device("sound", &["model"], &[("model", "./@model", Text), ("audio.id", "./audio/@id", Text)]),
    device("panic", &["model"], &[("model", "./@model", Text)]),
    device("iommu", &["model"], &[("model", "./@model", Text)]),
    device(
        "controller",
        &["type"],
        &[
            ("type", "./@type", Text),
            ("model", "./@model", Text),
            ("index", "./@index", Text),
            ("ports", "./@ports", Text),
        ],
    ),
    device("input", &["type"], &[("type", "./@type", Text), ("bus", "./@bus", Text)]),
    device("redirdev", &["bus"], &[("bus", "./@bus", Text), ("type", "./@type", Text)]),
    device("smartcard", &["mode"], &[("mode", "./@mode", Text), ("type", "./@type", Text)]),
    device(
        "vsock",
        &["model"],
        &[
            ("model", "./@model", Text),
            ("cid", "./cid/@address", Text),
            ("cid.address", "./cid/@address", Text),
            ("auto_cid", "./cid/@auto", Answer),
            ("cid.auto", "./cid/@auto", Answer),
        ],
    ),
    device(
        "video",
        &["model"],
        &[
            ("model", "./model/@type", Text),
            ("model.type", "./model/@type", Text),
            ("heads", "./model/@heads", Text),
            ("model.heads", "./model/@heads", Text),
            ("ram", "./model/@ram", Text),
            ("model.ram", "./model/@ram", Text),
            ("vram", "./model/@vram", Text),
            ("model.vram", "./model/@vram", Text),
            ("vgamem", "./model/@vgamem", Text),
            ("model.vgamem", "./model/@vgamem", Text),
            ("accel3d", "./model/acceleration/@accel3d", Answer),
            ("model.acceleration.accel3d", "./model/acceleration/@accel3d", Answer),
        ],
    ),
    device(
        "memballoon",
        &["model"],
        &[
            ("model", "./@model", Text),
            ("autodeflate", "./@autodeflate", Switch),
            ("freePageReporting", "./@freePageReporting", Switch),
            ("stats.period", "./stats/@period", Text),
        ],
    ),
    device(
        "filesystem",
        &["source", "target"],
        &[
            ("type", "./@type", Text),
            ("mode", "./@accessmode", Text),
            ("accessmode", "./@accessmode", Text),
            ("source", "./source/@dir", Text),
            ("source.dir", "./source/@dir", Text),
            ("target", "./target/@dir", Text),
            ("target.dir", "./target/@dir", Text),
            ("driver.type", "./driver/@type", Text),
            ("driver.queue", "./driver/@queue", Text),
            ("binary.path", "./binary/@path", Text),
            ("readonly", "./readonly", There),
        ],
    ),
    Known {
        option: "memorybacking",
        place: "",
        element: "memoryBacking",
        first: &[],
        keys: &[
            ("hugepages", "./hugepages", There),
            ("nosharepages", "./nosharepages", There),
            ("locked", "./locked", There),
            ("discard", "./discard", There),
            ("source_type", "./source/@type", Text),
            ("source.type", "./source/@type", Text),
            ("access_mode", "./access/@mode", Text),
            ("access.mode", "./access/@mode", Text),
            ("allocation.mode", "./allocation/@mode", Text),
        ],
    },
    Known {
        option: "features",
        place: "",
        element: "features",
        first: &[],
        keys: &[
            ("acpi", "./acpi", There),
            ("apic", "./apic", There),
            ("pae", "./pae", There),
            ("hap", "./hap", There),
            ("vmport", "./vmport/@state", Switch),
            ("vmport.state", "./vmport/@state", Switch),
            ("smm", "./smm/@state", Switch),
            ("smm.state", "./smm/@state", Switch),
            ("pmu", "./pmu/@state", Switch),
            ("pmu.state", "./pmu/@state", Switch),
            ("vmcoreinfo", "./vmcoreinfo/@state", Switch),
            ("vmcoreinfo.state", "./vmcoreinfo/@state", Switch),
            ("pvspinlock.state", "./pvspinlock/@state", Switch),
            ("ioapic.driver", "./ioapic/@driver", Text),
            ("kvm_hidden", "./kvm/hidden/@state", Switch),
            ("kvm.hidden.state", "./kvm/hidden/@state", Switch),
            ("hyperv_relaxed", "./hyperv/relaxed/@state", Switch),
            ("hyperv.relaxed.state", "./hyperv/relaxed/@state", Switch),
            ("hyperv_vapic", "./hyperv/vapic/@state", Switch),
            ("hyperv.vapic.state", "./hyperv/vapic/@state", Switch),
            ("hyperv_spinlocks", "./hyperv/spinlocks/@state", Switch),
            ("hyperv.spinlocks.state", "./hyperv/spinlocks/@state", Switch),
            ("hyperv_spinlocks_retries", "./hyperv/spinlocks/@retries", Text),
            ("hyperv.spinlocks.retries", "./hyperv/spinlocks/@retries", Text),
        ],
    },
    Known {
        option: "pm",
        place: "",
        element: "pm",
        first: &[],
        keys: &[
            ("suspend_to_mem", "./suspend-to-mem/@enabled", Answer),
            ("suspend_to_mem.enabled", "./suspend-to-mem/@enabled", Answer),
            ("suspend_to_disk", "./suspend-to-disk/@enabled", Answer),
            ("suspend_to_disk.enabled", "./suspend-to-disk/@enabled", Answer),
        ],
    },
];

/// Returns what is known of an option.
pub fn known(option: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.option == option)
}

/// Puts an option's element into the domain; what is not known of it is named.
pub fn take(known: &Known, pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    let mut node = Element::new(known.element, []);
    let mut first = known.first.iter();
    for (key, value) in pairs.iter().filter(|(key, _)| !xpath::is_step(key)) {
        let (key, value) = match (value, first.next()) {
            (None, Some(positional)) => (*positional, key.as_str()),
            (value, _) => (key.as_str(), value.as_deref().unwrap_or("on")),
        };
        let place = known.keys.iter().find(|(name, ..)| *name == key);
        let done = place.and_then(|(_, path, form)| written(*form, value).map(|value| put(&mut node, path, value)));
        if done.flatten().is_none() {
            machine.leave(format!("--{} {}", known.option, one_line(key, 60)));
        }
    }
    for key in xpath::device(pairs, &mut node) {
        machine.leave(format!("--{} {}", known.option, one_line(&key, 60)));
    }
    usual(&mut node);
    let whole = if known.place.is_empty() { domain } else { domain.reach(known.place) };
    whole.children.push(node);
}

/// Puts a device of the model `none` into the domain.
pub fn take_none(name: &str, domain: &mut Element) {
    let mut node = Element::new(name, []);
    node.reach("model").set("type", "none");
    domain.reach("devices").children.push(node);
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
        Text if value.is_empty() => None,
        Text => Some(Some(value)),
        Switch => is_on.map(|is_on| Some(if is_on { "on" } else { "off" })),
        Answer => is_on.map(|is_on| Some(if is_on { "yes" } else { "no" })),
        There => is_on.map(|is_on| is_on.then_some("")),
    }
}

/// Fills in what virt-install does where nothing is said.
fn usual(node: &mut Element) {
    let default = |node: &mut Element, name: &str, value: &str| {
        if node.attribute(name).is_none() {
            node.set(name, value);
        }
    };
    match node.name.as_str() {
        "watchdog" => {
            default(node, "model", "i6300esb");
            default(node, "action", "reset");
        }
        "filesystem" => {
            default(node, "type", "mount");
            if node.of("driver", "type") != Some("virtiofs") {
                default(node, "accessmode", "mapped");
            }
        }
        "tpm" => {
            let backend = node.reach("backend");
            if backend.attribute("type").is_none_or(|kind| kind == "default") {
                backend.set("type", "emulator");
            }
        }
        _ => {}
    }
}

/// Makes the element of a network card; `None` where there is to be none.
pub fn network(pairs: &[Pair], machine: &mut Machine) -> Option<Element> {
    let mut node = Element::new("interface", []);
    let mut pairs = pairs.to_vec();
    let first = pairs.first().filter(|(_, value)| value.is_none()).map(|(word, _)| word.clone());
    if let Some(word) = first {
        pairs.remove(0);
        match (word.as_str(), word.split_once(':')) {
            ("none", _) => return None,
            ("default", _) => pairs.insert(0, ("network".to_owned(), Some("default".to_owned()))),
            ("passt", _) => pairs.insert(0, ("backend.type".to_owned(), Some("passt".to_owned()))),
            // The old spelling `network:default`.
            (_, Some((kind, name))) => pairs.insert(0, (kind.to_owned(), Some(name.to_owned()))),
            _ => node.set("type", &word),
        }
    }
    for (key, value) in pairs.iter().filter(|(key, _)| !xpath::is_step(key)) {
        if card(key, value.as_deref().unwrap_or_default(), &mut node).is_none() {
            machine.leave(format!("--network {}", one_line(key, 60)));
        }
    }
    for key in xpath::device(&pairs, &mut node) {
        machine.leave(format!("--network {}", one_line(&key, 60)));
    }
    // Where passt is asked for by its name alone.
    if node.attribute("type").is_none() && node.of("backend", "type") == Some("passt") {
        node.set("type", "user");
    }
    let kind = node.attribute("type").unwrap_or_default().to_owned();
    if let Some(name) = node.child("source").and_then(|source| source.attribute("-")).map(str::to_owned) {
        let by = if kind == "direct" { "dev" } else { &kind };
        let source = node.reach("source");
        source.retain_attributes(|name, _| name != "-");
        source.set(by, &name);
    }
    Some(node)
}

/// Keys of a network card whose value goes to one place.
const CARD: &[(&str, &str)] = &[
    ("type", "./@type"),
    ("source", "./source/@-"),
    ("mac", "./mac/@address"),
    ("mac.address", "./mac/@address"),
    ("model", "./model/@type"),
    ("model.type", "./model/@type"),
    ("backend.type", "./backend/@type"),
    ("source.mode", "./source/@mode"),
    ("source_mode", "./source/@mode"),
    ("source.portgroup", "./source/@portgroup"),
    ("target", "./target/@dev"),
    ("target.dev", "./target/@dev"),
    ("link_state", "./link/@state"),
    ("link.state", "./link/@state"),
    ("mtu.size", "./mtu/@size"),
    ("filterref", "./filterref/@filter"),
    ("filterref.filter", "./filterref/@filter"),
    ("driver_name", "./driver/@name"),
    ("driver.name", "./driver/@name"),
    ("driver_queues", "./driver/@queues"),
    ("driver.queues", "./driver/@queues"),
    ("virtualport_type", "./virtualport/@type"),
    ("virtualport.type", "./virtualport/@type"),
];

fn card(key: &str, value: &str, node: &mut Element) -> Option<()> {
    match key {
        "network" | "bridge" => {
            node.set("type", key);
            node.reach("source").set(key, value);
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
    let forward = Forward::parse(&both).ok()?;
    let mut made = Element::new("portForward", [("proto", forward.protocol.as_str())]);
    if let Some(address) = forward.address {
        made.set("address", &address.to_string());
    }
    let (host, guest) = (forward.host.to_string(), forward.guest.to_string());
    made.children.push(Element::new("range", [("start", host.as_str()), ("to", guest.as_str())]));
    node.children.push(made);
    Some(())
}

/// Makes the element of a processor; `None` where virt-install would say nothing of it.
pub fn cpu(pairs: &[Pair], machine: &mut Machine) -> Option<Element> {
    let mut node = Element::new("cpu", []);
    for (index, (key, value)) in pairs.iter().enumerate() {
        let value = value.as_deref();
        let done = match (key.as_str(), value) {
            ("model", Some(name)) => Some(model(name, &mut node)),
            (word, None) if word.len() > 1 && word.starts_with(['+', '-']) => {
                feature(if word.starts_with('+') { "force" } else { "disable" }, &word[1..], &mut node)
            }
            (name, None) if index == 0 => Some(model(name, &mut node)),
            (policy @ ("force" | "require" | "optional" | "disable" | "forbid"), Some(name)) => {
                feature(policy, name, &mut node)
            }
            (name @ ("mode" | "match" | "check"), Some(value)) => {
                node.set(name, value);
                Some(())
            }
            ("migratable", Some(value)) => written(Switch, value).flatten().map(|value| node.set("migratable", value)),
            ("model.fallback" | "model_fallback", Some(value)) => xpath::set(&mut node, "./model/@fallback", value),
            ("vendor", Some(value)) => xpath::set(&mut node, "./vendor", value),
            (key, Some(value)) => {
                let name = key
                    .strip_prefix("topology.")
                    .filter(|name| matches!(*name, "sockets" | "dies" | "cores" | "threads"));
                name.map(|name| node.reach("topology").set(name, value))
            }
            _ => None,
        };
        if done.is_none() {
            machine.leave(format!("--cpu {}", one_line(key, 60)));
        }
    }
    if node.attribute("mode").is_none() && node.child("model").is_some() {
        node.set("mode", "custom");
    }
    (node.attributes().next().is_some() || !node.children.is_empty()).then_some(node)
}

fn model(name: &str, node: &mut Element) {
    match name {
        "host" | "host-model" | "host-copy" | "host-model-only" => node.set("mode", "host-model"),
        "host-passthrough" | "maximum" => node.set("mode", name),
        "none" | "hv-default" => {}
        _ => {
            node.set("mode", "custom");
            node.set("match", "exact");
            name.clone_into(&mut node.reach("model").text);
        }
    }
}

fn feature(policy: &str, name: &str, node: &mut Element) -> Option<()> {
    node.children.push(Element::new("feature", [("policy", policy), ("name", name)]));
    Some(())
}

/// Puts `--clock` into the domain.
pub fn clock(pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    let clock = domain.reach("clock");
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
            machine.leave(format!("--clock {}", one_line(key, 60)));
        }
    }
}

fn timer_says(clock: &mut Element, (name, key, value): (&str, &str, &str)) {
    if !clock.children.iter().any(|timer| timer.attribute("name") == Some(name)) {
        clock.children.push(Element::new("timer", [("name", name)]));
    }
    for timer in clock.children.iter_mut().filter(|timer| timer.attribute("name") == Some(name)) {
        timer.set(key, value);
    }
}

/// Puts `--events` into the domain.
pub fn events(pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    for (key, value) in pairs {
        match (key.as_str(), value) {
            ("on_poweroff" | "on_reboot" | "on_crash" | "on_lockfailure", Some(value)) => {
                let mut node = Element::new(key, []);
                value.clone_into(&mut node.text);
                domain.children.push(node);
            }
            _ => machine.leave(format!("--events {}", one_line(key, 60))),
        }
    }
}
