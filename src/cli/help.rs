//! The help of the program: its commands by what they are for. Touches nothing.

use clap::Command;

use crate::base::text::wrapped;

/// What commands are for, in the order in which they are listed. One that stands nowhere here is listed all the same,
/// and a test sees it.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Begin a recipe", &["new", "import-config", "passwd", "schema"]),
    ("Build and look", &["build", "check", "explain", "plan", "diff", "verify", "inspect"]),
    ("Pin and update", &["update", "fetch"]),
    ("Launch", &["run", "ssh", "snapshot", "rollback", "vms", "install", "uninstall", "doctor"]),
    ("Carry elsewhere", &["mirror", "export", "import", "show"]),
    ("Store", &["store"]),
    ("Shell", &["completions", "man"]),
];
/// How wide the list is, as wide as clap makes help where it knows no terminal.
const WIDTH: usize = 100;

/// Gives the program a help that lists its commands by groups.
pub(super) fn grouped(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let listing = listing(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listing}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// Lists every command with what it says of itself.
fn listing(command: &Command) -> String {
    let names = || command.get_subcommands().map(Command::get_name);
    let width = names().map(str::len).max().unwrap_or_default();
    let grouped = |name: &str| GROUPS.iter().any(|(_, group)| group.contains(&name));
    let others: Vec<_> = names().filter(|name| !grouped(name)).collect();
    let groups = GROUPS.iter().map(|(title, group)| (*title, group.to_vec())).chain([("Others", others)]);
    let header = command.get_styles().get_header();
    let mut listing = String::new();
    for (title, group) in groups.filter(|(_, group)| !group.is_empty()) {
        let lines = group.iter().filter_map(|name| Some(line(command, command.find_subcommand(name)?, width)));
        listing += &format!("{header}{title}:{header:#}\n{}\n", lines.collect::<String>());
    }
    listing
}

fn line(program: &Command, command: &Command, width: usize) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let about = wrapped(&about, WIDTH - width - 4).join(&format!("\n{:1$}", "", width + 4));
    let (name, literal) = (command.get_name(), program.get_styles().get_literal());
    format!("  {literal}{name}{literal:#}{:1$}{about}\n", "", width + 2 - name.len())
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_stands_in_one_group_and_the_help_lists_it_once() {
        let mut grouped_names: Vec<_> = GROUPS.iter().flat_map(|(_, group)| group.iter().copied()).collect();
        let command = Cli::command();
        let mut names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        grouped_names.sort_unstable();
        names.sort_unstable();
        assert_eq!(grouped_names, names);
        let help = grouped(command.clone()).render_help().to_string();
        for name in names {
            let lines =
                help.lines().filter(|line| line.split_whitespace().next() == Some(name) && line.starts_with("  "));
            let about = command.find_subcommand(name).unwrap().get_about().unwrap().to_string();
            let first: Vec<_> = about.split(' ').take(4).collect();
            assert!(lines.count() == 1 && help.contains(&first.join(" ")), "{name}\n{help}");
        }
        assert!(
            !help.contains(['{', '}']) && help.contains("--keyring") && help.contains("Exit codes: 0 done"),
            "{help}"
        );
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }

    #[test]
    fn a_command_that_stands_in_no_group_is_listed_last() {
        let help = grouped(Cli::command().subcommand(Command::new("newest").about("Do it"))).render_help().to_string();
        assert!(help.contains("Others:\n  newest         Do it\n"), "{help}");
    }
}
