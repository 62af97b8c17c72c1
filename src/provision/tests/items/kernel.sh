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
put 0644 root:root /etc/systemd/system/arca-restart-once.service cat <<'END'
# Written by arca-build: change the recipe, not this file.
[Unit]
Description=Restart once, so that the recipe's kernel arguments hold
ConditionPathExists=!/var/lib/arca-build-restarted
After=multi-user.target first-boot-complete.target systemd-machine-id-commit.service health-checker.service

[Service]
Type=oneshot
ExecStart=/usr/bin/mkdir /var/lib/arca-build-restarted
ExecStart=/bin/sh -c 'test ! -e /etc/kernel/cmdline || sdbootutil update-all-entries'
ExecStart=/usr/bin/systemctl --no-block reboot

[Install]
WantedBy=multi-user.target
END
systemctl enable arca-restart-once.service

# Adds each kernel argument that is not there yet, where the boot loader's tools look for them.
kernel_arguments() {
    entries=/etc/kernel/cmdline defaults=/etc/default/grub
    if [ -e "$entries" ]; then
        line=$(cat "$entries")
    else
        # shellcheck source=/dev/null
        line=$(set +eu; . "$defaults"; printf '%s' "$GRUB_CMDLINE_LINUX_DEFAULT")
    fi
    for argument; do
        case " $line " in
        *" $argument "*) ;;
        *) line="$line $argument" ;;
        esac
    done
    if [ -e "$entries" ]; then
        printf '%s\n' "$line" >"$entries"
    else
        sed -i '/^GRUB_CMDLINE_LINUX_DEFAULT=/d' "$defaults"
        line=$(printf '%s' "$line" | sed 's/[\\"$`]/\\&/g')
        printf 'GRUB_CMDLINE_LINUX_DEFAULT="%s"\n' "$line" >>"$defaults"
        grub2-mkconfig -o /boot/grub2/grub.cfg
    fi
}
kernel_arguments 'mitigations=off' 'console=ttyS0,115200' 'dyndbg="file a.c +p; file b.c"'
