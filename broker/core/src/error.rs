//! What a client may do wrong with packets that are well formed, and why a CONNECT is refused.

use midge_protocol::{PacketKind, ReasonCode};
use thiserror::Error;

/// Legal bytes, illegal behaviour: the connection ends with [`ProtocolError::reason_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// Something came before CONNECT.
    #[error("the first packet was {0:?}, not CONNECT")]
    FirstPacketNotConnect(PacketKind),
    /// A version 3 client without an identifier asked for a session that outlives its connection, or spoke 3.1.
    #[error("an empty client identifier needs a clean session")]
    ClientIdMissing,
    /// The Client Identifier is longer than this broker allows.
    #[error("the client identifier is longer than {0} bytes")]
    ClientIdTooLong(u16),
    /// The Will's `QoS` is above the broker's maximum.
    #[error("the will's QoS is above the maximum")]
    WillQosNotSupported,
    /// The Will is to be retained where retained messages are switched off.
    #[error("the will asks for RETAIN, which is not available")]
    WillRetainNotSupported,
    /// The Will's topic is the broker's own (`$...`) or has too many levels.
    #[error("clients may not publish to the will's topic")]
    WillTopicInvalid,
    /// Only AUTH or DISCONNECT may come while authentication is under way.
    #[error("{0:?} came before authentication was complete")]
    AuthenticationInterrupted(PacketKind),
    /// A second CONNECT on the same Network Connection.
    #[error("a second CONNECT")]
    SecondConnect,
    /// A packet that only a Server sends; the decoder refuses it before, like all that is said by the wrong side.
    #[error("{0:?} is never sent by a client")]
    NotFromClient(PacketKind),
    /// More QoS 1 and 2 messages unacknowledged than our Receive Maximum.
    #[error("more than {0} messages unacknowledged")]
    ReceiveMaximumExceeded(u16),
    /// A topic alias above our Topic Alias Maximum.
    #[error("topic alias {0} is above the maximum {1}")]
    TopicAliasTooLarge(u16, u16),
    /// A topic alias that was never defined on this connection.
    #[error("topic alias {0} is not defined")]
    TopicAliasUnknown(u16),
    /// Neither a Topic Name nor an alias.
    #[error("a PUBLISH without topic name and alias")]
    TopicMissing,
    /// A PUBLISH above our Maximum QoS.
    #[error("the QoS is above the maximum")]
    QosNotSupported,
    /// RETAIN where retained messages are switched off.
    #[error("RETAIN is not available")]
    RetainNotSupported,
    /// No Local on a shared subscription.
    #[error("no local on a shared subscription")]
    SharedNoLocal,
    /// AUTH though CONNECT named no Authentication Method.
    #[error("AUTH without an authentication method in CONNECT")]
    AuthenticationNotStarted,
    /// AUTH with a reason that may not come at this point.
    #[error("an AUTH with the reason \"{0}\" at this point of authentication")]
    AuthenticationOutOfTurn(ReasonCode),
    /// AUTH with another Authentication Method than CONNECT named.
    #[error("the authentication method changed")]
    AuthenticationMethodChanged,
    /// DISCONNECT raised a Session Expiry Interval that was 0 at CONNECT.
    #[error("the session expiry interval was 0 and may not be raised")]
    SessionExpiryRaised,
    /// PUBACK for a QoS 2 message, PUBREC or PUBCOMP for a QoS 1 message, or PUBCOMP before PUBREC.
    #[error("{0:?} does not answer what the broker sent")]
    WrongAcknowledgement(PacketKind),
}

impl ProtocolError {
    /// What the client is told in CONNACK or DISCONNECT.
    #[must_use]
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Self::ClientIdMissing | Self::ClientIdTooLong(_) => ReasonCode::ClientIdentifierNotValid,
            Self::WillQosNotSupported | Self::QosNotSupported => ReasonCode::QosNotSupported,
            Self::WillRetainNotSupported | Self::RetainNotSupported => ReasonCode::RetainNotSupported,
            Self::WillTopicInvalid => ReasonCode::TopicNameInvalid,
            Self::ReceiveMaximumExceeded(_) => ReasonCode::ReceiveMaximumExceeded,
            Self::TopicAliasTooLarge(..) => ReasonCode::TopicAliasInvalid,
            Self::FirstPacketNotConnect(_)
            | Self::AuthenticationInterrupted(_)
            | Self::SecondConnect
            | Self::NotFromClient(_)
            | Self::TopicAliasUnknown(_)
            | Self::TopicMissing
            | Self::SharedNoLocal
            | Self::AuthenticationNotStarted
            | Self::AuthenticationOutOfTurn(_)
            | Self::AuthenticationMethodChanged
            | Self::SessionExpiryRaised
            | Self::WrongAcknowledgement(_) => ReasonCode::ProtocolError,
        }
    }

    /// The normative statement of MQTT 5.0 (or, where said, 3.1.1) that was broken.
    #[must_use]
    pub fn statement(self) -> &'static str {
        match self {
            Self::FirstPacketNotConnect(_) => "MQTT-3.1.0-1",
            Self::ClientIdMissing => "v3.1.1 MQTT-3.1.3-8",
            Self::ClientIdTooLong(_) => "MQTT-3.1.3-8",
            Self::WillQosNotSupported => "MQTT-3.2.2-12",
            Self::WillRetainNotSupported => "MQTT-3.2.2-13",
            Self::WillTopicInvalid => "MQTT-4.7.2-1",
            Self::AuthenticationInterrupted(_) => "MQTT-3.1.2-30",
            Self::SecondConnect => "MQTT-3.1.0-2",
            Self::NotFromClient(_) | Self::SessionExpiryRaised => "MQTT-4.13.1-1",
            Self::ReceiveMaximumExceeded(_) => "MQTT-3.3.4-7",
            Self::TopicAliasTooLarge(..) => "MQTT-3.3.2-9",
            Self::TopicAliasUnknown(_) | Self::TopicMissing => "MQTT-3.3.2-8",
            Self::QosNotSupported => "MQTT-3.2.2-11",
            Self::RetainNotSupported => "MQTT-3.2.2-14",
            Self::SharedNoLocal => "MQTT-3.8.3-4",
            Self::AuthenticationNotStarted => "MQTT-4.12.0-7",
            Self::AuthenticationOutOfTurn(_) => "MQTT-4.12.0-3",
            Self::AuthenticationMethodChanged => "MQTT-4.12.0-5",
            Self::WrongAcknowledgement(PacketKind::Puback) => "MQTT-4.3.2-2",
            Self::WrongAcknowledgement(_) => "MQTT-4.3.3-4",
        }
    }
}

/// A CONNECT, or a step of authentication, that was legal and is not accepted: CONNACK or DISCONNECT says why and the
/// connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The broker holds `connections_max` connections.
    #[error("the broker holds its maximum of connections")]
    TooManyConnections,
    /// The broker holds `sessions_max` sessions.
    #[error("the broker holds its maximum of sessions")]
    TooManySessions,
    /// The broker is short of memory.
    #[error("the broker is short of memory")]
    OutOfMemory,
    /// The store takes nothing, so a session that is to last cannot be promised.
    #[error("the store takes nothing at the moment, and the session is to last")]
    StoreUnavailable,
    /// The client takes no packet as large as its CONNACK [MQTT-3.1.2-24].
    #[error("the CONNACK is larger than the client's maximum packet size")]
    ConnackTooLarge,
    /// The broker is shutting down.
    #[error("the broker is shutting down")]
    ShuttingDown,
    /// An AUTH is larger than the Maximum Packet Size of the client, which therefore cannot authenticate [MQTT-3.1.2-24].
    #[error("the client takes no packet as large as authentication needs")]
    AuthenticationTooLarge,
}

impl Refusal {
    /// The Connect Reason Code of the CONNACK.
    #[must_use]
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Self::TooManyConnections | Self::TooManySessions | Self::OutOfMemory => ReasonCode::QuotaExceeded,
            Self::ConnackTooLarge => ReasonCode::PacketTooLarge,
            // 0x8B is for DISCONNECT only.
            Self::ShuttingDown | Self::StoreUnavailable => ReasonCode::ServerUnavailable,
            Self::AuthenticationTooLarge => ReasonCode::PacketTooLarge,
        }
    }
}
