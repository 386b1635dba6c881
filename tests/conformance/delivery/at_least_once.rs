//! QoS 0 and 1 (4.3.1, 4.3.2).

use midge_protocol::{Ack, Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use super::{BOTH, expect, id, lasting, numbered, puback};
use crate::support::message::publish;
use crate::support::{Client, Server};

/// [MQTT-4.3.1-1] [v3.1.1 MQTT-4.3.1-1] [MQTT-3.3.1-2] [v3.1.1 MQTT-3.3.1-2]
#[test]
fn mqtt_4_3_1_1_qos_0_is_sent_without_dup() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.send(&Packet::Publish(publish("t", b"x")));
        publisher.send(&Packet::Publish(Publish { dup: true, ..numbered("t", "x", QoS::AtLeastOnce, 1) }));
        let expected: &[u8] =
            if version.is_v5() { &[0x30, 5, 0, 1, b't', 0, b'x'] } else { &[0x30, 4, 0, 1, b't', b'x'] };
        for _ in 0..2 {
            assert_eq!(subscriber.bytes_or_close(expected.len()), expected, "{version}");
        }
    }
}

/// [MQTT-4.3.2-2] [MQTT-4.3.2-3] [v3.1.1 MQTT-4.3.2-1]
#[test]
fn mqtt_4_3_2_1_each_message_has_an_unused_identifier_until_its_puback() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = lasting(&server, version, "one");
        subscriber.subscribe("one", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for text in ["a", "b", "c"] {
            publisher.publish("one", text, QoS::AtLeastOnce);
        }
        let [a, b, c] = [(); 3].map(|()| subscriber.receive());
        assert!([&a, &b, &c].iter().all(|message| message.qos == QoS::AtLeastOnce && !message.dup));
        assert!(a.packet_id != b.packet_id && b.packet_id != c.packet_id && a.packet_id != c.packet_id);
        puback(&mut subscriber, b.packet_id);
        subscriber.ping();
        drop(subscriber);

        // Unacknowledged: a and c, under the identifiers they had.
        let mut subscriber = lasting(&server, version, "one");
        for before in [a, c] {
            let again = subscriber.take();
            assert_eq!((again.packet_id, again.payload), (before.packet_id, before.payload), "{version}");
        }
        subscriber.disconnect();
        lasting(&server, version, "one").expect_nothing();
    }
}

/// [MQTT-4.3.2-4] [MQTT-4.3.2-5] [v3.1.1 MQTT-4.3.2-2]
#[test]
fn mqtt_4_3_2_5_after_its_puback_an_identifier_stands_for_a_new_message_whatever_dup_says() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for (text, dup) in [("first", false), ("second", false), ("third", true)] {
            publisher.send(&Packet::Publish(Publish { dup, ..numbered("t", text, QoS::AtLeastOnce, 513) }));
            expect(&mut publisher, &Packet::Puback(Ack::new(id(513))));
            assert_eq!(subscriber.take().text(), text, "{version}");
        }
    }
}

/// What the standard leaves open: nobody was there, and version 5 is told so.
///
/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
#[test]
fn mqtt_3_4_2_1_a_message_that_nobody_gets_is_acknowledged_with_0x10() {
    let server = Server::start();
    for (version, reason) in BOTH.into_iter().zip([ReasonCode::Success, ReasonCode::NoMatchingSubscribers]) {
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.send(&Packet::Publish(numbered("nowhere", "x", QoS::AtLeastOnce, 1)));
        expect(&mut publisher, &Packet::Puback(Ack::with_reason(id(1), reason)));
        publisher.send(&Packet::Publish(numbered("nowhere", "x", QoS::ExactlyOnce, 2)));
        expect(&mut publisher, &Packet::Pubrec(Ack::with_reason(id(2), reason)));
        publisher.send(&Packet::Pubrel(Ack::new(id(2))));
        expect(&mut publisher, &Packet::Pubcomp(Ack::new(id(2))));
    }
}

/// The standard lets a server choose. Midge loses nothing: an identifier of a QoS 2 exchange under way is no reason to refuse
/// a QoS 1 message that a client that has lost its state sends with it.
///
/// [MQTT-4.3.2-4]
#[test]
fn mqtt_4_3_2_4_a_puback_disturbs_no_qos_2_exchange_with_the_same_identifier() {
    let server = Server::start();
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    publisher.send(&Packet::Publish(numbered("t", "two", QoS::ExactlyOnce, 7)));
    expect(&mut publisher, &Packet::Pubrec(Ack::new(id(7))));
    publisher.send(&Packet::Publish(numbered("t", "one", QoS::AtLeastOnce, 7)));
    expect(&mut publisher, &Packet::Puback(Ack::new(id(7))));
    publisher.send(&Packet::Pubrel(Ack::new(id(7))));
    expect(&mut publisher, &Packet::Pubcomp(Ack::new(id(7))));
    assert_eq!([subscriber.receive().payload, subscriber.receive().payload], [b"two", b"one"]);
    subscriber.expect_nothing();
}
