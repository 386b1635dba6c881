//! The bundled plugin `jwt`: tokens of issuers that nobody here wrote, keys that change, and endpoints that fail.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{component, set_password};
use crate::interop::{SCRIPT_MAX, mqtt_js, script};
use crate::support::client::connect;
use crate::support::endpoint::{Answer, Endpoint};
use crate::support::issuer::{Issuer, from_now, set, unsigned};
use crate::support::program::finish;
use crate::support::{Client, PATIENCE, Server, VERSIONS};

/// The `[[plugin]]` with this `config` and these keys under `allow`.
fn plugin(config: &str, allow: &str) -> String {
    format!("[[plugin]]\npath = {:?}\nconfig = {{ {config} }}\nallow = {{ {allow} }}\n", component("jwt"))
}

/// A broker that knows the keys of `issuers` from a file.
fn with_file(issuers: &[&Issuer], more: &str) -> Server {
    let directory = TempDir::new().unwrap();
    write_keys(directory.path(), issuers);
    let config = format!("keys_file = \"keys.json\", audience = \"mqtt\", leeway_s = 0{more}");
    Server::beside(directory, &plugin(&config, "files = [\"keys.json\"]"))
}

fn write_keys(directory: &Path, issuers: &[&Issuer]) {
    fs::write(directory.join("keys.json"), set(issuers).to_string()).unwrap();
}

/// A broker that fetches keys from `endpoint`.
fn with_url(endpoint: &Endpoint, more: &str) -> Server {
    let address = endpoint.address();
    let config = format!("keys_url = \"http://{address}/keys\", audience = \"mqtt\"{more}");
    Server::with(&plugin(&config, &format!("http = [\"http://{address}\"], kv = {{ keys = \"1MiB\" }}")))
}

fn publishing(issuers: &[&Issuer]) -> Answer {
    Answer::json(&set(issuers))
}

/// The claims of `subject` for an hour, with others besides.
fn claims(subject: &str, more: Value) -> Value {
    let mut claims = json!({ "sub": subject, "aud": "mqtt", "exp": from_now(3600) });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// CONNACK's answer to a token, and the client.
fn show(server: &Server, version: ProtocolVersion, client_id: &str, token: &str) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, client_id);
    (hello.username, hello.password) = (Some("anyone"), Some(token.as_bytes()));
    client.send(&Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

fn let_in(server: &Server, client_id: &str, token: &str) -> Client {
    let (client, reason) = show(server, ProtocolVersion::V5, client_id, token);
    assert_eq!(reason, ReasonCode::Success, "{}", server.log());
    client
}

fn refused(server: &Server, token: &str) -> ReasonCode {
    let (mut client, reason) = show(server, ProtocolVersion::V5, "refused", token);
    assert!(reason.is_error(), "{token} was accepted");
    client.expect_close();
    reason
}

#[test]
fn a_token_lets_in_whom_it_names_in_every_version() {
    let issuer = Issuer::new("k");
    let server = with_file(&[&issuer], "");
    for version in VERSIONS {
        let (mut client, reason) = show(&server, version, "c", &issuer.token(&claims("alice", json!({}))));
        assert_eq!(reason, ReasonCode::Success);
        client.ping();
    }
    server.logged(&["client connected", "principal=alice"]);
    assert!(!server.log().contains("eyJ"), "no token in the log");
}

#[test]
fn a_token_that_expires_ends_the_connection_and_lets_nobody_in_again() {
    let issuer = Issuer::new("k");
    let server = with_file(&[&issuer], "");
    let short = issuer.token(&claims("alice", json!({ "exp": from_now(4) })));
    let mut mortal = let_in(&server, "mortal", &short);
    let mut old = show(&server, ProtocolVersion::V311, "old", &short).0;
    let mut other = let_in(&server, "other", &issuer.token(&claims("alice", json!({}))));
    mortal.expect_disconnect(ReasonCode::NotAuthorized);
    old.expect_close();
    server.metric_reaches("midge_connections_closed_total", &[("reason", "identity_expired")], 2.0);
    until(&server, || show(&server, ProtocolVersion::V5, "again", &short).1 == ReasonCode::BadUserNameOrPassword);
    server.logged(&["connection denied", "the token has expired"]);
    other.ping();
}

#[test]
fn a_client_that_shows_a_newer_token_stays() {
    let issuer = Issuer::new("k");
    let server = with_file(&[&issuer], "");
    let token = |seconds| issuer.token(&claims("alice", json!({ "exp": from_now(seconds) })));
    let begin = |client_id: &str, token: &str| {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        client.begin(client_id, "JWT", token);
        let said = client.hear();
        assert_eq!((said.is_connack, said.reason), (true, ReasonCode::Success), "{said:?}");
        client
    };
    let (mut renewed, mut silent) = (begin("renewed", &token(4)), begin("silent", &token(4)));
    renewed.auth(ReasonCode::ReAuthenticate, "JWT", &token(3600));
    let said = renewed.hear();
    assert_eq!((said.is_connack, said.reason), (false, ReasonCode::Success), "{said:?}");
    server.logged(&["client authenticated again", "principal=alice"]);
    silent.expect_disconnect(ReasonCode::NotAuthorized);
    renewed.ping();

    // Somebody else's token is no renewal.
    let other = issuer.token(&claims("mallory", json!({})));
    renewed.auth(ReasonCode::ReAuthenticate, "JWT", &other);
    renewed.expect_disconnect(ReasonCode::NotAuthorized);
    let mut expired = Client::open(server.address(), ProtocolVersion::V5);
    expired.begin("expired", "JWT", &token(-1));
    expired.expect_connack_refusal(ReasonCode::BadUserNameOrPassword);
}

#[test]
fn a_token_says_what_its_bearer_may_do_and_how_much() {
    let issuer = Issuer::new("k");
    let access = ", tenant = \"%{org}\", access = { subscribe = [\"groups/%{groups}/#\"], \
                  permissions = [{ effect = \"deny\", topic = \"groups/a/secret\" }] }";
    let server = with_file(&[&issuer], access);
    let mqtt =
        json!({ "publish": ["%t/%u/%c/#"], "subscribe": ["groups/a/secret"], "limits": { "session_expiry_s": 7 } });
    let token = issuer.token(&claims("alice", json!({ "org": "acme", "groups": ["a", "b"], "mqtt": mqtt })));
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, "c1");
    (hello.username, hello.password) = (Some(""), Some(token.as_bytes()));
    hello.properties.session_expiry = Some(3600);
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.connack(|connack| connack.properties.session_expiry), Some(7));
    for filter in ["groups/a/x", "groups/b/#"] {
        assert_eq!(client.subscribe(filter, QoS::AtMostOnce), ReasonCode::Success, "{filter}");
    }
    for filter in ["groups/c/#", "groups/a/secret", "groups/a/#", "#"] {
        assert_eq!(client.subscribe(filter, QoS::AtMostOnce), ReasonCode::NotAuthorized, "{filter}");
    }
    assert!(!client.publish("acme/alice/c1/up", "x", QoS::AtLeastOnce).is_error());
    client.publish_refused("acme/bob/c1/up", ReasonCode::NotAuthorized);
    client.publish_refused("groups/a/x", ReasonCode::NotAuthorized);
}

#[test]
fn what_is_forged_or_for_others_is_refused() {
    let (issuer, mallory) = (Issuer::new("k"), Issuer::new("k"));
    let server = with_file(&[&issuer], "");
    let good = issuer.token(&claims("alice", json!({})));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other_claims = unsigned(&json!({}), &claims("root", json!({})));
    let point = [b"\x04".as_slice(), &coordinates(&issuer)].concat();
    let with_public_key = hmac(&point, &unsigned(&json!({ "alg": "HS256", "kid": "k" }), &claims("root", json!({}))));
    let bad = ReasonCode::BadUserNameOrPassword;
    for (token, reason) in [
        (mallory.token(&claims("root", json!({}))), bad),
        (format!("{header}.{}.{signature}", other_claims.split_once('.').unwrap().1), bad),
        (format!("{}.", unsigned(&json!({ "alg": "none" }), &claims("root", json!({})))), bad),
        (format!("{}.", unsigned(&json!({ "alg": "ES256", "kid": "k" }), &claims("root", json!({})))), bad),
        (with_public_key, bad),
        (issuer.sign(&json!({ "alg": "ES384", "kid": "k" }), &claims("root", json!({}))), bad),
        (issuer.token(&claims("alice", json!({ "exp": from_now(-1) }))), bad),
        (issuer.token(&claims("alice", json!({ "nbf": from_now(60) }))), bad),
        (issuer.token(&claims("alice", json!({ "aud": "web" }))), ReasonCode::NotAuthorized),
        (issuer.token(&json!({ "sub": "alice", "aud": "mqtt" })), ReasonCode::NotAuthorized),
        ("wonderland".to_owned(), ReasonCode::NotAuthorized),
    ] {
        assert_eq!(refused(&server, &token), reason, "{token}");
    }
    let_in(&server, "c", &good).ping();
}

/// The public key of an issuer, without what says that it is one.
fn coordinates(issuer: &Issuer) -> Vec<u8> {
    let jwk = issuer.jwk();
    ["x", "y"].iter().flat_map(|name| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()).collect()
}

fn hmac(key: &[u8], signed: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes())))
}

#[test]
fn a_secret_is_shared_with_an_issuer_and_mosquitto_shows_its_token() {
    let key = "0123456789abcdef0123456789abcdef";
    let allow = format!("secrets = {{ shared = {{ value = {key:?} }} }}");
    let server = Server::with(&plugin("secrets = [\"shared\"]", &allow));
    let token = hmac(key.as_bytes(), &unsigned(&json!({ "alg": "HS256", "typ": "JWT" }), &claims("alice", json!({}))));
    let port = server.address().port().to_string();
    let mut publish = Command::new("mosquitto_pub");
    publish.args(["-p", &port, "-u", "alice", "-P", &token, "-t", "t", "-m", "hello", "-q", "1", "-r"]);
    finish(&mut publish, SCRIPT_MAX);
    let mut subscribe = Command::new("mosquitto_sub");
    subscribe.args(["-p", &port, "-u", "alice", "-P", &token, "-t", "t", "-C", "1", "-W", "20"]);
    assert_eq!(finish(&mut subscribe, SCRIPT_MAX), "hello\n");
    let wrong = hmac(&[7; 32], &unsigned(&json!({ "alg": "HS256" }), &claims("alice", json!({}))));
    assert_eq!(refused(&server, &wrong), ReasonCode::BadUserNameOrPassword);
    assert!(!server.log().contains(key), "no secret in the log");
}

/// Every algorithm, with keys and signatures of Node's own cryptography.
#[test]
fn mqtt_js_is_let_in_with_tokens_of_every_algorithm() {
    let said = with_keys_of_node("connect");
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        assert!(said.contains(&format!("{algorithm} let in, forged refused")), "{said}");
    }
}

#[test]
fn mqtt_js_shows_a_newer_token_and_stays() {
    assert_eq!(with_keys_of_node("renew"), "renewed\n");
}

/// What the script says to this command, beside a broker that knows its keys.
fn with_keys_of_node(command: &str) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    let node = |arguments: &[&str]| {
        let mut node = Command::new("node");
        node.arg(script("mqtt_js_jwt.cjs")).args(arguments).env("NODE_PATH", mqtt_js());
        finish(&mut node, SCRIPT_MAX)
    };
    node(&["keys", &path]);
    let config = "keys_file = \"keys.json\", audience = \"mqtt\", leeway_s = 0";
    let server = Server::beside(directory, &plugin(config, "files = [\"keys.json\"]"));
    node(&[command, &path, &server.address().port().to_string()])
}

#[test]
fn a_password_goes_to_the_plugin_behind() {
    let issuer = Issuer::new("k");
    let directory = TempDir::new().unwrap();
    write_keys(directory.path(), &[&issuer]);
    set_password(&directory.path().join("users"), "anyone", "wonderland");
    let users = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ file = \"users\" }}\nallow = {{ files = [\"users\"] }}\n",
        component("password-file")
    );
    let tokens = plugin("keys_file = \"keys.json\", audience = \"mqtt\"", "files = [\"keys.json\"]");
    let server = Server::beside(directory, &(tokens + &users));
    let_in(&server, "a", "wonderland").ping();
    let_in(&server, "b", &issuer.token(&claims("alice", json!({})))).ping();
    assert_eq!(refused(&server, "looking-glass"), ReasonCode::BadUserNameOrPassword);
}

#[test]
fn a_token_is_judged_once_while_its_answer_may_be_used_again() {
    let issuer = Issuer::new("k");
    let server = with_file(&[&issuer], "");
    let token = issuer.token(&claims("alice", json!({})));
    for _ in 0..5 {
        let_in(&server, "c", &token).disconnect();
    }
    assert!(server.metric("midge_authentication_cache_hits_total", &[]) >= 4.0, "{}", server.page("/metrics"));
}

#[test]
fn a_changed_file_of_keys_goes_for_the_next_client() {
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let server = with_file(&[&first], ", reuse_s = 0");
    let mut stays = let_in(&server, "stays", &first.token(&claims("alice", json!({}))));
    let token = second.token(&claims("bob", json!({})));
    assert_eq!(refused(&server, &token), ReasonCode::BadUserNameOrPassword);
    write_keys(server.directory(), &[&second]);
    until(&server, || show(&server, ProtocolVersion::V5, "new", &token).1 == ReasonCode::Success);
    assert_eq!(refused(&server, &first.token(&claims("alice", json!({})))), ReasonCode::BadUserNameOrPassword);
    stays.ping();
}

fn until(server: &Server, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came so:\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn keys_are_fetched_looked_for_and_used_while_their_endpoint_is_away() {
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let both = [first.jwk(), second.jwk()];
    let endpoint = Endpoint::start({
        let only = publishing(&[&first]);
        move |_| only.clone()
    });
    let server = with_url(&endpoint, ", refresh_min_s = 1, reuse_s = 0, store = \"keys\"");
    let_in(&server, "a", &first.token(&claims("alice", json!({})))).ping();
    assert_eq!(endpoint.asked()[0].path, "/keys");

    // A new key is found because a token names it.
    endpoint.change(move |_| Answer::json(&json!({ "keys": both })));
    let token = second.token(&claims("bob", json!({})));
    until(&server, || show(&server, ProtocolVersion::V5, "b", &token).1 == ReasonCode::Success);
    server.metric_reaches("midge_custom_key_fetches_total", &[("plugin", "jwt"), ("outcome", "ok")], 2.0);

    // The endpoint is away: keys that are known are good, others are looked for now and then.
    endpoint.change(|_| Answer::status(503));
    let before = endpoint.asked().len();
    let began = Instant::now();
    for number in 0..50 {
        let stranger = Issuer::new(&format!("stranger{number}"));
        let reason = refused(&server, &stranger.token(&claims("mallory", json!({}))));
        assert_eq!(reason, ReasonCode::BadUserNameOrPassword, "a refusal and no failure, which would open the breaker");
    }
    let allowed = 1 + began.elapsed().as_secs() as usize;
    let asked = endpoint.asked().len() - before;
    assert!(asked <= allowed, "asked {asked} times in {:?}", began.elapsed());
    let_in(&server, "c", &first.token(&claims("alice", json!({})))).ping();
    let_in(&server, "d", &token).ping();
    assert!(server.page("/readyz").starts_with("HTTP/1.1 200"), "{}", server.page("/readyz"));
}

#[test]
fn an_endpoint_that_is_away_at_the_start_fails_closed_and_the_broker_recovers_by_itself() {
    let issuer = Issuer::new("k");
    let endpoint = Endpoint::start(|_| Answer::status(500));
    let server = with_url(&endpoint, ", refresh_min_s = 1");
    let token = issuer.token(&claims("alice", json!({})));
    assert_eq!(refused(&server, &token), ReasonCode::ServerUnavailable);
    server.logged(&["connection denied", "the keys are not there: it answered 500"]);
    assert!(server.page("/readyz").starts_with("HTTP/1.1 503"), "{}", server.page("/readyz"));
    let keys = publishing(&[&issuer]);
    endpoint.change(move |_| keys.clone());
    until(&server, || show(&server, ProtocolVersion::V5, "c", &token).1 == ReasonCode::Success);
    until(&server, || server.page("/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_start_without_the_grant_says_which_line_is_missing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    fs::write(&file, plugin("keys_url = \"http://127.0.0.1:9/keys\"", "")).unwrap();
    let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("allow.http = [\"http://127.0.0.1:9\"]"), "{said}");
}
