//! Re-authentication (4.12.1): whose turn it is, and the AUTH packets of the broker.

use midge_protocol::{Auth, Packet, ReasonCode, ReasonProperties};

use crate::ProtocolError;

/// What a connection knows of enhanced authentication after its CONNACK.
///
/// ```text
///            AUTH 0x19                 challenge: AUTH 0x18
///   Nobody ─────────────> Broker ─────────────────────────────> Client
///      ^                   │  ^                                   │
///      └───────────────────┘  └───────────────────────────────────┘
///       success: AUTH 0x00                 AUTH 0x18
/// ```
#[derive(Debug)]
pub(crate) struct Reauthentication {
    /// The Authentication Method of the CONNECT.
    method: Box<str>,
    turn: Turn,
}

/// Who has to say the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// No exchange is under way: the client may begin one.
    Nobody,
    Broker,
    Client,
}

impl Reauthentication {
    pub(crate) fn with(method: &str) -> Box<Self> {
        Box::new(Self { method: method.into(), turn: Turn::Nobody })
    }

    /// Checks an AUTH from the client: the method is that of the CONNECT [MQTT-4.12.1-1] [MQTT-4.12.0-5], and its reason fits
    /// the state of the exchange [MQTT-4.12.0-3].
    pub(crate) fn receive(&mut self, auth: &Auth<'_>) -> Result<(), ProtocolError> {
        if auth.authentication_method != Some(&self.method) {
            return Err(ProtocolError::AuthenticationMethodChanged);
        }
        match (self.turn, auth.reason) {
            (Turn::Nobody, ReasonCode::ReAuthenticate) | (Turn::Client, ReasonCode::ContinueAuthentication) => {
                self.turn = Turn::Broker;
                Ok(())
            }
            (_, reason) => Err(ProtocolError::AuthenticationOutOfTurn(reason)),
        }
    }

    /// The AUTH that asks the client for the next step [MQTT-4.12.0-2].
    pub(crate) fn challenge<'a>(&'a mut self, data: Option<&'a [u8]>) -> Packet<'a> {
        self.turn = Turn::Client;
        Packet::Auth(auth(Some(&self.method), ReasonCode::ContinueAuthentication, data))
    }

    /// The AUTH that says that the exchange ended well.
    pub(crate) fn succeed<'a>(&'a mut self, data: Option<&'a [u8]>) -> Packet<'a> {
        self.turn = Turn::Nobody;
        Packet::Auth(auth(Some(&self.method), ReasonCode::Success, data))
    }
}

/// An AUTH with neither Reason String nor User Properties, so that neither makes it too large for the client
/// [MQTT-3.15.2-2] [MQTT-3.15.2-3].
pub(super) fn auth<'a>(method: Option<&'a str>, reason: ReasonCode, data: Option<&'a [u8]>) -> Auth<'a> {
    let properties = ReasonProperties::default();
    Auth { reason, authentication_method: method, authentication_data: data, properties }
}
