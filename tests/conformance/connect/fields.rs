//! Connect Flags and the payload they announce.

use midge_protocol::{ProtocolVersion, QoS};

use crate::support::raw::{self, none, packet, string};
use crate::support::{Client, Server};

use ProtocolVersion::{V5, V311};

const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_1: u8 = 0x08;
const WILL_QOS_3: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

/// A CONNECT with these flags and this payload is refused as malformed in both versions.
fn is_malformed(server: &Server, flags: u8, payload: impl Fn(ProtocolVersion) -> Vec<u8>) {
    for version in [V311, V5] {
        let mut client = Client::open(server.address(), version);
        client.send_bytes(&raw::connect(version, flags, &[&payload(version)]));
        let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x81, 0] } else { &[] };
        assert_eq!(client.bytes_until_close(), answer, "{version}, flags {flags:08b}");
    }
}

/// A CONNECT with these flags and this payload is accepted.
fn is_accepted(server: &Server, version: ProtocolVersion, flags: u8, payload: &[&[u8]]) -> Client {
    let mut client = Client::open(server.address(), version);
    client.send_bytes(&raw::connect(version, flags, payload));
    client.connack(|connack| assert!(!connack.reason.is_error(), "{version}, flags {flags:08b}: {}", connack.reason));
    client
}

fn id() -> Vec<u8> {
    string("client")
}

/// [v3.1.1 MQTT-3.1.2-9]
#[test]
fn mqtt_3_1_2_9_a_will_has_all_its_fields() {
    let server = Server::start();
    is_malformed(&server, CLEAN | WILL, |_| id());
    is_malformed(&server, CLEAN | WILL, |version| [&id()[..], none(version)].concat());
    is_malformed(&server, CLEAN | WILL, |version| [&id()[..], none(version), &string("t")].concat());
    // Without the length of the Will Properties.
    let mut client = Client::open(server.address(), V5);
    client.send_bytes(&raw::connect(V5, CLEAN | WILL, &[&id(), &string("topic"), &string("gone")]));
    assert_eq!(client.bytes_until_close(), [0x20, 3, 0, 0x81, 0]);
}

/// [MQTT-3.1.2-13] [v3.1.1 MQTT-3.1.2-11] [v3.1.1 MQTT-3.1.2-13] [v3.1.1 MQTT-3.1.2-15]
#[test]
fn mqtt_3_1_2_11_without_a_will_there_is_no_will_qos_no_will_retain_and_no_will_field() {
    let server = Server::start();
    for flags in [WILL_QOS_1, WILL_QOS_1 << 1, WILL_QOS_3, WILL_RETAIN, WILL_RETAIN | WILL_QOS_1] {
        is_malformed(&server, CLEAN | flags, |_| id());
    }
    is_malformed(&server, CLEAN, |version| [&id()[..], none(version), &string("topic"), &string("gone")].concat());
}

/// [v3.1.1 MQTT-3.1.2-14]
#[test]
fn mqtt_3_1_2_12_will_qos_is_0_1_or_2_and_never_3() {
    let server = Server::start();
    let will = |version| [&id()[..], none(version), &string("wills"), &string("gone")].concat();
    is_malformed(&server, CLEAN | WILL | WILL_QOS_3, will);
    let mut witness = Client::connect(&server, V5, "witness");
    witness.subscribe("wills", QoS::ExactlyOnce);
    for version in [V311, V5] {
        for (bits, qos) in [(0, QoS::AtMostOnce), (0x08, QoS::AtLeastOnce), (0x10, QoS::ExactlyOnce)] {
            drop(is_accepted(&server, version, CLEAN | WILL | bits, &[&will(version)]));
            assert_eq!(witness.take().qos, qos, "{version}");
        }
    }
}

/// [MQTT-3.1.2-17] [v3.1.1 MQTT-3.1.2-18] [v3.1.1 MQTT-3.1.2-19]
#[test]
fn mqtt_3_1_2_16_the_user_name_is_there_if_and_only_if_its_flag_says_so() {
    let server = Server::start();
    is_malformed(&server, CLEAN, |_| [id(), string("user")].concat());
    is_malformed(&server, CLEAN | USERNAME, |_| id());
    is_malformed(&server, CLEAN | USERNAME | PASSWORD, |_| [id(), string("user")].concat());
    for version in [V311, V5] {
        is_accepted(&server, version, CLEAN | USERNAME, &[&id(), &string("user")]);
    }
}

/// [MQTT-3.1.2-19] [v3.1.1 MQTT-3.1.2-20] [v3.1.1 MQTT-3.1.2-21]
#[test]
fn mqtt_3_1_2_18_the_password_is_there_if_and_only_if_its_flag_says_so() {
    let server = Server::start();
    is_malformed(&server, CLEAN | USERNAME, |_| [id(), string("user"), string("secret")].concat());
    is_malformed(&server, CLEAN | USERNAME | PASSWORD, |_| [id(), string("user")].concat());
    for version in [V311, V5] {
        let payload = [id(), string("user"), string(b"\xFF\0\xFE")].concat();
        is_accepted(&server, version, CLEAN | USERNAME | PASSWORD, &[&payload]);
    }
}

#[test]
fn v311_3_1_2_22_a_password_needs_a_user_name_below_version_5() {
    let server = Server::start();
    let payload = [id(), string("secret")].concat();
    let mut client = Client::open(server.address(), V311);
    client.send_bytes(&raw::connect(V311, CLEAN | PASSWORD, &[&payload]));
    assert_eq!(client.bytes_until_close(), b"");
    is_accepted(&server, V5, CLEAN | PASSWORD, &[&payload]);
}

/// [v3.1.1 MQTT-3.1.3-1]
#[test]
fn mqtt_3_1_3_1_the_payload_has_its_fields_in_order() {
    let server = Server::start();
    let mut witness = Client::connect(&server, V5, "witness");
    witness.subscribe("wills/#", QoS::AtMostOnce);
    let flags = CLEAN | WILL | USERNAME | PASSWORD;
    for version in [V311, V5] {
        let properties: &[u8] = if version.is_v5() { &[2, 1, 1] } else { &[] };
        let rest = [string("wills/a"), string("gone"), string("user"), string("secret")].concat();
        drop(is_accepted(&server, version, flags, &[&id(), properties, &rest]));
        let message = witness.receive();
        assert_eq!((message.topic.as_str(), message.text()), ("wills/a", "gone"), "{version}");
    }
    server.logged(&["client_id=client"]);
    // Will Properties before the Client Identifier are read as the length of one that is not there.
    let mut client = Client::open(server.address(), V5);
    client.send_bytes(&raw::connect(V5, CLEAN | WILL, &[&[2, 1, 1], &id(), &string("wills/a"), &string("gone")]));
    assert_eq!(client.bytes_until_close(), [0x20, 3, 0, 0x81, 0]);
}

/// [v3.1.1 MQTT-3.1.3-3]
#[test]
fn mqtt_3_1_3_3_the_client_id_is_there_and_first() {
    let server = Server::start();
    is_malformed(&server, CLEAN, |_| Vec::new());
    is_malformed(&server, CLEAN, |_| vec![0, 7, b'c']);
    // It may be empty, but not missing.
    for version in [V311, V5] {
        is_accepted(&server, version, CLEAN, &[&string("")]);
    }
}

/// Properties of CONNECT that come twice, have no meaning there, or a value that they must not have.
///
/// [MQTT-4.13.1-1]
#[test]
fn mqtt_3_1_4_1_a_connect_with_wrong_properties_is_refused() {
    let server = Server::start();
    let rows: [(&[u8], u8); 13] = [
        (&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1], 0x82),
        (&[0x21, 0, 0], 0x82),
        (&[0x21, 0, 1, 0x21, 0, 1], 0x82),
        (&[0x27, 0, 0, 0, 0], 0x82),
        (&[0x22, 0, 1, 0x22, 0, 1], 0x82),
        (&[0x19, 2], 0x82),
        (&[0x17, 2], 0x82),
        (&[0x17, 0, 0x17, 0], 0x82),
        // Authentication Data without an Authentication Method.
        (&[0x16, 0, 1, b'x'], 0x82),
        // A Will Delay Interval outside of a Will, an unknown one, one that is cut off.
        (&[0x18, 0, 0, 0, 1], 0x81),
        (&[0x7E, 0], 0x81),
        (&[0x11, 0, 0], 0x81),
        // A property of CONNACK.
        (&[0x24, 0], 0x81),
    ];
    for (properties, reason) in rows {
        let mut client = Client::open(server.address(), V5);
        let length = [properties.len() as u8];
        client.send_bytes(&packet(0x10, &[&string("MQTT"), &[5, 2, 0, 0], &length, properties, &id()]));
        assert_eq!(client.bytes_until_close(), [0x20, 3, 0, reason, 0], "{properties:02x?}");
    }
}
