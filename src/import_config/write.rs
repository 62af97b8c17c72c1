//! The text of a recipe, by the order of its keys. Touches nothing.

use super::disk::Disks;
use super::found::Machine;
use super::provision::{Provision, Section};
use super::toml_text::{list, literal, quoted};
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

/// Returns whether a recipe takes a text as its description.
pub(crate) fn is_description(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 4096
        && !text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\n' | '\t'))
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
        provision.typed.iter().flatten().for_each(|section| self.section(section));
    }

    fn section(&mut self, section: &Section) {
        if !section.title.is_empty() {
            self.table(section.title);
        }
        section.keys.iter().for_each(|(key, value)| self.key(key, value));
    }
}
