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
put 0644 root:root /etc/chrony.d/pool.conf cat <<'END'
server ntp.example.org iburst
server 10.0.0.1 iburst
pool de.pool.ntp.org iburst
END
systemctl enable chronyd.service
