#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeSet;

use midge_protocol::TopicName;

use super::*;
use crate::Message;
use crate::session::delivery::Rare;

fn delivery() -> Delivery {
    let message = Message::new(TopicName::new("t").unwrap(), "x");
    Delivery::new(message, QoS::AtLeastOnce, false, Rare::default())
}

/// What is sent again, each as its letter and Packet Identifier.
fn resent(window: &mut Window) -> Vec<(char, u16)> {
    std::iter::from_fn(|| window.next_resend())
        .map(|resend| match resend {
            Resend::Publish(id, _) => ('P', id.get()),
            Resend::Release(id) => ('R', id.get()),
        })
        .collect()
}

/// [MQTT-3.3.4-9]
#[test]
fn the_pubcomp_of_a_pubrel_sent_again_makes_no_room_for_a_publish() {
    let mut window = Window::new(1);
    let released = window.allocate(QoS::ExactlyOnce, None).unwrap();
    assert!(matches!(window.receive(released, false), Outcome::Release(_)));
    window.reconnect(1);
    assert!(matches!(window.next_resend(), Some(Resend::Release(_))));
    let second = window.allocate(QoS::AtLeastOnce, None).unwrap();
    assert!(matches!(window.complete(released), Outcome::Done(_)));
    assert!(!window.has_room(), "one PUBLISH is out, and no more are allowed");
    assert!(matches!(window.acknowledge(second), Outcome::Done(_)));
    assert!(window.has_room());
}

#[test]
fn what_many_messages_in_flight_needed_is_given_back() {
    let mut window = Window::new(10_000);
    for round in 0..3 {
        let ids: Vec<_> = (0..10_000).map(|_| window.allocate(QoS::AtLeastOnce, None).unwrap()).collect();
        assert!(!window.is_idle() && window.slots.capacity() >= 10_000);
        for id in ids {
            assert!(matches!(window.acknowledge(id), Outcome::Done(_)));
        }
        assert!(window.is_idle() && window.slots.capacity() <= SMALL, "round {round}: {}", window.slots.capacity());
    }
    let id = window.allocate(QoS::AtLeastOnce, Some(delivery())).unwrap();
    window.reconnect(10_000);
    assert!(!window.is_idle(), "it is to be sent again");
    assert!(matches!(window.acknowledge(id), Outcome::Done(_)));
}

/// [MQTT-2.2.1-4]
#[test]
fn an_identifier_that_stays_in_use_is_passed_over_by_all_that_follow() {
    let mut window = Window::new(2);
    let stuck = window.allocate(QoS::AtLeastOnce, Some(delivery())).unwrap();
    let mut last = stuck;
    for _ in 0..2 * IDS {
        last = window.allocate(QoS::AtLeastOnce, Some(delivery())).unwrap();
        assert_ne!(last, stuck);
        assert!(matches!(window.acknowledge(last), Outcome::Done(_)));
    }
    let newest = window.allocate(QoS::AtLeastOnce, Some(delivery())).unwrap();
    assert_eq!(newest.get(), last.get() + 1);
    assert_eq!(window.in_flight(), 2);
    window.reconnect(2);
    assert_eq!(resent(&mut window), [('P', stuck.get()), ('P', newest.get())], "the oldest first");
}

#[test]
fn every_identifier_can_be_in_use_and_any_that_is_freed_is_used_again() {
    let mut window = Window::new(u16::MAX);
    let ids: BTreeSet<_> = std::iter::from_fn(|| window.allocate(QoS::AtLeastOnce, Some(delivery()))).collect();
    assert_eq!(ids.len(), IDS);
    let middle = PacketId::new(40_000).unwrap();
    assert!(matches!(window.acknowledge(middle), Outcome::Done(_)));
    assert_eq!(window.allocate(QoS::AtLeastOnce, Some(delivery())), Some(middle));
    assert_eq!(window.allocate(QoS::AtLeastOnce, None), None);
    window.reconnect(u16::MAX);
    assert_eq!(resent(&mut window).last(), Some(&('P', 40_000)), "sent last, so sent again last");
}

/// [MQTT-3.3.4-10] [v3.1.1 MQTT-4.6.0-4]
#[test]
fn pubrels_are_sent_again_in_their_own_order_and_wait_for_no_quota() {
    let mut window = Window::new(10);
    let ids: Vec<_> = (0..5).map(|_| window.allocate(QoS::ExactlyOnce, Some(delivery())).unwrap()).collect();
    for id in [ids[3], ids[1]] {
        assert!(matches!(window.receive(id, false), Outcome::Release(_)));
    }
    let sixth = window.allocate(QoS::ExactlyOnce, Some(delivery())).unwrap();
    window.reconnect(10);
    let [a, b, c, d, e] = *ids else { panic!("five were sent") };
    let order = [('P', a), ('P', c), ('P', e), ('R', d), ('R', b), ('P', sixth)].map(|(kind, id)| (kind, id.get()));
    assert_eq!(resent(&mut window), order, "as they were sent");
    window.reconnect(1);
    assert_eq!(resent(&mut window), [('P', a), ('R', d), ('R', b)].map(|(kind, id)| (kind, id.get())));
    assert!(window.is_resending());
    assert!(!window.has_room(), "nothing new before what is old");
    assert!(matches!(window.receive(a, true), Outcome::Done(_)));
    assert_eq!(resent(&mut window), [('P', c.get())]);
}

#[test]
fn what_is_acknowledged_before_it_was_sent_again_is_not_sent_again() {
    let mut window = Window::new(3);
    let ids: Vec<_> = (0..3).map(|_| window.allocate(QoS::ExactlyOnce, Some(delivery())).unwrap()).collect();
    window.reconnect(1);
    assert!(matches!(window.receive(ids[0], false), Outcome::Release(_)));
    assert!(matches!(window.receive(ids[1], true), Outcome::Done(_)));
    assert_eq!(resent(&mut window), [('P', ids[2].get())]);
    assert!(!window.is_resending());
}
