//! Where keys come from.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use midge_plugin_sdk::files::Watched;
use midge_plugin_sdk::{secrets, warn};

use crate::algorithm::{Algorithm, Kind};
use crate::config::{Config, Encoding};
use crate::keys::{Key, KeySet};
use crate::remote::{Pace, Remote};

/// The one source of keys.
pub(crate) enum Source {
    /// Secrets, loaded with the plugin.
    Secrets(KeySet),
    /// A file, read again when it changes.
    File(Watched<KeySet>),
    /// A URL.
    Url(Box<Remote>),
}

impl Source {
    /// Opens the source that the config names.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    pub(crate) fn open(config: &Config, now_ms: u64) -> Result<Self, String> {
        if let Some(path) = &config.keys_file {
            return Watched::open(path, parse_file).map(Self::File);
        }
        if let Some(url) = &config.keys_url {
            let Config { timeout_ms, refresh_s, refresh_min_s, stale_max_s, .. } = *config;
            let pace = Pace { timeout_ms, refresh_s, refresh_min_s, stale_max_s };
            let mut remote = Remote::new(url.clone(), &pace, config.store.clone());
            remote.open(now_ms)?;
            return Ok(Self::Url(Box::new(remote)));
        }
        let algorithms = config.algorithms()?;
        let keys = config.secrets.iter().map(|name| secret(name, config.secret_encoding, &algorithms));
        keys.collect::<Result<_, _>>().map(KeySet::of).map(Self::Secrets)
    }

    /// The keys there are.
    ///
    /// # Errors
    /// There are none that may be used: a failure, and nobody's fault who wants to come in.
    pub(crate) fn keys(&mut self, now_ms: u64) -> Result<&KeySet, String> {
        match self {
            Self::Secrets(keys) => Ok(keys),
            Self::File(watched) => Ok(watched.get()),
            Self::Url(remote) => remote.keys(now_ms),
        }
    }

    /// Looks for a key that is not among them; says whether it is worth another look.
    pub(crate) fn look_again(&mut self, now_ms: u64) -> bool {
        match self {
            Self::Secrets(_) | Self::File(_) => false,
            Self::Url(remote) => remote.look_again(now_ms),
        }
    }

    /// How long a key that is not there stays away, at least.
    pub(crate) fn pause_ms(&self) -> u64 {
        match self {
            Self::Secrets(_) => u64::MAX,
            // As often as the broker looks for changes of files.
            Self::File(_) => 1000,
            Self::Url(remote) => remote.pause_ms(),
        }
    }
}

fn parse_file(text: &str) -> Result<KeySet, String> {
    let keys = KeySet::parse(text)?;
    keys.skipped.iter().for_each(|why| warn!("a key is not used: {why}"));
    Ok(keys)
}

fn secret(name: &str, encoding: Encoding, algorithms: &[&'static Algorithm]) -> Result<Key, String> {
    let bytes = secrets::secret(name)
        .map_err(|why| format!("config: secrets: \"{name}\": {why:?}; grant it with allow.secrets"))?;
    let bytes = match encoding {
        Encoding::Text => bytes,
        Encoding::Base64 => decode(&bytes).ok_or_else(|| format!("the secret {name} is not base64"))?,
    };
    let least = algorithms.iter().map(|algorithm| algorithm.secret_bytes_min()).max().unwrap_or_default();
    if bytes.len() < least {
        let found = bytes.len();
        return Err(format!(
            "the secret {name} has {found} bytes; its algorithms need at least {least} (RFC 7518, 3.2)"
        ));
    }
    Ok(Key { id: Some(name.to_owned()), kind: Kind::Secret, algorithm: None, bytes })
}

/// Base64 of either alphabet, with padding or without.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabets = [alphabet::STANDARD, alphabet::URL_SAFE];
    alphabets.iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}
