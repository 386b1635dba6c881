//! Two connections with one Client Identifier.

use midge_protocol::{Connect, ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server, VERSIONS};

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
fn a_session_moves_with_its_messages() {
    let server = Server::start();
    let kept = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(60);
    };
    let (mut old, _) = Client::connect_with(&server, ProtocolVersion::V5, "mover", kept);
    old.subscribe("t", QoS::AtLeastOnce);
    old.publish("t", "unacknowledged", QoS::AtLeastOnce);
    let (mut new, present) = Client::connect_with(&server, ProtocolVersion::V5, "mover", kept);
    assert!(present);
    let message = new.take();
    assert_eq!((message.text(), message.dup), ("unacknowledged", true));
    new.publish("t", "next", QoS::AtLeastOnce);
    assert_eq!(new.take().text(), "next");
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
