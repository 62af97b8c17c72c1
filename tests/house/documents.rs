//! Documents that are written from the code: are they still what the code says? `UPDATE_DOCS=1` writes them anew.

use std::path::Path;

#[test]
fn the_reference_of_keys_is_what_the_table_of_keys_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipe.md");
    let page = arca_build::recipe::reference::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/recipe.md is out of date: UPDATE_DOCS=1 cargo test --test house");
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let page = arca_build::recipe::reference::page();
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
