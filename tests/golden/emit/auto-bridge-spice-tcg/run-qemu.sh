#!/bin/sh
# Boots the machine nas right here with QEMU, without libvirt. Nothing it writes is kept. Written by arca-build.
set -eu

transport=disk
accel=tcg
ssh_port=''
print=no
temporary=''

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd -P) || fail 'cannot tell where this script lies'

# An option's value: the next argument.
value() {
    [ "$1" -ge 2 ] || fail "$2 needs a value; see --help" 2
}

usage() {
    cat <<END
usage: ${0##*/} [--transport disk|fw_cfg] [--accel auto|kvm|tcg] [--ssh-port PORT] [--print] [-- QEMU-OPTION...]

Boots the bundle with its serial console on this terminal (Ctrl-A X ends it). The bundle's files are only read; what the
guest writes goes to a temporary file in \$TMPDIR and is lost.

  --transport T    how the configuration reaches the guest (default: $transport)
  --accel A        auto takes KVM where it can (default: $accel)
  --ssh-port PORT  forward port PORT of this machine's loopback to the guest's port 22
  --print          print the command instead of running it

The environment variable QEMU names another QEMU.
END
}

# QEMU's option strings take a doubled comma for one in a value.
comma() {
    printf '%s\n' "$1" | sed 's/,/,,/g'
}

while [ $# -gt 0 ]; do
    case $1 in
    --transport | --accel | --ssh-port)
        value $# "$1"
        case $1 in
        --transport) transport=$2 ;;
        --accel) accel=$2 ;;
        --ssh-port) ssh_port=$2 ;;
        esac
        shift
        ;;
    --transport=*) transport=${1#*=} ;;
    --accel=*) accel=${1#*=} ;;
    --ssh-port=*) ssh_port=${1#*=} ;;
    --print) print=yes ;;
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

case $here in
*'
'*) fail 'the path of the bundle holds a line break, which QEMU cannot be told' ;;
esac
# shellcheck disable=SC2034 # not every machine has files behind this
files=$(comma "$here")
qemu=${QEMU:-qemu-system-x86_64}
if [ "$print" = no ]; then
    command -v "$qemu" >/dev/null || fail "$qemu is not installed"
fi

# The options are collected from the last to the first.
case $transport in
disk)
    set -- -drive "if=none,id=disk-config,format=qcow2,readonly=on,file=${files}/config.qcow2" -device virtio-blk-pci,drive=disk-config,serial=config,bootindex=2 "$@"
    ;;
fw_cfg)
    set -- -fw_cfg "name=opt/com.coreos/config,file=${files}/config.ign" \
    -fw_cfg "name=opt/org.opensuse.combustion/script,file=${files}/script" "$@"
    ;;
*) fail "not a transport: $transport (disk or fw_cfg)" 2 ;;
esac
set -- -drive "if=none,id=disk-system,format=qcow2,snapshot=on,file=${files}/system.qcow2" -device virtio-blk-pci,drive=disk-system,serial=system,bootindex=1 \
    -drive "if=none,id=disk-tank-1,format=qcow2,snapshot=on,file=${files}/data-tank-1.qcow2" -device virtio-blk-pci,drive=disk-tank-1,serial=tank-1 \
    -drive "if=none,id=disk-tank-2,format=qcow2,snapshot=on,file=${files}/data-tank-2.qcow2" -device virtio-blk-pci,drive=disk-tank-2,serial=tank-2 "$@"
forward=''
case $ssh_port in
'') ;;
*[!0-9]*) fail "not a port: $ssh_port" 2 ;;
*) forward=,hostfwd=tcp:127.0.0.1:$ssh_port-:22 ;;
esac
set -- -netdev "user,id=net0$forward" -device virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:4b:b5:b8 "$@"
case $accel in
auto) set -- -accel kvm -accel tcg "$@" ;;
kvm | tcg) set -- -accel "$accel" "$@" ;;
*) fail "not an accelerator: $accel (auto, kvm or tcg)" 2 ;;
esac
set -- "$qemu" -name nas -uuid d38c369d-65f6-5f03-bd90-fd69a3c40111 -machine q35 -cpu max -m 2048M -smp 2 -rtc base=utc \
    -nodefaults -no-user-config -display none -vga std -serial mon:stdio -boot strict=on \
    -object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0 "$@"

if [ "$print" = yes ]; then
    for word in "$@"; do
        printf "'%s' " "$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")"
    done
    echo
    exit 0
fi
[ -n "$temporary" ] || exec "$@"

# Something is to be cleaned up: stay, and hand signals on.
exec 3<&0
"$@" <&3 3<&- &
child=$!
trap 'kill "$child"' HUP INT TERM
status=0
wait "$child" || status=$?
exit "$status"
