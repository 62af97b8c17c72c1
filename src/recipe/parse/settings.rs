//! `[provision]`: groups, directories, links, settings, kernel arguments and certificates. Form only. Touches nothing.

use super::super::rules;
use super::super::settings::{CaCertificate, DirectorySpec, GroupSpec, LinkSpec, Proxy, Settings};
use super::provision::{account_name, content, guest_path, mode};
use super::refuse_unknown;
use crate::base::text::one_line;
use crate::base::{Name, Spanned, Url};
use crate::format::toml::{Table, Value};

/// Reads the keys that stand in `[provision]` itself.
pub(super) fn settings(table: &Table<'_>) -> Settings {
    let word = |key, rule: Rule| table.get(key).and_then(|value| checked(&value, rule));
    Settings {
        hostname: word("hostname", HOSTNAME),
        timezone: word("timezone", TIMEZONE),
        locale: word("locale", LOCALE),
        keymap: word("keymap", KEYMAP),
        ntp: list(table, "ntp", NTP),
        proxy: table
            .table("proxy", "provision.proxy")
            .and_then(|proxy| Some(Spanned { value: self::proxy(&proxy)?, place: proxy.place() })),
        kernel_arguments: list(table, "kernel_arguments", KERNEL_ARGUMENT),
    }
}

/// What a text must be: the rule, its words in a complaint, and a way out.
type Rule = (fn(&str) -> bool, &'static str, &'static str);

const HOSTNAME: Rule = (
    rules::is_hostname,
    "a host name",
    "at most 64 characters: parts of a-z A-Z 0-9 - joined by `.`, no `-` at their ends, the last no number (RFC 1123)",
);
const TIMEZONE: Rule = (rules::is_timezone, "the name of a time zone", "write it like \"Europe/Berlin\" or \"UTC\"");
const LOCALE: Rule = (rules::is_locale, "the name of a locale", "write it like \"en_US.UTF-8\"");
const KEYMAP: Rule = (rules::is_keymap, "the name of a keymap", "write it like \"us\" or \"de-nodeadkeys\"");
const NTP: Rule = (rules::is_host, "the name or address of a time server", "write it like \"ntp.example.org\"");
const NO_PROXY: Rule =
    (rules::is_proxy_exception, "a host, domain or network", "write it like \".example.org\" or \"10.0.0.0/8\"");
const KERNEL_ARGUMENT: Rule = (
    rules::is_kernel_argument,
    "one kernel argument",
    "one entry for each, white space and ; & | < > { } in double quotes only, no $ \\ ` ' and no `-` or `#` in front",
);

fn checked(value: &Value<'_>, (rule, what, hint): Rule) -> Option<Spanned<String>> {
    let text = value.line()?;
    if !rule(text) {
        value.refuse(format!("`{}` is not {what}", one_line(text, 80)), hint);
        return None;
    }
    Some(value.located(text.to_owned()))
}

/// Reads a list of texts, none of them twice.
fn list(table: &Table<'_>, key: &'static str, rule: Rule) -> Vec<Spanned<String>> {
    let mut taken: Vec<Spanned<String>> = vec![];
    for entry in table.get(key).map(|value| value.list()).unwrap_or_default() {
        let Some(text) = checked(&entry, rule) else { continue };
        if taken.iter().any(|other| other.value == text.value) {
            entry.refuse(format!("`{}` is there twice", one_line(&text.value, 80)), "keep one of them");
        }
        taken.push(text);
    }
    taken
}

fn proxy(table: &Table<'_>) -> Option<Proxy> {
    refuse_unknown(table);
    let address = |key| table.get(key).map(|value| proxy_address(&value));
    let (http, https) = (address("http"), address("https"));
    if http.is_none() && https.is_none() && !table.document.is_broken() {
        table.document.tell(table.problem("the proxy has neither `http` nor `https`").hint("add one of them"));
    }
    let exceptions = table.has("no_proxy").then(|| list(table, "no_proxy", NO_PROXY));
    let no_proxy = exceptions.map(|list| list.into_iter().map(|entry| entry.value).collect());
    Some(Proxy { http: http.flatten(), https: https.flatten(), no_proxy })
}

/// Reads the address of a proxy. No complaint shows any of it: a password may stand there.
fn proxy_address(value: &Value<'_>) -> Option<Url> {
    let text = value.line()?;
    let key = value.key();
    if text.contains(['$', '`', '"', '\'', '\\']) {
        let hint = "write $ as %24, ` as %60, \" as %22, ' as %27, \\ as %5C";
        value.refuse(format!("`{key}` holds a character that the guest's login shells would act upon"), hint);
        return None;
    }
    let url = Url::parse(text).ok().filter(|url| url.is_remote() && url.path() == "/" && !text.contains(['?', '#']));
    if url.is_none() {
        let hint = "write it like \"http://proxy.example.org:3128\", without a path; in a password write @ as %40, : as %3A, / as %2F";
        value.refuse(format!("`{key}` is not the address of a proxy"), hint);
    }
    url
}

/// Reads `[[provision.group]]`.
pub(super) fn group(table: &Table<'_>) -> Option<GroupSpec> {
    let name = table.get("name").and_then(|value| account_name(&value));
    let gid = table.get("gid").and_then(|value| value.integer(1..=4_294_967_294)).and_then(|gid| gid.try_into().ok());
    let system = table.get("system").and_then(|value| value.boolean()).unwrap_or(false);
    Some(GroupSpec { name: name?, gid, system })
}

/// Reads `[[provision.directory]]`.
pub(super) fn directory(table: &Table<'_>) -> Option<DirectorySpec> {
    let path = table.get("path").and_then(|value| guest_path(&value));
    let mode = table.get("mode").and_then(|value| mode(&value)).unwrap_or(0o755);
    let owner = |key| table.get(key).and_then(|value| account_name(&value));
    let (user, group) = (owner("user"), owner("group"));
    Some(DirectorySpec { path: path?, mode, user, group })
}

/// Reads `[[provision.link]]`.
pub(super) fn link(table: &Table<'_>) -> Option<LinkSpec> {
    let path = table.get("path").and_then(|value| guest_path(&value));
    let target = table.need("target", "`target = \"/where/it/leads\"`").and_then(|value| {
        let text = value.line()?;
        if !rules::is_link_target(text) {
            let hint = "an absolute path, or one relative to the link; at most 1024 bytes, without empty parts";
            value.refuse(format!("`{}` is no path that a link can lead to", one_line(text, 80)), hint);
            return None;
        }
        Some(text.to_owned())
    });
    Some(LinkSpec { path: path?, target: target? })
}

/// Reads `append` of `[[provision.file]]`, and refuses what cannot be said beside it.
pub(super) fn append(table: &Table<'_>) -> bool {
    let Some(value) = table.get("append") else { return false };
    let append = value.boolean().unwrap_or(false);
    for key in ["mode", "user", "group"].into_iter().filter(|_| append) {
        if let Some(other) = table.get(key) {
            let headline = format!("`{key}` and `append` are both given: what is there keeps its mode and owner");
            other.refuse(headline, "remove one of them");
        }
    }
    if let (true, Some(url)) = (append, table.get("url")) {
        url.refuse("what comes by `url` cannot be appended: its digest is that of a whole file", "use `source`");
    }
    append
}

/// Reads `[[provision.ca_certificate]]`.
pub(super) fn ca_certificate(table: &Table<'_>) -> Option<CaCertificate> {
    let name = table.get("name").and_then(|value| value.accept(Name::parse(value.line()?), ""));
    let content = content(table);
    if !table.has("text") && !table.has("source") && !table.document.is_broken() {
        let problem = table.problem("the certificate has neither `text` nor `source`");
        table.document.tell(problem.hint("add `source`, a file of PEM beside the recipe"));
    }
    Some(CaCertificate { name: name?, content: content? })
}
