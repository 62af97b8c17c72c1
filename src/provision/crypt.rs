//! Makes password hashes in crypt form: `$6$`, which every libcrypt of the last fifteen years reads. Touches nothing.
//!
//! Source: U. Drepper, "Unix crypt using SHA-256 and SHA-512" (SHA-crypt.txt); the function itself is the `sha-crypt`
//! crate's, which gives the sixty-four bytes, and the alphabet and order of the text are here. `hash` judges such texts.

use crate::base::Secret;

/// How many bytes of randomness a salt takes: sixteen characters, the most that SHA-crypt reads.
pub(crate) const SALT: usize = 12;

/// The longest password that crypt(3) of libxcrypt takes (`CRYPT_MAX_PASSPHRASE_SIZE`), so that who sets it can use it.
pub(crate) const LONGEST: usize = 511;

/// What crypt(3) takes where a hash names no number of rounds.
pub(crate) const ROUNDS: u32 = 5000;

/// How often the function may be applied.
pub(crate) const ROUNDS_RANGE: std::ops::RangeInclusive<u32> = 1000..=999_999_999;

/// The alphabet of crypt(3), from 0 to 63; not that of base64.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Why a password cannot be hashed. No variant shows any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    /// Anybody could log in.
    #[error("the password is empty")]
    Empty,
    #[error("the password is longer than {LONGEST} bytes, which no login takes")]
    Long,
    /// Nobody could type it again.
    #[error("the password holds a control character, such as the line end of a file from Windows")]
    Control,
    #[error("the rounds must be 1000 to 999999999")]
    Rounds,
}

/// Hashes a password; the same salt and rounds give the same text.
pub(crate) fn hash(password: &Secret<Vec<u8>>, salt: [u8; SALT], rounds: u32) -> Result<Secret<String>, PasswordError> {
    let bytes = password.expose();
    check(bytes)?;
    let params = sha_crypt::Params::new(rounds).map_err(|_| PasswordError::Rounds)?;
    if !ROUNDS_RANGE.contains(&rounds) {
        return Err(PasswordError::Rounds);
    }
    let salt = salt_text(&salt);
    let digest = sha_crypt::sha512_crypt(bytes, salt.as_bytes(), params);
    let named = if rounds == ROUNDS { String::new() } else { format!("rounds={rounds}$") };
    Ok(Secret::new(format!("$6${named}{salt}${}", text(&digest))))
}

fn check(password: &[u8]) -> Result<(), PasswordError> {
    match password {
        [] => Err(PasswordError::Empty),
        _ if password.len() > LONGEST => Err(PasswordError::Long),
        _ if password.iter().any(u8::is_ascii_control) => Err(PasswordError::Control),
        _ => Ok(()),
    }
}

fn salt_text(salt: &[u8; SALT]) -> String {
    salt.chunks(3).flat_map(|bytes| characters(bytes, 4)).collect()
}

/// Writes the digest in the order of the specification: each group of three takes the bytes after those of the group
/// before, turned by one; the last byte stands alone.
fn text(digest: &[u8; 64]) -> String {
    let mut group = [0, 21, 42];
    let mut text = String::new();
    for _ in 0..21 {
        text.extend(characters(&group.map(|index| digest[index]), 4));
        let [first, second, third] = group;
        group = [second + 1, third + 1, first + 1];
    }
    text.extend(characters(&[digest[63]], 2));
    text
}

/// Writes up to three bytes, the first the highest, as characters of six bits each, the lowest first.
fn characters(bytes: &[u8], count: u32) -> impl Iterator<Item = char> {
    let number = bytes.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    (0..count).map(move |at| char::from(ALPHABET[number >> (6 * at) & 63]))
}

#[cfg(test)]
mod tests {
    use super::super::hash::{Verdict, check};
    use super::*;

    /// The first two passwords of SHA-crypt.txt, as OpenSSL hashes them.
    #[test]
    fn digests_are_written_as_the_specification_writes_them() {
        for (salt, rounds, password, expected) in [
            (
                "saltstring",
                5000,
                "Hello world!",
                "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "saltstringsaltst",
                10000,
                "Hello world!",
                "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
        ] {
            let params = sha_crypt::Params::new(rounds).unwrap();
            let digest = sha_crypt::sha512_crypt(password.as_bytes(), salt.as_bytes(), params);
            assert_eq!(text(&digest), expected, "{salt}");
        }
    }

    #[test]
    fn what_is_made_is_judged_good_and_follows_from_salt_and_rounds() {
        let password = Secret::new(b"correct horse".to_vec());
        let one = hash(&password, [7; SALT], ROUNDS).unwrap();
        assert!(
            one.expose().starts_with("$6$") && !one.expose().contains("rounds"),
            "default rounds go without saying"
        );
        assert_eq!(check(one.expose()), Verdict::Good);
        assert_eq!(one, hash(&password, [7; SALT], ROUNDS).unwrap());
        assert_ne!(one, hash(&password, [8; SALT], ROUNDS).unwrap());
        let more = hash(&password, [7; SALT], 6000).unwrap();
        assert!(more.expose().starts_with("$6$rounds=6000$"));
        assert_eq!(check(more.expose()), Verdict::Good);
    }

    #[test]
    fn sec_1_what_nobody_could_log_in_with_is_refused_without_a_word_of_it() {
        let long = vec![b'a'; LONGEST + 1];
        for (password, error) in [
            (&b""[..], PasswordError::Empty),
            (&long, PasswordError::Long),
            (b"canary\r", PasswordError::Control),
            (b"a\0canary", PasswordError::Control),
        ] {
            let refused = hash(&Secret::new(password.to_vec()), [0; SALT], ROUNDS).unwrap_err();
            assert_eq!(refused, error);
            assert!(!refused.to_string().contains("canary"));
        }
        for rounds in [0, 999, 1_000_000_000] {
            let password = Secret::new(b"a".to_vec());
            assert_eq!(hash(&password, [0; SALT], rounds).unwrap_err(), PasswordError::Rounds);
        }
        assert!(hash(&Secret::new(vec![0xff; LONGEST]), [0; SALT], 1000).is_ok(), "any other byte is taken");
    }
}
