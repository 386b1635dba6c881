//! What can be chosen from: limits, versions, topics, filters, and how often.

use midge_core::{Limits, OutboxPolicy, QueuePolicy, SessionOverrides};
use midge_protocol::{ProtocolVersion, QoS};

use super::{NAMES, World};
use crate::client::{Message, Opening};
use crate::random::Random;

pub(super) const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
pub(super) const TOPICS: [&str; 7] = ["a", "a/b", "a/b/c", "b", "b/b", "refused/a", "$own/a"];
const VERSIONS: [ProtocolVersion; 6] = [
    ProtocolVersion::V31,
    ProtocolVersion::V311,
    ProtocolVersion::V5,
    ProtocolVersion::V5,
    ProtocolVersion::V5,
    ProtocolVersion::V311,
];
const WILL_TOPICS: [&str; 5] = ["will/anna", "will/bert", "will/cleo", "will/dora", "will/emil"];
/// What the first clients subscribe to, and what those that share do: there, a topic can be matched by two groups, and by
/// shared and other subscriptions of one client.
const FILTERS: [&[&str]; 2] = [
    &["a", "a/b", "b", "#", "a/#", "+/b", "+", "will/+", "$own/#", "+/a", "forbidden/#"],
    &["$share/one/a/#", "$share/one/a/#", "$share/one/b", "$share/two/will/+", "$share/two/+/b", "b/b", "+/b"],
];
/// How many clients share subscriptions: the last ones.
const SHARERS: usize = 3;

/// The limits of one history: mostly generous, sometimes narrow.
pub(super) fn limits(random: &mut Random) -> Limits {
    Limits {
        in_flight_max: random.pick(&[1, 2, 3, 1024]),
        receive_maximum: random.pick(&[1, 3, 1024]),
        topic_alias_maximum: random.pick(&[0, 2]),
        topic_aliases_sent_max: random.pick(&[1, 64]),
        queued_messages_max: random.pick(&[1000, 1000, 1000, 3, 1, 0]),
        queue_policy: random.pick(&[QueuePolicy::DropOldest, QueuePolicy::DropNewest]),
        outbox_bytes_max: random.pick(&[1024 * 1024, 1024 * 1024, 1024 * 1024, 60]),
        outbox_policy: random.pick(&[OutboxPolicy::DropNewest, OutboxPolicy::Disconnect]),
        session_expiry_max: random.pick(&[u32::MAX, u32::MAX, 300]),
        ..Limits::default()
    }
}

pub(super) fn describe(limits: &Limits) -> String {
    format!(
        "{} in flight, Receive Maximum {}, aliases {} and {}, {} queued {:?}, outbox {} {:?}, sessions {} seconds",
        limits.in_flight_max,
        limits.receive_maximum,
        limits.topic_alias_maximum,
        limits.topic_aliases_sent_max,
        limits.queued_messages_max,
        limits.queue_policy,
        limits.outbox_bytes_max,
        limits.outbox_policy,
        limits.session_expiry_max,
    )
}

impl World {
    pub(super) fn opening(&mut self, who: usize) -> Opening {
        let version = self.random.pick(&VERSIONS);
        let v5 = version == ProtocolVersion::V5;
        let will = self.random.chance(40).then(|| {
            let message = self.message(WILL_TOPICS[who], false);
            (message, if v5 { self.random.pick(&[0, 0, 3, 30]) } else { 0 })
        });
        Opening {
            version,
            clean_start: self.random.chance(25),
            expiry: self.random.pick(&[None, Some(0), Some(5), Some(100), Some(5000), Some(u32::MAX)]).filter(|_| v5),
            receive_maximum: self.random.pick(&[1, 2, 20]),
            packet_bytes_max: self.random.pick(&[None, None, None, Some(30), Some(60)]),
            alias_maximum: self.random.pick(&[0, 1, 3]),
            overrides: SessionOverrides {
                inflight: self.random.pick(&[None, None, None, Some(1), Some(2)]),
                queued_messages: self.random.pick(&[None, None, None, Some(2)]),
                session_expiry: self.random.pick(&[None, None, None, Some(20)]),
                ..SessionOverrides::default()
            },
            will,
        }
    }

    pub(super) fn message(&mut self, topic: &'static str, may_clear: bool) -> Message {
        let retain = self.random.chance(25);
        let clears = retain && may_clear && self.random.chance(30);
        self.messages += 1;
        Message {
            number: if clears { 0 } else { self.messages },
            padding: if clears || self.random.chance(80) { 0 } else { self.random.pick(&[10, 25, 50, 200]) },
            topic,
            qos: self.random.pick(&QOS),
            retain,
            expiry: self.random.chance(20).then(|| self.random.pick(&[2, 20, 4000])),
        }
    }

    /// A filter of this client's kind, and its number.
    pub(super) fn filter(&mut self, who: usize) -> (usize, &'static str) {
        let filters = FILTERS[usize::from(who + SHARERS >= NAMES.len())];
        let place = self.random.below(filters.len());
        (place, filters[place])
    }
}
