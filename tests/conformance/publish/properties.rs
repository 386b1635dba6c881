//! The properties of an Application Message (3.3.2.3).

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode, UserPropertiesBuf};

use super::{closes, lasts, with_properties};
use crate::support::message::{Received, publish};
use crate::support::{Client, Server};

/// In their order, one of them twice, and none of them sorted.
const USER_PROPERTIES: [(&str, &str); 5] = [("k", "2"), ("z", ""), ("k", "1"), ("", "ä"), ("k", "2")];

fn is_unaltered(message: &Received, payload_is_utf8: Option<bool>) {
    assert_eq!(message.payload_is_utf8, payload_is_utf8);
    assert_eq!(message.content_type.as_deref(), Some("text/plain; charset=☃"));
    assert_eq!(message.response_topic.as_deref(), Some("answers/ä"));
    assert_eq!(message.correlation_data.as_deref(), Some(&[0, 255, 0][..]));
    let pairs = USER_PROPERTIES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(message.user_properties, pairs);
}

/// At once, from the queue, from the retained messages, sent again, and to each of several subscribers.
///
/// [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
#[test]
fn mqtt_3_3_2_4_properties_reach_every_subscriber_unaltered() {
    let server = Server::start();
    let version = ProtocolVersion::V5;
    let user = USER_PROPERTIES.into_iter().collect::<UserPropertiesBuf>();
    let mut publisher = Client::connect(&server, version, "publisher");
    for payload_is_utf8 in [None, Some(false), Some(true)] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            Client::connect_with(&server, version, "away", lasts).0.subscribe("t", qos);
            let mut here = [("one", "t"), ("two", "#")].map(|(name, filter)| {
                let mut client = Client::connect(&server, version, name);
                client.subscribe(filter, qos);
                client
            });
            let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
            old.subscribe("t", qos);
            let mut message = publish("t", b"x");
            (message.qos, message.retain) = (qos, true);
            message.properties.payload_is_utf8 = payload_is_utf8;
            message.properties.content_type = Some("text/plain; charset=☃");
            message.properties.response_topic = Some("answers/ä");
            message.properties.correlation_data = Some(&[0, 255, 0]);
            message.properties.user_properties = user.as_ref();
            assert_eq!(publisher.publish_with(message), ReasonCode::Success);

            here.iter_mut().for_each(|client| is_unaltered(&client.take(), payload_is_utf8));
            assert_eq!(old.take().text(), "x", "without properties");
            let mut late = Client::connect(&server, version, "late");
            late.subscribe("t", qos);
            is_unaltered(&late.take(), payload_is_utf8);
            if qos > QoS::AtMostOnce {
                for dup in [false, true] {
                    let (mut back, _) = Client::connect_with(&server, version, "away", lasts);
                    let message = back.receive();
                    assert_eq!(message.dup, dup);
                    is_unaltered(&message, payload_is_utf8);
                }
            }
            Client::connect(&server, version, "away").disconnect();
            publisher.retain("t", "", QoS::AtMostOnce);
        }
    }
}

/// [MQTT-3.3.2-19]
#[test]
fn mqtt_3_3_2_13_texts_that_are_not_utf_8_close() {
    let server = Server::start();
    for property in [0x03, 0x08] {
        for text in [&[0xFF][..], &[0xED, 0xA0, 0x80], &[0], &[0xC0, 0x80]] {
            let mut bytes = vec![property, 0, text.len() as u8];
            bytes.extend_from_slice(text);
            closes(&server, ProtocolVersion::V5, &with_properties(&bytes), ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_3_2_14_a_wildcard_in_a_response_topic_closes() {
    let server = Server::start();
    for topic in [*b"a/#", *b"+/a", *b"a+b"] {
        let mut bytes = vec![0x08, 0, 3];
        bytes.extend_from_slice(&topic);
        closes(&server, ProtocolVersion::V5, &with_properties(&bytes), ReasonCode::MalformedPacket);
    }
}

/// Each of them may be there once, and the Payload Format Indicator is 0 or 1 (3.3.2.3).
///
/// [MQTT-3.3.2-4]
#[test]
fn mqtt_3_3_2_4_a_property_that_is_there_twice_or_has_no_such_value_closes() {
    let server = Server::start();
    let rows: [&[u8]; 7] = [
        &[1, 0, 1, 0],
        &[1, 2],
        &[2, 0, 0, 0, 1, 2, 0, 0, 0, 1],
        &[3, 0, 1, b'a', 3, 0, 1, b'a'],
        &[8, 0, 1, b'a', 8, 0, 1, b'a'],
        &[9, 0, 1, b'a', 9, 0, 1, b'a'],
        &[0x23, 0, 1, 0x23, 0, 1],
    ];
    for properties in rows {
        closes(&server, ProtocolVersion::V5, &with_properties(properties), ReasonCode::ProtocolError);
    }
}

/// Whether payloads are looked at is the operator's to say.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn mqtt_3_4_2_1_a_payload_that_is_not_what_it_claims_is_refused_with_0x99_where_asked_for() {
    for (config, checked) in [("[limits]\ncheck_payload_format = true", true), ("", false)] {
        let server = Server::with(config);
        let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
        let is_text = |payload: &[u8]| std::str::from_utf8(payload).is_ok();
        for claim in [None, Some(false), Some(true)] {
            for payload in [&b"text"[..], &[0xFF], &[0xC3], b""] {
                for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce] {
                    let mut message = publish("t", payload);
                    message.qos = qos;
                    message.properties.payload_is_utf8 = claim;
                    let refused = checked && claim == Some(true) && !is_text(payload);
                    let told = refused && qos > QoS::AtMostOnce;
                    let reason = if told { ReasonCode::PayloadFormatInvalid } else { ReasonCode::Success };
                    assert_eq!(publisher.publish_with(message), reason, "{payload:02x?} {claim:?}");
                    if !refused {
                        let message = subscriber.receive();
                        assert_eq!((&message.payload[..], message.payload_is_utf8), (payload, claim));
                    }
                }
            }
        }
        subscriber.expect_nothing();
        publisher.send(&Packet::Pingreq);
        publisher.next(|packet| assert_eq!(*packet, Packet::Pingresp));
    }
}
