//! The broker, as `cargo test` plays it: what plugins ask for comes from here, what they do is kept here.
//!
//! Every thread has a world of its own, and the test runner runs each test in its own thread, so tests do not meet. What
//! was not set is answered as by a broker that grants nothing.
//!
//! ```
//! use midge_plugin_sdk::{info, now, testing};
//!
//! testing::set_now(1_700_000_000_000);
//! info!(at = now(); "started");
//! assert_eq!(testing::logs()[0].fields, [("at".to_owned(), "1700000000000".to_owned())]);
//! ```

mod connect;
pub(crate) mod host;
pub(crate) mod tcp;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

pub use connect::Connect;
pub use tcp::{close_peer, set_peer, written};

use crate::crypto::Algorithm;
use crate::http::{Error, Request, Response};
use crate::log::Level;
use crate::{Environment, Identity, IdentityId, Message, Protocol, Redirection};

/// A line a plugin logged.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Its fields, in order.
    pub fields: Vec<(String, String)>,
}

/// What a plugin asked of the broker with [`broker`](crate::broker).
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Publish this.
    Publish(Message),
    /// End this client's connection.
    Disconnect {
        /// The client.
        client_id: String,
        /// The reason code.
        code: u8,
        /// Whether its session stays.
        keep_session: bool,
    },
    /// Send this client to another server.
    Redirect {
        /// The client.
        client_id: String,
        /// The server.
        to: Redirection,
    },
    /// Forget remembered answers about this principal.
    Revoke(String),
}

/// Sets the config table.
///
/// # Panics
/// When it is no object, which the broker would never hand over.
pub fn set_config(table: Value) {
    assert!(table.is_object(), "a plugin's config is a table");
    world(|world| world.config = table);
}

/// Sets the clock, in milliseconds since the Unix epoch. It stands still until set again.
pub fn set_now(unix_ms: u64) {
    world(|world| world.now = unix_ms);
}

/// Makes the facts of an identity known.
pub fn set_identity(id: IdentityId, identity: Identity) {
    world(|world| world.identities.insert(id, identity));
}

/// Grants a secret.
pub fn set_secret(name: &str, value: impl Into<Vec<u8>>) {
    world(|world| world.secrets.insert(name.to_owned(), value.into()));
}

/// Grants a store of [`kv`](crate::kv), which is empty at first.
pub fn grant_store(store: &str) {
    world(|world| {
        world.stores.entry(store.to_owned()).or_default();
    });
}

/// Grants a file with this content, or changes it: its version grows.
pub fn set_file(path: &str, content: impl Into<Vec<u8>>) {
    world(|world| {
        let version = world.files.get(path).map_or(1, |file| file.0 + 1);
        world.files.insert(path.to_owned(), (version, Some(content.into())));
    });
}

/// Makes a granted file unreadable, as if it had been removed.
pub fn remove_file(path: &str) {
    world(|world| {
        let version = world.files.get(path).map_or(1, |file| file.0 + 1);
        world.files.insert(path.to_owned(), (version, None));
    });
}

/// Lets the plugin append to a file, which is empty at first and takes this many bytes.
pub fn grant_append(path: &str, bytes_max: usize) {
    world(|world| world.appended.entry(path.to_owned()).or_default().0 = bytes_max);
}

/// What was appended to a file so far.
#[must_use]
pub fn appended(path: &str) -> Vec<u8> {
    world(|world| world.appended.get(path).map(|(_, bytes)| bytes.clone()).unwrap_or_default())
}

/// Says that this password belongs to this hash. Others do not belong.
pub fn set_password(encoded: &str, password: &str) {
    world(|world| world.passwords.push((encoded.to_owned(), password.as_bytes().to_vec())));
}

/// The hashes passwords were verified against so far, in order.
#[must_use]
pub fn verified() -> Vec<String> {
    world(|world| world.verified.clone())
}

/// Says that this signature over this message is right for this key. Others are not.
pub fn set_signature(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) {
    let signature = (algorithm, key.to_vec(), message.to_vec(), signature.to_vec());
    world(|world| world.signatures.push(signature));
}

/// Answers the next HTTP request that has no answer yet.
pub fn respond(answer: Result<Response, Error>) {
    world(|world| world.responses.push_back(answer));
}

/// Answers the next HTTP request with a status and an empty body.
pub fn respond_with(status: u16) {
    respond(Ok(Response { status, headers: Vec::new(), body: Vec::new() }));
}

/// The HTTP requests sent so far, in order.
#[must_use]
pub fn requests() -> Vec<Request> {
    world(|world| world.requests.clone())
}

/// The lines logged so far, in order.
#[must_use]
pub fn logs() -> Vec<Line> {
    world(|world| world.logs.clone())
}

/// What was asked of the broker so far, in order.
#[must_use]
pub fn orders() -> Vec<Order> {
    world(|world| world.orders.clone())
}

/// The value of a counter over all its labels, or of a gauge; 0 when it was never touched.
#[must_use]
pub fn metric(name: &str) -> f64 {
    world(|world| world.metrics.get(name).copied().unwrap_or(0.0))
}

/// The first and only instance of a plugin named "test" on the node "test".
#[must_use]
pub fn environment() -> Environment {
    Environment {
        broker_version: env!("CARGO_PKG_VERSION").to_owned(),
        node: "test".to_owned(),
        name: "test".to_owned(),
        instance: 0,
        instances: 1,
    }
}

/// The identity of an MQTT 5 client with this id and principal.
#[must_use]
pub fn identity(client_id: &str, principal: &str) -> Identity {
    Identity {
        client_id: client_id.to_owned(),
        principal: principal.to_owned(),
        tenant: None,
        attributes: Vec::new(),
        listener: "tcp".to_owned(),
        peer: "127.0.0.1:50000".to_owned(),
        protocol: Protocol::V5,
    }
}

/// A value kept in a store and the moment it expires.
type Entry = (Vec<u8>, Option<u64>);

/// Algorithm, key, message and signature.
type Signature = (Algorithm, Vec<u8>, Vec<u8>, Vec<u8>);

struct World {
    config: Value,
    now: u64,
    randomness: u64,
    identities: BTreeMap<IdentityId, Identity>,
    secrets: BTreeMap<String, Vec<u8>>,
    stores: BTreeMap<String, BTreeMap<String, Entry>>,
    /// Version and content; no content: removed.
    files: BTreeMap<String, (u64, Option<Vec<u8>>)>,
    /// How large the file may grow, and its content.
    appended: BTreeMap<String, (usize, Vec<u8>)>,
    passwords: Vec<(String, Vec<u8>)>,
    verified: Vec<String>,
    signatures: Vec<Signature>,
    responses: VecDeque<Result<Response, Error>>,
    requests: Vec<Request>,
    /// Who answers at a host and port.
    peers: BTreeMap<(String, u16), tcp::Peer>,
    logs: Vec<Line>,
    orders: Vec<Order>,
    metrics: BTreeMap<String, f64>,
}

fn world<R>(see: impl FnOnce(&mut World) -> R) -> R {
    thread_local! {
        static WORLD: RefCell<World> = RefCell::new(World {
            config: Value::Object(serde_json::Map::new()),
            now: 0,
            randomness: 0,
            identities: BTreeMap::new(),
            secrets: BTreeMap::new(),
            stores: BTreeMap::new(),
            files: BTreeMap::new(),
            appended: BTreeMap::new(),
            passwords: Vec::new(),
            verified: Vec::new(),
            signatures: Vec::new(),
            responses: VecDeque::new(),
            requests: Vec::new(),
            peers: BTreeMap::new(),
            logs: Vec::new(),
            orders: Vec::new(),
            metrics: BTreeMap::new(),
        });
    }
    WORLD.with_borrow_mut(see)
}
