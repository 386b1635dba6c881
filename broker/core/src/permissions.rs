//! What a client may publish and subscribe to, as rules the core evaluates itself.

#[cfg(test)]
mod tests;

use midge_protocol::{QoS, TopicError, TopicFilter, TopicName};
use thiserror::Error;

/// One rule, as a plugin states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it does where it applies.
    pub effect: Effect,
    /// Whether it is about PUBLISH, the Will included.
    pub publish: bool,
    /// Whether it is about SUBSCRIBE.
    pub subscribe: bool,
    /// A Topic Filter in which `%c`, `%u` and `%t` stand for Client Identifier, principal and tenant. Any other `%` is
    /// itself.
    pub filter: String,
    /// Only for [`Effect::Allow`]: a PUBLISH above it is refused, a SUBSCRIBE is granted at most this.
    pub max_qos: QoS,
    /// Only for [`Effect::Allow`]: whether a PUBLISH may set RETAIN.
    pub retain: bool,
}

/// What a rule does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The action is allowed.
    Allow,
    /// The action is refused.
    Deny,
}

/// Whom rules are about: the values of their placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `%c`, the Client Identifier.
    pub client_id: &'a str,
    /// `%u`, the name authentication established.
    pub principal: &'a str,
    /// `%t`, the tenant if there is one.
    pub tenant: Option<&'a str>,
}

/// What the rules say about one action.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is allowed, a Subscription at most at this QoS.
    Allow {
        /// The rule's [`Permission::max_qos`].
        max_qos: QoS,
    },
    /// It is refused.
    Deny,
}

/// Everything one client may do: a list of rules, of which the first that applies decides. Where none applies, the
/// action is refused.
///
/// - A PUBLISH is a rule's business when the rule's filter matches the topic.
/// - A SUBSCRIBE is allowed only by a rule whose filter *contains* the requested one: every topic the Subscription
///   could receive is then allowed. It is refused by a rule whose filter *overlaps* the requested one, which means that
///   any topic matches both: a wide Subscription does not reach round a narrow prohibition that stands before the
///   permission. With `deny secret/#` before `allow #`, a client may subscribe to `news/#` and not to `#`.
/// - A shared Subscription is judged by the filter behind `$share/NAME/`.
/// - As everywhere in MQTT, a filter that begins with a wildcard says nothing about topics that begin with `$`.
///
/// The values of placeholders often come from the client, so they never act as wildcards, as additional levels or as
/// the `$` of the broker's own topics. A value is unusable if it is absent or empty, contains `/`, `+`, `#` or a control
/// character, makes the filter begin with `$`, or makes it too long. A rule that needs an unusable value gives way to
/// caution: an `allow` applies to nothing, and a `deny` applies to every topic.
#[derive(Clone, Debug)]
pub struct Permissions {
    rules: Box<[Rule]>,
}

/// A permission that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidPermission {
    /// Its filter is not a Topic Filter.
    #[error("permission {index}: {filter:?} is not a topic filter: {cause}")]
    Filter {
        /// Its place in the list, from 0 on.
        index: usize,
        /// The filter.
        filter: String,
        /// Which rule the filter breaks.
        cause: TopicError,
    },
    /// Its filter begins with `$share/`; but permissions are about topics, whoever shares the Subscription.
    #[error("permission {index}: {filter:?} is a shared subscription; state the filter alone")]
    Shared {
        /// Its place in the list, from 0 on.
        index: usize,
        /// The filter.
        filter: String,
    },
}

#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    publish: bool,
    subscribe: bool,
    max_qos: QoS,
    retain: bool,
    scope: Scope,
}

/// The topics a rule is about.
#[derive(Clone, Debug)]
enum Scope {
    /// Those that match the filter.
    Filter { filter: Box<str>, shape: Shape },
    /// All, because a prohibition could not be stated more narrowly.
    Everything,
    /// None, because a permission could not be stated.
    Nothing,
}

/// How a filter is matched: every PUBLISH asks, and most filters need no look at their levels.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Without wildcards: one topic.
    Exact,
    /// `#` behind so many bytes and a `/`: the topic that is these bytes, and all below.
    Below(usize),
    /// Wildcards elsewhere: topics begin with so many bytes, and the rest goes level by level.
    Levels(usize),
}

impl Permissions {
    /// Compiles rules for one client.
    ///
    /// # Errors
    /// [`InvalidPermission`] names the first rule whose filter is not a Topic Filter.
    pub fn new(permissions: Vec<Permission>, subject: &Subject<'_>) -> Result<Self, InvalidPermission> {
        let compile = |(index, permission): (usize, Permission)| match TopicFilter::new(&permission.filter) {
            Ok(_) if is_shared(&permission.filter) => {
                Err(InvalidPermission::Shared { index, filter: permission.filter })
            }
            Ok(_) => Ok(Rule::new(&permission, subject)),
            Err(cause) => Err(InvalidPermission::Filter { index, filter: permission.filter, cause }),
        };
        Ok(Self { rules: permissions.into_iter().enumerate().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether the client may publish to the topic, a Topic Name, at this QoS and with RETAIN if `retain`.
    pub fn check_publish(&self, topic: &str, qos: QoS, retain: bool) -> Ruling {
        debug_assert!(TopicName::new(topic).is_ok(), "{topic:?} was checked when it was decoded");
        let applies = |rule: &&Rule| rule.publish && rule.scope.matches(topic);
        match self.rules.iter().find(applies) {
            Some(rule) if rule.effect == Effect::Allow && qos <= rule.max_qos && (rule.retain || !retain) => {
                Ruling::Allow { max_qos: rule.max_qos }
            }
            _ => Ruling::Deny,
        }
    }

    /// Whether, and at which QoS, the client may subscribe to the filter, which may begin with `$share/NAME/`.
    pub fn check_subscribe(&self, filter: &str) -> Ruling {
        let Ok(filter) = TopicFilter::new(filter) else { return Ruling::Deny };
        let filter = filter.share().map_or(filter, |(_, inner)| inner);
        let applies = |rule: &&Rule| {
            rule.subscribe
                && match rule.effect {
                    Effect::Allow => rule.scope.contains(filter),
                    Effect::Deny => rule.scope.overlaps(filter),
                }
        };
        match self.rules.iter().find(applies) {
            Some(Rule { effect: Effect::Allow, max_qos, .. }) => Ruling::Allow { max_qos: *max_qos },
            _ => Ruling::Deny,
        }
    }
}

impl Rule {
    fn new(permission: &Permission, subject: &Subject<'_>) -> Self {
        let Permission { effect, publish, subscribe, max_qos, retain, .. } = *permission;
        let scope = match substitute(&permission.filter, subject) {
            Some(filter) => Scope::Filter { shape: Shape::of(&filter), filter: filter.into() },
            None if effect == Effect::Deny => Scope::Everything,
            None => Scope::Nothing,
        };
        Self { effect, publish, subscribe, max_qos, retain, scope }
    }
}

impl Scope {
    fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Filter { filter, shape } => shape.matches(filter, topic),
            Self::Everything => true,
            Self::Nothing => false,
        }
    }

    fn contains(&self, requested: TopicFilter<'_>) -> bool {
        match self {
            Self::Filter { filter, .. } => kept(filter).contains(requested),
            Self::Everything => true,
            Self::Nothing => false,
        }
    }

    fn overlaps(&self, requested: TopicFilter<'_>) -> bool {
        match self {
            Self::Filter { filter, .. } => kept(filter).overlaps(requested),
            Self::Everything => true,
            Self::Nothing => false,
        }
    }
}

impl Shape {
    fn of(filter: &str) -> Self {
        match filter.find(['+', '#']) {
            None => Self::Exact,
            Some(wildcard) if filter[wildcard..] == *"#" && wildcard > 0 => Self::Below(wildcard - 1),
            // All topics that match `a/+/b` begin with `a`, and those that match `+/b` with nothing in particular.
            Some(wildcard) => Self::Levels(wildcard.saturating_sub(1)),
        }
    }

    fn matches(self, filter: &str, topic: &str) -> bool {
        // Most rules are about other topics, which their first bytes tell.
        let rest = |literal: usize| topic.as_bytes().strip_prefix(&filter.as_bytes()[..literal]);
        match self {
            Self::Exact => *filter == *topic,
            Self::Below(literal) => rest(literal).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/')),
            Self::Levels(literal) => {
                rest(literal).is_some() && TopicName::new(topic).is_ok_and(|topic| kept(filter).matches(topic))
            }
        }
    }
}

/// Puts the subject's values for the placeholders; none if one of them is unusable.
fn substitute(template: &str, subject: &Subject<'_>) -> Option<String> {
    let mut filter = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(percent) = rest.find('%') {
        let (before, placeholder) = rest.split_at(percent);
        filter.push_str(before);
        let value = match placeholder.as_bytes().get(1) {
            Some(b'c') => subject.client_id,
            Some(b'u') => subject.principal,
            Some(b't') => subject.tenant?,
            _ => {
                filter.push('%');
                rest = &placeholder[1..];
                continue;
            }
        };
        if value.is_empty() || value.contains(|c: char| matches!(c, '/' | '+' | '#') || c.is_control()) {
            return None;
        }
        filter.push_str(value);
        // What was put in is not looked at again.
        rest = &placeholder[2..];
    }
    filter.push_str(rest);
    let became_reserved = filter.starts_with('$') && first_level(&filter) != first_level(template);
    (!became_reserved && TopicFilter::new(&filter).is_ok()).then_some(filter)
}

fn first_level(filter: &str) -> &str {
    filter.split_once('/').map_or(filter, |(first, _)| first)
}

fn is_shared(filter: &str) -> bool {
    filter.starts_with("$share/")
}

fn kept(filter: &str) -> TopicFilter<'_> {
    TopicFilter::new(filter).expect("a rule's filter was checked when it was compiled")
}
