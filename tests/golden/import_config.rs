//! What `import-config` makes of what people have, whole, against the readable copies in `tests/golden/import_config/`.
//!
//! Each directory of `tests/fixtures/import_config/` is one case; the files were written for these tests after what is seen in the field.
//! `UPDATE_GOLDEN=1 cargo test tests::golden import_config` writes the copies anew.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::tests::support::{Bin, workdir};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Copies a case into a directory and returns what a person would type.
fn lay_out(case: &str, to: &Path) -> Vec<String> {
    let from = at("fixtures/import_config").join(case);
    let mut typed = vec![];
    for name in names(&from) {
        if from.join(&name).is_dir() {
            std::fs::create_dir(to.join(&name)).unwrap();
            for inner in names(&from.join(&name)) {
                std::fs::copy(from.join(&name).join(&inner), to.join(&name).join(inner)).unwrap();
            }
            typed.push(format!("{name}/script"));
        } else {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
            typed.push(name);
        }
    }
    typed
}

fn imported(case: &str) -> String {
    let dir = workdir();
    let typed = lay_out(case, dir.path());
    let run = Bin::new(dir.path()).arg("import-config").args(&typed).run().success();
    let path = PathBuf::from(run.stdout.trim_end());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600, "{case}");
    assert!(!run.stderr.contains("not-to-be-shown") && !run.stderr.contains("$6$"), "{run}");
    let text = std::fs::read_to_string(&path).unwrap();
    // It is a recipe that lacks nothing but its pin.
    let checked = Bin::new(dir.path()).arg("check").arg(&path).run();
    assert!(checked.code == 2 && checked.stderr.contains("E_UNPINNED"), "{case}\n{checked}\n{text}");
    assert_eq!(checked.stderr.matches("error[").count(), 1, "{case}\n{checked}\n{text}");
    text
}

#[test]
fn imported_recipes_are_what_they_were_and_can_be_checked() {
    let cases = names(&at("fixtures/import_config"));
    assert!(cases.len() >= 10, "{cases:?}");
    let mut changed = vec![];
    for case in cases {
        let text = imported(&case);
        let kept = at("golden/import_config").join(format!("{case}.toml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
            std::fs::write(&kept, &text).unwrap();
        }
        if std::fs::read_to_string(&kept).unwrap_or_default() != text {
            changed.push(format!("{case}\n{text}"));
        }
    }
    assert!(changed.is_empty(), "changed; if intended: UPDATE_GOLDEN=1\n{}", changed.join("\n"));
}
