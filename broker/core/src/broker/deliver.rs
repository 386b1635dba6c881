//! From a matching subscription into a session: at once, into its queue, or not at all.

use std::sync::Arc;

use midge_protocol::{Packet, PacketId, QoS, ReasonCode, SubscriptionId, TooLarge};

use super::Broker;
use super::encoder::{Header, append_own};
use super::outgoing::Outgoing;
use crate::Time;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::limits::OutboxPolicy;
use crate::session::outbound::Resend;
use crate::session::queue::{Bounds, Delivery, Rare};
use crate::session::state::State;
use crate::session::{CloseReason, Session};
use crate::store::Change;
use crate::subscriptions::Group;

/// How one session gets a message: what all its matching subscriptions together ask for.
pub(super) struct Terms<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) subscription_ids: &'a [SubscriptionId],
    pub(super) group: Option<&'a Arc<Group<Arc<Session>>>>,
}

/// Beyond this many bytes in the outbox, queued and retained messages wait until it is written.
const ROOM_BYTES: usize = 64 * 1024;

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
        if terms.qos == QoS::AtMostOnce {
            let too_slow = self.deliver_unacknowledged(session, &mut state, outgoing, terms, effects);
            drop(state);
            if too_slow && self.limits.outbox_policy == OutboxPolicy::Disconnect {
                session.close_for(CloseReason::SlowConsumer);
            }
            return true;
        }
        let full = state.outbox.len() > self.limits.outbox_bytes_max;
        if state.link.is_none() || full || state.must_queue() {
            let delivery = delivery(&mut state, outgoing, terms);
            self.enqueue(session, &mut state, delivery, now, effects);
            if full && let Some(link) = &mut state.link {
                link.wants_room = true;
            }
        } else {
            self.deliver_acknowledged(session, &mut state, outgoing, terms, effects);
        }
        true
    }

    /// QoS 0: now or never. Says whether the client was too slow for it.
    fn deliver_unacknowledged(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        outgoing: &Outgoing<'_>,
        terms: &Terms<'_>,
        effects: &mut Effects,
    ) -> bool {
        let (outbox, limit) = (&mut state.outbox, self.limits.outbox_bytes_max);
        let Some(link) = &mut state.link else { return false };
        let held = outbox.len();
        effects.congested |= held > limit / 4 * 3;
        if held > 0 && held + outgoing.payload.len() > limit {
            effects.dropped(session, outgoing.topic, DropReason::OutboxFull);
            return true;
        }
        let header = Header { dup: false, qos: QoS::AtMostOnce, retain: terms.retain, packet_id: None };
        match effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox) {
            Ok(()) => {
                effects.counters.messages_sent_qos0 += 1;
                effects.counters.payload_bytes_sent += outgoing.payload.len() as u64;
                effects.touch(session, link, outbox);
            }
            Err(TooLarge) => effects.dropped(session, outgoing.topic, DropReason::TooLarge),
        }
        false
    }

    /// QoS 1 and 2, with quota and nothing waiting before it.
    fn deliver_acknowledged(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        outgoing: &mut Outgoing<'_>,
        terms: &Terms<'_>,
        effects: &mut Effects,
    ) {
        // Only a session that may come back, or a shared subscription, ever needs the message again.
        let keep = state.is_persistent() || terms.group.is_some();
        let kept = keep.then(|| delivery(state, outgoing, terms));
        if let Some(kept) = &kept {
            self.note_queued(session, state, kept, effects);
        }
        let entry = state.entries;
        let Some(id) = state.window().allocate(terms.qos, kept) else { return };
        let header = Header { dup: false, qos: terms.qos, retain: terms.retain, packet_id: Some(id) };
        let State { link: Some(link), outbox, window: Some(window), .. } = state else { return };
        match effects.encoder.append(outgoing, header, terms.subscription_ids, link, outbox) {
            Ok(()) => {
                count_sent(effects, terms.qos, outgoing.payload.len());
                effects.counters.in_flight += 1;
                effects.touch(session, link, outbox);
                self.note(effects, state, || Change::Sent {
                    client_id: Arc::clone(session.shared_client_id()),
                    entry,
                    packet_id: id,
                });
            }
            Err(TooLarge) => {
                window.withdraw();
                self.drop_delivery(session, state, entry, outgoing.topic, DropReason::TooLarge, effects);
            }
        }
    }

    fn enqueue(&self, session: &Arc<Session>, state: &mut State, delivery: Delivery, now: Time, effects: &mut Effects) {
        self.note_queued(session, state, &delivery, effects);
        let bounds = Bounds::new(&self.limits, state.queued_messages_max);
        let mut queue = state.queue.take().unwrap_or_default();
        let mut dropped = Vec::new();
        let (messages, bytes) = (queue.len(), queue.bytes());
        if queue.is_congested(bounds) {
            queue.expire(now, |delivery| dropped.push((delivery, DropReason::Expired)));
        }
        queue.push(delivery, bounds, |delivery| dropped.push((delivery, DropReason::QueueFull)));
        effects.congested |= queue.is_congested(bounds);
        effects.counters.queued_messages += queue.len() as i64 - messages as i64;
        effects.counters.queued_bytes += queue.bytes() as i64 - bytes as i64;
        state.queue = Some(queue);
        for (delivery, reason) in dropped {
            self.drop_delivery(session, state, delivery.entry, delivery.message.topic(), reason, effects);
        }
    }

    /// Sends what waits, as far as quota and outbox allow: first what has to be sent again, then queue and replay in turn.
    pub(super) fn pump(&self, session: &Arc<Session>, state: &mut State, now: Time, effects: &mut Effects) {
        while state.has_waiting() {
            let State { link: Some(link), outbox, .. } = &mut *state else { return };
            if outbox.len() > ROOM_BYTES {
                link.wants_room = true;
                return;
            }
            if !self.send_next(session, state, now, effects) {
                return;
            }
        }
    }

    /// Sends one waiting packet; false if none may go now.
    fn send_next(&self, session: &Arc<Session>, state: &mut State, now: Time, effects: &mut Effects) -> bool {
        if state.window.as_ref().is_some_and(|window| window.is_resending()) {
            return match state.window().next_resend() {
                Some(Resend::Publish(id, delivery)) => {
                    self.send(session, state, &delivery, Some((id, true)), now, effects)
                }
                Some(Resend::Release(id)) => release(session, state, id, effects),
                None => !state.window().is_resending(),
            };
        }
        let Some(delivery) = self.next_waiting(state, now, effects) else { return false };
        if delivery.message.is_expired(now) {
            self.drop_delivery(session, state, delivery.entry, delivery.message.topic(), DropReason::Expired, effects);
            return true;
        }
        if delivery.qos == QoS::AtMostOnce {
            return self.send(session, state, &delivery, None, now, effects);
        }
        let keep = state.is_persistent() || delivery.group().is_some();
        let kept = keep.then(|| delivery.clone());
        let Some(id) = state.window().allocate(delivery.qos, kept) else { return false };
        effects.counters.in_flight += 1;
        self.send(session, state, &delivery, Some((id, false)), now, effects)
    }

    /// The next delivery that may be sent now, from replay and queue in turn.
    fn next_waiting(&self, state: &mut State, now: Time, effects: &mut Effects) -> Option<Delivery> {
        let quota = !state.lacks_quota();
        for _ in 0..2 {
            state.replay_next = !state.replay_next;
            let next =
                if state.replay_next { self.next_owed(state, quota, now) } else { next_queued(state, quota, effects) };
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn next_owed(&self, state: &mut State, quota: bool, now: Time) -> Option<Delivery> {
        let replay = state.replay.as_mut()?;
        let next = replay.next(&self.retained, quota, now);
        if replay.is_empty() {
            state.replay = None;
        }
        let mut delivery = next?;
        delivery.entry = state.next_entry();
        Some(delivery)
    }

    /// Encodes one waiting delivery into the outbox. Always true: there may be more to send.
    fn send(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        delivery: &Delivery,
        id: Option<(PacketId, bool)>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        let outgoing = Outgoing::from_message(&delivery.message, now);
        let (packet_id, dup) = (id.map(|(id, _)| id), id.is_some_and(|(_, dup)| dup));
        let header = Header { dup, qos: delivery.qos, retain: delivery.retain, packet_id };
        let State { link: Some(link), outbox, .. } = &mut *state else { return false };
        if append_own(&outgoing, header, delivery.subscription_ids(), link, outbox).is_ok() {
            count_sent(effects, delivery.qos, outgoing.payload.len());
            effects.touch(session, link, outbox);
            if let Some(packet_id) = packet_id.filter(|_| !dup) {
                let entry = delivery.entry;
                self.note(effects, state, || Change::Sent {
                    client_id: Arc::clone(session.shared_client_id()),
                    entry,
                    packet_id,
                });
            }
            return true;
        }
        if let Some(id) = packet_id {
            state.window().abandon(id);
            effects.counters.in_flight -= 1;
        }
        self.drop_delivery(session, state, delivery.entry, outgoing.topic, DropReason::TooLarge, effects);
        true
    }

    /// A delivery did not happen.
    pub(super) fn drop_delivery(
        &self,
        session: &Arc<Session>,
        state: &State,
        entry: u32,
        topic: &str,
        reason: DropReason,
        effects: &mut Effects,
    ) {
        effects.dropped(session, topic, reason);
        self.note(effects, state, || Change::Dropped { client_id: Arc::clone(session.shared_client_id()), entry });
    }

    fn note_queued(&self, session: &Arc<Session>, state: &State, delivery: &Delivery, effects: &mut Effects) {
        self.note(effects, state, || Change::Queued {
            client_id: Arc::clone(session.shared_client_id()),
            entry: delivery.entry,
            message: Arc::clone(&delivery.message),
            qos: delivery.qos,
            retain: delivery.retain,
        });
    }

    /// Notes a change of a session that the store keeps.
    pub(super) fn note(&self, effects: &mut Effects, state: &State, change: impl FnOnce() -> Change) {
        if state.stored {
            effects.change(change());
        }
    }

    /// The outbox ran empty while something waited for room: goes on with it.
    pub fn drained(&self, connection: &mut crate::Connection, now: Time, effects: &mut Effects) {
        let session = &connection.session;
        let mut state = session.lock();
        if state.belongs_to(connection.number) {
            self.pump(session, &mut state, now, effects);
        }
    }
}

fn next_queued(state: &mut State, quota: bool, effects: &mut Effects) -> Option<Delivery> {
    let queue = state.queue.as_mut().filter(|_| quota)?;
    let bytes = queue.bytes();
    let delivery = queue.pop()?;
    effects.counters.queued_messages -= 1;
    effects.counters.queued_bytes -= (bytes - queue.bytes()) as i64;
    if queue.is_empty() {
        state.queue = None;
    }
    Some(delivery)
}

fn delivery(state: &mut State, outgoing: &mut Outgoing<'_>, terms: &Terms<'_>) -> Delivery {
    let plain = terms.subscription_ids.is_empty() && terms.group.is_none();
    let rare = (!plain)
        .then(|| Box::new(Rare { subscription_ids: terms.subscription_ids.to_vec(), group: terms.group.cloned() }));
    Delivery { message: outgoing.shared(), entry: state.next_entry(), qos: terms.qos, retain: terms.retain, rare }
}

/// Sends PUBREL again. Always true: there may be more to send.
fn release(session: &Arc<Session>, state: &mut State, id: PacketId, effects: &mut Effects) -> bool {
    let State { link: Some(link), outbox, .. } = state else { return false };
    let pubrel = midge_protocol::Ack { packet_id: id, reason: ReasonCode::Success, properties: Default::default() };
    let encoded = Packet::Pubrel(pubrel).encode(link.version, outbox.buffer());
    debug_assert!(encoded.is_ok(), "PUBREL without properties has four bytes");
    effects.touch(session, link, outbox);
    true
}

fn count_sent(effects: &mut Effects, qos: QoS, bytes: usize) {
    let counters = &mut effects.counters;
    match qos {
        QoS::AtMostOnce => counters.messages_sent_qos0 += 1,
        QoS::AtLeastOnce => counters.messages_sent_qos1 += 1,
        QoS::ExactlyOnce => counters.messages_sent_qos2 += 1,
    }
    counters.payload_bytes_sent += bytes as u64;
}
