//! Two connections with one Client Identifier.

use midge_protocol::{ProtocolVersion, ReasonCode};

use crate::support::{Client, Server, VERSIONS};

/// [v3.1.1 MQTT-3.1.4-2]
#[test]
fn mqtt_3_1_4_3_the_newer_connection_wins() {
    let server = Server::start();
    for old_version in VERSIONS {
        for new_version in VERSIONS {
            let mut old = Client::connect(&server, old_version, "same");
            let mut new = Client::connect(&server, new_version, "same");
            old.expect_disconnect(ReasonCode::SessionTakenOver);
            new.ping();
        }
    }
}

#[test]
fn many_take_overs_leave_one_client() {
    let server = Server::start();
    let mut last = Client::connect(&server, ProtocolVersion::V311, "popular");
    for _ in 0..50 {
        let next = Client::connect(&server, ProtocolVersion::V311, "popular");
        std::mem::replace(&mut last, next).expect_close();
    }
    last.ping();
}
