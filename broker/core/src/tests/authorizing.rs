//! Deliveries that somebody else decides on.

use std::num::NonZeroU16;

use midge_protocol::{QoS, TopicName};

use super::client::{Client, World};
use crate::{Congestion, DeliveryQuestion, Message, Origin};

/// A broker that asks, where a client may have what does not begin with "deny", unless a test answers itself.
fn asking() -> World {
    asking_with(100)
}

fn asking_with(queued_messages_max: u32) -> World {
    let world = World::with(|limits| limits.queued_messages_max = queued_messages_max);
    world.broker.ask_about_deliveries(true);
    world
}

/// A subscriber to everything whose session lasts, that takes so many messages at a time.
fn subscriber(world: &World, receive_maximum: u16) -> Client<'_> {
    let mut client = world.connect("s", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1000);
        connect.properties.receive_maximum = NonZeroU16::new(receive_maximum);
    });
    client.subscribe("#", 2);
    client.output();
    client
}

fn publish(world: &World, topic: &str, qos: u8) -> bool {
    publish_from(world, topic, qos, false)
}

/// Says whether the publisher is held up.
fn publish_from(world: &World, topic: &str, qos: u8, retain: bool) -> bool {
    let message = Message::new(TopicName::new(topic).unwrap(), "x").with_qos(QoS::from_bits(qos).unwrap());
    world.batch(|effects| {
        world.broker.publish_from(Origin::Admin, message.with_retain(retain), world.now.get(), effects);
        matches!(effects.congestion(), Some(Congestion::Queue(_)))
    })
}

fn topics(questions: &[DeliveryQuestion]) -> Vec<&str> {
    questions.iter().map(|question| question.message.topic()).collect()
}

#[test]
fn a_message_waits_until_somebody_says_that_its_client_may_have_it() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    publish(&world, "a", 0);
    publish(&world, "b", 1);
    assert_eq!(client.written(), [""; 0]);
    assert_eq!(world.broker.statistics().queued_messages, 2);
    let questions = client.asked();
    assert_eq!(topics(&questions), ["a", "b"]);
    assert_eq!((questions[1].qos, questions[1].retain), (QoS::AtLeastOnce, false));
    client.answer(questions, |_| true);
    assert_eq!(client.written(), ["a x", "b x q1 #1"]);
    assert_eq!(world.broker.statistics().queued_messages, 0);
}

#[test]
fn what_a_client_may_not_have_is_dropped_and_counted() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    world.events();
    for (topic, qos) in [("a", 1), ("deny/a", 0), ("deny/a", 1), ("b", 2)] {
        publish(&world, topic, qos);
    }
    assert_eq!(client.output(), ["a x q1 #1", "b x q2 #2"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.dropped_denied, statistics.messages_dropped(), statistics.queued_bytes), (2, 2, 0));
    let dropped = "MessageDropped { about: About { client_id: \"s\", principal: None }, topic: \"deny/a\", reason: Denied, count: 2 }";
    assert_eq!(world.events(), [dropped]);
}

#[test]
fn what_comes_while_an_answer_is_awaited_stays_behind_it() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    publish(&world, "a", 1);
    let questions = client.asked();
    for (topic, qos) in [("b", 0), ("a", 0), ("c", 1)] {
        publish(&world, topic, qos);
    }
    assert!(client.poll().is_pending(), "one question at a time");
    client.answer(questions, |_| true);
    assert_eq!(client.written(), ["a x q1 #1"]);
    assert_eq!(client.output(), ["b x", "a x", "c x q1 #2"]);
}

#[test]
fn no_more_is_asked_about_than_can_be_sent() {
    let world = asking();
    let mut client = subscriber(&world, 2);
    for topic in ["a", "b", "c"] {
        publish(&world, topic, 1);
    }
    let questions = client.asked();
    assert_eq!(topics(&questions), ["a", "b"]);
    client.answer(questions, |_| true);
    assert_eq!(client.output(), ["a x q1 #1", "b x q1 #2"]);
    client.puback(1);
    assert_eq!(topics(&client.asked()), ["c"]);
}

#[test]
fn a_message_that_waited_for_an_absent_client_is_asked_about_when_it_is_back() {
    let world = asking();
    subscriber(&world, 10).lose();
    publish(&world, "a", 1);
    publish(&world, "deny/a", 1);
    let mut client = world.durable("s");
    let written = client.written();
    assert_eq!(written.len(), 1, "the CONNACK and no more: {written:?}");
    assert_eq!(client.output(), ["a x q1 #1"]);
}

#[test]
fn a_delivery_that_has_begun_is_completed_without_another_question() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    publish(&world, "a", 1);
    publish(&world, "b", 2);
    client.output();
    client.pubrec(2);
    client.lose();
    let mut client = world.durable("s");
    assert_eq!(client.written()[1..], ["a x q1 #1 dup", "PUBREL 2 00"]);
}

#[test]
fn an_answer_for_a_connection_that_has_lost_the_session_counts_for_nothing() {
    let world = asking();
    let mut old = subscriber(&world, 10);
    publish(&world, "a", 1);
    let questions = old.asked();
    let mut new = world.durable("s");
    old.answer(questions, |_| true);
    assert_eq!(new.written().len(), 1, "the CONNACK");
    let questions = new.asked();
    new.answer(questions, |_| false);
    assert_eq!(new.output(), [""; 0]);
    assert_eq!(world.broker.statistics().dropped_denied, 1);
}

#[test]
fn what_is_decided_and_not_used_is_asked_about_again_where_it_counts_no_longer() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    publish(&world, "a", 1);
    let questions = client.asked();
    world.batch(|effects| world.broker.ask_again(&mut client.connection, world.now.get(), effects));
    client.answer(questions, |_| true);
    assert_eq!(client.written(), [""; 0], "an answer to a question that was withdrawn");
    assert_eq!(topics(&client.asked()), ["a"]);
}

#[test]
fn retained_messages_are_asked_about_and_take_turns_with_the_queue() {
    let world = asking();
    for topic in ["t/1", "deny/2", "t/3"] {
        publish_from(&world, topic, 1, true);
    }
    let mut client = world.client("s");
    client.subscribe("#", 1);
    assert_eq!(client.written().len(), 2, "CONNACK and SUBACK");
    publish(&world, "u", 0);
    let questions = client.asked();
    assert_eq!(questions.iter().filter(|question| question.retain).count(), 3);
    assert!(topics(&questions).contains(&"u"));
    client.answer(questions, |topic| !topic.starts_with("deny"));
    let mut got: Vec<String> = client.output().iter().map(|line| line.replace(" #1", "").replace(" #2", "")).collect();
    got.sort_unstable();
    assert_eq!(got, ["t/1 x q1 retain", "t/3 x q1 retain", "u x"]);
}

#[test]
fn more_retained_messages_than_are_asked_about_at_once_all_arrive() {
    let world = asking();
    for number in 0..200 {
        publish_from(&world, &format!("t/{number:03}"), 0, true);
    }
    let mut client = world.client("s");
    client.subscribe("t/#", 0);
    assert_eq!(client.output().len(), 2 + 200);
}

#[test]
fn nobody_waits_for_an_answer_but_the_client_it_is_about() {
    let world = asking_with(8);
    let mut client = subscriber(&world, 10);
    let mut other = world.client("o");
    other.subscribe("#", 1);
    other.output();
    publish(&world, "a", 1);
    let questions = client.asked();
    client.session.await_verdicts(client.number);
    let (mut held_up, mut got) = (0, 0);
    for _ in 0..20 {
        held_up += usize::from(publish(&world, "b", 1));
        got += other.output().len();
    }
    assert_eq!((held_up, got), (0, 21));
    assert_eq!(world.broker.statistics().dropped_queue_full, 13, "the queue's bound holds");
    client.answer(questions, |_| true);
    assert_eq!(client.output().len(), 8);
}

#[test]
fn a_publisher_slows_down_for_a_crowded_queue_whose_owner_has_not_asked_yet() {
    let world = asking_with(8);
    let client = subscriber(&world, 10);
    let held_up = (0..8).filter(|_| publish(&world, "b", 1)).count();
    assert!(held_up > 0 && world.broker.is_congested(&client.session, world.now.get()));
}

#[test]
fn a_message_that_the_chosen_member_of_a_share_may_not_have_is_nobody_elses() {
    let world = asking();
    let mut members = ["a", "b"].map(|id| {
        let mut client = world.durable(id);
        client.subscribe("$share/g/#", 1);
        client.output();
        client
    });
    for _ in 0..4 {
        publish(&world, "deny/t", 1);
        publish(&world, "t", 0);
    }
    let got: usize = members.iter_mut().map(|member| member.output().len()).sum();
    assert_eq!((got, world.broker.statistics().dropped_denied), (4, 4));
}

#[test]
fn a_connection_about_which_nobody_need_be_asked_gets_what_waits_and_all_that_comes() {
    let world = asking();
    let mut client = subscriber(&world, 10);
    publish(&world, "deny/a", 1);
    assert_eq!(topics(&client.asked()), ["deny/a"]);
    world.batch(|effects| world.broker.deliver_freely(&mut client.connection, world.now.get(), effects));
    publish(&world, "deny/b", 0);
    assert_eq!(client.written(), ["deny/a x q1 #1", "deny/b x"]);
}

#[test]
fn clients_that_are_connected_already_are_asked_about_from_then_on() {
    let world = World::new();
    let mut client = subscriber(&world, 10);
    publish(&world, "deny/a", 0);
    world.broker.ask_about_deliveries(true);
    publish(&world, "deny/b", 0);
    publish(&world, "c", 0);
    assert_eq!(client.output(), ["deny/a x", "c x"]);
}

#[test]
fn a_qos_0_message_that_is_not_decided_when_its_session_ends_is_counted() {
    let world = asking();
    let mut client = world.client("s");
    client.subscribe("#", 0);
    client.output();
    publish(&world, "a", 0);
    client.lose();
    assert_eq!(world.broker.statistics().dropped_session_ended, 1);
    assert_eq!(world.broker.statistics().queued_messages, 0);
}
