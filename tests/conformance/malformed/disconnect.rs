//! DISCONNECT (3.14). Its Reason Codes are in [`super::reason_codes`].

use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};

use super::{Case, End, Row, State, V3, V5, V31, V311, after_connack, check};

use End::{Close, Disconnect};

/// [v3.1.1 MQTT-3.14.1-1]
#[test]
fn mqtt_3_14_1_1_bad_disconnect_is_told_so_and_good_disconnect_is_closed_silently() {
    let mut cases = after_connack(ROWS);
    cases.push(Case {
        what: "nonsense behind DISCONNECT".into(),
        version: V5[0],
        state: State::Connected,
        bytes: b"\xE0\0\0\xFF\xFF".into(),
        end: Close,
        shows: "MQTT-3.14.4-1",
    });
    check(&cases);
}

const ROWS: &[Row] = &[
    (V3, "nothing in it", 0xE0, b"", Close, "3.14"),
    (V5, "nothing in it", 0xE0, b"", Close, "3.14.2.1"),
    (V5, "a reason and no property length", 0xE0, b"\x04", Close, "3.14.2.2.1"),
    (V5, "a reason and no properties", 0xE0, b"\x04\0", Close, "3.14.2.2.1"),
    (V5, "bytes behind its properties", 0xE0, b"\0\0\0", Disconnect(MalformedPacket), "3.14"),
    (V5, "properties longer than the packet", 0xE0, b"\0\x05\x11", Disconnect(MalformedPacket), "2.2.2"),
    (V311, "flags", 0xE1, b"", Close, "v3.1.1 MQTT-3.14.1-1"),
    (V31, "flags", 0xE1, b"", Close, "3.14"),
    (V5, "flags", 0xE1, b"", Disconnect(MalformedPacket), "MQTT-3.14.1-1"),
    (V5, "session expiry 0 after 0", 0xE0, b"\0\x05\x11\0\0\0\0", Close, "3.14.2.2.2"),
    (V5, "session expiry raised from 0", 0xE0, b"\0\x05\x11\0\0\0\x01", Disconnect(ProtocolError), "3.14.2.2.2"),
    (V5, "session expiry twice", 0xE0, b"\0\x0A\x11\0\0\0\0\x11\0\0\0\0", Disconnect(ProtocolError), "3.14.2.2.2"),
    (V5, "a server reference", 0xE0, b"\0\x04\x1C\0\x01x", Disconnect(ProtocolError), "3.14.2.2.5"),
    (V3, "a reason code", 0xE0, b"\0", Close, "3.14"),
];
