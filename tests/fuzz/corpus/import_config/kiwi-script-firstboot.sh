#!/bin/sh
# combustion: network
echo 'root:$6$saltsalt$not.a.real.hash' | chpasswd -e
systemctl enable sshd.service
