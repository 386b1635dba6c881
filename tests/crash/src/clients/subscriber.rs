//! A client that receives, and knows what it was sent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midge_protocol::{Ack, Packet, PacketId, Publish, QoS};

use crate::channel::{Channel, Gone, Hello, Login};
use crate::ledger::{Name, Received, Wrong};
use crate::random::Random;
use crate::story::Story;

/// Its session state, which outlives its connections.
pub(crate) struct Subscriber {
    client_id: String,
    filter: &'static str,
    /// SUBACK came: from then on everything is promised.
    pub(crate) subscribed: bool,
    has_session: bool,
    /// QoS 2 messages between PUBLISH and PUBREL.
    unreleased: BTreeSet<PacketId>,
    pub(crate) received: Received,
    random: Random,
    story: Arc<Story>,
}

enum Incoming {
    Message(Message),
    Release(PacketId),
    Subscribed,
    Other,
}

struct Message {
    dup: bool,
    qos: QoS,
    id: Option<PacketId>,
    name: Option<Name>,
    expiry: Option<u32>,
    sent: Duration,
}

/// Whether the connection is left because the client chose to connect again.
type IsRestless = bool;

/// Everything that is published, but for what is shared.
pub(crate) const ALL: &str = "crash/#";
/// What is shared by all members.
pub(crate) const SHARED: &str = "$share/members/shared/#";
/// After so many packets, on average, it connects again.
const RESTLESS: u64 = 1000;

impl Subscriber {
    pub(crate) fn new(number: u32, filter: &'static str, seed: u64, story: &Arc<Story>) -> Self {
        Self {
            client_id: format!("subscriber-{number}"),
            filter,
            subscribed: false,
            has_session: false,
            unreleased: BTreeSet::new(),
            received: Received::new(filter == SHARED),
            random: Random::new(seed ^ u64::from(number) << 40),
            story: Arc::clone(story),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.filter == SHARED
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Receives until told to stop, or until the broker is gone. Now and then it connects again.
    pub(crate) fn work(&mut self, address: SocketAddr, stop: &AtomicBool) {
        while let Ok(true) = self.connection(address, RESTLESS, |_| stop.load(Ordering::Relaxed)) {}
        self.story.tell(&self.client_id, None, "is disconnected");
    }

    /// Receives until `done`, or until the deadline.
    pub(crate) fn settle(&mut self, address: SocketAddr, deadline: Instant, done: impl Fn(&Received) -> bool) {
        let is_over = |one: &Self| one.subscribed && done(&one.received);
        let _ = self.connection(address, 0, |one| is_over(one) || Instant::now() > deadline);
        self.story.tell(&self.client_id, None, "is disconnected");
    }

    fn connection(
        &mut self,
        address: SocketAddr,
        restless: u64,
        stop: impl Fn(&Self) -> bool,
    ) -> Result<IsRestless, Gone> {
        let receive_maximum = [None, NonZeroU16::new(3), NonZeroU16::new(10)][self.random.below(3) as usize];
        let login = Login { receive_maximum, ..Login::forever(&self.client_id) };
        let (mut channel, session_present) = match Channel::connect(address, login)? {
            Hello::Welcome { channel, session_present } => (channel, session_present),
            Hello::Refused(reason) => {
                self.is_wrong(None, format!("refused with {reason}"));
                return Err(Gone);
            }
        };
        let what = format!("is connected, session present: {session_present}, Receive Maximum {receive_maximum:?}");
        self.story.tell(&self.client_id, None, what);
        if self.has_session && !session_present {
            self.is_wrong(None, "the session is lost".to_owned());
        }
        self.has_session = true;
        if !self.subscribed {
            channel.subscribe(PacketId::new(1).expect("not 0"), self.filter, QoS::ExactlyOnce)?;
        }
        while !stop(self) {
            if restless > 0 && self.random.below(restless) == 0 {
                return Ok(true);
            }
            let incoming = channel.receive(Instant::now() + Duration::from_millis(20), |packet| match packet {
                Packet::Publish(publish) => Incoming::Message(Message::from(publish)),
                Packet::Pubrel(ack) => Incoming::Release(ack.packet_id),
                Packet::Suback(_) => Incoming::Subscribed,
                _ => Incoming::Other,
            })?;
            match incoming {
                Some(Incoming::Message(message)) => self.message(&mut channel, &message)?,
                Some(Incoming::Release(id)) => {
                    self.unreleased.remove(&id);
                    channel.send(&Packet::Pubcomp(Ack::new(id)))?;
                }
                Some(Incoming::Subscribed) => self.subscribed = true,
                Some(Incoming::Other) | None => {}
            }
        }
        Ok(false)
    }

    fn message(&mut self, channel: &mut Channel, message: &Message) -> Result<(), Gone> {
        let (Some(name), Some(id)) = (message.name, message.id) else {
            self.is_wrong(None, format!("a message that nobody sent, at {:?}", message.qos));
            return Ok(());
        };
        let dup = if message.dup { " with DUP" } else { "" };
        self.story.tell(&self.client_id, Some(name), format!("receives it under {}{dup}", id.get()));
        if message.qos != name.qos() {
            self.is_wrong(Some(name), format!("{name:?} came with {:?}", message.qos));
        }
        // What was under way before it expired may come at any time.
        if name.expires() && !message.dup {
            let age = self.story.now().saturating_sub(message.sent);
            self.received.take_expiring(&self.client_id, name, age, message.expiry);
        }
        if message.qos == QoS::AtLeastOnce {
            self.received.take(&self.client_id, name);
            return channel.send(&Packet::Puback(Ack::new(id)));
        }
        // The same Packet Identifier again, before PUBREL, is the same message [MQTT-4.3.3-10].
        if self.unreleased.insert(id) {
            self.received.take(&self.client_id, name);
        }
        channel.send(&Packet::Pubrec(Ack::new(id)))
    }

    fn is_wrong(&mut self, name: Option<Name>, what: String) {
        let client = self.client_id.clone();
        self.received.wrong.push(Wrong { what: format!("{client}: {what}"), name, client });
    }
}

impl From<&Publish<'_>> for Message {
    fn from(publish: &Publish<'_>) -> Self {
        let name = publish.properties.correlation_data.and_then(Name::parse);
        let sent = publish.properties.content_type.and_then(|text| text.parse().ok());
        Self {
            dup: publish.dup,
            qos: publish.qos,
            id: publish.packet_id,
            // With another payload it is not this message.
            name: name.filter(|name| name.payload() == publish.payload && name.topic_name() == publish.topic),
            expiry: publish.properties.message_expiry,
            sent: Duration::from_millis(sent.unwrap_or(0)),
        }
    }
}
