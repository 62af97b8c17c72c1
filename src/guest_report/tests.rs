//! Reports that are good, sabotaged, cut off and hostile, each with what the judge says of it.

use std::collections::BTreeMap;

use super::*;
use crate::base::Digest;

fn expected(kind: Kind, subject: &str, facts: &[(&str, Matcher)]) -> Expected {
    let facts = facts.iter().map(|(name, wish)| ((*name).to_owned(), wish.clone())).collect();
    Expected { kind, subject: subject.to_owned(), facts }
}

fn is(word: &str) -> Matcher {
    Matcher::Is(word.to_owned())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn expectation() -> Expectation {
    Expectation::new(vec![
        expected(Kind::Engine, "ignition", &[("config", Matcher::Digest(Digest::of(b"config")))]),
        expected(Kind::User, "ann", &[("uid", is("1500")), ("groups", Matcher::Has(words(&["video", "users"])))]),
        expected(Kind::File, "/etc/a\\x20b", &[("mode", is("600")), ("sha256", Matcher::Digest(Digest::of(b"1234")))]),
        expected(Kind::Unit, "ours.service", &[("active", Matcher::Any(words(&["active", "inactive"])))]),
        expected(Kind::Group, "ours", &[]),
    ])
}

fn good() -> String {
    format!(
        "{BEGIN}\nstage\tfinal\nengine\tignition\tpresent=yes\tconfig={}\n\
         user\tann\tpresent=yes\tuid=1500\tgroups=ann,users,video\n\
         file\t/etc/a\\\\x20b\tpresent=yes\tmode=600\tsha256={}\n\
         unit\tours.service\tpresent=yes\tactive=inactive\n\
         group\tours\tpresent=yes\nnews\tof a later version\n{END}\n",
        Digest::of(b"config"),
        Digest::of(b"1234")
    )
}

/// Judges, and returns what failed.
fn failures(stream: &[u8]) -> Vec<String> {
    let verdict = judge(&expectation(), stream);
    assert_eq!(verdict.passed(), verdict.failures().count() == 0);
    let told: Vec<String> =
        verdict.failures().map(|check| format!("{}: {}", check.name(), check.difference())).collect();
    let lines = verdict.lines();
    assert!(told.iter().all(|one| lines.contains(&format!("FAIL  {one}"))), "{lines:#?}");
    told
}

#[test]
fn a_good_report_passes_line_by_line() {
    assert_eq!(failures(good().as_bytes()), Vec::<String>::new());
    let lines = judge(&expectation(), good().as_bytes()).lines();
    assert_eq!(
        lines,
        [
            "ok    report (there, stage, form)",
            "ok    engine ignition (there, config)",
            "ok    user ann (there, groups, uid)",
            "ok    file /etc/a\\x20b (there, mode, sha256)",
            "ok    unit ours.service (there, active)",
            "ok    group ours (there)",
            "ok    units (failed)",
            "15 of 15 facts as expected",
        ]
    );
}

#[test]
fn each_thing_that_is_not_as_asked_fails_with_its_own_line() {
    let good = good();
    for (old, new, failure) in [
        ("uid=1500", "uid=1501", "user ann: uid: expected 1500, found 1501"),
        ("\tuid=1500", "", "user ann: uid: expected 1500, found not told"),
        ("\tuid=1500", "\tuid=1500\tuid=1500", "user ann: uid: expected 1500, found not told"),
        ("users,video", "users,videos", "user ann: groups: expected also video,users, found ann,users,videos"),
        (
            "user\tann\tpresent=yes",
            "user\tann\tpresent=no",
            "user ann: there: expected to be there, found it is not there",
        ),
        ("group\tours", "group\tother", "group ours: there: expected to be there, found not in the report"),
        ("=inactive", "=failed", "unit ours.service: active: expected active or inactive, found failed"),
        ("group\tours", "failed\tx.service\ngroup\tours", "units: failed: expected none, found x.service"),
        ("stage\tfinal", "stage\tpending", "report: stage: expected final, found pending"),
        ("stage\tfinal\n", "", "report: stage: expected final, found not told"),
        ("news", "group\tours\nnews", "report: form: expected each thing told once, found again: group ours"),
    ] {
        assert!(good.contains(old), "{old}");
        let told = failures(good.replacen(old, new, 1).as_bytes());
        assert!(told.contains(&failure.to_owned()), "{told:?}\n{failure}");
        // What is told twice is not told well, whichever counts.
        assert!(told.len() == 1 || old == "news", "{told:?}");
    }
}

#[test]
fn sec_4_a_digest_is_never_shown_as_it_may_be_that_of_a_short_secret() {
    let other = Digest::of(b"4321").to_string();
    let stream = good().replace(&Digest::of(b"1234").to_string(), &other);
    let verdict = judge(&expectation(), stream.as_bytes());
    let all = format!("{:?} {}", verdict.lines(), String::from_utf8(verdict.junit("x")).unwrap());
    assert!(all.contains("expected the recipe's bytes, found other bytes"), "{all}");
    assert!(!all.contains(&other) && !all.contains(&Digest::of(b"1234").to_string()), "{all}");
}

#[test]
fn the_last_whole_report_counts() {
    let (pending, good) = (good().replace("final", "pending"), good());
    for (stream, heard_as) in [
        (String::new(), ReportState::Nothing),
        (good[..good.len() - 5].to_owned(), ReportState::Nothing),
        (good[20..].to_owned(), ReportState::Nothing),
        (good.replace(END, "arca-report 1 endless"), ReportState::Nothing),
        (pending.clone(), ReportState::Pending),
        (format!("{pending}{good}"), ReportState::Final),
        (format!("{good}{BEGIN}\nstage\tfin"), ReportState::Final),
        (format!("{good}{pending}"), ReportState::Pending),
        (format!("{BEGIN}\nuser\tann\tpresent=no\n{good}"), ReportState::Final),
        (format!("noise\r\n{}", good.replace('\n', "\r\n")), ReportState::Final),
    ] {
        assert_eq!(heard(stream.as_bytes()), heard_as, "{stream}");
        assert_eq!(judge(&expectation(), stream.as_bytes()).passed(), heard_as == ReportState::Final, "{stream}");
    }
    let cut = failures(&good.as_bytes()[..100]);
    assert_eq!(cut, ["report: there: expected a whole report, found one that does not end"]);
    assert_eq!(failures(b""), ["report: there: expected a whole report, found nothing"]);
}

#[test]
fn out_14_a_hostile_report_is_bounded_and_reaches_nobody_with_an_escape() {
    let good = good();
    let evil = "\u{1b}]0;owned\u{7}\u{202e}<b>&\"']]>\u{fffe}\0";
    let block = |lines: &str| format!("{BEGIN}\n{lines}\n{END}\n").into_bytes();
    let many = "\nfailed\tx.service".repeat(100_000);
    let streams = [
        good.replace("uid=1500", &format!("uid={evil}")).into_bytes(),
        good.replace("inactive", &evil.repeat(10_000)).into_bytes(),
        block(&format!("stage\t{evil}\nfailed\t{evil}\n{evil}\t{evil}\n{evil}\t{evil}")),
        block(&many),
        block(&"a=".repeat(1 << 21)),
        block(&"\t".repeat(1 << 20)),
        [&[0xff, 0xfe, b'\n'], block("stage\t\u{9b}31m").as_slice(), &[0xc3]].concat(),
        "\n".repeat(1 << 20).into_bytes(),
        format!("{BEGIN}\n").repeat(100_000).into_bytes(),
        format!("{END}\n").repeat(100_000).into_bytes(),
        vec![b'x'; LIMIT + 100],
    ];
    for stream in streams {
        let verdict = judge(&expectation(), &stream);
        assert!(!verdict.passed());
        assert!(verdict.checks.len() <= 16, "{}", verdict.checks.len());
        let lines = verdict.lines();
        assert!(lines.iter().all(|line| line.chars().count() < 5000), "{lines:?}");
        assert!(!lines.concat().chars().any(|c| crate::base::text::is_unsafe(c) || c == '\n'), "{lines:?}");
        well_formed(&verdict);
    }
    let long = "\nx\ty".repeat(20_001);
    let cut = judge(&expectation(), &block(&long));
    assert!(cut.failures().any(|check| check.found == "more lines than any recipe needs"));
}

/// Reads the XML back by the rules, and counts its cases.
fn well_formed(verdict: &Verdict) {
    let xml = String::from_utf8(verdict.junit("a<b>&\"")).unwrap();
    assert!(!xml.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{fffe}'), "{xml}");
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut cases = BTreeMap::new();
    loop {
        use quick_xml::events::Event::{Empty, Eof, Start};
        match reader.read_event().unwrap() {
            Start(tag) | Empty(tag) => *cases.entry(tag.name().as_ref().to_owned()).or_insert(0) += 1,
            Eof => break,
            _ => {}
        }
    }
    assert_eq!(cases.get("testcase"), Some(&verdict.checks.len()));
    assert_eq!(cases.get("failure").copied().unwrap_or(0), verdict.failures().count());
}

#[test]
fn a_verdict_is_written_as_junit_xml() {
    let stream = good().replace("uid=1500", "uid=<0>");
    let xml = String::from_utf8(judge(&expectation(), stream.as_bytes()).junit("nas")).unwrap();
    for part in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"nas\" tests=\"15\" failures=\"1\" errors=\"0\">\n",
        "  <testsuite name=\"nas\" tests=\"15\" failures=\"1\" errors=\"0\" skipped=\"0\">\n",
        "    <testcase classname=\"user\" name=\"user ann: groups\"/>\n",
        "    <testcase classname=\"user\" name=\"user ann: uid\">\n",
        "      <failure message=\"expected 1500, found &lt;0&gt;\">expected 1500, found &lt;0&gt;</failure>\n",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

#[test]
fn the_file_of_an_expectation_reads_back_and_another_is_refused() {
    let bytes = expectation().to_json().unwrap();
    assert_eq!(Expectation::parse(&bytes).unwrap(), expectation());
    let text = String::from_utf8(bytes).unwrap();
    for bad in [
        text.replace("\"format\": 1", "\"format\": 2"),
        text.replace("\"user\"", "\"usher\""),
        text.replace("\"has\"", "\"had\""),
        text.replace("\"subject\"", "\"extra\": 1, \"subject\""),
        String::new(),
    ] {
        let problem = Expectation::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(problem.code, crate::base::Code::CacheCorrupt, "{bad}");
    }
}
