//! Documents that registries serve, honest and otherwise.

use super::layout;
use super::*;

fn descriptor(media_type: &str, content: &str, more: &str) -> String {
    let digest = Digest::of(content.as_bytes());
    format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{digest}","size":{}{more}}}"#, content.len())
}

fn image_of(config: &str, layers: &[String]) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{}]}}"#,
        MANIFEST_TYPES[0],
        layers.join(",")
    )
}

fn config() -> String {
    descriptor(CONFIG_TYPES[0], "config", "")
}

fn layer_of(content: &str) -> String {
    descriptor(LAYER_TYPES[1], content, "")
}

fn index_of(entries: &[(&str, &str)]) -> String {
    let entry = |(media_type, platform): &(&str, &str)| {
        let mut parts = platform.split('/');
        let (os, arch) = (parts.next().unwrap(), parts.next().unwrap());
        let variant = parts.next().map(|variant| format!(r#","variant":"{variant}""#)).unwrap_or_default();
        let more = format!(r#","platform":{{"os":"{os}","architecture":"{arch}"{variant}}}"#);
        descriptor(media_type, platform, &more)
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

fn refused(text: &str) -> String {
    read(text.as_bytes()).map(|read| panic!("{read:?}")).unwrap_err().to_string()
}

#[test]
fn an_image_is_read_whichever_of_the_two_formats_it_has() {
    let docker = image_of(&descriptor(CONFIG_TYPES[1], "config", ""), &[descriptor(LAYER_TYPES[4], "a", "")])
        .replace(MANIFEST_TYPES[0], MANIFEST_TYPES[1]);
    for (text, media_type) in [(image_of(&config(), &[layer_of("a")]), MANIFEST_TYPES[0]), (docker, MANIFEST_TYPES[1])]
    {
        let Document::Image(image) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
        assert_eq!((image.media_type, image.config.size, image.layers.len()), (media_type, 6, 1));
    }
    let untyped = image_of(&config(), &[]).replace(&format!(r#""mediaType":"{}","#, MANIFEST_TYPES[0]), "");
    assert!(matches!(read(untyped.as_bytes()), Ok(Document::Image(image)) if image.media_type == MANIFEST_TYPES[0]));
}

#[test]
fn a_layer_that_is_there_twice_is_one_blob() {
    let text = image_of(&config(), &[layer_of("a"), layer_of("b"), layer_of("a")]);
    let Document::Image(image) = read(text.as_bytes()).unwrap() else { panic!() };
    assert_eq!((image.layers.len(), image.blobs().len()), (3, 3));
}

#[test]
fn net_20_what_a_registry_says_of_an_image_is_judged_before_it_is_asked_for_more() {
    let heavy = layer_of("a").replace("\"size\":1", "\"size\":9000000000000000000");
    let other_size = layer_of("a").replace("\"size\":1", "\"size\":2");
    let negative = layer_of("a").replace("\"size\":1", "\"size\":-1");
    let sha512 = layer_of("a").replace("sha256:", "sha512:");
    let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "a", "");
    let kept_back = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", "a", "");
    let with_urls = descriptor(LAYER_TYPES[1], "a", r#","urls":["https://169.254.169.254/x"]"#);
    let both = image_of(&config(), &[]).replace("\"layers\"", "\"manifests\":[],\"layers\"");
    for (text, words) in [
        ("<html>".to_owned(), "it is not a manifest"),
        ("{}".to_owned(), "missing field `schemaVersion`"),
        (r#"{"schemaVersion":2}"#.to_owned(), "neither `manifests`"),
        (r#"{"schemaVersion":2,"config":1,"layers":[]}"#.to_owned(), "it is not a manifest"),
        (r#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#.to_owned(), "schema 1"),
        (r#"{"schemaVersion":2,"schemaVersion":2}"#.to_owned(), "duplicate field"),
        (both, "at once"),
        (image_of(&config(), &[]).replace(MANIFEST_TYPES[0], "application/x"), "`application/x` is none of"),
        (image_of(&descriptor("application/vnd.cncf.helm.config.v1+json", "c", ""), &[]), "helm"),
        (image_of(&config(), &[descriptor("application/octet-stream", "a", "")]), "octet-stream"),
        (image_of(&config(), &[layer_of("a"), foreign]), "layer 2 is a foreign one"),
        (image_of(&config(), &[kept_back]), "layer 1 is a foreign one"),
        (image_of(&config(), &[with_urls]), "layer 1 is a foreign one"),
        (image_of(&config(), &[sha512]), "not a sha256 digest"),
        (image_of(&config(), &[negative]), "invalid value"),
        (image_of(&config(), &[heavy]), "8 GiB"),
        (image_of(&config(), &[layer_of("a"), other_size]), "different sizes"),
        (image_of(&config(), &vec![layer_of("a"); 129]), "129 layers"),
        (format!("{}{}", image_of(&config(), &[]), " ".repeat(4 << 20)), "larger than 4 MiB"),
        (image_of(&config(), &[]).replace("sha256:", "sha256:\\u001b[31m"), "not a sha256 digest"),
    ] {
        let told = refused(&text);
        assert!(told.contains(words) && !told.chars().any(char::is_control), "{told:?}\n{text:.200}");
    }
}

#[test]
fn the_image_of_the_machine_is_chosen_and_no_other() {
    let (image, index) = (MANIFEST_TYPES[0], INDEX_TYPES[0]);
    let choose = |entries: &[(&str, &str)], arch| {
        let Document::Index(index) = read(index_of(entries).as_bytes()).unwrap() else { panic!() };
        index.choose(arch).map_err(|error| error.to_string())
    };
    let chosen = |platform: &str| Ok(Blob { digest: Digest::of(platform.as_bytes()), size: platform.len() as u64 });
    let many =
        [(image, "linux/arm64/v8"), (image, "linux/amd64/v3"), (image, "linux/amd64"), (image, "unknown/unknown")];
    assert_eq!(choose(&many, Arch::X86_64), chosen("linux/amd64"));
    assert_eq!(choose(&many, Arch::Aarch64), chosen("linux/arm64/v8"));
    for (entries, words) in [
        (&[(image, "windows/amd64"), (image, "linux/s390x")][..], "linux/s390x, windows/amd64"),
        (&[(image, "linux/amd64/v3")], "no image for linux/amd64"),
        (&[], "none with a platform"),
        (&[(index, "linux/amd64")], "is an index again"),
        (&[("application/vnd.in-toto+json", "linux/amd64")], "in-toto"),
    ] {
        let told = choose(entries, Arch::X86_64).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_config_tells_for_which_machine_the_image_is() {
    let Document::Image(manifest) = read(image_of(&config(), &[layer_of("a")]).as_bytes()).unwrap() else { panic!() };
    let told = |text: &str| check_config(text.as_bytes(), &manifest, Arch::X86_64).map_err(|error| error.to_string());
    let right = r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:0"]}}"#;
    assert_eq!(told(right), Ok(()));
    for (text, words) in [
        (right.replace("amd64", "arm64"), "the image is for linux/arm64"),
        (right.replace("linux", "windows"), "windows/amd64"),
        (right.replace("[\"sha256:0\"]", "[]"), "lists 0 layers"),
        ("[]".to_owned(), "not a manifest"),
    ] {
        let told = told(&text).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn an_index_names_its_image_twice() {
    let index = layout::index(MANIFEST_TYPES[1], Blob { digest: Digest::of(b""), size: 7 }, "localhost/web:latest");
    assert_eq!(
        String::from_utf8(index).unwrap(),
        format!(
            concat!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"#,
                r#""application/vnd.docker.distribution.manifest.v2+json","digest":"sha256:{}","size":7,"annotations":"#,
                r#"{{"io.containerd.image.name":"localhost/web:latest","#,
                r#""org.opencontainers.image.ref.name":"localhost/web:latest"}}}}]}}"#
            ),
            Digest::of(b"")
        )
    );
}
