//! What a container image is today, by its registry's word: the manifest for the machine, and what it lists.
//!
//! A tag is asked for once, here; a build names digests only. Every document is read within a bound and compared with the
//! digest it was asked for by, before anything it says is followed.

use super::ask::{PublisherQuery, Text, not_there};
use super::sign::PinPolicy;
use crate::base::text::one_line;
use crate::base::{Arch, ByteSize, Code, Diagnostic, Digest, Url};
use crate::lock::oci::{self, Blob, Document, Manifest};
use crate::lock::{ImagePin, images};
use crate::recipe::ImageReference;

/// What a document must be, where its digest is known.
type Expected = Option<(Digest, Option<u64>)>;

impl PublisherQuery<'_> {
    /// Lists the images that the recipe names.
    pub(super) fn references(&self) -> Vec<&ImageReference> {
        images::references(&self.loaded.recipe)
    }

    /// Finds out what an image is today, for the recipe's machine.
    pub(super) fn hear_image(
        &self,
        reference: &ImageReference,
        policy: &PinPolicy<'_>,
    ) -> Result<ImagePin, Diagnostic> {
        let arch = self.loaded.recipe.machine.arch;
        let url = reference.manifest_url();
        if reference.digest().is_none() && !policy.takes_unsigned(url) {
            return Err(policy.unsigned(url, format!("the tag of `{reference}` is not signed")));
        }
        let shown = one_line(&reference.to_string(), 200);
        let told = |problem: Diagnostic| problem.fact("image", &shown);
        let first = self.document(&shown, url, reference.digest().map(|digest| (digest, None))).map_err(told)?;
        let (manifest, image) = self.manifest(reference, first, arch).map_err(told)?;
        self.check_config(reference, &image, arch).map_err(told)?;
        Ok(ImagePin { reference: reference.to_string(), arch, manifest, blobs: image.blobs() })
    }

    /// Reads the manifest: what came first, or the entry for the machine in an index that came first.
    fn manifest(&self, reference: &ImageReference, first: Text, arch: Arch) -> Result<(Blob, Manifest), Diagnostic> {
        let blob = |bytes: &[u8]| Blob { digest: Digest::of(bytes), size: bytes.len() as u64 };
        let read = |text: &Text| oci::read(&text.bytes).map_err(|error| Diagnostic::from(error).url(&text.from));
        let index = match read(&first)? {
            Document::Image(image) => return Ok((blob(&first.bytes), image)),
            Document::Index(index) => index,
        };
        let entry = index.choose(arch).map_err(|error| Diagnostic::from(error).url(&first.from))?;
        let url = reference.manifest_url_of(&entry.digest).ok_or_else(|| without_address(reference))?;
        let what = format!("the manifest for {arch}");
        let second = self.document(&what, &url, Some((entry.digest, Some(entry.size))))?;
        match read(&second)? {
            Document::Image(image) => Ok((entry, image)),
            Document::Index(_) => {
                Err(Diagnostic::from(oci::OciError::Nested(oci::architecture(arch))).url(&second.from))
            }
        }
    }

    /// A manifest alone names no platform; its config does.
    fn check_config(&self, reference: &ImageReference, image: &Manifest, arch: Arch) -> Result<(), Diagnostic> {
        let Blob { digest, size } = image.config;
        let url = reference.blob_url(&digest).ok_or_else(|| without_address(reference))?;
        let config = self.document("the image's config", &url, Some((digest, Some(size))))?;
        oci::check_config(&config.bytes, image, arch).map_err(|error| Diagnostic::from(error).url(&config.from))
    }

    /// Reads a document from the first place that has the right one.
    fn document(&self, what: &str, url: &Url, expected: Expected) -> Result<Text, Diagnostic> {
        let mut failures: Vec<Diagnostic> = vec![];
        for at in self.mirrors.apply(url) {
            let text = self.text(what, &at, ByteSize(oci::DOCUMENT_LIMIT));
            let text = text.and_then(|text| text.ok_or_else(|| not_there(&at)));
            match text.and_then(|text| compared(what, text, expected)) {
                Ok(text) => {
                    failures.iter().for_each(|failure| self.tell_other_place(what, failure));
                    return Ok(text);
                }
                Err(failure) => failures.push(failure),
            }
        }
        let failures = failures.into_iter().reduce(|first, next| first.cause(next));
        Err(failures.unwrap_or_else(|| Diagnostic::new(Code::Bug, format!("no place to ask for `{url}`"))))
    }

    fn tell_other_place(&self, what: &str, failure: &Diagnostic) {
        let text = format!("`{}`: {}; the next address serves", one_line(what, 200), failure.headline);
        self.context.warn(text);
    }
}

/// Refuses a document that is not the one that was asked for by digest.
fn compared(what: &str, text: Text, expected: Expected) -> Result<Text, Diagnostic> {
    let Some((digest, size)) = expected else { return Ok(text) };
    let received = Digest::of(&text.bytes);
    if received == digest && size.is_none_or(|size| size == text.bytes.len() as u64) {
        return Ok(text);
    }
    let problem =
        Diagnostic::new(Code::Hash, format!("`{}` is not what was asked for by its digest", one_line(what, 200)))
            .fact("expected", format!("sha256:{digest}"))
            .fact("received", format!("sha256:{received}"))
            .url(&text.from)
            .note("nothing was pinned");
    Err(match size {
        Some(size) => problem.fact("size", format!("{size} bytes expected, {} received", text.bytes.len())),
        None => problem,
    })
}

fn without_address(reference: &ImageReference) -> Diagnostic {
    Diagnostic::new(Code::Bug, format!("a part of `{reference}` has no address"))
}
