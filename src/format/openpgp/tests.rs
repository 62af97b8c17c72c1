//! What needs no `gpg`: a publisher's real key and signature, and frames bent by hand. `tests/oracle/signatures.rs` has
//! the rest: every code, on fixtures that `gpg` makes.

use super::*;

const KEY: &[u8] = include_bytes!("../../../tests/fixtures/openpgp/opensuse-2026.asc");
const OLD_KEY: &[u8] = include_bytes!("../../../tests/fixtures/openpgp/opensuse-2022.asc");
const DATA: &[u8] = include_bytes!("../../../tests/fixtures/openpgp/opensuse-leap.sha256");
const SIGNATURE: &[u8] = include_bytes!("../../../tests/fixtures/openpgp/opensuse-leap.sha256.asc");

/// 2026-06-19, when the signature was made, and 2030-05-27, when the key expires.
const SIGNED: u64 = 1_781_847_072;
const EXPIRES: u64 = 0x62b0_7e22 + 0x0eec_4a16;

fn keyring(bytes: &[u8]) -> Keyring {
    Keyring::parse(bytes, "test.asc").unwrap()
}

#[test]
fn what_opensuse_signs_in_the_form_of_1998_is_believed() {
    let signer = verify_detached(&keyring(KEY), DATA, SIGNATURE, SIGNED).unwrap();
    assert_eq!(signer.fingerprint, KNOWN[0].fingerprint);
    assert_eq!(signer.user_id, KNOWN[0].owner);
    assert_eq!(signer.signed_at, SIGNED);
}

#[test]
fn opensuses_key_is_refused_before_it_was_renewed_and_after_it_ends() {
    let code = |key: &[u8], now| verify_detached(&keyring(key), DATA, SIGNATURE, now).unwrap_err().code;
    assert_eq!(code(OLD_KEY, SIGNED), Code::SigWeak);
    assert_eq!(code(KEY, EXPIRES), Code::SigExpired);
    assert!(verify_detached(&keyring(KEY), DATA, SIGNATURE, EXPIRES - 1).is_ok());
    // Both copies together are one key, for which the renewal speaks.
    assert!(verify_detached(&keyring(&[OLD_KEY, KEY].concat()), DATA, SIGNATURE, SIGNED).is_ok());
}

#[test]
fn sig_6_a_known_key_is_named_and_not_trusted() {
    let problem = verify_detached(&Keyring::default(), DATA, SIGNATURE, SIGNED).unwrap_err();
    assert_eq!(problem.code, Code::SigKey);
    assert!(problem.note.unwrap().contains(KNOWN[0].fingerprint) && problem.hint.unwrap().contains(KNOWN[0].source));
    for key in KNOWN {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        assert!(key.fingerprint.len() == 40 && key.fingerprint.bytes().all(is_hex), "{key:?}");
        assert!(key.source.starts_with("https://"), "{key:?}");
    }
}

/// The signature and the key without armour, where every octet means something.
fn bare() -> (Vec<u8>, Vec<u8>) {
    let key = armour::every(KEY, "PUBLIC KEY BLOCK").unwrap().concat();
    (armour::only(SIGNATURE, "SIGNATURE").unwrap(), key)
}

#[test]
fn sig_2_a_cut_signature_is_refused_wherever_it_is_cut() {
    let keyring = keyring(KEY);
    for whole in [bare().0, SIGNATURE.trim_ascii_end().to_vec()] {
        for end in 0..whole.len() {
            let problem = verify_detached(&keyring, DATA, &whole[..end], SIGNED).unwrap_err();
            assert!(matches!(problem.code, Code::SigMissing | Code::SigBad | Code::SigScope), "{end}: {problem:?}");
        }
        assert!(verify_detached(&keyring, DATA, &whole, SIGNED).is_ok());
    }
}

#[test]
fn sig_2_a_cut_keyring_is_refused_or_believes_nothing() {
    for whole in [bare().1, KEY.trim_ascii_end().to_vec()] {
        for end in 0..whole.len() {
            let read = Keyring::parse(&whole[..end], "cut");
            let answer = read.and_then(|keyring| verify_detached(&keyring, DATA, SIGNATURE, SIGNED));
            assert_eq!(answer.unwrap_err().code, Code::SigKey, "{end}");
        }
    }
}

#[test]
fn sig_2_a_flipped_bit_of_a_signature_is_refused() {
    let (signature, _) = bare();
    let keyring = keyring(KEY);
    for bit in 0..signature.len() * 8 {
        let mut bent = signature.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let answer = verify_detached(&keyring, DATA, &bent, SIGNED);
        assert!(answer.is_err(), "bit {bit}: {answer:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 256, failure_persistence: None, ..Default::default() })]

    /// A keyring is the user's own; what matters is that a bent one names no other key, and that nothing panics.
    #[test]
    fn sig_2_bent_and_random_bytes_never_panic_and_never_name_another(
        flips in proptest::collection::vec((0usize..1200, 0u8..8), 1..4),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        at in 0usize..1200,
    ) {
        let (signature, key) = bare();
        let bend = |whole: &[u8]| {
            let mut bent = whole.to_vec();
            flips.iter().for_each(|(byte, bit)| bent[byte % whole.len()] ^= 1 << bit);
            bent
        };
        if let Ok(keyring) = Keyring::parse(&bend(&key), "bent")
            && let Ok(signer) = verify_detached(&keyring, DATA, &signature, SIGNED)
        {
            proptest::prop_assert_eq!(signer.fingerprint, KNOWN[0].fingerprint);
        }
        let mut spliced = bend(&key);
        spliced.splice(at % key.len().., noise.iter().copied());
        let _ = Keyring::parse(&spliced, "spliced");
        let _ = Keyring::parse(&[&[0x99], &noise[..]].concat(), "noise");
        let _ = Keyring::parse(&bend(KEY), "bent armour");
        let keyring = keyring(KEY);
        proptest::prop_assert!(verify_detached(&keyring, DATA, &noise, SIGNED).is_err());
        let mut spliced = signature.clone();
        spliced.splice(at % signature.len().., noise.iter().copied());
        proptest::prop_assert!(verify_detached(&keyring, DATA, &spliced, SIGNED).is_err());
        let signed = [b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n", DATA, &bend(SIGNATURE)].concat();
        proptest::prop_assert!(verify_cleartext(&keyring, &signed, SIGNED).is_err());
    }
}

/// RFC 9580, annex A.3: a certificate of version 6.
const KEY_6: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
";

/// RFC 9580, annex A.6: a text that this key signed.
const SIGNED_6: &str = "-----BEGIN PGP SIGNED MESSAGE-----

What we need from the grocery store:

- - tofu
- - vegetables
- - noodles

-----BEGIN PGP SIGNATURE-----

wpgGARsKAAAAKQWCY5ijYyIhBssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce6
2azJAAAAAGk2IHZJX1AhiJD39eLuPBgiUU9wUA9VHYblySHkBONKU/usJ9BvuAqo
/FvLFuGWMbKAdA+epq7V4HOtAPlBWmU8QOd6aud+aSunHQaaEJ+iTFjP2OMW0KBr
NK2ay45cX1IVAQ==
-----END PGP SIGNATURE-----
";

#[test]
fn keys_and_signatures_of_version_6_are_read() {
    let keyring = keyring(KEY_6.as_bytes());
    let (text, signer) = verify_cleartext(&keyring, SIGNED_6.as_bytes(), SIGNED).unwrap();
    assert_eq!(text, b"What we need from the grocery store:\n\n- tofu\n- vegetables\n- noodles\n");
    assert_eq!(signer.fingerprint, "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9");
    let changed = SIGNED_6.replace("tofu", "beer");
    assert_eq!(verify_cleartext(&keyring, changed.as_bytes(), SIGNED).unwrap_err().code, Code::SigBad);
}

/// A key of version 4 that the test itself signs with.
struct Signing {
    pair: ring::signature::Ed25519KeyPair,
    packet: Vec<u8>,
    key: packet::Key,
}

const MADE: u32 = 1_700_000_000;

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0xc0 | tag, 0xff][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn signing(seed: u8, tag: u8) -> Signing {
    use ring::signature::KeyPair as _;
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let body = [&[4][..], &MADE.to_be_bytes(), &[algorithm::ED25519], pair.public_key().as_ref()].concat();
    Signing { pair, packet: packet(tag, &body), key: packet::Key::parse(&body).unwrap() }
}

impl Signing {
    /// Signs with SHA-256, at the moment the key was made.
    fn sign(&self, kind: u8, more: &[&[u8]], data: &[&[u8]]) -> Vec<u8> {
        let by = [&[22, packet::sub::FINGERPRINT, 4][..], &self.key.fingerprint].concat();
        let made = [&[5, packet::sub::CREATED][..], &MADE.to_be_bytes()].concat();
        let hashed = [made, by, more.concat()].concat();
        let length = u16::try_from(hashed.len()).unwrap().to_be_bytes();
        let head = [&[4, kind, algorithm::ED25519, 8][..], &length, &hashed].concat();
        let trailer = [&[4, 0xff][..], &(head.len() as u32).to_be_bytes()].concat();
        let digest = algorithm::digest(8, &[&data.concat()[..], &head, &trailer].concat()).unwrap();
        [&head, &[0, 0][..], &digest[..2], self.pair.sign(&digest).as_ref()].concat()
    }
}

#[test]
fn sig_2_a_revocation_counts_wherever_it_stands() {
    const FLAGS: &[u8] = &[2, packet::sub::FLAGS, 0x02];
    let (primary, subkey) = (signing(1, packet::tag::PUBLIC_KEY), signing(2, packet::tag::PUBLIC_SUBKEY));
    let other = signing(3, packet::tag::PUBLIC_SUBKEY);
    let (own, both) = (&primary.key.hashed[..], [&primary.key.hashed[..], &subkey.key.hashed].concat());
    let signature = |body: &[u8]| packet(packet::tag::SIGNATURE, body);
    let direct = signature(&primary.sign(kind::DIRECT, &[FLAGS], &[own]));
    let back = subkey.sign(kind::PRIMARY_BINDING, &[], &[&both]);
    let embedded = [&[u8::try_from(back.len() + 1).unwrap(), packet::sub::EMBEDDED][..], &back].concat();
    let binding = signature(&primary.sign(kind::SUBKEY_BINDING, &[FLAGS, &embedded], &[&both]));
    let revoked = signature(&primary.sign(kind::KEY_REVOCATION, &[], &[own]));
    let subkey_revoked = signature(&primary.sign(kind::SUBKEY_REVOCATION, &[], &[&both]));
    let user = packet(packet::tag::USER_ID, b"somebody");
    let picture = packet(packet::tag::USER_ATTRIBUTE, b"picture");
    let by = |signer: &Signing| packet(packet::tag::SIGNATURE, &signer.sign(kind::BINARY, &[], &[DATA]));
    let answer = |parts: &[&[u8]], signer: &Signing| {
        let keyring = Keyring::parse(&[&[&primary.packet, &direct[..]], parts].concat().concat(), "test").unwrap();
        verify_detached(&keyring, DATA, &by(signer), u64::from(MADE)).map(drop).map_err(|problem| problem.code)
    };
    let bound = [&subkey.packet[..], &binding].concat();
    assert_eq!(answer(&[&user, &bound, &other.packet], &primary), Ok(()));
    assert_eq!(answer(&[&user, &bound, &other.packet], &subkey), Ok(()));
    for parts in [&[&user[..], &revoked][..], &[&picture, &revoked], &[&user, &bound, &revoked], &[&revoked, &bound]] {
        assert_eq!(answer(parts, &primary), Err(Code::SigRevoked));
    }
    for parts in [
        &[&bound[..], &subkey_revoked][..],
        &[&bound, &other.packet, &subkey_revoked],
        &[&subkey_revoked, &bound],
        &[&user, &subkey_revoked, &bound],
        &[&picture, &subkey_revoked, &bound],
        // The same subkey twice is one.
        &[&subkey.packet, &subkey_revoked, &bound],
        &[&bound, &subkey.packet, &subkey_revoked],
    ] {
        assert_eq!(answer(parts, &subkey), Err(Code::SigRevoked));
    }
}
