//! `[[provision.container]]`: an image by registry or address, and how it is run: a `.container` file for podman's generator.
//! Form only; touches nothing.

use super::content::{self, Carried, Content, Text, refuse_pin_without_url};
use super::image::ImageReference;
use super::path::{RecipePath, Source};
use super::table::{FromValue, KeyType, located, table};
use super::types::{GuestPath, PublishedPort, UnitName};
use crate::base::text::one_line;
use crate::base::{ByteSize, Digest, Name, Secret, Spanned, Url};
use crate::format::toml::{Table, Value};

table! {
    /// `[[provision.container]]`: an image that is loaded once, at the first boot.
    Container in "provision.container[]" by "name" {
        /// names its unit, arca-load-NAME.service, and NAME.service
        name: Name = "required",
        /// further units that start only once it is loaded
        before: Vec<UnitName>,
    } with {
        /// registry/name:tag or @sha256:…, pinned by `arca-build update`; or `url`
        image: Option<ImageReference>,
        /// as `base.url`; an oci-archive; or `image`
        url: Option<Source>,
        /// the digest of what `url` names
        sha256: Option<Digest> = "from arca.lock",
        /// its size in bytes, checked while it is fetched
        size: Option<ByteSize>,
        /// other addresses of the same bytes, tried in order
        mirrors: Vec<Url>,
        /// a quadlet, NAME.container, which runs it; or `source`
        text: Option<Text>,
        /// a quadlet beside the recipe; or `text`
        source: Option<RecipePath>,
        /// "8080:80", "127.0.0.1:8080:80/udp"; writes a quadlet
        ports: Vec<PublishedPort>,
        /// "/srv/x:/data:Z"; it starts once /srv/x is mounted; writes a quadlet
        volumes: Vec<Volume>,
        /// "NAME=value", in a file of mode 0600; writes a quadlet
        environment: Vec<Variable>,
        /// the command, word by word; writes a quadlet
        exec: Vec<String> = "the image's own",
        /// whether it starts at boot; writes a quadlet
        auto_start: bool = "true",
    } into {
        image: Image = image,
        /// How it is run; where there is none, it is only loaded.
        quadlet: Option<Quadlet> = quadlet,
    }
}

/// Where a container image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// `url`: an `oci-archive` by address.
    Archive(Carried),
    /// `image`: what a registry holds under a reference.
    Registry(Spanned<ImageReference>),
}

/// The unit file of `[[provision.container]]`, as written or from typed keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Quadlet {
    /// `text` or `source`.
    Ready(Content),
    Typed(Service),
}

/// What the typed keys say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// As `PublishPort=` takes them.
    pub ports: Vec<PublishedPort>,
    pub volumes: Vec<Volume>,
    /// Name and value, in the order written.
    pub environment: Vec<Variable>,
    /// The command and its words, in place of the image's own.
    pub exec: Vec<String>,
    /// Whether it starts at boot.
    pub auto_start: bool,
}

/// One entry of `volumes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// A path of the guest, or the name of one of podman's volumes.
    pub source: String,
    /// A path in the container.
    pub target: String,
    /// Such as `ro,Z`; empty where none are written.
    pub options: String,
}

impl Volume {
    /// Returns the path of the guest that is mounted; none for one of podman's volumes.
    pub(crate) fn host_path(&self) -> Option<&str> {
        self.source.starts_with('/').then_some(self.source.as_str())
    }
}

/// One entry of `environment`. Podman reads them from a file, line by line and without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub name: String,
    pub value: Secret<String>,
}

impl Container {
    /// Returns the name of the service that its quadlet becomes.
    pub(crate) fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    /// Returns the name under which the guest finds the image, where the recipe decides it: an archive brings its own.
    pub(crate) fn image_name(&self) -> Option<String> {
        match &self.image {
            Image::Archive(_) => None,
            Image::Registry(reference) => {
                Some(reference.value.tagged().unwrap_or_else(|| format!("localhost/{}:latest", self.name)))
            }
        }
    }
}

/// Reads `image` or `url`.
fn image(table: &Table<'_>) -> Option<Image> {
    refuse_pin_without_url(table);
    match (table.get("image"), table.get("url")) {
        (Some(image), Some(_)) => {
            image.refuse("`image` and `url` are both given", "keep one of them");
            None
        }
        (Some(image), None) => located(&image).map(Image::Registry),
        (None, _) => {
            table.need("url", "`url = \"https://…/image.tar\"`, or `image = \"registry.example.org/name:tag\"`");
            Carried::read(table).map(Image::Archive)
        }
    }
}

/// The keys that are written into a quadlet.
const TYPED: [&str; 5] = ["ports", "volumes", "environment", "exec", "auto_start"];

/// Reads how it is run: a whole quadlet, or the keys that one is written from.
fn quadlet(table: &Table<'_>) -> Option<Option<Quadlet>> {
    let typed = TYPED.into_iter().find_map(|key| table.get(key));
    if !table.has("text") && !table.has("source") {
        return Some(typed.map(|first| Quadlet::Typed(service(table, &first))));
    }
    if let Some(typed) = typed {
        let headline = format!("`{}` is written into a quadlet, and the recipe has one of its own", typed.key());
        typed.refuse(headline, "write it there, or leave `text` and `source` out");
        return None;
    }
    content::given(table).map(|content| Some(Quadlet::Ready(content)))
}

fn service(table: &Table<'_>, first: &Value<'_>) -> Service {
    if !table.has("image") && table.has("url") && !table.document.is_broken() {
        let headline =
            format!("`{}` needs `image`: under which name an archive is loaded, only the archive knows", first.key());
        first.refuse(headline, "name the image by `image`, or write the quadlet yourself with `text`");
    }
    Service {
        ports: content::field(table, "ports").unwrap_or_default(),
        volumes: content::field(table, "volumes").unwrap_or_default(),
        environment: content::field(table, "environment").unwrap_or_default(),
        exec: content::field(table, "exec").unwrap_or_default(),
        auto_start: table.get("auto_start").and_then(|value| value.boolean()).unwrap_or(true),
    }
}

impl FromValue for Volume {
    const KIND: KeyType = KeyType::Text;

    /// Reads `source:target[:options]`; of characters, what neither quadlet nor systemd gives a meaning.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let refuse = |why: &str| {
            let headline = format!("`{}` is not a volume: {why}", one_line(text, 100));
            value.refuse(headline, "write it like \"/srv/arca:/data:Z\" or \"cache:/var/cache\"");
            None
        };
        let mut parts = text.split(':');
        let (Some(source), Some(target), options, None) =
            (parts.next(), parts.next(), parts.next().unwrap_or_default(), parts.next())
        else {
            return refuse("it is not a source, a target and perhaps options, with `:` between them");
        };
        let plain = |text: &str| {
            text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ','))
        };
        if ![source, target, options].into_iter().all(plain) {
            return refuse("podman or systemd would give one of its characters a meaning");
        }
        let is_path = |text: &str| text.parse::<GuestPath>().is_ok();
        if !is_path(target) {
            return refuse("the target is not an absolute path");
        }
        let is_name = Name::parse(source).is_ok() && !source.ends_with(".volume");
        if !is_path(source) && !is_name {
            return refuse("the source is neither an absolute path nor the name of one of podman's volumes");
        }
        Some(Self { source: source.to_owned(), target: target.to_owned(), options: options.to_owned() })
    }
}

impl FromValue for Variable {
    const KIND: KeyType = KeyType::Text;

    /// Reads `NAME=value`; no complaint shows the value.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let Some((name, content)) = value.line()?.split_once('=') else {
            value.refuse("an entry of `environment` has no `=`", "write \"NAME=value\"");
            return None;
        };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
            let headline = "what stands before `=` in an entry of `environment` is not a name";
            value.refuse(headline, "A-Z a-z 0-9 _, no digit first");
            return None;
        }
        Some(Self { name: name.to_owned(), value: Secret::new(content.to_owned()) })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
    }

    fn shown(&self, _: &str) -> String {
        self.name.clone()
    }
}
