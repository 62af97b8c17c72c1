
# start    at every boot: makes the pool where every member is blank, else looks whether it is whole; a unit mounts it then
# check    tells when a disk has made errors or is gone
# scrub    reads everything, and mends from another copy what does not match its checksum
# balance  joins half-empty blocks, so that their space can be used anew
#
# No disk that carries anything is written to, but for subvolumes that are not there yet; nothing is mounted here to stay.
command=$1
# What was made once is never made again.
stamp=/var/lib/arca-build/pool-$label
# Whoever logs in reads what is wrong (pam_motd(8)).
notice=/run/motd.d/arca-pool-$label-$command
# Of messages that something failed, as in sd-daemon(3): critical here, an emergency shows on every terminal.
level=2
is_told=
# Where the script itself mounts, to look or to make subvolumes.
top=/run/arca-build/pool-$label
# A member that is there, which the mounts name.
link=$top.device

# Says a line: level, text.
say() {
    printf '<%s>arca-build: pool %s: %s\n' "$1" "$label" "$2" >&2
}

# Tells what is wrong and the way out, in lines.
tell() {
    for line in "$@"; do
        say "$level" "$line"
    done
    mkdir -p "${notice%/*}"
    for line in "$@"; do
        printf 'pool %s: %s\n' "$label" "$line"
    done >"$notice"
    is_told=yes
}

# Tells, and ends.
fail() {
    tell "$@"
    exit 1
}

# Prints where the guest finds the disk of a serial.
disk() {
    printf '/dev/disk/by-id/virtio-%s' "$1"
}

# Waits for the disks, but not for long: a lost one must not hold up the boot.
await() {
    left=30
    while :; do
        missing=
        for serial in $members; do
            if [ ! -b "$(disk "$serial")" ]; then
                missing="$missing $serial"
            fi
        done
        if [ -z "$missing" ] || [ "$left" -eq 0 ]; then
            return
        fi
        left=$((left - 1))
        sleep 1
    done
}

# Prints what a device carries: `blank`, `pool` and its UUID, or other words.
carries() {
    if ! found=$(wipefs --no-act --noheadings --output TYPE "$1"); then
        echo 'something that cannot be read'
        return
    fi
    found=$(printf '%s\n' "$found" | sort -u | tr -s '\n ' ' ')
    found=${found% }
    if [ "${found# }" = btrfs ]; then
        other=$(blkid -p -s LABEL -o value "$1" || :)
        if [ "$other" = "$label" ]; then
            echo "pool $(blkid -p -s UUID -o value "$1")"
        else
            echo "a btrfs with the label \`$other\`"
        fi
    elif [ -n "${found# }" ]; then
        echo "${found# }"
    elif [ "$(head -c 1048576 "$1" | wc -c)" -ne 1048576 ]; then
        echo 'something that cannot be read'
    elif [ "$(head -c 1048576 "$1" | tr -d '\000' | wc -c)" -ne 0 ]; then
        echo 'unknown data in its first MiB'
    else
        echo blank
    fi
}

start() {
    await
    uuid=
    first=
    ours=
    blank=
    set --
    for serial in $members; do
        case "$missing " in
        *" $serial "*) continue ;;
        esac
        found=$(carries "$(disk "$serial")")
        case $found in
        blank)
            blank="$blank $serial"
            ;;
        "pool "*)
            if [ -n "$uuid" ] && [ "$found" != "pool $uuid" ]; then
                set -- "$@" "the disk $serial belongs to another btrfs of this label than$ours"
                continue
            fi
            uuid=${found#pool }
            first=${first:-$(disk "$serial")}
            ours="$ours $serial"
            ;;
        *)
            set -- "$@" "the disk $serial is not blank, it carries $found"
            ;;
        esac
    done
    if [ $# -gt 0 ]; then
        fail "$@" 'nothing was changed, and the pool is not mounted' \
            'to give up all that such a disk holds, then boot again:' \
            '  wipefs --all /dev/disk/by-id/virtio-SERIAL' \
            '  dd if=/dev/zero of=/dev/disk/by-id/virtio-SERIAL bs=1M count=1'
    fi
    namesakes
    if [ -n "$uuid" ]; then
        whole
    else
        make
    fi
    if [ -z "$is_told" ]; then
        add_subvolumes
    fi
    mkdir -p "${link%/*}"
    ln -sfn "$(readlink -f "$first")" "$link"
    mkdir -p "${stamp%/*}"
    echo "$uuid" >"$stamp"
}

# Whoever names it by its label must find this one.
namesakes() {
    for device in $(blkid -c /dev/null -t LABEL="$label" -o device || :); do
        if [ "$(blkid -p -s UUID -o value "$device" || :)" != "$uuid" ]; then
            fail "another file system has the same label: $device" \
                'nothing was changed, and the pool is not mounted' \
                "to label it anew: btrfs filesystem label $device NEW, or with the tool of its kind"
        fi
    done
}

# Looks whether all members are there that the file system knows, whatever the recipe names.
whole() {
    # The kernel remembers members that are gone; what is mounted it does not forget.
    btrfs device scan --forget >/dev/null 2>&1 || :
    btrfs device scan >/dev/null
    if ! btrfs device ready "$first"; then
        degraded
        return
    fi
    if [ -n "$missing" ]; then
        say 4 "the recipe names$missing, which are not there, and the pool is whole without"
    fi
    if [ -n "$blank" ]; then
        say 4 "not part of it, and blank:$blank; to add a disk: btrfs device add /dev/disk/by-id/virtio-SERIAL $path"
    fi
}

# Lets a pool with a lost disk be mounted all the same, until the next boot, and tells: to be read only, so that nothing
# differs when the disk comes back.
degraded() {
    set -- "a disk of the pool is missing:${missing:- none that the recipe names}" \
        "there is of it:$ours${blank:+, and blank:$blank}"
    mkdir -p "$top"
    mount -t btrfs -o ro,degraded "$first" "$top" ||
        fail "$@" 'nothing was changed; without it the pool cannot even be read' 'attach it, and boot again'
    umount "$top"
    printf '%s\n' "$mounts" | while read -r unit options; do
        mkdir -p "/run/systemd/system/$unit.d"
        printf '[Mount]\nOptions=%sro,degraded\n' "${options:+$options,}" >"/run/systemd/system/$unit.d/50-degraded.conf"
    done
    systemctl daemon-reload
    tell "$@" "it was waited for 30 seconds; nothing was changed, and the pool will be mounted read-only: findmnt $path" \
        'to have it whole again: attach the disk, and boot again' \
        "to put a new disk in its place: mount -o remount,rw,degraded $path, btrfs device usage $path, btrfs replace start ID DISK $path"
    # It fails for as long as the disk is missing, and that is seen wherever failed units are.
    systemctl --no-block start "arca-check-$label.service" || :
}

# Makes the pool; every member that is there is blank.
make() {
    if [ -n "$missing" ]; then
        fail "a disk is missing:$missing" 'the pool was not made, for that every disk must be there' \
            'attach it under this serial, and boot again'
    fi
    if [ -e "$stamp" ]; then
        fail "it was made once, with the UUID $(cat "$stamp"), and now every disk is blank" \
            "it was not made again; if it shall be: rm $stamp, and boot again"
    fi
    set --
    for serial in $members; do
        set -- "$@" "$(disk "$serial")"
    done
    first=$1
    # Neither --force, so that mkfs looks for itself, nor a discard, which may take long.
    mkfs.btrfs --quiet --nodiscard --label "$label" --data "$data" --metadata "$metadata" "$@" ||
        fail 'mkfs.btrfs could not make it; see above' \
            'if disks are no longer blank now, nothing of worth is on them: wipefs --all, and boot again'
    uuid=$(blkid -p -s UUID -o value "$first")
    btrfs device scan >/dev/null
    say 5 "made over$blank with data $data and metadata $metadata, UUID $uuid"
}

# Makes the subvolumes that are not there; what is there stays as it is.
add_subvolumes() {
    if [ -z "$subvolumes" ]; then
        return
    fi
    mkdir -p "$top"
    mount -t btrfs -o subvolid=5 "$first" "$top" || fail 'it cannot be mounted; see above, and: dmesg'
    trap 'umount "$top"' EXIT
    for name in $subvolumes; do
        if [ -e "$top/$name" ]; then
            continue
        fi
        # It has its name only when all is done: what failed half-way is taken up at the next boot.
        if [ ! -e "$top/$name.arca-new" ]; then
            btrfs subvolume create "$top/$name.arca-new" >/dev/null ||
                fail "the subvolume $name cannot be made; see above"
        fi
        case " $nocow " in
        *" $name "*) chattr +C "$top/$name.arca-new" || fail "the subvolume $name cannot be set to nocow; see above" ;;
        esac
        mv -T "$top/$name.arca-new" "$top/$name"
    done
    umount "$top"
    trap - EXIT
}

mounted() {
    level=0
    if ! mountpoint -q "$path"; then
        fail "it is not mounted at $path" "to see why: journalctl -u arca-pool-$label.service -b"
    fi
}

check() {
    mounted
    btrfs device stats --check "$path" ||
        fail 'a disk has made errors; see above, or: '"btrfs device stats $path" \
            "to verify everything: btrfs scrub start $path; to begin counting anew: btrfs device stats --reset $path"
    if btrfs filesystem show --mounted "$path" | grep -i missing; then
        fail 'it is mounted with a disk missing' \
            "to put a new disk in its place: btrfs device usage $path, btrfs replace start ID DISK $path"
    fi
}

scrub() {
    mounted
    btrfs scrub start -B "$path" ||
        fail 'the scrub could not run, or found what no other copy could mend' "to see more: btrfs scrub status $path, dmesg"
}

balance() {
    mounted
    # Only blocks at most half full: a whole balance moves everything, and mends nothing.
    btrfs balance start -dusage=50 -musage=30 "$path" || fail 'the balance failed; see above, and: dmesg'
}

"$command"
if [ -z "$is_told" ]; then
    rm -f "$notice"
fi
