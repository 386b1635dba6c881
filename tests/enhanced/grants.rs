//! What a grant, and the one after it, make of a client.

use midge_protocol::ReasonCode::{self, ContinueAuthentication, NotAuthorized, ReAuthenticate, Success};
use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::Signal;

use super::{METHOD, challenger, connected, open};
use crate::support::Client;
use crate::support::auth::Said;
use crate::support::client::connect;

#[test]
fn a_plugin_of_this_kind_alone_keeps_out_who_names_no_method() {
    let server = challenger("");
    for version in crate::support::VERSIONS {
        let mut client = Client::open(server.address(), version);
        let mut hello = connect(version, "plain");
        hello.username = Some("alice");
        client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
        let refused = client.connack(|connack| connack.reason);
        assert_eq!(refused, NotAuthorized);
        client.expect_close();
    }
    server.logged(&["connection denied", "no plugin allowed it"]);
}

#[test]
fn permissions_are_those_of_the_last_grant() {
    let server = challenger("");
    let mut client = connected(&server, "c", "rules alice a/#");
    assert_eq!(client.subscribe("a/1", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
    client.publish_refused("b/1", NotAuthorized);
    client.auth(ReAuthenticate, METHOD, "rules alice b/#");
    assert_eq!(client.hear(), Said::auth(Success, METHOD, "welcome alice"));
    client.publish_refused("a/1", NotAuthorized);
    assert_eq!(client.publish("b/1", "x", QoS::AtLeastOnce), ReasonCode::NoMatchingSubscribers);
    client.auth(ReAuthenticate, METHOD, "allow alice");
    assert_eq!(client.hear(), Said::auth(Success, METHOD, "welcome alice"));
    assert_eq!(client.publish("a/1", "x", QoS::AtLeastOnce), Success);
    assert_eq!(client.take().text(), "x", "the subscription stayed");
    server.logged(&["client authenticated again", "alice"]);
}

#[test]
fn a_grant_that_is_renewed_does_not_end_when_the_first_would_have() {
    let server = challenger("");
    let mut renewed = connected(&server, "renewed", "allow alice 2");
    renewed.auth(ReAuthenticate, METHOD, "allow alice 3600");
    assert_eq!(renewed.hear(), Said::auth(Success, METHOD, "welcome alice"));
    let mut endless = connected(&server, "endless", "allow alice 2");
    endless.auth(ReAuthenticate, METHOD, "allow alice");
    assert_eq!(endless.hear(), Said::auth(Success, METHOD, "welcome alice"));
    let mut first = connected(&server, "first", "allow alice 2");
    let mut failed = connected(&server, "failed", "allow alice 2");
    failed.auth(ReAuthenticate, METHOD, "what now?");
    assert_eq!(failed.hear(), Said::challenge(METHOD, "what now?"));
    first.expect_disconnect(NotAuthorized);
    failed.expect_disconnect(NotAuthorized);
    renewed.ping();
    endless.ping();
}

#[test]
fn a_grant_may_also_end_sooner_than_the_one_before() {
    let server = challenger("");
    for before in ["allow alice", "allow alice 3600"] {
        let mut client = connected(&server, "c", before);
        client.auth(ReAuthenticate, METHOD, "allow alice 1");
        assert_eq!(client.hear(), Said::auth(Success, METHOD, "welcome alice"));
        client.expect_disconnect(NotAuthorized);
    }
}

#[test]
fn an_exchange_survives_a_reload() {
    let server = challenger("");
    let mut connecting = open(&server);
    connecting.begin("a", METHOD, "remember alice");
    assert_eq!(connecting.hear(), Said::challenge(METHOD, "go on"));
    let mut staying = connected(&server, "b", "allow bob");
    staying.auth(ReAuthenticate, METHOD, "remember bob");
    assert_eq!(staying.hear(), Said::challenge(METHOD, "go on"));
    server.signal(Signal::HUP);
    server.logged(&["reloaded"]);
    connecting.auth(ContinueAuthentication, METHOD, "finish");
    assert_eq!(connecting.hear(), Said::accepted(METHOD, "welcome alice"));
    staying.auth(ContinueAuthentication, METHOD, "finish");
    assert_eq!(staying.hear(), Said::auth(Success, METHOD, "welcome bob"));
}

#[test]
fn version_3_clients_know_nothing_of_auth() {
    let server = challenger("[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nanonymous = true");
    let mut client = Client::connect(&server, ProtocolVersion::V311, "old");
    client.send_bytes(b"\xf0\0");
    client.expect_close();
}
