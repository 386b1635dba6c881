#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::{Identity, Message, QoS, testing};
use serde_json::json;

use super::*;

fn start(rules: Value) -> Result<Rewrite, String> {
    testing::set_config(json!({ "rules": rules }));
    Rewrite::init(&testing::environment())
}

fn publish(plugin: &mut Rewrite, topic: &str) -> Action {
    plugin.on_publish(Inbound::of(Message::new(topic, "payload")))
}

/// The topics that are routed.
fn topics(plugin: &mut Rewrite, topic: &str) -> Vec<String> {
    match publish(plugin, topic) {
        Action::Keep => vec![topic.to_owned()],
        Action::Replace(message) => vec![message.topic],
        Action::ReplaceWithMany(messages) => messages.into_iter().map(|message| message.topic).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_filter_and_a_regex_fill_their_groups_into_the_topic() {
    let mut plugin = start(json!([
        { "filter": "old/+/#", "topic": "new/$2/of/$1" },
        { "regex": "v(?<version>[0-9]+)/(.*)", "topic": "$2/v${version}" },
    ]))
    .unwrap();
    assert_eq!(topics(&mut plugin, "old/a/b/c"), ["new/b/c/of/a"]);
    assert_eq!(topics(&mut plugin, "old/a"), ["new/of/a"]);
    assert_eq!(topics(&mut plugin, "v12/a/b"), ["a/b/v12"]);
    assert_eq!(topics(&mut plugin, "xv12/a"), ["xv12/a"], "the whole topic must match");
    assert_eq!(publish(&mut plugin, "other"), Action::Keep);
    assert_eq!(testing::metric("rewritten"), 3.0);
}

#[test]
fn rules_go_on_with_what_the_ones_before_made_unless_one_stops() {
    let mut plugin = start(json!([
        { "filter": "a/#", "topic": "b/$1" },
        { "filter": "stay/#", "stop": true },
        { "filter": "b/#", "topic": "c/$1", "stop": true },
        { "filter": "c/#", "topic": "d/$1" },
        { "filter": "stay/#", "topic": "gone" },
    ]))
    .unwrap();
    assert_eq!(topics(&mut plugin, "a/x"), ["c/x"]);
    assert_eq!(topics(&mut plugin, "c/x"), ["d/x"]);
    assert_eq!(publish(&mut plugin, "stay/x"), Action::Keep);
}

#[test]
fn a_copy_follows_the_message_and_no_further_rule_sees_it() {
    let mut plugin = start(json!([
        { "filter": "a/#", "topic": "copy/$1", "copy": true, "qos": 2, "retain": true },
        { "filter": "a/#", "topic": "b/$1" },
        { "filter": "copy/#", "topic": "never" },
    ]))
    .unwrap();
    let Action::ReplaceWithMany(messages) = publish(&mut plugin, "a/x") else { panic!("two messages") };
    assert_eq!((messages[0].topic.as_str(), messages[0].qos, messages[0].retain), ("b/x", QoS::AtMostOnce, false));
    assert_eq!((messages[1].topic.as_str(), messages[1].qos, messages[1].retain), ("copy/x", QoS::ExactlyOnce, true));
    assert_eq!(messages[1].payload, b"payload");
}

#[test]
fn properties_are_set_and_user_properties_added() {
    let mut plugin = start(json!([{
        "filter": "+/data", "qos": 1, "retain": true, "message_expiry_s": 60, "content_type": "application/$1",
        "user_properties": [["site", "$1"], ["by", "%c as %u"]],
    }]))
    .unwrap();
    testing::set_identity(1, testing::identity("client", "alice"));
    let mut message = Message::new("json/data", "{}");
    message.user_properties = vec![("own".to_owned(), "kept".to_owned())];
    let Action::Replace(made) = plugin.on_publish(Inbound::of(message.clone())) else { panic!("another message") };
    message.qos = QoS::AtLeastOnce;
    message.retain = true;
    message.message_expiry = Some(60);
    message.content_type = Some("application/json".to_owned());
    message.user_properties.push(("site".to_owned(), "json".to_owned()));
    message.user_properties.push(("by".to_owned(), "client as alice".to_owned()));
    assert_eq!(made, message);
}

#[test]
fn what_is_as_the_rule_wants_it_already_is_left_alone() {
    let mut plugin = start(json!([{ "filter": "#", "qos": 0, "retain": false, "topic": "$0" }])).unwrap();
    assert_eq!(publish(&mut plugin, "a"), Action::Keep);
}

#[test]
fn a_message_that_a_rule_makes_no_message_of_is_refused_with_the_rule_and_what_is_wrong() {
    let mut plugin = start(json!([
        { "filter": "a/#", "topic": "$1" },
        { "filter": "tenants/#", "topic": "%t/$1" },
        { "filter": "users/#", "topic": "%u/$1" },
    ]))
    .unwrap();
    let slashed = Identity { principal: "a/b".to_owned(), ..testing::identity("client", "alice") };
    testing::set_identity(1, slashed);
    let cases = [
        ("a/", "rule 0: a topic is not empty"),
        ("a", "rule 0: a topic is not empty"),
        ("a/$SYS/x", "rule 0: \"$SYS/x\": only the broker publishes below $SYS/"),
        ("tenants/x", "rule 1: %t has no value for this client"),
        ("users/x", "rule 2: %u is \"a/b\", which is no single level"),
    ];
    for (topic, expected) in cases {
        let Action::Refuse(refusal) = publish(&mut plugin, topic) else { panic!("{topic} is not refused") };
        assert_eq!((refusal.code, refusal.reason.as_deref()), (TOPIC_NAME_INVALID, Some(expected)));
    }
    assert_eq!(testing::metric("refused"), 5.0);
}

#[test]
fn it_asks_for_the_topics_of_its_filters_and_with_a_regex_for_all() {
    let plugin = start(json!([{ "filter": "a/#", "qos": 1 }, { "filter": "b", "qos": 1 }])).unwrap();
    assert_eq!(plugin.registration().topics, ["a/#", "b"]);
    let plugin = start(json!([{ "filter": "a/#", "qos": 1 }, { "regex": "b", "qos": 1 }])).unwrap();
    assert!(plugin.registration().topics.is_empty());
}

#[test]
fn a_wrong_rule_is_named_with_its_key_and_what_would_be_right() {
    let cases = [
        (json!([]), "config: rules: 1 to 1000 rules, and there are 0"),
        (
            json!([{ "filter": "a", "qos": 1 }, { "filter": "a/#/b", "qos": 1 }]),
            "config: rules[1].filter = \"a/#/b\": # stands",
        ),
        (
            json!([{ "filter": "a/+", "topic": "b/$2" }]),
            "rules[0].topic = \"b/$2\": there is no $2: what is matched has 1 groups",
        ),
        (json!([{ "filter": "a", "topic": "b/%x" }]), "rules[0].topic = \"b/%x\": % is followed by c, u or t"),
        (
            json!([{ "filter": "a", "user_properties": [["x", "$1"]] }]),
            "rules[0].user_properties[0] = \"$1\": there is no $1",
        ),
        (json!([{ "filter": "a", "qos": 3 }]), "rules[0].qos = 3: 0, 1 or 2"),
        (json!([{ "regex": "(", "qos": 1 }]), "rules[0].regex = \"(\": "),
        (json!([{ "filter": "a", "regex": "a", "qos": 1 }]), "rules[0]: `filter` and `regex` are alternatives"),
        (json!([{ "qos": 1 }]), "rules[0]: says neither `filter` nor `regex`"),
        (json!([{ "filter": "a", "tpic": "b" }]), "rules[0]: unknown field `tpic`"),
        (json!([{ "filter": "a", "copy": true, "qos": 1 }]), "rules[0].copy = true: needs a `topic`"),
        (json!([{ "filter": "a" }]), "rules[0]: changes nothing"),
    ];
    for (rules, expected) in cases {
        let Err(why) = start(rules.clone()) else { panic!("{rules} is accepted") };
        assert!(why.starts_with("config: rules") && why.contains(expected), "{rules}: {why}");
    }
}
