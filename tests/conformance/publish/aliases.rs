//! Topic Aliases (3.3.2.3.4), in both directions.

use midge_protocol::{Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use super::{closes, lasts, with_properties};
use crate::support::message::publish;
use crate::support::{Client, Server};

const V5: ProtocolVersion = ProtocolVersion::V5;

fn send(client: &mut Client, topic: &str, alias: u16, text: &str) {
    client.send(&Packet::Publish(Publish { topic_alias: Some(alias), ..publish(topic, text.as_bytes()) }));
}

/// A client that takes this many aliases and has subscribed to everything.
fn subscriber(server: &Server, aliases: Option<u16>) -> Client {
    let (mut client, _) = Client::connect_with(server, V5, "subscriber", |connect| {
        lasts(connect);
        connect.properties.topic_alias_maximum = aliases;
    });
    client.subscribe("#", QoS::AtLeastOnce);
    client
}

#[test]
fn mqtt_3_3_2_7_the_aliases_of_a_client_end_with_its_connection() {
    let server = Server::start();
    let (mut client, _) = Client::connect_with(&server, V5, "publisher", lasts);
    send(&mut client, "t", 1, "x");
    send(&mut client, "", 1, "x");
    client.ping();
    drop(client);
    let (mut client, present) = Client::connect_with(&server, V5, "publisher", lasts);
    assert!(present, "the session is the same, the connection is not");
    send(&mut client, "", 1, "x");
    client.expect_disconnect(ReasonCode::ProtocolError);
    // And another connection's are its own.
    let mut other = Client::connect(&server, V5, "other");
    send(&mut client, "t", 1, "x");
    send(&mut other, "", 1, "x");
    other.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_3_2_7_the_aliases_of_the_broker_end_with_the_connection() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    let mut client = subscriber(&server, Some(5));
    let mut before = Vec::new();
    for text in ["one", "two"] {
        publisher.publish("long/topic", text, QoS::AtLeastOnce);
        before.push(client.receive());
    }
    assert_eq!([before[0].topic.as_str(), before[1].topic.as_str()], ["long/topic", ""]);
    assert_eq!(before[0].topic_alias, before[1].topic_alias);
    drop(client);
    // What is sent again is sent with its name, and where there are no aliases any more, without one.
    for aliases in [Some(1), None] {
        let mut client = subscriber(&server, aliases);
        let again = [client.receive(), client.receive()];
        assert_eq!(again[0].topic, "long/topic");
        assert_eq!(again[1].topic, if aliases.is_some() { "" } else { "long/topic" });
        assert!(again.iter().all(|message| message.dup && message.topic_alias.is_some() == aliases.is_some()));
    }
}

#[test]
fn mqtt_3_3_2_8_alias_0_closes() {
    let server = Server::start();
    closes(&server, V5, &with_properties(&[0x23, 0, 0]), ReasonCode::TopicAliasInvalid);
}

/// An alias that was never defined stands for nothing, and neither does no topic and no alias.
#[test]
fn mqtt_3_3_2_8_an_alias_without_a_topic_closes() {
    let server = Server::start();
    for bytes in [&[0x30, 6, 0, 0, 3, 0x23, 0, 1][..], &[0x30, 3, 0, 0, 0]] {
        closes(&server, V5, bytes, ReasonCode::ProtocolError);
    }
}

/// [MQTT-3.3.2-9] [MQTT-3.2.2-17] [MQTT-3.2.2-18]
#[test]
fn mqtt_3_3_2_12_every_alias_up_to_the_maximum_is_taken_and_none_above() {
    for maximum in [0, 1, 64, 65_535] {
        let server = Server::with(&format!("[limits]\ntopic_alias_maximum = {maximum}"));
        let mut client = Client::open(server.address(), V5);
        client.send(&Packet::Connect(Box::new(crate::support::client::connect(V5, "client"))));
        let announced = client.connack(|connack| connack.properties.topic_alias_maximum);
        assert_eq!(announced.unwrap_or(0), maximum);
        client.subscribe("#", QoS::AtMostOnce);
        for alias in [1, 2, 63, 64, 65, 32_768, 65_535] {
            if alias > maximum {
                let mut client = Client::connect(&server, V5, "beyond");
                send(&mut client, "t", alias, "x");
                client.expect_disconnect(ReasonCode::TopicAliasInvalid);
                continue;
            }
            let topic = format!("topic/{alias}");
            for name in [topic.as_str(), ""] {
                send(&mut client, name, alias, "x");
                assert_eq!(client.receive().topic, topic);
            }
        }
    }
}

/// With another topic an alias is another one from then on; two may stand for one topic.
///
/// [MQTT-3.3.2-12]
#[test]
fn mqtt_3_3_2_12_an_alias_can_be_defined_again() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("#", QoS::AtMostOnce);
    let rows = [("a", 1, "a"), ("", 1, "a"), ("b", 1, "b"), ("", 1, "b"), ("b", 2, "b"), ("a", 1, "a"), ("", 2, "b")];
    for (name, alias, topic) in rows {
        send(&mut client, name, alias, "x");
        assert_eq!(client.receive().topic, topic);
    }
    // Not by a message that closes.
    send(&mut client, "+", 1, "x");
    client.expect_disconnect(ReasonCode::MalformedPacket);
}

/// Nothing goes to the topic of an alias that came with a message that was refused, but the alias is defined.
///
/// [MQTT-3.3.2-12]
#[test]
fn mqtt_3_3_2_12_a_refused_message_defines_its_alias() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("#", QoS::AtMostOnce);
    send(&mut client, "$SYS/mine", 1, "x");
    send(&mut client, "", 1, "x");
    client.expect_nothing();
}

/// [MQTT-3.1.2-26] [MQTT-3.1.2-27]
#[test]
fn mqtt_3_3_2_11_the_broker_uses_no_alias_above_the_clients_maximum() {
    let server = Server::with("[limits]\ntopic_aliases_sent_max = 3");
    let mut publisher = Client::connect(&server, V5, "publisher");
    for (maximum, used) in [(None, 0), (Some(0), 0), (Some(1), 1), (Some(2), 2), (Some(u16::MAX), 3)] {
        let mut client = subscriber(&server, maximum);
        let topics = ["a", "b", "c", "d", "a", "d", "b"];
        let mut known: Vec<(u16, String)> = Vec::new();
        for (topic, qos) in topics.into_iter().zip([QoS::AtMostOnce, QoS::AtLeastOnce].into_iter().cycle()) {
            publisher.publish(topic, topic, qos);
            let message = client.take();
            assert_eq!(message.text(), topic);
            match message.topic_alias {
                None => assert_eq!(message.topic, topic),
                Some(alias) if message.topic.is_empty() => assert!(known.contains(&(alias, topic.to_owned()))),
                Some(alias) => known.push((alias, message.topic)),
            }
        }
        let aliases: Vec<u16> = known.iter().map(|(alias, _)| *alias).collect();
        assert_eq!(aliases, (1..=used).collect::<Vec<_>>(), "with a maximum of {maximum:?}");
        client.disconnect();
    }
}
