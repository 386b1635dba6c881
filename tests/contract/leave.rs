//! What a client may leave: subscriptions, and a Will.

use midge_protocol::ReasonCode::{Banned, ImplementationSpecificError, NotAuthorized, QuotaExceeded, Success};
use midge_protocol::{MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::{Client, Server};

fn caretaker(hook: &str, more: &str) -> Server {
    Server::with(&plugin("caretaker", &format!("hooks = [{hook:?}]\n{more}")))
}

#[test]
fn a_subscription_that_may_not_be_ended_stays_and_the_client_is_told() {
    let server = caretaker("authz-unsubscribe", "");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "c");
    for filter in ["keep/a", "go/a", "next/a"] {
        client.subscribe(filter, QoS::AtMostOnce);
    }
    assert_eq!(client.unsubscribe("keep/a"), NotAuthorized);
    assert_eq!(client.unsubscribe("go/a"), Success);
    assert_eq!(client.unsubscribe("next/a"), NotAuthorized, "the end of the chain");
    assert_eq!(client.unsubscribe("err/a"), ImplementationSpecificError);
    for topic in ["go/a", "keep/a"] {
        client.publish(topic, topic, QoS::AtLeastOnce);
    }
    assert_eq!(client.take().text(), "keep/a");
    server.logged(&["denied", "unsubscribe", "keep/a", "caretaker", "authz-unsubscribe"]);

    let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
    old.subscribe("keep/b", QoS::AtMostOnce);
    old.unsubscribe("keep/b");
    old.publish("keep/b", "still here", QoS::AtLeastOnce);
    assert_eq!(old.take().text(), "still here");
}

#[test]
fn a_failure_lets_a_subscription_end_where_the_operator_says_so() {
    let server = Server::with(&format!(
        "{}{}",
        plugin("caretaker", "hooks = [\"authz-unsubscribe\"]\non_error = \"next\""),
        plugin("caretaker", "hooks = [\"authz-unsubscribe\"]").replacen("\"caretaker\"", "\"second\"", 1)
    ));
    let mut client = Client::connect(&server, ProtocolVersion::V5, "c");
    // The first one fails and is skipped; the second one fails and refuses.
    assert_eq!(client.unsubscribe("err/a"), ImplementationSpecificError);
    assert_eq!(client.unsubscribe("other"), ReasonCode::NoSubscriptionExisted);
}

#[test]
fn a_will_is_judged_by_what_it_says_and_by_how_long_it_waits() {
    let server = caretaker("authz-will", "");
    let blind = caretaker("authz-will", "allow = { fields = [] }");
    let attempt = |server: &Server, payload: &[u8], delay: u32| {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        let mut hello = connect(ProtocolVersion::V5, "c");
        let properties = MessageProperties::default();
        let (qos, delay) = (QoS::AtMostOnce, Some(delay));
        hello.will = Some(Will { qos, retain: false, topic: "will", payload, delay, properties });
        client.send(&Packet::Connect(Box::new(hello)));
        client.connack(|connack| connack.reason)
    };
    let cases = [
        (&b"farewell"[..], 60, Success),
        (b"farewell", 61, QuotaExceeded),
        (b"forbidden", 0, Banned),
        (b"next", 0, NotAuthorized),
        (b"err", 0, ReasonCode::ServerUnavailable),
    ];
    for (payload, delay, expected) in cases {
        assert_eq!(attempt(&server, payload, delay), expected, "{}", String::from_utf8_lossy(payload));
    }
    assert_eq!(attempt(&blind, b"forbidden", 0), Success, "a plugin that sees no payloads cannot judge them");
    server.logged(&["connection denied", "authz-will", "not these words"]);
    Client::connect(&server, ProtocolVersion::V5, "without").ping();
}
