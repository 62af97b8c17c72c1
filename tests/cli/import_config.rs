//! `import-config`: what is written where, what is refused, and what hostile files come to.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::tests::support::{Bin, Output, workdir};

const CONFIG: &str = r#"{"ignition": {"version": "3.2.0"}, "storage": {"files": [{"path": "/etc/hostname", "overwrite": true, "contents": {"source": "data:,nas%0A"}}]}}"#;
const LINKED: &str =
    r#"{"ignition": {"version": "3.2.0"}, "storage": {"luks": [{"name": "l", "device": "/dev/vdb"}]}}"#;

fn import(dir: &Path, files: &[(&str, &[u8])], arguments: &[&str]) -> Output {
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    Bin::new(dir).arg("import-config").args(arguments).run()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_config_becomes_keys_or_stays_beside_the_recipe() {
    let dir = workdir();
    import(dir.path(), &[("nas.ign", CONFIG.as_bytes())], &["nas.ign"]).success().says("arca-build update");
    let text = std::fs::read_to_string(dir.path().join("nas.toml")).unwrap();
    assert!(text.contains("[[provision.file]]") && !text.contains("config ="), "{text}");
    let told = import(dir.path(), &[("c/links.ign", LINKED.as_bytes())], &["c/links.ign", "-o", "r/links.toml"]);
    told.ends_with(2).says("E_OUTPUT_PATH");
    std::fs::create_dir(dir.path().join("r")).unwrap();
    import(dir.path(), &[], &["c/links.ign", "-o", "r/links.toml"])
        .success()
        .says("copied")
        .says("`storage.luks` has no key in a recipe");
    let recipe = dir.path().join("r/links.toml");
    assert!(std::fs::read_to_string(&recipe).unwrap().contains("config = \"links.ign\""));
    assert_eq!((mode(&recipe), mode(&dir.path().join("r/links.ign"))), (0o600, 0o600));
    assert_eq!(std::fs::read_to_string(dir.path().join("r/links.ign")).unwrap(), LINKED);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let dir = workdir();
    let files: &[(&str, &[u8])] = &[("nas.ign", CONFIG.as_bytes()), ("nas.toml", b"mine"), ("r/links.ign", b"mine")];
    import(dir.path(), files, &["nas.ign"]).ends_with(5).says("E_OUTPUT_EXISTS");
    import(dir.path(), &[("links.ign", LINKED.as_bytes())], &["links.ign", "-o", "r/x.toml"])
        .ends_with(5)
        .says("E_OUTPUT_EXISTS");
    assert_eq!(std::fs::read(dir.path().join("nas.toml")).unwrap(), b"mine");
    assert_eq!(std::fs::read(dir.path().join("r/links.ign")).unwrap(), b"mine");
    assert!(!dir.path().join("r/x.toml").exists());
}

#[test]
fn rec_14_hostile_files_are_refused_with_a_code_and_write_nothing() {
    let deep = format!("<domain>{}", "<a>".repeat(100_000));
    let nested = "[".repeat(200_000);
    let huge = vec![b'<'; (1 << 20) + 1];
    let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><domain><name>&b;</name></domain>";
    let outside = "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><domain><name>&x;</name></domain>";
    let many = format!("<domain>{}</domain>", "<disk/>".repeat(50_000));
    let cases: [(&str, &[u8], i32, &str); 16] = [
        ("deep.xml", deep.as_bytes(), 2, "E_RECIPE"),
        ("many.xml", many.as_bytes(), 2, "E_RECIPE"),
        ("huge.xml", &huge, 2, "E_RECIPE"),
        ("bomb.xml", bomb.as_bytes(), 2, "entities"),
        ("outside.xml", outside.as_bytes(), 2, "entities"),
        ("cut.xml", b"<domain><name>a", 2, "never closed"),
        ("nul.xml", b"<domain>\0</domain>", 2, "E_RECIPE"),
        ("latin1.xml", b"<domain>\xe4</domain>", 2, "UTF-8"),
        ("quote.sh", b"virt-install --name 'nas", 2, "never closed"),
        ("nested.ign", nested.as_bytes(), 2, "E_PROVISION"),
        ("bom.ign", b"\xef\xbb\xbf{\"ignition\": {\"version\": \"3.2.0\"}}", 2, "byte-order mark"),
        ("crlf.sh", b"#!/bin/bash\r\n# combustion: network\r\n", 2, "carriage return"),
        ("nul.sh", b"#!/bin/bash\nec\0ho\n", 2, "NUL"),
        ("empty", b"", 2, "empty"),
        ("noise", b"\x7fELF\0\0", 2, "nothing that can be imported"),
        ("cloud", b"#cloud-config\n", 2, "cloud-init"),
    ];
    let dir = workdir();
    for (name, bytes, code, words) in cases {
        import(dir.path(), &[(name, bytes)], &[name]).ends_with(code).says(words);
    }
    let recipes = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "toml"));
    assert_eq!(recipes.count(), 0);
}

/// A command pasted on Windows means the same; so does an XML that libvirt wrote there.
#[test]
fn line_ends_of_windows_are_taken_in_commands_and_xml() {
    let dir = workdir();
    let files: &[(&str, &[u8])] = &[
        ("a.txt", b"virt-install --name a \\\r\n  --memory 1024\r\n"),
        ("b.xml", b"<domain>\r\n<name>b</name>\r\n<memory unit='MiB'>1024</memory>\r\n</domain>\r\n"),
    ];
    for name in ["a.txt", "b.xml"] {
        import(dir.path(), files, &[name]).success();
    }
    for name in ["a.toml", "b.toml"] {
        assert!(std::fs::read_to_string(dir.path().join(name)).unwrap().contains("memory = \"1GiB\""), "{name}");
    }
}

/// A stranger's XML must not bring files of the user's into a recipe.
#[test]
fn rec_14_no_file_that_an_xml_names_is_read() {
    let dir = workdir();
    let secret = dir.path().join("secret.ign");
    std::fs::write(&secret, CONFIG).unwrap();
    let xml = format!(
        "<domain><name>x</name><sysinfo type='fwcfg'><entry name='opt/com.coreos/config' file='{}'/></sysinfo></domain>",
        secret.display()
    );
    import(dir.path(), &[("x.xml", xml.as_bytes())], &["x.xml"]).success().says("it was not given");
    let text = std::fs::read_to_string(dir.path().join("x.toml")).unwrap();
    assert!(!text.contains("[provision"), "{text}");
}

#[test]
fn two_of_a_kind_and_unknown_files_are_refused_by_name() {
    let dir = workdir();
    let files: &[(&str, &[u8])] = &[
        ("a.ign", CONFIG.as_bytes()),
        ("b.ign", LINKED.as_bytes()),
        ("v.xml", b"<domain/>"),
        ("v.sh", b"virt-install --import"),
        ("note", b"hello\n"),
    ];
    import(dir.path(), files, &["a.ign", "b.ign"]).ends_with(2).says("`a.ign` and `b.ign` are both an Ignition config");
    import(dir.path(), &[], &["v.xml", "v.sh"]).ends_with(2).says("both a description of a machine");
    import(dir.path(), &[], &["note"]).ends_with(2).says("`note` is nothing that can be imported");
    import(dir.path(), &[], &["gone"]).ends_with(2).says("there is no file `gone`");
    import(dir.path(), &[], &["a.ign", "--name", "../x"]).ends_with(2).says("not a valid name for a recipe");
}

#[test]
fn json_gives_the_text_and_what_was_left_out() {
    let dir = workdir();
    let files: &[(&str, &[u8])] = &[("v.sh", b"virt-install --name v --tpm emulator,x=SECRET --disk size=5")];
    let answer = import(dir.path(), files, &["v.sh", "--json"]).success().json();
    assert_eq!(answer["text"].as_str().unwrap(), std::fs::read_to_string(dir.path().join("v.toml")).unwrap());
    assert_eq!(answer["left_out"], serde_json::json!(["--tpm x"]));
    assert!(!answer.to_string().contains("SECRET"));
}

const SCRIPT: &[u8] = b"#!/bin/sh\n# combustion: network\ncat ./motd ./parts/one ./parts/deep/two\n";
const CONFIG_FOLDER: [(&str, &[u8]); 5] = [
    ("in/ignition/config.ign", LINKED.as_bytes()),
    ("in/combustion/script", SCRIPT),
    ("in/combustion/motd", b"hello\n"),
    ("in/combustion/parts/one", b"1\n"),
    ("in/combustion/parts/deep/two", b"2\n"),
];
const SIDE_FILES: &str = "side_files = [\"combustion/motd\", \"combustion/parts/deep/two\", \"combustion/parts/one\"]";

/// What a config disk holds comes back from the recipe's own disks, in each of their forms, and from a folder like it.
#[test]
fn a_config_disk_and_a_folder_laid_out_as_one_are_imported_whole() {
    let dir = workdir();
    let path = |name: &str| dir.path().join(name);
    import(dir.path(), &[("in/notes.txt", b"x")], &["in"]).ends_with(2).says("`in` holds no configuration");
    let told = import(dir.path(), &CONFIG_FOLDER, &["in", "-o", "a.toml", "--name", "a"]).success();
    told.says("left out  `notes.txt`: neither engine reads it");
    let text = std::fs::read_to_string(path("a.toml")).unwrap();
    for words in
        ["config = \"in/ignition/config.ign\"", "script = \"in/combustion/script\"", "\"in/combustion/parts/one\""]
    {
        assert!(text.contains(words), "{text}");
    }
    std::fs::write(path("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
    let base = crate::base::Digest::of(include_bytes!("../../recipes/demo/guest.qcow2"));
    let start = text.find("[base]").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end);
    let text = text.replace(&text[start..end], &format!("[base]\nurl = \"guest.qcow2\"\nsha256 = \"{base}\""));
    std::fs::write(path("a.toml"), text.replace("[provision]\n", "[provision]\nmedia = \"gpt\"\n")).unwrap();
    Bin::new(dir.path()).args(["build", "a.toml", "--out", "out"]).run().success();
    for disk in ["config.raw", "config.qcow2", "config-usb.raw"] {
        let (place, recipe) = (format!("from-{disk}"), format!("from-{disk}/b.toml"));
        std::fs::create_dir(path(&place)).unwrap();
        import(dir.path(), &[], &[&format!("out/{disk}"), "-o", &recipe, "--name", "b"]).success().says("copied");
        let text = std::fs::read_to_string(path(&recipe)).unwrap();
        assert!(text.contains(SIDE_FILES) && text.contains("script = \"combustion/script\""), "{disk} {text}");
        for (name, bytes) in &CONFIG_FOLDER[2..] {
            assert_eq!(std::fs::read(path(&place).join(&name[3..])).unwrap(), *bytes, "{disk} {name}");
        }
        // The script travels with what it needs inside.
        let script = std::fs::read(path(&place).join("combustion/script")).unwrap();
        assert!(script.len() > SCRIPT.len() && mode(&path(&place).join("combustion/parts/one")) == 0o600);
    }
    import(dir.path(), &[], &["guest.qcow2"]).ends_with(2).says("`guest.qcow2` holds no configuration");
    import(dir.path(), &[("cut.img", &include_bytes!("../../recipes/demo/guest.qcow2")[..400])], &["cut.img"])
        .ends_with(3);
}

/// A folder from a stranger must not bring files of the user's.
#[test]
fn rec_14_a_link_is_followed_in_its_folder_only() {
    let dir = workdir();
    let path = |name: &str| dir.path().join(name);
    import(dir.path(), &[("secret", b"x")], &["none"]).ends_with(2);
    std::fs::create_dir_all(path("in/combustion/parts")).unwrap();
    std::fs::write(path("in/combustion/script"), SCRIPT).unwrap();
    std::fs::write(path("in/combustion/parts/one"), "1\n").unwrap();
    std::os::unix::fs::symlink("parts/one", path("in/combustion/motd")).unwrap();
    std::fs::create_dir(path("out")).unwrap();
    import(dir.path(), &[], &["in/combustion/script", "-o", "out/a.toml"]).success();
    assert_eq!(std::fs::read(path("out/motd")).unwrap(), b"1\n");
    assert_eq!(std::fs::read(path("out/parts/one")).unwrap(), b"1\n");
    for (name, target) in [("key", "../../secret"), ("all", "/etc"), ("gone", "nowhere")] {
        let link = path("in/combustion").join(name);
        std::os::unix::fs::symlink(target, &link).unwrap();
        let told = import(dir.path(), &[], &["in/combustion/script", "-o", "out/b.toml"]);
        assert_ne!(told.code, 0, "{name}");
        told.says(&format!("in/combustion/{name}"));
        std::fs::remove_file(link).unwrap();
    }
    std::os::unix::fs::symlink(".", path("in/combustion/again")).unwrap();
    import(dir.path(), &[], &["in/combustion/script", "-o", "out/b.toml"]).ends_with(2).says("more than 100 files");
}
