//! Plugins that are for the clients of some listeners only.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::{Client, Server};

const LISTENERS: &str = "[[listener]]\nname = \"public\"\naddress = \"127.0.0.1:0\"\n\
                         [[listener]]\nname = \"inside\"\naddress = \"127.0.0.1:0\"\n";

/// The answer to a client with a user name on a listener, and the client.
fn ask(server: &Server, listener: &str, name: &str) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address_of(listener), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, name);
    hello.username = Some(name);
    client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

#[test]
fn a_listener_that_no_authenticator_is_for_is_open_as_if_there_were_none() {
    let server = Server::with(&format!("{LISTENERS}{}", plugin("deny-all", "listeners = [\"public\"]")));
    let (mut client, reason) = ask(&server, "public", "anybody");
    assert!(reason.is_error(), "{reason}");
    client.expect_close();
    let (mut client, reason) = ask(&server, "inside", "anybody");
    assert_eq!(reason, ReasonCode::Success);
    assert_eq!(client.subscribe("t", QoS::AtMostOnce), ReasonCode::Success);
    client.publish("t", "x", QoS::AtLeastOnce);
    assert_eq!(client.take().text(), "x");
}

#[test]
fn each_listener_has_a_chain_of_its_own() {
    let config = LISTENERS.to_owned()
        + &plugin("deny-all", "listeners = [\"public\"]\nhooks = [\"authz\"]")
        + &plugin("rewrite", "listeners = [\"inside\"]")
        + &plugin("count-sink", "listeners = [\"inside\"]");
    let server = Server::with(&config);
    let (mut public, _) = ask(&server, "public", "p");
    let (mut inside, _) = ask(&server, "inside", "i");
    assert_eq!(public.publish("rewrite/x", "a", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    inside.subscribe("#", QoS::AtLeastOnce);
    assert!(!inside.publish("rewrite/x", "a", QoS::AtLeastOnce).is_error());
    let message = inside.take();
    assert_eq!((message.topic.as_str(), message.text()), ("rewritten/x", "A"));
    server.metric_reaches("midge_custom_delivered_total", &[("plugin", "count-sink")], 1.0);
    assert_eq!(
        server.metric("midge_plugin_calls_total", &[("plugin", "deny-all"), ("outcome", "answered")]),
        1.0,
        "permissions, once"
    );
}

#[test]
fn a_listener_that_is_not_there_is_an_error_that_names_those_that_are() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("midge.toml");
    std::fs::write(&file, format!("{LISTENERS}{}", plugin("deny-all", "listeners = [\"outside\"]"))).unwrap();
    let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for part in ["plugin[0].listeners", "outside", "there are public, inside"] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
}
