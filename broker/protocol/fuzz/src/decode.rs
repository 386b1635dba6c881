//! Decoding is total: whatever bytes a connection carries, each call gives a packet that takes bytes off the front, asks
//! for more than it was shown, or refuses them in words.

use midge_protocol::{Decoded, Decoder, ProtocolVersion};

pub(crate) fn run(bytes: &[u8]) {
    read_all(Decoder::server(u32::MAX), bytes);
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
        read_all(server(version), bytes);
        read_all(Decoder::client(version, u32::MAX), bytes);
    }
}

fn read_all(mut decoder: Decoder, mut bytes: &[u8]) {
    loop {
        match decoder.decode(bytes) {
            Ok(Decoded::Packet { length, .. }) => {
                assert!(length >= 2, "progress");
                bytes = &bytes[length..];
            }
            Ok(Decoded::Incomplete { needed }) => {
                assert!(needed > bytes.len(), "not incomplete");
                return;
            }
            Err(malformed) => {
                assert!(malformed.reason_code().is_error());
                assert!(!malformed.to_string().is_empty());
                return;
            }
        }
    }
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
