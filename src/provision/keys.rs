//! SSH public keys as they stand in `authorized_keys`. Touches nothing.
//!
//! Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT; the key itself is read by the `ssh-key` crate, whose errors do not say
//! where, so a second look here finds the character.

use base64::Engine as _;
use ssh_key::authorized_keys::ConfigOpts;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, PublicKey};

use crate::base::text::one_line;

/// Why a text is not a key line. No variant shows the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// The half that must never leave its owner's machine would have gone into the bundle.
    #[error("this is a private key")]
    Private,
    #[error("the key is empty")]
    Empty,
    /// A second line would be a second key that nobody looked at.
    #[error("a key is one line, here another follows")]
    Lines,
    #[error("there is no key data after `{0}`: a key is `type base64 comment`")]
    Form(String),
    #[error("`{0}` is not a type of key that is known here")]
    Algorithm(String),
    #[error("the key says `{said}` but its data is of type `{found}`")]
    Mismatch { said: String, found: String },
    #[error("the key data is damaged at character {0} of the line")]
    Base64(usize),
    /// Most often the end of the line was lost in copying.
    #[error("the key data of `{0}` is incomplete or damaged")]
    Data(String),
    /// A quoted option with a space cannot be judged here.
    #[error("the options before the key hold characters that cannot be taken here")]
    Options,
}

/// A line that is fit for `authorized_keys`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyLine {
    /// Without white space around it.
    pub line: String,
    /// What is weak about the key, where something is.
    pub weak: Option<&'static str>,
    /// Whether anything says whose it is.
    pub has_comment: bool,
}

/// Reads one line: options where there are any, type, data, comment.
pub(crate) fn read(text: &str) -> Result<KeyLine, KeyError> {
    if text.contains("PRIVATE KEY") || text.trim_start().starts_with("-----BEGIN") {
        return Err(KeyError::Private);
    }
    let line = text.trim();
    if line.is_empty() {
        return Err(KeyError::Empty);
    }
    if line.contains(['\n', '\r']) {
        return Err(KeyError::Lines);
    }
    let (options, key) = split(line);
    if !options.is_empty() {
        ConfigOpts::new(options).map_err(|_| KeyError::Options)?;
    }
    let offset = line.chars().count() - key.chars().count();
    let parsed = PublicKey::from_openssh(key).map_err(|_| diagnose(key, offset))?;
    Ok(KeyLine { line: line.to_owned(), weak: weakness(&parsed), has_comment: !parsed.comment().is_empty() })
}

/// Splits options from the key: the first word is options when it is not a known type but a later one is.
fn split(line: &str) -> (&str, &str) {
    let first = line.split(' ').next().unwrap_or_default();
    if is_known(first) {
        return ("", line);
    }
    let mut quoted = false;
    let end = line.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ' ' && !quoted
    });
    match end.map(|(at, _)| line.split_at(at)) {
        Some((options, key)) if is_known(key.trim_start().split(' ').next().unwrap_or_default()) => {
            (options, key.trim_start())
        }
        _ => ("", line),
    }
}

fn is_known(word: &str) -> bool {
    Algorithm::new(word).is_ok_and(|algorithm| !matches!(algorithm, Algorithm::Other(_)))
}

/// Finds out why the crate refused a key.
fn diagnose(key: &str, offset: usize) -> KeyError {
    let mut words = key.split(' ').filter(|word| !word.is_empty());
    let (kind, data) = (words.next().unwrap_or_default(), words.next());
    let shown = one_line(kind, 40);
    if !is_known(kind) {
        // A word as long as key data is one: the type before it was lost.
        let shown = if kind.len() > 40 { "(the type is missing)".to_owned() } else { shown };
        return KeyError::Algorithm(shown);
    }
    let Some(data) = data else { return KeyError::Form(shown) };
    let bytes = match base64::engine::general_purpose::STANDARD.decode(data) {
        Ok(bytes) => bytes,
        Err(base64::DecodeError::InvalidByte(at, _)) => {
            let before = key.find(data).unwrap_or_default();
            return KeyError::Base64(offset + before + at + 1);
        }
        Err(_) => return KeyError::Data(shown),
    };
    match inner_kind(&bytes) {
        Some(found) if found != kind => KeyError::Mismatch { said: shown, found: one_line(&found, 40) },
        _ => KeyError::Data(shown),
    }
}

/// Reads the type inside the data: four bytes of length, then its name (RFC 4253, 6.6).
fn inner_kind(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let name = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let name = std::str::from_utf8(name).ok()?;
    name.bytes().all(|byte| byte.is_ascii_graphic()).then(|| name.to_owned())
}

fn weakness(key: &PublicKey) -> Option<&'static str> {
    match key.key_data() {
        KeyData::Dsa(_) => Some("DSA, which today's sshd no longer takes"),
        KeyData::Rsa(rsa) if rsa.n.as_positive_bytes().is_some_and(|n| n.len() < 256) => {
            Some("RSA of less than 2048 bits")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn keys_are_taken_with_and_without_comment_and_options() {
        for line in [
            ED.to_owned(),
            format!("{ED} me@example.org"),
            format!("{ED} a comment of words"),
            format!("no-pty {ED}"),
            format!("no-pty,from=\"10.0.0.1\" {ED} me"),
            format!("  {ED} me \n"),
        ] {
            assert_eq!(read(&line).map(|key| key.line).as_deref(), Ok(line.trim()), "{line:?}");
        }
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";
        assert!(read(ecdsa).is_ok());
    }

    #[test]
    fn what_is_no_public_key_is_refused_for_what_it_is() {
        let mismatch = KeyError::Mismatch { said: "ssh-rsa".into(), found: "ssh-ed25519".into() };
        for (line, error) in [
            (String::new(), KeyError::Empty),
            (" \n".to_owned(), KeyError::Empty),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA".to_owned(), KeyError::Private),
            (format!("{ED}\n{ED}"), KeyError::Lines),
            (ED.replace("ssh-ed25519 ", "ssh-rsa "), mismatch),
            (ED.replace("AAAAC3", "AAAA*3"), KeyError::Base64(17)),
            (format!("no-pty {}", ED.replace("AAAAC3", "AAAA*3")), KeyError::Base64(24)),
            (ED[..60].to_owned(), KeyError::Data("ssh-ed25519".into())),
            ("ssh-ed25519".to_owned(), KeyError::Form("ssh-ed25519".into())),
            (ED.replace("ssh-ed25519", "ssh-future"), KeyError::Algorithm("ssh-future".into())),
            (ED["ssh-ed25519 ".len()..].to_owned(), KeyError::Algorithm("(the type is missing)".into())),
            (format!("command=\"a b\" {ED}"), KeyError::Options),
        ] {
            assert_eq!(read(&line), Err(error), "{line:?}");
        }
    }
}
