//! The plugin's `config` table.

use decisions::service::{Reuse, Settings};
use serde::Deserialize;

/// Which service, how to ask it, and what to tell it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What the service is told besides.
    #[serde(default)]
    pub(crate) facts: Vec<Fact>,
    /// The service.
    #[serde(flatten)]
    pub(crate) service: Settings,
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

/// How long answers are used again, unless somebody says otherwise.
pub(crate) const REUSE: Reuse = Reuse { answer_s: 0, refusal_s: 5 };
