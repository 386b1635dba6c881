//! Messages as clients see them.

use midge_protocol::{PacketId, Publish, QoS};

/// A PUBLISH that arrived, as a value of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) topic_alias: Option<u16>,
    pub(crate) subscription_ids: Vec<u32>,
    pub(crate) payload_is_utf8: Option<bool>,
    pub(crate) message_expiry: Option<u32>,
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation_data: Option<Vec<u8>>,
    pub(crate) user_properties: Vec<(String, String)>,
}

impl From<&Publish<'_>> for Received {
    fn from(publish: &Publish<'_>) -> Self {
        let properties = &publish.properties;
        Self {
            topic: publish.topic.to_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id: publish.packet_id,
            topic_alias: publish.topic_alias,
            subscription_ids: publish.subscription_ids.iter().map(|id| id.get()).collect(),
            payload_is_utf8: properties.payload_is_utf8,
            message_expiry: properties.message_expiry,
            content_type: properties.content_type.map(str::to_owned),
            response_topic: properties.response_topic.map(str::to_owned),
            correlation_data: properties.correlation_data.map(<[u8]>::to_vec),
            user_properties: properties.user_properties.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }
}

impl Received {
    /// Its payload as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }
}

/// A PUBLISH of QoS 0 to send; its fields are there to be changed.
pub(crate) fn publish<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: midge_protocol::MessageProperties::default(),
        payload,
    }
}
