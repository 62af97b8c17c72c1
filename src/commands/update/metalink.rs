//! Whether a publisher lists mirrors of just the pinned bytes: what `update` writes into a pin besides.

use super::ask::PublisherQuery;
use crate::base::{ByteSize, Code, Diagnostic, Url};
use crate::lock::{Pin, metalink};

/// Asks for the list beside an immutable name, at the place that gave the digest; `None` where there is none.
///
/// A list that is about other bytes than the pin is told and not recorded: it would only cost time later.
pub(super) fn listed(
    query: &PublisherQuery<'_>,
    resolved: &Url,
    place: impl FnOnce(&Url) -> Option<Url>,
    pin: &Pin,
) -> Option<Url> {
    let url = resolved.sibling(&format!("{}.meta4", resolved.decoded_path()?.pop()?)).ok()?;
    let at = place(&url)?;
    let agreed = match query.text(at.file_name(), &at, ByteSize(metalink::MAX_LENGTH)) {
        Ok(text) => text.map(|text| agrees(&text.bytes, resolved, pin)).transpose(),
        Err(problem) if matches!(problem.code, Code::NetStatus | Code::Offline) => Ok(None),
        Err(problem) => Err(problem),
    };
    match agreed {
        Ok(agreed) => agreed.map(|()| url.without_secrets()),
        Err(problem) => {
            let name = resolved.file_name();
            query.context.warn(format!("`{name}`: {}; it is not recorded", problem.headline));
            None
        }
    }
}

fn agrees(bytes: &[u8], resolved: &Url, pin: &Pin) -> Result<(), Diagnostic> {
    let name = resolved.decoded_path().and_then(|mut parts| parts.pop()).unwrap_or_default();
    let list = metalink::parse(bytes)?;
    Ok(list.file(&name)?.agrees(&pin.sha256, pin.size.map(|size| size.0))?)
}
