//! Host name, time zone, locale, keymap, time servers and proxy: the files that openSUSE reads them from. Touches nothing.
//!
//! Both engines write the same files, whole. systemd-firstboot(1) writes the first four so.

use super::split::{Part, Shares, Side};
use super::told::{Told, hushed};
use super::wanted::{Bytes, WantedFile, WantedLink, WantedUnit, Write};
use crate::base::text::count;
use crate::base::{Location, Rule, Spanned};
use crate::recipe::{Proxy, Recipe, Settings};

const HOSTNAME: &str = "/etc/hostname";
const LOCALTIME: &str = "/etc/localtime";
const LOCALE: &str = "/etc/locale.conf";
const VCONSOLE: &str = "/etc/vconsole.conf";
/// openSUSE's chrony reads `/etc/chrony.d/*.conf`, and keeps its own servers in a file of this name: where it lies in
/// `/etc`, it is replaced (package chrony: chrony.spec, `chrony-pool-openSUSE`), and where it lies in `/usr/etc`, one in
/// `/etc` hides it (chrony.conf(5), `confdir`). So the recipe's servers are the only ones either way.
const CHRONY: &str = "/etc/chrony.d/pool.conf";
const CHRONYD: &str = "chronyd.service";
/// Read by login shells (openSUSE/aaa_base: profile.sh), zypper, and for services by `setup-systemd-proxy-env.service`
/// (openSUSE/microos-tools), which copies it to a file that everybody may read.
pub(crate) const PROXY: &str = "/etc/sysconfig/proxy";

/// The locales of MicroOS (openSUSE/microos-tools: README, "locale-check").
const MICROOS_LOCALES: [&str; 4] = ["C", "C.utf8", "en_US.utf8", "POSIX"];

/// Returns the paths that keys of the recipe write, each with its key.
pub(crate) fn paths(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let one = [
        (settings.hostname.is_some(), HOSTNAME, "hostname"),
        (settings.timezone.is_some(), LOCALTIME, "timezone"),
        (settings.locale.is_some(), LOCALE, "locale"),
        (settings.keymap.is_some(), VCONSOLE, "keymap"),
        (!settings.ntp.is_empty(), CHRONY, "ntp"),
        (settings.proxy.is_some(), PROXY, "proxy"),
    ];
    one.into_iter().filter(|(is_set, ..)| *is_set).map(|(_, path, key)| (path, key)).collect()
}

/// Writes the settings.
pub(crate) fn settings(recipe: &Recipe, shares: &mut Shares, told: &mut Told) {
    let settings = &recipe.provision.settings;
    let side = shares.side(Part::Settings);
    if let Some(Spanned { value, place }) = &settings.hostname {
        shares.account(Part::Settings, side, format!("host name {value}"), "");
        put(shares, side, HOSTNAME, format!("{value}\n"), place);
    }
    if let Some(Spanned { value, place }) = &settings.timezone {
        shares.account(Part::Settings, side, format!("time zone {value}"), "");
        // Relative, as systemd-firstboot writes it: so it also leads somewhere where the system is not the root.
        let (path, target) = (LOCALTIME.to_owned(), format!("../usr/share/zoneinfo/{value}"));
        shares.on(side).links.push(WantedLink { path, target, place: place.clone() });
    }
    if let Some(Spanned { value, place }) = &settings.locale {
        warn_locale(recipe, value, place, told);
        shares.account(Part::Settings, side, format!("locale {value}"), "");
        put(shares, side, LOCALE, format!("LANG={value}\n"), place);
    }
    if let Some(Spanned { value, place }) = &settings.keymap {
        shares.account(Part::Settings, side, format!("keymap {value}"), "");
        put(shares, side, VCONSOLE, format!("KEYMAP={value}\n"), place);
    }
    ntp(recipe, side, shares);
    if let Some(proxy) = &settings.proxy {
        self::proxy(proxy, side, shares, told);
    }
}

/// Adds a file that everybody may read.
fn put(shares: &mut Shares, side: Side, path: &str, text: String, place: &Location) {
    shares.on(side).files.push(file(path, text, 0o644, place));
}

/// Makes a file of root's.
pub(crate) fn file(path: &str, text: String, mode: u32, place: &Location) -> WantedFile {
    let (path, bytes, place) = (path.to_owned(), Bytes::Here(text.into_bytes()), place.clone());
    WantedFile { path, bytes, write: Write::Replace, mode, user: None, group: None, place }
}

/// Enables a unit of the image, unless the recipe itself says something of it.
pub(crate) fn enable(recipe: &Recipe, shares: &mut Shares, side: Side, name: &str, place: &Location) {
    if recipe.provision.units.iter().any(|unit| unit.value.name == name) {
        return;
    }
    let (name, place) = (name.to_owned(), place.clone());
    let unit = WantedUnit { name, enable: Some(true), mask: false, contents: None, dropins: vec![], place };
    shares.on(side).units.push(unit);
}

/// Warns where the image is MicroOS by its published name, and does not have the locale.
fn warn_locale(recipe: &Recipe, locale: &str, place: &Location, told: &mut Told) {
    let plain = |text: &str| text.to_ascii_lowercase().replace("utf-8", "utf8");
    let known = MICROOS_LOCALES.iter().any(|known| plain(known) == plain(locale));
    if !known && super::split::image_name(recipe).contains("MicroOS") {
        let text = format!("MicroOS has no locale {locale} unless a package brings it; it has C.UTF-8 and en_US.UTF-8");
        told.warn(Rule::LocaleMissing, text, Some(place.clone()));
    }
}

fn ntp(recipe: &Recipe, side: Side, shares: &mut Shares) {
    let servers = &recipe.provision.settings.ntp;
    let Some(first) = servers.first() else { return };
    shares.account(Part::Settings, side, count(servers.len(), "time server"), "");
    let line = |server: &Spanned<String>| {
        let name = &server.value;
        // A name of the public pool stands for many servers.
        let word = if name.ends_with("pool.ntp.org") { "pool" } else { "server" };
        format!("{word} {name} iburst\n")
    };
    put(shares, side, CHRONY, servers.iter().map(line).collect(), &first.place);
    enable(recipe, shares, side, CHRONYD, &first.place);
}

fn proxy(proxy: &Spanned<Proxy>, side: Side, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: Proxy { http, https, no_proxy }, place } = proxy;
    let place = hushed(place);
    shares.account(Part::Settings, side, "proxy", "");
    let mut text = "PROXY_ENABLED=\"yes\"\n".to_owned();
    for (name, url) in [("HTTP_PROXY", http), ("HTTPS_PROXY", https)] {
        // A judged address holds nothing that a shell acts upon between double quotes.
        text.extend(url.iter().map(|url| format!("{name}=\"{}\"\n", url.expose().trim_end_matches('/'))));
    }
    let exceptions = no_proxy.as_ref().map_or_else(|| "localhost,127.0.0.1".to_owned(), |list| list.join(","));
    text.push_str(&format!("NO_PROXY=\"{exceptions}\"\n"));
    let is_secret = [http, https].into_iter().flatten().any(|url| url.has_credentials());
    if is_secret {
        let warning = "the proxy's password is written for root alone: login shells of other users complain and go without a proxy, and MicroOS copies it for its services to a file that everybody may read";
        told.warn(Rule::ProxyPassword, warning, Some(place.clone()));
    }
    shares.on(side).files.push(file(PROXY, text, if is_secret { 0o600 } else { 0o644 }, &place));
}
