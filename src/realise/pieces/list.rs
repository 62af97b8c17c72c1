//! Reads the list, and chooses whom to ask: first where the user says the files are, then the pinned addresses, then the
//! list's own.

use std::io::Read;

use super::super::Walk;
use super::super::input::{Job, file_path};
use crate::base::{Code, Diagnostic, Url};
use crate::format::metalink::{self, File, MAX_LENGTH, MetalinkError};
use crate::host::files;
use crate::recipe::Source;

/// The most mirrors of a list that are asked: a list of thousands that do not answer would take days to fail.
const ASKED: usize = 64;

impl Walk<'_> {
    /// Reads the list and finds in it what it says of the pinned bytes; that there is none is no more than a note.
    pub(super) fn read_list(&self, job: &Job<'_>, sources: &[Source], list: &Url) -> Option<File> {
        let name = file_name(sources.first()?)?;
        let own = Source::Url(list.clone());
        let mut places = (self.workshop.rewrite)(&own);
        // Whoever says where a site is found has no use for the site's own list, and perhaps no way to it.
        if places.len() > 1 {
            places.retain(|place| *place != own);
        }
        let mut failure = None;
        for place in places {
            match self.read_list_at(&place, job, &name) {
                Ok(file) => return Some(file),
                Err(problem) => failure = Some(problem),
            }
        }
        // Offline, the plain way says what is missing.
        if let Some(failure) = failure.filter(|failure| failure.code != Code::Offline) {
            self.warn(job, &format!("the list of mirrors is not used: {}", failure.headline));
        }
        None
    }

    fn read_list_at(&self, place: &Source, job: &Job<'_>, name: &str) -> Result<File, Diagnostic> {
        let bytes = match place {
            Source::Url(url) if url.is_remote() => {
                let what = format!("{} (list of mirrors)", job.what);
                self.workshop.fetch.text(&what, url, MAX_LENGTH, self.workshop.events)?.body
            }
            Source::Url(url) => read_file(url)?,
            Source::Path(_) => return Err(Diagnostic::new(Code::Bug, "a list of mirrors has no path")),
        };
        let read = || -> Result<File, MetalinkError> {
            let list = metalink::parse(&bytes)?;
            let file = list.file(name)?;
            file.agrees(job.digest, job.size.map(|size| size.0))?;
            Ok(file.clone())
        };
        read().map_err(|error| Diagnostic::new(Code::NetProtocol, error.to_string()))
    }

    /// Lists whom to ask, best first: only who may have just this file under its immutable name.
    pub(super) fn mirrors(&self, sources: &[Source], file: &File) -> Vec<Url> {
        let named = |source: &&Source| file_name(source).as_deref() == Some(&file.name);
        let pinned: Vec<&Url> = sources.iter().filter(named).filter_map(remote).collect();
        let mut own = vec![];
        for source in pinned.iter().copied() {
            own.extend(self.rewritten(source));
        }
        own.extend(pinned.into_iter().cloned());
        for mirror in file.by_priority().into_iter().take(ASKED) {
            let places = self.rewritten(&mirror.url);
            // Whoever says where a site is found does not mean the site itself.
            match places.is_empty() {
                true => own.extend(Some(mirror.url.clone()).filter(is_public)),
                false => own.extend(places),
            }
        }
        let mut mirrors: Vec<Url> = vec![];
        own.into_iter().for_each(|url| {
            if !mirrors.contains(&url) {
                mirrors.push(url)
            }
        });
        mirrors
    }

    /// Returns where else the user says an address is found, over the network.
    fn rewritten(&self, url: &Url) -> Vec<Url> {
        let places = (self.workshop.rewrite)(&Source::Url(url.clone()));
        places.iter().filter_map(remote).filter(|place| *place != url).cloned().collect()
    }
}

fn remote(source: &Source) -> Option<&Url> {
    match source {
        Source::Url(url) if url.is_remote() => Some(url),
        Source::Url(_) | Source::Path(_) => None,
    }
}

fn file_name(source: &Source) -> Option<String> {
    match source {
        Source::Url(url) => url.decoded_path()?.pop().filter(|name| !name.is_empty()),
        Source::Path(_) => None,
    }
}

/// A list may name anything: so only https, and no number or short name, which could mean a machine of this network.
fn is_public(url: &Url) -> bool {
    let host = url.host().unwrap_or_default().trim_end_matches('.');
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_name = host.contains('.') && !host.starts_with('[') && last.chars().any(char::is_alphabetic);
    url.scheme() == "https" && is_name && !["localhost", "local", "internal", "home", "lan"].contains(&last)
}

fn read_file(url: &Url) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = vec![];
    let read = files::open(&file_path(url)?)?.take(MAX_LENGTH + 1).read_to_end(&mut bytes);
    read.map_err(|error| Diagnostic::io(format!("cannot read `{url}`"), &error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_13_a_list_leads_to_public_https_only() {
        let is_public = |url: &str| is_public(&Url::parse(url).unwrap());
        for good in
            ["https://mirror.example.org/x", "https://mirror.example.org:8443/x", "https://xn--bcher-kva.example/x"]
        {
            assert!(is_public(good), "{good}");
        }
        for bad in [
            "http://mirror.example.org/x",
            "https://192.168.1.1/x",
            "https://3232235777/x",
            "https://[fd00::1]/x",
            "https://[::ffff:10.0.0.1]/x",
            "https://localhost/x",
            "https://nas/x",
            "https://nas./x",
            "https://a.localhost/x",
            "https://router.lan/x",
        ] {
            assert!(!is_public(bad), "{bad}");
        }
    }
}
