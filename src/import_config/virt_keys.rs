//! The keys of virt-install's options, and where in the XML each is written (virtinst/cli.py and virtinst/devices, seen at 4.1).
//! A table; touches nothing. Read next: [`super::virt_device`].

/// How a value is written in XML.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Text,
    /// `on` and `off`.
    Switch,
    /// `yes` and `no`.
    Answer,
    /// An element that is there or not.
    There,
}

use Form::{Answer, Switch, Text, There};

/// What is known of one option.
pub(crate) struct Known {
    pub option: &'static str,
    /// Names of the elements around it, below the domain.
    pub place: &'static str,
    pub element: &'static str,
    /// The keys that the first words need not name.
    pub first: &'static [&'static str],
    /// Each key, and where its value goes.
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
            ("type", "./backend/@type", Text),
            ("backend.type", "./backend/@type", Text),
            ("version", "./backend/@version", Text),
            ("backend.version", "./backend/@version", Text),
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
            ("readonly", "./readonly", There),
        ],
    ),
    Known {
        option: "memorybacking",
        place: "",
        element: "memoryBacking",
        first: &[],
        keys: &[
            ("hugepages", "./hugepages", There),
            ("nosharepages", "./nosharepages", There),
            ("locked", "./locked", There),
            ("discard", "./discard", There),
            ("source_type", "./source/@type", Text),
            ("source.type", "./source/@type", Text),
            ("access_mode", "./access/@mode", Text),
            ("access.mode", "./access/@mode", Text),
            ("allocation.mode", "./allocation/@mode", Text),
        ],
    },
    Known {
        option: "features",
        place: "",
        element: "features",
        first: &[],
        keys: &[
            ("acpi", "./acpi", There),
            ("apic", "./apic", There),
            ("pae", "./pae", There),
            ("hap", "./hap", There),
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
