//! The flows of QoS 0, 1 and 2.

use std::num::NonZeroU16;

use midge_protocol::{Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

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
fn mqtt_4_6_0_6_order_is_kept() {
    let server = Server::start();
    for qos in QUALITIES {
        let mut subscriber = Client::connect(&server, ProtocolVersion::V311, "subscriber");
        subscriber.subscribe("order", qos);
        let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
        for number in 0..200 {
            let mut message = publish("order", b"");
            let text = number.to_string();
            message.payload = text.as_bytes();
            message.qos = qos.min(QoS::AtLeastOnce);
            message.packet_id = (message.qos != QoS::AtMostOnce).then(|| publisher.new_id());
            publisher.send(&Packet::Publish(message));
        }
        for number in 0..200 {
            assert_eq!(subscriber.take().text(), number.to_string());
        }
    }
}

#[test]
fn mqtt_4_3_3_10_a_repeated_qos_2_message_is_delivered_once() {
    let server = Server::start();
    for version in VERSIONS {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("once", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        let id = PacketId::new(9).unwrap();
        for dup in [false, true, true] {
            let message = Publish { dup, qos: QoS::ExactlyOnce, packet_id: Some(id), ..publish("once", b"x") };
            publisher.send(&Packet::Publish(message));
            publisher.next(|packet| assert!(matches!(packet, Packet::Pubrec(_)), "{packet:?}"));
        }
        for _ in 0..2 {
            publisher.send(&Packet::Pubrel(Ack::new(id)));
            publisher.next(|packet| assert!(matches!(packet, Packet::Pubcomp(_)), "{packet:?}"));
        }
        assert_eq!(subscriber.take().text(), "x");
        subscriber.expect_nothing();
    }
}

#[test]
fn mqtt_3_3_4_7_the_clients_receive_maximum_is_kept() {
    let server = Server::start();
    let (mut subscriber, _) = Client::connect_with(&server, ProtocolVersion::V5, "narrow", |connect| {
        connect.properties.receive_maximum = NonZeroU16::new(2);
    });
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for text in ["1", "2", "3", "4"] {
        publisher.publish("t", text, QoS::AtLeastOnce);
    }
    let first = subscriber.receive();
    let second = subscriber.receive();
    subscriber.expect_nothing();
    subscriber.send(&Packet::Puback(Ack::new(second.packet_id.unwrap())));
    assert_eq!(subscriber.receive().text(), "3");
    subscriber.expect_nothing();
    subscriber.send(&Packet::Puback(Ack::new(first.packet_id.unwrap())));
    assert_eq!(subscriber.receive().text(), "4");
}

#[test]
fn mqtt_3_3_4_9_more_than_the_brokers_receive_maximum_closes() {
    let server = Server::with("[limits]\nreceive_maximum = 2");
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let hello = crate::support::client::connect(ProtocolVersion::V5, "hasty");
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.connack(|connack| connack.properties.receive_maximum), NonZeroU16::new(2));
    for id in 1..=3 {
        let packet_id = PacketId::new(id);
        client.send(&Packet::Publish(Publish { qos: QoS::ExactlyOnce, packet_id, ..publish("t", b"x") }));
    }
    for _ in 0..2 {
        client.next(|packet| assert!(matches!(packet, Packet::Pubrec(_)), "{packet:?}"));
    }
    client.expect_disconnect(ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn properties_travel_with_the_message() {
    let server = Server::start();
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    let user: midge_protocol::UserPropertiesBuf = [("k", "1"), ("k", "2")].into_iter().collect();
    let mut message = publish("t", b"{}");
    message.qos = QoS::AtLeastOnce;
    message.properties.content_type = Some("application/json");
    message.properties.response_topic = Some("answers");
    message.properties.correlation_data = Some(&[0, 1, 2]);
    message.properties.message_expiry = Some(60);
    message.properties.user_properties = user.as_ref();
    assert_eq!(publisher.publish_with(message), ReasonCode::Success);
    let message = subscriber.take();
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
    assert_eq!(message.response_topic.as_deref(), Some("answers"));
    assert_eq!(message.correlation_data.as_deref(), Some(&[0, 1, 2][..]));
    assert!(message.message_expiry.is_some_and(|seconds| (50..=60).contains(&seconds)));
    let same_order = [("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())];
    assert_eq!(message.user_properties, same_order, "mqtt_3_3_2_18");
}

#[test]
fn a_topic_alias_stands_for_its_topic() {
    let server = Server::start();
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("long/topic/name", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for topic in ["long/topic/name", "", ""] {
        publisher.send(&Packet::Publish(Publish { topic_alias: Some(1), ..publish(topic, b"x") }));
        assert_eq!(subscriber.receive().topic, "long/topic/name");
    }
    publisher.send(&Packet::Publish(Publish { topic_alias: Some(u16::MAX), ..publish("t", b"x") }));
    publisher.expect_disconnect(ReasonCode::TopicAliasInvalid);
}

#[test]
fn a_message_nobody_wants_says_so_to_version_5() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    assert_eq!(publisher.publish("nowhere", "x", QoS::AtLeastOnce), ReasonCode::NoMatchingSubscribers);
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
