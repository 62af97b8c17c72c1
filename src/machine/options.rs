//! virt-install's options, and where in the domain each key of theirs stands (virtinst/cli.py and virtinst/devices, seen at 4.1).
//! Touches nothing.

use Form::{Answer, Means, Nothing, Switch, Text, There};

use crate::format::xml::Element;

/// How a value is written in XML.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Text,
    /// `on` and `off`.
    Switch,
    /// `yes` and `no`.
    Answer,
    /// An element that is there or not, and the word for its being there.
    There(&'static str),
    /// Whatever is said, unless it is switched off, means this.
    Means(&'static str),
    /// What every machine of ours has, or the host's choice.
    Nothing,
}

/// What is known of one option.
pub(crate) struct Known {
    pub option: &'static str,
    /// Names of the elements around it, below the domain.
    pub place: &'static str,
    /// Empty for the domain itself.
    pub element: &'static str,
    /// The keys that the first words need not name.
    pub first: &'static [&'static str],
    /// Each key, and where its value goes; of several spellings the first is written. A `*` is a number, which counts from 0 in
    /// a key and from 1 in a path.
    pub keys: &'static [(&'static str, &'static str, Form)],
}

const fn device(
    option: &'static str,
    first: &'static [&'static str],
    keys: &'static [(&'static str, &'static str, Form)],
) -> Known {
    Known { option, place: "devices", element: option, first, keys }
}

/// All that is known.
pub(crate) const KNOWN: &[Known] = &[
    device(
        "tpm",
        &["type"],
        &[
            ("backend.type", "./backend/@type", Text),
            ("type", "./backend/@type", Text),
            ("path", "./backend/device/@path", Text),
            ("backend.device.path", "./backend/device/@path", Text),
            ("backend.version", "./backend/@version", Text),
            ("version", "./backend/@version", Text),
            ("model", "./@model", Text),
        ],
    ),
    device("watchdog", &["model"], &[("model", "./@model", Text), ("action", "./@action", Text)]),
    device("sound", &["model"], &[("model", "./@model", Text), ("audio.id", "./audio/@id", Text)]),
    device("panic", &["model"], &[("model", "./@model", Text)]),
    device("iommu", &["model"], &[("model", "./@model", Text)]),
    device(
        "controller",
        &["type"],
        &[
            ("type", "./@type", Text),
            ("model", "./@model", Text),
            ("index", "./@index", Text),
            ("ports", "./@ports", Text),
        ],
    ),
    device("input", &["type"], &[("type", "./@type", Text), ("bus", "./@bus", Text)]),
    device("redirdev", &["bus"], &[("bus", "./@bus", Text), ("type", "./@type", Text)]),
    device("smartcard", &["mode"], &[("mode", "./@mode", Text), ("type", "./@type", Text)]),
    device(
        "vsock",
        &["model"],
        &[
            ("model", "./@model", Text),
            ("cid", "./cid/@address", Text),
            ("cid.address", "./cid/@address", Text),
            ("auto_cid", "./cid/@auto", Answer),
            ("cid.auto", "./cid/@auto", Answer),
        ],
    ),
    device(
        "video",
        &["model"],
        &[
            ("model", "./model/@type", Text),
            ("model.type", "./model/@type", Text),
            ("heads", "./model/@heads", Text),
            ("model.heads", "./model/@heads", Text),
            ("ram", "./model/@ram", Text),
            ("model.ram", "./model/@ram", Text),
            ("vram", "./model/@vram", Text),
            ("model.vram", "./model/@vram", Text),
            ("vgamem", "./model/@vgamem", Text),
            ("model.vgamem", "./model/@vgamem", Text),
            ("accel3d", "./model/acceleration/@accel3d", Answer),
            ("model.acceleration.accel3d", "./model/acceleration/@accel3d", Answer),
        ],
    ),
    device(
        "memballoon",
        &["model"],
        &[
            ("model", "./@model", Text),
            ("autodeflate", "./@autodeflate", Switch),
            ("freePageReporting", "./@freePageReporting", Switch),
            ("stats.period", "./stats/@period", Text),
        ],
    ),
    device(
        "filesystem",
        &["source", "target"],
        &[
            ("type", "./@type", Text),
            ("mode", "./@accessmode", Text),
            ("accessmode", "./@accessmode", Text),
            ("source", "./source/@dir", Text),
            ("source.dir", "./source/@dir", Text),
            ("target", "./target/@dir", Text),
            ("target.dir", "./target/@dir", Text),
            ("driver.type", "./driver/@type", Text),
            ("driver.queue", "./driver/@queue", Text),
            ("binary.path", "./binary/@path", Text),
            ("readonly", "./readonly", There("on")),
        ],
    ),
    Known {
        option: "memorybacking",
        place: "",
        element: "memoryBacking",
        first: &[],
        keys: &[
            ("hugepages", "./hugepages", There("yes")),
            ("nosharepages", "./nosharepages", There("on")),
            ("locked", "./locked", There("on")),
            ("discard", "./discard", There("on")),
            ("source.type", "./source/@type", Text),
            ("source_type", "./source/@type", Text),
            ("access.mode", "./access/@mode", Text),
            ("access_mode", "./access/@mode", Text),
            ("allocation.mode", "./allocation/@mode", Text),
        ],
    },
    Known {
        option: "features",
        place: "",
        element: "features",
        first: &[],
        keys: &[
            ("acpi", "./acpi", There("on")),
            ("apic", "./apic", There("on")),
            ("pae", "./pae", There("on")),
            ("hap", "./hap", There("on")),
            ("vmport", "./vmport/@state", Switch),
            ("vmport.state", "./vmport/@state", Switch),
            ("smm", "./smm/@state", Switch),
            ("smm.state", "./smm/@state", Switch),
            ("pmu", "./pmu/@state", Switch),
            ("pmu.state", "./pmu/@state", Switch),
            ("vmcoreinfo", "./vmcoreinfo/@state", Switch),
            ("vmcoreinfo.state", "./vmcoreinfo/@state", Switch),
            ("pvspinlock.state", "./pvspinlock/@state", Switch),
            ("ioapic.driver", "./ioapic/@driver", Text),
            ("kvm_hidden", "./kvm/hidden/@state", Switch),
            ("kvm.hidden.state", "./kvm/hidden/@state", Switch),
            ("hyperv_relaxed", "./hyperv/relaxed/@state", Switch),
            ("hyperv.relaxed.state", "./hyperv/relaxed/@state", Switch),
            ("hyperv_vapic", "./hyperv/vapic/@state", Switch),
            ("hyperv.vapic.state", "./hyperv/vapic/@state", Switch),
            ("hyperv_spinlocks", "./hyperv/spinlocks/@state", Switch),
            ("hyperv.spinlocks.state", "./hyperv/spinlocks/@state", Switch),
            ("hyperv_spinlocks_retries", "./hyperv/spinlocks/@retries", Text),
            ("hyperv.spinlocks.retries", "./hyperv/spinlocks/@retries", Text),
        ],
    },
    Known { option: "metadata", place: "", element: "", first: &[], keys: &[("description", "./description", Text)] },
    Known {
        option: "events",
        place: "",
        element: "",
        first: &[],
        keys: &[
            ("on_poweroff", "./on_poweroff", Text),
            ("on_reboot", "./on_reboot", Text),
            ("on_crash", "./on_crash", Text),
            ("on_lockfailure", "./on_lockfailure", Text),
        ],
    },
    Known {
        option: "boot",
        place: "",
        element: "os",
        first: &[],
        keys: &[
            ("uefi", "./@firmware", Means("efi")),
            ("firmware", "./@firmware", Text),
            ("loader", "./loader", Text),
            ("loader.readonly", "./loader/@readonly", Answer),
            ("loader_ro", "./loader/@readonly", Answer),
            ("loader.type", "./loader/@type", Text),
            ("loader_type", "./loader/@type", Text),
            ("loader.stateless", "./loader/@stateless", Answer),
            ("nvram", "./nvram", Text),
            ("nvram.template", "./nvram/@template", Text),
            ("nvram_template", "./nvram/@template", Text),
            ("menu", "./bootmenu/@enable", Answer),
            ("bootmenu.enable", "./bootmenu/@enable", Answer),
            ("loader_secure", "./loader/@secure", Answer),
            ("loader.secure", "./loader/@secure", Answer),
            ("firmware.feature*.name", "./firmware/feature[*]/@name", Text),
            ("firmware.feature*.enabled", "./firmware/feature[*]/@enabled", Answer),
            ("hd", "", Nothing),
            ("cdrom", "", Nothing),
        ],
    },
    Known {
        option: "sysinfo",
        place: "",
        element: "sysinfo",
        first: &["type"],
        keys: &[
            ("type", "./@type", Text),
            ("entry*.name", "./entry[*]/@name", Text),
            ("entry*.file", "./entry[*]/@file", Text),
        ],
    },
    device(
        "graphics",
        &["type"],
        &[
            ("type", "./@type", Text),
            ("port", "./@port", Text),
            ("tlsPort", "./@tlsPort", Text),
            ("tlsport", "./@tlsPort", Text),
            ("listen", "./@listen", Text),
            ("autoport", "./@autoport", Answer),
            ("keymap", "./@keymap", Text),
            ("websocket", "./@websocket", Text),
            // That there is one, never what it is.
            ("password", "./@passwd", Means("")),
        ],
    ),
    device(
        "disk",
        &["path"],
        &[
            ("path", "./source/@file", Text),
            ("size", SIZE, Text),
            ("format", "./driver/@type", Text),
            ("driver.type", "./driver/@type", Text),
            ("serial", "./serial", Text),
            ("device", "./@device", Text),
            ("backing_store", "./backingStore/source/@file", Text),
            ("backing_format", "./backingStore/format/@type", Text),
            ("boot.order", "./boot/@order", Text),
            ("boot_order", "./boot/@order", Text),
            ("bus", "./target/@bus", Text),
            ("target.bus", "./target/@bus", Text),
            ("target.dev", "./target/@dev", Text),
            ("target", "./target/@dev", Text),
            ("cache", "./driver/@cache", Text),
            ("driver.cache", "./driver/@cache", Text),
            ("driver.name", "./driver/@name", Text),
            ("driver.discard", "./driver/@discard", Text),
            ("discard", "./driver/@discard", Text),
            ("readonly", "./readonly", There("on")),
            ("source.startupPolicy", "./source/@startupPolicy", Text),
        ],
    ),
    Known {
        option: "pm",
        place: "",
        element: "pm",
        first: &[],
        keys: &[
            ("suspend_to_mem", "./suspend-to-mem/@enabled", Answer),
            ("suspend_to_mem.enabled", "./suspend-to-mem/@enabled", Answer),
            ("suspend_to_disk", "./suspend-to-disk/@enabled", Answer),
            ("suspend_to_disk.enabled", "./suspend-to-disk/@enabled", Answer),
        ],
    },
];

/// Returns the option that an element of a domain is, with its keys and values.
pub(crate) fn of(node: &Element) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    let known = KNOWN.iter().find(|known| known.element == node.name)?;
    let mut pairs: Vec<(&str, &str, String)> = vec![];
    for (key, path, form) in known.keys {
        if pairs.iter().all(|(_, written, _)| written != path) {
            pairs.extend(value(node, path, *form).map(|value| (*key, *path, value)));
        }
    }
    Some((known.option, pairs.into_iter().map(|(key, _, value)| (key, value)).collect()))
}

fn value(node: &Element, path: &str, form: Form) -> Option<String> {
    let path = path.trim_start_matches("./");
    let (parents, last) = path.rsplit_once('/').unwrap_or(("", path));
    let node = parents.split('/').filter(|name| !name.is_empty()).try_fold(node, |node, name| node.child(name))?;
    match (last.strip_prefix('@'), form) {
        (Some(name), _) => node.attribute(name).map(str::to_owned),
        (None, There(word)) => node.child(last).map(|_| word.to_owned()),
        (None, _) => None,
    }
}

/// Where the size of a disk that is to be made is kept, in GiB; a domain says nothing of it.
const SIZE: &str = "./@size";

/// The attribute that holds what `source=` names, until the type of the card is known.
pub(crate) const UNTOLD: &str = "-";

/// Keys of a network card whose value goes to one place.
pub(crate) const CARD: &[(&str, &str)] = &[
    ("type", "./@type"),
    ("source", "./source/@-"),
    ("mac", "./mac/@address"),
    ("mac.address", "./mac/@address"),
    ("model", "./model/@type"),
    ("model.type", "./model/@type"),
    ("backend.type", "./backend/@type"),
    ("source.mode", "./source/@mode"),
    ("source_mode", "./source/@mode"),
    ("source.portgroup", "./source/@portgroup"),
    ("target", "./target/@dev"),
    ("target.dev", "./target/@dev"),
    ("link_state", "./link/@state"),
    ("link.state", "./link/@state"),
    ("mtu.size", "./mtu/@size"),
    ("filterref", "./filterref/@filter"),
    ("filterref.filter", "./filterref/@filter"),
    ("driver_name", "./driver/@name"),
    ("driver.name", "./driver/@name"),
    ("driver_queues", "./driver/@queues"),
    ("driver.queues", "./driver/@queues"),
    ("virtualport_type", "./virtualport/@type"),
    ("virtualport.type", "./virtualport/@type"),
];
