#!/bin/sh
# The demo guest prints this script; a MicroOS guest would run it at its first boot.
set -eu
echo "demo" >/etc/motd
