//! A container image by its registry's reference: asked for, pinned, fetched, packed, carried, and built again without it.

use std::path::PathBuf;

use crate::base::Digest;

use crate::tests::support::registry::{Image, REPOSITORY, Registry, TOKEN, digest, index};
use crate::tests::support::{Bin, Output, workdir};

/// A registry with an image, and a recipe that names it.
struct World {
    dir: tempfile::TempDir,
    registry: Registry,
    image: Image,
}

fn image() -> Image {
    Image::new(&[("hello", b"#!/bin/sh\necho hello\n"), ("data", &[7; 70_000])])
}

impl World {
    fn new(registry: Registry) -> Self {
        let dir = workdir();
        std::fs::write(dir.path().join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
        let image = image();
        registry.push("1", &image);
        let world = Self { dir, registry, image };
        world.recipe("web", &world.registry.tagged("1"), "");
        world
    }

    fn recipe(&self, name: &str, reference: &str, machine: &str) {
        let base = Digest::of(include_bytes!("../../recipes/demo/guest.qcow2"));
        let text = format!(
            "format = 1\nname = \"{name}\"\n[base]\nurl = \"guest.qcow2\"\nsha256 = \"{base}\"\n{machine}[[provision.container]]\nname = \"web\"\nimage = \"{reference}\"\nports = [\"80:80\"]\n"
        );
        std::fs::write(self.dir.path().join(format!("{name}.toml")), text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Output {
        Bin::new(self.dir.path()).args(words).run()
    }

    fn built(&self) -> PathBuf {
        self.run(&["update", "web.toml"]).success();
        PathBuf::from(self.run(&["--no-link", "web.toml"]).success().line())
    }

    fn lock(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("arca.lock")).unwrap()
    }
}

/// Reads a member of a tar of plain files.
fn member(tar: &[u8], path: &str) -> Vec<u8> {
    let mut rest = tar;
    while rest.len() > 512 && rest[0] != 0 {
        let name = std::str::from_utf8(&rest[..100]).unwrap().trim_end_matches('\0');
        let octal = std::str::from_utf8(&rest[124..135]).unwrap().trim();
        let size = usize::from_str_radix(octal.trim_matches('\0'), 8).unwrap();
        if name == path {
            return rest[512..512 + size].to_vec();
        }
        rest = &rest[512 + size.div_ceil(512) * 512..];
    }
    panic!("no {path}")
}

fn archive(bundle: &std::path::Path) -> Vec<u8> {
    member(&std::fs::read(bundle.join("payload.raw")).unwrap(), "containers/web.tar")
}

#[test]
fn a_tag_is_pinned_with_all_it_consists_of_and_travels_as_one_archive() {
    let world = World::new(Registry::guarded());
    let bundle = world.built();
    let (lock, image) = (world.lock(), &world.image);
    let digests: Vec<_> = image.blobs().map(|blob| Digest::of(blob).to_string()).collect();
    assert!(lock.contains(&format!("sha256 = \"{}\"", Digest::of(image.manifest.as_bytes()))), "{lock}");
    assert!(digests.iter().all(|digest| lock.contains(digest)) && !lock.contains(TOKEN), "{lock}");
    let archive = archive(&bundle);
    for bytes in image.blobs().chain([&image.manifest.clone().into_bytes()]) {
        assert_eq!(member(&archive, &format!("blobs/sha256/{}", Digest::of(bytes))), *bytes);
    }
    let index = String::from_utf8(member(&archive, "index.json")).unwrap();
    let name = format!(r#""org.opencontainers.image.ref.name":"{}""#, world.registry.tagged("1"));
    assert!(index.contains(&name) && index.contains(&digest(image.manifest.as_bytes())), "{index}");
    assert_eq!(member(&archive, "oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let requests = world.registry.server.requests();
    let scope = format!("scope=repository%3A{}%3Apull", REPOSITORY.replace('/', "%2F"));
    let tokens: Vec<_> = requests.iter().filter(|one| one.target.starts_with("/token")).collect();
    assert!(
        tokens.len() == 2 && tokens.iter().all(|one| one.target.ends_with(&scope)),
        "one for each process: {tokens:?}"
    );
    assert!(tokens.iter().all(|one| !one.headers.contains_key("authorization")), "{tokens:?}");
}

#[test]
fn the_same_image_is_packed_to_the_same_archive_wherever_and_whenever() {
    let (one, other) = (World::new(Registry::guarded()), World::new(Registry::start()));
    let (first, second) = (one.built(), other.built());
    let name = |world: &World| world.registry.tagged("1");
    assert_eq!(name(&one).len(), name(&other).len(), "ports of one length, or the archives differ in size");
    let plain =
        |bundle: &PathBuf, world: &World| String::from_utf8_lossy(&archive(bundle)).replace(&name(world), "NAME");
    assert!(plain(&first, &one) == plain(&second, &other));
    let again = one.run(&["build", "--check", "web.toml"]);
    again.success();
}

#[test]
fn an_image_that_moved_is_found_by_update_alone() {
    let world = World::new(Registry::start());
    let before = archive(&world.built());
    let moved = Image::new(&[("hello", b"another")]);
    world.registry.push("1", &moved);
    assert!(archive(&PathBuf::from(world.run(&["--no-link", "web.toml"]).success().line())) == before);
    let told = world.run(&["update", "--locked", "web.toml"]);
    assert!(told.code == 1 || told.code == 2, "{told:?}");
    assert!(told.stderr.contains("E_LOCKED") && told.stderr.contains("blobs: 3 → 2"), "{}", told.stderr);
    let told = world.run(&["update", "web.toml"]).success();
    assert!(told.stderr.contains("blobs") && told.stderr.contains("do not sign tags"), "{}", told.stderr);
    assert!(archive(&PathBuf::from(world.run(&["--no-link", "web.toml"]).success().line())) != before);
}

#[test]
fn a_digest_names_an_index_or_an_image_and_the_machine_chooses() {
    let world = World::new(Registry::start());
    let arm = Image::of("arm64", &[("hello", b"arm")]);
    world.registry.push_image(&arm);
    let list = index(&[("linux/arm64", &arm), ("linux/amd64", &world.image)]);
    world.registry.tag("many", &list);
    world.recipe("web", &world.registry.digested(&list), "");
    world.recipe("arm", &world.registry.digested(&list), "[machine]\narch = \"aarch64\"\n");
    world.run(&["update", "web.toml", "arm.toml"]).success();
    let lock = world.lock();
    for image in [&arm, &world.image] {
        assert!(lock.contains(&format!("sha256 = \"{}\"", Digest::of(image.manifest.as_bytes()))), "{lock}");
    }
    let bundle = PathBuf::from(world.run(&["--no-link", "web.toml"]).success().line());
    let index = String::from_utf8(member(&archive(&bundle), "index.json")).unwrap();
    assert!(index.contains("localhost/web:latest"), "{index}");
}

#[test]
fn without_its_registry_an_image_is_rebuilt_exported_imported_and_mirrored() {
    let world = World::new(Registry::guarded());
    let built = archive(&world.built());
    world.run(&["export", "web.toml", "-o", "web.arca"]).success();
    world.run(&["mirror", "web.toml", "shelf"]).success();
    let authority = world.registry.server.authority();
    let lock = world.lock();
    let World { dir, registry, .. } = world;
    drop(registry);
    let offline = |dir: &std::path::Path, words: &[&str]| Bin::new(dir).arg("--offline").args(words).run();
    let again = PathBuf::from(offline(dir.path(), &["--no-link", "web.toml"]).success().line());
    assert!(archive(&again) == built);
    // Elsewhere, from the archive.
    let other = workdir();
    std::fs::copy(dir.path().join("web.arca"), other.path().join("web.arca")).unwrap();
    offline(other.path(), &["import", "web.arca", "--trust"]).success();
    let there = PathBuf::from(offline(other.path(), &["--no-link", "web/web.toml"]).success().line());
    assert!(archive(&there) == built);
    assert_eq!(std::fs::read_to_string(other.path().join("web/arca.lock")).unwrap(), lock);
    // And from the mirror, into a store that has nothing.
    let shelf = format!("{}/shelf/{}/", dir.path().display(), authority.replace(':', "+"));
    let rule = format!("[mirrors]\n\"http://{authority}/\" = \"{shelf}\"\n");
    std::fs::write(dir.path().join("mirrored.toml"), rule).unwrap();
    let words = ["--config", "mirrored.toml", "--cache", "empty", "--no-link", "web.toml"];
    let mirrored = PathBuf::from(offline(dir.path(), &words).success().line());
    assert!(archive(&mirrored) == built);
}

#[test]
fn a_store_that_holds_a_layer_fetches_it_for_no_second_image() {
    let world = World::new(Registry::start());
    world.built();
    let shared = Image::new(&[("hello", b"#!/bin/sh\necho hello\n"), ("more", b"more")]);
    world.registry.push("2", &shared);
    world.recipe("web", &world.registry.tagged("2"), "");
    world.built();
    let hits = |bytes: &[u8]| world.registry.server.hits(&Registry::blob_path(bytes));
    assert_eq!((hits(&shared.layers[0]), hits(&shared.layers[1])), (1, 1));
}

#[test]
fn update_tells_an_image_in_json_and_a_build_without_it_names_the_command() {
    let world = World::new(Registry::start());
    let told = world.run(&["web.toml", "--no-link"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(
        told.stderr.contains("E_UNPINNED") && told.stderr.contains("arca-build update web.toml"),
        "{}",
        told.stderr
    );
    let told = world.run(&["--json", "update", "web.toml"]).success();
    let json: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let image = &json["images"][0];
    assert_eq!(image["after"]["manifest"]["sha256"], Digest::of(world.image.manifest.as_bytes()).to_string());
    assert_eq!((image["after"]["blobs"].as_array().unwrap().len(), &image["before"]), (3, &serde_json::Value::Null));
}
