//! A registry of container images on loopback, and images that podman can load: what a publisher would push.
//!
//! Every path of it is a path of the lying server, so a test gives any of them another behaviour. Read next: `server.rs`,
//! `tests/fault/registry.rs`.

use std::io::Write;

use crate::base::Digest;
use crate::format::archive::Stream;

use super::server::{Behaviour, HONEST, Server};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_PLAIN_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An image as it is pushed.
#[derive(Clone)]
pub struct Image {
    pub manifest: String,
    pub config: Vec<u8>,
    pub layers: Vec<Vec<u8>>,
}

/// A tar of one file.
pub fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut stream = Stream::begin(vec![]);
    stream.add(path, content.len() as u64, &mut &*content).unwrap();
    stream.finish(1).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// `sha256:…` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Digest::of(bytes))
}

/// A descriptor of bytes.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, digest(bytes), bytes.len())
}

impl Image {
    /// An image for `linux/amd64` of one file a layer, as OCI writes it.
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        Self::of("amd64", files)
    }

    /// The same for another processor.
    pub fn of(architecture: &str, files: &[(&str, &[u8])]) -> Self {
        Self::made(architecture, files, [OCI_MANIFEST, OCI_CONFIG, OCI_LAYER])
    }

    /// One whose layers are plain tars: its bytes hang on no packer's version.
    pub fn plain(files: &[(&str, &[u8])]) -> Self {
        Self::made("amd64", files, [OCI_MANIFEST, OCI_CONFIG, OCI_PLAIN_LAYER])
    }

    /// An image as Docker's schema 2 writes it.
    pub fn docker(files: &[(&str, &[u8])]) -> Self {
        Self::made("amd64", files, [DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER])
    }

    fn made(architecture: &str, files: &[(&str, &[u8])], [manifest, config, layer]: [&str; 3]) -> Self {
        let tars: Vec<_> = files.iter().map(|(path, content)| tar(path, content)).collect();
        let ids: Vec<_> = tars.iter().map(|tar| format!("\"{}\"", digest(tar))).collect();
        let config_bytes = format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{"Cmd":["/hello"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            ids.join(",")
        );
        let packed = |tar: &Vec<u8>| if layer == OCI_PLAIN_LAYER { tar.clone() } else { gzip(tar) };
        let layers: Vec<_> = tars.iter().map(packed).collect();
        let listed: Vec<_> = layers.iter().map(|bytes| descriptor(layer, bytes)).collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{manifest}","config":{},"layers":[{}]}}"#,
            descriptor(config, config_bytes.as_bytes()),
            listed.join(",")
        );
        Self { manifest, config: config_bytes.into_bytes(), layers }
    }

    /// Lists all blobs but the manifest.
    pub fn blobs(&self) -> impl Iterator<Item = &Vec<u8>> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

/// Writes an index of images by platform, such as `linux/amd64`.
pub fn index(images: &[(&str, &Image)]) -> String {
    let entries: Vec<_> = images
        .iter()
        .map(|(platform, image)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let entry = descriptor(OCI_MANIFEST, image.manifest.as_bytes());
            let platform = format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#);
            entry.trim_end_matches('}').to_owned() + &platform
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#, entries.join(","))
}

/// Puts an image into a repository of a server, under a tag and by its digests.
pub fn publish(server: &Server, repository: &str, tag: &str, image: &Image) {
    let put = |kind: &str, name: &str, bytes: &[u8]| server.put(&format!("/v2/{repository}/{kind}/{name}"), bytes, &[]);
    put("manifests", tag, image.manifest.as_bytes());
    put("manifests", &digest(image.manifest.as_bytes()), image.manifest.as_bytes());
    image.blobs().for_each(|blob| put("blobs", &digest(blob), blob));
}

/// A registry with one repository, `demo/web`.
pub struct Registry {
    pub server: Server,
    /// The challenge and the token that guard everything, where something does.
    pub guard: Option<(String, String)>,
}

/// The repository's name.
pub const REPOSITORY: &str = "demo/web";

/// The token that a guarded registry gives.
pub const TOKEN: &str = "t0ken.hunter2";

impl Registry {
    /// An open one.
    pub fn start() -> Self {
        Self { server: Server::start(), guard: None }.with_api()
    }

    /// The address that says that this is a registry; where a guard stands, it stands there too.
    fn with_api(self) -> Self {
        self.put("/v2/", "{}", &[]);
        self
    }

    /// One that demands a token, which its own service gives to everybody.
    pub fn guarded() -> Self {
        let server = Server::start();
        server.put("/token", format!(r#"{{"token":"{TOKEN}","expires_in":60}}"#), &[]);
        let challenge = format!(r#"Bearer realm="{}",service="registry.test",scope="x""#, server.url("/token"));
        Self { server, guard: Some((challenge, TOKEN.to_owned())) }.with_api()
    }

    /// One whose guard says and wants this.
    pub fn guarded_by(challenge: impl Into<String>, token: &str) -> Self {
        Self { server: Server::start(), guard: Some((challenge.into(), token.to_owned())) }.with_api()
    }

    /// Returns a reference by tag.
    pub fn tagged(&self, tag: &str) -> String {
        format!("{}/{REPOSITORY}:{tag}", self.server.authority())
    }

    /// Returns a reference by the digest of bytes.
    pub fn digested(&self, manifest: &str) -> String {
        format!("{}/{REPOSITORY}@{}", self.server.authority(), digest(manifest.as_bytes()))
    }

    /// Returns the path of a manifest, by tag or digest.
    pub fn manifest_path(reference: &str) -> String {
        format!("/v2/{REPOSITORY}/manifests/{reference}")
    }

    /// Returns the path of a blob.
    pub fn blob_path(bytes: &[u8]) -> String {
        format!("/v2/{REPOSITORY}/blobs/{}", digest(bytes))
    }

    /// Puts bytes under a path, behind the guard.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>, behaviours: &[Behaviour]) {
        let guarded = |behaviour: &Behaviour| match &self.guard {
            Some((challenge, token)) => behaviour.clone().guarded(challenge, token),
            None => behaviour.clone(),
        };
        let behaviours = if behaviours.is_empty() { &[HONEST][..] } else { behaviours };
        self.server.put(path, bytes, &behaviours.iter().map(guarded).collect::<Vec<_>>());
    }

    /// Puts an image there, by its digest.
    pub fn push_image(&self, image: &Image) {
        self.put(&Self::manifest_path(&digest(image.manifest.as_bytes())), image.manifest.as_str(), &[]);
        image.blobs().for_each(|blob| self.put(&Self::blob_path(blob), blob.as_slice(), &[]));
    }

    /// Lets a tag mean a manifest or an index, which is there by its digest too.
    pub fn tag(&self, tag: &str, manifest: &str) {
        self.put(&Self::manifest_path(tag), manifest, &[]);
        self.put(&Self::manifest_path(&digest(manifest.as_bytes())), manifest, &[]);
    }

    /// Puts an image there under a tag.
    pub fn push(&self, tag: &str, image: &Image) {
        self.push_image(image);
        self.tag(tag, &image.manifest);
    }
}
