//! Sessions that outlive their connection, and those that do not.

use midge_protocol::{Ack, Connect, Packet, ProtocolVersion, QoS};

use crate::support::{Client, Server, VERSIONS};

/// Asks for the session of before, kept for a minute after the connection.
fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry = Some(60);
    }
}

/// [v3.1.1 MQTT-4.5.0-1]
#[test]
fn mqtt_4_5_0_1_missed_messages_wait_and_arrive_in_order() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut away, _) = Client::connect_with(&server, version, "away", kept);
        away.subscribe("missed/#", QoS::ExactlyOnce);
        away.disconnect();
        let mut publisher = Client::connect(&server, version, "publisher");
        for number in 0..20 {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            publisher.publish("missed/a", &number.to_string(), qos);
        }
        publisher.publish("missed/a", "QoS 0 is not kept, or is last", QoS::AtMostOnce);
        let (mut back, _) = Client::connect_with(&server, version, "away", kept);
        for number in 0..20 {
            assert_eq!(back.take().text(), number.to_string(), "{version}");
        }
        let (end, _) = Client::connect_with(&server, version, "away", |connect| connect.clean_start = true);
        end.disconnect();
    }
}

/// [MQTT-3.3.1-1] [v3.1.1 MQTT-3.3.1-1] [v3.1.1 MQTT-4.4.0-1]
#[test]
fn mqtt_4_4_0_1_what_was_not_acknowledged_is_sent_again() {
    let server = Server::start();
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut first, _) = Client::connect_with(&server, version, "again", |connect| {
                kept(connect);
                connect.clean_start = version.is_v5();
            });
            first.subscribe("t", qos);
            first.publish("t", "x", QoS::ExactlyOnce);
            let before = first.receive();
            drop(first);
            let (mut second, _) = Client::connect_with(&server, version, "again", kept);
            let after = second.take();
            assert!(after.dup, "{version} {qos:?}");
            assert_eq!((after.packet_id, after.text()), (before.packet_id, "x"));
            second.expect_nothing();
        }
    }
}

#[test]
fn mqtt_4_4_0_1_an_unfinished_pubrel_is_sent_again() {
    let server = Server::start();
    let version = ProtocolVersion::V5;
    let (mut first, _) = Client::connect_with(&server, version, "pubrel", kept);
    first.subscribe("t", QoS::ExactlyOnce);
    first.publish("t", "x", QoS::ExactlyOnce);
    let id = first.receive().packet_id.unwrap();
    first.send(&Packet::Pubrec(Ack::new(id)));
    first.next(|packet| assert!(matches!(packet, Packet::Pubrel(_)), "{packet:?}"));
    drop(first);
    let (mut second, _) = Client::connect_with(&server, version, "pubrel", kept);
    second.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == id), "{packet:?}"));
    second.send(&Packet::Pubcomp(Ack::new(id)));
    second.expect_nothing();
}
