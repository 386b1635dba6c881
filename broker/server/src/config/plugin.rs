//! `[[plugin]]` and `[chains]`: which plugins run, what they may, and in which order they are asked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One plugin as the operator configured it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plugin {
    /// Its name in logs, metrics and chains.
    pub name: String,
    /// Where the component is.
    #[serde(rename = "path")]
    pub source: PluginSource,
}

/// Where a plugin's component comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PluginSource {
    /// A file.
    File(PathBuf),
    /// `bundled:NAME`: built into this binary.
    Bundled(String),
}

impl From<String> for PluginSource {
    fn from(text: String) -> Self {
        match text.strip_prefix("bundled:") {
            Some(name) => Self::Bundled(name.into()),
            None => Self::File(text.into()),
        }
    }
}

impl From<PluginSource> for String {
    fn from(source: PluginSource) -> Self {
        match source {
            PluginSource::File(path) => path.display().to_string(),
            PluginSource::Bundled(name) => format!("bundled:{name}"),
        }
    }
}

/// `[chains]`: the order in which plugins are asked, for hooks where it is not the order of appearance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chains {
    /// Who is this?
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authn: Vec<String>,
    /// May it do that?
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authz: Vec<String>,
    /// Change, drop, multiply or refuse a message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}
