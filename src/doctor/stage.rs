//! How far a boot came. What tells each step, and what to look at where nothing known stopped it, is in `known_issues.toml`.
//! Touches nothing.

use crate::base::words::vocabulary;

vocabulary! {
    /// The steps of a boot, in their order.
    Stage {
        Nowhere = "nowhere",
        Firmware = "firmware",
        Loader = "boot loader",
        Kernel = "kernel",
        Initrd = "initrd",
        Installer = "installer",
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
