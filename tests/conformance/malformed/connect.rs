//! CONNECT (3.1). Its properties, strings and lengths are in files of their own.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{
    ClientIdentifierNotValid, MalformedPacket, ProtocolError, TopicNameInvalid, UnsupportedProtocolVersion,
};

use super::{
    ALL, Case, End, Row, State, V3, V5, V31, V311, after_connack, check, instead_of_connect, packet, string,
    turned_away,
};

use End::{Accepted, Close, Connack, Disconnect, Said};

/// All 256 Connect Flags, in front of the fields they promise.
///
/// [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [v3.1.1 MQTT-3.1.2-3] [v3.1.1 MQTT-3.1.2-11] [v3.1.1 MQTT-3.1.2-13]
/// [v3.1.1 MQTT-3.1.2-14] [v3.1.1 MQTT-3.1.2-15] [v3.1.1 MQTT-3.1.2-22]
#[test]
fn mqtt_3_1_2_3_connect_flags_that_contradict_each_other_are_refused() {
    let case = |version, flags| Case {
        what: format!("flags 0b{flags:08b}"),
        version,
        state: State::BeforeConnect,
        bytes: packet(0x10, &with_flags(version, flags)),
        end: end_of_flags(version, flags),
        shows: "MQTT-3.1.2-3, MQTT-3.1.2-11, MQTT-3.1.2-12, MQTT-3.1.2-13, v3.1.1 MQTT-3.1.2-22",
    };
    let cases: Vec<Case> =
        ALL.iter().flat_map(|&version| (0..=u8::MAX).map(move |flags| case(version, flags))).collect();
    check(&cases);
}

fn end_of_flags(version: ProtocolVersion, flags: u8) -> End {
    let is_set = |bit: u8| flags & bit != 0;
    let (reserved, will, will_retain, password, username) = (is_set(1), is_set(4), is_set(32), is_set(64), is_set(128));
    let will_qos = (flags >> 3) & 3;
    let is_wrong = match version {
        // Unused bits, and bits of a Will that is not there, mean nothing.
        ProtocolVersion::V31 => (will && will_qos == 3) || (password && !username),
        _ if reserved || will_qos == 3 || (!will && (will_qos > 0 || will_retain)) => true,
        ProtocolVersion::V311 => password && !username,
        ProtocolVersion::V5 => false,
    };
    if is_wrong { turned_away(version, MalformedPacket) } else { Accepted }
}

fn with_flags(version: ProtocolVersion, flags: u8) -> Vec<u8> {
    let none: &[u8] = if version.is_v5() { &[0] } else { &[] };
    let start: &[u8] = match version {
        ProtocolVersion::V31 => b"\0\x06MQIsdp\x03",
        ProtocolVersion::V311 => b"\0\x04MQTT\x04",
        ProtocolVersion::V5 => b"\0\x04MQTT\x05",
    };
    let mut contents = [start, &[flags, 0, 0], none, b"\0\x05flags"].concat();
    if flags & 4 != 0 {
        contents.extend_from_slice(&[none, b"\0\x01t\0\x01p"].concat());
    }
    for bit in [128, 64] {
        if flags & bit != 0 {
            contents.extend_from_slice(b"\0\x01x");
        }
    }
    contents
}

/// Fields without their flag, and flags without their field.
///
/// [MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [v3.1.1 MQTT-3.1.2-18] [v3.1.1 MQTT-3.1.2-19]
/// [v3.1.1 MQTT-3.1.2-20] [v3.1.1 MQTT-3.1.2-21]
#[test]
fn mqtt_3_1_2_16_the_fields_of_connect_are_those_of_its_flags() {
    // Behind a Client Identifier of one byte.
    let fields: [(&str, u8, &[u8], &str); 7] = [
        ("a user name and no flag", 0x02, b"\0\x01u", "MQTT-3.1.2-16, v3.1.1 MQTT-3.1.2-18"),
        ("a user name flag and no field", 0x82, b"", "MQTT-3.1.2-17, v3.1.1 MQTT-3.1.2-19"),
        ("a password and no flag", 0x82, b"\0\x01u\0\x01p", "MQTT-3.1.2-18, v3.1.1 MQTT-3.1.2-20"),
        ("a password flag and no field", 0xC2, b"\0\x01u", "MQTT-3.1.2-19, v3.1.1 MQTT-3.1.2-21"),
        ("a will flag and no field", 0x06, b"", "MQTT-3.1.2-9"),
        ("a will without a message", 0x06, b"\0\0\x01t", "MQTT-3.1.2-9"),
        ("a will and no flag", 0x02, b"\0\x01t\0\x01p", "MQTT-3.1.3-1, v3.1.1 MQTT-3.1.3-1"),
    ];
    let mut cases = Vec::new();
    for (what, flags, behind, shows) in fields {
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            let start: &[u8] = if version.is_v5() { b"\0\x04MQTT\x05" } else { b"\0\x04MQTT\x04" };
            let none: &[u8] = if version.is_v5() { &[0] } else { &[] };
            cases.push(Case {
                what: what.into(),
                version,
                state: State::BeforeConnect,
                bytes: packet(0x10, &[start, &[flags, 0, 0], none, b"\0\x01f", behind].concat()),
                end: turned_away(version, MalformedPacket),
                shows,
            });
        }
    }
    check(&cases);
}

/// All 256 levels behind both names.
///
/// [MQTT-3.1.2-1] [v3.1.1 MQTT-3.1.2-2]
#[test]
fn mqtt_3_1_2_2_an_unknown_protocol_level_is_told_so() {
    let case = |name: &'static [u8], level: u8| {
        let is_v5 = name == b"MQTT" && level & 0x7F == 5;
        let none: &[u8] = if is_v5 { &[0] } else { &[] };
        let end = match (name, level & 0x7F) {
            (b"MQTT", 4 | 5) | (b"MQIsdp", 3) => Accepted,
            _ if level < 5 => Said(b"\x20\x02\0\x01"),
            _ => Connack(UnsupportedProtocolVersion),
        };
        Case {
            what: format!("{} level 0x{level:02x}", name.escape_ascii()),
            version: ProtocolVersion::V311,
            state: State::BeforeConnect,
            bytes: packet(0x10, &[&string(name)[..], &[level, 2, 0, 0], none, b"\0\x05level"].concat()),
            end,
            shows: "MQTT-3.1.2-2, v3.1.1 MQTT-3.1.2-2",
        }
    };
    let names: [&[u8]; 2] = [b"MQTT", b"MQIsdp"];
    let cases: Vec<Case> =
        names.into_iter().flat_map(|name| (0..=u8::MAX).map(move |level| case(name, level))).collect();
    check(&cases);
}

/// [v3.1.1 MQTT-3.1.2-1]
#[test]
fn mqtt_3_1_2_1_another_protocol_name_is_closed_without_an_answer() {
    let names: [&[u8]; 14] = [
        b"",
        b"M",
        b"MQT",
        b"MQTTX",
        b"mqtt",
        b"Mqtt",
        b"MQTT\0",
        b" MQTT",
        b"XMQTT",
        b"MQIsd",
        b"MQIsdpX",
        b"mqisdp",
        b"MQTS",
        b"\xFF\xFE\xFD\xFC",
    ];
    let mut cases = Vec::new();
    for name in names {
        for level in 3..=5 {
            let none: &[u8] = if level == 5 { &[0] } else { &[] };
            cases.push(Case {
                what: format!("protocol name {}", name.escape_ascii()),
                version: ProtocolVersion::V311,
                state: State::BeforeConnect,
                bytes: packet(0x10, &[&string(name)[..], &[level, 2, 0, 0], none, b"\0\x04name"].concat()),
                end: Close,
                shows: "MQTT-3.1.2-1, v3.1.1 MQTT-3.1.2-1",
            });
        }
    }
    check(&cases);
}

/// [MQTT-3.1.0-2] [MQTT-4.7.0-1] [v3.1.1 MQTT-3.1.0-2] [v3.1.1 MQTT-3.1.3-7] [v3.1.1 MQTT-3.1.3-8]
/// [v3.1.1 MQTT-3.1.4-1]
#[test]
fn mqtt_3_1_4_1_bad_connect_is_refused() {
    let mut cases = instead_of_connect(CLIENT_IDS);
    cases.extend(instead_of_connect(WILLS));
    cases.extend(after_connack(SECOND));
    check(&cases);
}

const CLIENT_IDS: &[Row] = &[
    (V31, "no client id", 0x10, b"\0\x06MQIsdp\x03\x02\0\0\0\0", Said(b"\x20\x02\0\x02"), "3.1"),
    (V311, "no client id", 0x10, b"\0\x04MQTT\x04\x02\0\0\0\0", Accepted, "v3.1.1 MQTT-3.1.3-7"),
    (
        V311,
        "no client id and no clean session",
        0x10,
        b"\0\x04MQTT\x04\0\0\0\0\0",
        Said(b"\x20\x02\0\x02"),
        "v3.1.1 MQTT-3.1.3-8",
    ),
    (V5, "no client id", 0x10, b"\0\x04MQTT\x05\x02\0\0\0\0\0", Accepted, "MQTT-3.1.3-6"),
    (V5, "no client id and no clean start", 0x10, b"\0\x04MQTT\x05\0\0\0\0\0\0", Accepted, "MQTT-3.1.3-6"),
    (V311, "properties", 0x10, b"\0\x04MQTT\x04\x02\0\0\0\0\x01c", Close, "v3.1.1 MQTT-3.1.4-1"),
];

const WILLS: &[Row] = &[
    (V311, "a will topic of nothing", 0x10, b"\0\x04MQTT\x04\x06\0\0\0\x01w\0\0\0\0", Close, "v3.1.1 MQTT-4.7.3-1"),
    (
        V5,
        "a will topic of nothing",
        0x10,
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01w\0\0\0\0\0",
        Connack(ProtocolError),
        "MQTT-4.7.3-1",
    ),
    (V311, "a will topic with #", 0x10, b"\0\x04MQTT\x04\x06\0\0\0\x01w\0\x01#\0\0", Close, "v3.1.1 MQTT-4.7.1-1"),
    (
        V5,
        "a will topic with #",
        0x10,
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01w\0\0\x01#\0\0",
        Connack(MalformedPacket),
        "MQTT-4.7.0-1",
    ),
    (
        V5,
        "a will topic with +",
        0x10,
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01w\0\0\x03a/+\0\0",
        Connack(MalformedPacket),
        "MQTT-4.7.0-1",
    ),
    (
        V5,
        "a will topic of the broker",
        0x10,
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01w\0\0\x02$a\0\0",
        Connack(TopicNameInvalid),
        "4.7.2",
    ),
    (V5, "a will of any bytes", 0x10, b"\0\x04MQTT\x05\x06\0\0\0\0\x01w\0\0\x01t\0\x03\0\xFF\xC0", Accepted, "3.1.3.4"),
    (V311, "a password of any bytes", 0x10, b"\0\x04MQTT\x04\xC2\0\0\0\x01w\0\x01u\0\x02\0\xFF", Accepted, "3.1.3.5"),
];

const SECOND: &[Row] = &[
    (V3, "a second CONNECT", 0x10, b"\0\x04MQTT\x04\x02\0\0\0\x02s2", Close, "v3.1.1 MQTT-3.1.0-2"),
    (V5, "a second CONNECT", 0x10, b"\0\x04MQTT\x05\x02\0\0\0\0\x02s2", Disconnect(ProtocolError), "MQTT-3.1.0-2"),
];

/// The longest Client Identifier is 1,024 bytes, unless the configuration says otherwise.
///
/// [v3.1.1 MQTT-3.1.3-9]
#[test]
fn mqtt_3_1_3_8_a_client_identifier_that_is_too_long_is_refused() {
    let case = |version: ProtocolVersion, length: usize, end| {
        let start: &[u8] = if version.is_v5() { b"\0\x04MQTT\x05\x02\0\0\0" } else { b"\0\x04MQTT\x04\x02\0\0" };
        let what = format!("a client id of {length} bytes");
        let bytes = packet(0x10, &[start, &string(&vec![b'c'; length])].concat());
        Case { what, version, state: State::BeforeConnect, bytes, end, shows: "MQTT-3.1.3-8, v3.1.1 MQTT-3.1.3-9" }
    };
    let (refused_v5, refused_v3) = (Connack(ClientIdentifierNotValid), Said(b"\x20\x02\0\x02"));
    check(&[
        case(V5[0], 1024, Accepted),
        case(V5[0], 1025, refused_v5),
        case(V5[0], 65_535, refused_v5),
        case(V311[0], 1025, refused_v3),
        case(V311[0], 65_535, refused_v3),
    ]);
}
