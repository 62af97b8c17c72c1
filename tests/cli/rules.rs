//! What the rules say: what `check` tells, in every form, and what it means for a build.

use std::path::Path;

use crate::support::publisher::{Publisher, recipes};
use crate::support::{Bin, Output, workdir};

fn write(dir: &Path, name: &str, rest: &str) {
    let demo = dir.join("recipes/demo");
    if !demo.exists() {
        recipes(dir);
    }
    std::fs::write(dir.join("recipes").join(name), format!("format = 1\nname = \"vm\"\n{rest}")).unwrap();
}

fn run(dir: &Path, words: &[&str]) -> Output {
    Bin::new(dir).args(words).run()
}

/// The base of the demo, which its recipe pins.
fn base() -> String {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/demo.toml");
    let text = std::fs::read_to_string(demo).unwrap();
    let base = text.split("[base]").nth(1).unwrap().split("\n[").next().unwrap();
    format!("[base]{base}\n")
}

#[test]
fn different_transports_put_each_engines_part_where_it_belongs() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    let build = |transport: &str| {
        let rest = format!(
            "{}[provision]\ntransport = {transport}\nscript = \"s\"\n[provision.root]\npassword_hash = \"!\"\n",
            base()
        );
        write(dir.path(), "vm.toml", &rest);
        std::fs::write(dir.path().join("recipes/s"), "#!/bin/sh\ntrue\n").unwrap();
        let bundle = run(dir.path(), &["--no-link", "recipes/vm.toml"]).success();
        let config = std::fs::read(Path::new(bundle.line()).join("config.raw")).unwrap();
        let holds = |text: &str| config.windows(text.len()).any(|window| window == text.as_bytes());
        let names: Vec<_> = std::fs::read_dir(bundle.line()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        (holds("\"ignition\""), holds("#!/bin/sh"), names.iter().any(|name| name == "domain-disk.xml"))
    };
    assert_eq!(build("\"auto\""), (true, true, true));
    assert_eq!(build("{ ignition = \"disk\", combustion = \"fw_cfg\" }"), (true, false, false));
    assert_eq!(build("{ ignition = \"fw_cfg\", combustion = \"disk\" }"), (false, true, false));
}

#[test]
fn what_update_learnt_of_the_image_is_judged() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let recipe = dir.path().join("recipes/nas.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    std::fs::write(&recipe, text.replace("size = \"32GiB\"", "size = \"1MiB\"")).unwrap();
    let run = |words: &[&str]| Bin::new(dir.path()).arg("--config").arg(&publisher.config).args(words).run();
    run(&["update", "recipes/nas.toml"]).success();
    let lock = dir.path().join("recipes/arca.lock");
    let pinned = std::fs::read_to_string(&lock).unwrap();
    assert!(pinned.contains("virtual_size"), "{pinned}");
    let line = pinned.lines().find(|line| line.starts_with("virtual_size")).unwrap();
    std::fs::write(&lock, pinned.replace(line, "virtual_size = \"20GiB\"")).unwrap();
    let refused = run(&["check", "recipes/nas.toml"]).ends_with(2);
    refused.says("rule: min-disk").says("the system disk of 1 MiB is smaller than the image's own of 20 GiB");
}
