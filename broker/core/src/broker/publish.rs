//! PUBLISH: from a client, or from inside, to every session whose subscriptions match.

use std::sync::Arc;

use midge_protocol::{Ack, Packet, ProtocolVersion, QoS, ReasonCode, ReasonProperties};

use super::deliver::outgoing::Outgoing;
use super::deliver::{Delivered, Terms};
use super::share::Takers;
use super::{Broker, Origin};
use crate::connection::{Connection, Inbound};
use crate::effects::Effects;
use crate::limits::QueuePolicy;
use crate::retained::Stored;
use crate::session::{CloseReason, Session};
use crate::store::{Change, Durability, Health};
use crate::subscriptions::{Match, Route};
use crate::{Message, Time};

/// What permissions and plugins made of a PUBLISH.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    /// Route it as it is.
    Accept,
    /// Route these instead, none to many; the client is told it succeeded.
    Replace(&'a [Message]),
    /// Route nothing. Version 5 clients are told the reason (`QoS` 1 and 2); version 3 has no way to say no, so the message is
    /// acknowledged and counted as refused [v3.1.1 MQTT-3.3.5-2].
    Refuse {
        /// The reason of PUBACK or PUBREC, 0x80 or above.
        reason: ReasonCode,
        /// The Reason String, if there is more to say.
        text: Option<&'a str>,
    },
}

impl Broker {
    /// Routes a PUBLISH that was decided on, and answers it. Says whether it was taken: not if it was refused, for whatever
    /// reason, nor if it is a repetition of one that was.
    pub fn publish(
        &self,
        connection: &mut Connection,
        inbound: &Inbound<'_>,
        decision: Decision<'_>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        effects.counters.count_received(inbound.publish.qos, inbound.publish.payload.len());
        if inbound.repeated {
            self.answer_publish(connection, inbound, ReasonCode::Success, None, effects);
            return false;
        }
        let refusal = match decision {
            Decision::Refuse { reason, text } => Some((reason, text)),
            Decision::Accept => self.objection(inbound).map(|reason| (reason, None)),
            Decision::Replace(_) => None,
        };
        if let Some((reason, text)) = refusal {
            effects.counters.messages_refused += 1;
            self.answer_publish(connection, inbound, reason, text, effects);
            return false;
        }
        if let Some(reason) = self.store_objection(inbound) {
            effects.counters.messages_refused += 1;
            self.turn_down(connection, inbound, reason, effects);
            return false;
        }
        // Before it is routed: if the session has gone to another connection, the client sends it again there.
        if inbound.publish.qos == QoS::ExactlyOnce && !self.remember(connection, inbound, effects) {
            return false;
        }
        let publisher = connection.session.shared_client_id();
        let reason = match decision {
            Decision::Replace(messages) => self.publish_replaced(messages, now, effects),
            Decision::Accept | Decision::Refuse { .. } => {
                let mut outgoing = Outgoing::from_inbound(inbound, publisher, now);
                self.retain_and_route(&mut outgoing, now, effects)
            }
        };
        if reason.is_error() {
            effects.counters.messages_refused += 1;
            self.forget(connection, inbound, effects);
            self.turn_down(connection, inbound, reason, effects);
            return false;
        }
        self.answer_publish(connection, inbound, reason, None, effects);
        if effects.overdue {
            effects.flush_touched();
        }
        true
    }

    /// Publishes a message from inside, and says how many sessions it matched. Only [`Origin::System`] may use `$SYS/`; from
    /// anyone else such a message goes nowhere and counts as refused.
    pub fn publish_from(&self, origin: Origin, message: Message, now: Time, effects: &mut Effects) -> usize {
        self.publish_shared(origin, &message, now, effects)
    }

    fn publish_shared(&self, origin: Origin, message: &Message, now: Time, effects: &mut Effects) -> usize {
        if origin != Origin::System && message.topic().starts_with("$SYS/") {
            effects.counters.messages_refused += 1;
            return 0;
        }
        self.publish_message(message, now, effects)
    }

    pub(super) fn publish_message(&self, message: &Message, now: Time, effects: &mut Effects) -> usize {
        let mut outgoing = Outgoing::from_message(message, now);
        if outgoing.retain {
            // A message that cannot be retained still reaches those who are here.
            let _full = self.retain(&mut outgoing, effects);
        }
        self.route(&mut outgoing, now, effects)
    }

    /// Why we do not take a message that everybody else is fine with.
    fn objection(&self, inbound: &Inbound<'_>) -> Option<ReasonCode> {
        if !self.limits.may_publish(&inbound.topic) {
            return Some(ReasonCode::TopicNameInvalid);
        }
        let claims_utf8 = self.limits.check_payload_format && inbound.publish.properties.payload_is_utf8 == Some(true);
        if claims_utf8 && std::str::from_utf8(inbound.publish.payload).is_err() {
            return Some(ReasonCode::PayloadFormatInvalid);
        }
        None
    }

    /// Why the store does not take it at the moment.
    fn store_objection(&self, inbound: &Inbound<'_>) -> Option<ReasonCode> {
        let Health::Refusing(reason) = self.store.health() else { return None };
        let is_promised =
            inbound.publish.qos > QoS::AtMostOnce && self.durabilities.of(&inbound.topic) > Durability::Memory;
        is_promised.then_some(reason)
    }

    /// Refuses what another time may be taken. Version 3 cannot be told, and to acknowledge it would lose it: its client is
    /// disconnected and sends it again [v3.1.1 MQTT-4.8.0-2].
    fn turn_down(&self, connection: &mut Connection, inbound: &Inbound<'_>, reason: ReasonCode, effects: &mut Effects) {
        if connection.version < ProtocolVersion::V5 && inbound.publish.qos > QoS::AtMostOnce {
            return connection.session.request_close(connection.number, CloseReason::Administrative(reason));
        }
        self.answer_publish(connection, inbound, reason, None, effects);
        if effects.overdue {
            effects.flush_touched();
        }
    }

    fn retain_and_route(&self, outgoing: &mut Outgoing<'_>, now: Time, effects: &mut Effects) -> ReasonCode {
        if self.limits.queue_policy == QueuePolicy::Refuse && self.overfills(outgoing, now, effects) {
            return ReasonCode::QuotaExceeded;
        }
        if outgoing.retain && self.retain(outgoing, effects) == Stored::Full {
            if outgoing.qos > QoS::AtMostOnce {
                return ReasonCode::QuotaExceeded;
            }
            // Nobody is told that this one is not kept, so the one before it is not kept either [v3.1.1 MQTT-3.3.1-7]. Those
            // who are here get it.
            self.clear_retained(outgoing.topic, effects);
        }
        match self.route(outgoing, now, effects) {
            0 => ReasonCode::NoMatchingSubscribers,
            _ => ReasonCode::Success,
        }
    }

    fn publish_replaced(&self, messages: &[Message], now: Time, effects: &mut Effects) -> ReasonCode {
        let publish = |message| self.publish_shared(Origin::Plugin, message, now, effects);
        let matched: usize = messages.iter().map(publish).sum();
        if matched == 0 && !messages.is_empty() { ReasonCode::NoMatchingSubscribers } else { ReasonCode::Success }
    }

    /// Keeps the message as its topic's retained one; an empty payload clears it and is not kept [MQTT-3.3.1-6].
    fn retain(&self, outgoing: &mut Outgoing<'_>, effects: &mut Effects) -> Stored {
        if outgoing.payload.is_empty() {
            self.clear_retained(outgoing.topic, effects);
            return Stored::Replaced;
        }
        let message = outgoing.shared();
        let stored = self.retained.store(message.clone());
        if stored == Stored::Full {
            effects.counters.not_retained += 1;
        } else if self.keeps_retained(message.topic()) {
            effects.change(Change::Retained(message));
        }
        stored
    }

    fn clear_retained(&self, topic: &str, effects: &mut Effects) {
        if self.retained.remove(topic).is_some() && self.keeps_retained(topic) {
            effects.change(Change::RetainedCleared { topic: topic.into() });
        }
    }

    /// Whether the store is to have the retained message of this topic. What the broker says of itself is soon said anew.
    pub(super) fn keeps_retained(&self, topic: &str) -> bool {
        !self.volatile && !topic.starts_with("$SYS/") && self.durabilities.of(topic) > Durability::Memory
    }

    /// Sends a message to all it matches, and says how many that are.
    fn route(&self, outgoing: &mut Outgoing<'_>, now: Time, effects: &mut Effects) -> usize {
        effects.encoder.reset();
        let mut matched = 0;
        let topic = outgoing.topic;
        self.subscriptions.matches(topic, |found| {
            let delivered = match found {
                Match::Subscriber(routes) => self.deliver_to_subscriber(routes, outgoing, now, effects),
                Match::Group(group) => self.deliver_to_group(group, outgoing, Takers::Anyone, now, effects),
            };
            matched += usize::from(delivered);
        });
        if matched == 0 {
            effects.counters.messages_unmatched += 1;
        }
        matched
    }

    /// One copy for all matching subscriptions of a session: the highest `QoS` and all Subscription Identifiers
    /// [MQTT-3.3.4-2], [MQTT-3.3.4-3].
    fn deliver_to_subscriber(
        &self,
        routes: &[Route<Arc<Session>>],
        outgoing: &mut Outgoing<'_>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        if let [only] = routes {
            let options = &only.options;
            if !outgoing.is_for(only) {
                return false;
            }
            let terms = Terms {
                qos: outgoing.qos.min(options.qos),
                retain: outgoing.retain && options.retain_as_published,
                subscription_ids: options.subscription_id.as_slice(),
                group: None,
                may_refuse: false,
            };
            return self.deliver(&only.subscriber, outgoing, &terms, now, effects) == Delivered::Taken;
        }
        let wanted = routes.iter().filter(|route| outgoing.is_for(route));
        let Some(qos) = wanted.clone().map(|route| route.options.qos).max() else { return false };
        let ids: Vec<_> = wanted.clone().filter_map(|route| route.options.subscription_id).collect();
        let retain = outgoing.retain && wanted.clone().any(|route| route.options.retain_as_published);
        let qos = outgoing.qos.min(qos);
        let terms = Terms { qos, retain, subscription_ids: &ids, group: None, may_refuse: false };
        let deliver = |session| self.deliver(session, outgoing, &terms, now, effects) == Delivered::Taken;
        routes.first().map(|route| &route.subscriber).is_some_and(deliver)
    }

    /// The Packet Identifier of a QoS 2 message is taken until PUBREL; false if the session is no longer this connection's.
    fn remember(&self, connection: &Connection, inbound: &Inbound<'_>, effects: &mut Effects) -> bool {
        let Some(packet_id) = inbound.publish.packet_id else { return true };
        let session = &connection.session;
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return false;
        }
        state.received.insert(packet_id);
        effects.note(session, &state, |session| Change::Received { session, packet_id });
        true
    }

    /// It was not taken after all: a PUBREC that says no frees the Packet Identifier [MQTT-4.3.3-9].
    fn forget(&self, connection: &Connection, inbound: &Inbound<'_>, effects: &mut Effects) {
        let Some(packet_id) = inbound.publish.packet_id else { return };
        let session = &connection.session;
        let mut state = session.lock();
        if state.belongs_to(connection.number) && state.received.remove(packet_id) {
            effects.note(session, &state, |session| Change::Completed { session, packet_id });
        }
    }

    /// PUBACK or PUBREC; nothing for `QoS` 0.
    fn answer_publish(
        &self,
        connection: &mut Connection,
        inbound: &Inbound<'_>,
        reason: ReasonCode,
        text: Option<&str>,
        effects: &mut Effects,
    ) {
        let Some(packet_id) = inbound.publish.packet_id else { return };
        let reason = if connection.version == ProtocolVersion::V5 { reason } else { ReasonCode::Success };
        if inbound.publish.qos == QoS::AtLeastOnce || reason.is_error() {
            connection.acknowledged();
        }
        let answer = |reason_string| {
            let properties = ReasonProperties { reason_string, ..ReasonProperties::default() };
            let ack = Ack { packet_id, reason, properties };
            if inbound.publish.qos == QoS::AtLeastOnce { Packet::Puback(ack) } else { Packet::Pubrec(ack) }
        };
        // The text is left out where it is not wanted or would make the packet too large [MQTT-3.1.2-29], [MQTT-3.4.2-2].
        let text = text.filter(|_| connection.problem_information);
        let is_said = text.is_some() && effects.reply_if_it_fits(connection, &answer(text));
        if !is_said {
            effects.reply(connection, &answer(None));
        }
    }
}

impl Outgoing<'_> {
    /// Whether the subscription gets it: not one's own message with No Local [MQTT-3.8.3-3].
    pub(super) fn is_for(&self, route: &Route<Arc<Session>>) -> bool {
        !(route.options.no_local && self.is_from(&route.subscriber))
    }

    /// Whether this very client published it.
    fn is_from(&self, session: &Session) -> bool {
        self.publisher.is_some_and(|publisher| **publisher == *session.client_id())
    }
}
