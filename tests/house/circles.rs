//! Files that name each other in a circle cannot be read one after the other. A module file that only hands names on (`use` with a
//! visibility) draws no arrow of its own; what is reached through it does. Touches the sources, read only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The largest circle that is taken.
const MOST: usize = 3;
/// Folders that have larger ones still; the list only shrinks.
const STILL: &[&str] = &[];

/// The code of one file: no comment, no text, no in-file tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut code = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut quoted = false;
        let mut before = ' ';
        for c in line.chars() {
            quoted ^= c == '"' && before != '\\' && before != '\'';
            before = c;
            code.push(if quoted { ' ' } else { c });
        }
        code.push('\n');
    }
    code
}

/// Lists the paths that a `use` tree names.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        if !name.is_empty() {
            found.push(format!("{prefix}{name}"));
        }
        return;
    };
    let (mut depth, mut item) = (0, String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => expand(&format!("{prefix}{}", head.trim()), &std::mem::take(&mut item), found),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    expand(&format!("{prefix}{}", head.trim()), &item, found);
}

/// Every path of the code that may lead to another file: those of `use`, and those written out.
fn paths(code: &str, is_module_file: bool) -> Vec<String> {
    let (mut found, mut rest) = (vec![], String::new());
    for statement in code.split(';') {
        let start = statement.trim_end().rfind("use ").unwrap_or(0);
        let handed_on = statement[..start].trim_end().ends_with(')');
        match statement[start..].trim_start().strip_prefix("use ") {
            Some(tree) if !(is_module_file && handed_on) => expand("", tree, &mut found),
            Some(_) => {}
            None => rest += statement,
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    found.extend(rest.split(|c| !is_path(c)).filter(|word| word.contains("::")).map(str::to_owned));
    found
}

struct Files(BTreeMap<Vec<String>, PathBuf>);

impl Files {
    fn read(root: &Path) -> Self {
        fn walk(directory: &Path, module: &[String], found: &mut BTreeMap<Vec<String>, PathBuf>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                if stem == "tests" || stem.ends_with("_tests") || stem == "testing" {
                    continue;
                }
                let own = || module.iter().cloned().chain([stem.clone()]).collect::<Vec<_>>();
                if path.is_dir() {
                    walk(&path, &own(), found);
                } else if stem == "mod" {
                    found.insert(module.to_vec(), path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    found.insert(own(), path);
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(root, &[], &mut found);
        Self(found)
    }

    /// The file that a path leads to, seen from the module `here`.
    fn file(&self, here: &[String], path: &str) -> Option<&PathBuf> {
        let mut words: Vec<&str> = path.split("::").filter(|word| !word.is_empty()).collect();
        let mut full: Vec<String> = match *words.first()? {
            "crate" => vec![],
            "super" => {
                let up = words.iter().take_while(|word| **word == "super").count();
                words.drain(..up - 1);
                here[..here.len().checked_sub(up)?].to_vec()
            }
            "self" => here.to_vec(),
            first => {
                let child: Vec<String> = here.iter().cloned().chain([first.to_owned()]).collect();
                self.0.get(&child)?;
                words.insert(0, "self");
                here.to_vec()
            }
        };
        full.extend(words[1..].iter().map(|word| (*word).to_owned()));
        while !full.is_empty() {
            if let Some(file) = self.0.get(&full) {
                return Some(file);
            }
            full.pop();
        }
        None
    }

    fn arrows(&self) -> BTreeMap<&PathBuf, BTreeSet<&PathBuf>> {
        let of = |(module, path): (&Vec<String>, &'_ PathBuf)| {
            let paths = paths(&code(path), path.ends_with("mod.rs"));
            paths.iter().filter_map(|to| self.file(module, to)).filter(|to| *to != path).collect()
        };
        self.0.iter().map(|(module, path)| (path, of((module, path)))).collect()
    }
}

/// Everything that can be reached from a file.
fn reached<'a>(arrows: &BTreeMap<&'a PathBuf, BTreeSet<&'a PathBuf>>, from: &'a PathBuf) -> BTreeSet<&'a PathBuf> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(arrows[file].iter().filter(|to| found.insert(**to)).copied());
    }
    found
}

fn circles(root: &Path) -> BTreeSet<Vec<String>> {
    let files = Files::read(root);
    let arrows = files.arrows();
    let reach: BTreeMap<_, _> = arrows.keys().map(|file| (*file, reached(&arrows, file))).collect();
    let shown = |file: &Path| file.strip_prefix(root).unwrap().display().to_string();
    let circle = |file: &&PathBuf| -> Vec<String> {
        reach[*file].iter().filter(|other| reach[**other].contains(*file)).map(|other| shown(other)).collect()
    };
    reach.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

#[test]
fn no_circle_of_files_is_larger_than_can_be_read_at_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let large: Vec<_> = circles(&root).into_iter().filter(|circle| circle.len() > MOST).collect();
    let folder = |circle: &Vec<String>| circle[0].split('/').next().unwrap().to_owned();
    let unexpected: Vec<_> = large.iter().filter(|circle| !STILL.contains(&folder(circle).as_str())).collect();
    assert!(unexpected.is_empty(), "these files name each other in a circle: {unexpected:#?}");
    let large: BTreeSet<_> = large.iter().map(folder).collect();
    let gone: Vec<_> = STILL.iter().filter(|folder| !large.contains(**folder)).collect();
    assert!(gone.is_empty(), "no large circle is left in {gone:?}: take it off the list");
}

#[test]
fn a_circle_is_seen_through_use_paths_and_names_handed_on() {
    let dir = crate::tests::support::workdir();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("m")).unwrap();
    write("m/mod.rs", "mod a;\nmod b;\npub(crate) use a::{A, B};\n");
    write("m/a.rs", "use super::b::{self, C};\n");
    write("m/b.rs", "// use super::a::A;\nfn f() { g(\"super::a::A\") }\n");
    assert_eq!(circles(dir.path()), BTreeSet::new());
    write("m/b.rs", "fn f() { crate::m::a::g() }\n");
    assert_eq!(circles(dir.path()), BTreeSet::from([vec!["m/a.rs".to_owned(), "m/b.rs".to_owned()]]));
}
