//! A `virt-install` command → a machine (virt-install(1), seen at 4.1). Touches nothing.
//!
//! A variable that the text does not set once is not known, so an option that holds one is left out and named. So is every
//! option that is not known here, by its name alone. What an option says of the domain becomes the element that virt-install makes
//! of it, and is taken like that of a domain. Read next: [`super::virt_device`].

use super::found::Machine;
use super::options::{self, Pair};
use super::virt_machine::{character, first, memory, of_machine, vcpus};
use super::words::{self, Word, WordsError};
use super::{domain, hardware, virt_device, xpath};
use crate::base::text::one_line;
use crate::format::xml::{Element, element};
use crate::machine::options::KNOWN;
use crate::recipe::Network;

/// Options that say how the command runs, or what every machine of ours has.
const QUIET: [&str; 13] = [
    "import",
    "noautoconsole",
    "autoconsole",
    "connect",
    "print-xml",
    "dry-run",
    "wait",
    "check",
    "quiet",
    "debug",
    "noreboot",
    "force",
    "hvm",
];
/// What argparse of virt-install takes for another.
const SHORT: [(&str, &str); 10] = [
    ("-n", "name"),
    ("-r", "memory"),
    ("--ram", "memory"),
    ("-c", "cdrom"),
    ("-l", "location"),
    ("-x", "extra-args"),
    ("-w", "network"),
    ("-q", "quiet"),
    ("-d", "debug"),
    ("--os-variant", "osinfo"),
];

/// Why there is no machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error("it holds no `virt-install` command")]
    None,
    /// Which of them is meant cannot be known.
    #[error("it holds {0} `virt-install` commands")]
    Several(usize),
}

/// The program's name.
pub(super) const PROGRAM: &str = "virt-install";

/// Returns the text without root's prompt, which would make a comment of a command that a blog shows.
pub(super) fn without_prompt(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').replace("\n# virt-install", "\nvirt-install");
    text.strip_prefix("# virt-install").map(|rest| format!("virt-install{rest}")).unwrap_or(text)
}

/// Reads the one command of a text.
pub(crate) fn read(text: &str) -> Result<Machine, CommandError> {
    let all = words::read(&without_prompt(text))?.commands;
    let found = |words: &&[Word]| words.first().is_some_and(|word| word.text.rsplit('/').next() == Some(PROGRAM));
    let mut commands = all.iter().filter_map(|words| Some(&words[words::program(words)?..])).filter(found);
    let command = commands.next().ok_or(CommandError::None)?;
    match commands.count() {
        0 => Ok(machine(&command[1..])),
        more => Err(CommandError::Several(more + 1)),
    }
}

/// What is gathered of a command before it can be taken.
struct Command {
    machine: Machine,
    /// What the options would make of the domain.
    domain: Element,
    /// Every `--xml`, in its order.
    edits: Vec<Vec<Pair>>,
    /// What every `--qemu-commandline` hands to QEMU; an option and its value may stand in two.
    qemu: Vec<String>,
}

fn machine(words: &[Word]) -> Machine {
    let (machine, domain) = (Machine::default(), element("domain"));
    let mut command = Command { machine, domain, edits: vec![], qemu: vec![] };
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if !word.text.starts_with('-') {
            match word.text.as_str() {
                // Where a script hands its own arguments on.
                "$@" | "$*" => {}
                _ if word.expands => command.machine.skip("a word that a shell would expand to options"),
                _ => command.machine.skip("a word that belongs to no option"),
            }
            continue;
        }
        let (name, inside) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(Word { text: value.to_owned(), expands: word.expands })),
            None => (word.text.as_str(), None),
        };
        let name =
            SHORT.iter().find(|(short, _)| *short == name).map_or(name.trim_start_matches('-'), |(_, long)| *long);
        let name = whole(name);
        let is_flag = FLAGS.contains(&name);
        let value = inside.or_else(|| words.next_if(|word| !is_flag && !word.text.starts_with("--")).cloned());
        command.option(name, &value.unwrap_or_default());
    }
    command.finish()
}

impl Command {
    fn finish(self) -> Machine {
        let Self { mut machine, domain, edits, qemu } = self;
        machine.take_qemu(&qemu);
        domain::take(&domain, &mut machine);
        xpath::domain(&edits, &mut machine);
        hardware::settle(&mut machine);
        machine
    }

    fn option(&mut self, name: &str, value: &Word) {
        if QUIET.contains(&name) {
            return;
        }
        let (machine, shown) = (&mut self.machine, one_line(name, 40));
        if value.expands {
            return machine.skip(format!("--{shown}: it holds something that a shell would expand"));
        }
        let Some(pairs) = options::virt(&value.text) else {
            return machine.skip(format!("--{shown}: a quote in its value is never closed"));
        };
        if name == "qemu-commandline" {
            return self.qemu(&value.text);
        }
        if self.of_domain(name, &pairs) || self.of_disks(name, &value.text, &pairs) {
            return;
        }
        of_machine(name, &value.text, &pairs, &mut self.machine);
    }

    /// `--qemu-commandline` holds words of its own: `-fw_cfg name=…,file=…`, or `args=` before them.
    fn qemu(&mut self, text: &str) {
        let text = text.strip_prefix("args=").unwrap_or(text);
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        match shlex::split(text) {
            Some(words) => self.qemu.extend(words),
            None => self.machine.skip("--qemu-commandline: a quote in its value is never closed"),
        }
    }

    /// Takes what becomes an element of the domain; returns whether it was that.
    fn of_domain(&mut self, name: &str, pairs: &[Pair]) -> bool {
        let (machine, domain) = (&mut self.machine, &mut self.domain);
        let none = matches!(pairs, [(word, None)] if word == "none");
        match name {
            "cpu" => domain.children.extend(virt_device::cpu(pairs, machine)),
            "clock" => virt_device::clock(pairs, domain, machine),
            "network" | "nonetworks" => {
                let node = (name == "network").then(|| virt_device::network(pairs, machine)).flatten();
                match node {
                    Some(node) => domain.child_mut("devices").children.push(node),
                    None => machine.network = machine.network.take().or(Some(Network::None)),
                }
            }
            "xml" => self.edits.push(pairs.to_vec()),
            "controller" if matches!(pairs, [(word, None)] if word == "usb3") => {}
            "controller" if matches!(pairs, [(word, None)] if word == "usb2") => {
                machine.skip("--controller usb2: the machine has a controller of USB 3");
            }
            "serial" | "console" | "channel" | "rng" => character(name, pairs, machine),
            "memory" => memory(pairs, domain, machine),
            "vcpus" => vcpus(pairs, domain, machine),
            "tpm" | "sound" | "vsock" | "redirdev" | "disk" if none => {}
            "video" if none => virt_device::take_none("video", domain),
            _ => match virt_device::known(name) {
                Some(known) => virt_device::take(known, pairs, domain, machine),
                None => return false,
            },
        }
        true
    }

    /// Takes what the machine starts from.
    fn of_disks(&mut self, name: &str, text: &str, pairs: &[Pair]) -> bool {
        let machine = &mut self.machine;
        match name {
            "cdrom" => medium(text, machine),
            "location" => location(pairs, machine),
            "install" => {
                machine.boots_medium = pairs.iter().any(|(key, _)| key == "kernel");
                machine.skip("--install: a SelfInstall ISO is installed from by itself");
            }
            _ => return false,
        }
        true
    }
}

/// Returns the option that a beginning of its name is short for, as argparse takes it; one that is short for several it refuses.
fn whole(name: &str) -> &str {
    let known = OTHERS.iter().chain(&QUIET).chain(&FLAGS).copied().chain(KNOWN.iter().map(|known| known.option));
    let mut found: Vec<_> = known.filter(|known| known.starts_with(name)).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        _ if found.contains(&name) => name,
        [one] => one,
        _ => name,
    }
}

/// Options that are read, and are none of the other tables.
const OTHERS: [&str; 25] = [
    "name",
    "description",
    "arch",
    "machine",
    "virt-type",
    "osinfo",
    "mac",
    "uuid",
    "memory",
    "vcpus",
    "cpu",
    "clock",
    "network",
    "xml",
    "serial",
    "console",
    "channel",
    "rng",
    "cdrom",
    "location",
    "install",
    "qemu-commandline",
    "extra-args",
    "os-variant",
    "file",
];

/// Options that have no value, behind which a word would be taken for one.
const FLAGS: [&str; 4] = ["autostart", "import", "nographics", "nonetworks"];

fn medium(path: &str, machine: &mut Machine) {
    machine.medium = Some(path.to_owned());
}

fn location(pairs: &[Pair], machine: &mut Machine) {
    match first(pairs, "location") {
        Some(path) if path.to_ascii_lowercase().ends_with(".iso") => medium(path, machine),
        _ => machine.skip("--location: only a SelfInstall ISO can be installed from; its file ends in .iso"),
    }
    if pairs.len() > 1 {
        machine.skip("--location kernel, initrd: they are found in the ISO");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ByteSize, FwCfgName, Name};
    use crate::recipe::Graphics;
    use crate::recipe::numbers::Vcpus;

    fn command(arguments: &str) -> Machine {
        read(&format!("virt-install {arguments}")).unwrap()
    }

    #[test]
    fn a_command_tells_its_machine() {
        let machine = command(
            "--name nas --memory 4096 --vcpus=4 --boot uefi --osinfo opensusetumbleweed --network bridge=br0,model=virtio \
             --graphics vnc --virt-type qemu --import --disk path=/x/a.qcow2,serial=s,bus=virtio --disk size=20.5,serial=tank \
             --sysinfo type=fwcfg,entry0.name=opt/com.coreos/config,entry0.file=/x/config.ign --noautoconsole",
        );
        assert_eq!(machine.skipped, [""; 0]);
        assert_eq!(
            (machine.name.as_deref(), machine.memory.map(ByteSize::from), machine.vcpus),
            (Some("nas"), Some(ByteSize::gib(4)), Some(Vcpus(4)))
        );
        assert_eq!((machine.uefi, machine.tcg, machine.graphics), (true, true, Some(Graphics::Vnc)));
        assert_eq!(machine.network, Some(Network::Bridge(Name::parse("br0").unwrap())));
        assert_eq!(machine.osinfo.as_deref(), Some("opensusetumbleweed"));
        assert_eq!(machine.disks[1].size, Some(ByteSize((20 << 30) + (1 << 29))));
        assert_eq!(machine.fw_cfg, [(FwCfgName::Ignition, "/x/config.ign".to_owned())]);
    }

    #[test]
    fn qemus_own_arguments_are_read_in_every_spelling() {
        for spelling in [
            "--qemu-commandline=\"-fw_cfg name=opt/com.coreos/config,file=/x,,y\"",
            "--qemu-commandline '-fw_cfg opt/com.coreos/config,file=/x,,y'",
            "--qemu-commandline 'args=\"-fw_cfg name=opt/com.coreos/config,file=/x,,y\"'",
        ] {
            assert_eq!(command(spelling).fw_cfg, [(FwCfgName::Ignition, "/x,y".to_owned())], "{spelling}");
        }
        let other = command("--qemu-commandline '-fw_cfg name=opt/other,string=SECRET -device x,password=SECRET'");
        assert_eq!(other.skipped.len(), 2);
        assert!(other.skipped.iter().all(|line| !line.contains("SECRET")), "{:?}", other.skipped);
    }

    #[test]
    fn sec_4_what_is_left_out_is_named_without_its_value() {
        let machine = command(
            "--name \"$NAME\" --graphics vnc,password=SECRET --unattended admin-password-file=SECRET --memory lots \
             --network macvtap,source=SECRET --cloud-init root-password-generate=on --tpm backend=SECRET SECRET --vcpus 2,maxvcpus=4 \
             --sound ich9,SECRET --cpu host,SECRET --network user,SECRET --xml ./a/@b=SECRET --console file,path=SECRET --events SECRET \
             --tpm emulator,backend.encryption.secret=SECRET",
        );
        assert!(machine.skipped.len() >= 7, "{:?}", machine.skipped);
        assert!(machine.skipped.iter().all(|line| !line.contains("SECRET")), "{:?}", machine.skipped);
        assert_eq!(machine.name, None);
    }

    /// As virt-install 4.1 prints it.
    #[test]
    fn short_forms_give_what_virt_install_gives() {
        for (short, expected) in [
            ("--sound default", "<sound model=\"ich9\"/>"),
            ("--sound model=default", "<sound model=\"ich9\"/>"),
            ("--tpm /dev/tpm0", "<tpm><backend type=\"passthrough\"><device path=\"/dev/tpm0\"/></backend></tpm>"),
            ("--panic default", "<panic model=\"isa\"/>"),
            ("--panic", "<panic model=\"isa\"/>"),
        ] {
            let edits = command(short).hardware.xml;
            let edits: Vec<_> = edits.iter().map(|edit| edit.element().to_text()).collect();
            assert_eq!(edits, [expected], "{short}");
        }
        for short in ["--vcpu 4", "--vcpus=4", "--vcpu=vcpus=4"] {
            assert_eq!(command(short).vcpus, Some(Vcpus(4)), "{short}");
        }
        assert_eq!(command("--desc hello").description.as_deref(), Some("hello"));
        assert_eq!(command("--file /x").skipped, ["--file"], "it is short for nothing");
        let parts = "--qemu-commandline=-fw_cfg --qemu-commandline name=opt/com.coreos/config,file=/x --qemu-commandline=-snapshot";
        let machine = command(parts);
        assert_eq!(machine.fw_cfg, [(FwCfgName::Ignition, "/x".to_owned())]);
        assert_eq!(machine.skipped, ["the QEMU argument `-snapshot`"]);
    }

    #[test]
    fn which_command_is_meant_must_be_clear() {
        assert_eq!(read("echo hi").err(), Some(CommandError::None));
        assert_eq!(read("virt-install a\nvirt-install b").err(), Some(CommandError::Several(2)));
        assert_eq!(read("virt-install --name 'x").err(), Some(CommandError::Words(WordsError::Quote(1))));
        for prompt in ["# virt-install --name x", "$ sudo virt-install --name x", "cd y\n# virt-install \\\n  -n x"] {
            assert_eq!(read(prompt).unwrap().name.as_deref(), Some("x"), "{prompt}");
        }
    }
}
