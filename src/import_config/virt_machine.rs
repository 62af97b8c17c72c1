//! What virt-install's options say of a machine as a whole: memory, processors, firmware, screen. Touches nothing.

use super::found::Machine;
use super::options::{self, Pair};
use super::{extras, hardware, virt_device};
use crate::base::MacAddress;
use crate::base::text::one_line;
use crate::format::xml::{Element, element};

/// Returns a key's value, or the first word, which needs no key.
pub(crate) fn first<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    let positional = pairs.first().filter(|(_, value)| value.is_none()).map(|(word, _)| word.as_str());
    options::value(pairs, key).or(positional)
}

/// Names what is not known of an option.
fn name_unknown(name: &str, pairs: &[Pair], keys: &[&str], machine: &mut Machine) {
    for (index, (key, value)) in pairs.iter().enumerate() {
        let positional = index == 0 && value.is_none();
        if !positional && !keys.contains(&key.as_str()) {
            machine.skip(virt_device::unknown(name, key, value.is_some()));
        }
    }
}

/// Takes what is not an element of the domain that a device could be.
pub(crate) fn of_machine(name: &str, text: &str, pairs: &[Pair], machine: &mut Machine) {
    match name {
        "name" => machine.name = Some(text.to_owned()),
        "description" => machine.description = Some(text.to_owned()),
        "arch" => machine.take_arch(text),
        "machine" if text.contains("q35") || text == "virt" => {}
        "virt-type" => virt_type(text, machine),
        "osinfo" => osinfo(pairs, machine),
        "autostart" => machine.hardware.autostart = true,
        "nographics" => machine.take_graphics("none"),
        "mac" => network_mac(text, machine),
        "uuid" => machine.skip("--uuid: it follows from the recipe"),
        _ => machine.skip(format!("--{}", one_line(name, 40))),
    }
}

/// Ports and channels that every machine of ours has; any other is named.
pub(crate) fn character(name: &str, pairs: &[Pair], machine: &mut Machine) {
    let kind = first(pairs, "type").unwrap_or_default();
    let target = options::value(pairs, "target.name").or_else(|| options::value(pairs, "name")).unwrap_or_default();
    let ours = match name {
        "channel" => kind == "spicevmc" || extras::is_our_channel(target),
        "rng" => matches!(kind, "/dev/urandom" | "/dev/random" | "random"),
        "console" => {
            kind == "pty"
                && matches!(
                    options::value(pairs, "target.type").or_else(|| options::value(pairs, "target_type")),
                    None | Some("serial")
                )
        }
        _ => kind == "pty",
    };
    if !ours {
        machine.skip(format!("--{name} {}", one_line(kind, 40)));
    }
}

/// Takes the card's address from the old option.
fn network_mac(text: &str, machine: &mut Machine) {
    match MacAddress::parse(text) {
        Ok(mac) => machine.hardware.mac = Some(mac),
        Err(_) if text == "RANDOM" => {}
        Err(_) => machine.skip("--mac: it is not the address of a card"),
    }
}

/// Makes elements of what `memory`, `currentMemory` and the older `maxmemory` mean together (virtinst:
/// `_convert_old_memory_options`); in libvirt's words `memory` is what `currentMemory` may grow to.
pub(crate) fn memory(pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    name_unknown("memory", pairs, &["memory", "currentMemory", "maxmemory", "hugepages"], machine);
    let get = |key| options::value(pairs, key);
    let (now, most) = match (first(pairs, "memory"), get("currentMemory"), get("maxmemory")) {
        (memory, Some(current), most) => (Some(current), most.or(memory)),
        (memory, None, most) => (memory.or(most), most),
    };
    for (name, mib) in [("memory", most.or(now)), ("currentMemory", now)] {
        let node = domain.child_mut(name);
        node.set("unit", "MiB");
        mib.unwrap_or_default().clone_into(&mut node.text);
    }
    if matches!(get("hugepages"), Some("on" | "yes")) {
        domain.child_mut("memoryBacking").children.push(element("hugepages"));
    }
}

/// Takes the processors, and the topology that may stand there too.
pub(crate) fn vcpus(pairs: &[Pair], domain: &mut Element, machine: &mut Machine) {
    let counts = ["sockets", "dies", "cores", "threads"];
    name_unknown("vcpus", pairs, &[&counts[..], &["vcpus", "vcpu"]].concat(), machine);
    if let Some(text) = first(pairs, "vcpus").or_else(|| options::value(pairs, "vcpu")) {
        text.clone_into(&mut domain.child_mut("vcpu").text);
    }
    let mut node = element("topology");
    for key in counts {
        options::value(pairs, key).into_iter().for_each(|count| node.set(key, count));
    }
    if node.attributes().next().is_some() {
        hardware::topology(&node, machine);
    }
}

fn virt_type(text: &str, machine: &mut Machine) {
    match text {
        "kvm" => {}
        "qemu" => machine.tcg = true,
        _ => machine.skip(format!("--virt-type {}", one_line(text, 40))),
    }
}

fn osinfo(pairs: &[Pair], machine: &mut Machine) {
    let name = first(pairs, "name").or_else(|| options::value(pairs, "short-id"));
    machine.osinfo =
        name.filter(|name| !matches!(*name, "auto" | "none" | "detect")).and_then(|name| name.parse().ok());
}
