//! `[limits]`: what one client may use, and all of them together. Every limit has a default and its unit in its key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{milliseconds, seconds, size};

/// `[limits]`. A rate of 0 is no limit; no other limit can be switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Network Connections open at once, all listeners together.
    pub connections_max: u32,
    /// Sessions, connected or not.
    pub sessions_max: u32,
    /// Maximum Packet Size: the largest packet accepted from a client.
    #[serde(with = "size")]
    pub packet_bytes_max: u64,
    /// The longest Client Identifier accepted.
    #[serde(with = "size")]
    pub client_id_bytes_max: u64,
    /// The most levels in a Topic Name or Topic Filter.
    pub topic_levels_max: u16,
    /// Topic Alias Maximum told to MQTT 5 clients.
    pub topic_aliases_max: u16,
    /// Receive Maximum told to MQTT 5 clients: QoS 1 and 2 publications of a client in progress.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages sent to a client and not acknowledged by it, where it asks for more.
    pub in_flight_max: u16,
    /// Keep Alive of a client that asks for more, or for none; 0: clients may have none.
    #[serde(rename = "keep_alive_max_s", with = "seconds")]
    pub keep_alive_max: Duration,
    /// Session Expiry Interval of a client that asks for more, and of MQTT 3 clients with `clean session = 0`.
    #[serde(rename = "session_expiry_max_s", with = "seconds")]
    pub session_expiry_max: Duration,
    /// Subscriptions of one session.
    pub subscriptions_per_session_max: u32,
    /// QoS 1 and 2 messages waiting for one session.
    pub queued_messages_max: u32,
    /// Their bytes, topics and properties included.
    #[serde(with = "size")]
    pub queued_bytes_max: u64,
    /// What happens to one more.
    pub queue_full: QueueFull,
    /// Bytes of QoS 0 waiting for one connection; a message above it is dropped for that connection and counted.
    #[serde(with = "size")]
    pub outbox_bytes_max: u64,
    /// Retained messages.
    pub retained_messages_max: u32,
    /// Their bytes, topics and properties included.
    #[serde(with = "size")]
    pub retained_bytes_max: u64,
    /// Bytes of everything queued and retained; above three quarters publishers wait, above it CONNECT is refused.
    #[serde(with = "size")]
    pub memory_bytes_max: u64,
    /// How long an acknowledgement may be delayed to slow down a publisher of full queues.
    #[serde(rename = "publisher_delay_max_ms", with = "milliseconds")]
    pub publisher_delay_max: Duration,
    /// A client that takes no byte for this long while bytes wait is disconnected; its session stays.
    #[serde(rename = "write_stall_max_s", with = "seconds")]
    pub write_stall_max: Duration,
    /// Messages a second from one client; above it the broker reads more slowly.
    pub messages_per_second: u32,
    /// Bytes a second from one client; above it the broker reads more slowly.
    #[serde(with = "size")]
    pub bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            sessions_max: 1_000_000,
            packet_bytes_max: 1 << 20,
            client_id_bytes_max: 1024,
            topic_levels_max: 128,
            topic_aliases_max: 32,
            receive_maximum: 1024,
            in_flight_max: 1024,
            keep_alive_max: Duration::ZERO,
            session_expiry_max: Duration::from_secs(7 * 24 * 3600),
            subscriptions_per_session_max: 10_000,
            queued_messages_max: 1_000,
            queued_bytes_max: 1 << 20,
            queue_full: QueueFull::DropOldest,
            outbox_bytes_max: 1 << 20,
            retained_messages_max: 1_000_000,
            retained_bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            publisher_delay_max: Duration::from_secs(5),
            write_stall_max: Duration::from_secs(20),
            messages_per_second: 0,
            bytes_per_second: 0,
        }
    }
}

/// What happens to a message for a session whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueFull {
    /// The oldest waiting message makes room; it is counted and named.
    #[default]
    DropOldest,
    /// The new message is not queued; it is counted and named.
    DropNewest,
}
