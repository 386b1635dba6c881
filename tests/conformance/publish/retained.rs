//! RETAIN (3.3.1.3).

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use super::BOTH;
use crate::support::{Client, Server};

const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// [v3.1.1 MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-8]
#[test]
fn mqtt_3_3_1_5_a_retained_message_is_stored_with_its_quality_and_replaces_the_one_before() {
    let server = Server::start();
    for version in BOTH {
        let mut publisher = Client::connect(&server, version, "publisher");
        for before in QUALITIES {
            for qos in QUALITIES {
                publisher.retain("state", "old", before);
                publisher.retain("state", "new", qos);
                let mut subscriber = Client::connect(&server, version, "subscriber");
                subscriber.subscribe("state", QoS::ExactlyOnce);
                let message = subscriber.take();
                assert_eq!((message.text(), message.qos, message.retain), ("new", qos, true), "{version}");
                subscriber.expect_nothing();
            }
        }
    }
}

/// [v3.1.1 MQTT-3.3.1-11]
#[test]
fn mqtt_3_3_1_7_a_message_without_payload_is_never_retained() {
    let server = Server::start();
    for version in BOTH {
        let mut client = Client::connect(&server, version, "client");
        for qos in QUALITIES {
            client.retain("empty", "", qos);
            client.subscribe("empty", QoS::AtMostOnce);
            client.expect_nothing();
            client.unsubscribe("empty");
        }
    }
    assert!(server.metric("midge_retained_messages", &[]) < 0.5);
}

/// [v3.1.1 MQTT-3.3.1-12]
#[test]
fn mqtt_3_3_1_8_a_message_without_retain_is_neither_stored_nor_replaces_nor_removes() {
    let server = Server::start();
    for version in BOTH {
        let mut client = Client::connect(&server, version, "client");
        client.retain("kept", "kept", QoS::AtLeastOnce);
        for qos in QUALITIES {
            client.publish("kept", "passing", qos);
            client.publish("kept", "", qos);
            client.publish("none", "passing", qos);
        }
        client.subscribe("none", QoS::AtMostOnce);
        client.expect_nothing();
        client.subscribe("kept", QoS::AtMostOnce);
        assert_eq!(client.receive().text(), "kept", "{version}");
    }
}

/// [v3.1.1 MQTT-3.3.1-9]
#[test]
fn mqtt_3_3_1_12_an_established_subscription_gets_messages_without_retain() {
    let server = Server::start();
    for version in BOTH {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("t", QoS::ExactlyOnce);
        for qos in QUALITIES {
            client.retain("t", "x", qos);
            let message = client.take();
            assert_eq!((message.retain, message.qos), (false, qos), "{version}");
        }
        client.retain("t", "", QoS::AtMostOnce);
    }
}

/// And an empty one of QoS 0 removes.
#[test]
fn v311_3_3_1_7_a_retained_message_of_qos_0_takes_the_place_of_the_one_before() {
    let server = Server::with("[limits]\nretained_bytes_max = \"1KiB\"");
    let mut client = Client::connect(&server, ProtocolVersion::V311, "client");
    let retained = |client: &mut Client| {
        client.subscribe("t", QoS::AtMostOnce);
        client.messages_until_pong()
    };
    client.retain("t", "one", QoS::AtLeastOnce);
    client.retain("t", "zero", QoS::AtMostOnce);
    client.subscribe("t", QoS::AtMostOnce);
    assert_eq!(client.receive().text(), "zero");
    client.unsubscribe("t");
    client.retain("t", "", QoS::AtMostOnce);
    assert_eq!(retained(&mut client), 0);
    // Even one for which there is no room.
    client.unsubscribe("t");
    client.retain("t", "one", QoS::AtLeastOnce);
    client.retain("t", &"x".repeat(5000), QoS::AtMostOnce);
    assert_eq!(retained(&mut client), 0);
}

/// What cannot be stored is not accepted: the client is told, and what was there stays.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn mqtt_3_4_2_1_a_retained_message_without_room_is_refused_with_0x97() {
    let server = Server::with("[limits]\nretained_messages_max = 1");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    assert!(!client.retain("kept", "x", QoS::AtLeastOnce).is_error());
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(client.retain("further", "x", qos), ReasonCode::QuotaExceeded);
        assert!(!client.retain("kept", "y", qos).is_error(), "in its place");
    }
    client.subscribe("#", QoS::AtMostOnce);
    assert_eq!(client.receive().text(), "y");
    client.expect_nothing();
}
