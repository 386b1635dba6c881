//! Reading a configuration: file, then command line and environment, then what they mean together.

use std::fs;
use std::path::Path;

use super::check::{Document, Origins, Source};
use super::error::{ConfigError, Origin, Problem};
use super::file::File;
use super::{Config, meaning};

/// A value that goes before the file's, from the command line or the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key, such as `log.filter`.
    pub key: &'static str,
    /// The text of the value.
    pub value: String,
    /// The option or variable that it came from.
    pub origin: String,
}

impl Config {
    /// Reads the file, or takes the defaults where there is none. Relative paths in it start from its directory.
    ///
    /// # Errors
    /// Everything that is wrong with it: file, line, key, value and what would be accepted.
    pub fn load(path: Option<&Path>, overrides: &[Override]) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::read("", "", Path::new(""), overrides);
        };
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            ConfigError::one(Problem::file(Origin::Argument(name.clone()), format!("cannot be read: {error}")))
        })?;
        Self::read(&name, &text, path.parent().unwrap_or(Path::new("")), overrides)
    }

    /// Reads a configuration from its text; `file` is its name in messages, `base` where relative paths start.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(file: &str, text: &str, base: &Path, overrides: &[Override]) -> Result<Self, ConfigError> {
        let failed = |problems| ConfigError { problems };
        let document = Document { source: Source::File(file), text };
        let mut origins = document.check().map_err(failed)?;
        let mut table = parse(&document)?;
        for given in overrides {
            let text = format!("{} = {}", given.key, toml::Value::String(given.value.clone()));
            let document = Document { source: Source::Argument(&given.origin), text: &text };
            origins.extend(document.check().map_err(failed)?);
            merge(&mut table, parse(&document)?);
        }
        // What the check let through has the right form; that both agree is tested key by key.
        let file = table.try_into::<File>().map_err(|error| not_toml(&document, &error))?;
        let mut config = meaning::meaning(file, origins, base).map_err(failed)?;
        let plugins = std::mem::take(&mut config.plugins);
        let settled = config.settle(|listener| plugins.iter().any(|plugin| plugin.may_authenticate(listener)));
        config.plugins = plugins;
        settled?;
        Ok(config)
    }

    /// Where each key was written.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }
}

fn parse(document: &Document<'_>) -> Result<toml::Table, ConfigError> {
    document.text.parse::<toml::Table>().map_err(|error| not_toml(document, &error))
}

fn not_toml(document: &Document<'_>, error: &toml::de::Error) -> ConfigError {
    ConfigError::one(Problem::file(document.origin(&error.span().unwrap_or(0..0)), error.message()))
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
