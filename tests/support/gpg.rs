//! A publisher's `gpg`, in a home of its own and at times of the test's choosing. Touches a temporary directory and the
//! agent that `gpg` starts in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A home of `gpg` that ends with its test.
pub struct Gpg {
    program: PathBuf,
    home: tempfile::TempDir,
}

/// Long before any test runs: 2023-11-14.
pub const THEN: u64 = 1_700_000_000;

impl Drop for Gpg {
    fn drop(&mut self) {
        let kill = ["--kill", "gpg-agent"];
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(kill).status();
    }
}

impl Gpg {
    /// Makes an empty home; none where there is no `gpg`, which is told.
    pub fn new() -> Option<Self> {
        let program = super::tool("gpg")?;
        // The agent's socket lies here, and its path may have 107 bytes.
        let home = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Some(Self { program, home })
    }

    /// Runs it at a time, and demands success.
    pub fn run(&self, at: u64, words: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(&self.program);
        command.env("GNUPGHOME", self.home.path()).env("LC_ALL", "C");
        command.args(["--no-tty", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(["--trust-model", "always", "--faked-system-time", &format!("{at}!")]).args(words);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        let told = child.wait_with_output().unwrap();
        assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
        told.stdout
    }

    /// Makes a key that signs, which ends after so many days (0: never); returns its fingerprint.
    pub fn key(&self, user: &str, algorithm: &str, days: u32) -> String {
        let ends = if days == 0 { "never".to_owned() } else { format!("{days}d") };
        self.run(THEN, &["--batch", "--quick-generate-key", user, algorithm, "sign,cert", &ends], b"");
        let told = self.run(THEN, &["--with-colons", "--list-keys", &format!("={user}")], b"");
        let told = String::from_utf8(told).unwrap();
        let line = told.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// Revokes a key as compromised.
    pub fn revoke(&self, who: &str) {
        let words = ["--command-fd", "0", "--expert", "--gen-revoke", who];
        let certificate = self.run(THEN, &words, b"y\n1\n\ny\n");
        self.run(THEN, &["--batch", "--import"], &certificate);
    }

    /// Exports public keys.
    pub fn export(&self, who: &[&str]) -> Vec<u8> {
        self.run(THEN, &[&["--batch", "--armor", "--export"], who].concat(), b"")
    }

    /// Signs bytes with a detached, armoured signature.
    pub fn sign(&self, at: u64, who: &str, options: &[&str], text: &str) -> Vec<u8> {
        let words = ["--batch", "--armor", "--local-user", who, "--detach-sign"];
        self.run(at, &[options, &words].concat(), text.as_bytes())
    }

    /// Signs a text that stays readable.
    pub fn clearsign(&self, at: u64, who: &str, text: &str) -> String {
        String::from_utf8(self.run(at, &["--batch", "--local-user", who, "--clearsign"], text.as_bytes())).unwrap()
    }
}
