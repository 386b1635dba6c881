//! Quality of service, redelivery, order and flow control (4.3 to 4.6, 4.9).

mod at_least_once;
mod exactly_once;
mod flow;
mod identifiers;
mod lost_packets;
mod order;
mod redelivery;

use midge_protocol::{Ack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS};

use crate::support::message::publish;
use crate::support::{Client, Server};

const BOTH: [ProtocolVersion; 2] = [ProtocolVersion::V311, ProtocolVersion::V5];

/// Keeps the session for a minute after the connection, and asks for the one of before.
fn lasts(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry = Some(60);
    }
}

/// A client whose session outlives its connection.
fn lasting(server: &Server, version: ProtocolVersion, client_id: &str) -> Client {
    Client::connect_with(server, version, client_id, lasts).0
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

/// A PUBLISH with this Packet Identifier.
fn numbered<'a>(topic: &'a str, payload: &'a str, qos: QoS, number: u16) -> Publish<'a> {
    Publish { qos, packet_id: PacketId::new(number), ..publish(topic, payload.as_bytes()) }
}

/// The next packet is this one.
fn expect(client: &mut Client, packet: &Packet<'_>) {
    client.next(|next| assert_eq!(next, packet));
}

fn puback(client: &mut Client, packet_id: Option<PacketId>) {
    client.send(&Packet::Puback(Ack::new(packet_id.unwrap())));
}

/// Answers a QoS 2 message up to PUBREL.
fn pubrec(client: &mut Client, packet_id: PacketId) {
    client.send(&Packet::Pubrec(Ack::new(packet_id)));
    expect(client, &Packet::Pubrel(Ack::new(packet_id)));
}
