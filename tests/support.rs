//! What every end-to-end test stands on: the real broker on a free port, and scripted clients with deadlines.

use std::time::Duration;

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod endpoint;
pub(crate) mod issuer;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod pki;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod scram;
pub(crate) mod server;
pub(crate) mod sink;
pub(crate) mod stream;
pub(crate) mod websocket;

pub(crate) use client::Client;
pub(crate) use server::Server;

/// How long anything that must happen may take, on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Every version of the protocol, for what is the same in all of them.
pub(crate) const VERSIONS: [midge_protocol::ProtocolVersion; 3] =
    [midge_protocol::ProtocolVersion::V31, midge_protocol::ProtocolVersion::V311, midge_protocol::ProtocolVersion::V5];
