//! A store that takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use midge_core::{BodyId, Change, Durability, Health, Message, Store, Ticket, Unreadable};

/// Remembers nothing but how much it was given, and says it is safe only when told so.
#[derive(Default)]
pub(crate) struct LateStore {
    taken: AtomicU64,
    safe: AtomicU64,
}

impl LateStore {
    /// Everything taken so far is safe. The broker has to be told.
    pub(crate) fn commit(&self) {
        self.safe.store(self.taken.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// The broker's handle to it.
pub(crate) struct Handle(pub(crate) Arc<LateStore>);

impl Store for Handle {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, _awaited: Option<Durability>) -> Ticket {
        let count = changes.drain(..).len() as u64;
        Ticket(self.0.taken.fetch_add(count, Ordering::Relaxed) + count)
    }

    fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.0.safe.load(Ordering::Relaxed)
    }

    fn read(&self, _body: BodyId) -> Result<Option<Message>, Unreadable> {
        Ok(None)
    }

    fn health(&self) -> Health {
        Health::Good
    }
}
