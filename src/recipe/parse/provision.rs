//! `[provision]`: form only; what an engine or MicroOS makes of it is judged by the module `provision`. Touches nothing.

use std::collections::BTreeSet;

use super::super::rules;
use super::super::{Account, CONTENT_LIMIT, Content, Dropin, FileSpec, Media, Provision, RecipePath, Unit, User};
use super::{allow, carried, container, network, path, refuse_unknown, scripts, settings, storage};
use crate::base::text::one_line;
use crate::base::{Code, Engine, Secret, Spanned};
use crate::format::toml::{Charset, Table, Value};

/// The most users, files or units: a recipe is written by hand.
const TABLE_LIMIT: usize = 1000;

/// Keys under which people write a password as it is typed.
const PLAIN: [&str; 5] = ["password", "passwd", "pass", "plain_password", "plaintext_password"];

pub(super) fn lower(table: &Table<'_>) -> Provision {
    refuse_unknown(table);
    let word = |key| table.get(key);
    let media = word("media");
    let provision = Provision {
        engine: word("engine").and_then(|value| engine(&value)),
        transport: allow::transports(table),
        media: media.as_ref().and_then(|value| value.word(Media::parse, Media::WORDS)),
        config: word("config").and_then(|value| Some(value.located(path(&value)?))),
        script: word("script").and_then(|value| scripts::ready(&value)),
        side_files: side_files(table),
        home_subvolume: word("home_subvolume").and_then(|value| value.boolean()),
        report: word("report").and_then(|value| value.boolean()),
        root: table.table("root", "provision.root").map(|root| Spanned { value: account(&root), place: root.place() }),
        users: rows(table, "user", "provision.user[]", "name", user),
        files: rows(table, "file", "provision.file[]", "path", file),
        units: rows(table, "unit", "provision.unit[]", "name", unit),
        rpms: carried::rpms(table, TABLE_LIMIT),
        containers: rows(table, "container", "provision.container[]", "name", container::container),
        networks: network::limited(table, rows(table, "network", "provision.network[]", "name", network::profile)),
        packages: scripts::packages(table),
        runs: rows(table, "run", "provision.run[]", "name", scripts::run),
        timers: rows(table, "timer", "provision.timer[]", "name", scripts::timer),
        groups: rows(table, "group", "provision.group[]", "name", settings::group),
        directories: rows(table, "directory", "provision.directory[]", "path", settings::directory),
        links: rows(table, "link", "provision.link[]", "path", settings::link),
        settings: settings::settings(table),
        certificates: rows(table, "ca_certificate", "provision.ca_certificate[]", "name", settings::ca_certificate),
        mounts: storage::mounts(table),
        subvolumes: storage::subvolumes(table),
        pools: storage::pools(table),
    };
    engines(table, &provision);
    allow::transports_of_nobody(table, &provision);
    if let (Some(media), Some(Media::Gpt), false) = (media, provision.media, provision.is_wanted()) {
        media.refuse("`media = \"gpt\"` without anything to provision: the stick would be empty", "remove `media`");
    }
    provision
}

/// Reads `engine`. Older recipes may say `both`, which gave the same plan as `auto`.
fn engine(value: &Value<'_>) -> Option<Engine> {
    if value.as_text() == Some("both") {
        value.refuse("`engine` cannot be `both` any more", "write engine = \"auto\"; the plan is the same");
        return None;
    }
    let parse = |word: &str| if word == "auto" { Some(None) } else { Engine::parse(word).map(Some) };
    value.word(parse, Provision::ENGINES).flatten()
}

/// Refuses ready-made parts that the chosen engine would never read.
fn engines(table: &Table<'_>, provision: &Provision) {
    let parts =
        [("script", "a Combustion script", Engine::Combustion), ("config", "an Ignition config", Engine::Ignition)];
    for (key, what, other) in parts {
        if let (Some(value), Some(engine)) = (table.get(key), provision.engine.filter(|engine| *engine != other)) {
            let headline = format!("`{key}` is {what}, but the engine is {engine}");
            value.refuse(headline, &format!("write engine = \"{other}\" or engine = \"auto\""));
        }
    }
    if let (Some(value), None) = (table.get("side_files"), table.get("script")) {
        value.refuse("`side_files` lie beside a script, and there is none", "add `script`, or remove `side_files`");
    }
}

/// Reads the rows of an array of tables, whose `id` may not occur twice.
pub(super) fn rows<'d, T>(
    table: &Table<'d>,
    key: &'static str,
    path: &'static str,
    id: &'static str,
    read: fn(&Table<'d>) -> Option<T>,
) -> Vec<Spanned<T>> {
    let mut seen = BTreeSet::new();
    let mut rows = vec![];
    for row in table.tables(key, path, TABLE_LIMIT) {
        refuse_unknown(&row);
        row.need(id, &format!("`{id} = \"…\"`"));
        let value = read(&row);
        unique(&row, id, &mut seen);
        rows.extend(value.map(|value| Spanned { value, place: row.place() }));
    }
    rows
}

fn unique<'d>(row: &Table<'d>, id: &'static str, seen: &mut BTreeSet<&'d str>) {
    let Some(value) = row.get(id) else { return };
    let Some(text) = value.as_text() else { return };
    if !seen.insert(text) {
        value.refuse(format!("`{}` is there twice", one_line(text, 80)), "join the two");
    }
}

fn account(table: &Table<'_>) -> Account {
    if table.path == "provision.root" {
        refuse_unknown(table);
    }
    let ssh_keys = table.get("ssh_keys").map(|value| value.list()).unwrap_or_default();
    Account {
        password_hash: table
            .get("password_hash")
            .and_then(|value| value.line())
            .map(|hash| Secret::new(hash.to_owned())),
        ssh_keys: ssh_keys.iter().filter_map(|key| Some(key.located(key.line()?.to_owned()))).collect(),
    }
}

/// Tells a password in plain text apart from other unknown keys.
pub(super) fn plain_password(table: &Table<'_>) -> Vec<&'static str> {
    let mut plain = vec![];
    for key in PLAIN {
        if let Some(value) = table.get(key) {
            let headline = format!("`{key}` in `{}` would put a password in plain text into the recipe", table.title());
            let hint = "make a hash with `arca-build passwd` and write it as `password_hash`";
            value.refuse_as(Code::Secret, headline, hint);
            plain.push(key);
        }
    }
    plain
}

fn user(table: &Table<'_>) -> Option<User> {
    let name = table.get("name").and_then(|value| account_name(&value));
    if let (Some(value), Some("root")) = (table.get("name"), name.as_deref()) {
        value.refuse("root is not a further user", "write `[provision.root]`");
    }
    let groups = table.get("groups").map(|value| value.list()).unwrap_or_default();
    let user = User {
        account: account(table),
        uid: table.get("uid").and_then(|value| value.integer(1..=4_294_967_294)).and_then(|uid| uid.try_into().ok()),
        groups: groups.iter().filter_map(account_name).collect(),
        shell: table.get("shell").and_then(|value| guest_path(&value)),
        home: table.get("home").and_then(|value| guest_path(&value)),
        gecos: table.get("gecos").and_then(|value| gecos(&value)),
        system: table.get("system").and_then(|value| value.boolean()).unwrap_or(false),
        name: name.unwrap_or_default(),
    };
    (!user.name.is_empty()).then_some(user)
}

pub(super) fn account_name(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !rules::is_account_name(text) {
        let headline = format!("`{}` is no name of a user or group", one_line(text, 60));
        value.refuse(
            headline,
            "1 to 32 characters of a-z A-Z 0-9 _ - . , not digits only, beginning with a letter, digit or _",
        );
        return None;
    }
    Some(text.to_owned())
}

/// The field of passwd(5) that a `:` would end.
fn gecos(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if text.contains(':') {
        value.refuse("`gecos` holds a `:`, which separates the fields of /etc/passwd", "");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn guest_path(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !rules::is_guest_path(text) {
        let headline = format!("`{}` is no absolute path in the guest", one_line(text, 80));
        value.refuse(headline, "begin with `/`, without empty, `.` or `..` parts and without a `/` at the end");
        return None;
    }
    Some(text.to_owned())
}

fn file(table: &Table<'_>) -> Option<FileSpec> {
    let path = table.get("path").and_then(|value| guest_path(&value));
    let content = file_content(table);
    if !["text", "source", "url"].iter().any(|key| table.has(key)) && !table.document.is_broken() {
        let problem = table.problem("the file has neither `text` nor `source` nor `url`");
        table.document.tell(problem.hint("for an empty file add `text = \"\"`"));
    }
    Some(FileSpec {
        append: settings::append(table),
        mode: table.get("mode").and_then(|value| mode(&value)).unwrap_or(0o644),
        user: table.get("user").and_then(|value| account_name(&value)),
        group: table.get("group").and_then(|value| account_name(&value)),
        path: path?,
        content: content?,
    })
}

/// Reads `text`, `source` or `url`.
fn file_content(table: &Table<'_>) -> Option<Content> {
    carried::refuse_pin_without_url(table);
    let url = table.get("url");
    let other = ["text", "source"].into_iter().find(|key| table.has(key));
    if let (Some(url), Some(other)) = (&url, other) {
        url.refuse(format!("`{other}` and `url` are both given"), "keep one of them");
    }
    let carried = carried::carried(table).map(Content::Carried);
    content(table).or(carried)
}

/// Reads permission bits. A TOML number is refused: 644 without quotes is decimal and would mean 01204.
pub(super) fn mode(value: &Value<'_>) -> Option<u32> {
    if let Some((digits, radix)) = value.digits() {
        let octal = rules::mode(digits.trim_start_matches('+')).is_some() && matches!(radix, 8 | 10);
        let hint = if octal { format!("write mode = \"{digits:0>4}\"") } else { "write mode = \"0644\"".to_owned() };
        let headline = match radix {
            10 => "`mode` is octal text in quotes: a number here is decimal, so 644 would mean 01204",
            _ => "`mode` is octal text in quotes",
        };
        value.refuse(headline, &hint);
        return None;
    }
    let text = value.line()?;
    let mode = rules::mode(text);
    if mode.is_none() {
        value.refuse(format!("`{}` is no mode", one_line(text, 40)), "three or four octal digits, like \"0644\"");
    }
    mode
}

/// Reads `text` or `source`; both are a mistake, none is for the caller to judge.
pub(super) fn content(table: &Table<'_>) -> Option<Content> {
    let text = table.get("text");
    let source = table.get("source");
    if let (Some(_), Some(source)) = (&text, &source) {
        source.refuse("`text` and `source` are both given", "keep one of them");
    }
    let text = text.and_then(|value| value.text(Charset::Free, CONTENT_LIMIT));
    let source = source.and_then(|value| Some(Content::Path(value.located(path(&value)?))));
    text.map(|text| Content::Text(Secret::new(text.to_owned()))).or(source)
}

fn unit(table: &Table<'_>) -> Option<Unit> {
    let name = table.get("name").and_then(|value| {
        named(&value, rules::is_unit_name, "the name of a systemd unit", "it ends in .service, .timer, .mount, …")
    });
    let unit = Unit {
        enable: table.get("enable").and_then(|value| value.boolean()),
        mask: table.get("mask").and_then(|value| value.boolean()).unwrap_or(false),
        content: content(table),
        dropins: rows(table, "dropin", "provision.unit[].dropin[]", "name", dropin)
            .into_iter()
            .map(|dropin| dropin.value)
            .collect(),
        name: name?,
    };
    if !["enable", "mask", "text", "source", "dropin"].into_iter().any(|key| table.has(key)) {
        let problem = table.problem(format!("the unit `{}` would change nothing", unit.name));
        table.document.tell(problem.hint("add `enable`, `mask`, `text`, `source` or a `[[provision.unit.dropin]]`"));
    }
    Some(unit)
}

fn dropin(table: &Table<'_>) -> Option<Dropin> {
    let name = table.get("name").and_then(|value| {
        named(&value, rules::is_dropin_name, "the name of a drop-in", "it ends in .conf and holds no `/`")
    });
    let content = content(table);
    if !table.has("text") && !table.has("source") && !table.document.is_broken() {
        table.document.tell(table.problem("the drop-in has neither `text` nor `source`").hint("add `text`"));
    }
    Some(Dropin { name: name?, content: content? })
}

fn named(value: &Value<'_>, rule: fn(&str) -> bool, what: &str, hint: &str) -> Option<String> {
    let text = value.line()?;
    if !rule(text) {
        value.refuse(format!("`{}` is not {what}", one_line(text, 80)), hint);
        return None;
    }
    Some(text.to_owned())
}

/// Reads side files: each lies in one folder under its own name, on a FAT volume, which knows no case.
fn side_files(table: &Table<'_>) -> Vec<Spanned<RecipePath>> {
    let mut seen = BTreeSet::from(["script".to_owned()]);
    let mut files = vec![];
    for value in table.get("side_files").map(|value| value.list()).unwrap_or_default() {
        let Some(path) = path(&value) else { continue };
        if seen.insert(path.file_name().to_lowercase()) {
            files.push(value.located(path));
            continue;
        }
        let headline =
            format!("`{}` is taken: side files and `script` lie in one folder", one_line(path.file_name(), 80));
        value.refuse(headline, "rename one; upper and lower case count as one on the config disk");
    }
    files
}
