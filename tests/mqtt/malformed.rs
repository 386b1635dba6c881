//! Bytes that no client should send: what each costs the client that sent them.

use midge_protocol::{ProtocolVersion, ReasonCode};

use crate::support::{Client, Server};

use ReasonCode::{MalformedPacket, PacketTooLarge, ProtocolError, TopicAliasInvalid};

/// What is sent after CONNACK, and the DISCONNECT of version 5 it earns.
const AFTER_CONNACK: &[(&str, &[u8], ReasonCode)] = &[
    ("packet type 0", &[0x00, 0], MalformedPacket),
    ("PINGREQ with flags", &[0xC1, 0], MalformedPacket),
    ("PINGREQ with a body", &[0xC0, 1, 0], MalformedPacket),
    ("PUBREL without its flags", &[0x60, 2, 0, 1], MalformedPacket),
    ("SUBSCRIBE without its flags", &[0x80, 7, 0, 1, 0, 0, 1, b'a', 0], MalformedPacket),
    ("a remaining length of five bytes", &[0x30, 0x80, 0x80, 0x80, 0x80, 1], MalformedPacket),
    ("a packet above the maximum", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], PacketTooLarge),
    ("PUBLISH with QoS 3", &[0x36, 6, 0, 1, b'a', 0, 1, 0], MalformedPacket),
    ("PUBLISH with DUP and QoS 0", &[0x38, 4, 0, 1, b'a', 0], MalformedPacket),
    ("PUBLISH with packet id 0", &[0x32, 6, 0, 1, b'a', 0, 0, 0], ProtocolError),
    ("PUBLISH to a wildcard", &[0x30, 4, 0, 1, b'#', 0], MalformedPacket),
    ("PUBLISH to nowhere", &[0x30, 3, 0, 0, 0], ProtocolError),
    ("PUBLISH to U+0000", &[0x30, 4, 0, 1, 0, 0], MalformedPacket),
    ("PUBLISH to a surrogate", &[0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0], MalformedPacket),
    ("PUBLISH whose topic is longer than the packet", &[0x30, 3, 0, 9, b'a'], MalformedPacket),
    ("PUBLISH with topic alias 0", &[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], TopicAliasInvalid),
    ("PUBLISH with an unknown alias", &[0x30, 6, 0, 0, 3, 0x23, 0, 7], ProtocolError),
    ("PUBLISH with a property twice", &[0x30, 8, 0, 1, b'a', 4, 1, 0, 1, 0], ProtocolError),
    ("PUBLISH with a property of CONNACK", &[0x30, 6, 0, 1, b'a', 2, 0x2A, 1], MalformedPacket),
    ("PUBLISH with a subscription id", &[0x30, 6, 0, 1, b'a', 2, 0x0B, 1], ProtocolError),
    ("SUBSCRIBE without a filter", &[0x82, 3, 0, 1, 0], ProtocolError),
    ("SUBSCRIBE with QoS 3", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 3], ProtocolError),
    ("SUBSCRIBE with reserved options", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0x40], MalformedPacket),
    ("SUBSCRIBE with subscription id 0", &[0x82, 9, 0, 1, 2, 0x0B, 0, 0, 1, b'a', 0], ProtocolError),
    ("SUBSCRIBE with packet id 0", &[0x82, 7, 0, 0, 0, 0, 1, b'a', 0], ProtocolError),
    ("UNSUBSCRIBE without a filter", &[0xA2, 3, 0, 1, 0], ProtocolError),
    ("PUBACK with an unknown reason", &[0x40, 3, 0, 1, 0x42], MalformedPacket),
    ("DISCONNECT with a reason of SUBSCRIBE", &[0xE0, 1, 0x02], MalformedPacket),
];

#[test]
fn every_malformed_packet_ends_its_connection_with_the_reason_of_the_standard() {
    let server = Server::start();
    let mut wrong = Vec::new();
    for (what, bytes, reason) in AFTER_CONNACK {
        let mut client = Client::connect(&server, ProtocolVersion::V5, "malformed");
        client.send_bytes(bytes);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.expect_disconnect(*reason)));
        if outcome.is_err() {
            wrong.push(*what);
        }
    }
    assert!(wrong.is_empty(), "wrong outcome for: {wrong:#?}");
}

/// What is sent instead of CONNECT; nothing is answered.
const INSTEAD_OF_CONNECT: &[(&str, &[u8])] = &[
    ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("TLS", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
    ("zeros", &[0; 64]),
    ("an endless remaining length", &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ("an unknown protocol name", b"\x10\x0d\0\x05MQTTX\x04\x02\0\0\0\x01a"),
    ("the reserved flag of CONNECT", b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01a"),
    ("will QoS without a will", b"\x10\x0d\0\x04MQTT\x04\x0a\0\0\0\x01a"),
    ("a client id that is no UTF-8", b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01\xff"),
    ("a password without user name", b"\x10\x10\0\x04MQTT\x04\x42\0\0\0\x01a\0\x01p"),
    ("bytes behind the payload", b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x01aX"),
];

#[test]
fn mqtt_3_1_4_1_what_is_no_connect_is_closed_without_connack() {
    let server = Server::start();
    for (what, bytes) in INSTEAD_OF_CONNECT {
        eprintln!("{what}");
        let mut client = Client::open(server.address(), ProtocolVersion::V311);
        client.send_bytes(bytes);
        client.expect_close();
    }
}

#[test]
fn mqtt_3_1_2_2_an_unknown_protocol_level_is_told_so() {
    let server = Server::start();
    let rows = [
        (&b"\x10\x0d\0\x04MQTT\x02\x02\0\0\0\x01a"[..], &[0x20, 2, 0, 1][..]),
        (b"\x10\x0d\0\x04MQTT\x09\x02\0\0\0\x01a", &[0x20, 3, 0, 0x84, 0]),
    ];
    for (connect, answer) in rows {
        let mut client = Client::open(server.address(), ProtocolVersion::V311);
        client.send_bytes(connect);
        assert_eq!(client.bytes_until_close(), answer, "in the format of the nearest known version");
    }
}

#[test]
fn a_packet_may_arrive_byte_by_byte() {
    let server = Server::start();
    let mut client = Client::open(server.address(), ProtocolVersion::V311);
    for byte in b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a\xc0\0" {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.connack(|connack| connack.reason), ReasonCode::Success);
    client.next(|packet| assert_eq!(*packet, midge_protocol::Packet::Pingresp));
}
