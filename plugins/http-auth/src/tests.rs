#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::http::{Error, Response};
use midge_plugin_sdk::{Actions, Grant, Permission, Protocol, Verdict, testing};
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_700_000_000;

fn start(more: Value) -> HttpAuth {
    let mut config = json!({ "url": "https://auth/connect" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    testing::set_now(NOW * 1000);
    testing::set_config(config);
    HttpAuth::init(&testing::environment()).unwrap()
}

fn respond(status: u16, body: &str) {
    testing::respond(Ok(Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }));
}

fn ask(plugin: &mut HttpAuth, body: Value) -> Result<Answer, String> {
    respond(200, &body.to_string());
    plugin.authenticate(&Credentials::of("alice", "wonderland"), &Connect::default())
}

fn asked() -> Value {
    serde_json::from_slice(&testing::requests().last().unwrap().body).unwrap()
}

#[test]
fn the_service_is_told_what_the_client_says() {
    let mut plugin = start(json!({}));
    ask(&mut plugin, json!({ "result": "next" })).unwrap();
    let expected = json!({
        "client_id": "client", "username": "alice", "password": "wonderland",
        "listener": "tcp", "peer": "127.0.0.1:50000", "protocol": "5.0", "tls": false,
    });
    assert_eq!(asked(), expected);

    let credentials = Credentials {
        password: Some(vec![0xFF, 0]),
        username: None,
        certificate_cn: Some("device".to_owned()),
        protocol: Protocol::V311,
        tls: true,
        ..Credentials::anonymous()
    };
    respond(200, "{\"result\":\"next\"}");
    plugin.authenticate(&credentials, &Connect::default()).unwrap();
    let said = asked();
    assert_eq!((&said["password_base64"], said.get("password"), said.get("username")), (&json!("/wA="), None, None));
    assert_eq!(
        (&said["certificate_cn"], &said["protocol"], &said["tls"]),
        (&json!("device"), &json!("3.1.1"), &json!(true))
    );
}

#[test]
fn rare_facts_are_told_where_they_are_wanted() {
    let facts = ["alternative_names", "certificate_fingerprint", "server_name", "user_properties"];
    let mut plugin = start(json!({ "facts": facts }));
    let connect = Connect {
        alternative_names: vec!["DNS:a".to_owned()],
        certificates: vec![b"leaf".to_vec()],
        server_name: Some("mqtt.example.com".to_owned()),
        user_properties: vec![("k".to_owned(), "v".to_owned())],
        ..Connect::default()
    };
    respond(200, "{\"result\":\"next\"}");
    plugin.authenticate(&Credentials::anonymous(), &connect).unwrap();
    let said = asked();
    assert_eq!((&said["alternative_names"], &said["server_name"]), (&json!(["DNS:a"]), &json!("mqtt.example.com")));
    assert_eq!(said["user_properties"], json!([["k", "v"]]));
    assert_eq!(said["certificate_fingerprint"].as_str().unwrap().len(), 64);
}

#[test]
fn a_bare_yes_lets_in_by_the_own_name() {
    let mut plugin = start(json!({}));
    assert_eq!(ask(&mut plugin, json!({ "result": "allow" })).unwrap(), Answer::allow("alice"));
    respond(200, "{\"result\":\"allow\"}");
    let nameless = plugin.authenticate(&Credentials::anonymous(), &Connect::default());
    assert!(nameless.is_err_and(|why| why.contains("has no name")));
}

#[test]
fn a_whole_grant_may_be_said() {
    let mut plugin = start(json!({}));
    let answer = ask(
        &mut plugin,
        json!({
            "result": "allow", "principal": "p", "tenant": "t", "client_id": "c", "attributes": { "a": "1" },
            "permissions": [{ "effect": "deny", "topic": "x" }], "publish": ["up/%c"],
            "limits": { "in_flight": 3 }, "expires_at": NOW + 100, "expires_in_s": 10, "user_properties": [["k", "v"]],
        }),
    );
    let Verdict::Allow(grant) = answer.unwrap().verdict else { panic!("allowed") };
    let rules = vec![Permission::deny(Actions::both(), "x"), Permission::allow(Actions::PUBLISH, "up/%c")];
    let mut expected = Grant::new("p").tenant("t").attribute("a", "1").permissions(rules).expires_at(NOW + 10);
    expected.client_id = Some("c".to_owned());
    expected.limits = grant.limits;
    expected.user_properties = vec![("k".to_owned(), "v".to_owned())];
    assert_eq!(grant.limits.unwrap().inflight, Some(3));
    assert_eq!(grant, expected);
}

#[test]
fn a_refusal_has_a_code_and_words_and_is_used_again_for_a_while() {
    let mut plugin = start(json!({ "cache_s": 30 }));
    let answer = ask(&mut plugin, json!({ "result": "deny", "code": 0x8A, "reason": "banned" })).unwrap();
    let refusal = |code, reason: Option<&str>| Answer::refuse(Refusal { code, reason: reason.map(str::to_owned) });
    assert_eq!(answer, refusal(0x8A, Some("banned")).for_ms(5000));
    assert_eq!(ask(&mut plugin, json!({ "result": "deny" })).unwrap(), refusal(0x86, None).for_ms(5000));
    assert_eq!(ask(&mut plugin, json!({ "result": "allow" })).unwrap().reuse.ttl_ms, 30_000);
    respond(403, "");
    let answer = plugin.authenticate(&Credentials::of("alice", "x"), &Connect::default()).unwrap();
    assert_eq!(answer, refusal(0x87, None).for_ms(5000));
}

#[test]
fn what_is_no_answer_is_a_failure_and_lets_nobody_in() {
    let mut plugin = start(json!({}));
    for (body, words) in [
        (json!({}), "missing field `result`"),
        (json!({ "result": "yes" }), "unknown variant `yes`"),
        (json!({ "result": "allow", "permisions": [] }), "unknown field `permisions`"),
        (json!({ "result": "allow", "publish": ["a/#/b"] }), "`a/#/b`"),
        (json!({ "result": "allow", "principal": "" }), "principal is empty"),
        (json!({ "result": "deny", "code": 0 }), "code 0 is no refusal"),
        (json!({ "result": "deny", "reason": 1 }), "invalid type"),
    ] {
        let why = ask(&mut plugin, body.clone()).unwrap_err();
        assert!(why.starts_with("the service's answer: ") && why.contains(words), "{body}: {why}");
    }
    respond(200, "<html>wonderland</html>");
    let why = plugin.authenticate(&Credentials::of("alice", "wonderland"), &Connect::default()).unwrap_err();
    assert!(!why.contains("wonderland"), "{why}");
    testing::respond(Err(Error::Timeout));
    assert!(plugin.authenticate(&Credentials::of("alice", "x"), &Connect::default()).is_err());
    assert!(testing::logs().iter().all(|line| !line.message.contains("wonderland")));
}

#[test]
fn a_service_may_answer_with_nothing_but_a_status() {
    let mut plugin = start(json!({ "answers": "status" }));
    respond(204, "");
    let answer = plugin.authenticate(&Credentials::of("alice", "x"), &Connect::default());
    assert_eq!(answer.unwrap(), Answer::allow("alice"));
    let mut plugin = start(json!({}));
    respond(204, "");
    let answer = plugin.authenticate(&Credentials::of("alice", "x"), &Connect::default());
    assert!(answer.is_err(), "unless it was agreed on, nothing is no answer");
}

#[test]
fn a_key_that_is_not_known_is_refused() {
    testing::set_config(json!({ "url": "https://auth/connect", "retires": 1 }));
    let refused = HttpAuth::init(&testing::environment());
    assert!(refused.is_err_and(|why| why == "config: unknown field `retires`"));
}
