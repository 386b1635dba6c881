//! The plugin's `config` table.

use decisions::service::{Reuse, Settings};
use serde::Deserialize;

/// Which service, and how to ask it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// When it is asked.
    #[serde(default)]
    pub(crate) ask: Ask,
    /// The service.
    #[serde(flatten)]
    pub(crate) service: Settings,
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

/// How long answers are used again, unless somebody says otherwise.
pub(crate) const REUSE: Reuse = Reuse { answer_s: 60, refusal_s: 60 };
