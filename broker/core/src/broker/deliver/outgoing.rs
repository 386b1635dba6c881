//! A message while it is routed: borrowed from the read buffer as long as nobody has to keep it.

use std::sync::Arc;

use midge_protocol::{MessageProperties, QoS};

use crate::connection::Inbound;
use crate::{Message, Time};

/// The message that is being routed, and its owned form once somebody needed one.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) publisher: Option<&'a Arc<str>>,
    properties: MessageProperties<'a>,
    source: Source<'a>,
}

enum Source<'a> {
    /// Straight from a packet; received at this time.
    Inbound(&'a Inbound<'a>, Time),
    Shared(Arc<Message>),
}

impl<'a> Outgoing<'a> {
    pub(crate) fn from_inbound(inbound: &'a Inbound<'a>, publisher: &'a Arc<str>, now: Time) -> Self {
        Self {
            topic: &inbound.topic,
            payload: inbound.payload,
            qos: inbound.qos,
            retain: inbound.retain,
            publisher: Some(publisher),
            properties: inbound.properties,
            source: Source::Inbound(inbound, now),
        }
    }

    pub(crate) fn from_message(message: &'a Arc<Message>, now: Time) -> Self {
        Self {
            topic: message.topic(),
            payload: message.payload(),
            qos: message.qos(),
            retain: message.retain(),
            publisher: message.publisher(),
            properties: message.wire_properties(now),
            source: Source::Shared(Arc::clone(message)),
        }
    }

    pub(crate) fn properties(&self) -> MessageProperties<'a> {
        self.properties
    }

    /// The message as one that can be kept; made once, shared by all who keep it.
    pub(crate) fn shared(&mut self) -> Arc<Message> {
        match &self.source {
            Source::Shared(message) => Arc::clone(message),
            Source::Inbound(inbound, received) => {
                let message = inbound.to_message(self.publisher.cloned(), *received);
                let message = Arc::new(message.expect("the topic of a decoded PUBLISH is a topic name"));
                self.source = Source::Shared(Arc::clone(&message));
                message
            }
        }
    }
}
