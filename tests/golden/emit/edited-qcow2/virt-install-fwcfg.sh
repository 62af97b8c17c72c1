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
    --memorybacking source.type=memfd,access.mode=shared \
    --import \
    --disk 'path='"$directory"'/system.qcow2,target.bus=virtio,target.dev=vda,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=system,boot.order=1,xpath0.set="./backingStore/@type=file",xpath1.set="./backingStore/format/@type=qcow2",xpath2.set=./backingStore/source/@file='"$directory"'/base.qcow2,xpath3.create=./backingStore/backingStore' \
    --disk "path=${directory}/data-tank-1.qcow2,target.bus=virtio,target.dev=vdb,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=tank-1,xpath0.create=./backingStore" \
    --disk "path=${directory}/data-tank-2.qcow2,target.bus=virtio,target.dev=vdc,driver.name=qemu,driver.type=qcow2,driver.discard=unmap,serial=tank-2,xpath0.create=./backingStore" \
    --sysinfo "type=fwcfg,entry0.name=opt/com.coreos/config,entry0.file=${directory}/config.ign" \
    --network network=default,model.type=virtio,mac.address=52:54:00:4b:b5:b8 \
    --serial pty \
    --console pty,target.type=serial \
    --channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0 \
    --rng /dev/urandom \
    --memballoon model=virtio \
    --tpm none \
    --watchdog model=i6300esb,action=pause \
    --graphics vnc \
    --video virtio \
    --sound none \
    --redirdev none \
    --xml 'xpath.create="./title[999]"' \
    --xml "xpath.set=\"./title[last()]\",xpath.value=\"a, \\\"b\\\" & <c> = 'd'; "'$HOME `id`"' \
    --xml 'xpath.create="./memtune/hard_limit[999]"' \
    --xml 'xpath.set="./memtune/hard_limit[last()]/@unit",xpath.value=MiB' \
    --xml 'xpath.set="./memtune/hard_limit[last()]",xpath.value=9000' \
    --xml 'xpath.create="./cputune/shares[999]"' \
    --xml 'xpath.set="./cputune/shares[last()]",xpath.value=512' \
    --xml 'xpath.create="./features/hyperv[999]"' \
    --xml 'xpath.set="./features/hyperv[last()]/@mode",xpath.value=custom' \
    --xml 'xpath.create="./features/hyperv[last()]/relaxed[999]"' \
    --xml 'xpath.set="./features/hyperv[last()]/relaxed[last()]/@state",xpath.value=on' \
    --xml 'xpath.create="./features/hyperv[last()]/spinlocks[999]"' \
    --xml 'xpath.set="./features/hyperv[last()]/spinlocks[last()]/@state",xpath.value=on' \
    --xml 'xpath.set="./features/hyperv[last()]/spinlocks[last()]/@retries",xpath.value=8191' \
    --xml 'xpath.create="./features/kvm[999]"' \
    --xml 'xpath.create="./features/kvm[last()]/hidden[999]"' \
    --xml 'xpath.set="./features/kvm[last()]/hidden[last()]/@state",xpath.value=on' \
    --xml 'xpath.create="./cpu/feature[999]"' \
    --xml 'xpath.set="./cpu/feature[last()]/@policy",xpath.value=require' \
    --xml 'xpath.set="./cpu/feature[last()]/@name",xpath.value=vmx' \
    --xml "xpath.delete=\"./clock/timer[@name='pit']\"" \
    --xml 'xpath.create="./clock/timer[999]"' \
    --xml 'xpath.set="./clock/timer[last()]/@name",xpath.value=pit' \
    --xml 'xpath.set="./clock/timer[last()]/@tickpolicy",xpath.value=discard' \
    --xml 'xpath.create="./clock/timer[999]"' \
    --xml 'xpath.set="./clock/timer[last()]/@name",xpath.value=hypervclock' \
    --xml 'xpath.set="./clock/timer[last()]/@present",xpath.value=yes' \
    --xml xpath.delete=./on_crash \
    --xml 'xpath.create="./on_crash[999]"' \
    --xml 'xpath.set="./on_crash[last()]",xpath.value=restart' \
    --xml xpath.delete=./pm \
    --xml 'xpath.create="./pm[999]"' \
    --xml 'xpath.create="./pm[last()]/suspend-to-mem[999]"' \
    --xml 'xpath.set="./pm[last()]/suspend-to-mem[last()]/@enabled",xpath.value=yes' \
    --xml xpath.delete=./devices/memballoon \
    --xml 'xpath.create="./devices/memballoon[999]"' \
    --xml 'xpath.set="./devices/memballoon[last()]/@model",xpath.value=virtio' \
    --xml 'xpath.set="./devices/memballoon[last()]/@autodeflate",xpath.value=on' \
    --xml "xpath.delete=\"./devices/controller[@type='usb']\"" \
    --xml 'xpath.create="./devices/controller[999]"' \
    --xml 'xpath.set="./devices/controller[last()]/@type",xpath.value=usb' \
    --xml 'xpath.set="./devices/controller[last()]/@model",xpath.value=qemu-xhci' \
    --xml 'xpath.set="./devices/controller[last()]/@ports",xpath.value=4' \
    --xml 'xpath.create="./devices/interface/mtu[999]"' \
    --xml 'xpath.set="./devices/interface/mtu[last()]/@size",xpath.value=9000' \
    --xml 'xpath.create="./devices/interface/link[999]"' \
    --xml 'xpath.set="./devices/interface/link[last()]/@state",xpath.value=down' \
    --xml 'xpath.create="./devices/sound[999]"' \
    --xml 'xpath.set="./devices/sound[last()]/@model",xpath.value=ich9' \
    --xml 'xpath.create="./devices/sound/codec[999]"' \
    --xml 'xpath.set="./devices/sound/codec[last()]/@type",xpath.value=micro' \
    --xml 'xpath.create="./devices/panic[999]"' \
    --xml 'xpath.set="./devices/panic[last()]/@model",xpath.value=isa' \
    --xml 'xpath.create="./devices/hub[999]"' \
    --xml 'xpath.set="./devices/hub[last()]/@type",xpath.value=usb' \
    --xml 'xpath.create="./devices/hub[999]"' \
    --xml 'xpath.set="./devices/hub[last()]/@type",xpath.value=usb' \
    --xml "xpath.delete=\"./devices/watchdog[@action='pause']\"" \
    --xml 'xpath.create="./devices/watchdog[999]"' \
    --xml 'xpath.set="./devices/watchdog[last()]/@model",xpath.value=ib700' \
    --xml 'xpath.set="./devices/watchdog[last()]/@action",xpath.value=pause' \
    --xml 'xpath.create="./devices/filesystem[999]"' \
    --xml 'xpath.set="./devices/filesystem[last()]/@type",xpath.value=mount' \
    --xml 'xpath.set="./devices/filesystem[last()]/@accessmode",xpath.value=passthrough' \
    --xml 'xpath.create="./devices/filesystem[last()]/driver[999]"' \
    --xml 'xpath.set="./devices/filesystem[last()]/driver[last()]/@type",xpath.value=virtiofs' \
    --xml 'xpath.create="./devices/filesystem[last()]/source[999]"' \
    --xml 'xpath.set="./devices/filesystem[last()]/source[last()]/@dir",xpath.value="/srv/a b,c=d"' \
    --xml 'xpath.create="./devices/filesystem[last()]/target[999]"' \
    --xml 'xpath.set="./devices/filesystem[last()]/target[last()]/@dir",xpath.value=share' \
    --noautoconsole \
    "$@" || fail "virt-install failed; the files stay in $directory: run again with --installed, or remove them"
