//! Every key a recipe may hold, once: the parser refuses all others, and the documents are written from it. Touches nothing.

use std::fmt;

use super::Transports;
use super::hardware::Watchdog;
use super::model::{Accel, Firmware, Graphics, Media, SystemMode};
use super::network::{Addressing, BondMode, LinkType};
use super::storage::Profile;
use super::xml::XmlAction;
use crate::base::{Arch, BaseKind, Compression};

/// What is written under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Text,
    Number,
    Flag,
    /// Text such as `"30GiB"`.
    Size,
    /// Octal permission bits as text, such as `"0644"`.
    Mode,
    /// 64 hexadecimal digits.
    Digest,
    /// A path beneath the recipe's directory.
    Path,
    Texts,
    Paths,
    Urls,
    Word(&'static [&'static str]),
    Table,
    /// `[[…]]`, any number of them.
    Tables,
    /// Ids of rules, each with a reason.
    Reasons,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// With dots; `[]` follows the name of an array of tables.
    pub path: &'static str,
    pub kind: KeyType,
    /// `required`, a value, or empty where leaving the key out means nothing is set.
    pub default: &'static str,
    /// One line.
    pub doc: &'static str,
}

const fn key(path: &'static str, kind: KeyType, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

use KeyType as T;

/// All keys, in the order they are documented.
pub(crate) const KEYS: &[Key] = &[
    key("format", T::Number, "required", "the recipe format this file is written in: 1"),
    key("name", T::Text, "required", "names the bundle and the virtual machine: A-Z a-z 0-9 . _ -, at most 63"),
    key("description", T::Text, "", "free text, shown by libvirt"),
    key("epoch", T::Number, "315532800", "seconds since 1970 that stand for every time stamp (1980-01-01)"),
    key("base", T::Table, "required", "the image everything starts from"),
    key("base.url", T::Text, "required", "http, https or file URL, or a path beneath the recipe's directory"),
    key("base.sha256", T::Digest, "from arca.lock", "the image's digest; left out, `arca-build update` pins it"),
    key("base.size", T::Size, "", "the image file's size in bytes, checked while it is fetched"),
    key("base.kind", T::Word(BaseKind::WORDS), "from the file name", "what the image is"),
    key(
        "base.compression",
        T::Word(Compression::WORDS),
        "from the file name",
        "what is around it; it is unpacked once",
    ),
    key(
        "base.unpacked_size",
        T::Size,
        "",
        "how large it unpacks, exactly; needed above 512MiB where that is 256 times the file, and above 64GiB",
    ),
    key("base.mirrors", T::Urls, "[]", "other addresses of the same bytes, tried in order"),
    key("machine", T::Table, "", "the virtual machine"),
    key("machine.arch", T::Word(Arch::WORDS), "x86_64", "the processor"),
    key("machine.memory", T::Size, "2GiB", "whole MiB, 16MiB to 16TiB"),
    key("machine.vcpus", T::Number, "2", "1 to 1024"),
    key("machine.firmware", T::Word(Firmware::WORDS), "bios (uefi on aarch64)", "what starts the machine"),
    key("machine.accel", T::Word(Accel::WORDS), "kvm", "hardware virtualisation, or emulation that works everywhere"),
    key(
        "machine.network",
        T::Text,
        "network:default",
        "network:NAME (libvirt), bridge:NAME, user, passt (user, by the program passt) or none",
    ),
    key("machine.graphics", T::Word(Graphics::WORDS), "none", "a screen besides the serial console"),
    key("machine.osinfo", T::Text, "from the base's name", "a libosinfo short id"),
    key("machine.mac", T::Text, "from plan and name", "the network card's address; instances of one bundle share it"),
    key(
        "machine.ports",
        T::Texts,
        "[]",
        "with passt: ports of the host that lead to the guest, [ADDRESS:]HOST:GUEST[/tcp|/udp]",
    ),
    key("machine.autostart", T::Flag, "false", "libvirt starts the machine with the host"),
    key(
        "machine.cpu",
        T::Text,
        "host-passthrough (maximum with tcg)",
        "host-passthrough, host-model, maximum, or a model of `virsh cpu-models`",
    ),
    key("machine.topology", T::Table, "", "how the processors are laid out; their product is `vcpus`"),
    key("machine.topology.sockets", T::Number, "1", "1 to 1024"),
    key("machine.topology.cores", T::Number, "1", "of each socket, 1 to 1024"),
    key("machine.topology.threads", T::Number, "1", "of each core, 1 to 1024"),
    key("machine.max_memory", T::Size, "memory", "up to where a balloon may grow the memory while the machine runs"),
    key("machine.hugepages", T::Flag, "false", "memory from huge pages the host has set aside; not in run-qemu.sh"),
    key("machine.shared_memory", T::Flag, "false", "memory that other processes of the host may map, as for virtiofs"),
    key("machine.secure_boot", T::Flag, "false", "only signed boot loaders start; with uefi on x86_64"),
    key("machine.tpm", T::Flag, "false", "a TPM 2.0, emulated by swtpm, which the host must have"),
    key("machine.watchdog", T::Word(Watchdog::WORDS), "", "what happens when the guest stops tending its i6300esb"),
    key(
        "machine.xml[]",
        T::Tables,
        "",
        "an element of the domain XML that no key stands for; each in turn, after all else, in every domain and by virt-install",
    ),
    key(
        "machine.xml[].parent",
        T::Text,
        "required",
        "names of elements below the domain with `/` between them (made where missing), `.` for the domain itself",
    ),
    key(
        "machine.xml[].element",
        T::Text,
        "required",
        "one element; not name, uuid, sysinfo, disks, nor what a key stands for",
    ),
    key(
        "machine.xml[].action",
        T::Word(XmlAction::WORDS),
        "add",
        "add puts it behind the parent's others; replace puts it in the place of the one child of the same name",
    ),
    key(
        "machine.xml[].match",
        T::Text,
        "",
        "with replace: an attribute of the element; it replaces the one child with the same value there",
    ),
    key("machine.storage", T::Text, "/var/lib/libvirt/images", "where an instance's files will live on the host"),
    key("machine.system", T::Table, "", "the disk the system lives on"),
    key("machine.system.size", T::Size, "the base's own", "whole sectors, 1MiB to 64TiB; required for an ISO"),
    key("machine.system.mode", T::Word(SystemMode::WORDS), "overlay", "reads through to the base, or is a grown copy"),
    key("machine.disk[]", T::Tables, "", "a blank disk; at most 24"),
    key(
        "machine.disk[].serial",
        T::Text,
        "required",
        "/dev/disk/by-id/virtio-SERIAL in the guest; at most 20 characters",
    ),
    key("machine.disk[].size", T::Size, "required", "whole sectors, 1MiB to 64TiB"),
    key("provision", T::Table, "", "what is set up in the guest at its first boot"),
    key(
        "provision.engine",
        T::Word(super::Provision::ENGINES),
        "auto",
        "what applies it; auto gives each part to the one that does it best",
    ),
    key(
        "provision.transport",
        T::Word(Transports::WORDS),
        "auto",
        "how the default launch files bring it; a word, or a table with one for each engine",
    ),
    key("provision.transport.ignition", T::Word(Transports::WORDS), "auto", "how it reaches Ignition"),
    key("provision.transport.combustion", T::Word(Transports::WORDS), "auto", "how it reaches Combustion"),
    key("provision.media", T::Word(Media::WORDS), "disk", "gpt: also an image for a USB stick"),
    key("provision.config", T::Path, "", "a ready-made Ignition config"),
    key("provision.script", T::Path, "", "a ready-made Combustion script"),
    key("provision.side_files", T::Paths, "[]", "files that lie beside the script in the guest"),
    key("provision.home_subvolume", T::Flag, "true", "mount /home while Ignition runs, where it is needed"),
    key(
        "provision.report",
        T::Flag,
        "true, but false of ready-made files alone",
        "the guest tells what was applied; `arca-build run --test` compares",
    ),
    key("provision.root", T::Table, "", "how root may log in"),
    key("provision.root.password_hash", T::Text, "", "made by `arca-build passwd`"),
    key("provision.root.ssh_keys", T::Texts, "[]", "OpenSSH public keys"),
    key("provision.user[]", T::Tables, "", "a further user"),
    key("provision.user[].name", T::Text, "required", "the login name, at most 32 characters"),
    key("provision.user[].password_hash", T::Text, "", "made by `arca-build passwd`"),
    key("provision.user[].ssh_keys", T::Texts, "[]", "OpenSSH public keys"),
    key("provision.user[].uid", T::Number, "the next free", "1 to 4294967294"),
    key("provision.user[].groups", T::Texts, "[]", "further groups"),
    key("provision.user[].shell", T::Text, "the guest's", "absolute path"),
    key("provision.user[].home", T::Text, "/home/NAME", "absolute path"),
    key("provision.user[].gecos", T::Text, "", "the full name"),
    key("provision.user[].system", T::Flag, "false", "a system user"),
    key("provision.file[]", T::Tables, "", "a file in the guest"),
    key("provision.file[].path", T::Text, "required", "absolute path in the guest"),
    key("provision.file[].text", T::Text, "", "its content; or `source`, or `url`"),
    key("provision.file[].source", T::Path, "", "a file beside the recipe, at most 1MiB; or `text`, or `url`"),
    key("provision.file[].url", T::Text, "", "its content by URL or large beside the recipe, pinned as `base.url` is"),
    key("provision.file[].sha256", T::Digest, "from arca.lock", "the digest of what `url` names"),
    key("provision.file[].size", T::Size, "", "its size in bytes, checked while it is fetched"),
    key("provision.file[].mirrors", T::Urls, "[]", "other addresses of the same bytes, tried in order"),
    key("provision.file[].mode", T::Mode, "0644", "octal, in quotes"),
    key("provision.file[].user", T::Text, "root", "its owner, by name"),
    key("provision.file[].group", T::Text, "root", "its group, by name"),
    key("provision.unit[]", T::Tables, "", "a systemd unit"),
    key("provision.unit[].name", T::Text, "required", "with its ending, like `nas.service`"),
    key("provision.unit[].enable", T::Flag, "", "start it at boot, or not"),
    key("provision.unit[].mask", T::Flag, "false", "make it impossible to start"),
    key("provision.unit[].text", T::Text, "", "the unit file; or `source`"),
    key("provision.unit[].source", T::Path, "", "a file beside the recipe; or `text`"),
    key("provision.unit[].dropin[]", T::Tables, "", "a drop-in for the unit"),
    key("provision.unit[].dropin[].name", T::Text, "required", "ends in .conf"),
    key("provision.unit[].dropin[].text", T::Text, "", "its content; or `source`"),
    key("provision.unit[].dropin[].source", T::Path, "", "a file beside the recipe; or `text`"),
    key("provision.rpm[]", T::Tables, "", "a package that is installed without a network"),
    key("provision.rpm[].url", T::Text, "required", "as `base.url`; its file name ends in .rpm"),
    key("provision.rpm[].sha256", T::Digest, "from arca.lock", "its digest"),
    key("provision.rpm[].size", T::Size, "", "its size in bytes, checked while it is fetched"),
    key("provision.rpm[].mirrors", T::Urls, "[]", "other addresses of the same bytes, tried in order"),
    key("provision.container[]", T::Tables, "", "a container image that podman loads once, at the first boot"),
    key("provision.container[].name", T::Text, "required", "names its unit, arca-load-NAME.service, and NAME.service"),
    key(
        "provision.container[].image",
        T::Text,
        "",
        "registry/name:tag or @sha256:…, pinned by `arca-build update`; or `url`",
    ),
    key("provision.container[].url", T::Text, "", "as `base.url`; an oci-archive; or `image`"),
    key("provision.container[].sha256", T::Digest, "from arca.lock", "the digest of what `url` names"),
    key("provision.container[].size", T::Size, "", "its size in bytes, checked while it is fetched"),
    key("provision.container[].mirrors", T::Urls, "[]", "other addresses of the same bytes, tried in order"),
    key("provision.container[].before", T::Texts, "[]", "further units that start only once it is loaded"),
    key("provision.container[].text", T::Text, "", "a quadlet, NAME.container, which runs it; or `source`"),
    key("provision.container[].source", T::Path, "", "a quadlet beside the recipe; or `text`"),
    key("provision.container[].ports", T::Texts, "[]", "\"8080:80\", \"127.0.0.1:8080:80/udp\"; writes a quadlet"),
    key(
        "provision.container[].volumes",
        T::Texts,
        "[]",
        "\"/srv/x:/data:Z\"; it starts once /srv/x is mounted; writes a quadlet",
    ),
    key(
        "provision.container[].environment",
        T::Texts,
        "[]",
        "\"NAME=value\", in a file of mode 0600; writes a quadlet",
    ),
    key("provision.container[].exec", T::Texts, "the image's own", "the command, word by word; writes a quadlet"),
    key("provision.container[].auto_start", T::Flag, "true", "whether it starts at boot; writes a quadlet"),
    key(
        "provision.network[]",
        T::Tables,
        "",
        "a NetworkManager profile; with Combustion it holds in the initrd already",
    ),
    key("provision.network[].name", T::Text, "required", "names the profile and its file, NAME.nmconnection"),
    key("provision.network[].type", T::Word(LinkType::WORDS), "ethernet", "what kind of link"),
    key(
        "provision.network[].interface",
        T::Text,
        "any card; a VLAN's PARENT.ID; else NAME",
        "the interface's name in the guest, at most 15 characters",
    ),
    key("provision.network[].mac", T::Text, "", "the card's address, like 52:54:00:12:34:56; ethernet only"),
    key("provision.network[].parent", T::Text, "required for a vlan", "the interface a VLAN lies on"),
    key("provision.network[].id", T::Number, "required for a vlan", "the VLAN's number, 1 to 4094"),
    key(
        "provision.network[].ports",
        T::Texts,
        "required for a bridge or bond",
        "interfaces, by name or card's address",
    ),
    key("provision.network[].mode", T::Word(BondMode::WORDS), "active-backup", "how a bond spreads its traffic"),
    key("provision.network[].addresses", T::Texts, "[]", "static addresses, like \"192.0.2.10/24\", of either family"),
    key("provision.network[].gateway", T::Texts, "[]", "at most one of each family"),
    key("provision.network[].dns", T::Texts, "[]", "name servers, by address"),
    key("provision.network[].dns_search", T::Texts, "[]", "domains that short names are looked up in"),
    key(
        "provision.network[].ipv4",
        T::Word(Addressing::WORDS),
        "static with an address of it, else auto",
        "auto is DHCP",
    ),
    key(
        "provision.network[].ipv6",
        T::Word(Addressing::WORDS),
        "static with an address of it, else auto",
        "auto is what the router announces, and DHCP",
    ),
    key("provision.network[].mtu", T::Number, "the link's", "the largest packet, 576 to 65535 bytes"),
    key("provision.network[].autoconnect", T::Flag, "true", "bring it up at boot"),
    key(
        "provision.packages",
        T::Texts,
        "[]",
        "packages from the image's repositories; needs a network at the first boot",
    ),
    key("provision.run[]", T::Tables, "", "a script that runs once, as root in `/`, in the order written"),
    key("provision.run[].name", T::Text, "required", "names it in messages and its unit, arca-run-NN-NAME.service"),
    key("provision.run[].text", T::Text, "", "the script, with its `#!` line; or `source`"),
    key("provision.run[].source", T::Path, "", "a file beside the recipe; or `text`"),
    key("provision.run[].network", T::Flag, "false", "it needs the network"),
    key("provision.timer[]", T::Tables, "", "a script that runs by the calendar"),
    key("provision.timer[].name", T::Text, "required", "names its units, arca-timer-NAME.timer and .service"),
    key("provision.timer[].on_calendar", T::Text, "required", "when, as systemd.time(7) writes it, like \"Mon 03:00\""),
    key("provision.timer[].text", T::Text, "", "the script, with its `#!` line; or `source`"),
    key("provision.timer[].source", T::Path, "", "a file beside the recipe; or `text`"),
    key("provision.group[]", T::Tables, "", "a group, made before the users"),
    key("provision.group[].name", T::Text, "required", "at most 32 characters"),
    key("provision.group[].gid", T::Number, "the next free", "1 to 4294967294"),
    key("provision.group[].system", T::Flag, "false", "a system group"),
    key("provision.directory[]", T::Tables, "", "a directory in the guest; one that is there keeps what it holds"),
    key("provision.directory[].path", T::Text, "required", "absolute path in the guest"),
    key("provision.directory[].mode", T::Mode, "0755", "octal, in quotes"),
    key("provision.directory[].user", T::Text, "root", "its owner, by name"),
    key("provision.directory[].group", T::Text, "root", "its group, by name"),
    key("provision.link[]", T::Tables, "", "a symbolic link in the guest"),
    key("provision.link[].path", T::Text, "required", "absolute path in the guest; a file that is there is replaced"),
    key("provision.link[].target", T::Text, "required", "where it leads: absolute, or relative to the link"),
    key("provision.file[].append", T::Flag, "false", "add `text` or `source` to what is there, or make the file"),
    key("provision.hostname", T::Text, "the guest's", "at most 64 characters, as RFC 1123 says"),
    key("provision.timezone", T::Text, "the guest's", "such as Europe/Berlin"),
    key("provision.locale", T::Text, "the guest's", "such as en_US.UTF-8"),
    key("provision.keymap", T::Text, "the guest's", "the console's keyboard, such as us"),
    key("provision.ntp", T::Texts, "the guest's", "time servers that take the place of the image's own"),
    key("provision.proxy", T::Table, "", "what the guest reaches the web through"),
    key("provision.proxy.http", T::Text, "", "URL of the proxy for http; or `https`"),
    key("provision.proxy.https", T::Text, "", "URL of the proxy for https; or `http`"),
    key("provision.proxy.no_proxy", T::Texts, "localhost, 127.0.0.1", "hosts and domains that are reached without it"),
    key(
        "provision.kernel_arguments",
        T::Texts,
        "[]",
        "added to the kernel's command line where they are not there yet",
    ),
    key("provision.ca_certificate[]", T::Tables, "", "certificates that the guest trusts"),
    key("provision.ca_certificate[].name", T::Text, "required", "names /etc/pki/trust/anchors/NAME.pem"),
    key("provision.ca_certificate[].text", T::Text, "", "PEM; or `source`"),
    key("provision.ca_certificate[].source", T::Path, "", "a file of PEM beside the recipe; or `text`"),
    key("provision.mount[]", T::Tables, "", "a file system mounted at boot; the guest boots without its device too"),
    key("provision.mount[].what", T::Text, "", "LABEL=, UUID=, /dev/disk/by-…; or `serial`"),
    key("provision.mount[].serial", T::Text, "", "a data disk of the machine; or `what`"),
    key("provision.mount[].path", T::Text, "required", "where; absolute path in the guest"),
    key("provision.mount[].type", T::Text, "found out", "the file system, like btrfs, xfs or vfat"),
    key("provision.mount[].options", T::Texts, "[]", "as in mount(8), one each"),
    key("provision.subvolume[]", T::Tables, "", "a btrfs subvolume on the guest's own disk, made where it is not"),
    key("provision.subvolume[].path", T::Text, "required", "below /home, /opt, /root, /srv, /usr/local or /var"),
    key("provision.subvolume[].nocow", T::Flag, "false", "files in it are written in place, without checksums"),
    key("provision.pool[]", T::Tables, "", "one btrfs over data disks: made if all are blank, kept if it is there"),
    key("provision.pool[].label", T::Text, "required", "its name, and the label of the file system"),
    key("provision.pool[].disks", T::Texts, "required", "serials of `machine.disk`"),
    key("provision.pool[].data", T::Word(Profile::WORDS), "raid1; of one disk single", "how blocks of files are kept"),
    key(
        "provision.pool[].metadata",
        T::Word(Profile::WORDS),
        "raid1, or as many copies as `data`; of one disk dup",
        "how everything else is kept",
    ),
    key("provision.pool[].path", T::Text, "required", "where it is mounted; absolute path in the guest"),
    key("provision.pool[].options", T::Texts, "[]", "mount options, like `noatime`, `compress=zstd`"),
    key("provision.pool[].scrub", T::Text, "monthly", "when everything is read and verified: off, or systemd.time(7)"),
    key("provision.pool[].balance", T::Text, "weekly", "when half-empty blocks are joined: off, or systemd.time(7)"),
    key("provision.pool[].check", T::Flag, "true", "look for disk errors every day, and fail loudly"),
    key("provision.pool[].subvolume[]", T::Tables, "", "a subvolume in the pool, made where it is not"),
    key("provision.pool[].subvolume[].name", T::Text, "required", "its name below the pool's top"),
    key("provision.pool[].subvolume[].path", T::Text, "", "where it is mounted besides"),
    key("provision.pool[].subvolume[].options", T::Texts, "[]", "mount options for there"),
    key("provision.pool[].subvolume[].nocow", T::Flag, "false", "files in it are written in place, without checksums"),
    key(
        "allow",
        T::Reasons,
        "",
        "rules that may be broken: `RULE = \"why\"`; `arca-build check --explain all` lists them",
    ),
];

/// Returns the names of the keys right below a table, by its path.
pub(crate) fn below(table: &str) -> Vec<&'static str> {
    KEYS.iter().filter_map(|key| name_below(key.path, table)).collect()
}

/// Returns the name of a key, if it stands right below a table.
pub(crate) fn name_below(path: &'static str, table: &str) -> Option<&'static str> {
    let rest = if table.is_empty() { path } else { path.strip_prefix(table)?.strip_prefix('.')? };
    let name = rest.trim_end_matches("[]");
    (!name.contains('.')).then_some(name)
}

/// Returns the table that does know a key, for one written in the wrong place.
pub(crate) fn owner(name: &str) -> Option<&'static str> {
    let mut owners = KEYS.iter().filter_map(|key| key.path.trim_end_matches("[]").rsplit_once('.'));
    owners.find(|(_, last)| *last == name).map(|(table, _)| table)
}

impl fmt::Display for KeyType {
    /// Writes the type as the documents name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Number => "whole number",
            Self::Flag => "true or false",
            Self::Size => "size",
            Self::Mode => "octal text",
            Self::Digest => "64 hexadecimal digits",
            Self::Path => "path",
            Self::Texts => "list of text",
            Self::Paths => "list of paths",
            Self::Urls => "list of URLs",
            Self::Word(words) => return f.write_str(&words.join(", ")),
            Self::Table => "table",
            Self::Tables => "tables",
            Self::Reasons => "table of rule ids, each with a reason",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_below_a_table_are_its_own() {
        assert_eq!(below(""), ["format", "name", "description", "epoch", "base", "machine", "provision", "allow"]);
        assert_eq!(below("machine.disk[]"), ["serial", "size"]);
        assert_eq!(below("provision.unit[]"), ["name", "enable", "mask", "text", "source", "dropin"]);
    }

    #[test]
    fn a_key_elsewhere_is_found() {
        assert_eq!(owner("memory"), Some("machine"));
        assert_eq!(owner("serial"), Some("machine.disk[]"));
        assert_eq!(owner("zebra"), None);
    }

    #[test]
    fn no_key_stands_twice_and_each_lies_in_a_table_of_the_list() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.path != key.path), "{}", key.path);
            let parent = key.path.rsplit_once('.').map_or("base", |(parent, _)| parent);
            assert!(KEYS.iter().any(|other| other.path == parent), "{}", key.path);
        }
    }
}
