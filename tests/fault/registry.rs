//! Registries of container images that lie, at every place where one can: nothing wrong is pinned, nothing wrong is packed,
//! every failure has its code, and the same command succeeds once the lie is gone.

use std::path::PathBuf;

use crate::base::Digest;
use crate::format::oci::{INDEX_TYPES, MANIFEST_TYPES};

use crate::tests::support::registry::{
    Image, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, REPOSITORY, Registry, TOKEN, descriptor, digest, index,
};
use crate::tests::support::server::{Behaviour, Framing, HONEST, Server, Stop};
use crate::tests::support::{Bin, Output, workdir};

struct World {
    dir: tempfile::TempDir,
    registry: Registry,
    image: Image,
}

impl World {
    /// A registry with an honest image under `1`, and a recipe that names it so.
    fn new(registry: Registry) -> Self {
        let dir = workdir();
        std::fs::write(dir.path().join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
        let image = Image::new(&[("hello", b"hello"), ("noise", &noise(300_000))]);
        registry.push("1", &image);
        let world = Self { dir, registry, image };
        world.recipe(&world.registry.tagged("1"));
        world
    }

    fn open() -> Self {
        Self::new(Registry::start())
    }

    fn recipe(&self, reference: &str) {
        let base = Digest::of(include_bytes!("../../recipes/demo/guest.qcow2"));
        let text = format!(
            "format = 1\nname = \"web\"\n[base]\nurl = \"guest.qcow2\"\nsha256 = \"{base}\"\n[[provision.container]]\nname = \"web\"\nimage = \"{reference}\"\n"
        );
        std::fs::write(self.dir.path().join("web.toml"), text).unwrap();
    }

    fn update(&self) -> Output {
        Bin::new(self.dir.path()).args(["update", "web.toml"]).run()
    }

    fn build(&self) -> Output {
        Bin::new(self.dir.path()).args(["--no-link", "web.toml"]).run()
    }

    fn lock(&self) -> PathBuf {
        self.dir.path().join("arca.lock")
    }

    /// Returns the path of the first layer's blob with these behaviours put there.
    fn lie(&self, layer: usize, behaviours: &[Behaviour]) -> String {
        let bytes = &self.image.layers[layer];
        let path = Registry::blob_path(bytes);
        self.registry.put(&path, bytes.as_slice(), behaviours);
        path
    }
}

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    next.take(size).collect()
}

#[track_caller]
fn refused(told: &Output, code: &str, words: &str) {
    assert!(told.code != 0 && told.stderr.contains(code) && told.stderr.contains(words), "{words}: {told}");
    assert!(!told.stderr.contains("hunter2"), "{told}");
}

#[test]
fn net_20_no_lie_about_an_image_is_pinned() {
    let world = World::open();
    let (image, registry) = (&world.image, &world.registry);
    let arm = Image::of("arm64", &[("hello", b"hello")]);
    registry.push_image(&arm);
    let nested = index(&[("linux/amd64", image)]);
    registry.tag("nested", &nested);
    let entry = descriptor(OCI_MANIFEST, nested.as_bytes());
    let entry = entry.trim_end_matches('}').to_owned() + r#","platform":{"os":"linux","architecture":"amd64"}}"#;
    let manifest = |from: &str, to: &str| image.manifest.replace(from, to);
    let nesting = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{entry}]}}"#);
    let foreign = manifest("\"layers\":[{", "\"layers\":[{\"urls\":[\"http://169.254.169.254/x\"],");
    let endless = Behaviour { stop: Stop::Never, framing: Framing::Close, ..HONEST };
    let looping = Behaviour::redirect(Registry::manifest_path("1"));
    for (body, behaviour, code, words) in [
        (index(&[("linux/arm64", &arm)]), HONEST, "E_NET_PROTOCOL", "no image for linux/amd64; there are: linux/arm64"),
        (arm.manifest.clone(), HONEST, "E_NET_PROTOCOL", "the image is for linux/arm64"),
        (nesting, HONEST, "E_NET_PROTOCOL", "is an index again"),
        (foreign, HONEST, "E_NET_PROTOCOL", "layer 1 is a foreign one"),
        (manifest(OCI_CONFIG, "application/vnd.cncf.helm.config.v1+json"), HONEST, "E_NET_PROTOCOL", "helm"),
        (manifest(OCI_MANIFEST, "text/html"), HONEST, "E_NET_PROTOCOL", "`text/html` is none"),
        (manifest("\"layers\"", "\"manifests\":[],\"layers\""), HONEST, "E_NET_PROTOCOL", "at once"),
        (r#"{"schemaVersion":1,"fsLayers":[]}"#.into(), HONEST, "E_NET_PROTOCOL", "schema 1"),
        ("<html>\u{1b}[31mportal".into(), HONEST, "E_NET_PROTOCOL", "it is not a manifest"),
        (" ".repeat(5 << 20), HONEST, "E_NET_SIZE", "more than is allowed"),
        (String::new(), endless, "E_NET_SIZE", "more than is allowed"),
        (String::new(), looping, "E_NET_REDIRECT", "more than 10 hops"),
        (String::new(), Behaviour::redirect("file:///etc/passwd"), "E_NET_REDIRECT", "leaves http"),
        (String::new(), Behaviour::status("404 Not Found"), "E_NET_STATUS", "404"),
        (String::new(), Behaviour::status("403 Forbidden"), "E_NET_STATUS", "403"),
        (String::new(), Behaviour::status("401 Unauthorized"), "E_NET_STATUS", "a name and a password"),
    ] {
        registry.put(&Registry::manifest_path("1"), body, &[behaviour]);
        let told = world.update();
        refused(&told, code, words);
        assert!(!world.lock().exists() && !told.stderr.contains('\u{1b}'), "{told}");
    }
    registry.tag("1", &image.manifest);
    world.update().success();
    world.build().success();
    let accept = &registry.server.requests()[0].headers["accept"];
    assert!(MANIFEST_TYPES.iter().chain(&INDEX_TYPES).all(|one| accept.contains(one)), "{accept}");
}

#[test]
fn net_20_what_is_asked_for_by_digest_is_just_that() {
    let world = World::open();
    let (image, registry) = (&world.image, &world.registry);
    let other = Image::new(&[("other", b"other")]);
    registry.push_image(&other);
    // The recipe's own digest.
    world.recipe(&registry.digested(&image.manifest));
    registry.put(&Registry::manifest_path(&digest(image.manifest.as_bytes())), other.manifest.as_str(), &[]);
    refused(&world.update(), "E_HASH", "not what was asked for by its digest");
    // An index that leads to it.
    let list = index(&[("linux/amd64", image)]);
    registry.tag("1", &list);
    world.recipe(&registry.tagged("1"));
    refused(&world.update(), "E_HASH", "not what was asked for by its digest");
    registry.push("1", image);
    // The config, whose place another one takes.
    registry.put(&Registry::blob_path(&image.config), other.config.as_slice(), &[]);
    refused(&world.update(), "E_HASH", "config");
    assert!(!world.lock().exists());
    registry.push("1", image);
    world.update().success();
}

#[test]
fn net_20_a_layer_that_is_not_as_pinned_is_never_packed() {
    let world = World::open();
    world.update().success();
    let length = world.image.layers[1].len();
    let endless = Behaviour { stop: Stop::Never, framing: Framing::Close, ..HONEST };
    for (behaviour, code, words) in [
        (Behaviour::body(noise(length).into_iter().rev().collect::<Vec<_>>()), "E_HASH", "layer 2"),
        (Behaviour::body(vec![0; length + 1]), "E_NET_SIZE", "another size"),
        (endless, "E_NET_SIZE", "layer 2"),
        (Behaviour::status("404 Not Found"), "E_NET_STATUS", "update web.toml"),
        (Behaviour::redirect(Registry::blob_path(&world.image.layers[1])), "E_NET_REDIRECT", "10 hops"),
        (Behaviour::status("401 Unauthorized"), "E_NET_STATUS", "a name and a password"),
    ] {
        world.lie(1, &[behaviour]);
        refused(&world.build(), code, words);
    }
    world.lie(1, &[]);
    world.build().success();
}

#[test]
fn net_20_a_token_goes_to_its_registry_alone_and_a_second_refusal_ends_it() {
    let path = Registry::manifest_path("1");
    // Whatever token it gives, it refuses it.
    let looping = Registry::guarded_by("", "");
    let challenge = format!("Bearer realm=\"{}\",service=\"x\"", looping.server.url("/token"));
    let looping = World::new(Registry { guard: Some((challenge, "another".into())), ..looping });
    looping.registry.server.put("/token", format!(r#"{{"token":"{TOKEN}"}}"#), &[]);
    refused(&looping.update(), "E_NET_STATUS", "refuses the token it sent us for");
    assert_eq!((looping.registry.server.hits(&path), looping.registry.server.hits("/token")), (2, 1));
    for (challenge, answer, code, words) in [
        ("Bearer realm=\"ftp://h/token\"", "", "E_NET_REDIRECT", "a token service that is not allowed"),
        ("Bearer realm=\"http://u:p@127.0.0.1/\"", "", "E_NET_REDIRECT", "a token service that is not allowed"),
        ("Bearer realm=\"/v2/a/manifests/b\"", "", "E_NET_PROTOCOL", "no token service that can be asked"),
        ("Bearer service=\"x\"", "", "E_NET_PROTOCOL", "names no token service"),
        ("Bearer realm=\"/token", "", "E_NET_PROTOCOL", "challenge cannot be read"),
        ("Basic realm=\"x\"", "", "E_NET_STATUS", "a name and a password"),
        ("Bearer realm=\"/token\"", "hunter2", "E_NET_PROTOCOL", "answer cannot be read"),
        ("Bearer realm=\"/token\"", "{\"token\":\"hunter2\\n\"}", "E_NET_PROTOCOL", "holds no token"),
        ("Bearer realm=\"/none\"", "", "E_NET_STATUS", "404"),
    ] {
        let world = World::new(Registry::guarded_by(challenge, TOKEN));
        world.registry.server.put("/token", answer, &[]);
        refused(&world.update(), code, words);
    }
    let endless = World::new(Registry::guarded_by("Bearer realm=\"/token\"", TOKEN));
    let behaviour = Behaviour { stop: Stop::Never, framing: Framing::Close, ..HONEST };
    endless.registry.server.put("/token", "", &[behaviour]);
    refused(&endless.update(), "E_NET_SIZE", "a token of the registry");
}

#[test]
fn net_20_a_blob_comes_from_where_its_registry_says_without_the_token() {
    let world = World::new(Registry::guarded());
    world.update().success();
    let elsewhere = Server::start();
    elsewhere.put("/cdn/blob", world.image.layers[1].as_slice(), &[]);
    world.lie(1, &[Behaviour::redirect(elsewhere.url("/cdn/blob?signature=x"))]);
    world.build().success();
    let asked = elsewhere.requests();
    assert!(asked.len() == 1 && !asked[0].headers.contains_key("authorization"), "{asked:?}");
    let config = Registry::blob_path(&world.image.config);
    let mut shown = world.registry.server.requests().into_iter().filter(|one| one.target == config);
    assert!(shown.next_back().unwrap().headers["authorization"] == format!("Bearer {TOKEN}"));
}

#[test]
fn net_20_a_layer_that_breaks_off_is_resumed_with_a_token_that_holds() {
    let world = World::new(Registry::guarded());
    world.update().success();
    let path = world.lie(1, &[Behaviour::stopping(Stop::CloseAfter(100_000)), HONEST]);
    world.build().success();
    let ranges: Vec<_> = world.registry.server.requests().into_iter().filter(|one| one.target == path).collect();
    let resumed: Vec<_> = ranges.iter().filter_map(|one| one.headers.get("range")).collect();
    assert!(!resumed.is_empty() && resumed.iter().all(|range| *range != "bytes=0-"), "{ranges:?}");
}

#[test]
fn a_lock_that_lists_other_blobs_than_the_manifest_is_refused() {
    let world = World::open();
    world.update().success();
    let lock = std::fs::read_to_string(world.lock()).unwrap();
    let line = format!("    \"{} {}\",\n", Digest::of(&world.image.layers[0]), world.image.layers[0].len());
    assert!(lock.contains(&line), "{lock}");
    std::fs::write(world.lock(), lock.replace(&line, "")).unwrap();
    refused(&world.build(), "E_RECIPE", "the lock lists other blobs");
    world.update().success();
    world.build().success();
    assert!(REPOSITORY.contains('/'), "a name of two parts is asked for whole");
}
