//! Which messages there are, and what one client received of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use midge_protocol::QoS;

/// One message: everything about it follows from this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) publisher: u32,
    pub(crate) topic: u32,
    pub(crate) qos: u8,
    /// Counts the messages of the publisher.
    pub(crate) number: u64,
}

/// The topics of a publisher, by what is special about them. Order on a topic is promised for each QoS only, so what depends
/// on order has one QoS.
pub(crate) mod topic {
    /// Retained, QoS 1.
    pub(crate) const RETAINED_1: u32 = 0;
    /// Retained, QoS 2.
    pub(crate) const RETAINED_2: u32 = 1;
    /// Nobody but the members of a shared subscription gets these.
    pub(crate) const SHARED: u32 = 2;
    /// They expire, QoS 1.
    pub(crate) const EXPIRING: u32 = 3;
    /// How many topics a publisher has; there is nothing special about the rest.
    pub(crate) const COUNT: u32 = 6;
    /// Wills.
    pub(crate) const WILL: u32 = 9;
}

/// Message Expiry Interval of messages that expire.
pub(crate) const EXPIRY_S: u32 = 2;
/// How much later than that they may come: the broker's clock counts seconds, and machines are busy.
const EXPIRY_SLACK: Duration = Duration::from_millis(1500);

impl Name {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(' ');
        let name = Self {
            publisher: parts.next()?.parse().ok()?,
            topic: parts.next()?.parse().ok()?,
            qos: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(name)
    }

    /// What travels in Correlation Data.
    pub(crate) fn text(self) -> String {
        format!("{} {} {} {}", self.publisher, self.topic, self.qos, self.number)
    }

    /// Long now and then; empty where a retained message is cleared.
    pub(crate) fn payload(self) -> Vec<u8> {
        if self.is_retained() && self.number % 4 == 3 {
            return Vec::new();
        }
        let length = if self.number.is_multiple_of(16) { 6000 } else { 20 + self.number % 300 };
        self.text().bytes().cycle().take(usize::try_from(length).unwrap_or(0)).collect()
    }

    pub(crate) fn topic_name(self) -> String {
        let kind = if self.topic == topic::SHARED { "shared" } else { "crash" };
        format!("{kind}/{}/{}", self.publisher, self.topic)
    }

    pub(crate) fn is_retained(self) -> bool {
        [topic::RETAINED_1, topic::RETAINED_2].contains(&self.topic)
    }

    pub(crate) fn expires(self) -> bool {
        self.topic == topic::EXPIRING
    }

    pub(crate) fn qos(self) -> QoS {
        QoS::from_bits(self.qos).expect("a name is made with a QoS")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {} on {} at QoS {}", self.number, self.publisher, self.topic_name(), self.qos)
    }
}

/// What one subscriber received since everything was last settled.
#[derive(Default)]
pub(crate) struct Received {
    counts: BTreeMap<Name, u32>,
    /// The last number of each publisher, topic and QoS.
    latest: BTreeMap<(u32, u32, u8), u64>,
    /// The last number of each publisher that was settled: what comes again of these comes twice.
    settled: BTreeMap<u32, u64>,
    /// A member of a shared subscription gets what others left, in any order.
    is_shared: bool,
    total: usize,
    pub(crate) wrong: Vec<Wrong>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    /// The message it is about.
    pub(crate) name: Option<Name>,
    /// The client it is about.
    pub(crate) client: String,
}

impl Received {
    pub(crate) fn new(is_shared: bool) -> Self {
        Self { is_shared, ..Self::default() }
    }

    pub(crate) fn take(&mut self, client: &str, name: Name) {
        let count = self.counts.entry(name).or_default();
        *count += 1;
        let again = *count > 1 || self.settled.get(&name.publisher).is_some_and(|number| name.number <= *number);
        let mut wrong = |what: String| {
            self.wrong.push(Wrong { what, name: Some(name), client: client.to_owned() });
        };
        if again {
            if name.qos == 2 {
                wrong(format!("{client}: {name:?} came again"));
            }
            return;
        }
        self.total += 1;
        let latest = self.latest.entry((name.publisher, name.topic, name.qos)).or_default();
        if name.number < *latest && !self.is_shared {
            wrong(format!("{client}: {name:?} came after {latest}"));
        }
        *latest = (*latest).max(name.number);
    }

    /// A message that expires came, sent so long ago for the first time.
    pub(crate) fn take_expiring(&mut self, client: &str, name: Name, age: Duration, left: Option<u32>) {
        if age > Duration::from_secs(EXPIRY_S.into()) + EXPIRY_SLACK || left.is_none_or(|left| left > EXPIRY_S) {
            let what = format!("{client}: {name:?} is {age:.1?} old and still has {left:?} s of {EXPIRY_S}");
            self.wrong.push(Wrong { what, name: Some(name), client: client.to_owned() });
        }
    }

    pub(crate) fn has(&self, name: &Name) -> bool {
        self.counts.contains_key(name)
    }

    pub(crate) fn names(&self) -> BTreeSet<Name> {
        self.counts.keys().copied().collect()
    }

    /// Everything up to these numbers was checked.
    pub(crate) fn settle(&mut self, numbers: &BTreeMap<u32, u64>) {
        // A Will that nobody was sure of may come in any later round.
        self.counts.retain(|name, _| name.topic == topic::WILL);
        self.settled.clone_from(numbers);
    }

    /// Different messages that ever came.
    pub(crate) fn total(&self) -> usize {
        self.total
    }
}
