//! What was decoded is the same after it is encoded and decoded again.

use midge_protocol::{Decoded, Decoder, ProtocolVersion};

pub(crate) fn run(bytes: &[u8]) {
    // Before CONNECT, behind it and on the other side: together they see every kind of packet.
    round_trip(Decoder::server(u32::MAX), bytes);
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
        round_trip(server(version), bytes);
        round_trip(Decoder::client(version, u32::MAX), bytes);
    }
}

fn round_trip(mut decoder: Decoder, bytes: &[u8]) {
    let before = decoder.clone();
    let Ok(Decoded::Packet { packet, .. }) = decoder.decode(bytes) else {
        return;
    };
    let version = decoder.version().expect("a packet was decoded");
    let mut again = Vec::new();
    packet.encode(version, &mut again).expect("what was decoded fits");
    let length = again.len();
    assert_eq!(before.clone().decode(&again), Ok(Decoded::Packet { packet, length }));
}

/// A Server's decoder behind a CONNECT of this version.
fn server(version: ProtocolVersion) -> Decoder {
    let connect: &[u8] = match version {
        ProtocolVersion::V31 => b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a",
        ProtocolVersion::V311 => b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
        ProtocolVersion::V5 => b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00",
    };
    let mut decoder = Decoder::server(u32::MAX);
    assert!(decoder.decode(connect).is_ok());
    decoder
}
