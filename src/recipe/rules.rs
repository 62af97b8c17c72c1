//! The form of paths and names that a recipe holds. Touches nothing.
//!
//! Form only: whether a file exists is found out by `host`, what MicroOS makes of it by `provision`.

use super::RecipePath;
use crate::base::text::is_unsafe;
use crate::format::toml::is_refused;

/// Why a text is no path beneath the recipe's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// It would name a file outside the recipe's directory, which no review of that directory sees.
    #[error("the path leaves the recipe's directory")]
    Escape,
    /// Two spellings of one path would be two inputs.
    #[error("a path has no empty or `.` parts and does not end in `/`")]
    Parts,
    #[error("a path holds no control or direction characters")]
    Character,
    #[error("a path is at most 1024 bytes long, each part at most 255")]
    Long,
}

impl RecipePath {
    /// Checks the rule: relative, beneath the directory, one spelling.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\n' | '\t')) {
            return Err(PathError::Character);
        }
        let mut parts = text.split('/');
        if text.starts_with('/') || parts.clone().next() == Some("~") || parts.clone().any(|part| part == "..") {
            return Err(PathError::Escape);
        }
        if text.len() > 1024 || parts.clone().any(|part| part.len() > 255) {
            return Err(PathError::Long);
        }
        if parts.any(|part| part.is_empty() || part == ".") { Err(PathError::Parts) } else { Ok(Self(text.to_owned())) }
    }
}

/// Tells whether a text is an absolute path in the guest, in its one spelling, naming something below `/`.
pub(crate) fn is_guest_path(text: &str) -> bool {
    let parts = text.strip_prefix('/').map(|rest| rest.split('/'));
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    text.len() <= 1024 && parts.is_some_and(|mut parts| parts.all(plain))
}

/// Tells whether a text can be a user's or group's name: what useradd(8) takes, and upper case.
pub(crate) fn is_account_name(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    first && text.len() <= 32 && text.chars().all(plain) && !text.chars().all(|c| c.is_ascii_digit())
}

/// The endings of unit names (systemd.unit(5)), less those that are never files.
pub(crate) const UNIT_ENDINGS: [&str; 10] =
    ["service", "socket", "timer", "mount", "automount", "target", "path", "slice", "swap", "device"];

/// Tells whether a text is the name of a systemd unit (systemd.unit(5): at most 255, `A-Z a-z 0-9 : - _ . \ @`).
pub(crate) fn is_unit_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    let ending = text.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && UNIT_ENDINGS.contains(&ending));
    ending && text.len() <= 255 && text.chars().all(plain) && !text.starts_with('.')
}

/// Tells whether a text is the file name of a drop-in.
pub(crate) fn is_dropin_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '@');
    let stem = text.strip_suffix(".conf");
    stem.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.')) && text.len() <= 255 && text.chars().all(plain)
}

/// Tells whether a text is the file name of a package: what rpm allows in name, version, release and architecture
/// (rpm: docs/manual/spec.md, "Name tag", "Version tag"), and no longer than the name field of a tar entry.
pub(crate) fn is_rpm_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '^' | '-');
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    first && text.len() <= 100 && text.chars().all(plain) && text.strip_suffix(".rpm").is_some()
}

/// Tells whether a text is a host name: RFC 1123 §2.1, and no longer than Linux keeps (`HOST_NAME_MAX`). One whose last
/// part is a number would be taken for an address.
pub(crate) fn is_hostname(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 64 && text.split('.').all(is_host_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_host_label(label: &str) -> bool {
    let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
}

/// Tells whether a text is a host name or an address.
pub(crate) fn is_host(text: &str) -> bool {
    let v6 = text.matches(':').count() >= 2 && text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
    text.len() <= 253 && (v6 || text.split('.').all(is_host_label))
}

/// Tells whether a text can stand in `NO_PROXY`, where a comma ends it: a host, `.domain`, `*`, an address, a network.
pub(crate) fn is_proxy_exception(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '*' | '[' | ']');
    text.len() <= 253 && text.chars().all(plain)
}

/// Tells whether a text can name a time zone: parts below zoneinfo(5)'s directory, the first with a capital letter.
pub(crate) fn is_timezone(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain);
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.split('/').all(part)
}

/// Tells whether a text can name a locale: `language[_TERRITORY][.CODESET][@modifier]` (setlocale(3)), `C` or `POSIX`.
pub(crate) fn is_locale(text: &str) -> bool {
    let (rest, modifier) = text.split_once('@').unwrap_or((text, "x"));
    let (language, codeset) = rest.split_once('.').unwrap_or((rest, "x"));
    let word =
        |word: &str, also: char| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == also);
    text.len() <= 64
        && language.starts_with(|c: char| c.is_ascii_alphabetic())
        && word(language, '_')
        && word(codeset, '-')
        && word(modifier, '-')
}

/// Tells whether a text can name a keymap: the name of a file of kbd, without its ending.
pub(crate) fn is_keymap(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

/// Tells whether a text is one kernel argument that a boot loader hands over as it is: GRUB would act upon some characters,
/// unless quoted (GRUB manual, "Quoting"), and a shell reads the file it is kept in.
pub(crate) fn is_kernel_argument(text: &str) -> bool {
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
}

/// Tells whether a text is a path that a link can lead to; `..` may stand in a relative one.
pub(crate) fn is_link_target(text: &str) -> bool {
    let mut parts = text.strip_prefix('/').unwrap_or(text).split('/');
    text == "/" || (text.len() <= 1024 && parts.all(|part| (1..=255).contains(&part.len())))
}

/// Tells whether a text publishes a port as quadlet reads it: `[address:][host:]container`, each of the last two a port or
/// range, with the protocol behind the container's (podman-systemd.unit(5), `PublishPort=`).
pub(crate) fn is_published_port(text: &str) -> bool {
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

/// Tells whether a text is the name of a subvolume that a script can handle as one plain word.
pub(crate) fn is_subvolume_name(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
    first && text.len() <= 255 && text.chars().all(plain)
}

/// Reads permission bits: three or four octal digits.
pub(crate) fn mode(text: &str) -> Option<u32> {
    let octal = matches!(text.len(), 3 | 4) && text.chars().all(|c| matches!(c, '0'..='7'));
    u32::from_str_radix(text, 8).ok().filter(|_| octal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rec_6_a_path_that_leaves_the_directory_is_refused() {
        for good in ["a", "demo/guest.qcow2", "..a/b..", "a b/é", "-rf"] {
            assert_eq!(RecipePath::parse(good).as_ref().map(RecipePath::as_str), Ok(good));
        }
        let long = "a".repeat(256);
        for (bad, why) in [
            ("/etc/shadow", PathError::Escape),
            ("../x", PathError::Escape),
            ("a/../../x", PathError::Escape),
            ("a/..", PathError::Escape),
            ("~/x", PathError::Escape),
            ("", PathError::Parts),
            ("./a", PathError::Parts),
            ("a//b", PathError::Parts),
            ("a/", PathError::Parts),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            ("a\u{202e}b", PathError::Character),
            ("a\u{2028}b", PathError::Character),
            (&long, PathError::Long),
        ] {
            assert_eq!(RecipePath::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn published_ports_are_those_of_quadlet() {
        for good in ["80", "8080:80", "127.0.0.1:8080:80", "[::1]:53:53/udp", "8000-8010:9000-9010/tcp", "10.0.0.1:80"]
        {
            assert!(is_published_port(good), "{good}");
        }
        for bad in
            ["", "0", "80:", ":80", "80/ip", "1:2:3", "70000", "+80", "80 ", "a:80", "1.2.3:1:2", "[::g]:1:2", "9-8"]
        {
            assert!(!is_published_port(bad), "{bad}");
        }
    }

    #[test]
    fn guest_paths_have_one_spelling() {
        assert!(is_guest_path("/etc/hostname") && is_guest_path("/a b"));
        for bad in ["", "/", "etc", "/etc/", "//etc", "/a/./b", "/a/../b"] {
            assert!(!is_guest_path(bad), "{bad}");
        }
    }

    #[test]
    fn names_of_units_users_and_modes_have_a_form() {
        assert!(["a.service", "getty@tty1.service", "var-lib\\x2dx.mount"].iter().all(|name| is_unit_name(name)));
        assert!(["", "a", ".service", "a.servce", "a/b.service", "a b.service"].iter().all(|name| !is_unit_name(name)));
        assert!(
            is_dropin_name("10-x.conf")
                && !is_dropin_name(".conf")
                && !is_dropin_name("x")
                && !is_dropin_name("a/b.conf")
        );
        assert!(
            is_account_name("arca_1-x")
                && !is_account_name("-a")
                && !is_account_name("1000")
                && !is_account_name("a:b")
        );
        assert_eq!((mode("0644"), mode("7777"), mode("644")), (Some(0o644), Some(0o7777), Some(0o644)));
        assert!(["", "64", "0888", "00644", "+644", "0o644", "rw-r--r--"].iter().all(|text| mode(text).is_none()));
    }
}
