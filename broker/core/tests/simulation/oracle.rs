//! What the specification says must come of what the broker was told, in the plainest words.
//!
//! The oracle hears of every packet at the moment the broker takes it, of the clock, and of every message the broker says
//! it dropped. From that it knows which sessions exist, what each is owed, and what is retained. Clients ask it about every
//! message they receive, and at the end whether everything owed has come.

mod copies;
mod drops;
mod routing;
mod sessions;
mod shared;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};

use midge_core::{Limits, Time};
use midge_protocol::{ProtocolVersion, QoS, SubscribeOptions};

pub(crate) use copies::Seen;
pub(crate) use drops::{Drop, Told};
pub(crate) use sessions::Connecting;
use shared::SharedReceipt;

pub(crate) type Name = &'static str;
/// Tells Network Connections apart, in the order they were opened.
pub(crate) type Wire = u64;
/// What a check says; the text tells which rule was broken.
pub(crate) type Verdict = Result<(), String>;

/// The specification's view of the broker.
pub(crate) struct Oracle {
    limits: Limits,
    now: Time,
    /// Counts what happened, to tell what came first.
    moment: u64,
    sessions: BTreeMap<Name, Session>,
    /// Every message the broker was to route, in that order.
    publications: Vec<Publication>,
    /// The publication each topic retains.
    retained: BTreeMap<String, (usize, Option<Time>)>,
    /// Copies of which any one member of a shared subscription is to have one.
    shared: Vec<SharedCopy>,
    /// What the broker said happened, and what had to.
    pub(crate) told: Told,
    pub(crate) due: Told,
}

/// A message to be routed. A QoS 1 message that was sent twice is two of them, with the same number.
pub(crate) struct Publication {
    /// What its payload says; 0 for an empty payload, which clears the retained message.
    pub(crate) number: u32,
    /// Bytes of its payload after the number.
    pub(crate) padding: usize,
    pub(crate) topic: String,
    pub(crate) publisher: Name,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Message Expiry Interval in seconds.
    pub(crate) expiry: Option<u32>,
}

/// A Will, as its CONNECT stated it.
#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) number: u32,
    pub(crate) padding: usize,
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) delay: u32,
    pub(crate) expiry: Option<u32>,
}

/// Session State (4.1).
struct Session {
    /// When it was made, which tells it from an earlier session of the same client.
    made: u64,
    wire: Option<Wire>,
    version: ProtocolVersion,
    /// When its connection was made, and whether the session was there before.
    connected: u64,
    resumed: bool,
    expiry: u32,
    expiry_max: u32,
    ends_at: Option<Time>,
    will: Option<Will>,
    will_due: Option<Time>,
    subscriptions: BTreeMap<String, Subscription>,
    /// QoS 2 messages from the client between PUBLISH and PUBREL.
    received: BTreeSet<u16>,
    owed: Vec<Copy>,
    /// Maximum Packet Size of the client.
    packet_bytes_max: usize,
    /// Messages that may wait for it, now and at any time.
    queue_max: usize,
    queue_most: usize,
    /// It has, or had, part in a shared subscription.
    shares: bool,
    /// Messages that the broker says it dropped, without it being certain which, and those of them for a full queue.
    drops: u64,
    queue_drops: usize,
}

struct Subscription {
    options: SubscribeOptions,
    id: Option<u32>,
}

/// One message for one session.
struct Copy {
    publication: usize,
    made: u64,
    expires_at: Option<Time>,
    form: Form,
    /// Sent because it was retained when this filter was subscribed to.
    retained_for: Option<String>,
    /// It has to arrive as long as the session lasts.
    must: bool,
    lost: Loss,
    receipt: Option<Receipt>,
}

/// Whether the broker dropped a copy, for a reason that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    No,
    /// It dropped this one or another one.
    Perhaps,
    Yes,
}

/// How a copy has to look.
#[derive(Debug)]
struct Form {
    qos: QoS,
    retain: bool,
    ids: Vec<u32>,
}

/// How and where a copy arrived.
#[derive(Clone, Copy)]
struct Receipt {
    wire: Wire,
    qos: QoS,
    packet_id: Option<u16>,
}

/// One message for one member of a shared subscription.
struct SharedCopy {
    publication: usize,
    expires_at: Option<Time>,
    /// `$share/NAME/FILTER`.
    filter: String,
    /// The sessions that were members when it was routed, and what each would have got.
    members: Vec<(Name, u64, Form)>,
    /// Who joined since then: it gets what a member left behind, and what would wait for one that is away.
    joined: Vec<(Name, u64, Form)>,
    /// A member was not connected, when it was routed or later.
    away: bool,
    /// Members that left without their session ending.
    left: Vec<(Name, u64)>,
    /// For a moment there was no member at all.
    orphaned: bool,
    must: bool,
    lost: Loss,
    receipts: Vec<SharedReceipt>,
}

impl Oracle {
    pub(crate) fn new(limits: Limits, now: Time) -> Self {
        Self {
            limits,
            now,
            moment: 0,
            sessions: BTreeMap::new(),
            publications: Vec::new(),
            retained: BTreeMap::new(),
            shared: Vec::new(),
            told: Told::default(),
            due: Told::default(),
        }
    }

    /// The clock moved, and the broker was told.
    pub(crate) fn tick(&mut self, now: Time) {
        self.now = now;
        let names: Vec<Name> = self.sessions.keys().copied().collect();
        for name in names {
            self.fall_due(name);
        }
    }

    /// The clock moved, and the broker was not told yet.
    pub(crate) fn pass(&mut self, now: Time) {
        self.now = now;
    }

    pub(crate) fn session_count(&self) -> u64 {
        self.sessions.len() as u64
    }

    pub(crate) fn subscription_count(&self) -> u64 {
        self.sessions.values().map(|session| session.subscriptions.len() as u64).sum()
    }

    /// Whether the client's session is this connection's.
    pub(crate) fn is_current(&self, name: Name, wire: Wire) -> bool {
        self.sessions.get(name).is_some_and(|session| session.wire == Some(wire))
    }

    /// Whether the client came back to its session.
    pub(crate) fn is_resumed(&self, name: Name) -> bool {
        self.sessions.get(name).is_some_and(|session| session.resumed)
    }

    /// When the client's session was made, which tells it from any other.
    pub(crate) fn session(&self, name: Name) -> Option<u64> {
        self.sessions.get(name).map(|session| session.made)
    }

    /// Whether the client has a session to come back to.
    pub(crate) fn is_waiting_for(&self, name: Name) -> bool {
        self.sessions.get(name).is_some_and(|session| session.expiry > 0 && !is_over(session.ends_at, self.now))
    }

    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }
}

/// Whether the moment has come; `None` never comes.
fn is_over(deadline: Option<Time>, now: Time) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}
