#!/bin/sh
# Written by arca-build: change the recipe, not this file.
set -eu

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

umask 022
put 0644 root:root /etc/hostname cat <<'END'
nas.example.org
END
put 0644 root:root /etc/locale.conf cat <<'END'
LANG=en_US.UTF-8
END
put 0644 root:root /etc/vconsole.conf cat <<'END'
KEYMAP=de-nodeadkeys
END
mkdir -p /etc/
rm -f /etc/localtime
ln -sn -- ../usr/share/zoneinfo/Europe/Berlin /etc/localtime
