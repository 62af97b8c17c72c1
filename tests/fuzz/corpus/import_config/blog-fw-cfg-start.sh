#!/bin/sh
# From the post "MicroOS in five minutes".
set -e
IGNITION_CONFIG=/var/lib/libvirt/images/config.ign
chcon -t svirt_home_t "$IGNITION_CONFIG" || true

cat > /tmp/readme <<'EOF'
It's done: virsh console microos
EOF

sudo virt-install --connect="qemu:///system" \
    --name="micro os" --vcpus=2 --memory=2048 \
    --os-variant="opensusetumbleweed" --import --graphics=none \
    --disk="size=20,backing_store=/var/lib/libvirt/images/openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20260101.qcow2,backing_format=qcow2" \
    --disk size=0.5,serial=scratch \
    --network bridge=virbr0 --tpm none --unattended user-password-file=/root/secret \
    --qemu-commandline="-fw_cfg name=opt/com.coreos/config,file=/var/lib/libvirt/images/config.ign"
