#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::testing;
use serde_json::json;

use super::*;

fn start(rules: Value) -> Result<Schema, String> {
    testing::set_config(json!({ "rules": rules }));
    Schema::init(&testing::environment())
}

fn publish(plugin: &mut Schema, topic: &str, payload: impl Into<Vec<u8>>) -> Action {
    plugin.on_publish(Inbound::of(Message::new(topic, payload)))
}

fn refused(reason: &str) -> Action {
    Action::Refuse(Refusal { code: 0x99, reason: Some(reason.to_owned()) })
}

#[test]
fn a_payload_that_breaks_the_schema_is_refused_with_the_place_and_the_keyword() {
    let schema = json!({ "type": "object", "properties": { "t": { "maximum": 50 } }, "required": ["t"] });
    let mut plugin = start(json!([{ "filter": "sensors/+", "schema": schema }])).unwrap();
    assert_eq!(publish(&mut plugin, "sensors/a", r#"{"t": 21.5}"#), Action::Keep);
    assert_eq!(publish(&mut plugin, "other", "anything"), Action::Keep);
    assert_eq!(publish(&mut plugin, "sensors/a", r#"{"t": 51}"#), refused("/t breaks maximum: must be at most 50"));
    assert_eq!(publish(&mut plugin, "sensors/a", "{}"), refused("the payload breaks required: \"t\" is missing"));
    assert_eq!((testing::metric("checked"), testing::metric("failed")), (3.0, 2.0));
}

#[test]
fn what_is_simpler_than_a_schema_is_checked_without_one() {
    let mut plugin = start(json!([
        { "filter": "text/#", "utf8": true, "max_bytes": 4 },
        { "filter": "typed/#", "content_type": ["application/json", "text/plain"] },
        { "filter": "strict/#", "content_type": ["application/json"], "content_type_required": true },
    ]))
    .unwrap();
    assert_eq!(publish(&mut plugin, "text/a", "äb"), Action::Keep);
    assert_eq!(publish(&mut plugin, "text/a", [0xff]), refused("utf8: the payload is not UTF-8"));
    assert_eq!(publish(&mut plugin, "text/a", "12345"), refused("max_bytes: the payload has 5 bytes and may have 4"));
    let mut typed = |topic: &str, content_type: Option<&str>| {
        let message = Message { content_type: content_type.map(str::to_owned), ..Message::new(topic, "x") };
        plugin.on_publish(Inbound::of(message))
    };
    assert_eq!(typed("typed/a", Some("Text/Plain; charset=utf-8")), Action::Keep);
    assert_eq!(typed("typed/a", None), Action::Keep);
    assert_eq!(typed("typed/a", Some("image/png")), refused("content_type: must be application/json or text/plain"));
    assert_eq!(typed("strict/a", None), refused("content_type: the message has none"));
}

#[test]
fn every_rule_that_matches_must_be_kept() {
    let mut plugin = start(json!([
        { "filter": "#", "max_bytes": 3 },
        { "filter": "a/#", "schema": { "type": "number" } },
    ]))
    .unwrap();
    assert_eq!(publish(&mut plugin, "a/x", "123"), Action::Keep);
    assert_eq!(publish(&mut plugin, "a/x", "1234"), refused("max_bytes: the payload has 4 bytes and may have 3"));
    assert_eq!(publish(&mut plugin, "a/x", "\"x\""), refused("the payload breaks type: must be number"));
}

#[test]
fn an_empty_payload_is_checked_unless_it_may_clear_what_is_retained() {
    let mut plugin = start(json!([
        { "filter": "a", "schema": {} },
        { "filter": "b", "schema": {}, "empty": "allow" },
    ]))
    .unwrap();
    assert!(matches!(publish(&mut plugin, "a", ""), Action::Refuse(_)));
    assert_eq!(publish(&mut plugin, "b", ""), Action::Keep);
}

#[test]
fn what_is_wrong_is_dropped_or_diverted_with_the_reason() {
    let mut plugin = start(json!([
        { "filter": "drop/#", "schema": { "type": "number" }, "on_failure": "drop" },
        { "filter": "divert/#", "schema": { "type": "number" }, "on_failure": "divert", "divert_to": "invalid/%c/$1" },
    ]))
    .unwrap();
    assert_eq!(publish(&mut plugin, "drop/a", "x"), Action::Drop);
    let message = Message { retain: true, ..Message::new("divert/a/b", "true") };
    let Action::Replace(diverted) = plugin.on_publish(Inbound::of(message)) else { panic!("another message") };
    assert_eq!(
        (diverted.topic.as_str(), diverted.retain, &diverted.payload[..]),
        ("invalid/client/a/b", false, &b"true"[..])
    );
    let properties = [("schema-error", "the payload breaks type: must be number"), ("schema-topic", "divert/a/b")];
    assert_eq!(diverted.user_properties, properties.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_cannot_be_diverted_is_refused() {
    let rule = json!({ "filter": "a", "max_bytes": 1, "on_failure": "divert", "divert_to": "invalid/%t" });
    let mut plugin = start(json!([rule])).unwrap();
    assert_eq!(publish(&mut plugin, "a", "xx"), refused("max_bytes: the payload has 2 bytes and may have 1"));
    assert!(testing::logs()[0].message.contains("%t has no value for this client"));
}

#[test]
fn a_schema_file_is_read_again_when_it_changes_and_keeps_its_last_good_content() {
    testing::set_file("s.json", r#"{"type": "number"}"#);
    let mut plugin = start(json!([{ "filter": "a", "schema_file": "s.json" }])).unwrap();
    assert_eq!(publish(&mut plugin, "a", "1"), Action::Keep);
    testing::set_file("s.json", r#"{"type": "string"}"#);
    assert_eq!(publish(&mut plugin, "a", "1"), refused("the payload breaks type: must be string"));
    testing::set_file("s.json", r#"{"typ": "number"}"#);
    assert_eq!(publish(&mut plugin, "a", "1"), refused("the payload breaks type: must be string"));
    let last = testing::logs().pop().unwrap();
    assert!(last.message.starts_with("what was read before stays in force: s.json: #/typ: "), "{}", last.message);
}

#[test]
fn it_asks_for_the_topics_of_its_rules() {
    let plugin = start(json!([{ "filter": "a/#", "utf8": true }, { "filter": "b", "utf8": true }])).unwrap();
    assert_eq!(plugin.registration().topics, ["a/#", "b"]);
}

#[test]
fn a_wrong_rule_is_named_with_its_key_and_what_would_be_right() {
    let cases = [
        (json!([]), "config: rules: 1 to 1000 rules, and there are 0"),
        (json!([{ "filter": "a/#/b", "utf8": true }]), "rules[0].filter = \"a/#/b\": # stands alone"),
        (json!([{ "filter": "a" }]), "rules[0]: checks nothing"),
        (
            json!([{ "filter": "a", "schema": { "requird": [] } }]),
            "rules[0].schema: #/requird: this keyword is not known",
        ),
        (
            json!([{ "filter": "a", "schema_file": "none.json" }]),
            "rules[0].schema_file: none.json: not granted; add allow = { files",
        ),
        (
            json!([{ "filter": "a", "schema": {}, "schema_file": "s" }]),
            "rules[0]: `schema` and `schema_file` are alternatives",
        ),
        (
            json!([{ "filter": "a", "utf8": true, "on_failure": "divert" }]),
            "rules[0].on_failure = \"divert\": needs `divert_to`",
        ),
        (
            json!([{ "filter": "a", "utf8": true, "divert_to": "x" }]),
            "rules[0].divert_to: is for on_failure = \"divert\"",
        ),
        (
            json!([{ "filter": "a", "utf8": true, "on_failure": "divert", "divert_to": "x/$1" }]),
            "rules[0].divert_to = \"x/$1\": there is no $1",
        ),
        (json!([{ "filter": "a", "utf8": true, "content_type_required": true }]), "needs `content_type`"),
        (json!([{ "filter": "a", "utf8": true }, { "filter": "a", "utf_8": true }]), "rules[1]: unknown field `utf_8`"),
    ];
    for (rules, expected) in cases {
        let Err(why) = start(rules.clone()) else { panic!("{rules} is accepted") };
        assert!(why.starts_with("config: rules") && why.contains(expected), "{rules}: {why}");
    }
}
