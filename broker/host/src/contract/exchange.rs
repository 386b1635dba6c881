//! Enhanced authentication: an exchange of several steps.

use std::fmt;
use std::sync::Arc;

use super::{ConnectFacts, Credentials, Denial, Grant};

/// Who is at the other end of an exchange; the same in all its steps.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The Authentication Method that CONNECT named.
    pub method: Arc<str>,
    /// What CONNECT said.
    pub credentials: Arc<Credentials>,
    /// The rest of it.
    pub facts: Arc<ConnectFacts>,
    /// The principal that a client was let in as which authenticates again.
    pub principal: Option<String>,
}

/// What is kept of an exchange between a challenge and the client's reply. No plugin instance is held meanwhile, and a
/// reload may replace the plugin.
#[derive(Clone)]
pub struct Exchange {
    /// The plugin that judges it.
    pub(crate) plugin: Arc<str>,
    /// What the plugin wants back with the reply. Never shown by `Debug`.
    pub(crate) state: Vec<u8>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange with {:?}, {} bytes of state", self.plugin, self.state.len())
    }
}

/// What one step of an exchange led to.
#[derive(Debug)]
pub enum ExchangeStep {
    /// The client is to be asked.
    Challenge {
        /// Authentication Data for it.
        data: Option<Vec<u8>>,
        /// How to go on with its reply.
        exchange: Exchange,
    },
    /// The client is who it says.
    Allowed {
        /// What it may do.
        grant: Box<Grant>,
        /// The plugin that vouched for it.
        plugin: Arc<str>,
        /// Authentication Data for it.
        data: Option<Vec<u8>>,
    },
    /// The client is turned away.
    Denied(Denial),
    /// No plugin serves the method.
    Unserved,
}
