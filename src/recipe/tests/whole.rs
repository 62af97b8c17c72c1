//! Whole recipes: defaults, every key at once, those that ship, and several mistakes together.

use super::*;
use crate::base::*;
use crate::recipe::hardware::{MemoryOptions, Security};
use crate::recipe::numbers::{AccountId, Vcpus};
use crate::recipe::types::Mode;
use crate::recipe::*;

/// Sets every key there is, but those that exclude each other.
pub(super) const FULL: &str = r##"
format = 1
name = "full"
description = "two\nlines"
epoch = 1_700_000_000
[base]
url = "https://h/d/b.img"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
size = "585B"
kind = "qcow2"
mirrors = ["http://m/b.img", "file:///srv/b.img"]
[machine]
arch = "aarch64"
memory = "16 MiB"
vcpus = 0x10
firmware = "uefi"
accel = "tcg"
network = "bridge:br0"
graphics = "vnc"
osinfo = "linux2022"
storage = "/srv/vm/"
system = { size = "20GiB", mode = "standalone" }
[[machine.disk]]
serial = "Data_1"
size = "1MiB"
[[machine.disk]]
serial = "data-2"
size = "64TiB"
[provision]
engine = "auto"
transport = "fw_cfg"
media = "gpt"
config = "f/c.ign"
script = "f/s"
side_files = ["f/x", "y"]
home_subvolume = false
[provision.root]
password_hash = "$6$a$b"
ssh_keys = ["ssh-ed25519 AAAA a", "ssh-rsa AAAA b"]
[[provision.user]]
name = "arca"
password_hash = "$y$a$b"
ssh_keys = []
uid = 1000
groups = ["wheel", "users"]
shell = "/bin/bash"
home = "/home/arca"
gecos = "Arca, Ä"
system = true
[[provision.file]]
path = "/etc/a"
text = """
a
	b
"""
mode = "4755"
user = "arca"
group = "users"
[[provision.file]]
path = "/etc/b"
source = "f/b"
[[provision.unit]]
name = "a@b.service"
enable = true
mask = false
text = "[Unit]\n"
[[provision.unit.dropin]]
name = "10.conf"
source = "f/d"
[[provision.unit]]
name = "c.timer"
mask = true
[[provision.unit.dropin]]
name = "20.conf"
text = ""
[[provision.mount]]
what = "LABEL=backup"
path = "/srv/backup"
type = "xfs"
options = ["ro"]
[[provision.mount]]
serial = "data-2"
path = "/srv/b 2"
[[provision.subvolume]]
path = "/srv/s"
nocow = true
[[provision.pool]]
label = "Arca"
disks = ["Data_1"]
data = "single"
metadata = "dup"
path = "/srv/arca"
options = ["noatime", "compress=zstd:3"]
scrub = "off"
balance = "Sun *-*-* 03:00"
check = false
[[provision.pool.subvolume]]
name = "@vm"
path = "/var/lib/vm"
options = ["nodatacow"]
nocow = true
"##;

#[test]
fn the_least_recipe_gets_the_documented_defaults() {
    let recipe = good(HEAD);
    assert_eq!((recipe.file.as_str(), recipe.name.as_str(), recipe.epoch), ("t.toml", "t", 315_532_800));
    assert_eq!((recipe.description, recipe.base.sha256, recipe.base.size), (None, None, None));
    assert_eq!(recipe.base.source.value, Source::Path(RecipePath::parse("b.qcow2").unwrap()));
    assert_eq!(recipe.base.source.place.line, 4);
    assert_eq!(recipe.base.kind, BaseKind::Qcow2);
    let machine = recipe.machine;
    assert_eq!((machine.arch, *machine.memory, machine.vcpus()), (Arch::X86_64, ByteSize::gib(2), 2));
    assert_eq!((machine.firmware(), machine.accel, machine.graphics), (Firmware::Bios, Accel::Kvm, Graphics::None));
    assert_eq!(machine.network.to_string(), "network:default");
    assert_eq!((&machine.osinfo, machine.storage.value.as_str()), (&None, "/var/lib/libvirt/images"));
    assert_eq!((machine.system_size(), machine.system_mode()), (None, SystemMode::Overlay));
    assert_eq!(machine.disks, vec![]);
    assert_eq!(recipe.provision, provision::Provision::default());
}

#[test]
fn every_key_arrives() {
    let Recipe { description, epoch, base, machine, .. } = good(FULL);
    assert_eq!((description.as_deref(), epoch), (Some("two\nlines"), 1_700_000_000));
    assert_eq!((base.kind, base.sha256, base.size), (BaseKind::Qcow2, Some(Digest::of(b"")), Some(ByteSize(585))));
    assert_eq!(base.mirrors.iter().map(Url::expose).collect::<Vec<_>>(), ["http://m/b.img", "file:///srv/b.img"]);
    assert_eq!((machine.arch, *machine.memory, machine.vcpus()), (Arch::Aarch64, ByteSize::mib(16), 16));
    assert_eq!((machine.firmware(), machine.accel, machine.graphics), (Firmware::Uefi, Accel::Tcg, Graphics::Vnc));
    assert_eq!(machine.network, Network::Bridge(Name::parse("br0").unwrap()));
    assert_eq!((machine.osinfo.as_deref().unwrap(), machine.storage.value.as_str()), ("linux2022", "/srv/vm"));
    assert_eq!(machine.system_size().map(|size| (*size.value, size.place.line)), Some((ByteSize::gib(20), 22)));
    assert_eq!(machine.system_mode(), SystemMode::Standalone);
    let disks: Vec<_> = machine.disks.iter().map(|disk| (disk.serial.as_str(), disk.size)).collect();
    assert_eq!(disks, [("Data_1", ByteSize::mib(1)), ("data-2", ByteSize::gib(64 << 10))]);
}

#[test]
fn every_key_of_the_provisioning_arrives() {
    let provision = good(FULL).provision;
    assert_eq!(
        (provision.engine, provision.transport.ignition, provision.transport.combustion),
        (None, Some(Transport::FwCfg), Some(Transport::FwCfg))
    );
    assert_eq!((provision.media, provision.home_subvolume), (Some(Media::Gpt), Some(false)));
    assert_eq!(provision.config.unwrap().value.as_str(), "f/c.ign");
    assert_eq!(provision.script.unwrap().value.as_str(), "f/s");
    assert_eq!(provision.side_files.iter().map(|file| file.value.as_str()).collect::<Vec<_>>(), ["f/x", "y"]);
    let root = provision.root.unwrap();
    assert_eq!(root.value.password_hash.unwrap().expose(), "$6$a$b");
    assert_eq!((root.value.ssh_keys[1].value.as_str(), root.place.line), ("ssh-rsa AAAA b", 37));
    let user = &provision.users[0].value;
    assert_eq!((user.name.as_str(), user.uid, user.system), ("arca", Some(AccountId(1000)), true));
    assert_eq!(user.account.password_hash.as_ref().unwrap().expose(), "$y$a$b");
    assert_eq!(
        (user.groups.as_slice(), user.gecos.as_deref()),
        (["wheel", "users"].map(|name| name.parse().unwrap()).as_slice(), Some("Arca, Ä"))
    );
    assert_eq!((user.shell.as_deref(), user.home.as_deref()), (Some("/bin/bash"), Some("/home/arca")));
    let (a, b) = (&provision.files[0].value, &provision.files[1].value);
    assert_eq!((a.path.as_str(), a.mode, b.mode), ("/etc/a", Mode(0o4755), Mode(0o644)));
    assert_eq!((a.user.as_deref(), a.group.as_deref(), b.user.as_deref()), (Some("arca"), Some("users"), None));
    assert!(matches!(&a.content, Content::Text(text) if text.expose() == "a\n\tb\n"));
    assert!(matches!(&b.content, Content::Path(path) if path.value.as_str() == "f/b"));
}

#[test]
fn every_key_of_the_units_arrives() {
    let units = good(FULL).provision.units;
    let (a, c) = (&units[0].value, &units[1].value);
    assert_eq!((a.name.as_str(), a.enable, a.mask), ("a@b.service", Some(true), false));
    assert!(matches!(a.content, Some(Content::Text(_))) && a.dropins[0].name == "10.conf");
    assert_eq!((c.name.as_str(), c.enable, c.mask, c.content.is_none()), ("c.timer", None, true, true));
    assert!(matches!(&c.dropins[0].content, Content::Text(text) if text.expose().is_empty()));
}

#[test]
fn every_key_of_the_storage_arrives() {
    use crate::recipe::storage::{Device, Profile};
    let provision = good(FULL).provision;
    let (labelled, serial) = (&provision.mounts[0].value, &provision.mounts[1].value);
    assert_eq!(labelled.what.value, Device::Path("/dev/disk/by-label/backup".to_owned()));
    assert_eq!((labelled.path.as_str(), labelled.kind.as_deref()), ("/srv/backup", Some("xfs")));
    assert_eq!(serial.what.value, Device::Serial(DiskSerial::parse("data-2").unwrap()));
    assert_eq!((labelled.options[0].as_ref(), labelled.options.len(), serial.options.len()), ("ro", 1, 0));
    let subvolume = &provision.subvolumes[0].value;
    assert_eq!((subvolume.path.as_str(), subvolume.nocow), ("/srv/s", true));
    let pool = &provision.pools[0].value;
    assert_eq!(
        (pool.label.as_str(), pool.path.as_str(), pool.disks[0].value.as_str()),
        ("Arca", "/srv/arca", "Data_1")
    );
    assert_eq!((pool.data(), pool.metadata()), (Profile::Single, Profile::Dup));
    assert_eq!((pool.options.len(), &pool.scrub.0, pool.check), (2, &None, false));
    assert_eq!(pool.balance.0.as_deref(), Some("Sun *-*-* 03:00"));
    let inner = &pool.subvolumes[0].value;
    assert_eq!((inner.name.as_str(), inner.path.as_deref(), inner.nocow), ("@vm", Some("/var/lib/vm"), true));
}

#[test]
fn the_least_pool_gets_the_documented_defaults() {
    use crate::recipe::storage::Profile;
    let pool = |disks: &str, rest: &str| {
        let text = format!("{HEAD}[[provision.pool]]\nlabel = \"a\"\ndisks = {disks}\npath = \"/srv/a\"\n{rest}\n");
        good(&text).provision.pools.remove(0).value
    };
    let one = pool("[\"a\"]", "");
    assert_eq!((one.data(), one.metadata(), one.check), (Profile::Single, Profile::Dup, true));
    assert_eq!((one.scrub.0.as_deref(), one.balance.0.as_deref()), (Some("monthly"), Some("weekly")));
    let two = pool("[\"a\", \"b\"]", "");
    assert_eq!((two.data(), two.metadata()), (Profile::Raid1, Profile::Raid1));
    let three = pool("[\"a\", \"b\", \"c\"]", "data = \"raid1c3\"");
    assert_eq!((three.data(), three.metadata()), (Profile::Raid1c3, Profile::Raid1c3));
    assert_eq!(pool("[\"a\", \"b\"]", "data = \"raid0\"").metadata(), Profile::Raid1);
}

/// Each key of the table is known and its type checked: a float, which no key takes, is refused at its place.
#[test]
fn rec_4_a_wrong_type_is_told_for_every_key() {
    for key in keys::all() {
        let (text, line) = with_key(key.path.as_str(), "1.5");
        let name = key.path.as_str().trim_end_matches("[]").rsplit('.').next().unwrap();
        let found = problems(&text);
        let hit = |problem: &Diagnostic| {
            problem.headline.contains("must be")
                && problem.headline.contains(name)
                && problem.place.as_ref().unwrap().line == line
        };
        assert!(found.iter().any(hit), "{}: {found:#?}\n{text}", key.path.as_str());
        assert!(
            found.iter().all(|problem| !problem.headline.contains("unknown key")),
            "{}: {found:#?}",
            key.path.as_str()
        );
    }
}

#[test]
fn rec_4_a_misspelt_key_of_any_table_is_told_with_the_right_one() {
    for key in keys::all() {
        let Some((table, name)) = key.path.as_str().trim_end_matches("[]").rsplit_once('.') else { continue };
        let misspelt = format!("{name}x");
        let (text, _) = with_key(&format!("{table}.{misspelt}"), "1.5");
        let hint = format!("did you mean `{name}`?");
        assert!(
            problems(&text).iter().any(|problem| problem.hint.as_ref() == Some(&hint)),
            "{}: {:#?}",
            key.path.as_str(),
            problems(&text)
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "format = 1\nnmae = \"x\"\nepoch = -1\n[base]\nurl = \"../b\"\nsha256 = \"\"\n[machine]\nmemory = \"1GB\"\nvcpus = 0\n[[machine.disk]]\nserial = \"config\"\n[provision.root]\npassword = \"hunter2\"\n";
    let lines: Vec<u32> = problems(text).iter().map(|problem| problem.place.as_ref().unwrap().line).collect();
    assert_eq!(lines, [1, 2, 3, 5, 6, 8, 9, 10, 11, 13], "{:#?}", problems(text));
}

#[test]
fn a_text_that_is_no_toml_tells_its_other_mistakes_too_but_nothing_that_may_be_unreadable() {
    let text = "format = 1\nname = \"t\nepoch = true\n[base]\nurl = \"b.qcow2\"\nvcpus == 2\n";
    let told: Vec<String> = problems(text).iter().map(told).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains(" 2:") && told[0].contains("not TOML"), "{told:#?}");
    assert!(told[1].contains(" 3:9+4 `epoch` must be a whole number"), "{told:#?}");
    assert!(told[2].contains(" 6:") && told[2].contains("not TOML"), "{told:#?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the recipes that ship are files")]
fn every_recipe_that_ships_parses_and_its_files_are_there() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let mut seen = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let recipe = good(&std::fs::read_to_string(&path).unwrap());
        for (file, _) in recipe.local_files().into_iter().filter(|(_, used)| *used == Use::Content) {
            assert!(directory.join(file.as_str()).is_file(), "{path:?} names {file:?}");
        }
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn every_further_key_of_the_machine_is_read() {
    let text = "[machine]\nfirmware = \"uefi\"\nnetwork = \"passt\"\nports = [\"2222:22\", \"127.0.0.1:53:53/udp\"]\n\
                mac = \"52:54:00:AA:00:01\"\nautostart = true\ncpu = \"EPYC\"\nmax_memory = \"4GiB\"\nhugepages = true\n\
                shared_memory = true\nsecure_boot = true\ntpm = true\nwatchdog = \"poweroff\"\n\
                [machine.topology]\ncores = 3\nthreads = 2\n";
    let machine = good(&format!("{HEAD}{text}")).machine;
    let ports: Vec<_> = machine.hardware.ports.iter().map(ToString::to_string).collect();
    assert_eq!((&machine.network, machine.vcpus()), (&Network::Passt, 6));
    assert_eq!(ports, ["2222:22/tcp", "127.0.0.1:53:53/udp"]);
    let expected = Hardware {
        mac: Some(MacAddress::parse("52:54:00:aa:00:01").unwrap()),
        ports: machine.hardware.ports.clone(),
        autostart: true,
        cpu: "EPYC".parse().ok(),
        topology: Some(Topology { sockets: Vcpus(1), cores: Vcpus(3), threads: Vcpus(2) }),
        memory: MemoryOptions { max: ByteSize::gib(4).try_into().ok(), hugepages: true, shared: true },
        security: Security { secure_boot: true, tpm: true },
        watchdog: Some(Watchdog::Poweroff),
        xml: vec![],
    };
    assert_eq!(machine.hardware, expected);
    assert!(good(HEAD).machine.hardware.is_plain());
}

#[test]
fn edits_of_the_xml_are_read_in_order() {
    let text = "[[machine.xml]]\nparent = \".\"\nelement = \"<title>x</title>\"\n[[machine.xml]]\nparent = \"clock\"\n\
                element = \"\"\"\n<timer name='pit'\n present='no'/>\"\"\"\naction = \"replace\"\nmatch = \"name\"\n";
    let edits = good(&format!("{HEAD}{text}")).machine.hardware.xml;
    let written: Vec<_> =
        edits.iter().map(|edit| (edit.parent().join("/"), edit.element().to_text(), edit.by())).collect();
    let pit = "<timer name=\"pit\" present=\"no\"/>".to_owned();
    let expected =
        [(String::new(), "<title>x</title>".to_owned(), None), ("clock".to_owned(), pit, Some(("name", "pit")))];
    assert_eq!(written, expected);
}
