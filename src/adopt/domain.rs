//! libvirt's XML of a domain → a machine (libvirt: docs/formatdomain.rst). Touches nothing.
//!
//! Elements that every domain has, and those that say what a bundle's own XML says, go without a word; every other one is named.

use super::found::{Disk, Machine};
use super::xml::{self, Element, XmlError};
use crate::base::text::one_line;
use crate::recipe::Network;

/// Elements of a domain that say nothing a recipe could.
const QUIET: [&str; 11] = [
    "currentMemory",
    "features",
    "clock",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "pm",
    "resource",
    "iothreads",
    "metadata",
    "seclabel",
];
/// Devices that libvirt adds by itself, or every machine of ours has.
const DEVICES: [&str; 12] = [
    "emulator",
    "controller",
    "input",
    "console",
    "serial",
    "channel",
    "rng",
    "memballoon",
    "video",
    "audio",
    "watchdog",
    "panic",
];

/// Why there is no machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("its root is `{0}`; a domain as `virsh dumpxml` prints it is read")]
    Other(String),
    #[error("it is a domain of type `{0}`; kvm and qemu are read")]
    Type(String),
}

/// Reads a domain.
pub fn read(bytes: &[u8]) -> Result<Machine, DomainError> {
    let root = xml::read(bytes)?;
    if root.name != "domain" {
        return Err(DomainError::Other(one_line(&root.name, 60)));
    }
    let mut machine = Machine::default();
    match root.attribute("type") {
        Some("kvm") | None => {}
        Some("qemu") => machine.tcg = true,
        Some(other) => return Err(DomainError::Type(one_line(other, 40))),
    }
    for child in &root.children {
        element(child, &mut machine);
    }
    // A domain says all it has, and has one processor where it says nothing; a recipe's machine would have more of both.
    if root.child("devices").is_none_or(|devices| devices.child("interface").is_none()) {
        machine.network = Some(Network::None);
    }
    machine.vcpus = machine.vcpus.or(Some(1));
    Ok(machine)
}

fn element(node: &Element, machine: &mut Machine) {
    let text = node.text.trim();
    match node.name.as_str() {
        "name" => machine.name = Some(text.to_owned()),
        "description" | "title" if machine.description.is_none() => machine.description = Some(text.to_owned()),
        "uuid" => machine.leave("the UUID: it follows from the recipe"),
        "memory" => machine.take_memory(amount(node, "KiB")),
        "vcpu" => machine.take_vcpus(text),
        "cpu" => cpu(node, machine),
        "os" => os(node, machine),
        "sysinfo" => sysinfo(node, machine),
        "commandline" => commandline(node, machine),
        "devices" => node.children.iter().for_each(|device| self::device(device, machine)),
        name if QUIET.contains(&name) => {}
        name => machine.leave(format!("<{}>", one_line(name, 60))),
    }
}

/// Reads an amount of bytes with its unit.
fn amount(node: &Element, default: &str) -> Option<u64> {
    let factor: u64 = match node.attribute("unit").unwrap_or(default) {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    node.text.trim().parse::<u64>().ok()?.checked_mul(factor)
}

fn cpu(node: &Element, machine: &mut Machine) {
    if !matches!(node.attribute("mode"), Some("host-passthrough" | "host-model" | "maximum")) {
        machine.leave("<cpu>: the guest sees the host's processor, or the best that emulation has");
    }
    if node.child("topology").is_some() || node.child("numa").is_some() {
        machine.leave("<cpu>: <topology> and <numa>");
    }
}

fn os(node: &Element, machine: &mut Machine) {
    if let Some(arch) = node.of("type", "arch") {
        machine.take_arch(arch);
    }
    let machine_type = node.of("type", "machine").unwrap_or("q35");
    if !(machine_type.contains("q35") || machine_type.starts_with("virt")) {
        machine.leave(format!("the machine type `{}`: it is q35, or virt", one_line(machine_type, 40)));
    }
    let pflash = node.of("loader", "type") == Some("pflash");
    machine.uefi |= node.attribute("firmware") == Some("efi") || pflash;
    let enabled = |feature: &Element| {
        feature.attribute("name") == Some("secure-boot") && feature.attribute("enabled") == Some("yes")
    };
    if node.child("firmware").is_some_and(|firmware| firmware.all("feature").any(enabled))
        || node.of("loader", "secure") == Some("yes")
    {
        machine.leave("secure boot: a recipe's machine has none");
    }
    machine.boots_medium = node.child("kernel").is_some() || node.of("boot", "dev") == Some("cdrom");
    for name in ["kernel", "initrd", "cmdline", "init", "dtb"].into_iter().filter(|name| node.child(name).is_some()) {
        machine.leave(format!("<{name}>: the machine boots from its disk"));
    }
}

fn sysinfo(node: &Element, machine: &mut Machine) {
    if node.attribute("type") != Some("fwcfg") {
        return machine.leave("<sysinfo>");
    }
    for entry in node.all("entry") {
        machine.take_fw_cfg(entry.attribute("name").unwrap_or_default(), entry.attribute("file").unwrap_or_default());
    }
}

fn commandline(node: &Element, machine: &mut Machine) {
    let words: Vec<String> = node.all("arg").filter_map(|arg| arg.attribute("value")).map(str::to_owned).collect();
    machine.take_qemu(&words);
    if node.all("env").next().is_some() {
        machine.leave("environment variables of QEMU");
    }
}

fn device(node: &Element, machine: &mut Machine) {
    match node.name.as_str() {
        "disk" => disk(node, machine),
        "interface" => interface(node, machine),
        "graphics" => {
            machine.take_graphics(node.attribute("type").unwrap_or_default());
            if node.attribute("passwd").is_some() {
                machine.leave("the password of the screen");
            }
        }
        "tpm" => machine.leave("<tpm>"),
        name if DEVICES.contains(&name) => {}
        name => machine.leave(format!("<{}>", one_line(name, 60))),
    }
}

fn interface(node: &Element, machine: &mut Machine) {
    let kind = node.attribute("type").unwrap_or_default();
    let name = node.child("source").and_then(|source| source.attribute(kind));
    machine.take_network(kind, name);
    if node.child("mac").is_some() {
        machine.leave("the MAC address: it follows from the recipe");
    }
    if node.of("model", "type").is_some_and(|model| model != "virtio") {
        machine.leave("the model of the network card: it is virtio");
    }
}

/// Reads a disk; where a chain of backing files is spelt out, its last one is the image.
fn disk(node: &Element, machine: &mut Machine) {
    let source = |node: &Element| {
        let source = node.child("source")?;
        source.attribute("file").or(source.attribute("dev")).map(str::to_owned)
    };
    let removable = matches!(node.attribute("device"), Some("cdrom" | "floppy"));
    let path = source(node);
    if path.is_none() {
        if node.child("source").is_some() {
            machine.leave(format!("a disk of type `{}`", one_line(node.attribute("type").unwrap_or_default(), 40)));
        }
        return;
    }
    let (mut backing, mut backing_format) = (None, None);
    let mut next = node.child("backingStore");
    while let Some(node) = next {
        if let Some(path) = source(node) {
            backing = Some(path);
            backing_format = node.of("format", "type").map(str::to_owned);
        }
        next = node.child("backingStore");
    }
    let first = node.of("boot", "order") == Some("1") || machine.boots_medium;
    if removable && first && machine.medium.is_none() {
        machine.medium = path.clone();
    }
    machine.disks.push(Disk {
        path,
        size: None,
        format: node.of("driver", "type").map(str::to_owned),
        serial: node.child("serial").map(|serial| serial.text.trim().to_owned()),
        backing,
        backing_format,
        is_removable: removable,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ByteSize, FwCfgName};

    fn domain(inside: &str) -> Machine {
        read(format!("<domain type='kvm'>{inside}</domain>").as_bytes()).unwrap()
    }

    #[test]
    fn amounts_have_units() {
        for (memory, expected) in [
            ("<memory>2097152</memory>", Some(ByteSize::gib(2))),
            ("<memory unit='KiB'>2097152</memory>", Some(ByteSize::gib(2))),
            ("<memory unit='G'>4</memory>", Some(ByteSize::gib(4))),
            ("<memory unit='MiB'> 512 </memory>", Some(ByteSize::mib(512))),
            ("<memory unit='MB'>512</memory>", None),
            ("<memory unit='T'>99999999999999999</memory>", None),
            ("<memory>-1</memory>", None),
            ("<memory unit='x'>1</memory>", None),
        ] {
            let machine = domain(memory);
            assert_eq!((machine.memory, machine.left.is_empty()), (expected, expected.is_some()), "{memory}");
        }
    }

    #[test]
    fn a_chain_of_backing_files_ends_in_the_image() {
        let machine = domain(
            "<devices><disk device='disk'><source file='/x/top'/><backingStore type='file'><format type='qcow2'/><source file='/x/mid'/>\
             <backingStore type='file'><format type='raw'/><source file='/x/base'/><backingStore/></backingStore></backingStore></disk></devices>",
        );
        assert_eq!(machine.disks[0].backing.as_deref(), Some("/x/base"));
        assert_eq!(machine.disks[0].backing_format.as_deref(), Some("raw"));
    }

    #[test]
    fn fw_cfg_is_read_in_both_spellings() {
        for inside in [
            "<sysinfo type='fwcfg'><entry name='opt/org.opensuse.combustion/script' file='/x/script'/></sysinfo>",
            "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-fw_cfg'/>\
             <qemu:arg value='name=opt/org.opensuse.combustion/script,file=/x/script'/></qemu:commandline>",
        ] {
            assert_eq!(domain(inside).fw_cfg, [(FwCfgName::Combustion, "/x/script".to_owned())], "{inside}");
        }
    }

    #[test]
    fn sec_4_what_a_domain_says_besides_is_named_without_its_value() {
        let machine = domain(
            "<title>t</title><uuid>SECRET</uuid><devices><graphics type='vnc' passwd='SECRET'/><hostdev x='SECRET'/>\
             <interface type='bridge'><source bridge='br0'/><mac address='SECRET'/></interface><interface type='user'/></devices>\
             <launchSecurity>SECRET</launchSecurity>",
        );
        assert_eq!(machine.network.as_ref().map(Network::to_string).as_deref(), Some("bridge:br0"));
        assert_eq!(machine.left.len(), 6, "{:?}", machine.left);
        assert!(machine.left.iter().all(|line| !line.contains("SECRET")));
    }

    #[test]
    fn what_is_no_domain_is_named() {
        assert_eq!(read(b"<network/>").err(), Some(DomainError::Other("network".into())));
        assert_eq!(read(b"<domain type='xen'/>").err(), Some(DomainError::Type("xen".into())));
    }
}
