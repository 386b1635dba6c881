//! A session that moves to another connection while packets are in flight.

use midge_protocol::{Ack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    connect.properties.session_expiry = connect.version.is_v5().then_some(60);
}

fn join(server: &Server, version: ProtocolVersion) -> Client {
    Client::connect_with(server, version, "mover", kept).0
}

/// A second connection of the same client, while the first is still there.
fn move_to_another(server: &Server, version: ProtocolVersion, mut old: Client) -> Client {
    let new = join(server, version);
    old.expect_disconnect(ReasonCode::SessionTakenOver);
    new
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn message(packet_id: u16, qos: QoS, dup: bool, text: &str) -> Packet<'_> {
    Packet::Publish(Publish { qos, dup, packet_id: Some(id(packet_id)), ..publish("t", text.as_bytes()) })
}

/// What was sent and not acknowledged is sent again, in the same order, with the same identifiers and DUP; then the rest.
///
/// [MQTT-3.1.2-5] [v3.1.1 MQTT-3.1.2-4] [v3.1.1 MQTT-3.1.4-2]
#[test]
fn mqtt_3_1_4_3_messages_to_a_client_move_with_its_session() {
    let server = Server::start();
    for version in VERSIONS {
        let mut old = join(&server, version);
        old.subscribe("t", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for (text, qos) in [("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce), ("3", QoS::ExactlyOnce)] {
            publisher.publish("t", text, qos);
        }
        let sent = [old.receive(), old.receive(), old.receive()];
        // The second is received, and its release on the way.
        let released = sent[1].packet_id.unwrap();
        old.send(&Packet::Pubrec(Ack::new(released)));
        old.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == released)));
        let mut new = move_to_another(&server, version, old);
        let again = new.receive();
        assert_eq!((again.text(), again.dup, again.packet_id), ("1", true, sent[0].packet_id), "{version}");
        let again = new.receive();
        assert_eq!((again.text(), again.dup, again.packet_id), ("3", true, sent[2].packet_id), "{version}");
        new.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == released), "{packet:?}"));
        publisher.publish("t", "4", QoS::AtLeastOnce);
        let next = new.receive();
        assert_eq!((next.text(), next.dup), ("4", false));
        assert!(sent.iter().all(|sent| sent.packet_id != next.packet_id), "{version}: an identifier in use");
        new.send(&Packet::Puback(Ack::new(sent[0].packet_id.unwrap())));
        new.send(&Packet::Pubcomp(Ack::new(released)));
        new.send(&Packet::Pubrec(Ack::new(sent[2].packet_id.unwrap())));
        assert_eq!(new.acknowledgement(sent[2].packet_id.unwrap()), ReasonCode::Success);
        new.send(&Packet::Pubcomp(Ack::new(sent[2].packet_id.unwrap())));
        new.send(&Packet::Puback(Ack::new(next.packet_id.unwrap())));
        new.expect_nothing();
        // All of it is done: a third connection finds nothing to be sent again.
        let mut last = move_to_another(&server, version, new);
        last.expect_nothing();
        last.disconnect();
        Client::connect(&server, version, "mover").disconnect();
    }
}

/// A QoS 2 message is published once, whichever connection its packets come on.
///
/// [MQTT-3.1.2-5] [v3.1.1 MQTT-3.1.2-4]
#[test]
fn mqtt_3_1_4_3_messages_from_a_client_move_with_its_session() {
    let server = Server::start();
    for version in VERSIONS {
        let mut witness = Client::connect(&server, version, "witness");
        witness.subscribe("t", QoS::ExactlyOnce);
        let mut old = join(&server, version);
        old.send(&message(1, QoS::ExactlyOnce, false, "once"));
        old.send(&message(2, QoS::ExactlyOnce, false, "released"));
        assert_eq!(old.acknowledgement(id(1)), ReasonCode::Success);
        assert_eq!(old.acknowledgement(id(2)), ReasonCode::Success);
        let mut new = move_to_another(&server, version, old);
        new.send(&message(1, QoS::ExactlyOnce, true, "once"));
        assert_eq!(new.acknowledgement(id(1)), ReasonCode::Success);
        for packet_id in [id(1), id(2)] {
            new.send(&Packet::Pubrel(Ack::new(packet_id)));
            assert_eq!(new.acknowledgement(packet_id), ReasonCode::Success, "{version}");
        }
        // Now the identifier is free, and what it stands for is new.
        new.send(&message(1, QoS::ExactlyOnce, false, "another"));
        assert_eq!(new.acknowledgement(id(1)), ReasonCode::Success);
        assert_eq!([0, 1, 2].map(|_| witness.take().text().to_owned()), ["once", "released", "another"], "{version}");
        witness.expect_nothing();
        new.disconnect();
        Client::connect(&server, version, "mover").disconnect();
    }
}

/// The same client in another version: its session, its subscriptions and what waits are the same.
///
/// [MQTT-3.1.2-5] [v3.1.1 MQTT-3.1.2-4]
#[test]
fn mqtt_3_1_4_3_a_session_moves_between_versions() {
    let server = Server::start();
    for (from, to) in VERSIONS.into_iter().flat_map(|from| VERSIONS.map(|to| (from, to))) {
        let mut old = join(&server, from);
        old.subscribe("t", QoS::AtLeastOnce);
        old.publish("t", "x", QoS::AtLeastOnce);
        let sent = old.receive();
        let mut new = move_to_another(&server, to, old);
        let again = new.take();
        assert_eq!((again.text(), again.dup, again.packet_id), ("x", true, sent.packet_id), "{from} to {to}");
        new.publish("t", "y", QoS::AtLeastOnce);
        assert_eq!(new.take().text(), "y");
        new.disconnect();
        Client::connect(&server, to, "mover").disconnect();
    }
}
