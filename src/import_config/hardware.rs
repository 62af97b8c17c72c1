//! Elements of a domain that the further keys of `[machine]` stand for (libvirt: docs/formatdomain.rst). Touches nothing.
//!
//! A key is written only where it says exactly what the element says; else the element becomes an edit of the XML. The reader
//! of virt-install makes the same elements of its options, so both readers end here. Read next: [`super::edit`].

use super::edit;
use super::found::Machine;
use crate::base::text::one_line;
use crate::base::{Arch, ByteSize, MacAddress};
use crate::format::xml::Element;
use crate::machine::keys;
use crate::recipe::numbers::Vcpus;
use crate::recipe::{Cpu, CpuMode, Forward, Network, Topology};

/// Takes what a key of an element stands for; what none does becomes an edit.
pub(crate) fn keys(parent: &str, nodes: Vec<Element>, machine: &mut Machine) {
    let arch = machine.arch.unwrap_or(Arch::X86_64);
    for node in keys::take(parent, nodes, arch, &mut machine.hardware) {
        edit::add(machine, parent, &node);
    }
}

/// Takes `<cpu>`: a mode or a model, its topology, and more features; one that says more is replaced whole.
pub(crate) fn cpu(node: &Element, machine: &mut Machine) {
    let model = node.child("model").is_some_and(|model| !model.text.is_empty());
    match (named_cpu(node), is_plain(node)) {
        (Some(name), true) => machine.hardware.cpu = Some(name),
        _ if !model && node.attribute("mode").is_none_or(|mode| mode == "custom") => {
            machine.skip("<cpu> without a model: the guest sees the host's processor, or the best that emulation has");
        }
        _ => return edit::replace(machine, ".", node, None),
    }
    // Of a running domain libvirt writes what the host gave.
    let found = node.attribute("check") == Some("full");
    if found && node.child("feature").is_some() {
        machine.skip(
            "<cpu>: its features, which are what the host gave; `virsh dumpxml --inactive` prints what was asked",
        );
    }
    for child in &node.children {
        match child.name.as_str() {
            "model" => {}
            "feature" if found => {}
            "topology" => topology(child, machine),
            _ => edit::add(machine, "cpu", child),
        }
    }
}

/// Returns what `cpu` would say: a mode, or the name of a model.
fn named_cpu(node: &Element) -> Option<Cpu> {
    let model = node.child("model").map(|model| model.text.as_str()).filter(|text| !text.is_empty());
    match node.attribute("mode") {
        None | Some("custom") => model?.parse().ok(),
        Some(mode) => CpuMode::parse(mode).filter(|_| model.is_none()).map(Cpu::Mode),
    }
}

/// Returns whether there is nothing that only the element itself could say.
fn is_plain(node: &Element) -> bool {
    let known = |(name, value): (&str, &str)| {
        matches!((name, value), ("mode" | "check", _) | ("match", "exact") | ("migratable", "on"))
    };
    // Of a running domain it says what came of it.
    let is_found = node.attribute("check") == Some("full");
    let usual = |(name, value): (&str, &str)| name == "fallback" && (value == "allow" || is_found);
    let model = node.child("model").is_none_or(|model| model.attributes().all(usual));
    node.attributes().all(known) && model && node.child("topology").is_none_or(|topology| counts(topology).is_some())
}

pub(crate) fn topology(node: &Element, machine: &mut Machine) {
    machine.hardware.topology = counts(node);
    if machine.hardware.topology.is_none() {
        machine.skip("<topology>: a recipe has sockets, cores and threads");
    }
}

/// Reads a topology that has no more levels than a recipe's.
fn counts(node: &Element) -> Option<Topology> {
    let count = |name| node.attribute(name).map_or(Some(Vcpus(1)), Vcpus::parse);
    let topology = Topology { sockets: count("sockets")?, cores: count("cores")?, threads: count("threads")? };
    let known = |(name, value)| match name {
        "sockets" | "cores" | "threads" => true,
        "dies" | "clusters" => value == "1",
        _ => false,
    };
    (node.attributes().all(known) && topology.vcpus() <= 1024).then_some(topology)
}

/// Takes a network card: the first as keys where they can say it, any other as it is.
pub(crate) fn interface(node: &Element, machine: &mut Machine) {
    let mut node = edit::bare(node, machine);
    // libvirt finds a name for the host's end by itself.
    let is_generated = |child: &Element| {
        child
            .attribute("dev")
            .is_some_and(|dev| ["vnet", "macvtap", "macvlan"].iter().any(|name| dev.starts_with(name)))
    };
    node.children.retain(|child| child.name != "target" || !is_generated(child));
    let first = machine.network.is_none();
    match network(&node).filter(|_| first) {
        Some(network) => {
            machine.network = Some(network);
            card(&node, machine);
        }
        None => {
            if edit::added(machine, "devices", &node) && first {
                machine.network = Some(Network::None);
            }
        }
    }
}

fn network(node: &Element) -> Option<Network> {
    let kind = node.attribute("type").unwrap_or_default();
    match kind {
        "user" if node.of("backend", "type") == Some("passt") => Some(Network::Passt),
        "user" => Some(Network::User),
        _ => format!("{kind}:{}", node.of("source", kind)?).parse().ok(),
    }
}

/// Takes what the first card is besides its network.
fn card(node: &Element, machine: &mut Machine) {
    let parent = "devices/interface";
    let passt = machine.network == Some(Network::Passt);
    for child in &node.children {
        match child.name.as_str() {
            "mac" => mac(child, machine),
            "model" if child.attribute("type") == Some("virtio") => {}
            "model" => edit::replace(machine, parent, child, None),
            "source" => source(child, node.attribute("type").unwrap_or_default(), machine),
            "backend" if passt && child.attributes().count() == 1 => {}
            "backend" if passt => edit::replace(machine, parent, child, None),
            "portForward" if passt => forwards(child, machine),
            _ => edit::add(machine, parent, child),
        }
    }
    for (name, _) in node.attributes().filter(|(name, _)| *name != "type") {
        machine.skip(format!("<interface>: {}", one_line(name, 40)));
    }
}

fn mac(node: &Element, machine: &mut Machine) {
    match node.attribute("address").map(MacAddress::parse) {
        Some(Ok(mac)) => machine.hardware.mac = Some(mac),
        Some(Err(_)) => machine.skip("the MAC address: it is not one, and follows from the recipe now"),
        None => {}
    }
}

/// A running domain's source tells also which port and bridge it got.
fn source(node: &Element, kind: &str, machine: &mut Machine) {
    let mut node = node.clone();
    node.retain_attributes(|name, _| !matches!(name, "portid") && (name != "bridge" || kind == "bridge"));
    let known = node.attributes().all(|(name, _)| name == kind) && node.children.is_empty();
    match (known, kind) {
        (true, _) => {}
        // Neither QEMU's own network nor passt have a source in our domain.
        (false, "user") => edit::add(machine, "devices/interface", &node),
        (false, _) => edit::replace(machine, "devices/interface", &node, None),
    }
}

/// Takes forwarded ports; a span is spelt out.
fn forwards(node: &Element, machine: &mut Machine) {
    let plain = node.attributes().all(|(name, _)| matches!(name, "proto" | "address"));
    let ranges: Option<Vec<_>> = node.children.iter().map(|range| span(node, range)).collect();
    let ranges: Option<Vec<_>> = ranges.map(|ranges| ranges.concat());
    match ranges
        .filter(|ranges| plain && !ranges.is_empty() && machine.hardware.ports.len() + ranges.len() <= Forward::LIMIT)
    {
        Some(ranges) => machine.hardware.ports.extend(ranges),
        None => edit::add(machine, "devices/interface", node),
    }
}

fn span(node: &Element, range: &Element) -> Option<Vec<Forward>> {
    let plain = range.attributes().all(|(name, _)| matches!(name, "start" | "end" | "to"));
    let port = |name: &str| range.attribute(name).map(str::parse::<u16>).transpose().ok();
    let start = port("start")?.filter(|_| plain && range.name == "range")?;
    let (end, to) = (port("end")?.unwrap_or(start), port("to")?.unwrap_or(start));
    let address = node.attribute("address").map(|address| format!("{address}:")).unwrap_or_default();
    let protocol = node.attribute("proto")?;
    let count = usize::from(end.checked_sub(start)?) + 1;
    let one = |step: u16| format!("{address}{}:{}/{protocol}", start + step, to.checked_add(step)?).parse().ok();
    (0..).take(count.min(Forward::LIMIT + 1)).map(one).collect()
}

/// Lets go of what the other keys do not allow, and of what is said by leaving it out.
pub(crate) fn settle(machine: &mut Machine) {
    let tcg = machine.tcg;
    let usual = Cpu::Mode(if tcg { CpuMode::Maximum } else { CpuMode::HostPassthrough });
    let of_host = matches!(machine.hardware.cpu, Some(Cpu::Mode(CpuMode::HostPassthrough | CpuMode::HostModel)));
    if tcg && of_host {
        machine.skip("the host's processor: emulation has the best that it can be");
    }
    if machine.hardware.cpu == Some(usual) || (tcg && of_host) {
        machine.hardware.cpu = None;
    }
    // A command may say the one and leave the other to follow.
    machine.vcpus = machine.vcpus.or(machine.hardware.topology.map(|topology| Vcpus(topology.vcpus())));
    if machine.hardware.topology.is_some_and(|topology| Some(Vcpus(topology.vcpus())) != machine.vcpus) {
        machine.hardware.topology = None;
        machine.skip("<topology>: it makes another number of processors");
    }
    let memory = machine.memory.map_or(ByteSize::gib(2), ByteSize::from);
    machine.hardware.memory.max = machine.hardware.memory.max.filter(|max| **max > memory);
    let can = machine.uefi && machine.arch != Some(Arch::Aarch64);
    if machine.hardware.security.secure_boot && !can {
        machine.hardware.security.secure_boot = false;
        machine.skip("secure boot: a recipe has it with UEFI on x86_64");
    }
    if machine.network == Some(Network::None) {
        machine.hardware.mac = None;
    }
    let mut kept: Vec<Forward> = vec![];
    let ports = std::mem::take(&mut machine.hardware.ports);
    for forward in ports {
        match kept.iter().any(|other| other.meets(&forward)) {
            true => machine.skip(format!("the port {} of the host: it is forwarded twice", forward.host)),
            false => kept.push(forward),
        }
    }
    machine.hardware.ports = kept;
}
