//! Retained messages.

use std::num::NonZeroU16;
use std::task::Poll;

use midge_protocol::{ReasonCode, RetainHandling, TopicName};

use super::client::{Client, World};
use crate::{CloseReason, Message, Origin, Work};

fn retain(world: &World, topic: &str, payload: &str) {
    world.client("r").publish_with(topic, payload, 1, 1, |publish| publish.retain = true);
}

#[test]
fn a_new_subscription_gets_the_retained_messages_with_retain_set() {
    let world = World::new();
    retain(&world, "t/1", "one");
    retain(&world, "t/2", "two");
    let mut client = world.client("a");
    client.subscribe_with("t/+", 1, Some(5), |_| {});
    assert_eq!(client.output()[1..], ["SUBACK 01", "t/1 one q1 #1 retain sub5", "t/2 two q1 #2 retain sub5"]);
}

#[test]
fn an_empty_payload_clears_and_is_not_retained() {
    let world = World::new();
    retain(&world, "t", "one");
    retain(&world, "t", "");
    let mut client = world.client("a");
    client.subscribe("t", 1);
    assert_eq!(client.output()[1..], ["SUBACK 01"]);
    assert_eq!(world.broker.statistics().retained_messages, 0);
}

#[test]
fn retain_is_kept_for_present_subscribers_only_if_they_asked() {
    let world = World::new();
    let mut plain = world.client("a");
    plain.subscribe("t", 0);
    let mut asked = world.client("b");
    asked.subscribe_with("t", 0, None, |options| options.retain_as_published = true);
    retain(&world, "t", "x");
    world.client("r").publish("t", "y", 0, 0);
    assert_eq!(plain.output()[2..], ["t x", "t y"]);
    assert_eq!(asked.output()[2..], ["t x retain", "t y"]);
}

#[test]
fn retain_handling_says_when_retained_messages_are_sent() {
    let world = World::new();
    retain(&world, "t", "x");
    let sent = |client: &mut Client<'_>, handling| {
        client.output();
        client.subscribe_with("t", 0, None, |options| options.retain_handling = handling);
        client.output().len() - 1
    };
    let mut client = world.client("a");
    assert_eq!(sent(&mut client, RetainHandling::Never), 0);
    assert_eq!(sent(&mut client, RetainHandling::IfNew), 0);
    assert_eq!(sent(&mut client, RetainHandling::OnSubscribe), 1);
    client.unsubscribe("t");
    assert_eq!(sent(&mut client, RetainHandling::IfNew), 1);
}

#[test]
fn shared_subscriptions_get_no_retained_messages() {
    let world = World::new();
    retain(&world, "t", "x");
    let mut client = world.client("a");
    client.subscribe("$share/g/t", 0);
    assert_eq!(client.output()[1..], ["SUBACK 00"]);
}

#[test]
fn a_long_replay_is_sent_as_the_client_takes_it_and_never_cut() {
    let world = World::new();
    let payload = "x".repeat(1000);
    for number in 0..500 {
        retain(&world, &format!("t/{number:03}"), &payload);
    }
    let mut client = world.client("a");
    client.output();
    client.subscribe("t/#", 0);
    let held = client.session.output_bytes(client.number);
    assert!(held > 16_000 && held < 20_000, "one room full, not all of it: {held}");
    let lines = client.output();
    assert_eq!(lines.len(), 501);
    assert!(lines[500].starts_with("t/499"));
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
}

#[test]
fn a_replay_keeps_to_the_quota() {
    let world = World::new();
    for number in 0..5 {
        retain(&world, &format!("t/{number}"), "x");
    }
    let mut client = world.connect("a", |connect| connect.properties.receive_maximum = std::num::NonZeroU16::new(2));
    client.subscribe("t/#", 1);
    assert_eq!(client.output()[2..], ["t/0 x q1 #1 retain", "t/1 x q1 #2 retain"]);
    client.puback(1);
    assert_eq!(client.output(), ["t/2 x q1 #3 retain"]);
    client.puback(2);
    client.puback(3);
    assert_eq!(client.output(), ["t/3 x q1 #4 retain", "t/4 x q1 #5 retain"]);
}

#[test]
fn a_message_replaced_during_the_replay_is_not_followed_by_its_predecessor() {
    let world = World::new();
    for number in 0..5 {
        retain(&world, &format!("t/{number}"), "old");
    }
    let mut client = world.connect("a", |connect| connect.properties.receive_maximum = std::num::NonZeroU16::new(1));
    client.subscribe("t/#", 1);
    client.output();
    retain(&world, "t/3", "new");
    let mut lines = Vec::new();
    for id in 1..=5 {
        client.puback(id);
        lines.extend(client.output());
    }
    let about: Vec<_> = lines.iter().filter(|line| line.starts_with("t/3")).collect();
    assert_eq!(about.len(), 1, "{lines:?}");
    assert!(about[0].starts_with("t/3 new"));
}

/// One thing that the task of a connection would do, or none if there is nothing.
fn step(client: &mut Client<'_>, received: &mut Vec<u8>) -> bool {
    match client.poll() {
        Poll::Ready(Work::Write(chunk)) => {
            received.extend(chunk.parts().flatten());
            let length = chunk.len();
            client.session.give_back(client.number, chunk, length);
        }
        Poll::Ready(Work::Drained) => {
            let (world, connection) = (client.world, &mut client.connection);
            world.batch(|effects| world.broker.drained(connection, world.now.get(), effects));
        }
        other => {
            assert!(other.is_pending());
            return false;
        }
    }
    true
}

#[test]
fn no_retained_message_comes_behind_a_newer_one_of_its_topic() {
    for (seed, qos) in (0..40_u64).map(|seed| (seed, (seed % 2) as u8)) {
        let world = World::new();
        let mut chance = seed * 0x9E37_79B9 + 1;
        let mut below = |limit: u64| {
            chance = (chance ^ (chance >> 12)).wrapping_mul(0x2545_F491_4F6C_DD1D);
            (chance >> 33) % limit
        };
        let fill = "x".repeat(if qos == 0 { 1000 } else { 1 });
        let mut number = 0;
        let mut latest = [0; 200];
        let mut publish = |world: &World, topic: u64| {
            number += 1;
            latest[topic as usize] = number;
            retain(world, &format!("t/{topic:03}"), &format!("{number:06}{fill}"));
        };
        (0..200).for_each(|topic| publish(&world, topic));
        let mut client = world.connect("a", |connect| connect.properties.receive_maximum = NonZeroU16::new(5));
        client.subscribe("t/#", qos);
        let (mut received, mut acknowledged) = (Vec::new(), 0);
        for _ in 0..300 {
            if below(3) == 0 {
                publish(&world, below(200));
            } else if qos == 0 {
                step(&mut client, &mut received);
            } else {
                acknowledged += 1;
                client.puback(acknowledged);
                while step(&mut client, &mut received) {}
            }
        }
        while step(&mut client, &mut received) || qos > 0 && world.broker.statistics().in_flight > 0 {
            if qos > 0 {
                acknowledged += 1;
                client.puback(acknowledged);
            }
        }
        let mut seen = [0; 200];
        for line in client.render(&received) {
            let Some((topic, payload)) = line.strip_prefix("t/").and_then(|line| line.split_once(' ')) else {
                continue;
            };
            let (topic, number): (usize, u32) = (topic.parse().unwrap(), payload[..6].parse().unwrap());
            assert!(number > seen[topic], "t/{topic}: {number} came after {} (seed {seed})", seen[topic]);
            seen[topic] = number;
        }
        assert_eq!(seen, latest, "seed {seed}");
        assert_eq!(world.broker.statistics().messages_dropped(), 0);
    }
}

#[test]
fn a_search_that_finds_little_lets_others_have_their_turn() {
    let world = World::new();
    for number in 0..5000 {
        retain(&world, &format!("t/{number:04}/x"), "x");
    }
    retain(&world, "t/9999/y", "found");
    let mut client = world.client("a");
    client.subscribe("t/+/y", 0);
    assert_eq!(client.written().len(), 2, "CONNACK and SUBACK: nothing was found so far");
    let mut turns = 0;
    let mut received = Vec::new();
    while step(&mut client, &mut received) {
        turns += 1;
    }
    assert!(turns >= 5, "{turns}");
    assert_eq!(client.render(&received), ["t/9999/y found retain"]);
}

#[test]
fn retained_messages_expire() {
    let world = World::new();
    world.client("r").publish_with("t", "x", 0, 0, |publish| {
        publish.retain = true;
        publish.properties.message_expiry = Some(10);
    });
    world.pass(4);
    let mut client = world.client("a");
    client.subscribe("t", 0);
    assert_eq!(client.output()[2..], ["t x retain expires6"]);
    world.pass(6);
    client.subscribe("t", 0);
    assert_eq!(client.output(), ["SUBACK 00"]);
    assert_eq!(world.broker.statistics().retained_messages, 0);
}

#[test]
fn a_new_topic_beyond_the_limit_is_refused_with_0x97() {
    let world = World::with(|limits| limits.retained_messages_max = 1);
    let mut client = world.client("a");
    for (id, topic) in [(1, "t"), (2, "u"), (3, "t")] {
        client.publish_with(topic, "x", 2, id, |publish| publish.retain = true);
    }
    assert_eq!(client.output()[1..], ["PUBREC 1 10", "PUBREC 2 97", "PUBREC 3 10"]);
    client.pubrel(2);
    assert_eq!(client.output(), ["PUBCOMP 2 92"]);
}

/// The bound is the operator's, for clients.
#[test]
fn what_the_broker_says_of_itself_takes_no_place_from_clients() {
    let world = World::with(|limits| limits.retained_messages_max = 2);
    let mut client = world.client("a");
    client.publish_with("t", "x", 1, 1, |publish| publish.retain = true);
    for topic in ["$SYS/broker/version", "$SYS/broker/uptime", "$SYS/broker/load"] {
        let own = Message::new(TopicName::new(topic).unwrap(), "1").with_retain(true);
        world.batch(|effects| world.broker.publish_from(Origin::System, own, world.now.get(), effects));
    }
    assert_eq!(world.broker.statistics().retained_messages, 4);
    client.publish_with("u", "x", 1, 2, |publish| publish.retain = true);
    client.publish_with("v", "x", 1, 3, |publish| publish.retain = true);
    assert_eq!(client.output()[1..], ["PUBACK 1 10", "PUBACK 2 10", "PUBACK 3 97"]);
}

/// [MQTT-3.3.1-5] asks for more, and a limit is a limit; but it is counted, and those who are here get the message.
#[test]
fn a_message_of_qos_0_that_cannot_be_kept_reaches_those_who_are_here() {
    let world = World::with(|limits| limits.retained_messages_max = 1);
    let mut client = world.client("a");
    client.publish_with("t", "x", 0, 0, |publish| publish.retain = true);
    client.subscribe("u", 0);
    client.publish_with("u", "y", 0, 0, |publish| publish.retain = true);
    assert_eq!(client.output()[2..], ["u y"]);
    assert_eq!(world.broker.statistics().not_retained, 1);
}

/// [v3.1.1 MQTT-3.3.1-7]
#[test]
fn a_message_of_qos_0_that_cannot_be_kept_takes_its_predecessor_with_it() {
    let world = World::with(|limits| limits.retained_bytes_max = 1000);
    let mut client = world.client("a");
    let large = "x".repeat(2000);
    client.publish_with("t", "old", 0, 0, |publish| publish.retain = true);
    client.publish_with("t", &large, 1, 1, |publish| publish.retain = true);
    assert_eq!(client.output()[1..], ["PUBACK 1 97"]);
    assert_eq!(world.broker.statistics().retained_messages, 1, "whoever is told so can do something about it");
    client.publish_with("t", &large, 0, 0, |publish| publish.retain = true);
    assert_eq!(world.broker.statistics().retained_messages, 0);
}

#[test]
fn version_3_is_disconnected_rather_than_told_that_a_message_it_asked_to_keep_was_kept() {
    let world = World::with(|limits| limits.retained_messages_max = 1);
    let mut client = world.v3("a", true);
    client.publish_with("t", "x", 1, 1, |publish| publish.retain = true);
    client.publish_with("u", "x", 0, 0, |publish| publish.retain = true);
    assert_eq!((client.output().len(), client.close_reason()), (2, None));
    client.publish_with("u", "x", 1, 2, |publish| publish.retain = true);
    assert_eq!(client.close_reason(), Some(CloseReason::Administrative(ReasonCode::QuotaExceeded)));
    let statistics = world.broker.statistics();
    assert_eq!((statistics.messages_refused, statistics.not_retained), (1, 2));
}

#[test]
fn no_local_holds_for_retained_messages() {
    let world = World::new();
    let mut client = world.client("a");
    client.publish_with("t", "own", 0, 0, |publish| publish.retain = true);
    client.subscribe_with("t", 0, None, |options| options.no_local = true);
    assert_eq!(client.output()[1..], ["SUBACK 00"]);
}

#[test]
fn a_replay_ends_with_its_subscription() {
    let world = World::new();
    for number in 0..5 {
        retain(&world, &format!("t/{number}"), "x");
    }
    let mut client = world.connect("a", |connect| connect.properties.receive_maximum = std::num::NonZeroU16::new(1));
    client.subscribe("t/#", 1);
    client.unsubscribe("t/#");
    assert_eq!(client.output()[2..], ["t/0 x q1 #1 retain", "UNSUBACK 00"]);
    client.puback(1);
    assert_eq!(client.output(), [""; 0]);
}
