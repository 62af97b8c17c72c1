//! A whole recipe: the keys of the top level, and TOML text → [`Recipe`] with every mistake told at once.
//!
//! Read by hand from the parsed tree, because derived readers stop at the first mistake and lose its place. Touches nothing.
//! Read next: `table.rs` (how keys are declared), `provision.rs`, `machine.rs`.

use super::allow::Allow;
use super::base::Base;
use super::content::{Text, field};
use super::keys::owner;
use super::machine::{MachineSpec, check_installer};
use super::numbers::{Epoch, Format};
use super::provision::Provision;
use super::table::{FromValue, keys, refuse_unknown};
use crate::base::{ByteSize, Diagnostic, Diagnostics, Name, Rule, Spanned};
use crate::format::toml::table::title;
use crate::format::toml::{Charset, Document, Table};

/// The recipe format this program reads and writes.
pub(crate) const FORMAT: u64 = 1;

/// A whole recipe, checked for form; whether files exist and inputs are pinned is found out later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The recipe's file name as the user gave it, for messages only.
    pub file: String,
    pub name: Name,
    /// Free text without control characters; shown by libvirt.
    pub description: Option<String>,
    /// Seconds since 1970 that stand for every time stamp; default 315532800 (1980-01-01, FAT's first day).
    pub epoch: u64,
    pub base: Base,
    pub machine: MachineSpec,
    pub provision: Provision,
    /// `[allow]`: rules that may be broken, in the order of their ids.
    pub allow: Vec<Spanned<Allow>>,
}

keys! {
    Recipe in "" read read {
        /// the recipe format this file is written in: 1
        format: Format = "required" like "1",
        /// names the bundle and the virtual machine: A-Z a-z 0-9 . _ -, at most 63
        name: Name = "required" like "\"nas\"",
        /// free text, shown by libvirt
        description: Option<Text>,
        /// seconds since 1970 that stand for every time stamp (1980-01-01)
        epoch: Epoch = "315532800",
        /// the image everything starts from
        base: Base = "required",
        /// the virtual machine
        machine: Option<MachineSpec>,
        /// what is set up in the guest at its first boot
        provision: Option<Provision>,
        /// rules that may be broken: `RULE = "why"`; `arca-build check --explain all` lists them
        allow: Vec<Spanned<Allow>>,
    }
}

impl Recipe {
    /// Returns why a rule may be broken, where the recipe says so.
    pub(crate) fn allows(&self, rule: Rule) -> Option<&Spanned<Allow>> {
        self.allow.iter().find(|allow| allow.value.rule == rule)
    }
}

/// Reads a recipe.
///
/// `file` is its name as the user gave it, for messages only. All mistakes are told together, in the order of the file: form
/// is `E_RECIPE`, a password in plain text `E_SECRET`, a path that leaves the recipe's directory `E_INPUT_ESCAPE`. A recipe of
/// a newer format is refused whole, without guessing at the rest.
pub(crate) fn parse(text: &str, file: &str) -> Result<Recipe, Diagnostics> {
    let mut document = Document::open(text, file)?;
    document.elsewhere = |key| Some(format!("`{key}` belongs in `{}`", title(owner(key)?)));
    let root = document.root();
    if let Some(problem) = newer_format(&root) {
        return Err(problem.into());
    }
    refuse_unknown(&root, &Recipe::names());
    let recipe = read(&root);
    document.finish(recipe.map(|recipe| Recipe { file: file.to_owned(), ..recipe }))
}

fn read(root: &Table<'_>) -> Option<Recipe> {
    if let Some(format) = root.need("format", "`format = 1` as the first line") {
        format.integer(FORMAT..=FORMAT);
    }
    let name = root.need("name", "`name = \"nas\"`").and_then(|value| Name::from_value(&value));
    let description = root.get("description").and_then(|value| value.text(Charset::Free, ByteSize(4096)));
    let Epoch(epoch) = field(root, "epoch").unwrap_or(Epoch::FIRST);
    let base = root.need("base", "`[base]` with a `url`").and_then(|value| Base::from_value(&value));
    let machine = match root.get("machine") {
        Some(value) => MachineSpec::from_value(&value),
        None => MachineSpec::read(&root.left_out("machine")),
    };
    base.iter().for_each(|base| check_installer(root, base));
    let provision = root.get("provision").and_then(|value| Provision::from_value(&value));
    let allow = field(root, "allow").unwrap_or_default();
    Some(Recipe {
        file: String::new(),
        name: name?,
        description: description.map(str::to_owned),
        epoch,
        base: base?,
        machine: machine?,
        provision: provision.unwrap_or_default(),
        allow,
    })
}

/// Reports a recipe that only a later version can read.
fn newer_format(root: &Table<'_>) -> Option<Diagnostic> {
    let value = root.get("format")?;
    let (digits, radix) = value.digits()?;
    let format = u128::from_str_radix(digits, radix).ok().filter(|format| *format > u128::from(FORMAT))?;
    let version = env!("CARGO_PKG_VERSION");
    let problem =
        value.problem(format!("the recipe is written in format {format}, this program reads format {FORMAT}"));
    Some(problem.hint(format!("use a version of arca-build newer than {version}")))
}
