//! The properties that belong to an Application Message rather than to the packet that carries it.

use crate::properties::{Property, Writer, boolean, id};
use crate::{Cause, Malformed, TooLarge, TopicName, UserProperties};

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
    pub(crate) fn accept(&mut self, property: Property<'a>) -> Result<Option<Property<'a>>, Malformed> {
        match property {
            Property::Byte(id::PAYLOAD_FORMAT, value) => {
                self.payload_is_utf8 = Some(boolean(id::PAYLOAD_FORMAT, value)?);
            }
            Property::FourBytes(id::MESSAGE_EXPIRY, value) => self.message_expiry = Some(value),
            Property::Text(id::CONTENT_TYPE, value) => self.content_type = Some(value),
            Property::Text(id::RESPONSE_TOPIC, value) => {
                self.response_topic = Some(response_topic(value)?);
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

    /// Whether no text and no binary is longer than a packet can hold.
    pub(crate) fn fit(&self) -> bool {
        self.lengths().all(|length| length <= usize::from(u16::MAX))
    }

    /// The lengths of the texts and binary data that are there; User Properties always fit.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        let lengths = [
            self.content_type.map(str::len),
            self.response_topic.map(str::len),
            self.correlation_data.map(<[u8]>::len),
        ];
        lengths.into_iter().flatten()
    }

    /// How many bytes [`Self::write`] appends.
    pub(crate) fn encoded_length(&self) -> usize {
        // Each has an identifier in front; texts and binary data also their length in two bytes.
        let format = if self.payload_is_utf8.is_some() { 2 } else { 0 };
        let expiry = if self.message_expiry.is_some() { 5 } else { 0 };
        self.lengths()
            .map(|length| length.saturating_add(3))
            .chain([format, expiry])
            .fold(0, usize::saturating_add)
            .saturating_add(self.user_properties.encoded_length())
    }
}

/// A Response Topic is a Topic Name.
fn response_topic(text: &str) -> Result<&str, Malformed> {
    if text.is_empty() {
        Err(Cause::TopicNameEmpty.into())
    } else if TopicName::new(text).is_err() {
        // What was read as a string is neither too long nor has a U+0000.
        Err(Cause::TopicNameWildcard.into())
    } else {
        Ok(text)
    }
}
