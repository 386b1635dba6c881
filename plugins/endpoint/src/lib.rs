//! An HTTP endpoint that batches are POSTed to: its part of a plugin's config, and what became of a batch. A library of the
//! bundled plugins; not a plugin.

use std::collections::BTreeMap;

use midge_plugin_sdk::http::{self, Request, Response};
use midge_plugin_sdk::secrets;
use serde::Deserialize;

/// How to speak to an endpoint, as a part of a plugin's `config` table.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Sent with every request.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The name of a granted secret, sent as `authorization: Bearer …`.
    bearer_secret: Option<String>,
    /// How long the endpoint may take; unless said, as the plugin has it.
    timeout_ms: Option<u32>,
    /// The pause after the first failure; it doubles with each.
    #[serde(default = "defaults::retry_min_ms")]
    retry_min_ms: u32,
    /// The longest pause.
    #[serde(default = "defaults::retry_max_ms")]
    retry_max_ms: u32,
}

mod defaults {
    pub(super) fn retry_min_ms() -> u32 {
        500
    }

    pub(super) fn retry_max_ms() -> u32 {
        60_000
    }
}

/// An endpoint that can be spoken to.
pub struct Endpoint {
    url: String,
    /// All of them, values of secrets included.
    headers: Vec<(String, String)>,
    timeout_ms: u32,
    retry_min_ms: u32,
    retry_max_ms: u32,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// A success.
    Delivered,
    /// Never will just this be taken.
    Refused(String),
    /// It may go better later.
    Failed {
        /// In words for the log.
        why: String,
        /// In how many milliseconds, if the endpoint says so.
        pause_ms: Option<u32>,
    },
}

impl Settings {
    /// What serde cannot see.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub fn check(&self) -> Result<(), String> {
        if self.timeout_ms == Some(0) {
            return Err("config: timeout_ms = 0: must be at least 1".to_owned());
        }
        if self.retry_min_ms == 0 || self.retry_min_ms > self.retry_max_ms {
            let (min, max) = (self.retry_min_ms, self.retry_max_ms);
            return Err(format!("config: retry_min_ms = {min}: must be 1 to retry_max_ms, which is {max}"));
        }
        Ok(())
    }
}

impl Endpoint {
    /// The endpoint at `url`, which may take `timeout_ms` to answer unless the operator says otherwise. Nothing is sent yet.
    ///
    /// # Errors
    /// The key of the config, its value and what would be accepted.
    pub fn open(url: &str, settings: &Settings, timeout_ms: u32) -> Result<Self, String> {
        check_url("url", url)?;
        settings.check()?;
        let mut headers: Vec<(String, String)> = settings.headers.clone().into_iter().collect();
        if let Some(name) = &settings.bearer_secret {
            headers.push(bearer("bearer_secret", name)?);
        }
        Ok(Self {
            url: url.to_owned(),
            headers,
            timeout_ms: settings.timeout_ms.unwrap_or(timeout_ms),
            retry_min_ms: settings.retry_min_ms,
            retry_max_ms: settings.retry_max_ms,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// POSTs a body.
    pub fn post(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Fate {
        let mut request = Request::post(&self.url, content_type, body).timeout_ms(self.timeout_ms);
        request.headers.extend(self.headers.iter().cloned());
        match http::send(&request) {
            Ok(response) => Fate::of(&response),
            Err(error) => Fate::Failed { why: http::describe(&error).to_string(), pause_ms: None },
        }
    }

    /// How long to wait after a failure, with so many in a row before it.
    #[must_use]
    pub fn pause_ms(&self, before: u32) -> u32 {
        let doubled = 1_u32.checked_shl(before).and_then(|factor| self.retry_min_ms.checked_mul(factor));
        doubled.map_or(self.retry_max_ms, |pause| pause.min(self.retry_max_ms))
    }

    /// The longest pause.
    #[must_use]
    pub fn pause_max_ms(&self) -> u32 {
        self.retry_max_ms
    }
}

impl Fate {
    /// Only a status that speaks of the content refuses it. Others, such as 401 or 404, speak of a configuration that
    /// somebody can mend, and nothing should be lost meanwhile.
    fn of(response: &Response) -> Self {
        let why = format!("the endpoint answered {}", response.status);
        match response.status {
            _ if response.is_success() => Self::Delivered,
            400 | 413 | 415 | 422 => Self::Refused(why),
            _ => {
                let seconds: Option<u32> = response.header("retry-after").and_then(|value| value.trim().parse().ok());
                Self::Failed { why, pause_ms: seconds.map(|seconds| seconds.saturating_mul(1000)) }
            }
        }
    }
}

/// Whether requests can go there.
///
/// # Errors
/// The key of the config, its value and what would be accepted.
pub fn check_url(key: &str, url: &str) -> Result<(), String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    Err(format!("config: {key} = \"{url}\": must start with http:// or https://"))
}

/// The header that shows a granted secret.
///
/// # Errors
/// The key that names the secret, and why it is not there.
pub fn bearer(key: &str, name: &str) -> Result<(String, String), String> {
    Ok(("authorization".to_owned(), format!("Bearer {}", text_secret(key, name)?)))
}

/// A granted secret that can stand in a header.
///
/// # Errors
/// The key that names the secret, and why it is not there.
pub fn text_secret(key: &str, name: &str) -> Result<String, String> {
    String::from_utf8(secret(key, name)?).map_err(|_| format!("config: {key} = \"{name}\": the secret is not text"))
}

/// A granted secret, without the line break that files end with.
///
/// # Errors
/// The key that names the secret, and why it is not there.
pub fn secret(key: &str, name: &str) -> Result<Vec<u8>, String> {
    let secret = secrets::secret(name)
        .map_err(|why| format!("config: {key} = \"{name}\": {why:?}; grant it with allow.secrets"))?;
    Ok(secret.trim_ascii_end().to_vec())
}

#[cfg(test)]
mod tests;
