#!/bin/bash
mkfs.btrfs /dev/disk/by-id/virtio-tank
