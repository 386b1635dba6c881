//! The Message Expiry Interval (3.3.2.3.3). What is shorter than a wait is over after it; a wait may be longer than meant.

use std::num::NonZeroU16;
use std::thread::sleep;
use std::time::{Duration, Instant};

use midge_protocol::{Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};

use super::lasts;
use crate::support::message::publish;
use crate::support::{Client, Server};

const V5: ProtocolVersion = ProtocolVersion::V5;

/// Publishes with this interval, in seconds.
fn mortal(publisher: &mut Client, text: &str, qos: QoS, seconds: u32) -> ReasonCode {
    let mut message = publish("t", text.as_bytes());
    message.qos = qos;
    message.properties.message_expiry = Some(seconds);
    publisher.publish_with(message)
}

/// While the client is away, and while it has no quota.
///
/// [MQTT-3.3.2-6]
#[test]
fn mqtt_3_3_2_5_an_expired_message_is_not_sent_and_others_say_what_is_left() {
    let server = Server::start();
    let (mut away, _) = Client::connect_with(&server, V5, "away", lasts);
    away.subscribe("t", QoS::ExactlyOnce);
    away.disconnect();
    let (mut full, _) = Client::connect_with(&server, V5, "full", |connect| {
        lasts(connect);
        connect.properties.receive_maximum = NonZeroU16::new(1);
    });
    full.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, V5, "publisher");
    let started = Instant::now();
    publisher.publish("t", "first", QoS::AtLeastOnce);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        mortal(&mut publisher, "expires", qos, 1);
        mortal(&mut publisher, "lives", qos, 1000);
    }
    sleep(Duration::from_millis(2100));
    let (mut back, _) = Client::connect_with(&server, V5, "away", lasts);
    for client in [&mut back, &mut full] {
        let first = client.take();
        assert_eq!((first.text(), first.message_expiry), ("first", None));
        for _ in 0..2 {
            let message = client.take();
            let waited = u32::try_from(started.elapsed().as_secs()).unwrap() + 1;
            let left = message.message_expiry.unwrap();
            assert_eq!(message.text(), "lives");
            assert!((1000 - waited..=998).contains(&left), "{left} after at most {waited} s");
        }
        client.expect_nothing();
    }
    server.metric_reaches("midge_messages_dropped_total", &[("reason", "expired")], 4.0);
}

/// [MQTT-3.3.2-6]
#[test]
fn mqtt_3_3_2_6_a_message_that_did_not_wait_has_its_whole_interval() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("t", QoS::AtMostOnce);
    for seconds in [0, 10, u32::MAX] {
        mortal(&mut client, "x", QoS::AtMostOnce, seconds);
        assert_eq!(client.receive().message_expiry, Some(seconds));
    }
}

#[test]
fn mqtt_4_3_3_7_a_delivery_that_began_is_completed_whatever_expires() {
    let server = Server::start();
    let (mut subscriber, _) = Client::connect_with(&server, V5, "subscriber", lasts);
    subscriber.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, V5, "publisher");
    for qos in [QoS::ExactlyOnce, QoS::AtLeastOnce] {
        mortal(&mut publisher, "begun", qos, 1);
    }
    let before = [subscriber.receive(), subscriber.receive()];
    drop(subscriber);
    sleep(Duration::from_millis(1500));
    let (mut subscriber, _) = Client::connect_with(&server, V5, "subscriber", lasts);
    for message in before {
        let again = subscriber.receive();
        assert_eq!((again.text(), again.packet_id, again.dup), ("begun", message.packet_id, true));
    }
}

/// [MQTT-4.3.3-13]
#[test]
fn mqtt_4_3_3_13_an_expired_message_of_qos_2_is_still_acknowledged_to_the_end() {
    let server = Server::start();
    let (mut away, _) = Client::connect_with(&server, V5, "away", lasts);
    away.subscribe("t", QoS::ExactlyOnce);
    away.disconnect();
    let mut publisher = Client::connect(&server, V5, "publisher");
    let id = PacketId::new(3).unwrap();
    let mut message = Publish { qos: QoS::ExactlyOnce, packet_id: Some(id), ..publish("t", b"x") };
    message.properties.message_expiry = Some(1);
    publisher.send(&Packet::Publish(message.clone()));
    publisher.next(|packet| assert_eq!(*packet, Packet::Pubrec(Ack::new(id))));
    sleep(Duration::from_millis(1500));
    publisher.send(&Packet::Publish(Publish { dup: true, ..message }));
    publisher.next(|packet| assert_eq!(*packet, Packet::Pubrec(Ack::new(id))));
    publisher.send(&Packet::Pubrel(Ack::new(id)));
    publisher.next(|packet| assert_eq!(*packet, Packet::Pubcomp(Ack::new(id))));
    Client::connect_with(&server, V5, "away", lasts).0.expect_nothing();
}
