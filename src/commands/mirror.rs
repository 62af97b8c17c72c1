//! `mirror`: the inputs of recipes as a plain directory, which any web server or USB stick makes a mirror for others.
//!
//! `DIR/<host>/<path>/<immutable name>`: the publisher's own paths, so that one line of `[mirrors]` leads there. RecipeDir
//! each file lie `.sha256` files, for its own and for the moving name, and a `.meta4` where the pin names one:
//! so `update` finds in the mirror what it finds at the publisher.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::rc::Rc;

use clap::{Args, ValueHint};
use serde::Serialize;

use super::build::{Placement, outside};
use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use super::recipe_file::LoadedRecipe;
use super::recipes::{Realiser, Recipes};
use crate::base::text::{count, one_line};
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, Events, Url};
use crate::host::files;
use crate::host::mirror_dir::{FileOutcome, MirrorDir};
use crate::lock::{self, Pinned, PinnedImage, metalink};
use crate::realise::{self, BuildStats, Realised};
use crate::recipe::Source;
use crate::store::{Store, StoreObject};
use crate::stream::{Progress, ProgressReader};

/// Copy the inputs of recipes to a plain directory that a web server or USB stick serves as a mirror
#[derive(Debug, Args)]
pub(crate) struct MirrorOptions {
    #[command(flatten)]
    recipes: Recipes,
    /// Directory to fill; right files in it stay, older snapshots too
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
}

#[derive(Debug, Serialize)]
struct MirrorOutput {
    /// In its one spelling.
    directory: ShownPath,
    files: Vec<MirrorFile>,
    /// Inputs that come from no server.
    skipped: Vec<SkippedInput>,
    /// `[mirrors]`: the beginning of an address, and the directory that stands for it.
    #[serde(rename = "mirrors")]
    rules: BTreeMap<String, String>,
    work: BuildStats,
}

/// One file of the mirror.
#[derive(Clone, Debug, Serialize)]
struct MirrorFile {
    /// Beneath the directory.
    path: String,
    sha256: Digest,
    size: ByteSize,
    state: FileOutcome,
}

/// An input that no server has, as it is written in its recipe.
#[derive(Debug, Serialize)]
struct SkippedInput {
    recipe: String,
    input: String,
}

/// One input that lies on a server.
struct RemoteInput {
    /// Of the immutable name.
    url: Url,
    /// As the recipe writes it.
    moving: Url,
    digest: Digest,
    metalink: Option<Url>,
    /// Whether its name is its digest: then no checksum beside it says more.
    by_digest: bool,
}

/// What shall stand under a path.
#[derive(Clone)]
enum Content {
    Object(StoreObject),
    Text(String),
}

impl MirrorOptions {
    /// Brings what is missing, then writes all files; what cannot be laid out is reported before anything is done.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let planned = self.recipes.plan(context)?;
        let realiser = Realiser::open(context)?;
        let store = &realiser.store;
        outside(context, store, &Placement::Copy(self.directory.clone()))?;
        let directory = files::one_spelling(&context.absolute(&self.directory));
        let mut output = MirrorOutput::new(directory);
        let mut wanted = vec![];
        for (loaded, _) in &planned {
            let inputs = output.remote_inputs(loaded)?;
            inputs.iter().try_for_each(|input| path(&input.url).map(drop))?;
            wanted.push(inputs);
        }
        let mut contents = Contents::default();
        for ((loaded, plan), inputs) in planned.iter().zip(&wanted).filter(|(_, inputs)| !inputs.is_empty()) {
            let realised = realiser.with(loaded, |build| Ok(realise::realise_inputs(plan, build)?))?;
            output.work.add(&realised.stats);
            for input in inputs {
                contents.add(input, &realised)?;
                let target = output.directory.join(host(&input.url)).display().to_string();
                output.rules.insert(origin(&input.url), format!("{target}/"));
            }
        }
        if !contents.0.is_empty() {
            output.write(&contents, store, context.events)?;
        }
        printer.show(&output)
    }
}

impl MirrorOutput {
    fn new(directory: PathBuf) -> Self {
        let (rules, work) = (BTreeMap::new(), BuildStats::default());
        Self { directory: directory.into(), files: vec![], skipped: vec![], rules, work }
    }

    /// Lists the inputs of a recipe that lie on servers, and notes the others.
    fn remote_inputs(&mut self, loaded: &LoadedRecipe) -> Result<Vec<RemoteInput>, Diagnostics> {
        let pinned = lock::resolve(&loaded.recipe, &loaded.lock)?;
        let mut wanted = vec![];
        for (nth, input) in loaded.recipe.inputs().into_iter().enumerate() {
            let key = lock::key(&input.source.value);
            let pinned: Option<&Pinned> = if nth == 0 { Some(&pinned.base) } else { pinned.others.get(&key) };
            let resolved = pinned.and_then(|pinned| Some((pinned, remote(pinned.urls.first()?)?)));
            match (remote(&input.source.value), resolved) {
                (Some(moving), Some((pinned, url))) => wanted.push(RemoteInput {
                    url: url.without_secrets(),
                    moving: moving.without_secrets(),
                    digest: pinned.digest,
                    metalink: pinned.metalink.clone(),
                    by_digest: false,
                }),
                _ => self.skipped.push(SkippedInput { recipe: loaded.recipe.file.clone(), input: key }),
            }
        }
        for part in pinned.images.values().flat_map(PinnedImage::parts) {
            let url = part.urls.first().and_then(remote).map(Url::without_secrets);
            wanted.extend(url.map(|url| RemoteInput {
                moving: url.clone(),
                url,
                digest: part.digest,
                metalink: None,
                by_digest: true,
            }));
        }
        Ok(wanted)
    }

    fn write(&mut self, contents: &Contents, store: &Store<'_>, events: Events<'_>) -> Result<(), Diagnostic> {
        let mirror = MirrorDir::open(&self.directory)?;
        // The files before what tells of them: a full stick or a kill leaves no checksum of what is not there.
        let (objects, texts): (Vec<_>, Vec<_>) =
            contents.0.iter().partition(|(_, content)| matches!(content, Content::Object(_)));
        for (path, content) in objects.into_iter().chain(texts) {
            let (digest, size) = content.measure();
            let what = format!("copying {}", path.rsplit('/').next().unwrap_or_default());
            let progress = Rc::new(Progress::new(what, Some(size), events));
            let state = mirror.put(path, size, &digest, || content.open(store, &progress))?;
            let (path, size) = (path.clone(), ByteSize(size));
            self.files.push(MirrorFile { path, sha256: digest, size, state });
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }
}

impl Output for MirrorOutput {
    /// Prints the rules on stdout as they stand in a configuration file; what was done goes to stderr.
    fn print(&self, printer: &Printer) {
        for SkippedInput { recipe, input } in &self.skipped {
            printer.say(&format!("{recipe}: `{}` comes from no server; skipped", one_line(input, 200)));
        }
        for file in &self.files {
            let state = match file.state {
                FileOutcome::Made => "made",
                FileOutcome::Replaced => "replaced",
                FileOutcome::Left => continue,
            };
            printer.say(&format!("{state:<8} {}  {}", one_line(&file.path, 400), file.size));
        }
        if self.files.is_empty() {
            return printer.say("nothing to mirror: no input comes from a server; nothing was made");
        }
        let size = ByteSize(self.files.iter().map(|file| file.size.0).sum());
        let left = self.files.iter().filter(|file| file.state == FileOutcome::Left).count();
        let all = count(self.files.len(), "file");
        printer.say(&format!("{all}, {size}, in {}; {left} of them there already", self.directory.display()));
        if self.rules.is_empty() {
            return;
        }
        printer.data("[mirrors]\n");
        for (prefix, target) in &self.rules {
            printer.line(format_args!("{} = {}", toml_string(prefix), toml_string(target)));
        }
        printer.say(
            "put these lines into the configuration file of whoever uses the mirror, with the path or address it has there",
        );
    }
}

/// Writes a TOML basic string (toml.io/en/v1.0.0#string); what it escapes, JSON escapes alike.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(one_line(text, 4096)).to_string()
}

fn remote(source: &Source) -> Option<&Url> {
    match source {
        Source::Url(url) if url.is_remote() => Some(url),
        Source::Url(_) | Source::Path(_) => None,
    }
}

/// Returns where an address is laid out: its host, then its path with every part decoded.
fn path(url: &Url) -> Result<String, Diagnostic> {
    let refused = |why: &str| {
        Diagnostic::new(Code::OutputPath, format!("`{url}` {why}"))
            .note("nothing was laid out")
            .hint("a mirror holds what `[mirrors]` can lead to: addresses whose parts are plain file names")
    };
    let parts = url.decoded_path().ok_or_else(|| refused("has a part that is not a valid file name"))?;
    if parts.iter().any(String::is_empty) {
        return Err(refused("has an empty part"));
    }
    Ok(format!("{}/{}", host(url), parts.join("/")))
}

/// Returns the directory of a host; no `:`, which FAT and other systems refuse in a name.
fn host(url: &Url) -> String {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']).replace(':', "-");
    url.port().map_or(host.clone(), |port| format!("{host}+{port}"))
}

/// Returns the beginning of an address that a rule of `[mirrors]` names.
fn origin(url: &Url) -> String {
    let path = url.path();
    let whole = url.without_secrets();
    let whole = whole.expose();
    format!("{}/", whole.strip_suffix(path).unwrap_or(whole))
}

/// All that shall be there, by path.
#[derive(Default)]
struct Contents(BTreeMap<String, Content>);

impl Contents {
    /// Adds an input, and what `update` reads of it.
    fn add(&mut self, input: &RemoteInput, realised: &Realised) -> Result<(), Diagnostic> {
        let object = realised.objects.values().find(|object| object.digest() == input.digest);
        let object = object.ok_or_else(|| Diagnostic::new(Code::Bug, format!("`{}` was not brought", input.url)))?;
        let (place, moving) = (path(&input.url)?, path(&input.moving)?);
        if input.by_digest {
            return self.insert(place, Content::Object(object.clone()), &input.url);
        }
        let name = place.rsplit('/').next().unwrap_or_default();
        let sidecar = Content::Text(format!("{}  {name}\n", input.digest));
        // What stands in a `.sha256` is a name in the same directory.
        let is_beside =
            |other: &str| other.strip_suffix(other.rsplit('/').next().unwrap_or_default()) == place.strip_suffix(name);
        if is_beside(&moving) {
            self.insert(format!("{moving}.sha256"), sidecar.clone(), &input.moving)?;
        }
        self.insert(format!("{place}.sha256"), sidecar, &input.url)?;
        if let Some(list) = &input.metalink {
            let list_place = path(&list.without_secrets())?;
            if !self.0.contains_key(&list_place) {
                self.insert(list_place, Content::Text(list_of(name, &input.url, object)), list)?;
            }
        }
        self.insert(place, Content::Object(object.clone()), &input.url)
    }

    fn insert(&mut self, path: String, content: Content, url: &Url) -> Result<(), Diagnostic> {
        match self.0.get(&path) {
            Some(other) if other.measure().0 != content.measure().0 => {
                Err(Diagnostic::new(Code::Usage, format!("two recipes pin `{url}` to different bytes"))
                    .fact("first", format!("sha256:{}", other.measure().0))
                    .fact("second", format!("sha256:{}", content.measure().0))
                    .note("nothing was laid out; a mirror has one file for each address")
                    .hint("run `arca-build update` for both, or mirror them into two directories"))
            }
            _ => {
                self.0.insert(path, content);
                Ok(())
            }
        }
    }
}

impl Content {
    fn measure(&self) -> (Digest, u64) {
        match self {
            Self::Object(object) => (object.digest(), object.size()),
            Self::Text(text) => (Digest::of(text.as_bytes()), text.len() as u64),
        }
    }

    /// Opens what is laid out; an object fails at its end unless its bytes were right.
    fn open<'c>(&'c self, store: &'c Store<'_>, progress: &Rc<Progress<'c>>) -> Result<Box<dyn Read + 'c>, Diagnostic> {
        match self {
            Self::Object(object) => Ok(Box::new(ProgressReader::within(store.reader(object)?, 0, progress.clone()))),
            Self::Text(text) => Ok(Box::new(text.as_bytes())),
        }
    }
}

/// Writes the list of an object's one mirror: the publisher's own address.
fn list_of(name: &str, url: &Url, object: &StoreObject) -> String {
    let mirrors = vec![metalink::Mirror { url: url.clone(), priority: 1 }];
    let (size, sha256) = (Some(object.size()), Some(object.digest()));
    metalink::File { name: name.to_owned(), size, sha256, mirrors }.print()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_laid_out_by_host_and_path_and_odd_ones_not_at_all() {
        let of = |url: &str| path(&Url::parse(url).unwrap()).map_err(|problem| problem.code);
        let origin = |url: &str| origin(&Url::parse(url).unwrap());
        for (url, laid, begins) in [
            ("https://h.example/a/b%2Bc.qcow2?token=x", "h.example/a/b+c.qcow2", "https://h.example/"),
            ("http://user:pw@h.example:8080/x", "h.example+8080/x", "http://h.example:8080/"),
            ("https://h.example:443/x", "h.example/x", "https://h.example/"),
            ("http://[fd00::1]:81/x", "fd00--1+81/x", "http://[fd00::1]:81/"),
        ] {
            assert_eq!((of(url).as_deref(), origin(url).as_str()), (Ok(laid), begins), "{url}");
        }
        for bad in [
            "https://h/",
            "https://h/a/",
            "https://h/a//b",
            "https://h/a%2fb",
            "https://h/..%2f..%2fetc",
            "https://h/%00",
            "https://h/a%0ab",
        ] {
            assert_eq!(of(bad), Err(Code::OutputPath), "{bad}");
        }
    }
}
