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
put 0644 root:root /etc/pki/trust/anchors/example-root.pem cat <<'END'
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUVdzpVHN+4bVvsxcWVuzA5lfP8DowCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMRXhhbXBsZSBSb290MCAXDTI2MTEyMzA3MTI1MloYDzIxMjYx
MDMwMDcxMjUyWjAXMRUwEwYDVQQDDAxFeGFtcGxlIFJvb3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARgfUiqi2C8RU0GBmlqfiPgcMp7nuOOwlM6KNyblyBFT/r9
LvNP76DWlU9pRaCCsSJtnncvZC9zPYdANX0sZppCo1MwUTAdBgNVHQ4EFgQUy1+f
E5eeuiUEzrgT86z9vVGG+kAwHwYDVR0jBBgwFoAUy1+fE5eeuiUEzrgT86z9vVGG
+kAwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAhOiMuNGM9dgd
VU0fmM1lUNtzT7DMSSiguIaCQEt6b6wCICexkm70W8MK84zYFXkAYtAbb3MG7gVH
HsolAZ56YMsX
-----END CERTIFICATE-----
END
systemctl enable ca-certificates.path

# Makes the trust store anew; in a snapshot it leaves a mark, by which the next boot does it.
update-ca-certificates
