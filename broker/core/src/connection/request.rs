//! What a CONNECT asks for, and what the server adds before the core is told.

use std::fmt;
use std::sync::Arc;

use midge_protocol::{ProtocolVersion, QoS};

use crate::limits::Limits;
use crate::{Permissions, ProtocolError, Will};

/// A CONNECT that obeys the rules, owned, so that authentication may take its time.
#[derive(Clone)]
pub struct ConnectRequest {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The client says that it is another broker. Before version 5 it then gets no message back that it sent, and RETAIN as
    /// it was published.
    pub bridge: bool,
    /// The Client Identifier, assigned by the broker if the client left it empty. The server may replace it.
    pub client_id: Arc<str>,
    /// Whether the broker assigned it.
    pub client_id_assigned: bool,
    /// The client's principal, filled in by the server. The session remembers it, and its events name it.
    pub principal: Option<Arc<str>>,
    /// Clean Start; Clean Session before version 5.
    pub clean_start: bool,
    /// Session Expiry Interval the client asked for, in seconds; `u32::MAX`: never. Before version 5: 0 for a clean session, else never.
    pub session_expiry: u32,
    /// Keep Alive in seconds; 0: none.
    pub keep_alive: u16,
    /// QoS 1 and 2 messages the client takes before it acknowledges. Before version 5: 65,535.
    pub receive_maximum: u16,
    /// Bytes of the largest packet the client takes.
    pub maximum_packet_size: Option<u32>,
    /// Topic aliases the client takes.
    pub topic_alias_maximum: u16,
    /// Whether reason strings and user properties are welcome in every packet.
    pub request_problem_information: bool,
    /// Whether Response Information is welcome in the CONNACK.
    pub request_response_information: bool,
    /// The Will.
    pub will: Option<Will>,
    /// The User Name.
    pub username: Option<String>,
    /// The Password.
    pub password: Option<Vec<u8>>,
    /// User Properties of the CONNECT.
    pub user_properties: Vec<(String, String)>,
    /// Authentication Method of enhanced authentication.
    pub authentication_method: Option<String>,
    /// Authentication Data of enhanced authentication; filled in by the server, what the CONNACK carries back.
    pub authentication_data: Option<Vec<u8>>,
    /// The client's rules, from its grant.
    pub permissions: Option<Arc<Permissions>>,
    /// User Properties of the CONNACK, from the client's grant.
    pub connack_user_properties: Vec<(String, String)>,
    /// What the client's grant changes in the limits.
    pub overrides: SessionOverrides,
}

/// Limits of one client that hold beside those of [`Limits`](crate::Limits): none widens them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionOverrides {
    /// Messages in flight to the client, at most.
    pub inflight: Option<u16>,
    /// Messages that may wait for the session.
    pub queued_messages: Option<u32>,
    /// Session Expiry Interval in seconds, at most.
    pub session_expiry: Option<u32>,
    /// Bytes of one packet from the client. Told in the CONNACK; the server sets the connection's decoder to it.
    pub packet_size: Option<u32>,
    /// Longest Keep Alive in seconds; 0: as if there were none. Told as Server Keep Alive, so only version 5 is held to it.
    pub keep_alive: Option<u16>,
    /// Highest `QoS` it may publish with, and the highest a subscription of it is granted.
    pub maximum_qos: Option<QoS>,
    /// Whether it may set RETAIN.
    pub retain_available: Option<bool>,
    /// QoS 1 and 2 messages it may send before they are acknowledged (our Receive Maximum). Told to version 5 alone.
    pub receive_maximum: Option<u16>,
    /// Topic aliases it may define (our Topic Alias Maximum).
    pub topic_alias_maximum: Option<u16>,
}

impl ConnectRequest {
    /// Checks the Will against what the client's grant leaves it, as it was checked against `limits` before anybody was asked.
    ///
    /// # Errors
    /// Its QoS is above what the client may publish with [MQTT-3.2.2-12], or it may not be retained [MQTT-3.2.2-13].
    pub fn check_will(&self, limits: &Limits) -> Result<(), ProtocolError> {
        let Some(will) = &self.will else { return Ok(()) };
        if will.message.qos() > self.overrides.maximum_qos(limits) {
            return Err(ProtocolError::WillQosNotSupported);
        }
        if will.message.retain() && !self.overrides.retain_available(limits) {
            return Err(ProtocolError::WillRetainNotSupported);
        }
        Ok(())
    }
}

impl SessionOverrides {
    /// Messages in flight to the client; at least 1.
    pub(crate) fn inflight(&self, limits: &Limits) -> u16 {
        self.inflight.unwrap_or(u16::MAX).min(limits.in_flight_max).max(1)
    }

    /// Messages that may wait for the session.
    pub(crate) fn queued_messages(&self, limits: &Limits) -> u32 {
        self.queued_messages.unwrap_or(u32::MAX).min(limits.queued_messages_max)
    }

    /// Longest Session Expiry Interval in seconds.
    pub(crate) fn session_expiry(&self, limits: &Limits) -> u32 {
        self.session_expiry.unwrap_or(u32::MAX).min(limits.session_expiry_max)
    }

    /// Bytes of one packet from the client.
    pub(crate) fn packet_size(&self, limits: &Limits) -> u32 {
        self.packet_size.unwrap_or(u32::MAX).min(limits.packet_bytes_max)
    }

    /// Longest Keep Alive in seconds; 0: any.
    pub(crate) fn keep_alive(&self, limits: &Limits) -> u16 {
        let longest = [self.keep_alive.unwrap_or(0), limits.keep_alive_max];
        longest.into_iter().filter(|seconds| *seconds > 0).min().unwrap_or(0)
    }

    /// Highest `QoS` of what it publishes, and of what it is sent.
    pub(crate) fn maximum_qos(&self, limits: &Limits) -> QoS {
        self.maximum_qos.map_or(limits.maximum_qos, |qos| qos.min(limits.maximum_qos))
    }

    /// Whether it may set RETAIN.
    pub(crate) fn retain_available(&self, limits: &Limits) -> bool {
        limits.retain_available && self.retain_available.unwrap_or(true)
    }

    /// Our Receive Maximum; at least 1.
    pub(crate) fn receive_maximum(&self, limits: &Limits) -> u16 {
        self.receive_maximum.unwrap_or(u16::MAX).min(limits.receive_maximum).max(1)
    }

    /// Our Topic Alias Maximum.
    pub(crate) fn topic_alias_maximum(&self, limits: &Limits) -> u16 {
        self.topic_alias_maximum.unwrap_or(u16::MAX).min(limits.topic_alias_maximum)
    }
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |present: bool| present.then_some("redacted");
        f.debug_struct("ConnectRequest")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("principal", &self.principal)
            .field("clean_start", &self.clean_start)
            .field("session_expiry", &self.session_expiry)
            .field("keep_alive", &self.keep_alive)
            .field("will", &self.will.as_ref().map(|will| will.message.topic()))
            .field("username", &self.username)
            .field("password", &secret(self.password.is_some()))
            .field("authentication_method", &self.authentication_method)
            .field("authentication_data", &secret(self.authentication_data.is_some()))
            .finish_non_exhaustive()
    }
}
