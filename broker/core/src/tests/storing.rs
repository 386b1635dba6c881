//! What waits for the store, and what the store is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::client::World;
use crate::{BodyId, Change, Durability, Health, Message, Store, Ticket, Unreadable};

/// A store whose disk is as slow as the test wants.
#[derive(Clone, Default)]
struct SlowStore {
    appended: Arc<AtomicU64>,
    durable: Arc<AtomicU64>,
    changes: Arc<Mutex<Vec<String>>>,
}

impl SlowStore {
    fn sync(&self, world: &World) {
        self.durable.store(self.appended.load(Ordering::Relaxed), Ordering::Relaxed);
        world.broker.committed();
    }

    /// The names of the changes so far.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.changes.lock())
    }
}

impl Store for SlowStore {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, _awaited: Option<Durability>) -> Ticket {
        let name = |change: &Change| format!("{change:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        self.changes.lock().extend(changes.drain(..).map(|change| name(&change)));
        Ticket(self.appended.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.durable.load(Ordering::Relaxed)
    }

    fn read(&self, _body: BodyId) -> Result<Option<Message>, Unreadable> {
        Ok(None)
    }

    fn health(&self) -> Health {
        Health::Good
    }
}

fn world() -> (World, SlowStore) {
    let store = SlowStore::default();
    (World::stored(|_| {}, Box::new(store.clone())), store)
}

#[test]
fn an_acknowledgement_leaves_when_what_it_promises_is_durable() {
    let (world, store) = world();
    let mut subscriber = world.durable("s");
    subscriber.subscribe("t", 1);
    store.sync(&world);
    let mut publisher = world.client("p");
    publisher.output();
    publisher.publish("t", "x", 1, 1);
    assert_eq!(publisher.output(), [""; 0]);
    assert_eq!(subscriber.output().last().unwrap(), "t x q1 #1");
    store.sync(&world);
    assert_eq!(publisher.output(), ["PUBACK 1 00"]);
}

#[test]
fn a_message_no_lasting_session_needs_is_acknowledged_at_once() {
    let (world, store) = world();
    let mut subscriber = world.client("s");
    subscriber.subscribe("t", 1);
    let mut publisher = world.client("p");
    publisher.publish("t", "x", 1, 1);
    assert_eq!(publisher.output(), ["CONNACK 00", "PUBACK 1 00"]);
    assert_eq!(store.taken(), [""; 0]);
}

#[test]
fn acknowledgements_keep_their_order_behind_one_that_waits() {
    let (world, store) = world();
    let mut client = world.client("p");
    client.publish_with("t", "x", 1, 1, |publish| publish.retain = true);
    client.publish("t", "y", 1, 2);
    client.send(midge_protocol::Packet::Pingreq).unwrap();
    assert_eq!(client.output(), ["CONNACK 00"]);
    store.sync(&world);
    assert_eq!(client.output(), ["PUBACK 1 10", "PUBACK 2 10", "PINGRESP"]);
}

#[test]
fn the_connack_of_a_lasting_session_waits_and_nothing_overtakes_it() {
    let (world, store) = world();
    let mut client = world.durable("s");
    client.subscribe("t", 0);
    world.client("p").publish("t", "x", 0, 0);
    assert_eq!(client.output(), [""; 0]);
    store.sync(&world);
    let lines = client.output();
    assert_eq!(lines[0], "CONNACK 00");
    assert_eq!(lines.len(), 3);
}

#[test]
fn the_store_is_told_every_step_of_a_lasting_session() {
    let (world, store) = world();
    let mut client = world.durable("s");
    client.subscribe("t", 2);
    let mut publisher = world.client("p");
    publisher.publish("t", "x", 2, 1);
    store.sync(&world);
    client.output();
    client.pubrec(1);
    client.pubcomp(1);
    client.publish("u", "", 2, 3);
    client.pubrel(3);
    client.unsubscribe("t");
    client.lose();
    world.pass(1000);
    let expected = [
        "Session",
        "Subscribed",
        "Queued",
        "Sent",
        "Released",
        "Finished",
        "Received",
        "Completed",
        "Unsubscribed",
        "Session",
        "SessionEnded",
    ];
    assert_eq!(store.taken(), expected);
}

#[test]
fn a_retained_message_sent_to_a_lasting_session_is_known_to_the_store_before_it_is_sent() {
    let (world, store) = world();
    world.client("p").publish_with("t", "x", 1, 1, |publish| publish.retain = true);
    let mut client = world.durable("s");
    client.subscribe("t", 1);
    assert_eq!(store.taken(), ["Retained", "Session", "Subscribed", "Queued", "Sent"]);
}

#[test]
fn the_store_is_told_what_is_retained_and_what_is_not_any_more() {
    let (world, store) = world();
    let mut client = world.client("p");
    client.publish_with("t", "x", 0, 0, |publish| publish.retain = true);
    client.publish_with("t", "", 0, 0, |publish| publish.retain = true);
    client.publish_with("t", "x", 0, 0, |publish| {
        publish.retain = true;
        publish.properties.message_expiry = Some(1);
    });
    world.pass(2);
    assert_eq!(store.taken(), ["Retained", "RetainedCleared", "Retained", "RetainedCleared"]);
}

#[test]
fn the_store_learns_of_the_end_of_a_session_that_was_shortened() {
    let (world, store) = world();
    world.durable("s").end(crate::Ending::Disconnected { with_will: false, session_expiry: Some(0) });
    assert_eq!(store.taken(), ["Session", "SessionEnded"]);
}
