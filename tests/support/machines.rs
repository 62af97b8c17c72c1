//! The machines that golden and oracle tests of launch files are about.

use crate::base::{
    Arch, BaseKind, ByteSize, Digest, DiskLabel, DiskSerial, Engine, FwCfgName, MacAddress, Name, StorageDir, Transport,
};
use crate::emit::{Identity, LaunchFile, launch_files};
use crate::plan::{
    Accel, DataDisk, Firmware, Forward, Graphics, Hardware, Machine, Network, SystemMode, XmlEdit, file,
};
use crate::recipe::hardware::{MemoryOptions, Security, Topology, Watchdog};
use crate::recipe::numbers::Vcpus;

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn data(serial: &str) -> DataDisk {
    DataDisk { serial: DiskSerial::parse(serial).unwrap(), size: ByteSize::mib(64) }
}

/// A machine with two data disks and a description that every encoder must mind.
pub fn machine(engine: Option<Engine>, transport: Transport, base: BaseKind) -> Machine {
    let mut fw_cfg = vec![];
    if engine != Some(Engine::Combustion) {
        fw_cfg.push((FwCfgName::Ignition, file::CONFIG_IGN));
    }
    if engine != Some(Engine::Ignition) {
        fw_cfg.push((FwCfgName::Combustion, file::SCRIPT));
    }
    Machine {
        name: name("nas"),
        description: Some("Bob's <NAS>, \"50% off\" & more: $HOME \\ `id`; entry1.name=x,,y".to_owned()),
        arch: Arch::X86_64,
        memory: ByteSize::gib(2),
        vcpus: 2,
        firmware: Firmware::Bios,
        accel: Accel::Kvm,
        network: Network::Network(name("default")),
        graphics: Graphics::None,
        osinfo: "opensusetumbleweed".to_owned(),
        storage: StorageDir::parse("/var/lib/libvirt/images").unwrap(),
        base,
        mode: SystemMode::Overlay,
        data: vec![data("tank-1"), data("tank-2")],
        payload: false,
        report: false,
        config_disk: Some(if engine != Some(Engine::Combustion) { DiskLabel::Ignition } else { DiskLabel::Combustion }),
        fw_cfg,
        transport,
        mixed: vec![],
        hardware: Hardware::default(),
    }
}

/// The eight cases of the issue, each by its name.
pub fn eight() -> Vec<(String, Machine)> {
    let mut cases = vec![];
    for engine in [Engine::Ignition, Engine::Combustion] {
        for base in [BaseKind::Qcow2, BaseKind::Iso] {
            for transport in [Transport::Disk, Transport::FwCfg] {
                cases.push((format!("{engine}-{base}-{transport}"), machine(Some(engine), transport, base)));
            }
        }
    }
    cases
}

/// Further machines, each by its name.
pub fn others() -> Vec<(String, Machine)> {
    let base = || machine(None, Transport::Disk, BaseKind::Qcow2);
    let uefi = Machine { firmware: Firmware::Uefi, graphics: Graphics::Vnc, mode: SystemMode::Standalone, ..base() };
    let spice =
        Machine { graphics: Graphics::Spice, network: Network::Bridge(name("br0")), accel: Accel::Tcg, ..base() };
    let arm = Machine {
        arch: Arch::Aarch64,
        firmware: Firmware::Uefi,
        network: Network::User,
        graphics: Graphics::Vnc,
        accel: Accel::Tcg,
        ..machine(Some(Engine::Ignition), Transport::FwCfg, BaseKind::Iso)
    };
    let plain = Machine {
        description: None,
        network: Network::None,
        data: vec![],
        config_disk: None,
        fw_cfg: vec![],
        accel: Accel::Tcg,
        ..base()
    };
    let cases = [
        ("auto-uefi-vnc-standalone", uefi),
        ("auto-bridge-spice-tcg", spice),
        ("aarch64-iso-user", arm),
        ("unprovisioned-no-network", plain),
    ];
    cases.map(|(name, machine)| (name.to_owned(), machine)).into()
}

/// Machines with a payload disk. They came after the others, whose bytes they must not change.
pub fn carrying() -> Vec<(String, Machine)> {
    let carrying = |machine: Machine| Machine { payload: true, ..machine };
    vec![
        ("carrying-qcow2".to_owned(), carrying(machine(None, Transport::Disk, BaseKind::Qcow2))),
        ("carrying-iso".to_owned(), carrying(machine(Some(Engine::Combustion), Transport::FwCfg, BaseKind::Iso))),
    ]
}

/// Machines that report. Their bytes are not those of the others either.
pub fn reporting() -> Vec<(String, Machine)> {
    let reporting = |machine: Machine| Machine { report: true, ..machine };
    vec![
        ("reporting-qcow2".to_owned(), reporting(machine(None, Transport::Disk, BaseKind::Qcow2))),
        ("reporting-iso".to_owned(), reporting(machine(Some(Engine::Combustion), Transport::FwCfg, BaseKind::Iso))),
    ]
}

/// Machines with every further key of `[machine]`. They came after the others, whose bytes they must not change.
pub fn equipped() -> Vec<(String, Machine)> {
    let ports = ["2222:22", "127.0.0.1:8080:80/tcp", "5353:53/udp"].map(|text| text.parse::<Forward>().unwrap());
    let all = Hardware {
        mac: Some(MacAddress::parse("52:54:00:C0:FF:EE").unwrap()),
        ports: ports.into(),
        autostart: true,
        cpu: "EPYC".parse().ok(),
        topology: Some(Topology { sockets: Vcpus(1), cores: Vcpus(2), threads: Vcpus(2) }),
        memory: MemoryOptions { max: ByteSize::gib(4).try_into().ok(), hugepages: true, shared: true },
        security: Security { secure_boot: true, tpm: true },
        watchdog: Some(Watchdog::Reset),
        xml: vec![],
    };
    let some = Hardware {
        cpu: "host-model".parse().ok(),
        topology: Some(Topology { sockets: Vcpus(2), cores: Vcpus(1), threads: Vcpus(1) }),
        memory: MemoryOptions { hugepages: true, ..MemoryOptions::default() },
        watchdog: Some(Watchdog::Poweroff),
        autostart: true,
        ..Hardware::default()
    };
    let arm = Hardware {
        cpu: "cortex-a57".parse().ok(),
        memory: MemoryOptions { shared: true, ..MemoryOptions::default() },
        security: Security { secure_boot: false, tpm: true },
        watchdog: Some(Watchdog::Pause),
        ..Hardware::default()
    };
    let qcow2 = |engine, transport| machine(engine, transport, BaseKind::Qcow2);
    let uefi = |machine: Machine| Machine { firmware: Firmware::Uefi, network: Network::Passt, ..machine };
    let arm_machine = Machine { arch: Arch::Aarch64, accel: Accel::Tcg, ..qcow2(None, Transport::FwCfg) };
    vec![
        ("equipped-all".to_owned(), Machine { vcpus: 4, hardware: all, ..uefi(qcow2(None, Transport::Disk)) }),
        (
            "equipped-iso".to_owned(),
            Machine { hardware: some, ..machine(Some(Engine::Combustion), Transport::FwCfg, BaseKind::Iso) },
        ),
        ("equipped-aarch64".to_owned(), Machine { hardware: arm, ..uefi(arm_machine) }),
    ]
}

pub fn edit(parent: &str, element: &str, replaces: bool, by: Option<&str>) -> XmlEdit {
    let action = if replaces { "replace" } else { "add" };
    let written = serde_json::json!({"parent": parent, "element": element, "action": action, "match": by});
    serde_json::from_value(written).unwrap()
}

/// Machines whose recipe edits the XML, in every way there is and wherever virt-install has defaults of its own.
pub fn edited() -> Vec<(String, Machine)> {
    let add = |parent, element| edit(parent, element, false, None);
    let replace = |parent, element, by| edit(parent, element, true, by);
    let xml = vec![
        add(".", "<title>a, \"b\" &amp; &lt;c&gt; = 'd'; $HOME `id`</title>"),
        add("memtune", "<hard_limit unit='MiB'>9000</hard_limit>"),
        add("cputune", "<shares>512</shares>"),
        add("features", "<hyperv mode='custom'><relaxed state='on'/><spinlocks state='on' retries='8191'/></hyperv>"),
        add("features", "<kvm><hidden state='on'/></kvm>"),
        add("cpu", "<feature policy='require' name='vmx'/>"),
        replace("clock", "<timer name='pit' tickpolicy='discard'/>", Some("name")),
        add("clock", "<timer name='hypervclock' present='yes'/>"),
        replace(".", "<on_crash>restart</on_crash>", None),
        replace(".", "<pm><suspend-to-mem enabled='yes'/></pm>", None),
        replace("devices", "<memballoon model='virtio' autodeflate='on'/>", None),
        replace("devices", "<controller type='usb' model='qemu-xhci' ports='4'/>", Some("type")),
        add("devices/interface", "<mtu size='9000'/>"),
        add("devices/interface", "<link state='down'/>"),
        add("devices", "<sound model='ich9'/>"),
        add("devices/sound", "<codec type='micro'/>"),
        add("devices", "<panic model='isa'/>"),
        add("devices", "<hub type='usb'/>"),
        add("devices", "<hub type='usb'/>"),
        replace("devices", "<watchdog model='ib700' action='pause'/>", Some("action")),
        add(
            "devices",
            "<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/>\
             <source dir='/srv/a b,c=d'/><target dir='share'/></filesystem>",
        ),
    ];
    // Into what virt-install adds by itself.
    let within = |edit: XmlEdit| match edit.element().name.as_str() {
        "controller" => add("devices/controller", "<alias name='ua-usb'/>"),
        _ => edit,
    };
    let memory = MemoryOptions { shared: true, ..MemoryOptions::default() };
    let hardware = |xml| Hardware { watchdog: Some(Watchdog::Pause), memory, xml, ..Hardware::default() };
    let qcow2 = machine(Some(Engine::Ignition), Transport::Disk, BaseKind::Qcow2);
    let iso = machine(Some(Engine::Combustion), Transport::FwCfg, BaseKind::Iso);
    vec![
        (
            "edited-qcow2".to_owned(),
            Machine { hardware: hardware(xml.clone()), graphics: Graphics::Vnc, accel: Accel::Tcg, ..qcow2 },
        ),
        ("edited-iso".to_owned(), Machine { hardware: hardware(xml.into_iter().map(within).collect()), ..iso }),
    ]
}

/// Every machine here.
pub fn every() -> Vec<(String, Machine)> {
    let later = equipped().into_iter().chain(reporting()).chain(edited());
    eight().into_iter().chain(others()).chain(carrying()).chain(later).collect()
}

pub fn identity(machine: &Machine) -> Identity {
    Identity::new(&Digest::of(b"a plan"), &machine.name)
}

pub fn files(machine: &Machine) -> Vec<LaunchFile> {
    launch_files(machine, &identity(machine)).unwrap()
}

pub fn text(files: &[LaunchFile], name: &str) -> String {
    let file = files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(file.bytes.clone()).unwrap()
}
