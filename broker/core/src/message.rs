//! The Application Message: what is left of a PUBLISH once it no longer belongs to a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use midge_protocol::{MessageProperties, QoS, TopicName, UserPropertiesBuf};

use crate::Time;
use crate::store::BodyId;

/// An Application Message the broker holds on to: retained, queued, in flight, or made inside the broker.
///
/// One `Arc<Message>` serves every session that waits for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    topic: Box<str>,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    expires_at: Option<Time>,
    /// The Message Expiry Interval it came with: it only ever shrinks.
    expiry_max: u32,
    publisher: Option<Arc<str>>,
    properties: Option<Box<Properties>>,
    body: BodyCell,
}

impl Message {
    /// A QoS 0 message that is not retained and has no properties.
    #[must_use]
    pub fn new(topic: TopicName<'_>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.as_str().into(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            expires_at: None,
            expiry_max: u32::MAX,
            publisher: None,
            properties: None,
            body: BodyCell::default(),
        }
    }

    /// The same message with another `QoS`.
    #[must_use]
    pub fn with_qos(self, qos: QoS) -> Self {
        Self { qos, ..self }
    }

    /// The same message with RETAIN set or not.
    #[must_use]
    pub fn with_retain(self, retain: bool) -> Self {
        Self { retain, ..self }
    }

    /// The same message, worthless from `expires_at` on.
    #[must_use]
    pub fn with_expiry(self, expires_at: Option<Time>) -> Self {
        Self { expires_at, ..self }
    }

    /// The same message, worthless so many seconds after `received`. Whoever sends it may have looked at the clock a moment
    /// earlier than that, and says no more than this all the same [MQTT-3.3.2-6].
    #[must_use]
    pub fn with_expiry_interval(self, seconds: Option<u32>, received: Time) -> Self {
        let expires_at = seconds.map(|seconds| received.after_seconds(seconds));
        Self { expires_at, expiry_max: seconds.unwrap_or(u32::MAX), ..self }
    }

    /// The same message, known to come from the client with this Client Identifier, which No Local compares.
    #[must_use]
    pub fn with_publisher(self, publisher: Option<Arc<str>>) -> Self {
        Self { publisher, ..self }
    }

    /// The same message with these properties.
    #[must_use]
    pub fn with_properties(self, properties: Properties) -> Self {
        let properties = (!properties.is_empty()).then(|| Box::new(properties));
        Self { properties, ..self }
    }

    /// The Topic Name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The payload; empty clears a retained message.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The `QoS` it was published with.
    #[must_use]
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// Whether it was published with RETAIN set.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// When its Message Expiry Interval is over, if it has one.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        self.expires_at
    }

    /// Whether its Message Expiry Interval is over.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|deadline| deadline <= now)
    }

    /// The Client Identifier it came from; none for what the broker itself says.
    #[must_use]
    pub fn publisher(&self) -> Option<&Arc<str>> {
        self.publisher.as_ref()
    }

    /// The properties that travel with it; none if it has none.
    #[must_use]
    pub fn properties(&self) -> Option<&Properties> {
        self.properties.as_deref()
    }

    /// Roughly the bytes it occupies: what queue and retained limits count.
    #[must_use]
    pub fn weight(&self) -> usize {
        const OVERHEAD: usize = size_of::<Message>() + 16;
        let properties = self.properties.as_ref().map_or(0, |properties| properties.weight());
        OVERHEAD + self.topic.len() + self.payload.len() + properties
    }

    /// The same message, as the store calls it.
    pub(crate) fn named(self, body: BodyId) -> Self {
        self.body.0.store(body.0, Ordering::Relaxed);
        self
    }

    /// What the store calls its body, if it has been named.
    pub(crate) fn named_body(&self) -> Option<BodyId> {
        Some(self.body.0.load(Ordering::Relaxed)).filter(|&name| name != 0).map(BodyId)
    }

    /// What the store calls its body; the first call names it.
    pub(crate) fn body(&self, name: impl FnOnce() -> u64) -> BodyId {
        let named = self.body.0.load(Ordering::Relaxed);
        if named != 0 {
            return BodyId(named);
        }
        let name = name();
        match self.body.0.compare_exchange(0, name, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => BodyId(name),
            Err(named) => BodyId(named),
        }
    }

    /// Its properties as a packet carries them, the expiry interval being what is left of it `now` [MQTT-3.3.2-6].
    pub(crate) fn wire_properties(&self, now: Time) -> MessageProperties<'_> {
        let mut wire =
            self.properties.as_ref().map_or_else(MessageProperties::default, |properties| properties.as_wire());
        wire.message_expiry = self.expires_at.map(|deadline| now.seconds_until(deadline).min(self.expiry_max));
        wire
    }
}

/// The name of a message's body, 0 until the store needs one. A copy is another body.
#[derive(Debug, Default)]
struct BodyCell(AtomicU64);

impl Clone for BodyCell {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for BodyCell {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The properties of an Application Message that travel with it unaltered, but for its expiry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// Payload Format Indicator.
    pub payload_is_utf8: Option<bool>,
    /// Content Type.
    pub content_type: Option<Box<str>>,
    /// Response Topic.
    pub response_topic: Option<Box<str>>,
    /// Correlation Data.
    pub correlation_data: Option<Box<[u8]>>,
    /// User Properties, in their order [MQTT-3.3.2-18].
    pub user_properties: UserPropertiesBuf,
}

impl Properties {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload_is_utf8.is_none()
            && self.content_type.is_none()
            && self.response_topic.is_none()
            && self.correlation_data.is_none()
            && self.user_properties.as_ref().is_empty()
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.content_type.as_ref().map_or(0, |text| text.len())
            + self.response_topic.as_ref().map_or(0, |text| text.len())
            + self.correlation_data.as_ref().map_or(0, |data| data.len())
            + self.user_properties.as_ref().iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }

    /// The same properties, borrowed, but for the Message Expiry Interval.
    #[must_use]
    pub fn as_wire(&self) -> MessageProperties<'_> {
        MessageProperties {
            payload_is_utf8: self.payload_is_utf8,
            message_expiry: None,
            content_type: self.content_type.as_deref(),
            response_topic: self.response_topic.as_deref(),
            correlation_data: self.correlation_data.as_deref(),
            user_properties: self.user_properties.as_ref(),
        }
    }
}

impl From<&MessageProperties<'_>> for Properties {
    fn from(wire: &MessageProperties<'_>) -> Self {
        Self {
            payload_is_utf8: wire.payload_is_utf8,
            content_type: wire.content_type.map(Into::into),
            response_topic: wire.response_topic.map(Into::into),
            correlation_data: wire.correlation_data.map(Into::into),
            user_properties: wire.user_properties.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// [MQTT-3.3.2-6]
    #[test]
    fn a_message_never_has_longer_to_live_than_it_came_with() {
        let message = Message::new(TopicName::new("t").unwrap(), "x").with_expiry_interval(Some(2), Time(10_001));
        let left = |now| message.wire_properties(Time(now)).message_expiry;
        assert_eq!(left(10_000), Some(2), "by a clock that was read a moment earlier");
        assert_eq!(left(11_001), Some(1));
    }
}
