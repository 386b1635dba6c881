//! What a client may do, and how much.

use midge_plugin_sdk::{Actions, Effect as Does, Limits as Granted, Permission, QoS};
use serde::Deserialize;

use crate::filter::check_filter;
use crate::template::{Filters, Template, Values};

/// Topics and limits, as a claim, a service's answer or an operator's table says them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Rules, the first that applies decides. They stand before `publish` and `subscribe`.
    pub permissions: Option<Vec<Rule>>,
    /// Topic filters that may be published to.
    pub publish: Option<Vec<String>>,
    /// Topic filters that may be subscribed to.
    pub subscribe: Option<Vec<String>>,
    /// How much.
    #[serde(default)]
    pub limits: Limits,
}

/// One rule, as the contract's `permission`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it does.
    pub effect: Effect,
    /// What it is about; both unless said.
    #[serde(default = "both")]
    pub actions: Vec<Action>,
    /// The topic filter; `%c`, `%u` and `%t` stand for client id, principal and tenant.
    pub topic: String,
    /// The highest QoS of an `allow`.
    #[serde(default = "exactly_once")]
    pub max_qos: u8,
    /// Whether an `allow` allows RETAIN.
    #[serde(default = "yes")]
    pub retain: bool,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Allows.
    Allow,
    /// Forbids.
    Deny,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// PUBLISH, the Will included.
    Publish,
    /// SUBSCRIBE.
    Subscribe,
}

/// Limits for one client. Each only narrows the broker's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// PUBLISH packets a second.
    pub publish_per_second: Option<u32>,
    /// Bytes received a second.
    pub bytes_per_second: Option<u32>,
    /// Unacknowledged QoS 1 and 2 messages towards the client.
    pub in_flight: Option<u16>,
    /// Messages kept for the client while it cannot take them.
    pub queued_messages: Option<u32>,
    /// Session Expiry Interval, seconds.
    pub session_expiry_s: Option<u32>,
    /// Maximum Packet Size towards the broker, bytes.
    pub packet_bytes: Option<u32>,
}

fn both() -> Vec<Action> {
    vec![Action::Publish, Action::Subscribe]
}

fn exactly_once() -> u8 {
    2
}

fn yes() -> bool {
    true
}

impl Access {
    /// Makes rules of it, with templates that are filled in for each client.
    ///
    /// # Errors
    /// What is no topic filter, template or QoS.
    pub fn topics(&self) -> Result<Topics, String> {
        let mut rules = Vec::new();
        for rule in self.permissions.iter().flatten() {
            rules.push(Pattern { rule: rule.to_permission()?, topic: template(&rule.topic)? });
        }
        for (filters, action) in [(&self.publish, Actions::PUBLISH), (&self.subscribe, Actions::SUBSCRIBE)] {
            for filter in filters.iter().flatten() {
                rules.push(Pattern { rule: Permission::allow(action, filter), topic: template(filter)? });
            }
        }
        let speaks = self.permissions.is_some() || self.publish.is_some() || self.subscribe.is_some();
        Ok(Topics { rules, speaks })
    }

    /// The rules as they stand, without templates; `None` where nothing is said about topics.
    ///
    /// # Errors
    /// What is no topic filter or QoS.
    pub fn permissions(&self) -> Result<Option<Vec<Permission>>, String> {
        let Topics { rules, speaks } = self.topics()?;
        let plain = |pattern: Pattern| {
            check_filter(&pattern.rule.topic_filter)?;
            Ok(pattern.rule)
        };
        let rules = rules.into_iter().map(plain).collect::<Result<Vec<_>, String>>()?;
        Ok(speaks.then_some(rules))
    }
}

impl Rule {
    fn to_permission(&self) -> Result<Permission, String> {
        let actions = self.actions.iter().fold(Actions::empty(), |all, action| match action {
            Action::Publish => all | Actions::PUBLISH,
            Action::Subscribe => all | Actions::SUBSCRIBE,
        });
        if self.actions.is_empty() {
            return Err(format!("the rule for `{}` is about no action", self.topic));
        }
        let max_qos = match self.max_qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            other => return Err(format!("max_qos = {other}: there are 0, 1 and 2")),
        };
        let effect = match self.effect {
            Effect::Allow => Does::Allow,
            Effect::Deny => Does::Deny,
        };
        Ok(Permission { effect, actions, topic_filter: self.topic.clone(), max_qos, retain: self.retain })
    }
}

fn template(filter: &str) -> Result<Template, String> {
    let template = Template::parse(filter)?;
    // Whatever stands in its places will be a level or a part of one.
    check_filter(&template.text(&Anything).unwrap_or_default())?;
    Ok(template)
}

struct Anything;

impl Values for Anything {
    fn values(&self, _: &str) -> Vec<String> {
        vec!["x".to_owned()]
    }
}

/// Rules whose topics are templates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topics {
    rules: Vec<Pattern>,
    speaks: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Pattern {
    rule: Permission,
    topic: Template,
}

impl Topics {
    /// The rules for one client; `None` where nothing is said about topics.
    ///
    /// An `allow` whose names have no usable value allows nothing.
    ///
    /// # Errors
    /// A `deny` whose names have no usable value: it cannot be said what is forbidden, so the client must not come in.
    pub fn fill(&self, values: &dyn Values) -> Result<Option<Vec<Permission>>, String> {
        let mut filled = Vec::new();
        for Pattern { rule, topic } in &self.rules {
            let Filters { filled: filters, is_complete } = topic.filters(values);
            if rule.effect == Does::Deny && !is_complete {
                return Err(format!("what `{}` forbids cannot be said", rule.topic_filter));
            }
            filled.extend(filters.into_iter().map(|topic_filter| Permission { topic_filter, ..rule.clone() }));
        }
        Ok(self.speaks.then_some(filled))
    }

    /// The names in all its templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|pattern| pattern.topic.names())
    }
}

impl Limits {
    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            publish_per_second: least(self.publish_per_second, other.publish_per_second),
            bytes_per_second: least(self.bytes_per_second, other.bytes_per_second),
            in_flight: least(self.in_flight, other.in_flight),
            queued_messages: least(self.queued_messages, other.queued_messages),
            session_expiry_s: least(self.session_expiry_s, other.session_expiry_s),
            packet_bytes: least(self.packet_bytes, other.packet_bytes),
        }
    }

    /// As a grant has them; `None` where nothing is limited.
    #[must_use]
    pub fn granted(self) -> Option<Granted> {
        (self != Self::default()).then_some(Granted {
            publish_per_second: self.publish_per_second,
            bytes_per_second: self.bytes_per_second,
            inflight: self.in_flight,
            queued_messages: self.queued_messages,
            session_expiry: self.session_expiry_s,
            packet_size: self.packet_bytes,
            ..Granted::default()
        })
    }
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
