//! What `import-config` understands of a machine, against what others understand: virt-install's own XML of a command must
//! become the same recipe as the command, and the domain XML of a bundle the machine of its recipe.

use std::process::Command;

use crate::base::{BaseKind, MacAddress};
use crate::import_config::{ImportOptions, ImportedRecipe, InputFile, import};
use crate::plan::{Machine, Network};
use crate::recipe::machine::MachineSpec;
use crate::recipe::{Recipe, RecipePath};

use crate::tests::support::launch::{Bundle, ok};
use crate::tests::support::machines;
use crate::tests::support::tools;
use crate::tests::support::xml;

pub fn imported(name: &str, bytes: &[u8]) -> ImportedRecipe {
    let path = RecipePath::parse(name).unwrap();
    let input = [InputFile { shown: name.to_owned(), bytes: bytes.to_vec(), path, is_side_file: false }];
    import(&input, &ImportOptions::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn recipe_of(name: &str, bytes: &[u8]) -> Recipe {
    imported(name, bytes).recipe
}

#[test]
fn the_xml_that_virt_install_makes_of_a_command_becomes_the_same_recipe() {
    let Some(()) = tools(&["virt-install", "qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let image = |name: &str| {
        let path = dir.path().join(name).display().to_string();
        ok(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", &path, "1G"]).output().unwrap());
        path
    };
    let (system, data, iso) = (image("box.qcow2"), image("d.qcow2"), dir.path().join("m.iso"));
    std::fs::write(&iso, vec![0; 1 << 20]).unwrap();
    let iso = iso.display();
    for arguments in [
        format!("--name a --memory 1024 --vcpus 3 --import --disk {system},serial=root --network none --graphics none"),
        format!(
            "--name b --memory 2048 --import --disk path={system} --disk {data},serial=tank --network user --graphics vnc"
        ),
        format!(
            "--name c --memory memory=512 --vcpus=2 --import --disk={system} --network network=default,model=virtio --graphics spice"
        ),
        format!(
            "--name d --memory 3072 --vcpus 4 --boot firmware=efi --import --disk {system} --network bridge=br7 --nographics"
        ),
        format!("--name e --memory 1024 --virt-type qemu --cdrom {iso} --disk {system} --network user --graphics none"),
    ] {
        let words = shlex::split(&arguments).unwrap();
        let mut command = Command::new("virt-install");
        command.args(["--connect", &super::virt_install::uri(), "--osinfo", "linux2022"]).args(words);
        let printed = ok(command.args(["--print-xml", "1", "--dry-run"]).output().unwrap());
        let theirs = recipe_of("x.xml", printed.as_bytes());
        let ours = recipe_of("x.sh", format!("virt-install {arguments}").as_bytes());
        let facts = |recipe: &Recipe| {
            let MachineSpec { memory, vcpus, firmware, accel, network, graphics, .. } = recipe.machine.clone();
            // What virt-install chooses by itself where nothing is said is no matter of the command.
            let vcpus = vcpus.filter(|_| arguments.contains("--vcpus"));
            (
                recipe.name.clone(),
                memory,
                vcpus,
                firmware,
                accel,
                network,
                graphics,
                recipe.base.source.value.clone(),
                recipe.base.kind,
            )
        };
        assert_eq!(facts(&ours), facts(&theirs), "{arguments}\n{printed}");
    }
}

/// What is left behind of every domain and command of ours, for no key stands for it: who it is, and what installs it.
const OURS: [&str; 10] = [
    "the UUID: it follows from the recipe",
    "--uuid: it follows from the recipe",
    "<kernel>: ",
    "<initrd>: ",
    "<cmdline>: ",
    "--install: ",
    "the disk `",
    "what is on the disk `",
    "the medium `",
    "<cpu>: its features, which are what the host gave",
];

/// Neither a disk's size nor a config stands in a domain; whatever else is named is too much.
fn nothing_is_skipped(imported: &ImportedRecipe, context: &str) {
    let known = |line: &&String| {
        let input = line.contains("that the guest gets by fw_cfg")
            || line.starts_with("the size of the disk")
            || line.starts_with("the size of the system disk");
        !input && !OURS.iter().any(|known| line.starts_with(known))
    };
    let skipped: Vec<_> = imported.skipped.iter().filter(known).collect();
    assert!(skipped.is_empty(), "{context}: {skipped:#?}");
}

/// Puts what a recipe says of a machine into the machine that its domain was made of; the rest of that is no matter of the domain.
pub fn machine_again(recipe: &Recipe, machine: &Machine) -> Machine {
    let spec = recipe.machine.clone();
    Machine {
        name: recipe.name.clone(),
        description: recipe.description.clone(),
        arch: spec.arch,
        memory: *spec.memory,
        vcpus: spec.vcpus(),
        firmware: spec.firmware(),
        accel: spec.accel,
        network: spec.network,
        graphics: spec.graphics,
        hardware: spec.hardware,
        ..machine.clone()
    }
}

/// The keys alone, with what every domain says and a recipe need not.
fn keys(machine: &Machine) -> Machine {
    let mut machine = machine.clone();
    let identity = machines::identity(&machine);
    machine.hardware.xml.clear();
    if machine.network != Network::None {
        machine.hardware.mac.get_or_insert(MacAddress::parse(&identity.mac).unwrap());
    }
    machine
}

/// The domain of a machine, without the order in which its elements stand, for edits come in another.
fn domain_of(machine: &Machine, file: &str) -> Vec<String> {
    let mut domain = xml::parse(&machines::text(&machines::files(machine), file)).remove(0);
    domain.sort();
    let mut lines = domain.lines("");
    lines.sort();
    lines
}

pub fn same_machine(imported: &ImportedRecipe, machine: &Machine, file: &str, context: &str) {
    let (again, edited) = (machine_again(&imported.recipe, machine), !machine.hardware.xml.is_empty());
    if !edited {
        let (again, mut machine) = (keys(&again), keys(machine));
        // Only a command says it.
        machine.hardware.autostart = again.hardware.autostart;
        assert_eq!(again, machine, "{context}\n{}", imported.text);
        assert!(imported.recipe.machine.hardware.xml.is_empty(), "{context}\n{}", imported.text);
    }
    let (ours, theirs) = (domain_of(machine, file), domain_of(&again, file));
    let less = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
    let text = &imported.text;
    assert!(ours == theirs, "{context}\n{text}\nlost: {:#?}\ncame: {:#?}", less(&ours, &theirs), less(&theirs, &ours));
    nothing_is_skipped(imported, context);
}

#[test]
fn the_domain_of_a_bundle_becomes_its_machine_again() {
    for (case, machine) in machines::every() {
        let files = machines::files(&machine);
        for file in files.iter().filter(|file| file.name.starts_with("domain-")) {
            let imported = imported("x.xml", &file.bytes);
            let context = format!("{case} {}", file.name);
            same_machine(&imported, &machine, &file.name, &context);
            let iso = imported.recipe.base.kind == BaseKind::Iso;
            assert_eq!(iso, machine.base == BaseKind::Iso && !file.name.contains("installed"), "{context}");
        }
    }
}

/// The command of a script, with its files where they would lie.
fn command_of(script: &str) -> String {
    let begin = script.find("\nvirt-install \\\n").unwrap();
    let directory = "/var/lib/libvirt/images/nas";
    let command = script[begin..].replace("'\"$directory\"'", directory).replace("\"$directory\"", directory);
    command.replace("${directory}", directory)
}

#[test]
fn the_command_of_a_bundle_becomes_its_machine_again() {
    for (case, machine) in machines::every() {
        let files = machines::files(&machine);
        for set in ["disk", "fwcfg"] {
            let script = machines::text(&files, &format!("virt-install-{set}.sh"));
            let context = format!("{case} {set}");
            // The whole script says nothing of the disks: they lie where a variable says.
            let whole = imported("x.sh", script.as_bytes());
            let imported = imported("x.sh", command_of(&script).as_bytes());
            assert_eq!(whole.recipe.machine.hardware, imported.recipe.machine.hardware, "{context}");
            assert_eq!(imported.recipe.machine.hardware.autostart, machine.hardware.autostart, "{context}");
            same_machine(&imported, &machine, &format!("domain-{set}.xml"), &context);
            assert_eq!(imported.recipe.base.kind == BaseKind::Iso, machine.base == BaseKind::Iso, "{context}");
        }
    }
}

#[test]
fn the_xml_that_virt_install_makes_of_a_bundles_command_becomes_its_machine_again() {
    let Some(()) = tools(&["virt-install", "qemu-img"]) else { return };
    for (case, machine) in machines::every() {
        for set in ["disk", "fwcfg"] {
            let bundle = Bundle::new(&machine);
            let script = format!("virt-install-{set}.sh");
            let printed = ok(super::virt_install::run(&bundle, &script).output().unwrap());
            // Of an installation it prints two: the second is what stays.
            let last = printed.rfind("<domain").unwrap();
            let imported = imported("x.xml", &printed.as_bytes()[last..]);
            same_machine(&imported, &machine, &format!("domain-{set}.xml"), &format!("{case} {set}\n{printed}"));
        }
    }
}
