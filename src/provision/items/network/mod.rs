//! Network profiles: files for NetworkManager. Touches nothing.
//!
//! NetworkManager heeds a file only if root alone may read it (nm-settings-keyfile(5)). Read next: `check` (what profiles
//! mean together), `keyfile` (how one is written).

mod check;
mod keyfile;

use super::context::Context;
use crate::base::text::count;
use crate::provision::diagnostics::redacted;
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestFile, PROFILES, Task};
use crate::recipe::network::{Link, NetworkProfile};

/// Adds every profile, and one for each port that has none of its own.
pub(crate) fn profiles(cx: &mut Context<'_>) {
    let profiles = &cx.recipe.provision.networks;
    if profiles.is_empty() {
        return;
    }
    check::all(profiles, &mut cx.diag);
    profiles.iter().for_each(|profile| cx.outputs.record(Feature::Network, described(&profile.value)));
    let files = keyfile::all(cx.recipe.name.as_str(), profiles).into_iter().map(|(profile, name, text)| {
        GuestFile::new(format!("{PROFILES}/{name}.nmconnection"), text, 0o600, &redacted(&profile.place))
    });
    cx.outputs.guest(Feature::Network).tasks.push(Task::NetworkProfiles(files.collect()));
}

/// Describes a profile in one line.
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
