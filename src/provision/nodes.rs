//! Groups, directories and links. Touches nothing.
//!
//! Both engines make missing parents of a directory or link with mode 0755 and owner root, give a directory that is there the
//! mode and owner asked for, and fail at a file in its place. Where they differ: Ignition removes a directory that stands at a
//! link's path, with all it holds (coreos/ignition, internal/exec/util/file.go: `DeletePathOnOverwrite`), and the script
//! fails there; so the directories that every system has are refused here.

use super::split::{Part, Shares};
use super::told::Told;
use super::wanted::{Wanted, WantedDirectory, WantedGroup, WantedLink, unique};
use super::{account, path, subvolume};
use crate::base::text::one_line;
use crate::base::{Location, Rule, Spanned};
use crate::recipe::{GuestDirectory, GuestLink, Recipe};

/// Directories of every system, some of them mount points; a link in their place would take the system apart.
const SYSTEM: [&str; 28] = [
    "/bin",
    "/boot",
    "/boot/efi",
    "/boot/grub2",
    "/boot/writable",
    "/dev",
    "/etc",
    "/etc/systemd",
    "/etc/systemd/system",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
];

/// Checks groups and shares them out; call it after the accounts.
pub(crate) fn groups(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let rows = &recipe.provision.groups;
    unique("group", rows.iter().map(|row| (row.value.name.as_str(), &row.place)), told);
    let gids: Vec<_> = rows.iter().filter_map(|row| Some((row.value.gid?.to_string(), &row.place))).collect();
    unique("gid", gids.iter().map(|(gid, place)| (gid.as_str(), *place)), told);
    let side = shares.side(Part::Accounts);
    // Those with a number first, before groupadd gives it to one that has none.
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| row.value.gid.is_none());
    for Spanned { value: group, place } in rows {
        account::check_name(&group.name, "group", place, told);
        own_group(&group.name, shares, place, told);
        shares.account(Part::Accounts, side, format!("group {}", one_line(&group.name, 40)), "");
        let (name, gid, system) = (group.name.clone(), group.gid, group.system);
        shares.on(side).groups.push(WantedGroup { name, gid, system, place: place.clone() });
    }
}

/// Warns of a group that useradd may want to make itself (login.defs(5), `USERGROUPS_ENAB`), and would then fail.
fn own_group(name: &str, shares: &Shares, place: &Location, told: &mut Told) {
    let is_user = shares.both().flat_map(|wanted| &wanted.logins).any(|login| login.name == name);
    if is_user {
        let shown = one_line(name, 40);
        let text = format!(
            "group `{shown}` has the name of a user: where an image gives each user a group of its own, useradd fails, and the boot with it"
        );
        told.warn(Rule::GroupLikeUser, text, Some(place.clone()));
    }
}

/// Checks directories and links and shares them out.
pub(crate) fn nodes(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    for row in &recipe.provision.directories {
        directory(row, shares, told);
    }
    for row in &recipe.provision.links {
        link(row, shares, told);
    }
}

fn directory(row: &Spanned<GuestDirectory>, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: GuestDirectory { path, mode, user, group }, place } = row;
    let (side, why) = shares.split.side_of_path_why(path);
    path::check(path, side, place, told);
    for (what, name) in [("user", user), ("group", group)] {
        if let Some(name) = name {
            account::check_name(name, what, place, told);
        }
    }
    shares.account(Part::Files, side, format!("directory {}", one_line(path, 100)), why);
    let (path, user, group) = (path.clone(), user.clone(), group.clone());
    let directory = WantedDirectory { path, mode: *mode, user, group, place: Some(place.clone()) };
    shares.on(side).directories.push(directory);
}

fn link(row: &Spanned<GuestLink>, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: GuestLink { path, target }, place } = row;
    let (side, why) = shares.split.side_of_path_why(path);
    path::check(path, side, place, told);
    if SYSTEM.contains(&path.as_str()) {
        let headline = format!("`{path}` is a directory of the system, and no link can take its place");
        told.refuse_at(place, headline, "link to something below it, or from elsewhere");
    }
    let homes = shares.both().flat_map(|wanted| &wanted.logins).filter(|login| !login.is_root());
    if let Some(login) = homes.into_iter().find(|login| subvolume::is_within(&login.home(), path)) {
        let headline = format!("`{}` is or holds the home of `{}`", one_line(path, 80), one_line(&login.name, 40));
        told.refuse_at(place, headline, "let the user's `home` name the directory that the link should lead to");
    }
    if target == path {
        told.refuse_at(place, format!("the link `{}` leads to itself", one_line(path, 80)), "");
    }
    shares.account(Part::Files, side, format!("link {}", one_line(path, 100)), why);
    shares.on(side).links.push(WantedLink { path: path.clone(), target: target.clone(), place: place.clone() });
}

/// Refuses what lies below a link: it would be written wherever that leads. Ignition refuses it too.
pub(crate) fn below_links(shares: &Shares, told: &mut Told) {
    let links: Vec<_> = shares.both().flat_map(|wanted| &wanted.links).collect();
    for (path, place) in shares.both().flat_map(Wanted::nodes) {
        let link = links.iter().find(|link| link.path != path && subvolume::is_within(path, &link.path));
        if let Some(link) = link {
            let headline = format!("`{}` lies below the link `{}`", one_line(path, 80), one_line(&link.path, 80));
            told.refuse_at(place, headline, "write the path that the link leads to");
        }
    }
}
