//! What was decoded is the same after it is encoded and decoded again.

use midge_protocol::{Decoded, Decoder, ProtocolVersion};

pub(crate) fn run(bytes: &[u8]) {
    // A Server's decoder reads CONNECT first, a client's everything else, so the two see every kind of packet.
    round_trip(Decoder::server(u32::MAX), bytes);
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
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
