//! The emitted virt-install scripts, run by the real virt-install against its own test connection, and the XML it makes
//! compared with ours: whole documents, less the differences that [`normalise`] names.

use std::process::Command;

use crate::plan::{Graphics, Machine};

use crate::tests::support::launch::{self, Bundle, ok};
use crate::tests::support::machines;
use crate::tests::support::tools;
use crate::tests::support::xml::{self, Node};

/// virt-install's test driver under the name of a real one, with the abilities of a host with KVM and UEFI.
pub fn uri() -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/libvirt");
    format!(
        "__virtinst_test__test:///default,fakeuri=qemu:///system,\
         caps={fixtures}/capabilities-x86_64.xml,domcaps={fixtures}/domain-capabilities-x86_64.xml"
    )
}

fn wanted() -> Option<()> {
    tools(&launch::TOOLS)?;
    tools(&["virt-install"])
}

pub fn run(bundle: &Bundle, script: &str) -> Command {
    let mut command = bundle.script("sh", script);
    command.arg("--storage").arg(&bundle.storage).arg("--connect").arg(uri());
    if bundle.instance().exists() {
        command.arg("--installed");
    }
    command.args(["--", "--print-xml", "--dry-run"]);
    command
}

/// Takes out what the two say differently and mean the same, and what virt-install alone can know.
fn normalise(mut domain: Node) -> Node {
    // The libosinfo database of the host turns a short id into this address; ours would be a guess.
    domain.children.retain(|child| child.name != "metadata");
    for memory in domain.children.iter_mut().filter(|child| matches!(child.name.as_str(), "memory" | "currentMemory")) {
        // KiB is the default unit.
        forget(memory, &["unit"]);
    }
    for child in &mut domain.children {
        match child.name.as_str() {
            "os" => normalise_os(child),
            "cpu" => forget(child, &["check", "migratable"]),
            "clock" => child.children.sort(),
            "devices" => normalise_devices(child),
            _ => {}
        }
    }
    domain.sort();
    domain
}

fn forget(node: &mut Node, attributes: &[&str]) {
    node.attributes.retain(|name, _| !attributes.contains(&name.as_str()));
}

/// virt-install copies kernel and initrd for the first run, from the files that its `--install` names.
fn normalise_os(os: &mut Node) {
    for file in os.children.iter_mut().filter(|child| matches!(child.name.as_str(), "kernel" | "initrd")) {
        let name = file.text.rsplit(['/', '-']).next().unwrap().to_owned();
        file.text = name;
    }
}

fn normalise_devices(devices: &mut Node) {
    // Only the disks' order means something.
    let disks_stay = |a: &Node, b: &Node| if a.name == "disk" { std::cmp::Ordering::Equal } else { a.cmp(b) };
    devices.children.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| disks_stay(a, b)));
    // The host's QEMU is libvirt's to choose; PCI ports (for hot-plugging) it makes as it needs them.
    devices.children.retain(|child| child.name != "emulator" && child.attribute("type") != "pci");
    for child in &mut devices.children {
        match child.name.as_str() {
            // The socket is bound by libvirt, the default.
            "channel" => child.children.retain(|part| part.name != "source"),
            // Port 0 is the default.
            "console" => child.children.iter_mut().for_each(|target| forget(target, &["port"])),
            // Port -1 is what autoport means; images are compressed or not to the host's taste.
            "graphics" => {
                forget(child, &["port", "tlsPort", "autoport"]);
                child.children.retain(|part| part.name != "image");
            }
            _ => {}
        }
    }
}

/// Runs one set and compares each document it prints with the domain of that form.
fn agree(case: &str, machine: &Machine, set: &str) {
    let bundle = Bundle::new(machine);
    let printed = ok(run(&bundle, &format!("virt-install-{set}.sh")).output().unwrap());
    let theirs = xml::parse(&printed);
    let forms = if theirs.len() == 2 { &["", "-installed"][..] } else { &[""] };
    assert_eq!(theirs.len() == 2, bundle.path.join("base.iso").exists(), "{case}: {printed}");
    for (theirs, form) in theirs.into_iter().zip(forms) {
        let ours = bundle.instance().join(format!("domain-{set}{form}.xml"));
        let ours = xml::parse(&std::fs::read_to_string(ours).unwrap()).remove(0);
        let (ours, theirs) = (normalise(ours), normalise(theirs));
        points(case, &ours, machine);
        let (ours, theirs) = (ours.lines(""), theirs.lines(""));
        let less = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
        let (only_ours, only_theirs) = (less(&ours, &theirs), less(&theirs, &ours));
        assert!(ours == theirs, "{case} {set}{form}\nonly ours: {only_ours:#?}\nonly theirs: {only_theirs:#?}");
    }
}

/// Demands that the points which matter are there at all: two empty documents would be equal too.
fn points(case: &str, domain: &Node, machine: &Machine) {
    let devices = domain.at("devices");
    let disks = devices.all("disk");
    assert!(disks.len() > machine.data.len(), "{case}");
    assert!(disks.iter().all(|disk| !disk.at("driver").attribute("type").is_empty()), "{case}");
    assert!(disks.iter().all(|disk| !disk.all("backingStore").is_empty()), "{case}");
    assert_eq!(disks[0].at("boot").attribute("order"), "1", "{case}");
    assert_eq!(domain.at("uuid").text, machines::identity(machine).uuid, "{case}");
    assert_eq!(domain.at("description").text, machine.description.clone().unwrap(), "{case}");
    assert_eq!(devices.at("rng/backend").text, "/dev/urandom", "{case}");
}

macro_rules! forms {
    ($($test:ident: $case:literal,)+) => { $(
        #[test]
        fn $test() {
            let Some(()) = wanted() else { return };
            let (name, machine) = machines::eight().into_iter().find(|(name, _)| name == $case).unwrap();
            agree(&name, &machine, &machine.transport.as_str().replace('_', ""));
        }
    )+ };
}

forms! {
    out_13_virt_install_makes_the_domain_of_ignition_on_a_disk_for_a_qcow2: "ignition-qcow2-disk",
    out_13_virt_install_makes_the_domain_of_ignition_by_fw_cfg_for_a_qcow2: "ignition-qcow2-fw_cfg",
    out_13_virt_install_makes_the_domain_of_ignition_on_a_disk_for_an_iso: "ignition-iso-disk",
    out_13_virt_install_makes_the_domain_of_ignition_by_fw_cfg_for_an_iso: "ignition-iso-fw_cfg",
    out_13_virt_install_makes_the_domain_of_combustion_on_a_disk_for_a_qcow2: "combustion-qcow2-disk",
    out_13_virt_install_makes_the_domain_of_combustion_by_fw_cfg_for_a_qcow2: "combustion-qcow2-fw_cfg",
    out_13_virt_install_makes_the_domain_of_combustion_on_a_disk_for_an_iso: "combustion-iso-disk",
    out_13_virt_install_makes_the_domain_of_combustion_by_fw_cfg_for_an_iso: "combustion-iso-fw_cfg",
}

#[test]
fn out_13_virt_install_agrees_on_firmware_network_and_graphics() {
    let Some(()) = wanted() else { return };
    for (case, machine) in machines::others() {
        let machine = Machine { description: Some("x".into()), ..machine };
        for set in ["disk", "fwcfg"] {
            agree(&case, &machine, set);
        }
    }
}

#[test]
fn out_13_virt_install_makes_the_domain_with_a_payload_disk() {
    let Some(()) = wanted() else { return };
    for (case, machine) in machines::carrying() {
        for set in ["disk", "fwcfg"] {
            agree(&case, &machine, set);
        }
    }
}

#[test]
fn out_13_virt_install_makes_the_domain_with_the_port_of_the_report() {
    let Some(()) = wanted() else { return };
    for (case, machine) in machines::reporting() {
        for set in ["disk", "fwcfg"] {
            agree(&case, &machine, set);
        }
    }
}

#[test]
fn out_13_virt_install_makes_the_domain_with_every_further_key() {
    let Some(()) = wanted() else { return };
    for (case, machine) in machines::equipped() {
        for set in ["disk", "fwcfg"] {
            agree(&case, &machine, set);
        }
    }
}

#[test]
fn out_13_virt_install_does_every_edit_of_the_xml() {
    let Some(()) = wanted() else { return };
    for (case, machine) in machines::edited() {
        for set in ["disk", "fwcfg"] {
            agree(&case, &machine, set);
        }
    }
}

#[test]
fn out_2_a_description_arrives_whole_whatever_is_in_it() {
    let Some(()) = wanted() else { return };
    let nasty = [
        "",
        " ",
        "'",
        "\"",
        "a,b=c,,d",
        "a\\",
        "\\\"",
        "x,uuid=00000000-0000-0000-0000-000000000000",
        "$(id)`id`$HOME",
        "-rf",
        "é…日本",
        "#x;&|<>(){}*?[x]~!%",
    ];
    let (_, base) = machines::eight().remove(0);
    let together = nasty.join(" ");
    for description in ["-rf \"", "\\", ",title=x", together.as_str()] {
        let machine = Machine { description: Some(description.to_owned()), graphics: Graphics::None, ..base.clone() };
        let bundle = Bundle::new(&machine);
        let printed = ok(run(&bundle, "virt-install.sh").output().unwrap());
        assert_eq!(xml::parse(&printed)[0].at("description").text, description.trim());
    }
}

#[test]
fn the_osinfo_ids_that_are_chosen_exist() {
    let Some(()) = tools(&["osinfo-query", "virt-install"]) else { return };
    let query = ok(Command::new("osinfo-query").args(["os", "--fields=short-id"]).output().unwrap());
    let list = ok(Command::new("virt-install").args(["--osinfo", "list"]).output().unwrap());
    for id in crate::plan::OSINFO {
        assert!(query.lines().any(|line| line.trim() == id), "libosinfo does not know {id}");
        assert!(list.lines().any(|line| line.split(", ").any(|name| name.trim() == id)), "virt-install: {id}");
    }
}

#[test]
fn the_files_that_install_sh_put_there_can_be_used_again() {
    let Some(()) = wanted() else { return };
    let (_, machine) = machines::eight().remove(0);
    let bundle = Bundle::new(&machine);
    let first = ok(run(&bundle, "virt-install.sh").output().unwrap());
    assert_eq!(first, ok(run(&bundle, "virt-install.sh").output().unwrap()));
}
