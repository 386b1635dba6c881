//! The `$SYS/broker/…` topics: retained messages that say how the broker is, under the names that mosquitto uses and
//! that dashboards know.
//!
//! Two differences from mosquitto: `messages/received` and `messages/sent` count PUBLISH packets, as
//! `publish/messages/…` does, and not packets of every kind; and a topic is published when its value has changed, with
//! the retained message for everybody who comes later.

mod load;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use midge_core::{Effects, Message, Origin, Statistics};
use midge_protocol::TopicName;
use tokio::time::{MissedTickBehavior, interval};

use crate::node::Node;
use load::Loads;

/// Publishes them every `every`, for as long as the runtime lives; zero: never.
pub(crate) async fn publish(node: Arc<Node>, every: Duration) {
    if every.is_zero() {
        return;
    }
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut topics = Topics::default();
    let mut effects = Effects::new();
    loop {
        ticks.tick().await;
        let (bytes_received, bytes_sent) = node.metrics.bytes();
        let sample =
            Sample { statistics: node.broker.statistics(), bytes_received, bytes_sent, uptime: node.clock.uptime() };
        let now = node.clock.now();
        for (topic, value) in topics.changes(&sample) {
            if let Ok(topic) = TopicName::new(&topic) {
                let message = Message::new(topic, value).with_retain(true);
                node.broker.publish_from(Origin::System, message, now, &mut effects);
            }
        }
        node.conclude(&mut effects, now);
    }
}

/// What the topics are made of at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    statistics: Statistics,
    bytes_received: u64,
    bytes_sent: u64,
    uptime: Duration,
}

/// What has been published, and what rates and maxima need to remember.
#[derive(Debug, Default)]
struct Topics {
    published: HashMap<String, String>,
    connected_max: u64,
    loads: Loads,
}

impl Topics {
    /// The topics that have another value than when they were last asked for.
    fn changes(&mut self, sample: &Sample) -> Vec<(String, String)> {
        self.connected_max = self.connected_max.max(sample.statistics.connections);
        let mut changes = Vec::new();
        let values = values(sample, self.connected_max).into_iter().map(|(name, value)| (name.to_owned(), value));
        for (name, value) in values.chain(self.loads.update(sample)) {
            let topic = format!("$SYS/broker/{name}");
            if self.published.get(&topic) != Some(&value) {
                self.published.insert(topic.clone(), value.clone());
                changes.push((topic, value));
            }
        }
        changes
    }
}

fn values(sample: &Sample, connected_max: u64) -> Vec<(&'static str, String)> {
    let now = &sample.statistics;
    let numbers = [
        ("clients/connected", now.connections),
        ("clients/active", now.connections),
        ("clients/disconnected", now.sessions.saturating_sub(now.connections)),
        ("clients/inactive", now.sessions.saturating_sub(now.connections)),
        ("clients/total", now.sessions),
        ("clients/maximum", connected_max),
        ("clients/expired", now.sessions_expired),
        ("messages/received", received(now)),
        ("messages/sent", sent(now)),
        ("messages/stored", now.retained_messages + now.queued_messages),
        ("messages/inflight", now.in_flight),
        ("publish/messages/received", received(now)),
        ("publish/messages/sent", sent(now)),
        ("publish/messages/dropped", now.messages_dropped()),
        ("publish/bytes/received", now.payload_bytes_received),
        ("publish/bytes/sent", now.payload_bytes_sent),
        ("bytes/received", sample.bytes_received),
        ("bytes/sent", sample.bytes_sent),
        ("store/messages/count", now.retained_messages + now.queued_messages),
        ("store/messages/bytes", now.retained_bytes + now.queued_bytes),
        ("retained messages/count", now.retained_messages),
        ("subscriptions/count", now.subscriptions),
        ("shared_subscriptions/count", now.shared_subscriptions),
    ];
    let texts = [
        ("version", concat!("midge version ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("uptime", format!("{} seconds", sample.uptime.as_secs())),
    ];
    texts.into_iter().chain(numbers.map(|(name, value)| (name, value.to_string()))).collect()
}

fn received(now: &Statistics) -> u64 {
    now.messages_received_qos0 + now.messages_received_qos1 + now.messages_received_qos2
}

fn sent(now: &Statistics) -> u64 {
    now.messages_sent_qos0 + now.messages_sent_qos1 + now.messages_sent_qos2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(connections: u64, received: u64, seconds: u64) -> Sample {
        let statistics =
            Statistics { connections, sessions: 5, messages_received_qos1: received, ..Statistics::default() };
        Sample { statistics, uptime: Duration::from_secs(seconds), ..Sample::default() }
    }

    fn find(changes: &[(String, String)], name: &str) -> Option<String> {
        changes.iter().find(|(topic, _)| topic == &format!("$SYS/broker/{name}")).map(|(_, value)| value.clone())
    }

    #[test]
    fn every_topic_has_its_mosquitto_name() {
        let changes = Topics::default().changes(&sample(2, 7, 61));
        assert_eq!(find(&changes, "clients/connected").as_deref(), Some("2"));
        assert_eq!(find(&changes, "clients/disconnected").as_deref(), Some("3"));
        assert_eq!(find(&changes, "publish/messages/received").as_deref(), Some("7"));
        assert_eq!(find(&changes, "uptime").as_deref(), Some("61 seconds"));
        assert_eq!(find(&changes, "retained messages/count").as_deref(), Some("0"));
        assert_eq!(find(&changes, "load/messages/received/15min").as_deref(), Some("0.00"));
        assert!(changes.iter().all(|(topic, _)| TopicName::new(topic).is_ok()));
    }

    #[test]
    fn a_topic_is_published_again_only_when_it_has_changed() {
        let mut topics = Topics::default();
        topics.changes(&sample(4, 0, 0));
        let changes = topics.changes(&sample(3, 0, 10));
        assert_eq!(find(&changes, "clients/connected").as_deref(), Some("3"));
        assert_eq!(find(&changes, "clients/maximum"), None, "the maximum stays");
        assert_eq!(find(&changes, "version"), None);
    }
}
