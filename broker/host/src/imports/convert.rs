//! Between the contract's generated types and the crate's own, for what imports take and give.

use bytes::Bytes;

use crate::bindings::midge::plugin::types as wit;
use crate::contract::{Message, Protocol, QoS};
use crate::identities::IdentityFacts;

pub(super) fn identity(facts: &IdentityFacts) -> wit::Identity {
    wit::Identity {
        client_id: facts.client_id.to_string(),
        principal: facts.principal.to_string(),
        tenant: facts.tenant.as_deref().map(str::to_owned),
        attributes: facts.attributes.to_vec(),
        listener: facts.listener.as_ref().to_owned(),
        peer: facts.peer.to_string(),
        protocol: match facts.protocol {
            Protocol::V31 => wit::Protocol::V31,
            Protocol::V311 => wit::Protocol::V311,
            Protocol::V5 => wit::Protocol::V5,
        },
    }
}

pub(super) fn qos_out(qos: QoS) -> wit::Qos {
    match qos {
        QoS::AtMostOnce => wit::Qos::AtMostOnce,
        QoS::AtLeastOnce => wit::Qos::AtLeastOnce,
        QoS::ExactlyOnce => wit::Qos::ExactlyOnce,
    }
}

pub(super) fn message_in(message: wit::Message) -> Message {
    Message {
        topic: message.topic.into(),
        payload: message.payload.into(),
        qos: match message.qos {
            wit::Qos::AtMostOnce => QoS::AtMostOnce,
            wit::Qos::AtLeastOnce => QoS::AtLeastOnce,
            wit::Qos::ExactlyOnce => QoS::ExactlyOnce,
        },
        retain: message.retain,
        payload_is_utf8: message.payload_is_utf8,
        message_expiry: message.message_expiry,
        content_type: message.content_type,
        response_topic: message.response_topic,
        correlation_data: message.correlation_data.map(Bytes::from),
        user_properties: message.user_properties,
    }
}
