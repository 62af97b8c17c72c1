//! What a domain, or a command, says of its hardware: key, edit or a word left behind.

use super::found::Machine;
use super::{domain, virt_install};
use crate::recipe::{Hardware, XmlEdit};

fn edits(machine: &Machine) -> Vec<String> {
    let shown = |edit: &XmlEdit| {
        let action = if edit.is_replacing() { "=" } else { "+" };
        format!("{}{action}{}", edit.parent().join("/"), edit.element().to_text())
    };
    machine.hardware.xml.iter().map(shown).collect()
}

fn read(inside: &str) -> Machine {
    domain::read(format!("<domain type='kvm'><vcpu>4</vcpu>{inside}</domain>").as_bytes()).unwrap()
}

/// Reads one domain in words: keys that are set, edits, what is left.
fn told(inside: &str) -> (String, Vec<String>, usize) {
    let machine = read(inside);
    let Hardware { mac, ports, cpu, topology, memory, security, watchdog, .. } = machine.hardware.clone();
    let mut keys: Vec<String> = vec![];
    keys.extend(mac.map(|mac| mac.to_string()));
    keys.extend(ports.iter().map(ToString::to_string));
    keys.extend(cpu.map(|cpu| cpu.to_string()));
    keys.extend(topology.map(|t| format!("{}x{}x{}", t.sockets, t.cores, t.threads)));
    keys.extend(memory.max.map(|max| format!("max {}", max.exact())));
    let flags = [
        ("huge", memory.hugepages),
        ("shared", memory.shared),
        ("secure", security.secure_boot),
        ("tpm", security.tpm),
    ];
    keys.extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (*name).to_owned()));
    keys.extend(watchdog.map(|action| format!("watchdog {action}")));
    (keys.join(" "), edits(&machine), machine.skipped.len())
}

#[test]
fn an_element_becomes_its_key_where_that_says_it_exactly_and_an_edit_where_not() {
    for (inside, keys, edits, skipped) in [
        ("<cpu mode='host-passthrough' check='none' migratable='on'/>", "", &[][..], 0),
        (
            "<cpu mode='host-passthrough' migratable='off'/>",
            "",
            &["=<cpu mode=\"host-passthrough\" migratable=\"off\"/>"],
            0,
        ),
        ("<cpu mode='host-model'/>", "host-model", &[], 0),
        (
            "<cpu match='exact'><model fallback='allow'>EPYC</model><topology sockets='2' cores='2'/><feature policy='require' name='vmx'/></cpu>",
            "EPYC 2x2x1",
            &["cpu+<feature policy=\"require\" name=\"vmx\"/>"],
            0,
        ),
        ("<cpu mode='host-model'><topology sockets='2' cores='3' threads='1'/></cpu>", "host-model", &[], 1),
        ("<cpu><topology sockets='1' cores='4' threads='1'/></cpu>", "1x4x1", &[], 1),
        ("<memory>4194304</memory><currentMemory>2097152</currentMemory>", "max 4GiB", &[], 0),
        ("<memory>4194304</memory><currentMemory>2097151</currentMemory>", "", &[], 1),
        ("<memory>4194304</memory><currentMemory>4194304</currentMemory>", "", &[], 0),
        (
            "<memoryBacking><hugepages/><access mode='shared'/><source type='memfd'/></memoryBacking>",
            "huge shared",
            &[],
            0,
        ),
        (
            "<memoryBacking><hugepages><page size='1' unit='G'/></hugepages><source type='memfd'/></memoryBacking>",
            "",
            &[
                "memoryBacking+<hugepages><page size=\"1\" unit=\"G\"/></hugepages>",
                "memoryBacking+<source type=\"memfd\"/>",
            ],
            0,
        ),
        ("<os firmware='efi'><loader secure='yes'/></os>", "secure", &[], 0),
        ("<os><loader secure='yes'/></os>", "", &[], 1),
        (
            "<os firmware='efi'><firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware></os>",
            "",
            &[],
            1,
        ),
    ] {
        let expected = edits.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(told(inside), (keys.to_owned(), expected, skipped), "{inside} {:?}", read(inside).skipped);
    }
}

#[test]
fn a_device_becomes_its_key_where_that_says_it_exactly_and_an_edit_where_not() {
    for (devices, keys, edits, skipped) in [
        ("<tpm model='tpm-crb'><backend type='emulator' version='2.0'/><alias name='tpm0'/></tpm>", "tpm", &[][..], 0),
        (
            "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
            "",
            &[
                "devices+<tpm model=\"tpm-tis\"><backend type=\"passthrough\"><device path=\"/dev/tpm0\"/></backend></tpm>",
            ],
            0,
        ),
        (
            "<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='SECRET'/></backend></tpm>",
            "",
            &[],
            1,
        ),
        (
            "<watchdog model='i6300esb' action='poweroff'/><watchdog model='itco' action='reset'/>",
            "watchdog poweroff",
            &[],
            0,
        ),
        (
            "<watchdog model='i6300esb' action='dump'/>",
            "",
            &["devices+<watchdog model=\"i6300esb\" action=\"dump\"/>"],
            0,
        ),
        (
            "<interface type='user'><mac address='52:54:00:AA:bb:cc'/><model type='virtio'/><backend type='passt'/>\
             <portForward proto='tcp' address='127.0.0.1'><range start='80' end='82' to='8080'/><range start='22'/></portForward></interface>",
            "52:54:00:aa:bb:cc 127.0.0.1:80:8080/tcp 127.0.0.1:81:8081/tcp 127.0.0.1:82:8082/tcp 127.0.0.1:22:22/tcp",
            &[],
            0,
        ),
        (
            "<interface type='user'><backend type='passt'/><portForward proto='tcp'><range start='1' end='65535'/></portForward></interface>",
            "",
            &["devices/interface+<portForward proto=\"tcp\"><range start=\"1\" end=\"65535\"/></portForward>"],
            0,
        ),
        (
            "<interface type='bridge'><source bridge='br0'/><model type='e1000e'/><mtu size='9000'/><target dev='vnet7'/>\
             <alias name='net0'/><address type='pci'/></interface>",
            "",
            &["devices/interface=<model type=\"e1000e\"/>", "devices/interface+<mtu size=\"9000\"/>"],
            0,
        ),
        (
            "<interface type='direct'><source dev='eno1'/><mac address='52:54:00:00:00:01'/></interface><interface type='user'/>",
            "",
            &[
                "devices+<interface type=\"direct\"><source dev=\"eno1\"/><mac address=\"52:54:00:00:00:01\"/></interface>",
                "devices+<interface type=\"user\"/>",
            ],
            0,
        ),
    ] {
        let expected: Vec<_> = edits.iter().map(|text| (*text).to_owned()).collect();
        let inside = format!("<devices>{devices}</devices>");
        assert_eq!(told(&inside), (keys.to_owned(), expected, skipped), "{devices} {:?}", read(&inside).skipped);
    }
}

#[test]
fn what_virt_install_says_in_options_is_what_its_xml_says() {
    for (options, inside) in [
        ("--tpm default", "<devices><tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>"),
        (
            "--tpm emulator,model=tpm-tis,version=2.0",
            "<devices><tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>",
        ),
        ("--watchdog default", "<devices><watchdog model='i6300esb' action='reset'/></devices>"),
        ("--watchdog i6300esb,action=pause", "<devices><watchdog model='i6300esb' action='pause'/></devices>"),
        (
            "--cpu host-model,+vmx,disable=svm",
            "<cpu mode='host-model'><feature policy='force' name='vmx'/><feature policy='disable' name='svm'/></cpu>",
        ),
        (
            "--vcpus sockets=2,cores=2,threads=1",
            "<cpu mode='host-passthrough'><topology sockets='2' cores='2' threads='1'/></cpu>",
        ),
        ("--memory 2048,maxmemory=4096", "<memory>4194304</memory><currentMemory>2097152</currentMemory>"),
        ("--memory memory=4096,currentMemory=2048", "<memory>4194304</memory><currentMemory>2097152</currentMemory>"),
        (
            "--memorybacking access.mode=shared,source.type=memfd,locked=yes",
            "<memoryBacking><access mode='shared'/><source type='memfd'/><locked/></memoryBacking>",
        ),
        (
            "--network passt,portForward0=2222:22,portForward1=127.0.0.1:53:53/udp,mac=52:54:00:00:00:01",
            "<devices><interface type='user'><mac address='52:54:00:00:00:01'/><backend type='passt'/><portForward proto='tcp'><range start='2222' to='22'/>\
             </portForward><portForward proto='udp' address='127.0.0.1'><range start='53' to='53'/></portForward></interface></devices>",
        ),
        (
            "--network type=direct,source=eno1,source.mode=bridge,model=virtio",
            "<devices><interface type='direct'><source mode='bridge' dev='eno1'/><model type='virtio'/></interface></devices>",
        ),
        (
            "--network bridge=br0,mtu.size=9000",
            "<devices><interface type='bridge'><source bridge='br0'/><mtu size='9000'/></interface></devices>",
        ),
        ("--graphics vnc --video qxl", "<devices><graphics type='vnc'/><video><model type='qxl'/></video></devices>"),
        ("--memballoon none --sound ich9", "<devices><memballoon model='none'/><sound model='ich9'/></devices>"),
        (
            "--filesystem /srv,share,driver.type=virtiofs",
            "<devices><filesystem type='mount'><source dir='/srv'/><target dir='share'/><driver type='virtiofs'/></filesystem></devices>",
        ),
        (
            "--features acpi=on,kvm_hidden=on,smm=on",
            "<features><acpi/><kvm><hidden state='on'/></kvm><smm state='on'/></features>",
        ),
        ("--clock offset=utc,hpet_present=yes", "<clock offset='utc'><timer name='hpet' present='yes'/></clock>"),
        ("--events on_crash=restart", "<on_crash>restart</on_crash>"),
    ] {
        let command = virt_install::read(&format!("virt-install {options}")).unwrap();
        let machine = read(inside);
        let (mut ours, mut theirs) = (edits(&command), edits(&machine));
        ours.sort();
        theirs.sort();
        assert_eq!((ours, &command.skipped), (theirs, &machine.skipped), "{options}");
        assert_eq!(
            Hardware { xml: vec![], ..command.hardware },
            Hardware { xml: vec![], ..machine.hardware },
            "{options}"
        );
        assert!(
            command.skipped.is_empty() && (command.network.is_none() || command.network == machine.network),
            "{options} {:?}",
            command.skipped
        );
    }
}
