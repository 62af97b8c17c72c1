//! Who signed what a publisher says, and whether it fits to what was known before. The rules are `lock::provenance`'s.

use std::cell::OnceCell;
use std::path::Path;

use clap::Args;

use super::output::PinUpdate;
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Url};
use crate::commands::context::{Context, quoted};
use crate::host::files;
use crate::lock::provenance::{self, Allowed, Keyring, Previous};
use crate::lock::{Config, Pin};
use crate::recipe::Source;
use crate::store::{RollbackRecord, Store};

/// The most a keyring may hold.
const KEYRING_LIMIT: ByteSize = ByteSize::mib(4);

/// What the person allows although it loses something, and whether anything is written.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct UpdateFlags {
    /// Show the change, write no lock
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Accept unsigned checksums even with a keyring
    #[arg(long)]
    allow_unsigned: bool,
    /// Accept another signing key than before, or (with --allow-unsigned) none
    #[arg(long)]
    allow_new_signer: bool,
    /// Accept an older snapshot than the one pinned, or seen before
    #[arg(long)]
    allow_older: bool,
}

/// What an input is today, and by whose word.
pub(super) struct PublisherAnswer {
    pub(super) pin: Pin,
    pub(super) signed_at: Option<u64>,
    pub(super) authenticity: Authenticity,
}

/// Whose word a pin rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authenticity {
    /// A key in the keyring signed it.
    Signed,
    /// A signature is published here, and there was no keyring to check it by.
    Unchecked(Url),
    /// Checksums without a signature; where they did not come by https, the address that they came from.
    Unsigned(Option<String>),
    /// Not even a checksum: it was pinned as it came.
    Nobody,
    /// A file of this machine.
    Local,
}

impl Authenticity {
    /// Returns a word for scripts.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Unchecked(_) => "unchecked",
            Self::Unsigned(_) => "unsigned",
            Self::Nobody => "first-use",
            Self::Local => "local",
        }
    }
}

impl serde::Serialize for Authenticity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Decides what is believed in one update.
pub(super) struct PinPolicy<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) config: Config,
    pub(super) keyring: Keyring,
    /// Seconds since 1970.
    pub(super) now: u64,
    options: UpdateFlags,
    /// Opened when something has to be remembered or looked up.
    store: OnceCell<Result<Store<'a>, Diagnostic>>,
}

impl<'a> PinPolicy<'a> {
    /// Reads the configuration and every keyring.
    pub(super) fn new(context: &'a Context<'a>, options: UpdateFlags) -> Result<Self, Diagnostics> {
        let config = context.configuration()?;
        let keyring = keyring(context, &config)?;
        Ok(Self { context, config, keyring, now: context.environment.seconds(), options, store: OnceCell::new() })
    }

    /// Returns the store, which is opened once.
    pub(super) fn store(&self) -> Result<&Store<'a>, Diagnostic> {
        self.store.get_or_init(|| self.context.open_store()).as_ref().map_err(Clone::clone)
    }

    /// Returns whether a publisher may do without a signature.
    pub(super) fn takes_unsigned(&self, url: &Url) -> bool {
        self.keyring.is_empty() || self.options.allow_unsigned || self.config.takes_unsigned(url)
    }

    /// Refuses what nobody signed, with the two ways out.
    pub(super) fn unsigned(&self, url: &Url, headline: String) -> Diagnostic {
        let directory = url.without_secrets().sibling("").map(|url| url.expose().to_owned()).unwrap_or_default();
        Diagnostic::new(Code::SigMissing, headline)
            .fact("asked", url)
            .note("there is a keyring, so a signature is demanded; nothing was pinned")
            .hint(format!(
                "if this publisher signs nothing, give `--allow-unsigned` once, or write `unsigned = [\"{directory}\"]` into config.toml"
            ))
    }

    /// Compares what was answer with what is pinned and what was seen, and lets it inherit what is still true.
    pub(super) fn check_rollback(
        &self,
        before: Option<&Pin>,
        mut answer: PublisherAnswer,
        recipe: &str,
    ) -> Result<PublisherAnswer, Diagnostic> {
        let allowed = Allowed { older: self.options.allow_older, other_signer: self.options.allow_new_signer };
        if let Some(before) = before.filter(|before| before.sha256 == answer.pin.sha256) {
            inherit(&mut answer.pin, before);
        }
        let told = |problem: Diagnostic| self.with_way_out(problem, recipe);
        if let Some(before) = before {
            provenance::check_signer(before, &answer.pin, allowed).map_err(told)?;
        }
        if before == Some(&answer.pin) || answer.authenticity == Authenticity::Local {
            return Ok(answer);
        }
        for earlier in self.seen(&answer.pin) {
            let earlier = Previous { what: "seen", ..earlier_of(&earlier) };
            provenance::check_rollback(&earlier, &answer.pin, answer.signed_at, allowed).map_err(told)?;
        }
        if let Some(before) = before {
            let snapshot = before.image.snapshot.as_deref();
            let earlier = Previous { what: "pinned", snapshot, signed_at: None, digest: before.sha256 };
            provenance::check_rollback(&earlier, &answer.pin, answer.signed_at, allowed).map_err(told)?;
        }
        Ok(answer)
    }

    /// Returns what was seen under the same address: of the same signer, or of anybody where nobody signed today.
    fn seen(&self, pin: &Pin) -> Vec<RollbackRecord> {
        let is_there = self.context.cache_directory().is_ok_and(|directory| files::is_directory(&directory));
        let store = match is_there.then(|| self.store()) {
            Some(Ok(store)) => store,
            None => return vec![],
            Some(Err(problem)) => {
                self.context.warn(format!("what was seen before is not known: {}", problem.headline));
                return vec![];
            }
        };
        let signer = pin.signer.as_deref().map(provenance::fingerprint);
        let seen = store.seen(&pin.url).into_iter();
        seen.filter(|seen| signer.is_none() || seen.signer.as_deref() == signer).collect()
    }

    /// Remembers what was accepted; a store that takes nothing costs a warning, not the update.
    pub(super) fn remember(&self, updated: &PinUpdate) {
        let pin = &updated.after;
        if updated.authenticity == Authenticity::Local {
            return;
        }
        let seen = RollbackRecord {
            // Whom the pin names signed these bytes, perhaps on another day.
            signer: pin.signer.as_deref().map(|signer| provenance::fingerprint(signer).to_owned()),
            snapshot: pin.image.snapshot.clone(),
            signed_at: updated.signed_at,
            digest: pin.sha256,
        };
        let recorded = self.store().and_then(|store| {
            let known = |seen: &RollbackRecord, other: &RollbackRecord| {
                seen.signer == other.signer && seen.digest == other.digest
            };
            // Nothing new, and perhaps less: a run without a keyring does not know when it was signed, and an older
            // signature over the same bytes must not make room for other bytes under one that is older, too.
            let lowers = |other: &RollbackRecord| seen.signed_at.is_none() || seen.signed_at < other.signed_at;
            let is_less = store.seen(&pin.url).iter().any(|other| known(&seen, other) && lowers(other));
            if is_less { Ok(()) } else { store.record_seen(&pin.url, &seen) }
        });
        if let Err(problem) = recorded {
            self.context.warn(format!("the store does not remember this update: {}", problem.headline));
        }
    }

    fn with_way_out(&self, problem: Diagnostic, recipe: &str) -> Diagnostic {
        let command = |flag: &str| self.context.command(&format!("update {flag}"), recipe);
        let hint = match problem.code {
            Code::SigOlder => format!("if the publisher took the newer one back: `{}`", command("--allow-older")),
            Code::SigKey => {
                format!("if the publisher has a new key, and you checked it: `{}`", command("--allow-new-signer"))
            }
            Code::SigMissing if self.keyring.is_empty() => {
                "give the keyring: `--keyring FILE`, or `keyring = \"FILE\"` in config.toml".to_owned()
            }
            _ => format!("to go on without a signer: `{}`", command("--allow-unsigned --allow-new-signer")),
        };
        problem.hint(hint)
    }
}

fn earlier_of(seen: &RollbackRecord) -> Previous<'_> {
    Previous { what: "seen", snapshot: seen.snapshot.as_deref(), signed_at: seen.signed_at, digest: seen.digest }
}

/// The bytes are the same, so what was known of them stays true: who signed them, how long they are, what is in them.
fn inherit(pin: &mut Pin, before: &Pin) {
    fn keep<T: Clone>(now: &mut Option<T>, before: &Option<T>) {
        if now.is_none() {
            now.clone_from(before);
        }
    }
    keep(&mut pin.signer, &before.signer);
    keep(&mut pin.size, &before.size);
    keep(&mut pin.image.virtual_size, &before.image.virtual_size);
    // A place without redirects still serves the moving name; the immutable one is worth keeping.
    if pin.image.snapshot.is_none() && before.image.snapshot.is_some() && matches!(pin.resolved, Source::Url(_)) {
        pin.resolved.clone_from(&before.resolved);
        // A list was asked for beside the moving name, and says nothing of a file of this one.
        pin.metalink.clone_from(&before.metalink);
        pin.image.clone_from(&before.image);
    }
}

/// Reads the keyrings of the command line, relative to the working directory, and of the configuration, relative to it.
fn keyring(context: &Context<'_>, config: &Config) -> Result<Keyring, Diagnostics> {
    let named = context.global.keyrings.iter().map(|path| context.absolute(path));
    let beside = context.config_path().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let configured = config.keyrings.iter().map(|path| beside.join(path));
    let (mut keyring, mut problems) = (Keyring::default(), vec![]);
    for path in named.chain(configured) {
        match read_keyring(&path) {
            Ok(more) => keyring.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(keyring) } else { Err(Diagnostics(problems)) }
}

fn read_keyring(path: &Path) -> Result<Keyring, Diagnostic> {
    let shown = path.display().to_string();
    let missing = || Diagnostic::new(Code::Usage, format!("there is no keyring `{shown}`")).hint(export(path));
    let bytes = files::read_small(path, KEYRING_LIMIT)?.ok_or_else(missing)?;
    Keyring::parse(&bytes, &shown)
}

/// Returns how to come by a keyring.
fn export(path: &Path) -> String {
    let shown = one_line(&path.to_string_lossy(), 200);
    format!("export the publisher's key into it: `gpg --armor --export FINGERPRINT >{}`", quoted(&shown))
}
