//! One rule: what it matches, and what it makes of it.

use midge_plugin_sdk::{Message, QoS};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;
use topics::{Captures, Facts, Filter, Groups, Template};

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    filter: Option<String>,
    regex: Option<String>,
    topic: Option<String>,
    qos: Option<u8>,
    retain: Option<bool>,
    message_expiry_s: Option<u32>,
    content_type: Option<String>,
    #[serde(default)]
    user_properties: Vec<(String, String)>,
    #[serde(default)]
    copy: bool,
    #[serde(default)]
    stop: bool,
}

/// A rule that can be followed.
pub(crate) struct Rule {
    matching: Matching,
    topic: Option<Template>,
    qos: Option<QoS>,
    retain: Option<bool>,
    message_expiry: Option<u32>,
    content_type: Option<Template>,
    user_properties: Vec<(Template, Template)>,
    copy: bool,
    stop: bool,
}

enum Matching {
    Filter(Filter),
    Regex(Regex),
}

/// Who published a message.
pub(crate) struct Publisher<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) principal: Option<&'a str>,
    pub(crate) tenant: Option<&'a str>,
}

/// What a rule makes of a message that it matches.
pub(crate) struct Change<'r> {
    rule: &'r Rule,
    topic: Option<String>,
    content_type: Option<String>,
    user_properties: Vec<(String, String)>,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// The key of the rule, and what is wrong with it: `.topic = "…": …`.
    pub(crate) fn read(rule: Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(rule).map_err(|error| format!(": {error}"))?;
        let matching = Matching::read(&written)?;
        let groups = matching.groups();
        let template = |key: &str, text: &String| {
            Template::parse(text, &groups).map_err(|why| format!(".{key} = {text:?}: {why}"))
        };
        let qos = match written.qos {
            None => None,
            Some(0) => Some(QoS::AtMostOnce),
            Some(1) => Some(QoS::AtLeastOnce),
            Some(2) => Some(QoS::ExactlyOnce),
            Some(other) => return Err(format!(".qos = {other}: 0, 1 or 2")),
        };
        let property = |(at, (name, value)): (usize, &(String, String))| {
            let key = format!("user_properties[{at}]");
            Ok((template(&key, name)?, template(&key, value)?))
        };
        let rule = Self {
            topic: written.topic.as_ref().map(|text| template("topic", text)).transpose()?,
            qos,
            retain: written.retain,
            message_expiry: written.message_expiry_s,
            content_type: written.content_type.as_ref().map(|text| template("content_type", text)).transpose()?,
            user_properties: written.user_properties.iter().enumerate().map(property).collect::<Result<_, String>>()?,
            copy: written.copy,
            stop: written.stop,
            matching,
        };
        if rule.copy && rule.topic.is_none() {
            return Err(".copy = true: needs a `topic`, or subscribers would get the same message twice".to_owned());
        }
        if !rule.stop && rule.changes_nothing() {
            return Err(": changes nothing; say `topic`, `qos`, `retain`, `message_expiry_s`, `content_type`, \
                        `user_properties` or `stop`"
                .to_owned());
        }
        Ok(rule)
    }

    fn changes_nothing(&self) -> bool {
        self.topic.is_none()
            && self.qos.is_none()
            && self.retain.is_none()
            && self.message_expiry.is_none()
            && self.content_type.is_none()
            && self.user_properties.is_empty()
    }

    /// The topic filter that it matches by, if it does not by a regular expression.
    pub(crate) fn filter(&self) -> Option<&str> {
        match &self.matching {
            Matching::Filter(filter) => Some(filter.text()),
            Matching::Regex(_) => None,
        }
    }

    pub(crate) fn needs_identity(&self) -> bool {
        let properties = self.user_properties.iter().flat_map(|(name, value)| [name, value]);
        self.topic.iter().chain(&self.content_type).chain(properties).any(Template::needs_identity)
    }

    pub(crate) fn copies(&self) -> bool {
        self.copy
    }

    pub(crate) fn stops(&self) -> bool {
        self.stop
    }

    /// What becomes of the message; `None` where the rule does not match. An error says why that makes no message.
    pub(crate) fn change(&self, message: &Message, publisher: &Publisher<'_>) -> Option<Result<Change<'_>, String>> {
        let captures = self.matching.captures(&message.topic)?;
        let facts = Facts {
            topic: &message.topic,
            captures: &captures,
            client_id: publisher.client_id,
            principal: publisher.principal,
            tenant: publisher.tenant,
        };
        Some(self.filled_in(&facts))
    }

    fn filled_in(&self, facts: &Facts<'_>) -> Result<Change<'_>, String> {
        let topic = self.topic.as_ref().map(|topic| topic.topic(facts)).transpose()?;
        let property = |(name, value): &(Template, Template)| Ok((text(name, facts)?, text(value, facts)?));
        Ok(Change {
            rule: self,
            topic,
            content_type: self.content_type.as_ref().map(|template| text(template, facts)).transpose()?,
            user_properties: self.user_properties.iter().map(property).collect::<Result<_, String>>()?,
        })
    }
}

impl Change<'_> {
    /// Changes the message; says whether it is another one now.
    pub(crate) fn apply(self, message: &mut Message) -> bool {
        let mut is_changed = false;
        let mut set = |changed: bool| is_changed |= changed;
        set(replace(&mut message.topic, self.topic));
        set(replace(&mut message.qos, self.rule.qos));
        set(replace(&mut message.retain, self.rule.retain));
        set(replace(&mut message.message_expiry, self.rule.message_expiry.map(Some)));
        set(replace(&mut message.content_type, self.content_type.map(Some)));
        set(!self.user_properties.is_empty());
        message.user_properties.extend(self.user_properties);
        is_changed
    }
}

impl Matching {
    fn read(written: &Written) -> Result<Self, String> {
        match (&written.filter, &written.regex) {
            (Some(text), None) => {
                Filter::parse(text).map(Self::Filter).map_err(|why| format!(".filter = {text:?}: {why}"))
            }
            // The whole topic must match: half a match is what people mean least often, and `.*` says it where they do.
            (None, Some(text)) => Regex::new(&format!("^(?s:{text})$"))
                .map(Self::Regex)
                .map_err(|why| format!(".regex = {text:?}: {why}")),
            (Some(_), Some(_)) => Err(": `filter` and `regex` are alternatives; say one".to_owned()),
            (None, None) => Err(": says neither `filter` nor `regex`".to_owned()),
        }
    }

    fn groups(&self) -> Groups {
        match self {
            Self::Filter(filter) => Groups { count: filter.groups(), names: Vec::new() },
            Self::Regex(regex) => {
                let named = |(at, name): (usize, Option<&str>)| Some((name?.to_owned(), at.checked_sub(1)?));
                Groups {
                    count: regex.captures_len() - 1,
                    names: regex.capture_names().enumerate().filter_map(named).collect(),
                }
            }
        }
    }

    fn captures<'t>(&self, topic: &'t str) -> Option<Captures<'t>> {
        match self {
            Self::Filter(filter) => filter.captures(topic),
            Self::Regex(regex) => {
                let found = regex.captures(topic)?;
                Some(found.iter().skip(1).map(|group| group.map(|group| group.as_str())).collect())
            }
        }
    }
}

/// A property's text.
fn text(template: &Template, facts: &Facts<'_>) -> Result<String, String> {
    let text = template.text(facts);
    if text.len() > usize::from(u16::MAX) || text.contains('\0') {
        return Err("a property has at most 65535 bytes and no U+0000".to_owned());
    }
    Ok(text)
}

/// Says whether the value is another one now.
fn replace<T: PartialEq>(value: &mut T, by: Option<T>) -> bool {
    match by {
        Some(new) if new != *value => {
            *value = new;
            true
        }
        _ => false,
    }
}
