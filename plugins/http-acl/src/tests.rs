#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::http::{Error, Response};
use midge_plugin_sdk::{Actions, testing};
use serde_json::{Value, json};

use super::*;

fn start(more: Value) -> Result<HttpAcl, String> {
    let mut config = json!({ "url": "https://auth/acl" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    testing::set_config(config);
    testing::set_identity(7, who());
    HttpAcl::init(&testing::environment())
}

fn per_action() -> HttpAcl {
    start(json!({ "ask": "actions" })).unwrap()
}

fn who() -> Identity {
    Identity {
        tenant: Some("acme".to_owned()),
        attributes: vec![("role".to_owned(), "admin".to_owned())],
        ..testing::identity("client", "alice")
    }
}

fn respond(status: u16, body: &Value) {
    testing::respond(Ok(Response { status, headers: Vec::new(), body: body.to_string().into_bytes() }));
}

fn publish(plugin: &mut HttpAcl, answer: Value) -> Result<Ruling, String> {
    respond(200, &answer);
    plugin.authorize_publish(7, "a/b", QoS::AtLeastOnce, true)
}

fn permissions(plugin: &mut HttpAcl, answer: Value) -> Result<Option<Vec<Permission>>, String> {
    respond(200, &answer);
    plugin.permissions(7, &who())
}

fn asked() -> Value {
    serde_json::from_slice(&testing::requests().last().unwrap().body).unwrap()
}

#[test]
fn rules_are_asked_for_once_and_handed_over() {
    let mut plugin = start(json!({})).unwrap();
    let rules = permissions(&mut plugin, json!({ "result": "allow", "publish": ["%u/#"], "subscribe": [] })).unwrap();
    assert_eq!(rules.unwrap(), [Permission::allow(Actions::PUBLISH, "%u/#")]);
    let expected = json!({
        "action": "permissions", "client_id": "client", "principal": "alice", "tenant": "acme",
        "attributes": { "role": "admin" }, "listener": "tcp", "peer": "127.0.0.1:50000", "protocol": "5.0",
    });
    assert_eq!(asked(), expected);
    assert_eq!(permissions(&mut plugin, json!({ "result": "deny" })), Ok(Some(Vec::new())));
    assert_eq!(permissions(&mut plugin, json!({ "result": "next" })), Ok(None));
    let before = testing::requests().len();
    assert_eq!(plugin.authorize_publish(7, "a", QoS::AtMostOnce, false).unwrap().verdict, RulingVerdict::Next);
    assert_eq!(testing::requests().len(), before);
    respond(403, &json!({}));
    assert_eq!(plugin.permissions(7, &who()), Ok(Some(Vec::new())));
}

#[test]
fn actions_are_asked_about_one_by_one() {
    let mut plugin = per_action();
    assert_eq!(plugin.permissions(7, &who()), Ok(None));
    let ruling = publish(&mut plugin, json!({ "result": "allow", "max_qos": 1, "covers": "a/#" })).unwrap();
    assert_eq!(ruling, Ruling::allow().at_most(QoS::AtLeastOnce).for_ms(60_000).covering("a/#"));
    let said = asked();
    assert_eq!((&said["action"], &said["topic"], &said["qos"]), (&json!("publish"), &json!("a/b"), &json!(1)));
    assert_eq!((&said["retain"], &said["principal"]), (&json!(true), &json!("alice")));

    respond(200, &json!({ "result": "deny", "code": 0x97, "reason": "too many", "covers": "x/#" }));
    let subscription =
        Subscription { filter: "x/1".to_owned(), qos: QoS::ExactlyOnce, no_local: true, share: Some("g".to_owned()) };
    let ruling = plugin.authorize_subscribe(7, &subscription).unwrap();
    assert_eq!((ruling.verdict, ruling.reuse.ttl_ms), (RulingVerdict::Deny, 60_000));
    assert_eq!(ruling.refusal.unwrap(), Refusal { code: 0x97, reason: Some("too many".to_owned()) });
    let said = asked();
    assert_eq!((&said["filter"], &said["qos"], &said["share"]), (&json!("x/1"), &json!(2), &json!("g")));
    assert_eq!(publish(&mut plugin, json!({ "result": "next" })).unwrap().verdict, RulingVerdict::Next);
}

#[test]
fn what_is_no_answer_is_a_failure() {
    let mut plugin = per_action();
    for (answer, words) in [
        (json!({ "result": "allow", "maxqos": 1 }), "unknown field `maxqos`"),
        (json!({ "result": "allow", "max_qos": 3 }), "max_qos 3"),
        (json!({ "result": "allow", "covers": "a#" }), "covers: `a#`"),
        (json!({ "result": "deny", "code": 1 }), "code 1 is no refusal"),
        (json!([]), "the service's answer"),
    ] {
        let why = publish(&mut plugin, answer.clone()).unwrap_err();
        assert!(why.contains(words), "{answer}: {why}");
    }
    testing::respond(Err(Error::Timeout));
    assert!(plugin.authorize_publish(7, "a", QoS::AtMostOnce, false).is_err());
    assert!(plugin.authorize_publish(8, "a", QoS::AtMostOnce, false).is_err_and(|why| why.contains("gone")));
    let mut plugin = start(json!({})).unwrap();
    let why = permissions(&mut plugin, json!({ "result": "allow" })).unwrap_err();
    assert!(why.contains("allows nothing"), "{why}");
}

#[test]
fn a_service_may_answer_with_nothing_but_a_status() {
    let mut plugin = start(json!({ "ask": "actions", "answers": "status", "deny_cache_s": 1 })).unwrap();
    respond(204, &json!(null));
    assert_eq!(plugin.authorize_publish(7, "a", QoS::AtMostOnce, false).unwrap(), Ruling::allow().for_ms(60_000));
    respond(401, &json!(null));
    let ruling = plugin.authorize_publish(7, "a", QoS::AtMostOnce, false).unwrap();
    assert_eq!((ruling.verdict, ruling.reuse.ttl_ms), (RulingVerdict::Deny, 1000));
    assert_eq!(ruling.refusal.unwrap().code, Refusal::NOT_AUTHORIZED);
    assert!(start(json!({ "answers": "status" })).is_err_and(|why| why.contains("ask = \"actions\"")));
}

#[test]
fn a_key_that_is_not_known_is_refused() {
    assert!(start(json!({ "retires": 1 })).is_err_and(|why| why == "config: unknown field `retires`"));
}
