//! Domain XML (libvirt: formatdomain, <https://libvirt.org/formatdomain.html>). Touches nothing.
//!
//! What virt-install adds without being asked (timers, power management, the tablet of a graphical machine) is written
//! here too, so that the two ways to start a machine give the same one. Read next: [`super::form`],
//! [`super::virt_install`].

use super::edit;
use super::form::{self, Cpu, Drive, Form, INITRD, KERNEL, Role, Stage};
use super::xml::{Element, element};
use crate::base::{Arch, ByteSize, Diagnostic};
use crate::plan::{Firmware, Forward, Graphics, Machine, MemoryOptions, Network, REPORT_PORT};

/// Writes the domain of a form.
///
/// # Errors
///
/// `E_RECIPE` where an edit of the recipe finds no place.
pub(crate) fn write(form: &Form) -> Result<Vec<u8>, Diagnostic> {
    let mut domain = domain(form);
    edit::apply(form, &mut domain)?;
    domain.document().map_err(|error| Diagnostic::io("cannot write domain XML", &error))
}

fn domain(form: &Form) -> Element {
    let machine = form.machine;
    let kib = |size: ByteSize| (size.0 >> 10).to_string();
    let most = machine.hardware.memory.max.unwrap_or(machine.memory);
    element("domain")
        .attribute("type", form::virt_type(machine.accel))
        .child(element("name").text(machine.name.as_str()))
        .child(element("uuid").text(&form.identity.uuid))
        .children(machine.description.iter().map(|text| element("description").text(text)))
        .child(element("memory").attribute("unit", "KiB").text(kib(most)))
        .child(element("currentMemory").attribute("unit", "KiB").text(kib(machine.memory)))
        .children(memory_backing(machine.hardware.memory))
        .child(element("vcpu").text(machine.vcpus.to_string()))
        .children(sysinfo(form))
        .child(os(form))
        .child(features(machine))
        .child(cpu(machine))
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
        Firmware::Uefi => {
            os.attribute("firmware", "efi")
                .child(kind.text("hvm"))
                .child(element("firmware").children(
                    form::firmware_features(machine).iter().map(|(name, enabled)| {
                        element("feature").attribute("enabled", *enabled).attribute("name", *name)
                    }),
                ))
                .children(machine.hardware.security.secure_boot.then(|| element("loader").attribute("secure", "yes")))
        }
    };
    match form.kernel() {
        None => os,
        Some(arguments) => os
            .child(element("kernel").text(path(form, KERNEL)))
            .child(element("initrd").text(path(form, INITRD)))
            .child(element("cmdline").text(arguments)),
    }
}

/// Huge pages and sharing go together: virtiofs wants the second and profits from the first.
fn memory_backing(memory: MemoryOptions) -> Option<Element> {
    let shared = [element("source").attribute("type", "memfd"), element("access").attribute("mode", "shared")];
    (memory.hugepages || memory.shared).then(|| {
        element("memoryBacking")
            .children(memory.hugepages.then(|| element("hugepages")))
            .children(shared.into_iter().filter(|_| memory.shared))
    })
}

/// ACPI is what QEMU's fw_cfg device is announced by; system management mode keeps the variables of secure boot.
fn features(machine: &Machine) -> Element {
    let features = element("features").child(element("acpi"));
    let smm = machine.hardware.security.secure_boot.then(|| element("smm").attribute("state", "on"));
    match machine.arch {
        Arch::X86_64 => {
            features.child(element("apic")).child(element("vmport").attribute("state", "off")).children(smm)
        }
        Arch::Aarch64 => features,
    }
}

fn cpu(machine: &Machine) -> Element {
    let cpu = match form::cpu(machine) {
        Cpu::Mode(mode) => element("cpu").attribute("mode", mode.as_str()),
        Cpu::Model(name) => {
            let custom = element("cpu").attribute("mode", "custom").attribute("match", "exact");
            custom.child(element("model").text(name.as_str()))
        }
    };
    let count = |name, count: u32| (name, count.to_string());
    cpu.children(machine.hardware.topology.map(|topology| {
        // libvirt and virt-install fill `dies` in.
        let counts = [count("sockets", topology.sockets), count("dies", 1), count("cores", topology.cores)];
        let counts = counts.into_iter().chain([count("threads", topology.threads)]);
        counts.fold(element("topology"), |topology, (name, count)| topology.attribute(name, count))
    }))
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
        .children(tpm(machine))
        .children(
            machine.hardware.watchdog.map(|action| {
                element("watchdog").attribute("model", form::WATCHDOG).attribute("action", action.as_str())
            }),
        )
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
        Network::User | Network::Passt => ("user", None),
        Network::Network(name) => ("network", Some(element("source").attribute("network", name.as_str()))),
        Network::Bridge(name) => ("bridge", Some(element("source").attribute("bridge", name.as_str()))),
    };
    Some(
        element("interface")
            .attribute("type", kind)
            .child(element("mac").attribute("address", form.mac()))
            .children(source)
            .child(element("model").attribute("type", "virtio"))
            .children((form.machine.network == Network::Passt).then(|| element("backend").attribute("type", "passt")))
            .children(form.machine.hardware.ports.iter().map(port_forward)),
    )
}

fn port_forward(forward: &Forward) -> Element {
    let forwarded = element("portForward").attribute("proto", forward.protocol.as_str());
    let addressed = match forward.address {
        Some(address) => forwarded.attribute("address", address.to_string()),
        None => forwarded,
    };
    let (host, guest) = (forward.host.to_string(), forward.guest.to_string());
    addressed.child(element("range").attribute("start", host).attribute("to", guest))
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

fn tpm(machine: &Machine) -> Option<Element> {
    machine.hardware.security.tpm.then(|| {
        element("tpm")
            .attribute("model", form::tpm_model(machine.arch))
            .child(element("backend").attribute("type", "emulator").attribute("version", "2.0"))
    })
}

/// Returns where a file of the instance lies.
fn path(form: &Form, file: &str) -> String {
    format!("{}/{}/{file}", form.machine.storage, form.machine.name)
}
