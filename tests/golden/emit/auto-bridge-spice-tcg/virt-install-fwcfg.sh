#!/bin/sh
# Creates the machine nas with virt-install, the configuration by fw_cfg. Written by arca-build.
set -eu

name=nas
storage=/var/lib/libvirt/images
connect=''
installed=no

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
usage: virt-install-fwcfg.sh [--storage DIR] [--connect URI] [--installed] [-- VIRT-INSTALL-OPTION...]

Runs install.sh, which copies the machine's files into DIR/$name, then creates and starts the machine.

  --storage DIR  where instances live (default: $storage)
  --connect URI  libvirt to use, as qemu:///system or qemu:///session
  --installed    use the files that install.sh put there before

What follows -- goes to virt-install, as: -- --print-xml --dry-run
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
    --connect)
        value $# "$1"
        connect=$2
        shift
        ;;
    --connect=*) connect=${1#*=} ;;
    --installed) installed=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    --)
        shift
        break
        ;;
    *) fail "unknown argument: $1; see --help" 2 ;;
    esac
    shift
done

storage=${storage%/}
vet "$storage"
directory=$storage/$name
command -v virt-install >/dev/null || fail 'virt-install is not installed'
if [ "$installed" = no ]; then
    sh "$here/install.sh" --storage "$storage" --quiet
elif [ ! -d "$directory" ]; then
    fail "there is no $directory; leave --installed out"
fi

if [ -n "$connect" ]; then
    set -- --connect "$connect" "$@"
fi
# shellcheck disable=SC2016 # what looks like an expansion is text
virt-install \
    --name nas \
    --uuid d38c369d-65f6-5f03-bd90-fd69a3c40111 \
    --metadata "description=\"Bob's <NAS>, \\\"50% off\\\" & more: "'$HOME '"\\\\ "'`id`; entry1.name=x,,y"' \
    --osinfo opensusetumbleweed \
    --virt-type qemu \
    --arch x86_64 \
    --machine q35 \
    --memory 2048 \
    --vcpus 2 \
    --cpu mode=maximum \
    --features acpi=on,apic=on,vmport=off \
    --events on_poweroff=destroy,on_reboot=restart,on_crash=destroy \
    --clock offset=utc,rtc_tickpolicy=catchup,pit_tickpolicy=delay,hpet_present=no \
    --import \
    --disk 'path='"$directory"'/system.qcow2,target.bus=virtio,target.dev=vda,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=system,boot.order=1,xpath0.set="./backingStore/@type=file",xpath1.set="./backingStore/format/@type=qcow2",xpath2.set=./backingStore/source/@file='"$directory"'/base.qcow2,xpath3.create=./backingStore/backingStore' \
    --disk "path=${directory}/data-tank-1.qcow2,target.bus=virtio,target.dev=vdb,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=tank-1,xpath0.create=./backingStore" \
    --disk "path=${directory}/data-tank-2.qcow2,target.bus=virtio,target.dev=vdc,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=tank-2,xpath0.create=./backingStore" \
    --sysinfo "type=fwcfg,entry0.name=opt/com.coreos/config,entry0.file=${directory}/config.ign,entry1.name=opt/org.opensuse.combustion/script,entry1.file=${directory}/script" \
    --network bridge=br0,model.type=virtio,mac.address=52:54:00:4b:b5:b8 \
    --serial pty \
    --console pty,target.type=serial \
    --channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0 \
    --rng /dev/urandom \
    --memballoon model=virtio \
    --tpm none \
    --graphics spice \
    --video virtio \
    --sound none \
    --redirdev none \
    --noautoconsole \
    "$@" || fail "virt-install failed; the files stay in $directory: run again with --installed, or remove them"
