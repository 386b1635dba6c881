//! Message ordering (4.6). MQTT 5 puts the first four rules to the client alone; Midge keeps them as well, as 3.1.1 asks.

use midge_protocol::{Ack, Packet, QoS};

use super::{BOTH, expect, id, lasting, numbered, puback, pubrec};
use crate::support::{Client, Server};

/// [MQTT-4.6.0-4] [v3.1.1 MQTT-4.6.0-1] [v3.1.1 MQTT-4.6.0-4] [v3.1.1 MQTT-4.6.0-6]
#[test]
fn mqtt_4_6_0_1_what_is_sent_again_keeps_the_order_in_which_it_was_sent() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = lasting(&server, version, "ordered");
        subscriber.subscribe("order/#", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        let two = [QoS::AtLeastOnce, QoS::ExactlyOnce];
        for number in 0..8 {
            publisher.publish("order", &number.to_string(), two[number % 2]);
        }
        let sent: Vec<_> = (0..8).map(|_| subscriber.receive()).collect();
        let packet_id = |number: usize| sent[number].packet_id.unwrap();
        // 5 is received before 1; 4 is done with, out of turn.
        for number in [5, 1] {
            pubrec(&mut subscriber, packet_id(number));
        }
        puback(&mut subscriber, sent[4].packet_id);
        subscriber.ping();
        drop(subscriber);
        publisher.publish("order", "new", QoS::AtLeastOnce);
        for _ in 0..2 {
            let mut subscriber = lasting(&server, version, "ordered");
            for number in [0, 2, 3, 6, 7] {
                let again = subscriber.receive();
                assert_eq!(
                    (again.text(), again.packet_id),
                    (&*number.to_string(), Some(packet_id(number))),
                    "{version}"
                );
            }
            for number in [5, 1] {
                expect(&mut subscriber, &Packet::Pubrel(Ack::new(packet_id(number))));
            }
            assert_eq!(subscriber.receive().text(), "new");
            subscriber.ping();
        }
        Client::connect(&server, version, "ordered").disconnect();
    }
}

/// [MQTT-4.6.0-3] [v3.1.1 MQTT-4.6.0-2] [v3.1.1 MQTT-4.6.0-3]
#[test]
fn mqtt_4_6_0_2_messages_are_acknowledged_in_the_order_in_which_they_came() {
    let server = Server::start();
    for version in BOTH {
        let mut subscriber = Client::connect(&server, version, "subscriber");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        let qualities = [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce, QoS::AtLeastOnce];
        let ids = [900, 3, 70, 2, 65_535, 1, 4, 8];
        let pairs = || ids.into_iter().zip(qualities.into_iter().cycle());
        for (number, qos) in pairs() {
            publisher.send(&Packet::Publish(numbered("t", "x", qos, number)));
        }
        for (number, qos) in pairs() {
            let ack = Ack::new(id(number));
            let answer = if qos == QoS::AtLeastOnce { Packet::Puback(ack) } else { Packet::Pubrec(ack) };
            expect(&mut publisher, &answer);
        }
    }
}

/// [MQTT-4.6.0-6] [v3.1.1 MQTT-4.6.0-5] [v3.1.1 MQTT-4.6.0-6]
#[test]
fn mqtt_4_6_0_5_each_publishers_messages_arrive_in_their_order() {
    let server = Server::start();
    for version in BOTH {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut subscriber = Client::connect(&server, version, "subscriber");
            subscriber.subscribe("order", qos);
            let names = ["a", "b"];
            let mut publishers = names.map(|name| Client::connect(&server, version, name));
            for number in 1..=200_u16 {
                for (name, publisher) in names.iter().zip(&mut publishers) {
                    let text = format!("{name}{number}");
                    let mut message = numbered("order", &text, qos, number);
                    message.packet_id = message.packet_id.filter(|_| qos > QoS::AtMostOnce);
                    publisher.send(&Packet::Publish(message));
                }
            }
            let mut heard = [0_u16; 2];
            for _ in 0..400 {
                let message = subscriber.take();
                let (name, number) = message.text().split_at(1);
                let last = &mut heard[usize::from(name == "b")];
                assert_eq!(number.parse(), Ok(*last + 1), "{version} {qos:?}");
                *last += 1;
            }
        }
    }
}
