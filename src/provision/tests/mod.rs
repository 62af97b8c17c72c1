//! What a recipe's wish becomes: golden texts for both engines, and tables of what is refused or warned of.

mod carried;
mod complaints;
mod explain;
mod golden;
mod items;
mod network;
mod quadlet;
mod ready;
mod report;
mod rules;
mod scripts;
mod storage;

use super::pins::{InputInfo, PinnedInfo};
use super::{GuestConfig, compile};
use crate::base::{ByteSize, Diagnostics, Digest};
use crate::recipe::{LocalFile, LocalFiles, Recipe, RecipePath, Source, parse};

const HASH: &str = "$6$saltsalt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org";

/// Reads a `[provision]` part, `HASH` and `KEY` replaced, and lowers it with the given files beside it. Without the report,
/// unless it says so: that is in all of them, and has tests of its own.
fn compile_with(provision: &str, files: &[(&str, &[u8])]) -> Result<GuestConfig, Diagnostics> {
    let provision = provision.replace("HASH", HASH).replace("KEY", KEY);
    let text =
        format!("format = 1\nname = \"nas\"\n[base]\nurl = \"https://h/MicroOS.qcow2\"\n[provision]\n{provision}");
    let mut recipe = parse(&text, "recipes/nas.toml")?;
    recipe.provision.report.get_or_insert(false);
    compile(&recipe, &local(files), &known(&recipe))
}

/// The files beside the recipe: name and bytes.
fn local(files: &[(&str, &[u8])]) -> LocalFiles {
    let beside = |(path, bytes): &(&str, &[u8])| (RecipePath::parse(path).unwrap(), LocalFile::of(bytes.to_vec()));
    LocalFiles(files.iter().map(beside).collect())
}

/// Returns what the recipe itself pins.
fn known(recipe: &Recipe) -> PinnedInfo {
    let inputs = recipe.inputs().into_iter();
    let known = inputs
        .filter_map(|input| Some((input.source.value.clone(), InputInfo { digest: input.sha256?, size: input.size })));
    // As if the lock had pinned every image.
    let images = recipe.images().map(|(_, reference)| {
        let digest = Digest::of(reference.value.to_string().as_bytes());
        let source = Source::Url(reference.value.manifest_url().clone());
        (source, InputInfo { digest, size: Some(ByteSize(1000)) })
    });
    PinnedInfo { inputs: known.chain(images).collect(), base: super::facts::BaseFacts::default() }
}

/// Compares a text with the one that is kept; `UPDATE_GOLDEN=1` writes that anew.
#[expect(clippy::disallowed_methods, reason = "golden files are files")]
fn golden(name: &str, text: &str) {
    let path = format!("{}/src/provision/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

fn compiled(provision: &str, files: &[(&str, &[u8])]) -> GuestConfig {
    compile_with(provision, files).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(provision: &str, files: &[(&str, &[u8])]) -> Vec<String> {
    let problems = compile_with(provision, files).expect_err(provision);
    problems.0.iter().map(|problem| format!("{problem} {}", shown(problem.place.as_ref()))).collect()
}

fn shown(place: Option<&crate::base::Location>) -> String {
    place.map(|place| format!("@{}:{}:{}", place.file, place.line, place.column)).unwrap_or_default()
}

fn config(compiled: &GuestConfig) -> String {
    String::from_utf8(compiled.config.as_ref().expect("a config").expose().clone()).unwrap()
}

fn script(compiled: &GuestConfig) -> String {
    String::from_utf8(compiled.script.as_ref().expect("a script").expose().clone()).unwrap()
}

fn ids(compiled: &GuestConfig) -> Vec<&'static str> {
    compiled.warnings.iter().map(|finding| finding.rule.as_str()).collect()
}
