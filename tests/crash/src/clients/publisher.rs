//! A client that publishes, and knows what was acknowledged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midge_protocol::{Ack, MessageProperties, Packet, PacketId, Publish, QoS, ReasonCode};

use crate::channel::{Channel, Gone, Hello, Login, PATIENCE};
use crate::ledger::{EXPIRY_S, Name, Wrong, topic};
use crate::random::Random;
use crate::story::Story;

/// Its session state, which outlives its connections.
pub(crate) struct Publisher {
    number: u32,
    client_id: String,
    /// Whether the broker said that it has the session.
    has_session: bool,
    /// Sent and not acknowledged to the end, in order.
    unfinished: VecDeque<Unfinished>,
    pub(crate) next: u64,
    last_id: u16,
    /// What the broker took since everything was last settled, in the order it said so.
    pub(crate) acknowledged: Vec<Name>,
    /// The last message of each topic that retains, acknowledged or not.
    last_retained: [Option<Name>; 2],
    pub(crate) wrong: Vec<Wrong>,
    random: Random,
    story: Arc<Story>,
}

struct Unfinished {
    id: PacketId,
    name: Name,
    /// PUBREC came.
    received: bool,
}

/// Why a connection is left.
enum Left {
    Done,
    /// The client chose to connect again.
    Restless(Option<Channel>),
}

/// How many messages it has under way.
const WINDOW: usize = 20;
/// How many messages it sends in a millisecond: many kills are worth more than many messages.
const PACE: u64 = 3;
/// After so many packets, on average, it connects again.
const RESTLESS: u64 = 400;

impl Publisher {
    pub(crate) fn new(number: u32, seed: u64, story: &Arc<Story>) -> Self {
        Self {
            number,
            client_id: format!("publisher-{number}"),
            has_session: false,
            unfinished: VecDeque::new(),
            next: 1,
            last_id: 0,
            acknowledged: Vec::new(),
            last_retained: [None; 2],
            wrong: Vec::new(),
            random: Random::new(seed ^ u64::from(number) << 32),
            story: Arc::clone(story),
        }
    }

    /// Publishes until told to stop and everything is acknowledged, or until the broker is gone.
    pub(crate) fn work(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let mut old = None;
        // A broker that is gone is what all of this is about.
        while let Ok(Left::Restless(channel)) = self.connection(address, stop, old.take()) {
            old = channel;
        }
        self.story.tell(&self.client_id, None, "is disconnected");
    }

    /// What was begun and may or may not have arrived.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Name> {
        self.unfinished.iter().map(|one| one.name)
    }

    /// The messages that must be retained once it is settled.
    pub(crate) fn retained(&self) -> impl Iterator<Item = Name> {
        self.last_retained.iter().flatten().copied().filter(|name| !name.payload().is_empty())
    }

    /// How many messages its session has on this number's account.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// `old`: a connection that the new one takes the session from.
    fn connection(&mut self, address: SocketAddr, stop: &AtomicBool, old: Option<Channel>) -> Result<Left, Gone> {
        let (mut channel, session_present) = match Channel::connect(address, Login::forever(&self.client_id))? {
            Hello::Welcome { channel, session_present } => (channel, session_present),
            Hello::Refused(reason) => {
                self.is_wrong(None, format!("refused with {reason}"));
                return Err(Gone);
            }
        };
        drop(old);
        self.story.tell(&self.client_id, None, format!("is connected, session present: {session_present}"));
        if self.has_session && !session_present {
            self.is_wrong(None, "the session is lost".to_owned());
        }
        self.has_session = true;
        self.send_again(&mut channel)?;
        let (start, first) = (Instant::now(), self.next);
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping && self.unfinished.is_empty() {
                return Ok(Left::Done);
            }
            let allowed = first + (start.elapsed().as_millis() as u64 + 1) * PACE;
            while !stopping && self.unfinished.len() < WINDOW && self.next < allowed {
                self.publish_next(&mut channel)?;
            }
            if !stopping && self.random.below(RESTLESS) == 0 {
                return Ok(Left::Restless((self.random.below(2) == 0).then_some(channel)));
            }
            let deadline = Instant::now() + if stopping { PATIENCE } else { Duration::from_millis(2) };
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
                    self.is_wrong(None, format!("no acknowledgement came for {:?}", self.unfinished().next()));
                    return Ok(Left::Done);
                }
                None => {}
            }
        }
    }

    /// PUBLISH with DUP, or PUBREL, for everything that was not finished [MQTT-4.4.0-1].
    fn send_again(&mut self, channel: &mut Channel) -> Result<(), Gone> {
        for one in &self.unfinished {
            self.story.tell(&self.client_id, Some(one.name), format!("sends it again under {}", one.id.get()));
            if one.received {
                channel.send(&Packet::Pubrel(Ack::new(one.id)))?;
            } else {
                publish(channel, one, true, &self.story)?;
            }
        }
        Ok(())
    }

    fn publish_next(&mut self, channel: &mut Channel) -> Result<(), Gone> {
        let topic = self.random.below(topic::COUNT.into()) as u32;
        let qos = match topic {
            topic::RETAINED_1 | topic::EXPIRING => 1,
            topic::RETAINED_2 => 2,
            _ => 1 + self.random.below(2) as u8,
        };
        let name = Name { publisher: self.number, topic, qos, number: self.next };
        self.next += 1;
        // Never one that is in use: a window is far smaller than the numbers there are.
        self.last_id = self.last_id % u16::MAX + 1;
        let id = PacketId::new(self.last_id).expect("between 1 and 65,535");
        if name.is_retained() {
            self.last_retained[topic as usize] = Some(name);
        }
        self.story.tell(&self.client_id, Some(name), format!("sends it under {}", id.get()));
        self.unfinished.push_back(Unfinished { id, name, received: false });
        let one = self.unfinished.back().expect("it was just put there");
        publish(channel, one, false, &self.story)
    }

    fn received(&mut self, channel: &mut Channel, id: PacketId, reason: ReasonCode) -> Result<(), Gone> {
        let Some(one) = self.unfinished.iter_mut().find(|one| one.id == id) else {
            return channel.send(&Packet::Pubrel(Ack::new(id)));
        };
        let name = one.name;
        // PUBREC is the broker's promise already.
        if !one.received && !reason.is_error() {
            self.acknowledged.push(name);
        }
        one.received = true;
        self.story.tell(&self.client_id, Some(name), format!("PUBREC {reason}"));
        if reason.is_error() {
            self.is_wrong(Some(name), format!("PUBREC {reason} for {name:?}"));
        }
        channel.send(&Packet::Pubrel(Ack::new(id)))
    }

    fn finished(&mut self, id: PacketId, reason: ReasonCode) {
        let Some(at) = self.unfinished.iter().position(|one| one.id == id) else { return };
        let Some(Unfinished { name, .. }) = self.unfinished.remove(at) else { return };
        self.story.tell(&self.client_id, Some(name), format!("acknowledged to the end, {reason}"));
        if name.qos() == QoS::AtLeastOnce {
            if reason.is_error() {
                self.is_wrong(Some(name), format!("PUBACK {reason} for {name:?}"));
            } else {
                self.acknowledged.push(name);
            }
        }
    }

    fn is_wrong(&mut self, name: Option<Name>, what: String) {
        let client = self.client_id.clone();
        self.wrong.push(Wrong { what: format!("{client}: {what}"), name, client });
    }
}

fn publish(channel: &mut Channel, one: &Unfinished, dup: bool, story: &Story) -> Result<(), Gone> {
    let name = one.name;
    let (topic, payload, text) = (name.topic_name(), name.payload(), name.text());
    // When it was sent, for whoever wonders whether it should have expired.
    let sent = story.now().as_millis().to_string();
    channel.send(&Packet::Publish(Publish {
        dup,
        qos: name.qos(),
        retain: name.is_retained(),
        topic: &topic,
        packet_id: Some(one.id),
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties {
            correlation_data: Some(text.as_bytes()),
            message_expiry: name.expires().then_some(EXPIRY_S),
            content_type: Some(&sent),
            ..MessageProperties::default()
        },
        payload: &payload,
    }))
}
