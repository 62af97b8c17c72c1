//! Domain XML (libvirt: formatdomain, <https://libvirt.org/formatdomain.html>). Touches nothing.
//!
//! What the hardware's keys stand for, and what every domain has, is written by [`crate::machine`]. Read next: [`super::form`],
//! [`super::virt_install`].

use super::edit;
use super::form::{self, Drive, Form, INITRD, KERNEL, Role, Stage};
use crate::base::{Arch, ByteSize, Diagnostic};
use crate::format::xml::{Element, element, fixed};
use crate::machine::keys::elements;
use crate::machine::standing::{VIDEO, standing};
use crate::plan::{Cpu, Firmware, Forward, Graphics, Machine, Network, REPORT_PORT};

/// Writes the domain of a form.
///
/// # Errors
///
/// `E_RECIPE` where an edit of the recipe finds no place.
pub(crate) fn write(form: &Form) -> Result<Vec<u8>, Diagnostic> {
    let mut domain = domain(form);
    edit::apply(form, &mut domain)?;
    Ok(domain.to_document().into_bytes())
}

/// Returns the domain without the recipe's edits.
pub(crate) fn domain(form: &Form) -> Element {
    let machine = form.machine;
    let text = |name, text: &str| element(name).with_text(text);
    let kib = |name, size: ByteSize| text(name, &(size.0 >> 10).to_string()).with("unit", "KiB");
    let most = machine.hardware.memory.max.map_or(machine.memory, ByteSize::from);
    let backing = element("memoryBacking").containing(elements("memoryBacking", &form.spec()));
    let on_reboot = if form.stage == Stage::Installing { "destroy" } else { "restart" };
    let mut standing = standing("domain", machine.arch);
    standing.insert(1, text("on_reboot", on_reboot));
    element("domain")
        .with("type", form::virt_type(machine.accel))
        .containing([text("name", machine.name.as_str()), text("uuid", &form.identity.uuid)])
        .containing(machine.description.iter().map(|description| text("description", description)))
        .containing([kib("memory", most), kib("currentMemory", machine.memory)])
        .containing((!backing.children.is_empty()).then_some(backing))
        .containing([text("vcpu", &machine.vcpus.to_string())])
        .containing(sysinfo(form))
        .containing([os(form), features(form), cpu(machine), clock(machine.arch)])
        .containing(standing)
        .containing([devices(form)])
}

/// `file=` always: libvirt 9 hands an inline value to QEMU with its XML escapes in it.
fn sysinfo(form: &Form) -> Option<Element> {
    let entry = |(key, name): &(crate::base::FwCfgName, &str)| {
        element("entry").with("name", key.as_str()).with("file", path(form, name))
    };
    let entries: Vec<_> = form.fw_cfg().iter().map(entry).collect();
    (!entries.is_empty()).then(|| element("sysinfo").with("type", "fwcfg").containing(entries))
}

fn os(form: &Form) -> Element {
    let machine = form.machine;
    let kind = element("type").with("arch", machine.arch).with("machine", form::machine_type(machine.arch));
    let kind = kind.with_text("hvm");
    let feature = |(name, enabled): &(&str, &str)| element("feature").with("enabled", enabled).with("name", name);
    let os = match machine.firmware {
        Firmware::Bios => element("os").containing([kind]),
        Firmware::Uefi => element("os")
            .with("firmware", "efi")
            .containing([kind])
            .containing([element("firmware").containing(form::firmware_features(machine).iter().map(feature))])
            .containing(machine.hardware.security.secure_boot.then(|| fixed("<loader secure='yes'/>"))),
    };
    os.containing(form.kernel().into_iter().flat_map(|arguments| {
        [("kernel", path(form, KERNEL)), ("initrd", path(form, INITRD)), ("cmdline", arguments)]
            .map(|(name, text)| element(name).with_text(text))
    }))
}

fn features(form: &Form) -> Element {
    let standing = standing("features", form.machine.arch);
    element("features").containing(standing).containing(elements("features", &form.spec()))
}

fn cpu(machine: &Machine) -> Element {
    let cpu = match form::cpu(machine) {
        Cpu::Mode(mode) => element("cpu").with("mode", mode),
        Cpu::Model(name) => {
            let custom = element("cpu").with("mode", "custom").with("match", "exact");
            custom.containing([element("model").with_text(name.as_str())])
        }
    };
    cpu.containing(machine.hardware.topology.map(|topology| {
        // libvirt and virt-install fill `dies` in.
        let sockets = element("topology").with("sockets", topology.sockets).with("dies", 1);
        sockets.with("cores", topology.cores).with("threads", topology.threads)
    }))
}

fn clock(arch: Arch) -> Element {
    element("clock").with("offset", "utc").containing(standing("clock", arch))
}

fn devices(form: &Form) -> Element {
    let machine = form.machine;
    let drives = form.drives();
    element("devices")
        .containing(drives.iter().map(|drive| disk(form, drive)))
        .containing(controllers(machine.arch, &drives))
        .containing(interface(form))
        .containing([
            fixed("<serial type='pty'/>"),
            fixed("<console type='pty'><target type='serial' port='0'/></console>"),
            channel("unix", "org.qemu.guest_agent.0"),
        ])
        .containing(machine.report.then(|| channel("unix", REPORT_PORT)))
        .containing(screen(machine.graphics, machine.arch))
        .containing(elements("devices", &form.spec()))
        .containing(standing("devices", machine.arch))
}

fn disk(form: &Form, drive: &Drive) -> Element {
    let medium = drive.role == Role::Medium;
    let bus = if medium { form::cd_bus(form.machine.arch) } else { "virtio" };
    let driver = element("driver").with("name", "qemu").with("type", drive.format);
    let driver = if drive.is_readonly() { driver } else { driver.with("discard", "unmap") };
    let source = element("source").with("file", path(form, &drive.file));
    // The medium may be deleted once it has installed.
    let source = if medium { source.with("startupPolicy", "optional") } else { source };
    let target = element("target").with("dev", &drive.target).with("bus", bus);
    element("disk")
        .with("type", "file")
        .with("device", if medium { "cdrom" } else { "disk" })
        .containing([driver, source, backing(form, drive), target])
        .containing(drive.is_readonly().then(|| element("readonly")))
        .containing(drive.serial.as_ref().map(|serial| element("serial").with_text(serial)))
        .containing(drive.role.boot_order().map(|order| element("boot").with("order", order)))
}

/// Spells the chain of backing files out and ends it, so that libvirt never looks for one inside a disk.
fn backing(form: &Form, drive: &Drive) -> Element {
    let end = element("backingStore");
    match drive.backing {
        None => end,
        Some(base) => {
            let source = element("source").with("file", path(form, base));
            element("backingStore").with("type", "file").containing([fixed("<format type='qcow2'/>"), source, end])
        }
    }
}

fn controllers(arch: Arch, drives: &[Drive]) -> Vec<Element> {
    let cd = drives.iter().any(|drive| drive.role == Role::Medium);
    let scsi = cd && form::cd_bus(arch) == "scsi";
    let usb = fixed("<controller type='usb' model='qemu-xhci' ports='15'/>");
    [usb].into_iter().chain(scsi.then(|| fixed("<controller type='scsi' model='virtio-scsi'/>"))).collect()
}

fn interface(form: &Form) -> Option<Element> {
    let named = |kind, name: &crate::base::Name| (kind, Some(element("source").with(kind, name)));
    let (kind, source) = match &form.machine.network {
        Network::None => return None,
        Network::User | Network::Passt => ("user", None),
        Network::Network(name) => named("network", name),
        Network::Bridge(name) => named("bridge", name),
    };
    let passt = (form.machine.network == Network::Passt).then(|| fixed("<backend type='passt'/>"));
    let mac = element("mac").with("address", form.mac());
    let interface = element("interface").with("type", kind).containing([mac]).containing(source);
    let interface = interface.containing([fixed("<model type='virtio'/>")]).containing(passt);
    Some(interface.containing(form.machine.hardware.ports.iter().map(port_forward)))
}

fn port_forward(forward: &Forward) -> Element {
    let range = element("range").with("start", forward.host).with("to", forward.guest);
    let mut forwarded = element("portForward").with("proto", forward.protocol).containing([range]);
    if let Some(address) = forward.address {
        forwarded.set("address", &address.to_string());
    }
    forwarded
}

fn channel(kind: &str, name: &str) -> Element {
    let target = element("target").with("type", "virtio").with("name", name);
    element("channel").with("type", kind).containing([target])
}

fn screen(graphics: Graphics, arch: Arch) -> Vec<Element> {
    if graphics == Graphics::None {
        return vec![];
    }
    let agent = (graphics == Graphics::Spice).then(|| channel("spicevmc", "com.redhat.spice.0"));
    let keyboard = (arch == Arch::Aarch64).then(|| fixed("<input type='keyboard' bus='usb'/>"));
    let screen = [element("graphics").with("type", graphics).with("autoport", "yes"), fixed(VIDEO)];
    agent.into_iter().chain([fixed("<input type='tablet' bus='usb'/>")]).chain(keyboard).chain(screen).collect()
}

/// Returns where a file of the instance lies.
fn path(form: &Form, file: &str) -> String {
    format!("{}/{}/{file}", form.machine.storage, form.machine.name)
}
