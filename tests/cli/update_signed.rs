//! `update` with a keyring: every outcome of a signature has its code, and nothing that was signed is lost silently.

use crate::tests::support::gpg::{Gpg, THEN};
use crate::tests::support::publisher::{Publisher, image, recipes};
use crate::tests::support::{Bin, Output, tls, workdir};

const RECIPE: &str = "recipes/nas.toml";

/// A user with the shipped recipes, a publisher, and the publisher's key in `trusted.asc`.
struct World {
    dir: tempfile::TempDir,
    publisher: Publisher,
    gpg: Gpg,
    key: String,
}

impl World {
    fn new() -> Option<Self> {
        let gpg = Gpg::new()?;
        let dir = workdir();
        let key = gpg.key("Stand-in Publisher <p@example.org>", "ed25519", 0);
        std::fs::write(dir.path().join("trusted.asc"), gpg.export(&[&key])).unwrap();
        let publisher = Publisher::start(dir.path());
        let recipe = recipes(dir.path()).join("nas.toml");
        // Behind the stand-in comes the publisher itself, which no test reaches; without https it is not even tried.
        for file in [&recipe, &publisher.config] {
            let text = std::fs::read_to_string(file).unwrap();
            std::fs::write(file, text.replace("https://download.opensuse.org/", "http://download.opensuse.org/"))
                .unwrap();
        }
        Some(Self { dir, publisher, gpg, key })
    }

    fn run(&self, words: &[&str]) -> Output {
        Bin::new(self.dir.path()).arg("--config").arg(&self.publisher.config).args(words).run()
    }

    /// Updates with the keyring and these words besides.
    fn update(&self, words: &[&str]) -> Output {
        self.run(&[&["update", "--keyring", "trusted.asc", RECIPE], words].concat())
    }

    /// Publishes a snapshot whose checksums the key signed at this time.
    fn publish(&self, snapshot: &str, at: u64) -> String {
        let (path, text) = self.publisher.publish("nas", snapshot, image(snapshot));
        self.sign(&path, &self.gpg.sign(at, &self.key, &[], &text));
        text
    }

    fn sign(&self, path: &str, signature: &[u8]) {
        self.publisher.server.put(&format!("{path}.asc"), signature, &[]);
    }

    fn lock(&self) -> Option<String> {
        std::fs::read_to_string(self.dir.path().join("recipes/arca.lock")).ok()
    }
}

#[test]
fn what_a_trusted_key_signed_is_pinned_with_its_name() {
    let Some(world) = World::new() else { return };
    world.publish("Snapshot20261120", THEN);
    let updated = world.update(&["--json"]).success().json();
    assert_eq!(updated["pins"][0]["voucher"], "signed");
    assert_eq!(updated["notes"].as_array().map(Vec::len), Some(0));
    let lock = world.lock().unwrap();
    assert!(lock.contains(&format!("signer = \"{} Stand-in Publisher <p@example.org>\"", world.key)), "{lock}");
    for fact in ["virtual_size = \"20GiB\"", "flavour = \"ContainerHost-kvm-and-xen\"", "snapshot = \"20261120\""] {
        assert!(lock.contains(fact), "{fact}\n{lock}");
    }
    world.run(&["check", RECIPE]).success();
    // Without the keyring the same bytes keep who vouched for them.
    world.run(&["update", RECIPE]).success().says("unchanged");
    assert_eq!(world.lock().unwrap(), lock);
}

#[test]
fn sig_2_every_outcome_of_a_signature_has_its_code_and_pins_nothing() {
    let Some(world) = World::new() else { return };
    let (gpg, key) = (&world.gpg, world.key.as_str());
    let stranger = gpg.key("stranger", "ed25519", 0);
    let expired = gpg.key("expired", "ed25519", 2);
    let revoked = gpg.key("revoked", "ed25519", 0);
    let weak = gpg.key("weak", "rsa2048", 0);
    let (path, text) = world.publisher.publish("nas", "Snapshot20261120", image("a"));
    let by = |who: &str| gpg.sign(THEN, who, &[], &text);
    let (by_revoked, by_weak) = (by(&revoked), gpg.sign(THEN, &weak, &["--digest-algo", "SHA1"], &text));
    gpg.revoke(&revoked);
    let trusted = gpg.export(&[key, &expired, &revoked, &weak]);
    std::fs::write(world.dir.path().join("trusted.asc"), trusted).unwrap();

    let refused = |code: &str| {
        let refused = world.update(&[]).ends_with(3).says(&format!("error[{code}]"));
        assert!(world.lock().is_none(), "{refused}");
    };
    refused("E_SIG_MISSING");
    for (signature, code) in [
        (gpg.sign(THEN, key, &[], "other text\n"), "E_SIG_BAD"),
        (b"no signature".to_vec(), "E_SIG_MISSING"),
        (by(&stranger), "E_SIG_KEY"),
        (by(&expired), "E_SIG_EXPIRED"),
        (by_revoked, "E_SIG_REVOKED"),
        (by_weak, "E_SIG_WEAK"),
        (gpg.clearsign(THEN, key, &text).into_bytes(), "E_SIG_SCOPE"),
    ] {
        world.sign(&path, &signature);
        refused(code);
        // To do without a signature is not to take a wrong one.
        if code != "E_SIG_MISSING" {
            world.update(&["--allow-unsigned"]).ends_with(3).says(code);
        }
    }
    // The same, signed within: text outside of what is signed is not passed over.
    let document = gpg.clearsign(THEN, key, &text);
    for odd in [format!("{text}{document}"), format!("{document}{text}")] {
        world.publisher.server.put(&path, odd, &[]);
        refused("E_SIG_SCOPE");
    }
    world.publisher.server.put(&path, document, &[]);
    world.update(&[]).success();
}

#[test]
fn sig_2_a_right_signature_over_another_file_is_told() {
    let Some(world) = World::new() else { return };
    let (path, _) = world.publisher.publish("nas", "Snapshot20261120", image("a"));
    let other = format!("{}  openSUSE-Other.x86_64-Snapshot20261120.qcow2\n", "0".repeat(64));
    world.publisher.server.put(&path, other.clone(), &[]);
    world.sign(&path, &world.gpg.sign(THEN, &world.key, &[], &other));
    world.update(&[]).ends_with(3).says("error[E_SIG_OTHER_FILE]").says("openSUSE-Other").says(&world.key);
    assert!(world.lock().is_none());
}

#[test]
fn sig_4_an_older_snapshot_is_refused_though_it_is_signed() {
    let Some(world) = World::new() else { return };
    world.publish("Snapshot20261120", THEN);
    world.update(&[]).success();
    let old = world.lock();
    world.publish("Snapshot20261121", THEN + 86_400);
    world.update(&[]).success().says("- 20261120").says("+ 20261121");
    world.publish("Snapshot20261120", THEN + 90_000);
    let newer = world.lock();
    world.update(&[]).ends_with(3).says("error[E_SIG_OLDER]").says("snapshot 20261121").says("--allow-older");
    assert_eq!(world.lock(), newer);

    // Nor where the lock does not know: it was seen under this address.
    std::fs::remove_file(world.dir.path().join("recipes/arca.lock")).unwrap();
    world.update(&[]).ends_with(3).says("error[E_SIG_OLDER]").says("seen:");
    // A record that is damaged or lost forbids nothing.
    let seen = world.dir.path().join("cache/seen-v1");
    let record = std::fs::read_dir(&seen).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read(&record).unwrap();
    for damage in [&b"\xff"[..], &text[..text.len() / 2]] {
        std::fs::write(&record, damage).unwrap();
        world.update(&["--dry-run"]).success();
    }
    std::fs::write(&record, text).unwrap();
    world.update(&["--dry-run"]).ends_with(3);
    std::fs::remove_dir_all(&seen).unwrap();
    world.update(&["--dry-run"]).success();

    std::fs::write(world.dir.path().join("recipes/arca.lock"), newer.unwrap()).unwrap();
    world.update(&["--allow-older"]).success();
    assert_eq!(world.lock(), old, "the older pin is whole again");
    world.update(&[]).success().says("unchanged");
}

#[test]
fn sig_4_other_bytes_of_the_same_snapshot_under_an_older_signature_are_refused() {
    let Some(world) = World::new() else { return };
    let publish = |content: &str, at: u64| {
        let (path, text) = world.publisher.publish("nas", "Snapshot20261120", image(content));
        world.sign(&path, &world.gpg.sign(at, &world.key, &[], &text));
    };
    publish("rebuilt", THEN + 86_400);
    world.update(&[]).success();
    publish("first", THEN);
    world.update(&[]).ends_with(3).says("error[E_SIG_OLDER]").says("signed at");
    publish("third", THEN + 90_000);
    world.update(&[]).success();
}

#[test]
fn sig_4_a_signer_is_never_lost_silently() {
    let Some(world) = World::new() else { return };
    world.publish("Snapshot20261120", THEN);
    world.update(&[]).success();
    let lock = world.lock();

    let (path, text) = world.publisher.publish("nas", "Snapshot20261121", image("b"));
    let asc = format!("{path}.asc");
    world.publisher.server.put(&asc, "", &[crate::tests::support::server::Behaviour::status("404 Not Found")]);
    world.update(&[]).ends_with(3).says("error[E_SIG_MISSING]").says("--allow-unsigned");
    world.update(&["--allow-unsigned"]).ends_with(3).says("error[E_SIG_MISSING]").says("--allow-new-signer");
    world.run(&["update", RECIPE]).ends_with(3).says("error[E_SIG_MISSING]").says("give the keyring");

    let second = world.gpg.key("Second <s@example.org>", "ed25519", 0);
    world.sign(&path, &world.gpg.sign(THEN, &second, &[], &text));
    std::fs::write(world.dir.path().join("trusted.asc"), world.gpg.export(&[])).unwrap();
    world.update(&[]).ends_with(3).says("error[E_SIG_KEY]").says(&world.key).says(&second);
    assert_eq!(world.lock(), lock);
    world.update(&["--allow-new-signer"]).success().says(&format!("+ {second} Second"));
}

#[test]
fn sig_6_keys_come_from_the_configuration_and_never_from_beside_the_data() {
    let Some(world) = World::new() else { return };
    let stranger = world.gpg.key("stranger", "ed25519", 0);
    let (path, text) = world.publisher.publish("nas", "Snapshot20261120", image("a"));
    world.sign(&path, &world.gpg.sign(THEN, &stranger, &[], &text));
    let key = world.gpg.export(&[&stranger]);
    for beside in [".asc.key", ".key", ".pub"] {
        world.publisher.server.put(&format!("{path}{beside}"), key.clone(), &[]);
    }
    let config = std::fs::read_to_string(&world.publisher.config).unwrap();
    // Beside the configuration, wherever we stand.
    let elsewhere = world.dir.path().join("etc");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(world.dir.path().join("trusted.asc"), elsewhere.join("trusted.asc")).unwrap();
    let named = elsewhere.join("config.toml");
    std::fs::write(&named, format!("keyring = \"trusted.asc\"\n{config}")).unwrap();
    let update = || Bin::new(world.dir.path()).arg("--config").arg(&named).args(["update", RECIPE]).run();
    update().ends_with(3).says("error[E_SIG_KEY]");
    assert!(world.lock().is_none());
    world.publish("Snapshot20261120", THEN);
    update().success();
    std::fs::remove_file(elsewhere.join("trusted.asc")).unwrap();
    update().ends_with(2).says("there is no keyring").says("`gpg --armor --export FINGERPRINT >").says("/trusted.asc`");
    std::fs::write(&named, format!("keyring = [\"a.asc\", \"b.asc\"]\n{config}")).unwrap();
    update().ends_with(2).says("a.asc").says("b.asc");
}

#[test]
fn checksum_lists_of_other_publishers_are_read_with_their_signatures() {
    let Some(world) = World::new() else { return };
    let server = &world.publisher.server;
    let config = std::fs::read_to_string(&world.publisher.config).unwrap();
    let rule = format!("\"https://images.example.org/\" = \"{}\"\n", server.url("/other/"));
    std::fs::write(&world.publisher.config, config + &rule).unwrap();
    let write = |name: &str, url: &str| {
        let text = format!("format = 1\nname = \"{name}\"\n[base]\nurl = \"https://images.example.org/{url}\"\n");
        std::fs::write(world.dir.path().join(format!("{name}.toml")), text).unwrap();
    };
    let digest = |bytes: &[u8]| crate::base::Digest::of(bytes);
    for (name, list, ending) in [("ubuntu", "SHA256SUMS", ".gpg"), ("debian", "SHA256SUMS", ".sign")] {
        let (bytes, file) = (image(name), format!("{name}-cloudimg-amd64.qcow2"));
        let text = format!("{} *other.qcow2\n{} *{file}\n", digest(b""), digest(&bytes));
        server.put(&format!("/other/{name}/{file}"), bytes, &[]);
        server.put(&format!("/other/{name}/{list}"), text.clone(), &[]);
        server.put(&format!("/other/{name}/{list}{ending}"), world.gpg.sign(THEN, &world.key, &[], &text), &[]);
        write(name, &format!("{name}/{file}"));
    }
    let (bytes, file) = (image("fedora"), "Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2");
    let text = format!("# {file}: {} bytes\nSHA256 ({file}) = {}\n", bytes.len(), digest(&bytes));
    server.put(&format!("/other/fedora/{file}"), bytes, &[]);
    server.put("/other/fedora/CHECKSUM", world.gpg.clearsign(THEN, &world.key, &text), &[]);
    write("fedora", &format!("fedora/{file}"));

    let all = ["ubuntu.toml", "debian.toml", "fedora.toml"];
    let updated = world.run(&[&["update", "--json", "--keyring", "trusted.asc"], &all[..]].concat()).success().json();
    for pin in updated["pins"].as_array().unwrap() {
        assert_eq!(pin["voucher"], "signed", "{pin:#}");
        assert_eq!(pin["after"]["virtual_size"], 20_u64 << 30, "{pin:#}");
    }
    std::fs::remove_file(world.dir.path().join("arca.lock")).unwrap();
    let unchecked = world.run(&[&["update"], &all[..]].concat()).success();
    assert!(unchecked.stderr.contains("images.example.org signs its checksums"), "{unchecked}");
    world.run(&all).success();
}

#[test]
fn a_mirror_whose_signature_is_bad_is_told_and_the_publisher_serves() {
    let Some(world) = World::new() else { return };
    let text = world.publish("Snapshot20261120", THEN);
    let stick = world.dir.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let moving = "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2.sha256";
    let forged = text.replace(&text[..64], &"0".repeat(64));
    std::fs::write(stick.join(moving), &forged).unwrap();
    std::fs::write(stick.join(format!("{moving}.asc")), world.gpg.sign(THEN, &world.key, &[], &text)).unwrap();
    let config = std::fs::read_to_string(&world.publisher.config).unwrap();
    let rule = format!("\"http://download.opensuse.org/tumbleweed/appliances/\" = {stick:?}\n");
    std::fs::write(&world.publisher.config, config + &rule).unwrap();
    let updated = world.update(&[]).success().says("the next address serves");
    assert!(!world.lock().unwrap().contains(&forged[..64]), "{updated}");
    assert!(world.lock().unwrap().contains(&text[..64]));
}

#[test]
fn nothing_of_an_unsigned_file_is_kept_where_signatures_are_demanded() {
    let Some(world) = World::new() else { return };
    let (server, site) = (&world.publisher.server, tls::nothing());
    let config = std::fs::read_to_string(&world.publisher.config).unwrap();
    let rule = format!("\"{site}\" = \"{}\"\n", server.url("/other/"));
    std::fs::write(&world.publisher.config, config.clone() + &rule).unwrap();
    server.put("/other/plain.qcow2", image("plain"), &[]);
    let text = format!("format = 1\nname = \"plain\"\n[base]\nurl = \"{site}plain.qcow2\"\n");
    std::fs::write(world.dir.path().join("plain.toml"), text).unwrap();
    let update = |words: &[&str]| {
        let bin = Bin::new(world.dir.path()).env("SSL_CERT_FILE", tls::fixture("authority.pem"));
        bin.arg("--config")
            .arg(&world.publisher.config)
            .args(["update", "plain.toml", "--keyring", "trusted.asc"])
            .args(words)
            .run()
    };
    update(&[])
        .ends_with(3)
        .says("error[E_SIG_MISSING]")
        .says("--allow-unsigned")
        .says(&format!("unsigned = [\"{site}\"]"));
    assert!(!world.dir.path().join("cache").exists() && world.lock().is_none());
    std::fs::write(&world.publisher.config, format!("unsigned = [\"{site}\"]\n{config}{rule}")).unwrap();
    update(&[]).success().says("pinned as it comes").says("publishes no checksum");
}
