//! The fixed header (2.1): packet type, flags, Remaining Length.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{MalformedPacket, PacketTooLarge, ProtocolError};

use super::{ALL, Case, End, Row, State, V3, V5, V31, V311, after_connack, check, instead_of_connect, packet, refused};

use End::{Accepted, Close, Connack, Disconnect, Ignored, Lives};

/// Every first byte there is, in front of contents that are right for its packet type.
///
/// [MQTT-2.1.3-1] [MQTT-3.1.0-2] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1]
/// [MQTT-3.15.1-1] [v3.1.1 MQTT-2.2.2-1] [v3.1.1 MQTT-2.2.2-2] [v3.1.1 MQTT-3.1.0-2] [v3.1.1 MQTT-3.3.1-2]
/// [v3.1.1 MQTT-3.3.1-4] [v3.1.1 MQTT-3.6.1-1] [v3.1.1 MQTT-3.8.1-1] [v3.1.1 MQTT-3.10.1-1] [v3.1.1 MQTT-3.14.1-1]
#[test]
fn mqtt_4_13_1_1_wrong_packet_types_and_flags_end_the_connection() {
    let case = |version, first| Case {
        what: format!("first byte 0x{first:02x}"),
        version,
        state: State::Connected,
        bytes: packet(first, &contents(version, first)),
        end: end_of(version, first),
        shows: "MQTT-2.1.3-1, v3.1.1 MQTT-2.2.2-2",
    };
    let cases: Vec<Case> =
        ALL.iter().flat_map(|&version| (0..=u8::MAX).map(move |first| case(version, first))).collect();
    check(&cases);
}

/// Whatever comes first and does not begin as a CONNECT is closed without an answer.
///
/// [v3.1.1 MQTT-3.1.0-1]
#[test]
fn mqtt_3_1_0_1_the_first_packet_is_connect() {
    let case = |first| Case {
        what: format!("first byte 0x{first:02x} instead of CONNECT"),
        version: ProtocolVersion::V311,
        state: State::BeforeConnect,
        bytes: packet(first, &contents(ProtocolVersion::V311, first)),
        end: if first == 0x10 { Accepted } else { Close },
        shows: "MQTT-3.1.0-1, v3.1.1 MQTT-3.1.0-1",
    };
    let cases: Vec<Case> = (0..=u8::MAX).map(case).collect();
    check(&cases);
}

/// Written from table 2-1 (who sends what) and table 2-2 (the flags).
fn end_of(version: ProtocolVersion, first: u8) -> End {
    let (kind, flags) = (first >> 4, first & 0x0F);
    let (dup, qos) = (flags & 8 != 0, (flags >> 1) & 3);
    let right = match kind {
        3 => qos < 3 && (!dup || qos > 0 || version == ProtocolVersion::V31),
        6 | 8 | 10 => flags == 2 || version == ProtocolVersion::V31,
        _ => flags == 0 || version == ProtocolVersion::V31,
    };
    match kind {
        0 => refused(version, MalformedPacket),
        15 if !version.is_v5() => Close,
        _ if !right => refused(version, MalformedPacket),
        // A second CONNECT, what only Servers send, and AUTH without an Authentication Method in CONNECT.
        1 | 2 | 9 | 11 | 13 | 15 => refused(version, ProtocolError),
        14 => Close,
        _ => Lives,
    }
}

/// What follows the Remaining Length of a legal packet with this first byte.
fn contents(version: ProtocolVersion, first: u8) -> Vec<u8> {
    let none: &[u8] = if version.is_v5() { &[0] } else { &[] };
    let parts: &[&[u8]] = match first >> 4 {
        1 => &[b"\0\x04MQTT\x04\x02\0\0\0\x02fh"],
        2 => &[&[0, 0], none],
        3 if first & 0b0110 == 0 => &[b"\0\x01a", none],
        3 => &[b"\0\x01a\0\x01", none],
        4..=7 => &[&[0, 9]],
        8 => &[&[0, 1], none, b"\0\x01a\0"],
        9 => &[&[0, 1], none, &[0]],
        10 => &[&[0, 1], none, b"\0\x01a"],
        11 => &[&[0, 1], none, none],
        15 => &[b"\x18\x04\x15\0\x01m"],
        _ => &[],
    };
    parts.concat()
}

/// [MQTT-1.5.5-1] [MQTT-3.2.2-15]
#[test]
fn mqtt_1_5_5_1_the_remaining_length_is_minimal_and_has_four_bytes_at_most() {
    let mut cases = lengths(State::Connected, AFTER_CONNACK);
    cases.extend(lengths(State::BeforeConnect, INSTEAD_OF_CONNECT));
    check(&cases);
}

/// The bytes are the whole packet here, Remaining Length included.
type Length = (super::Versions, &'static str, &'static [u8], End, &'static str);

const AFTER_CONNACK: &[Length] = &[
    (V5, "PINGREQ, length in two bytes", b"\xC0\x80\0", Disconnect(MalformedPacket), "MQTT-1.5.5-1"),
    (V5, "PINGREQ, length in three bytes", b"\xC0\x80\x80\0", Disconnect(MalformedPacket), "MQTT-1.5.5-1"),
    (V5, "PINGREQ, length in four bytes", b"\xC0\x80\x80\x80\0", Disconnect(MalformedPacket), "MQTT-1.5.5-1"),
    (V5, "PUBLISH, length in two bytes", b"\x30\x84\0\0\x01a\0", Disconnect(MalformedPacket), "MQTT-1.5.5-1"),
    (V3, "PINGREQ, length in two bytes", b"\xC0\x80\0", Lives, "2.2.3"),
    (V3, "PUBLISH, length in four bytes", b"\x30\x83\x80\x80\0\0\x01a", Ignored, "2.2.3"),
    (V5, "a length of five bytes", b"\x30\x80\x80\x80\x80\x01", Disconnect(MalformedPacket), "1.5.5"),
    (V3, "a length of five bytes", b"\x30\x80\x80\x80\x80\x01", Close, "2.2.3"),
    (V5, "an endless length", b"\x30\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Disconnect(MalformedPacket), "1.5.5"),
    (V3, "an endless length", b"\x30\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Close, "2.2.3"),
    (V5, "a length of 268,435,455", b"\x30\xFF\xFF\xFF\x7F", Disconnect(PacketTooLarge), "MQTT-3.2.2-15"),
    (V3, "a length of 268,435,455", b"\x30\xFF\xFF\xFF\x7F", Close, "v3.1.1 MQTT-4.8.0-1"),
    // The limit is told in CONNACK and counts whole packets: with the four bytes of the fixed header one too many.
    (V5, "one byte more than Maximum Packet Size", b"\x30\xFD\xFF\x3F", Disconnect(PacketTooLarge), "MQTT-3.2.2-15"),
];

const INSTEAD_OF_CONNECT: &[Length] = &[
    (V3, "CONNECT, length in two bytes", b"\x10\x8F\0\0\x04MQTT\x04\x02\0\0\0\x03len", Accepted, "2.2.3"),
    (
        V5,
        "CONNECT, length in two bytes",
        b"\x10\x90\0\0\x04MQTT\x05\x02\0\0\0\0\x03len",
        Connack(MalformedPacket),
        "MQTT-1.5.5-1",
    ),
    (V3, "CONNECT with a length of five bytes", b"\x10\xFF\xFF\xFF\xFF\xFF", Close, "2.2.3"),
    (V3, "CONNECT of 268,435,455 bytes", b"\x10\xFF\xFF\xFF\x7F", Close, "3.1"),
    (V3, "HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Close, "MQTT-3.1.0-1"),
    (V3, "TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03", Close, "MQTT-3.1.0-1"),
    (V3, "zeros", &[0; 64], Close, "MQTT-3.1.0-1"),
];

fn lengths(state: State, rows: &[Length]) -> Vec<Case> {
    let of_row = |&(versions, what, bytes, end, shows): &Length| {
        versions.iter().map(move |&version| Case { what: what.into(), version, state, bytes: bytes.into(), end, shows })
    };
    rows.iter().flat_map(of_row).collect()
}

/// PINGREQ has neither variable header nor payload; PINGRESP, CONNACK, SUBACK and UNSUBACK are for Servers.
#[test]
fn mqtt_2_1_3_1_ping_is_empty_and_servers_words_are_for_servers() {
    let mut cases = after_connack(ROWS);
    cases.extend(instead_of_connect(FIRST));
    check(&cases);
}

const ROWS: &[Row] = &[
    (ALL, "PINGREQ", 0xC0, b"", Lives, "3.12"),
    (V5, "PINGREQ with a byte", 0xC0, b"\0", Disconnect(MalformedPacket), "3.12"),
    (V3, "PINGREQ with a byte", 0xC0, b"\0", Close, "3.12"),
    (V311, "PINGREQ with flags", 0xC1, b"", Close, "v3.1.1 MQTT-2.2.2-2"),
    (V31, "PINGREQ with flags", 0xC1, b"", Lives, "3.12"),
    (V5, "PINGREQ with flags", 0xC1, b"", Disconnect(MalformedPacket), "MQTT-2.1.3-1"),
    (V5, "CONNACK without contents", 0x20, b"", Disconnect(ProtocolError), "2.1.2"),
    (V5, "SUBACK with nonsense", 0x90, b"\xFF", Disconnect(ProtocolError), "2.1.2"),
    (V5, "UNSUBACK", 0xB0, b"\0\x01\0\0", Disconnect(ProtocolError), "2.1.2"),
    (V5, "PINGRESP", 0xD0, b"", Disconnect(ProtocolError), "2.1.2"),
    (V3, "CONNACK", 0x20, b"\0\0", Close, "2.2.1"),
    (V3, "SUBACK", 0x90, b"\0\x01\0", Close, "2.2.1"),
    (V3, "UNSUBACK", 0xB0, b"\0\x01", Close, "2.2.1"),
    (V3, "PINGRESP", 0xD0, b"", Close, "2.2.1"),
];

const FIRST: &[Row] = &[
    (V3, "PINGREQ", 0xC0, b"", Close, "MQTT-3.1.0-1, v3.1.1 MQTT-3.1.0-1"),
    (V5, "AUTH", 0xF0, b"\x18\x04\x15\0\x01m", Close, "MQTT-3.1.0-1"),
    (V5, "DISCONNECT", 0xE0, b"", Close, "MQTT-3.1.0-1"),
];
