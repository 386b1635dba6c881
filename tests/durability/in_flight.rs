//! Flows of QoS 1 and 2 that a crash cuts in two.

use midge_protocol::{Ack, Packet, ProtocolVersion, Publish, QoS};

use super::{ENDS, away, back, durable, settle, stay};
use crate::support::message::publish;
use crate::support::{Client, VERSIONS};

/// [MQTT-3.3.1-1] [MQTT-4.4.0-1] [v3.1.1 MQTT-4.4.0-1]
#[test]
fn what_was_sent_and_not_acknowledged_is_sent_again_under_its_packet_identifier() {
    for end in ENDS {
        for version in VERSIONS {
            let mut server = durable();
            let mut client = stay(&server, version, "c");
            client.subscribe("a/#", QoS::ExactlyOnce);
            let mut publisher = Client::connect(&server, version, "publisher");
            publisher.publish("a/1", "one", QoS::AtLeastOnce);
            publisher.publish("a/2", "two", QoS::ExactlyOnce);
            publisher.publish("a/3", "three", QoS::AtLeastOnce);
            let before: Vec<_> = (0..3).map(|_| client.receive()).collect();
            // The first is acknowledged out of turn for good measure.
            client.send(&Packet::Puback(Ack::new(before[0].packet_id.unwrap())));
            client.ping();
            settle(&server);
            server.again(end);

            let mut client = back(&server, version, "c");
            for (number, sent) in before[1..].iter().enumerate() {
                let again = client.take();
                assert_eq!(
                    (again.packet_id, again.text()),
                    (sent.packet_id, sent.text()),
                    "{end:?} {version} {number}"
                );
                assert!(again.dup, "{end:?} {version} {number}");
            }
            client.expect_nothing();
        }
    }
}

/// [MQTT-4.3.3-5] [v3.1.1 MQTT-4.3.3-1]
#[test]
fn a_message_whose_pubrec_came_is_not_sent_again_but_its_pubrel_is() {
    for end in ENDS {
        for version in VERSIONS {
            let mut server = durable();
            let mut client = stay(&server, version, "c");
            client.subscribe("a", QoS::ExactlyOnce);
            let mut publisher = Client::connect(&server, version, "publisher");
            publisher.publish("a", "x", QoS::ExactlyOnce);
            let id = client.receive().packet_id.unwrap();
            client.send(&Packet::Pubrec(Ack::new(id)));
            client.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == id), "{packet:?}"));
            server.again(end);

            let mut client = back(&server, version, "c");
            client.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == id), "{packet:?}"));
            client.send(&Packet::Pubcomp(Ack::new(id)));
            client.expect_nothing();
            drop(client);
            settle(&server);
            server.again(end);
            back(&server, version, "c").expect_nothing();
        }
    }
}

/// [MQTT-4.3.3-10] [v3.1.1 MQTT-4.3.3-2]
#[test]
fn a_message_that_was_received_is_not_delivered_twice() {
    for end in ENDS {
        for version in VERSIONS {
            let mut server = durable();
            away(&server, version, "subscriber", "a", QoS::ExactlyOnce);
            let mut publisher = stay(&server, version, "publisher");
            let packet_id = publisher.new_id();
            let message =
                |dup| Publish { dup, qos: QoS::ExactlyOnce, packet_id: Some(packet_id), ..publish("a", b"once") };
            publisher.send(&Packet::Publish(message(false)));
            publisher.acknowledgement(packet_id);
            server.again(end);

            let mut publisher = back(&server, version, "publisher");
            publisher.send(&Packet::Publish(message(true)));
            publisher.acknowledgement(packet_id);
            publisher.send(&Packet::Pubrel(Ack::new(packet_id)));
            publisher.acknowledgement(packet_id);
            drop(publisher);
            server.again(end);

            // Once PUBREL came, the identifier is free for another message.
            let mut publisher = back(&server, version, "publisher");
            publisher.send(&Packet::Publish(Publish { payload: b"another", ..message(false) }));
            publisher.acknowledgement(packet_id);
            let mut subscriber = back(&server, version, "subscriber");
            assert_eq!(subscriber.take().text(), "once", "{end:?} {version}");
            assert_eq!(subscriber.take().text(), "another", "{end:?} {version}");
            subscriber.expect_nothing();
        }
    }
}

#[test]
fn packet_identifiers_in_flight_are_not_given_to_others() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    let mut client = stay(&server, version, "c");
    client.subscribe("a", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, version, "publisher");
    publisher.publish("a", "old", QoS::AtLeastOnce);
    let old = client.receive().packet_id;
    settle(&server);
    server.again(ENDS[1]);
    let mut client = back(&server, version, "c");
    assert_eq!(client.receive().packet_id, old);
    let mut publisher = Client::connect(&server, version, "publisher");
    publisher.publish("a", "new", QoS::AtLeastOnce);
    let new = client.receive();
    assert_eq!((new.text(), new.dup), ("new", false));
    assert_ne!(new.packet_id, old);
}
