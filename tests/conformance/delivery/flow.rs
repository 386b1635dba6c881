//! Flow control (4.9, 3.3.4), in both directions.

use std::num::NonZeroU16;

use midge_protocol::{Ack, Packet, PacketId, ProtocolVersion, QoS, ReasonCode};

use super::{expect, id, lasts, numbered, puback, pubrec};
use crate::support::{Client, Server};

/// A version 5 client with this Receive Maximum.
fn narrow(server: &Server, client_id: &str, receive_maximum: u16) -> Client {
    let adjust = |connect: &mut midge_protocol::Connect<'_>| {
        lasts(connect);
        connect.properties.receive_maximum = NonZeroU16::new(receive_maximum);
    };
    Client::connect_with(server, ProtocolVersion::V5, client_id, adjust).0
}

/// [MQTT-3.3.4-9] [MQTT-4.9.0-1]
#[test]
fn mqtt_4_9_0_2_no_more_is_sent_than_the_client_can_receive_and_each_end_makes_room() {
    let server = Server::start();
    let mut subscriber = narrow(&server, "narrow", 3);
    subscriber.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for number in 1..=9_u16 {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        publisher.publish("t", &number.to_string(), qos);
    }
    let [one, two, three] = [(); 3].map(|()| subscriber.receive().packet_id.unwrap());
    subscriber.expect_nothing();
    // PUBREC makes no room, but PUBCOMP, PUBACK, and a PUBREC that says no do.
    pubrec(&mut subscriber, one);
    subscriber.expect_nothing();
    subscriber.send(&Packet::Pubcomp(Ack::new(one)));
    assert_eq!(subscriber.receive().text(), "4");
    subscriber.send(&Packet::Puback(Ack::with_reason(two, ReasonCode::UnspecifiedError)));
    assert_eq!(subscriber.receive().text(), "5");
    subscriber.send(&Packet::Pubrec(Ack::with_reason(three, ReasonCode::UnspecifiedError)));
    assert_eq!(subscriber.receive().text(), "6");
    subscriber.expect_nothing();
    // What was never sent makes none.
    puback(&mut subscriber, PacketId::new(999));
    subscriber.expect_nothing();
}

/// [MQTT-3.3.4-10] [MQTT-4.9.0-3]
#[test]
fn mqtt_3_3_4_10_a_client_without_quota_is_sent_everything_but_qos_1_and_2() {
    let server = Server::start();
    let mut client = narrow(&server, "full", 1);
    client.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for text in ["first", "waits"] {
        publisher.publish("t", text, QoS::AtLeastOnce);
    }
    let first = client.receive();
    client.ping();
    assert_eq!(client.subscribe("zero", QoS::AtMostOnce), ReasonCode::Success);
    publisher.publish("zero", "x", QoS::AtMostOnce);
    assert_eq!(client.receive().topic, "zero");
    assert_eq!(client.unsubscribe("zero"), ReasonCode::Success);
    assert!(!client.publish("elsewhere", "x", QoS::AtLeastOnce).is_error());
    assert!(!client.publish("elsewhere", "x", QoS::ExactlyOnce).is_error());
    client.expect_nothing();
    puback(&mut client, first.packet_id);
    assert_eq!(client.take().text(), "waits");
}

/// [MQTT-3.3.4-10] [MQTT-4.4.0-1]
#[test]
fn mqtt_3_3_4_10_a_pubrel_that_is_sent_again_does_not_wait_for_the_quota() {
    let server = Server::start();
    let mut client = narrow(&server, "resumed", 10);
    client.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for text in ["one", "two", "released"] {
        let qos = if text == "released" { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
        publisher.publish("t", text, qos);
    }
    let [one, two, released] = [(); 3].map(|()| client.receive().packet_id);
    pubrec(&mut client, released.unwrap());
    drop(client);
    let mut client = narrow(&server, "resumed", 1);
    assert_eq!(client.receive().packet_id, one);
    expect(&mut client, &Packet::Pubrel(Ack::new(released.unwrap())));
    client.send(&Packet::Pubcomp(Ack::new(released.unwrap())));
    client.expect_nothing();
    puback(&mut client, one);
    assert_eq!(client.receive().packet_id, two);
}

/// [MQTT-4.9.0-2]: the client's quota, kept by the broker. PUBREC frees no place, PUBCOMP does.
#[test]
fn mqtt_3_3_4_7_a_client_that_exceeds_the_brokers_receive_maximum_is_told_0x93() {
    let server = Server::with("[limits]\nreceive_maximum = 2");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "hasty");
    client.subscribe("other", QoS::AtMostOnce);
    let publish = |client: &mut Client, number| {
        client.send(&Packet::Publish(numbered("t", "x", QoS::ExactlyOnce, number)));
    };
    for number in [1, 2] {
        publish(&mut client, number);
        assert!(!client.acknowledgement(id(number)).is_error());
    }
    // A message sent again is no further one, and QoS 0 needs no quota.
    publish(&mut client, 2);
    assert!(!client.acknowledgement(id(2)).is_error());
    client.publish("other", "x", QoS::AtMostOnce);
    assert_eq!(client.receive().topic, "other");
    client.send(&Packet::Pubrel(Ack::new(id(1))));
    expect(&mut client, &Packet::Pubcomp(Ack::new(id(1))));
    for number in [3, 4] {
        publish(&mut client, number);
    }
    assert!(!client.acknowledgement(id(3)).is_error());
    client.expect_disconnect(ReasonCode::ReceiveMaximumExceeded);
}

/// Below version 5 nobody announces a Receive Maximum, so none is held against the client.
///
/// [v3.1.1 MQTT-4.3.3-2]
#[test]
fn v311_4_3_3_2_a_client_that_was_told_no_receive_maximum_cannot_exceed_it() {
    let server = Server::with("[limits]\nreceive_maximum = 2");
    let mut client = Client::connect(&server, ProtocolVersion::V311, "wide");
    for number in 1..=50 {
        client.send(&Packet::Publish(numbered("t", "x", QoS::ExactlyOnce, number)));
    }
    for number in 1..=50 {
        expect(&mut client, &Packet::Pubrec(Ack::new(id(number))));
    }
}
