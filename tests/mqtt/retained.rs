//! Retained messages.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server, VERSIONS};

/// [v3.1.1 MQTT-3.3.1-6] [v3.1.1 MQTT-3.3.1-8]
#[test]
fn mqtt_3_3_1_5_the_last_retained_message_greets_a_subscriber() {
    let server = Server::start();
    for version in VERSIONS {
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.retain("state/a", "old", QoS::AtLeastOnce);
        publisher.retain("state/a", "new", QoS::AtLeastOnce);
        publisher.retain("state/b/c", "deep", QoS::ExactlyOnce);
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("state/+", QoS::AtLeastOnce);
        let message = subscriber.take();
        assert_eq!((message.topic.as_str(), message.text(), message.retain), ("state/a", "new", true));
        subscriber.expect_nothing();
        subscriber.subscribe("#", QoS::AtMostOnce);
        let mut topics = [subscriber.take().topic, subscriber.take().topic];
        topics.sort();
        assert_eq!(topics, ["state/a", "state/b/c"], "{version}");
        subscriber.expect_nothing();
    }
}

/// [v3.1.1 MQTT-3.3.1-10]
#[test]
fn mqtt_3_3_1_6_an_empty_retained_message_clears_and_is_delivered() {
    let server = Server::start();
    for version in VERSIONS {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for text in ["x", ""] {
            publisher.retain("t", text, QoS::AtLeastOnce);
            let message = subscriber.receive();
            assert_eq!((message.text(), message.retain), (text, false), "not retained for those who were there");
        }
        publisher.subscribe("t", QoS::AtMostOnce);
        publisher.expect_nothing();
    }
}

#[test]
fn every_retained_message_arrives_however_many_there_are() {
    const COUNT: usize = 3000;
    let server = Server::start();
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    for number in 0..COUNT {
        let topic = format!("many/{number}");
        let message = crate::support::message::publish(&topic, b"payload");
        publisher.send(&midge_protocol::Packet::Publish(midge_protocol::Publish { retain: true, ..message }));
    }
    publisher.ping();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut subscriber = Client::connect(&server, ProtocolVersion::V311, "subscriber");
        subscriber.subscribe("many/#", qos);
        let topics: std::collections::BTreeSet<String> = (0..COUNT).map(|_| subscriber.take().topic).collect();
        assert_eq!(topics.len(), COUNT);
        subscriber.expect_nothing();
    }
}

#[test]
fn a_retained_message_expires() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    let mut message = crate::support::message::publish("t", b"x");
    message.retain = true;
    message.qos = QoS::AtLeastOnce;
    message.properties.message_expiry = Some(1);
    assert!(!client.publish_with(message).is_error());
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        assert_eq!(client.subscribe("t", QoS::AtMostOnce), ReasonCode::Success);
        if client.messages_until_pong() == 0 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the message is still there");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
