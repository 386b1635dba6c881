//! Permissions of an authorizer, evaluated here instead of calling it.
//!
//! The broker evaluates the permissions of a chain's first plugin itself. Those of a later one count only where the
//! plugins before it said `next`, which only the host knows; so it evaluates them, by the same rules: the first that
//! applies decides, none denies. A rule that needs a client id, principal or tenant that is missing or could act as
//! more than one topic level gives way to caution: an `allow` applies to nothing, a `deny` to everything.

use crate::contract::{Effect, Permission, QoS};
use crate::identities::Identity;
use crate::plugin::Vote;
use crate::topics;

/// The permissions of one identity.
#[derive(Clone, Debug)]
pub(crate) struct Rules(Box<[Rule]>);

#[derive(Clone, Debug)]
struct Rule {
    effect: Effect,
    publish: bool,
    subscribe: bool,
    max_qos: QoS,
    retain: bool,
    scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Filter(Box<str>),
    Everything,
    Nothing,
}

impl Rules {
    pub(crate) fn new(permissions: &[Permission], who: &Identity) -> Self {
        let rule = |permission: &Permission| Rule {
            effect: permission.effect,
            publish: permission.publish,
            subscribe: permission.subscribe,
            max_qos: permission.max_qos,
            retain: permission.retain,
            scope: Scope::new(permission, who),
        };
        Self(permissions.iter().map(rule).collect())
    }

    pub(crate) fn publish(&self, topic: &str, qos: QoS, retain: bool) -> Vote {
        let applies = |rule: &&Rule| rule.publish && rule.scope.is(|filter| topics::matches(filter, topic));
        match self.0.iter().find(applies) {
            Some(rule) if rule.effect == Effect::Allow && qos <= rule.max_qos && (rule.retain || !retain) => {
                Vote::Allow { max_qos: rule.max_qos }
            }
            _ => DENY,
        }
    }

    pub(crate) fn subscribe(&self, requested: &str) -> Vote {
        let applies = |rule: &&Rule| {
            let judge = match rule.effect {
                Effect::Allow => topics::contains,
                Effect::Deny => topics::overlaps,
            };
            rule.subscribe && rule.scope.is(|filter| judge(filter, requested))
        };
        match self.0.iter().find(applies) {
            Some(rule) if rule.effect == Effect::Allow => Vote::Allow { max_qos: rule.max_qos },
            _ => DENY,
        }
    }
}

impl Scope {
    fn new(permission: &Permission, who: &Identity) -> Self {
        match substitute(&permission.topic_filter, who) {
            Some(filter) => Self::Filter(filter.into()),
            None if permission.effect == Effect::Deny => Self::Everything,
            None => Self::Nothing,
        }
    }

    fn is(&self, judge: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::Filter(filter) => judge(filter),
            Self::Everything => true,
            Self::Nothing => false,
        }
    }
}

/// Fills in `%c`, `%u` and `%t`; `None` if a value cannot stand for one topic level or a part of it.
fn substitute(filter: &str, who: &Identity) -> Option<String> {
    let mut filled = String::with_capacity(filter.len());
    let mut rest = filter;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let value = match from.as_bytes().get(1) {
            Some(b'c') => Some(&*who.client_id),
            Some(b'u') => Some(&*who.principal),
            Some(b't') => Some(who.tenant.as_deref().unwrap_or_default()),
            _ => None,
        };
        rest = match value {
            Some(value) => {
                let unusable = |letter: char| matches!(letter, '/' | '+' | '#') || letter.is_control();
                if value.is_empty() || value.contains(unusable) {
                    return None;
                }
                filled.push_str(value);
                &from[2..]
            }
            None => {
                filled.push('%');
                &from[1..]
            }
        };
    }
    filled.push_str(rest);
    let is_own = filled.starts_with('$') && !filter.starts_with('$');
    (!is_own && filled.len() <= usize::from(u16::MAX)).then_some(filled)
}

const DENY: Vote = Vote::Deny { code: 0x87, reason: None };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Protocol;
    use crate::{Identities, IdentityFacts};

    fn rules(list: &[(Effect, &str)], client_id: &str) -> Rules {
        let who = Identities::new().register(IdentityFacts {
            client_id: client_id.into(),
            principal: "alice".into(),
            tenant: None,
            attributes: Box::default(),
            listener: "tcp".into(),
            peer: ([127, 0, 0, 1], 1).into(),
            protocol: Protocol::V5,
        });
        let permission = |&(effect, filter): &(Effect, &str)| Permission {
            effect,
            publish: true,
            subscribe: true,
            topic_filter: filter.into(),
            max_qos: QoS::AtLeastOnce,
            retain: false,
        };
        Rules::new(&list.iter().map(permission).collect::<Vec<_>>(), &who)
    }

    fn may_publish(rules: &Rules, topic: &str) -> bool {
        matches!(rules.publish(topic, QoS::AtMostOnce, false), Vote::Allow { .. })
    }

    #[test]
    fn the_first_rule_that_applies_decides_and_none_denies() {
        let rules = rules(&[(Effect::Deny, "a/secret"), (Effect::Allow, "a/#")], "c");
        assert!(may_publish(&rules, "a/b"));
        assert!(!may_publish(&rules, "a/secret"));
        assert!(!may_publish(&rules, "b"));
    }

    #[test]
    fn qos_and_retain_are_part_of_the_permission() {
        let rules = rules(&[(Effect::Allow, "a")], "c");
        assert_eq!(rules.publish("a", QoS::ExactlyOnce, false), DENY);
        assert_eq!(rules.publish("a", QoS::AtMostOnce, true), DENY);
    }

    #[test]
    fn a_wide_subscription_does_not_reach_round_a_narrow_prohibition() {
        let rules = rules(&[(Effect::Deny, "secret/#"), (Effect::Allow, "#")], "c");
        assert_eq!(rules.subscribe("#"), DENY);
        assert_eq!(rules.subscribe("news/#"), Vote::Allow { max_qos: QoS::AtLeastOnce });
    }

    #[test]
    fn values_from_clients_never_act_as_wildcards_or_levels() {
        for client_id in ["+", "#", "a/b", "", "a\0"] {
            let rules = rules(&[(Effect::Allow, "dev/%c/#"), (Effect::Allow, "of/%u")], client_id);
            assert!(!may_publish(&rules, "dev/a/b"), "{client_id:?}");
            assert!(may_publish(&rules, "of/alice"), "{client_id:?}");
        }
        let cautious = rules(&[(Effect::Deny, "dev/%t"), (Effect::Allow, "#")], "c");
        assert!(!may_publish(&cautious, "other"));
        assert!(!may_publish(&rules(&[(Effect::Allow, "%c/x")], "$SYS"), "$SYS/x"));
        assert!(may_publish(&rules(&[(Effect::Allow, "50%/%x")], "c"), "50%/%x"));
    }
}
