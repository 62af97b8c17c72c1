//! The mirrors that a publisher lists (`.meta4`): where an input is looked for when none of its own addresses gave it.
//!
//! The list proves nothing: it is used where it names the pinned digest and size, and what a mirror sends is compared with
//! the pin, as everything is. Read next: `super::input`.

use std::io::Read;

use super::input::{Job, file_path};
use super::scheduler::Scheduler;
use crate::base::{Code, Diagnostic, Event, Url};
use crate::format::metalink::{self, File, MAX_LENGTH, MetalinkError};
use crate::host::files;
use crate::recipe::Source;

/// The most mirrors of a list that are asked: a list of thousands that do not answer would take days to fail.
const ASKED: usize = 64;

impl Scheduler<'_> {
    /// Lists the mirrors of an input, best first; a list that cannot be used is no more than a warning.
    pub(super) fn mirrors(&self, job: &Job<'_>, sources: &[Source], list: &Url) -> Vec<Source> {
        let Some(name) = sources.first().and_then(file_name) else { return vec![] };
        let own = Source::Url(list.clone());
        let mut places = (self.context.rewrite)(&own);
        // Whoever says where a site is found has no use for the site's own list, and perhaps no way to it.
        if places.len() > 1 {
            places.retain(|place| *place != own);
        }
        let mut failure = None;
        for place in places {
            match self.read_list(&place, job, &name) {
                Ok(file) => return self.reachable(&file),
                Err(problem) => failure = Some(problem),
            }
        }
        if let Some(failure) = failure.filter(|failure| failure.code != Code::Offline) {
            let text = format!("`{}`: the list of mirrors is not used: {}", job.what, failure.headline);
            (self.context.events)(Event::Warning { text });
        }
        vec![]
    }

    fn read_list(&self, place: &Source, job: &Job<'_>, name: &str) -> Result<File, Diagnostic> {
        let bytes = match place {
            Source::Url(url) if url.is_remote() => {
                let what = format!("{} (list of mirrors)", job.what);
                self.context.fetch.text(&what, url, MAX_LENGTH, self.context.events)?.body
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

    /// Returns the places of a list's mirrors: where the configuration says they are, else their own public addresses.
    fn reachable(&self, file: &File) -> Vec<Source> {
        let places = |url: &Url| {
            let own = Source::Url(url.clone());
            let (own, elsewhere): (Vec<_>, Vec<_>) =
                (self.context.rewrite)(&own).into_iter().partition(|place| *place == own);
            // Whoever says where a site is found does not mean the site itself.
            if elsewhere.is_empty() && is_public(url) { own } else { elsewhere }
        };
        file.by_priority().into_iter().take(ASKED).flat_map(|mirror| places(&mirror.url)).collect()
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
