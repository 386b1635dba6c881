//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7).

use midge_protocol::ReasonCode::{MalformedPacket, ProtocolError};
use midge_protocol::{ProtocolVersion, QoS};

use super::{End, Row, V3, V5, V31, V311, after_connack, check};
use crate::support::{Client, Server, VERSIONS};

use End::{Answered, Close, Disconnect, Ignored};

/// [MQTT-4.3.3-11] [v3.1.1 MQTT-3.6.1-1] [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_3_6_1_1_bad_acknowledgements_end_the_connection_and_unknown_ones_do_not() {
    check(&after_connack(ROWS));
}

const ROWS: &[Row] = &[
    (V3, "PUBACK without a packet id", 0x40, b"", Close, "3.4.2"),
    (V5, "PUBACK without a packet id", 0x40, b"", Disconnect(MalformedPacket), "3.4.2"),
    (V3, "PUBREC with half a packet id", 0x50, b"\0", Close, "3.5.2"),
    (V5, "PUBREC with half a packet id", 0x50, b"\0", Disconnect(MalformedPacket), "3.5.2"),
    (V3, "PUBACK with packet id 0", 0x40, b"\0\0", Close, "2.3.1"),
    (V5, "PUBACK with packet id 0", 0x40, b"\0\0", Disconnect(ProtocolError), "2.2.1"),
    (V3, "PUBREC with packet id 0", 0x50, b"\0\0", Close, "2.3.1"),
    (V5, "PUBREC with packet id 0", 0x50, b"\0\0", Disconnect(ProtocolError), "2.2.1"),
    (V3, "PUBREL with packet id 0", 0x62, b"\0\0", Close, "2.3.1"),
    (V5, "PUBREL with packet id 0", 0x62, b"\0\0", Disconnect(ProtocolError), "2.2.1"),
    (V3, "PUBCOMP with packet id 0", 0x70, b"\0\0", Close, "2.3.1"),
    (V5, "PUBCOMP with packet id 0", 0x70, b"\0\0", Disconnect(ProtocolError), "2.2.1"),
    (V311, "PUBREL without its flags", 0x60, b"\0\x09", Close, "v3.1.1 MQTT-3.6.1-1"),
    (V31, "PUBREL with DUP", 0x6A, b"\0\x09", Answered(b"\x70\x02\0\x09"), "3.6"),
    (V5, "PUBREL without its flags", 0x60, b"\0\x09", Disconnect(MalformedPacket), "MQTT-3.6.1-1"),
    (V5, "PUBREL with DUP", 0x6A, b"\0\x09", Disconnect(MalformedPacket), "MQTT-3.6.1-1"),
    (V5, "PUBACK of an unknown id", 0x40, b"\0\x09", Ignored, "4.3"),
    (V3, "PUBACK of an unknown id", 0x40, b"\0\x09", Ignored, "4.3.2"),
    (V5, "PUBREC of an unknown id", 0x50, b"\0\x09", Answered(b"\x62\x03\0\x09\x92"), "4.3.3"),
    (V3, "PUBREC of an unknown id", 0x50, b"\0\x09", Answered(b"\x62\x02\0\x09"), "4.3.3"),
    (V5, "PUBREC with an error, of an unknown id", 0x50, b"\0\x09\x80", Ignored, "4.3.3"),
    (V5, "PUBREL of an unknown id", 0x62, b"\0\x09", Answered(b"\x70\x03\0\x09\x92"), "MQTT-4.3.3-11"),
    (V3, "PUBREL of an unknown id", 0x62, b"\0\x09", Answered(b"\x70\x02\0\x09"), "4.3.3"),
    (V5, "PUBCOMP of an unknown id", 0x70, b"\0\x09", Ignored, "4.3"),
    (V3, "PUBCOMP of an unknown id", 0x70, b"\0\x09", Ignored, "4.3.3"),
    (V3, "PUBACK with a reason code", 0x40, b"\0\x09\0", Close, "3.4"),
    (V3, "PUBREC with a reason code", 0x50, b"\0\x09\0", Close, "3.5"),
    (V3, "PUBREL with a reason code", 0x62, b"\0\x09\0", Close, "3.6"),
    (V3, "PUBCOMP with a reason code", 0x70, b"\0\x09\0", Close, "3.7"),
    (V5, "PUBACK with no property length behind its reason", 0x40, b"\0\x09\0", Ignored, "3.4.2.2.1"),
    (V5, "PUBACK with an empty property section", 0x40, b"\0\x09\0\0", Ignored, "3.4.2.2.1"),
    (V5, "PUBACK with bytes behind its properties", 0x40, b"\0\x09\0\0\0", Disconnect(MalformedPacket), "3.4"),
];

/// What acknowledges a message of the other QoS, or comes before its turn, ends the connection. The broker's first message
/// to a client has packet id 1.
///
/// [v3.1.1 MQTT-4.8.0-1]
#[test]
fn mqtt_4_13_1_1_an_acknowledgement_of_the_wrong_kind_ends_the_connection() {
    let server = Server::start();
    for version in VERSIONS {
        for (qos, what, acknowledgement) in WRONG {
            let mut client = client(&server, version, what);
            let topic = format!("wrong/{what}");
            client.subscribe(&topic, *qos);
            client.publish(&topic, "x", *qos);
            assert_eq!(client.receive().packet_id.map(|id| id.get()), Some(1), "{what}");
            client.send_bytes(acknowledgement);
            eprintln!("{what}, {version}");
            client.expect_disconnect(ProtocolError);
        }
    }
}

const WRONG: &[(QoS, &str, &[u8])] = &[
    (QoS::AtLeastOnce, "PUBREC for QoS 1", b"\x50\x02\0\x01"),
    (QoS::AtLeastOnce, "PUBCOMP for QoS 1", b"\x70\x02\0\x01"),
    (QoS::ExactlyOnce, "PUBACK for QoS 2", b"\x40\x02\0\x01"),
    (QoS::ExactlyOnce, "PUBCOMP before PUBREC", b"\x70\x02\0\x01"),
];

fn client(server: &Server, version: ProtocolVersion, what: &str) -> Client {
    Client::connect(server, version, &format!("{what} {version}"))
}
