//! A store that takes its time, keeps what it is told in memory, and hands it back after a crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use midge_core::{
    BodyId, Change, Durability, EntryNumber, Health, Kept, KeptDelivery, KeptMessage, KeptSession, Message,
    SessionNumber, Store, Ticket, Unreadable,
};

/// Says that something is safe only when told so, and forgets the rest in a crash.
#[derive(Default)]
pub(crate) struct LateStore(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// What is safe.
    kept: Model,
    /// Batches that are not.
    late: Vec<Vec<Change>>,
    /// Batches that are.
    safe: u64,
}

/// What the changes so far come to.
#[derive(Default)]
struct Model {
    sessions: BTreeMap<SessionNumber, KeptSession>,
    bodies: BTreeMap<BodyId, Message>,
    retained: BTreeMap<String, Message>,
    /// What was said of deliveries before they were queued, by batches that ended sooner.
    early: Vec<Change>,
}

impl LateStore {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything taken so far is safe. The broker has to be told.
    pub(crate) fn commit(&self) {
        self.commit_some(usize::MAX);
    }

    /// So many more batches are safe.
    pub(crate) fn commit_some(&self, batches: usize) {
        let Inner { kept, late, safe } = &mut *self.inner();
        let batches = batches.min(late.len());
        late.drain(..batches).flatten().for_each(|change| kept.apply(change));
        *safe += batches as u64;
    }

    /// The process ends, and what is not safe is gone. What is left, for the next broker.
    pub(crate) fn crash(&self) -> Vec<Kept> {
        let Inner { kept, late, safe } = &mut *self.inner();
        *safe += late.len() as u64;
        late.clear();
        kept.early.clear();
        let retained = kept.retained.values().map(|message| Kept::Retained(message.clone()));
        let copy = |session: &KeptSession| KeptSession {
            session: session.session,
            record: session.record.clone(),
            subscriptions: session.subscriptions.clone(),
            received: session.received.clone(),
            deliveries: session.deliveries.clone(),
        };
        retained.chain(kept.sessions.values().map(|session| Kept::Session(copy(session)))).collect()
    }
}

impl Model {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Session { session, record, .. } => {
                let kept = self.sessions.entry(session).or_insert_with(|| KeptSession {
                    session,
                    record: record.clone(),
                    subscriptions: Vec::new(),
                    received: Vec::new(),
                    deliveries: Vec::new(),
                });
                kept.record = record;
            }
            Change::SessionEnded { session } => {
                self.sessions.remove(&session);
            }
            Change::Subscribed { session, subscription } => self.with(session, |kept| {
                kept.subscriptions.retain(|other| other.filter != subscription.filter);
                kept.subscriptions.push(subscription);
            }),
            Change::Unsubscribed { session, filter } => {
                self.with(session, |kept| kept.subscriptions.retain(|other| other.filter != filter));
            }
            Change::Queued { session, entry, body, message, delivery } => {
                let (expires_at, weight) = (message.expires_at(), u32::try_from(message.weight()).unwrap_or(u32::MAX));
                self.bodies.insert(body, message);
                let message = Some(KeptMessage { body, expires_at, weight, delivery });
                self.with(session, |kept| {
                    kept.deliveries.push(KeptDelivery { entry, packet_id: None, message });
                    kept.deliveries.sort_by_key(|delivery| delivery.entry);
                });
                let early = self.early.extract_if(.., |early| of_delivery(early) == Some((session, entry)));
                early.collect::<Vec<_>>().into_iter().for_each(|early| self.apply(early));
            }
            Change::Sent { packet_id, .. } => self.delivery(change, |delivery| {
                // PUBREC is the later word.
                delivery.packet_id.get_or_insert(packet_id);
            }),
            Change::Released { packet_id, .. } => self.delivery(change, |delivery| {
                (delivery.packet_id, delivery.message) = (Some(packet_id), None);
            }),
            Change::Finished { session, entry } => {
                let kept = self.sessions.get_mut(&session);
                let at = kept.as_ref().and_then(|kept| kept.deliveries.iter().position(|kept| kept.entry == entry));
                match (kept, at) {
                    (Some(kept), Some(at)) => drop(kept.deliveries.remove(at)),
                    (Some(_), None) => self.early.push(change),
                    (None, _) => {}
                }
            }
            Change::Received { session, packet_id } => self.with(session, |kept| kept.received.push(packet_id)),
            Change::Completed { session, packet_id } => {
                self.with(session, |kept| kept.received.retain(|other| *other != packet_id));
            }
            Change::Retained(message) => {
                self.retained.insert(message.topic().to_owned(), message);
            }
            Change::RetainedCleared { topic } => {
                self.retained.remove(&*topic);
            }
        }
    }

    fn with(&mut self, session: SessionNumber, change: impl FnOnce(&mut KeptSession)) {
        if let Some(kept) = self.sessions.get_mut(&session) {
            change(kept);
        }
    }

    fn delivery(&mut self, said: Change, change: impl FnOnce(&mut KeptDelivery)) {
        let Some((session, entry)) = of_delivery(&said) else { return };
        let Some(kept) = self.sessions.get_mut(&session) else { return };
        match kept.deliveries.iter_mut().find(|delivery| delivery.entry == entry) {
            Some(delivery) => change(delivery),
            None => self.early.push(said),
        }
    }
}

/// The delivery that a change takes further, if it does.
fn of_delivery(change: &Change) -> Option<(SessionNumber, EntryNumber)> {
    match *change {
        Change::Sent { session, entry, .. }
        | Change::Released { session, entry, .. }
        | Change::Finished { session, entry } => Some((session, entry)),
        _ => None,
    }
}

/// The broker's handle to it.
pub(crate) struct Handle(pub(crate) Arc<LateStore>);

impl Store for Handle {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, _awaited: Option<Durability>) -> Ticket {
        let Inner { late, safe, .. } = &mut *self.0.inner();
        late.push(std::mem::take(changes));
        Ticket(*safe + late.len() as u64)
    }

    fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.0.inner().safe
    }

    fn read(&self, body: BodyId) -> Result<Option<Message>, Unreadable> {
        let Inner { kept, late, .. } = &*self.0.inner();
        let is_it = |change: &Change| match change {
            Change::Queued { body: id, message, .. } if *id == body => Some(message.clone()),
            _ => None,
        };
        let kept = kept.bodies.get(&body).cloned();
        Ok(kept.or_else(|| late.iter().flatten().find_map(is_it)))
    }

    fn health(&self) -> Health {
        Health::Good
    }
}
