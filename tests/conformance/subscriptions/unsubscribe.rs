//! UNSUBSCRIBE (3.10) and UNSUBACK (3.11).

use std::num::{NonZeroU16, NonZeroU32};

use midge_protocol::{Ack, Connect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode};

use super::{encoded, unsubscribe_packet};
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

fn one() -> PacketId {
    PacketId::new(1).unwrap()
}

/// [v3.1.1 MQTT-3.10.1-1]
#[test]
fn mqtt_3_10_1_1_any_other_flags_of_unsubscribe_close() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut bytes = encoded(&unsubscribe_packet(one(), &["t"]), version);
        for flags in (0..16).filter(|flags| *flags != 0b0010) {
            let mut client = Client::connect(&server, version, "flags");
            bytes[0] = 0xA0 | flags;
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
}

/// [v3.1.1 MQTT-3.10.3-1]
#[test]
fn mqtt_3_10_3_1_a_filter_that_is_no_utf8_closes() {
    let server = Server::start();
    for version in VERSIONS {
        for byte in [0xFF, 0xC0, 0x80] {
            let mut bytes = encoded(&unsubscribe_packet(one(), &["t"]), version);
            *bytes.last_mut().unwrap() = byte;
            let mut client = Client::connect(&server, version, "encoding");
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
}

/// [v3.1.1 MQTT-3.10.3-2]
#[test]
fn mqtt_3_10_3_2_an_unsubscribe_without_a_filter_closes() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "empty");
        client.send_bytes(&encoded(&unsubscribe_packet(one(), &[]), version));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// [v3.1.1 MQTT-3.10.4-1]
#[test]
fn mqtt_3_10_4_1_filters_are_compared_character_by_character() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "exact");
        for filter in ["a/+", "a/b", "a/#", "é"] {
            client.subscribe(filter, AtMostOnce);
        }
        // None of these is one of those, though each matches or resembles some.
        for other in ["#", "+/b", "A/b", "a/B", "a/b/", "/a/b", "a", "e\u{301}"] {
            let expected = if version.is_v5() { ReasonCode::NoSubscriptionExisted } else { ReasonCode::Success };
            assert_eq!(client.unsubscribe(other), expected, "{version} {other}");
        }
        client.publish("é", "x", AtMostOnce);
        assert_eq!(client.receive().topic, "é", "{version}: still subscribed");
        // With each filter that is named exactly, one subscription is gone and the others are there.
        for (filter, comes) in [("a/+", true), ("a/b", true), ("a/#", false)] {
            assert_eq!(client.unsubscribe(filter), ReasonCode::Success);
            client.publish("a/b", "x", AtMostOnce);
            assert_eq!(client.messages_until_pong() > 0, comes, "{version} without {filter}");
        }
    }
}

/// [v3.1.1 MQTT-3.10.4-2]
#[test]
fn mqtt_3_10_4_2_after_unsubscribe_nothing_is_added() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "leaver");
        let mut publisher = Client::connect(&server, version, "publisher");
        for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            for filter in ["t", "t/#"] {
                client.subscribe(filter, ExactlyOnce);
                assert_eq!(client.unsubscribe(filter), ReasonCode::Success);
                publisher.publish("t", "x", qos);
                client.expect_nothing();
            }
        }
    }
}

/// Messages that wait for their turn, retained ones here, were not begun to be sent, and are not sent any more.
#[test]
fn mqtt_3_10_4_2_what_was_not_begun_is_not_sent_any_more() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    for number in 0..5 {
        publisher.retain(&format!("t/{number}"), "x", AtLeastOnce);
    }
    let (mut client, _) = Client::connect_with(&server, V5, "leaver", |connect| {
        connect.properties.receive_maximum = NonZeroU16::new(1);
    });
    client.subscribe("t/#", AtLeastOnce);
    let first = client.receive();
    client.unsubscribe("t/#");
    client.send(&Packet::Puback(Ack::new(first.packet_id.unwrap())));
    client.expect_nothing();
}

/// [v3.1.1 MQTT-3.10.4-3]
#[test]
fn mqtt_3_10_4_3_a_delivery_that_was_begun_is_completed() {
    let server = Server::start();
    for version in VERSIONS {
        let stay = |connect: &mut Connect<'_>| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(60).filter(|_| version.is_v5());
        };
        let (mut client, _) = Client::connect_with(&server, version, "unfinished", stay);
        client.subscribe("t", ExactlyOnce);
        client.publish("t", "one", AtLeastOnce);
        client.publish("t", "two", ExactlyOnce);
        client.publish("t", "three", ExactlyOnce);
        let ids = [client.receive(), client.receive(), client.receive()].map(|message| message.packet_id.unwrap());
        assert_eq!(client.unsubscribe("t"), ReasonCode::Success);
        // The third goes on at once …
        client.send(&Packet::Pubrec(Ack::new(ids[2])));
        client.next(|packet| assert_eq!(*packet, Packet::Pubrel(Ack::new(ids[2])), "{version}"));
        client.send(&Packet::Pubcomp(Ack::new(ids[2])));
        client.ping();
        // … and the others on the next connection, with their identifiers.
        drop(client);
        let (mut client, present) = Client::connect_with(&server, version, "unfinished", stay);
        assert!(present || version == V31);
        for (text, id) in [("one", ids[0]), ("two", ids[1])] {
            let message = client.take();
            assert_eq!((message.text(), message.packet_id, message.dup), (text, Some(id), true), "{version}");
        }
        client.expect_nothing();
        client.disconnect();
        Client::connect(&server, version, "unfinished").disconnect();
    }
}

/// [MQTT-3.10.4-5] [v3.1.1 MQTT-3.10.4-4] [v3.1.1 MQTT-3.10.4-5]: though there was nothing to unsubscribe from.
#[test]
fn mqtt_3_10_4_4_every_unsubscribe_has_its_unsuback_with_its_packet_id() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "unsubscriber");
        let ids = [1, 0x1234, 0xFFFF, 2];
        for id in ids {
            client.send(&unsubscribe_packet(PacketId::new(id).unwrap(), &["nothing"]));
        }
        for id in ids {
            let [high, low] = id.to_be_bytes();
            match version {
                V5 => assert_eq!(client.bytes_or_close(6), [0xB0, 4, high, low, 0, 0x11]),
                V31 | V311 => assert_eq!(client.bytes_or_close(4), [0xB0, 2, high, low]),
            }
        }
        client.expect_nothing();
    }
}

/// [MQTT-3.11.3-1] [MQTT-3.11.3-2] [v3.1.1 MQTT-3.10.4-6]
#[test]
fn mqtt_3_10_4_6_many_filters_are_as_many_unsubscribes_with_one_unsuback() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "many");
        for filter in ["a", "b/#", "$share/g/c", "stays"] {
            client.subscribe(filter, AtMostOnce);
        }
        client.send(&unsubscribe_packet(one(), &["a", "unknown", "b/#", "a", "$share/g/c", "c"]));
        match version {
            // Success or No subscription existed, each at its filter's place; the second "a" finds the first's work done.
            V5 => assert_eq!(client.bytes_or_close(11), [0xB0, 9, 0, 1, 0, 0, 0x11, 0, 0x11, 0, 0x11]),
            V31 | V311 => assert_eq!(client.bytes_or_close(4), [0xB0, 2, 0, 1]),
        }
        for topic in ["a", "b", "c"] {
            client.publish(topic, "x", AtMostOnce);
        }
        client.expect_nothing();
        client.publish("stays", "x", AtMostOnce);
        assert_eq!(client.receive().topic, "stays", "{version}");
    }
}

/// [MQTT-3.11.2-2]: UNSUBACK has neither, and so fits into any Maximum Packet Size that it can fit into.
#[test]
fn mqtt_3_11_2_1_a_reason_string_never_makes_unsuback_too_large() {
    let server = Server::start();
    let (mut client, _) = Client::connect_with(&server, V5, "small", |connect| {
        connect.properties.maximum_packet_size = NonZeroU32::new(100);
    });
    client.send(&unsubscribe_packet(one(), &["t"; 95]));
    assert_eq!(client.bytes_or_close(100), [&[0xB0, 98, 0, 1, 0][..], &[0x11; 95]].concat());
}
