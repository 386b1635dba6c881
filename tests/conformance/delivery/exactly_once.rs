//! QoS 2 (4.3.3).

use midge_protocol::{Ack, Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use super::{BOTH, expect, id, lasting, numbered, pubrec};
use crate::support::{Client, Server, VERSIONS};

/// [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [v3.1.1 MQTT-4.3.3-1]
#[test]
fn mqtt_4_3_3_6_after_pubrel_the_publish_is_never_sent_again() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = lasting(&server, version, "two");
        subscriber.subscribe("two", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for text in ["released", "unanswered"] {
            publisher.publish("two", text, QoS::ExactlyOnce);
        }
        let [released, unanswered] = [(); 2].map(|()| subscriber.receive());
        assert_ne!(released.packet_id, unanswered.packet_id);
        assert!([&released, &unanswered].iter().all(|message| message.qos == QoS::ExactlyOnce && !message.dup));
        pubrec(&mut subscriber, released.packet_id.unwrap());
        drop(subscriber);

        // Neither was answered to the end: the PUBLISH that has no PUBREC, and the PUBREL that has no PUBCOMP.
        for _ in 0..2 {
            let mut subscriber = lasting(&server, version, "two");
            let again = subscriber.receive();
            assert_eq!((again.packet_id, again.dup, again.text()), (unanswered.packet_id, true, "unanswered"));
            expect(&mut subscriber, &Packet::Pubrel(Ack::new(released.packet_id.unwrap())));
            subscriber.expect_nothing();
        }
        let mut subscriber = lasting(&server, version, "two");
        subscriber.receive();
        expect(&mut subscriber, &Packet::Pubrel(Ack::new(released.packet_id.unwrap())));
        pubrec(&mut subscriber, unanswered.packet_id.unwrap());
        for message in [&released, &unanswered] {
            subscriber.send(&Packet::Pubcomp(Ack::new(message.packet_id.unwrap())));
        }
        subscriber.ping();
        drop(subscriber);
        let mut subscriber = lasting(&server, version, "two");
        subscriber.expect_nothing();
        Client::connect(&server, version, "two").disconnect();
    }
}

/// [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [v3.1.1 MQTT-4.3.3-2]
#[test]
fn mqtt_4_3_3_12_until_pubrel_a_publish_is_the_same_message_and_after_pubcomp_a_new_one() {
    let server = Server::start();
    for version in VERSIONS {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("once", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for round in ["first", "second"] {
            for dup in [false, true, false] {
                let message = Publish { dup, ..numbered("once", round, QoS::ExactlyOnce, 300) };
                publisher.send(&Packet::Publish(message));
                expect(&mut publisher, &Packet::Pubrec(Ack::new(id(300))));
            }
            publisher.send(&Packet::Pubrel(Ack::new(id(300))));
            expect(&mut publisher, &Packet::Pubcomp(Ack::new(id(300))));
            assert_eq!(subscriber.receive().text(), round);
            subscriber.expect_nothing();
        }
    }
}

/// [MQTT-4.3.3-9]
#[test]
fn mqtt_4_3_3_9_after_a_pubrec_that_says_no_the_identifier_stands_for_a_new_message() {
    let server = Server::with("[limits]\ncheck_payload_format = true\nreceive_maximum = 1");
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    let mut bad = numbered("t", "", QoS::ExactlyOnce, 5);
    bad.payload = &[0xFF];
    bad.properties.payload_is_utf8 = Some(true);
    for _ in 0..2 {
        publisher.send(&Packet::Publish(bad.clone()));
        expect(&mut publisher, &Packet::Pubrec(Ack::with_reason(id(5), ReasonCode::PayloadFormatInvalid)));
    }
    publisher.send(&Packet::Publish(Publish { payload: b"good", ..bad }));
    expect(&mut publisher, &Packet::Pubrec(Ack::new(id(5))));
    assert_eq!(subscriber.receive().text(), "good");
}

/// [MQTT-4.3.3-4] [v3.1.1 MQTT-4.3.3-1]
#[test]
fn mqtt_4_3_3_4_every_pubrec_without_an_error_is_answered_by_pubrel() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::ExactlyOnce);
        Client::connect(&server, version, "publisher").publish("t", "x", QoS::ExactlyOnce);
        let packet_id = subscriber.receive().packet_id.unwrap();
        for _ in 0..3 {
            pubrec(&mut subscriber, packet_id);
        }
        subscriber.send(&Packet::Pubcomp(Ack::new(packet_id)));
        subscriber.expect_nothing();
    }
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "reasons");
    subscriber.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    publisher.publish("t", "x", QoS::ExactlyOnce);
    let packet_id = subscriber.receive().packet_id.unwrap();
    subscriber.send(&Packet::Pubrec(Ack::with_reason(packet_id, ReasonCode::NoMatchingSubscribers)));
    expect(&mut subscriber, &Packet::Pubrel(Ack::new(packet_id)));
}
