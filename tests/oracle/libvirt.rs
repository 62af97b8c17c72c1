//! Domain XML before libvirt's own eyes: its schema, and a libvirtd of our own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::plan::{Accel, Graphics, Machine, Network};
use crate::recipe::hardware::Security;

use crate::tests::support::launch::{self, Bundle, both, ok};
use crate::tests::support::libvirtd::{self, Libvirtd, give};
use crate::tests::support::machines;
use crate::tests::support::tools;
use crate::tests::support::xml::{self, Node};

fn all() -> Vec<(String, Machine)> {
    machines::every()
}

fn domains(machine: &Machine) -> Vec<(String, String)> {
    let files = machines::files(machine).into_iter().filter(|file| file.name.ends_with(".xml"));
    files.map(|file| (file.name, String::from_utf8(file.bytes).unwrap())).collect()
}

fn validate(directory: &Path, text: &str) -> std::process::Output {
    let file = directory.join("domain.xml");
    fs::write(&file, text).unwrap();
    Command::new("virt-xml-validate").arg(file).arg("domain").output().unwrap()
}

#[test]
fn out_6_every_domain_is_valid_by_libvirts_schema() {
    let Some(()) = tools(&["virt-xml-validate"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    for (case, machine) in all() {
        for (name, text) in domains(&machine) {
            let done = validate(directory.path(), &text);
            assert!(done.status.success(), "{case} {name}\n{}", both(&done));
        }
    }
    let (_, text) = domains(&all()[0].1).remove(0);
    let broken = validate(directory.path(), &text.replace("<features>", "<features><nonsense/>"));
    let (_, mut edited) = machines::edited().remove(0);
    edited.hardware.xml = vec![machines::edit("features", "<nonsense/>", false, None)];
    let edited = validate(directory.path(), &domains(&edited).remove(0).1);
    assert_eq!(edited.status.code(), Some(3), "an edit is not looked at");
    assert_eq!(broken.status.code(), Some(3), "the schema is not looked at");
}

/// A directory that every user can reach.
fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Defines every text in turn in one libvirt, and returns what it then prints of each.
fn define(directory: &Path, name: &str, texts: &[String]) -> Vec<String> {
    let libvirt = Libvirtd::start(directory);
    let commands: String = (0..)
        .zip(texts)
        .map(|(index, text)| {
            let file = directory.join(format!("{index}.xml"));
            fs::write(&file, text).unwrap();
            format!("define --validate {}; dumpxml --inactive {name}; undefine --nvram {name};", file.display())
        })
        .collect();
    let done = libvirt.virsh(&["-q", &commands]);
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = ok(done);
    let documents =
        printed.split_inclusive("</domain>\n").filter_map(|text| text.find("<domain").map(|at| &text[at..]));
    documents.map(str::to_owned).collect()
}

#[test]
fn out_6_libvirt_defines_every_domain_and_keeps_what_it_says() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&DEFINING)) else { return };
    let directory = open_directory();
    let texts: Vec<String> = all()
        .into_iter()
        .map(|(_, machine)| here(machine))
        .flat_map(|machine| domains(&machine).into_iter().map(|(_, text)| text))
        .collect();
    let defined = define(directory.path(), "nas", &texts);
    assert_eq!(defined.len(), texts.len());
    for (ours, theirs) in texts.iter().zip(defined) {
        compare(&xml::parse(ours).remove(0), &xml::parse(&theirs).remove(0));
    }
}

/// What libvirt adds to a domain must not come into the recipe, nor be called left behind.
#[test]
fn the_domain_that_libvirt_prints_becomes_its_machine_again() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&DEFINING)) else { return };
    let directory = open_directory();
    let mut machines: Vec<_> = all().into_iter().map(|(case, machine)| (case, here(machine))).collect();
    // libvirt counts it in KiB.
    machines
        .iter_mut()
        .for_each(|(_, machine)| machine.hardware.xml.retain(|edit| edit.element().name != "hard_limit"));
    let text = |machine: &Machine| machines::text(&machines::files(machine), "domain-disk.xml");
    let texts: Vec<_> = machines.iter().map(|(_, machine)| text(machine)).collect();
    let defined = define(directory.path(), "nas", &texts);
    assert_eq!(defined.len(), texts.len());
    for ((case, machine), printed) in machines.iter().zip(defined) {
        let imported = super::import_config::imported("x.xml", printed.as_bytes());
        super::import_config::same_machine(&imported, machine, "domain-disk.xml", &format!("{case}\n{printed}"));
    }
}

/// What libvirt looks for on a host before it takes a machine.
const DEFINING: [&str; 4] = ["qemu-system-x86_64", "qemu-system-aarch64", "swtpm", "swtpm_setup"];

/// libvirt refuses what this host cannot run: no KVM here, Debian's QEMU has no spice, its libvirt no passt, and a session's
/// no virtiofs.
fn here(mut machine: Machine) -> Machine {
    if machine.network == Network::Passt {
        machine.network = Network::User;
        machine.hardware.ports = vec![];
    }
    machine.hardware.xml.retain(|edit| edit.element().name != "filesystem");
    machine.hardware.cpu = machine.hardware.cpu.filter(|cpu| !cpu.to_string().starts_with("host-"));
    Machine { accel: Accel::Tcg, graphics: vnc(machine.graphics), ..machine }
}

fn vnc(graphics: Graphics) -> Graphics {
    if graphics == Graphics::Spice { Graphics::Vnc } else { graphics }
}

/// Returns all elements of a path whose first part is there once at most.
fn at(node: &Node, path: &str) -> Vec<Node> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let found = node.all(first).into_iter();
    found.flat_map(|node| if rest.is_empty() { vec![node.clone()] } else { at(node, rest) }).collect()
}

/// What libvirt keeps must be what we said; it adds addresses, aliases, defaults.
fn compare(ours: &Node, theirs: &Node) {
    for path in ["name", "uuid", "memory", "vcpu", "on_poweroff", "on_reboot", "on_crash"] {
        assert_eq!(ours.at(path).text, theirs.at(path).text, "{path}");
    }
    assert_eq!(ours.all("sysinfo"), theirs.all("sysinfo"));
    assert_eq!(ours.all("description"), theirs.all("description"));
    assert_eq!(ours.at("os").attribute("firmware"), theirs.at("os").attribute("firmware"));
    for path in ["memoryBacking", "cpu/topology", "cpu/model", "os/firmware"] {
        let parts = |node: &Node| {
            let mut found = at(node, path);
            found.iter_mut().for_each(Node::sort);
            found.iter_mut().for_each(|part| part.attributes.retain(|name, _| name != "fallback"));
            found
        };
        assert_eq!(parts(ours), parts(theirs), "{path}");
    }
    for path in ["kernel", "initrd", "cmdline"] {
        assert_eq!(ours.at("os").all(path), theirs.at("os").all(path));
    }
    let (ours, theirs) = (ours.at("devices"), theirs.at("devices"));
    assert_eq!(ours.all("disk").len(), theirs.all("disk").len());
    for (ours, theirs) in ours.all("disk").into_iter().zip(theirs.all("disk")) {
        for part in ["driver", "source", "backingStore", "target", "readonly", "serial", "boot"] {
            assert_eq!(ours.all(part), theirs.all(part), "{part}");
        }
    }
    for path in ["tpm", "watchdog"] {
        let kept = ours
            .all(path)
            .iter()
            .zip(theirs.all(path))
            .all(|(ours, theirs)| ours.attributes.iter().all(|(name, value)| theirs.attribute(name) == value));
        assert!(kept && ours.all(path).len() == theirs.all(path).len(), "{path}");
    }
    let cards = |devices: &Node| devices.all("interface").iter().map(|card| card.at("mac").clone()).collect::<Vec<_>>();
    assert_eq!(cards(ours), cards(theirs));
    assert_eq!(ours.at("rng/backend"), theirs.at("rng/backend"));
    assert_eq!(ours.all("graphics").len(), theirs.all("graphics").len());
}

/// The blank disks hold nothing to boot; that QEMU runs shows that it took every file the way libvirt passed it.
#[test]
fn install_sh_puts_in_place_what_libvirt_can_start_by_each_transport() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&launch::TOOLS)) else { return };
    let Some(()) = tools(&["qemu-system-x86_64"]) else { return };
    for (case, machine) in machines::eight().into_iter().filter(|(name, _)| name.contains("ignition-qcow2")) {
        let bundle = Bundle::new(&Machine { accel: Accel::Tcg, network: Network::User, ..machine });
        let told = ok(bundle.script("sh", "install.sh").arg("--storage").arg(&bundle.storage).output().unwrap());
        let domain = bundle.instance().join("domain.xml").display().to_string();
        assert!(told.contains(&format!("next: virsh define {domain} && virsh start nas\n")), "{told}");
        give(&bundle.instance());
        launch::names(&bundle.instance()).iter().for_each(|name| give(&bundle.instance().join(name)));
        let libvirt = Libvirtd::start(bundle.root.path());
        for commands in [&["define", &domain][..], &["start", "nas"]] {
            ok(libvirt.virsh(commands));
        }
        assert_eq!(ok(libvirt.virsh(&["domstate", "nas"])).trim(), "running", "{case}");
        let line = ok(libvirt.virsh(&["qemu-monitor-command", "nas", "--hmp", "info block"]));
        let config = case.ends_with("disk").then_some("config.qcow2");
        for file in ["system.qcow2", "base.qcow2", "data-tank-1.qcow2", "data-tank-2.qcow2"].into_iter().chain(config) {
            assert!(line.contains(&bundle.instance().join(file).display().to_string()), "{case} {file}: {line}");
        }
        assert_eq!(line.contains("config.qcow2"), config.is_some(), "{line}");
        ok(libvirt.virsh(&["destroy", "nas"]));
    }
}

/// libvirt picks the firmware by the features that are asked, and starts swtpm.
#[test]
fn libvirt_starts_a_machine_with_secure_boot_and_a_tpm_by_the_right_firmware() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&launch::TOOLS)).and_then(|()| tools(&DEFINING)) else {
        return;
    };
    for secure in [true, false] {
        let (_, machine) = machines::equipped().remove(0);
        let mut machine = here(machine);
        machine.hardware.memory.hugepages = false;
        // While it runs, libvirt prints where the balloon is.
        machine.hardware.memory.max = None;
        machine.hardware.security = Security { secure_boot: secure, tpm: true };
        let bundle = Bundle::new(&machine);
        ok(bundle.script("sh", "install.sh").arg("--storage").arg(&bundle.storage).output().unwrap());
        give(&bundle.instance());
        launch::names(&bundle.instance()).iter().for_each(|name| give(&bundle.instance().join(name)));
        let libvirt = Libvirtd::start(bundle.root.path());
        let domain = bundle.instance().join("domain.xml").display().to_string();
        for commands in [&["define", &domain][..], &["autostart", "nas"], &["start", "nas"]] {
            ok(libvirt.virsh(commands));
        }
        let printed = ok(libvirt.virsh(&["dumpxml", "nas"]));
        let running = xml::parse(&printed).remove(0);
        let imported = super::import_config::imported("x.xml", printed.as_bytes());
        super::import_config::same_machine(&imported, &machine, "domain-disk.xml", &printed);
        let told = ok(libvirt.virsh(&["qemu-monitor-command", "nas", "--hmp", "info tpm"]));
        ok(libvirt.virsh(&["destroy", "nas"]));
        let loader = running.at("os/loader");
        assert_eq!(loader.text.contains(".ms."), secure, "{loader:?}");
        assert!(told.contains("model=tpm-crb"), "{told}");
    }
}
