//! UTF-8 Encoded Strings (1.5.4) in every field that holds one.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{BadAuthenticationMethod, MalformedPacket, ProtocolError};

use super::{Case, End, State, V3, V5, V31, V311, Versions, check, packet, refused, string, turned_away, with_length};

use End::{Accepted, Close, Connack, Disconnect, Lives};

/// [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-3.3.2-1] [MQTT-3.3.2-13]
/// [MQTT-3.3.2-19] [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-4.7.3-2] [v3.1.1 MQTT-1.5.3-1] [v3.1.1 MQTT-1.5.3-2]
/// [v3.1.1 MQTT-3.1.3-4] [v3.1.1 MQTT-3.1.3-10] [v3.1.1 MQTT-3.1.3-11] [v3.1.1 MQTT-3.3.2-1] [v3.1.1 MQTT-3.8.3-1]
/// [v3.1.1 MQTT-3.10.3-1] [v3.1.1 MQTT-4.7.3-2]
#[test]
fn mqtt_1_5_4_1_a_string_that_is_no_utf_8_ends_the_connection() {
    check(&cases(BAD, |field, version| match field.state {
        State::BeforeConnect => turned_away(version, MalformedPacket),
        State::Connected => refused(version, MalformedPacket),
    }));
}

/// The standards let a receiver refuse control characters and non-characters; Midge takes them, as all there is (1.5.4).
#[test]
fn every_character_but_null_is_accepted() {
    check(&cases(GOOD, |field, _| field.end));
}

const BAD: &[(&str, &[u8])] = &[
    ("U+0000", b"\0"),
    ("U+0000 among others", b"a\0b"),
    ("a byte that only goes on", b"\x80"),
    ("0xFE", b"\xFE"),
    ("0xFF", b"\xFF"),
    ("Latin-1", b"caf\xE9"),
    ("U+0000 in two bytes", b"\xC0\x80"),
    ("a slash in two bytes", b"\xC0\xAF"),
    ("U+007F in two bytes", b"\xC1\xBF"),
    ("a slash in three bytes", b"\xE0\x80\xAF"),
    ("U+07FF in three bytes", b"\xE0\x9F\xBF"),
    ("U+FFFF in four bytes", b"\xF0\x8F\xBF\xBF"),
    ("U+D800", b"\xED\xA0\x80"),
    ("U+DFFF", b"\xED\xBF\xBF"),
    ("a pair of surrogates", b"\xED\xA0\xBD\xED\xB8\x80"),
    ("U+110000", b"\xF4\x90\x80\x80"),
    ("U+140000", b"\xF5\x80\x80\x80"),
    ("five bytes", b"\xF8\x88\x80\x80\x80"),
    ("the first of two bytes", b"\xC3"),
    ("the first two of three bytes", b"\xE2\x82"),
    ("the first three of four bytes", b"\xF0\x9F\x98"),
    ("a character cut off by another", b"\xE2\x82a"),
];

const GOOD: &[(&str, &[u8])] = &[
    ("U+0001", b"\x01"),
    ("U+001F", b"\x1F"),
    ("U+007F", b"\x7F"),
    ("U+0080", b"\xC2\x80"),
    ("U+009F", b"\xC2\x9F"),
    ("U+D7FF", b"\xED\x9F\xBF"),
    ("U+E000", b"\xEE\x80\x80"),
    ("U+FDD0, no character", b"\xEF\xB7\x90"),
    ("U+FEFF", b"\xEF\xBB\xBF"),
    ("U+FFFE, no character", b"\xEF\xBF\xBE"),
    ("U+FFFF, no character", b"\xEF\xBF\xBF"),
    ("U+1F600", b"\xF0\x9F\x98\x80"),
    ("U+10FFFF", b"\xF4\x8F\xBF\xBF"),
];

/// A field, and what stands around it.
struct Field {
    what: &'static str,
    versions: Versions,
    state: State,
    first: u8,
    before: &'static [u8],
    /// The field is in a property section: what is in front of it there, and behind it.
    property: Option<(&'static [u8], &'static [u8])>,
    behind: &'static [u8],
    /// How it ends where the string is one.
    end: End,
}

const FIELDS: &[Field] = &[
    connect("Client Identifier", V31, b"\0\x06MQIsdp\x03\x02\0\0", b""),
    connect("Will Topic", V31, b"\0\x06MQIsdp\x03\x06\0\0\0\x03str", b"\0\0"),
    connect("User Name", V31, b"\0\x06MQIsdp\x03\x82\0\0\0\x03str", b""),
    connect("Client Identifier", V311, b"\0\x04MQTT\x04\x02\0\0", b""),
    connect("Will Topic", V311, b"\0\x04MQTT\x04\x06\0\0\0\x03str", b"\0\0"),
    connect("User Name", V311, b"\0\x04MQTT\x04\x82\0\0\0\x03str", b""),
    connect("Client Identifier", V5, b"\0\x04MQTT\x05\x02\0\0\0", b""),
    connect("Will Topic", V5, b"\0\x04MQTT\x05\x06\0\0\0\0\x03str\0", b"\0\0"),
    connect("User Name", V5, b"\0\x04MQTT\x05\x82\0\0\0\0\x03str", b""),
    connect_property("name of a User Property", b"\x26", b"\0\x01v", Accepted),
    connect_property("value of a User Property", b"\x26\0\x01k", b"", Accepted),
    connect_property("Authentication Method", b"\x15", b"", Connack(BadAuthenticationMethod)),
    will_property("Content Type", b"\x03", b""),
    will_property("Response Topic", b"\x08", b""),
    will_property("name of a User Property", b"\x26", b"\0\x01v"),
    will_property("value of a User Property", b"\x26\0\x01k", b""),
    plain("Topic Name", V3, 0x30, b"", b""),
    plain("Topic Name", V5, 0x30, b"", b"\0"),
    property("Content Type", 0x30, b"\0\x01a", b"\x03", b"", b""),
    property("Response Topic", 0x30, b"\0\x01a", b"\x08", b"", b""),
    property("name of a User Property", 0x30, b"\0\x01a", b"\x26", b"\0\x01v", b""),
    property("value of a User Property", 0x30, b"\0\x01a", b"\x26\0\x01k", b"", b""),
    property("Reason String", 0x40, b"\0\x09\0", b"\x1F", b"", b""),
    property("name of a User Property", 0x40, b"\0\x09\0", b"\x26", b"\0\x01v", b""),
    property("value of a User Property", 0x40, b"\0\x09\0", b"\x26\0\x01k", b"", b""),
    property("Reason String", 0x50, b"\0\x09\0", b"\x1F", b"", b""),
    property("value of a User Property", 0x50, b"\0\x09\0", b"\x26\0\x01k", b"", b""),
    property("Reason String", 0x62, b"\0\x09\0", b"\x1F", b"", b""),
    property("value of a User Property", 0x62, b"\0\x09\0", b"\x26\0\x01k", b"", b""),
    property("Reason String", 0x70, b"\0\x09\0", b"\x1F", b"", b""),
    property("value of a User Property", 0x70, b"\0\x09\0", b"\x26\0\x01k", b"", b""),
    plain("Topic Filter", V3, 0x82, b"\0\x01", b"\0"),
    plain("Topic Filter", V5, 0x82, b"\0\x01\0", b"\0"),
    plain("second Topic Filter", V5, 0x82, b"\0\x01\0\0\x01a\0", b"\0"),
    property("name of a User Property", 0x82, b"\0\x01", b"\x26", b"\0\x01v", b"\0\x01a\0"),
    property("value of a User Property", 0x82, b"\0\x01", b"\x26\0\x01k", b"", b"\0\x01a\0"),
    plain("Topic Filter", V3, 0xA2, b"\0\x01", b""),
    plain("Topic Filter", V5, 0xA2, b"\0\x01\0", b""),
    property("name of a User Property", 0xA2, b"\0\x01", b"\x26", b"\0\x01v", b"\0\x01a"),
    property("value of a User Property", 0xA2, b"\0\x01", b"\x26\0\x01k", b"", b"\0\x01a"),
    Field { end: Close, ..property("Reason String", 0xE0, b"\0", b"\x1F", b"", b"") },
    Field { end: Close, ..property("name of a User Property", 0xE0, b"\0", b"\x26", b"\0\x01v", b"") },
    Field { end: Close, ..property("value of a User Property", 0xE0, b"\0", b"\x26\0\x01k", b"", b"") },
    Field { end: NO_METHOD, ..property("Authentication Method", 0xF0, b"\x18", b"\x15", b"", b"") },
    Field { end: NO_METHOD, ..property("Reason String", 0xF0, b"\x18", b"\x15\0\x01m\x1F", b"", b"") },
    Field { end: NO_METHOD, ..property("value of a User Property", 0xF0, b"\x18", b"\x15\0\x01m\x26\0\0", b"", b"") },
];

/// A field of CONNECT.
const fn connect(what: &'static str, versions: Versions, before: &'static [u8], behind: &'static [u8]) -> Field {
    let state = State::BeforeConnect;
    Field { what, versions, state, first: 0x10, before, property: None, behind, end: Accepted }
}

const fn connect_property(what: &'static str, within: &'static [u8], after: &'static [u8], end: End) -> Field {
    let field = connect(what, V5, b"\0\x04MQTT\x05\x02\0\0", b"\0\x03str");
    Field { property: Some((within, after)), end, ..field }
}

const fn will_property(what: &'static str, within: &'static [u8], after: &'static [u8]) -> Field {
    let field = connect(what, V5, b"\0\x04MQTT\x05\x06\0\0\0\0\x03str", b"\0\x01t\0\x01p");
    Field { property: Some((within, after)), ..field }
}

/// A field of any other packet.
const fn plain(
    what: &'static str,
    versions: Versions,
    first: u8,
    before: &'static [u8],
    behind: &'static [u8],
) -> Field {
    Field { what, versions, state: State::Connected, first, before, property: None, behind, end: Lives }
}

const fn property(
    what: &'static str,
    first: u8,
    before: &'static [u8],
    within: &'static [u8],
    after: &'static [u8],
    behind: &'static [u8],
) -> Field {
    Field { property: Some((within, after)), ..plain(what, V5, first, before, behind) }
}

/// CONNECT named no Authentication Method.
const NO_METHOD: End = Disconnect(ProtocolError);

fn cases(strings: &[(&str, &[u8])], end: impl Fn(&Field, ProtocolVersion) -> End) -> Vec<Case> {
    let mut cases = Vec::new();
    for field in FIELDS {
        for (form, text) in strings {
            for &version in field.versions {
                cases.push(Case {
                    what: format!("{form} in the {} of 0x{:02x}", field.what, field.first),
                    version,
                    state: field.state,
                    bytes: field.packet(text),
                    end: end(field, version),
                    shows: "MQTT-1.5.4-1, MQTT-1.5.4-2, v3.1.1 MQTT-1.5.3-1, v3.1.1 MQTT-1.5.3-2",
                });
            }
        }
    }
    cases
}

impl Field {
    fn packet(&self, text: &[u8]) -> Vec<u8> {
        let field = match self.property {
            None => string(text),
            Some((within, after)) => with_length(&[within, &string(text), after].concat()),
        };
        packet(self.first, &[self.before, &field, self.behind].concat())
    }
}
