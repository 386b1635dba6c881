//! AUTH (3.15), from clients whose CONNECT named no Authentication Method.

use midge_protocol::ReasonCode::{BadAuthenticationMethod, MalformedPacket, ProtocolError};

use super::{End, Row, V3, V5, after_connack, check, instead_of_connect};

use End::{Close, Connack, Disconnect};

/// [MQTT-3.15.1-1] [MQTT-3.15.2-1] [MQTT-4.12.0-1]
#[test]
fn mqtt_4_12_0_7_auth_without_an_authentication_method_in_connect_ends_the_connection() {
    let mut cases = after_connack(ROWS);
    cases.extend(instead_of_connect(METHODS));
    check(&cases);
}

const ROWS: &[Row] = &[
    (V3, "AUTH", 0xF0, b"", Close, "2.2.1"),
    (V3, "AUTH with contents", 0xF0, b"\x18\x04\x15\0\x01m", Close, "2.2.1"),
    (V5, "to continue", 0xF0, b"\x18\x04\x15\0\x01m", Disconnect(ProtocolError), "MQTT-4.12.0-7"),
    (V5, "to re-authenticate", 0xF0, b"\x19\x04\x15\0\x01m", Disconnect(ProtocolError), "MQTT-4.12.0-7"),
    (V5, "a success, which only Servers see", 0xF0, b"\0\x04\x15\0\x01m", Disconnect(ProtocolError), "MQTT-3.15.2-1"),
    (V5, "nothing in it, which is a success", 0xF0, b"", Disconnect(ProtocolError), "MQTT-3.15.2-1"),
    (V5, "flags", 0xF1, b"\x18\x04\x15\0\x01m", Disconnect(MalformedPacket), "MQTT-3.15.1-1"),
    (V5, "no method", 0xF0, b"\x18\0", Disconnect(ProtocolError), "3.15.2.2.2"),
    (V5, "data and no method", 0xF0, b"\x18\x04\x16\0\x01x", Disconnect(ProtocolError), "3.15.2.2.2"),
    (V5, "two methods", 0xF0, b"\x18\x08\x15\0\x01m\x15\0\x01m", Disconnect(ProtocolError), "3.15.2.2.2"),
    (V5, "a reason and no property length", 0xF0, b"\x18", Disconnect(MalformedPacket), "3.15.2.2.1"),
    (V5, "bytes behind its properties", 0xF0, b"\x18\x04\x15\0\x01m\0", Disconnect(MalformedPacket), "3.15"),
    (V5, "properties longer than the packet", 0xF0, b"\x18\x09\x15\0\x01m", Disconnect(MalformedPacket), "2.2.2"),
];

/// CONNECT with a method that no plugin serves, and with data for none.
const METHODS: &[Row] = &[
    (
        V5,
        "an unknown method",
        0x10,
        b"\0\x04MQTT\x05\x02\0\0\x04\x15\0\x01m\0\x01m",
        Connack(BadAuthenticationMethod),
        "MQTT-4.12.0-1",
    ),
    (
        V5,
        "data and no method",
        0x10,
        b"\0\x04MQTT\x05\x02\0\0\x04\x16\0\x01x\0\x01m",
        Connack(ProtocolError),
        "3.1.2.11.10",
    ),
];
