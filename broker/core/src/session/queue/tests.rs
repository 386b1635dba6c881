#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use midge_protocol::{QoS, TopicName};

use super::*;
use crate::Message;
use crate::session::delivery::Rare;
use crate::store::BodyId;

const BOUNDS: Bounds = Bounds { messages: u32::MAX, bytes: u64::MAX, policy: QueuePolicy::DropOldest };

/// A delivery with this number, 0 for one that only memory has.
fn delivery(entry: u64, shared: bool) -> Delivery {
    let message = Message::new(TopicName::new("t").unwrap(), "x").named(BodyId(1000 + entry));
    let share = shared.then(|| Arc::new("$share/a/t".into()));
    let rare = Rare { share, ..Rare::default() };
    let mut delivery = Delivery::new(message, QoS::AtLeastOnce, false, rare);
    delivery.entry = EntryNumber(entry);
    delivery
}

fn push(queue: &mut Queue, delivery: Delivery) {
    queue.push(delivery, BOUNDS, |_| panic!("there is room"));
}

fn away(queue: &Queue) -> Vec<u64> {
    queue.iter().filter(|delivery| delivery.missing().is_some()).map(|delivery| delivery.entry.0).collect()
}

#[test]
fn messages_are_put_away_whatever_stands_between_them() {
    let mut queue = Queue::default();
    for entry in [1, 0, 2, 0, 0, 3, 0, 4, 0] {
        push(&mut queue, delivery(entry, false));
    }
    for entry in [3, 4, 1, 2, 5] {
        queue.put_away(EntryNumber(entry));
    }
    assert_eq!(away(&queue), [1, 2, 3, 4]);
    assert_eq!(queue.bytes_here(), 5 * delivery(0, false).weight_here());
    // Batches come one after the other, and what is old leaves meanwhile.
    for batch in 0..10 {
        for entry in 0..7 {
            push(&mut queue, delivery(5 + batch * 7 + entry, false));
            push(&mut queue, delivery(0, false));
        }
        queue.pop().unwrap();
        (0..7).for_each(|entry| queue.put_away(EntryNumber(5 + batch * 7 + entry)));
    }
    assert_eq!(away(&queue).last(), Some(&74));
    assert!(queue.iter().all(|delivery| delivery.missing().is_some() == delivery.is_stored()));
}

#[test]
fn messages_are_put_away_behind_those_that_others_did_not_take() {
    let mut queue = Queue::default();
    for entry in 1..=6 {
        push(&mut queue, delivery(entry, entry % 2 == 0));
    }
    let taken = queue.take_shared("$share/a/t");
    queue.put_back(taken, BOUNDS, |_| panic!("there is room"));
    let order: Vec<u64> = queue.iter().map(|delivery| delivery.entry.0).collect();
    assert_eq!(order, [2, 4, 6, 1, 3, 5]);
    (1..=6).for_each(|entry| queue.put_away(EntryNumber(entry)));
    assert_eq!(away(&queue), [1, 3, 5], "others may still have the rest");
}

#[test]
fn memory_goes_back_as_a_queue_is_drained() {
    let mut queue = Queue::default();
    (1..=100_000).for_each(|entry| push(&mut queue, delivery(entry, false)));
    while queue.len() > 1000 {
        queue.pop().unwrap();
    }
    assert!(queue.waiting.capacity() <= 4000, "{}", queue.waiting.capacity());
}
