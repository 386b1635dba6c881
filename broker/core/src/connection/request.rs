//! What a CONNECT asks for, and what the server adds before the core is told.

use std::fmt;
use std::sync::Arc;

use midge_protocol::ProtocolVersion;

use crate::{Permissions, Will};

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

/// Limits of one client that replace those of [`Limits`](crate::Limits).
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
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |present: bool| present.then_some("redacted");
        f.debug_struct("ConnectRequest")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
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
