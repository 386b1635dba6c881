//! The Will Message: what the broker says on behalf of a client that went without saying goodbye.

use std::sync::Arc;

use midge_protocol as protocol;
use midge_protocol::TopicName;

use crate::{Message, Properties, Time};

/// A Will as it waits in its session (3.1.2.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Will {
    /// What is published. Its expiry is not set yet: it counts from publication.
    pub message: Message,
    /// Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// Will Delay Interval in seconds; 0 publishes when the connection closes.
    pub delay: u32,
}

impl Will {
    /// The Will of a CONNECT; its Topic Name was checked when the packet was decoded.
    pub(crate) fn from_packet(will: &protocol::Will<'_>, client_id: &Arc<str>) -> Option<Self> {
        let topic = TopicName::new(will.topic).ok()?;
        let message = Message::copied(topic, will.payload)
            .with_qos(will.qos)
            .with_retain(will.retain)
            .with_publisher(Some(Arc::clone(client_id)))
            .with_properties(Properties::from(&will.properties));
        Some(Self { message, message_expiry: will.properties.message_expiry, delay: will.delay.unwrap_or(0) })
    }

    /// The message to publish `now`.
    pub(crate) fn into_message(self, now: Time) -> Message {
        self.message.with_expiry_interval(self.message_expiry, now)
    }
}
