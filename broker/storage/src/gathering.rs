//! What is to be written next: the changes since the last commit, reduced to as few writes as they come to.
//!
//! A message that is queued and acknowledged between two commits costs nothing. Whatever order the batches of several threads
//! come in, the outcome is the same (see `Store` in `midge-core`).

mod recent;

use std::collections::BTreeMap;

use hashbrown::HashMap;
use midge_core::{
    BodyId, Change, ConnectionNumber, DeliveryRecord, EntryNumber, Inheritance, Message, SessionNumber, SessionRecord,
};
use midge_protocol::PacketId;

use crate::layout::{self, Space, Step};
use crate::record;
use recent::Recent;

type Hasher = foldhash::fast::FixedState;
type WriteMap = HashMap<(Space, Box<[u8]>), Option<Vec<u8>>, Hasher>;

/// Knows what the store holds, and what it is to hold after the next commit.
#[derive(Default)]
pub(crate) struct Gathering {
    /// The writes so far, none to remove the key; the last one to a key counts.
    writes: WriteMap,
    /// Bytes of keys and values written so far.
    bytes: usize,
    /// Sessions that the store has, and the latest connection that spoke of them.
    sessions: HashMap<SessionNumber, ConnectionNumber, Hasher>,
    /// Sessions whose subscriptions and received Packet Identifiers are to be removed, whichever there are.
    cleared: Vec<SessionNumber>,
    /// Deliveries that are kept, and how far they have come.
    deliveries: BTreeMap<(SessionNumber, EntryNumber), Held>,
    /// How many deliveries need a body.
    bodies: HashMap<BodyId, u32, Hasher>,
    /// What was said of deliveries before they were queued, or after they were over.
    strays: Recent<(SessionNumber, EntryNumber), Stray>,
    /// Sessions that ended, whose last changes may still come.
    ended: Recent<SessionNumber, ()>,
}

/// A delivery the store has.
#[derive(Clone, Copy)]
struct Held {
    /// None once PUBREC came.
    body: Option<BodyId>,
    sent: bool,
}

#[derive(Default)]
struct Stray {
    sent: Option<PacketId>,
    released: Option<PacketId>,
    finished: bool,
}

/// What one commit writes.
#[derive(Clone)]
pub(crate) struct Writes {
    /// Subscriptions and received Packet Identifiers of these sessions go first.
    pub(crate) cleared: Vec<SessionNumber>,
    /// A value, or none to remove the key.
    pub(crate) writes: WriteMap,
}

impl Writes {
    /// The message record of a body that is among the writes.
    pub(crate) fn body(&self, body: BodyId) -> Option<&[u8]> {
        Self::find(&self.writes, body)
    }

    fn find(writes: &WriteMap, body: BodyId) -> Option<&[u8]> {
        writes.get(&(Space::Bodies, layout::body_key(body).into()))?.as_deref()
    }
}

impl Gathering {
    /// A session that the store is found to hold when it is opened.
    pub(crate) fn found_session(&mut self, session: SessionNumber) {
        self.sessions.insert(session, ConnectionNumber(0));
    }

    /// A delivery that it is found to hold; the body is none where PUBREC came.
    pub(crate) fn found_delivery(
        &mut self,
        session: SessionNumber,
        entry: EntryNumber,
        body: Option<BodyId>,
        sent: bool,
    ) {
        self.deliveries.insert((session, entry), Held { body, sent });
        if let Some(body) = body {
            *self.bodies.entry(body).or_default() += 1;
        }
    }

    /// The message record of a body that is yet to be written.
    pub(crate) fn body(&self, body: BodyId) -> Option<&[u8]> {
        Writes::find(&self.writes, body)
    }

    /// Bytes that the next commit writes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands out what there is to write.
    pub(crate) fn take(&mut self) -> Writes {
        self.bytes = 0;
        Writes { cleared: std::mem::take(&mut self.cleared), writes: std::mem::take(&mut self.writes) }
    }

    /// Takes writes back that could not be made; what was gathered since goes over them.
    pub(crate) fn give_back(&mut self, failed: Writes) {
        let newer = std::mem::replace(&mut self.writes, failed.writes);
        for ((space, key), value) in newer {
            // What was to be written once and is to be removed, or the other way round, comes to nothing.
            let older = self.writes.remove(&(space, key.clone()));
            if older.is_none() || !space.is_written_once() {
                self.writes.insert((space, key), value);
            }
        }
        self.cleared.extend(failed.cleared);
        self.bytes = self.writes.iter().map(|((_, key), value)| weight(key, value.as_deref())).sum();
    }

    /// Takes one change in.
    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Session { session, by, record, inherited } => {
                self.session(session, by, &record, inherited.as_deref());
            }
            Change::SessionEnded { session } => self.end(session),
            Change::Subscribed { session, by, subscription } => {
                let key = layout::subscription_key(session, &subscription.filter);
                self.said_by(session, by, Space::Subscriptions, &key, Some(record::subscription(&subscription)));
            }
            Change::Unsubscribed { session, by, filter } => {
                let key = layout::subscription_key(session, &filter);
                self.said_by(session, by, Space::Subscriptions, &key, None);
            }
            Change::Queued { session, entry, body, message, delivery } => {
                self.queue(session, entry, body, &message, &delivery);
            }
            Change::Sent { session, entry, packet_id } => self.sent(session, entry, packet_id),
            Change::Released { session, entry, packet_id } => self.release(session, entry, packet_id),
            Change::Finished { session, entry } => self.finish(session, entry),
            Change::Received { session, by, packet_id } => {
                let key = layout::received_key(session, packet_id);
                self.said_by(session, by, Space::Received, &key, Some(Vec::new()));
            }
            Change::Completed { session, by, packet_id } => {
                let key = layout::received_key(session, packet_id);
                self.said_by(session, by, Space::Received, &key, None);
            }
            Change::Retained(message) => {
                self.write(Space::Retained, message.topic().as_bytes(), Some(record::message(&message)));
            }
            Change::RetainedCleared { topic } => self.write(Space::Retained, topic.as_bytes(), None),
        }
    }

    fn session(
        &mut self,
        session: SessionNumber,
        by: ConnectionNumber,
        record: &SessionRecord,
        inherited: Option<&Inheritance>,
    ) {
        let latest = self.sessions.get(&session).copied().unwrap_or(ConnectionNumber(0));
        if self.ended.contains(&session) || by < latest {
            return;
        }
        self.sessions.insert(session, by);
        self.write(Space::Sessions, &layout::session_key(session), Some(record::session(record)));
        if let Some(inherited) = inherited {
            self.clear(session);
            for subscription in &inherited.subscriptions {
                let key = layout::subscription_key(session, &subscription.filter);
                self.write(Space::Subscriptions, &key, Some(record::subscription(subscription)));
            }
            for packet_id in &inherited.received {
                self.write(Space::Received, &layout::received_key(session, *packet_id), Some(Vec::new()));
            }
        }
    }

    fn end(&mut self, session: SessionNumber) {
        if self.sessions.remove(&session).is_some() {
            self.write(Space::Sessions, &layout::session_key(session), None);
        }
        self.clear(session);
        let of_session = (session, EntryNumber(0))..=(session, EntryNumber(u64::MAX));
        let deliveries: Vec<EntryNumber> = self.deliveries.range(of_session).map(|((_, entry), _)| *entry).collect();
        for entry in deliveries {
            self.finish(session, entry);
        }
        self.ended.insert(session, ());
    }

    /// What a session subscribed to and received is unknown from here on.
    fn clear(&mut self, session: SessionNumber) {
        let number = layout::session_key(session);
        self.writes.retain(|(space, key), _| {
            !matches!(space, Space::Subscriptions | Space::Received) || !key.starts_with(&number)
        });
        self.cleared.push(session);
    }

    fn queue(
        &mut self,
        session: SessionNumber,
        entry: EntryNumber,
        body: BodyId,
        message: &Message,
        delivery: &DeliveryRecord,
    ) {
        let stray = self.strays.remove(&(session, entry)).unwrap_or_default();
        if stray.finished || self.ended.contains(&session) {
            return;
        }
        let needed = self.bodies.entry(body).or_default();
        *needed += 1;
        if *needed == 1 {
            self.put_once(Space::Bodies, &layout::body_key(body), || record::message(message));
        }
        let value = record::delivery(body, message, delivery);
        self.put_once(Space::Deliveries, &layout::delivery_key(session, entry, Step::Queued), || value);
        self.deliveries.insert((session, entry), Held { body: Some(body), sent: false });
        if let Some(packet_id) = stray.sent {
            self.sent(session, entry, packet_id);
        }
        if let Some(packet_id) = stray.released {
            self.release(session, entry, packet_id);
        }
    }

    fn sent(&mut self, session: SessionNumber, entry: EntryNumber, packet_id: PacketId) {
        let Some(kept) = self.deliveries.get_mut(&(session, entry)) else {
            self.strays.entry((session, entry)).sent = Some(packet_id);
            return;
        };
        // PUBREC is the later word.
        if kept.body.is_some() {
            kept.sent = true;
            let key = layout::delivery_key(session, entry, Step::Sent);
            self.write(Space::Deliveries, &key, Some(record::packet_id(packet_id).to_vec()));
        }
    }

    fn release(&mut self, session: SessionNumber, entry: EntryNumber, packet_id: PacketId) {
        let Some(kept) = self.deliveries.get_mut(&(session, entry)) else {
            self.strays.entry((session, entry)).released = Some(packet_id);
            return;
        };
        let before = std::mem::replace(kept, Held { body: None, sent: false });
        self.forget_message(session, entry, before);
        let key = layout::delivery_key(session, entry, Step::Released);
        self.write(Space::Deliveries, &key, Some(record::packet_id(packet_id).to_vec()));
    }

    fn finish(&mut self, session: SessionNumber, entry: EntryNumber) {
        let Some(kept) = self.deliveries.remove(&(session, entry)) else {
            self.strays.entry((session, entry)).finished = true;
            return;
        };
        if kept.body.is_none() {
            self.remove_once(Space::Deliveries, &layout::delivery_key(session, entry, Step::Released));
        }
        self.forget_message(session, entry, kept);
    }

    /// The delivery needs its message no longer.
    fn forget_message(&mut self, session: SessionNumber, entry: EntryNumber, held: Held) {
        let Some(body) = held.body else { return };
        self.remove_once(Space::Deliveries, &layout::delivery_key(session, entry, Step::Queued));
        if held.sent {
            self.remove_once(Space::Deliveries, &layout::delivery_key(session, entry, Step::Sent));
        }
        let Some(needed) = self.bodies.get_mut(&body) else { return };
        *needed -= 1;
        if *needed == 0 {
            self.bodies.remove(&body);
            self.remove_once(Space::Bodies, &layout::body_key(body));
        }
    }

    /// Writes what a connection says of its session, unless the session has another by now.
    fn said_by(
        &mut self,
        session: SessionNumber,
        by: ConnectionNumber,
        space: Space,
        key: &[u8],
        value: Option<Vec<u8>>,
    ) {
        let is_outdated = self.sessions.get(&session).is_some_and(|latest| by < *latest);
        if !is_outdated && !self.ended.contains(&session) {
            self.write(space, key, value);
        }
    }

    fn write(&mut self, space: Space, key: &[u8], value: Option<Vec<u8>>) {
        self.bytes += weight(key, value.as_deref());
        let replaced = self.writes.insert((space, key.into()), value);
        if let Some(value) = replaced {
            self.bytes -= weight(key, value.as_deref());
        }
    }

    /// Writes a key that only ever has this value: if it waits to be removed, it stays instead.
    fn put_once(&mut self, space: Space, key: &[u8], value: impl FnOnce() -> Vec<u8>) {
        match self.writes.remove(&(space, key.into())) {
            Some(None) => self.bytes -= key.len(),
            Some(Some(_)) | None => self.write(space, key, Some(value())),
        }
    }

    /// Removes a key that only ever has one value: if its value still waits to be written, it never is.
    fn remove_once(&mut self, space: Space, key: &[u8]) {
        match self.writes.remove(&(space, key.into())) {
            Some(value @ Some(_)) => self.bytes -= weight(key, value.as_deref()),
            Some(None) | None => self.write(space, key, None),
        }
    }
}

fn weight(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests;
