//! Where a redirect may lead. Looks names up, and only where a public server points elsewhere; else touches nothing.
//!
//! RFC 9110 §10.2.2 (Location), §15.4 (3xx). The rules: only http and https, never from https to http, no
//! credentials from a server, our own only back to the origin they were written for, and no public server may point into a
//! private network (the cloud's metadata service, a router, this machine).

use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs as _};

use url::Host;

use super::failure::Failure;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Url};

/// Finds the addresses of a host name; none when it cannot be found.
pub(super) type Lookup = fn(&str) -> Vec<IpAddr>;

/// What a redirect must obey.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub hops: usize,
    pub lookup: Lookup,
}

/// The way one request has taken so far.
pub(super) struct Route {
    rules: Rules,
    here: url::Url,
    hops: usize,
    /// Whether any server on the way was a public one.
    public: Option<bool>,
}

impl Route {
    /// Begins at the address the user named.
    pub(super) fn begin(start: &Url, rules: Rules) -> Result<Self, Failure> {
        let here = url::Url::parse(start.expose()).map_err(|_| refused("is not a URL", start.to_string()))?;
        Ok(Self { rules, here, hops: 0, public: None })
    }

    /// Returns the address to ask now, credentials included.
    pub(super) fn here(&self) -> &url::Url {
        &self.here
    }

    /// Takes one step, or says why not.
    pub(super) fn follow(&mut self, location: Option<&[u8]>) -> Result<(), Failure> {
        self.hops += 1;
        if self.hops > self.rules.hops {
            return Err(refused(&format!("makes more than {} hops", self.rules.hops), shown(&self.here)));
        }
        let next = self.resolve(location)?;
        self.check_scheme(&next)?;
        self.check_private(&next)?;
        self.here = next;
        Ok(())
    }

    fn resolve(&self, location: Option<&[u8]>) -> Result<url::Url, Failure> {
        let location = location.ok_or_else(|| refused("names no target", shown(&self.here)))?;
        let text = std::str::from_utf8(location).map_err(|_| refused("is not text", shown(&self.here)))?;
        let mut base = self.here.clone();
        let _ = (base.set_username(""), base.set_password(None));
        let mut next = base.join(text).map_err(|_| refused("is not a URL", one_line(text, 200)))?;
        next.set_fragment(None);
        if next.as_str().len() > 8192 {
            return Err(refused("is longer than 8 KiB", one_line(text, 60)));
        }
        if !next.username().is_empty() || next.password().is_some() {
            return Err(refused("carries credentials", shown(&next)));
        }
        if next.origin() == self.here.origin() {
            let _ = (next.set_username(self.here.username()), next.set_password(self.here.password()));
        }
        Ok(next)
    }

    fn check_scheme(&self, next: &url::Url) -> Result<(), Failure> {
        match (self.here.scheme(), next.scheme()) {
            ("https", "http") => Err(refused("leaves https for http", shown(next))),
            (_, "http" | "https") => Ok(()),
            (_, other) => Err(refused("leaves http", one_line(other, 20))),
        }
    }

    fn check_private(&mut self, next: &url::Url) -> Result<(), Failure> {
        if next.host() == self.here.host() {
            return Ok(());
        }
        let private = is_private(next, self.rules.lookup) == Some(true);
        if private && self.was_public() {
            return Err(refused("points from a public server into a private network", shown(next)));
        }
        Ok(())
    }

    /// An origin we cannot look up is taken for public: behind a proxy it usually is.
    fn was_public(&mut self) -> bool {
        let (here, lookup) = (&self.here, self.rules.lookup);
        *self.public.get_or_insert_with(|| is_private(here, lookup) != Some(true))
    }
}

fn shown(url: &url::Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    one_line(url.as_str(), 300)
}

fn refused(why: &str, target: String) -> Failure {
    Diagnostic::new(Code::NetRedirect, format!("the server's redirect {why}")).fact("redirect", target).into()
}

/// Asks the system for the addresses of a name.
pub(super) fn lookup(name: &str) -> Vec<IpAddr> {
    (name, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// Returns whether a URL's host is, or has, an address that is not public; `None` when it has no address.
fn is_private(url: &url::Url, lookup: Lookup) -> Option<bool> {
    let found = match url.host()? {
        Host::Ipv4(ip) => vec![IpAddr::V4(ip)],
        Host::Ipv6(ip) => vec![IpAddr::V6(ip)],
        Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => return Some(true),
        Host::Domain(name) => lookup(name),
    };
    if found.is_empty() { None } else { Some(found.into_iter().any(is_special)) }
}

/// Returns whether an address is not globally reachable (RFC 6890 and its registries).
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || a == 0
                || (a == 100 && b & 0xc0 == 64) // "this network"; carrier-grade NAT
        }
        IpAddr::V6(ip) => match embedded(ip) {
            Some(inner) => is_special(inner),
            None => {
                let first = ip.segments()[0];
                ip.is_loopback() || ip.is_unspecified() || ip.is_multicast()
                    || first & 0xfe00 == 0xfc00 // unique local
                    || first & 0xffc0 == 0xfe80 // link local
            }
        },
    }
}

/// Returns the IPv4 address inside a mapped or NAT64 one (RFC 4291 §2.5.5.2, RFC 6052 §2.1).
fn embedded(ip: Ipv6Addr) -> Option<IpAddr> {
    let nat64 = ip.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let [.., a, b, c, d] = ip.octets();
    if nat64 { Some(IpAddr::from([a, b, c, d])) } else { ip.to_ipv4_mapped().map(IpAddr::V4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Vec<IpAddr> {
        match name {
            "intranet.corp" | "files.corp" | "rebind.example" => vec![IpAddr::from([10, 0, 0, 1])],
            "unknown.example" => vec![],
            _ => vec![IpAddr::from([203, 0, 113, 5])],
        }
    }

    const RULES: Rules = Rules { hops: 10, lookup: names };

    fn step(from: &str, location: &str) -> Result<String, Diagnostic> {
        let mut route = Route::begin(&Url::parse(from).unwrap(), RULES).unwrap();
        route.follow(Some(location.as_bytes())).map(|()| route.here().to_string()).map_err(|failure| failure.problem)
    }

    #[test]
    fn net_09_good_redirects_are_followed() {
        for (from, location, to) in [
            ("https://a.example/x/y", "z", "https://a.example/x/z"),
            ("https://a.example/x/y", "/z#part", "https://a.example/z"),
            ("https://a.example/x", "//b.example/z", "https://b.example/z"),
            ("http://a.example/x", "https://b.example/z?sig=1", "https://b.example/z?sig=1"),
            ("https://a.example/x", "https://a.example:8443/z", "https://a.example:8443/z"),
            ("http://intranet.corp/x", "http://files.corp/z", "http://files.corp/z"),
            ("http://127.0.0.1:1/x", "http://127.0.0.1:2/z", "http://127.0.0.1:2/z"),
            ("http://unknown.example/x", "http://b.example/z", "http://b.example/z"),
        ] {
            assert_eq!(step(from, location).as_deref(), Ok(to), "{from} {location}");
        }
    }

    #[test]
    fn net_09_bad_redirects_are_refused() {
        for (from, location) in [
            ("https://a.example/x", "http://a.example/x"),
            ("https://a.example/x", "//user:pass@b.example/x"),
            ("https://a.example/x", "file:///etc/passwd"),
            ("https://a.example/x", "data:text/plain,x"),
            ("https://a.example/x", "ftp://b.example/x"),
            ("https://a.example/x", "javascript:1"),
            ("https://a.example/x", "https://"),
            ("https://a.example/x", "https://169.254.169.254/latest/meta-data"),
            ("https://a.example/x", "https://localhost/x"),
            ("https://a.example/x", "https://x.localhost/x"),
            ("https://a.example/x", "https://0x7f.1/x"),
            ("https://a.example/x", "https://[::1]/x"),
            ("https://a.example/x", "https://[::ffff:10.0.0.1]/x"),
            ("https://a.example/x", "https://[64:ff9b::7f00:1]/x"),
            ("https://a.example/x", "https://[fd00::1]/x"),
            ("https://a.example/x", "https://100.64.0.1/x"),
            ("https://a.example/x", "https://0.0.0.0/x"),
            ("https://a.example/x", "https://rebind.example/x"),
            ("https://unknown.example/x", "https://10.0.0.1/x"),
        ] {
            assert_eq!(step(from, location).map_err(|problem| problem.code), Err(Code::NetRedirect), "{location}");
        }
        assert_eq!(
            step("https://a.example/x", &"a".repeat(9000)).map_err(|problem| problem.code),
            Err(Code::NetRedirect)
        );
    }

    #[test]
    fn net_09_credentials_stay_with_their_origin() {
        let from = "https://user:hunter2@a.example/x";
        assert_eq!(step(from, "/y").as_deref(), Ok("https://user:hunter2@a.example/y"));
        for elsewhere in ["https://b.example/y", "https://a.example:444/y"] {
            assert_eq!(step(from, elsewhere).as_deref(), Ok(elsewhere));
        }
        let mut route = Route::begin(&Url::parse(from).unwrap(), RULES).unwrap();
        route.follow(Some(b"https://b.example/")).unwrap();
        route.follow(Some(b"https://a.example/back")).unwrap();
        assert_eq!(route.here().as_str(), "https://a.example/back");
    }

    #[test]
    fn net_09_a_public_server_on_the_way_is_remembered() {
        let mut route = Route::begin(&Url::parse("http://a.example/").unwrap(), RULES).unwrap();
        assert!(route.follow(None).is_err());
        assert!(route.follow(Some(b"\xff")).is_err());
        route.follow(Some(b"http://b.example/")).unwrap();
        assert!(route.follow(Some(b"http://intranet.corp/")).is_err());
    }

    #[test]
    fn net_09_the_eleventh_hop_is_refused() {
        let mut route = Route::begin(&Url::parse("http://a.example/").unwrap(), RULES).unwrap();
        for _ in 0..10 {
            route.follow(Some(b"/again")).unwrap();
        }
        assert!(route.follow(Some(b"/again")).is_err());
    }
}
