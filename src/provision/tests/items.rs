//! Each item by each engine: `items/NAME.toml` becomes `NAME.ign` and `NAME.sh`. `UPDATE_GOLDEN=1` writes them anew; if a
//! change is meant, bump the builder's revision.

use super::{compile_with, compiled, config, ids, refused, script};
use crate::base::Code;
use crate::base::Engine;
use crate::provision::engines::choice::Feature;

const ITEMS: [(&str, &str); 8] = [
    ("groups", include_str!("items/groups.toml")),
    ("nodes", include_str!("items/nodes.toml")),
    ("append", include_str!("items/append.toml")),
    ("settings", include_str!("items/settings.toml")),
    ("ntp", include_str!("items/ntp.toml")),
    ("proxy", include_str!("items/proxy.toml")),
    ("kernel", include_str!("items/kernel.toml")),
    ("certificates", include_str!("items/certificates.toml")),
];

/// Puts the engine first; a table header of the item's own takes its place.
fn by(engine: &str, item: &str) -> String {
    format!("engine = \"{engine}\"\n{}", item.trim_start_matches("[provision]\n"))
}

#[expect(clippy::disallowed_methods, reason = "golden files are files")]
fn golden(name: &str, text: &str) {
    let path = format!("{}/src/provision/tests/items/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn each_item_is_written_by_ignition() {
    for (name, item) in ITEMS {
        let compiled = compiled(&by("ignition", item), &[]);
        assert!(ids(&compiled).is_empty() && compiled.script.is_none(), "{name} {:?}", compiled.warnings);
        golden(&format!("{name}.ign"), &config(&compiled));
        assert!(
            compiled.assignments.iter().all(|assigned| assigned.engine == Engine::Ignition)
                && !compiled.assignments.is_empty()
        );
    }
}

#[test]
fn each_item_is_written_by_combustion() {
    for (name, item) in ITEMS {
        let compiled = compiled(&by("combustion", item), &[]);
        assert!(ids(&compiled).is_empty() && compiled.config.is_none(), "{name} {:?}", compiled.warnings);
        golden(&format!("{name}.sh"), &script(&compiled));
        assert!(
            compiled.assignments.iter().all(|assigned| assigned.engine == Engine::Combustion)
                && !compiled.assignments.is_empty()
        );
    }
}

#[test]
fn the_reference_crate_reads_each_item() {
    for (name, item) in ITEMS {
        let text = config(&compiled(&by("ignition", item), &[]));
        let (_, warnings) = ignition_config::Config::parse_str(&text).unwrap();
        assert!(warnings.is_empty(), "{name} {warnings:?}");
        let needed = if name == "kernel" { "3.3.0" } else { "3.2.0" };
        assert!(text.contains(&format!("\"version\": \"{needed}\"")), "{name}");
    }
}

#[test]
fn settings_kernel_arguments_and_certificates_go_to_ignition_where_the_recipe_leaves_the_choice() {
    for (item, feature) in
        [("settings", Feature::Settings), ("kernel", Feature::KernelArguments), ("certificates", Feature::Certificates)]
    {
        let wish = ITEMS.iter().find(|(name, _)| *name == item).unwrap().1;
        let compiled = compiled(&by("auto", wish), &[]);
        assert!(
            compiled
                .assignments
                .iter()
                .all(|assigned| (assigned.engine, assigned.feature) == (Engine::Ignition, feature)),
            "{item}"
        );
        assert!(compiled.assignments.iter().any(|assigned| !assigned.why.is_empty()), "{item}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let file = |path: &str| format!("[[provision.file]]\npath = \"{path}\"\ntext = \"\"\n");
    let link = |path: &str, target: &str| format!("[[provision.link]]\npath = \"{path}\"\ntarget = \"{target}\"\n");
    let directory = |path: &str| format!("[[provision.directory]]\npath = \"{path}\"\n");
    let group = |name: &str, rest: &str| format!("[[provision.group]]\nname = \"{name}\"\n{rest}\n");
    let ca = |text: &str| format!("[[provision.ca_certificate]]\nname = \"a\"\ntext = '''\n{text}'''\n");
    for (wish, word) in [
        ("hostname = \"a\"\n".to_owned() + &file("/etc/hostname"), "`/etc/hostname` is written twice, first in line 7"),
        ("hostname = \"a\"\n".to_owned() + &file("/etc/hostname"), "`hostname` writes it: keep one of them"),
        ("timezone = \"UTC\"\n".to_owned() + &link("/etc/localtime", "x"), "`timezone` writes it"),
        ("locale = \"C\"\n".to_owned() + &file("/etc/locale.conf"), "`locale` writes it"),
        ("keymap = \"us\"\n".to_owned() + &file("/etc/vconsole.conf"), "`keymap` writes it"),
        ("ntp = [\"a\"]\n".to_owned() + &file("/etc/chrony.d/pool.conf"), "`ntp` writes it"),
        ("proxy = { http = \"http://a\" }\n".to_owned() + &file("/etc/sysconfig/proxy"), "`proxy` writes it"),
        (file("/a") + &directory("/a"), "`/a` is written twice, first in line 6"),
        (file("/etc/a") + &directory("/etc/a/b"), "`/etc/a` cannot be a file and the directory of `/etc/a/b`"),
        (link("/etc/a", "b") + &file("/etc/a/b"), "`/etc/a/b` lies below the link `/etc/a`"),
        (link("/etc", "/x"), "`/etc` is a directory of the system"),
        (
            "[[provision.user]]\nname = \"bob\"\nhome = \"/srv/bob\"\nssh_keys = [\"KEY\"]\n".to_owned()
                + &link("/srv/bob", "/data"),
            "`/srv/bob` is or holds the home of `bob`",
        ),
        (link("/etc/a", "/etc/a"), "the link `/etc/a` leads to itself"),
        (link("/run/a", "/x"), "`/run/a` would be lost: nothing below /run"),
        (directory("/tmp/a"), "nothing below /tmp"),
        (group("a", "gid = 5") + &group("b", "gid = 5"), "gid `5` is there twice, first in line 6"),
        (ca(""), "`a` is not a CA certificate in PEM: no block begins with"),
        (
            ca("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            "the block in line 1 does not hold one whole",
        ),
        (ca("-----BEGIN CERTIFICATE REQUEST-----\n"), "the block in line 1 is not a certificate"),
    ] {
        let problems = compile_with(&wish, &[]).unwrap_err().0;
        let told = format!("{} {}", problems[0], problems[0].hint.as_deref().unwrap_or_default());
        assert!(problems.len() == 1 && told.contains(word), "{wish} {problems:?}");
        assert_eq!(problems[0].place.as_ref().map(|place| place.file.as_str()), Some("recipes/nas.toml"), "{told}");
    }
}

#[test]
fn what_a_ready_made_config_defines_too_is_refused_by_name() {
    let ready = br#"{"ignition": {"version": "3.2.0"}, "passwd": {"groups": [{"name": "nas"}]},
        "storage": {"files": [{"path": "/etc/hostname"}]}, "systemd": {"units": [{"name": "chronyd.service"}]}}"#;
    let kernel = br#"{"ignition": {"version": "3.3.0"}, "kernelArguments": {"shouldNotExist": ["quiet"]}}"#;
    for (wish, word) in [
        ("[[provision.group]]\nname = \"nas\"\n", "group `nas` is defined in the recipe and in `recipes/c`"),
        ("hostname = \"a\"\n", "path `/etc/hostname` is defined in the recipe and in"),
        ("[[provision.link]]\npath = \"/etc/hostname\"\ntarget = \"a\"\n", "path `/etc/hostname` is defined"),
        ("ntp = [\"a\"]\n", "unit `chronyd.service` is defined"),
    ] {
        let problems = refused(&format!("config = \"c\"\n{wish}"), &[("c", ready)]);
        assert!(problems.len() == 1 && problems[0].contains(word), "{wish} {problems:?}");
    }
    let problems = refused("config = \"c\"\nkernel_arguments = [\"quiet\"]\n", &[("c", kernel)]);
    let word = "kernel argument `quiet` is named in the recipe and in `recipes/c`";
    assert!(problems.len() == 1 && problems[0].contains(word), "{problems:?}");
}

#[test]
fn sec_4_a_private_key_for_a_certificate_is_refused_and_never_shown() {
    let key = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
    let wish = "[[provision.ca_certificate]]\nname = \"a\"\nsource = \"a.pem\"\n";
    let problems = compile_with(wish, &[("a.pem", key.as_bytes())]).unwrap_err();
    assert_eq!((problems.0.len(), problems.0[0].code), (1, Code::Secret));
    assert!(problems.0[0].headline.contains("a private key stands in line 1 of the certificate `a`"));
    assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
    assert!(refused(wish, &[])[0].contains("the content of `a.pem` is not known"));
}

#[test]
fn sec_4_a_proxys_password_is_for_root_alone_and_shows_nowhere() {
    for engine in ["ignition", "combustion"] {
        let wish = format!("engine = \"{engine}\"\nproxy = {{ http = \"http://u:canary@p:3128\" }}\n");
        let compiled = compiled(&wish, &[]);
        assert_eq!(ids(&compiled), ["proxy-password"]);
        assert!(!format!("{compiled:?}").contains("canary"));
        let mode = if engine == "ignition" { "\"mode\": 384" } else { "put 0600 root:root /etc/sysconfig/proxy" };
        let text = if engine == "ignition" { config(&compiled) } else { script(&compiled) };
        assert!(text.contains(mode) && text.contains("canary"), "{text}");
        assert!(text.contains("127.0.0.1"), "{text}");
    }
}

#[test]
fn a_unit_that_the_recipe_names_itself_is_left_to_it() {
    let wish = "ntp = [\"a\"]\n[[provision.unit]]\nname = \"chronyd.service\"\nenable = false\n";
    let text = config(&compiled(wish, &[]));
    assert_eq!(text.matches("\"name\": \"chronyd.service\"").count(), 1, "{text}");
    assert!(text.contains("\"enabled\": false"), "{text}");
}

#[test]
fn what_may_not_work_is_warned_of() {
    let user = "[[provision.user]]\nname = \"nas\"\nssh_keys = [\"KEY\"]\n[[provision.group]]\nname = \"nas\"\n";
    assert_eq!(ids(&compiled(user, &[])), ["group-like-user"]);
    for (locale, warned) in [("de_DE.UTF-8", true), ("en_US.UTF-8", false), ("C.UTF-8", false), ("POSIX", false)] {
        let compiled = compiled(&format!("locale = \"{locale}\"\n"), &[]);
        assert_eq!(ids(&compiled).contains(&"locale-missing"), warned, "{locale}");
    }
}

/// Ignition cannot write the root snapshot: by `auto` such paths go to Combustion.
#[test]
fn directories_and_links_of_the_root_snapshot_go_to_combustion() {
    let wish = "[[provision.directory]]\npath = \"/data\"\n[[provision.link]]\npath = \"/nas\"\ntarget = \"srv/nas\"\n";
    let compiled = compiled(wish, &[]);
    assert!(compiled.config.is_none() && script(&compiled).contains("directory 0755 root root /data\n"));
    assert!(
        compiled
            .assignments
            .iter()
            .all(|assigned| assigned.engine == Engine::Combustion && assigned.why.contains("read-only"))
    );
}

/// Returns what the config's file at a path holds, and the config.
fn preset(wish: &str) -> (String, serde_json::Value) {
    let config: serde_json::Value = serde_json::from_str(&config(&compiled(wish, &[]))).unwrap();
    let mut files = config["storage"]["files"].as_array().into_iter().flatten();
    let preset = files.find(|file| file["path"] == "/etc/systemd/system-preset/21-arca-build.preset");
    let source = preset.map_or("", |file| file["contents"]["source"].as_str().unwrap());
    let text =
        source.replace("data:,", "").replace("%20", " ").replace("%0A", "\n").replace("%40", "@").replace("%23", "#");
    (text.split_once('\n').map_or(String::new(), |(_, lines)| lines.to_owned()), config)
}

fn unit(name: &str, rest: &str) -> String {
    format!("[[provision.unit]]\nname = \"{name}\"\n{rest}\n")
}

#[test]
fn what_ignition_would_leave_enabled_is_disabled_by_a_preset() {
    let own = "enable = false\ntext = \"[Install]\\nWantedBy=multi-user.target\\n\"";
    for (units, lines) in [
        (unit("sshd.service", "enable = false"), "disable sshd.service\n"),
        (unit("own.service", own), "disable own.service\n"),
        (
            unit("a@b.service", "enable = false") + &unit("c.timer", "enable = false"),
            "disable a@b.service\ndisable c.timer\n",
        ),
        (unit("a.service", "mask = true"), ""),
        (unit("a.service", "enable = true"), ""),
    ] {
        assert_eq!(preset(&format!("engine = \"ignition\"\n{units}")).0, lines, "{units}");
    }
}

#[test]
fn a_unit_that_a_package_brings_is_enabled_by_a_preset_and_by_whoever_installs_the_package() {
    let packages = "packages = [\"tailscale\"]\n";
    let rpm = format!(
        "[[provision.rpm]]\nurl = \"https://h/a-1-1.noarch.rpm\"\nsha256 = \"{}\"\nsize = \"1KiB\"\n",
        "a".repeat(64)
    );
    let enable = unit("tailscaled.service", "enable = true");
    let instance = unit("syncthing@ada.service", "enable = true");
    for (wish, lines) in [
        (format!("{packages}{enable}"), "enable tailscaled.service\n"),
        (format!("{rpm}{enable}"), "enable tailscaled.service\n"),
        (format!("{packages}{instance}"), "enable syncthing@.service ada\n"),
        (
            format!("engine = \"ignition\"\n{packages}{enable}{instance}"),
            "enable tailscaled.service\nenable syncthing@.service ada\n",
        ),
    ] {
        let (preset, config) = preset(&wish);
        assert_eq!(preset, lines, "{wish}");
        // Ignition itself is told nothing of it: it would fail, and the boot be degraded for good.
        let units = config["systemd"]["units"].as_array().cloned().unwrap_or_default();
        assert!(units.iter().all(|unit| unit["name"] != "tailscaled.service"), "{units:?}");
        let installs = config.to_string().contains("systemctl%20enable");
        assert_eq!(installs, wish.contains("\"ignition\""), "{wish}");
    }
    // With a drop-in the unit stays in the config, not enabled there.
    let dropin = enable.clone() + "[[provision.unit.dropin]]\nname = \"a.conf\"\ntext = \"[Service]\\n\"\n";
    let (_, config) = preset(&format!("{packages}{dropin}"));
    assert_eq!(config["systemd"]["units"][0].get("enabled"), None, "{config}");
    // By Combustion the script enables it, after the packages.
    let by_script = script(&compiled(&format!("engine = \"combustion\"\n{packages}{enable}"), &[]));
    assert!(
        by_script.find("zypper").unwrap()
            < by_script
                .find("systemctl enable tailscaled.service")
                .or_else(|| by_script.find("systemctl enable 'tailscaled.service'"))
                .unwrap()
    );
}
