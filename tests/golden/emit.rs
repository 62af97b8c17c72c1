//! Launch files, whole, against the readable copies in `tests/golden/emit/`.
//!
//! `UPDATE_GOLDEN=1 cargo test tests::golden` writes them anew; then bump `LAUNCH_REVISION`, because the bytes of bundles
//! change, and read the difference. `domain.xml`, `domain-installed.xml` and `virt-install.sh` are not kept: they must equal the
//! files of the default transport.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::emit::LaunchFile;
use crate::plan::{LAUNCH_REVISION, Machine};
use crate::tests::support::machines;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/emit")
}

/// One directory for both transports of a case: only the default differs.
fn directory(case: &str) -> String {
    case.trim_end_matches("-disk").trim_end_matches("-fw_cfg").to_owned()
}

fn all() -> Vec<(String, Machine)> {
    machines::eight().into_iter().chain(machines::others()).collect()
}

/// Each set with the file that keeps its digest; machines with a payload, those with further keys, those that report and
/// those with edits came later and have one of their own.
fn sets() -> [(&'static str, Vec<(String, Machine)>); 5] {
    [
        ("emit.revision", all()),
        ("emit-carrying.revision", machines::carrying()),
        ("emit-equipped.revision", machines::equipped()),
        ("emit-reporting.revision", machines::reporting()),
        ("emit-edited.revision", machines::edited()),
    ]
}

fn is_default(name: &str) -> bool {
    matches!(name, "domain.xml" | "domain-installed.xml" | "virt-install.sh")
}

fn compare(path: &Path, file: &LaunchFile) {
    let written = String::from_utf8(file.bytes.clone()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == written,
        "{} changed; if intended: UPDATE_GOLDEN=1, and bump LAUNCH_REVISION\n{written}",
        path.display()
    );
}

#[test]
fn launch_files_are_what_they_were() {
    let mut kept = BTreeSet::new();
    for (case, machine) in sets().into_iter().flat_map(|(_, set)| set) {
        for file in machines::files(&machine).iter().filter(|file| !is_default(&file.name)) {
            // The default transport is the one thing that the two cases of a directory tell apart.
            let tells = matches!(file.name.as_str(), "run-qemu.sh" | "machine.json");
            let name = if tells && case.ends_with("-fw_cfg") { continue } else { &file.name };
            let path = Path::new(&directory(&case)).join(name);
            compare(&root().join(&path), file);
            kept.insert(path);
        }
    }
    for directory in std::fs::read_dir(root()).unwrap() {
        let directory = directory.unwrap();
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let path = Path::new(&directory.file_name()).join(file.unwrap().file_name());
            assert!(kept.contains(&path), "nothing writes {}", path.display());
        }
    }
}

/// `emit.revision` keeps the revision that the bytes belonged to, and their digest.
#[test]
fn other_bytes_are_another_revision() {
    sets().iter().for_each(|(kept, set)| same_revision(&root().with_file_name(kept), set));
}

fn same_revision(path: &Path, set: &[(String, Machine)]) {
    let all: Vec<u8> =
        set.iter().flat_map(|(_, machine)| machines::files(machine)).flat_map(|file| file.bytes).collect();
    let now = format!("{LAUNCH_REVISION} {}\n", Digest::of(&all));
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let same_revision = kept.split(' ').next() == Some(LAUNCH_REVISION.to_string().as_str());
    assert!(kept == now || !same_revision, "launch files changed: bump LAUNCH_REVISION, then UPDATE_GOLDEN=1");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), now, "UPDATE_GOLDEN=1 writes {}", path.display());
}

#[test]
fn the_default_set_is_the_one_of_the_recipes_transport() {
    for (case, machine) in all() {
        let files = machines::files(&machine);
        let set = machine.transport.as_str().replace('_', "");
        let installed = files.iter().any(|file| file.name == "domain-installed.xml");
        let domains = if installed { &["", "-installed"][..] } else { &[""] };
        for form in domains {
            let default = machines::text(&files, &format!("domain{form}.xml"));
            assert_eq!(default, machines::text(&files, &format!("domain-{set}{form}.xml")), "{case}");
        }
        let own = machines::text(&files, &format!("virt-install-{set}.sh"));
        assert_eq!(
            machines::text(&files, "virt-install.sh"),
            own.replace(&format!("virt-install-{set}.sh"), "virt-install.sh")
        );
        assert!(machines::text(&files, "run-qemu.sh").contains(&format!("\ntransport={}\n", machine.transport)));
    }
}
