//! Section 1.5: integers, strings, and pairs of strings.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode, UserPropertiesBuf};

use crate::support::message::publish;
use crate::support::raw::{self, none, packet, string};
use crate::support::{Client, Server};

use ProtocolVersion::{V5, V311};

/// Bytes that are no UTF-8: surrogates, overlong, cut off, beyond the last code point, a lone continuation.
const ILL_FORMED: [&[u8]; 6] =
    [b"a\xED\xA0\x80", b"\xED\xBF\xBFa", b"\xC0\xAF", b"a\xE2\x82", b"\xF4\x90\x80\x80", b"a\x80b"];

/// Every string of a client that has this text in it, each in a packet that is right but for that.
fn with_text(version: ProtocolVersion, text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (none, text) = (none(version), string(text));
    let mut packets = vec![
        ("Topic Name", packet(0x30, &[&text, none, b"x"])),
        ("SUBSCRIBE", packet(0x82, &[&[0, 1], none, &text, &[0]])),
        ("UNSUBSCRIBE", packet(0xA2, &[&[0, 1], none, &text])),
    ];
    if version.is_v5() {
        let with_property = |id: u8, value: &[u8]| {
            let length = [value.len() as u8 + 1];
            packet(0x30, &[&string("t"), &length, &[id], value])
        };
        packets.push(("Content Type", with_property(0x03, &text)));
        packets.push(("Response Topic", with_property(0x08, &text)));
        packets.push(("User Property, name", with_property(0x26, &[&text[..], &string("value")].concat())));
        packets.push(("User Property, value", with_property(0x26, &[&string("name")[..], &text].concat())));
    }
    packets
}

/// Each string with this text costs its client the connection, and nobody else anything.
fn ends_the_connection(text: &[u8]) {
    let server = Server::start();
    let mut witness = Client::connect(&server, V5, "witness");
    witness.subscribe("#", QoS::AtMostOnce);
    for version in [V311, V5] {
        for (what, bytes) in with_text(version, text) {
            eprintln!("{version}: {what}");
            let mut client = Client::connect(&server, version, "client");
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
    witness.expect_nothing();
}

/// [v3.1.1 MQTT-1.5.3-1]
#[test]
fn mqtt_1_5_4_1_text_that_is_no_utf8_closes() {
    ILL_FORMED.into_iter().for_each(ends_the_connection);
}

/// [v3.1.1 MQTT-1.5.3-2]
#[test]
fn mqtt_1_5_4_2_text_with_u_0000_closes() {
    ends_the_connection(b"a\0b");
}

/// [MQTT-3.1.3-11] [MQTT-3.1.3-12] [v3.1.1 MQTT-3.1.3-4] [v3.1.1 MQTT-3.1.3-10] [v3.1.1 MQTT-3.1.3-11]
#[test]
fn mqtt_3_1_3_4_client_id_will_topic_and_user_name_are_utf8() {
    let server = Server::start();
    for version in [V311, V5] {
        for text in ILL_FORMED.into_iter().chain([&b"a\0b"[..]]) {
            let (id, text) = (string("client"), string(text));
            let connects = [
                raw::connect(version, 0x02, &[&text]),
                raw::connect(version, 0x06, &[&id, none(version), &text, &string("gone")]),
                raw::connect(version, 0x82, &[&id, &text]),
            ];
            for bytes in connects {
                let mut client = Client::open(server.address(), version);
                client.send_bytes(&bytes);
                let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x81, 0] } else { &[] };
                assert_eq!(client.bytes_until_close(), answer, "{version} {bytes:02x?}");
            }
        }
    }
}

/// [v3.1.1 MQTT-1.5.3-3]
#[test]
fn mqtt_1_5_4_3_a_byte_order_mark_is_a_character() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("\u{feff}t", QoS::AtLeastOnce);
        client.publish("t", "without", QoS::AtLeastOnce);
        client.publish("\u{feff}t", "\u{feff}with", QoS::AtLeastOnce);
        let message = client.take();
        assert_eq!((message.topic.as_bytes(), message.text()), (&b"\xEF\xBB\xBFt"[..], "\u{feff}with"), "{version}");
        client.expect_nothing();
    }
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("t", QoS::AtMostOnce);
    let pairs = UserPropertiesBuf::from_iter([("\u{feff}name", "\u{feff}")]);
    let mut message = publish("t", b"");
    message.properties.user_properties = pairs.as_ref();
    message.properties.content_type = Some("\u{feff}text");
    client.publish_with(message);
    let message = client.receive();
    assert_eq!(message.user_properties, [("\u{feff}name".to_owned(), "\u{feff}".to_owned())]);
    assert_eq!(message.content_type.as_deref(), Some("\u{feff}text"));
}

#[test]
fn mqtt_1_5_5_1_an_integer_that_is_longer_than_it_needs_to_be_closes() {
    let server = Server::start();
    let padded: [&[u8]; 4] = [
        // The Remaining Length, the length of the properties, a Subscription Identifier, and five bytes.
        &[0xC0, 0x80, 0],
        &[0x30, 6, 0, 1, b't', 0x80, 0, b'x'],
        &[0x82, 10, 0, 1, 3, 0x0B, 0x81, 0, 0, 1, b't', 0],
        &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
    ];
    for bytes in padded {
        let mut client = Client::connect(&server, V5, "client");
        client.send_bytes(bytes);
        client.expect_disconnect(ReasonCode::MalformedPacket);
    }
}

/// [MQTT-1.5.5-1]
#[test]
fn mqtt_1_5_5_1_the_broker_uses_as_few_bytes_as_there_can_be() {
    let server = Server::start();
    for (remaining, prefix) in [
        (127, &[0x30, 0x7F][..]),
        (128, &[0x30, 0x80, 0x01]),
        (16_383, &[0x30, 0xFF, 0x7F]),
        (16_384, &[0x30, 0x80, 0x80, 0x01]),
    ] {
        let mut client = Client::connect(&server, V5, "client");
        client.subscribe("t", QoS::AtMostOnce);
        // Beside the payload there are the Topic Name and the length of no properties.
        let payload = vec![b'x'; remaining - 4];
        client.send(&midge_protocol::Packet::Publish(publish("t", &payload)));
        assert_eq!(client.bytes_or_close(prefix.len()), prefix);
        assert_eq!(client.bytes_or_close(4), [0, 1, b't', 0]);
        assert_eq!(client.bytes_or_close(payload.len()), payload);
    }
}

#[test]
fn mqtt_1_5_7_1_both_strings_of_a_pair_are_text() {
    let server = Server::start();
    for bad in ILL_FORMED.into_iter().chain([&b"\0"[..]]) {
        for (name, value) in [(bad, &b"value"[..]), (b"name", bad)] {
            let pair = [&[0x26][..], &string(name), &string(value)].concat();
            let length = [pair.len() as u8];
            let packets = [
                packet(0x30, &[&string("t"), &length, &pair]),
                packet(0x82, &[&[0, 1], &length, &pair, &string("t"), &[0]]),
                packet(0xA2, &[&[0, 1], &length, &pair, &string("t")]),
                packet(0x40, &[&[0, 1, 0], &length, &pair]),
                packet(0xE0, &[&[0], &length, &pair]),
            ];
            for bytes in packets {
                let mut client = Client::connect(&server, V5, "client");
                client.send_bytes(&bytes);
                client.expect_disconnect(ReasonCode::MalformedPacket);
            }
        }
    }
}
