//! Every bound the core keeps, with its default and unit.

use std::time::Duration;

use midge_protocol::QoS;

/// The bounds of one broker. Everything a client can make grow has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Network Connections past CONNECT at the same time; CONNECT is refused with 0x97 beyond. Default 1,000,000.
    pub connections_max: u32,
    /// Sessions, connected or not; a CONNECT that needs a new one is refused with 0x97 beyond. Default 4,000,000.
    pub sessions_max: u32,
    /// Bytes of a Client Identifier; longer ones are refused with 0x85. Default 1024.
    pub client_id_bytes_max: u16,
    /// Longest Keep Alive in seconds, told to version 5 clients as Server Keep Alive; 0: the client's word stands. Default 0.
    pub keep_alive_max: u16,
    /// Longest Session Expiry Interval in seconds; `u32::MAX`: sessions may last for ever. Default `u32::MAX`.
    pub session_expiry_max: u32,
    /// QoS 1 and 2 messages a version 5 client may send before they are acknowledged (our Receive Maximum). Default 1024.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages sent to one client and not yet acknowledged, whatever larger Receive Maximum it names. Default 1024.
    pub in_flight_max: u16,
    /// Topic aliases a client may define (our Topic Alias Maximum); 0 forbids them. Default 64.
    pub topic_alias_maximum: u16,
    /// Topic aliases we define towards a client, whatever larger Topic Alias Maximum it names. Default 64.
    pub topic_aliases_sent_max: u16,
    /// Bytes of one packet from a client (our Maximum Packet Size). Default 1 MiB.
    pub packet_bytes_max: u32,
    /// Highest `QoS` a client may publish with, and the highest a subscription is granted. Default `ExactlyOnce`.
    pub maximum_qos: QoS,
    /// Whether clients may set RETAIN. Default true.
    pub retain_available: bool,
    /// Whether a payload that claims to be UTF-8 is checked, and refused with 0x99 if it is not. Default false.
    pub check_payload_format: bool,
    /// Levels of a Topic Name or Topic Filter; deeper ones are refused with 0x90 or 0x8F. Default 128.
    pub topic_levels_max: u16,
    /// Subscriptions of one session; more are refused with 0x97. Default 10,000.
    pub subscriptions_max: u32,
    /// Messages that wait for one session. Default 1000.
    pub queued_messages_max: u32,
    /// Bytes of the messages that wait for one session. Default 1 MiB.
    pub queued_bytes_max: u64,
    /// What becomes of a message when a session's queue is full. Default: the oldest is dropped.
    pub queue_policy: QueuePolicy,
    /// Bytes encoded and not yet written on one connection; QoS 0 is dropped beyond, QoS 1 and 2 wait in the queue. Default 1 MiB.
    pub outbox_bytes_max: usize,
    /// What happens to a client that does not read while QoS 0 messages reach `outbox_bytes_max`. Default: the newest is dropped.
    pub outbox_policy: OutboxPolicy,
    /// How long publishers are slowed down for a client that takes nothing while more than three quarters of its queue or outbox
    /// are full; zero: not at all. Default 5 s.
    pub slow_down_max: Duration,
    /// Retained messages; a new topic is refused with 0x97 beyond. Default 1,000,000.
    pub retained_messages_max: usize,
    /// Bytes of all retained messages; a new one is refused with 0x97 beyond. Default 1 GiB.
    pub retained_bytes_max: usize,
    /// Deadlines and retained messages looked at by one [`Broker::tick`](crate::Broker::tick). Default 10,000.
    pub tick_work_max: usize,
}

/// What a full session queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The one that waited longest makes room.
    DropOldest,
    /// The one that just came is not taken.
    DropNewest,
    /// Its publisher is told 0x97, and nobody gets it; version 3, which cannot be told, is disconnected. What has no publisher to
    /// be told, such as a Will, is not taken, as with `DropNewest`.
    Refuse,
}

/// What a client suffers whose outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxPolicy {
    /// QoS 0 messages for it are dropped and counted.
    DropNewest,
    /// It is disconnected with 0x97 (Quota exceeded); its session stays.
    Disconnect,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            sessions_max: 4_000_000,
            client_id_bytes_max: 1024,
            keep_alive_max: 0,
            session_expiry_max: u32::MAX,
            receive_maximum: 1024,
            in_flight_max: 1024,
            topic_alias_maximum: 64,
            topic_aliases_sent_max: 64,
            packet_bytes_max: 1024 * 1024,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            check_payload_format: false,
            topic_levels_max: 128,
            subscriptions_max: 10_000,
            queued_messages_max: 1000,
            queued_bytes_max: 1024 * 1024,
            queue_policy: QueuePolicy::DropOldest,
            outbox_bytes_max: 1024 * 1024,
            outbox_policy: OutboxPolicy::DropNewest,
            slow_down_max: Duration::from_secs(5),
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1024 * 1024 * 1024,
            tick_work_max: 10_000,
        }
    }
}

impl Limits {
    /// Whether clients may publish to this topic at all: `$...` is the broker's own [MQTT-4.7.2-1], and depth is bounded.
    pub(crate) fn may_publish(&self, topic: &str) -> bool {
        !topic.starts_with('$') && self.allows_depth(topic)
    }

    /// Whether a Topic Name or Topic Filter has no more levels than allowed.
    pub(crate) fn allows_depth(&self, levels: &str) -> bool {
        levels.bytes().filter(|&byte| byte == b'/').count() < usize::from(self.topic_levels_max)
    }
}
