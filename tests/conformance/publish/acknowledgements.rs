//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7).

use std::num::NonZeroU32;

use midge_protocol::{Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};
use tempfile::TempDir;

use super::{BOTH, closes};
use crate::hostile::plugin;
use crate::support::message::publish;
use crate::support::{Client, Server};

const V5: ProtocolVersion = ProtocolVersion::V5;

/// What the client sends is checked; what the broker sends is read by a decoder that checks the same.
///
/// [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
#[test]
fn mqtt_3_4_2_1_a_reason_that_is_not_of_the_packets_table_closes() {
    let server = Server::start();
    let rows: [(u8, &[u8]); 4] = [
        (0x40, &[0x01, 0x11, 0x81, 0x82, 0x92, 0xFF]),
        (0x50, &[0x02, 0x18, 0x81, 0x8F, 0x92, 0x93]),
        (0x62, &[0x10, 0x80, 0x91, 0x97]),
        (0x70, &[0x10, 0x80, 0x91, 0x97]),
    ];
    for (first, reasons) in rows {
        for reason in reasons {
            closes(&server, V5, &[first, 3, 0, 1, *reason], ReasonCode::MalformedPacket);
        }
    }
}

/// Reason, property length and both are optional (3.4.2.1); what is there may explain itself.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
#[test]
fn mqtt_3_4_2_1_every_reason_of_the_tables_is_taken_in_every_layout() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, V5, "publisher");
    let reasons = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    for reason in reasons {
        for explained in [&[][..], &[0], &[9, 0x1F, 0, 1, b'x', 0x26, 0, 0, 0, 0]] {
            for (qos, first) in [(QoS::AtLeastOnce, 0x40), (QoS::ExactlyOnce, 0x50)] {
                publisher.publish("t", "x", qos);
                let id = client.receive().packet_id.unwrap();
                let [high, low] = id.get().to_be_bytes();
                let mut bytes = vec![first, 3 + explained.len() as u8, high, low, reason];
                bytes.extend_from_slice(explained);
                client.send_bytes(&bytes);
                if qos == QoS::ExactlyOnce && reason < 0x80 {
                    client.next(|packet| assert_eq!(*packet, Packet::Pubrel(Ack::new(id))));
                    client.send_bytes(&[0x70, 4, high, low, 0, 0]);
                }
            }
        }
    }
    client.expect_nothing();
}

/// [v3.1.1 MQTT-3.6.1-1]
#[test]
fn mqtt_3_6_1_1_a_pubrel_has_the_flags_0010_and_any_other_closes() {
    let server = Server::start();
    for version in BOTH {
        for flags in (0..16).filter(|flags| *flags != 2) {
            closes(&server, version, &[0x60 | flags, 2, 0, 1], ReasonCode::MalformedPacket);
        }
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("t", QoS::ExactlyOnce);
        Client::connect(&server, version, "publisher").publish("t", "x", QoS::ExactlyOnce);
        let id = client.receive().packet_id.unwrap();
        client.send(&Packet::Pubrec(Ack::new(id)));
        let [high, low] = id.get().to_be_bytes();
        assert_eq!(client.bytes_or_close(4), [0x62, 2, high, low], "{version}");
    }
}

/// A broker whose plugin refuses everything below `deny`, and says why.
fn refusing() -> Server {
    Server::with(&plugin("authorizer", ""))
}

/// A client that takes packets of so many bytes, and wants to know of problems or not.
fn small(server: &Server, maximum: Option<u32>, problem_information: bool) -> Client {
    let (client, _) = Client::connect_with(server, V5, "small", |connect| {
        connect.properties.maximum_packet_size = maximum.and_then(NonZeroU32::new);
        connect.properties.request_problem_information = Some(problem_information);
    });
    client
}

/// The whole answer has 26 bytes with the text and 5 without.
///
/// [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
#[test]
fn mqtt_3_4_2_2_a_refusal_explains_itself_only_as_far_as_the_client_takes_it() {
    let server = refusing();
    for (maximum, asked, explained) in
        [(None, true, true), (Some(26), true, true), (Some(25), true, false), (None, false, false)]
    {
        let mut client = small(&server, maximum, asked);
        for (qos, first) in [(QoS::AtLeastOnce, 0x40), (QoS::ExactlyOnce, 0x50)] {
            let packet_id = PacketId::new(9);
            client.send(&Packet::Publish(Publish { qos, packet_id, ..publish("deny/t", b"x") }));
            let mut expected = vec![first, 3, 0, 9, 0x87];
            if explained {
                expected = vec![first, 24, 0, 9, 0x87, 20, 0x1F, 0, 17];
                expected.extend_from_slice(b"the guest says no");
            }
            assert_eq!(client.bytes_or_close(expected.len()), expected, "{maximum:?}");
        }
        client.ping();
    }
}

/// They never carry a text, nor a User Property, so that nothing can be too large.
///
/// [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3]
#[test]
fn mqtt_3_6_2_2_pubrel_and_pubcomp_are_never_larger_than_five_bytes() {
    let server = refusing();
    for maximum in [None, Some(25)] {
        let mut client = small(&server, maximum, true);
        client.send(&Packet::Pubrec(Ack::new(PacketId::new(5).unwrap())));
        assert_eq!(client.bytes_or_close(5), [0x62, 3, 0, 5, 0x92]);
        client.send(&Packet::Pubrel(Ack::new(PacketId::new(6).unwrap())));
        assert_eq!(client.bytes_or_close(5), [0x70, 3, 0, 6, 0x92]);
        let packet_id = PacketId::new(7);
        client.send(&Packet::Publish(Publish { qos: QoS::ExactlyOnce, packet_id, ..publish("allow/t", b"x") }));
        assert_eq!(client.bytes_or_close(5), [0x50, 3, 0, 7, 0x10]);
        client.send(&Packet::Pubrel(Ack::new(packet_id.unwrap())));
        assert_eq!(client.bytes_or_close(4), [0x70, 2, 0, 7]);
        client.ping();
    }
}

/// Version 3.1.1 has no way to say no; version 5 is told, and the second time as well.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn v311_3_3_5_2_a_publish_that_is_not_allowed_is_acknowledged_and_goes_nowhere() {
    let directory = TempDir::new().unwrap();
    let rules = directory.path().join("rules");
    std::fs::write(&rules, "topic read #\ntopic write allow/#\n").unwrap();
    let more = format!("config = {{ file = {rules:?} }}\nallow = {{ files = [{rules:?}] }}\n");
    let config = format!("[[plugin]]\npath = \"bundled:acl-file\"\n{more}");
    let server = Server::beside(directory, &config);
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("#", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let told = version.is_v5() && qos > QoS::AtMostOnce;
            let expected = if told { ReasonCode::NotAuthorized } else { ReasonCode::Success };
            for _ in 0..2 {
                assert_eq!(publisher.publish("deny/t", "x", qos), expected, "{version} {qos:?}");
            }
        }
        subscriber.expect_nothing();
        assert_eq!(publisher.publish("allow/t", "x", QoS::AtLeastOnce), ReasonCode::Success);
        assert_eq!(subscriber.receive().text(), "x");
    }
}

/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn mqtt_3_4_2_1_a_plugin_may_refuse_with_another_reason() {
    let server = refusing();
    let mut client = Client::connect(&server, V5, "client");
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(client.publish("quota/t", "x", qos), ReasonCode::QuotaExceeded);
    }
}
