//! Identities that the calls of a tool are about.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::input::InputError;
use crate::contract::Protocol;
use crate::identities::{Identities, Identity, IdentityFacts};

/// Who was named so far. The same facts are the same identity, so that what a plugin keeps under its number is found again.
pub(super) struct People {
    identities: Arc<Identities>,
    known: Vec<Arc<Identity>>,
}

impl People {
    pub(super) fn new(identities: Arc<Identities>) -> Self {
        Self { identities, known: Vec::new() }
    }

    /// The identity with these facts; what is not said has a default.
    pub(super) fn who(&mut self, at: &str, facts: &Map<String, Value>) -> Result<Arc<Identity>, InputError> {
        let facts = read(at, facts)?;
        if let Some(known) = self.known.iter().find(|known| ****known == facts) {
            return Ok(Arc::clone(known));
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.remove(0);
        }
        let identity = self.identities.register(facts);
        self.known.push(Arc::clone(&identity));
        Ok(identity)
    }

    /// Whoever is meant where nobody is named.
    pub(super) fn default(&mut self) -> Arc<Identity> {
        self.who("who", &Map::new()).unwrap_or_else(|_| unreachable!("no facts are no wrong facts"))
    }

    /// Lets go of whoever was said to be gone.
    pub(super) fn forget(&mut self, input: &Value) {
        let gone = match input {
            Value::Object(given) => given.get("who").unwrap_or(input),
            _ => input,
        };
        let facts = match gone {
            Value::Object(facts) => read("who", facts).ok(),
            Value::String(principal) => read("who", &named(principal)).ok(),
            _ => None,
        };
        self.known.retain(|known| facts.as_ref() != Some(&***known) && gone.as_u64() != Some(known.id()));
    }
}

/// The facts of whoever is named by the principal alone.
pub(super) fn named(principal: &str) -> Map<String, Value> {
    Map::from_iter([("principal".to_owned(), json!(principal))])
}

/// An identity as the record of the contract, in JSON.
pub(super) fn record(identity: &Identity) -> Value {
    let protocol = PROTOCOLS.iter().find(|(_, protocol)| *protocol == identity.protocol).map(|(name, _)| *name);
    json!({
        "client-id": &*identity.client_id,
        "principal": &*identity.principal,
        "tenant": identity.tenant.as_deref(),
        "attributes": identity.attributes,
        "listener": &*identity.listener,
        "peer": identity.peer.to_string(),
        "protocol": protocol,
    })
}

fn read(at: &str, facts: &Map<String, Value>) -> Result<IdentityFacts, InputError> {
    if let Some(unknown) = facts.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(InputError::unknown(at, unknown, KEYS.iter().copied()));
    }
    let text = |key: &str| match facts.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(InputError::new(&format!("{at}.{key}"), "text", other)),
    };
    let client_id = text("client-id")?.unwrap_or(CLIENT_ID);
    let peer = text("peer")?.unwrap_or(PEER);
    let protocol = text("protocol")?.unwrap_or("v5");
    Ok(IdentityFacts {
        client_id: client_id.into(),
        principal: text("principal")?.unwrap_or(client_id).into(),
        tenant: text("tenant")?.map(Into::into),
        attributes: pairs(&format!("{at}.attributes"), facts.get("attributes"))?.into(),
        listener: text("listener")?.unwrap_or(LISTENER).into(),
        peer: peer
            .parse()
            .map_err(|_| InputError::new(&format!("{at}.peer"), "an address, \"IP:PORT\"", &json!(peer)))?,
        protocol: PROTOCOLS
            .iter()
            .find(|(name, _)| *name == protocol)
            .map(|(_, protocol)| *protocol)
            .ok_or_else(|| InputError::new(&format!("{at}.protocol"), "one of v31, v311, v5", &json!(protocol)))?,
    })
}

/// Names and values: an object, or a list of pairs.
pub(super) fn pairs(at: &str, value: Option<&Value>) -> Result<Vec<(String, String)>, InputError> {
    let wrong = |found: &Value| InputError::new(at, "an object of texts, or a list of pairs of texts", found);
    let pair = |name: &Value, value: &Value| match (name, value) {
        (Value::String(name), Value::String(value)) => Ok((name.clone(), value.clone())),
        (_, other) => Err(wrong(other)),
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(table)) => table.iter().map(|(name, value)| pair(&json!(name), value)).collect(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| match item.as_array().map(Vec::as_slice) {
                Some([name, value]) => pair(name, value),
                _ => Err(wrong(item)),
            })
            .collect(),
        Some(other) => Err(wrong(other)),
    }
}

/// The fields of `types.identity`.
pub(super) const KEYS: [&str; 7] = ["client-id", "principal", "tenant", "attributes", "listener", "peer", "protocol"];
pub(super) const CLIENT_ID: &str = "client-1";
pub(super) const LISTENER: &str = "tcp";
pub(super) const PEER: &str = "127.0.0.1:49152";
const PROTOCOLS: [(&str, Protocol); 3] = [("v31", Protocol::V31), ("v311", Protocol::V311), ("v5", Protocol::V5)];
/// Identities that are remembered; the oldest goes.
const KNOWN_MAX: usize = 1024;
