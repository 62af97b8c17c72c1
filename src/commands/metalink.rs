//! Whether a publisher lists mirrors of just the pinned bytes: what `update` writes into a pin besides.

use std::io::Read;

use crate::base::{Code, Diagnostic, Event, Events, Url};
use crate::fetch::Fetch;
use crate::host::files;
use crate::lock::{Pin, metalink};
use crate::recipe::Source;

/// Asks for the list beside an immutable name, at the place that gave the digest; `None` where there is none.
///
/// A list that is about other bytes than the pin is told and not recorded: it would only cost time later.
pub(super) fn listed(
    fetch: &dyn Fetch,
    events: Events<'_>,
    resolved: &Url,
    place: impl FnOnce(&Url) -> Option<Source>,
    pin: &Pin,
) -> Option<Url> {
    let url = resolved.sibling(&format!("{}.meta4", resolved.decoded_path()?.pop()?)).ok()?;
    let agreed = read(fetch, events, &place(&url)?).and_then(|bytes| match bytes {
        Some(bytes) => agrees(&bytes, resolved, pin).map(|()| true),
        None => Ok(false),
    });
    match agreed {
        Ok(is_there) => is_there.then(|| url.without_secrets()),
        Err(problem) => {
            let text = format!("`{}`: {}; it is not recorded", resolved.file_name(), problem.headline);
            events(Event::Warning { text });
            None
        }
    }
}

fn agrees(bytes: &[u8], resolved: &Url, pin: &Pin) -> Result<(), Diagnostic> {
    let name = resolved.decoded_path().and_then(|mut parts| parts.pop()).unwrap_or_default();
    let list = metalink::parse(bytes)?;
    Ok(list.file(&name)?.agrees(&pin.sha256, pin.size.map(|size| size.0))?)
}

/// Reads a list; `None` where the publisher has none.
fn read(fetch: &dyn Fetch, events: Events<'_>, place: &Source) -> Result<Option<Vec<u8>>, Diagnostic> {
    let Source::Url(url) = place else { return Ok(None) };
    if url.is_remote() {
        return match fetch.text(url.file_name(), url, metalink::MAX_LENGTH, events) {
            Ok(text) => Ok(Some(text.body)),
            Err(problem) if matches!(problem.code, Code::NetStatus | Code::Offline) => Ok(None),
            Err(problem) => Err(problem),
        };
    }
    let Some(file) = url.to_file_path().and_then(|path| files::open(&path).ok()) else { return Ok(None) };
    let mut bytes = vec![];
    let read = file.take(metalink::MAX_LENGTH + 1).read_to_end(&mut bytes);
    read.map(|_| Some(bytes)).map_err(|error| Diagnostic::io(format!("cannot read `{url}`"), &error))
}
