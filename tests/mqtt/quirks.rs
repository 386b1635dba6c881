//! Clients that are older than the standards, or do what the standards let them do and few others do.

use midge_protocol::{Connect, Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::support::message::publish;
use crate::support::raw::{self, packet, string};
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};

/// A client of MQTT 3.1 that says this, and was accepted.
fn old_client(server: &Server, hello: &[u8]) -> Client {
    let mut client = Client::open(server.address(), V31);
    client.send_bytes(hello);
    assert_eq!(client.bytes_or_close(4), [0x20, 2, 0, 0]);
    client
}

/// A bridge as mosquitto has them: a client that sets the highest bit of its protocol level.
fn bridge(server: &Server, version: ProtocolVersion, name: &str) -> Client {
    Client::connect_with(server, version, name, |connect: &mut Connect<'_>| connect.bridge = true).0
}

#[test]
fn an_mqtt_3_1_client_has_reserved_flags_and_will_flags_without_meaning() {
    let server = Server::start();
    for flags in [0x03, 0x0A, 0x22, 0x3B] {
        let mut client = old_client(&server, &raw::connect(V31, flags, &[&string("client")]));
        client.ping();
    }
    // Fixed headers too: DUP in SUBSCRIBE, UNSUBSCRIBE and PUBREL, and flags that are "unused".
    let mut client = old_client(&server, &raw::connect(V31, 2, &[&string("client")]));
    client.send_bytes(&[0x8A, 6, 0, 1, 0, 1, b't', 1]);
    assert_eq!(client.bytes_or_close(5), [0x90, 3, 0, 1, 1]);
    client.send_bytes(&[0xAA, 5, 0, 2, 0, 1, b't', 0xC1, 0]);
    assert_eq!(client.bytes_or_close(6), [0xB0, 2, 0, 2, 0xD0, 0]);
}

#[test]
fn an_mqtt_3_1_client_may_announce_a_user_name_and_end() {
    let server = Server::start();
    for flags in [0x82, 0xC2] {
        old_client(&server, &raw::connect(V31, flags, &[&string("client")])).ping();
    }
    old_client(&server, &raw::connect(V31, 0xC2, &[&string("client"), &string("user")])).ping();
}

/// [MQTT-3.1.2-2] [v3.1.1 MQTT-3.1.2-2]
#[test]
fn name_and_level_belong_together() {
    let server = Server::start();
    for (name, level, answer) in [
        ("MQIsdp", 4, &[0x20, 2, 0, 1][..]),
        ("MQTT", 3, &[0x20, 2, 0, 1]),
        ("MQIsdp", 5, &[0x20, 3, 0, 0x84, 0]),
        ("MQTT", 0, &[0x20, 2, 0, 1]),
        ("MQTT", 6, &[0x20, 3, 0, 0x84, 0]),
    ] {
        let mut client = Client::open(server.address(), V311);
        client.send_bytes(&packet(0x10, &[&string(name), &[level, 2, 0, 0], &string("client")]));
        assert_eq!(client.bytes_until_close(), answer, "{name} {level}");
    }
}

#[test]
fn a_version_3_client_may_write_lengths_with_more_bytes_than_they_need() {
    let server = Server::start();
    let mut client = Client::open(server.address(), V311);
    client.send_bytes(b"\x10\x8d\x80\x00\0\x04MQTT\x04\x02\0\0\0\x01a\xc0\x80\x00");
    assert_eq!(client.bytes_or_close(6), [0x20, 2, 0, 0, 0xD0, 0]);
}

#[test]
fn a_client_need_not_wait_for_connack() {
    let server = Server::start();
    for version in VERSIONS {
        let none = raw::none(version);
        let hello = raw::connect(version, 2, &[&string("hasty")]);
        let subscribe = packet(0x82, &[&[0, 1], none, &string("t"), &[0]]);
        let message = packet(0x30, &[&string("t"), none, b"x"]);
        let mut client = Client::open(server.address(), version);
        client.send_bytes(&[&hello[..], &subscribe, &message, &[0xE0, 0]].concat());
        client.connack(|connack| assert_eq!(connack.reason, ReasonCode::Success));
        client.next(|packet| assert!(matches!(packet, Packet::Suback(_)), "{packet:?}"));
        assert_eq!(client.receive().text(), "x", "{version}: carried out, although it has left by then");
        client.expect_close();
    }
}

#[test]
fn nothing_behind_a_disconnect_counts() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "gone");
        client.send_bytes(&[&[0xE0, 0][..], &packet(0x31, &[&string("kept"), raw::none(version), b"x"])].concat());
        client.expect_close();
    }
    assert_eq!(server.metric("midge_retained_messages", &[]), 0.0);
}

#[test]
fn a_version_5_client_may_leave_out_what_has_a_default() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "terse");
    client.subscribe("t", QoS::AtLeastOnce);
    client.publish("t", "x", QoS::AtLeastOnce);
    let id = client.receive().packet_id.unwrap().get().to_be_bytes();
    // PUBACK in its three forms: the reason, and the length of the properties, may be missing.
    for form in [&id[..], &[&id[..], &[0]].concat(), &[&id[..], &[0, 0]].concat()] {
        client.send_bytes(&packet(0x40, &[form]));
        client.ping();
    }
    client.send_bytes(&[0xE0, 0]);
    client.expect_close();
}

/// Of version 3.1 and 3.1.1, as mosquitto has it: RETAIN is kept, and what it sent does not come back.
#[test]
fn a_bridge_gets_retain_as_published_and_nothing_that_it_sent() {
    let server = Server::start();
    for version in [V31, V311] {
        let mut remote = bridge(&server, version, "remote");
        remote.subscribe("#", QoS::AtLeastOnce);
        remote.publish("own", "x", QoS::AtLeastOnce);
        remote.retain("own", "x", QoS::AtLeastOnce);
        let mut client = Client::connect(&server, V5, "client");
        for (text, retain) in [("passing", false), ("kept", true)] {
            let message = Publish { retain, qos: QoS::AtLeastOnce, ..publish("t", text.as_bytes()) };
            client.publish_with(message);
            let message = remote.take();
            assert_eq!((message.text(), message.retain), (text, retain), "{version}");
        }
        remote.expect_nothing();
        // Another bridge gets what the first one sent; one that comes late gets what is retained, but for its own.
        let mut other = bridge(&server, version, "other");
        other.subscribe("own", QoS::AtLeastOnce);
        let message = other.take();
        assert_eq!((message.topic.as_str(), message.retain), ("own", true), "{version}");
        remote.retain("own", "y", QoS::AtLeastOnce);
        let message = other.take();
        assert_eq!((message.text(), message.retain), ("y", true), "{version}");
        remote.expect_nothing();
        ["own", "t"].iter().for_each(|topic| {
            client.retain(topic, "", QoS::AtLeastOnce);
        });
    }
}

#[test]
fn a_bridge_has_a_session_and_a_will_like_any_client() {
    let server = Server::start();
    for version in [V31, V311] {
        let kept = |connect: &mut Connect<'_>| (connect.bridge, connect.clean_start) = (true, false);
        let (mut remote, _) = Client::connect_with(&server, version, "remote", kept);
        remote.subscribe("t", QoS::AtLeastOnce);
        drop(remote);
        Client::connect(&server, V5, "client").retain("t", "missed", QoS::AtLeastOnce);
        let (mut remote, _) = Client::connect_with(&server, version, "remote", kept);
        let message = remote.take();
        assert_eq!((message.text(), message.retain), ("missed", true), "{version}");
        remote.disconnect();
        Client::connect(&server, version, "remote").disconnect();
        Client::connect(&server, V5, "client").retain("t", "", QoS::AtLeastOnce);
    }
}

/// A version 5 bridge says what it wants in its Subscription Options.
#[test]
fn a_version_5_client_with_the_bridge_bit_is_a_client() {
    let server = Server::start();
    let mut remote = bridge(&server, V5, "remote");
    remote.subscribe("#", QoS::AtMostOnce);
    remote.retain("t", "own", QoS::AtLeastOnce);
    let message = remote.take();
    assert_eq!((message.text(), message.retain), ("own", false));
}
