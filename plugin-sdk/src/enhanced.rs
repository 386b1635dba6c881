//! The hook `enhanced-authn`: who is this, in several steps?

use crate::bindings::enhanced_authn::exports::midge::plugin::enhanced_authn as generated;
use crate::instance::{Exports, Instance};
use crate::{Connect, Credentials, Grant, Redirection, Refusal};

pub use generated::{Challenge, Step, Success};

/// Decides who a client is by an exchange of AUTH packets: for each CONNECT that names one of its Authentication Methods,
/// and when such a client authenticates again.
///
/// Nothing about an exchange may be kept in `self`: its steps may reach different instances. What the next step needs
/// travels with the challenge.
pub trait EnhancedAuthenticator {
    /// The Authentication Methods served, such as "SCRAM-SHA-256"; at least one. Asked once, at load.
    fn methods(&self) -> Vec<String>;

    /// Begins an exchange with the Authentication Data the client sent first.
    ///
    /// # Errors
    /// When the plugin or its backend failed; a refusal is an `Ok`. The operator's `on_error` decides, and refuses by default.
    fn start(&mut self, client: &Candidate, data: Option<&[u8]>, connect: &Connect) -> Result<Step, String>;

    /// Judges the reply to a challenge, whose state is given back.
    ///
    /// # Errors
    /// When the plugin or its backend failed; the client is refused.
    fn proceed(
        &mut self,
        client: &Candidate,
        state: &[u8],
        data: Option<&[u8]>,
        connect: &Connect,
    ) -> Result<Step, String>;
}

/// Who is at the other end of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The Authentication Method: one of those served.
    pub method: String,
    /// What CONNECT said; in a re-authentication without password.
    pub credentials: Credentials,
    /// Whom the client was let in as, if it authenticates again. A grant for somebody else ends its connection.
    pub principal: Option<String>,
}

impl Candidate {
    /// A client that connects with this method, as a test needs it.
    #[must_use]
    pub fn of(method: &str) -> Self {
        Self { method: method.to_owned(), credentials: Credentials::anonymous(), principal: None }
    }
}

impl Step {
    /// Ask the client with this Authentication Data, and be given `state` back with its reply.
    #[must_use]
    pub fn challenge(data: impl Into<Vec<u8>>, state: impl Into<Vec<u8>>) -> Self {
        Self::Challenge(Challenge { data: Some(data.into()), state: state.into() })
    }

    /// Let in, or stay.
    #[must_use]
    pub fn allow(grant: Grant) -> Self {
        Self::Allow(Success { grant, data: None })
    }

    /// Let in, or stay, and tell the client this.
    #[must_use]
    pub fn allow_with(grant: Grant, data: impl Into<Vec<u8>>) -> Self {
        Self::Allow(Success { grant, data: Some(data.into()) })
    }

    /// Refuse, or disconnect, and send the client to another server.
    #[must_use]
    pub fn redirect(to: Redirection) -> Self {
        Self::Redirect(to)
    }

    /// Refuse as Not authorized (0x87); `reason` is logged and shown to clients that ask for it.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::refuse(Refusal { code: Refusal::NOT_AUTHORIZED, reason: Some(reason.into()) })
    }

    /// Refuse with another reason code.
    #[must_use]
    pub fn refuse(refusal: Refusal) -> Self {
        Self::Deny(refusal)
    }
}

impl From<generated::Candidate> for Candidate {
    fn from(given: generated::Candidate) -> Self {
        Self { method: given.method, credentials: given.credentials.into(), principal: given.principal }
    }
}

#[cfg(target_arch = "wasm32")]
fn lent(connect: &Connect) -> &Connect {
    connect
}

#[cfg(not(target_arch = "wasm32"))]
fn lent(_: &generated::Connect) -> &Connect {
    static NOTHING: std::sync::LazyLock<Connect> = std::sync::LazyLock::new(Connect::default);
    &NOTHING
}

impl<T: EnhancedAuthenticator + Instance> generated::Guest for Exports<T> {
    fn methods() -> Vec<String> {
        T::with(|plugin| plugin.methods())
    }

    fn start(
        client: generated::Candidate,
        data: Option<Vec<u8>>,
        connect: &generated::Connect,
    ) -> Result<Step, String> {
        T::with(|plugin| plugin.start(&client.into(), data.as_deref(), lent(connect)))
    }

    fn proceed(
        client: generated::Candidate,
        state: Vec<u8>,
        data: Option<Vec<u8>>,
        connect: &generated::Connect,
    ) -> Result<Step, String> {
        T::with(|plugin| plugin.proceed(&client.into(), &state, data.as_deref(), lent(connect)))
    }
}
