//! The flows of QoS 0, 1 and 2.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server, VERSIONS};

const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// [MQTT-3.8.4-8] [v3.1.1 MQTT-3.8.4-6]
#[test]
fn a_message_arrives_with_the_lower_of_both_qualities() {
    let server = Server::start();
    for version in VERSIONS {
        let mut publisher = Client::connect(&server, version, "publisher");
        for granted in QUALITIES {
            let mut subscriber = Client::connect(&server, version, "subscriber");
            assert_eq!(subscriber.subscribe("a/b", granted), ReasonCode::granted(granted));
            for sent in QUALITIES {
                publisher.publish("a/b", "hello", sent);
                let message = subscriber.take();
                assert_eq!((message.topic.as_str(), message.text()), ("a/b", "hello"));
                assert_eq!(message.qos, sent.min(granted), "{version}: {sent:?} to {granted:?}");
                assert!(!message.retain && !message.dup);
            }
        }
    }
}

#[test]
fn messages_of_every_version_reach_every_version() {
    let server = Server::start();
    for to in VERSIONS {
        let mut subscriber = Client::connect(&server, to, "subscriber");
        subscriber.subscribe("t", QoS::AtLeastOnce);
        for from in VERSIONS {
            let mut publisher = Client::connect(&server, from, "publisher");
            publisher.publish("t", "x", QoS::AtLeastOnce);
            assert_eq!(subscriber.take().text(), "x", "{from} to {to}");
        }
    }
}

#[test]
fn large_messages_arrive_whole() {
    let server = Server::start();
    let payload = "0123456789abcdef".repeat(50_000);
    let mut subscriber = Client::connect(&server, ProtocolVersion::V311, "subscriber");
    subscriber.subscribe("large", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    for qos in QUALITIES {
        publisher.publish("large", &payload, qos);
        assert_eq!(subscriber.take().text(), payload);
    }
}
