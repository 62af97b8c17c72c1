#!/bin/bash
# combustion: network
zypper --non-interactive install nginx
