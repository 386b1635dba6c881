//! What is sent again, when, and what is not (4.4, 4.5).

use midge_protocol::{Ack, Packet, ProtocolVersion, QoS, ReasonCode};

use super::{BOTH, expect, id, lasting, lasts, puback, pubrec};
use crate::support::{Client, Server};

/// [MQTT-3.3.1-1] [v3.1.1 MQTT-3.3.1-1] [v3.1.1 MQTT-4.4.0-1]
#[test]
fn mqtt_4_4_0_1_only_a_new_connection_is_sent_messages_again_and_they_have_dup() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = lasting(&server, version, "slow");
        subscriber.subscribe("again", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for (text, qos) in [("one", QoS::AtLeastOnce), ("two", QoS::ExactlyOnce)] {
            publisher.publish("again", text, qos);
        }
        let before = [subscriber.receive(), subscriber.receive()];
        assert!(before.iter().all(|message| !message.dup));
        // Neither time, nor traffic, nor another subscription brings them again.
        subscriber.subscribe("other", QoS::ExactlyOnce);
        publisher.publish("other", "x", QoS::AtLeastOnce);
        assert_eq!(subscriber.take().text(), "x");
        subscriber.expect_nothing();
        drop(subscriber);
        let mut subscriber = lasting(&server, version, "slow");
        for message in before {
            let again = subscriber.receive();
            assert_eq!(
                (again.packet_id, again.qos, &again.payload),
                (message.packet_id, message.qos, &message.payload)
            );
            assert!(again.dup, "{version}");
        }
        subscriber.expect_nothing();
        drop(subscriber);
        // A clean start is no resumption.
        let mut fresh = Client::connect(&server, version, "slow");
        fresh.expect_nothing();
    }
}

/// [MQTT-4.4.0-2]: and the Packet Identifier is free, with its place in the quota.
#[test]
fn mqtt_4_4_0_2_what_was_refused_is_acknowledged() {
    let server = Server::start();
    let version = ProtocolVersion::V5;
    let connect = || {
        let one = |connect: &mut midge_protocol::Connect<'_>| {
            lasts(connect);
            connect.properties.receive_maximum = std::num::NonZeroU16::new(1);
        };
        Client::connect_with(&server, version, "picky", one).0
    };
    let mut subscriber = connect();
    subscriber.subscribe("t", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, version, "publisher");
    for (text, qos) in [("a", QoS::AtLeastOnce), ("b", QoS::ExactlyOnce), ("c", QoS::AtLeastOnce)] {
        publisher.publish("t", text, qos);
    }
    let refused = subscriber.receive();
    assert_eq!(refused.text(), "a");
    let refusal =
        |message: &crate::support::message::Received, reason| Ack::with_reason(message.packet_id.unwrap(), reason);
    subscriber.send(&Packet::Puback(refusal(&refused, ReasonCode::ImplementationSpecificError)));
    let refused = subscriber.receive();
    assert_eq!(refused.text(), "b", "the place is free");
    subscriber.send(&Packet::Pubrec(refusal(&refused, ReasonCode::QuotaExceeded)));
    assert_eq!(subscriber.receive().text(), "c", "no PUBREL comes before");
    drop(subscriber);
    let mut subscriber = connect();
    assert_eq!(subscriber.take().text(), "c");
    subscriber.expect_nothing();
}

/// [v3.1.1 MQTT-4.5.0-2]: what a client leaves unacknowledged stays its own, for as long as its session.
#[test]
fn mqtt_4_5_0_2_a_message_is_delivered_when_it_is_acknowledged_and_not_before() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = lasting(&server, version, "mute");
        subscriber.subscribe("t", QoS::AtLeastOnce);
        Client::connect(&server, version, "publisher").publish("t", "x", QoS::AtLeastOnce);
        for _ in 0..3 {
            assert_eq!(subscriber.receive().text(), "x");
            drop(subscriber);
            subscriber = lasting(&server, version, "mute");
        }
        assert_eq!(subscriber.take().text(), "x");
        subscriber.disconnect();
        lasting(&server, version, "mute").expect_nothing();
    }
}

#[test]
fn mqtt_2_2_1_5_an_acknowledgement_of_nothing_changes_nothing() {
    let server = Server::start();
    for version in BOTH {
        let mut client = Client::connect(&server, version, "eager");
        client.subscribe("t", QoS::ExactlyOnce);
        for packet in [Packet::Puback, Packet::Pubcomp] {
            client.send(&packet(Ack::new(id(77))));
        }
        client.ping();
        let mut expected = Ack::new(id(77));
        if version.is_v5() {
            expected.reason = ReasonCode::PacketIdentifierNotFound;
        }
        client.send(&Packet::Pubrec(Ack::new(id(77))));
        expect(&mut client, &Packet::Pubrel(expected));
        client.send(&Packet::Pubrel(Ack::new(id(77))));
        expect(&mut client, &Packet::Pubcomp(expected));
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.publish("t", "x", QoS::ExactlyOnce);
        assert_eq!(client.take().text(), "x", "{version}");
    }
}

/// Makes one of the four packets.
type Acknowledgement = fn(Ack<'static>) -> Packet<'static>;

/// An acknowledgement that does not fit what was sent is a packet that may not come: section 4.13.
///
/// [MQTT-4.3.2-3] [MQTT-4.3.3-3]
#[test]
fn mqtt_4_3_3_3_an_acknowledgement_of_the_wrong_kind_acknowledges_nothing_and_closes() {
    let server = Server::start();
    for version in BOTH {
        let wrong: [(QoS, Acknowledgement); 4] = [
            (QoS::AtLeastOnce, Packet::Pubrec),
            (QoS::AtLeastOnce, Packet::Pubcomp),
            (QoS::ExactlyOnce, Packet::Puback),
            (QoS::ExactlyOnce, Packet::Pubcomp),
        ];
        for (qos, packet) in wrong {
            let mut subscriber = lasting(&server, version, "confused");
            subscriber.subscribe("t", qos);
            Client::connect(&server, version, "publisher").publish("t", "x", qos);
            let before = subscriber.receive();
            subscriber.send(&packet(Ack::new(before.packet_id.unwrap())));
            subscriber.expect_disconnect(ReasonCode::ProtocolError);
            let mut subscriber = lasting(&server, version, "confused");
            assert_eq!(subscriber.take().packet_id, before.packet_id, "{version}: still unacknowledged");
            subscriber.unsubscribe("t");
            subscriber.disconnect();
        }
        let mut subscriber = lasting(&server, version, "confused");
        subscriber.subscribe("t", QoS::ExactlyOnce);
        Client::connect(&server, version, "publisher").publish("t", "x", QoS::ExactlyOnce);
        let packet_id = subscriber.receive().packet_id;
        pubrec(&mut subscriber, packet_id.unwrap());
        puback(&mut subscriber, packet_id);
        subscriber.expect_disconnect(ReasonCode::ProtocolError);
        Client::connect(&server, version, "confused").disconnect();
    }
}
