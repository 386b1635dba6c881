//! What the specification says must come of what the broker was told, in the plainest words.
//!
//! The oracle hears of every packet at the moment the broker takes it, and of the clock. From that it knows which
//! sessions exist, what each is owed, and what is retained. Clients ask it about every message they receive, and at the
//! end whether everything owed has come.

mod copies;
mod sessions;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use midge_core::Time;
use midge_protocol::{QoS, SubscribeOptions, TopicFilter, TopicName};

pub(crate) use copies::Seen;
pub(crate) use sessions::Connecting;
use shared::SharedReceipt;

pub(crate) type Name = &'static str;
/// Tells Network Connections apart, in the order they were opened.
pub(crate) type Wire = u64;
/// What a check says; the text tells which rule was broken.
pub(crate) type Verdict = Result<(), String>;

/// The specification's view of the broker.
pub(crate) struct Oracle {
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
}

/// A message to be routed. A QoS 1 message that was sent twice is two of them, with the same number.
pub(crate) struct Publication {
    /// What its payload says; 0 for an empty payload, which clears the retained message.
    pub(crate) number: u32,
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
    /// When its connection was made.
    connected: u64,
    expiry: u32,
    ends_at: Option<Time>,
    will: Option<Will>,
    will_due: Option<Time>,
    subscriptions: BTreeMap<String, Subscription>,
    /// QoS 2 messages from the client between PUBLISH and PUBREL.
    received: BTreeSet<u16>,
    owed: Vec<Copy>,
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
    receipt: Option<Receipt>,
}

/// How a copy has to look.
#[derive(Debug)]
struct Form {
    qos: QoS,
    /// None where overlapping subscriptions disagree.
    retain: Option<bool>,
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
    /// Who joined since then: it gets what a member left behind whose session ended.
    joined: Vec<(Name, u64, Form)>,
    must: bool,
    receipts: Vec<SharedReceipt>,
}

impl Oracle {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            now,
            moment: 0,
            sessions: BTreeMap::new(),
            publications: Vec::new(),
            retained: BTreeMap::new(),
            shared: Vec::new(),
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

    /// A PUBLISH, or a Will, is routed.
    pub(crate) fn publish(&mut self, publication: Publication) {
        let index = self.publications.len();
        let made = self.next_moment();
        let expires_at = publication.expiry.map(|seconds| self.now.after_seconds(seconds));
        if publication.retain {
            self.retain(&publication, index, expires_at);
        }
        let mut groups: BTreeMap<String, Vec<(Name, u64, Form)>> = BTreeMap::new();
        for (name, session) in &mut self.sessions {
            let own = publication.publisher == *name;
            let mut matching = Vec::new();
            for (filter, subscription) in &session.subscriptions {
                if !matches(filter, &publication.topic) {
                } else if filter.starts_with("$share/") {
                    let form = Form::of_all(&publication, &[subscription]);
                    let members = groups.entry(filter.clone()).or_default();
                    members.extend(form.map(|form| (*name, session.made, form)));
                } else if !(own && subscription.options.no_local) {
                    matching.push(subscription);
                }
            }
            if let Some(form) = Form::of_all(&publication, &matching) {
                let must = form.qos > QoS::AtMostOnce || session.wire.is_some();
                let copy = Copy { publication: index, made, expires_at, form, retained_for: None, must, receipt: None };
                session.owed.push(copy);
            }
        }
        for (filter, members) in groups {
            let must = members.iter().all(|(_, _, form)| form.qos > QoS::AtMostOnce);
            let (joined, receipts) = (Vec::new(), Vec::new());
            let publication = index;
            self.shared.push(SharedCopy { publication, expires_at, filter, members, joined, must, receipts });
        }
        self.publications.push(publication);
    }

    /// There is another retained message for the topic, or none: the old one is nobody's due any more.
    fn retain(&mut self, publication: &Publication, index: usize, expires_at: Option<Time>) {
        if let Some((old, _)) = self.retained.remove(&publication.topic) {
            for copy in self.sessions.values_mut().flat_map(|session| &mut session.owed) {
                copy.must &= copy.publication != old || copy.retained_for.is_none();
            }
        }
        if publication.number != 0 {
            self.retained.insert(publication.topic.clone(), (index, expires_at));
        }
    }

    /// What is retained: topic and message number.
    pub(crate) fn retained(&self) -> BTreeMap<String, u32> {
        let current = self.retained.iter().filter(|(_, (_, expires_at))| !is_over(*expires_at, self.now));
        current.map(|(topic, (index, _))| (topic.clone(), self.publications[*index].number)).collect()
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

    /// Whether the client has a session to come back to.
    pub(crate) fn is_waiting_for(&self, name: Name) -> bool {
        self.sessions.get(name).is_some_and(|session| session.expiry > 0 && !is_over(session.ends_at, self.now))
    }

    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }
}

impl Form {
    /// One copy for all matching subscriptions of a session: the highest QoS and all identifiers [MQTT-3.3.4-2].
    fn of_all(publication: &Publication, matching: &[&Subscription]) -> Option<Self> {
        let granted = matching.iter().map(|subscription| subscription.options.qos).max()?;
        let as_published = matching.iter().filter(|subscription| subscription.options.retain_as_published).count();
        let retain = match (publication.retain, as_published) {
            (false, _) | (true, 0) => Some(false),
            (true, all) if all == matching.len() => Some(true),
            (true, _) => None,
        };
        let mut ids: Vec<u32> = matching.iter().filter_map(|subscription| subscription.id).collect();
        ids.sort_unstable();
        Some(Self { qos: publication.qos.min(granted), retain, ids })
    }
}

/// Whether the moment has come; `None` never comes.
fn is_over(deadline: Option<Time>, now: Time) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

/// Whether the filter, without its `$share/NAME/`, matches (4.7).
fn matches(filter: &str, topic: &str) -> bool {
    let (Ok(filter), Ok(topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else { return false };
    filter.share().map_or(filter, |(_, inner)| inner).matches(topic)
}
