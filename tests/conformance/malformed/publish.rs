//! PUBLISH (3.3).

use midge_protocol::ReasonCode::{
    MalformedPacket, ProtocolError, QosNotSupported, RetainNotSupported, TopicAliasInvalid,
};

use super::{ALL, Case, End, Row, State, V3, V5, V31, V311, after_connack, check, check_with, instead_of_connect};

use End::{Answered, Close, Connack, Disconnect, Ignored, Lives, Said};

/// [MQTT-2.2.1-3] [MQTT-3.3.1-2] [MQTT-3.3.2-1] [MQTT-3.3.2-2] [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.4-6] [MQTT-4.7.0-1]
/// [MQTT-4.7.3-1] [v3.1.1 MQTT-2.3.1-1] [v3.1.1 MQTT-3.3.1-2] [v3.1.1 MQTT-3.3.1-4] [v3.1.1 MQTT-3.3.2-2]
/// [v3.1.1 MQTT-4.7.1-1] [v3.1.1 MQTT-4.7.3-1] [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_3_3_1_4_bad_publish_ends_the_connection() {
    let mut cases = after_connack(FLAGS);
    cases.extend(after_connack(TOPICS));
    cases.extend(after_connack(PROPERTIES));
    cases.extend(ALIASES.iter().map(|&(what, bytes, end, shows)| Case {
        what: what.into(),
        version: V5[0],
        state: State::Connected,
        bytes: bytes.into(),
        end,
        shows,
    }));
    check(&cases);
}

const FLAGS: &[Row] = &[
    (V3, "QoS 0", 0x30, b"\0\x01a", Ignored, "3.3"),
    (V5, "QoS 0", 0x30, b"\0\x01a\0", Ignored, "3.3"),
    (V3, "QoS 3", 0x36, b"\0\x01a\0\x01", Close, "v3.1.1 MQTT-3.3.1-4"),
    (V5, "QoS 3", 0x36, b"\0\x01a\0\x01\0", Disconnect(MalformedPacket), "MQTT-3.3.1-4"),
    (V3, "QoS 3 with every flag", 0x3F, b"\0\x01a\0\x01", Close, "v3.1.1 MQTT-3.3.1-4"),
    (V5, "QoS 3 with every flag", 0x3F, b"\0\x01a\0\x01\0", Disconnect(MalformedPacket), "MQTT-3.3.1-4"),
    (V31, "DUP with QoS 0", 0x38, b"\0\x01a", Ignored, "3.3"),
    (V311, "DUP with QoS 0", 0x38, b"\0\x01a", Close, "v3.1.1 MQTT-3.3.1-2"),
    (V5, "DUP with QoS 0", 0x38, b"\0\x01a\0", Disconnect(MalformedPacket), "MQTT-3.3.1-2"),
    (V3, "packet id 0, QoS 1", 0x32, b"\0\x01a\0\0", Close, "v3.1.1 MQTT-2.3.1-1"),
    (V3, "packet id 0, QoS 2", 0x34, b"\0\x01a\0\0", Close, "v3.1.1 MQTT-2.3.1-1"),
    (V5, "packet id 0, QoS 1", 0x32, b"\0\x01a\0\0\0", Disconnect(ProtocolError), "MQTT-2.2.1-3"),
    (V5, "packet id 0, QoS 2", 0x34, b"\0\x01a\0\0\0", Disconnect(ProtocolError), "MQTT-2.2.1-3"),
    (V3, "packet id 65,535", 0x32, b"\0\x01a\xFF\xFF", Answered(b"\x40\x02\xFF\xFF"), "v3.1.1 MQTT-2.3.1-1"),
];

const TOPICS: &[Row] = &[
    (V3, "no contents", 0x30, b"", Close, "3.3.2"),
    (V5, "no contents", 0x30, b"", Disconnect(MalformedPacket), "MQTT-3.3.2-1"),
    (V3, "a topic longer than the packet", 0x30, b"\0\x09a", Close, "3.3.2"),
    (V5, "a topic longer than the packet", 0x30, b"\0\x09a\0", Disconnect(MalformedPacket), "MQTT-3.3.2-1"),
    (V3, "an empty topic", 0x30, b"\0\0", Close, "v3.1.1 MQTT-4.7.3-1"),
    (V5, "an empty topic and no alias", 0x30, b"\0\0\0", Disconnect(ProtocolError), "MQTT-4.7.3-1, 3.3.2.1"),
    (V5, "an empty topic with QoS 1", 0x32, b"\0\0\0\x01\0", Disconnect(ProtocolError), "MQTT-4.7.3-1"),
    (V3, "topic #", 0x30, b"\0\x01#", Close, "v3.1.1 MQTT-3.3.2-2, v3.1.1 MQTT-4.7.1-1"),
    (V5, "topic #", 0x30, b"\0\x01#\0", Disconnect(MalformedPacket), "MQTT-3.3.2-2, MQTT-4.7.0-1"),
    (V3, "topic +", 0x30, b"\0\x01+", Close, "v3.1.1 MQTT-3.3.2-2"),
    (V5, "topic +", 0x30, b"\0\x01+\0", Disconnect(MalformedPacket), "MQTT-3.3.2-2"),
    (V3, "topic a/#", 0x30, b"\0\x03a/#", Close, "v3.1.1 MQTT-3.3.2-2"),
    (V5, "topic a/#", 0x30, b"\0\x03a/#\0", Disconnect(MalformedPacket), "MQTT-3.3.2-2"),
    (V3, "topic a+b", 0x30, b"\0\x03a+b", Close, "v3.1.1 MQTT-3.3.2-2"),
    (V5, "topic a+b", 0x30, b"\0\x03a+b\0", Disconnect(MalformedPacket), "MQTT-3.3.2-2"),
    (V5, "a wildcard with QoS 1", 0x32, b"\0\x03a/+\0\x01\0", Disconnect(MalformedPacket), "MQTT-3.3.2-2"),
    (V3, "topic / and //, which are topics", 0x30, b"\0\x02//", Ignored, "v3.1.1 MQTT-4.7.3-1"),
    (V5, "topic / and //, which are topics", 0x30, b"\0\x02//\0", Ignored, "MQTT-4.7.3-1"),
    (V3, "a topic of spaces", 0x30, b"\0\x02  ", Ignored, "4.7.3"),
];

const PROPERTIES: &[Row] = &[
    (V5, "no property length", 0x30, b"\0\x01a", Disconnect(MalformedPacket), "MQTT-2.2.2-1"),
    (V5, "properties longer than the packet", 0x30, b"\0\x01a\x05\x01\0", Disconnect(MalformedPacket), "2.2.2"),
    (V5, "a subscription identifier", 0x30, b"\0\x01a\x02\x0B\x01", Disconnect(ProtocolError), "MQTT-3.3.4-6"),
    (V5, "topic alias 0", 0x30, b"\0\x01a\x03\x23\0\0", Disconnect(TopicAliasInvalid), "MQTT-3.3.2-8"),
    (V5, "topic alias 65 of 64", 0x30, b"\0\x01a\x03\x23\0\x41", Disconnect(TopicAliasInvalid), "MQTT-3.3.2-9"),
    (V5, "topic alias 64 of 64", 0x30, b"\0\x01a\x03\x23\0\x40", Ignored, "MQTT-3.3.2-12"),
    (V5, "an alias that was not defined", 0x30, b"\0\0\x03\x23\0\x07", Disconnect(ProtocolError), "3.3.2.3.4"),
    (V5, "a payload that only claims to be UTF-8", 0x30, b"\0\x01a\x02\x01\x01\xFF", Ignored, "3.3.2.3.2"),
    // To version 3 they are payload.
    (V3, "properties", 0x30, b"\0\x01a\x05\x01\0", Ignored, "3.3"),
    (ALL, "an empty payload to retain", 0x31, b"\0\x01a\0", Lives, "3.3.1.3"),
];

/// Several packets at once.
const ALIASES: &[(&str, &[u8], End, &str)] = &[
    ("an alias that was defined", b"\x30\x07\0\x01a\x03\x23\0\x01\x30\x06\0\0\x03\x23\0\x01", Ignored, "3.3.2.3.4"),
    (
        "another alias than was defined",
        b"\x30\x07\0\x01a\x03\x23\0\x01\x30\x06\0\0\x03\x23\0\x02",
        Disconnect(ProtocolError),
        "3.3.2.3.4",
    ),
    (
        "an alias that was to be defined for a wildcard",
        b"\x30\x07\0\x01#\x03\x23\0\x01\x30\x06\0\0\x03\x23\0\x01",
        Disconnect(MalformedPacket),
        "MQTT-3.3.2-2",
    ),
];

/// What only a configuration forbids, and CONNACK has told to version 5.
///
/// [MQTT-3.2.2-10] [MQTT-3.2.2-12] [MQTT-3.2.2-13] [MQTT-3.2.2-14] [MQTT-3.2.2-18] [MQTT-3.3.4-7]
#[test]
fn mqtt_3_2_2_11_what_connack_has_ruled_out_ends_the_connection() {
    let config = "[limits]\nmaximum_qos = 0\nretain_available = false\ntopic_alias_maximum = 0";
    let mut cases = after_connack(RULED_OUT);
    cases.extend(instead_of_connect(WILLS_RULED_OUT));
    check_with(config, &cases);
    // The first message is taken; for the second there is no room.
    check_with(
        "[limits]\nreceive_maximum = 1",
        &[Case {
            what: "a second message above Receive Maximum".into(),
            version: V5[0],
            state: State::Connected,
            bytes: b"\x34\x06\0\x01a\0\x01\0\x34\x06\0\x01a\0\x02\0".into(),
            end: Said(b"\x50\x03\0\x01\x10\xE0\x01\x93"),
            shows: "MQTT-3.3.4-7",
        }],
    );
}

const RULED_OUT: &[Row] = &[
    (V5, "QoS 1", 0x32, b"\0\x01a\0\x01\0", Disconnect(QosNotSupported), "MQTT-3.2.2-11"),
    (V5, "QoS 2", 0x34, b"\0\x01a\0\x01\0", Disconnect(QosNotSupported), "MQTT-3.2.2-11"),
    (V3, "QoS 1", 0x32, b"\0\x01a\0\x01", Close, "3.3"),
    (V5, "RETAIN", 0x31, b"\0\x01a\0", Disconnect(RetainNotSupported), "MQTT-3.2.2-14"),
    (V3, "RETAIN", 0x31, b"\0\x01a", Close, "3.3"),
    (V5, "a topic alias", 0x30, b"\0\x01a\x03\x23\0\x01", Disconnect(TopicAliasInvalid), "MQTT-3.2.2-18"),
    (ALL, "QoS 0", 0x30, b"\0\x01a\0", Ignored, "3.3"),
    // Not to "a", where the row before publishes at the same time.
    (V5, "a subscription with QoS 2", 0x82, b"\0\x01\0\0\x01s\x02", Answered(b"\x90\x04\0\x01\0\0"), "MQTT-3.2.2-10"),
];

const WILLS_RULED_OUT: &[Row] = &[
    (
        V5,
        "a will with QoS 1",
        0x10,
        b"\0\x04MQTT\x05\x0E\0\0\0\0\x01w\0\0\x01t\0\0",
        Connack(QosNotSupported),
        "MQTT-3.2.2-12",
    ),
    (
        V5,
        "a will to retain",
        0x10,
        b"\0\x04MQTT\x05\x26\0\0\0\0\x01w\0\0\x01t\0\0",
        Connack(RetainNotSupported),
        "MQTT-3.2.2-13",
    ),
    (V311, "a will with QoS 1", 0x10, b"\0\x04MQTT\x04\x0E\0\0\0\x01w\0\x01t\0\0", Close, "3.1.2.6"),
    (V311, "a will to retain", 0x10, b"\0\x04MQTT\x04\x26\0\0\0\x01w\0\x01t\0\0", Close, "3.1.2.7"),
];
