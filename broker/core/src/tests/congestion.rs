//! Whom publishers wait for, and how long.

use std::num::NonZeroU16;
use std::time::Duration;

use midge_protocol::{QoS, TopicName};

use super::client::{Client, World};
use crate::{Congestion, Message, Origin};

/// A subscriber to `filter` that takes one message of QoS 1 at a time.
fn subscriber<'w>(world: &'w World, id: &'static str, filter: &str) -> Client<'w> {
    let mut client = world.connect(id, |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1000);
        connect.properties.receive_maximum = NonZeroU16::new(1);
    });
    client.subscribe(filter, 1);
    client.output();
    client
}

/// Publishes a message by itself, and says whose queue or outbox its publisher is to slow down for.
fn publish(world: &World, payload: &str, qos: QoS) -> Option<(&'static str, String)> {
    let message = Message::new(TopicName::new("t").unwrap(), payload.to_owned()).with_qos(qos);
    world.batch(|effects| {
        world.broker.publish_from(Origin::Admin, message, world.now.get(), effects);
        match effects.congestion()? {
            Congestion::Queue(session) => Some(("queue", session.client_id().to_owned())),
            Congestion::Outbox(session) => Some(("outbox", session.client_id().to_owned())),
            Congestion::Store => Some(("store", String::new())),
        }
    })
}

/// Publishes with QoS 1, and says whether its publisher is held up.
fn is_held_up(world: &World, payload: &str) -> bool {
    publish(world, payload, QoS::AtLeastOnce).is_some_and(|(what, _)| what == "queue")
}

fn is_congested(world: &World, client: &Client<'_>) -> bool {
    world.broker.is_congested(&client.session, world.now.get())
}

/// What the clock of these tests counts in.
const PATIENCE: u32 = 5;

#[test]
fn a_publisher_that_waits_for_a_steady_client_makes_it_lose_nothing() {
    let world = World::with(|limits| limits.queued_messages_max = 8);
    let mut client = subscriber(&world, "s", "t");
    let mut next = 1;
    for number in 0..100 {
        let held = is_held_up(&world, &number.to_string());
        assert_eq!(held, is_congested(&world, &client));
        while is_congested(&world, &client) {
            world.pass(PATIENCE - 1);
            client.output();
            client.puback(next);
            next += 1;
        }
    }
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
    assert!(world.broker.statistics().queued_messages <= 7);
}

#[test]
fn nobody_waits_longer_for_a_client_that_takes_nothing_until_it_does() {
    let world = World::with(|limits| limits.queued_messages_max = 4);
    let mut client = subscriber(&world, "s", "t");
    let held: Vec<bool> = (0..5).map(|_| is_held_up(&world, "x")).collect();
    assert_eq!(held, [false, false, false, false, true]);
    world.pass(PATIENCE - 1);
    assert!(is_congested(&world, &client));
    world.pass(1);
    assert!(!is_congested(&world, &client));
    assert!(!is_held_up(&world, "x"), "the policy now, for as long as it takes nothing");
    world.pass(100);
    assert!(!is_held_up(&world, "x"));
    assert_eq!(world.broker.statistics().dropped_queue_full, 2);
    client.output();
    client.puback(1);
    assert!(is_held_up(&world, "x"), "it goes on, so that waiting helps again");
}

#[test]
fn nobody_waits_for_a_client_that_is_not_there() {
    let world = World::with(|limits| limits.queued_messages_max = 2);
    let client = subscriber(&world, "s", "t");
    client.lose();
    assert!((0..10).all(|_| !is_held_up(&world, "x")));
    assert_eq!(world.broker.statistics().dropped_queue_full, 8);
}

#[test]
fn a_queue_that_has_no_room_for_another_as_large_is_waited_for() {
    let world = World::with(|limits| limits.queued_bytes_max = 10_000);
    let mut client = subscriber(&world, "s", "t");
    assert!(!is_held_up(&world, "in flight"));
    assert!(is_held_up(&world, &"x".repeat(6000)), "hardly more than half full");
    client.output();
    client.puback(1);
    assert!(!is_congested(&world, &client));
}

#[test]
fn where_publishers_are_never_to_wait_they_do_not() {
    let world = World::with(|limits| (limits.queued_messages_max, limits.slow_down_max) = (2, Duration::ZERO));
    let _client = subscriber(&world, "s", "t");
    assert!((0..10).all(|_| publish(&world, "x", QoS::AtLeastOnce).is_none()));
}

#[test]
fn an_outbox_that_is_never_emptied_slows_nobody_down_for_long() {
    let world = World::with(|limits| limits.outbox_bytes_max = 1000);
    let mut client = subscriber(&world, "s", "t");
    let payload = "x".repeat(300);
    let slowed = |world: &World| publish(world, &payload, QoS::AtMostOnce);
    let outbox = Some(("outbox", "s".to_owned()));
    assert_eq!([slowed(&world), slowed(&world), slowed(&world), slowed(&world)], [None, None, None, outbox.clone()]);
    world.pass(PATIENCE);
    assert_eq!(slowed(&world), None);
    let chunk = client.session.take_output(client.number).unwrap();
    client.session.give_back(client.number, chunk, 1);
    assert_eq!(slowed(&world), outbox, "it has taken something");
    client.bytes();
    assert_eq!(slowed(&world), None);
}

#[test]
fn of_a_group_only_all_together_are_waited_for() {
    let world = World::with(|limits| limits.queued_messages_max = 4);
    let mut members = [subscriber(&world, "a", "$share/g/t"), subscriber(&world, "b", "$share/g/t")];
    let until_held = |world: &World| (1..=50).find(|_| is_held_up(world, "x"));
    assert_eq!(until_held(&world), Some(10), "one in flight and four waiting for each");
    members[0].output();
    members[0].puback(1);
    assert!(!is_congested(&world, &members[0]) && is_congested(&world, &members[1]));
    assert_eq!(until_held(&world), Some(1), "that was the last room that there was");
    world.pass(PATIENCE);
    assert_eq!(until_held(&world), None);
    assert!(world.broker.statistics().dropped_queue_full > 0);
}
