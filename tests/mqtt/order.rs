//! Bytes come in order, and only their sender answers for them. What each mistake costs is in [`crate::conformance::malformed`].

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server};

#[test]
fn a_packet_may_arrive_byte_by_byte() {
    let server = Server::start();
    let mut client = Client::open(server.address(), ProtocolVersion::V311);
    for byte in b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a\xc0\0" {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.connack(|connack| connack.reason), ReasonCode::Success);
    client.next(|packet| assert_eq!(*packet, Packet::Pingresp));
}

#[test]
fn one_clients_mistake_does_not_disturb_another() {
    let server = Server::start();
    let mut good = Client::connect(&server, ProtocolVersion::V311, "good");
    good.subscribe("news", QoS::AtMostOnce);
    for _ in 0..20 {
        let mut bad = Client::connect(&server, ProtocolVersion::V311, "bad");
        bad.send_bytes(&[0xF0, 0]);
        bad.expect_close();
    }
    good.publish("news", "still here", QoS::AtLeastOnce);
    assert_eq!(good.receive().text(), "still here");
}
