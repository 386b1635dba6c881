//! What must outlive the process, and the ticket an acknowledgement waits for.
//!
//! The core knows no file. During one read batch it notes every change of durable state in [`Changes`]; at the end of
//! the batch it hands them to the [`Store`] and gets a [`Ticket`]. The batch's acknowledgements leave once that ticket
//! is durable: at once if it already is, else when the store's driver calls [`Broker::committed`](crate::Broker::committed).

use std::sync::Arc;

use midge_protocol::{PacketId, QoS, SubscriptionId};

use crate::{Message, Time};

/// Keeps sessions and retained messages beyond the life of the process.
pub trait Store: Send + Sync {
    /// Whether nothing is ever kept; the broker then spares itself the noting of changes.
    fn is_volatile(&self) -> bool;

    /// Takes over the changes of one batch, in their order, and says when they are safe. Never blocks on the disk.
    fn append(&self, changes: &[Change]) -> Ticket;

    /// Whether everything up to and including this ticket is safe.
    fn is_durable(&self, ticket: Ticket) -> bool;
}

/// A store's promise: the position up to which it must have written. Tickets of one store only grow; the first, 0, stands for
/// nothing written and is always durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One change of durable state. Only sessions that outlive their connection are ever mentioned.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A session was created, or an existing one changed its Session Expiry Interval (seconds; `u32::MAX`: never).
    SessionOpened {
        /// Its Client Identifier.
        client_id: Arc<str>,
        /// Its Session Expiry Interval in seconds.
        session_expiry: u32,
    },
    /// The session's connection closed.
    SessionLeft {
        /// Its Client Identifier.
        client_id: Arc<str>,
        /// When it ends if nobody comes back; never if absent.
        expires_at: Option<Time>,
        /// The Will that waits, and when it is due.
        will: Option<(Arc<Message>, Time)>,
    },
    /// The session and everything that belongs to it is gone.
    SessionEnded {
        /// Its Client Identifier.
        client_id: Arc<str>,
    },
    /// A subscription was made or replaced.
    Subscribed {
        /// The session.
        client_id: Arc<str>,
        /// The Topic Filter as the client wrote it, `$share/…` included.
        filter: Box<str>,
        /// The `QoS` that was granted.
        qos: QoS,
        /// No Local.
        no_local: bool,
        /// Retain As Published.
        retain_as_published: bool,
        /// Its Subscription Identifier.
        subscription_id: Option<SubscriptionId>,
    },
    /// A subscription was removed.
    Unsubscribed {
        /// The session.
        client_id: Arc<str>,
        /// The Topic Filter as the client wrote it.
        filter: Box<str>,
    },
    /// A message waits for the session under this number.
    Queued {
        /// The session.
        client_id: Arc<str>,
        /// Counts the messages of this session.
        entry: u32,
        /// The message.
        message: Arc<Message>,
        /// The `QoS` it is delivered with.
        qos: QoS,
        /// The RETAIN flag it is delivered with.
        retain: bool,
    },
    /// The message was sent under this Packet Identifier.
    Sent {
        /// The session.
        client_id: Arc<str>,
        /// The message's number.
        entry: u32,
        /// The Packet Identifier it now has.
        packet_id: PacketId,
    },
    /// PUBREC came: the message may be forgotten, its Packet Identifier waits for PUBCOMP.
    Released {
        /// The session.
        client_id: Arc<str>,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// The Packet Identifier is free again and its message, if it still had one, forgotten.
    Acknowledged {
        /// The session.
        client_id: Arc<str>,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// A message was dropped before it was sent.
    Dropped {
        /// The session.
        client_id: Arc<str>,
        /// The message's number.
        entry: u32,
    },
    /// A QoS 2 message came from the client and was routed; its Packet Identifier is taken until PUBREL.
    Received {
        /// The session.
        client_id: Arc<str>,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// PUBREL came for it.
    Completed {
        /// The session.
        client_id: Arc<str>,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// A message is retained for its topic.
    Retained(Arc<Message>),
    /// The retained message of this topic is gone.
    RetainedCleared {
        /// The topic.
        topic: Box<str>,
    },
}

/// Keeps nothing: whatever is in memory is all there is, so every ticket is durable at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore;

impl Store for MemoryStore {
    fn is_volatile(&self) -> bool {
        true
    }

    fn append(&self, _changes: &[Change]) -> Ticket {
        Ticket::default()
    }

    fn is_durable(&self, _ticket: Ticket) -> bool {
        true
    }
}
