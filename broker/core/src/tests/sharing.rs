//! Shared subscriptions.

use super::client::{Client, World};

fn payloads(client: &mut Client<'_>) -> usize {
    client.output().iter().filter(|line| line.starts_with("t ")).count()
}

fn member<'w>(world: &'w World, id: &'static str) -> Client<'w> {
    let mut client = world.durable(id);
    client.subscribe("$share/g/t", 2);
    client
}

#[test]
fn each_message_goes_to_one_member_in_turn() {
    let world = World::new();
    let (mut a, mut b) = (member(&world, "a"), member(&world, "b"));
    let mut outsider = world.client("c");
    outsider.subscribe("t", 0);
    let mut publisher = world.client("p");
    for _ in 0..10 {
        publisher.publish("t", "x", 0, 0);
    }
    assert_eq!((payloads(&mut a), payloads(&mut b), payloads(&mut outsider)), (5, 5, 10));
}

#[test]
fn a_connected_member_is_preferred_and_an_absent_one_better_than_none() {
    let world = World::new();
    let (a, mut b) = (member(&world, "a"), member(&world, "b"));
    a.lose();
    let mut publisher = world.client("p");
    for _ in 0..4 {
        publisher.publish("t", "x", 1, 1);
    }
    assert_eq!(payloads(&mut b), 4);
    b.lose();
    publisher.publish("t", "x", 1, 1);
    assert_eq!(world.broker.statistics().queued_messages, 1);
}

#[test]
fn the_qos_1_messages_of_a_member_whose_session_ends_go_to_another() {
    let world = World::new();
    let mut a = world.connect("a", |connect| connect.properties.receive_maximum = std::num::NonZeroU16::new(1));
    a.subscribe("$share/g/t", 2);
    let mut publisher = world.client("p");
    publisher.publish("t", "sent", 1, 1);
    publisher.publish("t", "queued", 2, 2);
    assert_eq!(payloads(&mut a), 1);
    let mut b = member(&world, "b");
    b.output();
    a.lose();
    assert_eq!(b.output(), ["t sent q1 #1", "t queued q2 #2"]);
}

#[test]
fn a_qos_2_delivery_that_has_begun_goes_to_nobody_else() {
    let world = World::new();
    let mut a = world.client("a");
    a.subscribe("$share/g/t", 2);
    world.client("p").publish("t", "begun", 2, 1);
    a.output();
    let mut b = member(&world, "b");
    b.output();
    a.lose();
    assert_eq!(b.output(), [""; 0]);
    assert_eq!(world.broker.statistics().dropped_session_ended, 1);
}
