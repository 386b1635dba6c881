//! A message while it is routed: borrowed from the read buffer as long as nobody has to keep it.

use std::sync::Arc;

use midge_protocol::{MessageProperties, QoS};

use crate::connection::Inbound;
use crate::connection::encoded::Encoded;
use crate::{Message, Time};

/// The message that is being routed, and its owned form once somebody needed one.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) publisher: Option<&'a Arc<str>>,
    /// The packet it came in, where copies of that can be sent on.
    pub(crate) encoded: Option<Encoded<'a>>,
    now: Time,
    source: Source<'a>,
    /// The message as one that can be kept, once somebody needed it.
    shared: Option<Message>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Straight from a packet, received now.
    Inbound(&'a Inbound<'a>),
    Message(&'a Message),
}

impl<'a> Outgoing<'a> {
    pub(crate) fn from_inbound(inbound: &'a Inbound<'a>, publisher: &'a Arc<str>, now: Time) -> Self {
        Self {
            topic: &inbound.topic,
            payload: inbound.publish.payload,
            qos: inbound.publish.qos,
            retain: inbound.publish.retain,
            publisher: Some(publisher),
            encoded: inbound.encoded,
            now,
            source: Source::Inbound(inbound),
            shared: None,
        }
    }

    pub(crate) fn from_message(message: &'a Message, now: Time) -> Self {
        Self {
            topic: message.topic(),
            payload: message.payload(),
            qos: message.qos(),
            retain: message.retain(),
            publisher: message.publisher(),
            encoded: None,
            now,
            source: Source::Message(message),
            shared: None,
        }
    }

    pub(crate) fn properties(&self) -> MessageProperties<'a> {
        match self.source {
            Source::Inbound(inbound) => inbound.publish.properties,
            Source::Message(message) => message.wire_properties(self.now),
        }
    }

    /// The message as one that can be kept; made once, shared by all who keep it.
    pub(crate) fn shared(&mut self) -> Message {
        let inbound = match self.source {
            Source::Message(message) => return message.clone(),
            Source::Inbound(inbound) => inbound,
        };
        let make = || {
            let message = inbound.to_message(self.publisher.cloned(), self.now);
            message.expect("the topic of a decoded PUBLISH is a topic name")
        };
        self.shared.get_or_insert_with(make).clone()
    }
}
