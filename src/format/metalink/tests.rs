//! Lists as publishers write them, hostile ones, and every list that we could print ourselves.

use proptest::prelude::*;

use super::*;
use crate::base::Digest;

const PIECE: &str = "<hash>9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</hash>";
const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A list as a publisher writes it, with much that is none of ours.
fn sample() -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink" xmlns:x="urn:other">
  <generator>MirrorCache</generator>
  <origin dynamic="true">https://h/a.meta4</origin>
  <x:file name="a.qcow2"><x:size>1</x:size></x:file>
  <file name="other.qcow2"><size>3</size></file>
  <file name="a.qcow2">
    <!-- <size>9</size> -->
    <x:size>1</x:size>
    <size> 2500 </size>
    <hash type="md5">d41d8cd98f00b204e9800998ecf8427e</hash>
    <hash type="sha-256">{HASH}</hash>
    <pieces length="100" type="sha-1"><hash>00</hash></pieces>
    <pieces length="1000" type="sha-256">{PIECE}{PIECE}<hash>{upper}</hash></pieces>
    <url location="de" priority="2">https://two.example/a.qcow2?x=1&amp;y=2</url>
    <url priority="1"><![CDATA[http://one.example/a.qcow2]]></url>
    <url priority="1">ftp://one.example/a.qcow2</url>
    <url>
      https://last.example/a.qcow2
    </url>
    <metaurl mediatype="torrent">https://h/a.torrent</metaurl>
    <resources><url priority="1">https://deep.example/a.qcow2</url></resources>
  </file>
</metalink>
"#,
        upper = HASH.to_uppercase()
    )
}

#[test]
fn what_a_publisher_writes_is_read_and_what_is_not_ours_is_passed_over() {
    let list = parse(sample().as_bytes()).unwrap();
    assert_eq!(list.files.len(), 2);
    let file = list.file("a.qcow2").unwrap();
    assert_eq!((file.size, file.sha256), (Some(2500), Some(Digest::of(b""))));
    let mirrors: Vec<_> = file.by_priority().iter().map(|mirror| mirror.url.expose().to_owned()).collect();
    assert_eq!(
        mirrors,
        ["http://one.example/a.qcow2", "https://two.example/a.qcow2?x=1&y=2", "https://last.example/a.qcow2"]
    );
    assert_eq!(file.mirrors[2].priority, LAST);
}

#[test]
fn a_list_counts_only_for_just_the_pinned_bytes() {
    let list = parse(sample().as_bytes()).unwrap();
    let file = list.file("a.qcow2").unwrap();
    let (ours, other) = (Digest::of(b""), Digest::of(b"x"));
    assert_eq!(file.agrees(&ours, Some(2500)), Ok(()));
    assert_eq!(file.agrees(&ours, None), Ok(()));
    assert_eq!(file.agrees(&ours, Some(2501)), Err(MetalinkError::OtherSize(2500)));
    assert_eq!(file.agrees(&other, Some(2500)), Err(MetalinkError::OtherDigest(ours)));
    assert_eq!(list.file("other.qcow2").unwrap().agrees(&ours, Some(3)), Err(MetalinkError::NoDigest));
    for name in ["A.qcow2", "a.qcow", "./a.qcow2", "", "a.qcow2 "] {
        assert!(matches!(list.file(name), Err(MetalinkError::NoFile(_))), "{name}");
    }
    let twice = sample().replace("other.qcow2", "a.qcow2");
    assert_eq!(parse(twice.as_bytes()).unwrap().file("a.qcow2"), Err(MetalinkError::Twice("entries")));
}

#[test]
fn hostile_lists_are_refused_in_few_words() {
    let change = |from: &str, to: &str| {
        let text = sample();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let deep = format!("<file name=\"a\">{}", "<a>".repeat(40));
    let many = |what: &str, count: usize| change("<generator>", &format!("{}<generator>", what.repeat(count)));
    let doctype = "<!DOCTYPE metalink [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>\n<metalink ";
    for (text, want) in [
        (String::new(), "not a Metalink list"),
        ("not found".to_owned(), "not a Metalink list"),
        ("<html><body>404</body></html>".to_owned(), "another element"),
        (change("urn:ietf:params:xml:ns:metalink", "http://www.metalinker.org/"), "another element"),
        (change("<metalink ", doctype), "document type"),
        (change("&amp;", "&lol;"), "no entity is read"),
        (change("&amp;", "&#0;"), "not well-formed XML"),
        (change("</metalink>", ""), "never closed"),
        (change("</metalink>", "</metalink><metalink xmlns=\"urn:ietf:params:xml:ns:metalink\"/>"), "more than one"),
        (change("</pieces>", ""), "not well-formed XML"),
        (change("<file name=\"other.qcow2\">", &deep), "in each other"),
        (change(" 2500 ", "-2500"), "`-2500` is not a size"),
        (change(" 2500 ", "18446744073709551616"), "is not a size"),
        (change(" 2500 ", "\u{1b}[2J"), "U+001B"),
        (change("<size> 2500 </size>", "<size>2500</size><size>2500</size>"), "two sizes"),
        (change(&format!("<hash type=\"sha-256\">{HASH}"), "<hash type=\"sha-256\">00"), "is not a sha-256 digest"),
        (
            change("<hash type=\"md5\">d41d8cd98f00b204e9800998ecf8427e", &format!("<hash type=\"sha-256\">{HASH}")),
            "two sha-256",
        ),
        (change("type=\"md5\"", "type=\"md5\" type=\"sha-256\""), "not well-formed XML"),
        (many("<file/>", 1030), "too many files"),
        (
            change("<generator>", &format!("<file>{}</file><generator>", "<url>x</url>".repeat(4100))),
            "too many addresses",
        ),
        (format!("{}{}", sample(), " ".repeat(4 << 20)), "longer than 4 MiB"),
    ] {
        let error = match parse(text.as_bytes()) {
            Err(error) => Diagnostic::from(error),
            Ok(list) => panic!("{want}: {list:?}"),
        };
        assert!(error.headline.contains(want) && error.headline.len() < 300, "{want}: {error}");
        assert!(!error.headline.contains('\u{1b}'), "{want}");
    }
    assert!(matches!(parse(&[0xff, 0xfe, b'<', 0]), Err(MetalinkError::Form(_))));
    // A long address and one with credentials are as good as unknown.
    let long = change("http://one.example/", &format!("http://one.example/{}", "a".repeat(1 << 20)));
    let secret = change("http://one.example/", "http://user:hunter2@one.example/");
    for text in [long, secret] {
        assert_eq!(parse(text.as_bytes()).unwrap().file("a.qcow2").unwrap().mirrors.len(), 2);
    }
}

#[test]
fn a_list_cut_anywhere_is_refused_or_says_the_same() {
    let text = sample();
    let whole = parse(text.as_bytes()).unwrap();
    for end in 0..text.len() {
        if let Ok(list) = parse(&text.as_bytes()[..end]) {
            assert_eq!(list, whole, "cut at {end}");
        }
    }
}

fn files() -> impl Strategy<Value = File> {
    let digest = || any::<[u8; 32]>().prop_map(Digest::from_bytes);
    let mirror = ("https?://[a-z]{1,8}\\.example/[a-z0-9./?&=%;]{0,12}", 1..=LAST)
        .prop_filter_map("no address", |(url, priority)| Some(Mirror { url: Url::parse(&url).ok()?, priority }));
    let name = "[a-z<>&\"' é]{0,12}".prop_map(|name| name.trim().to_owned());
    use proptest::option::of;
    (name, of(any::<u64>()), of(digest()), proptest::collection::vec(mirror, 0..4))
        .prop_map(|(name, size, sha256, mirrors)| File { name, size, sha256, mirrors })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(file in files()) {
        let text = file.print();
        prop_assert_eq!(parse(text.as_bytes()), Ok(Metalink { files: vec![file] }), "{}", text);
    }

    #[test]
    fn flipped_and_cut_lists_never_end_in_panic(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), end in any::<prop::sample::Index>()) {
        let mut bytes = sample().into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let end = end.index(bytes.len());
        let _ = parse(&bytes);
        let _ = parse(&bytes[..end]);
    }
}
