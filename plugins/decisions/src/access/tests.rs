#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::{Value, json};

use super::*;

fn access(table: Value) -> Result<Access, String> {
    serde_json::from_value(table).map_err(|error| error.to_string())
}

struct Facts;

impl Values for Facts {
    fn values(&self, name: &str) -> Vec<String> {
        if name == "groups" { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() }
    }
}

fn filled(table: Value) -> Result<Option<Vec<Permission>>, String> {
    access(table)?.topics()?.fill(&Facts)
}

#[test]
fn rules_come_first_then_what_may_be_published_and_subscribed() {
    let said = access(json!({
        "subscribe": ["s/#"], "publish": ["p"],
        "permissions": [{ "effect": "deny", "topic": "p/secret" },
                        { "effect": "allow", "actions": ["publish"], "topic": "q", "max_qos": 1, "retain": false }],
    }));
    let allowed = Permission::allow(Actions::PUBLISH, "q");
    assert_eq!(
        said.unwrap().permissions().unwrap().unwrap(),
        [
            Permission::deny(Actions::both(), "p/secret"),
            Permission { max_qos: QoS::AtLeastOnce, retain: false, ..allowed },
            Permission::allow(Actions::PUBLISH, "p"),
            Permission::allow(Actions::SUBSCRIBE, "s/#"),
        ]
    );
}

#[test]
fn saying_nothing_and_allowing_nothing_are_two_things() {
    assert_eq!(access(json!({})).unwrap().permissions(), Ok(None));
    assert_eq!(access(json!({ "publish": [] })).unwrap().permissions(), Ok(Some(Vec::new())));
    assert_eq!(filled(json!({ "limits": {} })), Ok(None));
}

#[test]
fn names_are_filled_in_and_an_allow_without_its_value_allows_nothing() {
    let rules = filled(json!({ "publish": ["g/%{groups}/%c", "n/%{nobody}"] })).unwrap().unwrap();
    let filters: Vec<&str> = rules.iter().map(|rule| rule.topic_filter.as_str()).collect();
    assert_eq!(filters, ["g/a/%c", "g/b/%c"]);
}

#[test]
fn a_deny_without_its_value_lets_nobody_in() {
    let refused = filled(json!({ "permissions": [{ "effect": "deny", "topic": "n/%{nobody}" }] }));
    assert_eq!(refused, Err("what `n/%{nobody}` forbids cannot be said".to_owned()));
}

#[test]
fn what_makes_no_sense_is_named() {
    let why = |table| access(table).and_then(|access| access.permissions()).unwrap_err();
    assert!(why(json!({ "publish": ["a/#/b"] })).contains("`a/#/b`"));
    assert!(why(json!({ "publish": ["a/%{x"] })).contains("without }"));
    assert!(why(json!({ "publlish": [] })).contains("unknown field `publlish`"));
    let rule = |more: Value| {
        let mut rule = json!({ "effect": "allow", "topic": "a" });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        why(json!({ "permissions": [rule] }))
    };
    assert!(rule(json!({ "max_qos": 3 })).contains("max_qos = 3"));
    assert!(rule(json!({ "actions": [] })).contains("no action"));
    assert!(rule(json!({ "actions": ["read"] })).contains("unknown variant `read`"));
}

#[test]
fn of_two_limits_the_lower_goes() {
    let limits = |table| serde_json::from_value::<Limits>(table).unwrap();
    let both = limits(json!({ "in_flight": 5, "packet_bytes": 10 }));
    let both = both.and(limits(json!({ "in_flight": 7, "publish_per_second": 1 })));
    assert_eq!(both, limits(json!({ "in_flight": 5, "packet_bytes": 10, "publish_per_second": 1 })));
    assert_eq!(Limits::default().granted(), None);
    assert_eq!(both.granted().unwrap().inflight, Some(5));
}
