//! What was seen of a publisher: the newest snapshot of an address that was ever accepted, so that an older one is noticed
//! even where no lock remembers. Touches `seen-v1`. Read next: `crate::commands::update`.
//!
//! ```text
//! arca-build seen 1
//! url <address, without secrets>
//! by <fingerprint, or none> <snapshot, or -> <seconds since 1970 of the signature, or -> <sha256>      for each signer
//! end
//! ```
//!
//! A record that is lost or garbled is not a record: it forbids nothing.

use std::path::{Path, PathBuf};

use super::fail;
use super::handle::Store;
use super::layout::SEEN;
use crate::base::{Diagnostic, Digest};

const HEADER: &str = "arca-build seen 1";
/// The most bytes a record may have: some hundred signers.
const CAP: u64 = 16 << 10;
const NOBODY: &str = "none";
const UNKNOWN: &str = "-";

/// The newest that one signer gave under an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RollbackRecord {
    /// Fingerprint of the signing key; none where nobody signed.
    pub signer: Option<String>,
    /// The snapshot's number, such as `20240427`.
    pub snapshot: Option<String>,
    /// Seconds since 1970, by the signer's word.
    pub signed_at: Option<u64>,
    pub digest: Digest,
}

fn name(url: &str) -> PathBuf {
    Path::new(SEEN).join(Digest::of(url.as_bytes()).to_string())
}

impl Store<'_> {
    /// Returns what was seen under an address, once for each signer.
    pub(crate) fn seen(&self, url: &str) -> Vec<RollbackRecord> {
        let bytes = self.tree.read_small(name(url), CAP).ok();
        bytes.and_then(|bytes| parse(&bytes, url)).unwrap_or_default()
    }

    /// Records durably what was accepted, in place of what the same signer gave before.
    ///
    /// Fields hold no white space; a record that would be too long forgets the signers that sort last.
    pub(crate) fn record_seen(&self, url: &str, seen: &RollbackRecord) -> Result<(), Diagnostic> {
        let mut all = self.seen(url);
        if all.contains(seen) {
            return Ok(());
        }
        self.check_writable()?;
        all.retain(|other| other.signer != seen.signer);
        all.push(seen.clone());
        all.sort_by(|a, b| a.signer.cmp(&b.signer));
        while all.len() > 1 && print(url, &all).len() as u64 > CAP {
            let last = all.iter().rposition(|other| other != seen).unwrap_or(0);
            all.remove(last);
        }
        self.write_durable(&name(url), print(url, &all).as_bytes())
            .map_err(|error| fail::write("cannot record what was seen", self.dir(), &error))
    }
}

fn print(url: &str, all: &[RollbackRecord]) -> String {
    let line = |seen: &RollbackRecord| {
        let signed_at = seen.signed_at.map_or_else(|| UNKNOWN.to_owned(), |at| at.to_string());
        let signer = seen.signer.as_deref().unwrap_or(NOBODY);
        let snapshot = seen.snapshot.as_deref().unwrap_or(UNKNOWN);
        format!("by {signer} {snapshot} {signed_at} {}\n", seen.digest)
    };
    format!("{HEADER}\nurl {url}\n{}end\n", all.iter().map(line).collect::<String>())
}

fn parse(bytes: &[u8], url: &str) -> Option<Vec<RollbackRecord>> {
    let text = std::str::from_utf8(bytes).ok()?;
    // The last line shows that nothing was cut off.
    let mut lines = text.strip_suffix("end\n")?.lines();
    if lines.next()? != HEADER || lines.next()?.strip_prefix("url ")? != url {
        return None;
    }
    lines.map(line).collect()
}

fn line(line: &str) -> Option<RollbackRecord> {
    let words: Vec<&str> = line.strip_prefix("by ")?.split(' ').collect();
    let [signer, snapshot, signed_at, digest] = words[..] else { return None };
    let signed_at = if signed_at == UNKNOWN { None } else { Some(signed_at.parse().ok()?) };
    Some(RollbackRecord {
        signer: (signer != NOBODY).then(|| signer.to_owned()),
        snapshot: (snapshot != UNKNOWN).then(|| snapshot.to_owned()),
        signed_at,
        digest: Digest::parse(digest).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://h/x.qcow2";

    fn seen(signer: Option<&str>, snapshot: &str) -> RollbackRecord {
        let digest = Digest::of(snapshot.as_bytes());
        RollbackRecord {
            signer: signer.map(Into::into),
            snapshot: Some(snapshot.into()),
            signed_at: signer.map(|_| 7),
            digest,
        }
    }

    #[test]
    fn what_was_seen_is_kept_for_each_signer_and_the_latest_word_counts() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), &|_| ()).unwrap();
        assert_eq!(store.seen(URL), []);
        for one in [seen(Some("AB"), "2"), seen(None, "9"), seen(Some("AB"), "3")] {
            store.record_seen(URL, &one).unwrap();
        }
        assert_eq!(store.seen(URL), [seen(None, "9"), seen(Some("AB"), "3")]);
        assert_eq!(store.seen("https://h/y.qcow2"), []);
    }

    #[test]
    fn cas_06_a_garbled_record_of_what_was_seen_is_no_record() {
        let text = print(URL, &[seen(None, "9"), seen(Some("AB"), "3")]);
        assert_eq!(parse(text.as_bytes(), URL).map(|all| all.len()), Some(2));
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end], URL), None, "cut at {end}");
        }
        for (from, to) in [("seen 1", "seen 2"), ("h/x", "h/y"), (" 7 ", " x "), ("by AB", "AB")] {
            assert_eq!(parse(text.replace(from, to).as_bytes(), URL), None, "{from}");
        }
    }

    #[test]
    fn a_record_never_grows_past_what_is_read() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), &|_| ()).unwrap();
        for number in 0..200 {
            store.record_seen(URL, &seen(Some(&format!("{number:040}")), "1")).unwrap();
        }
        let last = seen(Some(&format!("{:040}", 199)), "1");
        assert!(store.seen(URL).contains(&last));
    }
}
