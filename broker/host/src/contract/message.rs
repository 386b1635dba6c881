//! Messages, what plugins do with them, and events.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{DenialCause, QoS, UserProperty};
use crate::Identity;

/// An Application Message. Cloning it copies no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic Name.
    pub topic: Arc<str>,
    /// Payload.
    pub payload: Bytes,
    /// QoS it was published with.
    pub qos: QoS,
    /// RETAIN of the PUBLISH.
    pub retain: bool,
    /// Payload Format Indicator 1.
    pub payload_is_utf8: bool,
    /// Seconds left to live.
    pub message_expiry: Option<u32>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Bytes>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
}

impl Message {
    /// A message without properties.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, payload: impl Into<Bytes>, qos: QoS, retain: bool) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain,
            payload_is_utf8: false,
            message_expiry: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        }
    }
}

/// A message on its way in, with who sent it.
#[derive(Clone, Debug)]
pub struct InboundMessage {
    /// The publisher. `None` for messages the broker or a plugin made: identity id 0 and an empty client id.
    pub who: Option<Arc<Identity>>,
    /// Unix milliseconds.
    pub received_at: u64,
    /// The message.
    pub message: Message,
}

/// What a plugin wants done with one inbound message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Route it as it is.
    Keep,
    /// Route these instead, in this order; acknowledge the original as received. Empty = drop it.
    Replace(Vec<Message>),
    /// Do not route it; the code goes into the acknowledgement.
    Refuse(Refusal),
}

/// A refusal, as the client will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// MQTT 5 Reason Code.
    pub code: u8,
    /// Text for the client's Reason String and the log.
    pub reason: Option<String>,
    /// The plugin that refused or failed.
    pub plugin: Option<Arc<str>>,
    /// Whether it refused, or how it failed. For the log, never for the client.
    pub cause: DenialCause,
    /// How long it took to come to this.
    pub took: Duration,
}

/// One message handed to a sink.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Grows by one per message of this sink.
    pub sequence: u64,
    /// 0 on the first try.
    pub attempt: u32,
    /// The message.
    pub inbound: InboundMessage,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Done,
    /// Try again no sooner than this many milliseconds.
    Retry(u32),
    /// Never try again, for this reason.
    Reject(String),
}

/// Something that happened in the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `client.connected`, `client.disconnected`, `authn.denied`, `message.dropped`, `events.lost` …
    pub kind: std::borrow::Cow<'static, str>,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The client it is about.
    pub client_id: Option<String>,
    /// The principal it is about, where somebody vouched for one.
    pub principal: Option<String>,
    /// The topic it is about.
    pub topic: Option<String>,
    /// MQTT 5 Reason Code.
    pub reason_code: Option<u8>,
    /// Equal events folded into this one; at least 1.
    pub count: u32,
    /// Kind-specific facts as a JSON object, empty when none.
    pub detail: String,
}
