//! The CONNACK (3.2).

use std::num::NonZeroU32;

use midge_protocol::{Connack, ConnackProperties, ProtocolVersion, QoS, ReasonCode, UserPropertiesBuf};

use crate::ConnectRequest;
use crate::limits::Limits;

/// What was agreed with the client where the CONNACK has to say so.
pub(super) struct Agreed {
    pub(super) session_present: bool,
    pub(super) session_expiry: u32,
    pub(super) keep_alive: u16,
}

/// Whether the client takes a packet as large as the CONNACK without its User Properties.
pub(super) fn fits(request: &ConnectRequest, agreed: &Agreed, limits: &Limits) -> bool {
    let Some(maximum) = request.maximum_packet_size else { return true };
    let properties = properties(request, agreed, limits);
    let connack = Connack { session_present: false, reason: ReasonCode::Success, properties };
    let mut bytes = Vec::new();
    connack.encode(request.version, &mut bytes).is_ok() && bytes.len() <= maximum as usize
}

/// Appends the CONNACK that accepts a CONNECT, without its User Properties if it is too large with them [MQTT-3.2.2-20].
pub(super) fn encode(request: &ConnectRequest, agreed: &Agreed, limits: &Limits, out: &mut Vec<u8>) {
    let user_properties: UserPropertiesBuf =
        request.connack_user_properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut connack = Connack {
        session_present: agreed.session_present && request.version > ProtocolVersion::V31,
        reason: ReasonCode::Success,
        properties: properties(request, agreed, limits),
    };
    connack.properties.reason.user_properties = user_properties.as_ref();
    let start = out.len();
    let encoded = connack.encode(request.version, out);
    let too_large = request.maximum_packet_size.is_some_and(|maximum| out.len() - start > maximum as usize);
    if encoded.is_err() || too_large {
        out.truncate(start);
        connack.properties.reason.user_properties = Default::default();
        let encoded = connack.encode(request.version, out);
        debug_assert!(encoded.is_ok(), "a CONNACK without user properties is small");
    }
}

fn properties<'a>(request: &'a ConnectRequest, agreed: &Agreed, limits: &Limits) -> ConnackProperties<'a> {
    if request.version < ProtocolVersion::V5 {
        return ConnackProperties::default();
    }
    let overrides = &request.overrides;
    let packet_bytes = overrides.packet_size(limits);
    let (maximum_qos, topic_aliases) = (overrides.maximum_qos(limits), overrides.topic_alias_maximum(limits));
    ConnackProperties {
        session_expiry: (agreed.session_expiry != request.session_expiry).then_some(agreed.session_expiry),
        receive_maximum: std::num::NonZeroU16::new(overrides.receive_maximum(limits))
            .filter(|maximum| maximum.get() < u16::MAX),
        maximum_qos: (maximum_qos < QoS::ExactlyOnce).then_some(maximum_qos),
        retain_available: (!overrides.retain_available(limits)).then_some(false),
        maximum_packet_size: NonZeroU32::new(packet_bytes).filter(|bytes| bytes.get() < PACKET_BYTES_MAX),
        assigned_client_id: request.client_id_assigned.then_some(&*request.client_id),
        topic_alias_maximum: (topic_aliases > 0).then_some(topic_aliases),
        // Wildcards, Subscription Identifiers and shared subscriptions are available, which is what saying nothing means.
        server_keep_alive: (agreed.keep_alive != request.keep_alive).then_some(agreed.keep_alive),
        authentication_method: request.authentication_method.as_deref(),
        authentication_data: request.authentication_data.as_deref().filter(|_| request.authentication_method.is_some()),
        ..ConnackProperties::default()
    }
}

/// No packet can be larger (2.1.4).
const PACKET_BYTES_MAX: u32 = 268_435_460;
