//! Kernel arguments, added where they are not there yet. Touches nothing.
//!
//! openSUSE's Ignition adds them through Combustion's own way and restarts the guest at once, in the initrd
//! (openSUSE/combustion: combustion, "ignition-kargs-helper"). Combustion boots the new snapshot with the kernel that runs,
//! so there they would hold from the next boot on; a unit restarts the guest once, when all else has started.

use super::BY_US;
use super::ready::{self, Config};
use super::split::{Part, Shares, Side};
use super::told::{Told, hushed};
use super::wanted::{Command, Stage, WantedUnit};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};
use crate::format::combustion::quote;
use crate::recipe::Recipe;

/// Where GRUB is configured by a menu, its defaults keep the arguments (suse-edge/edge-image-builder does the same:
/// guestfish-snippet.tpl). With boot loader entries, as systemd-boot has them, it is /etc/kernel/cmdline.
const FUNCTION: &str = r#"
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
kernel_arguments"#;

/// The unit that restarts the guest under Combustion, and what it leaves behind.
pub(crate) const RESTART: &str = "arca-restart-once.service";
pub(crate) const RESTARTED: &str = "/var/lib/arca-build-restarted";

/// Boot loader entries are made of the cmdline of the system that runs, so those of a new snapshot, made when its transaction
/// is complete, lack what it says itself (openSUSE/sdbootutil: `create_boot_options`, 10-sdbootutil.snapper).
///
/// After what may not be cut off: the commit of the machine's id, without which the next boot would be a first one again, and
/// MicroOS's own check of the snapshot. mkdir fails where it has run before, so it never restarts twice.
const RESTART_TEXT: &str = ": change the recipe, not this file.
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
";

/// Writes the arguments.
pub(crate) fn arguments(recipe: &Recipe, shares: &mut Shares) {
    let arguments = &recipe.provision.settings.kernel_arguments;
    let Some(first) = arguments.first() else { return };
    let side = shares.side(Part::KernelArguments);
    for argument in arguments {
        let what = format!("kernel argument {}", one_line(&argument.value, 100));
        shares.account(Part::KernelArguments, side, what, "");
    }
    match side {
        Side::Ignition => {
            shares.ignition.kernel_arguments.extend(arguments.iter().map(|argument| argument.value.clone()));
        }
        Side::Combustion => {
            let words: String = arguments.iter().map(|argument| format!(" {}", quote(&argument.value))).collect();
            shares.combustion.commands.push(Command { stage: Stage::Last, text: format!("{FUNCTION}{words}\n") });
            shares.combustion.units.push(WantedUnit {
                name: RESTART.to_owned(),
                enable: Some(true),
                mask: false,
                contents: Some(format!("{BY_US}{RESTART_TEXT}")),
                dropins: vec![],
                place: first.place.clone(),
            });
        }
    }
}

/// Refuses what a ready-made config says of the same argument: Ignition takes none twice.
pub(crate) fn conflicts(recipe: &Recipe, config: &Config, told: &mut Told) {
    let root = &config.ready.root;
    let lists = ["shouldExist", "shouldNotExist"].map(|kind| root.list(&["kernelArguments", kind]));
    for argument in &recipe.provision.settings.kernel_arguments {
        let node = lists.iter().copied().flatten().find(|node| node.as_text() == Some(&argument.value));
        let Some(node) = node else { continue };
        let shown = one_line(&argument.value, 80);
        let headline = format!("kernel argument `{shown}` is named in the recipe and in `{}`", config.file);
        let there = ready::place(&config.file, node.at.line, node.at.column);
        let problem = Diagnostic::new(Code::Provision, headline)
            .at(hushed(&argument.place))
            .fact("config", format!("{}:{}:{}", there.file, there.line, there.column));
        told.refuse(problem.hint("keep it in one of the two"));
    }
}
