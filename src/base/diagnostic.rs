//! How every failure is told: what, where, why, and the way out. Touches nothing.
//!
//! A floor makes a [`Diagnostic`] where it has the facts; `report` maps its [`Code`] to an exit class and renders it.

use std::fmt;
use std::path::Path;

use super::words::vocabulary;
use super::{Location, Rule};

vocabulary! {
    /// A stable name of a kind of failure; tests and scripts rely on these, not on prose.
    Code {
        Differs = "E_DIFFERS", Locked = "E_LOCKED", Lint = "E_LINT", Guest = "E_GUEST",
        Usage = "E_USAGE", Recipe = "E_RECIPE", Unpinned = "E_UNPINNED", InputEscape = "E_INPUT_ESCAPE",
        Provision = "E_PROVISION", FwCfgLimit = "E_FWCFG_LIMIT", Secret = "E_SECRET", OutputPath = "E_OUTPUT_PATH",
        Hash = "E_HASH", UpstreamMoved = "E_UPSTREAM_MOVED",
        SigMissing = "E_SIG_MISSING", SigBad = "E_SIG_BAD", SigKey = "E_SIG_KEY", SigExpired = "E_SIG_EXPIRED",
        SigRevoked = "E_SIG_REVOKED", SigWeak = "E_SIG_WEAK", SigScope = "E_SIG_SCOPE",
        SigOtherFile = "E_SIG_OTHER_FILE", SigOlder = "E_SIG_OLDER", ImageFormat = "E_IMAGE_FORMAT",
        ImageBacking = "E_IMAGE_BACKING", ImageDataFile = "E_IMAGE_DATAFILE", ImageFeature = "E_IMAGE_FEATURE",
        ImageDirty = "E_IMAGE_DIRTY", ImageLimit = "E_IMAGE_LIMIT", DecompBomb = "E_DECOMP_BOMB",
        DecompCorrupt = "E_DECOMP_CORRUPT", DecompMem = "E_DECOMP_MEM", CacheCorrupt = "E_CACHE_CORRUPT",
        NotReproducible = "E_NOT_REPRODUCIBLE", Archive = "E_ARCHIVE", UntrustedRoot = "E_UNTRUSTED_ROOT",
        Offline = "E_OFFLINE", NetDns = "E_NET_DNS", NetConnect = "E_NET_CONNECT", NetTls = "E_NET_TLS",
        NetStall = "E_NET_STALL", NetStatus = "E_NET_STATUS", NetRedirect = "E_NET_REDIRECT",
        NetProtocol = "E_NET_PROTOCOL", NetSize = "E_NET_SIZE",
        Io = "E_IO", NoSpace = "E_NOSPC", CacheReadOnly = "E_CACHE_RO", CacheVersion = "E_CACHE_VERSION",
        CacheLock = "E_CACHE_LOCK", CachePerm = "E_CACHE_PERM", OutputExists = "E_OUTPUT_EXISTS",
        Tool = "E_TOOL", Preflight = "E_PREFLIGHT", Bug = "E_BUG", Interrupted = "E_INTERRUPTED",
    }
}

/// What callers decide on where the code alone does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text is not TOML at all.
    NotToml,
    /// The server says that there is no such file (404, 410).
    AbsentOnServer,
    /// There is no recipe of the name that was given.
    NoRecipe,
    /// Somebody who could answer refuses to.
    Denied,
    /// The same was told before in this run.
    Repeated,
    /// The command did what it was asked to: this is its answer, which the exit code gives too.
    Answer,
}

/// One failure as a value.
///
/// `headline` is lower case without a full stop, the thing in backticks. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub code: Code,
    pub headline: String,
    /// More of what kind it is, where callers decide on it.
    pub kind: Option<Kind>,
    /// The title of the input that it is about.
    pub input: Option<String>,
    /// Where the bytes came from.
    pub url: Option<String>,
    pub place: Option<Location>,
    /// The rule it breaks, where one of the table does.
    pub rule: Option<Rule>,
    /// Aligned when shown: `expected`, `received`, `from`, …
    pub facts: Vec<(&'static str, String)>,
    /// The outermost cause, which holds the next.
    pub cause: Option<Box<Cause>>,
    /// The state left behind.
    pub note: Option<String>,
    /// The exact command or line to change, only when sure.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Begins a problem.
    pub(crate) fn new(code: Code, headline: impl Into<String>) -> Self {
        let headline = headline.into();
        let (kind, input, url, place, rule) = (None, None, None, None, None);
        Self { code, headline, kind, input, url, place, rule, facts: vec![], cause: None, note: None, hint: None }
    }

    /// Says which rule of the table it breaks.
    #[must_use]
    pub(crate) const fn of(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub(crate) fn fact(mut self, label: &'static str, value: impl fmt::Display) -> Self {
        self.facts.push((label, value.to_string()));
        self
    }

    /// Says more of what kind it is.
    #[must_use]
    pub(crate) const fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Says which input it is about, also as a fact.
    #[must_use]
    pub(crate) fn input(mut self, title: &str) -> Self {
        self.input = Some(title.to_owned());
        self.fact("input", title)
    }

    /// Says where the bytes came from, also as a fact.
    #[must_use]
    pub(crate) fn url(mut self, url: impl fmt::Display) -> Self {
        self.url = Some(url.to_string());
        self.fact("from", url)
    }

    /// Adds a cause, after those already there.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl fmt::Display) -> Self {
        let mut end = &mut self.cause;
        while let Some(cause) = end {
            end = &mut cause.next;
        }
        *end = Some(Box::new(Cause { text: cause.to_string(), next: None }));
        self
    }

    /// Adds the causes of another failure, which this one tells in other words.
    #[must_use]
    pub(crate) fn causes_of(self, other: &Self) -> Self {
        other.causes().fold(self, Self::cause)
    }

    /// Returns the causes, outermost first.
    pub(crate) fn causes(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.cause.as_deref(), |cause| cause.next.as_deref()).map(|cause| cause.text.as_str())
    }

    /// Says what state is left behind.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says the way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says where in a text.
    #[must_use]
    pub(crate) fn at(mut self, place: Location) -> Self {
        self.place = Some(place);
        self
    }

    /// Returns whether it is what a command was asked to find, rather than a failure of the command.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self.code, Code::Differs | Code::Lint | Code::NotReproducible) || self.kind == Some(Kind::Answer)
    }

    /// Reports an I/O failure about `what`; a full disk and a read-only place have codes of their own.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let code = if matches!(error.kind(), StorageFull | QuotaExceeded) { Code::NoSpace } else { Code::Io };
        Self::new(code, what.to_string()).cause(error)
    }

    /// Tells that a file cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::io(format!("cannot read `{}`", path.display()), error)
    }

    /// Tells that a file cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::io(format!("cannot write `{}`", path.display()), error)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.headline)?;
        self.causes().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Diagnostic {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// A cause of a failure, and what caused that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    text: String,
    next: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|cause| cause as _)
    }
}

/// One or more failures told together; the first decides the exit code. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostics(pub Vec<Diagnostic>);

impl From<Diagnostic> for Diagnostics {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().map(Diagnostic::to_string).collect();
        f.write_str(&shown.join("\n"))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_chain_as_sources() {
        let problem = Diagnostic::new(Code::Io, "x").cause("a").cause("b");
        assert_eq!(problem.causes().collect::<Vec<_>>(), ["a", "b"]);
        let first = std::error::Error::source(&problem).unwrap();
        assert_eq!((first.to_string(), first.source().unwrap().to_string()), ("a".into(), "b".into()));
        assert_eq!(problem.to_string(), "E_IO: x: a: b");
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Diagnostic::io("cannot write", &full).code, Code::NoSpace);
        assert_eq!(Diagnostic::io("cannot write", &std::io::Error::other("x")).code, Code::Io);
    }
}
