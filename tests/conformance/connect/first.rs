//! That CONNECT is the first packet, and what becomes of one that is not as it should be.

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::raw::{self, none, packet, string};
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V311};

/// [v3.1.1 MQTT-3.1.0-1]
#[test]
fn mqtt_3_1_0_1_what_comes_before_connect_is_neither_answered_nor_carried_out() {
    let server = Server::start();
    for version in [V311, V5] {
        let none = none(version);
        let packets = [
            packet(0x31, &[&string("kept"), none, b"x"]),
            packet(0x33, &[&string("kept"), &[0, 1], none, b"x"]),
            packet(0x82, &[&[0, 1], none, &string("t"), &[0]]),
            vec![0xC0, 0],
            vec![0xE0, 0],
            vec![0xF0, 0],
            vec![0x20, 2, 0, 0],
        ];
        for bytes in packets {
            let mut client = Client::open(server.address(), version);
            client.send_bytes(&[&bytes[..], &raw::connect(version, 2, &[&string("late")])].concat());
            assert_eq!(client.bytes_until_close(), b"", "{version} {bytes:02x?}");
        }
    }
    assert_eq!(server.metric("midge_retained_messages", &[]), 0.0);
}

/// [MQTT-3.2.0-2] [v3.1.1 MQTT-3.1.0-2]
#[test]
fn mqtt_3_1_0_2_a_second_connect_closes_and_has_no_connack() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        client.send(&Packet::Connect(Box::new(connect(version, "client"))));
        let goodbye: &[u8] = if version.is_v5() { &[0xE0, 1, 0x82] } else { &[] };
        assert_eq!(client.bytes_until_close(), goodbye, "{version}");
    }
}

/// [v3.1.1 MQTT-3.1.2-1]
#[test]
fn mqtt_3_1_2_1_another_protocol_name_closes() {
    let server = Server::start();
    for name in ["", "mqtt", "MQTTS", "MQIsdpx", "AMQP"] {
        for level in [3, 4, 5] {
            let properties = none(if level == 5 { V5 } else { V311 });
            let bytes = packet(0x10, &[&string(name), &[level, 2, 0, 0], properties, &string("client")]);
            let mut client = Client::open(server.address(), V5);
            client.send_bytes(&[&bytes[..], &[0xC0, 0]].concat());
            assert_eq!(client.bytes_until_close(), b"", "{name} {level}");
        }
    }
}

/// [MQTT-3.1.4-1] [MQTT-4.13.1-1] [v3.1.1 MQTT-3.1.2-3] [v3.1.1 MQTT-3.1.4-1]
#[test]
fn mqtt_3_1_2_3_the_reserved_connect_flag_closes() {
    let server = Server::start();
    for version in [V311, V5] {
        for flags in [0x01, 0x03] {
            let mut client = Client::open(server.address(), version);
            client.send_bytes(&raw::connect(version, flags, &[&string("client")]));
            // Version 3.1.1 closes without CONNACK; version 5 says that the packet was malformed.
            let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x81, 0] } else { &[] };
            assert_eq!(client.bytes_until_close(), answer, "{version}");
        }
    }
}

/// [MQTT-3.2.2-7] [MQTT-4.13.2-1] [v3.1.1 MQTT-3.2.2-5]
#[test]
fn mqtt_3_1_4_2_a_client_that_nobody_lets_in_is_told_and_closed() {
    let server = Server::with(&plugin("deny-all", "hooks = [\"authn\"]"));
    for version in VERSIONS {
        let mut client = Client::open(server.address(), version);
        let mut hello = connect(version, "client");
        (hello.username, hello.password) = (Some("nobody"), Some(&b"secret"[..]));
        client.send(&Packet::Connect(Box::new(hello)));
        let reason = client.connack(|connack| connack.reason);
        let expected = if version.is_v5() { ReasonCode::BadUserNameOrPassword } else { ReasonCode::NotAuthorized };
        assert_eq!(reason, expected, "{version}");
        client.expect_close();
    }
}

/// [MQTT-3.2.0-1] [MQTT-3.2.2-1] [v3.1.1 MQTT-3.1.4-4] [v3.1.1 MQTT-3.2.0-1]
#[test]
fn mqtt_3_1_4_5_a_connect_is_acknowledged_before_all_else() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut away, _) = Client::connect_with(&server, version, "away", |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = version.is_v5().then_some(60);
        });
        away.subscribe("t", QoS::AtLeastOnce);
        away.disconnect();
        Client::connect(&server, version, "publisher").publish("t", "waiting", QoS::AtLeastOnce);
        // What comes with the CONNECT is answered, and what waits for the session is sent, behind the CONNACK.
        let expiry: &[u8] = if version.is_v5() { &[5, 0x11, 0, 0, 0, 60] } else { &[] };
        let (name, level) = if version == ProtocolVersion::V31 { ("MQIsdp", 3) } else { ("MQTT", 4) };
        let level = if version.is_v5() { 5 } else { level };
        let hello = packet(0x10, &[&string(name), &[level, 0, 0, 0], expiry, &string("away")]);
        let mut back = Client::open(server.address(), version);
        back.send_bytes(&[&hello[..], &[0xC0, 0]].concat());
        let head = back.bytes_or_close(4);
        assert_eq!((head[0], head[2] & 0xFE, head[3]), (0x20, 0, 0), "{version}: the type, reserved flags, success");
        back.bytes_or_close(usize::from(head[1]) - 2);
        // In either order: a message that waited on the disk has to be read first.
        let mut kinds = [(); 2].map(|()| back.next(|packet| packet.kind().to_string()));
        kinds.sort();
        assert_eq!(kinds, ["PINGRESP", "PUBLISH"], "{version}");
        back.disconnect();
        Client::connect(&server, version, "away").disconnect();
    }
}

/// [v3.1.1 MQTT-3.1.4-5]
#[test]
fn mqtt_3_1_4_6_nothing_behind_a_refused_connect_is_carried_out() {
    let server = Server::with("[limits]\nclient_id_bytes_max = 23");
    for version in [V311, V5] {
        let hello = raw::connect(version, 2, &[&string("x".repeat(24))]);
        let message = packet(0x31, &[&string("kept"), none(version), b"x"]);
        let mut client = Client::open(server.address(), version);
        client.send_bytes(&[&hello[..], &message, &[0xC0, 0]].concat());
        let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x85, 0] } else { &[0x20, 2, 0, 2] };
        assert_eq!(client.bytes_until_close(), answer, "{version}");
    }
    assert_eq!(server.metric("midge_retained_messages", &[]), 0.0);
}
