//! What may be written on the command line: the table of commands. Touches nothing.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use super::man::ManOptions;
use super::shell::CompletionsOptions;
use crate::base::{Diagnostics, text};
use crate::commands::context::{Context, GlobalOptions};
use crate::commands::printer::Printer;
use crate::commands::{
    build, check, diff, doctor, explain, export, fetch, import, import_config, inspect, install, mirror, new, passwd,
    plan, run, schema, show, snapshot, ssh, store, uninstall, update, verify, vms,
};
use crate::report::EXIT_CODES;

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

/// The one table of commands: each by its name, with its arguments, which run it.
macro_rules! commands {
    ($($name:ident($arguments:ty),)*) => {
        /// The commands.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($name($arguments),)*
        }

        impl Command {
            /// Runs it.
            pub(super) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
                match self {
                    $(Self::$name(arguments) => arguments.run(context, printer),)*
                }
            }
        }
    };
}

commands! {
    Build(build::BuildOptions),
    Check(check::CheckOptions),
    Explain(explain::ExplainOptions),
    Plan(plan::PlanOptions),
    Update(update::UpdateOptions),
    Fetch(fetch::FetchOptions),
    Mirror(mirror::MirrorOptions),
    Export(export::ExportOptions),
    Import(import::ImportOptions),
    Show(show::ShowOptions),
    New(new::NewOptions),
    ImportConfig(import_config::ImportConfigOptions),
    Inspect(inspect::InspectOptions),
    Doctor(doctor::DoctorOptions),
    Verify(verify::VerifyOptions),
    Install(install::InstallOptions),
    Uninstall(uninstall::UninstallOptions),
    Diff(diff::DiffOptions),
    Run(Box<run::RunOptions>),
    Ssh(ssh::SshOptions),
    Snapshot(snapshot::SnapshotOptions),
    Rollback(snapshot::RollbackOptions),
    Vms(vms::VmsOptions),
    Store(store::StoreOptions),
    Schema(schema::SchemaOptions),
    Passwd(passwd::PasswdOptions),
    Completions(CompletionsOptions),
    Man(ManOptions),
}

impl Command {
    /// Returns whether it makes and changes nothing, so that a store which is named must be there.
    pub(super) fn only_looks(&self) -> bool {
        match self {
            Self::Check(_)
            | Self::Explain(_)
            | Self::Plan(_)
            | Self::Show(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Verify(_)
            | Self::Diff(_) => true,
            Self::Build(options) => options.only_looks(),
            Self::Vms(options) => options.only_looks(),
            Self::Store(options) => options.only_looks(),
            _ => false,
        }
    }
}

fn after_help() -> String {
    let codes: Vec<_> = EXIT_CODES.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
    format!(
        "A recipe without a command is built: `arca-build recipes/nas.toml`; `arca-build COMMAND --help` tells its flags.\n\
         To see one work: `arca-build run demo`.\nExit codes: {}.",
        codes.join(", ")
    )
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
    let global = |word: &str| {
        let mut flags = command.get_arguments().filter(|argument| argument.is_global_set());
        flags.find(|argument| match word.strip_prefix("--") {
            Some(long) => argument.get_long() == long.split('=').next(),
            None => argument.get_short().is_some_and(|short| word == format!("-{short}")),
        })
    };
    let mut index = 1;
    while let Some(word) = args.get(index).and_then(|word| word.to_str()) {
        if ["-h", "--help", "-V", "--version"].contains(&word) {
            return None;
        }
        if !word.starts_with('-') || word == "-" {
            break;
        }
        // Flags of `build` itself may come before the recipe too: `arca-build --no-link nas.toml`.
        let Some(flag) = global(word) else { break };
        index += if flag.get_action().takes_values() && !word.contains('=') { 2 } else { 1 };
    }
    let is_word = args.get(index).is_some_and(|word| !word.to_str().is_some_and(is_command));
    is_word.then_some(index)
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
