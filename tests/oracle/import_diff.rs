//! What goes into `import-config` is in what comes out, or named in "left out": generated domains and commands, compared by
//! Python's XML reader and shell splitter (`import_diff.py`). 100 of each, 1,000 in a full run; the seed is printed.

use std::fmt::Write as _;
use std::process::Command;

use crate::plan::{DataDisk, Machine};
use crate::tests::fault::gate::Scale;
use crate::tests::support::{launch::ok, machines, tools, workdir};

use super::import_config::{imported, machine_again};

/// Numbers without chance: the same for the same case.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// Takes each with a chance of one in `chance`.
    fn some(&mut self, chance: usize, of: &[&str]) -> String {
        of.iter().filter(|_| self.below(chance) == 0).copied().collect()
    }
}

const OS: [&str; 7] = [
    "<os><type arch='x86_64' machine='q35'>hvm</type></os>",
    "<os firmware='efi'><type arch='x86_64' machine='pc-q35-9.0'>hvm</type><boot dev='hd'/></os>",
    "<os firmware='efi'><type>hvm</type><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>",
    "<os><type machine='pc'>hvm</type><boot dev='network'/></os>",
    "<os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/fw/OVMF_CODE.fd</loader><nvram template='/fw/V.fd'>/n.fd</nvram></os>",
    "<os><type machine='q35'>hvm</type><loader type='pflash' stateless='yes'>/fw/OVMF_CODE.fd</loader></os>",
    "<os><type machine='q35'>hvm</type><loader type='rom'>/fw/bios.bin</loader><bootmenu enable='yes' timeout='3000'/></os>",
];
const CPU: [&str; 4] = [
    "",
    "<cpu mode='host-passthrough'/>",
    "<cpu mode='custom' match='exact'><model fallback='forbid'>Skylake-Client</model><feature policy='disable' name='hle'/></cpu>",
    "<cpu mode='host-model'><topology sockets='1' cores='2' threads='1'/></cpu>",
];
const PARTS: [&str; 12] = [
    "<features><acpi/><apic/><hyperv><relaxed state='on'/></hyperv></features>",
    "<clock offset='localtime'/>",
    "<memoryBacking><hugepages/></memoryBacking>",
    "<memtune><hard_limit unit='KiB'>4194304</hard_limit></memtune>",
    "<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>",
    "<iothreads>2</iothreads>",
    "<pm><suspend-to-mem enabled='yes'/></pm>",
    "<on_reboot>destroy</on_reboot>",
    "<title>a title</title>",
    "<genid>8d3b4f4e-0000-4000-8000-000000000001</genid>",
    "<numatune><memory mode='strict' nodeset='0'/></numatune>",
    "<launchSecurity type='sev'><cbitpos>47</cbitpos></launchSecurity>",
];
const DEVICES: [&str; 22] = [
    "<interface type='network'><source network='default'/><model type='virtio'/></interface>",
    "<interface type='bridge'><source bridge='br7'/><mac address='52:54:00:00:00:07'/><model type='e1000e'/><mtu size='9000'/></interface>",
    "<interface type='user'><model type='virtio'/><link state='down'/></interface>",
    "<interface type='direct'><source dev='eth3' mode='bridge'/><model type='virtio'/><bandwidth><inbound average='99'/></bandwidth></interface>",
    "<graphics type='vnc' port='5907' autoport='no' listen='0.0.0.0' websocket='5777'/>",
    "<graphics type='spice' autoport='yes' keymap='de'><image compression='off'/></graphics>",
    "<sound model='ich9'/>",
    "<video><model type='qxl' ram='65536'/></video>",
    "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
    "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
    "<watchdog model='i6300esb' action='poweroff'/>",
    "<rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='h' service='1'/></backend></rng>",
    "<hostdev mode='subsystem' type='usb' managed='yes'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
    "<filesystem type='mount' accessmode='passthrough'><source dir='/srv/x'/><target dir='x'/><readonly/></filesystem>",
    "<memballoon model='none'/>",
    "<controller type='scsi' model='virtio-scsi' index='3'/>",
    "<channel type='unix'><target type='virtio' name='org.example.7'/></channel>",
    "<serial type='file'><source path='/var/log/x'/><target port='1'/></serial>",
    "<panic model='isa'/>",
    "<redirdev bus='usb' type='spicevmc'/>",
    "<vsock model='virtio'><cid auto='no' address='77'/></vsock>",
    "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
];
const DRIVER: [&str; 9] = [
    " cache='none'",
    " io='native'",
    " discard='unmap'",
    " queues='4'",
    " iothread='1'",
    " detect_zeroes='on'",
    " error_policy='stop'",
    " copy_on_read='on'",
    " rerror_policy='report'",
];
const DISK: [&str; 10] = [
    "<readonly/>",
    "<shareable/>",
    "<serial>ab-12</serial>",
    "<wwn>5000c50015ea71aa</wwn>",
    "<blockio logical_block_size='4096'/>",
    "<iotune><total_iops_sec>77</total_iops_sec></iotune>",
    "<encryption format='luks'/>",
    "<vendor>ACME</vendor>",
    "<boot order='2'/>",
    "<transient/>",
];
const TARGET: [&str; 3] = [" rotation_rate='7200'", " removable='on'", " tray='open'"];
const EMPTY: &str = "<disk type='file' device='cdrom'><target dev='sdz' bus='sata'/><readonly/></disk>";

fn domain(dice: &mut Dice) -> String {
    let mut devices = String::new();
    for number in 0..=dice.below(3) {
        let letter = ['a', 'b', 'c'][number];
        let (bus, prefix) = [("virtio", "vd"), ("sata", "sd"), ("scsi", "sd"), ("usb", "sd")][dice.below(4)];
        let format = dice.one(&["qcow2", "raw"]);
        write!(
            devices,
            "<disk type='file' device='disk'{}><driver name='qemu' type='{format}'{}/><source file='/d/{letter}.img'{}/>\
             <target dev='{prefix}{letter}' bus='{bus}'{}/>{}</disk>",
            dice.some(6, &[" sgio='filtered'", " model='virtio-transitional'", " snapshot='external'"]),
            dice.some(4, &DRIVER),
            dice.some(6, &[" startupPolicy='optional'"]),
            dice.some(5, &TARGET),
            dice.some(5, &DISK),
        )
        .unwrap();
    }
    devices += &dice.some(4, &[EMPTY]);
    devices += &dice.some(5, &DEVICES);
    let kind = dice.one(&["kvm", "qemu"]);
    // What is emulated cannot have the host's processor.
    let parts = dice.one(&CPU).to_owned() + &dice.some(4, &PARTS);
    let parts = if kind == "qemu" { parts.replace("host-passthrough", "maximum") } else { parts };
    format!(
        "<domain type='{kind}'><name>vm{}</name><memory unit='MiB'>{}</memory><vcpu>{}</vcpu>{}{parts}<devices>{devices}</devices></domain>",
        dice.below(1000),
        256 + dice.below(4096),
        1 + dice.below(16),
        dice.one(&OS),
    )
}

/// Options of virt-install; what a value is about must be found again.
const OPTIONS: [&str; 40] = [
    "--description 'a machine'",
    "--boot uefi",
    "--boot loader=/fw/OVMF.fd,loader.type=pflash",
    "--boot hd,menu=on",
    "--features smm.state=on,kvm.hidden.state=on",
    "--features acpi=off",
    "--cpu host-passthrough",
    "--cpu Skylake-Client,disable=hle",
    "--sound default",
    "--tpm /dev/tpm7",
    "--tpm backend.type=emulator,model=tpm-tis",
    "--panic default",
    "--watchdog i6300esb,action=poweroff",
    "--network bridge=br9,model=e1000e",
    "--network network=lab,mac=52:54:00:00:00:09",
    "--network user,link.state=down",
    "--graphics vnc,port=5907,listen=0.0.0.0,websocket=5777",
    "--graphics spice,keymap=de",
    "--video qxl",
    "--memballoon none",
    "--controller scsi,model=virtio-scsi",
    "--controller usb2",
    "--filesystem /srv/x,share7",
    "--hostdev 0x1234:0xbeef",
    "--rng /dev/hwrng",
    "--serial file,path=/var/log/x",
    "--channel unix,target.type=virtio,target.name=org.example.7",
    "--redirdev usb,type=spicevmc",
    "--smartcard mode=host",
    "--vsock cid.address=77",
    "--disk /d/b.img,bus=sata,cache=none,io=native",
    "--disk size=7,serial=seven,readonly=on",
    "--disk size=8,sparse=no,discard=ignore",
    "--disk device=cdrom",
    "--cputune vcpupin0.vcpu=0",
    "--memorybacking hugepages=on",
    "--clock offset=localtime",
    "--events on_reboot=destroy",
    "--autostart",
    "--qemu-commandline=-fw_cfg --qemu-commandline name=opt/org.example,string=x",
];

fn command(dice: &mut Dice) -> String {
    let mut options: Vec<&str> = OPTIONS.iter().filter(|_| dice.below(6) == 0).copied().collect();
    // Of two the last would hold.
    let cpus = options.iter().filter(|option| option.starts_with("--cpu ")).count();
    options.retain(|option| cpus < 2 || !option.starts_with("--cpu host"));
    let at = dice.below(options.len() + 1);
    options.insert(at, "--disk /d/a.qcow2");
    let (memory, cpus) = (256 + dice.below(4096), 1 + dice.below(16));
    let short = dice.one(&["--vcpus", "--vcpu"]);
    let variable = dice.below(2) == 0;
    let memory = if variable {
        ("RAM=".to_owned() + &memory.to_string() + "\n", "$RAM".to_owned())
    } else {
        (String::new(), memory.to_string())
    };
    format!(
        "{}virt-install --name vm7 --memory {} {short} {cpus} --import \\\n  {}\n",
        memory.0,
        memory.1,
        options.join(" \\\n  ")
    )
}

#[test]
fn what_goes_into_an_import_comes_out_or_is_named() {
    let Some(()) = tools(&["python3"]) else { return };
    let scale = Scale::chosen();
    let count = if scale.is_full() { 1000 } else { 100 };
    let dir = workdir();
    for number in 0..count {
        let mut dice = Dice((scale.offset(1 << 20) + number) as u64);
        for (kind, text) in [("xml", domain(&mut dice)), ("sh", command(&mut dice))] {
            let file = |ending: &str| dir.path().join(format!("{number:04}-{kind}.{ending}"));
            let told = imported(&format!("x.{kind}"), text.as_bytes());
            let whole = machines::machine(None, crate::base::Transport::Disk, crate::base::BaseKind::Qcow2);
            let disks = told.recipe.machine.disks.iter();
            let data = disks.map(|disk| DataDisk { serial: disk.serial.clone(), size: disk.size }).collect();
            let machine = machine_again(&told.recipe, &Machine { data, ..whole });
            let emitted = machines::text(&machines::files(&machine), "domain.xml").to_owned();
            std::fs::write(file("in"), &text).unwrap();
            std::fs::write(file("domain"), emitted).unwrap();
            std::fs::write(file("recipe"), &told.text).unwrap();
            std::fs::write(file("left"), told.skipped.join("\n")).unwrap();
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/import_diff.py");
    let printed = ok(Command::new("python3").arg(script).arg(dir.path()).output().unwrap());
    eprintln!("import differ: {printed} (ARCA_SEED chooses the first case)");
    assert!(printed.starts_with(&format!("{count} domains, {count} commands")), "{printed}");
}
