//! DUP, QoS and RETAIN in the fixed header (3.3.1), and the answer that QoS asks for (3.3.4).

use midge_protocol::{Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use super::{BOTH, closes};
use crate::support::message::publish;
use crate::support::{Client, Server};

/// [v3.1.1 MQTT-3.3.1-2]
#[test]
fn mqtt_3_3_1_2_dup_with_qos_0_closes() {
    let server = Server::start();
    closes(&server, ProtocolVersion::V5, &[0x38, 4, 0, 1, b't', 0], ReasonCode::MalformedPacket);
    closes(&server, ProtocolVersion::V311, &[0x38, 3, 0, 1, b't'], ReasonCode::MalformedPacket);
}

/// [v3.1.1 MQTT-3.3.1-3]
#[test]
fn mqtt_3_3_1_3_the_publishers_dup_is_not_passed_on() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let packet_id = PacketId::new(qos as u16);
            publisher.send(&Packet::Publish(Publish { dup: true, qos, packet_id, ..publish("t", b"x") }));
            assert!(!subscriber.take().dup, "{version} {qos:?}");
        }
    }
}

/// [v3.1.1 MQTT-3.3.1-4]
#[test]
fn mqtt_3_3_1_4_qos_3_closes() {
    let server = Server::start();
    for first in [0x36, 0x37, 0x3E] {
        closes(&server, ProtocolVersion::V5, &[first, 6, 0, 1, b't', 0, 1, 0], ReasonCode::MalformedPacket);
        closes(&server, ProtocolVersion::V311, &[first, 5, 0, 1, b't', 0, 1], ReasonCode::MalformedPacket);
    }
}

/// [v3.1.1 MQTT-3.3.4-1]
#[test]
fn mqtt_3_3_4_1_the_answer_to_a_publish_is_what_its_qos_asks_for() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.send(&Packet::Publish(publish("t", b"x")));
        publisher.send(&Packet::Pingreq);
        assert_eq!(publisher.bytes_or_close(2), [0xD0, 0], "{version}: nothing for QoS 0");
        for (qos, answer) in [(QoS::AtLeastOnce, [0x40, 2, 1, 2]), (QoS::ExactlyOnce, [0x50, 2, 1, 2])] {
            let packet_id = PacketId::new(0x0102);
            publisher.send(&Packet::Publish(Publish { qos, packet_id, ..publish("t", b"x") }));
            assert_eq!(publisher.bytes_or_close(4), answer, "{version} {qos:?}");
        }
    }
}
