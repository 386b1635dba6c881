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
mod denial;
mod destination;
mod origin;
mod parse;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use address::Reach;
pub use denial::Denial;
pub use destination::Destination;
pub use origin::Origin;
pub use parse::GrantError;
pub use words::Wanted;

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

    /// The same grants, and a file that the plugin knows under this name.
    #[must_use]
    pub fn with_file(mut self, name: &str, path: PathBuf) -> Self {
        self.files.insert(name.to_owned(), path);
        self
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Value(_) => f.write_str("value"),
        }
    }
}

#[cfg(test)]
mod tests;
