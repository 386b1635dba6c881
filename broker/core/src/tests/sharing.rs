//! Shared subscriptions.

use std::num::NonZeroU16;

use midge_protocol::{Packet, ReasonCode};

use super::client::{Client, World, ack};
use crate::{SharedStrategy, Sharing};

fn payloads(client: &mut Client<'_>) -> usize {
    client.output().iter().filter(|line| line.starts_with("t ")).count()
}

fn member<'w>(world: &'w World, id: &'static str) -> Client<'w> {
    let mut client = world.durable(id);
    client.subscribe("$share/g/t", 2);
    client.output();
    client
}

/// A member that takes one message at a time, so that all others wait for it.
fn narrow<'w>(world: &'w World, id: &'static str) -> Client<'w> {
    let mut client = world.connect(id, |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1000);
        connect.properties.receive_maximum = NonZeroU16::new(1);
    });
    client.subscribe("$share/g/t", 2);
    client.output();
    client
}

fn publish(world: &World, payloads: &[&str], qos: u8) {
    let mut publisher = world.client("p");
    for (number, payload) in (1..).zip(payloads) {
        publisher.publish("t", payload, qos, if qos == 0 { 0 } else { number });
    }
    publisher.disconnect();
}

fn queued(world: &World) -> u64 {
    world.broker.statistics().queued_messages
}

#[test]
fn each_message_goes_to_one_member_in_turn() {
    let world = World::new();
    let (mut a, mut b) = (member(&world, "a"), member(&world, "b"));
    let mut outsider = world.client("c");
    outsider.subscribe("t", 0);
    publish(&world, &["x"; 10], 0);
    assert_eq!((payloads(&mut a), payloads(&mut b), payloads(&mut outsider)), (5, 5, 10));
}

#[test]
fn a_share_name_may_have_a_strategy_of_its_own() {
    let mut world = World::new();
    let strategies = [("g".into(), SharedStrategy::Sticky)].into();
    world.broker = world.broker.with_sharing(Sharing { strategies, ..Sharing::default() });
    let (mut a, mut b) = (member(&world, "a"), member(&world, "b"));
    a.subscribe("$share/turns/t", 0);
    b.subscribe("$share/turns/t", 0);
    publish(&world, &["x"; 10], 1);
    let counts = [a.output(), b.output()].map(|lines| {
        let qos1 = lines.iter().filter(|line| line.contains(" q1 ")).count();
        (qos1, lines.iter().filter(|line| *line == "t x").count())
    });
    assert!(counts == [(10, 5), (0, 5)] || counts == [(0, 5), (10, 5)], "{counts:?}");
}

#[test]
fn a_connected_member_is_preferred_and_an_absent_one_better_than_none() {
    let world = World::new();
    let (a, mut b) = (member(&world, "a"), member(&world, "b"));
    a.lose();
    publish(&world, &["x"; 4], 1);
    assert_eq!(payloads(&mut b), 4);
    b.lose();
    publish(&world, &["x"], 1);
    assert_eq!(queued(&world), 1);
}

#[test]
fn a_member_whose_connection_is_to_close_gets_nothing_more() {
    let world = World::new();
    let (mut a, mut b) = (member(&world, "a"), member(&world, "b"));
    world.broker.disconnect("a", ReasonCode::AdministrativeAction);
    publish(&world, &["x"; 4], 1);
    assert_eq!((payloads(&mut a), payloads(&mut b)), (0, 4));
}

#[test]
fn the_qos_1_messages_of_a_member_whose_session_ends_go_to_another() {
    let world = World::new();
    let mut a = world.connect("a", |connect| connect.properties.receive_maximum = NonZeroU16::new(1));
    a.subscribe("$share/g/t", 2);
    let mut publisher = world.client("p");
    publisher.publish("t", "sent", 1, 1);
    publisher.publish("t", "queued", 2, 2);
    assert_eq!(payloads(&mut a), 1);
    let mut b = member(&world, "b");
    a.lose();
    assert_eq!(b.output(), ["t sent q1 #1", "t queued q2 #2"]);
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
}

#[test]
fn a_session_that_expires_or_starts_clean_leaves_its_messages_to_the_others() {
    for clean in [false, true] {
        let world = World::new();
        let mut a = narrow(&world, "a");
        publish(&world, &["1", "2", "3"], 1);
        assert_eq!(a.output(), ["t 1 q1 #1"]);
        a.lose();
        let mut b = world.durable("b");
        b.subscribe("$share/g/t", 2);
        assert_eq!(b.output()[2..], ["t 2 q1 #1", "t 3 q1 #2"], "what waits goes to who is here");
        if clean {
            world.client("a");
        } else {
            world.pass(1000);
        }
        assert_eq!(b.output(), ["t 1 q1 #3"], "and what was sent, once nobody can come back for it");
        assert_eq!(world.broker.statistics().messages_dropped(), 0);
    }
}

/// [MQTT-4.8.2-5]
#[test]
fn a_qos_2_delivery_that_has_begun_goes_to_nobody_else() {
    let world = World::new();
    let mut a = world.client("a");
    a.subscribe("$share/g/t", 2);
    publish(&world, &["begun"], 2);
    a.output();
    let mut b = member(&world, "b");
    a.lose();
    assert_eq!(b.output(), [""; 0]);
    assert_eq!(world.broker.statistics().dropped_session_ended, 1);
}

/// [MQTT-4.8.2-6]
#[test]
fn a_message_a_member_refuses_goes_to_nobody_else() {
    let world = World::new();
    let mut a = world.client("a");
    a.subscribe("$share/g/t", 2);
    publish(&world, &["one"], 1);
    publish(&world, &["two"], 2);
    assert_eq!(payloads(&mut a), 2);
    let mut b = member(&world, "b");
    let no = |id| midge_protocol::Ack { reason: ReasonCode::ImplementationSpecificError, ..ack(id) };
    a.send(Packet::Puback(no(1))).unwrap();
    a.send(Packet::Pubrec(no(2))).unwrap();
    a.lose();
    assert_eq!(b.output(), [""; 0]);
}

#[test]
fn what_waits_for_a_member_that_is_gone_goes_to_the_others_in_order() {
    let world = World::new();
    let mut a = narrow(&world, "a");
    a.subscribe("own", 1);
    let mut publisher = world.client("p");
    for (number, payload) in (1..).zip(["1", "2", "3", "4"]) {
        publisher.publish("t", payload, 2, number);
        publisher.publish("own", payload, 1, number + 10);
    }
    let mut b = member(&world, "b");
    a.lose();
    let mut c = member(&world, "c");
    assert_eq!(b.output(), ["t 2 q2 #1", "t 3 q2 #2", "t 4 q2 #3"]);
    assert_eq!(c.output(), [""; 0]);
    let mut a = world.durable("a");
    let own = ["own 1 q1 #2", "own 2 q1 #3", "own 3 q1 #4", "own 4 q1 #5"];
    assert_eq!(a.output()[1..], [&["t 1 q2 #1 dup"][..], &own].concat(), "the rest is its own");
}

#[test]
fn what_waits_while_nobody_is_here_goes_to_who_comes_first() {
    let world = World::new();
    let (a, b) = (member(&world, "a"), member(&world, "b"));
    a.lose();
    b.lose();
    publish(&world, &["1", "2", "3", "4"], 1);
    assert_eq!(queued(&world), 4);
    let mut b = world.durable("b");
    let mut lines = b.output();
    lines.sort();
    assert_eq!(lines.iter().filter(|line| line.starts_with("t ")).count(), 4, "{lines:?}");
    assert_eq!(queued(&world), 0);
    assert_eq!(world.durable("a").output(), ["CONNACK 00 present"]);
}

#[test]
fn what_waits_does_not_go_to_a_member_that_might_lose_it() {
    let world = World::new();
    let a = member(&world, "a");
    a.lose();
    publish(&world, &["1", "2"], 1);
    let mut b = world.client("b");
    b.subscribe("$share/g/t", 0);
    assert_eq!(b.output(), ["CONNACK 00", "SUBACK 00"]);
    assert_eq!(queued(&world), 2);
    world.pass(1000);
    assert_eq!(b.output(), ["t 1", "t 2"], "unless it would be lost otherwise");
}

/// [MQTT-3.10.4-3]
#[test]
fn who_unsubscribes_completes_what_was_sent_and_leaves_the_rest() {
    let world = World::new();
    let mut a = narrow(&world, "a");
    publish(&world, &["1", "2", "3"], 1);
    a.output();
    let mut b = member(&world, "b");
    a.unsubscribe("$share/g/t");
    assert_eq!(a.output(), ["UNSUBACK 00"]);
    assert_eq!(b.output(), ["t 2 q1 #1", "t 3 q1 #2"]);
    a.puback(1);
    assert_eq!(a.output(), [""; 0]);
    a.lose();
    world.pass(1000);
    assert_eq!(b.output(), [""; 0], "it was acknowledged");
}

#[test]
fn the_last_member_to_unsubscribe_gets_what_waits_for_it() {
    let world = World::new();
    let mut a = narrow(&world, "a");
    publish(&world, &["1", "2"], 1);
    a.unsubscribe("$share/g/t");
    assert_eq!(a.output(), ["t 1 q1 #1", "UNSUBACK 00"]);
    a.puback(1);
    assert_eq!(a.output(), ["t 2 q1 #2"]);
    // It was sent to a group that is no more; there is one of that name again.
    let mut b = member(&world, "b");
    a.lose();
    world.pass(1000);
    assert_eq!(b.output(), ["t 2 q1 #1"]);
}

#[test]
fn a_full_queue_is_tried_elsewhere_before_anything_is_lost() {
    for qos in [1, 2] {
        let world = World::with(|limits| limits.queued_messages_max = 2);
        let (mut a, b) = (narrow(&world, "a"), narrow(&world, "b"));
        b.lose();
        publish(&world, &["1", "2", "3", "4", "5"], qos);
        assert_eq!(world.broker.statistics().messages_dropped(), 0, "three with a, two with b");
        assert_eq!(queued(&world), 4);
        publish(&world, &["6"], qos);
        assert_eq!(world.broker.statistics().dropped_queue_full, 1, "now there is no room anywhere");
        assert_eq!(queued(&world), 4);
        assert_eq!(payloads(&mut a), 1);
    }
}

#[test]
fn what_does_not_fit_in_the_member_that_is_here_stays_where_it_was() {
    let world = World::with(|limits| limits.queued_messages_max = 3);
    let mut a = narrow(&world, "a");
    publish(&world, &["1", "2", "3", "4"], 1);
    a.output();
    let mut b = world.connect("b", |connect| {
        connect.properties.receive_maximum = NonZeroU16::new(1);
        connect.properties.session_expiry = Some(1000);
    });
    b.subscribe("$share/g/t", 2);
    publish(&world, &["5", "6", "7"], 1);
    assert_eq!(b.output(), ["CONNACK 00", "SUBACK 02", "t 5 q1 #1"]);
    a.lose();
    assert_eq!(queued(&world), 5, "one moved");
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
    let mut a = world.durable("a");
    assert_eq!(a.output()[1..], ["t 1 q1 #1 dup", "t 3 q1 #2", "t 4 q1 #3"]);
}

#[test]
fn a_message_too_large_for_one_member_goes_to_another() {
    let world = World::new();
    let mut small = world.connect("small", |connect| {
        connect.properties.maximum_packet_size = std::num::NonZeroU32::new(30);
    });
    small.subscribe("$share/g/t", 2);
    let mut large = member(&world, "large");
    let long = "x".repeat(40);
    for qos in [0, 1, 2] {
        publish(&world, &[&long, &long], qos);
    }
    assert_eq!((payloads(&mut small), payloads(&mut large)), (0, 6));
    assert_eq!(world.broker.statistics().dropped_too_large, 0);
    large.disconnect();
    world.broker.end_session("large", ReasonCode::Success, world.now.get(), &mut crate::Effects::new());
    publish(&world, &[&long], 1);
    assert_eq!(world.broker.statistics().dropped_too_large, 1, "nobody can take it");
}

#[test]
fn a_member_that_does_not_read_is_passed_over() {
    let world = World::with(|limits| limits.outbox_bytes_max = 100);
    let (slow, mut quick) = (member(&world, "slow"), member(&world, "quick"));
    let mut count = 0;
    for _ in 0..10 {
        publish(&world, &["0123456789012345678901234567890123456789"; 2], 0);
        count += payloads(&mut quick);
    }
    assert!(count >= 17, "{count} of 20");
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
    drop(slow);
}

#[test]
fn least_in_flight_sees_what_is_not_acknowledged() {
    let mut world = World::new();
    world.broker = world.broker.with_sharing(Sharing { strategy: SharedStrategy::LeastInFlight, ..Sharing::default() });
    let (mut idle, mut busy) = (member(&world, "idle"), member(&world, "busy"));
    publish(&world, &["x"; 6], 1);
    assert_eq!((payloads(&mut idle), payloads(&mut busy)), (3, 3));
    (1..=3).for_each(|id| idle.puback(id));
    publish(&world, &["x"; 3], 1);
    assert_eq!((payloads(&mut idle), payloads(&mut busy)), (3, 0));
}
