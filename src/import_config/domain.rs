//! libvirt's XML of a domain → a machine (libvirt: docs/formatdomain.rst). Touches nothing.
//!
//! Elements that every domain has, and those that say what a bundle's own XML says, go without a word; every other one is taken
//! over or named. Read next: [`super::extras`].

use super::found::{Disk, Machine};
use super::input::LIMIT;
use super::{extras, hardware};
use crate::base::ByteSize;
use crate::base::text::one_line;
use crate::format::xml::{self, Element, Limits, XmlError};
use crate::recipe::Network;
use crate::recipe::numbers::Vcpus;

/// Why there is no machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DomainError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("its root is `{0}`; a domain as `virsh dumpxml` prints it is read")]
    Other(String),
    #[error("it is a domain of type `{0}`; kvm and qemu are read")]
    Type(String),
}

/// What a domain may hold: libvirt's are nested ten deep, and one with a hundred disks has a thousand elements.
pub(crate) const DOMAIN: Limits = Limits { bytes: LIMIT, depth: 64, elements: 20_000, is_plain: false };

/// Reads a domain.
pub(crate) fn read(bytes: &[u8]) -> Result<Machine, DomainError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::new("it is not UTF-8"))?;
    let root = xml::read(text, &DOMAIN)?;
    if root.name != "domain" {
        return Err(DomainError::Other(one_line(&root.name, 60)));
    }
    let mut machine = Machine::default();
    match root.attribute("type") {
        Some("kvm") | None => {}
        Some("qemu") => machine.tcg = true,
        Some(other) => return Err(DomainError::Type(one_line(other, 40))),
    }
    take(&root, &mut machine);
    // A domain says all it has, and has one processor where it says nothing; a recipe's machine would have more of both.
    if root.child("devices").is_none_or(|devices| devices.child("interface").is_none()) {
        machine.network = Some(Network::None);
    }
    machine.vcpus = machine.vcpus.or(Some(Vcpus(1)));
    hardware::settle(&mut machine);
    Ok(machine)
}

/// Takes what stands in a domain.
pub(crate) fn take(root: &Element, machine: &mut Machine) {
    root.children.iter().for_each(|child| element(child, machine));
    memory(root, machine);
    extras::take(root, machine);
}

/// Reads what all else depends upon.
fn element(node: &Element, machine: &mut Machine) {
    let text = &node.text;
    match node.name.as_str() {
        "commandline" if node.is_foreign => commandline(node, machine),
        _ if node.is_foreign => {}
        "name" => machine.name = Some(text.clone()),
        "description" => machine.description = Some(text.clone()),
        "title" if machine.description.is_none() => machine.description = Some(text.clone()),
        "uuid" => machine.skip("the UUID: it follows from the recipe"),
        "vcpu" => vcpu(node, machine),
        "os" => os(node, machine),
        "sysinfo" => sysinfo(node, machine),
        "devices" => node.children.iter().for_each(|device| self::device(device, machine)),
        _ => {}
    }
}

/// In libvirt's words `memory` is what `currentMemory` may grow to.
fn memory(root: &Element, machine: &mut Machine) {
    let Some(most) = root.child("memory") else { return };
    machine.take_memory(amount(most, "KiB"));
    let Some(current) = root.child("currentMemory") else { return };
    let current = amount(current, "KiB");
    let Some((most, current)) = machine.memory.zip(current).filter(|(most, current)| *current < most.0) else { return };
    match ByteSize(current).try_into() {
        Ok(current) => (machine.memory, machine.hardware.memory.max) = (Some(current), Some(most)),
        Err(_) => machine.skip("<currentMemory>: a recipe has whole MiB; it is all of the memory now"),
    }
}

fn vcpu(node: &Element, machine: &mut Machine) {
    machine.take_vcpus(&node.text);
    for (name, _) in node.attributes().filter(|pair| *pair != ("placement", "static")) {
        machine.skip(format!("<vcpu>: {}", one_line(name, 40)));
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
    node.text.parse::<u64>().ok()?.checked_mul(factor)
}

fn os(node: &Element, machine: &mut Machine) {
    if let Some(arch) = node.of("type", "arch") {
        machine.take_arch(arch);
    }
    let machine_type = node.of("type", "machine").unwrap_or("q35");
    if !(machine_type.contains("q35") || machine_type.starts_with("virt")) {
        machine.skip(format!("the machine type `{}`: it is q35, or virt", one_line(machine_type, 40)));
    }
    firmware(node, machine);
    secure_boot(node, machine);
    machine.boots_medium |= node.child("kernel").is_some() || node.of("boot", "dev") == Some("cdrom");
    for name in ["kernel", "initrd", "cmdline", "init", "dtb"].into_iter().filter(|name| node.child(name).is_some()) {
        machine.skip(format!("<{name}>: the machine boots from its disk"));
    }
    for boot in node.all("boot").filter(|boot| !matches!(boot.attribute("dev"), Some("hd" | "cdrom"))) {
        let device = one_line(boot.attribute("dev").unwrap_or_default(), 40);
        machine.skip(format!("<boot> from `{device}`: the machine boots from its disk"));
    }
}

/// Takes UEFI; where libvirt chooses the files, it prints which.
fn firmware(node: &Element, machine: &mut Machine) {
    let loader = node.child("loader");
    let says = |name: &str| loader.and_then(|loader| loader.attribute(name));
    let path = loader.map(|loader| loader.text.as_str()).unwrap_or_default();
    // Of a running domain it prints them without saying that they were its choice.
    let is_chosen = node.attribute("firmware").is_some() || path.starts_with("/usr/share/");
    let is_uefi = ["ovmf", "aavmf", "edk2", "efi"].iter().any(|word| path.to_ascii_lowercase().contains(word));
    machine.uefi |= node.attribute("firmware") == Some("efi") || says("type") == Some("pflash") || is_uefi;
    if !path.is_empty() && !is_chosen {
        let file = one_line(path.rsplit('/').next().unwrap_or(path), 60);
        machine.skip(format!("<loader>: the firmware `{file}`; libvirt chooses its own for the machine"));
    } else if says("type") == Some("rom") && node.attribute("firmware") != Some("bios") {
        machine.skip("<loader>: its type `rom`");
    }
    if says("stateless") == Some("yes") {
        machine.skip("<loader>: stateless; the machine's firmware keeps its variables");
    }
    if let Some(nvram) = node
        .child("nvram")
        .filter(|nvram| !is_chosen && (!nvram.text.is_empty() || nvram.attribute("template").is_some()))
    {
        let what = if nvram.attribute("template").is_some() { "a template for it" } else { "a file" };
        machine.skip(format!("<nvram>: {what}; the firmware's variables begin as libvirt's own template has them"));
    }
}

/// Takes secure boot with the keys that firmware is shipped with.
fn secure_boot(node: &Element, machine: &mut Machine) {
    let feature = |name: &str| {
        let mut features = node.child("firmware").into_iter().flat_map(|firmware| firmware.all("feature"));
        features.find(|feature| feature.attribute("name") == Some(name))?.attribute("enabled")
    };
    let wanted = feature("secure-boot") == Some("yes") || node.of("loader", "secure") == Some("yes");
    match wanted && feature("enrolled-keys") == Some("no") {
        true => machine.skip("secure boot without keys: a recipe has it with those that firmware is shipped with"),
        false => machine.hardware.security.secure_boot |= wanted,
    }
}

fn sysinfo(node: &Element, machine: &mut Machine) {
    if node.attribute("type") != Some("fwcfg") {
        return machine.skip("<sysinfo>");
    }
    for entry in node.all("entry") {
        machine.take_fw_cfg(entry.attribute("name").unwrap_or_default(), entry.attribute("file").unwrap_or_default());
    }
}

fn commandline(node: &Element, machine: &mut Machine) {
    let words: Vec<String> = node.all("arg").filter_map(|arg| arg.attribute("value")).map(str::to_owned).collect();
    machine.take_qemu(&words);
    if node.all("env").next().is_some() {
        machine.skip("environment variables of QEMU");
    }
}

fn device(node: &Element, machine: &mut Machine) {
    match node.name.as_str() {
        "disk" => disk(node, machine),
        "graphics" => extras::graphics(node, machine),
        _ => {}
    }
}

/// Reads a size of virt-install: GiB, which may have a fraction.
fn gib(text: &str) -> Option<ByteSize> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 10;
    if !digits(whole) || !digits(fraction) || text.is_empty() || whole.is_empty() {
        return None;
    }
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = u128::from(if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? });
    let bytes = (u128::from(whole.parse::<u64>().ok()?) << 30) + (fraction << 30) / u128::from(parts);
    // virt-install rounds as it likes; a recipe has whole sectors.
    u64::try_from(bytes / 512 * 512).ok().map(ByteSize)
}

fn source(node: &Element) -> Option<String> {
    let source = node.child("source")?;
    source.attribute("file").or(source.attribute("dev")).map(str::to_owned)
}

/// Finds the last file of a chain, and its format.
fn backing(disk: &Element) -> (Option<String>, Option<String>) {
    let (mut backing, mut backing_format) = (None, None);
    let mut next = disk.child("backingStore");
    while let Some(node) = next {
        if let Some(path) = source(node) {
            backing = Some(path);
            backing_format = node.of("format", "type").map(str::to_owned);
        }
        next = node.child("backingStore");
    }
    (backing, backing_format)
}

/// Names what a disk says that no disk of a recipe does, by attribute or element.
fn unsaid(node: &Element, is_removable: bool, machine: &mut Machine) {
    let file = source(node).unwrap_or_default();
    let shown = one_line(file.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("without a file"), 60);
    let is_first = machine.disks.iter().all(|disk| disk.is_removable);
    let mut tell = |what: &str| machine.skip(format!("the disk `{shown}`: {}", one_line(what, 140)));
    let (bus, dev) = (node.of("target", "bus"), node.of("target", "dev").unwrap_or_default());
    if let Some(bus) = bus.filter(|bus| !is_removable && *bus != "virtio") {
        let named =
            if dev.is_empty() { String::new() } else { format!("; what names /dev/{dev} must name it by its serial") };
        tell(&format!("the bus `{bus}`: it is `virtio` now{named}"));
    }
    for (name, value) in node.attributes() {
        match (name, value) {
            ("type" | "size", _) | ("device", "disk" | "cdrom" | "floppy") | ("model", "virtio") => {}
            _ => tell(name),
        }
    }
    for child in &node.children {
        let known = |name: &str, value: &str| match (child.name.as_str(), name) {
            ("driver", "name" | "type") | ("source", "file" | "dev" | "index") | ("target", "dev" | "bus") => true,
            ("driver", "discard") => value == "unmap",
            ("driver", "cache" | "io") => value == "default",
            ("target", "tray") => value == "closed",
            ("source", "startupPolicy") => is_removable && value == "optional",
            ("boot", "order") => is_first || is_removable,
            _ => false,
        };
        match child.name.as_str() {
            "alias" | "address" | "backingStore" | "serial" => {}
            "readonly" if is_removable => {}
            "driver" | "source" | "target" | "boot" => {
                let unknown = child.attributes().filter(|(name, value)| !known(name, value)).map(|(name, _)| name);
                let inside = child.children.iter().map(|inner| inner.name.as_str());
                for name in unknown.chain(inside) {
                    tell(&format!("<{}> {name}", child.name));
                }
            }
            name => tell(&format!("<{name}>")),
        }
    }
}

/// Reads a disk; where a chain of backing files is spelt out, its last one is the image.
fn disk(node: &Element, machine: &mut Machine) {
    let removable = matches!(node.attribute("device"), Some("cdrom" | "floppy"));
    let path = source(node);
    let (backing, backing_format) = backing(node);
    let size = node.attribute("size").and_then(gib);
    if path.is_none() && size.is_none() && backing.is_none() {
        match node.child("source") {
            Some(_) => {
                machine.skip(format!("a disk of type `{}`", one_line(node.attribute("type").unwrap_or_default(), 40)))
            }
            None if removable => {
                machine.skip(format!("an empty drive ({})", one_line(node.attribute("device").unwrap_or_default(), 40)))
            }
            None => machine.skip("a disk that neither a file nor a size is said of"),
        }
        return;
    }
    unsaid(node, removable, machine);
    let first = node.of("boot", "order") == Some("1") || machine.boots_medium;
    if removable && first && machine.medium.is_none() {
        machine.medium = path.clone();
    }
    machine.disks.push(Disk {
        path,
        size,
        format: node.of("driver", "type").map(str::to_owned),
        serial: node.child("serial").map(|serial| serial.text.clone()),
        backing,
        backing_format,
        is_removable: removable,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FwCfgName;

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
            assert_eq!(
                (machine.memory.map(ByteSize::from), machine.skipped.is_empty()),
                (expected, expected.is_some()),
                "{memory}"
            );
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
            "<title>t</title><uuid>SECRET</uuid><devices><graphics type='vnc' passwd='SECRET'/><hostdev password='SECRET'/>\
             <interface type='bridge'><source bridge='br0'/><mac address='SECRET'/></interface>\
             <graphics type='spice' passwd='SECRET'/></devices><launchSecurity>SECRET</launchSecurity>",
        );
        assert_eq!(machine.network.as_ref().map(Network::to_string).as_deref(), Some("bridge:br0"));
        assert_eq!(machine.skipped.len(), 6, "{:?}", machine.skipped);
        assert!(machine.skipped.iter().all(|line| !line.contains("SECRET")));
    }

    /// What stands in a disk, or in `<os>`, and what is said of it.
    #[test]
    fn what_a_disk_or_firmware_says_besides_is_named() {
        let disk = |driver: &str, target: &str, more: &str| {
            format!(
                "<devices><disk type='file' device='disk'><driver name='qemu' type='raw' {driver}/><source file='/d/a.img'/>\
                 <target dev='sda' {target}/>{more}</disk></devices>"
            )
        };
        let os = |inside: &str| format!("<os>{inside}</os>");
        for (inside, expected) in [
            (disk("cache='none'", "", ""), "the disk `a.img`: <driver> cache"),
            (disk("io='native'", "", ""), "the disk `a.img`: <driver> io"),
            (disk("discard='ignore'", "", ""), "the disk `a.img`: <driver> discard"),
            (disk("queues='4'", "", ""), "the disk `a.img`: <driver> queues"),
            (disk("iothread='1'", "", ""), "the disk `a.img`: <driver> iothread"),
            (disk("", "bus='sata'", ""), "the disk `a.img`: the bus `sata`: it is `virtio` now; what names /dev/sda"),
            (disk("", "rotation_rate='1'", ""), "the disk `a.img`: <target> rotation_rate"),
            (disk("", "removable='on'", ""), "the disk `a.img`: <target> removable"),
            (disk("", "", "<readonly/>"), "the disk `a.img`: <readonly>"),
            (disk("", "", "<shareable/>"), "the disk `a.img`: <shareable>"),
            (disk("", "", "<wwn>5</wwn>"), "the disk `a.img`: <wwn>"),
            (disk("", "", "<blockio logical_block_size='4096'/>"), "the disk `a.img`: <blockio>"),
            (disk("", "", "<encryption format='luks'/>"), "the disk `a.img`: <encryption>"),
            ("<devices><disk device='cdrom'><target dev='sda'/></disk></devices>".to_owned(), "an empty drive (cdrom)"),
            (os("<loader type='pflash'>/x/F.fd</loader>"), "<loader>: the firmware `F.fd`"),
            (os("<loader type='pflash'>/x/F.fd</loader><nvram>/y</nvram>"), "<nvram>: a file"),
            (os("<loader stateless='yes' type='pflash'/>"), "<loader>: stateless"),
            (os("<loader type='rom'/>"), "<loader>: its type `rom`"),
            ("<devices><graphics type='vnc' websocket='5700'/></devices>".to_owned(), "<graphics>: websocket"),
            ("<devices><graphics type='vnc' port='5907'/></devices>".to_owned(), "<graphics>: port"),
            ("<devices><controller type='scsi'/></devices>".to_owned(), "<controller>: scsi"),
        ] {
            let skipped = domain(&inside).skipped;
            assert!(skipped.iter().any(|line| line.starts_with(expected)), "{inside} {skipped:#?}");
        }
        let plain = disk("discard='unmap' cache='default'", "bus='virtio'", "<alias name='x'/><boot order='1'/>");
        assert_eq!(domain(&plain).skipped, [""; 0]);
        let chosen = "<os firmware='efi'><loader type='pflash'>/x/F.fd</loader><nvram>/y</nvram></os>";
        assert_eq!(domain(chosen).skipped, [""; 0]);
    }

    #[test]
    fn what_is_no_domain_is_named() {
        assert_eq!(read(b"<network/>").err(), Some(DomainError::Other("network".into())));
        assert_eq!(read(b"<domain type='xen'/>").err(), Some(DomainError::Type("xen".into())));
    }
}
