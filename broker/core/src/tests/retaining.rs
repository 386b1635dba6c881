//! Retained messages.

use midge_protocol::{ReasonCode, RetainHandling};

use super::client::{Client, World};
use crate::CloseReason;

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
    assert!(held > 60_000 && held < 80_000, "one room full, not all of it: {held}");
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

#[test]
fn version_3_is_disconnected_rather_than_told_that_a_message_it_asked_to_keep_was_kept() {
    let world = World::with(|limits| limits.retained_messages_max = 1);
    let mut client = world.v3("a", true);
    client.publish_with("t", "x", 1, 1, |publish| publish.retain = true);
    client.publish_with("u", "x", 0, 0, |publish| publish.retain = true);
    assert_eq!((client.output().len(), client.close_reason()), (2, None));
    client.publish_with("u", "x", 1, 2, |publish| publish.retain = true);
    assert_eq!(client.close_reason(), Some(CloseReason::Administrative(ReasonCode::QuotaExceeded)));
    assert_eq!(world.broker.statistics().messages_refused, 2);
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
