//! The plugin's `config` table.

use std::collections::BTreeMap;

use endpoint::Settings;
use midge_plugin_sdk::Event;
use serde::Deserialize;

use crate::line::FIELDS;

/// What to write down, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// A file that is granted for appending.
    pub(crate) file: Option<String>,
    /// Or an endpoint that batches are POSTed to.
    pub(crate) url: Option<String>,
    /// Kinds that are wanted; empty = all.
    #[serde(default)]
    kinds: Vec<String>,
    /// Kinds that are not wanted.
    #[serde(default)]
    except_kinds: Vec<String>,
    /// Client ids that are wanted; empty = all, and events that are about no client.
    #[serde(default)]
    clients: Vec<String>,
    /// Principals that are wanted; empty = all, and events that name none.
    #[serde(default)]
    principals: Vec<String>,
    /// What is done to fields that should not be read.
    #[serde(default)]
    pub(crate) redact: BTreeMap<String, How>,
    /// The name of a granted secret that hashes begin with.
    pub(crate) salt_secret: Option<String>,
    /// Events in one request.
    #[serde(default = "defaults::batch_max")]
    pub(crate) batch_max: usize,
    /// Events that may wait for the endpoint.
    #[serde(default = "defaults::buffer_max")]
    pub(crate) buffer_max: usize,
    /// How to speak to the endpoint.
    #[serde(flatten)]
    pub(crate) endpoint: Settings,
}

/// What becomes of a field that should not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// A digest stands in its place: equal values stay equal.
    Hash,
    /// It is left out.
    Remove,
}

mod defaults {
    pub(super) fn batch_max() -> usize {
        100
    }

    pub(super) fn buffer_max() -> usize {
        10_000
    }
}

impl Config {
    /// What serde cannot see.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn check(self) -> Result<Self, String> {
        let wrong = |key: &str, value: &dyn std::fmt::Display, expected: &str| {
            Err(format!("config: {key} = {value}: {expected}"))
        };
        self.endpoint.check()?;
        if let Some(field) = self.redact.keys().find(|field| !is_field(field)) {
            let known = FIELDS.join(", ");
            return Err(format!("config: redact.{field}: there is no such field; there are {known} and detail.NAME"));
        }
        if self.batch_max == 0 {
            return wrong("batch_max", &0, "must be at least 1");
        }
        if self.buffer_max < self.batch_max {
            return wrong(
                "buffer_max",
                &self.buffer_max,
                &format!("must be at least batch_max, which is {}", self.batch_max),
            );
        }
        Ok(self)
    }

    /// Whether an event is to be written down. That some were lost always is.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        let is_one_of = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        let is_about = |patterns: &[String], whom: &Option<String>| {
            patterns.is_empty() || whom.as_deref().is_some_and(|whom| is_one_of(patterns, whom))
        };
        event.kind == "events.lost"
            || ((self.kinds.is_empty() || is_one_of(&self.kinds, &event.kind))
                && !is_one_of(&self.except_kinds, &event.kind)
                && is_about(&self.clients, &event.client_id)
                && is_about(&self.principals, &event.principal))
    }
}

/// How long the endpoint may take, unless the operator says.
pub(crate) const TIMEOUT_MS: u32 = 2_000;

fn is_field(name: &str) -> bool {
    FIELDS.contains(&name) || name.strip_prefix("detail.").is_some_and(|name| !name.is_empty())
}

/// Whether text is as a pattern says, in which each `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some((_, after)) = rest.split_once(before) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("client.*", "client.connected"),
            ("*.denied", "authz.denied"),
            ("a*b*c", "a1b2c"),
            ("a*b*c", "abbc"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a", "ab"), ("a", ""), ("client.*", "session.created"), ("a*b*c", "acb"), ("*a", "ab"), ("a*a", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
