//! A stand-in for the publisher: small images under openSUSE's own paths and names, with their `.sha256`, and the
//! configuration that leads there. Touches loopback and the directory it is given. Read next: `server.rs`.

use std::path::{Path, PathBuf};

use crate::base::{ByteSize, Digest};
use crate::format::qcow2;

use super::registry::{self, Image};
use super::server::{Behaviour, Server};

/// Where the moving names live.
const APPLIANCES: &str = "/tumbleweed/appliances/";
const SNAPSHOT: &str = "Snapshot20261120";

/// The shipped recipes that name the publisher, with the moving and the immutable name of what each pins.
pub const PUBLISHED: [(&str, &str, &str); 3] = [
    (
        "nas",
        "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2",
        "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20261120.qcow2",
    ),
    (
        "microos-combustion",
        "openSUSE-MicroOS.x86_64-kvm-and-xen.qcow2",
        "openSUSE-MicroOS.x86_64-16.0.0-kvm-and-xen-Snapshot20261120.qcow2",
    ),
    (
        "selfinstall-iso",
        "iso/openSUSE-MicroOS.x86_64-ContainerHost-SelfInstall.iso",
        "iso/openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-SelfInstall-Snapshot20261120.iso",
    ),
];

/// Those that provision more, on the same images.
pub const PROVISIONED: [(&str, &str, &str); 4] = [
    ("nas-samba", PUBLISHED[0].1, PUBLISHED[0].2),
    ("k3s", PUBLISHED[0].1, PUBLISHED[0].2),
    ("ci-runner", PUBLISHED[0].1, PUBLISHED[0].2),
    ("static-server", PUBLISHED[1].1, PUBLISHED[1].2),
];

/// The container images that shipped recipes name: the registry's address, repository, tag.
pub const IMAGES: [(&str, &str, &str); 2] =
    [("quay.io", "samba.org/samba-server", "latest"), ("registry-1.docker.io", "gitlab/gitlab-runner", "alpine")];

/// A program that a shipped recipe names by address. Its real publisher has no checksum beside it, which `update` finds out
/// only by asking; no test leaves this machine.
const K3S: &str = "/k3s-io/k3s/releases/download/v1.33.5%2Bk3s1/k3s";

/// A publisher on loopback.
pub struct Publisher {
    pub server: Server,
    /// A configuration file whose `[mirrors]` leads every openSUSE address there, and every registry.
    pub config: PathBuf,
}

impl Publisher {
    /// Starts serving; writes `config.toml` into `directory`.
    pub fn start(directory: &Path) -> Self {
        let server = Server::start();
        for (_, moving, immutable) in PUBLISHED {
            let image = if moving.ends_with(".iso") { iso() } else { image(moving) };
            publish(&server, moving, immutable, image);
        }
        assert!(PUBLISHED.iter().all(|(_, _, immutable)| immutable.contains(SNAPSHOT)));
        let config = directory.join("config.toml");
        let mut text = format!("[mirrors]\n\"https://download.opensuse.org/\" = \"{}\"\n", server.url("/"));
        let k3s = b"a stand-in for k3s";
        server.put(K3S, k3s, &[]);
        server.put(&format!("{K3S}.sha256"), format!("{}  k3s\n", Digest::of(k3s)), &[]);
        text.push_str(&format!("\"https://github.com/\" = \"{}\"\n", server.url("/")));
        for (registry, repository, tag) in IMAGES {
            registry::publish(&server, repository, tag, &Image::plain(&[("stand-in", repository.as_bytes())]));
            text.push_str(&format!("\"https://{registry}/\" = \"{}\"\n", server.url("/")));
        }
        std::fs::write(&config, text).unwrap();
        Self { server, config }
    }

    /// Publishes an image of so many bytes for a recipe; the server behaves so when it is asked for it.
    ///
    /// Returns the path of the immutable name, and the digest.
    pub fn weigh(&self, recipe: &str, size: usize, behaviours: &[Behaviour]) -> (String, Digest) {
        let (_, moving, immutable) = PUBLISHED.into_iter().find(|(name, ..)| *name == recipe).unwrap();
        let mut bytes = image(moving);
        // Not zeros, which a file system could keep as a hole.
        let mut noise = 1_u64;
        bytes.resize_with(size, || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        });
        let digest = Digest::of(&bytes);
        publish(&self.server, moving, immutable, bytes.clone());
        let path = format!("{APPLIANCES}{immutable}");
        self.server.put(&path, bytes, behaviours);
        (path, digest)
    }

    /// Publishes a new image under the moving name of a recipe, as a rolling distribution does every day.
    pub fn move_on(&self, recipe: &str, image: Vec<u8>) {
        let (_, moving, immutable) = PUBLISHED.into_iter().find(|(name, ..)| *name == recipe).unwrap();
        publish(&self.server, moving, &immutable.replace(SNAPSHOT, "Snapshot20261121"), image);
    }
}

impl Publisher {
    /// Publishes an image under the moving name of a recipe as this snapshot; returns path and text of the checksums.
    pub fn publish(&self, recipe: &str, snapshot: &str, image: Vec<u8>) -> (String, String) {
        let (_, moving, immutable) = PUBLISHED.into_iter().find(|(name, ..)| *name == recipe).unwrap();
        let immutable = immutable.replace(SNAPSHOT, snapshot);
        let text = format!("{}  {}\n", Digest::of(&image), immutable.rsplit('/').next().unwrap());
        publish(&self.server, moving, &immutable, image);
        (format!("{APPLIANCES}{moving}.sha256"), text)
    }
}

fn publish(server: &Server, moving: &str, immutable: &str, image: Vec<u8>) {
    let name = immutable.rsplit('/').next().unwrap();
    let sidecar = format!("{}  {name}\n", Digest::of(&image));
    server.put(&format!("{APPLIANCES}{moving}.sha256"), sidecar, &[]);
    server.put(&format!("{APPLIANCES}{moving}"), image.clone(), &[]);
    server.put(&format!("{APPLIANCES}{immutable}"), image, &[]);
}

/// A valid qcow2 of 20 GiB, as MicroOS images are, different for every name.
pub fn image(name: &str) -> Vec<u8> {
    let mut bytes = qcow2::blank(ByteSize::gib(20)).unwrap();
    // Unallocated tail: legal in a qcow2, and it gives each stand-in a digest of its own.
    bytes.extend_from_slice(name.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(64 << 10), 0);
    bytes
}

/// The least that is an ISO 9660 volume with an El Torito boot record: descriptors and nothing else.
pub fn iso() -> Vec<u8> {
    let mut bytes = vec![0; 64 * 2048];
    let mut descriptor = |sector: usize, kind: u8| {
        bytes[sector * 2048] = kind;
        bytes[sector * 2048 + 1..sector * 2048 + 6].copy_from_slice(b"CD001");
        bytes[sector * 2048 + 6] = 1;
    };
    descriptor(16, 1);
    descriptor(17, 0);
    descriptor(18, 255);
    let primary = 16 * 2048;
    bytes[primary + 8..primary + 40].fill(b' ');
    bytes[primary + 40..primary + 72].copy_from_slice(&format!("{:<32}", "INSTALL").into_bytes()[..]);
    bytes[primary + 80..primary + 84].copy_from_slice(&64u32.to_le_bytes());
    bytes[primary + 84..primary + 88].copy_from_slice(&64u32.to_be_bytes());
    bytes[primary + 120..primary + 124].copy_from_slice(&[1, 0, 0, 1]);
    bytes[primary + 124..primary + 128].copy_from_slice(&[1, 0, 0, 1]);
    bytes[primary + 128..primary + 132].copy_from_slice(&[0, 8, 8, 0]);
    // The root directory's record; its extent lies within the volume and is empty.
    bytes[primary + 156] = 34;
    bytes[primary + 158..primary + 162].copy_from_slice(&20u32.to_le_bytes());
    bytes[primary + 162..primary + 166].copy_from_slice(&20u32.to_be_bytes());
    bytes[primary + 166..primary + 170].copy_from_slice(&2048u32.to_le_bytes());
    bytes[primary + 170..primary + 174].copy_from_slice(&2048u32.to_be_bytes());
    let boot = 17 * 2048;
    bytes[boot + 7..boot + 30].copy_from_slice(b"EL TORITO SPECIFICATION");
    bytes[boot + 71..boot + 75].copy_from_slice(&19u32.to_le_bytes());
    bytes
}

/// Copies the shipped recipes into a directory of their own, as a user who cloned the project has them.
pub fn recipes(directory: &Path) -> PathBuf {
    let to = directory.join("recipes");
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes"), &to);
    to
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            std::fs::write(&target, std::fs::read(&path).unwrap()).unwrap();
        }
    }
}
