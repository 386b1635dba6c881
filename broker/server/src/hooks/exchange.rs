//! Enhanced authentication: whom plugins are asked about, and what a new grant makes of a connected client.

use std::sync::Arc;
use std::time::Duration;

use midge_core::{ConnectRequest, Permissions};
use midge_host::contract::{
    Candidate, ConnectFacts, Credentials, Denial, DenialCause, Exchange, ExchangeStep, Grant, Hook,
};
use midge_protocol::ReasonCode;

use super::authenticate::{Whereabouts, credentials, facts, grant_access};
use super::{Arrival, Client};
use crate::node::Node;

/// A client whose CONNECT named an Authentication Method.
pub(crate) fn candidate(arrival: &Arrival<'_>, request: &ConnectRequest, method: &str) -> Candidate {
    Candidate {
        method: method.into(),
        credentials: Arc::new(credentials(arrival, request)),
        facts: Arc::new(facts(arrival, request)),
        principal: None,
    }
}

/// What one step of a re-authentication led to.
pub(crate) enum Reauthenticated {
    /// The client is to be asked.
    Challenge { data: Option<Vec<u8>>, exchange: Exchange },
    /// The client may stay.
    Granted(Box<Regranted>),
}

/// What holds for a client from now on.
pub(crate) struct Regranted {
    pub(crate) client: Arc<Client>,
    pub(crate) permissions: Option<Arc<Permissions>>,
    /// Unix seconds at which its time is over.
    pub(crate) expires_at: Option<u64>,
    /// Authentication Data for the client.
    pub(crate) data: Option<Vec<u8>>,
}

/// Takes one step of the exchange by which `client` authenticates again: the first, or the one after a challenge.
///
/// # Errors
/// Who said no, and why.
pub(crate) async fn reauthenticate(
    node: Arc<Node>,
    client: Arc<Client>,
    candidate: Candidate,
    exchange: Option<Exchange>,
    data: Option<Vec<u8>>,
) -> Result<Reauthenticated, Denial> {
    let host = Arc::clone(&node.host());
    let step = match exchange {
        None => host.start_exchange(&candidate, data).await,
        Some(exchange) => host.proceed(&candidate, exchange, data).await,
    };
    let (grant, plugin, data) = match step {
        ExchangeStep::Challenge { data, exchange } => return Ok(Reauthenticated::Challenge { data, exchange }),
        ExchangeStep::Allowed { grant, plugin, data } => (*grant, plugin, data),
        ExchangeStep::Denied(denial) => return Err(denial),
        ExchangeStep::Unserved => return Err(denied(None, DenialCause::NobodyAllowed, None)),
    };
    let identity = &client.identity;
    if let Some(what) = is_other(&grant, identity) {
        return Err(denied(Some(plugin), DenialCause::Refused, Some(what)));
    }
    let whereabouts = Whereabouts {
        client_id: Arc::clone(&identity.client_id),
        listener: Arc::clone(&identity.listener),
        peer: identity.peer,
        protocol: identity.protocol,
    };
    let expires_at = grant.expires_at;
    let (client, permissions) = grant_access(&node, &host, whereabouts, (grant, Some(plugin))).await?;
    Ok(Reauthenticated::Granted(Box::new(Regranted { client, permissions, expires_at, data })))
}

/// A session belongs to one client of one principal: neither can change under it.
fn is_other(grant: &Grant, identity: &midge_host::Identity) -> Option<&'static str> {
    if *grant.principal != *identity.principal {
        Some("it authenticated as another principal")
    } else if grant.client_id.as_ref().is_some_and(|client_id| **client_id != *identity.client_id) {
        Some("it authenticated for another client identifier")
    } else {
        None
    }
}

fn denied(plugin: Option<Arc<str>>, cause: DenialCause, reason: Option<&str>) -> Denial {
    Denial {
        code: ReasonCode::NotAuthorized.value(),
        reason: reason.map(Into::into),
        plugin,
        hook: Hook::EnhancedAuthn,
        took: Duration::ZERO,
        cause,
    }
}

/// What is kept of a candidate for the day it authenticates again: no password, and not the Will's payload.
pub(crate) fn kept(candidate: Candidate, principal: &str) -> Candidate {
    let credentials = Credentials { password: None, ..(*candidate.credentials).clone() };
    let facts = ConnectFacts { will: None, ..(*candidate.facts).clone() };
    Candidate {
        credentials: Arc::new(credentials),
        facts: Arc::new(facts),
        principal: Some(principal.to_owned()),
        ..candidate
    }
}
