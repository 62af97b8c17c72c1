//! What a domain says besides: the further keys of `[machine]`, and `[[machine.xml]]` for the rest. Touches nothing.
//!
//! Most of what `virsh dumpxml` prints nobody wrote: libvirt and virt-install added it, or it is in every machine of ours. Of
//! that, only what differs from ours, as [`crate::machine::standing`] has it, is taken.

use super::found::Machine;
use super::{edit, hardware};
use crate::base::text::one_line;
use crate::base::{Arch, ByteSize};
use crate::format::xml::{Element, fixed};
use crate::guest_report::PORT;
use crate::machine::keys::{Spec, elements};
use crate::machine::standing::{VIDEO, named, standing};
use crate::recipe::Graphics;

/// Elements of a domain that are read elsewhere.
const READ: [&str; 11] =
    ["name", "uuid", "description", "memory", "currentMemory", "vcpu", "os", "sysinfo", "features", "clock", "devices"];
/// Elements in `<os>` that are read elsewhere, or are libvirt's choice.
const OS: [&str; 10] = ["type", "firmware", "loader", "nvram", "boot", "kernel", "initrd", "cmdline", "init", "dtb"];

/// Takes all that is not read elsewhere.
pub(crate) fn take(domain: &Element, machine: &mut Machine) {
    let parts = |name: &str| domain.child(name).map(|node| node.children.as_slice()).unwrap_or_default();
    let arch = machine.arch.unwrap_or(Arch::X86_64);
    features(parts("features"), arch, machine);
    edit::differ(machine, "clock", parts("clock"), standing("clock", arch), Some("name"));
    if domain.of("clock", "offset").is_some_and(|offset| offset != "utc") {
        machine.skip("<clock>: the guest's is in UTC");
    }
    for node in parts("os").iter().filter(|node| !OS.contains(&node.name.as_str())) {
        os(node, machine);
    }
    for node in domain.children.iter().filter(|node| node.is_foreign || !READ.contains(&node.name.as_str())) {
        part(node, arch, machine);
    }
    for node in domain.all("devices") {
        devices(&node.children, arch, machine);
    }
}

fn features(theirs: &[Element], arch: Arch, machine: &mut Machine) {
    let mut ours = standing("features", arch);
    ours.extend(elements("features", &Spec { arch, memory: ByteSize(0), hardware: &machine.hardware }));
    // libvirt puts the host's interrupt controller there.
    let theirs: Vec<_> = theirs.iter().filter(|node| arch == Arch::X86_64 || node.name != "gic").cloned().collect();
    edit::differ(machine, "features", &theirs, ours, None);
}

fn os(node: &Element, machine: &mut Machine) {
    match node.name.as_str() {
        "smbios" if node.attribute("mode") == Some("sysinfo") => machine.skip("<smbios>: <sysinfo> goes with it"),
        "bootmenu" if node.attribute("enable") == Some("no") => {}
        _ => edit::add(machine, "os", node),
    }
}

fn part(node: &Element, arch: Arch, machine: &mut Machine) {
    let alone = std::slice::from_ref(node);
    match node.name.as_str() {
        "commandline" if node.is_foreign => {}
        _ if node.is_foreign => edit::add(machine, ".", node),
        "cpu" => hardware::cpu(node, machine),
        "memoryBacking" => hardware::keys("memoryBacking", node.children.clone(), machine),
        // A machine that installs ends there by itself.
        "on_reboot" if node.text == "restart" || machine.boots_medium => {}
        "on_reboot" => machine.skip("<on_reboot>: the machine starts again"),
        "title" if machine.description.as_ref() == Some(&node.text) => {}
        "metadata" if node.children.iter().all(|child| child.name == "libosinfo") => {}
        "metadata" => machine.skip("<metadata>: it has name spaces of its own"),
        "genid" => machine.skip("<genid>: it is this machine's own"),
        "resource" if node.child("partition").is_some_and(|node| node.text == "/machine") => {}
        "seclabel" if node.attribute("type") == Some("dynamic") => {}
        name => edit::differ(machine, ".", alone, named("domain", name, arch), None),
    }
}

/// Devices of which a machine of ours has one, gathered.
#[derive(Default)]
struct Gathered {
    video: Vec<Element>,
    standing: Vec<Element>,
    usb: Vec<Element>,
    serials: usize,
}

fn devices(nodes: &[Element], arch: Arch, machine: &mut Machine) {
    let mut gathered = Gathered::default();
    for node in nodes {
        device(node, arch, &mut gathered, machine);
    }
    let screen = machine.graphics.is_some_and(|graphics| graphics != Graphics::None);
    edit::differ(machine, "devices", &gathered.video, screen.then(|| fixed(VIDEO)).into_iter().collect(), None);
    edit::differ(machine, "devices", &gathered.standing, standing("devices", arch), None);
    usb(&gathered.usb, machine);
}

fn device(node: &Element, arch: Arch, gathered: &mut Gathered, machine: &mut Machine) {
    match node.name.as_str() {
        "disk" | "graphics" => {}
        "emulator" => emulator(node, machine),
        "interface" => hardware::interface(node, machine),
        // libvirt gives q35 one by itself.
        "watchdog" if fixed(ITCO).covers(&edit::bare(node, machine)) => {}
        "controller" => controller(node, gathered, machine),
        "input" => input(node, arch == Arch::Aarch64, machine),
        "serial" => serial(node, gathered, machine),
        "console" => console(node, machine),
        "channel" => channel(node, machine),
        "audio" if matches!(node.attribute("type"), Some("none" | "spice")) => {}
        "video" => gathered.video.extend(video(node, machine)),
        "memballoon" => gathered.standing.push(edit::bare(node, machine)),
        "rng" => gathered.standing.push(rng(node, machine)),
        _ => {
            let node = edit::bare(node, machine);
            hardware::keys("devices", vec![node], machine);
        }
    }
}

const ITCO: &str = "<watchdog model='itco' action='reset'/>";

fn emulator(node: &Element, machine: &mut Machine) {
    let file = node.text.rsplit('/').next().unwrap_or_default();
    if !file.starts_with("qemu") {
        machine.skip("<emulator>: the host's QEMU is");
    }
}

/// libvirt writes which screen is the first, and that it is one.
fn video(node: &Element, machine: &Machine) -> Option<Element> {
    let mut node = edit::bare(node, &mut Machine::default());
    for model in node.children.iter_mut().filter(|child| child.name == "model") {
        model.retain_attributes(|name, value| !matches!((name, value), ("heads", "1") | ("primary", "yes")));
    }
    let none =
        node.of("model", "type") == Some("none") && machine.graphics.is_none_or(|graphics| graphics == Graphics::None);
    (!none).then_some(node)
}

fn rng(node: &Element, machine: &mut Machine) -> Element {
    let mut node = edit::bare(node, machine);
    for backend in node.children.iter_mut().filter(|child| child.attribute("model") == Some("random")) {
        // What older versions of virt-install wrote; Linux makes no difference between them any more.
        if matches!(backend.text.as_str(), "" | "/dev/random") {
            backend.text = "/dev/urandom".to_owned();
        }
    }
    node
}

/// Buses are libvirt's to choose, and our disks need none of them; only of ours the user may have chosen more.
fn controller(node: &Element, gathered: &mut Gathered, machine: &mut Machine) {
    let mut node = edit::bare(node, machine);
    node.retain_attributes(|name, _| name != "index");
    match node.attribute("type") {
        Some("usb") if node.attribute("model").is_none_or(|model| model == "qemu-xhci") => gathered.usb.push(node),
        Some("scsi" | "virtio-serial") if node.child("driver").is_some() => {
            machine.skip("<controller>: its <driver>");
        }
        // There ours has one, for the installer's drive.
        Some("scsi") if machine.arch == Some(Arch::Aarch64) => {}
        Some("scsi") => machine.skip("<controller>: scsi; the machine's disks are on virtio"),
        _ => {}
    }
}

/// Replaces our USB controller where there is one that is another; several together are the host's own arrangement.
fn usb(theirs: &[Element], machine: &mut Machine) {
    let [node] = theirs else { return };
    let more = node.attributes().any(|(name, value)| !matches!((name, value), ("type" | "model", _) | ("ports", "15")));
    if node.attribute("model").is_some() && (more || !node.children.is_empty()) {
        edit::replace(machine, "devices", node, Some("type"));
    }
}

fn input(node: &Element, arm: bool, machine: &mut Machine) {
    let node = edit::bare(node, machine);
    let plain = node.children.is_empty() && node.attributes().all(|(name, _)| matches!(name, "type" | "bus"));
    match (node.attribute("type"), node.attribute("bus")) {
        (_, Some("ps2")) | (Some("tablet"), Some("usb") | None) if plain => {}
        (Some("keyboard"), Some("usb")) if plain && arm => {}
        _ => edit::add(machine, "devices", &node),
    }
}

/// Forgets where libvirt put a pseudo terminal.
fn pty(node: &Element, machine: &mut Machine) -> Element {
    let mut node = edit::bare(node, machine);
    if node.attribute("type") == Some("pty") {
        node.children.retain(|child| child.name != "source");
        node.retain_attributes(|name, _| name != "tty");
    }
    node
}

fn serial(node: &Element, gathered: &mut Gathered, machine: &mut Machine) {
    let node = pty(node, machine);
    gathered.serials += 1;
    let plain = node.attribute("type") == Some("pty") && node.children.iter().all(|child| child.name == "target");
    match (gathered.serials, plain) {
        (1, true) => {}
        (1, false) => machine.skip("<serial>: the first serial port is a pseudo terminal, which `virsh console` shows"),
        _ => edit::add(machine, "devices", &node),
    }
}

/// The first console is the serial port.
fn console(node: &Element, machine: &mut Machine) {
    if node.of("target", "type").is_none_or(|kind| kind == "serial") {
        return;
    }
    let node = pty(node, machine);
    edit::add(machine, "devices", &node);
}

fn channel(node: &Element, machine: &mut Machine) {
    let mut node = edit::bare(node, machine);
    let name = node.of("target", "name").unwrap_or_default();
    if is_our_channel(name) {
        return;
    }
    // libvirt binds the socket in its own directory.
    let is_own = |child: &Element| {
        child.name == "source" && child.attribute("path").is_none_or(|path| path.contains("/libvirt/qemu/"))
    };
    node.children.retain(|child| !is_own(child));
    for target in node.children.iter_mut().filter(|child| child.name == "target") {
        target.retain_attributes(|name, _| name != "state");
    }
    edit::add(machine, "devices", &node);
}

/// Returns whether a machine of ours has a channel: the agents', and the one a guest reports by.
pub(crate) fn is_our_channel(name: &str) -> bool {
    matches!(name, "org.qemu.guest_agent.0" | "com.redhat.spice.0" | PORT)
}

fn is_local(address: &str) -> bool {
    matches!(address, "127.0.0.1" | "localhost" | "::1")
}

/// Returns whether something in a screen is what libvirt or virt-install writes there by itself.
fn is_usual(child: &Element) -> bool {
    let says = |name, value| child.attribute(name) == Some(value);
    match child.name.as_str() {
        "listen" => says("type", "address") && child.attribute("address").is_none_or(is_local),
        "image" => says("compression", "off"),
        "gl" => says("enable", "no"),
        _ => false,
    }
}

/// Takes a screen; how it is shown, beyond its kind, is the host's.
pub(crate) fn graphics(node: &Element, machine: &mut Machine) {
    machine.take_graphics(node.attribute("type").unwrap_or_default());
    let fixed = node.attribute("autoport").map_or(node.attribute("port") != Some("-1"), |auto| auto == "no");
    for (name, value) in node.attributes() {
        match name {
            "type" | "autoport" | "tlsPort" => {}
            // libvirt chooses one, and prints -1 before it did.
            "websocket" if value == "-1" => {}
            "port" if !fixed => {}
            "listen" if is_local(value) => {}
            "passwd" => machine.skip("the password of the screen: no secret goes into a recipe"),
            name => machine.skip(format!("<graphics>: {}", one_line(name, 40))),
        }
    }
    for child in node.children.iter().filter(|child| !is_usual(child)) {
        machine.skip(format!("<graphics>: <{}>", one_line(&child.name, 40)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::domain;

    fn read(inside: &str) -> (Vec<String>, Vec<String>) {
        let text =
            format!("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{inside}</domain>");
        let machine = domain::read(text.as_bytes()).unwrap();
        (machine.hardware.xml.iter().map(|edit| edit.element().to_text()).collect(), machine.skipped)
    }

    #[test]
    fn what_libvirt_adds_by_itself_is_no_word_worth() {
        let (edits, skipped) = read(
            "<metadata><libosinfo:libosinfo xmlns:libosinfo='u'><libosinfo:os id='x'/></libosinfo:libosinfo></metadata>\
             <vcpu placement='static'>2</vcpu><resource><partition>/machine</partition></resource>\
             <os firmware='efi'><nvram>/x</nvram><boot dev='hd'/><bootmenu enable='no'/></os>\
             <features><acpi/><apic/><vmport state='off'/></features><on_crash>destroy</on_crash>\
             <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>\
             <controller type='usb' index='0' model='qemu-xhci' ports='15'><alias name='usb'/><address type='pci'/></controller>\
             <controller type='pci' index='0' model='pcie-root'/><controller type='virtio-serial' index='0'/>\
             <serial type='pty'><source path='/dev/pts/1'/><target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>\
             <console type='pty' tty='/dev/pts/1'><source path='/dev/pts/1'/><target type='serial' port='0'/></console>\
             <channel type='unix'><source mode='bind' path='/run/libvirt/qemu/channel/1/x'/><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>\
             <input type='mouse' bus='ps2'/><input type='keyboard' bus='ps2'/><input type='tablet' bus='usb'/>\
             <graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>\
             <audio id='1' type='none'/><video><model type='virtio' heads='1' primary='yes'/><address type='pci'/></video>\
             <watchdog model='itco' action='reset'/><memballoon model='virtio'><address type='pci'/></memballoon>\
             <rng model='virtio'><backend model='random'>/dev/random</backend></rng></devices>\
             <seclabel type='dynamic' model='dac' relabel='yes'><label>+107:+107</label></seclabel>",
        );
        assert_eq!((edits, skipped), (vec![], vec![]));
    }

    #[test]
    fn what_no_key_stands_for_is_edited_in_and_what_no_edit_may_say_is_named() {
        let (edits, skipped) = read(
            "<title>t</title><description>d</description><genid>SECRET</genid><memtune><hard_limit>1</hard_limit></memtune>\
             <sysinfo type='smbios'><system><entry name='serial'>SECRET</entry></system></sysinfo><on_reboot>destroy</on_reboot>\
             <os><smbios mode='sysinfo'/><bootmenu enable='yes'/></os><clock offset='localtime'/>\
             <metadata><x:y xmlns:x='u'>SECRET</x:y></metadata>\
             <devices><hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='0x01'/></source><boot order='1'/><alias name='hostdev0'/>\
             <address type='pci'/></hostdev><serial type='file'><source path='SECRET'/></serial><serial type='pty'><source path='/dev/pts/2'/><target port='1'/></serial>\
             <graphics type='vnc' passwd='SECRET' keymap='de'><listen type='none'/></graphics><graphics type='spice'/></devices>\
             <qemu:commandline><qemu:arg value='-device'/><qemu:arg value='x,secret=SECRET'/><qemu:env name='SECRET' value='SECRET'/></qemu:commandline>\
             <qemu:override><qemu:device alias='x'/></qemu:override><launchSecurity type='sev'><session>SECRET</session></launchSecurity>",
        );
        let expected = [
            "<bootmenu enable=\"yes\"/>",
            "<title>t</title>",
            "<memtune><hard_limit>1</hard_limit></memtune>",
            "<hostdev mode=\"subsystem\" type=\"pci\" managed=\"yes\"><source><address bus=\"0x01\"/></source></hostdev>",
            "<serial type=\"pty\"><target port=\"1\"/></serial>",
        ];
        assert_eq!(edits, expected);
        let named = [
            "<sysinfo>",
            "the password of the screen",
            "<graphics>: keymap",
            "<graphics>: <listen>",
            "a second screen",
            "the QEMU argument `-device`",
            "environment variables of QEMU",
            "<clock>",
            "<smbios>",
            "<genid>",
            "<on_reboot>",
            "<metadata>",
            "<override>: it has a name space",
            "<launchSecurity>: it may hold a secret",
            "the place of <hostdev> in the boot order",
            "<serial>",
        ];
        for name in named {
            assert!(skipped.iter().any(|line| line.starts_with(name)), "{name} {skipped:#?}");
        }
        assert_eq!(skipped.len(), named.len(), "{skipped:#?}");
        assert!(skipped.iter().chain(&edits).all(|line| !line.contains("SECRET")), "{skipped:?}");
    }
}
