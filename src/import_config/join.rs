//! Several files → one recipe. Touches nothing.

use super::disk::{self, Disks};
use super::found::Machine;
use super::input::{ImportOptions, ImportedRecipe, InputFile};
use super::kind::{self, Kind};
use super::provision::Provision;
use super::{domain, ignition, virt_install, write};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, FwCfgName, Location, Name};
use crate::format;
use crate::recipe;

/// The files, by what they are.
#[derive(Default)]
struct Files<'a> {
    config: Option<&'a InputFile>,
    script: Option<&'a InputFile>,
    machine: Option<(&'a InputFile, Kind)>,
    others: Vec<&'a InputFile>,
}

/// Makes a recipe of what was given.
///
/// # Errors
/// Every file that is not understood, with the place in it; two of one kind.
pub(crate) fn import(inputs: &[InputFile], options: &ImportOptions) -> Result<ImportedRecipe, Diagnostics> {
    let files = sort(inputs)?;
    let mut machine = files.machine.map(|(input, kind)| read_machine(input, kind)).transpose()?;
    let config = files.config.map(read_config).transpose()?;
    if let Some(script) = files.script {
        check_script(script)?;
    }
    let mut skipped = vec![];
    let disks = match &mut machine {
        Some(machine) => disk::sorted(machine),
        None => Disks { base: disk::unknown(), system_size: None, data: vec![] },
    };
    let name = name(inputs, machine.as_ref(), options, &mut skipped)?;
    if let Some(machine) = &mut machine
        && machine.description.as_ref().is_some_and(|text| !text.is_empty() && !write::is_description(text))
    {
        machine.skip("the description: a recipe's has one line of at most 4096 bytes");
    }
    skipped.extend(machine.iter_mut().flat_map(|machine| std::mem::take(&mut machine.skipped)));
    let mut provision = engines(&files, machine.as_ref(), &mut skipped);
    let mut whole = options.whole.clone();
    let before = skipped.len();
    loop {
        skipped.truncate(before);
        if let (Some(ready), Some(input)) = (&config, files.config) {
            take_config(ready, input, &whole, &mut provision, &mut skipped);
        }
        let text = write::recipe(&name, &origin(inputs), machine.as_ref(), &disks, &provision, &skipped);
        let typed = provision.typed.is_some();
        match recipe::parse(&text, &format!("{name}.toml")) {
            Ok(recipe) => return Ok(ImportedRecipe { text, recipe, used: used(&provision), typed, skipped }),
            Err(problems) if typed => whole = problems.0.into_iter().map(|problem| problem.headline).collect(),
            Err(problems) => return Err(problems),
        }
    }
}

/// Sorts the files by what they are; every mistake is reported.
fn sort(inputs: &[InputFile]) -> Result<Files<'_>, Diagnostics> {
    let mut files = Files::default();
    let (mut problems, mut scripts) = (vec![], vec![]);
    for input in inputs {
        let told = kind::of(input).and_then(|kind| {
            let earlier = match kind {
                Kind::Ignition => files.config.replace(input),
                Kind::Command | Kind::Domain => files.machine.replace((input, kind)).map(|(input, _)| input),
                Kind::Script => {
                    scripts.push(input);
                    None
                }
                Kind::Plain => {
                    files.others.push(input);
                    None
                }
            };
            earlier.map_or(Ok(()), |earlier| Err(twice(earlier, input, kind)))
        });
        problems.extend(told.err());
    }
    problems.extend(main_script(&mut files, scripts).err());
    if files.script.is_none() && problems.is_empty() {
        problems.extend(files.others.iter().map(|input| unknown(input)));
    }
    if problems.is_empty() { Ok(files) } else { Err(Diagnostics(problems)) }
}

/// Of several scripts one is Combustion's: that of the right name, or the only one that speaks to it; the rest lie beside it.
fn main_script<'a>(files: &mut Files<'a>, scripts: Vec<&'a InputFile>) -> Result<(), Diagnostic> {
    let magic = |input: &&&InputFile| input.bytes.split(|byte| *byte == b'\n').any(format::combustion::is_magic);
    let main = match scripts.as_slice() {
        [] => return Ok(()),
        [one] => *one,
        several => {
            let speaking: Vec<_> = several.iter().filter(magic).collect();
            let named = several.iter().find(|input| input.path.file_name() == "script");
            match (named, speaking.as_slice()) {
                (Some(named), _) => *named,
                (None, [one]) => **one,
                _ => return Err(twice(several[0], several[1], Kind::Script)),
            }
        }
    };
    files.script = Some(main);
    files.others.extend(scripts.into_iter().filter(|input| input.path != main.path));
    Ok(())
}

fn shown(input: &InputFile) -> String {
    one_line(&input.shown, 200)
}

fn twice(one: &InputFile, other: &InputFile, kind: Kind) -> Diagnostic {
    let what = match kind {
        Kind::Command | Kind::Domain => "a description of a machine",
        kind => kind.title(),
    };
    Diagnostic::new(Code::Usage, format!("`{}` and `{}` are both {what}", shown(one), shown(other)))
        .hint("import them into two recipes")
}

fn unknown(input: &InputFile) -> Diagnostic {
    let known = [Kind::Ignition, Kind::Script, Kind::Command, Kind::Domain].map(Kind::title).join(", ");
    Diagnostic::new(Code::Usage, format!("`{}` is {}", shown(input), Kind::Plain.title()))
        .note(format!("known are {known}; other files are taken beside a script"))
}

fn read_machine(input: &InputFile, kind: Kind) -> Result<Machine, Diagnostic> {
    let refused = |reason: &dyn std::fmt::Display| {
        Diagnostic::new(Code::Recipe, format!("`{}` is {} that cannot be read", shown(input), kind.title()))
            .cause(reason)
    };
    if kind == Kind::Domain {
        return domain::read(&input.bytes).map_err(|error| refused(&error));
    }
    let text = std::str::from_utf8(&input.bytes).map_err(|error| refused(&error))?;
    virt_install::read(text).map_err(|error| refused(&error))
}

/// Makes a place in a given file; its line is never shown, for it may hold a secret.
fn place(input: &InputFile, line: u32, column: u32) -> Location {
    Location { file: shown(input), line, column, width: 1, text: String::new() }
}

fn read_config(input: &InputFile) -> Result<format::ignition::Ready, Diagnostics> {
    format::ignition::read(&input.bytes).map_err(|faults| {
        let problem = |fault: format::ignition::Fault| {
            let problem = Diagnostic::new(Code::Provision, fault.text).at(place(input, fault.at.line, fault.at.column));
            Diagnostic { hint: fault.hint, ..problem }
        };
        Diagnostics(faults.into_iter().map(problem).collect())
    })
}

fn check_script(input: &InputFile) -> Result<(), Diagnostics> {
    let told = |remark: format::combustion::ScriptWarning| {
        Diagnostic::new(Code::Provision, remark.text).at(place(input, remark.line, 1))
    };
    match format::combustion::inspect(&input.bytes) {
        Ok(_) => Ok(()),
        Err(remarks) => Err(Diagnostics(remarks.into_iter().map(told).collect())),
    }
}

/// Chooses the name; one that is not the name of a recipe is made one.
fn name(
    inputs: &[InputFile],
    machine: Option<&Machine>,
    options: &ImportOptions,
    skipped: &mut Vec<String>,
) -> Result<Name, Diagnostic> {
    let own = machine.and_then(|machine| machine.name.as_deref());
    let file = inputs.first().map(|input| input.path.file_name());
    let stem =
        file.map(|file| file.split('.').next().unwrap_or(file)).filter(|stem| !matches!(*stem, "config" | "script"));
    let wanted = options.name.clone().or_else(|| named(own?)).or_else(|| named(stem?));
    if let (None, Some(own), Some(name)) = (&options.name, own, &wanted)
        && own != name.as_str()
    {
        skipped.push(format!("the name `{}`: it is `{name}` now", one_line(own, 60)));
    }
    wanted
        .or_else(|| named("imported"))
        .ok_or_else(|| Diagnostic::new(Code::Bug, "no name could be made for the recipe"))
}

fn named(text: &str) -> Option<Name> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let plain: String = text.chars().map(plain).collect();
    let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    Name::parse(plain.get(..63).unwrap_or(plain)).ok()
}

/// Decides who applies what, and how it gets there.
fn engines(files: &Files<'_>, machine: Option<&Machine>, skipped: &mut Vec<String>) -> Provision {
    let engine = match (files.config, files.script) {
        (Some(_), Some(_)) => Some("auto"),
        (Some(_), None) => Some("ignition"),
        (None, Some(_)) => Some("combustion"),
        (None, None) => None,
    };
    let mut by_fw_cfg = false;
    for (name, file) in machine.into_iter().flat_map(|machine| &machine.fw_cfg) {
        let (input, what) = match name {
            FwCfgName::Ignition => (files.config, "the Ignition config"),
            FwCfgName::Combustion => (files.script, "the Combustion script"),
        };
        by_fw_cfg |= input.is_some();
        if input.is_none() {
            let file = if file.is_empty() { String::new() } else { format!(" `{}`", one_line(file, 120)) };
            skipped.push(format!(
                "{what}{file} that the guest gets by fw_cfg: it was not given; name it beside this file"
            ));
        }
    }
    Provision {
        engine,
        by_fw_cfg,
        script: files.script.map(|input| input.path.clone()),
        side_files: files.others.iter().map(|input| input.path.clone()).collect(),
        ..Provision::default()
    }
}

/// Takes the config apart, or leaves it whole and says why.
fn take_config(
    ready: &format::ignition::Ready,
    input: &InputFile,
    whole: &[String],
    provision: &mut Provision,
    skipped: &mut Vec<String>,
) {
    let (typed, notes) = ignition::typed(ready);
    let stops: Vec<_> = whole.iter().chain(&notes.stops).collect();
    if stops.is_empty() {
        provision.typed = Some(typed);
        skipped.extend(notes.changes);
        skipped.extend(ready.ignored.iter().map(|fault| one_line(&fault.text, 200)));
        return;
    }
    (provision.typed, provision.config) = (None, Some(input.path.clone()));
    let file = one_line(input.path.as_str(), 120);
    skipped.push(format!("the config as keys: `{file}` stays one file, for a recipe cannot say all of it"));
    skipped.extend(stops.into_iter().map(|stop| format!("  {}", one_line(stop, 200))));
}

fn origin(inputs: &[InputFile]) -> Vec<String> {
    let names: Vec<_> = inputs.iter().map(|input| format!("`{}`", one_line(input.path.file_name(), 80))).collect();
    let names = match names.len() {
        0..=6 => names.join(", "),
        many => format!("{} and {} more", names[..6].join(", "), many - 6),
    };
    vec![format!("Made by `arca-build import-config` from {names}.")]
}

fn used(provision: &Provision) -> Vec<recipe::RecipePath> {
    let ready = provision.config.iter().chain(&provision.script);
    ready.chain(&provision.side_files).cloned().collect()
}
