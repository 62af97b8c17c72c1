//! `completions`: what a shell completes, made from the commands. Touches nothing.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use crate::base::Diagnostics;
use crate::commands::context::Context;
use crate::commands::printer::Printer;

/// What the program is called by who types it.
const NAME: &str = "arca-build";

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsOptions {
    /// Shell they are for
    shell: Shell,
}

impl CompletionsOptions {
    pub(super) fn run(self, _: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.data(&completions(self.shell));
        Ok(())
    }
}

/// Writes the completions for a shell.
fn completions(shell: Shell) -> String {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash { labelled(&script) } else { script }
}

/// Gives the cases of a bash script the labels by which they are asked for.
///
/// clap_complete 4.6.11 writes the hyphen of a program's name in two ways: as `__` where it sets `cmd`, and as
/// `__subcmd__`, its separator of commands, in the labels of what each command takes (`aot/shells/bash.rs`:
/// `all_subcommands` starts from `fn_name`, `subcommand_details` replaces the hyphens of the whole path). So no case
/// below the first word was ever met. Once that is mended there, this changes nothing: no other label begins so, for
/// `arca` alone is no program. Zsh's functions are named with the hyphen itself, and fish's script asks for words.
fn labelled(script: &str) -> String {
    let (asked, written) = (NAME.replace('-', "__"), NAME.replace('-', "__subcmd__"));
    script.replace(&written, &asked)
}
