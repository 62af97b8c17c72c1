//! Documents that are written from the code: are they still what the code says? `UPDATE_DOCS=1` writes them anew.

use std::path::Path;

use crate::tests::support::{Bin, workdir};

/// The reference of rules, from what the program tells of them.
fn rules() -> String {
    let dir = workdir();
    let document = Bin::new(dir.path()).args(["check", "--explain", "all", "--json"]).run().success().json();
    let mut page = "# Rules\n\n<!-- Written by `UPDATE_DOCS=1 cargo test tests::house` from what `arca-build check --explain all --json` prints. -->\n\n\
        What `arca-build check` knows of MicroOS. An *error* stops a build, a *warning* is shown by every command that plans (and fails\n\
        with `check --deny warnings`), a *note* is shown by `check` only. Errors and warnings can be allowed in the recipe, with the reason:\n\
        `RULE = \"why\"` under `[allow]`. `arca-build check --explain RULE` prints one of these entries.\n"
        .to_owned();
    page += "\n| rule | severity | what it finds |\n|---|---|---|\n";
    for rule in document["rules"].as_array().unwrap() {
        let [id, severity, summary] = ["rule", "severity", "summary"].map(|key| rule[key].as_str().unwrap());
        page += &format!("| [`{id}`](#{id}) | {severity} | {} |\n", summary.replace('|', "\\|"));
    }
    for rule in document["rules"].as_array().unwrap() {
        let text = |key: &str| rule[key].as_str().unwrap();
        let source = |source: &serde_json::Value| {
            format!("[{}]({})", source["name"].as_str().unwrap().replace('`', ""), source["url"].as_str().unwrap())
        };
        let sources: Vec<String> = rule["sources"].as_array().unwrap().iter().map(source).collect();
        let [id, severity, summary] = ["rule", "severity", "summary"].map(text);
        page += &format!("\n## `{id}`\n\n*{severity}*: {summary}.\n\n{}\n\n", text("reason"));
        page += &format!("Fix: {}.\n\nSources: {}.\n", text("fix"), sources.join("; "));
    }
    page
}

/// Compares a page of `docs/` with what it should be, or writes it anew.
fn holds(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/{name} is out of date: UPDATE_DOCS=1 cargo test tests::house");
}

#[test]
fn the_reference_of_rules_is_what_the_program_tells_of_them() {
    holds("rules.md", &rules());
}

#[test]
fn the_reference_of_keys_is_what_the_table_of_keys_says() {
    holds("recipe.md", &crate::recipe::reference::page::page());
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let page = crate::recipe::reference::page::page();
    // A viewer makes a heading's name of its letters, digits and underscores.
    let name =
        |heading: &str| heading.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect::<String>().to_lowercase();
    let headings: Vec<String> = page.lines().filter_map(|line| line.strip_prefix("## ")).map(name).collect();
    let links: Vec<&str> = page.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 10);
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "no heading {link}");
    }
}
