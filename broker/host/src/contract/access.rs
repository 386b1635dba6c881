//! Authentication and authorization.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Hook, Protocol, QoS, UserProperty};

/// The facts nearly every authenticator needs.
#[derive(Clone)]
pub struct Credentials {
    /// The Client Identifier, assigned by the broker where the client left it empty.
    pub client_id: String,
    /// User Name of CONNECT.
    pub username: Option<String>,
    /// Password of CONNECT. Never shown by `Debug`.
    pub password: Option<Vec<u8>>,
    /// Subject common name of the verified client certificate.
    pub certificate_cn: Option<String>,
    /// Name of the listener the client came in through.
    pub listener: Arc<str>,
    /// Address of the peer, as text.
    pub peer: String,
    /// The version the client speaks.
    pub protocol: Protocol,
    /// Whether the Network Connection is encrypted.
    pub tls: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("certificate_cn", &self.certificate_cn)
            .field("listener", &self.listener)
            .field("peer", &self.peer)
            .field("protocol", &self.protocol)
            .field("tls", &self.tls)
            .finish()
    }
}

/// The rarely needed parts of a CONNECT, fetched by a plugin through the `connect` resource.
#[derive(Clone, Debug, Default)]
pub struct ConnectFacts {
    /// Clean Start (Clean Session below MQTT 5).
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 = none.
    pub keep_alive: u16,
    /// Session Expiry Interval in seconds; `u32::MAX` = never.
    pub session_expiry: u32,
    /// The Will Message.
    pub will: Option<WillFacts>,
    /// User Properties of CONNECT.
    pub user_properties: Vec<UserProperty>,
    /// TLS server name the client asked for.
    pub server_name: Option<String>,
    /// Verified client certificate chain, DER, leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// Subject alternative names of the leaf, as `DNS:…`, `URI:…`, `IP:…`, `email:…`.
    pub alternative_names: Vec<String>,
    /// Headers of the HTTP upgrade request of a WebSocket client.
    pub http_headers: Vec<(String, String)>,
    /// What binds an exchange to the TLS connection: kind and data.
    pub channel_bindings: Vec<(&'static str, Vec<u8>)>,
}

/// A Will Message as the authenticator sees it.
#[derive(Clone, Debug)]
pub struct WillFacts {
    /// Will Topic.
    pub topic: String,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Payload.
    pub payload: bytes::Bytes,
}

/// What authentication ended in.
#[derive(Debug)]
pub enum Authentication {
    /// The client is who it says.
    Allowed {
        /// What it may do.
        grant: Box<Grant>,
        /// The plugin that vouched for it.
        plugin: Arc<str>,
    },
    /// The client is turned away.
    Denied(Denial),
}

/// What an authenticator grants a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Stable name of the user or device: the subject of rules, quotas and audit.
    pub principal: String,
    /// A label that rules may use as `%t`.
    pub tenant: Option<String>,
    /// Replaces the client id (and takes over that session).
    pub client_id: Option<String>,
    /// Facts that go with the identity.
    pub attributes: Vec<(String, String)>,
    /// Some: the whole authorization, evaluated natively. None: the authorization chain is asked.
    pub permissions: Option<Vec<Permission>>,
    /// Limits of this client, where they differ from the broker's.
    pub limits: Option<GrantLimits>,
    /// Unix seconds after which the client must authenticate again or is disconnected.
    pub expires_at: Option<u64>,
    /// Sent in CONNACK.
    pub user_properties: Vec<UserProperty>,
}

/// Limits of one client; `None` leaves the broker's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantLimits {
    /// PUBLISH packets a second.
    pub publish_per_second: Option<u32>,
    /// Bytes a second.
    pub bytes_per_second: Option<u32>,
    /// Sent and unacknowledged messages.
    pub inflight: Option<u16>,
    /// Messages kept for a client that is away or slow.
    pub queued_messages: Option<u32>,
    /// Session Expiry Interval in seconds, at most.
    pub session_expiry: Option<u32>,
    /// Packet size in bytes, at most.
    pub packet_size: Option<u32>,
    /// Keep Alive in seconds, at most.
    pub keep_alive: Option<u16>,
    /// Highest QoS it may publish with, and a subscription of it is granted.
    pub maximum_qos: Option<QoS>,
    /// Whether it may set RETAIN.
    pub retain_available: Option<bool>,
    /// QoS 1 and 2 messages it may have unacknowledged towards the broker.
    pub receive_maximum: Option<u16>,
    /// Topic aliases it may define.
    pub topic_alias_maximum: Option<u16>,
}

/// Another server for a client to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The Server Reference; not empty.
    pub server_reference: Arc<str>,
    /// Whether it is for good.
    pub permanent: bool,
    /// A text for the client's Reason String.
    pub reason: Option<Arc<str>>,
}

impl Redirection {
    /// MQTT 5 Reason Code: Server moved (0x9D), or Use another server (0x9C).
    #[must_use]
    pub const fn code(&self) -> u8 {
        if self.permanent { 0x9D } else { 0x9C }
    }
}

/// What a permission does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allows the action.
    Allow,
    /// Denies it.
    Deny,
}

/// One rule that is evaluated without calling any plugin. The first match wins; no match denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What a match does.
    pub effect: Effect,
    /// Speaks about publishing.
    pub publish: bool,
    /// Speaks about subscribing.
    pub subscribe: bool,
    /// `%c`, `%u` and `%t` stand for client id, principal and tenant; they never act as wildcards.
    pub topic_filter: String,
    /// Publish: above it is refused. Subscribe: the granted maximum.
    pub max_qos: QoS,
    /// Whether retained messages may be published.
    pub retain: bool,
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Debug)]
pub struct SubscriptionQuestion {
    /// The Topic Filter, without `$share/…/`.
    pub filter: String,
    /// The requested maximum.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// The ShareName of a shared subscription.
    pub share: Option<String>,
}

/// What the authorization chain decided about one action.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// Whether the action may happen.
    pub allow: bool,
    /// Publish: the action's QoS was not above it. Subscribe: grant at most this.
    pub max_qos: QoS,
    /// Who said no, and why; always there when `allow` is false.
    pub denial: Option<Denial>,
}

impl Ruling {
    /// Yes, up to `max_qos`.
    #[must_use]
    pub const fn allowed(max_qos: QoS) -> Self {
        Self { allow: true, max_qos, denial: None }
    }

    /// No.
    #[must_use]
    pub const fn denied(denial: Denial) -> Self {
        Self { allow: false, max_qos: QoS::AtMostOnce, denial: Some(denial) }
    }
}

/// A no, with everything its log line must name.
#[derive(Clone, Debug)]
pub struct Denial {
    /// MQTT 5 Reason Code for the client.
    pub code: u8,
    /// A text for the client's Reason String. Only what a plugin meant for it; failures have none.
    pub reason: Option<Arc<str>>,
    /// The plugin that said no or failed; `None` when the chain was empty or ended without an answer.
    pub plugin: Option<Arc<str>>,
    /// The kind of question.
    pub hook: Hook,
    /// How long the whole chain took.
    pub took: Duration,
    /// Whether a plugin refused, or could not answer.
    pub cause: DenialCause,
}

/// Why an action is denied. A refusal, and a redirect, is a decision; everything else is a failure that fails closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialCause {
    /// A plugin decided so.
    Refused,
    /// A plugin sends the client to another server: this Server Reference.
    Redirected(Arc<str>),
    /// Every plugin said `next`, or no plugin has the hook: the end of a chain denies.
    NobodyAllowed,
    /// The plugin or the service behind it failed, in its words.
    Backend(String),
    /// The component trapped, in the runtime's words.
    Trapped(String),
    /// The call used up its processor time.
    Deadline,
    /// The call waited too long for something outside.
    WaitTimeout,
    /// No instance was free, or the memory for one.
    Overloaded(String),
    /// The plugin failed too often just now and is not called for a moment.
    BreakerOpen,
    /// The plugin answered something the contract forbids.
    BadAnswer(String),
}

impl fmt::Display for DenialCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Redirected(elsewhere) => write!(f, "redirected to {elsewhere}"),
            Self::NobodyAllowed => f.write_str("no plugin allowed it"),
            Self::Backend(text) => write!(f, "backend failed: {text}"),
            Self::Trapped(text) => write!(f, "trapped: {text}"),
            Self::Deadline => f.write_str("used up its processor time"),
            Self::WaitTimeout => f.write_str("waited too long"),
            Self::Overloaded(text) => write!(f, "overloaded: {text}"),
            Self::BreakerOpen => f.write_str("circuit breaker is open"),
            Self::BadAnswer(text) => write!(f, "bad answer: {text}"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = self.plugin.as_deref().unwrap_or("-");
        write!(f, "{} by {plugin}.{} after {:?}, code 0x{:02x}", self.cause, self.hook, self.took, self.code)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}
