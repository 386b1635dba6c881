//! A client that publishes, and knows what was acknowledged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midge_protocol::{Ack, MessageProperties, Packet, PacketId, Publish, QoS, ReasonCode};

use crate::channel::{Channel, Gone, Hello, PATIENCE, Stay};
use crate::ledger::Name;
use crate::random::Random;

/// Its session state, which outlives its connections.
pub(crate) struct Publisher {
    number: u32,
    client_id: String,
    /// Whether the broker said that it has the session.
    has_session: bool,
    /// Sent and not acknowledged to the end, in order.
    unfinished: VecDeque<Unfinished>,
    next: u64,
    last_id: u16,
    /// What the broker took, in the order it said so.
    pub(crate) acknowledged: Vec<Name>,
    pub(crate) wrong: Vec<String>,
    random: Random,
}

struct Unfinished {
    id: PacketId,
    name: Name,
    retain: bool,
    /// PUBREC came.
    received: bool,
}

/// The topics of one publisher.
const TOPICS: u64 = 4;
/// The one whose messages are retained.
pub(crate) const RETAINED: u32 = 0;
/// How many messages it has under way.
const WINDOW: usize = 20;

impl Publisher {
    pub(crate) fn new(number: u32, seed: u64) -> Self {
        Self {
            number,
            client_id: format!("publisher-{number}"),
            has_session: false,
            unfinished: VecDeque::new(),
            next: 1,
            last_id: 0,
            acknowledged: Vec::new(),
            wrong: Vec::new(),
            random: Random::new(seed ^ u64::from(number) << 32),
        }
    }

    /// Publishes until told to stop and everything is acknowledged, or until the broker is gone.
    pub(crate) fn work(&mut self, address: SocketAddr, stop: &AtomicBool) {
        // A broker that is gone is what all of this is about.
        let _ = self.session(address, stop);
    }

    /// Whether nothing is under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// The message that must be retained for its first topic, once it is settled.
    pub(crate) fn retained(&self) -> Option<Name> {
        self.acknowledged.iter().copied().filter(|name| name.topic == RETAINED).max_by_key(|name| name.number)
    }

    /// Messages that were begun and may or may not have arrived.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Name> {
        self.unfinished.iter().map(|one| one.name)
    }

    fn session(&mut self, address: SocketAddr, stop: &AtomicBool) -> Result<(), Gone> {
        let (mut channel, session_present) = match Channel::connect(address, &self.client_id, Stay::Forever)? {
            Hello::Welcome { channel, session_present } => (channel, session_present),
            Hello::Refused(reason) => {
                self.wrong.push(format!("{}: refused with {reason}", self.client_id));
                return Err(Gone);
            }
        };
        if self.has_session && !session_present {
            self.wrong.push(format!("{}: the session is lost", self.client_id));
        }
        self.has_session = true;
        self.send_again(&mut channel)?;
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping && self.unfinished.is_empty() {
                return Ok(());
            }
            while !stopping && self.unfinished.len() < WINDOW {
                self.publish_next(&mut channel)?;
            }
            let deadline = Instant::now() + if stopping { PATIENCE } else { Duration::from_millis(200) };
            let answer = channel.receive(deadline, |packet| match packet {
                Packet::Puback(ack) | Packet::Pubcomp(ack) => Some((ack.packet_id, ack.reason, true)),
                Packet::Pubrec(ack) => Some((ack.packet_id, ack.reason, false)),
                _ => None,
            })?;
            match answer {
                Some(Some((id, reason, true))) => self.finished(id, reason),
                Some(Some((id, reason, false))) => self.received(&mut channel, id, reason)?,
                Some(None) => {}
                None if stopping => {
                    self.wrong.push(format!("{}: no acknowledgement came", self.client_id));
                    return Ok(());
                }
                None => {}
            }
        }
    }

    /// PUBLISH with DUP, or PUBREL, for everything that was not finished [MQTT-4.4.0-1].
    fn send_again(&mut self, channel: &mut Channel) -> Result<(), Gone> {
        for one in &self.unfinished {
            if one.received {
                channel.send(&Packet::Pubrel(Ack::new(one.id)))?;
            } else {
                publish(channel, one, true)?;
            }
        }
        Ok(())
    }

    fn publish_next(&mut self, channel: &mut Channel) -> Result<(), Gone> {
        let topic = self.random.below(TOPICS) as u32;
        let qos = 1 + self.random.below(2) as u8;
        let name = Name { publisher: self.number, topic, qos, number: self.next };
        self.next += 1;
        // Never one that is in use: a window is far smaller than the numbers there are.
        self.last_id = self.last_id % u16::MAX + 1;
        let id = PacketId::new(self.last_id).expect("between 1 and 65,535");
        self.unfinished.push_back(Unfinished { id, name, retain: topic == RETAINED, received: false });
        let one = self.unfinished.back().expect("it was just put there");
        publish(channel, one, false)
    }

    fn received(&mut self, channel: &mut Channel, id: PacketId, reason: ReasonCode) -> Result<(), Gone> {
        if reason.is_error() {
            self.wrong.push(format!("{}: PUBREC {reason}", self.client_id));
        }
        if let Some(one) = self.unfinished.iter_mut().find(|one| one.id == id) {
            // PUBREC is the broker's promise already.
            if !one.received {
                self.acknowledged.push(one.name);
            }
            one.received = true;
        }
        channel.send(&Packet::Pubrel(Ack::new(id)))
    }

    fn finished(&mut self, id: PacketId, reason: ReasonCode) {
        let Some(at) = self.unfinished.iter().position(|one| one.id == id) else { return };
        let Some(one) = self.unfinished.remove(at) else { return };
        if reason.is_error() && one.name.qos() == QoS::AtLeastOnce {
            self.wrong.push(format!("{}: PUBACK {reason}", self.client_id));
        }
        if one.name.qos() == QoS::AtLeastOnce {
            self.acknowledged.push(one.name);
        }
    }
}

fn publish(channel: &mut Channel, one: &Unfinished, dup: bool) -> Result<(), Gone> {
    let (topic, payload) = (one.name.topic_name(), one.name.payload());
    channel.send(&Packet::Publish(Publish {
        dup,
        qos: one.name.qos(),
        retain: one.retain,
        topic: &topic,
        packet_id: Some(one.id),
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties::default(),
        payload: payload.as_bytes(),
    }))
}
