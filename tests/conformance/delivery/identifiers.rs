//! The 65,535 Packet Identifiers, all of them in use or nearly so.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use midge_protocol::{Packet, PacketId, ProtocolVersion, QoS};

use super::{lasts, numbered, puback};
use crate::support::{Client, Server};

const IDS: usize = 65_535;

/// Publishes so many numbered messages with QoS 1 and waits for every PUBACK.
fn flood(publisher: &mut Client, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for batch in numbers.chunks(500) {
        for (number, packet_id) in batch.iter().zip(1..) {
            publisher.send(&Packet::Publish(numbered("t", &number.to_string(), QoS::AtLeastOnce, packet_id)));
        }
        for _ in batch {
            publisher.next(|packet| assert!(matches!(packet, Packet::Puback(_)), "{packet:?}"));
        }
    }
}

/// [MQTT-3.3.4-9] [v3.1.1 MQTT-4.3.2-1]
#[test]
fn mqtt_2_2_1_4_all_identifiers_may_be_in_use_and_any_that_is_freed_is_used_again() {
    let server =
        Server::with("[limits]\nin_flight_max = 65535\nqueued_messages_max = 1000000\nqueued_bytes_max = \"1GiB\"");
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let mut subscriber = Client::connect_with(&server, version, "wide", lasts).0;
        subscriber.subscribe("t", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        flood(&mut publisher, 0..IDS + 2);
        let ids: BTreeSet<Option<PacketId>> = (0..IDS).map(|_| subscriber.receive().packet_id).collect();
        assert_eq!(ids.len(), IDS, "{version}: each another one");
        subscriber.expect_nothing();
        // Not the oldest, so that the newest message gets an identifier from the middle.
        for freed in [40_000, 30_000] {
            puback(&mut subscriber, PacketId::new(freed));
            assert_eq!(subscriber.receive().packet_id, PacketId::new(freed));
        }
        drop(subscriber);
        let mut subscriber = Client::connect_with(&server, version, "wide", lasts).0;
        for number in (0..IDS + 2).filter(|number| ![39_999, 29_999].contains(number)) {
            let again = subscriber.take();
            assert_eq!(again.text(), number.to_string(), "{version}: in the order in which they were sent");
        }
        subscriber.expect_nothing();
        Client::connect(&server, version, "wide").disconnect();
    }
}

/// [MQTT-4.3.2-1]
#[test]
fn mqtt_4_3_2_1_an_identifier_that_is_never_acknowledged_is_passed_over() {
    let server = Server::start();
    let wide = |connect: &mut midge_protocol::Connect<'_>| {
        lasts(connect);
        connect.properties.receive_maximum = NonZeroU16::new(600);
    };
    let (mut subscriber, _) = Client::connect_with(&server, ProtocolVersion::V5, "stuck", wide);
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    flood(&mut publisher, 0..1);
    let stuck = subscriber.receive().packet_id;
    for start in (1..IDS + 1000).step_by(500) {
        flood(&mut publisher, start..start + 500);
        for number in start..start + 500 {
            let message = subscriber.take();
            assert_eq!(message.text(), number.to_string());
            assert_ne!(message.packet_id, stuck);
        }
    }
    subscriber.ping();
    drop(subscriber);
    let (mut subscriber, _) = Client::connect_with(&server, ProtocolVersion::V5, "stuck", wide);
    let again = subscriber.take();
    assert_eq!((again.packet_id, again.text()), (stuck, "0"));
    subscriber.expect_nothing();
}
