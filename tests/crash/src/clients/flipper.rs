//! A client that subscribes and unsubscribes: whether the broker remembers what it acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use midge_protocol::{Ack, MessageProperties, Packet, PacketId, Publish, QoS, Unsubscribe, UserProperties};

use crate::channel::{Channel, Gone, Hello, Login, PATIENCE};
use crate::ledger::Wrong;
use crate::random::Random;
use crate::story::Story;

/// Its session never ends.
pub(crate) struct Flipper {
    client_id: String,
    has_session: bool,
    /// What it knows of its subscriptions.
    known: [Known; FILTERS],
    pub(crate) wrong: Vec<Wrong>,
    random: Random,
    story: Arc<Story>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Subscribed(QoS),
    Unsubscribed,
    /// Nothing was acknowledged since it was last one of the two.
    Unknown,
}

/// How many filters it has.
const FILTERS: usize = 4;

impl Flipper {
    pub(crate) fn new(number: u64, seed: u64, story: &Arc<Story>) -> Self {
        Self {
            client_id: format!("flipper-{number}"),
            has_session: false,
            known: [Known::Unsubscribed; FILTERS],
            wrong: Vec::new(),
            random: Random::new(seed ^ number << 52),
            story: Arc::clone(story),
        }
    }

    /// Subscribes and unsubscribes until the broker is gone.
    pub(crate) fn work(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let Ok(mut channel) = self.connect(address) else { return };
        while !stop.load(Ordering::Relaxed) {
            let number = self.random.below(FILTERS as u64) as usize;
            let wish = match self.random.below(4) {
                0 => Known::Unsubscribed,
                qos => Known::Subscribed(QoS::from_bits(qos as u8 - 1).expect("0 to 2")),
            };
            if self.wish(&mut channel, number, wish).is_err() {
                break;
            }
        }
    }

    /// Publishes to itself on every topic, and compares what comes with what it knows.
    pub(crate) fn check(&mut self, address: SocketAddr, round: u64) {
        if let Ok(mut channel) = self.connect(address)
            && self.compare(&mut channel, round).is_ok()
        {
            channel.disconnect();
        } else {
            self.is_wrong("could not look at its subscriptions".to_owned());
        }
    }

    fn compare(&mut self, channel: &mut Channel, round: u64) -> Result<(), Gone> {
        let echo = format!("flip/{}/echo", self.client_id);
        channel.subscribe(id(9), &echo, QoS::ExactlyOnce)?;
        let text = round.to_string();
        let topics = (0..FILTERS).map(|number| self.filter(number)).chain([echo.clone()]);
        for (number, topic) in (20..).zip(topics) {
            channel.send(&Packet::Publish(Publish {
                dup: false,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: &topic,
                packet_id: Some(id(number)),
                topic_alias: None,
                subscription_ids: Vec::new(),
                properties: MessageProperties::default(),
                payload: text.as_bytes(),
            }))?;
        }
        // The last message tells that the ones before it are there or will never be.
        let mut found = [Known::Unsubscribed; FILTERS];
        let mut settled = 0;
        while settled < 2 * (FILTERS + 1) {
            let deadline = Instant::now() + PATIENCE;
            let step = channel.receive(deadline, |packet| match packet {
                Packet::Publish(publish) => {
                    let is_now = publish.payload == text.as_bytes();
                    Step::Message(publish.topic.to_owned(), publish.qos, publish.packet_id, is_now)
                }
                Packet::Pubrec(ack) => Step::Received(ack.packet_id),
                Packet::Pubcomp(_) => Step::Done,
                Packet::Pubrel(ack) => Step::Release(ack.packet_id),
                _ => Step::Other,
            })?;
            match step.ok_or(Gone)? {
                Step::Message(topic, qos, id, is_now) => {
                    match (qos, id) {
                        (QoS::AtLeastOnce, Some(id)) => channel.send(&Packet::Puback(Ack::new(id)))?,
                        (QoS::ExactlyOnce, Some(id)) => channel.send(&Packet::Pubrec(Ack::new(id)))?,
                        _ => {}
                    }
                    if is_now && topic == echo {
                        settled += FILTERS + 1;
                    } else if let Some(number) = (0..FILTERS).find(|number| is_now && self.filter(*number) == topic) {
                        found[number] = Known::Subscribed(qos);
                    }
                }
                Step::Received(id) => channel.send(&Packet::Pubrel(Ack::new(id)))?,
                Step::Release(id) => channel.send(&Packet::Pubcomp(Ack::new(id)))?,
                Step::Done => settled += 1,
                Step::Other => {}
            }
        }
        for (number, found) in found.into_iter().enumerate() {
            let known = std::mem::replace(&mut self.known[number], found);
            if known != Known::Unknown && known != found {
                self.is_wrong(format!("filter {number} is {found:?}, acknowledged was {known:?}"));
            }
        }
        Ok(())
    }

    /// Asks for it and waits for the answer.
    fn wish(&mut self, channel: &mut Channel, number: usize, wish: Known) -> Result<(), Gone> {
        let filter = self.filter(number);
        self.known[number] = Known::Unknown;
        match wish {
            Known::Subscribed(qos) => channel.subscribe(id(1), &filter, qos)?,
            _ => channel.send(&Packet::Unsubscribe(Unsubscribe {
                packet_id: id(1),
                user_properties: UserProperties::default(),
                filters: vec![&filter],
            }))?,
        }
        loop {
            let answer = channel.receive(Instant::now() + PATIENCE, |packet| match packet {
                Packet::Suback(suback) => suback.reasons.first().copied(),
                Packet::Unsuback(unsuback) => unsuback.reasons.first().copied(),
                _ => None,
            })?;
            match answer.ok_or(Gone)? {
                None => {}
                Some(reason) if reason.is_error() => {
                    self.is_wrong(format!("{wish:?} for filter {number}: {reason}"));
                    return Err(Gone);
                }
                Some(_) => break,
            }
        }
        self.story.tell(&self.client_id, None, format!("filter {number} is {wish:?}, acknowledged"));
        self.known[number] = wish;
        Ok(())
    }

    fn connect(&mut self, address: SocketAddr) -> Result<Channel, Gone> {
        match Channel::connect(address, Login::forever(&self.client_id))? {
            Hello::Welcome { channel, session_present } => {
                self.story.tell(&self.client_id, None, format!("is connected, session present: {session_present}"));
                if self.has_session && !session_present {
                    self.is_wrong("the session is lost".to_owned());
                }
                self.has_session = true;
                Ok(channel)
            }
            Hello::Refused(reason) => {
                self.is_wrong(format!("refused with {reason}"));
                Err(Gone)
            }
        }
    }

    fn filter(&self, number: usize) -> String {
        format!("flip/{}/{number}", self.client_id)
    }

    fn is_wrong(&mut self, what: String) {
        let client = self.client_id.clone();
        self.wrong.push(Wrong { what: format!("{client}: {what}"), name: None, client });
    }
}

enum Step {
    /// Topic, QoS, Packet Identifier, whether it is of this round.
    Message(String, QoS, Option<PacketId>, bool),
    Received(PacketId),
    Release(PacketId),
    Done,
    Other,
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}
