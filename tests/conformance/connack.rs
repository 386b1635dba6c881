//! Section 3.2: CONNACK, and the abilities of the broker that it tells.

use std::num::NonZeroU32;

use midge_protocol::{Connect, MessageProperties, Packet, ProtocolVersion, Publish, QoS, ReasonCode, Will};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::raw::{self, packet, string};
use crate::support::{Client, Server};

use ProtocolVersion::{V5, V311};

/// What the broker says to a CONNECT until it closes.
fn refusal<'a>(server: &Server, version: ProtocolVersion, adjust: impl FnOnce(&mut Connect<'a>)) -> Vec<u8> {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, "client");
    adjust(&mut hello);
    client.send(&Packet::Connect(Box::new(hello)));
    client.bytes_until_close()
}

fn with_will(qos: QoS, retain: bool) -> impl FnOnce(&mut Connect<'static>) {
    let properties = MessageProperties::default();
    move |connect| connect.will = Some(Will { qos, retain, topic: "t", payload: b"x", delay: None, properties })
}

fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    connect.properties.session_expiry = connect.version.is_v5().then_some(60);
}

/// [MQTT-3.2.2-1] [v3.1.1 MQTT-3.2.0-1] [v3.1.1 MQTT-3.1.4-4]
#[test]
fn mqtt_3_2_0_2_there_is_one_connack_and_its_reserved_flags_are_0() {
    let server = Server::start();
    let mut client = Client::open(server.address(), V311);
    for flags in [0, 0, 2] {
        client = Client::open(server.address(), V311);
        client.send_bytes(&raw::connect(V311, flags, &[&string("client")]));
        client.send_bytes(&[0xC0, 0, 0xC0, 0]);
        let head = client.bytes_or_close(4);
        assert_eq!((head[0], head[1], head[2] & 0xFE, head[3]), (0x20, 2, 0, 0));
        assert_eq!(client.bytes_or_close(4), [0xD0, 0, 0xD0, 0]);
    }
    client.send_bytes(&[&raw::connect(V311, 2, &[&string("client")])[..], &[0xC0, 0]].concat());
    assert_eq!(client.bytes_until_close(), b"", "and nothing else");
}

/// [MQTT-3.2.2-7] [v3.1.1 MQTT-3.2.2-4] [v3.1.1 MQTT-3.2.2-5]
#[test]
fn mqtt_3_2_2_6_a_refusal_has_no_session_present_although_there_is_one() {
    let server = Server::with(
        "[[listener]]\nname = \"all\"\naddress = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"v5\"\naddress = \"127.0.0.1:0\"\nversions = [\"5\"]\n\
         [[listener]]\nname = \"v311\"\naddress = \"127.0.0.1:0\"\nversions = [\"3.1.1\"]\n",
    );
    for (version, elsewhere, answer) in [(V5, "v311", &[0x20, 3, 0, 0x84, 0][..]), (V311, "v5", &[0x20, 2, 0, 1])] {
        let (client, _) = Client::connect_with(&server, version, "client", kept);
        client.disconnect();
        let mut refused = Client::open(server.address_of(elsewhere), version);
        let mut hello = connect(version, "client");
        kept(&mut hello);
        refused.send(&Packet::Connect(Box::new(hello)));
        assert_eq!(refused.bytes_until_close(), answer, "{version}");
        let (_, present) = Client::connect_with(&server, version, "client", kept);
        assert!(present, "{version}");
    }
}

/// Each with the Reason Code of its cause; and where version 3.1.1 has none for it, it closes without CONNACK.
///
/// [MQTT-3.2.2-12] [MQTT-3.2.2-13] [MQTT-3.2.2-7] [v3.1.1 MQTT-3.2.2-6]
#[test]
fn mqtt_3_2_2_8_refusals_have_the_codes_of_the_standard() {
    let server = Server::with("[limits]\nmaximum_qos = 1\nretain_available = false\nclient_id_bytes_max = 23");
    let v5 = |reason: u8| vec![0x20, 3, 0, reason, 0];
    let long = "x".repeat(24);
    assert_eq!(refusal(&server, V5, with_will(QoS::ExactlyOnce, false)), v5(0x9B));
    assert_eq!(refusal(&server, V5, with_will(QoS::AtMostOnce, true)), v5(0x9A));
    assert_eq!(refusal(&server, V5, |connect| connect.client_id = &long), v5(0x85));
    assert_eq!(refusal(&server, V5, |connect| connect.properties.authentication_method = Some("nobody's")), v5(0x8C));
    assert_eq!(refusal(&server, V311, with_will(QoS::ExactlyOnce, false)), b"");
    assert_eq!(refusal(&server, V311, with_will(QoS::AtMostOnce, true)), b"");
    assert_eq!(refusal(&server, V311, |connect| connect.client_id = &long), [0x20, 2, 0, 2]);

    let full = Server::with("[limits]\nsessions_max = 1");
    let _first = Client::connect(&full, V5, "first");
    assert_eq!(refusal(&full, V5, |_| {}), v5(0x97));
    assert_eq!(refusal(&full, V311, |_| {}), [0x20, 2, 0, 3]);
}

/// The highest QoS is told, and held; subscriptions of any QoS are accepted, and granted up to it.
///
/// [MQTT-3.2.2-9] [MQTT-3.2.2-11]
#[test]
fn mqtt_3_2_2_10_a_maximum_qos_is_told_and_every_subscription_is_accepted() {
    for maximum in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let server = Server::with(&format!("[limits]\nmaximum_qos = {}", maximum as u8));
        let mut client = Client::open(server.address(), V5);
        client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
        client.connack(|connack| assert_eq!(connack.properties.maximum_qos, Some(maximum)));
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(client.subscribe("t", qos), ReasonCode::granted(qos.min(maximum)));
        }
        assert!(!client.publish("t", "x", maximum).is_error());
        assert_eq!(client.take().qos, maximum);
        let above = if maximum == QoS::AtMostOnce { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        let packet_id = Some(client.new_id());
        client.send(&Packet::Publish(Publish { qos: above, packet_id, ..publish("t", b"x") }));
        client.expect_disconnect(ReasonCode::QosNotSupported);
    }
    let server = Server::start();
    let mut client = Client::open(server.address(), V5);
    client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
    client.connack(|connack| assert_eq!(connack.properties.maximum_qos, None));
}

#[test]
fn mqtt_3_2_2_14_where_retain_is_not_available_it_is_told_and_not_taken() {
    let server = Server::with("[limits]\nretain_available = false");
    let mut client = Client::open(server.address(), V5);
    client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
    client.connack(|connack| assert_eq!(connack.properties.retain_available, Some(false)));
    client.send(&Packet::Publish(Publish { retain: true, ..publish("t", b"x") }));
    client.expect_disconnect(ReasonCode::RetainNotSupported);
    assert_eq!(server.metric("midge_retained_messages", &[]), 0.0);
}

/// To the byte.
#[test]
fn mqtt_3_2_2_15_a_packet_above_the_brokers_maximum_closes() {
    let server = Server::with("[limits]\npacket_bytes_max = \"1KiB\"");
    let mut client = Client::open(server.address(), V5);
    client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
    client.connack(|connack| assert_eq!(connack.properties.maximum_packet_size, NonZeroU32::new(1024)));
    client.subscribe("t", QoS::AtMostOnce);
    // Three bytes of fixed header, three of the Topic Name, one for no properties.
    let payload = [b'x'; 1018];
    client.send(&Packet::Publish(publish("t", &payload[..1017])));
    assert_eq!(client.receive().payload.len(), 1017);
    client.send(&Packet::Publish(publish("t", &payload)));
    client.expect_disconnect(ReasonCode::PacketTooLarge);
}

#[test]
fn mqtt_3_2_2_17_an_alias_above_the_brokers_maximum_closes() {
    let server = Server::with("[limits]\ntopic_alias_maximum = 3");
    let open = || {
        let mut client = Client::open(server.address(), V5);
        client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
        client.connack(|connack| assert_eq!(connack.properties.topic_alias_maximum, Some(3)));
        client
    };
    let mut client = open();
    for alias in 1..=3 {
        client.send(&Packet::Publish(Publish { topic_alias: Some(alias), ..publish("t", b"x") }));
    }
    client.ping();
    for alias in [4, u16::MAX] {
        let mut client = open();
        client.send(&Packet::Publish(Publish { topic_alias: Some(alias), ..publish("t", b"x") }));
        client.expect_disconnect(ReasonCode::TopicAliasInvalid);
    }
}

#[test]
fn mqtt_3_2_2_18_where_the_broker_takes_no_alias_any_alias_closes() {
    let server = Server::with("[limits]\ntopic_alias_maximum = 0");
    let mut client = Client::open(server.address(), V5);
    client.send(&Packet::Connect(Box::new(connect(V5, "client"))));
    client.connack(|connack| assert_eq!(connack.properties.topic_alias_maximum, None));
    client.send(&Packet::Publish(Publish { topic_alias: Some(1), ..publish("t", b"x") }));
    client.expect_disconnect(ReasonCode::TopicAliasInvalid);
}

/// [MQTT-3.1.2-24]
#[test]
fn mqtt_3_2_2_19_a_reason_that_makes_connack_too_large_is_left_out() {
    let server = Server::with(&plugin("deny-all", "hooks = [\"authn\"]"));
    let ask = |maximum: Option<u32>| {
        refusal(&server, V5, |connect| {
            connect.username = Some("nobody");
            connect.properties.maximum_packet_size = maximum.and_then(NonZeroU32::new);
        })
    };
    let text = string("nobody may come in");
    let length = [1 + text.len() as u8];
    let whole = packet(0x20, &[&[0, 0x86], &length, &[0x1F], &text]);
    assert_eq!(ask(None), whole);
    assert_eq!(ask(Some(whole.len() as u32)), whole);
    assert_eq!(ask(Some(whole.len() as u32 - 1)), [0x20, 3, 0, 0x86, 0]);
    assert_eq!(ask(Some(5)), [0x20, 3, 0, 0x86, 0]);
    assert_eq!(ask(Some(4)), b"");
}

#[test]
fn mqtt_3_2_2_20_user_properties_that_make_connack_too_large_are_left_out() {
    let server = Server::with(&plugin("permission-grantor", ""));
    let name = "x".repeat(100);
    let connack = |maximum: Option<u32>| {
        let mut client = Client::open(server.address(), V5);
        let mut hello = connect(V5, "client");
        hello.username = Some(&name);
        hello.properties.maximum_packet_size = maximum.and_then(NonZeroU32::new);
        client.send(&Packet::Connect(Box::new(hello)));
        let head = client.bytes_or_close(2);
        assert_eq!(head[0], 0x20);
        // More than 127 bytes have a length of two bytes.
        let (length, more) =
            if head[1] < 0x80 { (usize::from(head[1]), 0) } else { (usize::from(head[1] & 0x7F) + 128, 1) };
        let rest = client.bytes_or_close(length + more);
        client.ping();
        [head, rest].concat()
    };
    let pair = [&[0x26][..], &string("welcome"), &string(&name)].concat();
    let has_pair = |connack: &[u8]| connack.windows(pair.len()).any(|window| window == pair);
    let whole = connack(None);
    assert!(has_pair(&whole));
    assert_eq!(connack(Some(whole.len() as u32)), whole);
    let without = connack(Some(whole.len() as u32 - 1));
    assert!(!has_pair(&without) && without.len() <= whole.len() - pair.len());
}
