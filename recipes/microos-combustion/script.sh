#!/bin/bash
# Combustion runs this as root at the first boot; if it fails, the boot fails and the snapshot is dropped.
# A line "# combustion: network" would bring the network up before it.
set -euo pipefail

echo microos >/etc/hostname
install -m 0644 motd /etc/motd

# /home is a subvolume of its own and not mounted here: what is written below it unmounted would vanish.
mount /home
mkdir -p /home/shared
umount /home

# Combustion shows this line on the console.
echo "set up by arca-build"
