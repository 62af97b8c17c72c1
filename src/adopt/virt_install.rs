//! A `virt-install` command → a machine (virt-install(1), seen at 4.1). Touches nothing.
//!
//! Words are taken as they stand: a variable is not looked up, so an option that holds one is left out and named. So is every
//! option that is not known here, by its name alone.

use super::found::{Disk, Machine};
use super::options::{self, Pair};
use super::words::{self, Word, WordsError};
use crate::base::text::one_line;
use crate::base::{ByteSize, Name};

/// Options that say how the command runs, or what every machine of ours has.
const QUIET: [&str; 21] = [
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
    "serial",
    "console",
    "rng",
    "channel",
    "memballoon",
    "events",
    "clock",
    "features",
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
pub enum CommandError {
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error("it holds no `virt-install` command")]
    None,
    /// Which of them is meant cannot be known.
    #[error("it holds {0} `virt-install` commands")]
    Several(usize),
}

/// Reads the one command of a text.
pub fn read(text: &str) -> Result<Machine, CommandError> {
    // A line that a blog shows with root's prompt would be a comment.
    let text = text.trim_start_matches('\u{feff}').replace("\n# virt-install", "\nvirt-install");
    let text = text.strip_prefix("# virt-install").map_or_else(|| text.clone(), |rest| format!("virt-install{rest}"));
    let is_command = |word: &Word| word.text.rsplit('/').next() == Some("virt-install");
    let all = words::commands(&text)?;
    let mut commands = all.iter().filter_map(|words| Some(&words[words.iter().position(is_command)? + 1..]));
    let command = commands.next().ok_or(CommandError::None)?;
    match commands.count() {
        0 => Ok(machine(command)),
        more => Err(CommandError::Several(more + 1)),
    }
}

fn machine(words: &[Word]) -> Machine {
    let mut machine = Machine::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if !word.text.starts_with('-') {
            machine.leave("a word that belongs to no option");
            continue;
        }
        let (name, inside) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(Word { text: value.to_owned(), expands: word.expands })),
            None => (word.text.as_str(), None),
        };
        let name =
            SHORT.iter().find(|(short, _)| *short == name).map_or(name.trim_start_matches('-'), |(_, long)| *long);
        let value = inside.or_else(|| words.next_if(|word| !word.text.starts_with("--")).cloned());
        option(name, value.unwrap_or_default(), &mut machine);
    }
    machine
}

fn option(name: &str, value: Word, machine: &mut Machine) {
    if QUIET.contains(&name) {
        return;
    }
    if value.expands {
        return machine.leave(format!("--{}: it holds something that a shell would expand", one_line(name, 40)));
    }
    let Some(pairs) = options::virt(&value.text) else {
        return machine.leave(format!("--{}: a quote in its value is never closed", one_line(name, 40)));
    };
    let text = value.text.as_str();
    match name {
        "name" => machine.name = Some(text.to_owned()),
        "description" => machine.description = Some(text.to_owned()),
        "metadata" => known(name, &pairs, &["description"], machine, |machine, pairs| {
            machine.description = options::value(pairs, "description").map(str::to_owned);
        }),
        "memory" => known(name, &pairs, &["memory", "currentMemory"], machine, |machine, pairs| {
            machine.take_memory(first(pairs, "memory").and_then(|mib| mib.parse::<u64>().ok()?.checked_mul(1 << 20)));
        }),
        "vcpus" => known(name, &pairs, &["vcpus"], machine, |machine, pairs| {
            machine.take_vcpus(first(pairs, "vcpus").unwrap_or_default());
        }),
        "arch" => machine.take_arch(text),
        "machine" if text.contains("q35") || text == "virt" => {}
        "virt-type" => virt_type(text, machine),
        "cpu" if matches!(text, "host-passthrough" | "host" | "maximum" | "host-model") => {}
        "boot" => boot(&pairs, machine),
        "osinfo" => osinfo(&pairs, machine),
        "disk" => disk(&pairs, machine),
        "cdrom" => medium(text, machine),
        "location" => location(&pairs, machine),
        "network" => network(&pairs, machine),
        "nonetworks" => machine.take_network("none", None),
        "graphics" => known(name, &pairs, &["type", "listen"], machine, |machine, pairs| {
            machine.take_graphics(first(pairs, "type").unwrap_or_default());
        }),
        "nographics" => machine.take_graphics("none"),
        "sysinfo" => sysinfo(&pairs, machine),
        "qemu-commandline" => qemu(text, machine),
        "video" | "tpm" | "sound" if text == "none" || text == "virtio" || text.starts_with("model=virtio") => {}
        "uuid" | "mac" => machine.leave(format!("--{name}: it follows from the recipe")),
        _ => machine.leave(format!("--{}", one_line(name, 40))),
    }
}

/// Returns a key's value, or the first word, which needs no key.
fn first<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    let positional = pairs.first().filter(|(_, value)| value.is_none()).map(|(word, _)| word.as_str());
    options::value(pairs, key).or(positional)
}

/// Takes what is known of an option and names the rest.
fn known(name: &str, pairs: &[Pair], keys: &[&str], machine: &mut Machine, take: impl FnOnce(&mut Machine, &[Pair])) {
    take(machine, pairs);
    let rest = pairs.iter().enumerate().filter(|(index, (key, value))| {
        let positional = *index == 0 && value.is_none();
        !positional && !keys.contains(&key.as_str())
    });
    for (_, (key, _)) in rest {
        machine.leave(format!("--{name} {}", one_line(key, 60)));
    }
}

fn virt_type(text: &str, machine: &mut Machine) {
    match text {
        "kvm" => {}
        "qemu" => machine.tcg = true,
        _ => machine.leave(format!("--virt-type {}", one_line(text, 40))),
    }
}

fn boot(pairs: &[Pair], machine: &mut Machine) {
    let keys = [
        "uefi",
        "firmware",
        "loader",
        "loader.readonly",
        "loader.type",
        "loader_ro",
        "loader_type",
        "loader_secure",
        "nvram",
        "nvram.template",
        "nvram_template",
        "hd",
        "cdrom",
        "menu",
        "bootmenu.enable",
        "loader.secure",
    ];
    known("boot", pairs, &keys, machine, |machine, pairs| {
        let efi = |(key, value): &Pair| match key.as_str() {
            "uefi" => true,
            "firmware" => value.as_deref() == Some("efi"),
            "loader" => true,
            _ => false,
        };
        machine.uefi |= pairs.iter().any(efi);
        let secure = |(key, value): &Pair| {
            matches!(key.as_str(), "loader_secure" | "loader.secure") && value.as_deref() == Some("yes")
        };
        if pairs.iter().any(secure) {
            machine.leave("--boot loader_secure: a recipe's machine has no secure boot");
        }
    });
}

fn osinfo(pairs: &[Pair], machine: &mut Machine) {
    let name = first(pairs, "name").or_else(|| options::value(pairs, "short-id"));
    machine.osinfo =
        name.filter(|name| !matches!(*name, "auto" | "none" | "detect")).and_then(|name| Name::parse(name).ok());
}

fn disk(pairs: &[Pair], machine: &mut Machine) {
    let keys = [
        "path",
        "size",
        "format",
        "driver.type",
        "serial",
        "bus",
        "target.bus",
        "target.dev",
        "backing_store",
        "backing_format",
        "device",
        "cache",
        "driver.cache",
        "driver.name",
        "readonly",
        "boot.order",
        "boot_order",
        "sparse",
        "discard",
        "driver.discard",
        "target",
    ];
    known("disk", pairs, &keys, machine, |machine, pairs| {
        let get = |key: &str| options::value(pairs, key);
        let path = first(pairs, "path").filter(|path| *path != "none").map(str::to_owned);
        let removable = matches!(get("device"), Some("cdrom" | "floppy"));
        if path.is_none() && get("size").is_none() && get("backing_store").is_none() {
            return machine.leave("--disk: neither a path nor a size");
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        machine.disks.push(Disk {
            path,
            size: get("size").and_then(gib),
            format: owned(get("format").or(get("driver.type"))),
            serial: owned(get("serial")),
            backing: owned(get("backing_store")),
            backing_format: owned(get("backing_format")),
            is_removable: removable,
        });
    });
}

/// Reads a size of virt-install: GiB, which may have a fraction.
fn gib(text: &str) -> Option<ByteSize> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 10;
    if !digits(whole) || !digits(fraction) || text.is_empty() || whole.is_empty() {
        return None;
    }
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = u128::from(if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? });
    let bytes = (u128::from(whole.parse::<u64>().ok()?) << 30) + (fraction << 30) / u128::from(parts);
    // virt-install rounds as it likes; a recipe has whole sectors.
    u64::try_from(bytes / 512 * 512).ok().map(ByteSize)
}

fn medium(path: &str, machine: &mut Machine) {
    machine.medium = Some(path.to_owned());
}

fn location(pairs: &[Pair], machine: &mut Machine) {
    match first(pairs, "location") {
        Some(path) if path.to_ascii_lowercase().ends_with(".iso") => medium(path, machine),
        _ => machine.leave("--location: only a SelfInstall ISO can be installed from; its file ends in .iso"),
    }
    if pairs.len() > 1 {
        machine.leave("--location kernel, initrd: they are found in the ISO");
    }
}

fn network(pairs: &[Pair], machine: &mut Machine) {
    let keys = ["network", "bridge", "type", "model", "model.type", "source", "virtualport_type"];
    let pairs: Vec<Pair> = match pairs.split_first() {
        // The old spelling `network:default`.
        Some(((word, None), rest)) if word.contains(':') => {
            let (kind, name) = word.split_once(':').unwrap_or_default();
            std::iter::once((kind.to_owned(), Some(name.to_owned()))).chain(rest.iter().cloned()).collect()
        }
        _ => pairs.to_vec(),
    };
    known("network", &pairs, &keys, machine, |machine, pairs| {
        let get = |key: &str| options::value(pairs, key);
        match (get("network"), get("bridge")) {
            (Some(name), _) => machine.take_network("network", Some(name)),
            (_, Some(name)) => machine.take_network("bridge", Some(name)),
            _ => machine.take_network(first(pairs, "type").unwrap_or_default(), get("source").or(Some("default"))),
        }
        if get("model").or(get("model.type")).is_some_and(|model| model != "virtio") {
            machine.leave("--network model: it is virtio");
        }
    });
}

fn sysinfo(pairs: &[Pair], machine: &mut Machine) {
    if first(pairs, "type") != Some("fwcfg") {
        return machine.leave("--sysinfo");
    }
    for (key, name) in pairs {
        let Some(entry) = key.strip_suffix(".name").filter(|entry| entry.starts_with("entry")) else { continue };
        let file = options::value(pairs, &format!("{entry}.file"));
        machine.take_fw_cfg(name.as_deref().unwrap_or_default(), file.unwrap_or_default());
    }
}

/// `--qemu-commandline` holds words of its own: `-fw_cfg name=…,file=…`, or `args=` before them.
fn qemu(text: &str, machine: &mut Machine) {
    let text = text.strip_prefix("args=").unwrap_or(text);
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match shlex::split(text) {
        Some(words) => machine.take_qemu(&words),
        None => machine.leave("--qemu-commandline: a quote in its value is never closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FwCfgName;
    use crate::recipe::{Graphics, Network};

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
        assert_eq!(machine.left, [""; 0]);
        assert_eq!(
            (machine.name.as_deref(), machine.memory, machine.vcpus),
            (Some("nas"), Some(ByteSize::gib(4)), Some(4))
        );
        assert_eq!((machine.uefi, machine.tcg, machine.graphics), (true, true, Some(Graphics::Vnc)));
        assert_eq!(machine.network, Some(Network::Bridge(Name::parse("br0").unwrap())));
        assert_eq!(machine.osinfo, Name::parse("opensusetumbleweed").ok());
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
        assert_eq!(other.left.len(), 2);
        assert!(other.left.iter().all(|line| !line.contains("SECRET")), "{:?}", other.left);
    }

    #[test]
    fn sec_4_what_is_left_out_is_named_without_its_value() {
        let machine = command(
            "--name \"$NAME\" --graphics vnc,password=SECRET --unattended admin-password-file=SECRET --memory lots \
             --network macvtap,source=SECRET --cloud-init root-password-generate=on --tpm backend=SECRET SECRET --vcpus 2,maxvcpus=4",
        );
        assert!(machine.left.len() >= 7, "{:?}", machine.left);
        assert!(machine.left.iter().all(|line| !line.contains("SECRET")), "{:?}", machine.left);
        assert_eq!(machine.name, None);
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
