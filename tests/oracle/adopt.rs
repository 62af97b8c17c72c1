//! What `import-config` understands of a machine, against what others understand: virt-install's own XML of a command must
//! become the same recipe as the command, and the domain XML of a bundle the machine of its recipe.

use std::process::Command;

use arca_build::adopt::{Given, Wish, adopt};
use arca_build::base::BaseKind;
use arca_build::recipe::{MachineSpec, Recipe, RecipePath};

use crate::launch::ok;
use crate::machines;
use crate::support::tools;

fn imported(name: &str, bytes: &[u8]) -> Recipe {
    let path = RecipePath::parse(name).unwrap();
    let given = [Given { shown: name.to_owned(), bytes: bytes.to_vec(), path, is_side_file: false }];
    adopt(&given, &Wish::default()).unwrap_or_else(|problems| panic!("{problems}")).recipe
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
        command.args(["--connect", &crate::virt_install::uri(), "--osinfo", "linux2022"]).args(words);
        let printed = ok(command.args(["--print-xml", "1", "--dry-run"]).output().unwrap());
        let theirs = imported("x.xml", printed.as_bytes());
        let ours = imported("x.sh", format!("virt-install {arguments}").as_bytes());
        let facts = |recipe: &Recipe| {
            let MachineSpec { memory, vcpus, firmware, accel, network, graphics, .. } = recipe.machine.clone();
            // What virt-install chooses by itself where nothing is said is no matter of the command.
            let vcpus = if arguments.contains("--vcpus") { vcpus } else { 0 };
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

#[test]
fn the_domain_of_a_bundle_becomes_its_machine_again() {
    for (case, machine) in machines::eight().into_iter().chain(machines::others()) {
        let files = machines::files(&machine);
        for file in files.iter().filter(|file| file.name.starts_with("domain-") && !file.name.contains("installed")) {
            let recipe = imported("x.xml", &file.bytes);
            let spec = &recipe.machine;
            let context = format!("{case} {}", file.name);
            assert_eq!(recipe.name, machine.name, "{context}");
            assert_eq!(recipe.description, machine.description.clone().filter(|text| !text.is_empty()), "{context}");
            assert_eq!(
                (spec.arch, spec.memory, spec.vcpus),
                (machine.arch, machine.memory, machine.vcpus),
                "{context}"
            );
            assert_eq!(
                (spec.firmware, spec.accel, spec.graphics, &spec.network),
                (machine.firmware, machine.accel, machine.graphics, &machine.network),
                "{context}"
            );
            assert_eq!(recipe.base.kind == BaseKind::Iso, machine.base == BaseKind::Iso, "{context}");
        }
    }
}
