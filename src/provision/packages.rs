//! Packages: from the image's repositories by name, and carried files. Touches nothing.
//!
//! Combustion installs them in its own snapshot, which becomes the running system at once. Ignition runs no commands, and
//! the system it leaves has a read-only root, so a unit makes a snapshot with transactional-update(8) and reboots into it,
//! once. Read next: `combustion` (carried packages there), `carried` (how they come).

use super::carried::{Known, PAYLOAD_SERIAL, WantedRpm};
use super::split::{Part, Shares, Side};
use super::told::hushed;
use super::wanted::{Bytes, Command, Stage, WantedFile, WantedUnit, Write};
use super::{BY_US, combustion, scripts, settings};
use crate::base::text::one_line;
use crate::base::{Location, Spanned};
use crate::recipe::Recipe;

/// The unit that installs under Ignition, and the mark it leaves.
pub(crate) const UNIT: &str = "arca-packages.service";
pub(crate) const MARK: &str = "packages";

const SCRIPT: &str = "/etc/arca-build/packages";

/// Adds the recipe's packages.
pub(crate) fn add(recipe: &Recipe, known: &Known, shares: &mut Shares) {
    let side = shares.side(Part::Packages);
    let names = &recipe.provision.packages;
    for name in names {
        shares.account(Part::Packages, side, format!("package {}", one_line(&name.value, 100)), "");
    }
    let mut rpms = vec![];
    for rpm in &recipe.provision.rpms {
        let rpm = known.rpm(&rpm.value);
        shares.account(Part::Packages, side, format!("package {}", one_line(&rpm.name, 100)), "");
        rpms.push(rpm);
    }
    rpms.sort_by(|a, b| a.name.cmp(&b.name));
    let place = names.iter().map(|name| &name.place).chain(recipe.provision.rpms.iter().map(|rpm| &rpm.place)).next();
    if let Some(place) = place {
        match side {
            Side::Combustion => zypper(names, shares),
            Side::Ignition => by_unit(names, &rpms, place, shares),
        }
    }
    shares.on(side).rpms = rpms;
}

/// Installs by name in Combustion's snapshot.
fn zypper(names: &[Spanned<String>], shares: &mut Shares) {
    if names.is_empty() {
        return;
    }
    shares.combustion.flags.network = true;
    let mut text = String::new();
    if let Some(proxy) = shares.combustion.files.iter().find(|file| file.path == settings::PROXY) {
        text.push_str("\n# Before the other files, since zypper heeds it.\n");
        combustion::file(&mut text, proxy);
    }
    text.push_str(&format!(
        "\n# First, since what the recipe carries may need them.\n\
         zypper --non-interactive install --auto-agree-with-licenses --{}\n{}",
        each(names.iter().map(|name| name.value.as_str())),
        scripts::STRAY
    ));
    shares.combustion.commands.push(Command { stage: Stage::First, text });
}

/// One a line: Ignition and systemd both have a longest line, and a reader too.
fn each<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!(" \\\n    {}", crate::format::combustion::quote(name))).collect()
}

fn by_unit(names: &[Spanned<String>], rpms: &[WantedRpm], place: &Location, shares: &mut Shares) {
    let wanted = &mut shares.ignition;
    wanted.files.push(WantedFile {
        path: SCRIPT.to_owned(),
        bytes: Bytes::Here(script(names, rpms).into_bytes()),
        write: Write::Replace,
        mode: 0o700,
        user: None,
        group: None,
        place: hushed(place),
    });
    wanted.units.push(WantedUnit {
        name: UNIT.to_owned(),
        enable: Some(true),
        mask: false,
        contents: Some(unit(!names.is_empty())),
        dropins: vec![],
        place: hushed(place),
    });
}

/// Writes what the unit runs.
fn script(names: &[Spanned<String>], rpms: &[WantedRpm]) -> String {
    let mut text = format!(
        "#!/bin/sh\n{BY_US}: change the recipe, not this file.\n\
         # Installs packages in a new snapshot; after a reboot it is the running system.\nset -eu\n"
    );
    if !names.is_empty() {
        text.push_str("transactional-update --non-interactive --continue pkg install --auto-agree-with-licenses --");
        text.push_str(&each(names.iter().map(|name| name.value.as_str())));
        text.push('\n');
    }
    if !rpms.is_empty() {
        carried(&mut text, rpms);
    }
    text
}

/// Installs carried files. `/var/cache` is on a disk, and transactional-update shows it (lib/Transaction.cpp).
fn carried(text: &mut String, rpms: &[WantedRpm]) {
    let paths: Vec<String> = rpms.iter().map(WantedRpm::path).collect();
    let files = || each(paths.iter().map(String::as_str));
    let pins: String = rpms.iter().zip(&paths).map(|(rpm, path)| format!("{}  {path}\n", rpm.input.digest)).collect();
    text.push_str(&format!(
        "cd /var/cache/arca-build/packages\n\
         tar -xf /dev/disk/by-id/virtio-{PAYLOAD_SERIAL}{files}\n\
         sha256sum -c <<'END'\n{pins}END\n\
         # `run` does not tell how its command ended (transactional-update, sbin/transactional-update.in): hence the mark.\n\
         rm -f installed\n\
         transactional-update --non-interactive --no-selfupdate --continue run /bin/sh -c \\\n    \
         'cd /var/cache/arca-build/packages && rpm --upgrade --replacepkgs --nosignature \"$@\" && touch installed' sh{files}\n\
         test -e installed\n\
         rm -rf rpms installed\n",
        files = files()
    ));
}

/// Writes the unit. It tries again where another run of transactional-update holds the lock, or a mirror fails.
fn unit(network: bool) -> String {
    let network = if network { scripts::ONLINE } else { "" };
    format!(
        "{BY_US}: change the recipe, not this file.\n\
         [Unit]\n\
         Description=Install the recipe's packages and reboot into them, once\n\
         ConditionPathExists=!/var/lib/arca-build/done/{MARK}\n\
         {network}\
         Before=transactional-update.service\n\
         StartLimitIntervalSec=1h\n\
         StartLimitBurst=5\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         StateDirectory=arca-build/done\n\
         CacheDirectory=arca-build/packages\n\
         ExecStart=/bin/sh -c 'exec {SCRIPT}'\n\
         ExecStartPost=/usr/bin/touch /var/lib/arca-build/done/{MARK}\n\
         ExecStartPost=/usr/bin/systemctl --no-block reboot\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}
