//! UNSUBSCRIBE (3.10). What is no Topic Filter is in [`super::subscribe`].

use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};

use super::{End, Row, V3, V5, V31, V311, after_connack, check};

use End::{Answered, Close, Disconnect};

/// [MQTT-2.2.1-3] [MQTT-3.10.1-1] [v3.1.1 MQTT-2.3.1-1] [v3.1.1 MQTT-3.10.1-1] [v3.1.1 MQTT-3.10.3-2]
#[test]
fn mqtt_3_10_3_2_bad_unsubscribe_ends_the_connection() {
    check(&after_connack(ROWS));
}

const ROWS: &[Row] = &[
    (V3, "no contents", 0xA2, b"", Close, "3.10.2"),
    (V5, "no contents", 0xA2, b"", Disconnect(MalformedPacket), "3.10.2"),
    (V3, "no filter", 0xA2, b"\0\x01", Close, "v3.1.1 MQTT-3.10.3-2"),
    (V5, "no filter", 0xA2, b"\0\x01\0", Disconnect(ProtocolError), "MQTT-3.10.3-2"),
    (V5, "no property length", 0xA2, b"\0\x01", Disconnect(MalformedPacket), "MQTT-2.2.2-1"),
    (V3, "packet id 0", 0xA2, b"\0\0\0\x01a", Close, "v3.1.1 MQTT-2.3.1-1"),
    (V5, "packet id 0", 0xA2, b"\0\0\0\0\x01a", Disconnect(ProtocolError), "MQTT-2.2.1-3"),
    (V311, "without its flags", 0xA0, b"\0\x01\0\x01a", Close, "v3.1.1 MQTT-3.10.1-1"),
    (V31, "with DUP", 0xAA, b"\0\x01\0\x01a", Answered(b"\xB0\x02\0\x01"), "3.10"),
    (V5, "without its flags", 0xA0, b"\0\x01\0\0\x01a", Disconnect(MalformedPacket), "MQTT-3.10.1-1"),
    (V3, "half a length", 0xA2, b"\0\x01\0\x01a\0", Close, "3.10.3"),
    (V5, "half a length", 0xA2, b"\0\x01\0\0\x01a\0", Disconnect(MalformedPacket), "3.10.3"),
    (V3, "a filter longer than the packet", 0xA2, b"\0\x01\0\x09a", Close, "3.10.3"),
    (V5, "a filter longer than the packet", 0xA2, b"\0\x01\0\0\x09a", Disconnect(MalformedPacket), "3.10.3"),
    (V3, "properties", 0xA2, b"\0\x01\x05\x26\0\0\0\0\0\x01a", Close, "3.10"),
    (V5, "a filter that was not subscribed to", 0xA2, b"\0\x01\0\0\x01a", Answered(b"\xB0\x04\0\x01\0\x11"), "3.11.3"),
    (V3, "a filter that was not subscribed to", 0xA2, b"\0\x01\0\x01a", Answered(b"\xB0\x02\0\x01"), "3.10.4"),
];
