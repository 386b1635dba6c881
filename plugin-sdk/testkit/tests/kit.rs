//! The kit as an author uses it, with the guests of `tests/guests`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};

use midge_host::contract::{Hook, StagedFailure};
use midge_plugin_test::{Fixture, FixtureError, Plugin, Redirected, Served, login};
use serde_json::json;

fn guest(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.exists(), "{} is missing; build it with: cargo xtask plugins", file.display());
    file
}

fn importer() -> Plugin {
    Plugin::load(guest("importer"))
}

#[test]
fn a_few_lines_are_a_test() {
    let mut plugin = Plugin::load(guest("fifteen-lines"));
    plugin.authenticate(login("alice", "secret")).assert_allow();
    plugin
        .authenticate(login("alice", "wrong"))
        .assert_deny()
        .assert_answer(json!({ "verdict": { "deny": { "reason": "wrong password" } } }));
    plugin.authenticate(json!({})).assert_next();
}

#[test]
#[should_panic(expected = "authenticate did not allow\nauthenticate answered")]
fn a_failed_demand_shows_the_answer() {
    Plugin::load(guest("fifteen-lines")).authenticate(login("alice", "wrong")).assert_allow();
}

#[test]
fn deliveries_are_asked_about_in_a_few_lines_too() {
    let mut courier = Plugin::load(guest("courier"));
    let publisher = json!({ "client-id": "a", "who": { "client-id": "alice", "principal": "alice" } });
    let ask = |courier: &mut Plugin, deliveries| {
        courier.authorize_deliver(json!({ "who": { "principal": "bob" }, "deliveries": deliveries }))
    };
    let one = ask(&mut courier, json!([{ "topic": "a" }, { "topic": "from/a", "publisher": publisher }]));
    one.assert_allow();
    ask(&mut courier, json!([{ "topic": "from/a" }, { "topic": "qos0/a", "qos": 1 }])).assert_deny();
    ask(&mut courier, json!({ "topic": "err" })).assert_fails("as it was asked to");
}

#[test]
fn what_is_outside_is_the_tests() {
    let mut plugin = importer()
        .config(json!({ "issuer": "me" }))
        .file("users", "alice")
        .secret("token", "t0p")
        .kept("seen", "asked", "41")
        .at(1_700_000_000_000)
        .seed("chance");
    let said = |plugin: &mut Plugin, import: &str, argument: &str| {
        plugin.authenticate(login(import, argument)).verdict()["allow"]["principal"].as_str().unwrap().to_owned()
    };
    assert_eq!(said(&mut plugin, "config", "issuer"), "me");
    assert_eq!(said(&mut plugin, "file", "users"), "alice");
    plugin.change_file("users", "bob").unwrap();
    assert_eq!(said(&mut plugin, "file", "users"), "bob");
    assert_eq!(said(&mut plugin, "secret", "token"), "t0p");
    assert_eq!(said(&mut plugin, "kv", "seen"), "42");
    assert_eq!(plugin.value("seen", "asked").unwrap(), b"42");
    assert_eq!(said(&mut importer().store("empty"), "kv", "empty"), "1");
    assert_eq!(said(&mut plugin, "clock", ""), "1700000000000");
    plugin.advance(1_500);
    assert_eq!(said(&mut plugin, "clock", ""), "1700000001500");
    let random = said(&mut plugin, "random", "");
    assert_eq!(random, said(&mut importer().seed("chance"), "random", ""));
    assert_ne!(random, said(&mut importer().seed("other"), "random", ""));
}

#[test]
fn http_services_answer_as_the_test_says() {
    let url = "https://idp.example.com/keys";
    let mut plugin = importer().allow(json!({ "http": ["https://idp.example.com"] }));
    plugin.serve_now(Served::new(url, 200, "first"));
    plugin.serve_now(Served::failing("https://idp.example.com/*", StagedFailure::Timeout));
    let answer = plugin.authenticate(login("http", url));
    answer.assert_answer(json!({ "verdict": { "allow": { "principal": "200 first" } } }));
    assert_eq!((&*answer.requests[0].method, &*answer.requests[0].url), ("GET", url));
    plugin.authenticate(login("http", url)).assert_deny();
    let unknown = plugin.authenticate(login("http", "https://idp.example.com"));
    assert_eq!(unknown.requests.len(), 1);
    plugin.serve_nothing();
    let nobody = plugin.authenticate(login("http", url));
    let reason = nobody.verdict()["deny"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("this test has no answer for GET https://idp"), "{reason}");
    let denied = plugin.authenticate(login("http", "https://elsewhere.example.com/"));
    denied.assert_deny().assert_logged("allow.http = [\"https://elsewhere.example.com\"]");
    assert!(denied.requests.is_empty(), "nobody was asked");
}

#[test]
fn what_a_plugin_orders_comes_with_the_answer() {
    let mut plugin = importer().allow(json!({ "publish": ["alerts/#"], "disconnect": true, "revoke": true }));
    plugin.authenticate(login("publish", "alerts/1")).assert_published("alerts/1", "from the importer");
    let ended = plugin.authenticate(login("disconnect", "c1"));
    assert_eq!((&*ended.disconnected[0].client_id, ended.disconnected[0].code), ("c1", 0x98));
    assert_eq!(plugin.authenticate(login("revoke", "bob")).revoked, ["bob"]);
    let mut plugin = importer().allow(json!({ "redirect": true }));
    let sent = plugin.authenticate(login("redirect", "c1"));
    let [Redirected { client_id, to }] = &*sent.redirected else { panic!("{sent}") };
    assert_eq!((&**client_id, &*to.server_reference, to.permanent), ("c1", "elsewhere.example.com:1883", false));
    assert!(sent.disconnected.is_empty(), "a disconnection is something else: {sent}");
    let denied = importer().authenticate(login("publish", "alerts/1"));
    denied.assert_logged("publish = [\"alerts/1\"]");
    assert!(denied.published.is_empty());
}

#[test]
fn a_failure_is_an_answer_too_and_the_plugin_goes_on() {
    let mut plugin = Plugin::load(guest("hostile"));
    plugin.authenticate(login("err", "")).assert_fails("backend failed");
    plugin.authenticate(login("trap", "")).assert_fails("trapped");
    plugin.authenticate(login("spin", "")).assert_fails("processor time");
    plugin.authenticate(login("innocent", "")).assert_allow();
    let flood = plugin.authenticate(login("log-flood", ""));
    assert!(flood.logs.len() == 10_000 || flood.value.is_err(), "{}", flood.logs.len());
}

#[test]
fn every_hook_has_a_method() {
    let mut plugin = Plugin::load(guest("hostile"));
    assert_eq!(plugin.init().value.unwrap()["wants-payload"], true);
    plugin.health().assert_answer(json!(null));
    plugin.authorize_publish(json!({ "topic": "a" })).assert_allow();
    plugin.authorize_subscribe(json!({ "subscriptions": [{ "filter": "a" }, { "filter": "b" }] })).assert_allow();
    plugin.on_publish(json!({ "topic": "a" })).assert_answer(json!(["keep"]));
    plugin.deliver(json!([{ "topic": "a" }])).assert_answer(json!(["done"]));
    plugin.flush().assert_answer(json!(null));
    plugin.on_events(json!({ "kind": "client.connected" })).assert_answer(json!(null));
    plugin.identity_gone(json!({})).assert_answer(json!(null));
    plugin.shutdown().assert_answer(json!(null));
    let mut plugin = Plugin::load(guest("challenger"));
    plugin.methods();
    assert_eq!(plugin.inspect().unwrap().functions.iter().filter(|it| it.hook == Hook::EnhancedAuthn).count(), 3);
}

#[test]
fn the_hooks_that_few_plugins_have_have_methods_too() {
    let caretaker = Plugin::load(guest("caretaker"));
    let mut plugin = caretaker.config(json!({ "closed": "back-door" })).allow(json!({ "kv": { "default": "1MiB" } }));
    plugin.tick().assert_answer(json!(null));
    assert!(plugin.metrics().iter().any(|metric| metric.name == "ticks"), "{:?}", plugin.metrics());
    plugin.admit(json!({ "address": "192.0.2.1" })).assert_answer(json!({ "admit": true }));
    let refused = json!({ "address": "192.0.2.1", "listener": "back-door" });
    plugin.admit(refused).assert_answer(json!({ "admit": false }));
    plugin.authorize_unsubscribe(json!({ "filters": ["a", "b"] })).assert_allow();
    plugin.authorize_unsubscribe(json!({ "principal": "alice", "filters": "keep/a" })).assert_deny();
    plugin.authorize_will(json!({ "will": { "topic": "a", "payload": "forbidden" } })).assert_deny();
    plugin.authorize_will(json!({ "will": { "topic": "a", "payload": "next" }, "delay": 61 })).assert_next();
    let page = json!({ "method": "GET", "path": "/status", "query": "404" });
    plugin.handle(page).assert_answer(json!({ "status": 404 }));
    plugin.handle(json!({ "method": "GET", "path": "/err" })).assert_fails("the secret of the backend");
}

#[test]
fn a_fixture_can_be_run_by_a_test() {
    let text =
        "[[test]]\nhook = \"authn\"\ninput = { username = \"alice\", password = \"secret\" }\nverdict = \"allow\"\n";
    let fixture = Fixture::parse(Path::new("inline.toml"), text).unwrap();
    let outcomes = fixture.run(|| Plugin::load(guest("fifteen-lines")), |_| {}).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.has_passed()));
    let text = "allow = { redirect = true }\n[[test]]\nhook = \"authn\"\ninput = { username = \"redirect\", password = \"c1\" }\n\
                redirected = [{ client-id = \"c1\", server-reference = \"elsewhere.example.com:1883\", permanent = false }]\n\
                disconnected = []\n";
    let fixture = Fixture::parse(Path::new("inline.toml"), text).unwrap();
    let outcomes = fixture.run(importer, |_| {}).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.has_passed()), "{outcomes:?}");
    let error = Fixture::parse(Path::new("bad.toml"), "\n\nx = 1").unwrap_err();
    assert!(matches!(error, FixtureError::Wrong { line: 3, .. }), "{error}");
}
