//! What a client publishes, once its connection has let it through.

use std::ops::Deref;
use std::sync::Arc;

use midge_protocol::{ProtocolVersion, Publish, TopicName};

use super::encoded::Encoded;
use crate::{Message, Properties, Time};

/// A PUBLISH that needs its connection no more.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// The Topic Name, an alias resolved.
    pub topic: Topic<'a>,
    /// The rest of the packet. Its own topic is empty where it has a Topic Alias.
    pub publish: &'a Publish<'a>,
    /// A QoS 2 message that was routed before: acknowledge it, do not decide on it or route it again [MQTT-4.3.3-10].
    pub repeated: bool,
    /// The packet it came in, where copies of that can be sent on.
    pub(crate) encoded: Option<Encoded<'a>>,
}

/// A Topic Name of a PUBLISH: as it stood in the packet, or what its alias stands for.
#[derive(Clone, Debug)]
pub enum Topic<'a> {
    /// In the read buffer.
    Borrowed(&'a str),
    /// From the connection's aliases.
    Alias(Arc<str>),
}

impl<'a> Inbound<'a> {
    /// A PUBLISH with its topic resolved, as one not seen before: for a packet that was let through by
    /// [`Connection::receive`](super::Connection::receive) and is decoded once more.
    #[inline(always)]
    #[must_use]
    pub fn from_publish(topic: Topic<'a>, publish: &'a Publish<'a>) -> Self {
        Self { topic, publish, repeated: false, encoded: None }
    }

    /// Remembers the bytes of its packet: whoever gets the message in that form is sent a copy of them.
    #[inline]
    pub fn keep_encoded(&mut self, packet: &'a [u8], version: ProtocolVersion) {
        self.encoded = match self.topic {
            Topic::Borrowed(topic) => Encoded::new(packet, version, topic, self.publish.packet_id),
            Topic::Alias(_) => None,
        };
    }

    /// The message as one that outlives the read buffer, received `now` from this client.
    #[must_use]
    pub fn to_message(&self, publisher: Option<Arc<str>>, now: Time) -> Option<Message> {
        let topic = TopicName::new(&self.topic).ok()?;
        let message = Message::copied(topic, self.publish.payload)
            .with_qos(self.publish.qos)
            .with_retain(self.publish.retain)
            .with_expiry_interval(self.publish.properties.message_expiry, now)
            .with_publisher(publisher)
            .with_properties(Properties::from(&self.publish.properties));
        Some(message)
    }
}

impl Deref for Topic<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(topic) => topic,
            Self::Alias(topic) => topic,
        }
    }
}
