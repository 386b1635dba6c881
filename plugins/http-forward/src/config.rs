//! The plugin's `config` table.

use endpoint::Settings;
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
    /// How to speak to the endpoint.
    #[serde(flatten)]
    pub(crate) endpoint: Settings,
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

/// How long the endpoint may take, unless the operator says.
pub(crate) const TIMEOUT_MS: u32 = 10_000;
