//! The plugin's `config` table.

use std::collections::BTreeMap;

use decisions::service::{Answers, Settings};
use serde::Deserialize;

/// Which service, how to ask it, and what to tell it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Questions are POSTed here.
    url: String,
    /// What counts as an answer.
    #[serde(default)]
    pub(crate) answers: Answers,
    /// What the service is told besides.
    #[serde(default)]
    pub(crate) facts: Vec<Fact>,
    /// Sent with every question.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers whose values are granted secrets.
    #[serde(default)]
    secret_headers: BTreeMap<String, String>,
    /// A granted secret, sent as `authorization: Bearer …`.
    bearer_secret: Option<String>,
    /// How long one answer may take.
    #[serde(default = "defaults::timeout_ms")]
    timeout_ms: u32,
    /// How often a question is asked again at once.
    #[serde(default = "defaults::retries")]
    retries: u32,
    /// The longest pause the service may ask for.
    #[serde(default = "defaults::pause_max_s")]
    pause_max_s: u32,
    /// How long an answer may be used again, unless the service says.
    #[serde(default)]
    cache_s: u32,
    /// The same for a refusal.
    #[serde(default = "defaults::deny_cache_s")]
    deny_cache_s: u32,
}

/// A fact that services rarely need. Answers that may depend on one are used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fact {
    /// The names in the client certificate.
    AlternativeNames,
    /// The SHA-256 digest of the client certificate.
    CertificateFingerprint,
    /// The TLS server name the client asked for.
    ServerName,
    /// The User Properties of CONNECT.
    UserProperties,
}

mod defaults {
    pub(super) fn timeout_ms() -> u32 {
        3000
    }

    pub(super) fn retries() -> u32 {
        1
    }

    pub(super) fn pause_max_s() -> u32 {
        60
    }

    pub(super) fn deny_cache_s() -> u32 {
        5
    }
}

impl Config {
    /// The part of it that is about the service.
    pub(crate) fn settings(self) -> Settings {
        Settings {
            url: self.url,
            headers: self.headers,
            secret_headers: self.secret_headers,
            bearer_secret: self.bearer_secret,
            timeout_ms: self.timeout_ms,
            retries: self.retries,
            pause_max_s: self.pause_max_s,
            cache_s: self.cache_s,
            deny_cache_s: self.deny_cache_s,
        }
    }
}
