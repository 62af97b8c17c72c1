//! Reading and writing Ignition configs, against case tables and against the `ignition-config` crate.

use serde_json::{Map, Value, json};

use super::schema::{Key, Shape};
use super::*;

fn faults(text: &str) -> Vec<Fault> {
    match read(text.as_bytes()) {
        Ok(_) => panic!("taken: {text}"),
        Err(faults) => faults,
    }
}

fn config(rest: &str) -> String {
    format!("{{\"ignition\": {{\"version\": \"3.2.0\"}},\n{rest}}}")
}

#[test]
fn out_12_a_good_config_is_taken_and_its_places_are_known() {
    let text = config("\"storage\": {\n  \"files\": [{\"path\": \"/a\\u0041\", \"mode\": 420}]}");
    let ready = read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let file = &ready.root.list(&["storage", "files"])[0];
    assert_eq!((ready.spec, file.text("path"), file.whole("mode")), (2, Some("/aA"), Some(420)));
    assert_eq!(file.at, At { line: 3, column: 13 });
    assert_eq!(ready.root.to_value(), serde_json::from_str::<Value>(&text).unwrap());
}

#[test]
fn out_12_every_way_to_be_no_config_is_told_with_its_place() {
    for (text, line, column, word) in [
        ("", 1, 1, "empty"),
        (" \n ", 1, 1, "empty"),
        ("\u{feff}{}", 1, 1, "byte-order mark"),
        ("{\"ignition\": }", 1, 14, "not JSON"),
        ("{\"a\": 1", 1, 7, "not JSON"),
        ("[]", 1, 1, "`ignition.version` is missing"),
        ("{}", 1, 1, "`ignition.version` is missing"),
        ("{\"ignition\": {}}", 1, 1, "`ignition.version` is missing"),
        ("{\n \"ignition\": {\"version\": \"2.3.0\"}}", 2, 26, "`2.3.0`"),
        ("{\"ignition\": {\"version\": \"3.7.0-experimental\"}}", 1, 26, "3.7.0-experimental"),
        ("{\"ignition\": {\"version\": \"3.7.0\"}}", 1, 26, "`3.7.0`"),
        ("{\"ignition\": {\"version\": \"3.02.0\"}}", 1, 26, "`3.02.0`"),
        ("{\"ignition\": {\"version\": 3}}", 1, 26, "``"),
    ] {
        let found = &faults(text)[0];
        assert_eq!(found.at, At { line, column }, "{text:?} {found:?}");
        assert!(found.text.contains(word), "{text:?} {found:?}");
    }
    assert_eq!(read(b"{\n\"a\": \"\xff\"}").err().unwrap()[0].at, At { line: 2, column: 7 });
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(faults(&deep)[0].text.contains("recursion"), "rec_2");
}

#[test]
fn rec_4_duplicate_keys_and_wrong_types_are_refused() {
    for (rest, word) in [
        ("\"storage\": {}, \"storage\": {}", "duplicate key `storage`"),
        ("\"storage\": {\"files\": [{\"path\": \"/a\", \"path\": \"/b\"}]}", "duplicate key `path`"),
        ("\"Storage\": {}, \"storage\": {}", "duplicate key `storage`"),
        ("\"storage\": {\"files\": [{}]}", "`storage.files[0].path` is missing"),
        ("\"storage\": {\"files\": {}}", "`storage.files` must be a list"),
        (
            "\"storage\": {\"files\": [{\"path\": \"/a\", \"mode\": \"0644\"}]}",
            "`storage.files[0].mode` must be a whole number",
        ),
        ("\"storage\": {\"files\": [{\"path\": \"/a\", \"mode\": 4.5}]}", "must be a whole number"),
        ("\"passwd\": 1", "`passwd` must be an object"),
    ] {
        let found = faults(&config(rest));
        assert!(found.iter().any(|fault| fault.text.contains(word)), "{rest} {found:?}");
    }
    assert_eq!(faults(&config("\"passwd\": 1, \"storage\": 2, \"storage\": 3")).len(), 4, "all at once");
}

#[test]
fn what_ignition_ignores_is_told_and_taken_out() {
    for (rest, word, hint) in [
        ("\"storage\": {\"flies\": []}", "unknown key `storage.flies`", Some("did you mean `files`?")),
        ("\"x-comment\": [1, {\"a\": 2}]", "unknown key `x-comment`", None),
        ("\"ignition\": {\"VERSION\": \"3.0.0\", \"note\": 1}", "unknown key `ignition.note`", None),
        (
            "\"storage\": {\"files\": [{\"path\": \"/a\", \"contents\": {\"human_read\": \"x\"}}]}",
            "unknown key `storage.files[0].contents.human_read`",
            None,
        ),
        (
            "\"kernelArguments\": 7",
            "ignores `kernelArguments` in a 3.0.0 config: it came with spec 3.3.0",
            Some("3.3.0"),
        ),
        (
            "\"passwd\": {\"users\": [{\"name\": \"a\", \"shouldExist\": true}]}",
            "`passwd.users[0].shouldExist`",
            Some("3.2.0"),
        ),
    ] {
        let start = if rest.contains("VERSION") { "" } else { "\"ignition\": {\"version\": \"3.0.0\"}, " };
        let ready = read(format!("{{{start}{rest}}}").as_bytes()).unwrap_or_else(|faults| panic!("{rest} {faults:?}"));
        let [ignored] = ready.ignored.as_slice() else { panic!("{rest} {:?}", ready.ignored) };
        assert!(ignored.text.contains(word), "{rest} {ignored:?}");
        assert!(hint.is_none_or(|hint| ignored.hint.as_ref().is_some_and(|text| text.contains(hint))), "{ignored:?}");
        assert!(read(ready.root.to_value().to_string().as_bytes()).unwrap().ignored.is_empty(), "{rest}");
    }
}

#[test]
fn keys_are_read_in_upper_and_lower_case() {
    let text = r#"{"Ignition": {"Version": "3.2.0"}, "STORAGE": {"Files": [{"PATH": "/a", "Contents": {"Source": "data:,x"}}]},
        "passwd": {"Users": [{"Name": "a", "sshauthorizedkeys": ["k"]}]}}"#;
    let ready = read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (config, ignored) = ignition_config::Config::parse_str(&ready.root.to_value().to_string()).unwrap();
    assert!(ready.ignored.is_empty() && ignored.is_empty());
    let config = serde_json::to_value(config).unwrap();
    assert_eq!(config["storage"]["files"][0]["contents"]["source"], "data:,x");
    assert_eq!(config["passwd"]["users"][0]["sshAuthorizedKeys"][0], "k");
}

#[test]
fn out_12_a_config_must_also_make_sense() {
    for (rest, word) in [
        (r#""passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["k", "k"]}]}"#, "this key is there twice"),
        (r#""passwd": {"users": [{"name": "a", "groups": ["g", "g"]}]}"#, "this group is there twice"),
        (
            r#""storage": {"disks": [{"device": "/d", "partitions": [{"number": 1}, {"number": 1}]}]}"#,
            "partition 1 is defined twice",
        ),
        ("\"storage\": {\"files\": [{\"path\": \"etc/x\"}]}", "`etc/x` is not an absolute path"),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\", \"mode\": 644}]}",
            "mode 644 is decimal in JSON and means octal 1204",
        ),
        ("\"storage\": {\"files\": [{\"path\": \"/x\", \"mode\": 4096}]}", "outside 0 to 4095"),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\"}], \"links\": [{\"path\": \"/x\"}]}",
            "path `/x` is defined twice",
        ),
        (
            "\"passwd\": {\"users\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}",
            "user `a` is defined twice, first in line 2",
        ),
        ("\"systemd\": {\"units\": [{\"name\": \"a.service\"}, {\"name\": \"a.service\"}]}", "unit `a.service`"),
        (
            "\"storage\": {\"filesystems\": [{\"device\": \"/a\", \"path\": \"/b\", \"format\": \"xfs\"}, {\"device\": \"/a\", \"path\": \"/b\", \"format\": \"xfs\"}]}",
            "mount",
        ),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\", \"contents\": {\"source\": \"file:///x\"}}]}",
            "a source is a URL",
        ),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\", \"contents\": {\"source\": \"data:x\"}}]}",
            "malformed data URL",
        ),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\", \"contents\": {\"source\": \"data:,%g\"}}]}",
            "malformed data URL",
        ),
        (
            "\"storage\": {\"files\": [{\"path\": \"/x\", \"append\": [{\"source\": \"data:;base64,%%\"}]}]}",
            "malformed data URL",
        ),
    ] {
        let found = faults(&config(rest));
        assert!(found.len() == 1 && found[0].text.contains(word), "{rest} {found:?}");
    }
    let fine = "\"storage\": {\"filesystems\": [{\"device\": \"/a\", \"path\": \"/b\", \"format\": \"xfs\"}, {\"device\": \"/a\", \"path\": \"/c\", \"format\": \"xfs\"}],
        \"files\": [{\"path\": \"/x\", \"mode\": 400, \"contents\": {\"source\": \"data:text/plain;base64,YQ==\"}}]}";
    assert!(read(config(fine).as_bytes()).is_ok());
}

#[test]
fn sec_4_no_fault_shows_a_value() {
    let text = config(
        "\"passwd\": {\"users\": [{\"name\": \"a\", \"passwordHash\": {\"canary\": \"canary\"}, \"sshAuthorizedKeys\": [7, \"canary\"]}]}, \"storage\": {\"files\": [{\"path\": \"/x\", \"contents\": {\"source\": \"canary\"}}]}",
    );
    for fault in faults(&text) {
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
    }
    let broken = "{\"passwordHash\": \"canary\" \"canary\"}";
    assert!(!format!("{:?}", faults(broken)).contains("canary"));
}

#[test]
fn writing_is_canonical() {
    let one: Value = serde_json::from_str("{\"b\": [{\"z\": 1, \"a\": 2}], \"a\": 1}").unwrap();
    let text = String::from_utf8(canonical(&one).unwrap()).unwrap();
    assert_eq!(text, "{\n  \"a\": 1,\n  \"b\": [\n    {\n      \"a\": 2,\n      \"z\": 1\n    }\n  ]\n}\n");
}

#[test]
fn data_urls_choose_the_shorter_form() {
    for (bytes, url) in [
        (&b""[..], "data:,"),
        (b"hello world\n", "data:,hello%20world%0A"),
        (b"\0\xff\xfe", "data:,%00%FF%FE"),
        (b"            \n", "data:;base64,ICAgICAgICAgICAgCg=="),
    ] {
        assert_eq!(data_url(bytes), url);
        let text = config(&format!(
            "\"storage\": {{\"files\": [{{\"path\": \"/x\", \"contents\": {{\"source\": \"{url}\"}}}}]}}"
        ));
        assert!(read(text.as_bytes()).is_ok(), "{url}");
    }
}

/// Builds a value with every key of a shape that a spec knows.
fn full(shape: &Shape, spec: u8) -> Value {
    match shape {
        Shape::Flag => json!(true),
        Shape::Whole => json!(1),
        Shape::Text => json!("x"),
        Shape::List(inner) => json!([full(inner, spec)]),
        Shape::Object(keys) => {
            let known = keys.iter().filter(|key| key.since <= spec);
            let member = |key: &Key| (key.name.to_owned(), full(&key.shape, spec));
            known.map(member).collect::<Map<_, _>>().into()
        }
    }
}

#[test]
fn rec_4_the_schema_is_that_of_the_reference_crate_for_every_spec() {
    for spec in SPECS {
        let mut known = full(&schema::CONFIG, spec);
        known["ignition"]["version"] = json!(format!("3.{spec}.0"));
        let text = known.to_string();
        let (_, unused) = ignition_config::Config::parse_str(&text).unwrap();
        assert!(unused.is_empty(), "3.{spec}: we take what they do not: {unused:?}");
        let mut newest = full(&schema::CONFIG, *SPECS.end());
        newest["ignition"]["version"] = known["ignition"]["version"].clone();
        let (config, unused) = ignition_config::Config::parse_str(&newest.to_string()).unwrap();
        let mut node = json::read(newest.to_string().as_bytes()).unwrap();
        assert_eq!(schema::check(&mut node, spec).ignored.len(), unused.len(), "3.{spec}: {unused:?}");
        let theirs = serde_json::to_string(&config).unwrap();
        let theirs = json::read(theirs.as_bytes()).unwrap().to_value();
        assert_eq!(theirs, serde_json::from_str::<Value>(&text).unwrap(), "3.{spec}: keys that we lack");
    }
}
