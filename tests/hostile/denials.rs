//! What a client is told when it may not, and what the operator reads about it.

use std::fs;

use midge_protocol::{MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will};
use serde_json::Value;
use tempfile::TempDir;

use super::{bundled, plugin};
use crate::support::client::connect;
use crate::support::{Client, Server, VERSIONS};

/// Everybody has `%u/#`, and passwords count. The log is for machines.
fn house() -> Server {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    let added = Server::output_with_input(
        &["passwd", file("passwords").to_str().unwrap(), "bob", "--password-stdin"],
        "builder",
    );
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    fs::write(file("rules"), "pattern readwrite %u/#\n").unwrap();
    let part = |name: &str, file: &std::path::Path| {
        let path = bundled(name);
        format!("[[plugin]]\npath = {path:?}\nconfig = {{ file = {file:?} }}\nallow = {{ files = [{file:?}] }}\n")
    };
    let log = "[log]\nformat = \"json\"\nfilter = \"info\"\n";
    let config = part("password-file", &file("passwords")) + &part("acl-file", &file("rules")) + log;
    Server::beside(directory, &config)
}

/// The answer to a CONNECT of bob's.
fn bob(server: &Server, version: ProtocolVersion, password: &str, will: Option<&str>) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, "bobs");
    (hello.username, hello.password) = (Some("bob"), Some(password.as_bytes()));
    hello.will = will.map(|topic| Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic,
        payload: b"gone",
        delay: None,
        properties: MessageProperties::default(),
    });
    client.send(&Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

/// The line of the log with all `parts`, as its fields.
fn line(server: &Server, parts: &[&str]) -> Value {
    serde_json::from_str(&server.logged(parts)).unwrap()
}

/// That it names who said no, in which hook, and after how long.
fn names(line: &Value, plugin: &str, hook: &str, code: &str) {
    for (key, value) in [("plugin", plugin), ("hook", hook), ("code", code), ("client_id", "bobs"), ("level", "WARN")] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    let took = line["took"].as_str().unwrap();
    assert!(took.ends_with('s') && took.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    assert!(line["cause"].is_string() && line["reason"].is_string() && line["timestamp"].is_string(), "{line}");
}

fn denied(server: &Server, plugin: &str, hook: &str) -> f64 {
    server.metric("midge_denied_total", &[("plugin", plugin), ("hook", hook), ("cause", "refused")])
}

#[test]
fn a_wrong_password_is_5_or_0x86_and_a_line_and_a_count() {
    let server = house();
    for (version, count) in VERSIONS.into_iter().zip(1_u8..) {
        let (mut client, reason) = bob(&server, version, "guess", None);
        let expected = if version.is_v5() { ReasonCode::BadUserNameOrPassword } else { ReasonCode::NotAuthorized };
        assert_eq!(reason, expected, "{version}");
        client.expect_close();
        assert_eq!(denied(&server, "password-file", "authn"), f64::from(count));
    }
    names(&line(&server, &["connection denied"]), "password-file", "authn", "0x86");
    assert!(!server.log().contains("guess"), "no credential in the log");
}

#[test]
fn a_forbidden_publish_is_0x87_or_acknowledged_and_not_delivered_but_counted() {
    let server = house();
    let mut other = Server::with(&plugin("deny-all", "hooks = [\"authz\"]"));
    for version in VERSIONS {
        let (mut client, _) = bob(&server, version, "builder", None);
        client.subscribe("bob/#", QoS::AtLeastOnce);
        let before = denied(&server, "acl-file", "authz");
        for (qos, count) in [(QoS::AtMostOnce, 1.0), (QoS::AtLeastOnce, 2.0), (QoS::ExactlyOnce, 3.0)] {
            let answer = client.publish("alice/diary", "x", qos);
            let is_told = version.is_v5() && qos != QoS::AtMostOnce;
            assert_eq!(
                answer,
                if is_told { ReasonCode::NotAuthorized } else { ReasonCode::Success },
                "{version} {qos:?}"
            );
            assert_eq!(denied(&server, "acl-file", "authz"), before + count, "{version} {qos:?}");
        }
        client.publish("bob/diary", "mine", QoS::AtLeastOnce);
        assert_eq!(client.take().text(), "mine");
        client.disconnect();
    }
    let line = line(&server, &["\"denied\"", "alice/diary"]);
    names(&line, "acl-file", "authz", "0x87");
    assert_eq!((&line["action"], &line["principal"]), (&"publish".into(), &"bob".into()));

    let mut stranger = Client::connect(&other, ProtocolVersion::V5, "stranger");
    assert_eq!(stranger.publish("t", "x", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    other.logged(&["denied", "plugin=\"deny-all\"", "hook=authz", "nothing may be published"]);
    other.signal(rustix::process::Signal::TERM);
    assert!(other.ended().success());
}

#[test]
fn a_refused_publish_leaves_nothing_behind() {
    let server = house();
    let (mut bob, _) = bob(&server, ProtocolVersion::V311, "builder", None);
    bob.retain("alice/diary", "x", QoS::ExactlyOnce);
    assert_eq!(server.metric("midge_retained_messages", &[]), 0.0);
    for _ in 0..3 {
        bob.publish("alice/diary", "x", QoS::ExactlyOnce);
    }
    bob.ping();
}

#[test]
fn a_forbidden_subscribe_is_0x80_or_0x87_and_the_other_filters_are_granted() {
    let server = house();
    for (version, code) in
        [(ProtocolVersion::V311, ReasonCode::UnspecifiedError), (ProtocolVersion::V5, ReasonCode::NotAuthorized)]
    {
        let (mut client, _) = bob(&server, version, "builder", None);
        assert_eq!(client.subscribe("alice/#", QoS::AtMostOnce), code);
        assert_eq!(client.subscribe("bob/#", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
        client.disconnect();
    }
    let line = line(&server, &["\"denied\"", "alice/#"]);
    names(&line, "acl-file", "authz", "0x87");
    assert_eq!(line["action"], "subscribe");
}

#[test]
fn a_forbidden_will_is_refused_at_connect_and_never_published() {
    let server = house();
    for version in VERSIONS {
        let (mut client, reason) = bob(&server, version, "builder", Some("alice/diary"));
        assert_eq!(reason, ReasonCode::NotAuthorized, "{version}");
        client.expect_close();
        let (_, reason) = bob(&server, version, "builder", Some("bob/diary"));
        assert_eq!(reason, ReasonCode::Success, "{version}");
    }
    names(&line(&server, &["connection denied"]), "acl-file", "authz", "0x87");
}

#[test]
fn what_a_client_calls_itself_and_its_topics_forges_nothing_in_the_log() {
    let server = Server::with(&plugin("deny-all", "hooks = [\"authz\"]"));
    let forged = "x\n2026-01-01T00:00:00Z  INFO forged\u{1b}[31m\r\u{85}\u{2028}";
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, forged);
    hello.username = Some(forged);
    client.send(&Packet::Connect(Box::new(hello)));
    if !client.connack(|connack| connack.reason.is_error()) {
        client.subscribe(forged, QoS::AtMostOnce);
        client.publish(forged, "x", QoS::AtLeastOnce);
        client.disconnect();
    }
    Client::connect(&server, ProtocolVersion::V5, "x principal=admin").disconnect();
    server.logged(&["client disconnected", "client_id=\"x principal=admin\" principal=anonymous"]);
    Client::connect(&server, ProtocolVersion::V5, "afterwards").disconnect();
    server.logged(&["client disconnected", "afterwards"]);
    let log = server.log();
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains('\r'), "{log}");
}
