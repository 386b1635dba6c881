//! What is to be written next: the changes since the last commit, reduced to as few writes as they come to.
//!
//! A message that is queued and acknowledged between two commits costs nothing. Whatever order the batches of several threads
//! come in, the outcome is the same (see `Store` in `midge-core`).

mod held;
mod recent;

use hashbrown::HashMap;
use midge_core::{
    BodyId, Change, ConnectionNumber, DeliveryRecord, EntryNumber, Message, SessionNumber, SessionRecord,
};
use midge_protocol::PacketId;

use crate::layout::{self, Space, Step};
use crate::record;
use held::{Bodies, Deliveries, Held};
use recent::Recent;

type Hasher = foldhash::fast::FixedState;

/// Knows what the store holds, and what it is to hold after the next commit.
#[derive(Default)]
pub(crate) struct Gathering {
    next: Writes,
    /// Sessions that the store has, and the latest connection that spoke of them.
    sessions: HashMap<SessionNumber, ConnectionNumber, Hasher>,
    /// Deliveries that are kept, and how far they have come.
    deliveries: Deliveries,
    /// How many deliveries need a body.
    bodies: Bodies,
    /// What was said of deliveries before they were queued, or after they were over.
    strays: Recent<(SessionNumber, EntryNumber), Stray>,
    /// Sessions that ended, whose last changes may still come.
    ended: Recent<SessionNumber, ()>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sessions: usize,
    pub(crate) deliveries: usize,
    pub(crate) bodies: usize,
}

#[derive(Default)]
struct Stray {
    sent: Option<PacketId>,
    released: Option<PacketId>,
    finished: bool,
}

/// What one commit writes.
#[derive(Default)]
pub(crate) struct Writes {
    /// Subscriptions and received Packet Identifiers of these sessions are removed first, whichever there are.
    pub(crate) cleared: Vec<SessionNumber>,
    /// A value for a key, or none to remove it. The last write to a key counts.
    pub(crate) writes: HashMap<(Space, Box<[u8]>), Value, Hasher>,
    /// Bytes of keys and values.
    pub(crate) bytes: usize,
}

/// None where there is none any more.
pub(crate) type Value = Option<Vec<u8>>;

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.cleared.is_empty() && self.writes.is_empty()
    }

    /// What becomes of a body, if anything does.
    pub(crate) fn body(&self, body: BodyId) -> Option<&Value> {
        self.writes.get(&(Space::Bodies, layout::body_key(body).into()))
    }

    fn write(&mut self, space: Space, key: &[u8], value: Value) {
        self.bytes += weight(key, &value);
        let replaced = self.writes.insert((space, key.into()), value);
        if let Some(value) = replaced {
            self.bytes -= weight(key, &value);
        }
    }

    /// Forgets a write; whether there was one.
    fn unwrite(&mut self, space: Space, key: &[u8]) -> bool {
        let value = self.writes.remove(&(space, key.into()));
        if let Some(value) = &value {
            self.bytes -= weight(key, value);
        }
        value.is_some()
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
        let held = body.map_or(Held::Released, |body| Held::Message { body, sent });
        self.deliveries.insert(session, entry, held);
        if let Some(body) = body {
            self.bodies.need(body);
        }
    }

    /// What the next commit writes, so far.
    pub(crate) fn next(&self) -> &Writes {
        &self.next
    }

    /// Hands out what there is to write.
    pub(crate) fn take(&mut self) -> Writes {
        std::mem::take(&mut self.next)
    }

    pub(crate) fn counts(&self) -> Counts {
        let (sessions, deliveries) = (self.sessions.len(), self.deliveries.len());
        Counts { sessions, deliveries, bodies: self.bodies.len() }
    }

    /// Takes in what becomes of a plugin's entry.
    pub(crate) fn entry(&mut self, key: &[u8], value: Value) {
        self.next.write(Space::Plugins, key, value);
    }

    /// Takes one change in.
    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Session { session, by, record } => self.session(session, by, &record),
            Change::SessionEnded { session } => self.end(session),
            Change::Subscribed { session, subscription } => {
                let key = layout::subscription_key(session, &subscription.filter);
                self.write_of(session, Space::Subscriptions, &key, Some(record::subscription(&subscription)));
            }
            Change::Unsubscribed { session, filter } => {
                let key = layout::subscription_key(session, &filter);
                self.write_of(session, Space::Subscriptions, &key, None);
            }
            Change::Queued { session, entry, body, message, delivery } => {
                self.queue(session, entry, body, &message, &delivery);
            }
            Change::Sent { session, entry, packet_id } => self.sent(session, entry, packet_id),
            Change::Released { session, entry, packet_id } => self.release(session, entry, packet_id),
            Change::Finished { session, entry } => self.finish(session, entry),
            Change::Received { session, packet_id } => {
                let key = layout::received_key(session, packet_id);
                self.write_of(session, Space::Received, &key, Some(record::presence()));
            }
            Change::Completed { session, packet_id } => {
                let key = layout::received_key(session, packet_id);
                self.write_of(session, Space::Received, &key, None);
            }
            Change::Retained(message) => {
                self.write(Space::Retained, message.topic().as_bytes(), Some(record::message(&message)));
            }
            Change::RetainedCleared { topic } => self.write(Space::Retained, topic.as_bytes(), None),
        }
    }

    fn session(&mut self, session: SessionNumber, by: ConnectionNumber, record: &SessionRecord) {
        let latest = self.sessions.get(&session).copied().unwrap_or(ConnectionNumber(0));
        if self.ended.contains(&session) || by < latest {
            return;
        }
        self.sessions.insert(session, by);
        self.write(Space::Sessions, &layout::session_key(session), Some(record::session(record)));
    }

    fn end(&mut self, session: SessionNumber) {
        if self.sessions.remove(&session).is_some() {
            self.write(Space::Sessions, &layout::session_key(session), None);
        }
        self.discard(session);
        self.ended.insert(session, ());
    }

    /// Removes everything that belongs to a session.
    pub(crate) fn discard(&mut self, session: SessionNumber) {
        self.clear(session);
        for entry in self.deliveries.of(session) {
            self.finish(session, entry);
        }
    }

    /// What a session subscribed to and received is unknown from here on.
    fn clear(&mut self, session: SessionNumber) {
        let number = layout::session_key(session);
        let is_of_session = |space: Space, key: &[u8]| {
            matches!(space, Space::Subscriptions | Space::Received) && key.starts_with(&number)
        };
        let next = &mut self.next;
        for ((_, key), value) in next.writes.extract_if(|(space, key), _| is_of_session(*space, key)) {
            next.bytes -= weight(&key, &value);
        }
        next.cleared.push(session);
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
        if self.bodies.need(body) {
            self.put_body(body, message);
        }
        let value = record::delivery(body, message, delivery);
        self.write(Space::Deliveries, &layout::delivery_key(session, entry, Step::Queued), Some(value));
        self.deliveries.insert(session, entry, Held::Message { body, sent: false });
        if let Some(packet_id) = stray.sent {
            self.sent(session, entry, packet_id);
        }
        if let Some(packet_id) = stray.released {
            self.release(session, entry, packet_id);
        }
    }

    fn sent(&mut self, session: SessionNumber, entry: EntryNumber, packet_id: PacketId) {
        match self.deliveries.held(session, entry) {
            Some(Held::Message { body, .. }) => {
                self.deliveries.insert(session, entry, Held::Message { body, sent: true });
                let key = layout::delivery_key(session, entry, Step::Sent);
                self.write(Space::Deliveries, &key, Some(record::packet_id(packet_id)));
            }
            // PUBREC is the later word.
            Some(Held::Released) => {}
            None => self.strays.entry((session, entry)).sent = Some(packet_id),
        }
    }

    fn release(&mut self, session: SessionNumber, entry: EntryNumber, packet_id: PacketId) {
        match self.deliveries.held(session, entry) {
            Some(held @ Held::Message { .. }) => {
                self.deliveries.insert(session, entry, Held::Released);
                self.forget(session, entry, held);
                let key = layout::delivery_key(session, entry, Step::Released);
                self.write(Space::Deliveries, &key, Some(record::packet_id(packet_id)));
            }
            Some(Held::Released) => {}
            None => self.strays.entry((session, entry)).released = Some(packet_id),
        }
    }

    fn finish(&mut self, session: SessionNumber, entry: EntryNumber) {
        match self.deliveries.remove(session, entry) {
            Some(held) => self.forget(session, entry, held),
            None => self.strays.entry((session, entry)).finished = true,
        }
    }

    /// What was written of a delivery is needed no longer.
    fn forget(&mut self, session: SessionNumber, entry: EntryNumber, held: Held) {
        let mut remove = |step| self.remove(Space::Deliveries, &layout::delivery_key(session, entry, step));
        match held {
            Held::Released => remove(Step::Released),
            Held::Message { body, sent } => {
                remove(Step::Queued);
                if sent {
                    remove(Step::Sent);
                }
                if self.bodies.release(body) {
                    self.remove(Space::Bodies, &layout::body_key(body));
                }
            }
        }
    }

    /// Writes what belongs to a session, unless that has ended.
    fn write_of(&mut self, session: SessionNumber, space: Space, key: &[u8], value: Value) {
        if !self.ended.contains(&session) {
            self.write(space, key, value);
        }
    }

    fn write(&mut self, space: Space, key: &[u8], value: Value) {
        self.next.write(space, key, value);
    }

    /// Writes a body, which is not there: if it waits to be removed, it stays instead.
    fn put_body(&mut self, body: BodyId, message: &Message) {
        let key = layout::body_key(body);
        if !self.next.unwrite(Space::Bodies, &key) {
            self.write(Space::Bodies, &key, Some(record::message(message)));
        }
    }

    /// Removes what is there and has one value only: if that still waits to be written, it never is.
    fn remove(&mut self, space: Space, key: &[u8]) {
        if !self.next.unwrite(space, key) {
            self.write(space, key, None);
        }
    }
}

fn weight(key: &[u8], value: &Value) -> usize {
    key.len() + value.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests;
