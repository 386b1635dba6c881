//! What a grant leaves a client of the broker's limits, and what CONNACK says of it.

use midge_protocol::ReasonCode::{self, QosNotSupported, RetainNotSupported, Success};
use midge_protocol::{MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, Will};

use super::tell;
use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server};

const LIMITS: &str =
    "config = { keep_alive = 20, maximum_qos = 1, topic_alias_maximum = 2, retain_available = \"false\" }";

fn server() -> Server {
    Server::with(&plugin("permission-grantor", LIMITS))
}

#[test]
fn a_client_is_told_and_granted_what_its_grant_left_it() {
    let server = server();
    let mut client = tell(&server, ProtocolVersion::V5, "c", ("alice", ""));
    client.connack(|connack| {
        let said = &connack.properties;
        assert_eq!(connack.reason, Success);
        assert_eq!((said.server_keep_alive, said.topic_alias_maximum), (Some(20), Some(2)));
        assert_eq!((said.maximum_qos, said.retain_available), (Some(QoS::AtLeastOnce), Some(false)));
    });
    assert_eq!(client.subscribe("alice/a", QoS::ExactlyOnce), ReasonCode::granted(QoS::AtLeastOnce));
    assert_eq!(client.publish("alice/a", "x", QoS::AtLeastOnce), Success);
    assert_eq!(client.take().text(), "x");
    let too_high = Publish { qos: QoS::ExactlyOnce, packet_id: PacketId::new(9), ..publish("alice/a", b"x") };
    client.send(&Packet::Publish(too_high));
    client.expect_disconnect(QosNotSupported);
}

#[test]
fn a_will_that_the_grant_does_not_allow_keeps_its_client_out() {
    let server = server();
    for (qos, retain, expected) in [
        (QoS::ExactlyOnce, false, QosNotSupported),
        (QoS::AtMostOnce, true, RetainNotSupported),
        (QoS::AtLeastOnce, false, Success),
    ] {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        let mut hello = connect(ProtocolVersion::V5, "c");
        hello.username = Some("alice");
        let properties = MessageProperties::default();
        hello.will = Some(Will { qos, retain, topic: "alice/will", payload: b"", delay: None, properties });
        client.send(&Packet::Connect(Box::new(hello)));
        assert_eq!(client.connack(|connack| connack.reason), expected);
    }
}
