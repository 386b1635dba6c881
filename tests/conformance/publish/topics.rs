//! Topic Names of PUBLISH (3.3.2.1), and Subscription Identifiers in it (3.3.4).

use midge_protocol::{
    Packet, ProtocolVersion, QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions, SubscriptionId,
    UserProperties,
};

use super::{BOTH, closes, with_properties};
use crate::support::message::publish;
use crate::support::{Client, Server};

/// [v3.1.1 MQTT-3.3.2-1]
#[test]
fn mqtt_3_3_2_1_the_topic_comes_first_and_is_utf_8() {
    let server = Server::start();
    for version in BOTH {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("ö", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.publish("ö", "x", QoS::AtLeastOnce);
        assert_eq!(client.bytes_or_close(6)[2..], [0, 2, 0xC3, 0xB6], "{version}");
        let bytes: &[u8] = if version.is_v5() { &[0x30, 4, 0, 1, 0xFF, 0] } else { &[0x30, 3, 0, 1, 0xFF] };
        closes(&server, version, bytes, ReasonCode::MalformedPacket);
        closes(&server, version, &[0x30, 3, 0, 9, b't'], ReasonCode::MalformedPacket);
        closes(&server, version, &[0x30, 1, 0], ReasonCode::MalformedPacket);
    }
}

/// [v3.1.1 MQTT-3.3.2-2]
#[test]
fn mqtt_3_3_2_2_a_wildcard_in_a_topic_closes() {
    let server = Server::start();
    for version in BOTH {
        for topic in [*b"a/#", *b"+/a", *b"a+b", *b"#/b", *b"a#b"] {
            let mut bytes = vec![0x30, 5 + u8::from(version.is_v5()), 0, 3];
            bytes.extend_from_slice(&topic);
            bytes.extend_from_slice(if version.is_v5() { &[0] } else { &[] });
            closes(&server, version, &bytes, ReasonCode::MalformedPacket);
        }
    }
}

/// [v3.1.1 MQTT-3.3.2-3]
#[test]
fn mqtt_3_3_2_3_every_message_has_a_topic_that_the_filter_matches() {
    let server = Server::start();
    for version in BOTH {
        let mut publisher = Client::connect(&server, version, "publisher");
        let rows: [(&str, &[&str]); 4] = [
            ("a/+/c", &["a/b/c", "a//c"]),
            ("a/#", &["a", "a/b/c", "a/b", "a//c"]),
            ("+", &["a", "b", "A"]),
            ("b", &["b"]),
        ];
        for (filter, matching) in rows {
            let mut subscriber = Client::connect(&server, version, "subscriber");
            subscriber.subscribe(filter, QoS::AtMostOnce);
            let mut expected = Vec::new();
            for topic in ["a", "b", "a/b/c", "a/b", "a//c", "b/a/c", "/a", "A"] {
                publisher.publish(topic, topic, QoS::AtLeastOnce);
                expected.extend(matching.contains(&topic).then_some(topic));
            }
            for topic in expected {
                let message = subscriber.receive();
                assert_eq!((message.topic.as_str(), message.text()), (topic, topic), "{version}: {filter}");
            }
            subscriber.expect_nothing();
        }
    }
}

/// [v3.1.1 MQTT-3.3.5-1]
#[test]
fn mqtt_3_3_4_2_overlapping_subscriptions_deliver_with_the_highest_quality() {
    let server = Server::start();
    for version in BOTH {
        for filters in [["a/#", "a/b", "+/b"], ["a/b", "+/b", "a/#"]] {
            let mut client = Client::connect(&server, version, "client");
            for (filter, qos) in filters.iter().zip([QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtLeastOnce]) {
                client.subscribe(filter, qos);
            }
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                client.publish("a/b", "x", qos);
                assert_eq!(client.take().qos, qos, "{version}");
            }
            client.expect_nothing();
        }
    }
}

fn subscribe_identified(client: &mut Client, filter: &str, identifier: u32) {
    let packet_id = client.new_id();
    client.send(&Packet::Subscribe(Subscribe {
        packet_id,
        subscription_id: SubscriptionId::new(identifier),
        user_properties: UserProperties::default(),
        filters: vec![SubscribeFilter { filter, options: SubscribeOptions::new(QoS::AtLeastOnce) }],
    }));
    assert_eq!(client.suback(packet_id), [ReasonCode::GrantedQos1]);
}

/// A shared subscription gets a copy of its own.
#[test]
fn mqtt_3_3_4_5_each_of_several_copies_has_the_identifier_of_its_subscription() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    for (filter, identifier) in [("t", 1), ("$share/g/t", 2), ("$share/h/+", 3)] {
        subscribe_identified(&mut client, filter, identifier);
    }
    client.subscribe("$share/i/t", QoS::AtMostOnce);
    client.publish("t", "x", QoS::AtLeastOnce);
    let mut copies = [(); 4].map(|()| client.take().subscription_ids);
    copies.sort();
    assert_eq!(copies, [vec![], vec![1], vec![2], vec![3]]);
    client.expect_nothing();
}

#[test]
fn mqtt_3_3_4_6_a_subscription_identifier_from_a_client_closes() {
    let server = Server::start();
    closes(&server, ProtocolVersion::V5, &with_properties(&[0x0B, 1]), ReasonCode::ProtocolError);
    closes(&server, ProtocolVersion::V5, &with_properties(&[0x0B, 0]), ReasonCode::ProtocolError);
}

/// Which topics a client may use is the broker's to say: $SYS is its own.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn mqtt_3_4_2_1_a_topic_that_is_not_accepted_is_0x90() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(client.publish("$SYS/broker/version", "x", qos), ReasonCode::TopicNameInvalid);
    }
    client.send(&Packet::Publish(publish("$SYS/broker/version", b"x")));
    client.ping();
}
