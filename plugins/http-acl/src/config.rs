//! The plugin's `config` table.

use std::collections::BTreeMap;

use decisions::service::{Answers, Settings};
use serde::Deserialize;

/// Which service, and how to ask it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Questions are POSTed here.
    url: String,
    /// When it is asked.
    #[serde(default)]
    pub(crate) ask: Ask,
    /// What counts as an answer.
    #[serde(default)]
    pub(crate) answers: Answers,
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
    #[serde(default = "defaults::cache_s")]
    cache_s: u32,
    /// The same for a refusal.
    #[serde(default = "defaults::cache_s")]
    deny_cache_s: u32,
}

/// When the service is asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ask {
    /// Once per client, for rules.
    #[default]
    Once,
    /// For each publish and subscribe.
    Actions,
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

    pub(super) fn cache_s() -> u32 {
        60
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
