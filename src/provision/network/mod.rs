//! Network profiles: files for NetworkManager, which Combustion writes in the initrd too. Touches nothing.
//!
//! NetworkManager heeds a file only if root alone may read it (nm-settings-keyfile(5)). In the initrd Combustion runs the
//! script before the network is up; what it writes there replaces the default of DHCP on every card (openSUSE/combustion,
//! README, and NetworkManager since 1.36), and is gone with the initrd, so the main run writes the same files again. Read
//! next: `judge` (what profiles mean together), `keyfile` (how one is written).

mod judge;
mod keyfile;

use super::split::{Part, Shares, Side};
use super::told::{Told, hushed};
use super::wanted::{Bytes, Command, Stage, WantedFile, Write};
use crate::base::Spanned;
use crate::base::text::count;
use crate::format::combustion::payload;
use crate::recipe::Recipe;
use crate::recipe::network::{Link, NetworkProfile};

/// Where NetworkManager looks for profiles.
const FOLDER: &str = "/etc/NetworkManager/system-connections";

/// Writes every profile, and one for each port that has none of its own.
pub(crate) fn add(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let profiles = &recipe.provision.networks;
    if profiles.is_empty() {
        return;
    }
    judge::all(profiles, told);
    let side = shares.side(Part::Network);
    let why =
        if side == Side::Ignition { "for the system only: in the initrd the network stays as it was" } else { "" };
    for profile in profiles {
        shares.account(Part::Network, side, described(&profile.value), why);
    }
    let written = keyfile::all(recipe.name.as_str(), profiles);
    let files: Vec<_> = written.into_iter().map(|(profile, name, text)| file(&name, text, profile)).collect();
    if side == Side::Combustion {
        shares.combustion.commands.push(Command { stage: Stage::Prepare, text: prepare(&files) });
    }
    shares.on(side).files.extend(files);
}

fn file(name: &str, text: String, profile: &Spanned<NetworkProfile>) -> WantedFile {
    WantedFile {
        path: format!("{FOLDER}/{name}.nmconnection"),
        bytes: Bytes::Here(text.into_bytes()),
        write: Write::Replace,
        mode: 0o600,
        user: None,
        group: None,
        place: hushed(&profile.place),
    }
}

/// Tells of a profile in one line.
fn described(profile: &NetworkProfile) -> String {
    let kind = profile.link.kind();
    let addresses: Vec<String> = profile.addresses.iter().map(|subnet| subnet.value.to_string()).collect();
    let link = match &profile.link {
        Link::Vlan { parent, id, .. } => format!("{kind} {id} on {}", parent.as_str()),
        Link::Bridge { ports, .. } | Link::Bond { ports, .. } => format!("{kind} of {}", count(ports.len(), "port")),
        Link::Ethernet { .. } => kind.to_string(),
    };
    let how = if addresses.is_empty() { "without a static address".to_owned() } else { addresses.join(", ") };
    format!("network {}: {link}, {how}", profile.name)
}

/// Writes the run in the initrd. There is little but a shell there (openSUSE/combustion, module-setup.sh): no `base64`,
/// which profiles never need, being plain ASCII.
fn prepare(files: &[WantedFile]) -> String {
    let mut text = format!("(\numask 077\nmkdir -p {FOLDER}\n");
    for file in files {
        let Bytes::Here(bytes) = &file.bytes else { continue };
        let crate::format::combustion::Payload { decoder, delimiter, body } = payload(bytes);
        text.push_str(&format!("{decoder} >{} <<'{delimiter}'\n{body}{delimiter}\n", file.path));
    }
    text + ")\n"
}
