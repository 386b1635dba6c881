//! A Network Connection before its CONNACK.

use std::sync::Arc;

use midge_protocol::{Auth, Connect, Disconnect, Packet, ProtocolVersion, ReasonCode, Will as PacketWill};

use super::authentication::auth;
use super::request::{ConnectRequest, SessionOverrides};
use crate::limits::Limits;
use crate::{Broker, ProtocolError, Refusal, Will};

/// Nothing was received yet: only CONNECT may come [MQTT-3.1.0-1].
#[derive(Clone, Copy, Debug)]
pub struct Opening;

/// CONNECT named an Authentication Method and the CONNACK is not sent: only AUTH or DISCONNECT may come [MQTT-3.1.2-30].
#[derive(Clone, Copy, Debug)]
pub struct Authenticating;

/// What may come while authentication is under way.
#[derive(Debug)]
pub enum AuthenticationStep<'a> {
    /// The next AUTH of the exchange.
    Continue(Auth<'a>),
    /// The client gave up.
    Disconnect(Disconnect<'a>),
}

impl Opening {
    /// Checks the first packet, and assigns a Client Identifier where the client left it empty [MQTT-3.1.3-6].
    ///
    /// # Errors
    /// The rules of CONNECT that need more than the packet itself; answer with a CONNACK if the packet was a CONNECT,
    /// else close without a word.
    pub fn receive(packet: Packet<'_>, broker: &Broker) -> Result<ConnectRequest, ProtocolError> {
        match packet {
            Packet::Connect(connect) => request(&connect, broker),
            other => Err(ProtocolError::FirstPacketNotConnect(other.kind())),
        }
    }
}

impl Authenticating {
    /// Checks a packet that came before the CONNACK was sent.
    ///
    /// # Errors
    /// Any packet but AUTH with the method of the CONNECT, or DISCONNECT.
    pub fn receive<'a>(request: &ConnectRequest, packet: Packet<'a>) -> Result<AuthenticationStep<'a>, ProtocolError> {
        match packet {
            Packet::Disconnect(disconnect) => Ok(AuthenticationStep::Disconnect(disconnect)),
            Packet::Auth(_) if request.authentication_method.is_none() => Err(ProtocolError::AuthenticationNotStarted),
            Packet::Auth(auth) if auth.authentication_method == request.authentication_method.as_deref() => {
                match auth.reason {
                    ReasonCode::ContinueAuthentication => Ok(AuthenticationStep::Continue(auth)),
                    other => Err(ProtocolError::AuthenticationOutOfTurn(other)),
                }
            }
            Packet::Auth(_) => Err(ProtocolError::AuthenticationMethodChanged),
            Packet::Connect(_) => Err(ProtocolError::SecondConnect),
            other => Err(ProtocolError::AuthenticationInterrupted(other.kind())),
        }
    }

    /// Appends the AUTH that asks the client for the next step [MQTT-4.12.0-2].
    ///
    /// # Errors
    /// The client takes no packet of that size [MQTT-3.1.2-24].
    pub fn challenge(request: &ConnectRequest, data: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let method = request.authentication_method.as_deref();
        let maximum = request.maximum_packet_size.unwrap_or(u32::MAX) as usize;
        let start = out.len();
        let encoded = auth(method, ReasonCode::ContinueAuthentication, data).encode(out);
        if encoded.is_err() || out.len() - start > maximum {
            out.truncate(start);
            return Err(Refusal::AuthenticationTooLarge);
        }
        Ok(())
    }
}

fn request(connect: &Connect<'_>, broker: &Broker) -> Result<ConnectRequest, ProtocolError> {
    let limits = broker.limits();
    let client_id_assigned = check_client_id(connect, limits)?;
    if let Some(will) = &connect.will {
        check_will(will, limits)?;
    }
    let client_id: Arc<str> =
        if client_id_assigned { broker.assign_client_id().into() } else { connect.client_id.into() };
    let properties = &connect.properties;
    let v5 = connect.version == ProtocolVersion::V5;
    let v3_expiry = if connect.clean_start { 0 } else { u32::MAX };
    Ok(ConnectRequest {
        version: connect.version,
        bridge: connect.bridge,
        client_id_assigned,
        principal: None,
        clean_start: connect.clean_start,
        session_expiry: if v5 { properties.session_expiry.unwrap_or(0) } else { v3_expiry },
        keep_alive: connect.keep_alive,
        receive_maximum: properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get),
        maximum_packet_size: properties.maximum_packet_size.map(std::num::NonZeroU32::get),
        topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
        request_problem_information: properties.request_problem_information.unwrap_or(true),
        request_response_information: properties.request_response_information.unwrap_or(false),
        will: connect.will.as_ref().and_then(|will| Will::from_packet(will, &client_id)),
        username: connect.username.map(str::to_owned),
        password: connect.password.map(<[u8]>::to_vec),
        user_properties: properties
            .user_properties
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        authentication_method: properties.authentication_method.map(str::to_owned),
        authentication_data: properties.authentication_data.map(<[u8]>::to_vec),
        client_id,
        permissions: None,
        connack_user_properties: Vec::new(),
        overrides: SessionOverrides::default(),
    })
}

/// Whether the broker is to assign the identifier.
fn check_client_id(connect: &Connect<'_>, limits: &Limits) -> Result<bool, ProtocolError> {
    if connect.client_id.len() > usize::from(limits.client_id_bytes_max) {
        return Err(ProtocolError::ClientIdTooLong(limits.client_id_bytes_max));
    }
    let may_be_empty = match connect.version {
        ProtocolVersion::V31 => false,
        ProtocolVersion::V311 => connect.clean_start,
        ProtocolVersion::V5 => true,
    };
    if connect.client_id.is_empty() && !may_be_empty {
        return Err(ProtocolError::ClientIdMissing);
    }
    Ok(connect.client_id.is_empty())
}

fn check_will(will: &PacketWill<'_>, limits: &Limits) -> Result<(), ProtocolError> {
    if will.qos > limits.maximum_qos {
        return Err(ProtocolError::WillQosNotSupported);
    }
    if will.retain && !limits.retain_available {
        return Err(ProtocolError::WillRetainNotSupported);
    }
    if !limits.may_publish(will.topic) {
        return Err(ProtocolError::WillTopicInvalid);
    }
    Ok(())
}
