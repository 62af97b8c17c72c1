//! The name of a container image at its registry, and the addresses that follow from it. Touches nothing.
//!
//! Grammar: distribution's reference (github.com/distribution/reference: reference.go), with the registry always written:
//! what a short name means hangs on each machine's configuration. Addresses: OCI distribution-spec 1.1, "Pull".

use std::fmt;

use crate::base::{Digest, Url};

/// `registry/repository:tag`, or `@sha256:digest` in place of the tag or after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ImageReference {
    /// Host, and port where one is written.
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
    /// Where the manifest or index lies.
    manifest: Url,
}

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    #[error("the registry is missing: a short name means another image on each machine")]
    NoRegistry,
    #[error("images of Docker Hub without a user lie under `library/`")]
    NoLibrary,
    #[error("neither a tag nor a digest is written, and `latest` is never guessed")]
    NoTag,
    #[error("a reference begins with the registry's name, without `https://` or `docker://`")]
    Scheme,
    #[error("`{0}` is not the name of a registry")]
    Registry(String),
    #[error("`{0}` is not the name of a repository: lower-case letters, digits, and . _ - between them")]
    Repository(String),
    #[error("`{0}` is not a tag: at most 128 of A-Z a-z 0-9 . _ -")]
    Tag(String),
    #[error("what follows `@` is not `sha256:` and 64 hexadecimal digits")]
    Digest,
    #[error("a reference is at most 255 characters long")]
    Long,
}

impl ReferenceError {
    /// Returns the way out, where one is sure.
    pub(crate) fn hint(&self, text: &str) -> String {
        let shown = crate::base::text::one_line(text, 100);
        match self {
            Self::NoRegistry if text.contains('/') => format!("write \"docker.io/{shown}\", or another registry"),
            Self::NoRegistry => format!("write \"docker.io/library/{shown}\", or another registry"),
            Self::NoLibrary => format!("write \"{}\"", shown.replacen("docker.io/", "docker.io/library/", 1)),
            Self::NoTag => format!("write \"{shown}:latest\"; `arca-build update` pins what it means today"),
            _ => "write it like \"registry.opensuse.org/opensuse/busybox:latest\"".to_owned(),
        }
    }
}

impl ImageReference {
    /// Reads a reference.
    pub(crate) fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains("://") {
            return Err(ReferenceError::Scheme);
        }
        if text.len() > 255 {
            return Err(ReferenceError::Long);
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => (rest, Some(self::digest(digest)?)),
        };
        let (registry, path) = rest.split_once('/').ok_or(ReferenceError::NoRegistry)?;
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(ReferenceError::NoRegistry);
        }
        let (repository, tag) = match path.split_once(':') {
            None => (path, None),
            Some((repository, tag)) => (repository, Some(self::tag(tag)?)),
        };
        if !is_registry(registry) {
            return Err(ReferenceError::Registry(registry.to_owned()));
        }
        if !repository.split('/').all(is_component) {
            return Err(ReferenceError::Repository(repository.to_owned()));
        }
        if registry == "docker.io" && !repository.contains('/') {
            return Err(ReferenceError::NoLibrary);
        }
        let named = digest.map(|digest| format!("sha256:{digest}")).or_else(|| tag.clone());
        let named = named.ok_or(ReferenceError::NoTag)?;
        let manifest = address(registry, repository, "manifests", &named);
        let manifest = manifest.ok_or_else(|| ReferenceError::Registry(registry.to_owned()))?;
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest, manifest })
    }

    /// Returns the digest that the reference itself names: of the image, or of its index.
    pub(crate) const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Returns the name with its tag and without a digest, under which podman finds it; none without a tag.
    pub(crate) fn tagged(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| format!("{}/{}:{tag}", self.registry, self.repository))
    }

    /// Returns where the manifest or index lies that the reference names.
    pub(crate) const fn manifest_url(&self) -> &Url {
        &self.manifest
    }

    /// Returns where a manifest of the same repository lies.
    pub(crate) fn manifest_url_of(&self, digest: &Digest) -> Option<Url> {
        address(&self.registry, &self.repository, "manifests", &format!("sha256:{digest}"))
    }

    /// Returns where a blob of the same repository lies.
    pub(crate) fn blob_url(&self, digest: &Digest) -> Option<Url> {
        address(&self.registry, &self.repository, "blobs", &format!("sha256:{digest}"))
    }
}

fn address(registry: &str, repository: &str, kind: &str, name: &str) -> Option<Url> {
    let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
    let scheme = if is_here(registry) { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{host}/v2/{repository}/{kind}/{name}")).ok()
}

/// Returns whether the registry runs on this machine, which is asked without TLS, as Docker and its kin do.
fn is_here(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for ImageReference {
    /// Writes the reference as a recipe does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@sha256:{digest}"))
    }
}

fn digest(text: &str) -> Result<Digest, ReferenceError> {
    text.strip_prefix("sha256:").and_then(|hex| Digest::parse(hex).ok()).ok_or(ReferenceError::Digest)
}

fn tag(text: &str) -> Result<String, ReferenceError> {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if first && plain && text.len() <= 128 { Ok(text.to_owned()) } else { Err(ReferenceError::Tag(text.to_owned())) }
}

/// A host name or IPv4 address with or without a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let plain = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        !label.is_empty() && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_port = |port: &str| port.len() <= 5 && port.parse::<u16>().is_ok_and(|port| port > 0);
    host.split('.').all(plain) && port.is_none_or(is_port)
}

/// Letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(alphanumeric) && text.ends_with(alphanumeric);
    let joined =
        text.split(alphanumeric).all(|join| matches!(join, "" | "." | "_" | "__") || join.chars().all(|c| c == '-'));
    ends && joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

    #[test]
    fn a_reference_is_written_as_it_was_read_and_names_its_addresses() {
        let digested = format!("quay.io/a/b__c.d-e@sha256:{HEX}");
        let both = format!("localhost:5000/x:1@sha256:{HEX}");

        for (text, manifest) in [
            (
                "registry.opensuse.org/opensuse/busybox:latest",
                "https://registry.opensuse.org/v2/opensuse/busybox/manifests/latest",
            ),
            ("docker.io/library/busybox:1.36", "https://registry-1.docker.io/v2/library/busybox/manifests/1.36"),
            ("127.0.0.1:5000/x:_A.b-c", "http://127.0.0.1:5000/v2/x/manifests/_A.b-c"),
            (&digested, &format!("https://quay.io/v2/a/b__c.d-e/manifests/sha256:{HEX}")),
            (&both, &format!("http://localhost:5000/v2/x/manifests/sha256:{HEX}")),
        ] {
            let reference = ImageReference::parse(text).unwrap();
            assert_eq!((reference.to_string().as_str(), reference.manifest_url().expose()), (text, manifest));
        }
        let reference = ImageReference::parse(&both).unwrap();
        assert_eq!(reference.tagged().as_deref(), Some("localhost:5000/x:1"));
        let blob = reference.blob_url(&Digest::of(b"")).unwrap();
        assert_eq!(blob.expose(), format!("http://localhost:5000/v2/x/blobs/sha256:{}", Digest::of(b"")));
    }

    #[test]
    fn what_could_mean_two_images_is_refused_with_the_way_out() {
        for (text, words) in [
            ("busybox", "docker.io/library/busybox"),
            ("library/busybox:1", "docker.io/library/busybox:1"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1"),
            ("quay.io/a/b", "quay.io/a/b:latest"),
            ("docker://quay.io/a/b:1", "without `https://`"),
            ("https://quay.io/a/b:1", "without `https://`"),
            ("quay.io/A/b:1", "`A/b` is not the name"),
            ("quay.io/a//b:1", "`a//b` is not the name"),
            ("quay.io/../b:1", "`../b` is not the name"),
            ("quay.io/a/b:", "`` is not a tag"),
            ("quay.io/a/b:1:2", "`1:2` is not a tag"),
            ("quay.io/a/b@sha256:00", "64 hexadecimal digits"),
            ("quay.io/a/b@sha512:00", "64 hexadecimal digits"),
            ("quay.io:0/a:1", "`quay.io:0` is not the name of a registry"),
            ("quay.io:99999/a:1", "not the name of a registry"),
            ("u@quay.io/a:1", "64 hexadecimal digits"),
            ("-x.io/a:1", "not the name of a registry"),
            ("quay.io/a?b:1", "not the name of a repository"),
        ] {
            let error = ImageReference::parse(text).expect_err(text);
            let told = format!("{error}; {}", error.hint(text));
            assert!(told.contains(words), "{text}: {told}");
        }
        let long = format!("quay.io/{}:1", "a/".repeat(200));
        assert_eq!(ImageReference::parse(&long), Err(ReferenceError::Long));
    }
}
