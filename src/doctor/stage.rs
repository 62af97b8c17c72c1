//! How far a boot came, and what to look at where nothing known stopped it. Touches nothing.

use super::pattern::Pattern;
use crate::base::words::vocabulary;

vocabulary! {
    /// The steps of a boot, in their order.
    Stage {
        Nowhere = "nowhere",
        Firmware = "firmware",
        Loader = "boot loader",
        Kernel = "kernel",
        Initrd = "initrd",
        Ignition = "Ignition: fetch",
        IgnitionDisks = "Ignition: disks",
        IgnitionMount = "Ignition: mount",
        IgnitionFiles = "Ignition: files",
        IgnitionDone = "Ignition: done",
        Combustion = "Combustion",
        SwitchRoot = "switch root",
        System = "system",
        MultiUser = "multi-user",
        Login = "login prompt",
    }
}

/// What is only said at a step, or after it.
const MARKS: &[(Stage, &[&str])] = &[
    (Stage::Firmware, &["SeaBIOS (version", "BdsDxe: ", "UEFI firmware (version", "UEFI Interactive Shell", "iPXE "]),
    (
        Stage::Loader,
        &[
            "GNU GRUB",
            "Welcome to GRUB!",
            "GRUB loading",
            "Booting from Hard Disk",
            "Loading Linux ",
            "Loading initial ramdisk",
            "BdsDxe: starting Boot",
        ],
    ),
    (Stage::Kernel, &["^Linux version ", "^Command line: ", "Decompressing Linux..."]),
    (
        Stage::Initrd,
        &[
            "Running in initrd.",
            "Running in initial RAM",
            "dracut-",
            "Reached target initrd",
            "Reached target {} - Initrd ",
            "Expecting device ",
            "^Welcome to {}!$",
        ],
    ),
    (Stage::Ignition, &["Stage: fetch", "Starting {}Ignition (fetch"]),
    (Stage::IgnitionDisks, &["Stage: disks"]),
    (Stage::IgnitionMount, &["Stage: mount"]),
    (Stage::IgnitionFiles, &["Stage: files"]),
    (Stage::IgnitionDone, &["files: files passed", "Reached target {}Ignition Complete"]),
    (Stage::Combustion, &["Starting {} - Combustion...", "Starting Combustion...", "transactional-update {} started"]),
    (
        Stage::SwitchRoot,
        &[
            "Switching root.",
            "Starting {}Switch Root",
            "Reached target {}Switch Root",
            "Reached target {}initrd-switch-root",
        ],
    ),
    (
        Stage::System,
        &[
            "Reached target {}local-fs.target",
            "Reached target {}Local File Systems",
            "Reached target {}sysinit.target",
            "Reached target {}System Initialization",
            "Started {}Rule-based Manager for Device Events",
        ],
    ),
    (Stage::MultiUser, &["Reached target {}multi-user.target", "Reached target {}Multi-User System"]),
    (Stage::Login, super::table::LOGIN),
];

/// The patterns of the steps, taken apart once.
pub(super) struct Marks(Vec<(Stage, Vec<Pattern>)>);

impl Marks {
    pub(super) fn new() -> Self {
        let patterns = |texts: &[&'static str]| texts.iter().map(|text| Pattern::new(text)).collect();
        Self(MARKS.iter().map(|(stage, texts)| (*stage, patterns(texts))).collect())
    }

    /// Tells the step that a line belongs to, if it comes after `before`.
    pub(super) fn after(&self, before: Stage, text: &str) -> Option<Stage> {
        let later = self.0.iter().rev().take_while(|(stage, _)| *stage > before);
        let mut found = later.filter(|(_, patterns)| patterns.iter().any(|pattern| pattern.find(text).is_some()));
        found.next().map(|(stage, _)| *stage)
    }
}

impl Stage {
    /// Says what to look at where a boot ended here and nothing known is found.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Nowhere => {
                "nothing in it is of a boot: is the guest's console on the serial port (`console=ttyS0,115200`), and does the log begin at power on?"
            }
            Self::Firmware => {
                "the firmware ran, and no boot loader: look at the order of the disks, and whether the image needs UEFI"
            }
            Self::Loader => {
                "the boot loader ran, and the kernel said nothing: its console may be elsewhere (`console=ttyS0,115200`)"
            }
            Self::Kernel => {
                "the kernel ran, and no initrd: it may be busy, or its console ends here; boot without `quiet`"
            }
            Self::Initrd => {
                "it ended in the initrd: boot without `quiet` and with `rd.debug`, or wait longer where it is emulated"
            }
            Self::Ignition | Self::IgnitionDisks | Self::IgnitionMount | Self::IgnitionFiles => {
                "it ended while Ignition worked: it may be waiting for a device or a server; the log may also end too early"
            }
            Self::IgnitionDone | Self::Combustion => {
                "Ignition was done; Combustion's script may still be running, and says nothing on the console while it does"
            }
            Self::SwitchRoot | Self::System => {
                "the system was starting: look for units that wait (`systemctl list-jobs`), or let the log run longer"
            }
            Self::MultiUser => "the system is up; a login prompt on this console needs `serial-getty@ttyS0.service`",
            Self::Login => "the system is up; what failed later is in its journal: `journalctl -b -p warning`",
        }
    }
}
