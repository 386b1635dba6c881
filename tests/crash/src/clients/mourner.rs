//! A client that leaves a Will, and is gone whenever the broker is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midge_protocol::{MessageProperties, QoS, Will};

use crate::channel::{Channel, Gone, Hello, Login};
use crate::ledger::{Name, Wrong, topic};
use crate::story::Story;

/// What becomes of its Wills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are due after so many seconds, and it does not come back before.
    Published { delay: u32 },
    /// It is back long before they are due [MQTT-3.1.3-9].
    Prevented,
}

/// Its session never ends.
pub(crate) struct Mourner {
    number: u32,
    client_id: String,
    fate: Fate,
    has_session: bool,
    /// The round of its last Will.
    last: u64,
    /// The Will of the connection that the broker's end cut, if the broker had accepted it.
    pub(crate) owed: Option<Name>,
    /// A Will that must not come any more.
    pub(crate) prevented: Option<Name>,
    pub(crate) wrong: Vec<Wrong>,
    story: Arc<Story>,
}

impl Mourner {
    pub(crate) fn new(number: u32, fate: Fate, story: &Arc<Story>) -> Self {
        let client_id = format!("mourner-{number}");
        let story = Arc::clone(story);
        Self {
            number,
            client_id,
            fate,
            has_session: false,
            last: 0,
            owed: None,
            prevented: None,
            wrong: Vec::new(),
            story,
        }
    }

    /// Connects with a Will, once a round, and stays.
    pub(crate) fn work(&mut self, address: SocketAddr, round: u64, stop: &AtomicBool) {
        let waits = matches!(self.fate, Fate::Published { delay: 1.. });
        if std::mem::replace(&mut self.last, round) == round || waits && !round.is_multiple_of(SLOW_ROUNDS) {
            return;
        }
        let qos = 1 + (round % 2) as u8;
        let name = Name { publisher: FIRST + self.number, topic: topic::WILL, qos, number: round };
        let delay = match self.fate {
            Fate::Published { delay } => delay,
            Fate::Prevented => 3600,
        };
        let Ok(mut channel) = self.connect(address, Some((name, delay))) else { return };
        self.owed = Some(name);
        while !stop.load(Ordering::Relaxed) && channel.receive(Instant::now() + PAUSE, |_| ()).is_ok() {}
    }

    /// Comes back without a Will, if that is what it does.
    pub(crate) fn come_back(&mut self, address: SocketAddr) {
        if self.fate == Fate::Prevented && self.has_session {
            self.prevented = self.owed.take();
            if let Ok(channel) = self.connect(address, None) {
                channel.disconnect();
            }
        }
    }

    fn connect(&mut self, address: SocketAddr, will: Option<(Name, u32)>) -> Result<Channel, Gone> {
        let described = will.map(|(name, _)| (name.topic_name(), name.payload(), name.text()));
        let will = will.zip(described.as_ref()).map(|((name, delay), (topic, payload, text))| Will {
            qos: QoS::from_bits(name.qos).expect("a name is made with a QoS"),
            retain: false,
            topic,
            payload,
            delay: Some(delay),
            properties: MessageProperties { correlation_data: Some(text.as_bytes()), ..MessageProperties::default() },
        });
        match Channel::connect(address, Login { will, ..Login::forever(&self.client_id) })? {
            Hello::Welcome { channel, session_present } => {
                let what = format!("is connected, Will {:?}, session present: {session_present}", will.is_some());
                self.story.tell(&self.client_id, None, what);
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

    fn is_wrong(&mut self, what: String) {
        let client = self.client_id.clone();
        self.wrong.push(Wrong { what: format!("{client}: {what}"), name: None, client });
    }
}

/// In one of so many rounds everybody waits for a Will that is due later.
const SLOW_ROUNDS: u64 = 4;
/// Above all publishers.
const FIRST: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(20);
