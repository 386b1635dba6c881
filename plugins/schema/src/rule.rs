//! One rule: what it is for, what must be so, and what becomes of a message where it is not.

use midge_plugin_sdk::Message;
use midge_plugin_sdk::files::Watched;
use serde::Deserialize;
use serde_json::Value;
use topics::{Filter, Groups, Template};

use crate::json::JsonSchema;

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    filter: String,
    schema: Option<Value>,
    schema_file: Option<String>,
    #[serde(default)]
    utf8: bool,
    max_bytes: Option<usize>,
    content_type: Option<Vec<String>>,
    #[serde(default)]
    content_type_required: bool,
    #[serde(default)]
    empty: Empty,
    #[serde(default)]
    on_failure: OnFailure,
    divert_to: Option<String>,
}

/// What to do about empty payloads, which clear a retained message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Empty {
    #[default]
    Check,
    Allow,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnFailure {
    #[default]
    Refuse,
    Drop,
    Divert,
}

/// A rule that can be followed.
pub(crate) struct Rule {
    pub(crate) filter: Filter,
    pub(crate) fate: Fate,
    schema: Option<Source>,
    utf8: bool,
    max_bytes: Option<usize>,
    content_type: Option<Vec<String>>,
    content_type_required: bool,
    empty: Empty,
}

/// What becomes of a message that is not as it must be.
pub(crate) enum Fate {
    Refuse,
    Drop,
    Divert(Template),
}

enum Source {
    Config(Box<JsonSchema>),
    File(Box<Watched<JsonSchema>>),
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// The key of the rule, and what is wrong with it.
    pub(crate) fn read(rule: Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(rule).map_err(|error| format!(": {error}"))?;
        let text = &written.filter;
        let filter = Filter::parse(text).map_err(|why| format!(".filter = {text:?}: {why}"))?;
        let groups = Groups { count: filter.groups(), names: Vec::new() };
        let fate = match (written.on_failure, &written.divert_to) {
            (OnFailure::Refuse, None) => Fate::Refuse,
            (OnFailure::Drop, None) => Fate::Drop,
            (OnFailure::Divert, Some(text)) => {
                Fate::Divert(Template::parse(text, &groups).map_err(|why| format!(".divert_to = {text:?}: {why}"))?)
            }
            (OnFailure::Divert, None) => return Err(".on_failure = \"divert\": needs `divert_to`".to_owned()),
            (_, Some(_)) => return Err(".divert_to: is for on_failure = \"divert\"".to_owned()),
        };
        let schema = match (written.schema, written.schema_file) {
            (Some(_), Some(_)) => return Err(": `schema` and `schema_file` are alternatives; say one".to_owned()),
            (Some(schema), None) => {
                let schema = JsonSchema::of(&schema).map_err(|why| format!(".schema: {why}"))?;
                Some(Source::Config(Box::new(schema)))
            }
            (None, Some(path)) => {
                let watched = Watched::open(path, JsonSchema::parse).map_err(|why| format!(".schema_file: {why}"))?;
                Some(Source::File(Box::new(watched)))
            }
            (None, None) => None,
        };
        let rule = Self {
            filter,
            fate,
            schema,
            utf8: written.utf8,
            max_bytes: written.max_bytes,
            content_type: written.content_type,
            content_type_required: written.content_type_required,
            empty: written.empty,
        };
        if rule.content_type_required && rule.content_type.is_none() {
            return Err(".content_type_required = true: needs `content_type`".to_owned());
        }
        if rule.schema.is_none() && !rule.utf8 && rule.max_bytes.is_none() && rule.content_type.is_none() {
            return Err(
                ": checks nothing; say `schema`, `schema_file`, `utf8`, `max_bytes` or `content_type`".to_owned()
            );
        }
        Ok(rule)
    }

    /// Checks a message. The cheapest first.
    ///
    /// # Errors
    /// What is wrong, in words for its publisher. They name no value of the payload.
    pub(crate) fn check(&mut self, message: &Message) -> Result<(), String> {
        let payload = &message.payload;
        if payload.is_empty() && self.empty == Empty::Allow {
            return Ok(());
        }
        if let Some(max) = self.max_bytes.filter(|max| payload.len() > *max) {
            return Err(format!("max_bytes: the payload has {} bytes and may have {max}", payload.len()));
        }
        if let Some(accepted) = &self.content_type {
            self.check_content_type(message.content_type.as_deref(), accepted)?;
        }
        if self.utf8 && std::str::from_utf8(payload).is_err() {
            return Err("utf8: the payload is not UTF-8".to_owned());
        }
        match &mut self.schema {
            None => Ok(()),
            Some(Source::Config(schema)) => schema.check(payload),
            Some(Source::File(schema)) => schema.get().check(payload),
        }
    }

    fn check_content_type(&self, content_type: Option<&str>, accepted: &[String]) -> Result<(), String> {
        match content_type {
            None if self.content_type_required => Err("content_type: the message has none".to_owned()),
            None => Ok(()),
            // What follows a semicolon is a parameter, such as a charset.
            Some(given) => {
                let essence = given.split(';').next().unwrap_or_default().trim();
                let is_it = |one: &String| one.eq_ignore_ascii_case(given) || one.eq_ignore_ascii_case(essence);
                if accepted.iter().any(is_it) {
                    Ok(())
                } else {
                    Err(format!("content_type: must be {}", accepted.join(" or ")))
                }
            }
        }
    }
}
