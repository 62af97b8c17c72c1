//! Domain XML (libvirt: formatdomain, <https://libvirt.org/formatdomain.html>). Touches nothing.
//!
//! What virt-install adds without being asked (timers, power management, the tablet of a graphical machine) is written
//! here too, so that the two ways to start a machine give the same one. Read next: [`super::form`],
//! [`super::virt_install`].

use super::form::{self, Drive, Form, INITRD, KERNEL, Role, Stage};
use super::xml::{Element, element};
use crate::base::{Arch, Problem};
use crate::plan::{Accel, Firmware, Graphics, Network, REPORT_PORT};

/// Writes the domain of a form.
pub fn write(form: &Form) -> Result<Vec<u8>, Problem> {
    domain(form).document().map_err(|error| Problem::io("cannot write domain XML", &error))
}

fn domain(form: &Form) -> Element {
    let machine = form.machine;
    let memory = (machine.memory.0 >> 10).to_string();
    element("domain")
        .attribute("type", form::virt_type(machine.accel))
        .child(element("name").text(machine.name.as_str()))
        .child(element("uuid").text(&form.identity.uuid))
        .children(machine.description.iter().map(|text| element("description").text(text)))
        .child(element("memory").attribute("unit", "KiB").text(&memory))
        .child(element("currentMemory").attribute("unit", "KiB").text(&memory))
        .child(element("vcpu").text(machine.vcpus.to_string()))
        .children(sysinfo(form))
        .child(os(form))
        .child(features(machine.arch))
        .child(cpu(machine.accel))
        .child(clock(machine.arch))
        .child(element("on_poweroff").text("destroy"))
        .child(element("on_reboot").text(if form.stage == Stage::Installing { "destroy" } else { "restart" }))
        .child(element("on_crash").text("destroy"))
        .children(power_management(machine.arch))
        .child(devices(form))
}

/// `file=` always: libvirt 9 hands an inline value to QEMU with its XML escapes in it.
fn sysinfo(form: &Form) -> Option<Element> {
    let entries = form.fw_cfg();
    (!entries.is_empty()).then(|| {
        element("sysinfo").attribute("type", "fwcfg").children(
            entries.iter().map(|(key, name)| {
                element("entry").attribute("name", key.as_str()).attribute("file", path(form, name))
            }),
        )
    })
}

fn os(form: &Form) -> Element {
    let machine = form.machine;
    let kind =
        element("type").attribute("arch", machine.arch.as_str()).attribute("machine", form::machine_type(machine.arch));
    let os = element("os");
    let os = match machine.firmware {
        Firmware::Bios => os.child(kind.text("hvm")),
        // Left to itself, libvirt on Debian picks the variant that refuses an unsigned boot loader.
        Firmware::Uefi => os.attribute("firmware", "efi").child(kind.text("hvm")).child(
            element("firmware").child(element("feature").attribute("enabled", "no").attribute("name", "secure-boot")),
        ),
    };
    match form.kernel() {
        None => os,
        Some(arguments) => os
            .child(element("kernel").text(path(form, KERNEL)))
            .child(element("initrd").text(path(form, INITRD)))
            .child(element("cmdline").text(arguments)),
    }
}

/// ACPI is what QEMU's fw_cfg device is announced by.
fn features(arch: Arch) -> Element {
    let features = element("features").child(element("acpi"));
    match arch {
        Arch::X86_64 => features.child(element("apic")).child(element("vmport").attribute("state", "off")),
        Arch::Aarch64 => features,
    }
}

fn cpu(accel: Accel) -> Element {
    element("cpu").attribute("mode", form::cpu_mode(accel))
}

fn clock(arch: Arch) -> Element {
    let timer = |name: &str, key, value: &str| element("timer").attribute("name", name).attribute(key, value);
    let clock = element("clock").attribute("offset", "utc");
    match arch {
        Arch::X86_64 => clock
            .child(timer("rtc", "tickpolicy", "catchup"))
            .child(timer("pit", "tickpolicy", "delay"))
            .child(timer("hpet", "present", "no")),
        Arch::Aarch64 => clock,
    }
}

fn power_management(arch: Arch) -> Option<Element> {
    let off = |name| element(name).attribute("enabled", "no");
    (arch == Arch::X86_64).then(|| element("pm").child(off("suspend-to-mem")).child(off("suspend-to-disk")))
}

fn devices(form: &Form) -> Element {
    let machine = form.machine;
    let drives = form.drives();
    element("devices")
        .children(drives.iter().map(|drive| disk(form, drive)))
        .children(controllers(machine.arch, &drives))
        .children(interface(form))
        .child(element("serial").attribute("type", "pty"))
        .child(
            element("console")
                .attribute("type", "pty")
                .child(element("target").attribute("type", "serial").attribute("port", "0")),
        )
        .child(channel("unix", "org.qemu.guest_agent.0"))
        .children(machine.report.then(|| channel("unix", REPORT_PORT)))
        .children(screen(machine.graphics, machine.arch))
        .child(element("memballoon").attribute("model", "virtio"))
        .child(
            element("rng")
                .attribute("model", "virtio")
                .child(element("backend").attribute("model", "random").text("/dev/urandom")),
        )
}

fn disk(form: &Form, drive: &Drive) -> Element {
    let medium = drive.role == Role::Medium;
    let bus = if medium { form::cd_bus(form.machine.arch) } else { "virtio" };
    let driver = element("driver").attribute("name", "qemu").attribute("type", drive.format);
    let driver = if drive.is_readonly() { driver } else { driver.attribute("discard", "unmap") };
    element("disk")
        .attribute("type", "file")
        .attribute("device", if medium { "cdrom" } else { "disk" })
        .child(driver)
        .child(source(form, drive))
        .child(backing(form, drive))
        .child(element("target").attribute("dev", &drive.target).attribute("bus", bus))
        .children(drive.is_readonly().then(|| element("readonly")))
        .children(drive.serial.as_ref().map(|serial| element("serial").text(serial)))
        .children(drive.role.boot_order().map(|order| element("boot").attribute("order", order)))
}

/// The medium may be deleted once it has installed.
fn source(form: &Form, drive: &Drive) -> Element {
    let source = element("source").attribute("file", path(form, &drive.file));
    if drive.role == Role::Medium { source.attribute("startupPolicy", "optional") } else { source }
}

/// Spells the chain of backing files out and ends it, so that libvirt never looks for one inside a disk.
fn backing(form: &Form, drive: &Drive) -> Element {
    let end = element("backingStore");
    match drive.backing {
        None => end,
        Some(base) => element("backingStore")
            .attribute("type", "file")
            .child(element("format").attribute("type", "qcow2"))
            .child(element("source").attribute("file", path(form, base)))
            .child(end),
    }
}

fn controllers(arch: Arch, drives: &[Drive]) -> Vec<Element> {
    let usb = element("controller").attribute("type", "usb").attribute("model", "qemu-xhci").attribute("ports", "15");
    let scsi = element("controller").attribute("type", "scsi").attribute("model", "virtio-scsi");
    let cd = drives.iter().any(|drive| drive.role == Role::Medium);
    [Some(usb), (cd && form::cd_bus(arch) == "scsi").then_some(scsi)].into_iter().flatten().collect()
}

fn interface(form: &Form) -> Option<Element> {
    let (kind, source) = match &form.machine.network {
        Network::None => return None,
        Network::User => ("user", None),
        Network::Network(name) => ("network", Some(element("source").attribute("network", name.as_str()))),
        Network::Bridge(name) => ("bridge", Some(element("source").attribute("bridge", name.as_str()))),
    };
    Some(
        element("interface")
            .attribute("type", kind)
            .child(element("mac").attribute("address", &form.identity.mac))
            .children(source)
            .child(element("model").attribute("type", "virtio")),
    )
}

fn channel(kind: &str, name: &str) -> Element {
    let target = element("target").attribute("type", "virtio").attribute("name", name);
    element("channel").attribute("type", kind).child(target)
}

fn screen(graphics: Graphics, arch: Arch) -> Vec<Element> {
    let input = |kind: &str| element("input").attribute("type", kind).attribute("bus", "usb");
    let kind = match graphics {
        Graphics::None => return vec![],
        Graphics::Vnc | Graphics::Spice => graphics.as_str(),
    };
    let agent = (graphics == Graphics::Spice).then(|| channel("spicevmc", "com.redhat.spice.0"));
    let keyboard = (arch == Arch::Aarch64).then(|| input("keyboard"));
    let model = element("model").attribute("type", "virtio");
    let screen =
        [element("graphics").attribute("type", kind).attribute("autoport", "yes"), element("video").child(model)];
    agent.into_iter().chain([input("tablet")]).chain(keyboard).chain(screen).collect()
}

/// Returns where a file of the instance lies.
fn path(form: &Form, file: &str) -> String {
    format!("{}/{}/{file}", form.machine.storage, form.machine.name)
}
