//! Clients that are sent to another server (4.11).

use std::num::NonZeroU32;

use midge_protocol::ReasonCode::{ReAuthenticate, ServerUnavailable, Success, UseAnotherServer};
use midge_protocol::{Packet, ProtocolVersion, QoS};

use super::tell;
use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::{Client, Server};

const METHOD: &str = "CHALLENGER";

/// The reason and the Server Reference of the DISCONNECT that comes next.
fn disconnected(client: &mut Client) -> (midge_protocol::ReasonCode, Option<String>) {
    let said = client.next(|packet| match packet {
        Packet::Disconnect(disconnect) => (disconnect.reason, disconnect.server_reference.map(str::to_owned)),
        other => panic!("{other:?} instead of DISCONNECT"),
    });
    client.expect_close();
    said
}

#[test]
fn who_authenticates_can_send_a_client_elsewhere_and_each_version_is_told_what_it_can_be() {
    let server = Server::with(&plugin("importer", ""));
    let elsewhere = ("elsewhere", "b.example.com:1883 [2001:db8::1]");
    let mut client = tell(&server, ProtocolVersion::V5, "a", elsewhere);
    client.connack(|connack| {
        assert_eq!(connack.reason, UseAnotherServer);
        assert_eq!(connack.properties.server_reference, Some(elsewhere.1));
        assert_eq!(connack.properties.reason.reason_string, Some("as it was asked to"));
    });
    client.expect_close();
    for version in [ProtocolVersion::V31, ProtocolVersion::V311] {
        let mut client = tell(&server, version, "a", elsewhere);
        assert_eq!(client.connack(|connack| connack.reason), ServerUnavailable, "{version}");
        client.expect_close();
    }
    server.logged(&["connection denied", "redirected to b.example.com:1883", "importer"]);
    assert_eq!(server.metric("midge_denied_total", &[("cause", "redirected"), ("plugin", "importer")]), 3.0);
}

#[test]
fn a_reference_that_mqtt_cannot_carry_is_the_plugins_failure_and_lets_nobody_in() {
    let server = Server::with(&plugin("importer", ""));
    let mut client = tell(&server, ProtocolVersion::V5, "a", ("elsewhere", " "));
    assert_eq!(client.connack(|connack| connack.reason), ServerUnavailable);
    client.expect_close();
    server.logged(&["connection denied", "bad answer", "the server reference is empty"]);
}

#[test]
fn a_client_with_room_for_only_one_of_them_is_told_the_server_and_not_why() {
    let server = Server::with(&plugin("importer", ""));
    let elsewhere = ("elsewhere", "b.example.com");
    for (room, reference) in [(24, Some("b.example.com")), (12, None)] {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        let mut hello = connect(ProtocolVersion::V5, "a");
        (hello.username, hello.password) = (Some(elsewhere.0), Some(elsewhere.1.as_bytes()));
        hello.properties.maximum_packet_size = NonZeroU32::new(room);
        client.send(&Packet::Connect(Box::new(hello)));
        client.connack(|connack| {
            assert_eq!((connack.reason, connack.properties.server_reference), (UseAnotherServer, reference));
            assert_eq!(connack.properties.reason.reason_string, None);
        });
    }
}

#[test]
fn a_plugin_sends_a_connected_client_elsewhere_if_the_operator_lets_it() {
    let server = Server::with(&plugin("importer", "allow = { redirect = true }"));
    let mut wanderer = tell(&server, ProtocolVersion::V5, "wanderer", ("config", "name"));
    assert_eq!(wanderer.connack(|connack| connack.reason), Success);
    let mut old = tell(&server, ProtocolVersion::V311, "old", ("config", "name"));
    assert_eq!(old.connack(|connack| connack.reason), Success);
    for client_id in ["wanderer", "old", "nobody"] {
        let mut plugin = tell(&server, ProtocolVersion::V5, "plugin", ("redirect", client_id));
        assert_eq!(plugin.connack(|connack| connack.reason), Success);
    }
    assert_eq!(disconnected(&mut wanderer), (UseAnotherServer, Some("elsewhere.example.com:1883".to_owned())));
    old.expect_close();
    server.logged(&["sends a client to another server", "wanderer", "elsewhere.example.com:1883"]);

    let strict = Server::with(&plugin("importer", ""));
    let mut staying = tell(&strict, ProtocolVersion::V5, "staying", ("config", "name"));
    assert_eq!(staying.connack(|connack| connack.reason), Success);
    let mut plugin = tell(&strict, ProtocolVersion::V5, "plugin", ("redirect", "staying"));
    assert_ne!(plugin.connack(|connack| connack.reason), Success);
    staying.ping();
    strict.logged(&["redirecting clients is not granted", "allow.redirect = true"]);
}

#[test]
fn an_exchange_can_end_elsewhere_before_the_connack_and_after_it() {
    let server = Server::with(&plugin("challenger", ""));
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    client.begin("a", METHOD, "elsewhere b.example.com");
    client.connack(|connack| {
        let reference = connack.properties.server_reference;
        assert_eq!((connack.reason, reference), (UseAnotherServer, Some("b.example.com")));
    });
    client.expect_close();
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    client.begin("b", METHOD, "allow alice");
    assert_eq!(client.connack(|connack| connack.reason), Success);
    client.publish("x", "y", QoS::AtLeastOnce);
    client.auth(ReAuthenticate, METHOD, "elsewhere c.example.com");
    assert_eq!(disconnected(&mut client), (UseAnotherServer, Some("c.example.com".to_owned())));
}
