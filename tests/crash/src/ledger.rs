//! What was promised to whom.

use std::collections::BTreeMap;

use midge_protocol::QoS;

/// One message of a publisher: its payload says all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) publisher: u32,
    pub(crate) topic: u32,
    pub(crate) qos: u8,
    /// Counts the messages of the publisher.
    pub(crate) number: u64,
}

impl Name {
    pub(crate) fn payload(self) -> String {
        format!("{} {} {} {}", self.publisher, self.topic, self.qos, self.number)
    }

    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(payload).ok()?.split(' ');
        let name = Self {
            publisher: parts.next()?.parse().ok()?,
            topic: parts.next()?.parse().ok()?,
            qos: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(name)
    }

    pub(crate) fn topic_name(self) -> String {
        format!("crash/{}/{}", self.publisher, self.topic)
    }

    pub(crate) fn qos(self) -> QoS {
        QoS::from_bits(self.qos).expect("a name is made with a QoS")
    }
}

/// What one subscriber received, first deliveries in their order and how often each came.
#[derive(Default)]
pub(crate) struct Received {
    counts: BTreeMap<Name, u32>,
    /// The last number of each publisher, topic and QoS.
    latest: BTreeMap<(u32, u32, u8), u64>,
    pub(crate) wrong: Vec<String>,
}

impl Received {
    pub(crate) fn take(&mut self, name: Name) {
        let count = self.counts.entry(name).or_default();
        *count += 1;
        if *count > 1 {
            if name.qos == 2 {
                self.wrong.push(format!("{name:?} came {count} times"));
            }
            return;
        }
        let latest = self.latest.entry((name.publisher, name.topic, name.qos)).or_default();
        if name.number < *latest {
            self.wrong.push(format!("{name:?} came after {latest}"));
        }
        *latest = (*latest).max(name.number);
    }

    pub(crate) fn has(&self, name: &Name) -> bool {
        self.counts.contains_key(name)
    }

    /// Different messages that came.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }
}
