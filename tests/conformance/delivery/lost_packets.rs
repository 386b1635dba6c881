//! QoS 2 with the connection cut after each of its packets, in both directions: exactly once.

use std::collections::BTreeSet;

use midge_protocol::{Ack, Packet, PacketId, Publish, QoS, ReasonCode};

use super::{expect, id, lasting, numbered, pubrec};
use crate::support::{Client, Server, VERSIONS};

/// [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.4.0-1] [v3.1.1 MQTT-4.3.3-2]
#[test]
fn mqtt_4_3_3_10_a_publisher_cut_off_after_any_packet_is_heard_exactly_once() {
    let server = Server::start();
    for version in VERSIONS {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("once", QoS::AtMostOnce);
        for packets in 1..=4 {
            let mut client = lasting(&server, version, "publisher");
            let publish = |dup| Packet::Publish(Publish { dup, ..numbered("once", "x", QoS::ExactlyOnce, 11) });
            client.send(&publish(false));
            if packets >= 2 {
                expect(&mut client, &Packet::Pubrec(Ack::new(id(11))));
            }
            if packets >= 3 {
                client.send(&Packet::Pubrel(Ack::new(id(11))));
            }
            if packets >= 4 {
                expect(&mut client, &Packet::Pubcomp(Ack::new(id(11))));
            }
            drop(client);

            let mut client = lasting(&server, version, "publisher");
            if packets == 1 {
                client.send(&publish(true));
                expect(&mut client, &Packet::Pubrec(Ack::new(id(11))));
            }
            if packets <= 3 {
                client.send(&Packet::Pubrel(Ack::new(id(11))));
                let reason = client.acknowledgement(id(11));
                let found = [ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];
                // The lost PUBREL may have arrived.
                assert!(found[..if packets == 3 { 2 } else { 1 }].contains(&reason), "{version} {packets}: {reason}");
            }
            assert_eq!(subscriber.receive().text(), "x", "{version}, cut after {packets}");
            subscriber.expect_nothing();
            client.disconnect();
        }
    }
}

/// [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [v3.1.1 MQTT-4.3.3-1] [v3.1.1 MQTT-4.4.0-1]
#[test]
fn mqtt_4_3_3_5_a_subscriber_cut_off_after_any_packet_hears_exactly_once() {
    let server = Server::start();
    for version in VERSIONS {
        let mut publisher = Client::connect(&server, version, "publisher");
        lasting(&server, version, "subscriber").subscribe("once", QoS::ExactlyOnce);
        for packets in 1..=4 {
            let text = packets.to_string();
            let mut client = lasting(&server, version, "subscriber");
            publisher.publish("once", &text, QoS::ExactlyOnce);
            let message = client.receive();
            let packet_id = message.packet_id.unwrap();
            match packets {
                1 => {}
                2 => client.send(&Packet::Pubrec(Ack::new(packet_id))),
                _ => pubrec(&mut client, packet_id),
            }
            if packets == 4 {
                client.send(&Packet::Pubcomp(Ack::new(packet_id)));
            }
            drop(client);

            let mut held = BTreeSet::from([packet_id]);
            let mut client = lasting(&server, version, "subscriber");
            assert_eq!(new_messages(&mut client, &mut held), 0, "{version}, cut after {packets}: heard twice");
            client.disconnect();
        }
        lasting(&server, version, "subscriber").expect_nothing();
    }
}

/// Does what a receiver of QoS 2 does, until the broker has nothing more to say; counts the messages whose identifier it did
/// not hold.
fn new_messages(client: &mut Client, held: &mut BTreeSet<PacketId>) -> usize {
    let mut count = 0;
    loop {
        client.send(&Packet::Pingreq);
        let mut quiet = true;
        while let Some(answer) = client.next(|packet| match packet {
            Packet::Pingresp => None,
            Packet::Publish(message) => {
                count += usize::from(held.insert(message.packet_id.unwrap()));
                assert!(message.dup);
                Some(Packet::Pubrec(Ack::new(message.packet_id.unwrap())))
            }
            Packet::Pubrel(ack) => {
                held.remove(&ack.packet_id);
                Some(Packet::Pubcomp(Ack::new(ack.packet_id)))
            }
            other => panic!("{other:?}"),
        }) {
            client.send(&answer);
            quiet = false;
        }
        if quiet {
            return count;
        }
    }
}
