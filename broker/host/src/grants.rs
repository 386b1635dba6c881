//! What a plugin may do. **The only place where a capability is allowed**: every import that reaches out of the
//! sandbox asks here first.
//!
//! A plugin requests nothing; the operator grants, under `allow` in the plugin's `[[plugin]]`:
//!
//! ```toml
//! [plugin.allow]
//! http = ["https://idp.example.com", "https://*.example.org:8443"]   # origins it may ask
//! http_private = false        # names may resolve to private addresses; loopback only if listed literally
//! tcp = ["redis.example.com:6379"] # hosts and ports it may connect to, and as with http:
//! tcp_private = false
//! tcp_ca_file = "backends.pem" # certificate authorities to trust there besides the public ones
//! files = ["passwords.txt"]   # read, relative to the config file
//! append = { "audit.jsonl" = "64MiB" }                # appended to, up to this size; likewise
//! append = { "audit.jsonl" = { size = "64MiB", keep = 4 } }   # then renamed to audit.jsonl.1, of which so many are kept
//! secrets = { token = { file = "/run/secrets/token" }, other = { env = "OTHER" }, third = { value = "…" } }
//! kv = { default = "16MiB", "other-plugin/sessions" = true }         # own stores with a size, others' by name
//! kv = { bans = { size = "1MiB", persistent = true } }               # an own store that outlives the process
//! publish = ["alerts/#"]      # topic filters it may publish to
//! disconnect = true           # may end clients' connections
//! redirect = true             # may send clients to another server
//! admin = true                # may have pages on the admin port, below /plugins/NAME/
//! revoke = true               # may make the broker forget cached rulings
//! fields = ["password"]       # of "password" and "payload"; without this key hooks see both
//! ```
//!
//! A [`Denial`] names the exact line that would allow what was denied.

mod address;
mod destination;
mod origin;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;

pub use address::Reach;
pub use destination::Destination;
pub use origin::Origin;
pub use parse::GrantError;

use crate::topics;

/// The capabilities of one plugin. Immutable; a changed config makes a new generation.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    plugin: String,
    http: Vec<Origin>,
    http_private: bool,
    tcp: Vec<Destination>,
    tcp_private: bool,
    tcp_ca_file: Option<PathBuf>,
    files: BTreeMap<String, PathBuf>,
    append: BTreeMap<String, AppendGrant>,
    secrets: BTreeMap<String, SecretSource>,
    kv: BTreeMap<String, StoreGrant>,
    publish: Vec<String>,
    disconnect: bool,
    redirect: bool,
    revoke: bool,
    admin: bool,
    /// `None`: no `fields` key, hooks see what the contract gives them.
    fields: Option<Fields>,
}

/// Where a secret comes from. Never shown: `Debug` and [`Grants::describe`] name the source, not the value.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; one trailing line break is cut off.
    File(PathBuf),
    /// An environment variable of the broker.
    Environment(String),
    /// Written in the config.
    Value(String),
}

/// A file a plugin may append to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendGrant {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes it may have at most.
    pub bytes_max: u64,
    /// How many full ones are kept beside it, as `NAME.1`, the youngest, and so on. 0: a full file takes nothing more.
    pub keep: u32,
}

/// A key–value store a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreGrant {
    /// Its own.
    Own {
        /// Bytes that it may have at most.
        bytes_max: u64,
        /// Whether it outlives the process.
        is_persistent: bool,
    },
    /// Another plugin's, as large as that one may be.
    Foreign,
}

/// The private parts of a client's packets that hooks may see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fields {
    password: bool,
    payload: bool,
}

/// An import that is of no use without a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The interface, such as `http`.
    pub interface: &'a str,
    /// Whether anything of it is granted.
    pub is_granted: bool,
    /// A line of `allow` that grants something of it, such as `http = ["https://…"]`.
    pub line: &'static str,
}

/// A capability that was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    what: String,
    remedy: String,
}

impl Grants {
    /// No capabilities at all.
    #[must_use]
    pub fn none(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), ..Self::default() }
    }

    /// Reads the `allow` table of a plugin. Relative paths are taken from `base`, the config's directory.
    ///
    /// # Errors
    /// An unknown key or unusable value, with the key, the value and what would be accepted.
    pub fn from_json(plugin: &str, allow: &serde_json::Value, base: &Path) -> Result<Self, GrantError> {
        parse::grants(plugin, allow, base)
    }

    /// The plugin these grants are for.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Whether a request may be sent to this URL. Its host's addresses are judged by [`Grants::http_address`].
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn http(&self, url: &Url) -> Result<(), Denial> {
        let Some(asked) = Origin::of(url) else {
            return Err(Denial {
                what: format!("a request by \"{}\"", url.scheme()),
                remedy: "only http and https exist here".to_owned(),
            });
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
            Reach::Public | Reach::Local => format!("http = [\"http://{}\"]", bracketed(address)),
        };
        Err(self.denial(format!("{host} at {address}, {},", reach.words()), &line))
    }

    /// Whether any HTTP request is granted.
    #[must_use]
    pub fn any_http(&self) -> bool {
        !self.http.is_empty()
    }

    /// The granted files: as written in the config, and where they are.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// The files it may append to, as written in the config.
    pub fn append(&self) -> impl Iterator<Item = (&str, &AppendGrant)> {
        self.append.iter().map(|(name, grant)| (name.as_str(), grant))
    }

    /// The granted secrets.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &SecretSource)> {
        self.secrets.iter().map(|(name, source)| (name.as_str(), source))
    }

    /// The plugin's stores, its own and others'. A foreign store is named `plugin/store`.
    pub fn stores(&self) -> impl Iterator<Item = (&str, StoreGrant)> {
        self.kv.iter().map(|(name, grant)| (name.as_str(), *grant))
    }

    /// Whether it may publish to this topic.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn publish(&self, topic: &str) -> Result<(), Denial> {
        if self.publish.iter().any(|filter| topics::matches(filter, topic)) {
            return Ok(());
        }
        Err(self.denial(format!("publishing to \"{topic}\""), &format!("publish = [\"{topic}\"]")))
    }

    /// Whether it may end clients' connections.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn disconnect(&self) -> Result<(), Denial> {
        if self.disconnect { Ok(()) } else { Err(self.denial("disconnecting clients".to_owned(), "disconnect = true")) }
    }

    /// Whether it may send clients that are connected to another server.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn redirect(&self) -> Result<(), Denial> {
        if self.redirect { Ok(()) } else { Err(self.denial("redirecting clients".to_owned(), "redirect = true")) }
    }

    /// Whether it may have cached rulings forgotten.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn revoke(&self) -> Result<(), Denial> {
        if self.revoke { Ok(()) } else { Err(self.denial("revoking rulings".to_owned(), "revoke = true")) }
    }

    /// Whether its pages are served on the admin port.
    ///
    /// # Errors
    /// The denial, with the line that would grant it.
    pub fn admin(&self) -> Result<(), Denial> {
        if self.admin { Ok(()) } else { Err(self.denial("having pages on the admin port".to_owned(), "admin = true")) }
    }

    /// The denial of a file that is not granted.
    #[must_use]
    pub fn no_file(&self, path: &str) -> Denial {
        self.denial(format!("reading {path:?}"), &format!("files = [{path:?}]"))
    }

    /// The denial of a file that it may not append to.
    #[must_use]
    pub fn no_append(&self, path: &str) -> Denial {
        self.denial(format!("appending to {path:?}"), &format!("append = {{ {path:?} = \"64MiB\" }}"))
    }

    /// The denial of a secret that is not granted.
    #[must_use]
    pub fn no_secret(&self, name: &str) -> Denial {
        self.denial(format!("the secret {name:?}"), &format!("secrets = {{ {name:?} = {{ file = \"…\" }} }}"))
    }

    /// The denial of a store that is not granted.
    #[must_use]
    pub fn no_store(&self, name: &str) -> Denial {
        let grant = if name.contains('/') { "true" } else { "\"16MiB\"" };
        self.denial(format!("the store {name:?}"), &format!("kv = {{ {name:?} = {grant} }}"))
    }

    /// Whether `authenticate` gets the password: unless `fields` is given without it.
    #[must_use]
    pub fn shows_password(&self) -> bool {
        self.fields.is_none_or(|fields| fields.password)
    }

    /// Whether message hooks get the payload: unless `fields` is given without it.
    #[must_use]
    pub fn shows_payload(&self) -> bool {
        self.fields.is_none_or(|fields| fields.payload)
    }

    /// For an imported interface (`midge:plugin/http@0.1.0`) of which nothing is granted: what is missing, in
    /// words. The component loads all the same, since some languages import everything; each use is denied.
    #[must_use]
    pub fn unmet(&self, import: &str) -> Option<String> {
        let wanted = self.wanted(import).filter(|wanted| !wanted.is_granted)?;
        Some(self.denial(format!("{} is imported, but it", wanted.interface), wanted.line).to_string())
    }

    /// For an imported interface (`midge:plugin/http@0.1.0`) that is of no use without a grant: whether there is one.
    #[must_use]
    pub fn wanted<'a>(&self, import: &'a str) -> Option<Wanted<'a>> {
        let interface = import.strip_prefix("midge:plugin/")?.split('@').next()?;
        let (is_granted, line) = match interface {
            "http" => (!self.http.is_empty(), "http = [\"https://…\"]"),
            "tcp" => (!self.tcp.is_empty(), "tcp = [\"HOST:PORT\"]"),
            "files" => (!self.files.is_empty() || !self.append.is_empty(), "files = [\"…\"]"),
            "secrets" => (!self.secrets.is_empty(), "secrets = { NAME = { file = \"…\" } }"),
            "kv" => (!self.kv.is_empty(), "kv = { default = \"16MiB\" }"),
            "broker" => {
                (!self.publish.is_empty() || self.disconnect || self.redirect || self.revoke, "publish = [\"…\"]")
            }
            _ => return None,
        };
        Some(Wanted { interface, is_granted, line })
    }

    /// The same grants, and a file that the plugin knows under this name.
    #[must_use]
    pub fn with_file(mut self, name: &str, path: PathBuf) -> Self {
        self.files.insert(name.to_owned(), path);
        self
    }

    /// Everything granted, in words, for the start-up banner: one entry per kind of grant.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.http.is_empty() {
            let private = if self.http_private { " (private addresses too)" } else { "" };
            words.push(format!("asks {}{private}", join(&self.http)));
        }
        if self.any_tcp() {
            let private = if self.tcp_private { " (private addresses too)" } else { "" };
            words.push(format!("connects to {}{private}", join(&self.tcp)));
        }
        if !self.files.is_empty() {
            words.push(format!("reads {}", join(self.files.keys())));
        }
        for (name, AppendGrant { bytes_max, keep, .. }) in &self.append {
            let kept = if *keep == 0 { String::new() } else { format!(", {keep} full ones kept") };
            words.push(format!("appends to {name}, up to {}{kept}", parse::size_in_words(*bytes_max)));
        }
        if !self.secrets.is_empty() {
            words.push(format!("knows the secrets {}", join(self.secrets.keys())));
        }
        for (name, grant) in &self.kv {
            words.push(match grant {
                StoreGrant::Own { bytes_max, is_persistent } => {
                    let lasts = if *is_persistent { ", also over restarts" } else { "" };
                    format!("keeps up to {} in store {name}{lasts}", parse::size_in_words(*bytes_max))
                }
                StoreGrant::Foreign => format!("shares store {name}"),
            });
        }
        if !self.publish.is_empty() {
            words.push(format!("publishes to {}", join(&self.publish)));
        }
        if self.disconnect {
            words.push("disconnects clients".to_owned());
        }
        if self.redirect {
            words.push("sends clients to other servers".to_owned());
        }
        if self.revoke {
            words.push("revokes rulings".to_owned());
        }
        if self.admin {
            words.push("has pages on the admin port".to_owned());
        }
        if !self.shows_password() {
            words.push("sees no passwords".to_owned());
        }
        if !self.shows_payload() {
            words.push("sees no payloads".to_owned());
        }
        words
    }

    fn denial(&self, what: String, line: &str) -> Denial {
        let remedy = format!("in [[plugin]] {:?} this would grant it: allow.{line}", self.plugin);
        Denial { what, remedy }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not granted; {}", self.what, self.remedy)
    }
}

impl std::error::Error for Denial {}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Value(_) => f.write_str("value"),
        }
    }
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn join(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
