#!/bin/sh
# Written by arca-build: change the recipe, not this file.
set -eu

# Mounts what transactional-update does not show and fstab lists; unmounts it at the end, however that comes.
mounted=
show() {
    if findmnt --fstab --mountpoint "$1" >/dev/null && ! mountpoint -q "$1"; then
        mount "$1"
        mounted="$1 $mounted"
    fi
}
hide() {
    for place in $mounted; do
        umount "$place"
    done
    mounted=
}
trap hide EXIT

# Writes a file: mode, owner, path, and the command that prints its bytes.
put() {
    mode=$1 owner=$2 path=$3
    shift 3
    mkdir -p "${path%/*}/"
    rm -f "$path"
    (umask 077 && "$@" >"$path")
    chown "$owner" "$path"
    chmod "$mode" "$path"
}

# Lets a user in by the keys that a command prints.
authorize() {
    user=$1
    shift
    home=$(getent passwd "$user" | cut -d: -f6)
    group=$(id -g "$user")
    test -n "$home"
    install -d -m 0700 -o "$user" -g "$group" "$home/.ssh"
    put 0600 "$user:$group" "$home/.ssh/authorized_keys" "$@"
}

umask 022
show /home
if ! getent group backup >/dev/null; then
    groupadd --gid 2000 backup
else
    groupmod --gid 2000 backup
fi
if ! getent group nas >/dev/null; then
    groupadd nas
fi
if ! getent group daemon-x >/dev/null; then
    groupadd --system daemon-x
fi
if ! id -u arca >/dev/null 2>&1; then
    useradd --create-home --password '*' --groups nas arca
else
    usermod --append --groups nas arca
fi
authorize arca cat <<'END'
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org
END

hide
trap - EXIT
