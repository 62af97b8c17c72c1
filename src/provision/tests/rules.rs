//! Every rule of the table: a recipe that breaks it, and one like it that does not.

use super::super::facts::BaseFacts;
use super::super::{Checked, check};
use super::{HASH, KEY};
use crate::base::{ByteSize, Rule, Severity};
use crate::provision::pins::PinnedInfo;
use crate::recipe::{LocalFile, LocalFiles, RecipePath, parse};

/// A recipe: the address of its base, the rest of it, and a ready-made file, `ready`, beside it.
#[derive(Clone, Copy)]
struct RuleCase {
    base: &'static str,
    rest: &'static str,
    ready: &'static str,
}

impl RuleCase {
    const fn ready(self, ready: &'static str) -> Self {
        Self { ready, ..self }
    }

    const fn on(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    fn text(&self) -> String {
        let text = format!("format = 1\nname = \"n\"\n{}", self.rest);
        let (head, tables) = text.split_at(text.find("\n[").map_or(text.len(), |at| at + 1));
        let text = format!("{head}[base]\nurl = \"https://h/{}\"\n{tables}", self.base);
        text.replace("HASH", HASH).replace("KEY", KEY)
    }

    fn check(&self, facts: &BaseFacts) -> Checked {
        let text = self.text();
        let recipe = parse(&text, "n.toml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let named = ["ready", "engine"].into_iter().filter(|name| self.rest.contains(name));
        let files = named.map(|name| {
            let bytes = if name == "engine" { vec![b'x'; 9 << 20] } else { self.ready.as_bytes().to_vec() };
            (RecipePath::parse(name).unwrap(), LocalFile::of(bytes))
        });
        check(&recipe, &LocalFiles(files.collect()), &PinnedInfo { base: facts.clone(), ..super::known(&recipe) })
    }
}

/// What was told of a rule: by a finding, or by a refusal.
fn told(checked: &Checked, rule: Rule) -> Vec<Severity> {
    let refused = checked.compiled.as_ref().err().into_iter().flat_map(|problems| &problems.0);
    let refused = refused.filter(|problem| problem.rule == Some(rule)).map(|_| Severity::Error);
    let found = checked.findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.severity);
    // An error is told both ways.
    let mut all: Vec<_> = refused.chain(found).collect();
    all.dedup();
    all
}

const fn wish(rest: &'static str) -> RuleCase {
    RuleCase { base: "MicroOS.qcow2", rest, ready: "" }
}

const ROOT: &str = "[provision.root]\nssh_keys = [\"KEY\"]\n";
const IGN: RuleCase = wish("[provision]\nengine = \"ignition\"\nconfig = \"ready\"\n");
const SH: RuleCase = wish("[provision]\nengine = \"combustion\"\nscript = \"ready\"\n");
const BOTH: RuleCase = wish(
    "[provision]\ntransport = { ignition = \"fw_cfg\", combustion = \"disk\" }\nscript = \"ready\"\n[provision.root]\nssh_keys = [\"KEY\"]\n",
);

/// A name that moves, the same with a digest of the recipe's own, and one that stays, with such a digest.
const MOVING: &str = "openSUSE-MicroOS.x86_64-kvm-and-xen.qcow2";
const PINNED: &str = "openSUSE-MicroOS.x86_64-kvm-and-xen.qcow2\"\nsha256 = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const LASTING: &str = "openSUSE-MicroOS.x86_64-kvm-and-xen-Snapshot20240427.qcow2\"\nsha256 = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A pool of one disk in raid1.
const POOL: RuleCase = wish(
    "[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[[provision.pool]]\nlabel = \"p\"\npath = \"/srv/p\"\ndisks = [\"a\"]\ndata = \"raid1\"\n",
);

macro_rules! ign {
    ($rest:literal) => {
        IGN.ready(concat!("{\"ignition\": {\"version\": \"3.2.0\"}, ", $rest, "}"))
    };
}

/// What pins told of the base, for the rules that need it.
fn facts() -> BaseFacts {
    BaseFacts {
        virtual_size: Some(ByteSize::gib(20)),
        file_name: "openSUSE-MicroOS.x86_64-16.0.0-kvm-and-xen-Snapshot20240427.qcow2".into(),
        flavour: Some("kvm-and-xen".into()),
        snapshot: Some("20240427".into()),
        newest_spec: Some(4),
        immutable: Some("https://h/openSUSE-MicroOS.x86_64-16.0.0-kvm-and-xen-Snapshot20240427.qcow2".into()),
    }
}

/// Rule, a wish that breaks it and how severe that is, one that does not, and whether the pins' facts are at hand.
type Case = (Rule, RuleCase, Severity, RuleCase, bool);

fn cases() -> Vec<Case> {
    [of_the_whole(), of_contents()].concat()
}

/// Cases of what the guest gets, by the recipe's own keys or by a ready-made config.
#[rustfmt::skip]
fn of_contents() -> Vec<Case> {
    use Rule as R;
    use Severity::{Error, Note, Warning};
    let root = wish(ROOT);
    vec![
        (R::ExampleLogin, wish("[provision.root]\nssh_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPm0Q788hbFbKRJVAFal545wxGhhm6P19iYViIoIiYsL me\"]\n"), Warning, root, false),
        (R::ExampleLogin, wish("[[provision.user]]\nname = \"a\"\npassword_hash = \"$6$arcabuildexample$a.QuEi3XyUIP/DgTt49Sfp0lweIjRsWAIZSDUHpKKJZ5Ljo19Et2TdziVngDnUQi4xAp0zYqtxeUptrvbEGpA0\"\n"), Warning, wish("[[provision.user]]\nname = \"a\"\npassword_hash = \"HASH\"\n"), false),
        (R::ExampleLogin, ign!(r#""passwd": {"users": [{"name": "a", "passwordHash": "$6$arcabuildexample$a.QuEi3XyUIP/DgTt49Sfp0lweIjRsWAIZSDUHpKKJZ5Ljo19Et2TdziVngDnUQi4xAp0zYqtxeUptrvbEGpA0"}]}"#), Warning, ign!(r#""passwd": {}"#), false),
        (R::ExampleLogin, SH.ready("#!/bin/sh\necho 'root:$6$arcabuildexample$a.QuEi3XyUIP' | chpasswd -e\n"), Warning, SH.ready("#!/bin/sh\ntrue\n"), false),
        (R::NoLogin, wish("[provision]\nhostname = \"a\"\n"), Error, wish("[provision]\nhostname = \"a\"\n[provision.root]\nssh_keys = [\"KEY\"]\n"), true),
        (R::NoLogin, wish("[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\n"), Error, wish("[allow]\nno-login = \"an appliance\"\n[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\n"), true),
        (R::NoLogin, wish("[machine]\nnetwork = \"none\"\n[provision.root]\nssh_keys = [\"KEY\"]\n"), Error, wish("[machine]\nnetwork = \"none\"\n[provision.root]\npassword_hash = \"HASH\"\n"), true),
        (R::NoLogin, wish("[[provision.unit]]\nname = \"sshd.service\"\nmask = true\n[provision.root]\nssh_keys = [\"KEY\"]\n"), Error, wish("[[provision.unit]]\nname = \"sshd.service\"\nenable = true\n[provision.root]\nssh_keys = [\"KEY\"]\n"), true),
        (R::NoLogin, ign!(r#""passwd": {"users": [{"name": "root", "passwordHash": "!"}]}"#), Error, ign!(r#""passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["k"]}]}"#), true),
        (R::NoLogin, SH.ready("#!/bin/sh\ntrue\n"), Error, SH.ready("#!/bin/sh\necho x | passwd --stdin\n"), true),
        (R::UnknownGroup, wish("[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\ngroups = [\"docker\"]\n"), Warning, wish("[[provision.group]]\nname = \"docker\"\n[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\ngroups = [\"docker\", \"users\", \"video\"]\n"), true),
        (R::UnknownGroup, wish("[provision]\npackages = [\"docker\"]\n[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\ngroups = [\"docker\"]\n"), Note, root, true),
        (R::UnknownGroup, wish("[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\ngroups = [\"wheel\"]\n"), Note, wish("[[provision.user]]\nname = \"b\"\nssh_keys = [\"KEY\"]\n[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\ngroups = [\"b\"]\n"), true),
        (R::UnknownGroup, ign!(r#""passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["k"], "groups": ["sudo"]}]}"#), Warning, ign!(r#""passwd": {"groups": [{"name": "sudo"}], "users": [{"name": "a", "sshAuthorizedKeys": ["k"], "groups": ["sudo"]}]}"#), true),
        (R::KeyfileMode, wish("[[provision.file]]\npath = \"/etc/NetworkManager/system-connections/a.nmconnection\"\ntext = \"\"\n"), Warning, wish("[[provision.file]]\npath = \"/etc/NetworkManager/system-connections/a.nmconnection\"\ntext = \"\"\nmode = \"0600\"\n"), false),
        (R::KeyfileMode, wish("[[provision.file]]\npath = \"/etc/NetworkManager/system-connections/a.nmconnection\"\ntext = \"\"\nmode = \"0600\"\nuser = \"a\"\n"), Warning, wish("[[provision.network]]\nname = \"a\"\n"), false),
        (R::KeyfileMode, ign!(r#""storage": {"files": [{"path": "/etc/NetworkManager/system-connections/a", "contents": {"source": "data:,"}}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/NetworkManager/system-connections/a", "mode": 384, "contents": {"source": "data:,"}}]}"#), false),
        (R::PrivateKey, ign!(r#""storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:,-----BEGIN%20OPENSSH%20PRIVATE%20KEY-----%0A"}}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/a", "mode": 416, "contents": {"source": "data:,-----BEGIN%20RSA%20PRIVATE%20KEY-----%0A"}}]}"#), false),
        (R::PrivateKey, wish("[[provision.file]]\npath = \"/etc/wireguard/wg0.conf\"\ntext = \"[Interface]\\nPrivateKey = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\\n\"\n"), Warning, wish("[[provision.file]]\npath = \"/etc/a\"\ntext = \"-----BEGIN PUBLIC KEY-----\\nPublicKey = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\\n\"\n"), false),
        (R::PrivateKey, wish("[[provision.file]]\npath = \"/etc/a\"\ntext = \"GH=ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\n\"\n"), Warning, wish("[[provision.file]]\npath = \"/etc/a\"\ntext = \"password = \\\"$PASSWORD_FROM_ELSEWHERE\\\"\\ntoken_file = /run/secrets/a-token-file\\n\"\n"), false),
        (R::PrivateKey, ign!(r#""storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:;base64,dG9rZW46ICJhYmNkZWZnaGlqa2xtbm9wIgo="}}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/a", "mode": 384, "contents": {"source": "data:;base64,dG9rZW46ICJhYmNkZWZnaGlqa2xtbm9wIgo="}}]}"#), false),
        (R::HomeOwner, wish("[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/home/a/.profile\"\ntext = \"\"\n"), Warning, wish("[[provision.user]]\nname = \"a\"\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/home/a/.profile\"\ntext = \"\"\nuser = \"a\"\n"), false),
        (R::HomeOwner, wish("[[provision.user]]\nname = \"a\"\nhome = \"/srv/a\"\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/srv/a/x\"\ntext = \"\"\n"), Warning, wish("[[provision.user]]\nname = \"a\"\nhome = \"/srv/a\"\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/srv/ab/x\"\ntext = \"\"\n[[provision.file]]\npath = \"/root/x\"\ntext = \"\"\n"), false),
        (R::HomeOwner, ign!(r#""passwd": {"users": [{"name": "a"}]}, "storage": {"files": [{"path": "/home/a/x", "user": {"name": "b"}}]}"#), Warning, ign!(r#""passwd": {"users": [{"name": "a"}]}, "storage": {"files": [{"path": "/home/a/x", "user": {"id": 1000}}]}"#), false),
        (R::HomeOwner, wish("[[provision.file]]\npath = \"/root/x\"\ntext = \"\"\nuser = \"a\"\n"), Warning, wish("[[provision.file]]\npath = \"/root/x\"\ntext = \"\"\n"), false),
        (R::QuadletUnit, wish("[[provision.file]]\npath = \"/etc/containers/systemd/a.container\"\ntext = \"[Container]\\nServiceName=b\\n\"\n[[provision.unit]]\nname = \"b.service\"\nenable = true\n"), Warning, wish("[[provision.file]]\npath = \"/etc/containers/systemd/users/a.container\"\ntext = \"\"\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n"), false),
        (R::ExampleLogin, wish("[[provision.file]]\npath = \"/root/.ssh/authorized_keys\"\ntext = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPm0Q788hbFbKRJVAFal545wxGhhm6P19iYViIoIiYsL\"\n"), Warning, root, false),
        (R::NoLogin, SH.ready("#!/bin/sh\npasswd -l root\ngrep x /etc/passwd\n"), Error, SH.ready("#!/bin/sh\nuseradd x\n"), true),
        (R::TimeZone, wish("[provision]\ntimezone = \"Europe/Berln\"\n"), Warning, wish("[provision]\ntimezone = \"Europe/Berlin\"\n"), false),
        (R::TimeZone, wish("[provision]\ntimezone = \"Europe/berlin\"\n"), Warning, wish("[provision]\ntimezone = \"UTC\"\n"), false),
        (R::TimeZone, wish("[provision]\nengine = \"combustion\"\ntimezone = \"Mars/Olympus\"\n"), Warning, wish("[provision]\ntimezone = \"America/Argentina/Buenos_Aires\"\n"), false),
        (R::NtpDisabled, wish("[provision]\nntp = [\"a.example\", \"b.example\"]\n[[provision.unit]]\nname = \"chrony.service\"\nenable = false\n"), Warning, wish("[[provision.unit]]\nname = \"chronyd.service\"\nmask = true\n"), false),
        (R::NtpDisabled, wish("[provision]\nconfig = \"ready\"\nntp = [\"a.example\"]\n").ready("{\"ignition\": {\"version\": \"3.2.0\"}, \"systemd\": {\"units\": [{\"name\": \"chrony.service\", \"mask\": true}]}}"), Warning, wish("[provision]\nntp = [\"a.example\"]\n[[provision.unit]]\nname = \"chrony-wait.service\"\nmask = true\n"), false),
        (R::NtpDisabled, wish("[provision]\nntp = [\"a.example\"]\n[[provision.unit]]\nname = \"chronyd.service\"\nmask = true\n"), Warning, wish("[provision]\nntp = [\"a.example\"]\n"), false),
        (R::QuadletUnit, wish("[[provision.file]]\npath = \"/etc/containers/systemd/a.container\"\ntext = \"\"\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n"), Warning, wish("[[provision.file]]\npath = \"/etc/containers/systemd/a.container\"\ntext = \"\"\n[[provision.unit]]\nname = \"b.service\"\nenable = true\n"), false),
        (R::QuadletUnit, wish("[[provision.file]]\npath = \"/etc/containers/systemd/sub/a.pod\"\ntext = \"\"\n[[provision.unit]]\nname = \"a-pod.service\"\nenable = true\n"), Warning, wish("[[provision.file]]\npath = \"/etc/containers/systemd/a.pod\"\ntext = \"\"\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n"), false),
        (R::QuadletUnit, ign!(r#""storage": {"files": [{"path": "/etc/containers/systemd/a.kube"}]}, "systemd": {"units": [{"name": "a.service", "enabled": true}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/containers/systemd/a.kube"}]}, "systemd": {"units": [{"name": "a.service", "dropins": []}]}"#), false),
        (R::UnitUnknown, wish("[provision.root]\nssh_keys = [\"KEY\"]\n[[provision.unit]]\nname = \"smb.service\"\nenable = true\n"), Warning, wish("[provision.root]\nssh_keys = [\"KEY\"]\n[[provision.unit]]\nname = \"sshd.service\"\nenable = true\n"), true),
        (R::UnitUnknown, wish("[provision]\npackages = [\"samba\"]\n[provision.root]\nssh_keys = [\"KEY\"]\n[[provision.unit]]\nname = \"smb.service\"\nenable = true\n"), Note, wish("[provision.root]\nssh_keys = [\"KEY\"]\n[[provision.unit]]\nname = \"a@b.service\"\nenable = true\n[[provision.file]]\npath = \"/etc/systemd/system/a@.service\"\ntext = \"\"\n"), true),
        (R::UnitUnknown, ign!(r#""passwd": {"users": [{"name": "root", "sshAuthorizedKeys": ["k"]}]}, "systemd": {"units": [{"name": "docker.service", "enabled": true}]}"#), Warning, ign!(r#""passwd": {"users": [{"name": "root", "sshAuthorizedKeys": ["k"]}]}, "systemd": {"units": [{"name": "podman.socket", "enabled": true}, {"name": "serial-getty@ttyS0.service", "enabled": true}, {"name": "a.service", "enabled": true, "contents": "[Install]\nWantedBy=x"}]}"#), true),
        (R::MtuAbove, wish("[[provision.network]]\nname = \"v\"\ntype = \"vlan\"\nparent = \"eth0\"\nid = 7\nmtu = 9000\n"), Warning, wish("[[provision.network]]\nname = \"c\"\ninterface = \"eth0\"\nmtu = 9000\n[[provision.network]]\nname = \"v\"\ntype = \"vlan\"\nparent = \"eth0\"\nid = 7\nmtu = 9000\n"), false),
        (R::MtuAbove, wish("[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = [\"eth0\"]\nmtu = 1501\n"), Warning, wish("[[provision.network]]\nname = \"bond0\"\ntype = \"bond\"\nports = [\"eth0\"]\nmtu = 9000\n"), false),
        (R::MtuAbove, wish("[[provision.network]]\nname = \"c\"\ninterface = \"eth0\"\nmtu = 1400\n[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = [\"eth0\"]\nmtu = 1500\n"), Warning, wish("[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = [\"eth0\"]\nmtu = 1500\n"), false),
        (R::ProfileCard, wish("[[provision.network]]\nname = \"a\"\ninterface = \"eth0\"\n[[provision.network]]\nname = \"b\"\nmac = \"52:54:00:12:34:56\"\n"), Warning, wish("[[provision.network]]\nname = \"a\"\ninterface = \"eth0\"\n[[provision.network]]\nname = \"v\"\ntype = \"vlan\"\nparent = \"eth0\"\nid = 7\n"), false),
        (R::ProfileCard, wish("[[provision.network]]\nname = \"a\"\n[[provision.network]]\nname = \"b\"\ninterface = \"eth1\"\n"), Warning, wish("[[provision.network]]\nname = \"br0\"\ntype = \"bridge\"\nports = [\"eth0\"]\n"), false),
        (R::ProfileCard, wish("[provision]\nengine = \"combustion\"\n[[provision.network]]\nname = \"a\"\nmac = \"52:54:00:12:34:56\"\n[[provision.network]]\nname = \"b\"\nmac = \"52:54:00:12:34:57\"\n"), Warning, wish("[[machine.xml]]\nparent = \"devices\"\nelement = \"<interface type='user'/>\"\n[[provision.network]]\nname = \"a\"\ninterface = \"eth0\"\n[[provision.network]]\nname = \"b\"\ninterface = \"eth1\"\n"), false),
        (R::NotSelfinstall, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("openSUSE-Leap-15.6-DVD-x86_64.iso"), Warning, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("openSUSE-MicroOS.x86_64-ContainerHost-SelfInstall.iso"), false),
        (R::NotSelfinstall, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("openSUSE-Tumbleweed-NET-x86_64-Current.iso"), Warning, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("openSUSE-MicroOS.x86_64-SelfInstall.iso"), false),
        (R::NotSelfinstall, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("live.iso"), Warning, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("SL-Micro.x86_64-6.1-Default-SelfInstall-GM.install.iso"), false),
    ]
}

/// The others.
#[rustfmt::skip]
fn of_the_whole() -> Vec<Case> {
    use Rule as R;
    use Severity::{Error, Note, Warning};
    let root = wish(ROOT);
    let fw_cfg = wish("[provision]\ntransport = \"fw_cfg\"\n[provision.root]\nssh_keys = [\"KEY\"]\n");
    let unit = |text| wish(text);
    vec![
        (R::IgnitionKey, ign!(r#""storage": {"flies": []}"#), Warning, ign!(r#""STORAGE": {"Files": []}"#), false),
        (R::HomeSubvol, ign!(r#""storage": {"files": [{"path": "/home/x"}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/x"}]}"#), false),
        (R::HomeSubvol, wish("[provision]\nengine = \"ignition\"\n[[provision.file]]\npath = \"/srv/x\"\ntext = \"\"\n"), Note, root, false),
        (R::CombustionMount, SH.ready("#!/bin/sh\ncp x /srv/x\n"), Warning, SH.ready("#!/bin/sh\nmount /srv\ncp x /srv/x\n"), false),
        (R::ReadOnlyRoot, ign!(r#""storage": {"files": [{"path": "/usr/lib/x"}]}"#), Warning, ign!(r#""storage": {"files": [{"path": "/etc/x"}]}"#), false),
        (R::DupTransport, SH.ready("#!/bin/sh\ncp /sys/firmware/qemu_fw_cfg/by_name/opt/org.opensuse.combustion/script/raw /etc/x\n"), Warning, SH.ready("#!/bin/sh\ncp script /etc/x\n"), false),
        (R::DupTransport, ign!(r#""systemd": {"units": [{"name": "a.service", "contents": "[Service]\nExecStart=mount /dev/disk/by-label/ignition /mnt"}]}"#), Warning, IGN.ready("{\"ignition\": {\"version\": \"3.2.0\"}}"), false),
        (R::Precedence, BOTH.ready("#!/bin/sh\n"), Warning, SH.ready("#!/bin/sh\n"), false),
        (R::Precedence, wish("[provision]\ntransport = { ignition = \"disk\", combustion = \"fw_cfg\" }\nscript = \"ready\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").ready("#!/bin/sh\n"), Note, wish("[provision]\ntransport = { ignition = \"disk\" }\nscript = \"ready\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").ready("#!/bin/sh\n"), false),
        (R::FwcfgSize, wish("[provision]\nengine = \"combustion\"\nscript = \"ready\"\nside_files = [\"engine\"]\n").ready("#!/bin/sh\n"), Note, SH.ready("#!/bin/sh\n"), false),
        (R::FwcfgSize, wish("[provision]\nengine = \"combustion\"\ntransport = \"fw_cfg\"\nscript = \"ready\"\nside_files = [\"engine\"]\n").ready("#!/bin/sh\n"), Error, SH.ready("#!/bin/sh\n"), false),
        (R::FwcfgArch, fw_cfg.on("Leap-Minimal.s390x-kvm.qcow2"), Error, root.on("Leap-Minimal.s390x-kvm.qcow2"), false),
        (R::PlatformMetal, fw_cfg.on("Leap-Micro-Default.raw.xz"), Warning, root.on("Leap-Micro-Default.raw.xz"), false),
        (R::CarriedFwcfg, wish("[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/a.rpm\"\nsha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nsize = \"1KiB\"\n"), Warning, root, false),
        (R::CarriedUsb, wish("[provision]\nmedia = \"gpt\"\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\n"), Warning, wish("[provision]\nmedia = \"gpt\"\n[provision.root]\nssh_keys = [\"KEY\"]\n"), false),
        (R::ShmSize, wish("[machine]\nmemory = \"16MiB\"\n[provision]\nengine = \"combustion\"\nscript = \"ready\"\nside_files = [\"engine\"]\n").ready("#!/bin/sh\n"), Warning, wish("[provision]\nengine = \"combustion\"\nscript = \"ready\"\nside_files = [\"engine\"]\n").ready("#!/bin/sh\n"), false),
        (R::SdbootNoIgnition, wish("[provision]\nengine = \"ignition\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("MicroOS-kvm-and-xen-sdboot.qcow2"), Error, root.on("MicroOS-kvm-and-xen-sdboot.qcow2"), false),
        (R::OpenstackCloudinit, root.on("MicroOS-OpenStack-Cloud.qcow2"), Error, wish("[machine]\n").on("MicroOS-OpenStack-Cloud.qcow2"), false),
        (R::ContainerPodman, wish("[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\n"), Warning, wish("[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\n").on("MicroOS-ContainerHost.qcow2"), false),
        (R::ContainerImageName, wish("[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\ntext = \"[Container]\\nImage=quay.io/a/b:2\"\n"), Warning, wish("[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\ntext = \"[Container]\\nImage=quay.io/a/b:1\"\n"), false),
        (R::SpecTooNew, IGN.ready("{\"ignition\": {\"version\": \"3.5.0\"}, \"passwd\": {\"users\": [{\"name\": \"root\", \"sshAuthorizedKeys\": [\"k\"]}]}}"), Error, IGN.ready("{\"ignition\": {\"version\": \"3.4.0\"}, \"passwd\": {\"users\": [{\"name\": \"root\", \"sshAuthorizedKeys\": [\"k\"]}]}}"), true),
        (R::SpecTooNew, wish("[provision]\nengine = \"ignition\"\n[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\nmode = \"4755\"\n"), Warning, IGN.ready("{\"ignition\": {\"version\": \"3.6.0\"}}"), false),
        (R::PartNumber0, ign!(r#""storage": {"disks": [{"device": "/d", "partitions": [{"number": 0}]}]}"#), Warning, ign!(r#""storage": {"disks": [{"device": "/d", "partitions": [{"number": 1}]}]}"#), false),
        (R::FsExt4, ign!(r#""storage": {"filesystems": [{"device": "/d", "path": "/x", "format": "ext4"}]}"#), Warning, ign!(r#""storage": {"filesystems": [{"device": "/d", "path": "/x", "format": "xfs"}]}"#), false),
        (R::RaidMdadm, ign!(r#""storage": {"raid": [{"name": "r"}]}"#), Warning, IGN.ready("{\"ignition\": {\"version\": \"3.2.0\"}}"), false),
        (R::FsLabelMismatch, ign!(r#""storage": {"filesystems": [{"device": "/dev/disk/by-label/ROOT", "format": "btrfs", "label": "ROOT"}]}"#), Warning, ign!(r#""storage": {"filesystems": [{"device": "/dev/disk/by-label/ROOT", "format": "btrfs"}]}"#), false),
        (R::MinDisk, wish("[machine.system]\nsize = \"19GiB\"\n"), Error, wish("[machine.system]\nsize = \"20GiB\"\n"), true),
        (R::MinDisk, wish("[machine.system]\nsize = \"23GiB\"\n").on("openSUSE-MicroOS.x86_64-VMware.qcow2"), Warning, wish("[machine.system]\nsize = \"19GiB\"\n").on("openSUSE-other.qcow2"), false),
        (R::MovingUrl, wish("[machine]\n").on(PINNED), Note, wish("[machine]\n").on(MOVING), false),
        (R::MovingUrl, wish("[machine]\n").on(PINNED), Note, wish("[allow]\nmoving-url = \"we test the newest\"\n").on(PINNED), false),
        (R::MovingUrl, wish("[machine]\n").on(PINNED), Note, wish("[machine]\n").on(LASTING), false),
        (R::SelfinstallAmbiguousDisk, wish("[machine.system]\nsize = \"24GiB\"\n[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("a.iso"), Note, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("a.iso"), false),
        (R::SelfinstallAmbiguousDisk, wish("[machine.system]\nsize = \"24GiB\"\n[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[provision]\nmedia = \"gpt\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("a.iso"), Warning, root, false),
        (R::ConfigOnInstallMedia, wish("[machine.system]\nsize = \"24GiB\"\n").on("a.iso"), Warning, wish("[machine.system]\nsize = \"24GiB\"\n[provision.root]\nssh_keys = [\"KEY\"]\n").on("a.iso"), false),
        (R::RootSshPassword, wish("[provision.root]\npassword_hash = \"HASH\"\n"), Warning, root, false),
        (R::NoNetwork, wish("[machine]\nnetwork = \"none\"\n[provision]\npackages = [\"vim\"]\n"), Error, wish("[machine]\nnetwork = \"none\"\n[[provision.rpm]]\nurl = \"https://h/a-1-1.noarch.rpm\"\nsha256 = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n[provision.root]\nssh_keys = [\"KEY\"]\n"), false),
        (R::NoNetwork, wish("[machine]\nnetwork = \"none\"\n[[provision.run]]\nname = \"a\"\ntext = \"true\"\nnetwork = true\n"), Error, wish("[machine]\nnetwork = \"none\"\n[[provision.run]]\nname = \"a\"\ntext = \"true\"\n"), false),
        (R::NoNetwork, wish("[machine]\nnetwork = \"none\"\n[provision]\nengine = \"combustion\"\npackages = [\"vim\"]\n"), Error, wish("[machine]\nnetwork = \"user\"\n[provision]\npackages = [\"vim\"]\n"), false),
        (R::NoLogin, wish("[[provision.user]]\nname = \"a\"\n"), Warning, wish("[[provision.user]]\nname = \"a\"\nsystem = true\n"), false),
        (R::WeakHash, wish("[provision.root]\npassword_hash = \"hunter2\"\n"), Error, wish("[provision.root]\npassword_hash = \"HASH\"\n"), false),
        (R::WeakHash, ign!(r#""passwd": {"users": [{"name": "a", "passwordHash": "x"}]}"#), Warning, ign!(r#""passwd": {"users": [{"name": "a"}]}"#), false),
        (R::KeyTypo, wish("[provision.root]\nssh_keys = [\"ssh-rsa AAAA\"]\n"), Error, root, false),
        (R::KeyTypo, wish("[provision.root]\nssh_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti\"]\n"), Note, root, false),
        (R::KeyTypo, ign!(r#""passwd": {"users": [{"name": "root", "sshAuthorizedKeys": ["ssh-rsa AAAA"]}]}"#), Warning, ign!(r#""passwd": {"users": [{"name": "root"}]}"#), false),
        (R::WeakKey, wish("[provision.root]\nssh_keys = [\"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQD2cIiZwM6oBgrqtomDwkst4J91FngD1G5xw079Q4nVWyMpvdkpRb2xCz6aoNnzEkqwTRG0CLhwxe6jrmKWrIHxSLT/SN5yhsV3M9UjiCvmXyRMLUbzE9zDg/P12OUcL1s+vC9F/CMGpRIKAhZZZ7B8rXCM7zblWMyPeIoE0cIuOw== a\"]\n"), Warning, root, false),
        (R::GroupLikeUser, wish("[[provision.user]]\nname = \"a\"\nsystem = true\n[[provision.group]]\nname = \"a\"\n"), Warning, wish("[[provision.user]]\nname = \"a\"\nsystem = true\n[[provision.group]]\nname = \"b\"\n"), false),
        (R::LocaleMissing, wish("[provision]\nlocale = \"de_DE.UTF-8\"\n"), Warning, wish("[provision]\nlocale = \"en_US.UTF-8\"\n"), false),
        (R::ProxyPassword, wish("[provision.proxy]\nhttp = \"http://u:p@h\"\n"), Warning, wish("[provision.proxy]\nhttp = \"http://h\"\n"), false),
        (R::UnitNoInstall, unit("[[provision.unit]]\nname = \"a.service\"\nenable = true\ntext = \"[Service]\"\n"), Warning, unit("[[provision.unit]]\nname = \"a.service\"\nenable = true\ntext = \"[Install]\\nWantedBy=x\"\n"), false),
        (R::Script, SH.ready("#!/bin/sh\ntrue"), Warning, SH.ready("#!/bin/sh\ntrue\n"), false),
        (R::DevVdx, SH.ready("#!/bin/sh\nmkfs.xfs /dev/vdb\n"), Warning, SH.ready("#!/bin/sh\n# not /dev/vdb\nmkfs.xfs /dev/disk/by-id/virtio-a\n"), false),
        (R::DevVdx, ign!(r#""storage": {"disks": [{"device": "/dev/sda"}]}"#), Warning, ign!(r#""storage": {"disks": [{"device": "/dev/disk/by-id/a"}]}"#), false),
        (R::Raid1Odd, SH.ready("#!/bin/sh\nmkfs.btrfs -d raid1 -m raid1 \\\n  /dev/disk/by-id/a\n"), Warning, SH.ready("#!/bin/sh\nmkfs.btrfs -d raid1 -m raid1 /dev/disk/by-id/a /dev/disk/by-id/b\n"), false),
        (R::RaidMetadata, SH.ready("#!/bin/sh\nmkfs.btrfs -d raid5 -m raid5 a b c\n"), Warning, SH.ready("#!/bin/sh\nmkfs.btrfs -d raid5 -m raid1 a b c\n"), false),
        (R::RaidMetadata, SH.ready("#!/bin/sh\nmkfs.btrfs -m single a b c\n"), Warning, SH.ready("#!/bin/sh\nmkfs.btrfs -m single a\n"), false),
        (R::Raid1Odd, POOL, Error, wish("[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[[provision.pool]]\nlabel = \"p\"\npath = \"/srv/p\"\ndisks = [\"a\"]\n"), false),
        (R::PoolCapacity, wish("[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[[machine.disk]]\nserial = \"b\"\nsize = \"3GiB\"\n[[provision.pool]]\nlabel = \"p\"\npath = \"/srv/p\"\ndisks = [\"a\", \"b\"]\n"), Note, wish("[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[[machine.disk]]\nserial = \"b\"\nsize = \"1GiB\"\n[[provision.pool]]\nlabel = \"p\"\npath = \"/srv/p\"\ndisks = [\"a\", \"b\"]\n"), false),
        (R::GatewaySubnet, wish("[[provision.network]]\nname = \"a\"\naddresses = [\"192.0.2.2/24\"]\ngateway = [\"192.0.3.1\"]\n"), Warning, wish("[[provision.network]]\nname = \"a\"\naddresses = [\"192.0.2.2/24\"]\ngateway = [\"192.0.2.1\"]\n"), false),
        (R::MtuIpv6, wish("[[provision.network]]\nname = \"a\"\nmtu = 1279\n"), Warning, wish("[[provision.network]]\nname = \"a\"\nmtu = 1280\n"), false),
        (R::RunReadOnly, wish("[provision]\nengine = \"ignition\"\n[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nzypper in x\\n\"\n"), Warning, wish("[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nzypper in x\\n\"\n"), false),
        (R::RunNoServices, wish("[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nsystemctl start x\\n\"\n"), Warning, wish("[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nsystemctl enable x\\n\"\n"), false),
        (R::RunMount, wish("[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nmount /home\\n\"\n"), Warning, wish("[[provision.run]]\nname = \"a\"\ntext = \"#!/bin/sh\\nmount /mnt\\n\"\n"), false),
        (R::LibvirtHome, wish("[machine]\nstorage = \"/home/a/vm\"\n"), Warning, wish("[machine]\nstorage = \"/home/a/vm\"\nnetwork = \"user\"\n"), false),
        (R::UnusedAllow, wish("[allow]\nmoving-url = \"why\"\n"), Note, wish("[machine]\n"), false),
    ]
}

#[test]
fn every_rule_is_told_where_it_is_broken_and_nowhere_else() {
    for (rule, broken, severity, whole, known) in cases() {
        let facts = if known { facts() } else { BaseFacts::default() };
        let checked = broken.check(&facts);
        assert_eq!(told(&checked, rule), [severity], "{rule}\n{}\n{:?}", broken.text(), checked.findings);
        let refused =
            checked.compiled.as_ref().err().map(|problems| problems.0.iter().all(|problem| problem.rule.is_some()));
        assert_eq!(
            refused.is_some(),
            severity == Severity::Error,
            "{rule}: only an error refuses\n{:?}",
            checked.compiled.err()
        );
        let checked = whole.check(&facts);
        assert!(told(&checked, rule).is_empty(), "{rule}\n{}\n{:?}", whole.text(), checked.findings);
        assert!(checked.compiled.is_ok(), "{rule}\n{}\n{:?}", whole.text(), checked.compiled.err());
    }
}

#[test]
fn a_mount_by_the_order_of_disks_breaks_the_rule_too() {
    let text = wish("[[provision.mount]]\nwhat = \"/dev/vdb1\"\npath = \"/srv/x\"\n").text();
    let problems = parse(&text, "n.toml").unwrap_err().0;
    assert_eq!(problems.iter().map(|problem| problem.rule).collect::<Vec<_>>(), [Some(Rule::DevVdx)]);
}

/// A note of what was done must not ask for it.
#[test]
fn an_entry_that_was_added_is_not_asked_for() {
    let text = "[provision]\nengine = \"ignition\"\n[[provision.file]]\npath = \"/srv/x\"\ntext = \"\"\n";
    let checked = wish(text).check(&BaseFacts::default());
    let noted = checked.findings.iter().find(|finding| finding.rule == Rule::HomeSubvol).unwrap();
    assert!(noted.text.ends_with("was added") && noted.fix().starts_with("nothing to do"), "{noted:?}");
    let given = ign!(r#""storage": {"files": [{"path": "/srv/x"}]}"#).check(&BaseFacts::default());
    let asked = given.findings.iter().find(|finding| finding.rule == Rule::HomeSubvol).unwrap();
    assert!(asked.fix().starts_with("add a"), "{asked:?}");
}

#[test]
fn every_rule_of_the_table_has_a_case() {
    let cases = cases();
    for rule in Rule::all() {
        assert!(cases.iter().any(|(case, ..)| *case == rule), "{rule} has no recipe that breaks it");
    }
}

#[test]
fn a_place_is_told_wherever_there_is_one() {
    for (rule, broken, _, _, known) in cases() {
        let checked = broken.check(&if known { facts() } else { BaseFacts::default() });
        let finding = checked.findings.iter().find(|finding| finding.rule == rule);
        assert!(finding.is_none_or(|finding| finding.place.is_some()), "{rule}: {finding:?}");
    }
}

#[test]
fn what_is_allowed_is_told_with_its_reason_and_refuses_nothing() {
    let text = "[machine.system]\nsize = \"19GiB\"\n[allow]\nmin-disk = \"it is cut by hand\"\n";
    let checked = wish(text).check(&BaseFacts { immutable: None, ..facts() });
    assert!(checked.compiled.is_ok() && checked.findings.is_empty(), "{:?}", checked.findings);
    let allowed: Vec<_> = checked.allowed.iter().map(|one| (one.finding.rule, one.reason.as_str())).collect();
    assert_eq!(allowed, [(Rule::MinDisk, "it is cut by hand")]);
}

#[test]
fn an_address_that_moves_is_no_finding_where_the_lock_pins_it() {
    for (base, known, want) in [
        (MOVING, facts(), 0),
        (PINNED, facts(), 0),
        (PINNED, BaseFacts { immutable: None, ..facts() }, 1),
        (PINNED, BaseFacts::default(), 1),
        (MOVING, BaseFacts::default(), 0),
        ("openSUSE-Leap-Micro.x86_64-Default-qcow.qcow2", BaseFacts::default(), 0),
    ] {
        assert_eq!(told(&wish("[machine]\n").on(base).check(&known), Rule::MovingUrl).len(), want, "{base} {known:?}");
    }
}

#[test]
fn what_the_pins_tell_of_the_image_decides() {
    let no_number = ign!(r#""storage": {"disks": [{"device": "/d", "partitions": [{"number": 0}]}]}"#);
    assert!(told(&no_number.check(&facts()), Rule::PartNumber0).is_empty(), "Ignition of April 2024 is not affected");
    let newer = BaseFacts { snapshot: Some("20260301".into()), newest_spec: Some(6), ..facts() };
    assert_eq!(told(&no_number.check(&newer), Rule::PartNumber0), [Severity::Warning]);
    assert!(told(&IGN.ready("{\"ignition\": {\"version\": \"3.6.0\"}}").check(&newer), Rule::SpecTooNew).is_empty());
    let sdboot = BaseFacts { flavour: Some("kvm-and-xen-sdboot".into()), ..facts() };
    let ignition = wish("[provision]\nengine = \"ignition\"\n[provision.root]\nssh_keys = [\"KEY\"]\n");
    assert_eq!(told(&ignition.check(&sdboot), Rule::SdbootNoIgnition), [Severity::Error], "the name tells nothing");
}
