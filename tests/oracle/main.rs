//! Does the field agree? Every test here asks a real tool.

#[path = "../support/launch.rs"]
mod launch;
#[path = "../support/libvirtd.rs"]
mod libvirtd;
#[path = "../support/machines.rs"]
mod machines;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/xml.rs"]
mod xml;

mod libvirt;
mod scripts;
mod virt_install;
