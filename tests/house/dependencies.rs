//! Is the tree of dependencies what `deny.toml` says it is? Asks `cargo tree`, offline, so that the answer does not hang
//! on cargo-deny being installed. Reads `deny.toml`; writes nothing.
//! Licence expressions: SPDX specification 2.3, annex D (and the `/` that Cargo once took for `OR`).

use crate::tests::support;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

#[test]
fn every_licence_in_the_tree_is_on_the_allow_list() {
    let allowed = strings(&deny()["licenses"]["allow"]);
    let refused: Vec<_> = tree().into_iter().filter(|package| !is_satisfied(&package.licence, &allowed)).collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:#?}");
}

#[test]
fn every_duplicate_in_the_tree_is_argued_and_every_argument_is_needed() {
    let deny = deny();
    let argued: BTreeSet<String> = deny["bans"]["skip"].as_array().unwrap().iter().map(skipped).collect();
    assert_eq!(older_copies(), argued, "duplicates found (left), duplicates argued in deny.toml (right)");
}

#[test]
fn every_exception_has_a_reason() {
    let deny = deny();
    let lists = [&deny["bans"]["skip"], &deny["advisories"]["ignore"]];
    for entry in lists.iter().flat_map(|list| list.as_array().unwrap()) {
        let reason = entry.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(reason.len() > 5, "no reason given: {entry}");
    }
}

#[test]
fn an_expression_is_judged_as_spdx_means_it() {
    let allowed = ["MIT", "ISC", "Apache-2.0"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("Apache-2.0 AND ISC", true),
        ("MIT AND (GPL-3.0 OR ISC)", true),
        ("(MIT OR ISC) AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("MIT OR ISC AND GPL-3.0", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
    ] {
        assert_eq!(is_satisfied(expression, &allowed), expected, "{expression:?}");
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

fn root() -> &'static str {
    env!("CARGO_MANIFEST_DIR")
}

fn deny() -> toml::Table {
    std::fs::read_to_string(format!("{}/deny.toml", root())).unwrap().parse().unwrap()
}

fn strings(list: &toml::Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn skipped(entry: &toml::Value) -> String {
    entry["crate"].as_str().unwrap().to_owned()
}

/// Every package that a build or a test of this machine's platform links or runs.
fn tree() -> BTreeSet<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    cargo.args(["tree", "--locked", "--offline", "--prefix", "none", "--edges", "all", "--format", "{p}|{l}"]);
    let told = support::output(&mut cargo).success().stdout;
    let packages: BTreeSet<_> = told.lines().filter_map(package).collect();
    assert!(packages.len() > 50, "cargo tree told too little:\n{told}");
    packages
}

/// Reads `name v1.2.3 (where)|LICENCE (*)`.
fn package(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned());
    Some(Package { name, version, licence: licence.trim_end_matches(" (*)").to_owned() })
}

/// `name@version` of all but the newest copy of each package.
fn older_copies() -> BTreeSet<String> {
    let mut copies = BTreeMap::<String, Vec<Vec<u64>>>::new();
    for package in tree() {
        let numbers = package.version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
        copies.entry(package.name).or_default().push(numbers);
    }
    let older = |(name, mut versions): (String, Vec<Vec<u64>>)| {
        versions.sort();
        versions.pop();
        versions.into_iter().map(move |version| format!("{name}@{}", dotted(&version))).collect::<Vec<_>>()
    };
    copies.into_iter().flat_map(older).collect()
}

fn dotted(version: &[u64]) -> String {
    version.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// Returns whether a licence expression can be met with the allowed licences alone.
fn is_satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut tokens: Vec<&str> = spaced.split_whitespace().rev().collect();
    either(&mut tokens, allowed) && tokens.is_empty()
}

fn either(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut met = both(tokens, allowed);
    while tokens.pop_if(|token| *token == "OR").is_some() {
        met |= both(tokens, allowed);
    }
    met
}

fn both(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.pop_if(|token| *token == "AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    match tokens.pop() {
        Some("(") => {
            let met = either(tokens, allowed);
            tokens.pop() == Some(")") && met
        }
        Some(licence) => {
            // An exception is a licence of its own here: allowed only when listed with it.
            let exception = tokens.pop_if(|token| *token == "WITH").and_then(|_| tokens.pop());
            let name = exception.map_or(licence.to_owned(), |exception| format!("{licence} WITH {exception}"));
            allowed.contains(&name)
        }
        None => false,
    }
}
