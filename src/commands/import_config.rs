//! `import-config`: what people have already becomes a recipe, and what could not be carried over is listed.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::{Context, named, quoted};
use super::printer::{Output, Printer, ShownPath};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Name};
use crate::host::files;
use crate::import_config::{self, ImportOptions, ImportedRecipe, InputFile, LIMIT, same};
use crate::inspect::config_files;
use crate::provision;
use crate::provision::pins::PinnedInfo;
use crate::recipe::{LocalFile, LocalFiles, Recipe, RecipePath};

/// The most files that are taken beside a script.
const BESIDE: usize = 100;

/// Write a recipe from what is there: an Ignition config, Combustion script, virt-install command or domain XML
#[derive(Debug, Args)]
pub(crate) struct ImportConfigOptions {
    /// What to import, also a config disk or a folder laid out as one; several files describe one machine, such as vm.xml config.ign
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Recipe to write, never over another file [default: NAME.toml]
    #[arg(long, short, value_name = "RECIPE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Name of the recipe, hence of the machine [default: the machine's, or the first file's]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct ImportConfigOutput {
    recipe: ShownPath,
    text: String,
    /// Files that were copied beside the recipe.
    copied: Vec<ShownPath>,
    /// What could not be carried over, one sentence each.
    #[serde(rename = "left_out")]
    skipped: Vec<String>,
}

/// One file that was named, or was found where one was named.
struct Found {
    input: InputFile,
    path: PathBuf,
    /// Whether it lies where the recipe will name it.
    in_place: bool,
}

/// Gathers what is imported.
struct Finder<'a> {
    context: &'a Context<'a>,
    /// Where the recipe will be.
    directory: &'a Path,
    found: Vec<Found>,
    /// What lies there and belongs to neither engine.
    skipped: Vec<String>,
}

impl ImportConfigOptions {
    /// Writes a recipe, to `output` or `NAME.toml` in the working directory, never over a file that is there.
    ///
    /// Its mode is 0600, for it may hold hashes; so is that of the files that are copied beside it.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let (files, output) = (&self.files, self.output.as_deref());
        let name = self.name.as_deref().map(|name| named(name, "recipe")).transpose()?;
        let directory = context.absolute(output.and_then(Path::parent).unwrap_or(Path::new("")));
        let mut finder = Finder { context, directory: &directory, found: vec![], skipped: vec![] };
        files.iter().try_for_each(|path| finder.named(path))?;
        let Finder { found, mut skipped, .. } = finder;
        let (places, inputs): (Vec<_>, Vec<_>) =
            found.into_iter().map(|Found { input, path, in_place }| ((path, in_place), input)).unzip();
        let imported = exactly(&inputs, name)?;
        skipped.extend(imported.skipped);
        let recipe = match output {
            Some(output) => context.absolute(output),
            None => directory.join(format!("{}.toml", imported.recipe.name)),
        };
        files::refuse_existing(&recipe)?;
        let copied = copy(places.iter().zip(&inputs), &imported.used, &directory)?;
        files::write_new_private(&recipe, imported.text.as_bytes())?;
        let copied = copied.into_iter().map(ShownPath).collect();
        printer.show(&ImportConfigOutput { recipe: recipe.into(), text: imported.text, copied, skipped })
    }
}

impl Output for ImportConfigOutput {
    /// Prints the recipe's path, and what was left out: what a person has to do by hand.
    fn print(&self, printer: &Printer) {
        let shown = one_line(&self.recipe.display().to_string(), 4096);
        printer.line(&shown);
        for path in &self.copied {
            printer.say(&format!("copied    {}", one_line(&path.display().to_string(), 4096)));
        }
        for line in &self.skipped {
            printer.say(&format!("left out  {line}"));
        }
        let quoted = quoted(&shown);
        printer.say(&format!("read it, pin its base with `arca-build update {quoted}`, then `arca-build {quoted}`"));
    }
}

impl Finder<'_> {
    /// Takes a file, a folder laid out as a config disk is, or an image of one.
    fn named(&mut self, path: &Path) -> Result<(), Diagnostic> {
        let absolute = self.context.absolute(path);
        if files::is_directory(&absolute) {
            return self.folder(path);
        }
        if !files::exists(&absolute) {
            return Err(Diagnostic::new(Code::Usage, format!("there is no file `{}`", shown(path))));
        }
        let mut file = files::open(&absolute)?;
        if config_files::is_disk(&mut file)? {
            return self.disk(path, file);
        }
        let folder = path.parent().filter(|folder| folder.file_name().is_some_and(|name| name == "combustion"));
        match folder.filter(|_| path.file_name().is_some_and(|name| name == "script")) {
            Some(folder) => self.script(folder),
            None => self.file(path, None, false),
        }
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Diagnostic> {
        let absolute = self.context.absolute(folder);
        let has = |name: &str| files::exists(&absolute.join(name));
        let config = ["ignition/config.ign", "config.ign"].into_iter().find(|name| has(name));
        let script = [("combustion/script", "combustion"), ("script", "")].into_iter().find(|(name, _)| has(name));
        if config.is_none() && script.is_none() {
            let headline = format!("`{}` holds no configuration", shown(folder));
            return Err(Diagnostic::new(Code::Usage, headline)
                .note("of a folder `ignition/config.ign` and `combustion/script` are read, as from a config disk"));
        }
        let read = [config, script.map(|(_, inside)| inside)].map(|name| name.and_then(|name| name.split('/').next()));
        for name in
            files::list(&absolute)?.iter().filter(|name| !read.contains(&Some(name)) && !read.contains(&Some("")))
        {
            self.skipped.push(format!("`{}`: neither engine reads it", one_line(name, 80)));
        }
        config.map_or(Ok(()), |name| self.file(&folder.join(name), None, false))?;
        script.map_or(Ok(()), |(_, inside)| self.script(&folder.join(inside)))
    }

    /// Takes a script and all that lies in its folder, which Combustion copies whole.
    fn script(&mut self, folder: &Path) -> Result<(), Diagnostic> {
        self.file(&folder.join("script"), None, false)?;
        let mut open = vec![String::new()];
        while let Some(above) = open.pop() {
            for name in files::list(&self.context.absolute(&folder.join(&above)))? {
                let below = if above.is_empty() { name } else { format!("{above}/{name}") };
                let path = folder.join(&below);
                files::refuse_escape(&self.context.absolute(&path), &self.context.absolute(folder))?;
                match files::is_directory(&self.context.absolute(&path)) {
                    _ if below == "script" => {}
                    true => open.push(below),
                    false => self.file(&path, Some(below), true)?,
                }
                if open.len() + self.found.len() > BESIDE {
                    return Err(Diagnostic::new(Code::Usage, format!("more than {BESIDE} files")));
                }
            }
        }
        Ok(())
    }

    /// Takes one file; `below` is its path in the folder of its script.
    fn file(&mut self, path: &Path, below: Option<String>, is_side_file: bool) -> Result<(), Diagnostic> {
        let (absolute, shown) = (self.context.absolute(path), shown(path));
        if self.found.iter().any(|found| found.path == absolute) {
            return Ok(());
        }
        let bytes = files::read_small(&absolute, LIMIT)?
            .ok_or_else(|| Diagnostic::new(Code::Usage, format!("there is no file `{shown}`")))?;
        let place = files::destination(&absolute).zip(files::destination(self.directory));
        let beneath = place.and_then(|(file, directory)| Some(file.strip_prefix(directory).ok()?.to_str()?.to_owned()));
        let beneath = beneath.and_then(|path| RecipePath::parse(&path).ok());
        let in_place = beneath.is_some();
        let name = absolute.file_name().unwrap_or_default().to_string_lossy();
        let beside = match beneath {
            Some(path) => path,
            None => RecipePath::parse(below.as_deref().unwrap_or(&name)).map_err(|error| {
                Diagnostic::new(Code::Usage, format!("`{shown}` cannot lie beside a recipe")).cause(error)
            })?,
        };
        let input = InputFile { shown, bytes, path: beside, is_side_file };
        self.found.push(Found { input, path: absolute, in_place });
        Ok(())
    }

    /// Takes the files of a config disk.
    fn disk(&mut self, path: &Path, mut file: File) -> Result<(), Diagnostic> {
        let absolute = self.context.absolute(path);
        let shown = shown(path);
        let length = files::length(&file)?;
        let read = config_files::read(&mut file, length, LIMIT);
        let read = read.map_err(|problem| problem.fact("file", &shown))?;
        if !read.iter().any(|(path, _)| matches!(path.as_str(), "ignition/config.ign" | "combustion/script")) {
            let headline = format!("`{shown}` holds no configuration");
            return Err(Diagnostic::new(Code::Usage, headline)
                .hint(format!("`arca-build inspect {}` shows what is in it", quoted(&shown))));
        }
        for (inside, bytes) in read {
            let input = RecipePath::parse(&inside).map_err(|error| {
                let headline = format!("`{}` of `{shown}` cannot lie beside a recipe", one_line(&inside, 120));
                Diagnostic::new(Code::Usage, headline).cause(error)
            })?;
            let is_side_file = !matches!(inside.as_str(), "ignition/config.ign" | "combustion/script");
            let input = InputFile { shown: format!("{shown}:{inside}"), bytes, path: input, is_side_file };
            self.found.push(Found { input, path: absolute.join(inside), in_place: false });
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string(), 200)
}

/// Makes the recipe; a config that was taken apart must mean the same when the recipe becomes one, or it stays whole. The
/// report, which every such recipe brings, is left out of that.
fn exactly(inputs: &[InputFile], name: Option<Name>) -> Result<ImportedRecipe, Diagnostics> {
    let imported = import_config::import(inputs, &ImportOptions { name: name.clone(), whole: vec![] })?;
    if !imported.typed {
        return Ok(imported);
    }
    let whole = differences(&imported, inputs);
    if whole.is_empty() { Ok(imported) } else { import_config::import(inputs, &ImportOptions { name, whole }) }
}

fn silent(imported: &ImportedRecipe) -> Recipe {
    let mut recipe = imported.recipe.clone();
    recipe.provision.report = Some(false);
    recipe
}

/// Returns why the recipe would not do what the config did.
fn differences(imported: &ImportedRecipe, inputs: &[InputFile]) -> Vec<String> {
    let lowered = match provision::compile(&silent(imported), &beside(imported, inputs), &PinnedInfo::default()) {
        Ok(lowered) => lowered,
        Err(problems) => return problems.0.into_iter().map(|problem| problem.headline).collect(),
    };
    // A recipe that wants nothing has no config, which is what an empty one means.
    let empty = br#"{"ignition":{"version":"3.2.0"}}"#.to_vec();
    let becomes = lowered.config.map_or(empty, |config| config.expose().clone());
    let config = inputs.iter().find(|input| !imported.used.contains(&input.path) && is_config(input));
    config.map(|config| same::differences(&config.bytes, &becomes)).unwrap_or_default()
}

fn is_config(input: &InputFile) -> bool {
    input.bytes.trim_ascii_start().starts_with(b"{")
}

/// The files beside the recipe as it will be.
fn beside(imported: &ImportedRecipe, inputs: &[InputFile]) -> LocalFiles {
    let used = inputs.iter().filter(|input| imported.used.contains(&input.path));
    LocalFiles(used.map(|input| (input.path.clone(), LocalFile::of(input.bytes.clone()))).collect())
}

/// Copies what the recipe names beside it; a file that is there already is right when it is the same.
fn copy<'a>(
    files: impl Iterator<Item = (&'a (PathBuf, bool), &'a InputFile)>,
    used: &[RecipePath],
    directory: &Path,
) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut copied = vec![];
    for ((path, _), input) in files.filter(|((_, in_place), input)| !in_place && used.contains(&input.path)) {
        let target = directory.join(input.path.as_str());
        if target == *path || files::read_small(&target, LIMIT).is_ok_and(|there| there.as_ref() == Some(&input.bytes))
        {
            continue;
        }
        if let Some((folder, _)) = input.path.as_str().rsplit_once('/') {
            files::make_directories(&directory.join(folder))?;
        }
        files::write_new_private(&target, &input.bytes)?;
        copied.push(target);
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::format::ignition::PRESET;

    const HASH: &str =
        "$6$saltsalt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const TEXT: &str = "[a-zA-Z0-9 \"'\\\\\n\t#=$%{}\\[\\]äß日😀]{0,80}";

    /// What a config should do, as the generator drew it.
    #[derive(Clone, Debug)]
    struct GeneratedConfig {
        users: Vec<Value>,
        files: Vec<(String, String, Option<u32>, Value, u8)>,
        units: Vec<Value>,
        has_home: bool,
    }

    fn input(bytes: Vec<u8>) -> [InputFile; 1] {
        let path = RecipePath::parse("config.ign").unwrap();
        [InputFile { shown: "config.ign".into(), bytes, path, is_side_file: false }]
    }

    /// Writes an object without the keys that say nothing, in one of the ways to say nothing.
    fn object(members: Vec<(&str, Value)>) -> Value {
        Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>(),
        )
    }

    fn user(name: &'static str) -> impl Strategy<Value = Value> {
        let groups = subsequence(vec!["wheel", "users", "video"], 0..=3);
        let keys = subsequence(vec![KEY.to_owned(), format!("{KEY} me@desk"), format!("no-pty {KEY}")], 0..=3);
        let more = (
            any::<Option<bool>>(),
            proptest::option::of(select(vec!["/bin/sh", "/usr/bin/fish"])),
            "[a-zA-Z ä,.\"\\\\]{0,12}",
        );
        (any::<bool>(), keys, groups, more, any::<bool>(), any::<bool>()).prop_map(
            move |(hash, keys, groups, (system, shell, gecos), uid, home)| {
                let is_root = name == "root";
                let member = |value: Value| if is_root { Value::Null } else { value };
                object(vec![
                    ("name", json!(name)),
                    ("passwordHash", if hash { json!(HASH) } else { Value::Null }),
                    ("sshAuthorizedKeys", json!(keys)),
                    ("groups", member(json!(groups))),
                    ("system", member(json!(system))),
                    ("shell", member(json!(shell))),
                    ("gecos", member(json!(gecos))),
                    (
                        "uid",
                        member(if uid {
                            json!(1000 + name.len() as u32 * 7 + u32::from(name.as_bytes()[0]))
                        } else {
                            Value::Null
                        }),
                    ),
                    ("homeDir", member(if home { json!(format!("/var/lib/{name}")) } else { Value::Null })),
                ])
            },
        )
    }

    fn unit(name: &'static str) -> impl Strategy<Value = Value> {
        let text = "[a-zA-Z0-9 \"'\\\\äß]{0,30}x"
            .prop_map(|text| format!("[Unit]\nDescription={text}\n[Install]\nWantedBy=multi-user.target\n"));
        (any::<Option<bool>>(), any::<bool>(), proptest::option::of(text.clone()), proptest::option::of(text)).prop_map(
            move |(enabled, mask, contents, dropin)| {
                let (enabled, contents) = if mask { (None, None) } else { (enabled, contents) };
                object(vec![
                    ("name", json!(name)),
                    ("enabled", json!(enabled)),
                    ("mask", if mask { json!(true) } else { Value::Null }),
                    ("contents", json!(contents)),
                    ("dropins", dropin.map_or(Value::Null, |text| json!([{"name": "10-x.conf", "contents": text}]))),
                ])
            },
        )
    }

    fn file(path: &'static str) -> impl Strategy<Value = (String, String, Option<u32>, Value, u8)> {
        let owner = select(vec![
            Value::Null,
            json!({"name": "root"}),
            json!({"id": 0}),
            json!({"name": "ada"}),
            json!({"name": ""}),
        ]);
        let mode = select(vec![None, Some(0o644), Some(0o600), Some(0o755), Some(0)]);
        (TEXT, mode, owner, 0..4_u8)
            .prop_map(move |(text, mode, owner, form)| (path.to_owned(), text, mode, owner, form))
    }

    fn wanted() -> impl Strategy<Value = GeneratedConfig> {
        let users = (user("root"), user("ada"), user("bob"), user("core")).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
        let files =
            (file("/etc/hostname"), file("/etc/a/b c.conf"), file("/root/x"), file("/home/ada/z"), file("/opt/o"));
        let files = files.prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
        let units =
            (unit("sshd.service"), unit("a@b.timer"), unit("x\\x2dy.mount")).prop_map(|(a, b, c)| vec![a, b, c]);
        let some = |count: usize| subsequence((0..count).collect::<Vec<_>>(), 0..=count);
        (users, files, units, some(4), some(5), some(3), any::<bool>()).prop_map(
            |(users, files, units, u, f, s, has_home)| GeneratedConfig {
                users: u.into_iter().map(|index| users[index].clone()).collect(),
                files: f.into_iter().map(|index| files[index].clone()).collect(),
                units: s.into_iter().map(|index| units[index].clone()).collect(),
                has_home,
            },
        )
    }

    /// Writes the source of a file in one of four ways.
    fn contents(text: &str, form: u8) -> Value {
        use std::io::Write;
        let base64 = |bytes: &[u8]| format!("data:;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes));
        let percent: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        match form {
            0 => json!({"source": format!("data:,{percent}")}),
            1 => json!({"source": base64(text.as_bytes()), "compression": ""}),
            2 => {
                let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
                packer.write_all(text.as_bytes()).unwrap();
                json!({"source": base64(&packer.finish().unwrap()), "compression": "gzip"})
            }
            _ => json!({"source": format!("data:text/plain;charset=utf-8,{percent}"), "verification": {}}),
        }
    }

    fn config(wanted: &GeneratedConfig) -> Value {
        let file = |(path, text, mode, owner, form): &(String, String, Option<u32>, Value, u8)| {
            let overwrite = if *form == 1 { Value::Null } else { json!(true) };
            object(vec![
                ("path", json!(path)),
                ("mode", json!(mode)),
                ("user", owner.clone()),
                ("overwrite", overwrite),
                ("contents", contents(text, *form)),
            ])
        };
        let home = json!([{"path": "/home", "device": "/dev/disk/by-label/ROOT", "format": "btrfs", "mountOptions": ["subvol=/@/home"]}]);
        json!({
            "ignition": {"version": "3.2.0"},
            "passwd": {"users": wanted.users},
            "storage": {"files": wanted.files.iter().map(file).collect::<Vec<_>>(), "filesystems": if wanted.has_home { home } else { json!([]) }},
            "systemd": {"units": wanted.units},
        })
    }

    fn by(list: &Value, key: &str) -> std::collections::BTreeMap<String, Value> {
        let rows = list.as_array().into_iter().flatten();
        rows.map(|row| (row[key].as_str().unwrap().to_owned(), row.clone())).collect()
    }

    /// Undoes a data URL on its own, not by the code that is asked about.
    fn undone(source: &str) -> Vec<u8> {
        let (head, data) = source.strip_prefix("data:").unwrap().split_once(',').unwrap();
        if head.ends_with(";base64") {
            return base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        }
        let mut parts = data.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend(&part.as_bytes()[2..]);
        }
        bytes
    }

    fn said(row: &Value, key: &str) -> Value {
        match &row[key] {
            Value::Array(items) if items.is_empty() => Value::Null,
            Value::Array(items) => {
                let mut items: Vec<_> = items.iter().map(Value::to_string).collect();
                items.sort();
                json!(items)
            }
            Value::String(text) if text.is_empty() => Value::Null,
            Value::Bool(false) if key != "enabled" => Value::Null,
            value => value.clone(),
        }
    }

    fn same_rows(what: &str, keys: &[&str], one: &Value, other: &Value) -> Result<(), TestCaseError> {
        for key in keys {
            prop_assert_eq!(said(one, key), said(other, key), "{} {}", what, key);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Importing and lowering gives what the generator drew: users, files by path, bytes, mode and owner, and units.
        #[test]
        fn what_is_imported_means_the_same_when_it_is_built(wanted in wanted()) {
            let config = config(&wanted);
            let input = input(serde_json::to_vec(&config).unwrap());
            let imported = exactly(&input, None).unwrap_or_else(|problems| panic!("{problems}"));
            prop_assert!(imported.typed, "it can be said: {:?}", imported.skipped);
            let lowered = provision::compile(&silent(&imported), &LocalFiles::default(), &PinnedInfo::default()).unwrap();
            let bytes = lowered.config.map_or_else(|| b"{}".to_vec(), |config| config.expose().clone());
            let becomes: Value = serde_json::from_slice(&bytes).unwrap();
            let users = by(&becomes["passwd"]["users"], "name");
            prop_assert_eq!(users.len(), wanted.users.len());
            for user in &wanted.users {
                let keys = ["passwordHash", "sshAuthorizedKeys", "groups", "system", "shell", "gecos", "uid", "homeDir"];
                same_rows("user", &keys, user, &users[user["name"].as_str().unwrap()])?;
            }
            let files = by(&becomes["storage"]["files"], "path");
            prop_assert_eq!(files.keys().filter(|path| *path != PRESET).count(), wanted.files.len());
            for (path, text, mode, owner, _) in &wanted.files {
                let file = &files[path];
                prop_assert_eq!(undone(file["contents"]["source"].as_str().unwrap()), text.as_bytes());
                prop_assert_eq!(file["mode"].as_u64(), Some(u64::from(mode.unwrap_or(0o644))));
                let name = |owner: &Value| owner["name"].as_str().filter(|name| !matches!(*name, "" | "root")).map(str::to_owned);
                prop_assert_eq!(name(&file["user"]), name(owner));
                prop_assert!(file["group"].is_null());
            }
            let units = by(&becomes["systemd"]["units"], "name");
            for unit in &wanted.units {
                let empty = unit.as_object().unwrap().len() == 1;
                prop_assert_eq!(!empty, units.contains_key(unit["name"].as_str().unwrap()));
                if !empty {
                    same_rows("unit", &["enabled", "mask", "contents", "dropins"], unit, &units[unit["name"].as_str().unwrap()])?;
                }
            }
            prop_assert!(becomes["storage"]["directories"].is_null() && becomes["storage"]["links"].is_null());
        }

        /// One thing that a recipe cannot say, anywhere, and the config stays as it is, byte for byte.
        #[test]
        fn what_cannot_be_said_leaves_the_config_whole(wanted in wanted(), which in 0..UNSAID.len()) {
            let mut config = config(&wanted);
            let (path, value) = UNSAID[which];
            let value: Value = serde_json::from_str(value).unwrap();
            let slot = config.pointer_mut(path.rsplit_once('/').unwrap().0).unwrap();
            match slot {
                Value::Array(rows) => rows.push(value),
                Value::Object(members) => drop(members.insert(path.rsplit_once('/').unwrap().1.to_owned(), value)),
                other => panic!("{other}"),
            }
            let bytes = serde_json::to_vec(&config).unwrap();
            let input = input(bytes.clone());
            let imported = exactly(&input, None).unwrap_or_else(|problems| panic!("{problems}"));
            prop_assert!(!imported.typed, "{path} {}", imported.text);
            let files = beside(&imported, &input);
            let lowered = provision::compile(&silent(&imported), &files, &PinnedInfo::default()).unwrap();
            let becomes = lowered.config.unwrap();
            prop_assert_eq!(becomes.expose(), &bytes);
        }
    }

    /// Where something that has no key is put, and what.
    const UNSAID: [(&str, &str); 17] = [
        ("/storage/links", r#"[{"path": "/etc/l", "target": "/x", "hard": true}]"#),
        ("/storage/links", r#"[{"path": "/etc/l", "target": "/x", "user": {"name": "ada"}}]"#),
        ("/storage/directories", r#"[{"path": "/etc/d", "overwrite": true}]"#),
        ("/storage/disks", r#"[{"device": "/dev/vdb", "wipeTable": true}]"#),
        ("/passwd/groups", r#"[{"name": "media", "passwordHash": "x"}]"#),
        ("/ignition/timeouts", r#"{"httpTotal": 9}"#),
        ("/ignition/config", r#"{"merge": [{"source": "https://h/x.ign"}]}"#),
        ("/passwd/users/-", r#"{"name": "zoe", "primaryGroup": "users"}"#),
        ("/passwd/users/-", r#"{"name": "zoe", "noCreateHome": true}"#),
        ("/passwd/users/-", r#"{"name": "zoe", "shouldExist": false}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "contents": {"source": "https://h/x"}}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "append": [{"source": "data:,x"}, {"source": "data:,y"}]}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "append": [{"source": "data:,x"}], "mode": 384}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "contents": {"source": "data:,x"}, "user": {"id": 7}}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "contents": {"source": "data:,%00"}}"#),
        ("/storage/files/-", r#"{"path": "/etc/z", "contents": {"source": "data:,x"}, "mode": 2541}"#),
        ("/storage/filesystems/-", r#"{"path": "/data", "device": "/dev/vdb", "format": "xfs"}"#),
    ];

    /// What came later to recipes has a key too: one config with all of it, and what it becomes.
    #[test]
    fn groups_directories_links_kernel_arguments_and_what_is_appended_are_keys() {
        let config = json!({"ignition": {"version": "3.3.0"}, "kernelArguments": {"shouldExist": ["quiet", "mitigations=auto"]},
            "passwd": {"groups": [{"name": "media", "gid": 2000}, {"name": "svc", "system": true}]},
            "storage": {
                "directories": [{"path": "/etc/d", "mode": 448, "user": {"name": "root"}}, {"path": "/var/lib/e"}],
                "files": [{"path": "/etc/profile", "append": [{"source": "data:,export%20A%3D1%0A"}]}],
                "links": [{"path": "/etc/localtime", "target": "../usr/share/zoneinfo/UTC", "overwrite": true}]}});
        let input = input(serde_json::to_vec(&config).unwrap());
        let imported = exactly(&input, None).unwrap();
        assert!(imported.typed && imported.skipped.is_empty(), "{:?}\n{}", imported.skipped, imported.text);
        let lowered = provision::compile(&silent(&imported), &LocalFiles::default(), &PinnedInfo::default()).unwrap();
        let becomes: Value = serde_json::from_slice(lowered.config.unwrap().expose()).unwrap();
        assert_eq!(becomes["kernelArguments"], config["kernelArguments"]);
        assert_eq!(becomes["passwd"]["groups"], config["passwd"]["groups"]);
        assert_eq!(becomes["storage"]["links"], config["storage"]["links"]);
        let modes = by(&becomes["storage"]["directories"], "path");
        assert_eq!((&modes["/etc/d"]["mode"], &modes["/var/lib/e"]["mode"]), (&json!(448), &json!(493)));
        let file = &becomes["storage"]["files"][0];
        assert!(file["contents"].is_null() && file["mode"].is_null());
        assert_eq!(undone(file["append"][0]["source"].as_str().unwrap()), b"export A=1\n");
    }

    /// What Ignition ignores is named, and what it reads in other case is read.
    #[test]
    fn an_unknown_key_is_left_out_by_name_and_one_in_other_case_is_read() {
        let config = json!({"ignition": {"version": "3.2.0"}, "x-origin": "butane", "Passwd": {"Users": [{"name": "ada", "sshauthorizedKeys": [KEY]}]},
            "storage": {"files": [{"path": "/etc/x", "contents": {"source": "data:,x", "human_read": "x"}}]}});
        let input = input(serde_json::to_vec(&config).unwrap());
        let imported = exactly(&input, None).unwrap();
        assert!(imported.typed && imported.text.contains(KEY), "{:?}\n{}", imported.skipped, imported.text);
        for key in ["`x-origin`", "`storage.files[0].contents.human_read`"] {
            assert!(imported.skipped.iter().any(|line| line.contains(key)), "{:?}", imported.skipped);
        }
        // What leaves it whole passes on as it is.
        let mut config = config;
        config["storage"]["disks"] = json!([{"device": "/dev/vdb", "x-note": 1}]);
        let bytes = serde_json::to_vec(&config).unwrap();
        let input = self::input(bytes.clone());
        let imported = exactly(&input, None).unwrap();
        let lowered =
            provision::compile(&silent(&imported), &beside(&imported, &input), &PinnedInfo::default()).unwrap();
        assert_eq!(lowered.config.unwrap().expose(), &bytes);
    }

    /// A directory that a recipe would give to the user is one that the config did not.
    #[test]
    fn what_a_recipe_adds_by_itself_leaves_the_config_whole() {
        let config = json!({"ignition": {"version": "3.2.0"}, "passwd": {"users": [{"name": "ada", "sshAuthorizedKeys": [KEY]}]},
            "storage": {"files": [{"path": "/home/ada/.config/x", "user": {"name": "ada"}, "contents": {"source": "data:,x"}}]}});
        let input = input(serde_json::to_vec(&config).unwrap());
        let imported = exactly(&input, None).unwrap();
        assert!(!imported.typed);
        assert!(
            imported.skipped.iter().any(|line| line.contains("directory `/home/ada/.config`")),
            "{:?}",
            imported.skipped
        );
    }
}
