//! The further keys of `[machine]`. Touches nothing.

use super::super::hardware::READ;
use super::super::xml::{ELEMENT, Written, XmlAction, XmlEdit};
use super::super::{Accel, CpuMode, Firmware, Forward, Hardware, MemoryOptions, Network, Security, Topology};
use crate::base::text::one_line;
use crate::base::{Arch, ByteSize, MacAddress, Name};
use crate::format::toml::{Charset, Table, Value};
use crate::format::xml;
use crate::recipe::machine_keys::below;
use crate::recipe::table::refuse_unknown;

/// The most forwarded ports.
const PORT_LIMIT: usize = 64;

/// The most edits of the domain XML.
const EDIT_LIMIT: usize = 64;

/// The most processors.
const MOST_VCPUS: u64 = 1024;
const SMALLEST_MEMORY: ByteSize = ByteSize::mib(16);
const LARGEST_MEMORY: ByteSize = ByteSize::gib(16 << 10);

/// What the further keys must agree with.
pub(super) struct Basics<'a> {
    pub arch: Arch,
    pub firmware: Firmware,
    pub accel: Accel,
    pub network: &'a Network,
    pub memory: ByteSize,
    /// Where the recipe says it.
    pub vcpus: Option<u32>,
}

/// Reads them.
pub(super) fn lower(table: &Table<'_>, basics: &Basics<'_>) -> Hardware {
    let mut hardware = Hardware {
        mac: table.get("mac").and_then(|value| mac(&value, basics)),
        ports: table.get("ports").map(|value| ports(&value, basics)).unwrap_or_default(),
        cpu: table.get("cpu").and_then(|value| cpu(&value, basics)),
        topology: table.table("topology", "machine.topology").and_then(|table| topology(&table, basics)),
        memory: MemoryOptions {
            max: table.get("max_memory").and_then(|value| max_memory(&value, basics)),
            ..MemoryOptions::default()
        },
        security: Security {
            secure_boot: table.get("secure_boot").is_some_and(|value| secure_boot(&value, basics)),
            ..Security::default()
        },
        xml: table.tables("xml", "machine.xml[]", EDIT_LIMIT).iter().filter_map(edit).collect(),
        ..Hardware::default()
    };
    for (key, read) in READ {
        table.get(key).iter().for_each(|value| read(&mut hardware, value));
    }
    hardware
}

/// Reads an amount of memory.
pub(super) fn memory(value: &Value<'_>) -> Option<ByteSize> {
    value.size(SMALLEST_MEMORY..=LARGEST_MEMORY, ByteSize::mib(1))
}

/// Reads a number of processors, or of what makes them.
pub(super) fn vcpus(value: &Value<'_>) -> Option<u32> {
    value.integer(1..=MOST_VCPUS).and_then(|count| u32::try_from(count).ok())
}

fn mac(value: &Value<'_>, basics: &Basics<'_>) -> Option<MacAddress> {
    let mac =
        value.accept(MacAddress::parse(value.line()?), "leave it out to have one that follows from the recipe")?;
    if *basics.network == Network::None {
        value.refuse("`mac` is the address of a network card, and this machine has none", "remove `mac`");
        return None;
    }
    Some(mac)
}

fn ports(value: &Value<'_>, basics: &Basics<'_>) -> Vec<Forward> {
    let rows = value.list();
    if rows.len() > PORT_LIMIT {
        value.refuse(format!("more than {PORT_LIMIT} forwarded ports"), "");
    }
    let mut ports: Vec<Forward> = vec![];
    for row in rows.iter().take(PORT_LIMIT) {
        let read = |text| row.accept(Forward::parse(text), "write it like \"2222:22\" or \"127.0.0.1:8080:80/tcp\"");
        let Some(forward) = row.line().and_then(read) else { continue };
        if ports.iter().any(|other| meet(other, &forward)) {
            row.refuse(format!("port {} of the host is forwarded twice", forward.host), "");
            continue;
        }
        ports.push(forward);
    }
    if *basics.network != Network::Passt && !ports.is_empty() {
        value.refuse("`ports` are forwarded by passt alone", "write network = \"passt\", or remove `ports`");
        return vec![];
    }
    ports
}

/// Returns whether two want the same port of the host.
fn meet(one: &Forward, other: &Forward) -> bool {
    let address = one.address.is_none() || other.address.is_none() || one.address == other.address;
    address && (one.protocol, one.host) == (other.protocol, other.host)
}

/// Emulation cannot give what only the host's processor has.
fn cpu(value: &Value<'_>, basics: &Basics<'_>) -> Option<Name> {
    let name = value.accept(Name::parse(value.line()?), "see `virsh cpu-models x86_64`")?;
    let of_host = matches!(CpuMode::parse(name.as_str()), Some(CpuMode::HostPassthrough | CpuMode::HostModel));
    if of_host && basics.accel == Accel::Tcg {
        value.refuse(format!("emulation has no `{name}`"), "write cpu = \"maximum\", or accel = \"kvm\"");
        return None;
    }
    Some(name)
}

fn topology(table: &Table<'_>, basics: &Basics<'_>) -> Option<Topology> {
    refuse_unknown(table, &below(table.path));
    let count = |key| table.get(key).map_or(Some(1), |value| vcpus(&value));
    let (sockets, cores, threads) = (count("sockets"), count("cores"), count("threads"));
    let topology = Topology { sockets: sockets?, cores: cores?, threads: threads? };
    let product = topology.vcpus();
    let hint = format!("write vcpus = {product}, or leave `vcpus` out");
    if u64::from(product) > MOST_VCPUS {
        table.document.tell(table.problem(format!("the topology makes more than {MOST_VCPUS} processors")));
        return None;
    }
    if basics.vcpus.is_some_and(|vcpus| vcpus != product) {
        let headline = format!("the topology makes {product} processors, and `vcpus` says otherwise");
        table.document.tell(table.problem(headline).hint(hint));
        return None;
    }
    Some(topology)
}

fn max_memory(value: &Value<'_>, basics: &Basics<'_>) -> Option<ByteSize> {
    let max = memory(value)?;
    if max < basics.memory {
        let headline = format!("`max_memory` is less than the memory, {}", basics.memory.exact());
        value.refuse(headline, "it is the most that `memory` may grow to");
        return None;
    }
    Some(max)
}

/// The firmware that distributions ship with keys enrolled is for x86_64.
fn secure_boot(value: &Value<'_>, basics: &Basics<'_>) -> bool {
    let wanted = value.boolean() == Some(true);
    if wanted && basics.arch != Arch::X86_64 {
        let headline = format!("there is no secure boot for {}", one_line(basics.arch.as_str(), 20));
        value.refuse(headline, "remove `secure_boot`");
        return false;
    }
    if wanted && basics.firmware != Firmware::Uefi {
        value.refuse("secure boot is UEFI's, and this machine has a BIOS", "add firmware = \"uefi\"");
        return false;
    }
    wanted
}

fn edit(table: &Table<'_>) -> Option<XmlEdit> {
    refuse_unknown(table, &below(table.path));
    let parent = table.need("parent", "`parent = \"devices\"`").and_then(|value| value.line());
    let element = table.need("element", "`element = \"<hub type='usb'/>\"`");
    let text = element.as_ref().and_then(|value| value.text(Charset::Free, ELEMENT.bytes));
    let action = match table.get("action") {
        Some(value) => value.word(XmlAction::parse, XmlAction::WORDS),
        None => Some(XmlAction::Add),
    };
    let by = match table.get("match") {
        Some(value) => Some(Some(value.line()?.to_owned())),
        None => Some(None),
    };
    let (element, text) = (element?, text?);
    // Where the text itself is at fault, it is told where in it.
    if let Err(error) = xml::read(text, &ELEMENT) {
        element.refuse_within(error.at, format!("`element` is refused: {}", error.reason));
        return None;
    }
    let written = Written { parent: parent?.to_owned(), element: text.to_owned(), action: action?, by: by? };
    let refuse = |error: xml::XmlError| {
        table.document.tell(table.problem(format!("the edit is refused: {}", error.reason)));
    };
    XmlEdit::try_from(written).map_err(refuse).ok()
}
