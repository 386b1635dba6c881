//! What was promised, and what came of it.

use std::collections::BTreeMap;

/// A message, as its payload names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) publisher: usize,
    pub(crate) number: u32,
    pub(crate) topic: u8,
    pub(crate) qos: u8,
}

/// Who is to get messages: one client, or the members of a share together.
pub(crate) type Receiver = &'static str;

#[derive(Default)]
pub(crate) struct Ledger {
    /// Whose subscription was acknowledged, with its QoS.
    subscribed: BTreeMap<Receiver, u8>,
    /// Every message, and how often it is to come: to whom, and whether exactly once.
    promised: BTreeMap<Message, BTreeMap<Receiver, bool>>,
    came: BTreeMap<(Receiver, Message), u32>,
    /// The latest number that came for the first time, by receiver, publisher, topic and QoS.
    latest: BTreeMap<(Receiver, usize, u8, u8), u32>,
}

impl Message {
    pub(crate) fn payload(self) -> String {
        let Self { publisher, number, topic, qos } = self;
        format!("{publisher} {number} {topic} {qos}")
    }

    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.split(' ');
        Some(Self {
            publisher: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            topic: words.next()?.parse().ok()?,
            qos: words.next()?.parse().ok()?,
        })
    }
}

impl Ledger {
    /// A SUBACK came.
    pub(crate) fn subscribed(&mut self, receiver: Receiver, qos: u8) {
        self.subscribed.insert(receiver, qos);
    }

    /// A message is sent for the first time. Its publisher repeats it until it is acknowledged.
    pub(crate) fn published(&mut self, message: Message) {
        let once = |qos: &u8| message.qos.min(*qos) == 2;
        let receivers = self.subscribed.iter().map(|(receiver, qos)| (*receiver, once(qos)));
        self.promised.insert(message, receivers.collect());
    }

    /// A client hands a message to its application.
    pub(crate) fn came(&mut self, receiver: Receiver, message: Message, qos: u8) -> Result<(), String> {
        let count = self.came.entry((receiver, message)).or_default();
        *count += 1;
        if *count > 1 {
            return if qos == 2 { Err(format!("{message:?} came to {receiver} {count} times")) } else { Ok(()) };
        }
        // One that was first sent before the subscription may come later, when it is sent again.
        let promised = self.promised.get(&message).is_some_and(|receivers| receivers.contains_key(receiver));
        if promised && receiver != SHARE {
            let stream = (receiver, message.publisher, message.topic, qos);
            let latest = self.latest.entry(stream).or_default();
            if *latest > message.number {
                return Err(format!("{message:?} came to {receiver} after number {latest}"));
            }
            *latest = message.number;
        }
        Ok(())
    }

    /// Everybody has acknowledged everything.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (message, receivers) in &self.promised {
            for (receiver, once) in receivers {
                let count = self.came.get(&(*receiver, *message)).copied().unwrap_or(0);
                if count == 0 || (*once && count > 1) {
                    return Err(format!("{message:?} came to {receiver} {count} times"));
                }
            }
        }
        Ok(())
    }
}

/// The members of the shared subscription, taken together.
pub(crate) const SHARE: Receiver = "the share";
