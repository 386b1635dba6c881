//! Enhanced authentication as a scripted client does it.

use midge_protocol::{Auth, Packet, ProtocolVersion, ReasonCode, ReasonProperties};

use super::Client;
use super::client::connect;

/// What an AUTH or CONNACK said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) is_connack: bool,
    pub(crate) reason: ReasonCode,
    pub(crate) method: Option<String>,
    pub(crate) data: Option<String>,
}

impl Client {
    /// Sends a CONNECT with an Authentication Method, and waits for nothing.
    pub(crate) fn begin(&mut self, client_id: &str, method: &str, data: &str) {
        let mut hello = connect(ProtocolVersion::V5, client_id);
        hello.properties.authentication_method = Some(method);
        hello.properties.authentication_data = Some(data.as_bytes());
        self.send(&Packet::Connect(Box::new(hello)));
    }

    /// Sends an AUTH.
    pub(crate) fn auth(&mut self, reason: ReasonCode, method: &str, data: &str) {
        let properties = ReasonProperties::default();
        let data = Some(data.as_bytes());
        let auth = Auth { reason, authentication_method: Some(method), authentication_data: data, properties };
        self.send(&Packet::Auth(auth));
    }

    /// Waits for the next AUTH or CONNACK; messages that come before are kept. Neither has more in it than it needs.
    pub(crate) fn hear(&mut self) -> Said {
        let text = |data: Option<&[u8]>| data.map(|data| String::from_utf8_lossy(data).into_owned());
        self.answer(|packet| match packet {
            Packet::Auth(auth) => {
                assert_eq!(auth.properties, ReasonProperties::default(), "an AUTH that is larger than it must be");
                Said {
                    is_connack: false,
                    reason: auth.reason,
                    method: auth.authentication_method.map(str::to_owned),
                    data: text(auth.authentication_data),
                }
            }
            Packet::Connack(connack) => Said {
                is_connack: true,
                reason: connack.reason,
                method: connack.properties.authentication_method.map(str::to_owned),
                data: text(connack.properties.authentication_data),
            },
            other => panic!("{other:?} instead of AUTH or CONNACK"),
        })
    }

    /// The broker refuses a CONNECT with `reason`, and closes.
    pub(crate) fn expect_connack_refusal(&mut self, reason: ReasonCode) {
        let said = self.hear();
        assert_eq!((said.is_connack, said.reason), (true, reason), "{said:?}");
        self.expect_close();
    }
}

impl Said {
    /// AUTH with 0x18.
    pub(crate) fn challenge(method: &str, data: &str) -> Self {
        Self::auth(ReasonCode::ContinueAuthentication, method, data)
    }

    /// AUTH.
    pub(crate) fn auth(reason: ReasonCode, method: &str, data: &str) -> Self {
        Self { is_connack: false, reason, method: Some(method.to_owned()), data: Some(data.to_owned()) }
    }

    /// The CONNACK that accepts.
    pub(crate) fn accepted(method: &str, data: &str) -> Self {
        Self { is_connack: true, ..Self::auth(ReasonCode::Success, method, data) }
    }
}
