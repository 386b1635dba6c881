//! Carrying out packets: decode, check, ask, tell the broker.

use std::sync::Arc;
use std::time::Duration;

use midge_core::{Congestion, Decision, Effects, Inbound, Received, Time, Topic};
use midge_host::Host;
use midge_host::contract::Answer as Asked;
use midge_protocol::{Decoded, Packet, PacketKind, QoS, ReasonCode, Subscribe, Unsubscribe};
use tokio::time::sleep;

use super::hold::{Hold, Lack};
use super::{Answer, Driver, Waiting, with_scratch};
use crate::ending::ConnectionEnd;
use crate::hooks::PublishVerdict;
use crate::slowed::Cause;

/// What the packets of one read have in common.
struct Batch<'a> {
    effects: &'a mut Effects,
    host: &'a Arc<Host>,
    now: Time,
    packets: u64,
    publishes: u64,
    /// Whether memory is short.
    tight: bool,
}

impl Batch<'_> {
    /// Whether what follows has to wait for room. Acknowledgements and pings that come before a PUBLISH never have to.
    fn is_held_up(&self) -> bool {
        self.effects.holds_up() || (self.tight && self.publishes > 0)
    }
}

/// What one packet leads to.
enum Flow {
    /// The next packet.
    Next,
    /// Waiting, and this packet is carried out after it.
    Wait(Waiting),
}

impl Driver {
    /// As [`Self::carry_out_with`], with this thread's effects.
    pub(super) fn carry_out(&mut self, arrived: &[u8], answer: Option<Answer>) -> Result<(), ConnectionEnd> {
        with_scratch(|scratch| self.carry_out_with(arrived, answer, &mut scratch.effects))
    }

    /// Carries out every whole packet of what is unread and has arrived, up to one that has to wait. `answer` is for the
    /// first of them.
    pub(super) fn carry_out_with(
        &mut self,
        arrived: &[u8],
        answer: Option<Answer>,
        effects: &mut Effects,
    ) -> Result<(), ConnectionEnd> {
        let host = self.node.host();
        let now = self.node.clock.now();
        let tight = self.node.is_short_of_memory();
        let mut batch = Batch { effects, host: &host, now, packets: 0, publishes: 0, tight };
        let (consumed, result) = if self.unread.is_empty() {
            let (consumed, result) = self.packets(arrived, answer, &mut batch);
            self.unread.append(arrived.get(consumed..).unwrap_or_default());
            (consumed, result)
        } else {
            self.unread.append(arrived);
            let mut unread = std::mem::take(&mut self.unread);
            let (consumed, result) = self.packets(&unread, answer, &mut batch);
            unread.consume(consumed);
            self.unread = unread;
            (consumed, result)
        };
        let Batch { packets, publishes, tight, .. } = batch;
        if packets > 0 {
            self.link.received();
            self.node.metrics.received_packets(packets);
        }
        let congestion = effects.congestion().cloned();
        self.node.conclude(effects, now);
        if self.waiting.is_none() {
            let owed = self.few.pace().and_then(|pace| pace.spend(publishes, consumed as u64, now));
            self.waiting = match congestion {
                Some(Congestion::Queue(session)) => Some(Hold::new(Lack::Room(session), owed, now).into()),
                _ if tight && (publishes > 0 || (!arrived.is_empty() && self.is_publishing())) => {
                    Some(Hold::new(Lack::Memory, owed, now).into())
                }
                congestion => self.pause(congestion.as_ref(), owed),
            };
        }
        if self.waiting.is_some() {
            self.link.set_paused(true);
        }
        result
    }

    /// Says how many bytes of whole packets were carried out, and why the connection ends, if it does.
    fn packets(
        &mut self,
        bytes: &[u8],
        mut answer: Option<Answer>,
        batch: &mut Batch<'_>,
    ) -> (usize, Result<(), ConnectionEnd>) {
        let mut consumed = 0;
        while self.waiting.is_none() {
            let unread = bytes.get(consumed..).unwrap_or_default();
            let (packet, length) = match self.decoder.decode(unread) {
                Ok(Decoded::Packet { packet, length }) => (packet, length),
                Ok(Decoded::Incomplete { .. }) => break,
                Err(malformed) => return (consumed, Err(malformed.into())),
            };
            let encoded = unread.get(..length).unwrap_or_default();
            let flow = match answer.take() {
                Some(answer) => Ok(self.resume(&packet, encoded, answer, batch)),
                None => self.receive(&packet, encoded, batch),
            };
            match flow {
                Ok(Flow::Next) => {
                    consumed += length;
                    batch.packets += 1;
                    if batch.is_held_up() {
                        break;
                    }
                }
                Ok(Flow::Wait(waiting)) => self.waiting = Some(Box::new(waiting)),
                Err(end) => return (consumed, Err(end)),
            }
        }
        (consumed, Ok(()))
    }

    fn receive(&mut self, packet: &Packet<'_>, encoded: &[u8], batch: &mut Batch<'_>) -> Result<Flow, ConnectionEnd> {
        let broker = &self.node.broker;
        match self.connection.receive(packet)? {
            Received::Publish(mut inbound) => {
                inbound.keep_encoded(encoded, self.connection.version());
                return Ok(self.publish(&inbound, batch));
            }
            Received::Acknowledgement(acknowledgement) => {
                broker.acknowledge(&mut self.connection, acknowledgement, batch.now, batch.effects)?;
            }
            Received::Subscribe(subscribe) => return Ok(self.subscribe(subscribe, batch)),
            Received::Unsubscribe(unsubscribe) => return Ok(self.unsubscribe(unsubscribe, batch)),
            Received::Ping => broker.pong(&mut self.connection, batch.effects),
            Received::Authenticate(auth) => self.reauthenticate(auth),
            Received::Disconnect(disconnect) => {
                let (reason, session_expiry) = (disconnect.reason, disconnect.session_expiry);
                return Err(ConnectionEnd::Disconnected { reason, session_expiry });
            }
        }
        Ok(Flow::Next)
    }

    /// A packet that waited for plugins goes on where it stopped. Its connection has judged it already.
    fn resume(&mut self, packet: &Packet<'_>, encoded: &[u8], answer: Answer, batch: &mut Batch<'_>) -> Flow {
        match (packet, answer) {
            (Packet::Publish(publish), Answer::Publish { alias, verdict }) => {
                let topic = alias.map_or(Topic::Borrowed(publish.topic), Topic::Alias);
                let mut inbound = Inbound::from_publish(topic, publish);
                inbound.keep_encoded(encoded, self.connection.version());
                self.conclude_publish(&inbound, verdict, batch);
            }
            (Packet::Subscribe(subscribe), Answer::Subscribe(rulings)) => {
                self.conclude_subscribe(subscribe, &rulings, batch);
            }
            (Packet::Unsubscribe(unsubscribe), Answer::Unsubscribe(refusals)) => {
                self.conclude_unsubscribe(unsubscribe, &refusals, batch);
            }
            (packet, _) => debug_assert!(false, "an answer for {} that did not ask", packet.kind()),
        }
        Flow::Next
    }

    fn publish(&mut self, inbound: &Inbound<'_>, batch: &mut Batch<'_>) -> Flow {
        // Acknowledged again, and neither asked about nor routed [MQTT-4.3.3-10].
        if inbound.repeated {
            self.conclude_publish(inbound, PublishVerdict::Accept, batch);
            return Flow::Next;
        }
        let at = self.node.clock.moment(batch.now);
        match self.client.ask_publish(batch.host, self.connection.permissions(), inbound, at) {
            Asked::Ready(verdict) => {
                self.conclude_publish(inbound, verdict, batch);
                Flow::Next
            }
            Asked::Later(verdict) => {
                let alias = match &inbound.topic {
                    Topic::Alias(topic) => Some(Arc::clone(topic)),
                    Topic::Borrowed(_) => None,
                };
                Flow::Wait(Waiting::Publish { alias, verdict })
            }
        }
    }

    fn conclude_publish(&mut self, inbound: &Inbound<'_>, verdict: PublishVerdict, batch: &mut Batch<'_>) {
        batch.publishes += 1;
        let Self { node, connection, client, .. } = self;
        let decision = match &verdict {
            PublishVerdict::Accept => Decision::Accept,
            PublishVerdict::Replace(messages) => Decision::Replace(messages),
            PublishVerdict::Refuse(denial) => {
                node.publish_denied(client, &inbound.topic, denial);
                let reason = crate::ending::refusal_code(PacketKind::Puback, denial.code);
                Decision::Refuse { reason, text: denial.reason.as_deref() }
            }
        };
        if !node.broker.publish(connection, inbound, decision, batch.now, batch.effects) {
            return;
        }
        let at = node.clock.moment(batch.now);
        match &verdict {
            PublishVerdict::Accept => {
                if inbound.publish.retain {
                    node.published_retained(client, inbound, batch.now);
                }
                client.deliver(batch.host, inbound, at);
            }
            PublishVerdict::Refuse(_) => {}
            PublishVerdict::Replace(messages) => {
                for message in messages {
                    node.routed(client, message, batch.now);
                    client.deliver_message(batch.host, message, at);
                }
            }
        }
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>, batch: &mut Batch<'_>) -> Flow {
        match self.client.ask_subscribe(&self.node, batch.host, self.connection.permissions(), subscribe) {
            Asked::Ready(rulings) => {
                self.conclude_subscribe(subscribe, &rulings, batch);
                Flow::Next
            }
            Asked::Later(rulings) => Flow::Wait(Waiting::Subscribe(rulings)),
        }
    }

    fn conclude_subscribe(
        &mut self,
        subscribe: &Subscribe<'_>,
        rulings: &[Result<QoS, ReasonCode>],
        batch: &mut Batch<'_>,
    ) {
        let Self { node, connection, client, .. } = self;
        let reasons = node.broker.subscribe(connection, subscribe, rulings, batch.now, batch.effects);
        node.subscribed(client, subscribe, &reasons, batch.now);
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, batch: &mut Batch<'_>) -> Flow {
        match self.client.ask_unsubscribe(&self.node, batch.host, unsubscribe) {
            Asked::Ready(refusals) => {
                self.conclude_unsubscribe(unsubscribe, &refusals, batch);
                Flow::Next
            }
            Asked::Later(refusals) => Flow::Wait(Waiting::Unsubscribe(refusals)),
        }
    }

    fn conclude_unsubscribe(
        &mut self,
        unsubscribe: &Unsubscribe<'_>,
        refusals: &[Option<ReasonCode>],
        batch: &mut Batch<'_>,
    ) {
        let Self { node, connection, client, .. } = self;
        let reasons = node.broker.unsubscribe(connection, unsubscribe, refusals, batch.now, batch.effects);
        node.unsubscribed(client, unsubscribe, &reasons, batch.now);
    }

    /// A client that is faster than its rate, or than others can take what it publishes, is not read for a moment.
    fn pause(&mut self, congestion: Option<&Congestion>, owed: Option<Duration>) -> Option<Box<Waiting>> {
        let pause = owed.max(congestion.is_some().then_some(CONGESTION_PAUSE))?;
        let (cause, session) = match congestion {
            None => (Cause::Rate, None),
            Some(Congestion::Store) => (Cause::Store, None),
            Some(Congestion::Outbox(session) | Congestion::Queue(session)) => (Cause::Outbox, Some(&**session)),
        };
        self.node.slowed_down(cause, session, pause);
        Some(Box::new(Waiting::Pause(Box::pin(sleep(pause)))))
    }

    /// Whether what is unread begins with a piece of a PUBLISH.
    fn is_publishing(&self) -> bool {
        self.unread.first().is_some_and(|first| first >> 4 == PacketKind::Publish as u8)
    }
}

impl From<Hold> for Box<Waiting> {
    fn from(hold: Hold) -> Self {
        Self::new(Waiting::Hold(hold))
    }
}

/// How long a publisher is not read after a batch that nearly filled a subscriber's outbox, or found the store behind.
const CONGESTION_PAUSE: Duration = Duration::from_millis(2);
