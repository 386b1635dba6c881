//! QoS 1 and 2 towards a client: Packet Identifiers, quota, queue, sending again.

use std::num::{NonZeroU16, NonZeroU32};

use midge_protocol::{Packet, PacketKind, ReasonCode};

use super::client::{Client, World, ack};
use crate::{ProtocolError, QueuePolicy};

/// A subscriber to `t` whose session lasts, that takes so many messages at a time.
fn subscriber(world: &World, receive_maximum: u16) -> Client<'_> {
    world.connect("s", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1000);
        connect.properties.receive_maximum = NonZeroU16::new(receive_maximum);
    })
}

fn flood(world: &World, payloads: std::ops::RangeInclusive<u32>, qos: u8) {
    let mut publisher = world.client("p");
    for payload in payloads {
        publisher.publish("t", &payload.to_string(), qos, 1);
        if qos == 2 {
            publisher.pubrel(1);
        }
    }
}

#[test]
fn no_more_than_receive_maximum_is_in_flight_and_the_rest_waits_in_order() {
    let world = World::new();
    let mut client = subscriber(&world, 2);
    client.subscribe("t", 2);
    flood(&world, 1..=4, 1);
    assert_eq!(client.output()[2..], ["t 1 q1 #1", "t 2 q1 #2"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.in_flight, statistics.queued_messages), (2, 2));
    client.puback(1);
    client.puback(2);
    assert_eq!(client.output(), ["t 3 q1 #3", "t 4 q1 #4"]);
    client.puback(4);
    client.puback(3);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.in_flight, statistics.queued_messages, statistics.queued_bytes), (0, 0, 0));
}

#[test]
fn our_own_limit_on_messages_in_flight_holds_for_clients_that_name_none() {
    let world = World::with(|limits| limits.in_flight_max = 1);
    let mut client = world.v3("s", true);
    client.subscribe("t", 1);
    flood(&world, 1..=2, 1);
    assert_eq!(client.output()[2..], ["t 1 q1 #1"]);
}

#[test]
fn a_qos_2_delivery_takes_four_packets_and_gives_its_quota_back_at_the_end() {
    let world = World::new();
    let mut client = subscriber(&world, 1);
    client.subscribe("t", 2);
    flood(&world, 1..=2, 2);
    assert_eq!(client.output()[2..], ["t 1 q2 #1"]);
    client.pubrec(1);
    client.pubrec(1);
    assert_eq!(client.output(), ["PUBREL 1 00", "PUBREL 1 00"]);
    client.pubcomp(1);
    assert_eq!(client.output(), ["t 2 q2 #2"]);
}

#[test]
fn a_pubrec_that_says_no_ends_the_delivery() {
    let world = World::new();
    let mut client = subscriber(&world, 1);
    client.subscribe("t", 2);
    flood(&world, 1..=2, 2);
    client.output();
    let mut refusal = ack(1);
    refusal.reason = ReasonCode::UnspecifiedError;
    client.send(Packet::Pubrec(refusal)).unwrap();
    assert_eq!(client.output(), ["t 2 q2 #2"]);
}

#[test]
fn acknowledgements_of_the_wrong_kind_are_a_protocol_error_and_unknown_ones_are_not() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 2);
    flood(&world, 1..=1, 1);
    flood(&world, 2..=2, 2);
    client.output();
    assert_eq!(client.send(Packet::Pubrec(ack(1))), Err(ProtocolError::WrongAcknowledgement(PacketKind::Pubrec)));
    assert_eq!(client.send(Packet::Pubcomp(ack(1))), Err(ProtocolError::WrongAcknowledgement(PacketKind::Pubcomp)));
    assert_eq!(client.send(Packet::Puback(ack(2))), Err(ProtocolError::WrongAcknowledgement(PacketKind::Puback)));
    // PUBCOMP before PUBREC.
    assert_eq!(client.send(Packet::Pubcomp(ack(2))), Err(ProtocolError::WrongAcknowledgement(PacketKind::Pubcomp)));
    client.puback(77);
    client.pubcomp(77);
    client.pubrec(77);
    assert_eq!(client.output(), ["PUBREL 77 92"]);
}

#[test]
fn packet_identifiers_wrap_around_after_65535_and_skip_none() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 1);
    let mut publisher = world.client("p");
    for id in (1..=u16::MAX).chain(1..=3) {
        publisher.publish("t", "x", 1, 1);
        assert_eq!(client.output().pop().unwrap(), format!("t x q1 #{id}"));
        client.puback(id);
    }
}

#[test]
fn an_identifier_still_in_use_is_never_given_to_another_message() {
    let world = World::with(|limits| limits.in_flight_max = 3);
    let mut client = subscriber(&world, 3);
    client.subscribe("t", 1);
    let mut publisher = world.client("p");
    publisher.publish("t", "stuck", 1, 1);
    client.output();
    for id in 2..=u16::MAX {
        publisher.publish("t", "x", 1, 1);
        client.puback(id);
    }
    client.output();
    publisher.publish("t", "next", 1, 1);
    assert_eq!(client.output(), ["t next q1 #2"], "and nothing waits for it");
    client.puback(1);
    publisher.publish("t", "after", 1, 1);
    assert_eq!(client.output(), ["t after q1 #1"]);
}

#[test]
fn what_is_unacknowledged_is_sent_again_in_order_before_anything_new() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 2);
    flood(&world, 1..=1, 2);
    flood(&world, 2..=3, 1);
    flood(&world, 4..=4, 2);
    client.pubrec(1);
    client.puback(2);
    client.lose();
    flood(&world, 5..=5, 1);
    let mut client = subscriber(&world, 10);
    let expected = ["CONNACK 00 present", "t 3 q1 #3 dup", "t 4 q2 #4 dup", "PUBREL 1 00", "t 5 q1 #5"];
    assert_eq!(client.output(), expected);
}

#[test]
fn sending_again_keeps_to_the_new_connections_quota() {
    let world = World::new();
    let mut client = subscriber(&world, 3);
    client.subscribe("t", 1);
    flood(&world, 1..=4, 1);
    client.output();
    client.lose();
    let mut client = subscriber(&world, 1);
    assert_eq!(client.output(), ["CONNACK 00 present", "t 1 q1 #1 dup"]);
    flood(&world, 5..=5, 1);
    for (id, next) in [(1, "t 2 q1 #2 dup"), (2, "t 3 q1 #3 dup"), (3, "t 4 q1 #4"), (4, "t 5 q1 #5")] {
        client.puback(id);
        assert_eq!(client.output(), [next]);
    }
}

#[test]
fn messages_wait_for_an_absent_client_but_not_those_of_qos_0() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 2);
    client.disconnect();
    flood(&world, 1..=1, 0);
    flood(&world, 2..=2, 1);
    flood(&world, 3..=3, 2);
    assert_eq!(world.broker.statistics().queued_messages, 2);
    assert_eq!(subscriber(&world, 10).output(), ["CONNACK 00 present", "t 2 q1 #1", "t 3 q2 #2"]);
}

#[test]
fn a_full_queue_loses_the_oldest_or_the_newest_and_says_so() {
    for (policy, expected) in
        [(QueuePolicy::DropOldest, ["t 3 q1 #1", "t 4 q1 #2"]), (QueuePolicy::DropNewest, ["t 1 q1 #1", "t 2 q1 #2"])]
    {
        let world = World::with(|limits| (limits.queued_messages_max, limits.queue_policy) = (2, policy));
        let mut client = subscriber(&world, 10);
        client.subscribe("t", 1);
        client.lose();
        flood(&world, 1..=4, 1);
        assert_eq!(subscriber(&world, 10).output()[1..], expected);
        assert_eq!(world.broker.statistics().dropped_queue_full, 2);
        let dropped =
            world.events().into_iter().filter(|event| event.contains("QueueFull") && event.contains("count: 1"));
        assert_eq!(dropped.count(), 2);
    }
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let world = World::with(|limits| limits.queued_bytes_max = 3000);
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 1);
    client.lose();
    let mut publisher = world.client("p");
    for letter in ["a", "b", "c", "d"] {
        publisher.publish("t", &letter.repeat(800), 1, 1);
    }
    publisher.publish("t", &"e".repeat(9000), 1, 1);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.queued_messages, statistics.dropped_queue_full), (3, 2));
    assert!(statistics.queued_bytes <= 3000);
}

#[test]
fn drops_of_one_batch_are_one_event_with_a_count() {
    let world = World::with(|limits| limits.queued_messages_max = 1);
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 1);
    client.lose();
    world.events();
    world.batch(|effects| {
        for payload in ["1", "2", "3"] {
            let topic = midge_protocol::TopicName::new("t").unwrap();
            let message = crate::Message::new(topic, payload).with_qos(midge_protocol::QoS::AtLeastOnce);
            world.broker.publish_from(crate::Origin::Admin, message, world.now.get(), effects);
        }
    });
    let events = world.events();
    assert!(matches!(&events[..], [only] if only.contains("count: 2") && only.contains("\"s\"")), "{events:?}");
}

#[test]
fn a_message_expires_while_it_waits_and_carries_what_is_left() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 1);
    client.lose();
    let mut publisher = world.client("p");
    for expiry in [10, 20] {
        publisher.publish_with("t", "x", 1, 1, |publish| publish.properties.message_expiry = Some(expiry));
    }
    world.pass(12);
    assert_eq!(subscriber(&world, 10).output()[1..], ["t x q1 #1 expires8"]);
    assert_eq!(world.broker.statistics().dropped_expired, 1);
}

#[test]
fn expired_messages_make_room_before_good_ones_are_dropped() {
    let world = World::with(|limits| limits.queued_messages_max = 2);
    let mut client = subscriber(&world, 10);
    client.subscribe("t", 1);
    client.lose();
    let mut publisher = world.client("p");
    publisher.publish("t", "good", 1, 1);
    publisher.publish_with("t", "stale", 1, 1, |publish| publish.properties.message_expiry = Some(1));
    world.pass(5);
    publisher.publish("t", "new", 1, 1);
    assert_eq!(subscriber(&world, 10).output()[1..], ["t good q1 #1", "t new q1 #2"]);
}

#[test]
fn a_message_too_large_for_one_client_is_dropped_for_it_alone() {
    let world = World::new();
    let small =
        |connect: &mut midge_protocol::Connect<'_>| connect.properties.maximum_packet_size = NonZeroU32::new(30);
    let mut small = world.connect("small", small);
    small.subscribe("t", 1);
    let mut large = world.client("large");
    large.subscribe("t", 1);
    let mut publisher = world.client("p");
    publisher.publish("t", &"x".repeat(40), 0, 0);
    publisher.publish("t", &"y".repeat(40), 1, 1);
    publisher.publish("t", "fits", 1, 1);
    assert_eq!(small.output()[2..], ["t fits q1 #1"]);
    assert_eq!(large.output().len(), 5);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.dropped_too_large, statistics.in_flight), (2, 3));
}

/// [MQTT-3.1.2-25]: it counts as delivered, and no Packet Identifier is spent on it.
#[test]
fn a_message_found_too_large_when_its_turn_comes_is_passed_over() {
    let world = World::new();
    let mut client = world.connect("s", |connect| {
        connect.properties.maximum_packet_size = NonZeroU32::new(30);
        connect.properties.receive_maximum = NonZeroU16::new(2);
    });
    client.subscribe("t", 2);
    let long = "x".repeat(40);
    let mut publisher = world.client("p");
    for payload in ["1", "2", &long, "4", &long] {
        publisher.publish("t", payload, 1, 1);
    }
    assert_eq!(client.output()[2..], ["t 1 q1 #1", "t 2 q1 #2"]);
    client.puback(2);
    assert_eq!(client.output(), ["t 4 q1 #3"]);
    client.puback(1);
    client.puback(3);
    publisher.publish("t", "6", 1, 1);
    assert_eq!(client.output(), ["t 6 q1 #4"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.dropped_too_large, statistics.in_flight, statistics.queued_messages), (2, 1, 0));
}

#[test]
fn all_65535_identifiers_can_be_in_flight_and_one_more_message_waits() {
    let world = World::with(|limits| limits.in_flight_max = u16::MAX);
    let mut client = subscriber(&world, u16::MAX);
    client.subscribe("t", 1);
    let mut publisher = world.client("p");
    for _ in 0..=u32::from(u16::MAX) {
        publisher.publish("t", "x", 1, 1);
    }
    let statistics = world.broker.statistics();
    assert_eq!((statistics.in_flight, statistics.queued_messages), (65_535, 1));
    let lines = client.output();
    assert_eq!(lines.len(), 65_535 + 2);
    assert_eq!(lines.last().unwrap(), "t x q1 #65535");
    client.puback(300);
    assert_eq!(client.output(), ["t x q1 #300"]);
}

#[test]
fn topics_sent_often_get_aliases_as_far_as_the_client_takes_them() {
    let world = World::new();
    let mut client = world.connect("s", |connect| connect.properties.topic_alias_maximum = Some(2));
    client.subscribe("#", 1);
    let mut publisher = world.client("p");
    for topic in ["a", "b", "c", "a", "b", "c"] {
        publisher.publish(topic, "x", 0, 0);
    }
    publisher.publish("a", "y", 1, 1);
    assert_eq!(
        client.output()[2..],
        ["a x alias1", "b x alias2", "c x", " x alias1", " x alias2", "c x", " y q1 #1 alias1"]
    );
}

/// [MQTT-3.1.2-25]
#[test]
fn a_message_that_only_its_alias_makes_too_large_goes_without() {
    let world = World::new();
    let mut client = world.connect("s", |connect| {
        connect.properties.topic_alias_maximum = Some(1);
        connect.properties.maximum_packet_size = NonZeroU32::new(20);
    });
    client.subscribe("#", 0);
    let mut publisher = world.client("p");
    // Fourteen bytes of payload in a packet of twenty; an alias takes three more.
    publisher.publish("a", "fourteen bytes", 0, 0);
    publisher.publish("a", "short", 0, 0);
    publisher.publish("a", "fourteen bytes", 0, 0);
    publisher.publish("a", "fifteen bytes..", 0, 0);
    assert_eq!(client.output()[2..], ["a fourteen bytes", "a short alias1", "a fourteen bytes"]);
    assert_eq!(world.broker.statistics().dropped_too_large, 1);
}

#[test]
fn aliases_do_not_outlive_their_connection() {
    let world = World::new();
    let connect = || {
        world.connect("s", |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(100);
            connect.properties.topic_alias_maximum = Some(2);
        })
    };
    let mut client = connect();
    client.subscribe("t", 1);
    flood(&world, 1..=1, 1);
    assert_eq!(client.output()[2..], ["t 1 q1 #1 alias1"]);
    client.lose();
    assert_eq!(connect().output()[1..], ["t 1 q1 #1 dup alias1"]);
}
