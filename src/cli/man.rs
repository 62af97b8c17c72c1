//! The man page: made from the commands, and what no flag tells. Touches nothing.
//!
//! Source: man-pages(7) for the order and names of sections, man(7) for their macros.

use clap::CommandFactory;

use super::args::Cli;
use crate::base::Diagnostics;
use crate::commands::context::Context;
use crate::commands::printer::Printer;
use crate::report::EXIT_CODES;

/// Variables of the environment, and what they do here.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("ARCA_CACHE", "Directory of the store, where --cache does not name one."),
    ("ARCA_VMS", "Directory of kept machines, where --vms does not name one."),
    (
        "XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, HOME",
        "Where the store, the configuration file and machines lie by default; see FILES.",
    ),
    ("PATH", "Where QEMU, virsh, ssh and the other programs of run and install are looked for."),
    ("TMPDIR", "Where run puts throw-away disks, instead of /var/tmp."),
    (
        "VIRSH_DEFAULT_CONNECT_URI, LIBVIRT_DEFAULT_URI",
        "The libvirt of install and uninstall, where --connect does not name one.",
    ),
    (
        "http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY",
        "Proxies for what is fetched, and who is reached without one.",
    ),
    (
        "NO_COLOR, TERM, CI",
        "Where NO_COLOR is set or TERM is dumb nothing is coloured; in CI progress is shown in plain lines.",
    ),
];

/// Files, and what they are.
const FILES: &[(&str, &str)] = &[
    ("NAME.toml", "A recipe."),
    ("arca.lock", "What the inputs of the recipes beside it are pinned to; written by update."),
    ("result-NAME", "A link to the bundle that was built last, which keeps it from store gc."),
    ("$XDG_CONFIG_HOME/arca-build/config.toml", "Mirrors and keyrings; ~/.config where the variable is not set."),
    (
        "cache/, $XDG_CACHE_HOME/arca-build",
        "The store: the nearest directory cache above the working directory that carries our tag, else ~/.cache/arca-build.",
    ),
    ("$XDG_DATA_HOME/arca-build/vms", "Machines that run --keep keeps; ~/.local/share where the variable is not set."),
    (
        "/var/lib/libvirt/images, $XDG_DATA_HOME/arca-build/instances",
        "Installed machines: those of the system's libvirt, and of one's own context.",
    ),
];

/// What `--json` writes.
const JSON: &str = "With --json stdout holds one document. A failure is the list errors in it, of objects with code (such as \
    E_HASH), exit, rule, headline, place, facts, causes, note and hint; null or empty is what does not apply. In facts \
    each label maps to a text, or to a list of texts where a failure tells several things of one label. That two things \
    differ is not an error but an answer, given by the exit status.";

/// Print the man page
#[derive(Debug, clap::Args)]
pub(crate) struct ManOptions {}

impl ManOptions {
    pub(super) fn run(self, _: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.data(&page());
        Ok(())
    }
}

/// Writes the man page, with those of all commands.
fn page() -> String {
    let command = Cli::command();
    let mut page = vec![];
    // A vector takes every byte.
    let _ = clap_mangen::Man::new(command.clone()).render(&mut page);
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page += &section("EXIT STATUS", &EXIT_CODES);
    page += &section("ENVIRONMENT", ENVIRONMENT);
    page += &section("FILES", FILES);
    page += &format!(".SH JSON\n{}\n", escaped(JSON));
    let mut others = vec![];
    commands(&command, &mut others);
    page + &String::from_utf8_lossy(&others)
}

/// Appends the pages of a command's own commands, however deep.
fn commands(command: &clap::Command, page: &mut Vec<u8>) {
    for sub in command.get_subcommands() {
        let name = format!("{}-{}", command.get_name(), sub.get_name());
        let typed = format!("{} {}", command.get_bin_name().unwrap_or(command.get_name()), sub.get_name());
        let sub = sub.clone().name(name).bin_name(typed);
        let _ = clap_mangen::Man::new(sub.clone()).render(page);
        commands(&sub, page);
    }
}

/// A section of words and what they mean.
fn section(title: &str, rows: &[(impl ToString, &str)]) -> String {
    let row = |word: String, meaning| format!(".TP\n{}\n{}\n", escaped(&word), escaped(meaning));
    let rows = rows.iter().map(|(word, meaning)| row(word.to_string(), meaning));
    format!(".SH \"{title}\"\n{}", rows.collect::<String>())
}

/// A hyphen is a minus in what is typed, and a line may not begin with what roff takes for a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
