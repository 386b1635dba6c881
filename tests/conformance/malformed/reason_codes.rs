//! Every one of the 256 Reason Codes in every packet of a client that has one.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};

use super::{Case, End, State, check, packet};

use End::{Close, Disconnect, Lives};

/// [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.14.2-1] [MQTT-3.15.2-1]
#[test]
fn mqtt_3_4_2_1_a_reason_code_that_the_packet_may_not_have_ends_the_connection() {
    let cases: Vec<Case> =
        PACKETS.iter().flat_map(|one| (0..=u8::MAX).flat_map(move |code| cases(one, code))).collect();
    check(&cases);
}

/// A packet, and what its table of Reason Codes says.
struct Codes {
    name: &'static str,
    first: u8,
    /// What is in front of the Reason Code, and what may stand behind it: an empty property section, or the shortest legal one.
    before: &'static [u8],
    properties: &'static [u8],
    /// Whether the property section may be left out.
    properties_are_optional: bool,
    /// Those a client may send.
    allowed: &'static [u8],
    /// Those only a Server sends.
    of_servers: &'static [u8],
    /// How one that is allowed ends.
    end: End,
    shows: &'static str,
}

/// Tables 3-4, 3-5, 3-6, 3-7, 3-10 and 3-12. An AUTH ends the connection all the same: CONNECT named no method.
const PACKETS: &[Codes] = &[
    Codes {
        name: "PUBACK",
        first: 0x40,
        before: b"\0\x09",
        properties: b"\0",
        properties_are_optional: true,
        allowed: &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        of_servers: &[],
        end: Lives,
        shows: "MQTT-3.4.2-1",
    },
    Codes {
        name: "PUBREC",
        first: 0x50,
        before: b"\0\x09",
        properties: b"\0",
        properties_are_optional: true,
        allowed: &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        of_servers: &[],
        end: Lives,
        shows: "MQTT-3.5.2-1",
    },
    Codes {
        name: "PUBREL",
        first: 0x62,
        before: b"\0\x09",
        properties: b"\0",
        properties_are_optional: true,
        allowed: &[0x00, 0x92],
        of_servers: &[],
        end: Lives,
        shows: "MQTT-3.6.2-1",
    },
    Codes {
        name: "PUBCOMP",
        first: 0x70,
        before: b"\0\x09",
        properties: b"\0",
        properties_are_optional: true,
        allowed: &[0x00, 0x92],
        of_servers: &[],
        end: Lives,
        shows: "MQTT-3.7.2-1",
    },
    Codes {
        name: "DISCONNECT",
        first: 0xE0,
        before: b"",
        properties: b"\0",
        properties_are_optional: true,
        allowed: &[0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
        of_servers: &[0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2],
        end: Close,
        shows: "MQTT-3.14.2-1",
    },
    Codes {
        name: "AUTH",
        first: 0xF0,
        before: b"",
        properties: b"\x04\x15\0\x01m",
        properties_are_optional: false,
        allowed: &[0x18, 0x19],
        of_servers: &[0x00],
        end: Disconnect(ProtocolError),
        shows: "MQTT-3.15.2-1, MQTT-4.12.0-7",
    },
];

fn cases(one: &'static Codes, code: u8) -> impl Iterator<Item = Case> {
    let end = match code {
        _ if one.allowed.contains(&code) => one.end,
        _ if one.of_servers.contains(&code) => Disconnect(ProtocolError),
        _ => Disconnect(MalformedPacket),
    };
    let case = move |properties: &[u8]| Case {
        what: format!("{} with reason 0x{code:02x}", one.name),
        version: ProtocolVersion::V5,
        state: State::Connected,
        bytes: packet(one.first, &[one.before, &[code], properties].concat()),
        end,
        shows: one.shows,
    };
    let alone = one.properties_are_optional.then(|| case(b""));
    std::iter::once(case(one.properties)).chain(alone)
}
