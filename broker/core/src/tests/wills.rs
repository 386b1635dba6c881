//! Wills: when they are published, put off, cancelled or forgotten.

use midge_protocol::{MessageProperties, ProtocolVersion, QoS, Will};

use super::client::{Client, World};
use crate::{Ending, ProtocolError};

pub(super) fn will(delay: u32) -> Will<'static> {
    Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "will",
        payload: b"gone",
        delay: Some(delay),
        properties: MessageProperties { message_expiry: Some(30), ..MessageProperties::default() },
    }
}

fn willing(world: &World, clean: bool, expiry: u32, delay: u32) -> Client<'_> {
    world.connect("w", |connect| {
        connect.clean_start = clean;
        connect.properties.session_expiry = Some(expiry);
        connect.will = Some(will(delay));
    })
}

fn wills(world: &World) -> usize {
    world.wills.borrow_mut().drain(..).count()
}

#[test]
fn a_lost_connection_publishes_the_will_and_a_goodbye_does_not() {
    let world = World::new();
    let mut watcher = world.client("watcher");
    watcher.subscribe("will", 1);
    willing(&world, true, 0, 0).disconnect();
    assert_eq!(wills(&world), 0);
    willing(&world, true, 0, 0).lose();
    assert_eq!(wills(&world), 1);
    assert_eq!(watcher.output()[2..], ["will gone q1 #1 expires30"]);
    assert_eq!(world.broker.statistics().wills_published, 1);
}

#[test]
fn disconnect_with_will_publishes_it() {
    let world = World::new();
    willing(&world, true, 0, 0).end(Ending::Disconnected { with_will: true, session_expiry: None });
    assert_eq!(wills(&world), 1);
}

/// [MQTT-3.1.2-8]
#[test]
fn shutdown_publishes_the_will_unless_wills_are_withheld() {
    for (clean, expiry) in [(true, 0), (false, 100)] {
        let world = World::new();
        willing(&world, clean, expiry, 0).end(Ending::Shutdown);
        assert_eq!(wills(&world), 1);
        let client = willing(&world, clean, expiry, 0);
        world.broker.withhold_wills();
        client.end(Ending::Shutdown);
        world.pass(100);
        assert_eq!(wills(&world), 0);
    }
}

#[test]
fn a_delayed_will_comes_after_its_delay_once() {
    let world = World::new();
    willing(&world, false, 100, 10).lose();
    world.pass(9);
    assert_eq!(wills(&world), 0);
    world.pass(1);
    assert_eq!(wills(&world), 1);
    world.pass(200);
    assert_eq!(wills(&world), 0);
}

#[test]
fn a_delayed_wills_expiry_counts_from_its_publication() {
    let world = World::new();
    let mut watcher = world.client("watcher");
    watcher.subscribe("will", 0);
    willing(&world, false, 100, 60).lose();
    world.pass(60);
    assert_eq!(watcher.output()[2..], ["will gone expires30"]);
}

#[test]
fn coming_back_in_time_cancels_the_will() {
    let world = World::new();
    willing(&world, false, 100, 10).lose();
    world.pass(9);
    let client = world.durable("w");
    world.pass(100);
    client.disconnect();
    world.pass(2000);
    assert_eq!(wills(&world), 0);
}

#[test]
fn a_clean_start_ends_the_session_and_publishes_the_delayed_will() {
    let world = World::new();
    willing(&world, false, 100, 10).lose();
    let _client = world.client("w");
    assert_eq!(wills(&world), 1);
}

#[test]
fn the_end_of_the_session_publishes_the_will_if_it_comes_first() {
    let world = World::new();
    willing(&world, false, 5, 10).lose();
    world.pass(5);
    assert_eq!((wills(&world), world.broker.statistics().sessions), (1, 0));
    willing(&world, false, 0, 10).lose();
    assert_eq!(wills(&world), 1);
}

#[test]
fn a_take_over_publishes_a_will_without_delay() {
    let world = World::new();
    let first = willing(&world, false, 100, 0);
    let _second = world.durable("w");
    assert_eq!(wills(&world), 1);
    first.lose();
    assert_eq!(wills(&world), 0);
}

#[test]
fn a_take_over_cancels_a_delayed_will_unless_it_starts_clean() {
    let world = World::new();
    let _first = willing(&world, false, 100, 10);
    let _second = willing(&world, false, 100, 10);
    assert_eq!(wills(&world), 0);
    let _third = world.client("w");
    assert_eq!(wills(&world), 1);
}

#[test]
fn a_will_can_be_retained() {
    let world = World::new();
    world.connect("w", |connect| connect.will = Some(Will { retain: true, ..will(0) })).lose();
    let mut late = world.client("late");
    late.subscribe("will", 0);
    assert_eq!(late.output()[2..], ["will gone retain expires30"]);
}

#[test]
fn a_version_3_will_works_too() {
    let world = World::new();
    let old = |clean| {
        world.connect("w", |connect| {
            connect.version = ProtocolVersion::V311;
            connect.clean_start = clean;
            connect.will = Some(Will { delay: None, properties: MessageProperties::default(), ..will(0) });
        })
    };
    old(true).lose();
    old(false).lose();
    assert_eq!(wills(&world), 2);
    old(false).disconnect();
    assert_eq!(wills(&world), 0);
}

#[test]
fn wills_have_to_keep_to_the_limits() {
    let world = World::with(|limits| (limits.maximum_qos, limits.retain_available) = (QoS::AtMostOnce, false));
    let attempt = |will| world.try_connect("w", |connect| connect.will = Some(will)).err();
    let plain = Will { qos: QoS::AtMostOnce, ..will(0) };
    assert_eq!(attempt(will(0)), Some(ProtocolError::WillQosNotSupported));
    assert_eq!(attempt(Will { retain: true, ..plain }), Some(ProtocolError::WillRetainNotSupported));
    assert_eq!(attempt(Will { topic: "$SYS/x", ..plain }), Some(ProtocolError::WillTopicInvalid));
    assert_eq!(attempt(plain), None);
}
