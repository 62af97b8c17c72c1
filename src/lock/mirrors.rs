//! `[mirrors]` of the configuration file: other places where whole sites are found. Touches nothing.
//!
//! ```toml
//! [mirrors]
//! "https://download.opensuse.org/" = "https://mirror.example.org/opensuse/"
//! "https://download.opensuse.org/tumbleweed/" = "/srv/tumbleweed/"
//! ```

use std::ops::Range;

use crate::base::Url;
use crate::base::url::UrlError;
use crate::format::toml::{Table, Value};

/// Rules that lead from an address to other places of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mirrors {
    /// The longest prefix first.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Ends in `/`, so that it never matches half a host or directory name.
    prefix: String,
    /// Ends in `/`; a `file` URL for a directory.
    target: Url,
}

impl Mirrors {
    /// Reads the table `[mirrors]` of a configuration file.
    pub(super) fn read(root: &Table<'_>, table: &Table<'_>) -> Self {
        let mut mirrors = Self::default();
        for (key, span, value) in table.entries() {
            mirrors.rules.extend(rule(table, key, span, &value));
        }
        mirrors.rules.sort_by(|a, b| b.prefix.len().cmp(&a.prefix.len()).then_with(|| a.prefix.cmp(&b.prefix)));
        let twice = mirrors.rules.windows(2).any(|pair| matches!(pair, [a, b] if a.prefix == b.prefix));
        if twice && !root.document.is_broken() {
            root.document.tell(root.problem("two prefixes of `[mirrors]` are one address").hint("remove one of them"));
        }
        mirrors
    }

    /// Returns where to look for an address: by each rule that fits, longest prefix first, then the address itself.
    ///
    /// A mirror never gets the credentials or query of the address: it is another party.
    pub(crate) fn apply(&self, url: &Url) -> Vec<Url> {
        let plain = url.without_secrets();
        let mut places: Vec<Url> = vec![];
        for rule in &self.rules {
            let rest = plain.expose().strip_prefix(&rule.prefix);
            let place = rest
                .filter(|rest| is_safe(rest))
                .and_then(|rest| Url::parse(&format!("{}{rest}", rule.target.expose())).ok());
            places.extend(place.filter(|place| !places.contains(place)));
        }
        places.retain(|place| place != url);
        places.push(url.clone());
        places
    }
}

/// An encoded separator or NUL would be decoded by a file URL's reader and could leave the directory.
fn is_safe(rest: &str) -> bool {
    let lower = rest.to_ascii_lowercase();
    !["%2f", "%5c", "%00"].iter().any(|escape| lower.contains(escape))
}

fn rule(table: &Table<'_>, key: &str, span: Range<usize>, value: &Value<'_>) -> Option<Rule> {
    let refuse = |headline: &str| {
        let problem = table.document.problem(span.clone(), headline);
        table.document.tell(problem.hint("write a prefix like \"https://download.opensuse.org/\""));
    };
    let prefix = match Url::parse(key) {
        Ok(url) if !key.ends_with('/') || url.without_secrets() != url => {
            refuse("a prefix ends in `/` and has no user name, password, query or `#`");
            None
        }
        Ok(url) => Some(url.expose().to_owned()),
        Err(reason) => {
            refuse(&format!("a key of `[mirrors]` is the beginning of a URL: {reason}"));
            None
        }
    };
    let target = target(value);
    Some(Rule { prefix: prefix?, target: target? })
}

/// Reads a URL prefix, or an absolute directory.
fn target(value: &Value<'_>) -> Option<Url> {
    let text = value.line()?;
    if text.starts_with('/') {
        return value.accept(directory(text), "write an absolute path without `.` or `..` parts");
    }
    let url = value.accept(Url::parse(text), "write a URL prefix or an absolute directory")?;
    if !text.ends_with('/') || text.contains(['?', '#']) {
        value.refuse("a mirror ends in `/` and has no query or `#`", "");
        return None;
    }
    Some(url)
}

fn directory(path: &str) -> Result<Url, UrlError> {
    let odd = path.trim_matches('/').split('/').any(|part| matches!(part, "." | ".."));
    let url = url::Url::from_directory_path(path).ok().filter(|_| !odd);
    Url::parse(url.ok_or(UrlError::Form("not an absolute directory".to_owned()))?.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn mirrors(rules: &str) -> Mirrors {
        let config = Config::parse(&format!("[mirrors]\n{rules}"), "config.toml");
        config.unwrap_or_else(|problems| panic!("{problems}")).mirrors
    }

    fn places(mirrors: &Mirrors, url: &str) -> Vec<String> {
        mirrors.apply(&Url::parse(url).unwrap()).iter().map(|url| url.expose().to_owned()).collect()
    }

    #[test]
    fn the_longest_prefix_comes_first_and_the_address_itself_last() {
        let mirrors = mirrors(
            "\"https://h/\" = \"http://127.0.0.1:8080/a/\"\n\"https://h/d/\" = \"/srv/my mirror\"\n\"https://g/\" = \"/g\"\n",
        );
        let expected = ["file:///srv/my%20mirror/x/y.iso", "http://127.0.0.1:8080/a/d/x/y.iso", "https://h/d/x/y.iso"];
        assert_eq!(places(&mirrors, "https://h/d/x/y.iso"), expected);
        assert_eq!(places(&mirrors, "https://h.evil/d/x"), ["https://h.evil/d/x"]);
        assert_eq!(places(&Mirrors::default(), "https://h/x"), ["https://h/x"]);
    }

    #[test]
    fn sec_5_a_mirror_gets_no_credentials() {
        let mirrors = mirrors("\"https://h/\" = \"https://m/\"\n");
        let url = "https://u:hunter2@h/x?token=hunter3";
        assert_eq!(places(&mirrors, url), ["https://m/x", url]);
    }

    #[test]
    fn rec_6_a_name_never_leaves_a_directory() {
        let mirrors = mirrors("\"https://h/\" = \"/srv/m/\"\n");
        for url in ["https://h/..%2f..%2Fetc/shadow", "https://h/a%5Cb", "https://h/a%00"] {
            assert_eq!(places(&mirrors, url).len(), 1, "{url}");
        }
        assert_eq!(places(&mirrors, "https://h/../etc/x")[0], "file:///srv/m/etc/x");
        assert_eq!(places(&mirrors, "https://h/%2e%2e/x")[0], "file:///srv/m/x");
    }

    #[test]
    fn a_broken_configuration_is_told_with_its_place() {
        for (text, place, words) in [
            ("mirror = 1", (1, 1), "unknown key `mirror`"),
            ("mirrors = 1", (1, 11), "`mirrors` must be a table"),
            ("[mirrors]\n\"https://h\" = \"/srv/\"", (2, 1), "a prefix ends in `/`"),
            ("[mirrors]\n\"https://u:p@h/\" = \"/srv/\"", (2, 1), "a prefix ends in `/`"),
            ("[mirrors]\n\"h/\" = \"/srv/\"", (2, 1), "the beginning of a URL"),
            ("[mirrors]\n\"https://h/\" = \"srv/\"", (2, 16), "not a URL"),
            ("[mirrors]\n\"https://h/\" = \"/srv/../x\"", (2, 16), "not an absolute directory"),
            ("[mirrors]\n\"https://h/\" = \"https://m\"", (2, 16), "a mirror ends in `/`"),
            ("[mirrors]\n\"https://h/\" = true", (2, 16), "must be text"),
            ("[mirrors]\n\"https://h/\" = \"/a\"\n\"HTTPS://h/\" = \"/b\"", (1, 1), "are one address"),
        ] {
            let problems = Config::parse(text, "config.toml").expect_err(text).0;
            let told = problems[0].place.as_ref().map(|place| (place.line, place.column));
            assert!(told == Some(place) && problems[0].headline.contains(words), "{problems:#?}");
        }
    }
}
