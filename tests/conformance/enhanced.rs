//! Enhanced authentication (4.12) and AUTH (3.15). The plugin `challenger` does what each step's data says.

use midge_protocol::{Packet, ProtocolVersion, Publish, QoS, ReasonCode, SubscribeOptions};

use crate::hostile::plugin;
use crate::support::auth::Said;
use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server};

const METHOD: &str = "CHALLENGER";

use ReasonCode::{ContinueAuthentication, ReAuthenticate};

fn start() -> Server {
    let listener = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n";
    Server::with(&(plugin("challenger", "") + listener))
}

fn open(server: &Server) -> Client {
    Client::open(server.address(), ProtocolVersion::V5)
}

/// A client that was asked something before its CONNACK.
fn challenged(server: &Server) -> Client {
    let mut client = open(server);
    client.begin("c", METHOD, "what now?");
    assert_eq!(client.hear(), Said::challenge(METHOD, "what now?"));
    client
}

/// A client that was let in as "alice".
fn connected(server: &Server) -> Client {
    let mut client = open(server);
    client.begin("c", METHOD, "allow alice");
    assert_eq!(client.hear(), Said::accepted(METHOD, "welcome alice"));
    client
}

/// [MQTT-4.12.0-1] A method that no plugin serves.
#[test]
fn mqtt_4_12_0_1_an_unknown_method_is_refused_with_0x8c_and_closed() {
    let server = start();
    for method in ["SCRAM-SHA-512", "challenger", ""] {
        let mut client = open(&server);
        client.begin("c", method, "allow alice");
        client.expect_connack_refusal(ReasonCode::BadAuthenticationMethod);
    }
}

/// [MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.15.2-1]
#[test]
fn mqtt_4_12_0_2_a_challenge_is_an_auth_with_0x18() {
    let server = start();
    let mut client = open(&server);
    client.begin("c", METHOD, "remember alice");
    assert_eq!(client.hear(), Said::challenge(METHOD, "go on"));
    client.auth(ContinueAuthentication, METHOD, "and another");
    assert_eq!(client.hear(), Said::challenge(METHOD, "and another"));
    client.auth(ContinueAuthentication, METHOD, "finish");
    assert_eq!(client.hear(), Said::accepted(METHOD, "welcome alice"), "the plugin was given its state back");
    client.ping();
}

/// [MQTT-4.12.0-3] The client's replies have 0x18 as well.
#[test]
fn mqtt_4_12_0_3_a_reply_with_another_reason_is_a_protocol_error() {
    let server = start();
    for reason in [ReAuthenticate, ReasonCode::Success] {
        let mut client = challenged(&server);
        client.auth(reason, METHOD, "allow alice");
        client.expect_connack_refusal(ReasonCode::ProtocolError);
    }
}

/// [MQTT-4.12.0-4] At the first step, and at a later one.
#[test]
fn mqtt_4_12_0_4_a_refusal_closes_at_any_step() {
    let server = start();
    let mut client = open(&server);
    client.begin("c", METHOD, "deny");
    client.expect_connack_refusal(ReasonCode::Banned);
    let mut client = challenged(&server);
    client.auth(ContinueAuthentication, METHOD, "deny");
    client.expect_connack_refusal(ReasonCode::Banned);
    server.logged(&["connection denied", "challenger", "enhanced-authn", "as it was asked to"]);
}

/// [MQTT-4.12.0-5] The method of CONNECT stands in every AUTH.
#[test]
fn mqtt_4_12_0_5_a_reply_with_another_method_is_a_protocol_error() {
    let server = start();
    let mut client = challenged(&server);
    client.auth(ContinueAuthentication, "OTHER", "allow alice");
    client.expect_connack_refusal(ReasonCode::ProtocolError);
    let mut client = challenged(&server);
    // 0x18 and no properties at all.
    client.send_bytes(b"\xf0\x02\x18\0");
    client.expect_connack_refusal(ReasonCode::ProtocolError);
}

/// [MQTT-4.12.0-6]
#[test]
fn mqtt_4_12_0_6_who_names_no_method_hears_of_none() {
    let server = start();
    for version in crate::support::VERSIONS {
        let mut client = Client::open(server.address(), version);
        client.send(&Packet::Connect(Box::new(connect(version, "plain"))));
        let said = client.hear();
        assert_eq!((said.is_connack, said.reason, said.method), (true, ReasonCode::Success, None));
        client.expect_nothing();
    }
}

/// [MQTT-4.12.0-7]
#[test]
fn mqtt_4_12_0_7_auth_from_a_client_without_method_is_a_protocol_error() {
    let server = start();
    for reason in [ReAuthenticate, ContinueAuthentication] {
        let mut client = Client::connect(&server, ProtocolVersion::V5, "plain");
        client.auth(reason, METHOD, "allow alice");
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// [MQTT-4.12.1-1] [MQTT-4.12.0-5] [MQTT-3.15.2-1] All goes on meanwhile, in its order.
#[test]
fn mqtt_4_12_1_1_a_client_authenticates_again_while_all_goes_on() {
    let server = start();
    let mut client = connected(&server);
    client.subscribe("t", QoS::AtLeastOnce);
    client.auth(ReAuthenticate, METHOD, "remember alice");
    assert_eq!(client.hear(), Said::challenge(METHOD, "go on"));
    for number in 0..3 {
        assert_eq!(client.publish("t", &number.to_string(), QoS::AtLeastOnce), ReasonCode::Success);
        assert_eq!(client.take().text(), number.to_string());
    }
    client.auth(ContinueAuthentication, METHOD, "finish");
    assert_eq!(client.hear(), Said::auth(ReasonCode::Success, METHOD, "welcome alice"));
    client.auth(ReAuthenticate, METHOD, "allow alice");
    assert_eq!(client.hear(), Said::auth(ReasonCode::Success, METHOD, "welcome alice"), "as often as it likes");
    assert_eq!(client.publish("t", "after", QoS::AtLeastOnce), ReasonCode::Success);
    assert_eq!(client.take().text(), "after", "the subscription stays");
}

/// [MQTT-4.12.1-1] The method is that of CONNECT, and one exchange is under way at a time.
#[test]
fn mqtt_4_12_1_1_auth_out_of_turn_or_with_another_method_is_a_protocol_error() {
    let server = start();
    for (reason, method) in [(ReAuthenticate, "OTHER"), (ContinueAuthentication, METHOD), (ReasonCode::Success, METHOD)]
    {
        let mut client = connected(&server);
        client.auth(reason, method, "allow alice");
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
    for (reason, method) in [(ReAuthenticate, METHOD), (ReasonCode::Success, METHOD), (ContinueAuthentication, "OTHER")]
    {
        let mut client = connected(&server);
        client.auth(ReAuthenticate, METHOD, "what now?");
        assert_eq!(client.hear(), Said::challenge(METHOD, "what now?"));
        client.auth(reason, method, "allow alice");
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// [MQTT-4.12.1-2] Refused, broken, or suddenly somebody else.
#[test]
fn mqtt_4_12_1_2_who_does_not_authenticate_again_is_disconnected_with_0x87() {
    let server = start();
    for data in ["deny", "err", "allow mallory"] {
        let mut client = connected(&server);
        client.auth(ReAuthenticate, METHOD, data);
        client.expect_disconnect(ReasonCode::NotAuthorized);
        let mut client = connected(&server);
        client.auth(ReAuthenticate, METHOD, "what now?");
        assert_eq!(client.hear(), Said::challenge(METHOD, "what now?"));
        client.auth(ContinueAuthentication, METHOD, data);
        client.expect_disconnect(ReasonCode::NotAuthorized);
    }
    server.logged(&["client disconnected", "end=\"reauthentication\"", "another principal"]);
}

/// [MQTT-3.1.2-30] Whatever comes between CONNECT and CONNACK, and is neither AUTH nor DISCONNECT, ends the exchange.
#[test]
fn mqtt_3_1_2_30_nothing_but_auth_and_disconnect_comes_before_connack() {
    let server = start();
    let mut watcher = Client::connect(&server, ProtocolVersion::V5, "watcher");
    watcher.subscribe("#", QoS::AtMostOnce);
    let early = publish("too/early", b"x");
    let packets =
        [Packet::Publish(early.clone()), Packet::Pingreq, Packet::Connect(Box::new(connect(ProtocolVersion::V5, "c")))];
    for packet in &packets {
        let mut client = challenged(&server);
        client.send(packet);
        client.expect_connack_refusal(ReasonCode::ProtocolError);
    }
    let mut client = challenged(&server);
    client.send_subscribe("#", SubscribeOptions::new(QoS::AtMostOnce));
    client.expect_connack_refusal(ReasonCode::ProtocolError);

    // In one piece with a CONNECT that would be let in at once.
    let mut bytes = Vec::new();
    let mut hello = connect(ProtocolVersion::V5, "hasty");
    hello.properties.authentication_method = Some(METHOD);
    hello.properties.authentication_data = Some(b"allow alice");
    Packet::Connect(Box::new(hello)).encode(ProtocolVersion::V5, &mut bytes).unwrap();
    Packet::Publish(Publish { ..early }).encode(ProtocolVersion::V5, &mut bytes).unwrap();
    let mut client = open(&server);
    client.send_bytes(&bytes);
    client.expect_connack_refusal(ReasonCode::ProtocolError);

    let client = challenged(&server);
    client.disconnect();
    watcher.expect_nothing();
}

/// [MQTT-3.15.1-1]
#[test]
fn mqtt_3_15_1_1_an_auth_with_flags_is_malformed() {
    let server = start();
    for flags in [1, 2, 4, 8] {
        let mut client = connected(&server);
        client.send_bytes(&[0xF0 | flags, 0]);
        client.expect_disconnect(ReasonCode::MalformedPacket);
        let mut client = challenged(&server);
        client.send_bytes(&[0xF0 | flags, 0]);
        client.expect_connack_refusal(ReasonCode::MalformedPacket);
    }
}

/// [MQTT-3.15.2-1] Reason codes that AUTH does not have.
#[test]
fn mqtt_3_15_2_1_an_auth_with_a_foreign_reason_code_is_malformed() {
    let server = start();
    for reason in [0x01, 0x04, 0x17, 0x1A, 0x80, 0x87, 0xFF] {
        let mut client = connected(&server);
        client.send_bytes(&[0xF0, 2, reason, 0]);
        client.expect_disconnect(ReasonCode::MalformedPacket);
    }
}

/// [MQTT-3.15.2-2] [MQTT-3.15.2-3] The broker's AUTH has neither Reason String nor User Property (every AUTH of these tests
/// is looked at), and where it is too large for the client without them, the exchange ends.
#[test]
fn mqtt_3_15_2_2_no_auth_is_larger_than_the_client_takes() {
    let server = start();
    let mut hello = connect(ProtocolVersion::V5, "small");
    hello.properties.maximum_packet_size = std::num::NonZeroU32::new(100);
    hello.properties.authentication_method = Some(METHOD);
    hello.properties.authentication_data = Some(b"data 60");
    let mut client = open(&server);
    client.send(&Packet::Connect(Box::new(hello.clone())));
    assert_eq!(client.hear().data.map(|data| data.len()), Some(60));
    client.auth(ContinueAuthentication, METHOD, "data 90");
    client.expect_connack_refusal(ReasonCode::PacketTooLarge);

    hello.properties.authentication_data = Some(b"allow alice");
    let mut client = open(&server);
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.hear(), Said::accepted(METHOD, "welcome alice"));
    client.auth(ReAuthenticate, METHOD, "data 90");
    client.expect_disconnect(ReasonCode::PacketTooLarge);
}
