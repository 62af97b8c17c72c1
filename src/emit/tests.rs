//! What holds of every form of every machine.

use super::*;
use crate::base::{Arch, ByteSize, Digest, DiskLabel, DiskSerial, FwCfgName, Name, StorageDir};
use crate::plan::{Accel, DataDisk, Firmware, Graphics, Network, SystemMode};

fn machine(base: BaseKind, transport: Transport) -> Machine {
    let data = |serial| DataDisk { serial: DiskSerial::parse(serial).unwrap(), size: ByteSize::gib(1) };
    Machine {
        name: Name::parse("vm").unwrap(),
        description: Some("a <b> & 'c'".to_owned()),
        arch: Arch::X86_64,
        memory: ByteSize::gib(1),
        vcpus: 1,
        firmware: Firmware::Bios,
        accel: Accel::Kvm,
        network: Network::User,
        graphics: Graphics::None,
        osinfo: "linux2022".to_owned(),
        storage: StorageDir::parse("/srv/vm.s").unwrap(),
        base,
        mode: SystemMode::Overlay,
        data: ["a", "b"].map(data).into(),
        payload: false,
        report: false,
        config_disk: Some(DiskLabel::Ignition),
        fw_cfg: vec![(FwCfgName::Ignition, file::CONFIG_IGN), (FwCfgName::Combustion, file::SCRIPT)],
        transport,
        mixed: vec![],
        hardware: crate::plan::Hardware::default(),
    }
}

fn files(machine: &Machine) -> Vec<(String, String)> {
    let identity = Identity::new(&Digest::of(b"plan"), &machine.name);
    let files = launch_files(machine, &identity).unwrap();
    files.into_iter().map(|file| (file.name, String::from_utf8(file.bytes).unwrap())).collect()
}

fn all() -> Vec<(String, String)> {
    let bases = [BaseKind::Qcow2, BaseKind::Iso];
    bases.into_iter().flat_map(|base| files(&machine(base, Transport::Disk))).collect()
}

fn domains() -> Vec<(String, String)> {
    all().into_iter().filter(|(name, _)| name.ends_with(".xml")).collect()
}

#[test]
fn file_names_are_fixed_and_sorted() {
    let names = |base| files(&machine(base, Transport::Disk)).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let scripts = [
        "install.sh",
        "machine.json",
        "run-qemu.sh",
        "virt-install-disk.sh",
        "virt-install-fwcfg.sh",
        "virt-install.sh",
    ];
    let domains = ["domain-disk.xml", "domain-fwcfg.xml", "domain.xml"];
    assert_eq!(names(BaseKind::Qcow2), [&domains[..], &scripts].concat());
    let installed = ["domain-disk-installed.xml", "domain-fwcfg-installed.xml", "domain-installed.xml"];
    let mut iso = [&domains[..], &installed, &scripts].concat();
    iso.sort_unstable();
    assert_eq!(names(BaseKind::Iso), iso);
}

#[test]
fn out_11_each_set_has_exactly_one_transport() {
    for (name, text) in all() {
        let disk = text.contains("config.qcow2");
        let fw_cfg = text.contains("fwcfg\"") || text.contains("type=fwcfg");
        match name.as_str() {
            "install.sh" | "run-qemu.sh" | "machine.json" => {}
            name if name.contains("fwcfg") => assert!(fw_cfg && !disk, "{name}"),
            name => assert!(disk && !fw_cfg, "{name}"),
        }
    }
}

#[test]
fn out_11_different_transports_bring_each_engines_part_once() {
    let entry = (FwCfgName::Combustion, file::SCRIPT);
    let mixed = Machine { mixed: vec![entry], ..machine(BaseKind::Qcow2, Transport::Disk) };
    let files = files(&mixed);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"domain-disk.xml") && !names.contains(&"virt-install-disk.sh"), "{names:?}");
    let text = |name: &str| files.iter().find(|file| file.0 == name).unwrap().1.as_str();
    for name in ["domain.xml", "virt-install.sh"] {
        let text = text(name);
        assert!(text.contains("config.qcow2") && text.contains("opt/org.opensuse.combustion/script"), "{name}");
        assert!(!text.contains("opt/com.coreos/config"), "{name}: the disk has that");
    }
    for (name, disk) in [("domain-fwcfg.xml", false), ("virt-install-fwcfg.sh", false)] {
        assert_eq!(text(name).contains("config.qcow2"), disk, "{name}");
        assert!(text(name).contains("opt/com.coreos/config"), "{name}");
    }
    let run = text("run-qemu.sh");
    assert!(run.contains("transport=mixed") && run.contains("not a transport: $transport (mixed or fw_cfg)"), "{run}");
    let (with_disk, by_fw_cfg) = run.split_once("mixed)\n").unwrap().1.split_once("fw_cfg)\n").unwrap();
    let entries = |text: &str| text.split("esac").next().unwrap().matches("-fw_cfg").count();
    assert_eq!((entries(with_disk), entries(by_fw_cfg)), (1, 2), "{run}");
}

#[test]
fn img_10_every_disk_names_its_format_and_ends_its_chain() {
    for (name, text) in domains() {
        let disks: Vec<_> = text.split("<disk ").skip(1).map(|rest| rest.split("</disk>").next().unwrap()).collect();
        assert!(disks.len() >= 3, "{name}");
        for disk in disks {
            let (driver, rest) = disk.split_once("/>").unwrap();
            assert!(driver.contains("type=\"qcow2\"") || driver.contains("type=\"raw\""), "{name}: {disk}");
            assert_eq!(rest.matches("<backingStore/>").count(), 1, "{name}: {disk}");
            assert_eq!(rest.contains("base.qcow2"), rest.contains("<format type=\"qcow2\"/>"), "{name}: {disk}");
        }
    }
}

#[test]
fn img_10_qemu_is_told_every_format() {
    for (name, text) in all().into_iter().filter(|(name, _)| name == "run-qemu.sh") {
        let drives: Vec<_> = text.split("-drive ").skip(1).collect();
        assert!(drives.len() >= 4, "{name}");
        assert!(drives.iter().all(|drive| drive.contains(",format=")), "{name}: {drives:?}");
    }
}

#[test]
fn run_qemu_never_writes_to_the_bundle() {
    for (_, text) in all().into_iter().filter(|(name, _)| name == "run-qemu.sh") {
        for drive in text.split("-drive ").skip(1) {
            let options = drive.split_whitespace().next().unwrap();
            assert!(options.contains("snapshot=on") || options.contains("readonly=on"), "{options}");
        }
    }
}

#[test]
fn an_iso_installs_once_and_the_config_medium_stays() {
    let files = files(&machine(BaseKind::Iso, Transport::Disk));
    let text = |name: &str| files.iter().find(|file| file.0 == name).unwrap().1.as_str();
    let (first, then) = (text("domain.xml"), text("domain-installed.xml"));
    assert!(first.contains("rd.kiwi.oem.installdevice=/dev/disk/by-id/virtio-system"));
    assert!(first.contains("<serial>system</serial>") && first.contains("<on_reboot>destroy</on_reboot>"));
    assert!(!then.contains("<kernel>") && then.contains("<on_reboot>restart</on_reboot>"));
    assert!([first, then].iter().all(|text| text.contains("config.qcow2") && text.contains("data-b.qcow2")));
}

#[test]
fn out_6_a_description_that_xml_cannot_carry_is_refused() {
    let identity = Identity::new(&Digest::of(b"plan"), &Name::parse("vm").unwrap());
    for bad in ["a\u{1}", "line\nbreak", "\u{7f}", "\0"] {
        let machine = Machine { description: Some(bad.to_owned()), ..machine(BaseKind::Qcow2, Transport::Disk) };
        assert!(launch_files(&machine, &identity).is_err(), "{bad:?}");
        let machine = Machine { description: None, osinfo: bad.to_owned(), ..machine };
        assert!(launch_files(&machine, &identity).is_err(), "{bad:?}");
    }
}

#[test]
fn a_machine_without_provisioning_has_no_transport_and_equal_sets() {
    let bare = Machine { config_disk: None, fw_cfg: vec![], ..machine(BaseKind::Qcow2, Transport::Disk) };
    let files = files(&bare);
    let text = |name: &str| files.iter().find(|file| file.0 == name).unwrap().1.as_str();
    assert_eq!(text("domain-disk.xml"), text("domain-fwcfg.xml"));
    assert!(!files.iter().any(|(_, text)| text.contains("config.") || text.contains("opt/")));
}

#[test]
fn every_place_of_a_template_is_filled() {
    for (name, text) in all() {
        for (at, _) in text.match_indices('@') {
            let word: String = text[at + 1..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            assert!(word.is_empty() || !text[at + 1 + word.len()..].starts_with('@'), "{name}: @{word}@");
        }
    }
}
