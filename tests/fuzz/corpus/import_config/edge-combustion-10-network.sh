#!/bin/bash
nmcli connection add type ethernet con-name lan ifname eth0
