//! A machine as a command or an XML describes it, on its way into a recipe. Touches nothing.

use super::options;
use crate::base::text::one_line;
use crate::base::{Arch, ByteSize, FwCfgName};
use crate::recipe::numbers::{MemorySize, Vcpus};
use crate::recipe::types::OsinfoId;
use crate::recipe::{Graphics, Hardware, Network};

/// The most that is listed of what is left out.
const MOST_SKIPPED: usize = 100;

/// What was understood.
#[derive(Default)]
pub(crate) struct Machine {
    pub name: Option<String>,
    pub description: Option<String>,
    pub arch: Option<Arch>,
    pub memory: Option<MemorySize>,
    pub vcpus: Option<Vcpus>,
    pub uefi: bool,
    /// Software emulation.
    pub tcg: bool,
    pub network: Option<Network>,
    pub graphics: Option<Graphics>,
    pub osinfo: Option<OsinfoId>,
    /// The further keys, and what only an edit of the XML can say.
    pub hardware: Hardware,
    /// In their order.
    pub disks: Vec<Disk>,
    /// The medium that the system is installed from.
    pub medium: Option<String>,
    /// Whether a medium in a drive is what is started.
    pub boots_medium: bool,
    /// The engines that get something by fw_cfg, and the file's name.
    pub fw_cfg: Vec<(FwCfgName, String)>,
    /// What was not understood, one sentence each.
    pub skipped: Vec<String>,
}

/// One disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// An absolute or relative path, or an address.
    pub path: Option<String>,
    pub size: Option<ByteSize>,
    pub format: Option<String>,
    pub serial: Option<String>,
    pub backing: Option<String>,
    pub backing_format: Option<String>,
    /// A CD-ROM or floppy drive.
    pub is_removable: bool,
}

impl Machine {
    /// Notes something that is not carried over; `text` names it without a value of it.
    pub(crate) fn skip(&mut self, text: impl AsRef<str>) {
        let text = one_line(text.as_ref(), 200);
        if self.skipped.len() < MOST_SKIPPED && !self.skipped.contains(&text) {
            self.skipped.push(text);
        }
    }

    /// Takes memory in whole MiB.
    pub(crate) fn take_memory(&mut self, bytes: Option<u64>) {
        match bytes.and_then(|bytes| ByteSize(bytes).try_into().ok()) {
            None => self.skip("the memory: a recipe has whole MiB, from 16MiB to 16TiB"),
            memory => self.memory = memory,
        }
    }

    /// Takes the number of processors.
    pub(crate) fn take_vcpus(&mut self, text: &str) {
        match Vcpus::parse(text.trim()) {
            None => self.skip("the number of processors: a recipe has 1 to 1024"),
            count => self.vcpus = count,
        }
    }

    /// Takes the processor.
    pub(crate) fn take_arch(&mut self, text: &str) {
        self.arch = Arch::parse(text);
        if self.arch.is_none() {
            self.skip(format!("the processor `{}`: a recipe has {}", one_line(text, 40), Arch::WORDS.join(" or ")));
        }
    }

    /// Takes a screen; a machine of a recipe has one.
    pub(crate) fn take_graphics(&mut self, kind: &str) {
        let graphics = Graphics::parse(kind);
        match graphics {
            Some(_) if self.graphics.is_some() => self.skip("a second screen: a recipe's machine has one"),
            Some(_) => self.graphics = graphics,
            None => self.skip(format!("a screen of type `{}`", one_line(kind, 40))),
        }
    }

    /// Takes an entry of fw_cfg; `file` is empty where the bytes themselves were given.
    pub(crate) fn take_fw_cfg(&mut self, name: &str, file: &str) {
        match FwCfgName::parse(name) {
            Some(name) => self.fw_cfg.push((name, file.to_owned())),
            None => self.skip(format!(
                "the fw_cfg entry `{}`: only those of Ignition and Combustion have a key",
                one_line(name, 60)
            )),
        }
    }

    /// Takes arguments of QEMU itself, of which only `-fw_cfg` is known.
    pub(crate) fn take_qemu(&mut self, words: &[String]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if !matches!(word.as_str(), "-fw_cfg" | "--fw_cfg") {
                if word.starts_with('-') {
                    self.skip(format!(
                        "the QEMU argument `{}`",
                        one_line(word.split('=').next().unwrap_or_default(), 40)
                    ));
                }
                continue;
            }
            let pairs = options::qemu(words.next().map(String::as_str).unwrap_or_default());
            let first = pairs.first().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str());
            match options::value(&pairs, "name").or(first) {
                Some(name) => self.take_fw_cfg(name, options::value(&pairs, "file").unwrap_or_default()),
                None => self.skip("the QEMU argument `-fw_cfg` without a name"),
            }
        }
    }
}
