//! An entry of `tcp = […]`: a host and a port.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use super::origin::Host;
use super::{Denial, Grants, Reach};

/// Where a plugin may open TCP connections to: `redis.example.com:6379`, `10.0.0.7:5432`, `[::1]:5432`,
/// `*.db.example.com:5432`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: Host,
    port: u16,
}

impl Destination {
    /// Parses a config entry.
    ///
    /// # Errors
    /// Says in words what an entry must look like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(FORM)?;
        let (below, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
        if host.contains('*') {
            return Err("`*` may only stand for the first label, as in \"*.db.example.com:5432\"");
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match (bare, bare.unwrap_or(host).parse::<IpAddr>()) {
            // An IPv6 address without brackets could end anywhere.
            (None, Ok(IpAddr::V6(_))) | (Some(_), Err(_)) => return Err(FORM),
            _ => Host::parse(bare.unwrap_or(host)).ok_or(FORM)?,
        };
        let host = match (host, below) {
            (Host::Name(name), true) if name.contains('.') => Host::Below(name),
            (_, true) => return Err("a wildcard needs at least two labels after it: \"*.example.com:5432\""),
            (host, false) => host,
        };
        Ok(Self { host, port })
    }

    /// Where a connection to this host, a name or an address without brackets, and port goes to; `None` for what is neither.
    #[must_use]
    pub fn of(host: &str, port: u16) -> Option<Self> {
        Some(Self { host: Host::parse(host)?, port })
    }

    /// Whether this entry allows connections to `other`.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.port == other.port && self.host.contains(&other.host)
    }

    /// The literal address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Address(address) => Some(address),
            Host::Name(_) | Host::Below(_) => None,
        }
    }

    /// The host as resolvers and certificates have it: without port and brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) | Host::Below(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Grants {
    /// Whether a connection may be opened. The addresses of a name are judged by [`Grants::tcp_address`].
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn tcp(&self, asked: &Destination) -> Result<(), Denial> {
        if !self.tcp.iter().any(|granted| granted.contains(asked)) {
            return Err(self.denial(format!("a connection to {asked}"), &format!("tcp = [\"{asked}\"]")));
        }
        match asked.address() {
            Some(address) => self.tcp_address(asked, address),
            None => Ok(()),
        }
    }

    /// Whether a granted destination may be reached at this address, to which its name resolved: public ones always,
    /// private ones with `tcp_private`, and every kind when the address itself is listed with that port. `localhost` in
    /// the list says as much as the loopback address.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn tcp_address(&self, asked: &Destination, address: IpAddr) -> Result<(), Denial> {
        let address = address.to_canonical();
        let reach = Reach::of(address);
        let listed = || self.tcp.iter().any(|entry| entry.port == asked.port && entry.address() == Some(address));
        let localhost = || asked.host.is_localhost() && address.is_loopback();
        if reach == Reach::Public || (reach == Reach::Private && self.tcp_private) || listed() || localhost() {
            return Ok(());
        }
        let line = match reach {
            Reach::Private => "tcp_private = true".to_owned(),
            Reach::Public | Reach::Local => format!("tcp = [\"{}:{}\"]", Host::Address(address), asked.port),
        };
        Err(self.denial(format!("{asked} at {address}, {},", reach.words()), &line))
    }

    /// Whether any connection is granted.
    #[must_use]
    pub fn any_tcp(&self) -> bool {
        !self.tcp.is_empty()
    }

    /// A PEM file with certificate authorities to trust besides the public ones.
    #[must_use]
    pub fn tcp_ca_file(&self) -> Option<&Path> {
        self.tcp_ca_file.as_deref()
    }
}

const FORM: &str = "host:port, such as \"redis.example.com:6379\", \"*.db.example.com:5432\" or \"[::1]:5432\"";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn grants(allow: &serde_json::Value) -> Grants {
        Grants::from_json("p", allow, Path::new("/")).unwrap()
    }

    #[test]
    fn an_entry_contains_what_it_names_and_nothing_else() {
        let cases = [
            ("redis.example.com:6379", "Redis.Example.com.", 6379, true),
            ("redis.example.com:6379", "redis.example.com", 6380, false),
            ("redis.example.com:6379", "example.com", 6379, false),
            ("*.example.com:5432", "a.b.example.com", 5432, true),
            ("*.example.com:5432", "example.com", 5432, false),
            ("*.example.com:5432", "badexample.com", 5432, false),
            ("127.0.0.1:80", "127.0.0.1", 80, true),
            ("127.0.0.1:80", "2130706433", 80, true),
            ("127.0.0.1:80", "::ffff:127.0.0.1", 80, true),
            ("[::1]:80", "0:0::1", 80, true),
            ("localhost:80", "127.0.0.1", 80, false),
        ];
        for (granted, host, port, allowed) in cases {
            let asked = Destination::of(host, port).unwrap();
            assert_eq!(Destination::parse(granted).unwrap().contains(&asked), allowed, "{granted} and {host}:{port}");
        }
    }

    #[test]
    fn an_entry_that_is_too_wide_or_malformed_is_refused() {
        for text in
            ["", "a.b", "a.b:", "a.b:0", "a.b:65536", ":80", "*:80", "*.com:80", "a.*.com:80", "::1:80", "u@a.b:80"]
        {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
        for host in ["", "a/b", "a.b:80", "u@a.b", "a b", "a?b", "[::1]"] {
            assert_eq!(Destination::of(host, 80), None, "{host}");
        }
    }

    #[test]
    fn an_entry_is_shown_as_it_is_written() {
        for text in ["redis.example.com:6379", "*.example.com:5432", "[::1]:80", "10.0.0.7:1"] {
            assert_eq!(Destination::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_leads_to_public_addresses_and_to_others_only_if_the_config_says_so() {
        let name = Destination::of("db.example.com", 5432).unwrap();
        let judge = |allow: &serde_json::Value, address: &str| {
            grants(allow).tcp_address(&name, address.parse().unwrap()).map_err(|denial| denial.to_string())
        };
        let plain = json!({ "tcp": ["db.example.com:5432"] });
        assert_eq!(judge(&plain, "1.1.1.1"), Ok(()));
        let private = judge(&plain, "10.0.0.1").unwrap_err();
        assert!(private.ends_with("this would grant it: allow.tcp_private = true"), "{private}");
        assert_eq!(judge(&json!({ "tcp": ["db.example.com:5432"], "tcp_private": true }), "10.0.0.1"), Ok(()));
        for address in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"] {
            let local = judge(&json!({ "tcp": ["db.example.com:5432"], "tcp_private": true }), address).unwrap_err();
            assert!(local.contains("allow.tcp = ["), "{local}");
        }
        assert_eq!(judge(&json!({ "tcp": ["db.example.com:5432", "127.0.0.1:5432"] }), "127.0.0.1"), Ok(()));
        let other_port = judge(&json!({ "tcp": ["db.example.com:5432", "127.0.0.1:80"] }), "127.0.0.1");
        assert!(other_port.is_err());
    }
}
