#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use super::*;

const ALICE: Subject<'_> = Subject { client_id: "c1", principal: "alice", tenant: None };

/// `allow` or `deny`, then `p`, `s` or `ps`, then the filter.
fn permission(text: &str) -> Permission {
    let mut words = text.splitn(3, ' ');
    let effect = if words.next().unwrap() == "allow" { Effect::Allow } else { Effect::Deny };
    let actions = words.next().unwrap();
    Permission {
        effect,
        publish: actions.contains('p'),
        subscribe: actions.contains('s'),
        filter: words.next().unwrap().to_owned(),
        max_qos: QoS::ExactlyOnce,
        retain: true,
    }
}

fn rules(subject: &Subject<'_>, texts: &[&str]) -> Permissions {
    Permissions::new(texts.iter().map(|text| permission(text)).collect(), subject).unwrap()
}

fn publishes(permissions: &Permissions, topic: &str) -> bool {
    permissions.check_publish(topic, QoS::AtMostOnce, false) != Ruling::Deny
}

fn subscribes(permissions: &Permissions, filter: &str) -> bool {
    permissions.check_subscribe(filter) != Ruling::Deny
}

#[test]
fn the_first_rule_that_applies_decides_and_none_is_a_denial() {
    let rules = rules(&ALICE, &["deny p a/secret", "allow p a/#", "deny p a/b", "allow s s/#"]);
    assert!(publishes(&rules, "a/b"));
    assert!(publishes(&rules, "a"));
    assert!(!publishes(&rules, "a/secret"));
    assert!(!publishes(&rules, "b"));
    assert!(!publishes(&rules, "s/x"), "a rule about SUBSCRIBE says nothing about PUBLISH");
    assert!(subscribes(&rules, "s/x"));
    assert!(!subscribes(&rules, "a/b"));
    assert!(!publishes(&Permissions::new(Vec::new(), &ALICE).unwrap(), "a"));
}

#[test]
fn qos_and_retain_are_bounded_by_the_rule_that_applies() {
    let rule = Permission { max_qos: QoS::AtLeastOnce, retain: false, ..permission("allow ps a") };
    let rules = Permissions::new(vec![rule, permission("allow ps a")], &ALICE).unwrap();
    assert_eq!(rules.check_publish("a", QoS::AtLeastOnce, false), Ruling::Allow { max_qos: QoS::AtLeastOnce });
    assert_eq!(rules.check_publish("a", QoS::ExactlyOnce, false), Ruling::Deny);
    assert_eq!(rules.check_publish("a", QoS::AtMostOnce, true), Ruling::Deny);
    assert_eq!(rules.check_subscribe("a"), Ruling::Allow { max_qos: QoS::AtLeastOnce });
}

#[test]
fn a_subscription_is_allowed_only_by_a_rule_that_contains_it() {
    let rules = rules(&ALICE, &["allow s news/+/title", "allow s own/alice/#"]);
    for allowed in ["news/a/title", "news/+/title", "own/alice/#", "own/alice", "own/alice/+/x", "$share/g/own/alice/#"]
    {
        assert!(subscribes(&rules, allowed), "{allowed}");
    }
    for refused in ["news/#", "news/+/+", "#", "+/alice/#", "own/#", "own/+/x", "own/bob", "$share/g/own/#"] {
        assert!(!subscribes(&rules, refused), "{refused}");
    }
}

#[test]
fn a_wide_subscription_does_not_reach_round_a_narrow_prohibition() {
    let rules = rules(&ALICE, &["allow s open/secret", "deny s +/secret/#", "allow s #"]);
    for refused in ["#", "+/#", "a/#", "a/+", "a/secret", "+/secret/x", "$share/g/a/#"] {
        assert!(!subscribes(&rules, refused), "{refused}");
    }
    for allowed in ["open/secret", "a/open", "a", "+", "a/b/#"] {
        assert!(subscribes(&rules, allowed), "{allowed}");
    }
    assert!(!subscribes(&rules, "$SYS/#"), "# does not contain the broker's own topics");
}

#[test]
fn placeholders_stand_for_the_client() {
    let subject = Subject { tenant: Some("acme"), ..ALICE };
    let rules = rules(&subject, &["allow p %t/%u/dev-%c/#", "allow p 100%/%x/%"]);
    assert!(publishes(&rules, "acme/alice/dev-c1/t"));
    assert!(!publishes(&rules, "acme/bob/dev-c1/t"));
    assert!(publishes(&rules, "100%/%x/%"), "any other % is itself");
}

#[test]
fn values_are_not_substituted_again() {
    let rules = rules(&Subject { client_id: "%u", ..ALICE }, &["allow p a/%c"]);
    assert!(publishes(&rules, "a/%u"));
    assert!(!publishes(&rules, "a/alice"));
}

#[test]
fn no_value_smuggles_wildcards_levels_or_reserved_topics_into_a_permission() {
    for value in ["", "#", "+", "a/b", "a/#", "/", "alice/+", "a\n", "\u{7f}", "\u{85}", "x\0"] {
        let subject = Subject { client_id: value, principal: value, tenant: Some(value) };
        let rules = rules(&subject, &["allow ps x/%c/#", "allow ps x/%u", "allow ps %t", "allow ps x/y%c"]);
        for topic in ["x", "x/a", "x/a/b", "x/alice/z", "a", "x/y", "x/yz", "x/y/b"] {
            assert!(!publishes(&rules, topic), "{value:?} {topic}");
        }
        for filter in ["#", "x/#", "x/+", "+", "x/a/b/#", "a/b"] {
            assert!(!subscribes(&rules, filter), "{value:?} {filter}");
        }
    }
    let no_tenant = rules(&ALICE, &["allow p %t/x", "allow p x/%t"]);
    assert!(!publishes(&no_tenant, "/x") && !publishes(&no_tenant, "x/"));
    for (value, template) in [("$SYS", "%u/#"), ("SYS", "$%u/#"), ("share", "$%u/x/#")] {
        let subject = Subject { principal: value, ..ALICE };
        let rules = rules(&subject, &[&format!("allow ps {template}")]);
        assert!(!publishes(&rules, "$SYS/x") && !subscribes(&rules, "$SYS/#") && !subscribes(&rules, "#"));
    }
    let reserved = rules(&Subject { principal: "$x", ..ALICE }, &["allow p $SYS/%u", "allow p a/%u"]);
    assert!(
        publishes(&reserved, "$SYS/$x") && publishes(&reserved, "a/$x"),
        "behind the first level $ is nothing special"
    );
}

#[test]
fn an_unusable_value_widens_a_prohibition_instead_of_lifting_it() {
    for value in ["", "#", "a/b", "a\n"] {
        let rules = rules(&Subject { principal: value, ..ALICE }, &["deny ps private/%u/#", "allow ps #"]);
        assert!(!publishes(&rules, "private/a/b"), "{value:?}");
        assert!(!publishes(&rules, "anything"), "{value:?}");
        assert!(!subscribes(&rules, "#"), "{value:?}");
    }
    let other_action = rules(&Subject { principal: "", ..ALICE }, &["deny s private/%u/#", "allow p #"]);
    assert!(publishes(&other_action, "a"));
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_by_name() {
    let refused = |filter: &str| {
        Permissions::new(vec![permission("allow p a"), permission(&format!("allow p {filter}"))], &ALICE).unwrap_err()
    };
    assert_eq!(
        refused("a#/b"),
        InvalidPermission::Filter { index: 1, filter: "a#/b".to_owned(), cause: TopicError::Wildcard }
    );
    assert_eq!(refused("$share/g/a"), InvalidPermission::Shared { index: 1, filter: "$share/g/a".to_owned() });
    assert_eq!(
        refused("").to_string(),
        "permission 1: \"\" is not a topic filter: a topic is at least one character long"
    );
}

#[test]
fn what_is_no_filter_is_refused() {
    let rules = rules(&ALICE, &["allow ps #"]);
    assert!(!subscribes(&rules, "a#") && !subscribes(&rules, ""));
}

#[test]
fn a_rule_matches_what_its_filter_does() {
    let filters =
        ["a", "a/b", "a/#", "a/b/#", "/#", "#", "+", "+/#", "a/+", "a/+/c", "+/b", "a/+/#", "/", "$x/#", "a//#"];
    let topics = ["a", "a/", "a/b", "a/b/c", "ab", "ab/c", "/", "/a", "b", "a//", "a//b", "$x", "$x/a", "$", "a/$x"];
    for filter in filters {
        let rules = rules(&ALICE, &[&format!("allow p {filter}")]);
        for topic in topics {
            let matches = TopicFilter::new(filter).unwrap().matches(TopicName::new(topic).unwrap());
            assert_eq!(publishes(&rules, topic), matches, "{filter} {topic}");
        }
    }
}
