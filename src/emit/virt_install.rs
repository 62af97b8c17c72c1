//! virt-install's arguments (virt-install(1); its option parser is virtinst/cli.py, seen at 4.1). Touches nothing.
//!
//! Everything that virt-install would otherwise choose by osinfo's age is spelt out. `--disk` has no option for an
//! existing chain of backing files (`backing_store=` makes a new overlay), so the chain is set by `xpath…=` options,
//! which 4.0, the oldest version that knows `--osinfo`, has. What the hardware's keys are in the domain is written from there.
//! Read next: [`super::domain`].

use super::form::{self, Drive, Form, INITRD, KERNEL, Role};
use super::quote::virt_option;
use super::script::{Options, Word, option};
use super::{domain, edit};
use crate::base::{Arch, ByteSize};
use crate::format::xml::Element;
use crate::machine::{keys, options};
use crate::plan::{Cpu, CpuMode, Firmware, Forward, Graphics, Machine, Network, REPORT_PORT};

/// Lists the arguments, in lines of one option each.
pub(crate) fn arguments(form: &Form) -> Vec<Vec<Word>> {
    let domain = domain::domain(form);
    let mut lines = machine(form, &domain);
    lines.extend(install(form));
    lines.extend(form.drives().iter().map(|drive| option("--disk", disk(form, drive))));
    if form.drives().iter().any(|drive| drive.role == Role::Medium) && form::cd_bus(form.machine.arch) == "scsi" {
        lines.push(option("--controller", Options::new("type=scsi").set("model", "virtio-scsi")));
    }
    lines.extend(sysinfo(form));
    lines.push(option("--network", network(form)));
    lines.extend(
        [
            ("--serial", "pty"),
            ("--console", "pty,target.type=serial"),
            ("--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0"),
            ("--rng", "/dev/urandom"),
            ("--memballoon", "model=virtio"),
        ]
        .map(|(name, value)| option(name, Options::new(value))),
    );
    lines.extend(form.machine.report.then(|| {
        option("--channel", Options::new("unix").set("target.type", "virtio").set("target.name", REPORT_PORT))
    }));
    let devices = keys::elements("devices", &form.spec());
    lines.extend((!form.machine.hardware.security.tpm).then(|| option("--tpm", Options::new("none"))));
    lines.extend(devices.iter().filter_map(written));
    lines.extend(screen(form.machine.graphics));
    lines.extend(edit::options(form));
    lines.push(vec![Word::text("--noautoconsole")]);
    lines
}

/// Writes an element of the domain as the option that virt-install has for it.
fn written(node: &Element) -> Option<Vec<Word>> {
    let (name, pairs) = options::of(node)?;
    let set = |options: Options, (key, value): &(&str, String)| options.set(key, value);
    Some(option(&format!("--{name}"), pairs.iter().fold(Options::new(""), set)))
}

fn machine(form: &Form, domain: &Element) -> Vec<Vec<Word>> {
    let machine = form.machine;
    let plain = |name, value: &str| option(name, Options::new(value));
    let mut lines = vec![plain("--name", machine.name.as_str()), plain("--uuid", &form.identity.uuid)];
    if let Some(description) = &machine.description {
        lines.push(option("--metadata", Options::new("").set("description", description)));
    }
    lines.extend([
        plain("--osinfo", &virt_option(&machine.osinfo)),
        plain("--virt-type", form::virt_type(machine.accel)),
        plain("--arch", machine.arch.as_str()),
        plain("--machine", form::machine_type(machine.arch)),
        option("--memory", memory(machine)),
        plain("--vcpus", &machine.vcpus.to_string()),
        option("--cpu", cpu(machine)),
    ]);
    lines.extend(domain.child("features").and_then(written));
    lines.extend([plain("--events", "on_poweroff=destroy,on_reboot=restart,on_crash=destroy")]);
    lines.extend(clock(machine.arch).map(|value| plain("--clock", value)));
    lines.extend((machine.firmware == Firmware::Uefi).then(|| option("--boot", firmware(machine))));
    lines.extend(domain.child("memoryBacking").and_then(written));
    lines.extend(machine.hardware.autostart.then(|| vec![Word::text("--autostart")]));
    lines
}

/// What it may grow to is `memory` there, as in libvirt's XML.
fn memory(machine: &Machine) -> Options {
    let mib = |size: ByteSize| (size.0 >> 20).to_string();
    match machine.hardware.memory.max {
        None => Options::new(&mib(machine.memory)),
        Some(most) => Options::new("").set("memory", &mib(*most)).set("currentMemory", &mib(machine.memory)),
    }
}

fn firmware(machine: &Machine) -> Options {
    let features = (0..).zip(form::firmware_features(machine));
    let options = features.fold(Options::new("firmware=efi"), |options, (index, (name, enabled))| {
        let key = |part: &str| format!("firmware.feature{index}.{part}");
        options.set(&key("name"), name).set(&key("enabled"), enabled)
    });
    if machine.hardware.security.secure_boot { options.set("loader.secure", "yes") } else { options }
}

/// Of a mode that older versions know by name, the name; of others the attribute.
fn cpu(machine: &Machine) -> Options {
    let options = match form::cpu(machine) {
        Cpu::Mode(CpuMode::Maximum) => Options::new("").set("mode", CpuMode::Maximum.as_str()),
        Cpu::Mode(mode) => Options::new(mode.as_str()),
        Cpu::Model(name) => Options::new(name.as_str()),
    };
    let Some(topology) = machine.hardware.topology else { return options };
    let counts = [("sockets", topology.sockets), ("cores", topology.cores), ("threads", topology.threads)];
    counts.iter().fold(options, |options, (key, count)| options.set(&format!("topology.{key}"), &count.to_string()))
}

const fn clock(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::X86_64 => Some("offset=utc,rtc_tickpolicy=catchup,pit_tickpolicy=delay,hpet_present=no"),
        Arch::Aarch64 => None,
    }
}

/// The installer's kernel is used for the first run only; what virt-install defines has none.
fn install(form: &Form) -> Vec<Vec<Word>> {
    match form.kernel() {
        None => vec![vec![Word::text("--import")]],
        Some(arguments) => {
            let install = Options::new("").file("kernel", KERNEL).file("initrd", INITRD);
            vec![option("--install", install.set("kernel_args", &arguments).set("kernel_args_overwrite", "yes"))]
        }
    }
}

fn disk(form: &Form, drive: &Drive) -> Options {
    let disk = Options::new("").file("path", &drive.file);
    let disk = match drive.role {
        Role::Medium => disk.set("device", "cdrom").set("target.bus", form::cd_bus(form.machine.arch)),
        Role::System | Role::Data | Role::Payload | Role::Config => disk.set("target.bus", "virtio"),
    };
    let disk = disk.set("target.dev", &drive.target).set("driver.name", "qemu").set("driver.type", drive.format);
    let disk = if drive.is_readonly() { disk.set("readonly", "on") } else { disk.set("driver.discard", "unmap") };
    let disk = match &drive.serial {
        Some(serial) => disk.set("serial", serial),
        None => disk.set("source.startupPolicy", "optional"),
    };
    let disk = match drive.role.boot_order() {
        Some(order) => disk.set("boot.order", order),
        None => disk,
    };
    backing(disk, drive)
}

fn backing(disk: Options, drive: &Drive) -> Options {
    let Some(base) = drive.backing else {
        return disk.node(0, "./backingStore");
    };
    let disk = disk.node(0, "./backingStore/@type=file").node(1, "./backingStore/format/@type=qcow2");
    disk.node_file(2, "./backingStore/source/@file", base).node(3, "./backingStore/backingStore")
}

fn sysinfo(form: &Form) -> Option<Vec<Word>> {
    let entries = form.fw_cfg();
    let options = (0..).zip(entries).fold(Options::new("type=fwcfg"), |options, (index, (key, name))| {
        options.set(&format!("entry{index}.name"), key.as_str()).file(&format!("entry{index}.file"), name)
    });
    (!entries.is_empty()).then(|| option("--sysinfo", options))
}

fn network(form: &Form) -> Options {
    let options = match &form.machine.network {
        Network::None => return Options::new("none"),
        Network::User | Network::Passt => Options::new("user"),
        Network::Network(name) => Options::new("").set("network", name.as_str()),
        Network::Bridge(name) => Options::new("").set("bridge", name.as_str()),
    };
    let options = options.set("model.type", "virtio").set("mac.address", form.mac());
    if form.machine.network == Network::Passt { passt(options, &form.machine.hardware.ports) } else { options }
}

/// Options of passt came with virt-install 5.
fn passt(options: Options, ports: &[Forward]) -> Options {
    let nodes = (1..).zip(ports).flat_map(|(index, forward)| {
        let node = format!("./portForward[{index}]");
        let address = forward.address.map(|address| format!("{node}/@address={address}"));
        let range = format!("{node}/range");
        let (host, guest) = (format!("{range}/@start={}", forward.host), format!("{range}/@to={}", forward.guest));
        [Some(format!("{node}/@proto={}", forward.protocol)), address, Some(host), Some(guest)]
    });
    let nodes = std::iter::once("./backend/@type=passt".to_owned()).chain(nodes.flatten());
    (0..).zip(nodes).fold(options, |options, (index, node)| options.node(index, &node))
}

fn screen(graphics: Graphics) -> Vec<Vec<Word>> {
    let plain = |name, value: &str| option(name, Options::new(value));
    let shown = match graphics {
        Graphics::None => return vec![plain("--graphics", "none")],
        Graphics::Vnc | Graphics::Spice => plain("--graphics", graphics.as_str()),
    };
    let lean = [("--video", "virtio"), ("--sound", "none"), ("--redirdev", "none")];
    [shown].into_iter().chain(lean.map(|(name, value)| plain(name, value))).collect()
}
