//! The hook `authn`: who is this?

use std::fmt;

use crate::bindings::authn::exports::midge::plugin::authn as generated;
use crate::instance::{Exports, Instance};
use crate::{Permission, Protocol, Redirection, Refusal, Reuse};

pub use crate::bindings::imports::midge::plugin::connection::Will;
pub use crate::bindings::imports::midge::plugin::types::{Grant, Limits};
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::Connect;
#[cfg(target_arch = "wasm32")]
pub use generated::Connect;
pub use generated::{Answer, Verdict};

/// Decides who a client is, once per CONNECT.
pub trait Authenticator {
    /// Decides on one CONNECT. What nearly every authenticator needs is in `credentials`; the rest is on `connect`.
    ///
    /// # Errors
    /// When the plugin or its backend failed; a refusal is an `Ok`. The operator's `on_error` decides, and refuses by default.
    fn authenticate(&mut self, credentials: &Credentials, connect: &Connect) -> Result<Answer, String>;
}

/// What a client says about itself. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The Client Identifier, or the one the broker chose when the client sent none.
    pub client_id: String,
    /// User Name of CONNECT.
    pub username: Option<String>,
    /// Password of CONNECT; also `None` when the operator did not let this plugin see it.
    pub password: Option<Vec<u8>>,
    /// Subject common name of the verified client certificate.
    pub certificate_cn: Option<String>,
    /// The name of the listener the client came in by.
    pub listener: String,
    /// The client's address, "ip:port".
    pub peer: String,
    /// The MQTT version the client speaks.
    pub protocol: Protocol,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Credentials {
    /// A client with user name and password as a test needs it: MQTT 5 from 127.0.0.1 over plain TCP.
    #[must_use]
    pub fn of(username: &str, password: &str) -> Self {
        Self { username: Some(username.to_owned()), password: Some(password.as_bytes().to_vec()), ..Self::anonymous() }
    }

    /// A client that gives neither user name nor password, as a test needs it.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            client_id: "client".to_owned(),
            username: None,
            password: None,
            certificate_cn: None,
            listener: "tcp".to_owned(),
            peer: "127.0.0.1:50000".to_owned(),
            protocol: Protocol::V5,
            tls: false,
        }
    }

    /// The user name and the password, where the client gave both.
    #[must_use]
    pub fn login(&self) -> Option<(&str, &[u8])> {
        Some((self.username.as_deref()?, self.password.as_deref()?))
    }
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

impl From<generated::Credentials> for Credentials {
    fn from(given: generated::Credentials) -> Self {
        Self {
            client_id: given.client_id,
            username: given.username,
            password: given.password,
            certificate_cn: given.certificate_cn,
            listener: given.listener,
            peer: given.peer,
            protocol: given.protocol,
            tls: given.tls,
        }
    }
}

impl Answer {
    /// Let in as `principal`. Conditions are added with [`Grant`]'s methods: `Grant::new("alice").tenant("acme").into()`.
    #[must_use]
    pub fn allow(principal: impl Into<String>) -> Self {
        Grant::new(principal).into()
    }

    /// Refuse as Bad User Name or Password (0x86); `reason` is logged and shown to MQTT 5 clients that ask for it.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::refuse(Refusal { code: Refusal::BAD_USER_NAME_OR_PASSWORD, reason: Some(reason.into()) })
    }

    /// Refuse with another reason code.
    #[must_use]
    pub fn refuse(refusal: Refusal) -> Self {
        Self { verdict: Verdict::Deny(refusal), reuse: Reuse::NEVER }
    }

    /// Refuse, and send the client to another server.
    #[must_use]
    pub fn redirect(to: Redirection) -> Self {
        Self { verdict: Verdict::Redirect(to), reuse: Reuse::NEVER }
    }

    /// Not mine: ask the next authenticator. The chain's end refuses.
    #[must_use]
    pub fn next() -> Self {
        Self { verdict: Verdict::Next, reuse: Reuse::NEVER }
    }

    /// The broker may give the same answer to the same credentials for this many milliseconds.
    #[must_use]
    pub fn for_ms(mut self, ttl_ms: u32) -> Self {
        self.reuse.ttl_ms = ttl_ms;
        self
    }
}

impl From<Grant> for Answer {
    fn from(grant: Grant) -> Self {
        Self { verdict: Verdict::Allow(grant), reuse: Reuse::NEVER }
    }
}

impl Grant {
    /// Let in as `principal`, the stable name of the user or device; nothing else is said.
    #[must_use]
    pub fn new(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            tenant: None,
            client_id: None,
            attributes: Vec::new(),
            permissions: None,
            limits: None,
            expires_at: None,
            user_properties: Vec::new(),
        }
    }

    /// Labels the client with its tenant, `%t` in rules.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Attaches a fact for other plugins.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Gives the whole authorization as rules: no plugin is asked again for this client.
    #[must_use]
    pub fn permissions(mut self, permissions: Vec<Permission>) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Narrows the broker's limits for this client.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Ends the connection at this moment, in seconds since the Unix epoch.
    #[must_use]
    pub fn expires_at(mut self, unix_seconds: u64) -> Self {
        self.expires_at = Some(unix_seconds);
        self
    }
}

impl Default for Limits {
    /// The broker's own.
    fn default() -> Self {
        Self {
            publish_per_second: None,
            bytes_per_second: None,
            inflight: None,
            queued_messages: None,
            session_expiry: None,
            packet_size: None,
            keep_alive: None,
            maximum_qos: None,
            retain_available: None,
            receive_maximum: None,
            topic_alias_maximum: None,
        }
    }
}

impl<T: Authenticator + Instance> generated::Guest for Exports<T> {
    #[cfg(target_arch = "wasm32")]
    fn authenticate(credentials: generated::Credentials, connect: &Connect) -> Result<Answer, String> {
        T::with(|plugin| plugin.authenticate(&credentials.into(), connect))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn authenticate(credentials: generated::Credentials, _: &generated::Connect) -> Result<Answer, String> {
        T::with(|plugin| plugin.authenticate(&credentials.into(), &Connect::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_credentials_does_not_show_the_password() {
        let shown = format!("{:?}", Credentials::of("alice", "rosebud"));
        assert!(shown.contains("alice") && !shown.contains("rosebud") && !shown.contains("114"), "{shown}");
    }

    #[test]
    fn an_allowing_answer_grants_nothing_but_the_name() {
        let Verdict::Allow(grant) = Answer::allow("alice").verdict else { panic!("allowed") };
        assert_eq!((grant.principal.as_str(), grant.permissions, grant.tenant), ("alice", None, None));
    }
}
