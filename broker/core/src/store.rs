//! What must outlive the process, and the ticket an acknowledgement waits for.
//!
//! The core knows no file. During one read batch it notes every change of durable state; at the end of the batch it hands
//! them to the [`Store`] and gets a [`Ticket`]. The batch's acknowledgements leave once that ticket is durable: at once if it
//! already is, else when the store's driver calls [`Broker::committed`](crate::Broker::committed).
//!
//! Batches of several threads reach the store in any order. So everything in a change has a number that is used once in the
//! life of a process, and a store that meets the end of something before its beginning forgets both. After a restart numbers
//! begin behind those of what was kept: one that belonged to something long gone may come again.

mod change;
mod kept;

use midge_protocol::ReasonCode;

use crate::Message;
pub use change::{Change, DeliveryRecord, SessionRecord, SubscriptionRecord};
pub use kept::{Kept, KeptDelivery, KeptMessage, KeptSession};

/// Keeps sessions and retained messages beyond the life of the process.
pub trait Store: Send + Sync {
    /// Whether nothing is ever kept; the broker then spares itself the noting of changes.
    fn is_volatile(&self) -> bool;

    /// Takes over the changes of one batch, in their order, and leaves the list empty. All of them become durable together, when
    /// the ticket does. `awaited` says how safe they must be for the acknowledgements that wait for the ticket; where none
    /// waits, they may be written whenever it suits. Never blocks on the disk.
    fn append(&self, changes: &mut Vec<Change>, awaited: Option<Durability>) -> Ticket;

    /// Whether everything up to and including this ticket is safe.
    fn is_durable(&self, ticket: Ticket) -> bool;

    /// A message that waits for a session, by its body; none if there is no such body. May wait for the disk.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn read(&self, body: BodyId) -> Result<Option<Message>, Unreadable>;

    /// Whether it keeps up. Asked for every message, so it costs next to nothing.
    fn health(&self) -> Health;
}

/// When a message is safe enough to be acknowledged. Each is safer than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// At once: it is lost with the process.
    Memory,
    /// When the operating system has it: it survives the end of the process.
    Os,
    /// When it is on stable storage: it survives the loss of power.
    #[default]
    Fsync,
}

/// Whether a store keeps up with what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It does.
    #[default]
    Good,
    /// More waits to be written than is good: publishers are slowed down.
    Behind,
    /// It cannot take more: what needs it is refused with this reason, 0x97 where the disk is full or much too slow, 0x80 where
    /// it fails.
    Refusing(ReasonCode),
}

/// Why a message cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The disk does not answer: it may be there another time.
    #[error("{0}")]
    Failed(String),
    /// What is there is not what was written.
    #[error("{0}")]
    Damaged(String),
}

/// A store's promise: the position up to which it must have written. Tickets of one store only grow; the first, 0, stands for
/// nothing written and is always durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Tells sessions apart, also those that had the same Client Identifier one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(pub u64);

/// Counts the deliveries of QoS 1 and 2 to one session, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryNumber(pub u64);

/// Names the body of a message, which is kept once however many sessions wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyId(pub u64);

/// Keeps nothing: whatever is in memory is all there is, so every ticket is durable at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore;

impl Store for MemoryStore {
    fn is_volatile(&self) -> bool {
        true
    }

    fn append(&self, changes: &mut Vec<Change>, _awaited: Option<Durability>) -> Ticket {
        changes.clear();
        Ticket::default()
    }

    fn is_durable(&self, _ticket: Ticket) -> bool {
        true
    }

    fn read(&self, _body: BodyId) -> Result<Option<Message>, Unreadable> {
        Ok(None)
    }

    fn health(&self) -> Health {
        Health::Good
    }
}
