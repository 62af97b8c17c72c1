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
put 0644 root:root /etc/sysconfig/proxy cat <<'END'
PROXY_ENABLED="yes"
HTTP_PROXY="http://proxy.example.org:3128"
HTTPS_PROXY="http://proxy.example.org:3128"
NO_PROXY=".example.org,10.0.0.0/8"
END
