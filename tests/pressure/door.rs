//! Clients for whom there is no place, and those that never get as far.

use std::io::Write;
use std::num::NonZeroU32;

use midge_protocol::{
    Packet, ProtocolVersion, QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions, UserProperties,
};
use tempfile::TempDir;

use crate::support::client::connect;
use crate::support::pki::Pki;
use crate::support::stream::{Stream, tcp};
use crate::support::{Client, PATIENCE, Server, VERSIONS};

fn ask(server: &Server, version: ProtocolVersion) -> Client {
    let mut client = Client::open(server.address(), version);
    client.send(&Packet::Connect(Box::new(connect(version, "one more"))));
    client
}

#[test]
fn where_the_broker_is_full_clients_are_told_so() {
    let server = Server::with("[limits]\nconnections_max = 1");
    let first = Client::connect(&server, ProtocolVersion::V311, "first");
    for version in VERSIONS {
        let mut refused = ask(&server, version);
        let expected = if version.is_v5() { ReasonCode::QuotaExceeded } else { ReasonCode::ServerUnavailable };
        assert_eq!(refused.connack(|connack| connack.reason), expected, "{version}");
        refused.expect_close();
    }
    assert_eq!(server.metric("midge_connects_over_limit_total", &[]), 3.0);
    server.logged(&["connection refused", "maximum of connections"]);
    first.disconnect();
}

#[test]
fn so_many_are_told_at_the_same_time_and_no_more() {
    let server = Server::with("[limits]\nconnections_max = 1\nrefusals_max = 1");
    let _first = Client::connect(&server, ProtocolVersion::V311, "first");
    // One that says nothing has the only place of those that are told; the next is closed without a word.
    let _silent = Client::open(server.address(), ProtocolVersion::V5);
    let closed = [("limit", "limits.connections_max"), ("listener", "tcp")];
    let deadline = std::time::Instant::now() + PATIENCE;
    while server.metric("midge_connections_closed_at_accept_total", &closed) == 0.0 {
        drop(ask(&server, ProtocolVersion::V5).bytes_until_close());
        assert!(std::time::Instant::now() < deadline, "nobody is closed at accept");
    }
}

#[test]
fn what_a_listener_closes_at_accept_is_counted() {
    let server = Server::with("[[listener]]\nname = \"small\"\naddress = \"127.0.0.1:0\"\nconnections_max = 1");
    let _first = Client::connect(&server, ProtocolVersion::V311, "first");
    Client::open(server.address(), ProtocolVersion::V311).expect_close();
    let limit = [("limit", "listener.connections_max"), ("listener", "small")];
    server.metric_reaches("midge_connections_closed_at_accept_total", &limit, 1.0);
}

#[test]
fn handshakes_that_fail_are_counted() {
    let directory = TempDir::new().unwrap();
    let _pki = Pki::in_directory(&directory);
    let listener = |name: &str, more: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\nconnect_timeout_ms = 500\nanonymous = true\n{more}\n"
        )
    };
    let tls = "tls = { certificate = \"server.pem\", key = \"server.key\" }";
    let config = listener("tls", tls) + &listener("ws", "protocol = \"ws\"");
    let server = Server::beside(directory, &config);
    for (name, what, words) in [
        ("tls", "tls", "this is no TLS, and never was"),
        ("ws", "websocket", "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("tls", "timeout", ""),
        ("ws", "timeout", ""),
    ] {
        let mut stream = tcp(server.address_of(name));
        stream.set_patience(PATIENCE);
        stream.write_all(words.as_bytes()).unwrap();
        server.metric_reaches("midge_handshakes_failed_total", &[("listener", name), ("what", what)], 1.0);
    }
}

#[test]
fn a_suback_that_the_client_does_not_take_is_counted() {
    let server = Server::start();
    let small =
        |connect: &mut midge_protocol::Connect<'_>| connect.properties.maximum_packet_size = NonZeroU32::new(60);
    let (mut client, _) = Client::connect_with(&server, ProtocolVersion::V5, "small", small);
    let filters: Vec<String> = (0..100).map(|number| format!("t/{number}")).collect();
    let options = SubscribeOptions::new(QoS::AtMostOnce);
    let packet_id = client.new_id();
    client.send(&Packet::Subscribe(Subscribe {
        packet_id,
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters: filters.iter().map(|filter| SubscribeFilter { filter, options }).collect(),
    }));
    client.expect_nothing();
    server.metric_reaches("midge_answers_too_large_total", &[], 1.0);
    client.publish("t/99", "x", QoS::AtMostOnce);
    assert_eq!(client.receive().text(), "x", "it is subscribed all the same");
}
