//! The records of the contract as arguments. Names and order of the fields are the contract's; the engine compares
//! them with the component's at load.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lower};

use crate::bindings::midge::plugin::types::{Protocol as WitProtocol, Qos};
use crate::contract::{
    Credentials, Delivery, Event, InboundMessage, Message, Protocol, QoS, SubscriptionQuestion, UserProperty,
};
use crate::identities::Identity;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredCredentials {
    #[component(name = "client-id")]
    client_id: String,
    username: Option<String>,
    password: Option<Vec<u8>>,
    #[component(name = "certificate-cn")]
    certificate_cn: Option<String>,
    listener: Arc<str>,
    peer: String,
    protocol: WitProtocol,
    tls: bool,
}

impl LoweredCredentials {
    pub(super) fn new(credentials: &Credentials, with_password: bool) -> Self {
        Self {
            client_id: credentials.client_id.clone(),
            username: credentials.username.clone(),
            password: credentials.password.clone().filter(|_| with_password),
            certificate_cn: credentials.certificate_cn.clone(),
            listener: Arc::clone(&credentials.listener),
            peer: credentials.peer.clone(),
            protocol: protocol(credentials.protocol),
            tls: credentials.tls,
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredIdentity {
    #[component(name = "client-id")]
    client_id: Arc<str>,
    principal: String,
    tenant: Option<String>,
    attributes: Vec<(String, String)>,
    listener: Arc<str>,
    peer: String,
    protocol: WitProtocol,
}

impl From<&Identity> for LoweredIdentity {
    fn from(who: &Identity) -> Self {
        Self {
            client_id: Arc::clone(&who.client_id),
            principal: who.principal.to_string(),
            tenant: who.tenant.as_deref().map(str::to_owned),
            attributes: who.attributes.to_vec(),
            listener: Arc::clone(&who.listener),
            peer: who.peer.to_string(),
            protocol: protocol(who.protocol),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredSubscription {
    filter: String,
    qos: Qos,
    #[component(name = "no-local")]
    no_local: bool,
    share: Option<String>,
}

impl From<&SubscriptionQuestion> for LoweredSubscription {
    fn from(question: &SubscriptionQuestion) -> Self {
        Self {
            filter: question.filter.clone(),
            qos: qos(question.qos),
            no_local: question.no_local,
            share: question.share.clone(),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredMessage {
    topic: Arc<str>,
    payload: Bytes,
    qos: Qos,
    retain: bool,
    #[component(name = "payload-is-utf8")]
    payload_is_utf8: bool,
    #[component(name = "message-expiry")]
    message_expiry: Option<u32>,
    #[component(name = "content-type")]
    content_type: Option<String>,
    #[component(name = "response-topic")]
    response_topic: Option<String>,
    #[component(name = "correlation-data")]
    correlation_data: Option<Bytes>,
    #[component(name = "user-properties")]
    user_properties: Vec<UserProperty>,
}

impl LoweredMessage {
    pub(super) fn new(message: &Message, with_payload: bool) -> Self {
        Self {
            topic: Arc::clone(&message.topic),
            payload: if with_payload { message.payload.clone() } else { Bytes::new() },
            qos: qos(message.qos),
            retain: message.retain,
            payload_is_utf8: message.payload_is_utf8,
            message_expiry: message.message_expiry,
            content_type: message.content_type.clone(),
            response_topic: message.response_topic.clone(),
            correlation_data: message.correlation_data.clone(),
            user_properties: message.user_properties.clone(),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredInbound {
    who: u64,
    #[component(name = "client-id")]
    client_id: Arc<str>,
    #[component(name = "received-at")]
    received_at: u64,
    message: LoweredMessage,
}

impl LoweredInbound {
    pub(super) fn new(who: Option<&Identity>, received_at: u64, message: &Message, with_payload: bool) -> Self {
        Self {
            who: who.map_or(0, Identity::id),
            client_id: who.map_or_else(Arc::default, |who| Arc::clone(&who.client_id)),
            received_at,
            message: LoweredMessage::new(message, with_payload),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredDelivery {
    sequence: u64,
    attempt: u32,
    inbound: LoweredInbound,
}

impl LoweredDelivery {
    pub(super) fn new(delivery: &Delivery, with_payload: bool) -> Self {
        let InboundMessage { who, received_at, message } = &delivery.inbound;
        Self {
            sequence: delivery.sequence,
            attempt: delivery.attempt,
            inbound: LoweredInbound::new(who.as_deref(), *received_at, message, with_payload),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredEvent {
    kind: String,
    #[component(name = "at-ms")]
    at_ms: u64,
    node: Arc<str>,
    #[component(name = "client-id")]
    client_id: Option<String>,
    principal: Option<String>,
    topic: Option<String>,
    #[component(name = "reason-code")]
    reason_code: Option<u8>,
    count: u32,
    detail: String,
}

impl LoweredEvent {
    pub(super) fn new(event: &Event, node: &Arc<str>) -> Self {
        Self {
            kind: event.kind.clone().into_owned(),
            at_ms: event.at_ms,
            node: Arc::clone(node),
            client_id: event.client_id.clone(),
            principal: event.principal.clone(),
            topic: event.topic.clone(),
            reason_code: event.reason_code,
            count: event.count,
            detail: event.detail.clone(),
        }
    }
}

const fn protocol(protocol: Protocol) -> WitProtocol {
    match protocol {
        Protocol::V31 => WitProtocol::V31,
        Protocol::V311 => WitProtocol::V311,
        Protocol::V5 => WitProtocol::V5,
    }
}

pub(super) const fn qos(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}
