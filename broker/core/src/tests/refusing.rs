//! What is refused because there is no room for it, or nowhere safe to keep it.

use std::sync::Arc;

use midge_protocol::{ProtocolVersion, ReasonCode};
use parking_lot::Mutex;

use super::client::World;
use crate::{
    BodyId, Change, CloseReason, Durability, Health, Message, QueuePolicy, Refusal, Store, Ticket, Unreadable,
};

fn refusing() -> World {
    let world = World::with(|limits| (limits.queued_messages_max, limits.queue_policy) = (2, QueuePolicy::Refuse));
    let mut away = world.durable("s");
    away.subscribe("t", 1);
    away.lose();
    world
}

#[test]
fn a_message_for_a_full_queue_is_refused_and_reaches_nobody() {
    let world = refusing();
    let mut here = world.client("here");
    here.subscribe("t", 1);
    here.output();
    let mut publisher = world.client("p");
    for id in 1..=3 {
        publisher.publish("t", "x", 1, id);
        assert_eq!(publisher.taken, id < 3, "what is refused is not taken, so no sink hears of it");
    }
    publisher.publish("t", "nobody waits for it", 0, 0);
    publisher.publish("t", "x", 2, 4);
    assert_eq!(publisher.output()[1..], ["PUBACK 1 00", "PUBACK 2 00", "PUBACK 3 97", "PUBREC 4 97"]);
    assert_eq!(here.output(), ["t x q1 #1", "t x q1 #2", "t nobody waits for it"]);
    let statistics = world.broker.statistics();
    assert_eq!((statistics.messages_refused, statistics.refused_queue_full, statistics.messages_dropped()), (2, 2, 0));
    assert!(world.events().iter().any(|event| event.contains("Refused") && event.contains("\"s\"")));
}

#[test]
fn version_3_is_disconnected_where_a_queue_is_full() {
    let world = refusing();
    let mut publisher = world.connect("p", |connect| connect.version = ProtocolVersion::V311);
    for id in 1..=3 {
        publisher.publish("t", "x", 1, id);
    }
    assert_eq!(publisher.close_reason(), Some(CloseReason::Administrative(ReasonCode::QuotaExceeded)));
}

/// A store whose disk does not take anything.
#[derive(Clone, Default)]
struct FailingStore(Arc<Mutex<Health>>);

impl Store for FailingStore {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, _awaited: Option<Durability>) -> Ticket {
        changes.clear();
        Ticket(0)
    }

    fn is_durable(&self, _ticket: Ticket) -> bool {
        true
    }

    fn read(&self, _body: BodyId) -> Result<Option<Message>, Unreadable> {
        Err(Unreadable::Failed("the disk is gone".to_owned()))
    }

    fn health(&self) -> Health {
        *self.0.lock()
    }
}

#[test]
fn a_store_that_takes_nothing_has_qos_1_and_2_refused_while_qos_0_goes_on() {
    let store = FailingStore::default();
    let world = World::stored(|_| {}, Box::new(store.clone()));
    let mut lasting = world.durable("s");
    lasting.subscribe("t", 1);
    lasting.output();
    let mut publisher = world.client("p");
    publisher.output();
    *store.0.lock() = Health::Refusing(ReasonCode::QuotaExceeded);
    publisher.publish("t", "x", 1, 1);
    publisher.publish("t", "x", 2, 2);
    publisher.publish("t", "y", 0, 0);
    lasting.subscribe("u", 1);
    assert_eq!(publisher.output(), ["PUBACK 1 97", "PUBREC 2 97"]);
    assert_eq!(lasting.output(), ["t y", "SUBACK 97"]);
    let mut old = world.connect("old", |connect| connect.version = ProtocolVersion::V311);
    old.output();
    old.publish("t", "x", 1, 1);
    assert_eq!(old.close_reason(), Some(CloseReason::Administrative(ReasonCode::QuotaExceeded)));
    let refused = world.try_connect("new", |connect| connect.properties.session_expiry = Some(10)).unwrap();
    assert_eq!(refused.err(), Some(Refusal::StoreUnavailable));
    world.client("clean").subscribe("u", 1);
    *store.0.lock() = Health::Good;
    publisher.publish("t", "x", 1, 1);
    assert_eq!(publisher.output(), ["PUBACK 1 00"]);
}

#[test]
fn a_disk_that_does_not_answer_costs_the_connection_and_not_the_message() {
    let world = World::stored(|_| {}, Box::new(FailingStore::default()));
    let mut away = world.durable("s");
    away.subscribe("t", 1);
    away.lose();
    world.client("p").publish("t", "x", 1, 1);
    let mut back = world.durable("s");
    assert_eq!(back.close_reason(), Some(CloseReason::Administrative(ReasonCode::UnspecifiedError)));
    assert_eq!(world.broker.statistics().queued_messages, 1);
}
