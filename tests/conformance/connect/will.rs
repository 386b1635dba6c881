//! The Will: that it is published, how, and when it is not.

use std::num::NonZeroU32;

use midge_protocol::{
    Connect, Disconnect, MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, UserPropertiesBuf, Will,
};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V311};

fn will(topic: &str) -> Will<'_> {
    let properties = MessageProperties::default();
    Will { qos: QoS::AtLeastOnce, retain: false, topic, payload: b"gone", delay: None, properties }
}

fn with_will<'a>(server: &Server, version: ProtocolVersion, will: Will<'a>) -> Client {
    Client::connect_with(server, version, "mortal", |connect| connect.will = Some(will)).0
}

fn witness(server: &Server, filter: &str) -> Client {
    let mut witness = Client::connect(server, V5, "witness");
    witness.subscribe(filter, QoS::ExactlyOnce);
    witness
}

/// However a connection ends without DISCONNECT: the network, a rule that was broken, silence, another connection.
///
/// [MQTT-3.1.2-7] [v3.1.1 MQTT-3.1.2-8]
#[test]
fn mqtt_3_1_2_8_a_connection_that_ends_without_disconnect_publishes_the_will() {
    let server = Server::start();
    let mut witness = witness(&server, "wills");
    for version in VERSIONS {
        let mut seen = |how: &str| {
            let message = witness.take();
            assert_eq!((message.text(), message.qos), ("gone", QoS::AtLeastOnce), "{version}: {how}");
        };
        drop(with_will(&server, version, will("wills")));
        seen("lost");
        let mut rude = with_will(&server, version, will("wills"));
        rude.send_bytes(&[0x00, 0]);
        seen("malformed packet");
        let mut twice = with_will(&server, version, will("wills"));
        twice.send(&Packet::Connect(Box::new(connect(version, "mortal"))));
        seen("protocol error");
        let (_silent, _) = Client::connect_with(&server, version, "mortal", |connect| {
            connect.will = Some(will("wills"));
            connect.keep_alive = 1;
        });
        seen("keep alive");
        let _old = with_will(&server, version, will("wills"));
        Client::connect(&server, version, "mortal").disconnect();
        seen("taken over");
        witness.expect_nothing();
    }
}

/// [v3.1.1 MQTT-3.1.2-10]
#[test]
fn mqtt_3_1_2_10_the_will_is_gone_once_it_is_published_or_the_client_took_leave() {
    let server = Server::start();
    let mut witness = witness(&server, "wills");
    let kept = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = connect.version.is_v5().then_some(60);
    };
    for version in VERSIONS {
        let (client, _) = Client::connect_with(&server, version, "mortal", |connect| {
            kept(connect);
            connect.will = Some(will("wills"));
        });
        drop(client);
        assert_eq!(witness.take().text(), "gone", "{version}");
        // The session is still there, its Will is not.
        let (client, _) = Client::connect_with(&server, version, "mortal", kept);
        drop(client);
        let (client, _) = Client::connect_with(&server, version, "mortal", |connect| {
            kept(connect);
            connect.will = Some(will("wills"));
        });
        client.disconnect();
        let (client, _) = Client::connect_with(&server, version, "mortal", kept);
        drop(client);
        Client::connect(&server, version, "mortal").disconnect();
        witness.expect_nothing();
    }
}

/// Only 0x00 deletes it.
///
/// [MQTT-3.1.2-10] [MQTT-3.14.4-3]
#[test]
fn mqtt_3_1_2_8_a_disconnect_with_any_other_reason_publishes_the_will() {
    let server = Server::start();
    let mut witness = witness(&server, "wills");
    let reasons = [
        ReasonCode::DisconnectWithWill,
        ReasonCode::UnspecifiedError,
        ReasonCode::MalformedPacket,
        ReasonCode::ProtocolError,
        ReasonCode::ImplementationSpecificError,
        ReasonCode::PacketTooLarge,
        ReasonCode::QuotaExceeded,
        ReasonCode::AdministrativeAction,
        ReasonCode::PayloadFormatInvalid,
    ];
    for reason in reasons {
        let mut client = with_will(&server, V5, will("wills"));
        client.send(&Packet::Disconnect(Disconnect::new(reason)));
        assert_eq!(witness.take().text(), "gone", "{reason}");
        client.expect_close();
    }
    with_will(&server, V5, will("wills")).disconnect();
    witness.expect_nothing();
}

#[test]
fn v311_3_1_2_12_without_a_will_nothing_is_published() {
    let server = Server::start();
    let mut witness = witness(&server, "#");
    for version in VERSIONS {
        drop(Client::connect(&server, version, "mortal"));
        Client::connect(&server, version, "mortal").disconnect();
    }
    witness.expect_nothing();
    assert_eq!(server.metric("midge_wills_published_total", &[]), 0.0);
}

/// [MQTT-3.1.2-15] [v3.1.1 MQTT-3.1.2-16] [v3.1.1 MQTT-3.1.2-17]
#[test]
fn mqtt_3_1_2_14_a_will_is_retained_if_and_only_if_it_says_so() {
    let server = Server::start();
    let mut witness = Client::connect(&server, V5, "witness");
    witness.subscribe("wills/+", QoS::AtMostOnce);
    for version in VERSIONS {
        for (topic, retain) in [("wills/passing", false), ("wills/kept", true)] {
            drop(with_will(&server, version, Will { retain, ..will(topic) }));
            assert_eq!(witness.receive().topic, topic, "{version}");
        }
        let mut late = Client::connect(&server, version, "late");
        late.subscribe("wills/+", QoS::AtMostOnce);
        let message = late.receive();
        assert_eq!((message.topic.as_str(), message.text(), message.retain), ("wills/kept", "gone", true), "{version}");
        late.expect_nothing();
        late.publish_with(midge_protocol::Publish {
            retain: true,
            ..crate::support::message::publish("wills/kept", b"")
        });
        witness.receive();
    }
}

/// And all its other properties; its Message Expiry Interval counts from when it is published.
#[test]
fn mqtt_3_1_3_10_the_user_properties_of_a_will_keep_their_order() {
    let server = Server::start();
    let mut witness = witness(&server, "wills");
    let pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("", ""), ("a", "2")];
    let user_properties = UserPropertiesBuf::from_iter(pairs);
    let properties = MessageProperties {
        payload_is_utf8: Some(true),
        message_expiry: Some(100),
        content_type: Some("text/plain"),
        response_topic: Some("answers"),
        correlation_data: Some(b"\0\x01"),
        user_properties: user_properties.as_ref(),
    };
    drop(with_will(&server, V5, Will { properties, qos: QoS::ExactlyOnce, ..will("wills") }));
    let message = witness.take();
    assert_eq!(message.user_properties, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(message.message_expiry, Some(100));
    assert_eq!(
        (message.content_type.as_deref(), message.response_topic.as_deref()),
        (Some("text/plain"), Some("answers"))
    );
    assert_eq!((message.correlation_data.as_deref(), message.qos), (Some(&b"\0\x01"[..]), QoS::ExactlyOnce));
}

/// Who may not publish it is refused at CONNECT; and one to a topic that is the broker's own.
///
/// [MQTT-3.2.2-7]
#[test]
fn mqtt_3_1_4_2_a_will_is_authorized_at_connect() {
    let server = Server::with(&plugin("authorizer", "hooks = [\"authz\"]"));
    let mut witness = Client::connect(&server, V5, "witness");
    assert!(!witness.subscribe("allow/#", QoS::AtMostOnce).is_error());
    for version in VERSIONS {
        for (topic, reason) in [("deny/a", ReasonCode::NotAuthorized), ("nobody/answers", ReasonCode::NotAuthorized)] {
            let mut client = Client::open(server.address(), version);
            let mut hello = connect(version, "mortal");
            hello.will = Some(will(topic));
            client.send(&Packet::Connect(Box::new(hello)));
            assert_eq!(client.connack(|connack| connack.reason), reason, "{version}: {topic}");
            client.expect_close();
        }
        let mut client = Client::open(server.address(), version);
        let mut hello = connect(version, "mortal");
        hello.will = Some(will("$SYS/broker/version"));
        client.send(&Packet::Connect(Box::new(hello)));
        let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x90, 0] } else { &[] };
        assert_eq!(client.bytes_until_close(), answer, "{version}");
        drop(with_will(&server, version, will("allow/a")));
        assert_eq!(witness.receive().text(), "gone");
    }
    witness.expect_nothing();
}

/// What the Will says is in the limits of each who gets it.
///
/// [MQTT-3.1.2-24]
#[test]
fn mqtt_3_1_2_25_a_will_that_is_too_large_for_a_client_is_dropped_for_it_alone() {
    let server = Server::start();
    let mut witness = witness(&server, "wills");
    let (mut small, _) = Client::connect_with(&server, V5, "small", |connect| {
        connect.properties.maximum_packet_size = NonZeroU32::new(100);
    });
    small.subscribe("wills", QoS::AtLeastOnce);
    let payload = [b'x'; 200];
    drop(with_will(&server, V311, Will { payload: &payload, ..will("wills") }));
    assert_eq!(witness.take().payload, payload);
    small.expect_nothing();
    assert_eq!(server.metric("midge_messages_dropped_total", &[("reason", "too_large")]), 1.0);
}
