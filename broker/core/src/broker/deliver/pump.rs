//! What waits for a session goes out, as far as quota and outbox allow.

use midge_protocol::{Ack, Packet, PacketId, QoS, ReasonCode};

use super::Held;
use super::encoder::{Header, append_own};
use super::outgoing::Outgoing;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::session::delivery::Delivery;
use crate::session::outbound::Resend;
use crate::session::queue::Queue;
use crate::session::replay::Next;
use crate::session::state::State;
use crate::{Message, Time};

impl Broker {
    /// The outbox ran empty while something waited for room: goes on with it.
    pub fn drained(&self, connection: &mut Connection, now: Time, effects: &mut Effects) {
        let session = &connection.session;
        let mut state = session.lock();
        if state.belongs_to(connection.number) {
            Held { broker: self, session, state: &mut state, effects, now }.pump();
        }
    }
}

impl Held<'_> {
    /// Sends what waits: first what has to be sent again, then retained and queued messages in turn.
    pub(in crate::broker) fn pump(&mut self) {
        while self.state.has_waiting() {
            let State { link: Some(link), outbox, .. } = &mut *self.state else { return };
            if outbox.len() > ROOM_BYTES {
                link.wants_room = true;
                return;
            }
            if !self.send_next() {
                return;
            }
        }
        self.state.set_decided(None);
    }

    /// Sends one waiting packet; false if none may go now.
    fn send_next(&mut self) -> bool {
        if self.state.window.as_ref().is_some_and(|window| window.is_resending()) {
            return self.resend_next();
        }
        let Some(delivery) = self.next_waiting() else { return false };
        if delivery.is_expired(self.now) {
            self.give_up(delivery.entry, delivery.topic(), DropReason::Expired);
            return true;
        }
        if delivery.qos() == QoS::AtMostOnce {
            self.send(&delivery, None, false);
            return true;
        }
        let keep = self.state.is_persistent() || delivery.share().is_some();
        let kept = keep.then(|| delivery.clone());
        let Some(id) = self.state.window().allocate(delivery.qos(), kept) else { return false };
        self.effects.counters.in_flight += 1;
        self.send(&delivery, Some(id), false);
        true
    }

    /// Sends one packet again, in the original order [MQTT-4.4.0-1]; false if the quota is used up.
    fn resend_next(&mut self) -> bool {
        if self.state.window().to_resend().next().is_some_and(|delivery| delivery.missing().is_some()) {
            self.want_bodies();
            return false;
        }
        match self.state.window().next_resend() {
            Some(Resend::Publish(id, delivery)) => self.send(&delivery, Some(id), true),
            Some(Resend::Release(id)) => self.send_release(id),
            None => return !self.state.window().is_resending(),
        }
        true
    }

    /// The next delivery that may be sent now, from replay and queue in turn.
    fn next_waiting(&mut self) -> Option<Delivery> {
        let quota = !self.state.lacks_quota();
        if !self.state.owes() {
            return self.next_queued(quota);
        }
        for _ in 0..2 {
            let next = if self.state.is_turn_of_replay() { self.next_owed(quota) } else { self.next_queued(quota) };
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn next_owed(&mut self, quota: bool) -> Option<Delivery> {
        let is_asked_about = self.state.is_asked_about();
        let mut decided = self.state.take_decided();
        let mut delivery = loop {
            let decide = |message: &Message, qos| {
                if is_asked_about { decided.as_mut()?.take(message, qos, true) } else { Some(true) }
            };
            let next = self.state.replay().map(|replay| replay.next(&self.broker.retained, quota, self.now, decide));
            self.state.settle_owed(|_| {});
            match next {
                Some(Next::Delivery(delivery)) => break Some(delivery),
                Some(Next::Denied(message)) => {
                    let principal = self.state.principal();
                    self.effects.dropped(self.session, principal, message.topic(), DropReason::Denied);
                }
                Some(Next::Undecided) => {
                    self.want_verdicts();
                    break None;
                }
                Some(Next::Later) => {
                    self.state.link.iter_mut().for_each(|link| link.wants_room = true);
                    break None;
                }
                Some(Next::Nothing) | None => break None,
            }
        };
        self.state.set_decided(decided);
        if let Some(delivery) = delivery.as_mut().filter(|delivery| delivery.qos() > QoS::AtMostOnce) {
            self.enter(delivery);
        }
        delivery
    }

    fn next_queued(&mut self, quota: bool) -> Option<Delivery> {
        loop {
            let next = self.state.queue.as_ref()?.front()?;
            // Messages with QoS 0 are here only where they are asked about.
            if !quota && next.qos() > QoS::AtMostOnce {
                return None;
            }
            let is_expired = next.is_expired(self.now);
            if next.missing().is_some() && !is_expired {
                self.want_bodies();
                return None;
            }
            let may_be_sent = is_expired || !self.state.is_asked_about() || self.verdict_on_first()?;
            self.state.full = false;
            let next = self.with_queue(Queue::take_next);
            if self.state.crowded {
                self.state.crowded = self.is_crowded();
            }
            if may_be_sent {
                return next;
            }
            if let Some(denied) = next {
                self.give_up(denied.entry, denied.topic(), DropReason::Denied);
            }
        }
    }

    /// Encodes one waiting delivery into the outbox.
    fn send(&mut self, delivery: &Delivery, packet_id: Option<PacketId>, dup: bool) {
        let Some(message) = delivery.message() else { return debug_assert!(false, "what is sent is here") };
        let mut outgoing = Outgoing::from_message(message, self.now);
        let header = Header { dup, qos: delivery.qos(), retain: delivery.retain(), packet_id };
        if !dup {
            self.hold_back(delivery.qos(), delivery.entry);
        }
        let State { link: Some(link), outbox, .. } = &mut *self.state else { return };
        if append_own(&mut outgoing, header, delivery.subscription_ids(), link, outbox).is_err() {
            if let Some(id) = packet_id {
                // One that was never sent leaves its identifier to the next.
                let window = self.state.window();
                if dup {
                    window.abandon(id)
                } else {
                    window.withdraw(id)
                }
                self.effects.counters.in_flight -= 1;
            }
            return self.give_up(delivery.entry, outgoing.topic, DropReason::TooLarge);
        }
        self.effects.counters.count_sent(delivery.qos(), outgoing.payload.len());
        self.effects.touch(self.session, link, outbox);
        if let Some(packet_id) = packet_id.filter(|_| !dup) {
            self.note_sent(delivery.entry, packet_id);
        }
    }

    /// Sends PUBREL again.
    fn send_release(&mut self, packet_id: PacketId) {
        let State { link: Some(link), outbox, .. } = &mut *self.state else { return };
        let pubrel = Ack { packet_id, reason: ReasonCode::Success, properties: Default::default() };
        let encoded = Packet::Pubrel(pubrel).encode(link.version, outbox.buffer());
        debug_assert!(encoded.is_ok(), "PUBREL without properties has four bytes");
        self.effects.touch(self.session, link, outbox);
    }
}

/// Beyond this many bytes in the outbox, queued and retained messages wait until it is written. Filling it to here is the piece
/// of work after which others have their turn, so it is small: some hundred messages.
const ROOM_BYTES: usize = 16 * 1024;
