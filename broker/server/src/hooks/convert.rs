//! The two vocabularies, side by side: MQTT as the core speaks it, and the plugin contract as the host speaks it.

use std::borrow::Cow;

use midge_core::{Inbound, Message, Permission, Properties, Time};
use midge_host::contract;
use midge_protocol::{ProtocolVersion, QoS, TopicError, TopicName, UserPropertiesBuf};

pub(crate) fn qos_to_host(qos: QoS) -> contract::QoS {
    match qos {
        QoS::AtMostOnce => contract::QoS::AtMostOnce,
        QoS::AtLeastOnce => contract::QoS::AtLeastOnce,
        QoS::ExactlyOnce => contract::QoS::ExactlyOnce,
    }
}

pub(crate) fn qos_from_host(qos: contract::QoS) -> QoS {
    match qos {
        contract::QoS::AtMostOnce => QoS::AtMostOnce,
        contract::QoS::AtLeastOnce => QoS::AtLeastOnce,
        contract::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(crate) fn version_to_host(version: ProtocolVersion) -> contract::Protocol {
    match version {
        ProtocolVersion::V31 => contract::Protocol::V31,
        ProtocolVersion::V311 => contract::Protocol::V311,
        ProtocolVersion::V5 => contract::Protocol::V5,
    }
}

/// What a client published, as plugins see it. Copies: the original lies in the read buffer.
pub(crate) fn inbound_to_host(inbound: &Inbound<'_>) -> contract::Message {
    let properties = &inbound.publish.properties;
    contract::Message {
        topic: (&*inbound.topic).into(),
        payload: inbound.publish.payload.to_vec().into(),
        qos: qos_to_host(inbound.publish.qos),
        retain: inbound.publish.retain,
        payload_is_utf8: properties.payload_is_utf8.unwrap_or(false),
        message_expiry: properties.message_expiry,
        content_type: properties.content_type.map(Into::into),
        response_topic: properties.response_topic.map(Into::into),
        correlation_data: properties.correlation_data.map(|data| data.to_vec().into()),
        user_properties: properties.user_properties.iter().map(pair_to_owned).collect(),
    }
}

/// A message the broker holds, as plugins see it. Shares a large payload.
pub(crate) fn message_to_host(message: &Message, now: Time) -> contract::Message {
    let properties = message.properties().map_or_else(|| Cow::Owned(Properties::default()), Cow::Borrowed);
    contract::Message {
        topic: message.topic().into(),
        payload: message.payload_bytes(),
        qos: qos_to_host(message.qos()),
        retain: message.retain(),
        payload_is_utf8: properties.payload_is_utf8.unwrap_or(false),
        message_expiry: message.expires_at().map(|deadline| now.seconds_until(deadline)),
        content_type: properties.content_type.as_deref().map(Into::into),
        response_topic: properties.response_topic.as_deref().map(Into::into),
        correlation_data: properties.correlation_data.as_deref().map(|data| data.to_vec().into()),
        user_properties: properties.user_properties.as_ref().iter().map(pair_to_owned).collect(),
    }
}

/// A message that a plugin made.
///
/// # Errors
/// Its topic is not a Topic Name.
pub(crate) fn message_from_host(message: contract::Message, now: Time) -> Result<Message, TopicError> {
    let topic = TopicName::new(&message.topic)?;
    let user_properties: UserPropertiesBuf =
        message.user_properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let properties = Properties {
        payload_is_utf8: message.payload_is_utf8.then_some(true),
        content_type: message.content_type.map(Into::into),
        response_topic: message.response_topic.map(Into::into),
        correlation_data: message.correlation_data.map(|data| data.as_ref().into()),
        user_properties,
    };
    Ok(Message::new(topic, message.payload)
        .with_qos(qos_from_host(message.qos))
        .with_retain(message.retain)
        .with_expiry_interval(message.message_expiry, now)
        .with_properties(properties))
}

pub(crate) fn permission_from_host(permission: contract::Permission) -> Permission {
    Permission {
        effect: match permission.effect {
            contract::Effect::Allow => midge_core::Effect::Allow,
            contract::Effect::Deny => midge_core::Effect::Deny,
        },
        publish: permission.publish,
        subscribe: permission.subscribe,
        filter: permission.topic_filter,
        max_qos: qos_from_host(permission.max_qos),
        retain: permission.retain,
    }
}

fn pair_to_owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
