//! The text of a recipe, by the order of its keys. Touches nothing.

use std::fmt::Write as _;

use super::disk::Disks;
use super::found::Machine;
use super::provision::{Directory, File, Login, Provision, Typed, Unit};
use crate::base::text::is_unsafe;
use crate::base::{ByteSize, Name};
use crate::format::toml::is_refused;
use crate::machine::keys::{KEYS, Value};
use crate::recipe::xml::Written;
use crate::recipe::{Hardware, XmlEdit};

/// A comment is for people; what is longer is no sentence.
const LONGEST_COMMENT: usize = 300;

/// Writes a recipe; `origin` says what it was made from, `left` what is missing.
pub(crate) fn recipe(
    name: &Name,
    origin: &[String],
    machine: Option<&Machine>,
    disks: &Disks,
    provision: &Provision,
    skipped: &[String],
) -> String {
    let mut text = Text::default();
    for line in origin {
        text.comment(line);
    }
    if !skipped.is_empty() {
        text.comment("Not carried over, or not as it was:");
        skipped.iter().for_each(|line| text.comment(&format!("* {line}")));
    }
    text.line("format = 1");
    text.key("name", &quoted(name.as_str()));
    if let Some(description) =
        machine.and_then(|machine| machine.description.as_deref()).filter(|text| is_description(text))
    {
        text.key("description", &quoted(description));
    }
    text.base(disks);
    if let Some(machine) = machine {
        text.machine(machine, disks);
    }
    text.provision(provision);
    text.0
}

/// Tells whether a recipe takes a text as its description.
pub(crate) fn is_description(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 4096
        && !text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\n' | '\t'))
}

/// Writes a text in one line, in quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    text.chars().for_each(|c| escape(c, &mut quoted));
    quoted.push('"');
    quoted
}

fn escape(c: char, to: &mut String) {
    match c {
        '"' => to.push_str("\\\""),
        '\\' => to.push_str("\\\\"),
        '\n' => to.push_str("\\n"),
        '\t' => to.push_str("\\t"),
        c if is_unsafe(c) || is_refused(c) => {
            let _ = write!(to, "\\u{:04X}", u32::from(c));
        }
        c => to.push(c),
    }
}

/// Writes a text in one line as it is, where its quotes allow that.
fn literal(text: &str) -> String {
    let plain = !text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\'' | '\n' | '\t'));
    if plain { format!("'{text}'") } else { quoted(text) }
}

/// Writes a text of several lines as such; what needs escapes only for its backslashes and quotes goes without any.
fn lines(text: &str) -> String {
    if !text.trim_end_matches('\n').contains('\n') {
        return quoted(text);
    }
    let plain = !text.chars().any(|c| is_unsafe(c) || is_refused(c));
    if plain && text.contains(['\\', '"']) && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    let mut written = String::from("\"\"\"\n");
    for c in text.chars() {
        if c == '\n' { written.push(c) } else { escape(c, &mut written) }
    }
    written.push_str("\"\"\"");
    written
}

fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    let short = texts.iter().map(String::len).sum::<usize>() < 100 || texts.len() == 1;
    if short { format!("[{}]", texts.join(", ")) } else { format!("[\n  {},\n]", texts.join(",\n  ")) }
}

fn size(size: ByteSize) -> String {
    quoted(&size.exact())
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Writes a remark; nothing in it can end the line or reach a terminal.
    fn comment(&mut self, text: &str) {
        let plain: String =
            text.chars().filter(|c| !is_unsafe(*c) && !is_refused(*c) && !matches!(c, '\n' | '\t')).collect();
        let plain: String = plain.chars().take(LONGEST_COMMENT).collect();
        self.line(format!("# {plain}").trim_end());
    }

    fn table(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    fn key(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.key(key, &quoted(value));
        }
    }

    fn base(&mut self, disks: &Disks) {
        self.table("[base]");
        let base = &disks.base;
        if !base.comment.is_empty() {
            self.comment(&base.comment);
        }
        self.key("url", &quoted(&base.url));
        if let Some(kind) = base.kind {
            self.key("kind", &quoted(kind.as_str()));
        }
    }

    fn machine(&mut self, machine: &Machine, disks: &Disks) {
        self.table("[machine]");
        if let Some(arch) = machine.arch {
            self.key("arch", &quoted(arch.as_str()));
        }
        if let Some(memory) = machine.memory {
            self.key("memory", &size(memory));
        }
        if let Some(vcpus) = machine.vcpus {
            self.key("vcpus", &vcpus.to_string());
        }
        if machine.uefi {
            self.key("firmware", "\"uefi\"");
        }
        if machine.tcg {
            self.key("accel", "\"tcg\"");
        }
        if let Some(network) = &machine.network {
            self.key("network", &quoted(&network.to_string()));
        }
        if let Some(graphics) = machine.graphics {
            self.key("graphics", &quoted(graphics.as_str()));
        }
        if let Some(osinfo) = &machine.osinfo {
            self.key("osinfo", &quoted(osinfo.as_str()));
        }
        self.hardware(&machine.hardware);
        self.disks(disks);
        if !machine.hardware.xml.is_empty() {
            self.line("");
            self.comment(
                "As it was, where no key says it. What it names of the host, a path or a device, must be there too.",
            );
        }
        machine.hardware.xml.iter().for_each(|edit| self.edit(edit));
    }

    fn hardware(&mut self, hardware: &Hardware) {
        for key in KEYS {
            match (key.value)(hardware) {
                Some(Value::Flag) => self.key(key.name, "true"),
                Some(Value::Text(text)) => self.key(key.name, &quoted(&text)),
                Some(Value::Texts(texts)) => self.key(key.name, &list(&texts)),
                None => {}
            }
        }
        if let Some(topology) = hardware.topology {
            self.table("[machine.topology]");
            let counts = [("sockets", topology.sockets), ("cores", topology.cores), ("threads", topology.threads)];
            counts.iter().for_each(|(key, count)| self.key(key, &count.to_string()));
        }
    }

    fn edit(&mut self, edit: &XmlEdit) {
        let written = Written::from(edit.clone());
        self.table("[[machine.xml]]");
        self.key("parent", &quoted(&written.parent));
        self.key("element", &literal(&written.element));
        if edit.is_replacing() {
            self.key("action", &quoted(written.action.as_str()));
        }
        self.text("match", written.by.as_ref());
    }

    fn disks(&mut self, disks: &Disks) {
        if let Some(system) = disks.system_size {
            self.table("[machine.system]");
            self.key("size", &size(system));
        }
        for disk in &disks.data {
            match disk.size {
                Some(known) => {
                    self.table("[[machine.disk]]");
                    self.key("serial", &quoted(&disk.serial));
                    self.key("size", &size(known));
                }
                None => {
                    self.line("");
                    self.comment("Its size was not said. Write it, and take the `#` away:");
                    self.comment("[[machine.disk]]");
                    self.comment(&format!("serial = {}", quoted(&disk.serial)));
                    self.comment("size = \"…GiB\"");
                }
            }
        }
    }

    fn provision(&mut self, provision: &Provision) {
        let Some(engine) = provision.engine else { return };
        self.table("[provision]");
        self.key("engine", &quoted(engine));
        if provision.by_fw_cfg {
            self.key("transport", "\"fw_cfg\"");
        }
        for (key, path) in [("config", &provision.config), ("script", &provision.script)] {
            if let Some(path) = path {
                self.key(key, &quoted(path.as_str()));
            }
        }
        if !provision.side_files.is_empty() {
            let files: Vec<_> = provision.side_files.iter().map(|path| path.as_str().to_owned()).collect();
            self.key("side_files", &list(&files));
        }
        if let Some(typed) = &provision.typed {
            self.typed(typed);
        }
    }

    fn typed(&mut self, typed: &Typed) {
        if !typed.kernel_arguments.is_empty() {
            self.key("kernel_arguments", &list(&typed.kernel_arguments));
        }
        for group in &typed.groups {
            self.table("[[provision.group]]");
            self.key("name", &quoted(&group.name));
            if let Some(gid) = group.gid {
                self.key("gid", &gid.to_string());
            }
            if group.system {
                self.key("system", "true");
            }
        }
        if let Some(root) = &typed.root {
            self.table("[provision.root]");
            self.login(root);
        }
        for user in &typed.users {
            self.table("[[provision.user]]");
            self.key("name", &quoted(&user.name));
            self.login(user);
        }
        typed.directories.iter().for_each(|directory| self.directory(directory));
        typed.files.iter().for_each(|file| self.file(file));
        for link in &typed.links {
            self.table("[[provision.link]]");
            self.key("path", &quoted(&link.path));
            self.key("target", &quoted(&link.target));
        }
        typed.units.iter().for_each(|unit| self.unit(unit));
    }

    fn login(&mut self, login: &Login) {
        self.text("password_hash", login.hash.as_ref());
        if !login.keys.is_empty() {
            self.key("ssh_keys", &list(&login.keys));
        }
        if let Some(uid) = login.uid {
            self.key("uid", &uid.to_string());
        }
        if !login.groups.is_empty() {
            self.key("groups", &list(&login.groups));
        }
        self.text("shell", login.shell.as_ref());
        self.text("home", login.home.as_ref());
        self.text("gecos", login.gecos.as_ref());
        if login.system {
            self.key("system", "true");
        }
    }

    fn directory(&mut self, directory: &Directory) {
        self.table("[[provision.directory]]");
        self.key("path", &quoted(&directory.path));
        if directory.mode != 0o755 {
            self.key("mode", &format!("\"{:04o}\"", directory.mode));
        }
        self.text("user", directory.user.as_ref());
        self.text("group", directory.group.as_ref());
    }

    fn file(&mut self, file: &File) {
        self.table("[[provision.file]]");
        self.key("path", &quoted(&file.path));
        self.key("text", &lines(&file.text));
        if file.appends {
            return self.key("append", "true");
        }
        if file.mode != 0o644 {
            self.key("mode", &format!("\"{:04o}\"", file.mode));
        }
        self.text("user", file.user.as_ref());
        self.text("group", file.group.as_ref());
    }

    fn unit(&mut self, unit: &Unit) {
        self.table("[[provision.unit]]");
        self.key("name", &quoted(&unit.name));
        if let Some(enable) = unit.enable {
            self.key("enable", if enable { "true" } else { "false" });
        }
        if unit.mask {
            self.key("mask", "true");
        }
        if let Some(text) = &unit.text {
            self.key("text", &lines(text));
        }
        for (name, text) in &unit.dropins {
            self.table("[[provision.unit.dropin]]");
            self.key("name", &quoted(name));
            self.key("text", &lines(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> String {
        let table: toml::Table = format!("x = {value}\n").parse().unwrap_or_else(|error| panic!("{value}\n{error}"));
        table["x"].as_str().unwrap().to_owned()
    }

    #[test]
    fn texts_stay_readable() {
        assert_eq!(lines("one\n"), "\"one\\n\"");
        assert_eq!(lines("a\nb\n"), "\"\"\"\na\nb\n\"\"\"");
        assert_eq!(lines("a\\d\n\"b\"\n"), "'''\na\\d\n\"b\"\n'''");
        assert_eq!(lines("'''\n\"\"\"\n\\"), "\"\"\"\n'''\n\\\"\\\"\\\"\n\\\\\"\"\"");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in "(\\PC|[\\x00-\\x1f\"'\\\\\n\u{7f}\u{85}\u{feff}\u{202e}]){0,60}") {
            prop_assert_eq!(read(&quoted(&text)), text.clone());
            prop_assert_eq!(read(&lines(&text)), text);
        }
    }
}
