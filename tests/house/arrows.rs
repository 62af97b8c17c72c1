//! The map in `src/lib.rs` against the arrows in the code: rows name only what stands above them, and code names only
//! what its row says. Touches the sources, read only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads the table of the map: modules in order, and what each may name.
fn map() -> (Vec<String>, Arrows) {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut order = vec![];
    let mut arrows = Arrows::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! | `")) {
        let cells: Vec<_> = line.split(" | ").collect();
        let module = cells[0].trim_end_matches('`').to_owned();
        let named = cells[2].split_whitespace().filter(|word| *word != "–").map(str::to_owned).collect();
        order.push(module.clone());
        arrows.insert(module, named);
    }
    (order, arrows)
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the code of a file without comments and without its in-file tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Finds every `crate::module` in the code, also inside `use crate::{a, b}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, _) in code.match_indices("crate::") {
        let rest = &code[index + "crate::".len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(word(item.trim_start()));
                            item.clear();
                            continue;
                        }
                        _ => {}
                    }
                    item.push(c);
                }
                found.insert(word(item.trim_start()));
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    found
}

/// The arrows as they are in the code.
fn arrows(modules: &[String]) -> Arrows {
    let mut arrows = Arrows::new();
    for module in modules {
        let mut files = vec![];
        let folder = root().join("src").join(module);
        sources(&folder, &mut files);
        let named: BTreeSet<_> = files.iter().flat_map(|file| named(&code(file))).collect();
        let named = named.into_iter().filter(|name| name != module && modules.contains(name)).collect();
        arrows.insert(module.clone(), named);
    }
    arrows
}

#[test]
fn the_map_names_every_module_and_no_row_names_one_below_it() {
    let (order, may_name) = map();
    let mut folders: Vec<_> = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        // What programs outside read; the crate names it nowhere.
        .filter(|name| name != "testing")
        .collect();
    folders.sort();
    let mut known = order.clone();
    known.sort();
    assert_eq!(known, folders, "the table in src/lib.rs lists exactly the folders of src");
    for (index, module) in order.iter().enumerate() {
        for name in &may_name[module] {
            let above = order[..index].contains(name);
            assert!(above, "src/lib.rs: the row of `{module}` names `{name}`, which does not stand above it");
        }
    }
}

#[test]
fn the_map_equals_the_arrows_in_the_code() {
    let (order, may_name) = map();
    let found = arrows(&order);
    let mut wrong = vec![];
    for module in &order {
        for name in found[module].difference(&may_name[module]) {
            wrong.push(format!("`{module}` names `{name}`, which its row does not"));
        }
        for name in may_name[module].difference(&found[module]) {
            wrong.push(format!("the row of `{module}` names `{name}`, which the code does not"));
        }
    }
    assert!(wrong.is_empty(), "src/lib.rs and the code disagree:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_arrows_sees_groups_and_paths() {
    let found = named("use crate::{base::{A, B}, plan};\nfn f() { crate::store::x() }\nuse crate::emit;");
    let expected: BTreeSet<_> = ["base", "plan", "store", "emit"].map(str::to_owned).into();
    assert_eq!(found, expected);
}

#[test]
fn every_file_says_what_it_is_first() {
    let mut files = vec![];
    sources(&root().join("src"), &mut files);
    sources(&root().join("tests"), &mut files);
    let silent: Vec<_> =
        files.iter().filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//! ")).collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:?}");
}

#[test]
fn files_and_functions_stay_small() {
    let mut files = vec![];
    sources(&root().join("src"), &mut files);
    let long: Vec<_> = files
        .iter()
        .map(|file| (file, code(file).lines().filter(|line| !line.trim().is_empty()).count()))
        .filter(|(_, lines)| *lines > 500)
        .collect();
    assert!(long.is_empty(), "more than 500 lines of code: {long:?}");
}
