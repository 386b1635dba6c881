//! One plugin by itself: every function by its name, with JSON in the words of the contract.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;

use midge_host::contract::{Hook, Lane, PluginSpec};
use midge_host::{Alone, CallError, HookFailure, Report};
use serde_json::{Value, json};
use support::{Guest, Nobody, settings, spec, within};

async fn alone(spec: PluginSpec) -> Alone {
    Alone::load(settings(), spec, Arc::new(Nobody)).await.unwrap()
}

async fn guest(parts: &[&'static str]) -> Alone {
    alone(Guest::new(parts).spec("guest")).await
}

async fn call(plugin: &mut Alone, function: &str, input: Value) -> Report {
    within(plugin.call(function, &input)).await.unwrap()
}

async fn answer(plugin: &mut Alone, function: &str, input: Value) -> Value {
    call(plugin, function, input).await.answer.unwrap()
}

async fn refused(plugin: &mut Alone, function: &str, input: Value) -> String {
    within(plugin.call(function, &input)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_component_says_what_it_is_and_wants() {
    let plugin = guest(&["authn", "authz", "http"]).await;
    let found = plugin.inspection();
    assert_eq!((found.track, found.lane, found.memory_bytes_at_start), ("0.1", Lane::Waiting, Some(2 << 16)));
    let authz: Vec<_> = found.functions.iter().filter(|it| it.hook == Hook::Authz).map(|it| &*it.name).collect();
    assert_eq!(authz, ["permissions", "authorize-publish", "authorize-subscribe", "identity-gone"]);
    let http = found.imports.iter().find(|import| import.interface == "http").unwrap();
    assert_eq!((http.is_granted, http.line), (Some(false), Some("http = [\"https://…\"]")));
}

#[tokio::test]
async fn an_authenticator_is_asked_with_as_much_as_there_is_to_say() {
    let mut plugin = guest(&["authn"]).await;
    let allow = answer(&mut plugin, "authenticate", json!({ "username": "alice" })).await;
    assert_eq!(allow["verdict"]["allow"]["principal"], "alice");
    assert_eq!(allow["reuse"]["ttl-ms"], 0);
    let whole = json!({ "credentials": { "username": "dave", "client-id": "d" }, "connect": { "keep_alive": 5 } });
    let deny = answer(&mut plugin, "authn.authenticate", whole).await;
    assert_eq!(deny["verdict"], json!({ "deny": { "code": 0x86 } }));
    assert_eq!(answer(&mut plugin, "authn", json!({})).await["verdict"], "next");
    let flat = json!({ "username": "alice", "will": { "topic": "t", "qos": 1 }, "http-headers": { "a": "b" } });
    assert_eq!(answer(&mut plugin, "authenticate", flat).await["verdict"]["allow"]["principal"], "alice");
}

#[tokio::test]
async fn a_waiting_component_is_called_the_same_way() {
    let mut plugin = guest(&["authn", "authz", "http"]).await;
    let allow = answer(&mut plugin, "authenticate", json!({ "username": "alice" })).await;
    assert_eq!(allow["verdict"]["allow"]["principal"], "alice");
    let allow = answer(&mut plugin, "authorize-publish", json!({ "topic": "a", "qos": 2 })).await;
    assert_eq!(allow["verdict"], "allow");
}

#[tokio::test]
async fn an_authorizer_is_asked_about_someone_who_stays_the_same() {
    let mut plugin = guest(&["authz"]).await;
    let alice = json!({ "principal": "alice", "client-id": "p1", "peer": "[::1]:1" });
    let rules = answer(&mut plugin, "permissions", alice.clone()).await;
    let rule = json!([{ "effect": "allow", "actions": ["publish", "subscribe"], "topic-filter": "next/#", "max-qos": "exactly-once", "retain": false }]);
    assert_eq!(rules, rule);
    let ask = json!({ "who": alice, "topic": "gone?", "qos": "at-least-once" });
    assert_eq!(answer(&mut plugin, "authorize-publish", ask.clone()).await["verdict"], "deny");
    assert_eq!(answer(&mut plugin, "identity-gone", json!({ "who": alice })).await, Value::Null);
    assert_eq!(answer(&mut plugin, "authorize-publish", ask).await["verdict"], "allow");
    let several = json!({ "who": "alice", "subscriptions": [{ "filter": "a" }, { "filter": "d/#", "qos": 1 }, { "filter": "n" }] });
    let rulings = answer(&mut plugin, "authorize-subscribe", several).await;
    let verdicts: Vec<_> = rulings.as_array().unwrap().iter().map(|ruling| &ruling["verdict"]).collect();
    assert_eq!(verdicts, ["allow", "deny", "next"]);
    let one = json!({ "principal": "alice", "filter": "x" });
    assert_eq!(answer(&mut plugin, "authorize-subscribe", one).await[0]["reuse"]["ttl-ms"], 60_000);
}

#[tokio::test]
async fn messages_and_sinks_get_lists_or_one() {
    let mut plugin = guest(&["messages", "sink"]).await;
    let batch = json!([{ "topic": "k" }, { "topic": "r", "payload": { "base64": "AAE=" } }, { "message": { "topic": "f" } }, { "topic": "d" }]);
    let actions = answer(&mut plugin, "on-publish", batch).await;
    assert_eq!((&actions[0], &actions[3]), (&json!("keep"), &json!("drop")));
    assert_eq!(actions[1]["replace"]["topic"], "replaced");
    assert_eq!(actions[2], json!({ "refuse": { "code": 0x99 } }));
    let one = json!({ "topic": "t", "payload": "x", "user-properties": { "a": "b" }, "who": "alice" });
    assert_eq!(answer(&mut plugin, "sink.deliver", one).await, json!(["done"]));
    assert_eq!(answer(&mut plugin, "flush", Value::Null).await, Value::Null);
}

#[tokio::test]
async fn an_exchange_takes_as_many_calls_as_it_has_steps() {
    let mut plugin = guest(&["enhanced-authn"]).await;
    assert_eq!(answer(&mut plugin, "methods", json!({})).await, json!(["METHOD"]));
    let step = answer(&mut plugin, "start", json!({ "method": "METHOD", "username": "u", "data": "cstate" })).await;
    assert_eq!(step["challenge"]["state"], "cstate");
    let next = json!({ "method": "METHOD", "state": step["challenge"]["state"], "data": "f" });
    assert_eq!(answer(&mut plugin, "proceed", next).await["allow"]["grant"]["principal"], "cstate");
    let hoarder = call(&mut plugin, "start", json!({ "method": "METHOD", "data": "z" })).await;
    assert!(hoarder.answer.unwrap_err().to_string().contains("state_bytes_max"));
}

#[tokio::test]
async fn a_failure_is_told_and_the_next_call_has_an_instance_again() {
    for parts in [&["authz"][..], &["authz", "http"]] {
        let mut plugin = guest(parts).await;
        let ask = |topic: &str| json!({ "topic": topic });
        let failed = call(&mut plugin, "authorize-publish", ask("error")).await.answer.unwrap_err();
        assert_eq!(failed, HookFailure::Backend("down".into()));
        let trapped = call(&mut plugin, "authorize-publish", ask("trap")).await.answer.unwrap_err();
        assert!(matches!(trapped, HookFailure::Trapped(_)), "{trapped}");
        let looped = call(&mut plugin, "authorize-publish", ask("loop")).await.answer.unwrap_err();
        assert_eq!(looped, HookFailure::Deadline);
        let hoarded = call(&mut plugin, "authorize-publish", ask("memory")).await.answer.unwrap_err();
        assert!(hoarded.to_string().contains("its limit is"), "{hoarded}");
        assert!(call(&mut plugin, "authorize-publish", ask("bad")).await.answer.is_err());
        assert_eq!(answer(&mut plugin, "authorize-publish", ask("a")).await["verdict"], "allow");
    }
}

#[tokio::test]
async fn init_is_a_call_like_any_other() {
    let mut plugin = guest(&["lifecycle", "authz"]).await;
    assert_eq!(answer(&mut plugin, "init", json!({})).await, json!({ "topics": [], "wants-payload": true }));
    assert_eq!(answer(&mut plugin, "health", json!({})).await, Value::Null);
    let mut refusing = alone(Guest::new(&["lifecycle", "authz"]).init('e').spec("guest")).await;
    let refusal = call(&mut refusing, "init", json!({})).await.answer.unwrap_err();
    assert_eq!(refusal, HookFailure::Backend("down".into()));
    let error = within(refusing.call("authorize-publish", &json!({ "topic": "a" }))).await.unwrap_err();
    assert!(matches!(error, CallError::Start(_)) && error.to_string().contains("refused to start: down"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_named_with_what_would_be_right() {
    let mut plugin = guest(&["authn", "authz", "messages"]).await;
    let unknown = refused(&mut plugin, "authentcate", json!({})).await;
    assert!(
        unknown.contains("no function \"authentcate\"") && unknown.contains("authn.authenticate, authz.permissions"),
        "{unknown}"
    );
    let cases = [
        ("authenticate", json!({ "user": "alice" }), "expected one of the fields credentials, client-id, username"),
        ("authenticate", json!({ "username": 5 }), "credentials.username: expected text, found 5"),
        (
            "authenticate",
            json!({ "protocol": "v4" }),
            "credentials.protocol: expected one of v31, v311, v5, found \"v4\"",
        ),
        ("authenticate", json!({ "keep-alive": 70_000 }), "connect.keep-alive: expected a number from 0 to 65535"),
        ("authenticate", json!({ "connect": { "wil": {} } }), "connect: expected one of the fields clean-start"),
        ("authorize-publish", json!({ "qos": 1 }), "topic is missing: text"),
        (
            "authorize-publish",
            json!({ "topic": "a", "qos": 3 }),
            "qos: expected one of at-most-once, at-least-once, exactly-once, or 0, 1, 2",
        ),
        (
            "authorize-publish",
            json!({ "topic": "a", "who": { "peer": "here" } }),
            "who.peer: expected an address, \"IP:PORT\"",
        ),
        ("authorize-publish", json!("a"), "expected an object with the fields who"),
        ("authorize-subscribe", json!({ "who": "alice" }), "subscriptions is missing: a list of objects"),
        ("on-publish", json!([{ "topic": "a" }, { "payload": "x" }]), "batch[1].message.topic is missing"),
        (
            "on-publish",
            json!([{ "topic": "a", "payload": 7 }]),
            "batch[0].message.payload: expected text, {\"base64\": \"…\"}",
        ),
        ("on-publish", json!(7), "batch: expected a list of objects"),
    ];
    for (function, input, expected) in cases {
        let said = refused(&mut plugin, function, input.clone()).await;
        assert!(said.contains(expected), "{function} {input}: {said}");
    }
}

#[tokio::test]
async fn a_component_of_another_shape_is_found_out_before_anything_is_called() {
    let world = "package test:guest; world guest { export midge:plugin/authn@0.1.0; }";
    let error = Alone::load(settings(), spec("other", world.into()), Arc::new(Nobody)).await.unwrap_err();
    assert!(error.to_string().contains("is not WebAssembly"), "{error}");
}
