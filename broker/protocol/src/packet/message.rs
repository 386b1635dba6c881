//! The properties that belong to an Application Message rather than to the packet that carries it.

use crate::properties::{Property, Writer, boolean, id};
use crate::{Cause, Malformed, TooLarge, TopicError, TopicName, UserProperties};

/// What travels with an Application Message, in PUBLISH (3.3.2.3) and in a Will (3.1.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties<'a> {
    /// Payload Format Indicator: whether the payload is said to be UTF-8.
    pub payload_is_utf8: Option<bool>,
    /// Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// Content Type.
    pub content_type: Option<&'a str>,
    /// Response Topic; never with wildcards [MQTT-3.3.2-14].
    pub response_topic: Option<&'a str>,
    /// Correlation Data.
    pub correlation_data: Option<&'a [u8]>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
}

impl<'a> MessageProperties<'a> {
    /// Takes a property that belongs to a message; gives back any other.
    pub(crate) fn accept(
        &mut self,
        property: Property<'a>,
    ) -> Result<Option<Property<'a>>, Malformed> {
        match property {
            Property::Byte(id::PAYLOAD_FORMAT, value) => {
                self.payload_is_utf8 = Some(boolean(id::PAYLOAD_FORMAT, value)?);
            }
            Property::FourBytes(id::MESSAGE_EXPIRY, value) => self.message_expiry = Some(value),
            Property::Text(id::CONTENT_TYPE, value) => self.content_type = Some(value),
            Property::Text(id::RESPONSE_TOPIC, value) => {
                topic_name(value)?;
                self.response_topic = Some(value);
            }
            Property::Binary(id::CORRELATION_DATA, value) => self.correlation_data = Some(value),
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), TooLarge> {
        writer.boolean(id::PAYLOAD_FORMAT, self.payload_is_utf8);
        writer.four_bytes(id::MESSAGE_EXPIRY, self.message_expiry);
        writer.text(id::CONTENT_TYPE, self.content_type)?;
        writer.text(id::RESPONSE_TOPIC, self.response_topic)?;
        writer.binary(id::CORRELATION_DATA, self.correlation_data)?;
        writer.user_properties(self.user_properties)
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.payload_is_utf8.is_none()
            && self.message_expiry.is_none()
            && self.content_type.is_none()
            && self.response_topic.is_none()
            && self.correlation_data.is_none()
            && self.user_properties.is_empty()
    }
}

/// A Topic Name inside a packet.
pub(crate) fn topic_name(text: &str) -> Result<(), Malformed> {
    match TopicName::new(text) {
        Ok(_) => Ok(()),
        Err(TopicError::Empty) => Err(Cause::TopicNameEmpty.into()),
        Err(TopicError::Null) => Err(Cause::StringHasNull.into()),
        // What was read from a packet is never too long, and only filters are shared.
        Err(TopicError::Wildcard | TopicError::TooLong | TopicError::Share) => {
            Err(Cause::TopicNameWildcard.into())
        }
    }
}
