//! The rules of one Network Connection: which packets may come when, and what they may say.
//!
//! There is one struct per state: [`Opening`] until CONNECT, [`Authenticating`] until CONNACK, then [`Connection`].

pub(crate) mod aliases;
mod authentication;
pub(crate) mod encoded;
mod inbound;
mod opening;
mod request;

use std::sync::Arc;

use midge_protocol::{
    Ack, Auth, Disconnect, Packet, PacketId, PacketKind, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe,
    TopicFilter, Unsubscribe,
};

use aliases::AliasesReceived;
pub(crate) use authentication::Reauthentication;
pub use inbound::{Inbound, Topic};
pub use opening::{Authenticating, AuthenticationStep, Opening};
pub use request::{ConnectRequest, SessionOverrides};

use crate::limits::Limits;
use crate::session::{ConnectionNumber, Session};
use crate::{Permissions, ProtocolError};

/// A Network Connection after its CONNACK. Its task owns it; nobody else sees it.
///
/// - Input: [`Connection::receive`], whose result goes to the [`Broker`](crate::Broker) method of the same name.
/// - Output: the session's outbox ([`Session::poll_output`]).
/// - End: [`Broker::close`](crate::Broker::close), exactly once.
#[derive(Debug)]
pub struct Connection {
    pub(crate) session: Arc<Session>,
    pub(crate) number: ConnectionNumber,
    pub(crate) version: ProtocolVersion,
    /// A bridge of version 3: it gets no message back that it sent, and RETAIN as it was published.
    pub(crate) bridge: bool,
    pub(crate) session_present: bool,
    /// Whether Reason Strings and User Properties may go with packets other than CONNACK, DISCONNECT and PUBLISH [MQTT-3.1.2-29].
    pub(crate) problem_information: bool,
    pub(crate) keep_alive: u16,
    /// The largest packet the client takes, in bytes.
    pub(crate) maximum_packet_size: u32,
    /// Session Expiry Interval of the CONNECT, and the longest that DISCONNECT may ask for, in seconds.
    pub(crate) session_expiry: u32,
    pub(crate) session_expiry_max: u32,
    /// QoS 1 and 2 messages received and not yet acknowledged, and how many are allowed.
    pub(crate) unacknowledged: u16,
    receive_maximum: u16,
    pub(crate) maximum_qos: QoS,
    retain_available: bool,
    alias_maximum: u16,
    aliases: Option<Box<AliasesReceived>>,
    /// Present if CONNECT named an Authentication Method.
    pub(crate) reauthentication: Option<Box<Reauthentication>>,
    permissions: Option<Arc<Permissions>>,
}

/// A packet that may come now, stripped of what only concerned the connection.
#[derive(Debug)]
pub enum Received<'a> {
    /// To be decided on, then [`Broker::publish`](crate::Broker::publish).
    Publish(Inbound<'a>),
    /// For [`Broker::acknowledge`](crate::Broker::acknowledge).
    Acknowledgement(Acknowledgement),
    /// To be decided on, then [`Broker::subscribe`](crate::Broker::subscribe).
    Subscribe(&'a Subscribe<'a>),
    /// For [`Broker::unsubscribe`](crate::Broker::unsubscribe).
    Unsubscribe(&'a Unsubscribe<'a>),
    /// For [`Broker::pong`](crate::Broker::pong).
    Ping,
    /// A step of re-authentication, to be judged; then [`Broker::challenge`](crate::Broker::challenge) or
    /// [`Broker::reauthenticated`](crate::Broker::reauthenticated).
    Authenticate(&'a Auth<'a>),
    /// The client's goodbye; no packet of this client counts after it.
    Disconnect(&'a Disconnect<'a>),
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which of the four.
    pub kind: AcknowledgementKind,
    /// The Packet Identifier.
    pub packet_id: PacketId,
    /// The reason the client gave.
    pub reason: ReasonCode,
}

/// The four packets that acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgementKind {
    /// PUBACK: a QoS 1 message of ours arrived.
    Puback,
    /// PUBREC: a QoS 2 message of ours arrived.
    Pubrec,
    /// PUBREL: the client forgot a QoS 2 message of its own.
    Pubrel,
    /// PUBCOMP: the client forgot the identifier of a QoS 2 message of ours.
    Pubcomp,
}

impl Connection {
    pub(crate) fn new(
        session: Arc<Session>,
        number: ConnectionNumber,
        request: &ConnectRequest,
        limits: &Limits,
    ) -> Self {
        let overrides = &request.overrides;
        Self {
            session,
            number,
            version: request.version,
            // A version 5 bridge says what it wants in its Subscription Options.
            bridge: request.bridge && request.version < ProtocolVersion::V5,
            session_present: false,
            problem_information: request.request_problem_information,
            keep_alive: request.keep_alive,
            maximum_packet_size: request.maximum_packet_size.unwrap_or(u32::MAX),
            session_expiry: request.session_expiry,
            session_expiry_max: overrides.session_expiry(limits),
            unacknowledged: 0,
            receive_maximum: overrides.receive_maximum(limits),
            maximum_qos: overrides.maximum_qos(limits),
            retain_available: overrides.retain_available(limits),
            alias_maximum: if request.version == ProtocolVersion::V5 {
                overrides.topic_alias_maximum(limits)
            } else {
                0
            },
            aliases: None,
            reauthentication: request.authentication_method.as_deref().map(Reauthentication::with),
            permissions: request.permissions.clone(),
        }
    }

    /// Checks what came against the rules of the connection and hands it on.
    ///
    /// # Errors
    /// Any [`ProtocolError`] that is not about CONNECT; the connection has to be closed with its reason.
    #[inline(always)]
    pub fn receive<'a>(&mut self, packet: &'a Packet<'a>) -> Result<Received<'a>, ProtocolError> {
        let kind = packet.kind();
        match packet {
            Packet::Publish(publish) => self.receive_publish(publish).map(Received::Publish),
            Packet::Puback(ack) => Ok(acknowledgement(AcknowledgementKind::Puback, ack)),
            Packet::Pubrec(ack) => Ok(acknowledgement(AcknowledgementKind::Pubrec, ack)),
            Packet::Pubrel(ack) => Ok(acknowledgement(AcknowledgementKind::Pubrel, ack)),
            Packet::Pubcomp(ack) => Ok(acknowledgement(AcknowledgementKind::Pubcomp, ack)),
            Packet::Subscribe(subscribe) => receive_subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => Ok(Received::Unsubscribe(unsubscribe)),
            Packet::Pingreq => Ok(Received::Ping),
            Packet::Auth(auth) => self.receive_auth(auth),
            Packet::Disconnect(disconnect) => self.receive_disconnect(disconnect),
            Packet::Connect(_) => Err(ProtocolError::SecondConnect),
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                Err(ProtocolError::NotFromClient(kind))
            }
        }
    }

    /// The session, with the outbox to write from.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Tells this connection from every other of the broker.
    #[must_use]
    pub fn number(&self) -> ConnectionNumber {
        self.number
    }

    /// The protocol version of the CONNECT.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The Client Identifier, perhaps assigned by the broker.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.session.client_id()
    }

    /// The Keep Alive that holds, in seconds: the client's or, where we said so, the Server Keep Alive; 0: none.
    #[must_use]
    pub fn keep_alive(&self) -> u16 {
        self.keep_alive
    }

    /// Bytes of the largest packet that the client takes.
    #[must_use]
    pub fn maximum_packet_size(&self) -> u32 {
        self.maximum_packet_size
    }

    /// Whether the client came back to an existing session.
    #[must_use]
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// The rules the client's publications and subscriptions are judged by, if it has any.
    #[must_use]
    pub fn permissions(&self) -> Option<&Permissions> {
        self.permissions.as_deref()
    }

    /// The same, to be kept.
    #[must_use]
    pub fn shared_permissions(&self) -> Option<&Arc<Permissions>> {
        self.permissions.as_ref()
    }

    /// Replaces the rules; subscriptions made under the old ones stay.
    pub(crate) fn set_permissions(&mut self, permissions: Option<Arc<Permissions>>) {
        self.permissions = permissions;
    }

    #[inline(always)]
    fn receive_publish<'a>(&mut self, publish: &'a Publish<'a>) -> Result<Inbound<'a>, ProtocolError> {
        if publish.qos > self.maximum_qos {
            return Err(ProtocolError::QosNotSupported);
        }
        if publish.retain && !self.retain_available {
            return Err(ProtocolError::RetainNotSupported);
        }
        let topic = self.resolve(publish.topic, publish.topic_alias)?;
        let mut inbound = Inbound::from_publish(topic, publish);
        if let (QoS::ExactlyOnce, Some(id)) = (publish.qos, publish.packet_id) {
            inbound.repeated = self.session.lock().received.contains(id);
        }
        // One that is repeated was counted when it first came.
        if publish.qos > QoS::AtMostOnce && !inbound.repeated {
            self.count_unacknowledged()?;
        }
        Ok(inbound)
    }

    fn resolve<'a>(&mut self, topic: &'a str, alias: Option<u16>) -> Result<Topic<'a>, ProtocolError> {
        match alias {
            None if topic.is_empty() => Err(ProtocolError::TopicMissing),
            None => Ok(Topic::Borrowed(topic)),
            Some(alias) => {
                let maximum = self.alias_maximum;
                let aliases = self.aliases.get_or_insert_with(|| Box::new(AliasesReceived::new(maximum)));
                aliases.resolve(topic, alias).map(Topic::Alias)
            }
        }
    }

    /// Our Receive Maximum, kept by counting like the client's send quota (4.9). Version 3 clients were never told.
    fn count_unacknowledged(&mut self) -> Result<(), ProtocolError> {
        if self.version == ProtocolVersion::V5 && self.unacknowledged >= self.receive_maximum {
            return Err(ProtocolError::ReceiveMaximumExceeded(self.receive_maximum));
        }
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        Ok(())
    }

    /// A PUBACK or PUBCOMP, or a PUBREC that says no, was made: the client may send one more.
    pub(crate) fn acknowledged(&mut self) {
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
    }

    fn receive_auth<'a>(&mut self, auth: &'a Auth<'a>) -> Result<Received<'a>, ProtocolError> {
        let reauthentication = self.reauthentication.as_mut().ok_or(ProtocolError::AuthenticationNotStarted)?;
        reauthentication.receive(auth)?;
        Ok(Received::Authenticate(auth))
    }

    fn receive_disconnect<'a>(&self, disconnect: &'a Disconnect<'a>) -> Result<Received<'a>, ProtocolError> {
        if self.session_expiry == 0 && disconnect.session_expiry.is_some_and(|expiry| expiry > 0) {
            return Err(ProtocolError::SessionExpiryRaised);
        }
        Ok(Received::Disconnect(disconnect))
    }
}

fn acknowledgement(kind: AcknowledgementKind, ack: &Ack<'_>) -> Received<'static> {
    Received::Acknowledgement(Acknowledgement { kind, packet_id: ack.packet_id, reason: ack.reason })
}

fn receive_subscribe<'a>(subscribe: &'a Subscribe<'a>) -> Result<Received<'a>, ProtocolError> {
    let shared = |filter: &str| TopicFilter::new(filter).is_ok_and(|filter| filter.share().is_some());
    if subscribe.filters.iter().any(|asked| asked.options.no_local && shared(asked.filter)) {
        return Err(ProtocolError::SharedNoLocal);
    }
    Ok(Received::Subscribe(subscribe))
}

impl From<AcknowledgementKind> for PacketKind {
    fn from(kind: AcknowledgementKind) -> Self {
        match kind {
            AcknowledgementKind::Puback => Self::Puback,
            AcknowledgementKind::Pubrec => Self::Pubrec,
            AcknowledgementKind::Pubrel => Self::Pubrel,
            AcknowledgementKind::Pubcomp => Self::Pubcomp,
        }
    }
}
