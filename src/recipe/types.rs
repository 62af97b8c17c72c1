//! Texts with a rule: each a type with one check and one sentence for what breaks it. Touches nothing.
//!
//! Form only: whether a file exists is found out by `host`, what MicroOS makes of a value by `provision`. Read next: `numbers.rs`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::table::{FromValue, KeyType};
use crate::base::Name;
use crate::base::text::{is_unsafe, nearest, one_line};
use crate::format::toml::Value;

/// Why a text breaks the rule of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: {rule}")]
pub(crate) struct TextError {
    pub what: &'static str,
    pub rule: &'static str,
}

/// Reads a text by the rule of its type.
fn checked<T: FromStr<Err = TextError>>(value: &Value<'_>) -> Option<T> {
    let text = value.line()?;
    let refuse = |error: TextError| value.refuse(format!("`{}` is not {}", one_line(text, 80), error.what), error.rule);
    text.parse().map_err(refuse).ok()
}

/// Declares types of text: what one is called, the rule in words, the check. The check tells the rule, where that differs.
macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $rule:literal, $check:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(String);

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(TextError { what: $what, rule: $rule }) }
            }
        }

        impl FromValue for $name {
            const KIND: KeyType = KeyType::Text;

            fn from_value(value: &Value<'_>) -> Option<Self> {
                checked(value)
            }

            fn from_default(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn is_same(&self, other: &Self) -> bool {
                self == other
            }
        }

        impl $name {
            /// Returns the text.
            #[allow(dead_code, reason = "not every type is needed as a plain text")]
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    )+};
}

text_types! {
    /// The name of a user or group: what useradd(8) takes everywhere (shadow: lib/chkname.c), so no upper case.
    AccountName: "the name of a user or group",
        "1 to 32 characters of a-z 0-9 _ - that begin with a letter or _",
        |text| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && text.len() <= 32 && text.chars().all(plain)
        };
    /// The field of passwd(5) that a `:` would end.
    Gecos: "a full name", "a `:` separates the fields of /etc/passwd", |text| !text.contains(':');
    /// An absolute path in the guest, in its one spelling, of something below `/`.
    GuestPath: "an absolute path in the guest",
        "begin with `/`, without empty, `.` or `..` parts and without a `/` at the end",
        is_guest_path;
    /// A path in the guest that becomes part of units and scripts.
    MountPoint: "a mount point",
        "an absolute path without quotes and backslashes, no part empty, `.`, `..`, beginning or ending with a space",
        |text| {
            let spaced = text.split('/').any(|part| part.trim() != part);
            is_guest_path(text) && !spaced && !text.contains(['"', '\\', '\''])
        };
    /// A path that a symbolic link can lead to; `..` may stand in a relative one.
    LinkTarget: "a path that a link can lead to",
        "an absolute path, or one relative to the link; at most 1024 bytes, without empty parts",
        |text| {
            let mut parts = text.strip_prefix('/').unwrap_or(text).split('/');
            text == "/" || (text.len() <= 1024 && parts.all(|part| (1..=255).contains(&part.len())))
        };
    /// The name of a systemd unit (systemd.unit(5): at most 255, `A-Z a-z 0-9 : - _ . \ @`).
    UnitName: "the name of a systemd unit",
        "it ends in .service, .timer, .mount, …; that of `x.container` is `x.service`",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
            let known = |(stem, ending): (&str, &str)| !stem.is_empty() && UNIT_ENDINGS.contains(&ending);
            let ending = text.rsplit_once('.').is_some_and(known);
            ending && text.len() <= 255 && text.chars().all(plain) && !text.starts_with('.')
        };
    /// The file name of a drop-in.
    DropinName: "the name of a drop-in",
        "it ends in .conf and holds no `/`",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '@');
            let stem = text.strip_suffix(".conf").filter(|stem| !stem.is_empty() && !stem.starts_with('.'));
            stem.is_some() && text.len() <= 255 && text.chars().all(plain)
        };
    /// A host name: RFC 1123 §2.1, and no longer than Linux keeps (`HOST_NAME_MAX`). One whose last part is a number would be
    /// taken for an address.
    HostName: "a host name",
        "at most 64 characters: parts of a-z A-Z 0-9 - joined by `.`, no `-` at their ends, the last no number (RFC 1123)",
        |text| {
            let last = text.rsplit('.').next().unwrap_or_default();
            text.len() <= 64 && text.split('.').all(is_host_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
        };
    /// The name of a time zone: parts below zoneinfo(5)'s directory, the first with a capital letter.
    TimeZone: "the name of a time zone",
        "write it like \"Europe/Berlin\" or \"UTC\"",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
            let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain);
            text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.split('/').all(part)
        };
    /// The name of a locale: `language[_TERRITORY][.CODESET][@modifier]` (setlocale(3)), `C` or `POSIX`.
    Locale: "the name of a locale",
        "write it like \"en_US.UTF-8\"",
        |text| {
            let (rest, modifier) = text.split_once('@').unwrap_or((text, "x"));
            let (language, codeset) = rest.split_once('.').unwrap_or((rest, "x"));
            let word = |word: &str, also| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == also);
            let first = language.starts_with(|c: char| c.is_ascii_alphabetic());
            text.len() <= 64 && first && word(language, '_') && word(codeset, '-') && word(modifier, '-')
        };
    /// The name of a keymap: that of a file of kbd, without its ending.
    Keymap: "the name of a keymap",
        "write it like \"us\" or \"de-nodeadkeys\"",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
        };
    /// The name or address of a time server.
    TimeServer: "the name or address of a time server",
        "write it like \"ntp.example.org\"",
        |text| {
            let v6 = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            let is_v6 = text.matches(':').count() >= 2 && text.bytes().all(v6);
            text.len() <= 253 && (is_v6 || text.split('.').all(is_host_label))
        };
    /// What can stand in `NO_PROXY`, where a comma ends it: a host, `.domain`, `*`, an address, a network.
    ProxyException: "a host, domain or network",
        "write it like \".example.org\" or \"10.0.0.0/8\"",
        |text| {
            let marks = |c| matches!(c, '.' | '-' | '_' | ':' | '/' | '*' | '[' | ']');
            text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || marks(c))
        };
    /// One kernel argument that a boot loader hands over as it is: GRUB would act upon some characters, unless quoted (GRUB
    /// manual, "Quoting"), and a shell reads the file it is kept in.
    KernelArgument: "one kernel argument",
        "one entry for each, white space and ; & | < > { } in double quotes only, no $ \\ ` ' and no `-` or `#` in front",
        |text| {
            let mut is_quoted = false;
            let plain = text.chars().all(|c| {
                is_quoted ^= c == '"';
                match c {
                    '$' | '\\' | '`' | '\'' => false,
                    ' ' | ';' | '&' | '|' | '<' | '>' | '{' | '}' => is_quoted,
                    _ => c.is_ascii_graphic(),
                }
            });
            plain && !is_quoted && text.len() <= 1024 && !text.starts_with(['-', '#', '=', '"'])
        };
    /// A domain name as one is written: labels of letters, digits and `-`.
    DomainName: "the name of a domain",
        "write it like \"example.org\"",
        |text| {
            let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let ends = |part: &str| part.starts_with('-') || part.ends_with('-');
            let label = |part: &str| (1..=63).contains(&part.len()) && part.chars().all(inner) && !ends(part);
            text.len() <= 253 && text.split('.').all(label)
        };
    /// What zypper takes for a package: a name, or `pattern:NAME`, maybe with `=VERSION`. None begins with `-`, so none is ever
    /// an option, and none holds a `/` or ends in `.rpm`, so none is ever a file.
    PackageName: "the name of a package",
        "a name like \"htop\", or \"pattern:NAME\", maybe with \"=VERSION\"; a file by address is a `[[provision.rpm]]`",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '^' | '-');
            let kinds = ["pattern:", "package:", "product:"];
            let rest = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
            let (name, version) = rest.split_once('=').map_or((rest, None), |(name, version)| (name, Some(version)));
            let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain);
            text.len() <= 200 && part(name) && version.is_none_or(part) && !text.to_ascii_lowercase().ends_with(".rpm")
        };
    /// The file name of a package: what rpm allows in name, version, release and architecture (rpm: docs/manual/spec.md, "Name
    /// tag", "Version tag"), and no longer than the name field of a tar entry.
    RpmName: "the file name of a package",
        "it ends in .rpm, holds A-Z a-z 0-9 . _ + ~ ^ - only, and at most 100 characters; write %2B as +",
        |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '^' | '-');
            let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
            first && text.len() <= 100 && text.chars().all(plain) && text.strip_suffix(".rpm").is_some()
        };
    /// What a calendar event of systemd can hold; whether it means one is systemd's to judge.
    CalendarEvent: "a calendar event of systemd",
        "write \"daily\", \"Mon 03:00\" or \"*-*-01 04:00\"; `systemd-analyze calendar` tells what one means",
        |text| {
            let marks = |c| matches!(c, ' ' | ':' | '*' | '/' | ',' | '.' | '~' | '-' | '_' | '+');
            let plain = |c: char| c.is_ascii_alphanumeric() || marks(c);
            let first = text.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            let dated = text.chars().any(|c| matches!(c, ':' | '-' | '*'));
            let day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().any(|day| first.starts_with(day));
            // Weekday, date, time, zone; more is the form of crontab(5).
            let parts = text.split(' ').count() <= 4;
            let known = dated || day || first == "minutely" || SHORTHANDS.contains(&first.as_str());
            text.len() <= 200 && text.trim() == text && text.chars().all(plain) && parts && known
        };
    /// A port that quadlet publishes: `[address:][host:]container`, each of the last two a port or range, with the protocol
    /// behind the container's (podman-systemd.unit(5), `PublishPort=`).
    PublishedPort: "a port to publish",
        "write it like \"8080:80\", \"127.0.0.1:8080:80\", \"[::1]:53:53/udp\" or \"8000-8010:8000-8010\"",
        is_published_port;
    /// The type of a file system.
    FileSystem: "a type of file system",
        "like \"btrfs\", \"xfs\", \"vfat\"",
        |text| {
            text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
    /// The name of an interface: the kernel's rule (linux: net/core/dev.c, `dev_valid_name`) and systemd's, which is stricter.
    InterfaceName: "the name of an interface",
        "1 to 15 printable ASCII characters without space, `/`, `:` and `%`, not digits only",
        |text| {
            let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
            let taken = matches!(text, "" | "." | ".." | "all" | "default") || text.chars().all(|c| c.is_ascii_digit());
            text.len() <= 15 && !taken && text.chars().all(plain)
        };
    /// A short id of libosinfo.
    OsinfoId: "a short id of libosinfo",
        "1 to 63 characters of A-Z a-z 0-9 . _ -, beginning with a letter or digit; see `virt-install --osinfo list`",
        |text| Name::parse(text).is_ok();
    /// The name of a btrfs subvolume that a script can handle as one plain word.
    SubvolumeName: "the name of a subvolume",
        "A-Z a-z 0-9 . _ @ + -, beginning with a letter, a digit, _ or @, at most 255",
        |text| {
            let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
            first && text.len() <= 255 && text.chars().all(plain)
        };
}

/// The endings of unit names (systemd.unit(5)), less those that are never files.
pub(crate) const UNIT_ENDINGS: [&str; 10] =
    ["service", "socket", "timer", "mount", "automount", "target", "path", "slice", "swap", "device"];

/// The words of systemd.time(7) for an event that repeats.
pub(super) const SHORTHANDS: [&str; 8] =
    ["hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually"];

fn is_guest_path(text: &str) -> bool {
    let parts = text.strip_prefix('/').map(|rest| rest.split('/'));
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    let is_control = |c: char| is_unsafe(c) || matches!(c, '\n' | '\t');
    text.len() <= 1024 && !text.contains(is_control) && parts.is_some_and(|mut parts| parts.all(plain))
}

fn is_host_label(label: &str) -> bool {
    let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
}

fn is_published_port(text: &str) -> bool {
    let (ports, protocol) = text.split_once('/').map_or((text, None), |(ports, protocol)| (ports, Some(protocol)));
    let (address, ports) = match ports.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((address, ports)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), ports),
        None => match ports.split_once(':') {
            Some((address, ports)) if address.contains('.') => (address.parse::<std::net::Ipv4Addr>().is_ok(), ports),
            _ => (true, ports),
        },
    };
    let port = |text: &str| {
        let plain = text.len() <= 5 && text.chars().all(|c| c.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| plain && *port > 0)
    };
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => port(first).zip(port(last)).is_some_and(|(first, last)| first < last),
        None => port(text).is_some(),
    };
    let known = protocol.is_none_or(|protocol| matches!(protocol, "tcp" | "udp" | "sctp"));
    address && known && ports.split(':').count() <= 2 && ports.split(':').all(range)
}

/// Permission bits, at most `0o7777`: three or four octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mode(pub(crate) u32);

impl FromStr for Mode {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let octal = matches!(text.len(), 3 | 4) && text.chars().all(|c| matches!(c, '0'..='7'));
        let bits = u32::from_str_radix(text, 8).ok().filter(|_| octal);
        bits.map(Self).ok_or(TextError { what: "a mode", rule: "three or four octal digits, like \"0644\"" })
    }
}

impl FromValue for Mode {
    const KIND: KeyType = KeyType::Mode;

    /// Refuses a TOML number: 644 without quotes is decimal and would mean 01204.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let Some((digits, radix)) = value.digits() else { return checked(value) };
        let octal = digits.trim_start_matches('+').parse::<Self>().is_ok() && matches!(radix, 8 | 10);
        let hint = if octal { format!("write mode = \"{digits:0>4}\"") } else { "write mode = \"0644\"".to_owned() };
        let headline = match radix {
            10 => "`mode` is octal text in quotes: a number here is decimal, so 644 would mean 01204",
            _ => "`mode` is octal text in quotes",
        };
        value.refuse(headline, &hint);
        None
    }

    fn from_default(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// When something repeats: one of the words of systemd.time(7), or a calendar expression; `None` is never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule(pub(crate) Option<String>);

impl FromValue for Schedule {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "*:,./~- ".contains(c);
        let is_expression = text.contains(|c: char| c.is_ascii_digit() || c == '*') && text.chars().all(plain);
        let words = || std::iter::once("off").chain(SHORTHANDS);
        if text.len() > 100 || !(words().any(|word| word == text) || is_expression) {
            let hint = match nearest(text, words()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => {
                    let words: Vec<_> = words().collect();
                    format!("one of: {}; or a calendar expression like \"Sun *-*-* 03:00\"", words.join(", "))
                }
            };
            value.refuse(format!("`{}` cannot be `{}`", value.key(), one_line(text, 60)), &hint);
            return None;
        }
        Self::from_default(text)
    }

    fn from_default(text: &str) -> Option<Self> {
        Some(Self((text != "off").then(|| text.to_owned())))
    }
}

/// A mount option that means something outside /etc/fstab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountOption(String);

impl FromValue for MountOption {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        let fault = if text.contains([',', '"', '\\', '\'']) || text.contains(char::is_whitespace) {
            "one option without commas, quotes, backslashes and spaces each"
        } else if matches!(name, "nofail" | "noauto" | "auto" | "_netdev") || name.starts_with("x-") {
            "it means something in /etc/fstab only; the guest boots without the device anyway"
        } else {
            return Some(Self(text.to_owned()));
        };
        value.refuse(format!("`{}` cannot be a mount option here", one_line(text, 60)), fault);
        None
    }
}

/// A mount option of a pool, less those that would mount something else than the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolOption(String);

impl FromValue for PoolOption {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let MountOption(option) = MountOption::from_value(value)?;
        let fault = match option.split_once('=').map_or(option.as_str(), |(name, _)| name) {
            "degraded" => "a pool with a lost disk is told of, not mounted: by hand once, with `mount -o degraded`",
            "subvol" | "subvolid" => "list subvolumes as `[[provision.pool.subvolume]]`",
            "device" => "the members are those in `disks`",
            _ => return Some(Self(option)),
        };
        value.refuse(format!("`{}` cannot be an option of a pool", one_line(&option, 60)), fault);
        None
    }
}

impl AsRef<str> for MountOption {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PoolOption {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good<T: FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    #[test]
    fn published_ports_are_those_of_quadlet() {
        for text in ["80", "8080:80", "127.0.0.1:8080:80", "[::1]:53:53/udp", "8000-8010:9000-9010/tcp", "10.0.0.1:80"]
        {
            assert!(good::<PublishedPort>(text), "{text}");
        }
        for bad in
            ["", "0", "80:", ":80", "80/ip", "1:2:3", "70000", "+80", "80 ", "a:80", "1.2.3:1:2", "[::g]:1:2", "9-8"]
        {
            assert!(!good::<PublishedPort>(bad), "{bad}");
        }
    }

    #[test]
    fn guest_paths_have_one_spelling() {
        for text in ["/etc/hostname", "/etc/motd", "/a b/'$`\"", "/ä", "/-x"] {
            assert!(good::<GuestPath>(text), "{text}");
        }
        let control = ["/a\nb", "/a\u{1b}", "/a\u{202e}"];
        for bad in ["", "/", "etc", "etc/x", "/etc/", "//etc", "/a//b", "/a/./b", "/a/../b"].into_iter().chain(control)
        {
            assert!(!good::<GuestPath>(bad) && !good::<MountPoint>(bad), "{bad:?}");
        }
    }

    #[test]
    fn names_of_units_users_and_modes_have_a_form() {
        let units = ["a.service", "getty@tty1.service", "a@b.timer", "var-lib\\x2dx.mount", "multi-user.target"];
        assert!(units.into_iter().all(good::<UnitName>));
        let long = format!("{}.service", "a".repeat(300));
        let bad = ["", "a", ".service", "a.servce", "a/b.service", "a b.service", "a.conf", "a.service\n", &long];
        assert!(!bad.into_iter().any(good::<UnitName>));
        let bad = [".conf", "x", "a/b.conf", "../a.conf", "a.conf\n"];
        assert!(good::<DropinName>("10-x.conf") && !bad.into_iter().any(good::<DropinName>));
        assert!(good::<AccountName>("arca_1-x") && good::<AccountName>("_chrony"));
        assert!(!["-a", "1000", "a:b", "Arca", "a.b", "", &"a".repeat(33)].into_iter().any(good::<AccountName>));
        let mode = |text: &str| text.parse().ok().map(|Mode(bits)| bits);
        assert_eq!((mode("0644"), mode("7777"), mode("644")), (Some(0o644), Some(0o7777), Some(0o644)));
        assert!(["", "64", "0888", "00644", "+644", "0o644", "rw-r--r--"].iter().all(|text| mode(text).is_none()));
    }

    #[test]
    fn names_of_interfaces_are_those_the_kernel_and_systemd_take() {
        for text in ["eth0", "enp1s0", "br-lan", "a", "bond0.10", "x;y", "a\\b", &"n".repeat(15)] {
            assert!(good::<InterfaceName>(text), "{text}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a:b", "a%b", "é", "12", "all", "default", "a\n", &"n".repeat(16)] {
            assert!(!good::<InterfaceName>(bad), "{bad}");
        }
    }

    #[test]
    fn domains_are_labels() {
        assert!(["example.org", "lan", "a-b.x_y"].into_iter().all(good::<DomainName>));
        for bad in ["", ".", "a.", ".a", "-a", "a-", "a b", "a;b", "~a", &"a".repeat(64)] {
            assert!(!good::<DomainName>(bad), "{bad}");
        }
    }

    #[test]
    fn out_1_names_of_packages_are_never_options_or_files() {
        for text in ["htop", "nfs-kernel-server", "gtk+", "libstdc++6", "pattern:microos_base", "vim=9.1-1.1", "389-ds"]
        {
            assert!(good::<PackageName>(text), "{text}");
        }
        for bad in [
            "",
            "-y",
            "--root=/x",
            "a b",
            "a;b",
            "a/b",
            "./a",
            "a.rpm",
            "https://h/a",
            "a=",
            "=a",
            "a=-b",
            "pattern:",
            "other:a",
            "a*",
            "$(x)",
            "a\n",
        ] {
            assert!(!good::<PackageName>(bad), "{bad}");
        }
    }

    #[test]
    fn calendars_are_told_from_other_text() {
        for text in
            ["daily", "Mon *-*-* 03:00:00", "*-*-01 04:00", "Mon..Fri 09:00", "hourly", "*:0/15", "03:30", "Sun"]
        {
            assert!(good::<CalendarEvent>(text), "{text}");
        }
        for bad in ["", "dialy", " daily", "5 minutes", "daily\n[Service]", "%i:00", "0 3 * * *", "15min"] {
            assert!(!good::<CalendarEvent>(bad), "{bad}");
        }
    }
}
