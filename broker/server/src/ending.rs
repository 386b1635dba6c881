//! Why Network Connections end: the complete list, which operators read as documentation.

use std::fmt;
use std::io;

use midge_core::{CloseReason, Ending, ProtocolError, Refusal};
use midge_host::contract::{Denial, DenialCause};
use midge_protocol::{Malformed, PacketKind, ReasonCode};

/// Why a Network Connection ended. It is logged once, in one line, where the connection's task ends, and counted under
/// its [`name`](Self::name).
#[derive(Debug)]
pub(crate) enum ConnectionEnd {
    /// The client said goodbye.
    Disconnected {
        /// The reason of its DISCONNECT.
        reason: ReasonCode,
        /// A new Session Expiry Interval in seconds.
        session_expiry: Option<u32>,
    },
    /// The client closed the stream without a DISCONNECT.
    Closed,
    /// The stream failed.
    Network(io::Error),
    /// No CONNECT, or no end of it, within the connect timeout [v3.1.1 MQTT-3.1.4-1].
    ConnectTimeout,
    /// The client sent bytes that are no packet.
    Malformed(Malformed),
    /// The client sent a packet that may not come, or not there.
    Protocol(ProtocolError),
    /// The listener does not take this version of MQTT.
    VersionNotAccepted,
    /// No plugin serves the Authentication Method that CONNECT named.
    AuthenticationMethod,
    /// An exchange of enhanced authentication had more steps than one may have.
    AuthenticationSteps,
    /// The client was not authenticated, or may not publish its Will.
    Denied(Denial),
    /// A connected client did not authenticate again as it began to [MQTT-4.12.1-2].
    Reauthentication(Denial),
    /// What the client was granted was revoked, and nobody could say what it may do now.
    Revoked(Denial),
    /// The core did not accept the CONNECT.
    Refused(Refusal),
    /// Nothing came for one and a half times the Keep Alive [MQTT-3.1.2-22].
    KeepAlive,
    /// The time that authentication granted is over.
    IdentityExpired,
    /// Another connection uses the Client Identifier now [MQTT-3.1.4-3].
    TakenOver,
    /// The client does not read what is sent to it.
    SlowConsumer,
    /// An operator or a plugin asked for it.
    Administrative(ReasonCode),
    /// The broker stops.
    Shutdown,
}

impl ConnectionEnd {
    /// Its name in metrics and events.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Disconnected { reason: ReasonCode::DisconnectWithWill, .. } => "disconnected_with_will",
            Self::Disconnected { .. } => "disconnected",
            Self::Closed => "closed",
            Self::Network(_) => "network_error",
            Self::ConnectTimeout => "connect_timeout",
            Self::Malformed(_) => "malformed_packet",
            Self::Protocol(_) => "protocol_error",
            Self::VersionNotAccepted => "version_not_accepted",
            Self::AuthenticationMethod => "authentication_method",
            Self::AuthenticationSteps => "authentication_steps",
            Self::Denied(_) => "denied",
            Self::Reauthentication(_) => "reauthentication",
            Self::Revoked(_) => "revoked",
            Self::Refused(_) => "refused",
            Self::KeepAlive => "keep_alive",
            Self::IdentityExpired => "identity_expired",
            Self::TakenOver => "taken_over",
            Self::SlowConsumer => "slow_consumer",
            Self::Administrative(_) => "administrative",
            Self::Shutdown => "shutdown",
        }
    }

    /// What the client is told in CONNACK or DISCONNECT; none where there is nobody to tell.
    pub(crate) fn reason_code(&self) -> Option<ReasonCode> {
        match self {
            Self::Disconnected { .. } | Self::Closed | Self::Network(_) | Self::ConnectTimeout => None,
            Self::Malformed(malformed) => Some(malformed.reason_code()),
            Self::Protocol(error) => Some(error.reason_code()),
            Self::VersionNotAccepted => Some(ReasonCode::UnsupportedProtocolVersion),
            Self::AuthenticationMethod => Some(ReasonCode::BadAuthenticationMethod),
            Self::AuthenticationSteps => Some(ReasonCode::QuotaExceeded),
            Self::Denied(denial) => Some(refusal_code(PacketKind::Connack, denial.code)),
            Self::Reauthentication(denial) if matches!(denial.cause, DenialCause::Redirected(_)) => {
                Some(refusal_code(PacketKind::Disconnect, denial.code))
            }
            // What a plugin says is meant for CONNACK; few of those codes may stand in DISCONNECT.
            Self::Reauthentication(_) | Self::Revoked(_) => Some(ReasonCode::NotAuthorized),
            Self::Refused(refusal) => Some(refusal.reason_code()),
            Self::KeepAlive => Some(ReasonCode::KeepAliveTimeout),
            Self::IdentityExpired => Some(ReasonCode::NotAuthorized),
            Self::TakenOver => Some(ReasonCode::SessionTakenOver),
            Self::SlowConsumer => Some(ReasonCode::QuotaExceeded),
            Self::Administrative(reason) => Some(*reason),
            Self::Shutdown => Some(ReasonCode::ServerShuttingDown),
        }
    }

    /// The other server that a plugin sends the client to.
    pub(crate) fn server_reference(&self) -> Option<&str> {
        match self {
            Self::Denied(denial) | Self::Reauthentication(denial) => match &denial.cause {
                DenialCause::Redirected(elsewhere) => Some(elsewhere),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an operator should look: the client broke a rule, was refused, or did not keep up.
    pub(crate) fn is_warning(&self) -> bool {
        match self {
            Self::Malformed(_)
            | Self::Protocol(_)
            | Self::VersionNotAccepted
            | Self::AuthenticationMethod
            | Self::AuthenticationSteps
            | Self::Denied(_)
            | Self::Reauthentication(_)
            | Self::Revoked(_)
            | Self::Refused(_)
            | Self::SlowConsumer => true,
            Self::Disconnected { .. }
            | Self::Closed
            | Self::Network(_)
            | Self::ConnectTimeout
            | Self::KeepAlive
            | Self::IdentityExpired
            | Self::TakenOver
            | Self::Administrative(_)
            | Self::Shutdown => false,
        }
    }

    /// As far as the Will and the session depend on it.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            // Only a normal disconnection takes the Will back [MQTT-3.14.4-3]; who leaves for an error meant it to be published.
            Self::Disconnected { reason, session_expiry } => {
                Ending::Disconnected { with_will: *reason != ReasonCode::Success, session_expiry: *session_expiry }
            }
            Self::Shutdown => Ending::Shutdown,
            _ => Ending::Lost,
        }
    }
}

/// A reason code that a plugin chose for this packet. Only errors refuse, and each packet has its own, so anything else means
/// "Not authorized", which all of them have.
pub(crate) fn refusal_code(kind: PacketKind, code: u8) -> ReasonCode {
    ReasonCode::from_u8(code)
        .filter(|code| code.is_error() && code.is_allowed_in(kind))
        .unwrap_or(ReasonCode::NotAuthorized)
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected { reason: ReasonCode::Success, .. } => f.write_str("the client disconnected"),
            Self::Disconnected { reason, .. } => write!(f, "the client disconnected: {reason}"),
            Self::Closed => f.write_str("the client closed the connection without DISCONNECT"),
            Self::Network(error) => write!(f, "the network failed: {error}"),
            Self::ConnectTimeout => f.write_str("no CONNECT within the connect timeout"),
            Self::Malformed(malformed) => write!(f, "malformed: {malformed}"),
            Self::Protocol(error) => write!(f, "protocol error: {error} [{}]", error.statement()),
            Self::VersionNotAccepted => f.write_str("the listener does not accept this version of MQTT"),
            Self::AuthenticationMethod => f.write_str("no plugin serves the authentication method"),
            Self::AuthenticationSteps => f.write_str("authentication took more steps than it may"),
            Self::Denied(denial) => write!(f, "denied: {denial}"),
            Self::Reauthentication(denial) => write!(f, "not authenticated again: {denial}"),
            Self::Revoked(denial) => {
                write!(f, "what it was granted was revoked, and nobody says what it may do now: {denial}")
            }
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::KeepAlive => f.write_str("nothing came for one and a half times the keep alive"),
            Self::IdentityExpired => f.write_str("the time granted at authentication is over"),
            Self::TakenOver => f.write_str("another connection uses the client identifier now"),
            Self::SlowConsumer => f.write_str("the client does not read what is sent to it"),
            Self::Administrative(reason) => write!(f, "disconnected by the broker: {reason}"),
            Self::Shutdown => f.write_str("the broker stops"),
        }
    }
}

impl From<CloseReason> for ConnectionEnd {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TakenOver => Self::TakenOver,
            CloseReason::KeepAlive => Self::KeepAlive,
            CloseReason::IdentityExpired => Self::IdentityExpired,
            CloseReason::Administrative(reason) => Self::Administrative(reason),
            CloseReason::SlowConsumer => Self::SlowConsumer,
            CloseReason::ServerShutdown => Self::Shutdown,
        }
    }
}

impl From<Malformed> for ConnectionEnd {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<ProtocolError> for ConnectionEnd {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<io::Error> for ConnectionEnd {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Network(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_refuses_with_a_code_of_the_packet_or_with_not_authorized() {
        let rows = [
            (PacketKind::Suback, 0x97, ReasonCode::QuotaExceeded),
            (PacketKind::Suback, 0x8E, ReasonCode::NotAuthorized),
            (PacketKind::Puback, 0x8F, ReasonCode::NotAuthorized),
            (PacketKind::Connack, 0x8A, ReasonCode::Banned),
            (PacketKind::Disconnect, 0x8A, ReasonCode::NotAuthorized),
            (PacketKind::Disconnect, 0x98, ReasonCode::AdministrativeAction),
            (PacketKind::Suback, 0x01, ReasonCode::NotAuthorized),
            (PacketKind::Suback, 0xFF, ReasonCode::NotAuthorized),
        ];
        for (kind, code, expected) in rows {
            assert_eq!(refusal_code(kind, code), expected, "0x{code:02x} in {kind}");
        }
        let refusing = [PacketKind::Connack, PacketKind::Puback, PacketKind::Pubrec, PacketKind::Suback];
        for kind in refusing.into_iter().chain([PacketKind::Disconnect]) {
            assert!(ReasonCode::NotAuthorized.is_allowed_in(kind), "{kind}");
        }
    }
}
