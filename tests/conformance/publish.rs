//! PUBLISH and what answers it (3.3 to 3.7).

mod acknowledgements;
mod aliases;
mod expiry;
mod flags;
mod properties;
mod retained;
mod topics;

use midge_protocol::{Connect, ProtocolVersion, ReasonCode};

use crate::support::{Client, Server};

const BOTH: [ProtocolVersion; 2] = [ProtocolVersion::V311, ProtocolVersion::V5];

/// Keeps the session for a minute after the connection, and asks for the one of before.
fn lasts(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry = Some(60);
    }
}

/// Whoever sends this after CONNACK is disconnected with `reason`.
fn closes(server: &Server, version: ProtocolVersion, bytes: &[u8], reason: ReasonCode) {
    let mut client = Client::connect(server, version, "wrong");
    client.send_bytes(bytes);
    client.expect_disconnect(reason);
}

/// A PUBLISH of QoS 0 to `t` with these properties, in version 5 bytes.
fn with_properties(properties: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x30, properties.len() as u8 + 4, 0, 1, b't', properties.len() as u8];
    bytes.extend_from_slice(properties);
    bytes
}
