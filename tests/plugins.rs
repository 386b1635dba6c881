//! The bundled plugins in the broker: who may connect, who may do what, and where messages go besides subscribers.

mod client_cert;
mod http_auth;
mod jwt;

use std::fs;
use std::path::{Path, PathBuf};

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::connect;
use crate::support::sink::Sink;
use crate::support::{Client, Server, VERSIONS};

const RULES: &str = "pattern readwrite %u/#\ntopic read news/#\n\nuser alice\ntopic readwrite news/#\n";

/// Users and their passwords.
const PASSWORDS: &[(&str, &str)] = &[("alice", "wonderland"), ("bob", "builder")];

/// A broker with users, rules and a sink.
fn house(sink: &Sink) -> Server {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    for (user, password) in PASSWORDS {
        set_password(&file("passwords"), user, password);
    }
    fs::write(file("rules"), RULES).unwrap();
    let config = format!(
        r##"
[[plugin]]
path = {passwords:?}
config = {{ file = {password_file:?} }}
allow = {{ files = [{password_file:?}] }}

[[plugin]]
path = {acl:?}
config = {{ file = {rules:?} }}
allow = {{ files = [{rules:?}] }}

[[plugin]]
path = {forward:?}
topics = ["#"]
config = {{ url = "http://{sink}/messages", retry_min_ms = 10 }}
allow = {{ http = ["http://{sink}"] }}
"##,
        passwords = component("password-file"),
        password_file = file("passwords"),
        acl = component("acl-file"),
        rules = file("rules"),
        forward = component("http-forward"),
        sink = sink.address(),
    );
    Server::beside(directory, &config)
}

fn component(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/plugins/{name}.wasm"));
    assert!(file.exists(), "{} is missing; build it with: cargo xtask plugins", file.display());
    file
}

fn set_password(file: &Path, user: &str, password: &str) {
    let output = Server::output_with_input(&["passwd", file.to_str().unwrap(), user, "--password-stdin"], password);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// CONNACK's answer to a user.
fn ask(server: &Server, version: ProtocolVersion, user: Option<(&str, &str)>) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address(), version);
    let name = user.map_or("nobody", |(user, _)| user);
    let mut hello = connect(version, name);
    hello.username = user.map(|(user, _)| user);
    hello.password = user.map(|(_, password)| password.as_bytes());
    client.send(&Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

fn user(server: &Server, version: ProtocolVersion, name: &str, password: &str) -> Client {
    let (client, reason) = ask(server, version, Some((name, password)));
    assert_eq!(reason, ReasonCode::Success);
    client
}

#[test]
fn a_right_password_is_let_in_and_a_wrong_one_is_not() {
    let server = house(&Sink::start());
    for version in VERSIONS {
        user(&server, version, "alice", "wonderland").ping();
        for wrong in [Some(("alice", "builder")), Some(("mallory", "wonderland")), None] {
            let (mut client, reason) = ask(&server, version, wrong);
            let refused = [ReasonCode::NotAuthorized, ReasonCode::BadUserNameOrPassword];
            assert!(refused.contains(&reason), "{version} {wrong:?}: {reason}");
            client.expect_close();
        }
    }
    server.logged(&["password-file", "authn"]);
    assert!(!server.log().contains("wonderland"), "no credential in the log");
}

#[test]
fn rules_allow_what_is_ones_own_and_nothing_else() {
    let server = house(&Sink::start());
    let mut bob = user(&server, ProtocolVersion::V5, "bob", "builder");
    assert_eq!(bob.subscribe("bob/#", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
    assert_eq!(bob.subscribe("news/today", QoS::AtMostOnce), ReasonCode::Success);
    for filter in ["alice/#", "#", "+/secret"] {
        assert_eq!(bob.subscribe(filter, QoS::AtMostOnce), ReasonCode::NotAuthorized, "{filter}");
    }
    assert_eq!(bob.publish("news/today", "false", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    assert!(!bob.publish("bob/diary", "true", QoS::AtLeastOnce).is_error());
    assert_eq!(bob.take().text(), "true");

    let mut old = user(&server, ProtocolVersion::V311, "alice", "wonderland");
    old.publish("bob/diary", "dropped", QoS::AtLeastOnce);
    old.publish("news/today", "sunny", QoS::AtLeastOnce);
    assert_eq!(bob.take().text(), "sunny", "and not what alice may not say");
}

#[test]
fn messages_are_forwarded_and_sent_again_when_the_endpoint_fails() {
    let sink = Sink::start();
    let server = house(&sink);
    sink.answer_next(&[500, 503]);
    let mut alice = user(&server, ProtocolVersion::V5, "alice", "wonderland");
    for number in 1..=5 {
        alice.publish("alice/count", &number.to_string(), QoS::AtLeastOnce);
    }
    let mut delivered = Vec::new();
    let mut failures = 2;
    while delivered.last() != Some(&5) {
        let request = sink.next();
        assert_eq!(request.path, "/messages");
        if failures > 0 {
            failures -= 1;
            continue;
        }
        let body: Value = serde_json::from_str(&request.body).unwrap();
        for message in body["messages"].as_array().unwrap() {
            assert_eq!((&message["topic"], &message["principal"]), (&"alice/count".into(), &"alice".into()));
            delivered.push(message["payload"].as_str().unwrap().parse().unwrap());
        }
    }
    assert_eq!(delivered, [1, 2, 3, 4, 5]);
}

#[test]
fn a_hangup_takes_the_new_users_and_keeps_the_clients() {
    let server = house(&Sink::start());
    let mut alice = user(&server, ProtocolVersion::V5, "alice", "wonderland");
    assert!(ask(&server, ProtocolVersion::V5, Some(("carol", "new"))).1.is_error());
    set_password(&server.directory().join("passwords"), "carol", "new");
    server.signal(Signal::HUP);
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while ask(&server, ProtocolVersion::V5, Some(("carol", "new"))).1.is_error() {
        assert!(std::time::Instant::now() < deadline, "carol is still unknown:\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    alice.ping();
}

#[test]
fn a_start_names_the_plugins_and_what_they_may_do() {
    let sink = Sink::start();
    let server = house(&sink);
    for parts in
        [&["plugin", "password-file", "authn"][..], &["plugin", "http-forward", "sink"], &[&sink.address().to_string()]]
    {
        server.logged(parts);
    }
}
