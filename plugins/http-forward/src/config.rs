//! The plugin's `config` table.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where to send what, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Batches are POSTed here.
    pub(crate) url: String,
    /// Topic filters; empty = everything the broker's `topics` of this plugin names.
    #[serde(default)]
    pub(crate) topics: Vec<String>,
    /// How payloads are written.
    #[serde(default)]
    pub(crate) payload: Payload,
    /// Sent with every request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The name of a granted secret, sent as `authorization: Bearer …`.
    pub(crate) bearer_secret: Option<String>,
    /// How long the endpoint may take.
    #[serde(default = "defaults::timeout_ms")]
    pub(crate) timeout_ms: u32,
    /// The pause after the first failure; it doubles with each.
    #[serde(default = "defaults::retry_min_ms")]
    pub(crate) retry_min_ms: u32,
    /// The longest pause.
    #[serde(default = "defaults::retry_max_ms")]
    pub(crate) retry_max_ms: u32,
}

/// How payloads are written in JSON.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Payload {
    /// As text where it is UTF-8, else as base64.
    #[default]
    Auto,
    /// Always as base64.
    Base64,
}

mod defaults {
    pub(super) fn timeout_ms() -> u32 {
        10_000
    }

    pub(super) fn retry_min_ms() -> u32 {
        500
    }

    pub(super) fn retry_max_ms() -> u32 {
        60_000
    }
}

impl Config {
    /// What serde cannot see.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn check(self) -> Result<Self, String> {
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return Err(format!("config: url = \"{}\": must start with http:// or https://", self.url));
        }
        if self.timeout_ms == 0 {
            return Err("config: timeout_ms = 0: must be at least 1".to_owned());
        }
        if self.retry_min_ms == 0 || self.retry_min_ms > self.retry_max_ms {
            let (min, max) = (self.retry_min_ms, self.retry_max_ms);
            return Err(format!("config: retry_min_ms = {min}: must be 1 to retry_max_ms, which is {max}"));
        }
        Ok(self)
    }

    /// How long to wait after `attempt` failures before this one.
    pub(crate) fn pause_ms(&self, attempt: u32) -> u32 {
        let doubled = 1_u32.checked_shl(attempt).and_then(|factor| self.retry_min_ms.checked_mul(factor));
        doubled.map_or(self.retry_max_ms, |pause| pause.min(self.retry_max_ms))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use serde_json::json;

    use super::*;

    fn config(table: serde_json::Value) -> Result<Config, String> {
        serde_json::from_value::<Config>(table).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn the_pause_doubles_up_to_its_maximum() {
        let config = config(json!({ "url": "http://h", "retry_min_ms": 100, "retry_max_ms": 1000 })).unwrap();
        let pauses: Vec<u32> = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|attempt| config.pause_ms(attempt)).to_vec();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000, 1000]);
    }

    #[test]
    fn wrong_values_are_refused_with_what_would_be_accepted() {
        assert!(config(json!({})).is_err_and(|why| why.contains("missing field `url`")));
        assert!(config(json!({ "url": "ftp://h" })).is_err_and(|why| why.contains("http:// or https://")));
        assert!(config(json!({ "url": "http://h", "timeout_ms": 0 })).is_err_and(|why| why.contains("at least 1")));
        let refused = config(json!({ "url": "http://h", "retry_min_ms": 70_000 }));
        assert!(refused.is_err_and(|why| why.contains("must be 1 to retry_max_ms, which is 60000")));
        assert!(config(json!({ "url": "http://h", "uri": 1 })).is_err_and(|why| why.contains("unknown field `uri`")));
    }
}
