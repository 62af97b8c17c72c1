#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Make guest.qcow2 from guest.s: sh make.sh [OUTPUT]
#
# Needs as, ld and objcopy for x86 (GNU binutils) and nothing of QEMU: the image
# is written here byte by byte, so that it is the same with every version.
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/guest.qcow2}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"${AS:-as}" --32 -o "$tmp/guest.o" "$here/guest.s"
"${LD:-ld}" -m elf_i386 -e start -Ttext=0x7c00 -Tbss=0x9000 \
    -o "$tmp/guest.elf" "$tmp/guest.o"
"${OBJCOPY:-objcopy}" -O binary -j .text "$tmp/guest.elf" "$tmp/guest.bin"

# Write FILE, filled up with zeros to a cluster of 64 KiB.
cluster() {
    dd if="$1" bs=65536 count=1 conv=sync 2>/dev/null
}

# Write the bytes of a printf format as a cluster.
bytes() {
    # shellcheck disable=SC2059
    printf "$1" >"$tmp/bytes"
    cluster "$tmp/bytes"
}

zero8='\0\0\0\0\0\0\0\0'
header='QFI\373\0\0\0\003'              # magic, version 3
header="$header$zero8"'\0\0\0\0'        # no backing file
header="$header"'\0\0\0\020'            # cluster bits: 16
header="$header"'\0\0\0\0\0\020\0\0'    # virtual size: 1 MiB
header="$header"'\0\0\0\0'              # no encryption
header="$header"'\0\0\0\001'            # L1 entries
header="$header"'\0\0\0\0\0\003\0\0'    # L1 table: cluster 3
header="$header"'\0\0\0\0\0\001\0\0'    # refcount table: cluster 1
header="$header"'\0\0\0\001'            # ... of one cluster
header="$header"'\0\0\0\0'"$zero8"      # no snapshots
header="$header$zero8$zero8$zero8"      # no feature bits
header="$header"'\0\0\0\004'            # refcount order: 16 bits
header="$header"'\0\0\0\150'            # header length: 104
header="$header$zero8"                  # no header extensions

{
    bytes "$header"                                     # 0: header
    bytes '\0\0\0\0\0\002\0\0'                          # 1: refcount table
    bytes '\0\001\0\001\0\001\0\001\0\001\0\001'        # 2: six clusters, once each
    bytes '\200\0\0\0\0\004\0\0'                        # 3: L1 table
    bytes '\200\0\0\0\0\005\0\0'                        # 4: L2 table
    cluster "$tmp/guest.bin"                            # 5: the guest
} >"$tmp/guest.qcow2"

mv "$tmp/guest.qcow2" "$out"
