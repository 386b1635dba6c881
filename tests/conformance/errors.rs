//! Sections 4.2 and 4.13 (4.8 of version 3.1.1): what carries the packets, and what ends a connection.

use midge_protocol::{Ack, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};

/// Each is well formed and may not come, or not from a client.
///
/// [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_4_13_1_1_what_may_not_come_closes_the_connection_it_came_on_and_no_other() {
    let server = Server::start();
    let mut other = Client::connect(&server, V5, "other");
    other.subscribe("t", QoS::AtMostOnce);
    let rows: [(ProtocolVersion, &[u8], ReasonCode); 14] = [
        (V311, &[0x20, 2, 0, 0], ReasonCode::ProtocolError),
        (V311, &[0x90, 3, 0, 1, 0], ReasonCode::ProtocolError),
        (V311, &[0xB0, 2, 0, 1], ReasonCode::ProtocolError),
        (V311, &[0xD0, 0], ReasonCode::ProtocolError),
        (V311, &[0xF0, 0], ReasonCode::MalformedPacket),
        (V311, &[0x00, 0], ReasonCode::MalformedPacket),
        (V5, &[0x20, 3, 0, 0, 0], ReasonCode::ProtocolError),
        (V5, &[0x90, 4, 0, 1, 0, 0], ReasonCode::ProtocolError),
        (V5, &[0xB0, 4, 0, 1, 0, 0], ReasonCode::ProtocolError),
        (V5, &[0xD0, 0], ReasonCode::ProtocolError),
        (V5, &[0xF0, 0], ReasonCode::ProtocolError),
        (V5, &[0x00, 0], ReasonCode::MalformedPacket),
        (V31, &[0xD0, 0], ReasonCode::ProtocolError),
        (V31, &[0xF0, 0], ReasonCode::MalformedPacket),
    ];
    for (version, bytes, reason) in rows {
        let mut client = Client::connect(&server, version, "client");
        // What comes behind it is not carried out.
        client.send_bytes(&[bytes, &[0x30, 3, 0, 1, b't', 0]].concat());
        client.expect_disconnect(reason);
    }
    other.expect_nothing();
}

/// Those the broker sends, in CONNACK and in DISCONNECT, and those a client sends.
#[test]
fn mqtt_4_13_2_1_a_reason_of_0x80_or_more_is_the_end_of_the_connection() {
    let server = Server::with("[limits]\nclient_id_bytes_max = 23");
    let mut refused = Client::open(server.address(), V5);
    refused.send(&Packet::Connect(Box::new(crate::support::client::connect(V5, &"x".repeat(24)))));
    assert_eq!(refused.connack(|connack| connack.reason.value()), 0x85);
    refused.expect_close();
    let mut told = Client::connect(&server, V5, "told");
    told.send_bytes(&[0xF0, 0]);
    told.expect_disconnect(ReasonCode::ProtocolError);
    for reason in [ReasonCode::UnspecifiedError, ReasonCode::QuotaExceeded, ReasonCode::MalformedPacket] {
        let mut client = Client::connect(&server, V5, "client");
        client.send(&Packet::Disconnect(Disconnect::new(reason)));
        client.expect_close();
    }
}

/// There is no room for a message the client asks the broker to keep. Version 5 says so; version 3.1.1 cannot, and to
/// acknowledge the message would be to lose it. It concerns nobody else.
#[test]
fn v311_4_8_0_2_what_cannot_be_done_now_closes_the_connection() {
    let server = Server::with("[limits]\nretained_messages_max = 1");
    let mut other = Client::connect(&server, V311, "other");
    other.retain("kept", "x", QoS::AtLeastOnce);
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut client = Client::connect(&server, version, "client");
            if version.is_v5() {
                assert_eq!(client.retain("one more", "x", qos), ReasonCode::QuotaExceeded);
                client.ping();
                continue;
            }
            let packet_id = Some(client.new_id());
            let retain = true;
            client.send(&Packet::Publish(midge_protocol::Publish {
                qos,
                retain,
                packet_id,
                ..publish("one more", b"x")
            }));
            client.expect_close();
        }
    }
    other.retain("kept", "y", QoS::ExactlyOnce);
}

/// Over TCP; tests/tls.rs and tests/websocket.rs have the others.
///
/// [v3.1.1 MQTT-7.1.1-1]
#[test]
fn mqtt_4_2_1_bytes_arrive_in_order_and_none_is_lost() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for number in 0..500_usize {
            // From nothing to more than a buffer, each byte different from its neighbours.
            let payload: Vec<u8> = (0..number * 37 % 20_000).map(|at| (at + number) as u8).collect();
            publisher.publish_with(midge_protocol::Publish { qos: QoS::AtLeastOnce, ..publish("t", &payload) });
            let message = subscriber.receive();
            assert!(message.payload == payload, "{version}: message {number}");
            subscriber.send(&Packet::Puback(Ack::new(message.packet_id.unwrap())));
        }
    }
}
