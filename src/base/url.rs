//! Addresses of inputs. Credentials in them are never shown. Touches nothing.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// An absolute URL whose user name, password and query are hidden when shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Url(::url::Url);

/// Why a text is not a usable URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// White space or control characters, which a parser would silently drop.
    #[error("a URL holds no spaces or control characters")]
    Character,
    /// More than 2048 bytes.
    #[error("a URL is at most 2048 bytes long")]
    Long,
    /// A scheme other than http, https or file.
    #[error("the scheme `{0}` is not one of http, https, file")]
    Scheme(String),
    /// Anything else the URL standard refuses.
    #[error("not a URL: {0}")]
    Form(String),
}

impl serde::Serialize for Url {
    /// As it is shown.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Url {
    /// Reads an absolute `http`, `https` or `file` URL.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || super::text::is_bidi(c)) {
            return Err(UrlError::Character);
        }
        if text.len() > 2048 {
            return Err(UrlError::Long);
        }
        let url = ::url::Url::parse(text).map_err(|error| UrlError::Form(error.to_string()))?;
        match url.scheme() {
            "http" | "https" if url.host_str().is_none_or(str::is_empty) => Err(UrlError::Form("no host".into())),
            "file" if url.host_str().is_some_and(|host| !host.is_empty()) => {
                Err(UrlError::Form("a file URL names no host: write file:///path".into()))
            }
            "http" | "https" | "file" => Ok(Self(url)),
            other => Err(UrlError::Scheme(other.to_owned())),
        }
    }

    /// Returns the address with its credentials, for the one who opens it; never print this.
    pub(crate) fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Returns `http`, `https` or `file`.
    pub(crate) fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Returns whether the address is `http` or `https`.
    pub(crate) fn is_remote(&self) -> bool {
        self.0.scheme() != "file"
    }

    /// Returns the host, without port.
    pub(crate) fn host(&self) -> Option<&str> {
        self.0.host_str()
    }

    /// Returns the path part, percent-encoded as written.
    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }

    /// Returns the path that a `file` URL names, percent-decoded; `None` for other schemes.
    pub(crate) fn to_file_path(&self) -> Option<std::path::PathBuf> {
        if self.is_remote() { None } else { self.0.to_file_path().ok() }
    }

    /// Returns the last segment of the path, empty for a directory.
    pub(crate) fn file_name(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// Returns the parts of the path, percent-decoded; `None` where one is not the name of a file on any system: not UTF-8, `.` or
    /// `..`, or with a separator or control character in it. An address of a directory ends in an empty part.
    pub(crate) fn decoded_path(&self) -> Option<Vec<String>> {
        let parts = self.0.path().strip_prefix('/')?.split('/');
        let decode = |part| percent_decode_str(part).decode_utf8().ok();
        parts.map(|part| decode(part).filter(|name| is_plain(name)).map(Cow::into_owned)).collect()
    }

    /// Returns the explicit port, where it is not the scheme's own.
    pub(crate) fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// Returns whether a user name or password is written in the address.
    pub(crate) fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// Returns the address of a sibling in the same directory, without query or fragment.
    pub(crate) fn sibling(&self, file_name: &str) -> Result<Self, UrlError> {
        let mut url = self.0.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push(file_name);
        }
        Self::parse(url.as_str())
    }

    /// Returns the address without user name, password, query and fragment, as locks and messages show it.
    pub(crate) fn without_secrets(&self) -> Self {
        let mut url = self.0.clone();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        Self(url)
    }
}

fn is_plain(name: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\') || super::text::is_bidi(c);
    !matches!(name, "." | "..") && !name.contains(odd)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.without_secrets();
        let text = shown.0.as_str();
        match text.split_once("://") {
            Some((scheme, rest)) if self.has_credentials() => write!(f, "{scheme}://***@{rest}")?,
            _ => f.write_str(text)?,
        }
        if self.0.query().is_some() { f.write_str("?***") } else { Ok(()) }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_5_credentials_are_never_shown() {
        let url = Url::parse("https://user:hunter2@example.org/a/b.qcow2?token=hunter3").unwrap();
        for shown in [url.to_string(), format!("{url:?}"), url.without_secrets().to_string()] {
            assert!(!shown.contains("hunter") && !shown.contains("user"), "{shown}");
        }
        assert_eq!(url.to_string(), "https://***@example.org/a/b.qcow2?***");
        assert!(url.expose().contains("hunter2"));
    }

    #[test]
    fn rec_9_odd_urls_are_refused() {
        for bad in [
            "",
            "nas.qcow2",
            "ftp://h/x",
            "data:,x",
            "http://",
            "http://h/a b",
            "http://h/\r\nx",
            "javascript:1",
            "file://host/x",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Url::parse(&format!("http://h/{}", "a".repeat(2048))).is_err());
    }

    #[test]
    fn a_path_is_decoded_into_names_or_not_at_all() {
        let path = |path: &str| Url::parse(&format!("https://h{path}")).unwrap().decoded_path();
        assert_eq!(path("/a/b%2Bc%20d.qcow2?x=y"), Some(vec!["a".into(), "b+c d.qcow2".into()]));
        assert_eq!(path("/a/"), Some(vec!["a".into(), String::new()]));
        assert_eq!(path("/100%/%zz/%4"), Some(vec!["100%".into(), "%zz".into(), "%4".into()]));
        for bad in ["/a%2f..%2fb", "/a%5Cb", "/%00", "/a%0Ab", "/a/%ff", "/%1b[2J", "/a/%e2%80%ae"] {
            assert_eq!(path(bad), None, "{bad}");
        }
        // A URL's parser takes these away itself, encoded or not.
        for dots in ["/a/../b", "/a/%2e%2e/b"] {
            assert_eq!(path(dots), Some(vec!["b".into()]), "{dots}");
        }
    }

    #[test]
    fn a_sibling_stays_in_the_directory() {
        let url = Url::parse("https://h/d/x.qcow2?y").unwrap();
        assert_eq!(url.sibling("x.qcow2.sha256").unwrap().expose(), "https://h/d/x.qcow2.sha256");
        assert_eq!(url.sibling("../../etc").unwrap().expose(), "https://h/d/..%2F..%2Fetc");
        assert_eq!(url.file_name(), "x.qcow2");
    }
}
