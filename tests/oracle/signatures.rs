//! Do we believe what `gpg` makes where it should be believed, and refuse it, by its own code, where it should not?
//!
//! Every fixture is made by `gpg` in the test's own home, under times of the test's choosing; no clock is asked.
//! RFC 9580; gpg(1) of GnuPG 2.2. Read next: `src/format/openpgp/mod.rs`, which says what is believed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::base::{Code, Diagnostic};
use crate::format::openpgp::{Keyring, Signer, is_cleartext, verify_cleartext, verify_detached};
use tempfile::TempDir;

use crate::tests::support;

const DAY: u64 = 86_400;
/// When keys are made: 2023-11-14.
const MADE: u64 = 1_700_000_000;
const DATA: &[u8] = b"2e9eeb56e7523775f1f01261f4900f289e20c38910226b0c1e5aa7228a84194a  nas.qcow2\n";

const fn day(number: u64) -> u64 {
    MADE + number * DAY
}

/// A home of `gpg` that ends with its test.
struct Home {
    gpg: PathBuf,
    dir: TempDir,
}

impl Drop for Home {
    fn drop(&mut self) {
        let kill = ["--kill", "gpg-agent"];
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.dir.path()).args(kill).status();
    }
}

impl Home {
    fn new() -> Option<Self> {
        let gpg = support::tool("gpg")?;
        // A socket of gpg-agent lives here, whose path may have 107 bytes.
        let dir = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Some(Self { gpg, dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, at: u64) -> Command {
        let mut command = Command::new(&self.gpg);
        command.env("GNUPGHOME", self.dir.path()).env("LC_ALL", "C");
        command.args(["--no-tty", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(["--trust-model", "always", "--no-auto-check-trustdb", "--utf8-strings"]);
        // The mark stops the clock.
        command.arg("--faked-system-time").arg(format!("{at}!"));
        command
    }

    fn run(&self, at: u64, args: &[&str], input: &[u8]) -> Vec<u8> {
        finish(self.command(at).arg("--batch").args(args), input)
    }

    /// Answers the questions of an interactive command, one line each.
    fn answer(&self, at: u64, args: &[&str], answers: &str) -> Vec<u8> {
        finish(self.command(at).args(["--command-fd", "0", "--expert"]).args(args), answers.as_bytes())
    }

    /// Makes a primary key that signs, on day 0; returns its fingerprint.
    fn key(&self, user: &str, algorithm: &str, expires: &str, options: &[&str]) -> String {
        let mut args = options.to_vec();
        args.extend(["--quick-generate-key", user, algorithm, "sign,cert", expires]);
        self.run(MADE, &args, b"");
        let told =
            String::from_utf8(self.run(MADE, &["--with-colons", "--list-keys", &format!("={user}")], b"")).unwrap();
        let line = told.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn export(&self, at: u64, who: &[&str]) -> Vec<u8> {
        self.run(at, &[&["--export"], who].concat(), b"")
    }

    fn keyring(&self, at: u64) -> Keyring {
        keyring(&self.export(at, &[]))
    }

    fn sign(&self, at: u64, who: &str, options: &[&str]) -> Vec<u8> {
        self.run(at, &[options, &["--local-user", who, "--detach-sign"]].concat(), DATA)
    }

    fn clearsign(&self, at: u64, who: &str, text: &[u8]) -> Vec<u8> {
        self.run(at, &["--local-user", who, "--clearsign"], text)
    }

    /// Makes and imports a revocation of the whole key; reasons: 0 none, 1 compromised, 2 superseded, 3 retired.
    fn revoke(&self, at: u64, who: &str, reason: u8) {
        let certificate = self.answer(at, &["--gen-revoke", who], &format!("y\n{reason}\n\ny\n"));
        self.run(at, &["--import"], &certificate);
    }
}

fn finish(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let told = child.wait_with_output().unwrap();
    assert!(told.status.success(), "{command:?}: {}", String::from_utf8_lossy(&told.stderr));
    told.stdout
}

fn keyring(bytes: &[u8]) -> Keyring {
    Keyring::parse(bytes, "keys.gpg").unwrap()
}

fn armour(bytes: &[u8], kind: &str, home: &Home) -> Vec<u8> {
    let text = String::from_utf8(home.run(MADE, &["--enarmor"], bytes)).unwrap();
    text.replace("PGP ARMORED FILE", &format!("PGP {kind}")).into_bytes()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Diagnostic>, code: Code) -> Diagnostic {
    let problem = answer.unwrap_err();
    assert_eq!(problem.code, code, "{problem:#?}");
    problem
}

fn replaced(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains(from), "{from:?} not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn sig_2_a_good_signature_is_believed_whatever_its_key_and_form() {
    let Some(home) = Home::new() else { return };
    let mut keys = vec![];
    for (user, algorithm) in
        [("a <a@example.org>", "rsa2048"), ("b", "rsa4096"), ("c", "ed25519"), ("d", "nistp256"), ("e", "nistp521")]
    {
        keys.push((user, home.key(user, algorithm, "1y", &[])));
    }
    let binary = home.export(MADE, &[]);
    let each: Vec<u8> = keys.iter().flat_map(|(_, key)| home.run(MADE, &["--armor", "--export", key], b"")).collect();
    let keyrings = [keyring(&binary), keyring(&armour(&binary, "PUBLIC KEY BLOCK", &home)), keyring(&each)];
    for (user, key) in &keys {
        for options in [&[][..], &["--armor"], &["--textmode"], &["--armor", "--digest-algo", "SHA512"]] {
            let signature = home.sign(day(1), key, options);
            for keyring in &keyrings {
                let signer = verify_detached(keyring, DATA, &signature, day(2)).unwrap();
                let expected = Signer { fingerprint: key.clone(), user_id: (*user).to_owned(), signed_at: day(1) };
                assert_eq!(signer, expected, "{options:?}");
            }
        }
    }
    let mut listed: Vec<_> = keys.iter().map(|(user, key)| (key.clone(), (*user).to_owned())).collect();
    listed.sort();
    for keyring in keyrings {
        assert_eq!(keyring.list(), listed);
    }
}

#[test]
fn sig_2_a_signing_subkey_is_believed_only_when_both_sides_say_so() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    home.run(day(1), &["--quick-add-key", &key, "rsa2048", "sign", "1y"], b"");
    let signature = home.sign(day(2), &key, &[]);
    let export = home.export(day(2), &[]);
    let signer = verify_detached(&keyring(&export), DATA, &signature, day(3)).unwrap();
    assert_eq!(signer.fingerprint, key);

    // The back-signature lies where the binding does not protect it: bend it, and the binding itself stays good.
    let told = home.run(day(2), &["--list-packets"], &export);
    assert!(String::from_utf8_lossy(&told).contains("\n\tsubpkt 32 len"), "{}", String::from_utf8_lossy(&told));
    let binding = offset(&told, "sigclass 0x18");
    let embedded = binding + export[binding..].windows(2).position(|part| part == [32, 4]).unwrap();
    let mut bent = export.clone();
    bent[embedded + 200] ^= 1;
    refused(verify_detached(&keyring(&bent), DATA, &signature, day(3)), Code::SigKey);

    home.run(day(1), &["--quick-add-key", &key, "cv25519", "encr", "1y"], b"");
    verify_detached(&home.keyring(day(2)), DATA, &signature, day(3)).unwrap();
}

/// Returns where the packet begins of which `gpg --list-packets` says something.
fn offset(told: &[u8], what: &str) -> usize {
    let told = String::from_utf8(told.to_vec()).unwrap();
    let before = &told[..told.find(what).unwrap()];
    let line = &before[before.rfind("# off=").unwrap() + 6..];
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn sig_2_a_key_not_meant_for_signing_is_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let signature = home.sign(day(1), &key, &[]);
    verify_detached(&home.keyring(day(1)), DATA, &signature, day(3)).unwrap();
    home.answer(day(2), &["--edit-key", &key], "change-usage\nS\nQ\nsave\n");
    refused(verify_detached(&home.keyring(day(2)), DATA, &signature, day(3)), Code::SigKey);
}

#[test]
fn sig_2_a_key_that_demands_more_than_we_understand_is_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let signature = home.sign(day(1), &key, &[]);
    let annotate = |at, notation: &str| {
        home.answer(at, &["--edit-key", &key], &format!("notation\n{notation}\nsave\n"));
        verify_detached(&home.keyring(at), DATA, &signature, at + DAY)
    };
    annotate(day(2), "x@example.org=y").unwrap();
    refused(annotate(day(4), "!x@example.org=z"), Code::SigKey);
}

#[test]
fn sig_2_a_bad_signature_and_one_over_another_file_are_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let (keyring, now) = (home.keyring(MADE), day(2));
    let signature = home.sign(day(1), &key, &[]);
    for at in 0..DATA.len() {
        let mut changed = DATA.to_vec();
        changed[at] ^= 1;
        refused(verify_detached(&keyring, &changed, &signature, now), Code::SigBad);
    }
    refused(verify_detached(&keyring, b"another file", &signature, now), Code::SigBad);
    refused(verify_detached(&keyring, b"", &signature, now), Code::SigBad);
    let signed = home.clearsign(day(1), &key, DATA);
    verify_cleartext(&keyring, &signed, now).unwrap();
    refused(verify_cleartext(&keyring, &replaced(&signed, "nas.qcow2", "nas.qcow3"), now), Code::SigBad);
}

#[test]
fn sig_2_a_missing_signature_is_told_as_missing() {
    let Some(home) = Home::new() else { return };
    home.key("a", "ed25519", "1y", &[]);
    let keyring = home.keyring(MADE);
    for nothing in [&b""[..], b"\n \n", DATA, b"<!DOCTYPE html><title>404</title>"] {
        refused(verify_detached(&keyring, DATA, nothing, day(2)), Code::SigMissing);
        refused(verify_cleartext(&keyring, nothing, day(2)), Code::SigMissing);
    }
    refused(verify_cleartext(&keyring, b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n", day(2)), Code::SigMissing);
}

#[test]
fn sig_6_a_key_that_the_user_does_not_trust_is_refused() {
    let Some(home) = Home::new() else { return };
    let (one, two) = (home.key("one", "ed25519", "1y", &[]), home.key("two", "ed25519", "1y", &[]));
    let trusted = keyring(&home.export(MADE, &[&one]));
    let problem = refused(verify_detached(&trusted, DATA, &home.sign(day(1), &two, &[]), day(2)), Code::SigKey);
    assert!(problem.facts.iter().any(|(label, value)| *label == "key" && *value == two), "{problem:#?}");
    refused(verify_detached(&Keyring::default(), DATA, &home.sign(day(1), &one, &[]), day(2)), Code::SigKey);
    refused(verify_cleartext(&trusted, &home.clearsign(day(1), &two, DATA), day(2)), Code::SigKey);
    let mut both = trusted;
    both.extend(keyring(&home.export(MADE, &[&two])));
    verify_detached(&both, DATA, &home.sign(day(1), &two, &[]), day(2)).unwrap();
}

#[test]
fn sig_2_an_expired_key_is_refused_also_for_what_it_signed_before() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "10d", &[]);
    let short = home.keyring(MADE);
    let early = home.sign(day(5), &key, &[]);
    verify_detached(&short, DATA, &early, day(9)).unwrap();
    // At its last second and after: an end shared by the signer's word and ours.
    verify_detached(&short, DATA, &early, day(10) - 1).unwrap();
    refused(verify_detached(&short, DATA, &early, day(10)), Code::SigExpired);
    refused(verify_detached(&short, DATA, &early, day(400)), Code::SigExpired);
    home.run(day(6), &["--quick-set-expire", &key, "90d"], b"");
    let late = home.sign(day(20), &key, &[]);
    let problem = refused(verify_detached(&short, DATA, &late, day(21)), Code::SigExpired);
    assert!(problem.headline.ends_with("had expired when it signed"), "{problem:#?}");
    refused(verify_detached(&short, DATA, &late, day(9)), Code::SigExpired);
    let renewed = home.keyring(day(20));
    for signature in [&early, &late] {
        verify_detached(&renewed, DATA, signature, day(21)).unwrap();
    }
    let mut both = short;
    both.extend(renewed);
    verify_detached(&both, DATA, &late, day(21)).unwrap();
}

#[test]
fn sig_2_an_expired_subkey_is_refused_under_a_living_key() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    home.run(day(1), &["--quick-add-key", &key, "ed25519", "sign", "10d"], b"");
    let signature = home.sign(day(2), &key, &[]);
    verify_detached(&home.keyring(day(2)), DATA, &signature, day(3)).unwrap();
    refused(verify_detached(&home.keyring(day(2)), DATA, &signature, day(12)), Code::SigExpired);
}

#[test]
fn sig_2_a_signature_expired_or_from_the_future_is_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let keyring = home.keyring(MADE);
    let signature = home.sign(day(1), &key, &["--default-sig-expire", "5d"]);
    verify_detached(&keyring, DATA, &signature, day(6) - 1).unwrap();
    refused(verify_detached(&keyring, DATA, &signature, day(6)), Code::SigExpired);
    // A clock may be ten minutes behind the publisher's, not more.
    verify_detached(&keyring, DATA, &signature, day(1) - 600).unwrap();
    refused(verify_detached(&keyring, DATA, &signature, day(1) - 601), Code::SigExpired);
}

#[test]
fn sig_2_a_signature_older_than_its_key_is_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let signature = home.sign(MADE - DAY, &key, &["--ignore-time-conflict", "--ignore-valid-from"]);
    refused(verify_detached(&home.keyring(MADE), DATA, &signature, day(2)), Code::SigExpired);
}

#[test]
fn sig_2_a_revoked_key_is_refused_and_only_a_retired_one_keeps_what_it_signed_before() {
    for (reason, keeps) in [(0, false), (1, false), (2, true), (3, true)] {
        let Some(home) = Home::new() else { return };
        let key = home.key("a", "ed25519", "1y", &[]);
        let alive = home.export(MADE, &[]);
        let (early, late) = (home.sign(day(5), &key, &[]), home.sign(day(15), &key, &[]));
        home.revoke(day(10), &key, reason);
        let revoked = home.export(day(11), &[]);
        verify_detached(&keyring(&alive), DATA, &late, day(16)).unwrap();
        // A copy from before the revocation, beside it in any order, hides nothing.
        for bytes in [revoked.clone(), [alive.clone(), revoked.clone()].concat(), [revoked, alive].concat()] {
            let keyring = keyring(&bytes);
            refused(verify_detached(&keyring, DATA, &late, day(16)), Code::SigRevoked);
            match keeps {
                true => drop(verify_detached(&keyring, DATA, &early, day(16)).unwrap()),
                false => drop(refused(verify_detached(&keyring, DATA, &early, day(16)), Code::SigRevoked)),
            }
        }
    }
}

#[test]
fn sig_2_a_revocation_that_cannot_be_checked_still_counts() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let signature = home.sign(day(5), &key, &[]);
    home.revoke(day(10), &key, 3);
    let mut bytes = home.export(day(11), &[]);
    verify_detached(&keyring(&bytes), DATA, &signature, day(16)).unwrap();
    let at = offset(&home.run(day(11), &["--list-packets"], &bytes), "sigclass 0x20");
    bytes[at + 60] ^= 1;
    let answer = Keyring::parse(&bytes, "x").and_then(|keyring| verify_detached(&keyring, DATA, &signature, day(16)));
    refused(answer, Code::SigRevoked);
}

#[test]
fn sig_2_a_revoked_subkey_is_refused_under_a_living_key() {
    for (reason, keeps) in [(1, false), (3, true)] {
        let Some(home) = Home::new() else { return };
        let key = home.key("a", "ed25519", "1y", &[]);
        home.run(day(1), &["--quick-add-key", &key, "ed25519", "sign", "1y"], b"");
        let (early, late) = (home.sign(day(5), &key, &[]), home.sign(day(15), &key, &[]));
        home.answer(day(10), &["--edit-key", &key], &format!("key 1\nrevkey\ny\n{reason}\n\ny\nsave\n"));
        let keyring = home.keyring(day(11));
        refused(verify_detached(&keyring, DATA, &late, day(16)), Code::SigRevoked);
        match keeps {
            true => drop(verify_detached(&keyring, DATA, &early, day(16)).unwrap()),
            false => drop(refused(verify_detached(&keyring, DATA, &early, day(16)), Code::SigRevoked)),
        }
    }
}

#[test]
fn sig_2_a_key_revoked_by_whom_its_owner_let_is_refused() {
    let Some(home) = Home::new() else { return };
    let (key, other) = (home.key("owner", "ed25519", "1y", &[]), home.key("revoker", "ed25519", "1y", &[]));
    home.answer(day(1), &["--edit-key", &key], &format!("addrevoker\n{other}\ny\nsave\n"));
    let signature = home.sign(day(2), &key, &[]);
    verify_detached(&keyring(&home.export(day(2), &[&key])), DATA, &signature, day(3)).unwrap();
    let certificate = home.answer(day(4), &["--desig-revoke", &key], "y\n1\n\ny\n");
    home.run(day(4), &["--import"], &certificate);
    let keyring = keyring(&home.export(day(5), &[&key]));
    refused(verify_detached(&keyring, DATA, &signature, day(6)), Code::SigRevoked);
}

#[test]
fn sig_2_a_weak_digest_is_refused_on_the_file_and_on_the_key() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "rsa2048", "1y", &[]);
    let keyring_of = |key: &str| keyring(&home.export(day(2), &[key]));
    for digest in ["SHA1", "RIPEMD160", "SHA224", "MD5"] {
        let signature = home.sign(day(1), &key, &["--digest-algo", digest, "--allow-weak-digest-algos"]);
        let problem = refused(verify_detached(&keyring_of(&key), DATA, &signature, day(2)), Code::SigWeak);
        assert!(problem.headline.contains(digest), "{problem:#?}");
    }
    let sha1 = ["--cert-digest-algo", "SHA1"];
    let weak = home.key("weak self-signature", "rsa2048", "1y", &sha1);
    refused(verify_detached(&keyring_of(&weak), DATA, &home.sign(day(1), &weak, &[]), day(2)), Code::SigWeak);
    // A newer weak statement is not passed over for an older strong one.
    home.run(day(1), &[&sha1[..], &["--quick-set-expire", &key, "2y"]].concat(), b"");
    refused(verify_detached(&keyring_of(&key), DATA, &home.sign(day(1), &key, &[]), day(2)), Code::SigWeak);
    let bound = home.key("weak binding", "rsa2048", "1y", &[]);
    home.run(day(1), &["--quick-add-key", &bound, "rsa2048", "sign", "1y"], b"");
    verify_detached(&keyring_of(&bound), DATA, &home.sign(day(1), &bound, &[]), day(2)).unwrap();
    // `gpg` makes no weak back-signature, but binds again with the one there is.
    home.run(day(1) + 1, &[&sha1[..], &["--quick-set-expire", &bound, "2y", "*"]].concat(), b"");
    refused(verify_detached(&keyring_of(&bound), DATA, &home.sign(day(2), &bound, &[]), day(3)), Code::SigWeak);
}

#[test]
fn sig_2_a_weak_key_is_refused() {
    let Some(home) = Home::new() else { return };
    for algorithm in ["rsa1024", "dsa1024", "dsa2048", "secp256k1"] {
        let key = home.key(algorithm, algorithm, "1y", &[]);
        let signature = home.sign(day(1), &key, &["--digest-algo", "SHA256"]);
        refused(verify_detached(&keyring(&home.export(MADE, &[&key])), DATA, &signature, day(2)), Code::SigWeak);
    }
}

#[test]
fn sig_2_only_the_signed_bytes_of_a_clearsigned_text_come_back() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let keyring = home.keyring(MADE);
    for text in ["one\n", "one\ntwo\n", "- dash\n-- more\nFrom me\n", "\n\ntrailing \t \n\nend\n", "ümläut\n", "no end"]
    {
        let signed = home.clearsign(day(1), &key, text.as_bytes());
        assert!(is_cleartext(&signed));
        let crlf = String::from_utf8(signed.clone()).unwrap().replace('\n', "\r\n").into_bytes();
        let judged = home.run(day(1), &["--decrypt"], &signed);
        let judged = String::from_utf8(judged).unwrap();
        let judged: Vec<_> = judged.lines().map(|line| line.trim_end_matches([' ', '\t'])).collect();
        for document in [signed, crlf] {
            let (bytes, signer) = verify_cleartext(&keyring, &document, day(2)).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), judged.join("\n"));
            assert_eq!(signer.fingerprint, key);
        }
    }
}

#[test]
fn sig_2_text_that_nobody_signed_refuses_the_whole_document() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let keyring = home.keyring(MADE);
    let signed = home.clearsign(day(1), &key, DATA);
    let (begin, signature) = ("-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP SIGNATURE-----\n");
    let evil = "0000000000000000000000000000000000000000000000000000000000000000  nas.qcow2\n";
    let twice = [signed.clone(), signed.clone()].concat();
    let nested = home.clearsign(day(1), &key, &signed);
    for (what, document) in [
        ("before", [evil.as_bytes(), &signed].concat()),
        ("an empty line before", [b"\n", &signed[..]].concat()),
        ("after", [&signed, evil.as_bytes()].concat()),
        ("as a header", replaced(&signed, begin, &format!("{begin}{evil}"))),
        ("as a comment", replaced(&signed, begin, &format!("{begin}Comment: {evil}"))),
        ("behind a header's blank line", replaced(&signed, "\n\n", &format!("\n \t\n{evil}\n"))),
        ("not escaped", replaced(&signed, begin, &format!("{begin}NotDashEscaped: yes\n"))),
        ("between text and signature", replaced(&signed, signature, &format!("-----BEGIN PGP X-----\n{signature}"))),
        ("a bare dash", replaced(&signed, "2e9e", "-2e9e")),
        ("a carriage return", replaced(&signed, "  nas", " \r nas")),
        ("two documents", twice),
        ("a document in a document", nested),
        ("begun twice", replaced(&signed, "2e9e", &format!("{begin}\n2e9e"))),
        ("a block in the signature", replaced(&signed, signature, &format!("{signature}\n{signature}"))),
    ] {
        let problem = verify_cleartext(&keyring, &document, day(2)).unwrap_err();
        assert_eq!(problem.code, Code::SigScope, "{what}: {problem:#?}");
    }
    verify_cleartext(&keyring, &signed, day(2)).unwrap();
}

#[test]
fn sig_2_a_signature_file_holds_a_signature_and_nothing_else() {
    let Some(home) = Home::new() else { return };
    let key = home.key("a", "ed25519", "1y", &[]);
    let keyring = home.keyring(MADE);
    let good = home.sign(day(1), &key, &["--armor"]);
    let export = home.export(MADE, &[]);
    let own = offset(&home.run(MADE, &["--list-packets"], &export), "sigclass 0x13");
    for (what, signature) in [
        ("before", [b"Hello\n", &good[..]].concat()),
        ("after", [&good[..], b"Hello\n"].concat()),
        ("two blocks", [&good[..], &good].concat()),
        ("a clearsigned text", home.clearsign(day(1), &key, DATA)),
        ("a signed message", home.run(day(1), &["--sign", "--compress-algo", "none"], DATA)),
        ("a compressed message", home.run(day(1), &["--sign"], DATA)),
        ("an armoured message", home.run(day(1), &["--armor", "--sign"], DATA)),
        ("a key", export.clone()),
        ("an armoured key", home.run(MADE, &["--armor", "--export"], b"")),
        ("the key's signature on itself", export[own..].to_vec()),
        ("a critical notation", home.sign(day(1), &key, &["--sig-notation", "!x@example.org=y"])),
    ] {
        let problem = verify_detached(&keyring, DATA, &signature, day(2)).unwrap_err();
        assert_eq!(problem.code, Code::SigScope, "{what}: {problem:#?}");
    }
    for signature in [
        [b"\n\n", &good[..], b"\n\n"].concat(),
        home.sign(day(1), &key, &["--sig-notation", "x@example.org=y"]),
        home.sign(day(1), &key, &["--armor", "--comment", "hello", "--emit-version"]),
    ] {
        verify_detached(&keyring, DATA, &signature, day(2)).unwrap();
    }
    refused(verify_detached(&keyring, DATA, &[&good[..], &[b'\n'; 64 << 10]].concat(), day(2)), Code::SigBad);
}

#[test]
fn sig_2_of_several_signatures_one_must_be_good_and_no_trusted_one_bad() {
    let Some(home) = Home::new() else { return };
    let (one, two) = (home.key("one", "ed25519", "1y", &[]), home.key("two", "ed25519", "10d", &[]));
    let [ones, twos] = [&one, &two].map(|key| keyring(&home.export(MADE, &[key])));
    let both = home.keyring(MADE);
    let good = home.run(day(1), &["-u", &one, "-u", &two, "--detach-sign"], DATA);
    for (keyring, key) in [(&ones, &one), (&twos, &two)] {
        assert_eq!(verify_detached(keyring, DATA, &good, day(2)).unwrap().fingerprint, *key);
    }
    // The old key has expired while publishers change: the new one is enough.
    assert_eq!(verify_detached(&both, DATA, &good, day(30)).unwrap().fingerprint, one);
    refused(verify_detached(&twos, DATA, &good, day(30)), Code::SigExpired);
    let elsewhere = home.run(day(1), &["-u", &two, "--detach-sign"], b"another file");
    for mixed in [[home.sign(day(1), &one, &[]), elsewhere.clone()], [elsewhere, home.sign(day(1), &one, &[])]] {
        let mixed = mixed.concat();
        verify_detached(&ones, DATA, &mixed, day(2)).unwrap();
        refused(verify_detached(&both, DATA, &mixed, day(2)), Code::SigBad);
    }
    let many = home.sign(day(1), &one, &[]).repeat(17);
    refused(verify_detached(&ones, DATA, &many, day(2)), Code::SigBad);
}

#[test]
fn sig_2_a_user_id_taken_back_speaks_for_nobody() {
    let Some(home) = Home::new() else { return };
    let key = home.key("first", "ed25519", "1y", &[]);
    home.run(day(1), &["--quick-add-uid", &key, "second"], b"");
    let signature = home.sign(day(2), &key, &[]);
    let user = |at| verify_detached(&home.keyring(at), DATA, &signature, day(9)).unwrap().user_id;
    assert_eq!(user(day(2)), "second");
    home.run(day(3), &["--quick-revoke-uid", &key, "second"], b"");
    assert_eq!(user(day(4)), "first");
}

#[test]
fn sig_6_a_keyring_file_is_read_whole_or_refused() {
    let Some(home) = Home::new() else { return };
    let key = home.key("mirror\u{202e}gro", "ed25519", "1y", &[]);
    let bytes = home.export(MADE, &[]);
    assert_eq!(keyring(&bytes).list(), [(key.clone(), "mirror\\u{202e}gro".to_owned())]);
    let armoured = armour(&bytes, "PUBLIC KEY BLOCK", &home);
    let told = [b"The key of our mirror:\n\n", &armoured[..], b"\nand again:\n", &armoured].concat();
    assert_eq!(keyring(&told).list().len(), 1);
    let secret = home.run(MADE, &["--export-secret-keys"], b"");
    let signature = home.sign(day(1), &key, &[]);
    for (what, bytes) in [
        ("nothing", vec![]),
        ("text", b"hello\n".to_vec()),
        ("a secret key", secret.clone()),
        ("an armoured secret key", home.run(MADE, &["--armor", "--export-secret-keys"], b"")),
        ("a key and a secret key", [bytes.clone(), secret].concat()),
        ("a signature", signature),
        ("a key and rubbish", [&bytes[..], b"rubbish"].concat()),
        ("a block in a block", replaced(&armoured, "\n\n", "\n\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")),
        ("257 keys", bytes.repeat(257)),
        ("4 MiB and more", [&armoured[..], &[b'\n'; 4 << 20]].concat()),
    ] {
        let problem = Keyring::parse(&bytes, "my\u{1b}keys.gpg").unwrap_err();
        assert_eq!(problem.code, Code::SigKey, "{what}: {problem:#?}");
        assert!(problem.headline.contains("my\\u{1b}keys.gpg"), "{what}: {problem:#?}");
    }
    for end in 0..bytes.len() {
        let whole = keyring(&bytes);
        // Only where a packet ends may the file end; then it says less, and what it says no more is not believed.
        if let Ok(cut) = Keyring::parse(&bytes[..end], "cut") {
            assert_eq!(cut.list()[0].0, whole.list()[0].0);
            refused(verify_detached(&cut, DATA, &home.sign(day(1), &key, &[]), day(2)), Code::SigKey);
        }
    }
    assert!(Path::new(&home.path("pubring.kbx")).exists());
}
