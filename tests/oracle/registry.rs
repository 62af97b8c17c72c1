//! Container images before other people's programs: the archive that we pack is one to skopeo and podman, and what we pull
//! is what the crate `oci-client` pulls, which is shown here to lack the bounds that we need.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::Digest;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::tests::support::registry::{Image, OCI_MANIFEST, Registry, digest};
use crate::tests::support::server::{HONEST, Stop};
use crate::tests::support::{Bin, output, tool, workdir};

fn image(docker: bool) -> Image {
    let files: [(&str, &[u8]); 2] = [("hello", b"#!/bin/sh\necho hello\n"), ("etc/data", &[7; 70_000])];
    if docker { Image::docker(&files) } else { Image::new(&files) }
}

/// Builds a recipe with the image and returns the archive that its payload carries.
fn packed(dir: &Path, registry: &Registry, reference: &str) -> PathBuf {
    std::fs::write(dir.join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
    let base = Digest::of(include_bytes!("../../recipes/demo/guest.qcow2"));
    let text = format!(
        "format = 1\nname = \"web\"\n[base]\nurl = \"guest.qcow2\"\nsha256 = \"{base}\"\n[[provision.container]]\nname = \"web\"\nimage = \"{reference}\"\n"
    );
    std::fs::write(dir.join("web.toml"), text).unwrap();
    assert!(registry.server.requests().is_empty());
    Bin::new(dir).args(["update", "web.toml"]).run().success();
    let bundle = PathBuf::from(Bin::new(dir).args(["--no-link", "web.toml"]).run().success().line());
    // As the guest does it.
    let mut tar = Command::new(tool("tar").unwrap());
    output(tar.arg("-xf").arg(bundle.join("payload.raw")).arg("-C").arg(dir).arg("containers/web.tar")).success();
    dir.join("containers/web.tar")
}

#[test]
fn skopeo_reads_the_archive_and_finds_every_blob_right() {
    let Some(skopeo) = tool("skopeo") else { return };
    for docker in [false, true] {
        let (dir, registry, image) = (workdir(), Registry::guarded(), image(docker));
        registry.push("1", &image);
        let archive = packed(dir.path(), &registry, &registry.tagged("1"));
        let named = format!("oci-archive:{}", archive.display());
        let told = output(Command::new(&skopeo).args(["inspect", "--raw", &named])).success();
        assert_eq!(told.stdout, image.manifest, "docker: {docker}");
        let whole = output(Command::new(&skopeo).args(["inspect", &named])).success();
        let told: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
        assert_eq!(told["Digest"], digest(image.manifest.as_bytes()));
        let layers: Vec<_> = image.layers.iter().map(|layer| serde_json::Value::from(digest(layer))).collect();
        assert_eq!(told["Layers"].as_array().unwrap(), &layers);
        // A copy reads every blob and compares it with its digest.
        let copy = dir.path().join("copy");
        let mut command = Command::new(&skopeo);
        command.args(["copy", "--insecure-policy", &named]).arg(format!("dir:{}", copy.display()));
        output(&mut command).success();
        for layer in &image.layers {
            assert_eq!(std::fs::read(copy.join(Digest::of(layer).to_string())).unwrap(), *layer);
        }
    }
}

/// Loads an archive into a storage of its own and returns what podman calls it.
fn loaded(podman: &Path, place: &Path, archive: &Path) -> String {
    std::fs::write(place.join("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(podman);
        command.env("HOME", place).env("XDG_RUNTIME_DIR", place).current_dir(place);
        command.args(["--storage-driver", "vfs", "--root"]).arg(place.join("root"));
        output(command.arg("--runroot").arg(place.join("run")).args(words)).success()
    };
    // Hidden, for tests: the machine need not have a policy.
    let policy = format!("--signature-policy={}", place.join("policy.json").display());
    run(&["load", &policy, "--input", &archive.display().to_string()]);
    run(&["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"]).stdout.trim().to_owned()
}

#[test]
fn podman_loads_the_archive_under_the_name_that_the_quadlet_runs() {
    let Some(podman) = tool("podman") else { return };
    for (docker, by_digest) in [(false, false), (false, true), (true, false)] {
        let (dir, registry, image) = (workdir(), Registry::start(), image(docker));
        registry.push("1", &image);
        let tagged = registry.tagged("1");
        let (reference, name) = match by_digest {
            true => (registry.digested(&image.manifest), "localhost/web:latest"),
            false => (tagged.clone(), tagged.as_str()),
        };
        let archive = packed(dir.path(), &registry, &reference);
        let told = loaded(&podman, dir.path(), &archive);
        assert_eq!(told, format!("{name} {}", digest(image.manifest.as_bytes())), "docker: {docker}");
    }
}

#[test]
fn podman_compares_every_blob_with_the_manifest_that_the_unit_compared() {
    let Some(podman) = tool("podman") else { return };
    let (dir, registry, image) = (workdir(), Registry::start(), image(false));
    registry.push("1", &image);
    let archive = packed(dir.path(), &registry, &registry.tagged("1"));
    let mut bytes = std::fs::read(&archive).unwrap();
    let layer = &image.layers[1];
    let at = bytes.windows(layer.len()).position(|window| window == layer).unwrap();
    bytes[at + layer.len() / 2] ^= 1;
    std::fs::remove_file(&archive).unwrap();
    std::fs::write(&archive, bytes).unwrap();
    let policy = dir.path().join("policy.json");
    std::fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let mut command = Command::new(&podman);
    command.env("HOME", dir.path()).env("XDG_RUNTIME_DIR", dir.path());
    command.args(["--storage-driver", "vfs", "--root"]).arg(dir.path().join("root"));
    command.arg("--runroot").arg(dir.path().join("run")).arg("load");
    command.arg(format!("--signature-policy={}", policy.display())).arg("--input").arg(&archive);
    let told = output(&mut command);
    assert!(told.code != 0, "{told}");
}

/// Runs the other client.
fn with_oci_client<T>(what: impl AsyncFnOnce(Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    // It reads CA files even for http.
    let client = Client::try_from(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() }).unwrap();
    runtime.block_on(what(client))
}

#[test]
fn oci_client_pulls_what_we_pull() {
    let (dir, registry, image) = (workdir(), Registry::guarded(), image(false));
    registry.push("1", &image);
    packed(dir.path(), &registry, &registry.tagged("1"));
    let lock = std::fs::read_to_string(dir.path().join("arca.lock")).unwrap();
    let reference: Reference = registry.tagged("1").parse().unwrap();
    let (manifest, blobs) = with_oci_client(async |client| {
        let types = [OCI_MANIFEST];
        let pulled = client.pull_manifest_raw(&reference, &RegistryAuth::Anonymous, &types).await.unwrap();
        let mut blobs = vec![];
        for blob in image.blobs() {
            let descriptor = OciDescriptor { digest: digest(blob), ..OciDescriptor::default() };
            let mut bytes = vec![];
            client.pull_blob(&reference, &descriptor, &mut bytes).await.unwrap();
            blobs.push(bytes);
        }
        (pulled, blobs)
    });
    assert!(lock.contains(&format!("sha256 = \"{}\"", Digest::of(&manifest.0))), "{lock}");
    assert!(blobs.iter().all(|blob| lock.contains(&format!("\"{} {}\"", Digest::of(blob), blob.len()))), "{lock}");
}

/// Why the crate is a judge here and not what we pull with.
#[test]
fn net_20_oci_client_takes_a_manifest_of_any_length_into_memory_and_we_do_not() {
    const LENGTH: usize = 48 << 20;
    let (dir, registry) = (workdir(), Registry::start());
    let endless = arca_behaviour();
    registry.put(&Registry::manifest_path("1"), vec![b' '; LENGTH], &[HONEST]);
    let reference: Reference = registry.tagged("1").parse().unwrap();
    let theirs = with_oci_client(async |client| {
        client.pull_manifest_raw(&reference, &RegistryAuth::Anonymous, &[OCI_MANIFEST]).await.unwrap().0.len()
    });
    assert_eq!(theirs, LENGTH);
    registry.put(&Registry::manifest_path("1"), vec![b' '; 1 << 20], &[endless]);
    let before = registry.server.sent();
    let base = Digest::of(b"");
    let recipe = format!(
        "format = 1\nname = \"web\"\n[base]\nurl = \"https://h/x.qcow2\"\nsha256 = \"{base}\"\n[[provision.container]]\nname = \"web\"\nimage = \"{}\"\n",
        registry.tagged("1")
    );
    std::fs::write(dir.path().join("web.toml"), recipe).unwrap();
    let told = Bin::new(dir.path()).args(["update", "web.toml"]).run();
    assert!(told.stderr.contains("E_NET_SIZE"), "{told}");
    let ours = registry.server.sent() - before;
    assert!(ours < LENGTH / 2, "{ours} bytes were sent before we went away");
}

/// A body that never ends, as far as its head says.
fn arca_behaviour() -> crate::tests::support::server::Behaviour {
    let framing = crate::tests::support::server::Framing::Close;
    crate::tests::support::server::Behaviour { stop: Stop::Never, framing, ..HONEST }
}
