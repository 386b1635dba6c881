//! Legal packets with fewer bytes, and with one more. The Remaining Length always says how many there are.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};

use super::{Case, End, State, V3, V5, V31, V311, Versions, check, packet, refused, turned_away};

use End::{Accepted, Close, Disconnect, Lives};

/// Every packet of a client, cut off in front of each of its bytes.
///
/// [MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-19] [MQTT-3.1.3-3] [v3.1.1 MQTT-3.1.2-19] [v3.1.1 MQTT-3.1.2-21]
/// [v3.1.1 MQTT-3.1.3-3] [v3.1.1 MQTT-3.1.4-1] [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_3_1_4_1_a_packet_that_ends_too_early_ends_the_connection() {
    let cut = |packet: &Whole, version: ProtocolVersion, length: usize| {
        let known = packet.shorter.iter().find(|(known, _)| *known == length);
        let end = match known {
            Some((_, end)) => *end,
            None if length == packet.contents.len() => packet.whole,
            None => packet.malformed(version, length),
        };
        packet.case(format!("{length} bytes of {}", packet.what), version, &packet.contents[..length], end)
    };
    let mut cases = Vec::new();
    for whole in PACKETS {
        for &version in whole.versions {
            cases.extend((0..=whole.contents.len()).map(|length| cut(whole, version, length)));
        }
    }
    check(&cases);
}

/// Every packet of a client with one more byte, but PUBLISH, where that is payload.
///
/// [v3.1.1 MQTT-3.1.4-1] [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_3_1_4_1_a_packet_that_goes_on_behind_its_contents_ends_the_connection() {
    let mut cases = Vec::new();
    for whole in PACKETS {
        for &version in whole.versions {
            for more in [0, 1, 0xFF] {
                let end = if whole.first >> 4 == 3 { Lives } else { whole.malformed(version, usize::MAX) };
                let contents = [whole.contents, &[more]].concat();
                cases.push(whole.case(format!("a byte behind {}", whole.what), version, &contents, end));
            }
        }
    }
    check(&cases);
}

/// A legal packet, how it ends, and which of its beginnings end otherwise than as malformed.
struct Whole {
    what: &'static str,
    versions: Versions,
    first: u8,
    contents: &'static [u8],
    shorter: &'static [(usize, End)],
    whole: End,
}

impl Whole {
    /// Nobody can be told before the version is known, which is in the seventh byte.
    fn malformed(&self, version: ProtocolVersion, length: usize) -> End {
        match self.first {
            0x10 if length < 7 => Close,
            0x10 => turned_away(version, MalformedPacket),
            _ => refused(version, MalformedPacket),
        }
    }

    fn case(&self, what: String, version: ProtocolVersion, contents: &[u8], end: End) -> Case {
        Case {
            what,
            version,
            state: if self.first == 0x10 { State::BeforeConnect } else { State::Connected },
            bytes: packet(self.first, contents),
            end,
            shows: "MQTT-3.1.4-1, MQTT-4.13.1-1, v3.1.1 MQTT-3.1.4-1, v3.1.1 MQTT-4.8.0-1",
        }
    }
}

const PACKETS: &[Whole] = &[
    Whole {
        what: "CONNECT with everything",
        versions: V5,
        first: 0x10,
        contents: b"\0\x04MQTT\x05\xCE\0\x3C\x05\x11\0\0\0\x01\0\x01a\x05\x18\0\0\0\x01\0\x01t\0\x01p\0\x01u\0\x01p",
        shorter: &[],
        whole: Accepted,
    },
    Whole {
        what: "CONNECT with everything",
        versions: V311,
        first: 0x10,
        contents: b"\0\x04MQTT\x04\xCE\0\x3C\0\x01a\0\x01t\0\x01p\0\x01u\0\x01p",
        shorter: &[],
        whole: Accepted,
    },
    Whole {
        what: "CONNECT with everything",
        versions: V31,
        first: 0x10,
        contents: b"\0\x06MQIsdp\x03\xCE\0\x3C\0\x01a\0\x01t\0\x01p\0\x01u\0\x01p",
        // User Name and Password may be missing although the flags promise them.
        shorter: &[(21, Accepted), (24, Accepted)],
        whole: Accepted,
    },
    Whole {
        what: "CONNECT with a password alone",
        versions: V5,
        first: 0x10,
        contents: b"\0\x04MQTT\x05\x42\0\0\0\0\x01a\0\x01p",
        shorter: &[],
        whole: Accepted,
    },
    Whole { what: "PUBLISH", versions: V3, first: 0x32, contents: b"\0\x03a/b\0\x01", shorter: &[], whole: Lives },
    Whole {
        what: "PUBLISH",
        versions: V5,
        first: 0x34,
        contents: b"\0\x03a/b\0\x01\x0E\x01\x01\x02\0\0\0\x01\x26\0\x01k\0\x01v",
        shorter: &[],
        whole: Lives,
    },
    Whole { what: "PUBACK", versions: V3, first: 0x40, contents: b"\0\x09", shorter: &[], whole: Lives },
    Whole { what: "PUBREC", versions: V3, first: 0x50, contents: b"\0\x09", shorter: &[], whole: Lives },
    Whole { what: "PUBREL", versions: V3, first: 0x62, contents: b"\0\x09", shorter: &[], whole: Lives },
    Whole { what: "PUBCOMP", versions: V3, first: 0x70, contents: b"\0\x09", shorter: &[], whole: Lives },
    // In version 5 success and the property length may be left out.
    Whole { what: "PUBACK", versions: V5, first: 0x40, contents: ACKNOWLEDGEMENT, shorter: ACKNOWLEDGES, whole: Lives },
    Whole { what: "PUBREC", versions: V5, first: 0x50, contents: ACKNOWLEDGEMENT, shorter: ACKNOWLEDGES, whole: Lives },
    Whole { what: "PUBREL", versions: V5, first: 0x62, contents: ACKNOWLEDGEMENT, shorter: ACKNOWLEDGES, whole: Lives },
    Whole {
        what: "PUBCOMP",
        versions: V5,
        first: 0x70,
        contents: ACKNOWLEDGEMENT,
        shorter: ACKNOWLEDGES,
        whole: Lives,
    },
    Whole {
        what: "SUBSCRIBE",
        versions: V3,
        first: 0x82,
        contents: b"\0\x09\0\x01a\x01\0\x01b\x02",
        shorter: &[(6, Lives)],
        whole: Lives,
    },
    Whole {
        what: "SUBSCRIBE",
        versions: V5,
        first: 0x82,
        contents: b"\0\x09\x09\x0B\x01\x26\0\x01k\0\x01v\0\x01a\x01\0\x01b\x02",
        shorter: &[(12, Disconnect(ProtocolError)), (16, Lives)],
        whole: Lives,
    },
    Whole {
        what: "UNSUBSCRIBE",
        versions: V3,
        first: 0xA2,
        contents: b"\0\x09\0\x01a\0\x01b",
        shorter: &[(5, Lives)],
        whole: Lives,
    },
    Whole {
        what: "UNSUBSCRIBE",
        versions: V5,
        first: 0xA2,
        contents: b"\0\x09\x07\x26\0\x01k\0\x01v\0\x01a\0\x01b",
        shorter: &[(10, Disconnect(ProtocolError)), (13, Lives)],
        whole: Lives,
    },
    Whole { what: "PINGREQ", versions: V3, first: 0xC0, contents: b"", shorter: &[], whole: Lives },
    Whole { what: "PINGREQ", versions: V5, first: 0xC0, contents: b"", shorter: &[], whole: Lives },
    Whole { what: "DISCONNECT", versions: V3, first: 0xE0, contents: b"", shorter: &[], whole: Close },
    Whole {
        what: "DISCONNECT",
        versions: V5,
        first: 0xE0,
        contents: b"\0\x10\x11\0\0\0\0\x1F\0\x01r\x26\0\x01k\0\x01v",
        shorter: &[(0, Close), (1, Close)],
        whole: Close,
    },
    // Without a method in CONNECT it is never legal; nothing at all would be a success, which only Servers send.
    Whole {
        what: "AUTH",
        versions: V5,
        first: 0xF0,
        contents: b"\x18\x08\x15\0\x01m\x16\0\x01d",
        shorter: &[(0, Disconnect(ProtocolError))],
        whole: Disconnect(ProtocolError),
    },
];

const ACKNOWLEDGEMENT: &[u8] = b"\0\x09\0\x0B\x1F\0\x01r\x26\0\x01k\0\x01v";
const ACKNOWLEDGES: &[(usize, End)] = &[(2, Lives), (3, Lives)];
