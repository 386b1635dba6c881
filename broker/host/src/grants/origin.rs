//! An entry of `http = […]`: a scheme, a host and a port.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::{Denial, Grants, Reach};

/// Where a plugin may send HTTP requests: `https://idp.example.com`, `http://10.0.0.7:8080`,
/// `https://*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// A host, or all below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// Lower case, punycode, without the root dot.
    Name(String),
    /// Every name below this one, but not itself.
    Below(String),
    Address(IpAddr),
}

impl Origin {
    /// Parses a config entry.
    ///
    /// # Errors
    /// Says in words what an entry must look like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(FORM),
        };
        let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        if rest.contains('*') {
            return Err("`*` may only stand for the first label, as in \"https://*.example.com\"");
        }
        let url = Url::parse(&format!("{}://{rest}", scheme.name())).map_err(|_| FORM)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err("an origin has no user, path or query: \"https://idp.example.com\"");
        }
        let port = url.port_or_known_default().ok_or(FORM)?;
        let host = match (Host::of(&url).ok_or(FORM)?, below) {
            (Host::Name(name), true) if name.contains('.') => Host::Below(name),
            (_, true) => return Err("a wildcard needs at least two labels after it: \"https://*.example.com\""),
            (host, false) => host,
        };
        Ok(Self { scheme, host, port })
    }

    /// The origin a request to `url` goes to; `None` for anything but HTTP and HTTPS.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Some(Self { scheme, host: Host::of(url)?, port: url.port_or_known_default()? })
    }

    /// Whether this entry allows requests to `other`.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.port == other.port && self.host.contains(&other.host)
    }

    /// The literal address this entry names, if it names one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Address(address) => Some(address),
            Host::Name(_) | Host::Below(_) => None,
        }
    }

    /// Whether this entry is for the name `localhost`, which says as much as the loopback address.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.host.is_localhost()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Host {
    /// A name, or an address without brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        if text.is_empty()
            || text.contains([':', '/', '?', '#', '@', '\\', '[', ']'])
            || text.contains(char::is_whitespace)
        {
            return None;
        }
        // A name in the form that URLs have it in: lower case, punycode.
        Self::of(&Url::parse(&format!("http://{text}/")).ok()?)
    }

    /// Whether this entry allows `other`.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Below(parent), Self::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }
            (mine, theirs) => mine == theirs,
        }
    }

    /// Whether it is the name `localhost`, which says as much as the loopback address.
    pub(super) fn is_localhost(&self) -> bool {
        matches!(self, Self::Name(name) if name == "localhost")
    }

    fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(match bare.parse::<IpAddr>() {
            Ok(address) => Self::Address(address.to_canonical()),
            Err(_) => Self::Name(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Grants {
    /// Whether a request may be sent to this URL. Its host's addresses are judged by [`Grants::http_address`].
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn http(&self, url: &Url) -> Result<(), Denial> {
        let Some(asked) = Origin::of(url) else {
            let what = format!("a request by \"{}\"", url.scheme());
            return Err(Denial::new(what, "only http and https exist here".to_owned()));
        };
        if !self.http.iter().any(|granted| granted.contains(&asked)) {
            return Err(self.denial(format!("a request to {asked}"), &format!("http = [\"{asked}\"]")));
        }
        match asked.address() {
            Some(address) => self.http_address(&asked.to_string(), address),
            None => Ok(()),
        }
    }

    /// Whether a granted host may be reached at this address, to which its name resolved: public ones always,
    /// private ones with `http_private`, and every kind when the address itself is listed. `localhost` in the
    /// list says as much as the loopback address.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn http_address(&self, host: &str, address: IpAddr) -> Result<(), Denial> {
        let address = address.to_canonical();
        let reach = Reach::of(address);
        let listed = || self.http.iter().any(|origin| origin.address() == Some(address));
        let localhost = || host == "localhost" && address.is_loopback() && self.http.iter().any(Origin::is_localhost);
        if reach == Reach::Public || (reach == Reach::Private && self.http_private) || listed() || localhost() {
            return Ok(());
        }
        let line = match reach {
            Reach::Private => "http_private = true".to_owned(),
            Reach::Public | Reach::Local => format!("http = [\"http://{}\"]", Host::Address(address)),
        };
        Err(self.denial(format!("{host} at {address}, {},", reach.words()), &line))
    }

    /// Whether any HTTP request is granted.
    #[must_use]
    pub fn any_http(&self) -> bool {
        !self.http.is_empty()
    }
}

const FORM: &str =
    "scheme://host[:port] with http or https, such as \"https://idp.example.com\", or \"https://*.example.com\"";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_origin_contains_what_it_names_and_nothing_else() {
        let cases = [
            ("https://a.example.com", "https://a.example.com/x?y", true),
            ("https://a.example.com", "https://A.Example.com.:443/", true),
            ("https://a.example.com", "http://a.example.com/", false),
            ("https://a.example.com", "https://a.example.com:8443/", false),
            ("https://a.example.com", "https://b.example.com/", false),
            ("https://a.example.com", "https://a.example.com@evil.test/", false),
            ("https://*.example.com", "https://a.example.com/", true),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("https://*.example.com", "https://badexample.com/", false),
            ("https://*.example.com", "https://.example.com/", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("http://127.0.0.1:8080", "http://2130706433:8080/", true),
            ("http://127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080/", true),
            ("http://[::1]:8080", "http://[0:0::1]:8080/", true),
        ];
        for (granted, asked, allowed) in cases {
            let asked_origin = Origin::of(&Url::parse(asked).unwrap()).unwrap();
            assert_eq!(Origin::parse(granted).unwrap().contains(&asked_origin), allowed, "{granted} and {asked}");
        }
    }

    #[test]
    fn an_entry_that_is_too_wide_or_malformed_is_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.com",
            "https://a.*.com",
            "ftp://a.b",
            "a.b",
            "https://a.b/path",
            "https://u@a.b",
            "https://*.1.2.3.4",
            "",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_is_shown_as_it_is_written() {
        for text in ["https://a.example.com", "http://*.example.com:8080", "http://[::1]:80"] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text.trim_end_matches(":80"));
        }
    }
}
