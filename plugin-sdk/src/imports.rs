//! What the broker does for plugins. In a component these are the imports of `wit/imports.wit`; elsewhere the test
//! doubles of `testing` stand in.

pub mod http;
pub mod tcp;
mod watched;

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::midge::plugin as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::host;

/// The functions behind [`log!`](crate::log!) and its kin.
pub mod log {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::log::Level;

    /// Whether anyone reads this level.
    #[must_use]
    pub fn enabled(level: Level) -> bool {
        host::log::enabled(level)
    }

    /// Writes one line with fields. Never put credentials in.
    pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
        host::log::write(level, message, fields);
    }
}

/// The plugin's own `config` table.
pub mod config {
    use serde::de::DeserializeOwned;

    use super::host;

    /// The whole table as a type of yours; `#[serde(deny_unknown_fields)]` catches misspelt keys.
    ///
    /// # Errors
    /// What does not fit, in words for the operator; a good answer to [`Lifecycle::init`](crate::Lifecycle::init).
    pub fn config<T: DeserializeOwned>() -> Result<T, String> {
        serde_json::from_str(&host::config::json()).map_err(|error| {
            // The place in the JSON means nothing to an operator who wrote TOML.
            let text = error.to_string();
            let cut = text.rfind(" at line ").unwrap_or(text.len());
            format!("config: {}", &text[..cut])
        })
    }

    /// A scalar by dotted path, as text.
    #[must_use]
    pub fn text(path: &str) -> Option<String> {
        host::config::get(path)
    }
}

/// The facts behind identity ids.
pub mod identities {
    use super::host;
    use crate::{Identity, IdentityId};

    /// The identity of this id; `None` when it is gone.
    #[must_use]
    pub fn identity(id: IdentityId) -> Option<Identity> {
        host::identities::get(id)
    }
}

/// Time and randomness: `SystemTime::now` and `Instant::now` trap in a component.
pub mod clock {
    use super::host;

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now() -> u64 {
        host::clock::unix_ms()
    }

    /// Nanoseconds since some moment; never goes back.
    #[must_use]
    pub fn monotonic_ns() -> u64 {
        host::clock::monotonic_ns()
    }

    /// Unpredictable bytes; at most 65536.
    #[must_use]
    pub fn random(length: u32) -> Vec<u8> {
        host::clock::random(length)
    }
}

/// Metrics of the plugin's own, named `midge_custom_METRIC` with the label `plugin`.
pub mod metrics {
    use super::host;

    /// Adds to a counter.
    pub fn add(counter: &str, labels: &[(&str, &str)], by: u64) {
        host::metrics::add(counter, &owned(labels), by);
    }

    /// Sets a gauge.
    pub fn set(gauge: &str, labels: &[(&str, &str)], to: f64) {
        host::metrics::set(gauge, &owned(labels), to);
    }

    /// Records a value in a histogram.
    pub fn observe(histogram: &str, labels: &[(&str, &str)], value: f64) {
        host::metrics::observe(histogram, &owned(labels), value);
    }

    fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

/// Secrets granted in the config.
pub mod secrets {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::secrets::Error;

    /// The bytes of a secret.
    ///
    /// # Errors
    /// When the config grants no such secret, or there was nothing to load.
    pub fn secret(name: &str) -> Result<Vec<u8>, Error> {
        host::secrets::get(name)
    }
}

/// Memory that all instances of the plugin share and that outlives reloads. Stores are granted in the config.
pub mod kv {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::kv::Error;

    /// The value under a key.
    ///
    /// # Errors
    /// When the config grants no such store.
    pub fn get(store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        host::kv::get(store, key)
    }

    /// Sets a value for `ttl_ms` milliseconds; 0 = as long as there is room.
    ///
    /// # Errors
    /// When the config grants no such store, or the entry alone is larger than it.
    pub fn set(store: &str, key: &str, value: &[u8], ttl_ms: u64) -> Result<(), Error> {
        host::kv::set(store, key, value, ttl_ms)
    }

    /// Removes a key; says whether it was there.
    ///
    /// # Errors
    /// When the config grants no such store.
    pub fn delete(store: &str, key: &str) -> Result<bool, Error> {
        host::kv::delete(store, key)
    }

    /// Adds to a number kept as decimal text and returns the sum; `ttl_ms` counts from its creation.
    ///
    /// # Errors
    /// When the config grants no such store.
    pub fn increment(store: &str, key: &str, by: i64, ttl_ms: u64) -> Result<i64, Error> {
        host::kv::increment(store, key, by, ttl_ms)
    }
}

/// Files granted in the config: small ones, kept in memory by the broker, and ones to append to.
pub mod files {
    use super::host;
    pub use super::watched::{Watched, lines};
    pub use crate::bindings::imports::midge::plugin::files::{AppendError, Error};

    /// The bytes of a file.
    ///
    /// # Errors
    /// When the config does not grant the path, or the file cannot be read or is too large.
    pub fn read(path: &str) -> Result<Vec<u8>, Error> {
        host::files::read(path)
    }

    /// A number that changes whenever [`read`] would answer differently: cheap enough to ask on every call.
    ///
    /// # Errors
    /// As [`read`].
    pub fn version(path: &str) -> Result<u64, Error> {
        host::files::version(path)
    }

    /// Adds a record at the end of a file. It waits in the broker's queue to be written; nothing here ever does.
    ///
    /// # Errors
    /// When the config does not grant it, too much waits already, or the file is as large as it may grow. The broker has
    /// counted what it did not take.
    pub fn append(path: &str, record: &[u8]) -> Result<(), AppendError> {
        host::files::append(path, record)
    }

    impl AppendError {
        /// What to tell the operator about `path`.
        #[must_use]
        pub fn about(&self, path: &str) -> String {
            match self {
                Self::NotGranted => {
                    format!(
                        "{path}: not granted; add allow = {{ append = {{ \"{path}\" = \"64MiB\" }} }} to this plugin"
                    )
                }
                Self::OverQuota => format!("{path}: full, or too much waits to be written to it"),
            }
        }
    }

    impl Error {
        /// What to tell the operator about `path`.
        #[must_use]
        pub fn about(&self, path: &str) -> String {
            match self {
                Self::NotGranted => {
                    format!("{path}: not granted; add allow = {{ files = [\"{path}\"] }} to this plugin")
                }
                Self::Unreadable(why) => format!("{path}: {why}"),
                Self::TooLarge => format!("{path}: too large"),
            }
        }
    }
}

/// Native cryptography.
pub mod crypto {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::crypto::{Algorithm, Error};

    /// Whether the signature is right. `key`: raw bytes for HS*, otherwise SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When key or input are unusable.
    pub fn verify(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error> {
        host::crypto::verify(algorithm, key, message, signature)
    }

    /// SHA-256, 32 bytes.
    #[must_use]
    pub fn sha256(data: &[u8]) -> Vec<u8> {
        host::crypto::sha256(data)
    }

    /// SHA-512, 64 bytes.
    #[must_use]
    pub fn sha512(data: &[u8]) -> Vec<u8> {
        host::crypto::sha512(data)
    }
}

/// Password hashes.
pub mod passwords {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::passwords::Error;

    /// Whether the password belongs to the hash, a PHC string. Waits; the client it is asked for waits with it.
    ///
    /// # Errors
    /// When the hash is not understood, or too many verifications are waiting.
    pub fn verify(encoded: &str, password: &[u8]) -> Result<bool, Error> {
        host::passwords::verify(encoded, password)
    }
}

/// Acting on the broker; each function is granted in the config and takes effect after the hook has returned.
pub mod broker {
    use super::host;
    pub use crate::bindings::imports::midge::plugin::broker::Error;
    use crate::{Message, Redirection};

    /// Publishes a message. No plugin sees its own messages.
    ///
    /// # Errors
    /// When the config does not grant the topic, the message is not valid, or too many are waiting.
    pub fn publish(message: &Message) -> Result<(), Error> {
        host::broker::publish(message)
    }

    /// Ends a client's connection with this reason code, and its session too unless `keep_session`.
    ///
    /// # Errors
    /// When the config does not grant it, or there is no such client.
    pub fn disconnect(client_id: &str, code: u8, keep_session: bool) -> Result<(), Error> {
        host::broker::disconnect(client_id, code, keep_session)
    }

    /// Ends a client's connection and sends it to another server. Its session stays.
    ///
    /// # Errors
    /// When the config does not grant it, or the server reference is not valid.
    pub fn redirect(client_id: &str, to: &Redirection) -> Result<(), Error> {
        host::broker::redirect(client_id, to)
    }

    /// Has the broker forget its remembered answers about a principal.
    ///
    /// # Errors
    /// When the config does not grant it.
    pub fn revoke(principal: &str) -> Result<(), Error> {
        host::broker::revoke(principal)
    }
}
