//! What the rules say: what `check` tells, in every form, and what it means for a build.

use std::path::Path;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, Output, workdir};

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

/// A recipe that plans, with two warnings, a note and one thing allowed.
fn told() -> String {
    format!(
        "{}[machine]\nstorage = \"/home/a/vm\"\n[provision.root]\npassword_hash = \"!\"\n[[provision.user]]\nname = \"bob\"\n\
         [allow]\nroot-ssh-password = \"the console is enough\"\nmoving-url = \"it may\"\n",
        base()
    )
}

#[test]
fn check_tells_every_finding_with_its_place_its_fix_and_a_sum() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    write(dir.path(), "vm.toml", &told());
    let checked = run(dir.path(), &["check", "recipes/vm.toml"]).success();
    let plan = checked.stderr.split("plan ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert_eq!(
        checked.stderr.replace(&plan, "PLAN"),
        "\
warning[no-login]: user `bob` has neither password nor key and cannot log in
 --> recipes/vm.toml:11:1
hint: add `ssh_keys` or `password_hash`, or write system = true
warning[libvirt-home]: `storage` is /home/a/vm, below a home directory that the emulator may not enter
 --> recipes/vm.toml:8:11
  |
8 | storage = \"/home/a/vm\"
  |           ^^^^^^^^^^^^
hint: use a directory such as /var/lib/libvirt/images as `storage`
note[unused-allow]: nothing breaks the rule `moving-url` that is allowed here
  --> recipes/vm.toml:15:14
   |
15 | moving-url = \"it may\"
   |              ^^^^^^^^
hint: remove the entry from `[allow]`
vm: good; plan PLAN, 6 files and the launch files
1 recipe checked: 2 warnings, 1 note, 1 allowed
"
    );
    assert_eq!(checked.stdout, "");
    let quiet = run(dir.path(), &["--quiet", "check", "recipes/vm.toml"]).success();
    assert_eq!(quiet.stderr, "");
    // A build tells warnings in a line each, and no notes.
    let built = run(dir.path(), &["build", "--no-link", "recipes/vm.toml"]).success();
    assert_eq!(built.stderr.matches("warning: ").count(), 2, "{built}");
    assert!(!built.stderr.contains("unused-allow"), "{built}");
}

#[test]
fn what_is_denied_fails_and_says_so() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    write(dir.path(), "vm.toml", &told());
    let check = |words: &[&str]| run(dir.path(), &[&["check"], words, &["recipes/vm.toml"]].concat());
    check(&["--deny", "warnings"]).ends_with(1).says("finding[E_LINT]").says("2 findings denied");
    check(&["--deny", "notes"]).ends_with(1).says("3 findings denied");
    check(&["--deny", "everything"]).ends_with(2);
    let text = std::fs::read_to_string(dir.path().join("recipes/vm.toml")).unwrap();
    let allowed = text.replace("moving-url = \"it may\"", "no-login = \"a\"\nlibvirt-home = \"b\"");
    std::fs::write(dir.path().join("recipes/vm.toml"), allowed).unwrap();
    check(&["--deny", "notes"]).success().says("1 recipe checked: 3 allowed");
}

#[test]
fn json_lists_the_findings_once_whatever_the_outcome() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    write(dir.path(), "vm.toml", &told());
    let json = run(dir.path(), &["check", "--json", "recipes/vm.toml"]).success().json();
    assert_eq!(json["plans"][0]["name"], "vm");
    let rules: Vec<_> = json["findings"].as_array().unwrap().iter().map(|one| &one["rule"]).collect();
    assert_eq!(rules, ["no-login", "libvirt-home", "unused-allow"]);
    let first = &json["findings"][0];
    assert_eq!((&first["severity"], &first["place"]["line"]), (&"warning".into(), &11.into()), "{first}");
    assert!(first["fix"].as_str().unwrap().contains("ssh_keys"), "{first}");
    assert_eq!(json["allowed"][0]["reason"], "the console is enough");
    write(dir.path(), "bad.toml", &format!("{}[machine]\nmemroy = \"1GiB\"\n", base()));
    let bad = run(dir.path(), &["check", "--json", "recipes/vm.toml", "recipes/bad.toml"]).ends_with(2);
    let json = bad.json();
    assert_eq!((&json["errors"][0]["code"], json["findings"].as_array().unwrap().len()), (&"E_RECIPE".into(), 3));
    let denied = run(dir.path(), &["check", "--json", "--deny", "warnings", "recipes/vm.toml"]).ends_with(1);
    assert!(denied.json()["errors"].is_null());
}

/// The properties that the schema of SARIF 2.1.0 requires of what we write, and the words it allows.
#[test]
fn sarif_has_what_its_schema_requires() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    write(dir.path(), "vm.toml", &told());
    write(
        dir.path(),
        "bad.toml",
        &format!("{}[machine]\nmemroy = \"1GiB\"\n[provision.root]\npassword_hash = \"x\"\n", base()),
    );
    let log = run(dir.path(), &["check", "--sarif", "recipes/vm.toml", "recipes/bad.toml"]).ends_with(2).json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "arca-build");
    let rules = driver["rules"].as_array().unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for rule in rules {
        assert!(ids.insert(rule["id"].as_str().unwrap()), "§3.49.3: {rule}");
        assert!(rule["shortDescription"]["text"].is_string(), "{rule}");
        let address = rule.get("helpUri").map(|address| address.as_str().unwrap());
        assert!(address.is_none_or(|address| address.starts_with("https://")), "{rule}");
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 5, "{results:#?}");
    for result in results {
        let level = result["level"].as_str().unwrap();
        assert!(["none", "note", "warning", "error"].contains(&level), "{result}");
        assert!(ids.contains(result["ruleId"].as_str().unwrap()) && result["message"]["text"].is_string(), "{result}");
        if let Some(index) = result["ruleIndex"].as_u64() {
            assert_eq!(rules[usize::try_from(index).unwrap()]["id"], result["ruleId"]);
        }
        for location in result["locations"].as_array().unwrap() {
            let physical = &location["physicalLocation"];
            assert!(physical["artifactLocation"]["uri"].as_str().unwrap().starts_with("recipes/"), "{result}");
            let region = &physical["region"];
            assert!(region["startLine"].as_u64() >= Some(1) && region["startColumn"].as_u64() >= Some(1), "{result}");
            assert!(region["endColumn"].as_u64() > region["startColumn"].as_u64(), "{result}");
        }
    }
    let kinds: Vec<_> = results.iter().filter_map(|result| result.get("suppressions")).collect();
    assert_eq!(kinds, [&serde_json::json!([{"kind": "inSource", "justification": "the console is enough"}])]);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn a_rule_is_explained_without_a_recipe() {
    let dir = workdir();
    let explained = run(dir.path(), &["check", "--explain", "part-number-0"]).success();
    for text in ["part-number-0: ", "https://github.com/coreos/ignition/issues/2234", "[allow]\n  part-number-0 = "] {
        assert!(explained.stdout.contains(text), "{explained}");
    }
    let json = run(dir.path(), &["check", "--json", "--explain", "min-disk"]).success().json();
    assert_eq!((&json["rule"], &json["severity"]), (&"min-disk".into(), &"error".into()));
    let all = run(dir.path(), &["check", "--explain", "all"]).success();
    assert!(all.stdout.lines().count() > 30 && all.stdout.contains("home-subvol"), "{all}");
    run(dir.path(), &["check", "--explain", "home-subvolume"]).ends_with(2).says("home-subvol");
    run(dir.path(), &["check"]).ends_with(2).says("RECIPE");
}

#[test]
fn only_rules_that_are_there_can_be_allowed_and_only_with_a_reason() {
    let dir = workdir();
    std::fs::create_dir_all(dir.path().join("recipes")).unwrap();
    let allow = |entry: &str| {
        write(dir.path(), "vm.toml", &format!("{}[allow]\n{entry}\n", base()));
        run(dir.path(), &["check", "recipes/vm.toml"]).ends_with(2).says("E_RECIPE")
    };
    allow("home-subvolume = \"a\"")
        .says("unknown key `home-subvolume` in `[allow]`")
        .says("did you mean `home-subvol`?");
    allow("xyzzy = \"a\"").says("`arca-build check --explain all` lists the rules");
    allow("unused-allow = \"a\"").says("unknown key `unused-allow`");
    allow("min-disk = true").says("`min-disk` must be text");
    allow("min-disk = \"\"").says("`min-disk` is empty");
}
