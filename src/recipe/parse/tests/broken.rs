//! Broken recipes, one mistake each: code, place and words.

use super::*;

/// Name · text (after [`HEAD`] where it begins with a line end) · code and place · part of the headline · part of the hint.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    for (name, text, at, headline, hint) in cases {
        let text = text.strip_prefix('\n').map_or((*text).to_owned(), |rest| format!("{HEAD}{rest}"));
        let found = problems(&text);
        let all: Vec<String> = found.iter().map(told).collect();
        assert_eq!(found.len(), 1, "{name}: {all:#?}");
        let told = &all[0];
        assert!(told.starts_with(&format!("{at} ")), "{name}: {told}");
        assert!(found[0].headline.contains(headline), "{name}: {told}");
        assert!(found[0].hint.as_deref().unwrap_or("-").contains(hint), "{name}: {told}");
        assert!(!found[0].headline.ends_with('.') && !told.contains('\n'), "{name}: {told}");
    }
}

const TOP: &[Case] = &[
    ("empty", "[base]\nurl = \"b.iso\"\nformat = 1\n[machine.system]\nsize = \"1GiB\"\nmode = \"overlay\"", "", "", ""),
];

#[test]
#[ignore = "prints"]
fn dump() {
    for (name, text, ..) in TOP {
        let text = text.strip_prefix('\n').map_or((*text).to_owned(), |rest| format!("{HEAD}{rest}"));
        println!("## {name}");
        for problem in problems(&text) {
            println!("{}", told(&problem));
        }
    }
    check(&[]);
}
