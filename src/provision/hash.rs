//! Password hashes in crypt form, judged by shape alone. Touches nothing.
//!
//! Source: crypt(5) of libxcrypt. The value never appears in a message.

/// What a text is, as far as its shape tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A hash of a method that is still good, or a locked account.
    Good,
    /// A hash that a rented graphics card breaks, or one of a variant with a known flaw; what it is.
    Weak(&'static str),
    /// No hash: very likely a password as it is typed; what is wrong with it.
    Refused(&'static str),
}

/// Makes a hash, for hints.
pub(crate) const HOW: &str = "make a hash with `arca-build passwd` and write that";

/// Judges a text.
pub(crate) fn check(hash: &str) -> Verdict {
    if hash.is_empty() {
        return Verdict::Refused("is empty, which would let anybody in");
    }
    if matches!(hash, "!" | "*" | "!!" | "!*") {
        return Verdict::Good;
    }
    if hash.trim() != hash {
        return Verdict::Refused("begins or ends with white space");
    }
    let Some((method, rest)) = hash.strip_prefix('$').and_then(|rest| rest.split_once('$')) else {
        return Verdict::Refused("is no hash in crypt form (a 13-character DES hash cannot be told from a password)");
    };
    match method {
        "6" if is_sha(rest, 86) => Verdict::Good,
        "5" if is_sha(rest, 43) => Verdict::Good,
        "y" | "gy" if is_yescrypt(rest) => Verdict::Good,
        "2b" | "2y" if is_bcrypt(rest) => Verdict::Good,
        "2a" if is_bcrypt(rest) => Verdict::Weak("bcrypt of the flawed variant $2a$"),
        "1" if is_md5(rest) => Verdict::Weak("MD5, which is broken in minutes"),
        "6" | "5" | "y" | "gy" | "2b" | "2y" | "2a" | "1" => {
            Verdict::Refused("is a damaged hash: its length or its characters are wrong")
        }
        _ => Verdict::Refused("is of an unknown method (known are $6$, $5$, $y$, $2b$, $2y$)"),
    }
}

fn is_crypt64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
}

/// `[rounds=N$]salt$digest`; a salt has at most 16 characters, any but `$`, `:` and line ends.
fn is_sha(rest: &str, digest: usize) -> bool {
    let rest = match rest.strip_prefix("rounds=") {
        None => rest,
        Some(rounds) => match rounds.split_once('$') {
            Some((count, rest)) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => return false,
        },
    };
    rest.split_once('$').is_some_and(|(salt, sum)| is_salt(salt, 16) && sum.len() == digest && is_crypt64(sum))
}

fn is_salt(salt: &str, longest: usize) -> bool {
    (1..=longest).contains(&salt.len()) && salt.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn is_md5(rest: &str) -> bool {
    rest.split_once('$').is_some_and(|(salt, sum)| is_salt(salt, 8) && sum.len() == 22 && is_crypt64(sum))
}

/// `parameters$salt$digest`.
fn is_yescrypt(rest: &str) -> bool {
    let parts: Vec<_> = rest.split('$').collect();
    matches!(parts[..], [parameters, salt, sum]
        if !parameters.is_empty() && salt.len() <= 86 && sum.len() == 43 && parts.iter().all(|part| is_crypt64(part)))
}

/// `cost$` and 53 characters of salt and digest.
fn is_bcrypt(rest: &str) -> bool {
    let cost = |text: &str| text.len() == 2 && text.parse().is_ok_and(|cost: u8| (4..=31).contains(&cost));
    rest.split_once('$').is_some_and(|(rounds, sum)| cost(rounds) && sum.len() == 53 && is_crypt64(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_1_hashes_are_told_from_passwords() {
        let (sha512, sha256, md5) = ("a".repeat(86), "b".repeat(43), "c".repeat(22));
        let (bcrypt, yescrypt) = ("d".repeat(53), "e".repeat(43));
        let good = |hash: &str| check(hash) == Verdict::Good;
        for hash in [
            format!("$6$salt${sha512}"),
            format!("$6$rounds=500000$salt.16/CHARACTR${sha512}"),
            format!("$5$salt${sha256}"),
            format!("$y$j9T$salt${yescrypt}"),
            format!("$gy$j9T$salt${yescrypt}"),
            format!("$2b$12${bcrypt}"),
            format!("$2y$05${bcrypt}"),
            "!".into(),
            "*".into(),
        ] {
            assert!(good(&hash), "{hash}");
        }
        for hash in [format!("$1$salt${md5}"), format!("$2a$12${bcrypt}")] {
            assert!(matches!(check(&hash), Verdict::Weak(_)), "{hash}");
        }
        for text in [
            "",
            "hunter2",
            "correcthorse1",
            "abJnggxhB/yWI",
            "$6$",
            "$6$salt$short",
            "$9$salt$hash",
            "$6$$",
            "!hunter2",
            &format!("$6$salt${sha512}\n"),
            &format!(" $6$salt${sha512}"),
            &format!("$6$salt${sha512}a"),
            &format!("$6$rounds=x$salt${sha512}"),
            &format!("$6$seventeen.letters${sha512}"),
            &format!("$6$sa:t${sha512}"),
            &format!("$6$salt$:{}", &sha512[1..]),
            &format!("$2b$99${bcrypt}"),
            &format!("$1$salt${md5}x"),
            "$2a$12$short",
        ] {
            assert!(matches!(check(text), Verdict::Refused(_)), "{text:?}");
        }
    }
}
