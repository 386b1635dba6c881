//! What a client says it takes: the size of a packet, topic aliases, reasons, Response Information.

use std::num::{NonZeroU16, NonZeroU32};

use midge_protocol::{
    Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions,
    UserProperties,
};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server};

use ProtocolVersion::V5;

fn at_most(bytes: u32) -> impl FnOnce(&mut Connect<'_>) {
    move |connect| connect.properties.maximum_packet_size = NonZeroU32::new(bytes)
}

fn dropped(server: &Server) -> f64 {
    server.metric("midge_messages_dropped_total", &[("reason", "too_large")])
}

/// To the byte. It is dropped for this client alone, counted, named in the log, and takes none of its quota.
///
/// [MQTT-3.1.2-25]
#[test]
fn mqtt_3_1_2_24_a_message_too_large_for_a_client_is_not_sent_to_it() {
    let server = Server::start();
    let (mut small, _) = Client::connect_with(&server, V5, "small", |connect| {
        at_most(100)(connect);
        connect.properties.receive_maximum = NonZeroU16::new(1);
    });
    let mut large = Client::connect(&server, V5, "large");
    let mut publisher = Client::connect(&server, V5, "publisher");
    for (round, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        small.subscribe("t", qos);
        large.subscribe("t", qos);
        // Fixed header, Topic Name, no properties, and for QoS 1 and 2 the Packet Identifier.
        let fits = 100 - if qos == QoS::AtMostOnce { 6 } else { 8 };
        for length in [fits + 1, fits, fits + 1, fits] {
            publisher.publish("t", &"x".repeat(length), qos);
            assert_eq!(large.take().payload.len(), length, "{qos:?}");
            if length == fits {
                assert_eq!(small.take().payload.len(), length, "{qos:?}");
            }
        }
        small.expect_nothing();
        assert_eq!(dropped(&server), 2.0 * (round as f64 + 1.0), "{qos:?}");
    }
    server.logged(&["messages dropped", "client_id=small", "too_large"]);
}

/// Retained ones, those that waited in the session, and those that were sent on a connection that took more.
///
/// [MQTT-3.1.2-25]
#[test]
fn mqtt_3_1_2_24_what_waited_for_a_client_is_measured_too() {
    let server = Server::start();
    let kept = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(60);
    };
    let large = "x".repeat(200);
    let mut publisher = Client::connect(&server, V5, "publisher");
    publisher.retain("kept", &large, QoS::AtLeastOnce);
    let (mut client, _) = Client::connect_with(&server, V5, "client", kept);
    client.subscribe("t", QoS::AtLeastOnce);
    publisher.publish("t", &large, QoS::AtLeastOnce);
    client.receive();
    drop(client);
    publisher.publish("t", &large, QoS::AtLeastOnce);
    publisher.publish("t", "small", QoS::AtLeastOnce);
    let (mut client, present) = Client::connect_with(&server, V5, "client", |connect| {
        kept(connect);
        at_most(100)(connect);
    });
    assert!(present);
    assert_eq!(client.take().text(), "small");
    client.subscribe("kept", QoS::AtLeastOnce);
    client.expect_nothing();
    assert_eq!(dropped(&server), 3.0);
    // It is as if they had been sent: they do not come when there is room.
    client.disconnect();
    let (mut client, _) = Client::connect_with(&server, V5, "client", kept);
    client.expect_nothing();
}

/// Nor is any other packet: who does not take its CONNACK is refused, and an answer with more reasons than the client takes in
/// one packet is discarded.
///
/// [MQTT-3.2.2-7]
#[test]
fn mqtt_3_1_2_24_an_answer_too_large_for_a_client_is_not_sent_to_it() {
    let server = Server::start();
    for (maximum, answer) in [(1, &b""[..]), (4, b""), (5, &[0x20, 3, 0, 0x95, 0]), (10, &[0x20, 3, 0, 0x95, 0])] {
        let mut client = Client::open(server.address(), V5);
        let mut hello = connect(V5, "tiny");
        at_most(maximum)(&mut hello);
        client.send(&Packet::Connect(Box::new(hello)));
        assert_eq!(client.bytes_until_close(), answer, "{maximum}");
    }
    let (mut client, _) = Client::connect_with(&server, V5, "small", at_most(50));
    let mut subscribe = |filters: usize| {
        client.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::new(1).unwrap(),
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter: "t", options: SubscribeOptions::new(QoS::AtMostOnce) }; filters],
        }));
    };
    subscribe(45);
    subscribe(46);
    assert_eq!(client.suback(PacketId::new(1).unwrap()).len(), 45);
    client.expect_nothing();
}

/// The Topic Name of the next PUBLISH, and its Topic Alias.
fn aliased(client: &mut Client) -> (String, Option<u16>) {
    client.next(|packet| match packet {
        Packet::Publish(publish) => (publish.topic.to_owned(), publish.topic_alias),
        other => panic!("{other:?} instead of PUBLISH"),
    })
}

/// As many as the client takes; the topics beyond that are sent by name.
#[test]
fn mqtt_3_1_2_26_no_alias_is_above_the_clients_maximum() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    for maximum in [1, 2, 5] {
        let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| {
            connect.properties.topic_alias_maximum = Some(maximum);
        });
        client.subscribe("t/#", QoS::AtMostOnce);
        let mut known = std::collections::BTreeMap::new();
        for round in 0..4 {
            for number in 0..8 {
                let topic = format!("t/{number}");
                publisher.publish(&topic, "x", QoS::AtMostOnce);
                let (name, alias) = aliased(&mut client);
                if let Some(alias) = alias {
                    assert!((1..=maximum).contains(&alias), "{alias} of {maximum}");
                    if !name.is_empty() {
                        known.insert(alias, name.clone());
                    }
                }
                let meant = if name.is_empty() { &known[&alias.unwrap()] } else { &name };
                assert_eq!(*meant, topic, "round {round}");
            }
        }
        assert!(!known.is_empty());
    }
}

/// On every connection anew: what the one before agreed to is forgotten.
#[test]
fn mqtt_3_1_2_27_without_a_maximum_there_are_no_aliases() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    for maximum in [Some(10), None, Some(10), Some(0), Some(1)] {
        let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(60);
            connect.properties.topic_alias_maximum = maximum;
        });
        client.subscribe("t", QoS::AtMostOnce);
        for repeated in [false, true, true] {
            publisher.publish("t", "x", QoS::AtMostOnce);
            let expected = match maximum {
                None | Some(0) => ("t".to_owned(), None),
                Some(_) if repeated => (String::new(), Some(1)),
                Some(_) => ("t".to_owned(), Some(1)),
            };
            assert_eq!(aliased(&mut client), expected, "{maximum:?}");
        }
        client.disconnect();
    }
}

#[test]
fn mqtt_3_1_2_28_response_information_is_not_sent_unasked() {
    let server = Server::start();
    for asked in [None, Some(false), Some(true)] {
        let mut client = Client::open(server.address(), V5);
        let mut hello = connect(V5, "client");
        hello.properties.request_response_information = asked;
        client.send(&Packet::Connect(Box::new(hello)));
        // The broker has none to offer, which it may also keep from those who ask.
        client.connack(|connack| assert_eq!(connack.properties.response_information, None));
    }
}

/// A denial has a reason: in PUBACK and PUBREC if the client asks for it, and nowhere if it does not.
#[test]
fn mqtt_3_1_2_29_reasons_are_not_sent_to_a_client_that_does_not_want_them() {
    let server = Server::with(&plugin("authorizer", "hooks = [\"authz\"]"));
    for (wanted, text) in
        [(None, Some("the guest says no")), (Some(true), Some("the guest says no")), (Some(false), None)]
    {
        let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| {
            connect.properties.request_problem_information = wanted;
        });
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let packet_id = PacketId::new(3);
            client.send(&Packet::Publish(Publish { qos, packet_id, ..publish("deny/a", b"x") }));
            client.next(|packet| match packet {
                Packet::Puback(ack) | Packet::Pubrec(ack) => {
                    assert_eq!((ack.reason, ack.properties.reason_string), (ReasonCode::NotAuthorized, text));
                    assert!(ack.properties.user_properties.is_empty());
                }
                other => panic!("{other:?}"),
            });
        }
        client.send_subscribe("deny/#", SubscribeOptions::new(QoS::AtMostOnce));
        client.next(|packet| match packet {
            Packet::Suback(suback) => {
                assert_eq!(suback.reasons, [ReasonCode::NotAuthorized]);
                let properties = suback.properties;
                assert!(wanted != Some(false) || properties.reason_string.is_none());
                assert!(properties.user_properties.is_empty());
            }
            other => panic!("{other:?}"),
        });
    }
}
