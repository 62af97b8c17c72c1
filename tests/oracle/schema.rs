//! The schema of recipes against a validator that is not ours, and the recipes that ship.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tests::support::{Bin, output, skip, tool, workdir};

/// Prints how many mistakes each file has by the schema; first, whether the schema is one.
const VALIDATE: &str = r#"
import json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
for path in sys.argv[2:]:
    found = list(jsonschema.Draft7Validator(schema).iter_errors(tomllib.load(open(path, "rb"))))
    print(len(found))
"#;

/// Finds a Python that has the validator: the system's own has it from its package, another may have it too.
fn python() -> Option<PathBuf> {
    let candidates = [tool("python3")?, PathBuf::from("/usr/bin/python3")];
    let has = |python: &PathBuf| {
        let found = Command::new(python).args(["-c", "import jsonschema, tomllib"]).output();
        found.is_ok_and(|found| found.status.success())
    };
    let found = candidates.into_iter().find(has);
    if found.is_none() {
        skip("python3 with jsonschema (package python3-jsonschema)");
    }
    found
}

#[test]
fn a_validator_takes_every_shipped_recipe_and_refuses_broken_ones() {
    let Some(python) = python() else { return };
    let dir = workdir();
    let schema = dir.path().join("recipe.schema.json");
    std::fs::write(&schema, Bin::new(dir.path()).arg("schema").run().success().stdout).unwrap();
    Bin::new(dir.path()).args(["new", "fresh"]).run().success();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let mut files: Vec<PathBuf> = std::fs::read_dir(recipes).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.push(dir.path().join("fresh.toml"));
    let good = files.len();
    assert!(good >= 5);
    let head = "format = 1\nname = \"a\"\n";
    let base = "[base]\nurl = \"https://h/a.qcow2\"\n";
    let broken = [
        format!("{head}[base]\nurl = \"https://h/a.qcow2\"\nsha256 = \"ABC\"\n"),
        format!("{head}{base}[machine]\nmemory = \"2GB\"\n"),
        format!("{head}{base}[machine]\nmemroy = \"2GiB\"\n"),
        format!("{head}{base}[[provision.file]]\npath = \"/x\"\ntext = \"\"\nmode = \"rw-r--r--\"\n"),
        format!("{head}{base}[provision]\ntransport = {{ usb = \"disk\" }}\n"),
        "format = 1\nname = \"a\"\n".to_owned(),
    ];
    for (index, text) in broken.iter().enumerate() {
        let path = dir.path().join(format!("broken-{index}.toml"));
        std::fs::write(&path, text).unwrap();
        let refused = Bin::new(dir.path()).arg("check").arg(&path).run();
        assert!(refused.stderr.contains("E_RECIPE"), "{text}\n{refused}");
        files.push(path);
    }
    let judged = output(Command::new(python).args(["-c", VALIDATE]).arg(&schema).args(&files)).success();
    let counts: Vec<u32> = judged.stdout.lines().map(|line| line.parse().unwrap()).collect();
    for (path, count) in files.iter().zip(&counts) {
        assert_eq!(*count > 0, path.starts_with(dir.path()) && !path.ends_with("fresh.toml"), "{}", path.display());
    }
    assert_eq!(counts.len(), good + broken.len());
}
