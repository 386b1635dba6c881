//! What happened that is rare enough to be told one by one.

use std::sync::Arc;

use crate::session::Session;

/// Something worth a log line, a metric label or a plugin's attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session came into being.
    SessionCreated {
        /// Its client.
        about: About,
    },
    /// A client came back to its session.
    SessionResumed {
        /// Its client.
        about: About,
        /// The principal of the client that it had before.
        before: Option<Arc<str>>,
    },
    /// A session and all that belonged to it is gone.
    SessionEnded {
        /// The client that it had.
        about: About,
        /// Why.
        cause: SessionEnd,
    },
    /// A newer connection with the same Client Identifier displaced the older one (0x8E).
    TakenOver {
        /// The client of the older one.
        about: About,
        /// The principal of the newer one.
        by: Option<Arc<str>>,
    },
    /// Messages did not reach a client. Drops with the same client and reason in one batch are one event.
    MessageDropped {
        /// The client that did not get them.
        about: About,
        /// The topic of the first of them; empty where only the store knew it.
        topic: Box<str>,
        /// Why.
        reason: DropReason,
        /// How many.
        count: u64,
    },
    /// A Will Message was published.
    WillPublished {
        /// The client that left it.
        about: About,
        /// Its topic.
        topic: Box<str>,
    },
}

/// Whom something is about: the client that a session has, or had last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its Client Identifier.
    pub client_id: Arc<str>,
    /// Its [principal](crate::ConnectRequest::principal), if it is known.
    pub principal: Option<Arc<str>>,
}

impl About {
    /// The client of a session whose state says this of its principal.
    pub(crate) fn new(session: &Session, principal: Option<&Arc<str>>) -> Self {
        Self { client_id: Arc::clone(session.shared_client_id()), principal: principal.cloned() }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionEnd {
    /// Its connection closed and its Session Expiry Interval was 0.
    Closed,
    /// Its Session Expiry Interval ran out.
    Expired,
    /// The client asked for a clean start.
    CleanStart,
    /// An operator or a plugin ended it.
    Administrative,
}

/// Why a message did not reach a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The session's queue was full.
    QueueFull,
    /// QoS 0, and the client did not read fast enough.
    OutboxFull,
    /// It exceeds the client's Maximum Packet Size [MQTT-3.1.2-24].
    TooLarge,
    /// Its Message Expiry Interval ran out while it waited [MQTT-3.3.2-5].
    Expired,
    /// The session it waited for ended.
    SessionEnded,
    /// The store no longer has it, or has something else in its place.
    Unreadable,
    /// The session's queue was full, and the publisher was told so: nobody got it.
    Refused,
    /// The client may not have it, or nobody could say that it may.
    Denied,
}

impl DropReason {
    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::OutboxFull => "outbox_full",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::SessionEnded => "session_ended",
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
            Self::Denied => "denied",
        }
    }
}
