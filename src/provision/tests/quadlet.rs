//! Containers that run: the quadlets both engines write, what stands beside them, and what is refused.

use super::{GuestConfig, compile_with, compiled, config, golden, ids, refused, script};

const WISH: &str = include_str!("quadlet.toml");

fn wish(engine: &str) -> String {
    format!("engine = \"{engine}\"\n{WISH}")
}

/// Text of a file of the config, decoded.
fn file_in(config: &str, path: &str) -> (String, u64) {
    use base64::Engine as _;
    let value: serde_json::Value = serde_json::from_str(config).unwrap();
    let files = value["storage"]["files"].as_array().unwrap();
    let file = files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path}\n{config}"));
    let source = file["contents"]["source"].as_str().unwrap();
    let (head, coded) = source.split_once(',').unwrap();
    let bytes = match head.ends_with(";base64") {
        true => base64::engine::general_purpose::STANDARD.decode(coded).unwrap(),
        false => unescaped(coded),
    };
    (String::from_utf8(bytes).unwrap(), file["mode"].as_u64().unwrap())
}

fn unescaped(coded: &str) -> Vec<u8> {
    let mut parts = coded.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    bytes
}

fn load_unit(config: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(config).unwrap();
    let units = value["systemd"]["units"].as_array().unwrap();
    let unit = units.iter().find(|unit| unit["name"] == format!("arca-load-{name}.service")).unwrap();
    unit["contents"].as_str().unwrap().to_owned()
}

fn typed(keys: &str) -> String {
    format!("[[provision.container]]\nname = \"web\"\nimage = \"quay.io/a/web:1\"\n{keys}\n")
}

#[test]
fn ignition_writes_the_quadlet_and_its_variables_apart() {
    let config = config(&compiled(&wish("ignition"), &[("own.container", OWN.as_bytes())]));
    let (quadlet, mode) = file_in(&config, "/etc/containers/systemd/files.container");
    assert_eq!((quadlet.as_str(), mode), (include_str!("golden/files.container"), 0o644));
    let (variables, mode) = file_in(&config, "/etc/containers/systemd/files.env");
    assert_eq!((variables.as_str(), mode), ("USER=arca\nPASSWORD=a b$c%d\"e\\\n", 0o600));
    golden("arca-load-files.service", &load_unit(&config, "files"));
    assert_eq!(file_in(&config, "/etc/containers/systemd/own.container"), (OWN.to_owned(), 0o644));
    assert!(load_unit(&config, "own").contains("\nBefore=own.service\n"));
    assert!(!load_unit(&config, "only").contains("Before="), "an image that is only loaded waits for nobody");
}

#[test]
fn combustion_writes_the_same() {
    let script = script(&compiled(&wish("combustion"), &[("own.container", OWN.as_bytes())]));
    for text in [include_str!("golden/files.container"), include_str!("golden/arca-load-files.service")] {
        assert!(script.contains(text), "{script}");
    }
    assert!(script.contains("put 0644 root:root /etc/containers/systemd/files.container"), "{script}");
    assert!(script.contains("put 0600 root:root /etc/containers/systemd/files.env"), "{script}");
}

const OWN: &str = "[Unit]\nDescription=Mine\n\n[Container]\nImage=localhost/own:latest\n";

fn account(compiled: &GuestConfig) -> Vec<&str> {
    compiled.assignments.iter().map(|assigned| assigned.what.as_str()).collect()
}

#[test]
fn the_account_names_every_file_and_no_value() {
    let compiled = compiled(&wish("auto"), &[("own.container", OWN.as_bytes())]);
    assert_eq!(
        account(&compiled),
        [
            "unit arca-load-files.service loads an image once",
            "file /etc/containers/systemd/files.container for files.service",
            "file /etc/containers/systemd/files.env for files.service",
            "unit arca-load-own.service loads an image once",
            "file /etc/containers/systemd/own.container for own.service",
            "unit arca-load-only.service loads an image once",
        ]
    );
    assert!(ids(&compiled).contains(&"container-podman") && !format!("{compiled:?}").contains("a b$c"), "{compiled:?}");
}

#[test]
fn an_image_with_a_tag_keeps_its_name_and_one_without_gets_the_containers() {
    let digest = crate::base::Digest::of(b"x");
    for (image, name) in [
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        (&format!("quay.io/a/b:1@sha256:{digest}"), "quay.io/a/b:1"),
        (&format!("quay.io/a/b@sha256:{digest}"), "localhost/web:latest"),
    ] {
        let wish = typed("auto_start = false").replace("quay.io/a/web:1", image);
        let config = config(&compiled(&format!("engine = \"ignition\"\n{wish}"), &[]));
        let (quadlet, _) = file_in(&config, "/etc/containers/systemd/web.container");
        assert!(
            quadlet.contains(&format!("\nImage={name}\nPull=never\n")) && !quadlet.contains("[Install]"),
            "{quadlet}"
        );
    }
}

#[test]
fn what_would_stand_in_the_quadlets_way_is_refused() {
    let unit =
        |more: &str| format!("{}[[provision.unit]]\nname = \"web.service\"\n{more}\n", typed("auto_start = true"));
    let file = "[[provision.file]]\npath = \"/etc/containers/systemd/web.container\"\ntext = \"x\"\n";
    let own = |text: &str| typed(&format!("text = {text:?}"));
    for (wish, words) in [
        (unit("enable = true"), "`web.service` is made from the quadlet of the container `web`"),
        (unit("mask = true"), "`web.service` is made from"),
        (unit("text = \"[Service]\\nExecStart=/bin/true\\n\""), "`web.service` is made from"),
        (format!("{file}{}", typed("auto_start = true")), "`/etc/containers/systemd/web.container` is written twice"),
        (own("[Service]\nImage=x\n"), "has no `Image=` below `[Container]`"),
        (own("[Container]\nImage =\n[Service]\n").replace("Image =", "Imag="), "has no `Image=`"),
        (typed("source = \"q.container\""), "the content of `q.container` is not known"),
    ] {
        let problems = refused(&wish, &[]);
        assert!(problems.len() == 1 && problems[0].contains(words), "{words}: {problems:?}");
    }
    let crlf = refused(&typed("source = \"q\""), &[("q", b"[Container]\r\nImage=x\r\n")]);
    assert!(crlf[0].contains("plain line ends"), "{crlf:?}");
    let dropin = "[[provision.unit.dropin]]\nname = \"a.conf\"\ntext = \"[Service]\\nNice=5\\n\"";
    assert!(compile_with(&unit(dropin), &[]).is_ok(), "drop-ins go with a generated unit");
}

#[test]
fn a_quadlet_of_another_image_is_warned_of() {
    let own = |image: &str| typed(&format!("text = \"[Container]\\nImage={image}\\n\""));
    assert!(ids(&compiled(&own("quay.io/a/web:2"), &[])).contains(&"container-image-name"));
    assert!(!ids(&compiled(&own("quay.io/a/web:1"), &[])).contains(&"container-image-name"));
}

#[test]
fn a_quadlet_with_variables_is_roots_alone() {
    let own = typed("text = \"[Container]\\nImage=quay.io/a/web:1\\nEnvironment=PASSWORD=x\\n\"");
    let config = config(&compiled(&format!("engine = \"ignition\"\n{own}"), &[]));
    assert_eq!(file_in(&config, "/etc/containers/systemd/web.container").1, 0o600);
}
