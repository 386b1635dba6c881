//! SUBSCRIBE (3.8), and Topic Filters (4.7, 4.8).

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};

use super::{ALL, Case, End, Row, State, V3, V5, V31, V311, after_connack, check, packet, refused, string};

use End::{Answered, Close, Disconnect, Lives};

/// [MQTT-2.2.1-3] [MQTT-3.8.1-1] [MQTT-3.8.3-2] [MQTT-3.8.3-4] [v3.1.1 MQTT-2.3.1-1] [v3.1.1 MQTT-3.8.1-1]
/// [v3.1.1 MQTT-3.8.3-3] [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_3_8_3_2_bad_subscribe_ends_the_connection() {
    check(&after_connack(ROWS));
}

const ROWS: &[Row] = &[
    (V3, "no contents", 0x82, b"", Close, "3.8.2"),
    (V5, "no contents", 0x82, b"", Disconnect(MalformedPacket), "3.8.2"),
    (V3, "no filter", 0x82, b"\0\x01", Close, "v3.1.1 MQTT-3.8.3-3"),
    (V5, "no filter", 0x82, b"\0\x01\0", Disconnect(ProtocolError), "MQTT-3.8.3-2"),
    (V5, "no property length", 0x82, b"\0\x01", Disconnect(MalformedPacket), "MQTT-2.2.2-1"),
    (V3, "packet id 0", 0x82, b"\0\0\0\x01a\0", Close, "v3.1.1 MQTT-2.3.1-1"),
    (V5, "packet id 0", 0x82, b"\0\0\0\0\x01a\0", Disconnect(ProtocolError), "MQTT-2.2.1-3"),
    (V311, "without its flags", 0x80, b"\0\x01\0\x01a\0", Close, "v3.1.1 MQTT-3.8.1-1"),
    (V31, "with DUP", 0x8A, b"\0\x01\0\x01a\0", Answered(b"\x90\x03\0\x01\0"), "3.8"),
    (V5, "without its flags", 0x80, b"\0\x01\0\0\x01a\0", Disconnect(MalformedPacket), "MQTT-3.8.1-1"),
    (V3, "a filter without options", 0x82, b"\0\x01\0\x01a", Close, "3.8.3"),
    (V5, "a filter without options", 0x82, b"\0\x01\0\0\x01a", Disconnect(MalformedPacket), "3.8.3"),
    (V3, "a second filter without options", 0x82, b"\0\x01\0\x01a\0\0\x01b", Close, "3.8.3"),
    (V5, "a second filter with QoS 3", 0x82, b"\0\x01\0\0\x01a\0\0\x01b\x03", Disconnect(ProtocolError), "3.8.3.1"),
    (V5, "a second filter that is none", 0x82, b"\0\x01\0\0\x01a\0\0\x02#a\0", Disconnect(MalformedPacket), "4.7.1"),
    (V3, "a filter longer than the packet", 0x82, b"\0\x01\0\x09a\0", Close, "3.8.3"),
    (V5, "a filter longer than the packet", 0x82, b"\0\x01\0\0\x09a\0", Disconnect(MalformedPacket), "3.8.3"),
    (V3, "properties", 0x82, b"\0\x01\x02\x0B\x01\0\x01a\0", Close, "3.8"),
    (V5, "subscription id 0", 0x82, b"\0\x01\x02\x0B\0\0\x01a\0", Disconnect(ProtocolError), "3.8.2.1.2"),
    (V5, "two subscription ids", 0x82, b"\0\x01\x04\x0B\x01\x0B\x02\0\x01a\0", Disconnect(ProtocolError), "3.8.2.1.2"),
    (V5, "no local", 0x82, b"\0\x01\0\0\x01a\x04", Answered(b"\x90\x04\0\x01\0\0"), "3.8.3.1"),
    (V5, "no local, shared", 0x82, b"\0\x01\0\0\x0A$share/g/a\x04", Disconnect(ProtocolError), "MQTT-3.8.3-4"),
];

/// All 256 bytes of Subscription Options, or of a Requested QoS.
///
/// [v3.1.1 MQTT-3.8.3-4]
#[test]
fn mqtt_3_8_3_5_reserved_subscription_options_are_malformed() {
    let case = |version: ProtocolVersion, options: u8| {
        let none: &[u8] = if version.is_v5() { &[0] } else { &[] };
        Case {
            what: format!("options 0x{options:02x}"),
            version,
            state: State::Connected,
            bytes: packet(0x82, &[&[0, 1], none, b"\0\x01a", &[options]].concat()),
            end: end_of(version, options),
            shows: "MQTT-3.8.3-5, v3.1.1 MQTT-3.8.3-4",
        }
    };
    let cases: Vec<Case> =
        ALL.iter().flat_map(|&version| (0..=u8::MAX).map(move |options| case(version, options))).collect();
    check(&cases);
}

fn end_of(version: ProtocolVersion, options: u8) -> End {
    let (qos, retain_handling) = (options & 3, (options >> 4) & 3);
    match version {
        ProtocolVersion::V5 if options & 0b1100_0000 != 0 => Disconnect(MalformedPacket),
        ProtocolVersion::V5 if qos == 3 || retain_handling == 3 => Disconnect(ProtocolError),
        ProtocolVersion::V311 if options & 0b1111_1100 != 0 || qos == 3 => Close,
        ProtocolVersion::V31 if qos == 3 => Close,
        _ => Lives,
    }
}

/// Filters that are none, in SUBSCRIBE and in UNSUBSCRIBE, and filters that are one although they look odd.
///
/// [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.8.2-1] [MQTT-4.8.2-2] [v3.1.1 MQTT-4.7.1-2] [v3.1.1 MQTT-4.7.1-3]
/// [v3.1.1 MQTT-4.7.3-1]
#[test]
fn mqtt_4_7_1_1_a_wildcard_in_the_wrong_place_is_malformed() {
    let none = |version: ProtocolVersion| if version.is_v5() { &[0][..] } else { &[] };
    let subscribe = |version, filter: &[u8]| packet(0x82, &[&[0, 1], none(version), &string(filter), &[0]].concat());
    let unsubscribe = |version, filter: &[u8]| packet(0xA2, &[&[0, 1], none(version), &string(filter)].concat());
    let mut cases = Vec::new();
    for &(filter, form, shows) in FILTERS {
        for &version in ALL {
            let both = [("SUBSCRIBE", subscribe(version, filter)), ("UNSUBSCRIBE", unsubscribe(version, filter))];
            for (packet, bytes) in both {
                let what = format!("{packet} {}", filter.escape_ascii());
                let end = form.end(version, packet == "SUBSCRIBE");
                cases.push(Case { what, version, state: State::Connected, bytes, end, shows });
            }
        }
    }
    check(&cases);
}

/// What a filter is.
#[derive(Clone, Copy)]
enum Form {
    Filter,
    Empty,
    /// No filter in any version.
    NoFilter,
    /// No shared subscription, and yet a filter where there is no such thing.
    NoShare,
}

use Form::{Empty, Filter, NoFilter, NoShare};

impl Form {
    fn end(self, version: ProtocolVersion, subscribes: bool) -> End {
        match self {
            Filter => Lives,
            Empty => refused(version, ProtocolError),
            NoShare if !version.is_v5() && subscribes => Answered(b"\x90\x03\0\x01\x80"),
            NoShare if !version.is_v5() => Answered(b"\xB0\x02\0\x01"),
            NoFilter | NoShare => refused(version, MalformedPacket),
        }
    }
}

const FILTERS: &[(&[u8], Form, &str)] = &[
    (b"#", Filter, "MQTT-4.7.1-1"),
    (b"+", Filter, "MQTT-4.7.1-2"),
    (b"/", Filter, "MQTT-4.7.3-1"),
    (b"//", Filter, "MQTT-4.7.3-1"),
    (b"+/+/#", Filter, "MQTT-4.7.1-2"),
    (b"/+", Filter, "MQTT-4.7.1-2"),
    (b"+/", Filter, "MQTT-4.7.1-2"),
    (b"/#", Filter, "MQTT-4.7.1-1"),
    (b" ", Filter, "4.7.3"),
    (b"$share", Filter, "MQTT-4.8.2-1"),
    (b"$SHARE/g", Filter, "MQTT-4.8.2-1"),
    (b"$share/g/a", Filter, "MQTT-4.8.2-1"),
    (b"$share/g//", Filter, "MQTT-4.8.2-2"),
    (b"$share/g/#", Filter, "MQTT-4.8.2-2"),
    (b"", Empty, "MQTT-4.7.3-1, v3.1.1 MQTT-4.7.3-1"),
    (b"##", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"#/", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"#/a", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"a#", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"a/#b", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"a/b#", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"a/#/b", NoFilter, "MQTT-4.7.1-1, v3.1.1 MQTT-4.7.1-2"),
    (b"++", NoFilter, "MQTT-4.7.1-2, v3.1.1 MQTT-4.7.1-3"),
    (b"+a", NoFilter, "MQTT-4.7.1-2, v3.1.1 MQTT-4.7.1-3"),
    (b"a+", NoFilter, "MQTT-4.7.1-2, v3.1.1 MQTT-4.7.1-3"),
    (b"a/+b/c", NoFilter, "MQTT-4.7.1-2, v3.1.1 MQTT-4.7.1-3"),
    (b"+#", NoFilter, "MQTT-4.7.1-2, v3.1.1 MQTT-4.7.1-3"),
    (b"$share/", NoShare, "MQTT-4.8.2-1"),
    (b"$share/g", NoShare, "MQTT-4.8.2-2"),
    (b"$share/g/", NoShare, "MQTT-4.8.2-2"),
    (b"$share//a", NoShare, "MQTT-4.8.2-1"),
    (b"$share/+/a", NoShare, "MQTT-4.8.2-2"),
    (b"$share/#", NoShare, "MQTT-4.8.2-2"),
    (b"$share/g/$share/h/a", NoShare, "4.8.2"),
    (b"$share/g+/a", NoFilter, "MQTT-4.8.2-2"),
    (b"$share/g#/a", NoFilter, "MQTT-4.8.2-2"),
    (b"$share/#/a", NoFilter, "MQTT-4.8.2-2"),
    (b"$share/g/#/a", NoFilter, "MQTT-4.8.2-2"),
    (b"$share/g/a+", NoFilter, "MQTT-4.8.2-2"),
];
