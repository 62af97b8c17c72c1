//! The door to the network, by [`Http`]. Touches what that touches. Read next: `transfer`, `client`.

use super::client::Http;
use super::transfer::{self, Transfer};
use super::{Arrived, Beginning, Bounds, Fetch, Text, beginning};
use crate::base::{Code, Diagnostic, Events, Url};
use crate::stream::Sink;

impl Fetch for Http {
    fn download(
        &self,
        what: &str,
        url: &Url,
        bounds: &Bounds,
        sink: &mut dyn Sink,
        events: Events<'_>,
    ) -> Result<Arrived, Diagnostic> {
        Transfer::new(self, what, url, *bounds, events).told().run(sink)
    }

    fn text(&self, what: &str, url: &Url, cap: u64, events: Events<'_>) -> Result<Text, Diagnostic> {
        let mut memory = transfer::Memory::default();
        let arrived = Transfer::new(self, what, url, Bounds::at_most(cap), events).whole().run(&mut memory)?;
        match arrived.content_encoding {
            Some(coding) => Err(Diagnostic::new(Code::NetProtocol, format!("cannot read `{what}`: it came encoded"))
                .fact("coding", coding)
                .url(url)),
            None => Ok(Text { body: memory.into_bytes(), from: arrived.from }),
        }
    }

    fn beginning(&self, url: &Url, count: usize) -> Result<Beginning, Diagnostic> {
        beginning::beginning(self, url, count)
    }
}
