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
kernel_arguments
