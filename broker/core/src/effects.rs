//! What one read batch brings about, gathered so that it happens once per batch rather than once per packet.

use std::sync::Arc;
use std::task::Waker;

use hashbrown::HashMap;
use midge_protocol::Packet;

use crate::broker::deliver::encoder::Encoder;
use crate::congestion::Congestion;
use crate::connection::Connection;
use crate::event::{About, DropReason, Event};
use crate::session::hold::PartNumber;
use crate::session::outbox::{Outbox, pool};
use crate::session::state::{Link, State};
use crate::session::{ConnectionNumber, Peer, Session};
use crate::statistics::Counters;
use crate::store::{Change, Durability, EntryNumber, Health, SessionNumber, Ticket};
use crate::subscriptions::Subscriber;
use crate::{Broker, Message};

/// Reusable scratch of one read batch of one connection.
///
/// Pass it to the [`Broker`] for every packet of the batch, then call [`Effects::flush`]; until then no other session hears
/// of what was sent to it, and no acknowledgement leaves. Then take events and published Wills.
#[derive(Default)]
pub struct Effects {
    /// Sessions this batch appended to, each once, and how to reach their sockets.
    touched: Vec<Touched>,
    /// Encoded packets that answer the batch's own connection, in order [MQTT-4.6.0-2].
    replies: Vec<u8>,
    reply_to: Option<(Arc<Session>, ConnectionNumber)>,
    changes: Vec<Change>,
    /// What sessions hold back until the batch's changes are safe.
    held: HashMap<(u64, PartNumber), Arc<Session>, foldhash::fast::FixedState>,
    /// What the batch's changes so far became in the store.
    ticket: Ticket,
    /// Deliveries whose messages need not stay in memory once the store has them.
    away: Vec<(Arc<Session>, EntryNumber)>,
    /// Tasks to wake when the batch ends.
    wakers: Vec<Waker>,
    pub(crate) counters: Counters,
    pub(crate) encoder: Encoder,
    events: Vec<Event>,
    /// Where in `events` the drops of a session for a reason are counted.
    drops: HashMap<(u64, DropReason), usize, foldhash::fast::FixedState>,
    published: Vec<PublishedWill>,
    /// The strongest reason so far.
    congestion: Option<Congestion>,
    /// Some outbox grew enough that it should not wait for the end of the batch.
    pub(crate) overdue: bool,
}

/// A Will that was published.
#[derive(Clone, Debug)]
pub struct PublishedWill {
    /// It.
    pub message: Message,
    /// The client that left it.
    pub about: About,
}

/// A batch that is given up halfway, its task cancelled, still wakes whom it promised to flush.
impl Drop for Effects {
    fn drop(&mut self) {
        for touched in &self.touched {
            touched.session.wake(touched.number);
        }
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

struct Touched {
    session: Arc<Session>,
    number: ConnectionNumber,
    peer: Arc<dyn Peer>,
}

impl Touched {
    fn new(session: &Arc<Session>, link: &Link) -> Self {
        Self { session: Arc::clone(session), number: link.number, peer: Arc::clone(&link.peer) }
    }
}

impl Effects {
    /// Empty, without any memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the batch: hands its changes to the store, lets its acknowledgements leave (or wait for the store), writes to up to
    /// 32 sessions inline, wakes the owners of the others, and adds its counters to the totals.
    pub fn flush(&mut self, broker: &Broker) {
        self.answer(broker);
        self.ticket = Ticket::default();
        self.flush_touched();
        broker.totals.fold(&mut self.counters);
        self.congestion = None;
    }

    /// For a thread between two batches that has nothing to do: lets go of what large ones needed, and of what is kept for the
    /// outboxes of sessions beyond what the next messages need.
    pub fn rest(&mut self) {
        pool::rest();
        trim(&mut self.touched);
        trim(&mut self.replies);
        trim(&mut self.changes);
        trim(&mut self.away);
        trim(&mut self.wakers);
        trim(&mut self.events);
        if self.drops.is_empty() && self.drops.capacity() > ENTRIES_AT_REST_MAX {
            self.drops = HashMap::default();
        }
        self.encoder.rest();
    }

    /// Why the batch's publisher should slow down, if it should. Ask before [`Effects::flush`], which forgets it.
    #[must_use]
    pub fn congestion(&self) -> Option<&Congestion> {
        self.congestion.as_ref()
    }

    /// Whether the publisher should say nothing more before somebody's queue has room again. Cheap enough for every packet.
    #[must_use]
    pub fn holds_up(&self) -> bool {
        matches!(self.congestion, Some(Congestion::Queue(_)))
    }

    /// What happened that is worth telling.
    pub fn drain_events(&mut self) -> impl Iterator<Item = Event> {
        self.drops.clear();
        self.events.drain(..)
    }

    /// Wills, which the core published by itself.
    pub fn take_published(&mut self) -> Vec<PublishedWill> {
        std::mem::take(&mut self.published)
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn published(&mut self, will: PublishedWill) {
        self.published.push(will);
    }

    /// The outbox of this session is a reason to slow down.
    pub(crate) fn slowed_by_outbox(&mut self, session: &Arc<Session>) {
        if matches!(self.congestion, None | Some(Congestion::Store)) {
            self.congestion = Some(Congestion::Outbox(Arc::clone(session)));
        }
    }

    /// The queue of this session is.
    pub(crate) fn slowed_by_queue(&mut self, session: &Arc<Session>) {
        if !self.holds_up() {
            self.congestion = Some(Congestion::Queue(Arc::clone(session)));
        }
    }

    /// Notes a change of durable state that belongs to no session.
    pub(crate) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Notes a change of a session, if the store keeps it.
    pub(crate) fn note(&mut self, session: &Session, state: &State, change: impl FnOnce(SessionNumber) -> Change) {
        if state.stored {
            self.changes.push(change(session.number()));
        }
    }

    /// Notes a change of a delivery, if the store knows of it.
    pub(crate) fn note_delivery(
        &mut self,
        session: &Session,
        state: &State,
        entry: EntryNumber,
        change: impl FnOnce(SessionNumber) -> Change,
    ) {
        if entry > EntryNumber::default() {
            self.note(session, state, change);
        }
    }

    /// What is appended from now on leaves when this batch's changes are safe.
    pub(crate) fn hold_back(&mut self, session: &Arc<Session>, outbox: &mut Outbox) {
        let joined = |part| self.held.contains_key(&(session.id(), part));
        if let Some(part) = outbox.hold(joined) {
            self.held.insert((session.id(), part), Arc::clone(session));
        }
    }

    /// The message of a delivery in the session's queue leaves memory when the store has it.
    pub(crate) fn put_away(&mut self, session: &Arc<Session>, entry: EntryNumber) {
        self.away.push((Arc::clone(session), entry));
    }

    /// A displaced connection has said its last word: what waits for that waits for this batch.
    pub(crate) fn say_last_word(&mut self, session: Arc<Session>, part: PartNumber, broker: &Broker) {
        self.held.insert((session.id(), part), session);
        self.append(broker, Some(broker.durabilities.default));
    }

    /// Notes what a session is now, if the store keeps it.
    pub(crate) fn note_session(&mut self, session: &Session, state: &State) {
        self.note(session, state, |number| Change::Session {
            session: number,
            by: state.last,
            record: state.record(session.shared_client_id()),
        });
    }

    /// Counts a message that a session, which is this principal's, did not get, and folds it into the batch's event of that
    /// kind.
    pub(crate) fn dropped(
        &mut self,
        session: &Arc<Session>,
        principal: Option<&Arc<str>>,
        topic: &str,
        reason: DropReason,
    ) {
        let counter = match reason {
            DropReason::QueueFull => &mut self.counters.dropped_queue_full,
            DropReason::OutboxFull => &mut self.counters.dropped_outbox_full,
            DropReason::TooLarge => &mut self.counters.dropped_too_large,
            DropReason::Expired => &mut self.counters.dropped_expired,
            DropReason::SessionEnded => &mut self.counters.dropped_session_ended,
            DropReason::Unreadable => &mut self.counters.dropped_unreadable,
            DropReason::Refused => &mut self.counters.refused_queue_full,
            DropReason::Denied => &mut self.counters.dropped_denied,
        };
        *counter += 1;
        let at = *self.drops.entry((session.id(), reason)).or_insert(self.events.len());
        if let Some(Event::MessageDropped { count, .. }) = self.events.get_mut(at) {
            *count += 1;
            return;
        }
        let about = About::new(session, principal);
        self.events.push(Event::MessageDropped { about, topic: topic.into(), reason, count: 1 });
    }

    /// Answers this connection. A packet that is larger than the client takes is discarded, as if it had been sent
    /// [MQTT-3.1.2-24], [MQTT-3.1.2-25], and counted.
    pub(crate) fn reply(&mut self, connection: &Connection, packet: &Packet<'_>) {
        if !self.reply_if_it_fits(connection, packet) {
            self.counters.answers_too_large += 1;
        }
    }

    /// As [`Self::reply`], for an answer that has a shorter form: false says that this one is too large.
    pub(crate) fn reply_if_it_fits(&mut self, connection: &Connection, packet: &Packet<'_>) -> bool {
        let to = self.reply_to.get_or_insert_with(|| (Arc::clone(&connection.session), connection.number));
        debug_assert_eq!(to.1, connection.number, "one batch belongs to one connection");
        let start = self.replies.len();
        let encoded = packet.encode(connection.version, &mut self.replies);
        let fits = encoded.is_ok() && self.replies.len() - start <= connection.maximum_packet_size as usize;
        if !fits {
            self.replies.truncate(start);
        }
        fits
    }

    /// Remembers to flush a session that was appended to, unless another batch already promised to.
    pub(crate) fn touch(&mut self, session: &Arc<Session>, link: &Link, outbox: &mut Outbox) {
        self.overdue |= outbox.is_overdue();
        if outbox.mark_dirty() {
            self.touched.push(Touched::new(session, link));
        }
    }

    /// Hands the changes so far to the store, and says what acknowledgements of this batch wait for, if any do: `awaited`.
    pub(crate) fn commit(&mut self, broker: &Broker, awaited: bool) -> Ticket {
        if !self.changes.is_empty() {
            let owed = self.changes.iter().filter_map(|change| self.level(change, broker)).max();
            self.append(broker, owed.filter(|owed| awaited && *owed > Durability::Memory));
        }
        self.ticket
    }

    fn append(&mut self, broker: &Broker, awaited: Option<Durability>) {
        let ticket = broker.store.append(&mut self.changes, awaited);
        if awaited.is_some() {
            self.ticket = self.ticket.max(ticket);
        }
        if broker.store.health() != Health::Good {
            self.congestion.get_or_insert(Congestion::Store);
        }
    }

    /// How safe a change must be before it is spoken of; none if nobody ever waits for it.
    fn level(&self, change: &Change, broker: &Broker) -> Option<Durability> {
        match change {
            Change::Queued { message, .. } | Change::Retained(message) => Some(broker.durabilities.of(message.topic())),
            Change::RetainedCleared { topic } => Some(broker.durabilities.of(topic)),
            Change::Sent { .. } if self.held.is_empty() => None,
            Change::Finished { .. } => None,
            _ => Some(broker.durabilities.default),
        }
    }

    /// Moves the replies into the connection's outbox, or behind the store's ticket.
    pub(crate) fn answer(&mut self, broker: &Broker) {
        let ticket = self.commit(broker, self.reply_to.is_some() || !self.held.is_empty());
        let durable = broker.store.is_durable(ticket);
        self.settle(broker, ticket);
        for (session, entry) in self.away.drain(..) {
            if let Some(queue) = &mut session.lock().queue {
                queue.put_away(entry);
            }
        }
        let Some((session, number)) = self.reply_to.take() else { return };
        let mut state = session.lock();
        if !state.belongs_to(number) {
            self.replies.clear();
            return;
        }
        if !durable || state.is_gated() {
            state.gate(ticket, std::mem::take(&mut self.replies));
            drop(state);
            broker.wait_for(ticket, session, number);
            return;
        }
        if let Some((link, outbox)) = state.link_of(number) {
            outbox.buffer().extend_from_slice(&self.replies);
            self.touch(&session, link, outbox);
        }
        self.replies.clear();
    }

    /// What was held back for this batch now waits for its ticket, or leaves.
    fn settle(&mut self, broker: &Broker, ticket: Ticket) {
        for ((_, part), session) in std::mem::take(&mut self.held) {
            let mut state = session.lock();
            state.outbox.settle(part, ticket, |ticket| broker.store.is_durable(ticket));
            let State { link, outbox, .. } = &mut *state;
            let number = link.as_ref().map_or(ConnectionNumber::default(), |link| link.number);
            if let Some(link) = link.as_ref().filter(|_| outbox.is_ready()) {
                // Whoever promised to flush may have looked before there was anything to write.
                self.touched.push(Touched::new(&session, link));
            }
            drop(state);
            if !broker.store.is_durable(ticket) {
                broker.wait_for(ticket, session, number);
            }
        }
    }

    /// Wakes a task when the batch ends.
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        self.wakers.extend(waker);
    }

    /// Writes to the sessions touched so far, or has their owners do it.
    pub(crate) fn flush_touched(&mut self) {
        self.overdue = false;
        self.wakers.drain(..).for_each(Waker::wake);
        for (index, touched) in self.touched.drain(..).enumerate() {
            if index < INLINE_MAX {
                touched.peer.flush(&touched.session, touched.number);
            } else {
                touched.session.hand_over(touched.number);
            }
        }
    }
}

/// Frees the memory of an empty list that has grown large.
fn trim<T>(list: &mut Vec<T>) {
    if list.is_empty() && list.capacity() * size_of::<T>() > BYTES_AT_REST_MAX {
        *list = Vec::new();
    }
}

/// Bytes that each list keeps for the next batches while its thread rests.
const BYTES_AT_REST_MAX: usize = 32 * 1024;
const ENTRIES_AT_REST_MAX: usize = 1024;

/// Sessions written to by the publisher's own thread; more are spread over all threads by waking their owners.
const INLINE_MAX: usize = 32;
