//! libvirt by its own program `virsh`. Starts processes; no shell.
//!
//! Why the program and not the client library: the `virt` crate (0.5.0) builds only where libvirt's headers are, and a
//! program with it loads 57 shared libraries and starts on no machine without libvirt; ours loads 5 and builds bundles
//! anywhere. What a call costs more (30 to 40 ms against 10) is nothing beside the copy of a disk. `virsh` is there
//! wherever libvirt is used, speaks to whichever daemon that host has, and shows a person the very commands. What we ask
//! of it is answered by exit status and by lists of names, which are stable; messages are handed on, never judged.
//! Read next: [`super::preflight`], `crate::vm::program`.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::{Code, Diagnostic, Kind};
use crate::vm::copy::{Work, lock};
use crate::vm::program::Program;
use crate::vm::signals::Signals;

/// How long a command may take that clears up.
const CLEARING: Duration = Duration::from_secs(20);
/// How long another installation may define its domain.
const OTHERS: Duration = Duration::from_secs(30);

/// virsh and the libvirt it speaks to.
#[derive(Clone, Debug)]
pub(crate) struct Virsh {
    program: Program,
    uri: String,
}

impl Virsh {
    /// Finds the program.
    pub(crate) fn find(search: Option<&OsStr>, uri: &str) -> Result<Self, Diagnostic> {
        let hint = "install libvirt's client program (libvirt-clients, libvirt-client), or use `arca-build run`";
        Ok(Self { program: Program::find("virsh", search, hint)?, uri: uri.to_owned() })
    }

    /// Returns the same program for another libvirt.
    pub(crate) fn at(&self, uri: &str) -> Self {
        Self { program: self.program.clone(), uri: uri.to_owned() }
    }

    /// Returns the same whose commands end when a signal comes.
    pub(crate) fn heeding(&self, signals: &Signals) -> Self {
        Self { program: self.program.clone().heeding(signals), uri: self.uri.clone() }
    }

    /// Returns the same for clearing up: no signal ends its commands, and none takes long.
    pub(crate) fn clearing(&self) -> Self {
        Self { program: self.program.clone().heeding(&Signals::default()).within(CLEARING), uri: self.uri.clone() }
    }

    /// Returns which libvirt it is.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns whether QEMU runs as the user of this session, not as the system's.
    pub(crate) fn is_session(&self) -> bool {
        is_session(&self.uri)
    }

    fn expect<W: AsRef<OsStr>>(&self, words: &[W]) -> Result<String, Diagnostic> {
        let begin = ["-q".as_ref(), "-c".as_ref(), OsStr::new(&self.uri)];
        let words = begin.into_iter().chain(words.iter().map(AsRef::as_ref)).map(OsStr::to_owned);
        Ok(self.program.expect(&words.collect::<Vec<_>>())?.text())
    }

    /// Asks whether anybody answers; where that is refused, the error's kind is [`Kind::Denied`].
    pub(crate) fn reach(&self) -> Result<(), Diagnostic> {
        // virsh tells it in words only.
        let is_refusal = |word: &str| word.contains("ermission denied") || word.contains("uthentication");
        self.expect(&["uri"]).map(drop).map_err(|problem| {
            let is_denied = problem.causes().any(is_refusal);
            if is_denied { problem.kind(Kind::Denied) } else { problem }
        })
    }

    /// Returns whether a domain of a UUID or name is defined or runs.
    pub(crate) fn knows(&self, name_or_uuid: &str) -> Result<bool, Diagnostic> {
        let listed = self.expect(&["list", "--all", "--name", "--uuid"])?;
        Ok(listed.split_whitespace().any(|word| word == name_or_uuid))
    }

    /// Returns whether a domain of a UUID is known that uses files of a directory, so that it is the one of that instance:
    /// one plan and name have one UUID in every storage.
    pub(crate) fn uses(&self, uuid: &str, directory: &Path) -> Result<bool, Diagnostic> {
        let own = directory.canonicalize().ok();
        if own.is_none() || !self.knows(uuid)? {
            return Ok(false);
        }
        let xml = self.expect(&["dumpxml", "--inactive", uuid])?;
        let mut paths = xml.split(['\'', '"']).filter(|value| value.starts_with('/'));
        Ok(paths.any(|path| Path::new(path).parent().and_then(|parent| parent.canonicalize().ok()) == own))
    }

    /// Keeps other installations on this host from defining domains until the file is closed: what is asked before stays
    /// true. The program itself is what they have in common, whatever their user and storage.
    ///
    /// As anybody may lock what he can read, nobody is waited for for ever.
    pub(crate) fn alone(&self, work: &Work<'_>) -> Result<File, Diagnostic> {
        let shown = self.program.path().display().to_string();
        let file = File::open(self.program.path())
            .map_err(|error| Diagnostic::io(format!("cannot open `{shown}`"), &error))?;
        let begun = Instant::now();
        lock(&file, &shown, &|| begun.elapsed() < OTHERS, work)?;
        Ok(file)
    }

    /// Returns a known domain's state in libvirt's words, such as `shut off`.
    pub(crate) fn state(&self, uuid: &str) -> Result<String, Diagnostic> {
        Ok(self.expect(&["domstate", uuid])?.trim().to_owned())
    }

    /// Defines a domain from a file.
    pub(crate) fn define(&self, xml: &Path) -> Result<(), Diagnostic> {
        self.expect(&["define".as_ref(), "--validate".as_ref(), xml.as_os_str()]).map(drop)
    }

    /// Has a domain started with the host.
    pub(crate) fn autostart(&self, uuid: &str) -> Result<(), Diagnostic> {
        self.expect(&["autostart", uuid]).map(drop)
    }

    /// Starts a domain from a file without defining it.
    pub(crate) fn create(&self, xml: &Path) -> Result<(), Diagnostic> {
        self.expect(&["create".as_ref(), "--validate".as_ref(), xml.as_os_str()]).map(drop)
    }

    /// Starts a defined domain.
    pub(crate) fn start(&self, uuid: &str) -> Result<(), Diagnostic> {
        self.expect(&["start", uuid]).map(drop)
    }

    /// Forgets a domain and what libvirt keeps for it: firmware variables, saved memory, lists of snapshots.
    pub(crate) fn undefine(&self, uuid: &str) -> Result<(), Diagnostic> {
        let words = ["undefine", uuid, "--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata"];
        self.expect(&words).map(drop)
    }

    /// Returns whether a network is active; `None` where there is none of the name.
    pub(crate) fn network(&self, name: &str) -> Result<Option<bool>, Diagnostic> {
        let list = |kind: &[&str]| -> Result<bool, Diagnostic> {
            let words = [&["net-list", "--name"], kind].concat();
            Ok(self.expect(&words)?.lines().any(|line| line.trim() == name))
        };
        match list(&["--all"])? {
            true => list(&[]).map(Some),
            false => Ok(None),
        }
    }

    /// Returns what libvirt can emulate for a kind of domain, as XML (`virDomainCapabilities`); the problem is libvirt's no.
    pub(crate) fn capabilities(&self, virt_type: &str, arch: &str, machine: &str) -> Result<String, Diagnostic> {
        self.expect(&["domcapabilities", "--virttype", virt_type, "--arch", arch, "--machine", machine])
    }
}

/// Returns whether a connection is to the libvirt of this user's session.
pub(crate) fn is_session(uri: &str) -> bool {
    path(uri).is_some_and(|path| path == "/session")
}

fn path(uri: &str) -> Option<&str> {
    let rest = uri.split_once("://")?.1;
    let path = rest.get(rest.find('/')?..)?;
    path.split(['?', '#']).next()
}

/// Refuses another machine's libvirt: what is copied lies on this one.
pub(crate) fn refuse_remote(uri: &str) -> Result<(), Diagnostic> {
    let host = uri.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    if host.is_empty() {
        return Ok(());
    }
    Err(Diagnostic::new(Code::Usage, "`--connect` leads to another machine")
        .cause("the instance's files would lie on this one")
        .hint("copy the bundle there (`arca-build build --out DIR`) and install it there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_other_machines_are_told_by_the_address() {
        for (uri, session, local) in [
            ("qemu:///session", true, true),
            ("qemu:///system", false, true),
            ("qemu+unix:///session?socket=/run/x/libvirt-sock", true, true),
            ("test:///default", false, true),
            ("qemu+ssh://root@host/system", false, false),
            ("qemu+ssh://host/session", true, false),
            ("nonsense", false, true),
        ] {
            assert_eq!((is_session(uri), refuse_remote(uri).is_ok()), (session, local), "{uri}");
        }
    }
}
