//! From a matching subscription into a session: at once, into its queue, or not at all.

mod authorize;
pub(crate) mod encoder;
mod load;
pub(super) mod outgoing;
mod pump;

use std::sync::Arc;

use midge_protocol::{PacketId, QoS, SubscriptionId, TooLarge};

use super::Broker;
use crate::Time;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::limits::OutboxPolicy;
use crate::session::delivery::{Delivery, Rare};
use crate::session::queue::{Bounds, Queue};
use crate::session::state::State;
use crate::session::{Asking, CloseReason, Session, wake};
use crate::store::{Change, Durability, EntryNumber, SessionNumber};
use crate::subscriptions::{Group, Subscriber};

use encoder::Header;
pub use load::Fetched;
use outgoing::Outgoing;

/// How one session gets a message: what all its matching subscriptions together ask for.
pub(super) struct Terms<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) subscription_ids: &'a [SubscriptionId],
    pub(super) group: Option<&'a Arc<Group<Arc<Session>>>>,
    /// Where there is no room for the message, somebody else may have it.
    pub(super) may_refuse: bool,
}

/// What became of a message for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It was sent, or waits, or was lost and counted: whichever, it was this session's.
    Taken,
    /// There is no room, or the client does not take so large a packet. Nothing was counted.
    Refused,
    /// The session has ended.
    Ended,
}

/// A session whose lock is held, and what it takes to send something to it.
pub(super) struct Held<'a> {
    pub(super) broker: &'a Broker,
    pub(super) session: &'a Arc<Session>,
    pub(super) state: &'a mut State,
    pub(super) effects: &'a mut Effects,
    pub(super) now: Time,
}

impl Broker {
    /// Delivers a message to a session.
    pub(super) fn deliver(
        &self,
        session: &Arc<Session>,
        outgoing: &mut Outgoing<'_>,
        terms: &Terms<'_>,
        now: Time,
        effects: &mut Effects,
    ) -> Delivered {
        let mut state = session.lock();
        if state.ended {
            return Delivered::Ended;
        }
        let mut held = Held { broker: self, session, state: &mut state, effects, now };
        if terms.qos > QoS::AtMostOnce || held.state.is_asked_about() {
            return held.deliver(outgoing, terms);
        }
        let Err(reason) = held.deliver_now_or_never(outgoing, terms) else { return Delivered::Taken };
        if terms.may_refuse {
            return Delivered::Refused;
        }
        effects.dropped(session, state.principal(), outgoing.topic, reason);
        if reason == DropReason::OutboxFull && self.limits.outbox_policy == OutboxPolicy::Disconnect {
            let waker = state.link.as_mut().and_then(|link| link.close_for(CloseReason::SlowConsumer));
            drop(state);
            wake(waker);
        }
        Delivered::Taken
    }
}

impl Broker {
    /// Whether a publisher that met the full queue of this session should go on waiting for it.
    #[must_use]
    pub fn is_congested(&self, session: &Arc<Session>, now: Time) -> bool {
        if !session.is_crowded() {
            return false;
        }
        session.lock().is_worth_waiting_for(now, self.limits.slow_down_max)
    }
}

impl Held<'_> {
    /// `QoS` 0, or why not.
    fn deliver_now_or_never(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Result<(), DropReason> {
        let limit = self.broker.limits.outbox_bytes_max;
        let State { link: Some(link), outbox, .. } = &mut *self.state else { return Ok(()) };
        let held = outbox.len();
        let is_full = held > 0 && held + outgoing.payload.len() > limit;
        if held > limit / 4 * 3 || is_full {
            // Of a group, somebody else may have room to spare.
            if !terms.may_refuse && outbox.is_worth_waiting_for(self.now, self.broker.limits.slow_down_max) {
                self.effects.slowed_by_outbox(self.session);
            }
            if is_full {
                return Err(DropReason::OutboxFull);
            }
        }
        let header = Header { dup: false, qos: QoS::AtMostOnce, retain: terms.retain, packet_id: None };
        let appended = self.effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox);
        appended.map_err(|TooLarge| DropReason::TooLarge)?;
        self.effects.counters.count_sent(QoS::AtMostOnce, outgoing.payload.len());
        self.effects.touch(self.session, link, outbox);
        Ok(())
    }

    /// `QoS` 1 and 2: at once if there is quota and nothing waits before it, else into the queue. So does whatever is asked about.
    fn deliver(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Delivered {
        if self.may_send() {
            return self.send_at_once(outgoing, terms);
        }
        if let Some(link) =
            self.state.link.as_mut().filter(|_| self.state.outbox.len() > self.broker.limits.outbox_bytes_max)
        {
            link.wants_room = true;
        }
        self.expire_queued();
        if terms.may_refuse && !self.has_room_for(outgoing) {
            self.state.full = true;
            return Delivered::Refused;
        }
        let delivery = self.delivery(outgoing, terms);
        self.enqueue(delivery);
        let at_most = self.broker.limits.slow_down_max;
        if self.state.crowded && terms.group.is_none() && self.state.is_worth_waiting_for(self.now, at_most) {
            self.effects.slowed_by_queue(self.session);
        }
        if self.state.link.as_ref().is_some_and(|link| link.asking == Asking::Idle) {
            self.pump();
        }
        Delivered::Taken
    }

    fn send_at_once(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Delivered {
        // Only a session that may come back, or a shared subscription, ever needs the message again.
        let keep = self.state.is_persistent() || terms.group.is_some();
        let kept = keep.then(|| self.delivery(outgoing, terms));
        let entry = kept.as_ref().map_or(EntryNumber::default(), |kept| kept.entry);
        let Some(id) = self.state.window().allocate(terms.qos, kept) else { return Delivered::Refused };
        let header = Header { dup: false, qos: terms.qos, retain: terms.retain, packet_id: Some(id) };
        let State { link: Some(link), outbox, window: Some(window), .. } = &mut *self.state else {
            return Delivered::Ended;
        };
        match self.effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox) {
            Ok(()) => {
                self.effects.counters.count_sent(terms.qos, outgoing.payload.len());
                self.effects.counters.in_flight += 1;
                self.effects.touch(self.session, link, outbox);
                self.note_sent(entry, id);
                Delivered::Taken
            }
            Err(TooLarge) => {
                window.withdraw(id);
                if terms.may_refuse {
                    self.strike_out(entry);
                    return Delivered::Refused;
                }
                self.give_up(entry, outgoing.topic, DropReason::TooLarge);
                Delivered::Taken
            }
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds::new(&self.broker.limits, self.state.queued_messages_max)
    }

    /// Whether a new `QoS` 1 or 2 message can be sent without waiting.
    fn may_send(&self) -> bool {
        self.state.outbox.len() <= self.broker.limits.outbox_bytes_max
            && self.state.link.as_ref().is_some_and(|link| link.asking == Asking::Never)
            && !self.state.must_queue()
    }

    /// Whether the message would have to wait, and cannot.
    pub(super) fn lacks_room_for(&mut self, outgoing: &mut Outgoing<'_>) -> bool {
        if self.may_send() {
            return false;
        }
        self.expire_queued();
        !self.has_room_for(outgoing)
    }

    fn has_room_for(&self, outgoing: &mut Outgoing<'_>) -> bool {
        let (weight, bounds) = (outgoing.shared().weight(), self.bounds());
        match &self.state.queue {
            Some(queue) => queue.has_room(weight, bounds),
            None => Queue::default().has_room(weight, bounds),
        }
    }

    fn enqueue(&mut self, delivery: Delivery) {
        let bounds = self.bounds();
        let here = self.state.queue.as_ref().map_or(0, |queue| queue.bytes_here());
        // What comes by a shared subscription may go to somebody else any moment.
        if (self.state.link.is_none() || here > BYTES_HERE_MAX) && delivery.is_stored() && delivery.share().is_none() {
            self.effects.put_away(self.session, delivery.entry);
        }
        let mut dropped = Vec::new();
        self.with_queue(|queue| queue.push(delivery, bounds, |delivery| dropped.push(delivery)));
        self.state.full |= !dropped.is_empty();
        self.state.crowded = self.is_crowded();
        self.give_all_up(dropped, DropReason::QueueFull);
    }

    /// Whether the queue has little room left.
    fn is_crowded(&self) -> bool {
        self.state.queue.as_ref().is_some_and(|queue| queue.is_crowded(self.bounds()))
    }

    /// A queue that is nearly full loses what has expired before anything else.
    fn expire_queued(&mut self) {
        let (bounds, now) = (self.bounds(), self.now);
        if !self.state.queue.as_ref().is_some_and(|queue| queue.is_congested(bounds)) {
            return;
        }
        let mut expired = Vec::new();
        self.with_queue(|queue| queue.expire(now, |delivery| expired.push(delivery)));
        self.state.full &= expired.is_empty();
        self.give_all_up(expired, DropReason::Expired);
    }

    /// Changes the queue, and counts what that changes.
    pub(super) fn with_queue<R>(&mut self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let queue = self.state.queue.get_or_insert_default();
        let (messages, bytes) = (queue.len(), queue.bytes());
        let result = change(queue);
        self.effects.counters.queued_messages += queue.len() as i64 - messages as i64;
        self.effects.counters.queued_bytes += queue.bytes() as i64 - bytes as i64;
        if queue.is_empty() {
            self.state.queue = None;
        }
        result
    }

    fn give_all_up(&mut self, deliveries: Vec<Delivery>, reason: DropReason) {
        for delivery in deliveries {
            self.give_up(delivery.entry, delivery.topic(), reason);
        }
    }

    /// The delivery as one that can be kept; the store hears of it.
    fn delivery(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Delivery {
        let rare = Rare {
            subscription_ids: terms.subscription_ids.to_vec(),
            share: terms.group.map(|group| Arc::clone(group.name())),
        };
        let mut delivery = Delivery::new(outgoing.shared(), terms.qos, terms.retain, rare);
        if terms.qos > QoS::AtMostOnce {
            self.enter(&mut delivery);
        }
        delivery
    }

    /// Numbers a `QoS` 1 or 2 delivery and tells the store of it, if the store is to keep it.
    fn enter(&mut self, delivery: &mut Delivery) {
        let Some(message) = delivery.message().filter(|_| self.state.stored).cloned() else { return };
        let broker = self.broker;
        if broker.durabilities.of(message.topic()) == Durability::Memory {
            return;
        }
        let entry = self.state.next_entry();
        delivery.entry = entry;
        self.hold_back(delivery.qos(), entry);
        let (body, delivery) = (message.body(|| broker.next_number()), delivery.record());
        self.note(|session| Change::Queued { session, entry, body, message, delivery });
    }

    /// A delivery does not happen. The store knows it if it has a number.
    pub(super) fn give_up(&mut self, entry: EntryNumber, topic: &str, reason: DropReason) {
        self.effects.dropped(self.session, self.state.principal(), topic, reason);
        self.strike_out(entry);
    }

    /// A delivery is not this session's any more.
    pub(super) fn strike_out(&mut self, entry: EntryNumber) {
        if entry > EntryNumber::default() {
            self.note(|session| Change::Finished { session, entry });
        }
    }

    /// PUBLISH was sent. The store knows it if the delivery has a number.
    fn note_sent(&mut self, entry: EntryNumber, packet_id: PacketId) {
        self.effects.note_delivery(self.session, self.state, entry, |session| Change::Sent {
            session,
            entry,
            packet_id,
        });
    }

    /// A new `QoS` 2 message leaves only when the store knows of it and of its Packet Identifier: else a crash would have it sent
    /// again as another message [MQTT-4.3.3-1].
    fn hold_back(&mut self, qos: QoS, entry: EntryNumber) {
        if qos == QoS::ExactlyOnce && self.state.stored && entry > EntryNumber::default() {
            self.effects.hold_back(self.session, &mut self.state.outbox);
        }
    }

    fn note(&mut self, change: impl FnOnce(SessionNumber) -> Change) {
        self.effects.note(self.session, self.state, change);
    }
}

/// Bytes of messages that wait in memory for a client that is connected, where the store has them too.
const BYTES_HERE_MAX: u64 = 64 * 1024;
