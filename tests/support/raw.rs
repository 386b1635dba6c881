//! Packets by hand, for those that no encoder writes.

use midge_protocol::ProtocolVersion;

/// A packet: its first byte, its Remaining Length, and its contents, which are short.
pub(crate) fn packet(first_byte: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    assert!(contents.len() < 0x80, "a Remaining Length of one byte");
    [&[first_byte, contents.len() as u8][..], &contents].concat()
}

/// A CONNECT with these Connect Flags and this payload, without Keep Alive and properties.
pub(crate) fn connect(version: ProtocolVersion, flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    let (name, level) = match version {
        ProtocolVersion::V31 => ("MQIsdp", 3),
        ProtocolVersion::V311 => ("MQTT", 4),
        ProtocolVersion::V5 => ("MQTT", 5),
    };
    packet(0x10, &[&string(name), &[level, flags, 0, 0], none(version), &payload.concat()])
}

/// A string or binary data: its length, and its bytes.
pub(crate) fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// No properties, as this version says it.
pub(crate) fn none(version: ProtocolVersion) -> &'static [u8] {
    if version.is_v5() { &[0] } else { &[] }
}
