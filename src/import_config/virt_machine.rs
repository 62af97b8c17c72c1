//! What virt-install's options say of a machine as a whole: memory, processors, firmware, screen. Touches nothing.

use super::found::Machine;
use super::options::{self, Pair};
use super::{domain, extras, hardware, virt_device};
use crate::base::MacAddress;
use crate::base::text::one_line;
use crate::format::xml::{Element, element};
use crate::recipe::numbers::Vcpus;

/// Returns a key's value, or the first word, which needs no key.
pub(crate) fn first<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    let positional = pairs.first().filter(|(_, value)| value.is_none()).map(|(word, _)| word.as_str());
    options::value(pairs, key).or(positional)
}

/// Takes what is known of an option and names the rest.
pub(crate) fn known(
    name: &str,
    pairs: &[Pair],
    keys: &[&str],
    machine: &mut Machine,
    take: impl FnOnce(&mut Machine, &[Pair]),
) {
    take(machine, pairs);
    let rest = pairs.iter().enumerate().filter(|(index, (key, value))| {
        let positional = *index == 0 && value.is_none();
        !positional && !keys.contains(&key.as_str())
    });
    for (_, (key, value)) in rest {
        machine.skip(virt_device::unknown(name, key, value.is_some()));
    }
}

/// Takes what is no element of the domain that a device could be.
pub(crate) fn of_machine(name: &str, text: &str, pairs: &[Pair], machine: &mut Machine) {
    match name {
        "name" => machine.name = Some(text.to_owned()),
        "description" => machine.description = Some(text.to_owned()),
        "metadata" => known(name, pairs, &["description"], machine, |machine, pairs| {
            machine.description = options::value(pairs, "description").map(str::to_owned);
        }),
        "memory" => memory(pairs, machine),
        "vcpus" => vcpus(pairs, machine),
        "arch" => machine.take_arch(text),
        "machine" if text.contains("q35") || text == "virt" => {}
        "virt-type" => virt_type(text, machine),
        "boot" => boot(pairs, machine),
        "osinfo" => osinfo(pairs, machine),
        "autostart" => machine.hardware.autostart = true,
        "graphics" => graphics(pairs, machine),
        "nographics" => machine.take_graphics("none"),
        "sysinfo" => sysinfo(pairs, machine),
        "qemu-commandline" => qemu(text, machine),
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

/// Takes what `memory`, `currentMemory` and the older `maxmemory` mean together (virtinst: `_convert_old_memory_options`).
fn memory(pairs: &[Pair], machine: &mut Machine) {
    let keys = ["memory", "currentMemory", "maxmemory", "hugepages"];
    known("memory", pairs, &keys, machine, |machine, pairs| {
        let mib = |text: &str| text.parse::<u64>().ok()?.checked_mul(1 << 20);
        let (memory, most) = match (
            first(pairs, "memory"),
            options::value(pairs, "currentMemory"),
            options::value(pairs, "maxmemory"),
        ) {
            (memory, Some(current), most) => (Some(current), most.or(memory)),
            (memory, None, most) => (memory.or(most), most),
        };
        machine.take_memory(memory.and_then(mib));
        let now = machine.memory;
        if let Some(most) = most {
            machine.take_memory(mib(most));
            machine.hardware.memory.max = std::mem::replace(&mut machine.memory, now);
        }
        machine.hardware.memory.hugepages |= matches!(options::value(pairs, "hugepages"), Some("on" | "yes"));
    });
}

/// Takes the processors, and the topology that may stand there too.
fn vcpus(pairs: &[Pair], machine: &mut Machine) {
    let keys = ["vcpus", "vcpu", "sockets", "dies", "cores", "threads"];
    known("vcpus", pairs, &keys, machine, |machine, pairs| {
        let mut node = element("topology");
        for key in &keys[2..] {
            options::value(pairs, key).into_iter().for_each(|count| node.set(key, count));
        }
        if node.attributes().next().is_some() {
            hardware::topology(&node, machine);
        }
        match (first(pairs, "vcpus").or_else(|| options::value(pairs, "vcpu")), machine.hardware.topology) {
            (None, Some(topology)) => machine.vcpus = Some(Vcpus(topology.vcpus())),
            (text, _) => machine.take_vcpus(text.unwrap_or_default()),
        }
    });
}

/// Takes a screen; its keys are those of the element.
fn graphics(pairs: &[Pair], machine: &mut Machine) {
    let mut node = element("graphics");
    node.set("type", first(pairs, "type").unwrap_or_default());
    for (key, value) in pairs.iter().filter(|(key, value)| value.is_some() && key != "type") {
        match key.as_str() {
            "password" => node.set("passwd", ""),
            key => node.set(key, value.as_deref().unwrap_or_default()),
        }
    }
    extras::graphics(&node, machine);
    if pairs.iter().skip(1).any(|(_, value)| value.is_none()) {
        machine.skip(virt_device::unknown("graphics", "", false));
    }
}

fn virt_type(text: &str, machine: &mut Machine) {
    match text {
        "kvm" => {}
        "qemu" => machine.tcg = true,
        _ => machine.skip(format!("--virt-type {}", one_line(text, 40))),
    }
}

fn boot(pairs: &[Pair], machine: &mut Machine) {
    let known_keys = [
        "uefi",
        "firmware",
        "loader",
        "loader.readonly",
        "loader.type",
        "loader_ro",
        "loader_type",
        "loader_secure",
        "nvram",
        "nvram.template",
        "nvram_template",
        "hd",
        "cdrom",
        "menu",
        "bootmenu.enable",
        "loader.secure",
    ];
    let features = pairs.iter().map(|(key, _)| key.as_str()).filter(|key| key.starts_with("firmware.feature"));
    let keys: Vec<_> = known_keys.into_iter().chain(features).collect();
    known("boot", pairs, &keys, machine, |machine, pairs| {
        let efi = |(key, value): &Pair| match key.as_str() {
            "uefi" => true,
            "firmware" => value.as_deref() == Some("efi"),
            "loader" => true,
            _ => false,
        };
        machine.uefi |= pairs.iter().any(efi);
        domain::secure_boot(&firmware(pairs), machine);
    });
}

/// Makes `<os>` of what is said of the firmware.
fn firmware(pairs: &[Pair]) -> Element {
    let mut os = element("os");
    let secure = |(key, value): &Pair| {
        matches!(key.as_str(), "loader_secure" | "loader.secure") && value.as_deref().is_some_and(is_yes)
    };
    if pairs.iter().any(secure) {
        os.child_mut("loader").set("secure", "yes");
    }
    for (key, name) in pairs {
        let Some(feature) = key.strip_suffix(".name").filter(|key| key.starts_with("firmware.feature")) else {
            continue;
        };
        let enabled = options::value(pairs, &format!("{feature}.enabled")).is_some_and(is_yes);
        let (name, enabled) = (name.as_deref().unwrap_or_default(), if enabled { "yes" } else { "no" });
        os.child_mut("firmware").children.push(element("feature").with("name", name).with("enabled", enabled));
    }
    os
}

fn is_yes(text: &str) -> bool {
    matches!(text, "yes" | "on" | "true" | "1")
}

fn osinfo(pairs: &[Pair], machine: &mut Machine) {
    let name = first(pairs, "name").or_else(|| options::value(pairs, "short-id"));
    machine.osinfo =
        name.filter(|name| !matches!(*name, "auto" | "none" | "detect")).and_then(|name| name.parse().ok());
}

fn sysinfo(pairs: &[Pair], machine: &mut Machine) {
    if first(pairs, "type") != Some("fwcfg") {
        return machine.skip("--sysinfo");
    }
    for (key, name) in pairs {
        let Some(entry) = key.strip_suffix(".name").filter(|entry| entry.starts_with("entry")) else { continue };
        let file = options::value(pairs, &format!("{entry}.file"));
        machine.take_fw_cfg(name.as_deref().unwrap_or_default(), file.unwrap_or_default());
    }
}

/// `--qemu-commandline` holds words of its own: `-fw_cfg name=…,file=…`, or `args=` before them.
fn qemu(text: &str, machine: &mut Machine) {
    let text = text.strip_prefix("args=").unwrap_or(text);
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match shlex::split(text) {
        Some(words) => machine.take_qemu(&words),
        None => machine.skip("--qemu-commandline: a quote in its value is never closed"),
    }
}
