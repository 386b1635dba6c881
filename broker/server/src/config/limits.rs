//! `[limits]`: what one client may use, and all of them together. Every limit has a default and its unit in its key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{seconds, size};

/// `[limits]`: the bounds the core keeps, under the core's names, and the rates the server keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Network Connections past CONNECT, all listeners together; CONNECT is refused with 0x97 beyond.
    pub connections_max: u32,
    /// Sessions, connected or not; a CONNECT that needs a new one is refused with 0x97 beyond.
    pub sessions_max: u32,
    /// Bytes of one packet from a client (Maximum Packet Size).
    #[serde(with = "size")]
    pub packet_bytes_max: u64,
    /// Bytes of a Client Identifier; longer ones are refused with 0x85.
    pub client_id_bytes_max: u16,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            sessions_max: 4_000_000,
            packet_bytes_max: 1 << 20,
            client_id_bytes_max: 1024,
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
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1 << 30,
            tick_work_max: 10_000,
            messages_per_second: 0,
            bytes_per_second: 0,
        }
    }
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
