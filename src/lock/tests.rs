//! The lock as text and as an answer to recipes.

use proptest::prelude::*;

use super::*;
use crate::base::Diagnostics;
use crate::recipe::{RecipePath, parse};

const SAMPLE: &str = "\
# Written by `arca-build update`; commit it. It says which bytes the recipes' inputs are.
format = 1

[[input]]
url = \"demo/guest.qcow2\"
resolved = \"demo/guest.qcow2\"
sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"
signer = \"none\"

[[input]]
url = \"https://h/a.qcow2\"
resolved = \"https://h/a-Snapshot1.qcow2\"
sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"
size = \"585MiB\"
signer = \"somebody\"
metalink = \"https://h/a-Snapshot1.qcow2.meta4\"
virtual_size = \"20GiB\"
flavour = \"ContainerHost\"
snapshot = \"20240427\"
";

fn url(text: &str) -> Source {
    Source::Url(Url::parse(text).unwrap())
}

fn pin(source: &Source, resolved: Source, digest: u8) -> Pin {
    Pin {
        url: key(source),
        resolved,
        sha256: Digest::from_bytes([digest; 32]),
        size: None,
        signer: None,
        metalink: None,
        image: ImageFacts::default(),
    }
}

fn lock(pins: impl IntoIterator<Item = Pin>) -> Lock {
    let mut lock = Lock::default();
    pins.into_iter().for_each(|pin| drop(lock.insert(pin)));
    lock
}

fn recipe(base: &str) -> Recipe {
    parse(&format!("format = 1\nname = \"t\"\n[base]\n{base}\n"), "my recipes/t.toml").unwrap()
}

fn told(result: Result<Lock, Diagnostics>) -> Vec<(String, u32, String)> {
    let problems = result.expect_err("a broken lock").0;
    problems
        .iter()
        .map(|problem| (problem.code.to_string(), problem.place.as_ref().unwrap().line, problem.headline.clone()))
        .collect()
}

#[test]
fn a_lock_is_written_as_it_always_was() {
    let lock = Lock::parse(SAMPLE, "arca.lock").unwrap();
    assert_eq!(lock.pins.len(), 2);
    assert_eq!(lock.pins["https://h/a.qcow2"].size, Some(ByteSize::mib(585)));
    assert_eq!(lock.print(), SAMPLE);
    assert_eq!(Lock::parse(&Lock::default().print(), "arca.lock"), Ok(Lock::default()));
}

#[test]
fn gc_7_a_lock_that_was_edited_or_merged_badly_is_refused_with_its_line() {
    let block = &SAMPLE[SAMPLE.find("[[input]]").unwrap()..];
    let (path, address) = block.split_once("\n\n").unwrap();
    let swapped = format!("format = 1\n{address}{path}");
    let cases = [
        ("conflict", SAMPLE.replace("sha256", "<<<<<<< HEAD\nsha256"), 7, "merge conflict"),
        ("middle of a conflict", SAMPLE.replace("sha256", "=======\nsha256"), 7, "merge conflict"),
        ("CRLF", SAMPLE.replace('\n', "\r\n"), 1, "Windows line ends"),
        ("reordered", swapped, 12, "out of order"),
        ("twice", format!("format = 1\n{path}\n{path}"), 7, "stands twice"),
        ("newer", SAMPLE.replace("format = 1", "format = 2"), 2, "format 2"),
        ("no format", SAMPLE.replace("format = 1\n", ""), 1, "`format` is missing"),
        (
            "unknown key",
            SAMPLE.replace("signer = \"none\"", "signer = \"none\"\nsigned = 1"),
            9,
            "unknown key `signed`",
        ),
        ("unknown table", SAMPLE.replace("format = 1", "format = 1\ninputs = 1"), 3, "unknown key `inputs`"),
        ("no digest", format!("format = 1\n{}", path.replace("sha256 = ", "# ")), 2, "`sha256` is missing"),
        ("short digest", SAMPLE.replacen("e3b0", "", 1), 7, "64 hexadecimal digits"),
        ("upper-case digest", SAMPLE.replacen("e3b0", "E3B0", 1), 7, "lower-case"),
        ("size a number", SAMPLE.replace("\"585MiB\"", "585"), 14, "`size` must be a size"),
        ("credentials", SAMPLE.replace("https://h/a-", "https://u:hunter2@h/a-"), 12, "has no user name"),
        ("query", SAMPLE.replace("a.qcow2", "a.qcow2?hunter2"), 11, "has no user name"),
        ("second spelling", SAMPLE.replace("https://h/a.", "https://H/a."), 11, "normal form"),
        ("path above", SAMPLE.replace("demo/", "../"), 5, "leaves the recipe's directory"),
        ("path resolved elsewhere", SAMPLE.replace("resolved = \"demo", "resolved = \"d"), 4, "resolved to itself"),
        ("no TOML", SAMPLE.replace("format = 1", "format = "), 2, "not TOML"),
        ("metalink a path", SAMPLE.replace("https://h/a-Snapshot1.qcow2.meta4", "a.meta4"), 16, "is not an address"),
        ("flavour with a blank", SAMPLE.replace("\"ContainerHost\"", "\"Container Host\""), 18, "other characters"),
        ("empty signer", SAMPLE.replace("\"somebody\"", "\"\""), 15, "`signer` is not a name"),
    ];
    for (name, text, line, words) in cases {
        assert_ne!(text, SAMPLE, "{name}");
        let told = told(Lock::parse(&text, "arca.lock"));
        let first = &told[0];
        assert!(first.0 == "E_RECIPE" && first.1 == line && first.2.contains(words), "{name}: {told:#?}");
        assert!(!format!("{told:?}").contains("hunter2"), "{name}: {told:?}");
    }
}

#[test]
fn all_mistakes_of_a_lock_are_told_at_once() {
    let text = SAMPLE.replace("none", "").replace("585MiB", "585MB");
    assert_eq!(told(Lock::parse(&text, "arca.lock")).len(), 2);
}

#[test]
fn a_base_without_a_digest_is_a_question_and_unpinned() {
    let recipe = recipe("url = \"https://u:hunter2@h/a.qcow2?token=hunter3\"");
    let questions = questions(&recipe);
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].key, "https://h/a.qcow2");
    let problem = resolve(&recipe, &Lock::default()).unwrap_err().0.remove(0);
    assert_eq!((problem.code, problem.place.as_ref().unwrap().line), (Code::Unpinned, 4));
    assert_eq!(problem.hint.as_deref(), Some("pin it with `arca-build update 'my recipes/t.toml'`"));
    assert!(!format!("{problem:?}").contains("hunter"), "{problem:?}");
}

#[test]
fn a_pin_is_found_and_its_address_comes_first() {
    let recipe = recipe("url = \"https://h/a.qcow2\"\nmirrors = [\"https://m/a.qcow2\"]");
    let source = url("https://h/a.qcow2");
    let mut pin = pin(&source, url("https://h/a-Snapshot1.qcow2"), 7);
    pin.size = Some(ByteSize(9));
    let base = resolve(&recipe, &lock([pin])).unwrap().base;
    assert_eq!((base.digest, base.size), (Digest::from_bytes([7; 32]), Some(ByteSize(9))));
    assert_eq!(base.urls, [url("https://h/a-Snapshot1.qcow2"), source, url("https://m/a.qcow2")]);
}

#[test]
fn a_path_is_pinned_like_an_address() {
    let recipe = recipe("url = \"demo/b.qcow2\"");
    let source = Source::Path(RecipePath::parse("demo/b.qcow2").unwrap());
    assert_eq!(resolve(&recipe, &Lock::default()).unwrap_err().0[0].code, Code::Unpinned);
    let base = resolve(&recipe, &lock([pin(&source, source.clone(), 7)])).unwrap().base;
    assert_eq!(base.urls, [source]);
}

#[test]
fn a_digest_in_the_recipe_wins_over_a_lock_that_disagrees() {
    let own = Digest::from_bytes([1; 32]);
    let recipe = recipe(&format!("url = \"https://h/a.qcow2\"\nsha256 = \"{own}\""));
    let source = url("https://h/a.qcow2");
    assert_eq!(questions(&recipe), vec![]);
    let other = lock([pin(&source, url("https://h/other.qcow2"), 2)]);
    let base = resolve(&recipe, &other).unwrap().base;
    assert_eq!((base.digest, base.urls), (own, vec![source.clone()]));
    let same = lock([pin(&source, url("https://h/same.qcow2"), 1)]);
    assert_eq!(resolve(&recipe, &same).unwrap().base.urls, [url("https://h/same.qcow2"), source]);
}

#[test]
fn sizes_that_disagree_are_told_before_anything_is_fetched() {
    let recipe = recipe("url = \"https://h/a.qcow2\"\nsize = \"8B\"");
    let source = url("https://h/a.qcow2");
    let mut pin = pin(&source, source.clone(), 7);
    pin.size = Some(ByteSize(9));
    assert_eq!(resolve(&recipe, &lock([pin.clone()])).unwrap_err().0[0].code, Code::Recipe);
    pin.size = None;
    assert_eq!(resolve(&recipe, &lock([pin])).unwrap().base.size, Some(ByteSize(8)));
}

#[test]
fn sec_5_credentials_of_the_recipe_go_to_its_own_directory_only() {
    let text = "https://u:p@h/d/a.qcow2?t=1";
    let recipe = recipe(&format!("url = \"{text}\""));
    let resolved = |to: &str| {
        let pin = pin(&url(text), url(to), 7);
        let Source::Url(first) = resolve(&recipe, &lock([pin])).unwrap().base.urls.remove(0) else { unreachable!() };
        first.expose().to_owned()
    };
    assert_eq!(resolved("https://h/d/a.qcow2"), text);
    assert_eq!(resolved("https://h/d/a-Snapshot1.qcow2"), "https://u:p@h/d/a-Snapshot1.qcow2");
    assert_eq!(resolved("https://g/d/a.qcow2"), "https://g/d/a.qcow2");
    assert_eq!(resolved("http://h/d/a-Snapshot1.qcow2"), "http://h/d/a-Snapshot1.qcow2");
}

prop_compose! {
    fn address()(host in "[a-z]{1,8}(:[1-9][0-9]{3})?", path in "(/[A-Za-z0-9._%é+-]{1,8}){1,4}", scheme in "https?") -> Option<Source> {
        Url::parse(&format!("{scheme}://u:p@{host}{path}?q#f")).ok().map(|url| Source::Url(url.without_secrets()))
    }
}

prop_compose! {
    fn path()(text in "[^\\p{C}/]{1,8}(/[^\\p{C}/]{1,8}){0,3}") -> Option<Source> {
        RecipePath::parse(&text).ok().filter(|path| !path.as_str().contains("://")).map(Source::Path)
    }
}

prop_compose! {
    fn any_pin()(
        from in prop_oneof![address(), path()],
        to in address(),
        digest in any::<[u8; 32]>(),
        size in proptest::option::of(0..=i64::MAX as u64),
        signer in proptest::option::of("[A-Za-z0-9 .@<>é-]{1,40}"),
        metalink in proptest::option::of(address()),
        virtual_size in proptest::option::of(0..=i64::MAX as u64),
        words in proptest::collection::vec(proptest::option::of("[A-Za-z0-9._+-]{1,30}"), 2),
    ) -> Option<Pin> {
        let from = from?;
        let resolved = if matches!(from, Source::Path(_)) { from.clone() } else { to? };
        let signer = signer.filter(|signer| signer != "none");
        let metalink = match metalink.flatten() {
            Some(Source::Url(url)) => Some(url),
            _ => None,
        };
        let [flavour, snapshot] = [words[0].clone(), words[1].clone()];
        let image = ImageFacts { virtual_size: virtual_size.map(ByteSize), flavour, snapshot };
        let sha256 = Digest::from_bytes(digest);
        Some(Pin { url: key(&from), resolved, sha256, size: size.map(ByteSize), signer, metalink, image })
    }
}

proptest! {
    #[test]
    fn printing_and_parsing_a_lock_are_inverse(pins in proptest::collection::vec(any_pin(), 0..12)) {
        let lock = lock(pins.into_iter().flatten());
        let text = lock.print();
        prop_assert_eq!(Lock::parse(&text, "arca.lock").map_err(|problems| problems.to_string()), Ok(lock));
        prop_assert!(!text.contains("u:p@"));
    }

    #[test]
    fn a_lock_cut_or_changed_anywhere_never_panics_and_never_adds_a_pin(at in 0..SAMPLE.len(), byte in 0u8..128) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        bytes[at] = byte;
        for text in [String::from_utf8(bytes).unwrap(), SAMPLE[..at].to_owned()] {
            if let Ok(lock) = Lock::parse(&text, "arca.lock") {
                prop_assert!(lock.pins.len() <= 2);
                prop_assert_eq!(Lock::parse(&lock.print(), "arca.lock"), Ok(lock));
            }
        }
    }
}

const IMAGES: &str = "
[[image]]
reference = \"quay.io/a/b:1\"
arch = \"x86_64\"
sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"
size = \"500B\"
blobs = [
    \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0\",
    \"00000000000000000000000000000000000000000000000000000000000000ff 7\",
]
";

fn with_images(images: &str) -> String {
    format!("{SAMPLE}{images}")
}

#[test]
fn images_stand_behind_the_inputs_and_come_back_as_they_were() {
    let other = IMAGES.replace("x86_64", "aarch64");
    let text = with_images(&format!("{IMAGES}{other}"));
    let lock = Lock::parse(&text, "arca.lock").unwrap();
    assert_eq!((lock.images.len(), lock.print()), (2, text));
    let image = lock.images.values().next().unwrap();
    assert_eq!((image.blobs.len(), image.weight()), (2, ByteSize(507)));
}

#[test]
fn a_broken_image_is_told_with_its_line() {
    for (from, to, words) in [
        ("quay.io/a/b:1", "a/b:1", "`reference`"),
        ("x86_64", "amd64", "`arch` cannot be `amd64`"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nsize", "xx\"\nsize", "`sha256`"),
        ("500B", "5MiB", "`size` must be"),
        ("ff 7", "ff 07", "a blob is written"),
        ("ff 7", "ff -7", "a blob is written"),
        ("ff 7", "ff 9000000000000000000", "no image consists"),
        ("blobs", "blubs", "`blobs` is missing"),
    ] {
        let text = with_images(&IMAGES.replace(from, to));
        let problems = Lock::parse(&text, "arca.lock").expect_err(to).0;
        assert!(problems[0].headline.contains(words) && problems[0].place.is_some(), "{to}: {problems:#?}");
    }
    let twice = with_images(&IMAGES.repeat(2));
    assert!(Lock::parse(&twice, "arca.lock").unwrap_err().0[0].headline.contains("stands twice"));
}

#[test]
fn an_image_is_resolved_for_the_machines_processor_and_a_digest_alone_is_not_enough() {
    let wish = |image: &str, arch: &str| {
        let text = format!(
            "format = 1\nname = \"t\"\n[base]\nurl = \"demo/guest.qcow2\"\n[machine]\narch = \"{arch}\"\n[[provision.container]]\nname = \"web\"\nimage = \"{image}\"\n"
        );
        parse(&text, "my recipes/t.toml").unwrap()
    };
    let lock = Lock::parse(&with_images(IMAGES), "arca.lock").unwrap();
    let pinned = resolve(&wish("quay.io/a/b:1", "x86_64"), &lock).unwrap();
    let urls: Vec<_> = pinned.images["quay.io/a/b:1"].parts().flat_map(|part| &part.urls).map(key).collect();
    assert!(urls[0].starts_with("https://quay.io/v2/a/b/manifests/sha256:e3b0"), "{urls:?}");
    assert!(urls[2].starts_with("https://quay.io/v2/a/b/blobs/sha256:0000"), "{urls:?}");
    assert_eq!(pinned.digests().len(), 2);
    let digested = format!("quay.io/a/b@sha256:{}", Digest::of(b""));
    for (image, arch) in [("quay.io/a/b:1", "aarch64"), ("quay.io/a/b:2", "x86_64"), (&digested, "x86_64")] {
        let problem = resolve(&wish(image, arch), &lock).unwrap_err().0.remove(0);
        assert_eq!((problem.code, problem.place.as_ref().map(|place| place.line)), (Code::Unpinned, Some(9)));
        assert!(problem.hint.unwrap().ends_with("arca-build update 'my recipes/t.toml'`"));
    }
}
