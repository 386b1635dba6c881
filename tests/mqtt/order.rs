//! Packets at the wrong time, or in the wrong direction.

use midge_protocol::{
    Ack, Auth, Connack, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, ReasonProperties, Suback,
};

use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

#[test]
fn mqtt_3_1_0_1_anything_before_connect_closes() {
    let server = Server::start();
    for version in VERSIONS {
        for packet in [Packet::Pingreq, Packet::Publish(publish("a", b"x"))] {
            let mut client = Client::open(server.address(), version);
            client.send(&packet);
            client.expect_close();
        }
    }
}

#[test]
fn mqtt_3_1_0_2_a_second_connect_closes() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "twice");
        client.send(&Packet::Connect(Box::new(connect(version, "twice"))));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

#[test]
fn packets_that_only_a_server_sends_close() {
    let server = Server::start();
    let id = PacketId::new(1).unwrap();
    let suback =
        || Suback { packet_id: id, properties: ReasonProperties::default(), reasons: vec![ReasonCode::Success] };
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        for packet in
            [Packet::Connack(Box::new(Connack::new(ReasonCode::Success))), Packet::Suback(suback()), Packet::Pingresp]
        {
            let mut client = Client::connect(&server, version, "mirror");
            client.send(&packet);
            client.expect_disconnect(ReasonCode::ProtocolError);
        }
    }
}

/// Tables 3-10 and 3-12 say who sends which reason.
#[test]
fn reasons_that_only_a_server_gives_close() {
    let server = Server::start();
    let packets: [&[u8]; 7] = [
        &[0xE0, 1, 0x89],
        &[0xE0, 1, 0x8B],
        &[0xE0, 1, 0x8D],
        &[0xE0, 1, 0x8E],
        &[0xE0, 1, 0x9D],
        b"\xE0\x09\x00\x07\x1C\x00\x04here",
        b"\xF0\x06\x00\x04\x15\x00\x01m",
    ];
    for bytes in packets {
        let mut client = Client::connect(&server, ProtocolVersion::V5, "impostor");
        client.send_bytes(bytes);
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

#[test]
fn acknowledgements_of_what_was_never_sent_are_survived_or_answered() {
    let server = Server::start();
    let id = PacketId::new(77).unwrap();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "eager");
    client.send(&Packet::Pubrel(Ack::new(id)));
    assert_eq!(client.acknowledgement(id), ReasonCode::PacketIdentifierNotFound);
    client.send(&Packet::Pubrec(Ack::new(id)));
    assert_eq!(client.acknowledgement(id), ReasonCode::PacketIdentifierNotFound);

    let mut old = Client::connect(&server, ProtocolVersion::V311, "eager too");
    old.send(&Packet::Pubrel(Ack::new(id)));
    assert_eq!(old.acknowledgement(id), ReasonCode::Success, "3.1.1 completes what it has forgotten");
}

#[test]
fn mqtt_4_12_0_6_auth_without_a_method_is_a_protocol_error() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "auth");
    client.send(&Packet::Auth(Auth {
        reason: ReasonCode::ReAuthenticate,
        authentication_method: Some("none"),
        authentication_data: None,
        properties: ReasonProperties::default(),
    }));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn an_unknown_authentication_method_is_refused() {
    let server = Server::start();
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, "scram");
    hello.properties.authentication_method = Some("SCRAM-SHA-1");
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.connack(|connack| connack.reason), ReasonCode::BadAuthenticationMethod);
    client.expect_close();
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
