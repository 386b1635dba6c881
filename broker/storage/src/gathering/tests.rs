#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::collections::BTreeSet;

use midge_core::{SubscriptionRecord, Time};
use midge_protocol::{QoS, TopicName};

use super::*;

const SESSION: SessionNumber = SessionNumber(7);
const OTHER: SessionNumber = SessionNumber(8);

fn queued(session: SessionNumber, entry: u64, body: u64) -> Change {
    let message = Message::new(TopicName::new("t").unwrap(), "payload");
    let delivery = DeliveryRecord { qos: QoS::AtLeastOnce, retain: false, subscription_ids: Vec::new(), shared: None };
    Change::Queued { session, entry: EntryNumber(entry), body: BodyId(body), message, delivery }
}

fn sent(entry: u64) -> Change {
    Change::Sent { session: SESSION, entry: EntryNumber(entry), packet_id: PacketId::new(1).unwrap() }
}

fn released(entry: u64) -> Change {
    Change::Released { session: SESSION, entry: EntryNumber(entry), packet_id: PacketId::new(1).unwrap() }
}

fn finished(session: SessionNumber, entry: u64) -> Change {
    Change::Finished { session, entry: EntryNumber(entry) }
}

fn session(session: SessionNumber, by: u64) -> Change {
    let record = SessionRecord {
        client_id: "client".into(),
        principal: None,
        session_expiry: u32::try_from(by).unwrap(),
        expires_at: None::<Time>,
        will: None,
        will_due: None,
    };
    Change::Session { session, by: ConnectionNumber(by), record }
}

fn subscribed(filter: &str) -> Change {
    let subscription = SubscriptionRecord {
        filter: filter.into(),
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        subscription_id: None,
    };
    Change::Subscribed { session: SESSION, subscription }
}

/// The keys a database would hold, given what is committed each time.
#[derive(Default)]
struct Disk {
    gathering: Gathering,
    keys: BTreeSet<(Space, Box<[u8]>)>,
    writes: usize,
}

impl Disk {
    fn change(&mut self, changes: impl IntoIterator<Item = Change>) {
        changes.into_iter().for_each(|change| self.gathering.change(change));
    }

    fn commit(&mut self) {
        let Writes { cleared, writes, bytes } = self.gathering.take();
        assert_eq!(bytes, writes.iter().map(|((_, key), value)| weight(key, value)).sum::<usize>());
        for session in cleared {
            let number = layout::session_key(session);
            self.keys.retain(|(space, key)| {
                !matches!(space, Space::Subscriptions | Space::Received) || !key.starts_with(&number)
            });
        }
        self.writes += writes.len();
        for ((space, key), value) in writes {
            let key = (space, key);
            let there = self.keys.contains(&key);
            let is_once = matches!(space, Space::Deliveries | Space::Bodies);
            if value.is_some() {
                assert!(!there || !is_once, "{space:?} written twice");
                self.keys.insert(key);
            } else {
                assert!(there || !is_once, "{space:?} removed and not there");
                self.keys.remove(&key);
            }
        }
    }

    fn count(&self, wanted: Space) -> usize {
        self.keys.iter().filter(|(space, _)| *space == wanted).count()
    }
}

#[test]
fn a_message_acknowledged_before_the_commit_costs_nothing() {
    let mut disk = Disk::default();
    disk.change([queued(SESSION, 1, 1), sent(1), finished(SESSION, 1)]);
    assert_eq!(disk.gathering.next().bytes, 0);
    disk.commit();
    assert_eq!(disk.writes, 0);
}

#[test]
fn a_body_is_written_once_and_stays_until_nobody_needs_it() {
    let mut disk = Disk::default();
    disk.change([queued(SESSION, 1, 1), queued(OTHER, 1, 1)]);
    disk.commit();
    assert_eq!((disk.count(Space::Bodies), disk.count(Space::Deliveries)), (1, 2));
    disk.change([finished(SESSION, 1)]);
    disk.commit();
    assert_eq!((disk.count(Space::Bodies), disk.count(Space::Deliveries)), (1, 1));
    disk.change([finished(OTHER, 1)]);
    disk.commit();
    assert_eq!(disk.keys.len(), 0);
}

#[test]
fn a_body_that_goes_from_one_session_to_another_is_neither_removed_nor_written_again() {
    let mut disk = Disk::default();
    disk.change([queued(SESSION, 1, 1)]);
    disk.commit();
    disk.change([finished(SESSION, 1), queued(OTHER, 1, 1)]);
    disk.commit();
    assert_eq!((disk.count(Space::Bodies), disk.count(Space::Deliveries)), (1, 1));
}

#[test]
fn every_step_of_a_delivery_leaves_nothing_of_the_one_before() {
    let mut disk = Disk::default();
    for (change, bodies, deliveries) in
        [(queued(SESSION, 1, 1), 1, 1), (sent(1), 1, 2), (released(1), 0, 1), (finished(SESSION, 1), 0, 0)]
    {
        disk.change([change]);
        disk.commit();
        assert_eq!((disk.count(Space::Bodies), disk.count(Space::Deliveries)), (bodies, deliveries));
    }
}

/// The changes of one delivery and its session, in every order and with a commit at every place, come to the same.
#[test]
fn the_order_in_which_batches_come_does_not_matter() {
    let whole = [queued(SESSION, 1, 1), sent(1), released(1), finished(SESSION, 1)];
    for used in 1..=whole.len() {
        let mut expected = Disk::default();
        expected.change(whole[..used].iter().cloned());
        expected.commit();
        for order in permutations(used) {
            for commits in 0..1 << used {
                let mut disk = Disk::default();
                for (place, at) in order.iter().enumerate() {
                    disk.change([whole[*at].clone()]);
                    if commits >> place & 1 == 1 {
                        disk.commit();
                    }
                }
                disk.commit();
                // Whether PUBLISH was sent does not matter once PUBREC has come.
                assert_eq!(disk.keys, expected.keys, "{order:?} {commits:b}");
            }
        }
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    shorter
        .into_iter()
        .flat_map(|order| {
            (0..=order.len()).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, count - 1);
                longer
            })
        })
        .collect()
}

#[test]
fn what_an_earlier_connection_says_of_a_session_is_out_of_date() {
    let mut disk = Disk::default();
    disk.change([session(SESSION, 2)]);
    let newer = disk.gathering.next().writes.clone();
    disk.change([session(SESSION, 1)]);
    assert_eq!(disk.gathering.next().writes, newer);
}

#[test]
fn of_a_session_that_ended_nothing_is_left_and_nothing_comes_back() {
    let mut disk = Disk::default();
    let received = Change::Received { session: SESSION, packet_id: PacketId::new(3).unwrap() };
    disk.change([session(SESSION, 1), subscribed("a"), received.clone(), queued(SESSION, 1, 1)]);
    disk.commit();
    assert_eq!(disk.keys.len(), 5);
    disk.change([subscribed("b"), queued(SESSION, 2, 2), Change::SessionEnded { session: SESSION }]);
    disk.change([session(SESSION, 1), subscribed("c"), received, queued(SESSION, 3, 3), sent(3)]);
    disk.commit();
    assert_eq!(disk.keys.len(), 0);
}
