//! Chapter 2: the parts that every packet has.

use std::collections::BTreeSet;

use midge_protocol::{Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::raw::{self, none, packet, string};
use crate::support::{Client, Server};

use ProtocolVersion::{V5, V311};

/// A packet to send, and every byte of the answers: one of each packet that a server sends. The broker numbers its messages
/// from 1.
fn conversation(version: ProtocolVersion) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (none, v5) = (none(version), version.is_v5());
    let acknowledgement = |first_byte, id: u8, reason: u8| match (v5, reason) {
        (true, 1..) => packet(first_byte, &[&[0, id, reason]]),
        _ => packet(first_byte, &[&[0, id]]),
    };
    let unsubscribed: &[u8] = if v5 { &[0, 0] } else { &[] };
    vec![
        (packet(0x82, &[&[0, 9], none, &string("t"), &[2]]), packet(0x90, &[&[0, 9], none, &[2]])),
        (vec![0xC0, 0], vec![0xD0, 0]),
        // QoS 0: neither the packet that came nor the one that goes has a Packet Identifier.
        (packet(0x30, &[&string("t"), none, &[0, 7]]), packet(0x30, &[&string("t"), none, &[0, 7]])),
        (packet(0x32, &[&string("u"), &[0, 5], none, b"x"]), acknowledgement(0x40, 5, 0x10)),
        (packet(0x34, &[&string("u"), &[0, 6], none, b"x"]), acknowledgement(0x50, 6, 0x10)),
        (acknowledgement(0x62, 6, 0), acknowledgement(0x70, 6, 0)),
        (
            packet(0x32, &[&string("t"), &[0, 8], none, b"x"]),
            [packet(0x32, &[&string("t"), &[0, 1], none, b"x"]), acknowledgement(0x40, 8, 0)].concat(),
        ),
        (
            [acknowledgement(0x40, 1, 0), packet(0x34, &[&string("t"), &[0, 9], none, b"x"])].concat(),
            [packet(0x34, &[&string("t"), &[0, 2], none, b"x"]), acknowledgement(0x50, 9, 0)].concat(),
        ),
        (acknowledgement(0x50, 2, 0), acknowledgement(0x62, 2, 0)),
        ([acknowledgement(0x70, 2, 0), acknowledgement(0x62, 9, 0)].concat(), acknowledgement(0x70, 9, 0)),
        (packet(0xA2, &[&[0, 4], none, &string("t")]), packet(0xB0, &[&[0, 4], unsubscribed])),
    ]
}

/// Reserved flags, Packet Identifiers where they belong and of the packet that is answered, and a length of zero for no
/// properties. Nothing but the standard is needed for it.
///
/// [MQTT-2.2.1-2] [MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT-2.2.2-1] [v3.1.1 MQTT-2.2.2-1] [v3.1.1 MQTT-2.3.1-5]
/// [v3.1.1 MQTT-2.3.1-6] [v3.1.1 MQTT-2.3.1-7] [v3.1.1 MQTT-7.0.0-2]
#[test]
fn mqtt_2_1_3_1_every_byte_of_what_the_broker_answers() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut client = Client::connect(&server, version, "client");
        for (sent, expected) in conversation(version) {
            client.send_bytes(&sent);
            let mut answer = client.bytes_or_close(expected.len());
            // A message to the client itself may go before or after the acknowledgement of its PUBLISH.
            if answer != expected && expected.len() > 5 {
                let at = expected.iter().position(|&byte| byte == 0x40 || byte == 0x50).unwrap();
                answer.rotate_left(expected.len() - at);
            }
            assert_eq!(answer, expected, "{version}, after {sent:02x?}");
        }
        if version.is_v5() {
            client.send_bytes(&[0xF0, 0]);
            assert_eq!(client.bytes_until_close(), [0xE0, 1, 0x82]);
        }
    }
}

/// [v3.1.1 MQTT-2.2.2-1] [v3.1.1 MQTT-2.2.2-2]
#[test]
fn mqtt_2_1_3_1_reserved_flags_that_are_not_as_listed_close() {
    let server = Server::start();
    for version in [V311, V5] {
        let none = none(version);
        let rows = [
            (0x40, packet(0x40, &[&[0, 1]])),
            (0x50, packet(0x50, &[&[0, 1]])),
            (0x62, packet(0x62, &[&[0, 1]])),
            (0x70, packet(0x70, &[&[0, 1]])),
            (0x82, packet(0x82, &[&[0, 1], none, &string("t"), &[0]])),
            (0xA2, packet(0xA2, &[&[0, 1], none, &string("t")])),
            (0xC0, vec![0xC0, 0]),
            (0xE0, vec![0xE0, 0]),
        ];
        for (right, mut bytes) in rows {
            for flags in (0..16).filter(|flags| right & 0x0F != *flags) {
                bytes[0] = right & 0xF0 | flags;
                let mut client = Client::connect(&server, version, "client");
                client.send_bytes(&bytes);
                client.expect_disconnect(ReasonCode::MalformedPacket);
            }
        }
        for flags in 1..16 {
            let mut hello = raw::connect(version, 0x02, &[&string("client")]);
            hello[0] |= flags;
            let mut client = Client::open(server.address(), version);
            client.send_bytes(&hello);
            // Which version the packet is written in is not known before its first byte is right.
            assert_eq!(client.bytes_until_close(), b"");
        }
    }
}

/// [v3.1.1 MQTT-2.3.1-1]
#[test]
fn mqtt_2_2_1_3_packet_identifier_zero_closes() {
    let server = Server::start();
    for version in [V311, V5] {
        let none = none(version);
        let packets = [
            packet(0x32, &[&string("t"), &[0, 0], none]),
            packet(0x34, &[&string("t"), &[0, 0], none]),
            packet(0x82, &[&[0, 0], none, &string("t"), &[0]]),
            packet(0xA2, &[&[0, 0], none, &string("t")]),
        ];
        for bytes in packets {
            let mut client = Client::connect(&server, version, "client");
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::ProtocolError);
        }
    }
}

/// An identifier in use is that of the same message, sent again; one that is free again is that of another.
///
/// [MQTT-2.2.1-3] [v3.1.1 MQTT-2.3.1-2]
#[test]
fn v311_2_3_1_3_a_message_sent_again_has_the_same_packet_identifier() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("t", QoS::AtMostOnce);
        let id = PacketId::new(7).unwrap();
        let message = |text: &'static str, dup| {
            Packet::Publish(Publish {
                dup,
                qos: QoS::ExactlyOnce,
                packet_id: Some(id),
                ..publish("t", text.as_bytes())
            })
        };
        for dup in [false, true, true] {
            client.send(&message("one", dup));
            assert_eq!(client.acknowledgement(id), ReasonCode::Success);
        }
        client.send(&Packet::Pubrel(Ack::new(id)));
        assert_eq!(client.acknowledgement(id), ReasonCode::Success);
        client.send(&message("two", false));
        assert_eq!(client.acknowledgement(id), ReasonCode::Success);
        assert_eq!((client.receive().text(), client.receive().text()), ("one", "two"), "{version}");
        client.expect_nothing();
    }
}

/// [v3.1.1 MQTT-2.3.1-4]
#[test]
fn mqtt_2_2_1_4_the_broker_gives_messages_identifiers_that_are_not_in_use() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("t", QoS::ExactlyOnce);
        let mut in_use = BTreeSet::new();
        for round in 0..40 {
            for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
                client.publish("t", "x", qos);
                let message = client.receive();
                let id = message.packet_id.unwrap();
                assert!(in_use.insert(id), "{version}: {id:?} is in use");
                // Every third is given back, the others stay.
                if qos == QoS::AtLeastOnce && round % 2 == 0 {
                    client.send(&Packet::Puback(Ack::new(id)));
                    in_use.remove(&id);
                }
            }
        }
        assert_eq!(in_use.len(), 80);
    }
}

#[test]
fn mqtt_2_2_2_1_a_packet_without_the_length_of_its_properties_is_malformed() {
    let server = Server::start();
    let packets = [
        packet(0x30, &[&string("t")]),
        packet(0x32, &[&string("t"), &[0, 1]]),
        packet(0x82, &[&[0, 1]]),
        packet(0xA2, &[&[0, 1]]),
    ];
    for bytes in packets {
        let mut client = Client::connect(&server, V5, "client");
        client.send_bytes(&bytes);
        client.expect_disconnect(ReasonCode::MalformedPacket);
    }
}
