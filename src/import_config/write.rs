//! The text of a recipe, by the order of its keys. Touches nothing.

use super::disk::{Base, Disks};
use super::found::Machine;
use super::provision::{Provision, Section};
use super::toml_text::{literal, quoted};
use crate::base::Name;
use crate::base::text::is_unsafe;
use crate::format::toml::is_refused;
use crate::machine::keys::{KEYS, Value};
use crate::recipe::xml::Written;
use crate::recipe::{FORMAT, RecipePath, Topology, XmlEdit};

/// A comment is for people; what is longer is not a sentence.
const LONGEST_COMMENT: usize = 300;

/// Writes a recipe; `origin` says what it was made from, `skipped` what is missing.
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
    let description = machine.and_then(|machine| machine.description.as_ref()).filter(|text| is_description(text));
    let section = Section::default().with("format", Some(FORMAT)).text("name", Some(name));
    text.section(&section.text("description", description));
    text.base(&disks.base);
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

    fn section(&mut self, section: &Section) {
        if !section.title.is_empty() {
            self.line("");
            self.line(section.title);
        }
        section.keys.iter().for_each(|(key, value)| self.line(&format!("{key} = {value}")));
    }

    fn base(&mut self, base: &Base) {
        self.section(&Section::new("[base]"));
        if !base.comment.is_empty() {
            self.comment(&base.comment);
        }
        self.section(&Section::default().text("url", Some(&base.url)).text("kind", base.kind));
    }

    fn machine(&mut self, machine: &Machine, disks: &Disks) {
        let hardware = &machine.hardware;
        let section = Section::new("[machine]")
            .text("arch", machine.arch)
            .text("memory", machine.memory.map(|memory| memory.exact()))
            .with("vcpus", machine.vcpus)
            .text("firmware", machine.uefi.then_some("uefi"))
            .text("accel", machine.tcg.then_some("tcg"))
            .text("network", machine.network.as_ref())
            .text("graphics", machine.graphics)
            .text("osinfo", machine.osinfo.as_ref());
        self.section(&KEYS.iter().fold(section, |section, key| match (key.value)(hardware) {
            Some(Value::Flag) => section.flag(key.name, true),
            Some(Value::Text(text)) => section.text(key.name, Some(text)),
            Some(Value::Texts(texts)) => section.list(key.name, &texts),
            None => section,
        }));
        if let Some(Topology { sockets, cores, threads }) = hardware.topology {
            let section = Section::new("[machine.topology]").with("sockets", Some(sockets));
            self.section(&section.with("cores", Some(cores)).with("threads", Some(threads)));
        }
        self.disks(disks);
        if !hardware.xml.is_empty() {
            self.line("");
            self.comment(
                "As it was, where no key says it. What it names of the host, a path or a device, must be there too.",
            );
        }
        hardware.xml.iter().for_each(|edit| self.edit(edit));
    }

    fn edit(&mut self, edit: &XmlEdit) {
        let written = Written::from(edit.clone());
        let section = Section::new("[[machine.xml]]")
            .text("parent", Some(written.parent))
            .with("element", Some(literal(&written.element.0)))
            .text("action", edit.is_replacing().then_some(written.action))
            .text("match", written.by);
        self.section(&section);
    }

    fn disks(&mut self, disks: &Disks) {
        if let Some(system) = disks.system_size {
            self.section(&Section::new("[machine.system]").text("size", Some(system.exact())));
        }
        for disk in &disks.data {
            let section = Section::new("[[machine.disk]]").text("serial", Some(&disk.serial));
            if let Some(size) = disk.size {
                self.section(&section.text("size", Some(size.exact())));
                continue;
            }
            self.line("");
            self.comment("Its size was not said. Write it, and take the `#` away:");
            self.comment("[[machine.disk]]");
            self.comment(&format!("serial = {}", quoted(&disk.serial)));
            self.comment("size = \"…GiB\"");
        }
    }

    fn provision(&mut self, provision: &Provision) {
        let Some(engine) = provision.engine else { return };
        let files: Vec<_> = provision.side_files.iter().map(|path| path.as_str().to_owned()).collect();
        let section = Section::new("[provision]")
            .text("engine", Some(engine))
            .text("transport", provision.by_fw_cfg.then_some("fw_cfg"))
            .text("config", provision.config.as_ref().map(RecipePath::as_str))
            .text("script", provision.script.as_ref().map(RecipePath::as_str))
            .list("side_files", &files);
        std::iter::once(&section).chain(provision.typed.iter().flatten()).for_each(|section| self.section(section));
    }
}
