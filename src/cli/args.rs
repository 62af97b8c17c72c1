//! What may be written on the command line. Touches nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::base::{ByteSize, Digest, Rule, text};
use crate::commands;
use crate::commands::context::GlobalOptions;
use crate::report::EXIT_CODES;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

/// Builds provisioned, reproducible VM bundles from one recipe: no root, no loop mount, no container.
#[derive(Debug, Parser)]
#[command(
    name = "arca-build",
    version,
    arg_required_else_help = true,
    override_usage = "arca-build [OPTIONS] <RECIPE>...\n       arca-build [OPTIONS] <COMMAND>",
    after_help = after_help()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: GlobalOptions,
    #[command(subcommand)]
    pub command: Command,
}

/// Recipes to work on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Recipes {
    /// Recipe files; `demo` is inside the program
    #[arg(required = true, value_name = "RECIPE", value_hint = ValueHint::FilePath)]
    pub recipes: Vec<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build bundles (the default command)
    Build {
        #[command(flatten)]
        recipes: Recipes,
        /// Also write a self-contained copy to DIR, and no link
        #[arg(long, value_name = "DIR", conflicts_with = "no_link", value_hint = ValueHint::DirPath)]
        out: Option<PathBuf>,
        /// Leave no `result-<name>` link; the bundle may be collected later
        #[arg(long)]
        no_link: bool,
        /// Decide everything, do nothing: print the plan
        #[arg(long)]
        dry_run: bool,
        /// Build everything again from its inputs and compare every byte with what is in the store; replaces nothing
        #[arg(long, conflicts_with_all = ["out", "no_link", "dry_run"])]
        check: bool,
        /// Pin first, as `arca-build update` does
        #[arg(long, conflicts_with_all = ["check", "dry_run"])]
        update: bool,
        /// Hash again everything the build uses, instead of trusting files that look untouched; what is damaged is replaced
        #[arg(long, conflicts_with_all = ["dry_run", "check"])]
        verify: bool,
    },
    /// Validate and plan recipes, and tell what the rules notice; touches nothing
    #[command(override_usage = "arca-build check [OPTIONS] <RECIPE>...\n       arca-build check --explain <RULE>")]
    Check {
        /// Recipe files; `demo` is inside the program
        #[arg(required_unless_present = "explain", value_name = "RECIPE", value_hint = ValueHint::FilePath)]
        recipes: Vec<PathBuf>,
        /// End in failure where there are warnings, or even notes (for CI)
        #[arg(long, value_name = "WHAT", value_parser = ["warnings", "notes"])]
        deny: Option<String>,
        /// Print the findings as SARIF 2.1.0 on stdout
        #[arg(long, conflicts_with = "explain")]
        sarif: bool,
        /// Tell why a rule is there, by which source, and what to do; `all` lists the rules
        #[arg(long, value_name = "RULE", value_parser = rule(), hide_possible_values = true, conflicts_with = "recipes")]
        explain: Option<String>,
    },
    /// Tell what goes to which engine and why, and what the guest does at its first boot
    Explain {
        #[command(flatten)]
        recipes: Recipes,
    },
    /// Print the plans of recipes
    Plan {
        #[command(flatten)]
        recipes: Recipes,
    },
    /// Pin what recipes name: ask the publishers, write `arca.lock`
    Update {
        /// Recipe files [default: every recipe in the working directory]
        #[arg(value_name = "RECIPE", value_hint = ValueHint::FilePath)]
        recipes: Vec<PathBuf>,
        /// Show the change, write no lock
        #[arg(long)]
        dry_run: bool,
        /// Take what nobody signed, although there is a keyring
        #[arg(long)]
        allow_unsigned: bool,
        /// Take what another key signed than before, or (with --allow-unsigned) none
        #[arg(long)]
        allow_new_signer: bool,
        /// Take an older snapshot than the one pinned, or seen before
        #[arg(long)]
        allow_older: bool,
    },
    /// Bring the inputs of recipes into the store, for a build without network later
    Fetch {
        #[command(flatten)]
        recipes: Recipes,
    },
    /// Lay the inputs of recipes out as a plain directory that a web server or USB stick serves as a mirror
    Mirror {
        #[command(flatten)]
        recipes: Recipes,
        /// Directory to fill; right files in it stay, older snapshots too
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Write all that a rebuild elsewhere needs into one file: recipes, their files, pins, inputs
    Export {
        #[command(flatten)]
        recipes: Recipes,
        /// File to write, such as nas.arca; never over another one
        #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: PathBuf,
        /// Also the bundles, to compare with or to use as they are
        #[arg(long)]
        bundles: bool,
        /// Leave out what the importer of this archive has
        #[arg(long, value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
        since: Option<PathBuf>,
    },
    /// Bring an exported archive into the store, and lay its recipes out
    Import {
        /// What `arca-build export` wrote
        #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
        archive: PathBuf,
        /// What `arca-build export` printed: the archive's sha256
        #[arg(long, value_name = "DIGEST", value_parser = digest)]
        expect: Option<Digest>,
        /// Take it whoever made it
        #[arg(long, conflicts_with = "expect")]
        trust: bool,
        /// Directory for the recipes [default: the archive's name without `.arca`]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        into: Option<PathBuf>,
    },
    /// Verify an exported archive and list it, importing nothing
    Show {
        /// What `arca-build export` wrote
        #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
        archive: PathBuf,
    },
    /// Write a commented recipe NAME.toml to start from
    New {
        /// Name of the recipe, hence of the machine
        name: String,
    },
    /// Write a recipe from what is there: an Ignition config, Combustion script, virt-install command or domain XML
    ImportConfig {
        /// What to import; several files describe one machine, such as vm.xml config.ign
        #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
        /// Recipe to write, never over another file [default: NAME.toml]
        #[arg(long, short, value_name = "RECIPE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// Name of the recipe, hence of the machine [default: the machine's, or the first file's]
        #[arg(long)]
        name: Option<String>,
    },
    /// Tell what an image, ISO or config disk is and what MicroOS would do with it
    Inspect {
        /// An image, ISO, config disk or a packed one; of any origin
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Name the known first-boot failures that a guest's console shows, with the fix
    Doctor {
        /// A serial log, a machine that `run --keep` keeps, by its name or directory, or `-` to read from a pipe
        #[arg(value_name = "LOG|NAME", value_hint = ValueHint::AnyPath)]
        log: PathBuf,
        /// Directory of kept machines [default: $XDG_DATA_HOME/arca-build/vms; env: ARCA_VMS]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        vms: Option<PathBuf>,
    },
    /// Check a bundle against its manifest
    Verify {
        /// A bundle's directory, or the link to it, such as `./result-nas`
        #[arg(value_name = "BUNDLE", value_hint = ValueHint::DirPath)]
        bundle: PathBuf,
    },
    #[command(flatten)]
    Libvirt(super::install::InstallCommand),
    /// Tell what differs between two bundles or two recipes' plans; provisioned content shows as ***
    Diff {
        /// A bundle (or the link to it), or a recipe
        #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
        before: PathBuf,
        /// Another of the same kind
        #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
        after: PathBuf,
    },
    #[command(flatten)]
    Here(super::run::RunCommand),
    /// Look after the store
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Print the JSON Schema of recipes, for editors
    Schema,
    /// Make a password hash for a recipe: asks without echo, or reads one line from a pipe
    Passwd {
        /// How often the password is hashed; more make guessing slower, and logging in
        #[arg(long, value_name = "N", default_value_t = commands::passwd::ROUNDS, value_parser = rounds())]
        rounds: u32,
    },
    /// Print completions for a shell
    Completions {
        /// Shell they are for
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Print the store's directory
    Path,
    /// Hash every object and bundle; what is damaged goes to quarantine
    Verify {
        /// Also mend what good copies in the store allow, and drop records that only mislead
        #[arg(long)]
        repair: bool,
    },
    /// Remove what no result on disk, no root and no flag keeps
    Gc {
        /// Tell what would go and its size, remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Keep what is younger than this many hours
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        grace: u32,
        /// Keep the newest N bundles of each name
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_last: usize,
        /// Remove only until the store is no larger, what was used longest ago first; such as 20GiB
        #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
        max_size: Option<ByteSize>,
        /// Remove also when no root at all is recorded, so that nothing is kept
        #[arg(long)]
        without_roots: bool,
    },
    /// Tell what uses the space
    Du,
    /// Show or change what gc keeps beside the results on disk
    Root {
        #[command(subcommand)]
        command: RootCommand,
    },
}

/// What can be done with roots.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// List what gc keeps, and for whom
    List,
    /// Keep a bundle or inputs under a name
    Add {
        /// Name of the root; one of the same name is replaced
        name: String,
        /// A `result-NAME` link, a path that `fetch` printed, a bundle's name, or an object's sha256
        #[arg(required = true, value_name = "WHAT", value_hint = ValueHint::AnyPath)]
        things: Vec<PathBuf>,
    },
    /// Let go what a root kept; the files go with the next gc
    Remove {
        /// Name or path of the root, as `list` shows it
        root: String,
    },
}

fn after_help() -> String {
    let codes: Vec<_> = EXIT_CODES.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
    format!(
        "A recipe without a command is built: `arca-build recipes/nas.toml`; `arca-build COMMAND --help` tells its flags.\n\
         To see one work: `arca-build run demo`.\nExit codes: {}.",
        codes.join(", ")
    )
}

fn rounds() -> clap::builder::RangedI64ValueParser<u32> {
    let range = commands::passwd::ROUNDS_RANGE;
    clap::value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

/// Takes the id of a rule, or `all`.
fn rule() -> clap::builder::PossibleValuesParser {
    std::iter::once("all").chain(Rule::WORDS.iter().copied()).collect::<Vec<_>>().into()
}

/// Reads a digest, with or without the `sha256:` before it.
fn digest(text: &str) -> Result<Digest, crate::base::digest::DigestError> {
    Digest::parse(text.strip_prefix("sha256:").unwrap_or(text))
}

/// Inserts `build` where the first word is no command, so that `arca-build RECIPE…` builds.
///
/// Flags of the program may come first; a recipe that is named like a command is written `./check`.
pub(crate) fn with_default_command(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if let Some(index) = first_word(&args) {
        args.insert(index, "build".into());
    }
    args
}

/// Finds the word that stands where a command may and is none, and the command it may be a misspelling of.
pub(crate) fn misspelt_command(args: &[OsString]) -> Option<(&str, String)> {
    let word = args.get(first_word(args)?)?.to_str().filter(|word| !word.contains(['.', '/']))?;
    let command = Cli::command();
    let meant = text::nearest(word, command.get_subcommands().map(clap::Command::get_name))?;
    Some((word, meant.to_owned()))
}

/// Finds where the first word stands that is no flag of the program, unless it is a command.
fn first_word(args: &[OsString]) -> Option<usize> {
    let command = Cli::command();
    let is_command = |word: &str| word == "help" || command.find_subcommand(word).is_some();
    let takes_value = |word: &str| ["--cache", "--config", "--lock", "--keyring"].contains(&word);
    let mut index = 1;
    while let Some(word) = args.get(index).and_then(|word| word.to_str()) {
        if ["-h", "--help", "-V", "--version"].contains(&word) {
            return None;
        }
        if !word.starts_with('-') || word == "-" {
            break;
        }
        // Flags of `build` itself may come before the recipe too: `arca-build --no-link nas.toml`.
        if !takes_value(word) && !is_global_switch(word) {
            break;
        }
        index += if takes_value(word) { 2 } else { 1 };
    }
    let is_word = args.get(index).is_some_and(|word| !word.to_str().is_some_and(is_command));
    is_word.then_some(index)
}

fn is_global_switch(word: &str) -> bool {
    ["--offline", "--locked", "--json", "--quiet", "-q", "--verbose", "-v"].contains(&word)
        || ["--cache=", "--config=", "--lock=", "--keyring="].iter().any(|flag| word.starts_with(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let args = line.split(' ').map(OsString::from);
        with_default_command(args).into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_recipe_without_a_command_is_built() {
        for (line, meant) in [
            ("arca-build nas.toml", "arca-build build nas.toml"),
            ("arca-build demo", "arca-build build demo"),
            ("arca-build --cache c --json a b", "arca-build --cache c --json build a b"),
            ("arca-build --cache=c a", "arca-build --cache=c build a"),
            ("arca-build --locked --keyring k a", "arca-build --locked --keyring k build a"),
            ("arca-build --update a", "arca-build build --update a"),
            ("arca-build --no-link a", "arca-build build --no-link a"),
            ("arca-build check a", "arca-build check a"),
            ("arca-build -q check a", "arca-build -q check a"),
            ("arca-build ./check", "arca-build build ./check"),
            ("arca-build --help", "arca-build --help"),
            ("arca-build help build", "arca-build help build"),
            ("arca-build", "arca-build"),
        ] {
            assert_eq!(words(line).join(" "), meant);
        }
    }

    #[test]
    fn a_misspelt_command_is_known_again() {
        for (line, meant) in [
            ("arca-build buld demo", Some(("buld", "build"))),
            ("arca-build -q udpate nas.toml", Some(("udpate", "update"))),
            ("arca-build build demo", None),
            ("arca-build nas.toml", None),
            ("arca-build mirror.toml", None),
            ("arca-build", None),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = misspelt_command(&args);
            assert_eq!(found.as_ref().map(|(word, command)| (*word, command.as_str())), meant, "{line}");
        }
    }
}
