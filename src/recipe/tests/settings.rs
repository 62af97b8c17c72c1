//! Settings, groups, directories, links, certificates: what arrives, and what each mistake is told as.

use super::*;
use crate::base::Code;
use crate::recipe::numbers::AccountId;
use crate::recipe::types::Mode;
use crate::recipe::{Content, Use};

fn place(problem: &Diagnostic) -> (u32, u32, &str) {
    problem.place.as_ref().map(|place| (place.line, place.column, place.text.as_str())).unwrap()
}

/// Reads a `[provision]` part; its first line is line 6.
fn provision(text: &str) -> Vec<Diagnostic> {
    problems(&format!("{HEAD}[provision]\n{text}"))
}

#[test]
fn every_key_of_the_settings_arrives() {
    let text = r#"[provision]
hostname = "nas.example.org"
timezone = "America/Argentina/Buenos_Aires"
locale = "de_DE.UTF-8"
keymap = "de-latin1-nodeadkeys"
ntp = ["ntp.example.org", "10.0.0.1", "fe80::1"]
kernel_arguments = ["console=ttyS0,115200", "dyndbg=\"file a.c +p; b\"", "quiet"]
[provision.proxy]
http = "http://u:p@proxy.example.org:3128"
https = "https://proxy.example.org"
no_proxy = [".example.org", "10.0.0.0/8", "::1", "*"]
[[provision.group]]
name = "nas"
gid = 2000
system = true
[[provision.directory]]
path = "/srv/a"
mode = "2770"
user = "arca"
group = "nas"
[[provision.link]]
path = "/etc/a"
target = "../srv/a"
[[provision.file]]
path = "/etc/fstab"
text = "x\n"
append = true
[[provision.ca_certificate]]
name = "home"
source = "ca/home.pem"
"#;
    let recipe = good(&format!("{HEAD}{text}"));
    assert_eq!(
        recipe.local_files().get(&crate::recipe::RecipePath::parse("ca/home.pem").unwrap()),
        Some(&Use::Content)
    );
    let provision = recipe.provision;
    assert!(provision.has_typed());
    let settings = provision.settings;
    assert_eq!(settings.hostname.map(|one| (one.value, one.place.line)), Some(("nas.example.org".parse().unwrap(), 6)));
    assert_eq!(settings.timezone.unwrap().value, "America/Argentina/Buenos_Aires");
    assert_eq!(
        (settings.locale.unwrap().value.as_str(), settings.keymap.unwrap().value.as_str()),
        ("de_DE.UTF-8", "de-latin1-nodeadkeys")
    );
    assert_eq!((settings.ntp.len(), settings.kernel_arguments[1].value.as_str()), (3, "dyndbg=\"file a.c +p; b\""));
    let proxy = settings.proxy.unwrap().value;
    assert_eq!(
        (proxy.http.unwrap().has_credentials(), proxy.https.unwrap().expose()),
        (true, "https://proxy.example.org/")
    );
    assert_eq!(proxy.no_proxy.unwrap().len(), 4);
    let (group, directory) = (&provision.groups[0].value, &provision.directories[0].value);
    assert_eq!((group.name.as_str(), group.gid, group.system), ("nas", Some(AccountId(2000)), true));
    assert_eq!(
        (directory.mode, directory.user.as_deref(), directory.group.as_deref()),
        (Mode(0o2770), Some("arca"), Some("nas"))
    );
    assert_eq!(provision.links[0].value.target, "../srv/a");
    assert!(provision.files[0].value.append);
    let certificate = &provision.certificates[0].value;
    assert!(certificate.name.as_str() == "home" && matches!(&certificate.content, Content::Path(_)));
}

#[test]
fn each_setting_alone_is_something_wanted() {
    for text in [
        "hostname = \"a\"",
        "ntp = [\"a\"]",
        "kernel_arguments = [\"a\"]",
        "proxy = { http = \"http://a\" }",
        "[[provision.group]]\nname = \"a\"",
        "[[provision.directory]]\npath = \"/a\"",
        "[[provision.link]]\npath = \"/a\"\ntarget = \"b\"",
        "[[provision.ca_certificate]]\nname = \"a\"\ntext = \"\"",
    ] {
        assert!(good(&format!("{HEAD}[provision]\n{text}\n")).provision.is_wanted(), "{text}");
    }
    assert!(!good(&format!("{HEAD}[provision]\nntp = []\nkernel_arguments = []\n")).provision.is_wanted());
}

/// The text (line 6 on) · line and column · part of the headline · part of the hint.
type Case = (&'static str, (u32, u32), &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("hostname = \"my_nas\"", (6, 12), "`my_nas` is not a host name", "RFC 1123"),
    ("hostname = \"-a\"", (6, 12), "`-a` is not a host name", "RFC 1123"),
    ("hostname = \"a.\"", (6, 12), "`a.` is not a host name", "RFC 1123"),
    ("hostname = \"10.0.0.1\"", (6, 12), "`10.0.0.1` is not a host name", "the last no number"),
    ("hostname = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", (6, 12), "is not a host name", "at most 64 characters"),
    ("timezone = \"europe/berlin\"", (6, 12), "`europe/berlin` is not the name of a time zone", "\"Europe/Berlin\""),
    ("timezone = \"../../etc/passwd\"", (6, 12), "is not the name of a time zone", ""),
    ("timezone = \"/Europe/Berlin\"", (6, 12), "is not the name of a time zone", ""),
    ("timezone = \"Europe/\"", (6, 12), "is not the name of a time zone", ""),
    ("locale = \"en_US.UTF-8 x\"", (6, 10), "`en_US.UTF-8 x` is not the name of a locale", "\"en_US.UTF-8\""),
    ("locale = \"de.\"", (6, 10), "`de.` is not the name of a locale", ""),
    ("keymap = \"../us\"", (6, 10), "`../us` is not the name of a keymap", "\"us\""),
    ("ntp = [\"a\", \"a\"]", (6, 13), "`a` is there twice", "keep one"),
    ("ntp = [\"http://a\"]", (6, 8), "`http://a` is not the name or address of a time server", ""),
    ("ntp = \"a\"", (6, 7), "`ntp` must be a list", "put it in brackets"),
    ("kernel_arguments = [\"quiet splash\"]", (6, 21), "`quiet splash` is not one kernel argument", "one entry for each"),
    ("kernel_arguments = [\"a=\\\"b\"]", (6, 21), "is not one kernel argument", ""),
    ("kernel_arguments = [\"a=$b\"]", (6, 21), "`a=$b` is not one kernel argument", ""),
    ("kernel_arguments = [\"a;b\"]", (6, 21), "`a;b` is not one kernel argument", ""),
    ("kernel_arguments = [\"--x\"]", (6, 21), "`--x` is not one kernel argument", ""),
    ("kernel_arguments = [\"a\\nb\"]", (6, 21), "`kernel_arguments` holds the character U+000A", ""),
    ("[provision.proxy]", (6, 1), "the proxy has neither `http` nor `https`", "add one"),
    ("[provision.proxy]\nhttp = \"http://a\"\nno_proxy = [\"a, b\"]", (8, 13), "`a, b` is not a host, domain or network", ""),
    ("[[provision.group]]\nname = \"a\"\n[[provision.group]]\nname = \"a\"", (9, 8), "`a` is there twice", "join the two"),
    ("[[provision.group]]\ngid = 5", (6, 1), "`name` is missing from `[[provision.group]]`", ""),
    ("[[provision.group]]\nname = \"a\"\ngid = 0", (8, 7), "`gid` must be 1 to 4294967294", ""),
    ("[[provision.directory]]\npath = \"srv\"", (7, 8), "`srv` is not an absolute path in the guest", ""),
    ("[[provision.directory]]\npath = \"/srv\"\nmode = 755", (8, 8), "`mode` is octal text in quotes", "mode = \"0755\""),
    ("[[provision.link]]\npath = \"/srv\"", (6, 1), "`target` is missing from `[[provision.link]]`", ""),
    ("[[provision.link]]\npath = \"/srv\"\ntarget = \"a//b\"", (8, 10), "`a//b` is not a path that a link can lead to", ""),
    ("[[provision.file]]\npath = \"/a\"\ntext = \"\"\nappend = true\nmode = \"0600\"", (10, 8), "`mode` and `append` are both given", "remove one"),
    ("[[provision.file]]\npath = \"/a\"\ntext = \"\"\nappend = true\nuser = \"a\"", (10, 8), "`user` and `append` are both given", "remove one"),
    ("[[provision.file]]\npath = \"/a\"\nurl = \"https://h/a\"\nappend = true", (8, 7), "cannot be appended: its digest is that of a whole file", "`source`"),
    ("[[provision.ca_certificate]]\nname = \"a\"", (6, 1), "the certificate has neither `text` nor `source`", ""),
    ("[[provision.ca_certificate]]\nname = \"a/b\"\ntext = \"\"", (7, 8), "`name`: a name is 1 to 63", ""),
];

#[test]
fn each_mistake_is_told_at_its_place_with_a_way_out() {
    for (text, at, headline, hint) in CASES {
        let found = provision(text);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        let (line, column, _) = place(&found[0]);
        assert_eq!(((line, column), found[0].code), (*at, Code::Recipe), "{text} {}", told(&found[0]));
        assert!(found[0].headline.contains(headline), "{text} {}", told(&found[0]));
        assert!(found[0].hint.as_deref().unwrap_or("-").contains(hint), "{text} {}", told(&found[0]));
    }
}

#[test]
fn sec_4_no_complaint_about_a_proxy_shows_its_address() {
    for bad in [
        "user:canary@proxy:3128",
        "ftp://user:canary@proxy",
        "http://user:canary@proxy/path",
        "http://user:canary$x@proxy",
        "http://user:canary@",
        "canary",
        "http://user:canary@a?b",
    ] {
        for text in [
            format!("[provision.proxy]\nhttp = \"{bad}\"\nfoo = 1"),
            format!("proxy = {{ https = \"{bad}\", foo = 1 }}"),
        ] {
            let found = provision(&text);
            assert_eq!(found.len(), 2, "{text}: {found:#?}");
            assert!(!format!("{found:?}").contains("canary"), "{found:#?}");
            assert!(found.iter().any(|problem| problem.hint.as_ref().is_some_and(|hint| hint.contains("write"))));
        }
    }
}
