//! What travels with an Application Message besides its topic and its payload.

use midge_protocol::{MessageProperties, UserPropertiesBuf};

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

    /// Roughly the bytes they occupy.
    pub(super) fn weight(&self) -> usize {
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
