//! Recipes made to hurt: size, depth, invisible characters, secrets where they do not belong.
#![expect(clippy::disallowed_methods, reason = "a bound on time is what is tested")]

use std::time::{Duration, Instant};

use super::*;
use crate::format::toml::FILE_LIMIT;
use crate::recipe::keys::{self, KeyType};

/// Far above what a recipe of 1 MiB takes even unoptimised, far below anything quadratic.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the time this thread has run, so that a busy machine fails no test; the clock where the kernel does not say.
fn ran(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.filter(|time| *time > 0).map_or(since.elapsed(), Duration::from_nanos)
}

fn timed(name: &str, text: &str) -> Vec<Diagnostic> {
    let start = Instant::now();
    let before = ran(start);
    let found = problems(text);
    let took = ran(start).saturating_sub(before);
    println!("{name}: {took:?}, {} told", found.len());
    assert!(took < PATIENCE, "{name} took {took:?}");
    assert!(found.len() <= 100, "{name}: {}", found.len());
    found
}

fn filled(head: &str, unit: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_owned();
    for index in 0.. {
        let next = unit(index);
        if (text.len() + next.len() + tail.len()) as u64 > FILE_LIMIT.0 {
            break;
        }
        text += &next;
    }
    text + tail
}

#[test]
fn rec_1_a_file_above_the_limit_is_refused_before_it_is_parsed() {
    let fits = format!("{HEAD}#{}", "x".repeat(FILE_LIMIT.0 as usize - HEAD.len() - 1));
    assert_eq!(fits.len() as u64, FILE_LIMIT.0);
    assert_eq!(problems(&fits), vec![]);
    let found = problems(&(fits + "x"));
    assert!(found.len() == 1 && found[0].headline.contains("larger than 1 MiB"), "{found:?}");
}

#[test]
fn rec_1_the_worst_mebibyte_is_read_in_bounded_time() {
    let keys = filled(HEAD, |index| format!("k{index}=1\n"), "");
    let found = timed("unknown keys", &keys);
    assert!(
        found.len() == 100 && found[99].note.as_ref().unwrap().ends_with("more problems are not shown"),
        "{found:?}"
    );
    timed("tables", &filled(HEAD, |index| format!("[t{index}]\n"), ""));
    timed("disks", &filled(HEAD, |_| "[[machine.disk]]\n".to_owned(), ""));
    timed("users", &filled(HEAD, |index| format!("[[provision.user]]\nname=\"u{index}\"\n"), ""));
    timed("junk", &filled(HEAD, |_| "= ".to_owned(), ""));
    timed("junk lines", &filled(HEAD, |_| "=\n".to_owned(), ""));
    timed("quotes", &filled(HEAD, |_| "\"".to_owned(), ""));
    timed("brackets", &filled(HEAD, |_| "[".to_owned(), ""));
    timed("braces", &filled(&format!("{HEAD}a="), |_| "{".to_owned(), ""));
    timed("control characters", &filled(HEAD, |_| "\u{1}".to_owned(), ""));
    timed("direction marks", &filled(&format!("{HEAD}#"), |_| "\u{202e}\n#".to_owned(), ""));
    timed("one long key", &filled(HEAD, |_| "k".to_owned(), "=1"));
    timed(
        "one long text",
        &filled(&format!("description=\"{}", "ä".repeat(9)), |_| "ä".to_owned(), &format!("\"\n{HEAD}")),
    );
    let keys = format!("{HEAD}[provision.root]\nssh_keys=[");
    timed("keys in one line", &filled(&keys, |_| "\"ä\",".to_owned(), "]\n"));
    timed("wrong keys in one line", &filled(&keys, |_| "1,".to_owned(), "]\n"));
    timed("duplicates", &filled(HEAD, |_| "a=1\n".to_owned(), ""));
    timed("escapes of TOML 1.1", &filled(&format!("{HEAD}description=\""), |_| "\\e".to_owned(), "\"\n"));
}

/// Eight other TOML readers overflowed their stack here. Fine, refused by the parser, and never parsed.
#[test]
fn rec_2_deep_nesting_is_refused_by_the_parser() {
    type Shape = (&'static str, fn(usize) -> String);
    let shapes: [Shape; 5] = [
        ("arrays", |depth| format!("x = {}1{}\n{HEAD}", "[".repeat(depth), "]".repeat(depth))),
        ("inline tables", |depth| format!("x = {}1{}\n{HEAD}", "{a=".repeat(depth), "}".repeat(depth))),
        ("dotted keys", |depth| format!("x{} = 1\n{HEAD}", ".a".repeat(depth))),
        ("table headers", |depth| format!("{HEAD}[x{}]\n", ".a".repeat(depth))),
        ("arrays of tables", |depth| format!("{HEAD}[[x{}]]\n", ".a".repeat(depth))),
    ];
    for (name, shape) in shapes {
        let shallow = timed(name, &shape(60));
        assert!(shallow.len() == 1 && shallow[0].headline.contains("unknown key `x`"), "{name}: {shallow:?}");
        for (depth, words) in [(90, "recur"), (40_000, "recur"), (100_000, "more values than are read")] {
            let deep = timed(name, &shape(depth));
            assert!(deep.iter().any(|problem| problem.headline.contains(words)), "{name} {depth}: {deep:?}");
        }
    }
}

#[test]
fn rec_3_no_text_of_any_key_holds_an_invisible_character() {
    let lists = |kind| matches!(kind, KeyType::Texts | KeyType::Paths | KeyType::Urls);
    let skipped = |kind| matches!(kind, KeyType::Number | KeyType::Flag | KeyType::Table | KeyType::Tables);
    for key in keys::all().iter().filter(|key| !skipped(key.kind)) {
        for bad in
            ["0000", "0001", "000d", "001b", "007f", "0085", "009b", "200e", "202e", "2066", "feff", "2028", "ffff"]
        {
            let value = match key.kind {
                kind if lists(kind) => format!("[\"a\\u{bad}\"]"),
                KeyType::Reasons => format!("{{ moving-url = \"a\\u{bad}\" }}"),
                _ => format!("\"a\\u{bad}\""),
            };
            let (text, line) = with_key(key.path.as_str(), &value);
            // Mirrors need a base that has an address.
            let text = if key.path.as_str() == "base.mirrors" {
                text.replace("\"b.qcow2\"", "\"https://h/b.qcow2\"")
            } else {
                text
            };
            let found = problems(&text);
            let character = format!("U+{}", bad.to_uppercase());
            let hit = |problem: &&Diagnostic| {
                problem.place.as_ref().is_some_and(|place| place.line == line) && problem.headline.contains(&character)
            };
            assert_eq!(found.iter().filter(hit).count(), 1, "{} {bad}: {found:#?}", key.path.as_str());
        }
    }
}

/// Keys of free text besides those named `text`.
const FREE: [&str; 2] = ["description", "machine.xml[].element"];

#[test]
fn rec_3_only_free_text_has_lines_and_tabs() {
    let free: Vec<&str> = keys::all()
        .iter()
        .map(|key| key.path.as_str())
        .filter(|path| path.ends_with(".text") || FREE.contains(path))
        .collect();
    for key in keys::all().iter().filter(|key| matches!(key.kind, KeyType::Text | KeyType::Content)) {
        for bad in ["\\n", "\\t"] {
            let (text, _) = with_key(key.path.as_str(), &format!("\"a{bad}b\""));
            let refused = problems(&text).iter().any(|problem| problem.headline.contains("U+000"));
            assert_eq!(refused, !free.contains(&key.path.as_str()), "{}", key.path.as_str());
        }
    }
}

#[test]
fn rec_3_a_character_written_as_itself_is_told_once() {
    let found = problems(&format!("description = \"a\u{202e}b\"\n{HEAD}"));
    assert_eq!(found.iter().map(told).collect::<Vec<_>>().len(), 1, "{found:#?}");
    assert!(found[0].place.as_ref().unwrap().text.contains('\u{fffd}'));
}

#[test]
fn rec_7_numbers_are_read_in_every_way_toml_writes_them_and_never_wrap() {
    for (good, count) in [("0x10", 16), ("0o20", 16), ("0b10000", 16), ("1_0", 10), ("+7", 7)] {
        assert_eq!(super::good(&with_key("machine.vcpus", good).0).machine.vcpus(), count, "{good}");
    }
    for bad in [
        "-1",
        "0",
        "1025",
        "4294967298",
        "9223372036854775807",
        "18446744073709551618",
        "0xffffffffffffffffffffffffffffffffffffff",
    ] {
        assert_eq!(problems(&with_key("machine.vcpus", bad).0).len(), 1, "{bad}");
    }
    for bad in [
        "-1GiB",
        "1e30B",
        "20G",
        "20GB",
        "1.5GiB",
        "0x10MiB",
        "1_000MiB",
        "0B",
        "8388608TiB",
        "18446744073709551617B",
        "1048577B",
    ] {
        let found = problems(&with_key("machine.system.size", &format!("\"{bad}\"")).0);
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
    }
}

/// Every way to be wrong next to a secret: nothing that is told may hold it.
#[test]
fn sec_4_no_problem_ever_holds_a_secret() {
    let cases = [
        ("type beside it", "[provision]\nroot = { password_hash = \"CANARY\", ssh_keys = 1 }\n"),
        ("unknown beside it", "[provision]\nroot = { password_hash = \"CANARY\", foo = 1 }\n"),
        ("plain password", "[provision.root]\npassword = \"CANARY\"\n"),
        ("plain password, inline", "[provision]\nroot = { password = \"CANARY\" }\n"),
        ("misspelt key", "[provision.root]\npasword = \"CANARY\"\n"),
        ("misspelt hash", "[provision.root]\npassword_hsh = \"CANARY\"\n"),
        ("hash in a wrong place", "[provision.root]\nshell = \"$6$CANARY$\"\n"),
        ("control character", "[provision.root]\npassword_hash = \"CANARY\\u0000\"\n"),
        ("list", "[provision.root]\npassword_hash = [\"CANARY\"]\n"),
        ("unterminated", "[provision.root]\npassword_hash = \"CANARY\n"),
        ("unterminated text", "[[provision.file]]\npath = \"/a\"\ntext = \"\"\"\nCANARY\nCANARY\\q\n"),
        ("bad escape in text", "[[provision.file]]\npath = \"/a\"\ntext = \"\"\"\nCANARY\\q\n\"\"\"\n"),
        ("TOML 1.1 escape in text", "[[provision.file]]\npath = \"/a\"\ntext = \"\"\"\nCANARY\\e\n\"\"\"\n"),
        ("direction mark in text", "[[provision.file]]\npath = \"/a\"\ntext = \"\"\"\nCANARY\u{202e}\n\"\"\"\n"),
        ("text twice", "[[provision.file]]\npath = \"/a\"\ntext = \"CANARY\"\ntext = \"CANARY\"\n"),
        ("no value", "[provision.root]\npassword_hash = CANARY\n"),
        ("no equals sign", "[provision.root]\npassword_hash \"CANARY\"\n"),
        ("drop-in", "[[provision.unit]]\nname = \"a.service\"\ndropin = [{ name = \"x\", text = \"CANARY\" }]\n"),
        ("credentials", "mirrors = [\"https://u:CANARY@h/\"]\n"),
        ("query", "mirrors = [\"https://h/?CANARY\"]\n"),
        ("credentials in a wrong scheme", "mirrors = [\"ftp://u:CANARY@h/x\"]\n"),
        ("credentials twice", "mirrors = [\"https://u:CANARY@h/x\", \"https://u:CANARY@h/x\"]\n"),
    ];
    let head = HEAD.replace("b.qcow2", "https://h/b.qcow2");
    for (name, text) in cases {
        let found = problems(&format!("{head}{text}"));
        assert!(text.contains("CANARY") && !found.is_empty(), "{name} is not a mistake");
        assert!(!format!("{found:?}").contains("CANARY"), "{name}: {found:#?}");
    }
}

proptest::proptest! {
    #[test]
    fn a_recipe_cut_or_changed_anywhere_never_panics_and_is_told_with_a_place(at in 0..super::whole::FULL.len(), to in proptest::char::any(), cut in 0usize..40) {
        let full = super::whole::FULL;
        let floor = |at: usize| (0..=at.min(full.len())).rev().find(|at| full.is_char_boundary(*at)).unwrap();
        let (start, end) = (floor(at), floor(at + cut));
        for text in [format!("{}{to}{}", &full[..start], &full[end..]), full[..start].to_owned()] {
            for problem in problems(&text) {
                let place = problem.place.unwrap();
                proptest::prop_assert!(place.line >= 1 && place.column >= 1 && place.width >= 1);
                proptest::prop_assert!(place.line as usize <= text.split('\n').count());
            }
        }
    }
}

#[test]
fn img_07_a_file_of_more_values_than_memory_is_for_is_refused_before_it_is_parsed() {
    for text in ["[[a]]\n".repeat(60_000), format!("a = [{}]", "1,".repeat(300_000)), "a.".repeat(60_000)] {
        let problems = crate::recipe::parse(&text, "large.toml").unwrap_err();
        assert!(problems.0[0].headline.contains("more values than are read"), "{problems}");
    }
    let mistakes = crate::recipe::parse(&"=\n".repeat(100_000), "broken.toml").unwrap_err();
    assert_eq!((mistakes.0.len(), mistakes.0[0].place.as_ref().unwrap().line), (1, 1));
}
