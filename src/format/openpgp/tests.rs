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
