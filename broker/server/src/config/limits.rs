//! `[limits]`: what one client may use, and all of them together. Every limit has a default and its unit in its key.

use std::time::Duration;

use midge_protocol::QoS;
use serde::{Deserialize, Serialize};

use super::machine;
use super::units::{milliseconds, seconds, size};

/// `[limits]`: the bounds the core keeps, under the core's names, and the rates the server keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Network Connections past CONNECT, all listeners together; CONNECT is refused with 0x97 beyond.
    pub connections_max: u32,
    /// Network Connections beyond that are told so at the same time; more are closed at accept.
    pub refusals_max: u32,
    /// Memory of the whole process, over three quarters of which publishers wait, and over nine tenths CONNECT is refused with 0x97;
    /// what the machine or the process's control group has unless said. 0: no limit.
    #[serde(with = "size")]
    pub memory_bytes_max: u64,
    /// Sessions, connected or not; a CONNECT that needs a new one is refused with 0x97 beyond.
    pub sessions_max: u32,
    /// Bytes of one packet from a client (Maximum Packet Size).
    #[serde(with = "size")]
    pub packet_bytes_max: u64,
    /// Bytes of a Client Identifier; longer ones are refused with 0x85.
    pub client_id_bytes_max: u16,
    /// Challenges in one exchange of enhanced authentication; one more ends the connection with 0x97.
    pub authentication_steps_max: u16,
    /// Levels of a Topic Name or Topic Filter.
    pub topic_levels_max: u16,
    /// The longest Keep Alive; zero: the client's word stands.
    #[serde(rename = "keep_alive_max_s", with = "seconds")]
    pub keep_alive_max: Duration,
    /// The longest Session Expiry Interval; 4,294,967,295 s: sessions may last for ever.
    #[serde(rename = "session_expiry_max_s", with = "seconds")]
    pub session_expiry_max: Duration,
    /// Highest `QoS` a client may publish with and a subscription is granted: 0, 1 or 2.
    pub maximum_qos: u8,
    /// Whether clients may set RETAIN.
    pub retain_available: bool,
    /// Whether a payload that claims to be UTF-8 is checked.
    pub check_payload_format: bool,
    /// QoS 1 and 2 messages an MQTT 5 client may send before they are acknowledged (Receive Maximum).
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages sent to a client and not yet acknowledged, whatever larger Receive Maximum it names.
    pub in_flight_max: u16,
    /// Topic aliases a client may define (Topic Alias Maximum); 0 forbids them.
    pub topic_alias_maximum: u16,
    /// Topic aliases the broker defines towards a client, whatever larger maximum it names.
    pub topic_aliases_sent_max: u16,
    /// Subscriptions of one session.
    pub subscriptions_max: u32,
    /// Messages that wait for one session.
    pub queued_messages_max: u32,
    /// Bytes of the messages that wait for one session.
    #[serde(with = "size")]
    pub queued_bytes_max: u64,
    /// Which message a full session queue loses.
    pub queue_policy: QueuePolicy,
    /// Bytes encoded and not yet written on one connection.
    #[serde(with = "size")]
    pub outbox_bytes_max: u64,
    /// What a client suffers that does not read while QoS 0 messages reach `outbox_bytes_max`.
    pub outbox_policy: OutboxPolicy,
    /// How long publishers wait for a client that takes nothing while more than three quarters of its queue are full; 0: not at all.
    #[serde(rename = "slow_down_max_ms", with = "milliseconds")]
    pub slow_down_max: Duration,
    /// Retained messages.
    pub retained_messages_max: u64,
    /// Bytes of all retained messages.
    #[serde(with = "size")]
    pub retained_bytes_max: u64,
    /// Deadlines and retained messages looked at in one turn of the broker's clock, a second.
    pub tick_work_max: u64,
    /// PUBLISH packets a second from one client; above it the client is read more slowly. 0: no limit.
    pub messages_per_second: u32,
    /// Bytes a second from one client; above it the client is read more slowly. 0: no limit.
    #[serde(with = "size")]
    pub bytes_per_second: u64,
    /// How long a client may take nothing of what waits for it; then it is disconnected with 0x97, and its session stays.
    #[serde(rename = "write_stall_max_s", with = "seconds")]
    pub write_stall_max: Duration,
    /// Answers of authenticators, and of authorizers, that are kept to be used again where they allow it; 0: none.
    pub answers_max: u32,
    /// The longest time an answer is used again, whatever the plugin allows; zero: it is asked every time.
    #[serde(rename = "answer_reuse_max_s", with = "seconds")]
    pub answer_reuse_max: Duration,
    /// Instances of all plugins alive at once; a call that needs one more fails.
    pub plugin_instances_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            refusals_max: 100,
            memory_bytes_max: machine::memory_bytes(),
            sessions_max: 4_000_000,
            packet_bytes_max: 1 << 20,
            client_id_bytes_max: 1024,
            authentication_steps_max: 10,
            topic_levels_max: 128,
            keep_alive_max: Duration::ZERO,
            session_expiry_max: Duration::from_secs(u32::MAX as u64),
            maximum_qos: 2,
            retain_available: true,
            check_payload_format: false,
            receive_maximum: 1024,
            in_flight_max: 1024,
            topic_alias_maximum: 64,
            topic_aliases_sent_max: 64,
            subscriptions_max: 10_000,
            queued_messages_max: 1_000,
            queued_bytes_max: 1 << 20,
            queue_policy: QueuePolicy::DropOldest,
            outbox_bytes_max: 1 << 20,
            outbox_policy: OutboxPolicy::DropNewest,
            slow_down_max: Duration::from_secs(5),
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1 << 30,
            tick_work_max: 10_000,
            messages_per_second: 0,
            bytes_per_second: 0,
            write_stall_max: Duration::from_secs(20),
            answers_max: 1_000_000,
            answer_reuse_max: Duration::from_secs(300),
            plugin_instances_max: 1000,
        }
    }
}

impl Limits {
    /// The bounds that the core keeps. Every one of them has a key, so none is left to the core's own default.
    #[must_use]
    pub fn core(&self) -> midge_core::Limits {
        midge_core::Limits {
            connections_max: self.connections_max,
            sessions_max: self.sessions_max,
            client_id_bytes_max: self.client_id_bytes_max,
            keep_alive_max: u16::try_from(self.keep_alive_max.as_secs()).unwrap_or(u16::MAX),
            session_expiry_max: u32::try_from(self.session_expiry_max.as_secs()).unwrap_or(u32::MAX),
            receive_maximum: self.receive_maximum,
            in_flight_max: self.in_flight_max,
            topic_alias_maximum: self.topic_alias_maximum,
            topic_aliases_sent_max: self.topic_aliases_sent_max,
            packet_bytes_max: u32::try_from(self.packet_bytes_max).unwrap_or(u32::MAX),
            maximum_qos: QoS::from_bits(self.maximum_qos).unwrap_or(QoS::ExactlyOnce),
            retain_available: self.retain_available,
            check_payload_format: self.check_payload_format,
            topic_levels_max: self.topic_levels_max,
            subscriptions_max: self.subscriptions_max,
            queued_messages_max: self.queued_messages_max,
            queued_bytes_max: self.queued_bytes_max,
            queue_policy: match self.queue_policy {
                QueuePolicy::DropOldest => midge_core::QueuePolicy::DropOldest,
                QueuePolicy::DropNewest => midge_core::QueuePolicy::DropNewest,
                QueuePolicy::Refuse => midge_core::QueuePolicy::Refuse,
            },
            outbox_bytes_max: size_of_memory(self.outbox_bytes_max),
            outbox_policy: match self.outbox_policy {
                OutboxPolicy::DropNewest => midge_core::OutboxPolicy::DropNewest,
                OutboxPolicy::Disconnect => midge_core::OutboxPolicy::Disconnect,
            },
            slow_down_max: self.slow_down_max,
            retained_messages_max: size_of_memory(self.retained_messages_max),
            retained_bytes_max: size_of_memory(self.retained_bytes_max),
            tick_work_max: size_of_memory(self.tick_work_max),
        }
    }
}

/// A bound that this machine could not reach is as good as its largest.
fn size_of_memory(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Which message a full session queue loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueuePolicy {
    /// The one that waited longest makes room.
    #[default]
    DropOldest,
    /// The one that just came is not taken.
    DropNewest,
    /// Its publisher is told 0x97 (Quota exceeded), and nobody gets it; version 3 is disconnected instead.
    Refuse,
}

/// What a client suffers whose outbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboxPolicy {
    /// QoS 0 messages for it are dropped and counted.
    #[default]
    DropNewest,
    /// It is disconnected with 0x97 (Quota exceeded); its session stays.
    Disconnect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_said_otherwise_the_core_keeps_its_own_defaults() {
        assert_eq!(Limits::default().core(), midge_core::Limits::default());
    }
}
