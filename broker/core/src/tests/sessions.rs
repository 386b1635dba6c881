//! How long a session lives, and whose it is.

use midge_protocol::{Packet, ProtocolVersion, ReasonCode};

use super::client::{World, connect_packet};
use super::wills::will;
use crate::{About, CloseReason, Ending, Event, Opening, SessionEnd, SessionOverrides};

fn sessions(world: &World) -> u64 {
    world.broker.statistics().sessions
}

#[test]
fn a_session_lives_its_expiry_interval_after_the_connection() {
    let world = World::new();
    let connect = || {
        world.connect("a", |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(10);
        })
    };
    assert_eq!(connect().output(), ["CONNACK 00"]);
    let mut client = connect();
    assert_eq!(client.output(), ["CONNACK 00 present"]);
    client.subscribe("t", 1);
    client.lose();
    world.pass(9);
    let mut client = connect();
    assert_eq!(client.output(), ["CONNACK 00 present"]);
    world.pass(20);
    client.lose();
    world.pass(9);
    assert_eq!(sessions(&world), 1);
    world.pass(1);
    assert_eq!((sessions(&world), world.broker.statistics().subscriptions), (0, 0));
    assert_eq!(world.broker.statistics().sessions_expired, 1);
    assert_eq!(connect().output(), ["CONNACK 00"]);
}

#[test]
fn an_expired_session_is_not_resumed_even_before_the_tick_that_ends_it() {
    let world = World::new();
    world.durable("a").lose();
    world.now.set(world.now.get().after_seconds(1000));
    assert_eq!(world.durable("a").output(), ["CONNACK 00"]);
    assert!(world.events().iter().any(|event| event.contains("Expired")));
}

#[test]
fn without_an_expiry_interval_the_session_ends_with_its_connection() {
    let world = World::new();
    world.connect("a", |connect| connect.clean_start = false).lose();
    assert_eq!(sessions(&world), 0);
}

#[test]
fn an_expiry_interval_of_all_ones_never_ends() {
    let world = World::new();
    world.connect("a", |connect| connect.properties.session_expiry = Some(u32::MAX)).lose();
    world.pass(u32::MAX);
    assert_eq!(sessions(&world), 1);
}

#[test]
fn clean_session_0_makes_a_version_3_session_last() {
    let world = World::new();
    world.v3("a", false).disconnect();
    assert_eq!(world.v3("a", false).output(), ["CONNACK 00 present"]);
    assert_eq!(world.v3("a", true).output(), ["CONNACK 00"]);
    world.v3("b", true).disconnect();
    assert_eq!(world.v3("b", false).output(), ["CONNACK 00"]);
}

#[test]
fn version_3_1_is_never_told_that_a_session_was_present() {
    let world = World::new();
    let connect = || {
        world.connect("a", |connect| {
            connect.version = ProtocolVersion::V31;
            connect.clean_start = false;
        })
    };
    connect().disconnect();
    let mut client = connect();
    assert!(client.connection.session_present());
    assert_eq!(client.output(), ["CONNACK 00"]);
}

#[test]
fn a_clean_start_discards_what_was_there() {
    let world = World::new();
    let mut client = world.durable("a");
    client.subscribe("t", 1);
    client.lose();
    world.client("p").publish("t", "x", 1, 1);
    assert_eq!(world.client("a").output(), ["CONNACK 00"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.subscriptions, statistics.queued_messages, statistics.dropped_session_ended), (0, 0, 1));
}

#[test]
fn disconnect_can_change_the_expiry_interval() {
    let world = World::new();
    world.durable("a").end(Ending::Disconnected { with_will: false, session_expiry: Some(0) });
    assert_eq!(sessions(&world), 0);
    world.durable("a").end(Ending::Disconnected { with_will: false, session_expiry: Some(5) });
    world.pass(5);
    assert_eq!(sessions(&world), 0);
}

#[test]
fn the_longest_session_expiry_is_ours_to_say() {
    let world = World::with(|limits| limits.session_expiry_max = 10);
    world.v3("a", false).lose();
    world.durable("b").end(Ending::Disconnected { with_will: false, session_expiry: Some(5000) });
    world.pass(10);
    assert_eq!(sessions(&world), 0);
}

#[test]
fn a_grant_can_change_a_clients_limits() {
    let world = World::new();
    let connect = connect_packet("a", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1000);
    });
    let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
    request.overrides = SessionOverrides {
        inflight: Some(1),
        queued_messages: Some(2),
        session_expiry: Some(10),
        ..Default::default()
    };
    let mut client = world.accept(request);
    client.subscribe("t", 1);
    let mut publisher = world.client("p");
    (0..4).for_each(|_| publisher.publish("t", "x", 1, 1));
    assert_eq!(client.output()[2..], ["t x q1 #1"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.queued_messages, statistics.dropped_queue_full), (2, 1));
    client.end(Ending::Disconnected { with_will: false, session_expiry: Some(500) });
    world.pass(10);
    assert_eq!(world.broker.statistics().sessions_expired, 1);
}

#[test]
fn a_second_connection_takes_the_session_over_with_what_is_in_flight() {
    let world = World::new();
    let mut first = world.durable("a");
    first.subscribe("t", 2);
    world.client("p").publish("t", "x", 2, 1);
    first.publish("u", "", 2, 4);
    assert_eq!(first.output()[2..], ["t x q2 #1", "PUBREC 4 10"]);
    let mut second = world.durable("a");
    assert_eq!(first.close_reason(), Some(CloseReason::TakenOver));
    assert_eq!(first.output(), [""; 0]);
    second.publish_with("u", "", 2, 4, |publish| publish.dup = true);
    assert_eq!(second.output(), ["CONNACK 00 present", "t x q2 #1 dup", "PUBREC 4 00"]);
    first.lose();
    // The publisher is still there.
    assert_eq!((sessions(&world), world.broker.statistics().connections), (2, 2));
    second.pubrec(1);
    assert_eq!(second.output(), ["PUBREL 1 00"]);
    assert_eq!(world.broker.statistics().sessions_taken_over, 1);
}

#[test]
fn a_take_over_with_a_clean_start_leaves_the_first_connection_nothing() {
    let world = World::new();
    let mut first = world.durable("a");
    first.subscribe("t", 0);
    let mut second = world.client("a");
    assert_eq!(first.close_reason(), Some(CloseReason::TakenOver));
    first.subscribe("t", 0);
    world.client("p").publish("t", "x", 0, 0);
    assert_eq!(world.broker.statistics().subscriptions, 0);
    assert_eq!(second.output(), ["CONNACK 00"]);
    first.lose();
    assert!(world.broker.is_connected("a"));
    second.lose();
    assert_eq!((sessions(&world), world.broker.statistics().connections), (1, 1), "the publisher is still there");
}

#[test]
fn packets_of_a_displaced_connection_change_nothing_of_the_session() {
    let world = World::new();
    let mut first = world.durable("a");
    first.subscribe("t", 1);
    world.client("p").publish("t", "x", 1, 1);
    first.output();
    let mut second = world.durable("a");
    first.puback(1);
    first.publish("u", "", 2, 5);
    first.pubrel(5);
    first.unsubscribe("t");
    second.output();
    second.publish("u", "", 2, 5);
    assert_eq!(second.output(), ["PUBREC 5 10"]);
    assert_eq!((world.broker.statistics().in_flight, world.broker.statistics().subscriptions), (1, 1));
}

#[test]
fn events_tell_the_life_of_a_session() {
    let world = World::new();
    world.durable("a").lose();
    let first = world.durable("a");
    let _second = world.durable("a");
    first.lose();
    let events = world.events();
    let expected = ["SessionCreated", "SessionResumed", "TakenOver", "SessionResumed"];
    assert_eq!(events.len(), expected.len(), "{events:?}");
    assert!(events.iter().zip(expected).all(|(event, expected)| event.starts_with(expected)), "{events:?}");
}

#[test]
fn events_name_the_principal_that_has_the_session_or_had_it_last() {
    let world = World::new();
    let come = |principal: &str, clean: bool| {
        let connect = connect_packet("a", |connect| {
            connect.clean_start = clean;
            connect.properties.session_expiry = Some(10);
            connect.will = Some(will(0));
        });
        let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
        request.principal = Some(principal.into());
        world.accept(request)
    };
    let about = |principal: &str| About { client_id: "a".into(), principal: Some(principal.into()) };
    let will_published = |principal| Event::WillPublished { about: about(principal), topic: "will".into() };

    let first = come("alice", false);
    assert_eq!(world.told(), [Event::SessionCreated { about: about("alice") }]);
    let second = come("bob", false);
    first.lose();
    let taken_over = Event::TakenOver { about: about("alice"), by: Some("bob".into()) };
    let resumed = Event::SessionResumed { about: about("bob"), before: Some("alice".into()) };
    assert_eq!(world.told(), [taken_over, will_published("alice"), resumed]);
    second.lose();
    assert_eq!(world.told(), [will_published("bob")]);
    let third = come("carol", true);
    let ended = Event::SessionEnded { about: about("bob"), cause: SessionEnd::CleanStart };
    assert_eq!(world.told(), [ended, Event::SessionCreated { about: about("carol") }]);
    third.lose();
    world.pass(10);
    let ended = Event::SessionEnded { about: about("carol"), cause: SessionEnd::Expired };
    assert_eq!(world.told(), [will_published("carol"), ended]);
}

#[test]
fn an_ended_session_is_gone_at_once_or_with_its_connection() {
    let world = World::new();
    let end = |id| {
        world.batch(|effects| world.broker.end_session(id, ReasonCode::AdministrativeAction, world.now.get(), effects))
    };
    let mut client = world.durable("a");
    assert!(end("a"));
    assert_eq!(client.close_reason(), Some(CloseReason::Administrative(ReasonCode::AdministrativeAction)));
    client.lose();
    world.durable("b").lose();
    assert!(end("b"));
    assert!(!end("b"));
    assert_eq!(sessions(&world), 0);
}
