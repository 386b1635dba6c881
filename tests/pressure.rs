//! More than somebody can take: slow clients, floods, too many clients, too little memory. Who is not to blame loses nothing.

// The allocator of other machines keeps some of it (`tests/bench/README.md`).
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bursts;
mod door;
mod flood;
mod memory;
mod stuck;

use std::collections::VecDeque;

use midge_protocol::{Ack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::{Client, Server, stream};

/// A client that is not going to read what it subscribes to, and whose operating system keeps next to nothing of it.
fn stuck<'a>(server: &Server, client_id: &'a str, adjust: impl FnOnce(&mut Connect<'a>)) -> Client {
    let mut client = Client::over(Box::new(stream::narrow(server.address())), ProtocolVersion::V5);
    client.say_hello(client_id, adjust);
    client
}

/// A session that stays for a while.
fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    connect.properties.session_expiry = Some(600);
}

/// Publishes so many numbered messages as fast as the broker takes them, so many unacknowledged at a time, each filled up to
/// so many bytes.
fn flood(client: &mut Client, topic: &str, qos: QoS, count: usize, bytes: usize) {
    let mut open = VecDeque::new();
    for number in 0..count {
        while open.len() >= WINDOW {
            complete(client, &mut open);
        }
        let packet_id = (qos > QoS::AtMostOnce).then(|| client.new_id());
        open.extend(packet_id);
        client.send(&Packet::Publish(Publish { qos, packet_id, ..publish(topic, &numbered(number, bytes)) }));
    }
    while !open.is_empty() {
        complete(client, &mut open);
    }
    client.ping();
}

/// Waits until the broker has the oldest of these for good.
fn complete(client: &mut Client, open: &mut VecDeque<PacketId>) {
    let packet_id = open.pop_front().unwrap();
    let is_received = client.next(|packet| match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) => {
            assert_eq!((ack.packet_id, ack.reason), (packet_id, ReasonCode::Success));
            matches!(packet, Packet::Pubrec(_))
        }
        Packet::Pubcomp(ack) => {
            assert_eq!(ack.packet_id, packet_id);
            false
        }
        other => panic!("{other:?} instead of an acknowledgement"),
    });
    if is_received {
        client.send(&Packet::Pubrel(Ack::new(packet_id)));
        open.push_back(packet_id);
    }
}

fn numbered(number: usize, bytes: usize) -> Vec<u8> {
    let mut payload = number.to_string().into_bytes();
    payload.resize(bytes.max(payload.len()), b' ');
    payload
}

/// The number of a message of a [`flood`].
fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().trim_end().parse().unwrap()
}

/// What was dropped for a client, as the metrics tell.
fn dropped(server: &Server, client_id: &str, reason: &str) -> usize {
    server.metric("midge_client_messages_dropped_total", &[("client_id", client_id), ("reason", reason)]) as usize
}

/// What was dropped for anybody.
fn dropped_in_all(server: &Server, reason: &str) -> usize {
    server.metric("midge_messages_dropped_total", &[("reason", reason)]) as usize
}

/// Bytes of memory that the broker uses.
fn resident(server: &Server) -> f64 {
    server.metric("process_resident_memory_bytes", &[])
}

const MIB: f64 = 1024.0 * 1024.0;
/// Messages of a flood that are not acknowledged.
const WINDOW: usize = 200;
