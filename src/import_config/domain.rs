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
    let pflash = node.of("loader", "type") == Some("pflash");
    machine.uefi |= node.attribute("firmware") == Some("efi") || pflash;
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
            None if removable => {}
            None => machine.skip("a disk that neither a file nor a size is said of"),
        }
        return;
    }
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

    #[test]
    fn what_is_no_domain_is_named() {
        assert_eq!(read(b"<network/>").err(), Some(DomainError::Other("network".into())));
        assert_eq!(read(b"<domain type='xen'/>").err(), Some(DomainError::Type("xen".into())));
    }
}
