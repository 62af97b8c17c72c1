//! A stand-in for virsh and `id`: a script whose libvirt is a directory of text files, so that each answer can be
//! chosen, every command is on record, and no daemon is needed. Touches the directory it is given.
//!
//! `domains` holds lines `UUID NAME STATE`; `networks` lines `NAME active|inactive`; a file `down`, `no-kvm`,
//! `no-emulator`, `no-uefi`, `no-define`, `no-autostart` or `no-start` makes it refuse that; `log` has the commands.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::tests::support::Bin;

const VIRSH: &str = r#"#!/bin/sh
here=${0%/*}
shift 3
echo "$*" >>"$here/log"
refuse() { echo "error: $1" >&2; exit 1; }
field() { sed -n "s|.*<$2>\(.*\)</$2>.*|\1|p" "$1" | head -n 1; }
state() { awk -v id="$1" '$1 == id || $2 == id { $1 = $2 = ""; sub("^ *", ""); print }' "$here/domains"; }
put() { # UUID NAME STATE
    grep -v "^$1 " "$here/domains" >"$here/domains.new" || :
    [ -z "$2" ] || echo "$1 $2 $3" >>"$here/domains.new"
    mv "$here/domains.new" "$here/domains"
}
[ ! -e "$here/down" ] || refuse 'failed to connect to the hypervisor'
case $1 in
uri) echo fake ;;
list) cut -d ' ' -f 1,2 "$here/domains" ;;
domstate) state "$2" ;;
define | create)
    [ ! -e "$here/no-$1" ] || refuse "no $1"
    for xml; do :; done
    cp "$xml" "$here/$(field "$xml" uuid).xml"
    put "$(field "$xml" uuid)" "$(field "$xml" name)" "$([ "$1" = define ] && echo shut off || echo running)"
    ;;
dumpxml) cat "$here/$3.xml" ;;
autostart) [ ! -e "$here/no-autostart" ] || refuse 'no autostart' ;;
start)
    [ ! -e "$here/no-start" ] || refuse 'no start'
    put "$2" "$(awk -v id="$2" '$1 == id { print $2 }' "$here/domains")" running
    ;;
undefine) put "$2" '' ;;
net-list)
    case $* in
    *--all*) cut -d ' ' -f 1 "$here/networks" ;;
    *) sed -n 's/ active$//p' "$here/networks" ;;
    esac
    ;;
domcapabilities)
    [ ! -e "$here/no-emulator" ] || refuse 'unknown emulator'
    case "$3 $(ls "$here")" in
    kvm*no-kvm*) refuse 'KVM is not supported' ;;
    esac
    [ -e "$here/no-uefi" ] || echo '<value>efi</value>'
    echo '<value>emulator</value>'
    ;;
*) refuse "unknown: $*" ;;
esac
"#;

/// The user that QEMU would run as is nobody of this machine.
const ID: &str = "#!/bin/sh\n[ \"$3\" = libvirt-qemu ] || exit 1\necho 424242\n";

pub struct Fake {
    directory: PathBuf,
}

impl Fake {
    /// Makes it below a directory.
    pub fn new(below: &Path) -> Self {
        let directory = below.join("fake");
        std::fs::create_dir(&directory).unwrap();
        for (name, text) in [("virsh", VIRSH), ("id", ID)] {
            std::fs::write(directory.join(name), text).unwrap();
            std::fs::set_permissions(directory.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        let fake = Self { directory };
        fake.set("domains", "");
        fake.set("networks", "default active\n");
        fake
    }

    /// Writes one of its files.
    pub fn set(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    /// Takes one of its files away.
    pub fn unset(&self, name: &str) {
        std::fs::remove_file(self.directory.join(name)).unwrap();
    }

    /// Reads one of its files.
    pub fn get(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// Prepares a run that finds it in PATH.
    pub fn bin(&self, cwd: &Path, words: &[&str]) -> Bin {
        let path = format!("{}:/usr/bin:/bin", self.directory.display());
        Bin::new(cwd).env("PATH", path).args(words)
    }
}

/// Lists what is in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
