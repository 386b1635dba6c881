//! Keys behind a URL: when they are fetched, and what happens when they cannot be.

use midge_plugin_sdk::http::{Error, Response};

use super::*;

const URL: &str = "https://idp/keys";

fn respond(keys: &[Value]) {
    testing::respond(Ok(Response { status: 200, headers: Vec::new(), body: set(keys).into_bytes() }));
}

fn with_url(more: Value) -> Result<Jwt, String> {
    let mut config = json!({ "keys_url": URL, "leeway_s": 0, "audience": "mqtt" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    start(config)
}

/// A token of this key; 1, 2 and 3 are P-256, P-384 and Ed25519.
fn of_key(number: usize, id: &str) -> String {
    let (name, native) =
        [("", Native::Rs256), ("ES256", Native::Es256), ("ES384", Native::Es384), ("EdDSA", Native::Eddsa)][number];
    let claims = json!({ "sub": "alice", "aud": "mqtt", "exp": NOW + 1_000_000 });
    token(json!({ "alg": name, "kid": id }), claims, native, &vector(number).1)
}

fn fetches() -> usize {
    testing::requests().len()
}

fn at(seconds: u64) {
    testing::set_now((NOW + seconds) * 1000);
}

#[test]
fn keys_are_fetched_at_the_start_and_again_when_they_are_old() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({ "timeout_ms": 7 })).unwrap();
    let request = &testing::requests()[0];
    assert_eq!((request.method.as_str(), request.url.as_str(), request.timeout_ms), ("GET", URL, 7));
    at(299);
    granted(&mut plugin, &of_key(1, "a"));
    assert_eq!(fetches(), 1);
    at(300);
    respond(&[named(2, "b")]);
    assert_eq!(refused(&mut plugin, &of_key(1, "a")).1, "the token's key is not known");
    granted(&mut plugin, &of_key(2, "b"));
    assert_eq!(fetches(), 2);
}

#[test]
fn a_key_that_is_not_known_is_looked_for_and_not_too_often() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({})).unwrap();
    at(9);
    let answer = answer(&mut plugin, &of_key(2, "b")).unwrap();
    assert!(matches!(answer.verdict, Verdict::Deny(_)) && answer.reuse.ttl_ms == 10_000);
    assert_eq!(fetches(), 1, "too soon");
    at(10);
    respond(&[named(1, "a"), named(2, "b")]);
    granted(&mut plugin, &of_key(2, "b"));
    assert_eq!(fetches(), 2);
    for name in ["x", "y", "z"] {
        assert_eq!(refused(&mut plugin, &of_key(1, name)).1, "the token's key is not known");
    }
    assert_eq!(fetches(), 2, "whoever invents names causes no flood");
}

#[test]
fn an_expired_token_has_no_key_looked_for() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({})).unwrap();
    at(2_000_000);
    assert_eq!(refused(&mut plugin, &of_key(2, "b")).1, "the token has expired");
    assert_eq!(fetches(), 1);
}

#[test]
fn a_token_that_names_no_key_may_be_of_a_new_one() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({})).unwrap();
    at(10);
    let claims = json!({ "sub": "alice", "aud": "mqtt", "exp": NOW + 1000 });
    let token = token(json!({ "alg": "ES384" }), claims, Native::Es384, &vector(2).1);
    respond(&[named(1, "a"), named(2, "b")]);
    granted(&mut plugin, &token);
}

#[test]
fn keys_that_cannot_be_fetched_again_are_used_for_a_while_and_no_longer() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({ "stale_max_s": 400 })).unwrap();
    for (second, failure) in [
        (300, Err(Error::Timeout)),
        (310, Ok(Response { status: 500, headers: Vec::new(), body: Vec::new() })),
        (320, Ok(Response { status: 200, headers: Vec::new(), body: b"<html>".to_vec() })),
        (330, Ok(Response { status: 200, headers: Vec::new(), body: b"{\"keys\":[]}".to_vec() })),
    ] {
        at(second);
        testing::respond(failure);
        granted(&mut plugin, &of_key(1, "a"));
        granted(&mut plugin, &of_key(1, "a"));
    }
    assert_eq!(fetches(), 5, "once in refresh_min_s");
    let warnings: Vec<String> = testing::logs().into_iter().map(|line| line.message).collect();
    let about = |words: &str| warnings.iter().filter(|line| line.contains(words)).count();
    assert_eq!(about("could not be fetched, those fetched before are used: no answer in time"), 1);
    assert_eq!(about("could not be fetched"), 1, "one outage, one line");
    assert_eq!(refused(&mut plugin, &of_key(1, "x")).1, "the token's key is not known", "an answer, no failure");

    at(400);
    testing::respond(Err(Error::Timeout));
    let failed = answer(&mut plugin, &of_key(1, "a")).unwrap_err();
    assert!(failed.contains("older than stale_max_s: no answer in time"), "{failed}");
    assert!(plugin.health().is_err());
    at(410);
    respond(&[named(1, "a")]);
    granted(&mut plugin, &of_key(1, "a"));
    assert!(plugin.health().is_ok());
}

#[test]
fn an_endpoint_that_is_away_at_the_start_is_no_reason_not_to_start() {
    testing::respond(Err(Error::Connect("refused".to_owned())));
    let mut plugin = with_url(json!({})).unwrap();
    let failed = answer(&mut plugin, &of_key(1, "a")).unwrap_err();
    assert_eq!(failed, "the keys are not there: no connection: refused");
    assert_eq!(fetches(), 1, "not again at once");
    at(10);
    respond(&[named(1, "a")]);
    granted(&mut plugin, &of_key(1, "a"));
    assert_eq!(testing::metric("key_fetches"), 2.0);
}

#[test]
fn what_only_the_operator_can_mend_stops_the_start() {
    testing::respond(Err(Error::NotGranted("allow.http = [\"https://idp\"]".to_owned())));
    assert!(with_url(json!({})).is_err_and(|why| why.contains("allow.http = [\"https://idp\"]")));
    assert!(
        with_url(json!({ "store": "keys" })).is_err_and(|why| why.contains("allow = { kv = { keys = \"1MiB\" } }"))
    );
}

#[test]
fn instances_share_what_one_has_fetched() {
    testing::grant_store("keys");
    respond(&[named(1, "a")]);
    let config = || json!({ "store": "keys" });
    let mut first = with_url(config()).unwrap();
    let mut second = with_url(config()).unwrap();
    granted(&mut second, &of_key(1, "a"));
    assert_eq!(fetches(), 1);

    at(300);
    respond(&[named(2, "b")]);
    granted(&mut first, &of_key(2, "b"));
    granted(&mut second, &of_key(2, "b"));
    assert_eq!(fetches(), 2);

    at(310);
    testing::respond(Err(Error::Timeout));
    refused(&mut first, &of_key(3, "c"));
    refused(&mut second, &of_key(3, "c"));
    assert_eq!(fetches(), 3, "their attempts are counted together");
}

#[test]
fn a_clock_that_is_set_back_makes_no_key_young() {
    respond(&[named(1, "a")]);
    let mut plugin = with_url(json!({})).unwrap();
    testing::set_now((NOW - 400) * 1000);
    respond(&[named(2, "b")]);
    granted(&mut plugin, &of_key(2, "b"));
    assert_eq!(fetches(), 2);
}
