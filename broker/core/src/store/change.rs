//! What a store is told, and what it keeps of a session.

use std::sync::Arc;

use midge_protocol::{PacketId, QoS, SubscriptionId};

use super::{BodyId, EntryNumber, SessionNumber};
use crate::session::ConnectionNumber;
use crate::{Message, Time, Will};

/// One change of durable state. Only sessions that outlive their connection are ever mentioned.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A session was created, resumed or left: all of this replaces what was known of it.
    Session {
        /// Which.
        session: SessionNumber,
        /// Who says so. What an earlier connection says of the session is out of date, however late it comes.
        by: ConnectionNumber,
        /// What is known of it.
        record: SessionRecord,
    },
    /// The session and everything that belongs to it is gone.
    SessionEnded {
        /// Which.
        session: SessionNumber,
    },
    /// A subscription was made or replaced.
    Subscribed {
        /// The session.
        session: SessionNumber,
        /// What it is.
        subscription: SubscriptionRecord,
    },
    /// A subscription was removed.
    Unsubscribed {
        /// The session.
        session: SessionNumber,
        /// The Topic Filter as the client wrote it.
        filter: Box<str>,
    },
    /// A message waits for the session.
    Queued {
        /// The session.
        session: SessionNumber,
        /// The delivery's number.
        entry: EntryNumber,
        /// The name of its body.
        body: BodyId,
        /// The body, for a store that does not have it yet.
        message: Message,
        /// What its subscriptions made of it.
        delivery: DeliveryRecord,
    },
    /// PUBLISH was sent under this Packet Identifier.
    Sent {
        /// The session.
        session: SessionNumber,
        /// The delivery's number.
        entry: EntryNumber,
        /// Its Packet Identifier.
        packet_id: PacketId,
    },
    /// PUBREC came: the message may be forgotten, its Packet Identifier waits for PUBCOMP.
    Released {
        /// The session.
        session: SessionNumber,
        /// The delivery's number.
        entry: EntryNumber,
        /// Its Packet Identifier.
        packet_id: PacketId,
    },
    /// The delivery is over: acknowledged, dropped, or handed to somebody else.
    Finished {
        /// The session.
        session: SessionNumber,
        /// The delivery's number.
        entry: EntryNumber,
    },
    /// A QoS 2 message came from the client and was routed; its Packet Identifier is taken until PUBREL.
    Received {
        /// The session.
        session: SessionNumber,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// PUBREL came for it.
    Completed {
        /// The session.
        session: SessionNumber,
        /// The Packet Identifier.
        packet_id: PacketId,
    },
    /// A message is retained for its topic.
    Retained(Message),
    /// The retained message of this topic is gone.
    RetainedCleared {
        /// The topic.
        topic: Box<str>,
    },
}

/// What is kept of a session besides its subscriptions and messages.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Its Client Identifier.
    pub client_id: Arc<str>,
    /// The principal of its client, or of the last one it had.
    pub principal: Option<Arc<str>>,
    /// Its Session Expiry Interval in seconds; `u32::MAX`: never.
    pub session_expiry: u32,
    /// When it ends if nobody comes back; none while it has a connection, or if it never ends.
    pub expires_at: Option<Time>,
    /// Its Will, if that is not published.
    pub will: Option<Box<Will>>,
    /// When the Will is due; none while it is connected.
    pub will_due: Option<Time>,
}

/// A subscription of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// The Topic Filter as the client wrote it, `$share/…` included.
    pub filter: Box<str>,
    /// The `QoS` that was granted.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Its Subscription Identifier.
    pub subscription_id: Option<SubscriptionId>,
}

/// What the subscriptions of a session made of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The `QoS` it is delivered with.
    pub qos: QoS,
    /// The RETAIN flag it is delivered with.
    pub retain: bool,
    /// The Subscription Identifiers it is delivered with.
    pub subscription_ids: Vec<SubscriptionId>,
    /// The shared subscription that gave it to this session, `$share/NAME/FILTER`.
    pub shared: Option<Box<str>>,
}
