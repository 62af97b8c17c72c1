//! Mounts, subvolumes and pools, judged by systemd's own tools, shellcheck, every shell, and Ignition's validator.

use std::collections::BTreeMap;
use std::process::Command;

use super::provision::{lowered, told};
use crate::tests::support::{self, output, tool, tools};

const WISH: &str = include_str!("../../src/provision/tests/storage.toml");

fn config(wish: &str) -> serde_json::Value {
    let lowered = lowered(&format!("engine = \"ignition\"\n{wish}"), &[]);
    serde_json::from_slice(lowered.config.unwrap().expose()).unwrap()
}

/// The text of every unit, by name.
fn units(wish: &str) -> BTreeMap<String, String> {
    let config = config(wish);
    let units = config["systemd"]["units"].as_array().unwrap().iter();
    let text =
        |unit: &serde_json::Value| Some((unit["name"].as_str()?.to_owned(), unit["contents"].as_str()?.to_owned()));
    units.filter_map(text).collect()
}

fn mount(path: &str) -> String {
    let path = serde_json::to_string(path).unwrap();
    format!("[[provision.mount]]\nwhat = \"LABEL=x\"\npath = {path}\n")
}

const PATHS: [&str; 12] = [
    "/srv/arca",
    "/srv/a-b/c_d",
    "/srv/.hidden",
    "/.x",
    "/data/..a",
    "/srv/a b",
    "/srv/ü€",
    "/srv/100%",
    "/srv/$HOME",
    "/srv/a,b;c&d",
    "/srv/(x)[y]{z}",
    "/srv/a:b@c+d=e~f#g!h?i*j",
];

#[test]
fn a_mount_unit_has_the_name_that_systemd_wants() {
    let Some(escape) = tool("systemd-escape") else { return };
    for path in PATHS {
        let mut units = units(&mount(path));
        units.remove("arca-report.service");
        let named = output(Command::new(&escape).args(["--path", "--suffix=mount", path])).success().stdout;
        assert_eq!(units.keys().collect::<Vec<_>>(), [named.trim_end()], "{path}");
    }
    let device = config(&mount("/srv/x"))["systemd"]["units"][0]["name"].as_str().unwrap().to_owned();
    let named =
        output(Command::new(&escape).args(["--path", "--suffix=device", "/dev/disk/by-label/x"])).success().stdout;
    assert_eq!(device, named.trim_end());
}

#[test]
fn systemd_has_nothing_to_say_of_any_unit() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let subvolumes: String =
        PATHS[..3].iter().map(|path| format!("[[provision.subvolume]]\npath = \"{path}\"\n")).collect();
    let subvolumes = subvolumes + "[[provision.subvolume]]\npath = \"/srv/50% of $HOME\"\nnocow = true\n";
    let mounts: String = PATHS[5..].iter().map(|path| mount(path)).collect();
    for wish in [WISH.to_owned(), mounts + &subvolumes] {
        let directory = support::workdir();
        let units = units(&wish);
        for (name, text) in &units {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        // A colon in what it is given begins an alias (systemd-analyze(1), "verify").
        for (name, text) in units.iter().filter(|(name, _)| !name.contains(':')) {
            let mut verify = Command::new(&analyze);
            let said = output(verify.args(["verify", "--man=no"]).arg(directory.path().join(name)));
            assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{name}\n{text}");
        }
    }
}

#[test]
fn systemd_reads_every_schedule_that_a_recipe_may_give() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let pool = |when: &str| {
        format!(
            "[[provision.pool]]\nlabel = \"A\"\ndisks = [\"a\"]\npath = \"/srv/a\"\nscrub = \"{when}\"\n\
             [[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n"
        )
    };
    for when in [
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "semiannually",
        "yearly",
        "annually",
        "Sun *-*-* 03:00",
        "*-*-1..7 02:30:00",
        "Mon..Fri 4:00",
        "Sun *-*~07/1 05:00",
    ] {
        let units = units(&pool(when));
        let timer = &units["arca-scrub-A.timer"];
        let (_, calendar) = timer.split_once("OnCalendar=").unwrap();
        output(Command::new(&analyze).args(["calendar", calendar.lines().next().unwrap()])).success();
    }
    assert!(!units(&pool("off")).contains_key("arca-scrub-A.timer"));
}

#[test]
fn out_10_a_pools_script_is_clean_to_shellcheck_and_parses_in_every_shell() {
    let Some(()) = tools(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = support::workdir();
    let path = directory.path().join("script");
    let lowered = lowered(&format!("engine = \"combustion\"\n{WISH}"), &[]);
    let whole = String::from_utf8(lowered.script.unwrap().expose().clone()).unwrap();
    let (_, pool) = whole.split_once("/etc/arca-build/pool-Arca.sh cat <<'END'\n").unwrap();
    let (pool, _) = pool.split_once("\nEND\n").unwrap();
    for (case, text) in [("Combustion's", whole.as_str()), ("the pool's", pool)] {
        std::fs::write(&path, format!("{text}\n")).unwrap();
        for command in [
            &["shellcheck", "-s", "sh", "-S", "style", "-e", "SC2016"][..],
            &["dash", "-n"],
            &["bash", "--posix", "-n"],
            &["busybox", "sh", "-n"],
        ] {
            let output = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{case} {command:?} {}", told(&output));
        }
    }
}

#[test]
fn out_12_ignition_validate_takes_mounts_and_pools() {
    let Some(validate) = tool("ignition-validate") else { return };
    let directory = support::workdir();
    let path = directory.path().join("config.ign");
    let mounts: String = PATHS.iter().map(|path| mount(path)).collect();
    for wish in [WISH.to_owned(), mounts] {
        std::fs::write(&path, config(&wish).to_string()).unwrap();
        let said = output(Command::new(&validate).arg(&path)).success();
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    }
}

/// The parser of the recipe, Ignition's and Combustion's writers bring the same bytes into the guest.
#[test]
fn both_engines_bring_the_same_units_and_the_same_script() {
    let script = lowered(&format!("engine = \"combustion\"\n{WISH}"), &[]).script.unwrap();
    let script = String::from_utf8(script.expose().clone()).unwrap();
    let units = units(WISH);
    assert!(units.len() >= 13);
    for (name, text) in units {
        let head = format!("/etc/systemd/system/{}", name.replace('\\', "\\\\"));
        // The last: the report's list names it too.
        let at = script.rfind(&head).unwrap_or_else(|| panic!("{name} is not in the script"));
        let (_, body) = script[at..].split_once("<<'END'\n").unwrap();
        assert!(body.starts_with(&format!("{text}END\n")), "{name}");
    }
    let config = config(WISH);
    let file = &config["storage"]["files"][0];
    assert_eq!((file["path"].as_str(), file["mode"].as_u64()), (Some("/etc/arca-build/pool-Arca.sh"), Some(0o755)));
    use base64::Engine as _;
    let source = file["contents"]["source"].as_str().unwrap().strip_prefix("data:;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(source).unwrap();
    assert!(script.contains(&format!(
        "put 0755 root:root /etc/arca-build/pool-Arca.sh cat <<'END'\n{}END\n",
        String::from_utf8(bytes).unwrap()
    )));
}
