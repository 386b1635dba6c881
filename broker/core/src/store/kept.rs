//! What a store has kept, handed back when a broker starts.

use midge_protocol::PacketId;

use super::{BodyId, DeliveryRecord, EntryNumber, SessionNumber, SessionRecord, SubscriptionRecord};
use crate::{Message, Time};

/// One thing that was kept.
#[derive(Debug)]
pub enum Kept {
    /// A retained message.
    Retained(Message),
    /// A session, with everything that belongs to it.
    Session(KeptSession),
}

/// A session that was kept.
#[derive(Debug, PartialEq)]
pub struct KeptSession {
    /// Its number.
    pub session: SessionNumber,
    /// What is known of it.
    pub record: SessionRecord,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionRecord>,
    /// QoS 2 messages from the client that wait for PUBREL.
    pub received: Vec<PacketId>,
    /// What it was to be sent, in order.
    pub deliveries: Vec<KeptDelivery>,
}

/// A delivery that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptDelivery {
    /// Its number.
    pub entry: EntryNumber,
    /// Its Packet Identifier, if it was sent.
    pub packet_id: Option<PacketId>,
    /// The message; none once PUBREC came.
    pub message: Option<KeptMessage>,
}

/// A message that waits, and which only the store has.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptMessage {
    /// The name of its body.
    pub body: BodyId,
    /// When it expires.
    pub expires_at: Option<Time>,
    /// What queue limits count, see [`Message::weight`].
    pub weight: u32,
    /// What its subscriptions made of it.
    pub delivery: DeliveryRecord,
}
