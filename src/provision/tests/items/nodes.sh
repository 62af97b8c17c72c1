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

# Makes a directory, or gives the one that is there its mode and owner: mode, user, group, path.
directory() {
    if [ -L "$4" ]; then
        printf 'arca-build: %s is a link, not a directory\n' "$4" >&2
        exit 1
    fi
    install -d -m "$1" -o "$2" -g "$3" "$4"
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
if ! id -u arca >/dev/null 2>&1; then
    useradd --create-home --password '*' arca
fi
authorize arca cat <<'END'
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org
END
directory 0700 arca root /etc/nas/keys
install -d -m 0755 -o arca -g users /home/arca/.config
directory 0755 arca users "/home/arca/.config/it's"
mkdir -p /etc/nas/
rm -f /etc/nas/current
ln -sn -- "../nas/it's" /etc/nas/current
mkdir -p /root/
rm -f /root/log
ln -sn -- /var/log /root/log

hide
trap - EXIT
