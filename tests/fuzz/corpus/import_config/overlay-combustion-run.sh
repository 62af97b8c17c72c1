#!/bin/sh
# creates the machine
virt-install --name box --memory memory=1024 --vcpus 1 --virt-type qemu \
  --import --disk ./images/box.raw.xz,format=raw,serial=root --network none --graphics none \
  --sysinfo type=fwcfg,entry0.name=opt/org.opensuse.combustion/script,entry0.file=/tmp/script,entry1.name=opt/x,entry1.file=/y \
  --console pty --autostart --disk "$DATA" --metadata 'description="a, box: \"7\""'
