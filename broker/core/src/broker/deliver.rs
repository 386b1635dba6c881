//! From a matching subscription into a session: at once, into its queue, or not at all.

pub(crate) mod encoder;
pub(super) mod outgoing;
mod pump;

use std::sync::Arc;

use midge_protocol::{QoS, SubscriptionId, TooLarge};

use super::Broker;
use crate::Time;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::limits::OutboxPolicy;
use crate::session::queue::{Bounds, Delivery, Rare};
use crate::session::state::State;
use crate::session::{CloseReason, Session, wake};
use crate::store::{Change, EntryNumber, SessionNumber};
use crate::subscriptions::Group;

use encoder::Header;
use outgoing::Outgoing;

/// How one session gets a message: what all its matching subscriptions together ask for.
pub(super) struct Terms<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) subscription_ids: &'a [SubscriptionId],
    pub(super) group: Option<&'a Arc<Group<Arc<Session>>>>,
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
    /// Delivers a message to a session; false only if the session has ended.
    pub(super) fn deliver(
        &self,
        session: &Arc<Session>,
        outgoing: &mut Outgoing<'_>,
        terms: &Terms<'_>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        let mut state = session.lock();
        if state.ended {
            return false;
        }
        let mut held = Held { broker: self, session, state: &mut state, effects, now };
        if terms.qos > QoS::AtMostOnce {
            held.deliver(outgoing, terms);
            return true;
        }
        let too_slow = !held.deliver_now_or_never(outgoing, terms);
        if too_slow && self.limits.outbox_policy == OutboxPolicy::Disconnect {
            let waker = state.link.as_mut().and_then(|link| link.close_for(CloseReason::SlowConsumer));
            drop(state);
            wake(waker);
        }
        true
    }
}

impl Held<'_> {
    /// `QoS` 0. False if the client is too slow for it.
    fn deliver_now_or_never(&mut self, outgoing: &Outgoing<'_>, terms: &Terms<'_>) -> bool {
        let limit = self.broker.limits.outbox_bytes_max;
        let State { link: Some(link), outbox, .. } = &mut *self.state else { return true };
        let held = outbox.len();
        self.effects.congested |= held > limit / 4 * 3;
        if held > 0 && held + outgoing.payload.len() > limit {
            self.effects.dropped(self.session, outgoing.topic, DropReason::OutboxFull);
            return false;
        }
        let header = Header { dup: false, qos: QoS::AtMostOnce, retain: terms.retain, packet_id: None };
        match self.effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox) {
            Ok(()) => {
                self.effects.counters.count_sent(QoS::AtMostOnce, outgoing.payload.len());
                self.effects.touch(self.session, link, outbox);
            }
            Err(TooLarge) => self.effects.dropped(self.session, outgoing.topic, DropReason::TooLarge),
        }
        true
    }

    /// `QoS` 1 and 2: at once if there is quota and nothing waits before it, else into the queue.
    fn deliver(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) {
        let full = self.state.outbox.len() > self.broker.limits.outbox_bytes_max;
        if full && let Some(link) = &mut self.state.link {
            link.wants_room = true;
        }
        if full || self.state.link.is_none() || self.state.must_queue() {
            let delivery = self.delivery(outgoing, terms);
            self.enqueue(delivery);
        } else {
            self.send_at_once(outgoing, terms);
        }
    }

    fn send_at_once(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) {
        // Only a session that may come back, or a shared subscription, ever needs the message again.
        let keep = self.state.is_persistent() || terms.group.is_some();
        let kept = keep.then(|| self.delivery(outgoing, terms));
        let entry = kept.as_ref().map_or(EntryNumber::default(), |kept| kept.entry);
        let Some(id) = self.state.window().allocate(terms.qos, kept) else { return };
        let header = Header { dup: false, qos: terms.qos, retain: terms.retain, packet_id: Some(id) };
        let State { link: Some(link), outbox, window: Some(window), .. } = &mut *self.state else { return };
        match self.effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox) {
            Ok(()) => {
                self.effects.counters.count_sent(terms.qos, outgoing.payload.len());
                self.effects.counters.in_flight += 1;
                self.effects.touch(self.session, link, outbox);
                self.note(|session| Change::Sent { session, entry, packet_id: id });
            }
            Err(TooLarge) => {
                window.withdraw();
                self.give_up(entry, outgoing.topic, DropReason::TooLarge);
            }
        }
    }

    fn enqueue(&mut self, delivery: Delivery) {
        let bounds = Bounds::new(&self.broker.limits, self.state.queued_messages_max);
        let mut queue = self.state.queue.take().unwrap_or_default();
        let mut dropped = Vec::new();
        let (messages, bytes) = (queue.len(), queue.bytes());
        if queue.is_congested(bounds) {
            queue.expire(self.now, |delivery| dropped.push((delivery, DropReason::Expired)));
        }
        queue.push(delivery, bounds, |delivery| dropped.push((delivery, DropReason::QueueFull)));
        self.effects.congested |= queue.is_congested(bounds);
        self.effects.counters.queued_messages += queue.len() as i64 - messages as i64;
        self.effects.counters.queued_bytes += queue.bytes() as i64 - bytes as i64;
        self.state.queue = Some(queue);
        for (delivery, reason) in dropped {
            self.give_up(delivery.entry, delivery.message.topic(), reason);
        }
    }

    /// The delivery as one that can be kept; the store hears of it.
    fn delivery(&mut self, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Delivery {
        let plain = terms.subscription_ids.is_empty() && terms.group.is_none();
        let rare = || Box::new(Rare { subscription_ids: terms.subscription_ids.to_vec(), group: terms.group.cloned() });
        let mut delivery = Delivery {
            message: outgoing.shared(),
            entry: EntryNumber::default(),
            qos: terms.qos,
            retain: terms.retain,
            rare: (!plain).then(rare),
        };
        self.enter(&mut delivery);
        delivery
    }

    /// Numbers a `QoS` 1 or 2 delivery and tells the store of it.
    fn enter(&mut self, delivery: &mut Delivery) {
        delivery.entry = self.state.next_entry();
        let broker = self.broker;
        self.note(|session| Change::Queued {
            session,
            entry: delivery.entry,
            body: delivery.message.body(|| broker.next_number()),
            message: Arc::clone(&delivery.message),
            delivery: delivery.record(),
        });
    }

    /// A delivery does not happen. The store knows it if it has a number.
    fn give_up(&mut self, entry: EntryNumber, topic: &str, reason: DropReason) {
        self.effects.dropped(self.session, topic, reason);
        if entry > EntryNumber::default() {
            self.note(|session| Change::Finished { session, entry });
        }
    }

    fn note(&mut self, change: impl FnOnce(SessionNumber) -> Change) {
        self.effects.note(self.session, self.state, change);
    }
}
