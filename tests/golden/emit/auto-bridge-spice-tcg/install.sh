#!/bin/sh
# Copies the files that the machine nas needs into the directory of its instance. Written by arca-build.
set -eu
umask 077

name=nas
storage=/var/lib/libvirt/images
quiet=no

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd -P) || fail 'cannot tell where this script lies'

# An option's value: the next argument.
value() {
    [ "$1" -ge 2 ] || fail "$2 needs a value; see --help" 2
}

# The rule of a storage directory, as in a recipe: its path goes into XML and into options of virt-install, which
# mishandles other characters.
vet() (
    LC_ALL=C
    case $1 in
    *[!A-Za-z0-9/._+@-]* | *//* | */./* | */../* | */. | */..) ;;
    /?*) exit 0 ;;
    esac
    fail "the storage directory must be an absolute path of A-Z a-z 0-9 / . _ + @ - without . or .. parts: $1" 2
)

usage() {
    cat <<END
usage: ${0##*/} [--storage DIR] [--quiet]

Copies the machine's files into DIR/$name, checks them against SHA256SUMS, and puts them in place all at once.
It never touches an instance that is there already.

  --storage DIR  where instances live (default: $storage)
  --quiet        do not tell the next command
END
}

while [ $# -gt 0 ]; do
    case $1 in
    --storage)
        value $# "$1"
        storage=$2
        shift
        ;;
    --storage=*) storage=${1#*=} ;;
    --quiet) quiet=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "unknown argument: $1; see --help" 2 ;;
    esac
    shift
done

storage=${storage%/}
vet "$storage"
[ -d "$storage" ] || fail "there is no directory $storage; make it, or choose another with --storage DIR"
target=$storage/$name
if [ -e "$target" ] || [ -L "$target" ]; then
    fail "$target exists already; nothing was changed (remove it first, or choose another directory with --storage DIR)"
fi
temporary=''
trap '[ -z "$temporary" ] || rm -rf "$temporary"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
temporary=$(mktemp -d "$storage/.$name.XXXXXX") || fail "cannot write into $storage; try as root, or --storage DIR"

# Copies one file of the bundle, sharing blocks and keeping holes where cp can: copy FILE MODE.
copy() {
    cp --reflink=auto --sparse=always "$here/$1" "$temporary/$1" 2>/dev/null || {
        rm -f "$temporary/$1"
        cp "$here/$1" "$temporary/$1" || fail "cannot copy $here/$1; nothing was installed"
    }
    chmod "$2" "$temporary/$1"
    awk -v name="$1" '$2 == name { print; found = 1 } END { exit !found }' "$here/SHA256SUMS" >>"$temporary/.sums" ||
        fail "SHA256SUMS does not list $1; nothing was installed"
}

copy system.qcow2 0600
copy data-tank-1.qcow2 0600
copy data-tank-2.qcow2 0600
copy base.qcow2 0444
copy config.qcow2 0600
copy config.ign 0600
copy script 0600
copy domain.xml 0644
copy domain-disk.xml 0644
copy domain-fwcfg.xml 0644

(cd "$temporary" && sha256sum -c .sums >/dev/null) ||
    fail 'a copied file does not match SHA256SUMS: the bundle is damaged; nothing was installed'
rm -f "$temporary/.sums"

# The descriptions name the recipe's storage directory; this is where the instance really lies.
for domain in domain.xml domain-disk.xml domain-fwcfg.xml; do
    sed -e 's|"/var/lib/libvirt/images/nas/|"'"$target"'/|g' \
        -e 's|<kernel>/var/lib/libvirt/images/nas/|<kernel>'"$target"'/|' \
        -e 's|<initrd>/var/lib/libvirt/images/nas/|<initrd>'"$target"'/|' "$temporary/$domain" >"$temporary/.xml"
    cat "$temporary/.xml" >"$temporary/$domain"
done
rm -f "$temporary/.xml"

# libvirt hands the files to the user QEMU runs as; that user must also get through the directories above them.
chmod 0711 "$temporary"
mv -T "$temporary" "$target" || fail "cannot put $target in place; nothing was installed"
trap - EXIT

above=$storage
while [ -n "$above" ]; do
    # shellcheck disable=SC2012 # only the mode is read
    case $(ls -ldL "$above" | cut -c1-11) in
    ?????????[xt]* | ??????????+) ;;
    *) printf '%s: note: %s keeps other users out: no VM of qemu:///system can use files below it\n' "${0##*/}" "$above" >&2 ;;
    esac
    above=${above%/*}
done

if [ "$quiet" = no ]; then
    printf 'installed: %s\nnext: %s\n' "$target" "virsh define $target/domain.xml && virsh start nas"
fi
