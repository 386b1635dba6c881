//! Client Identifiers: which there are, and what they stand for.

use midge_protocol::{Connect, Packet, ProtocolVersion, QoS};

use crate::support::client::connect;
use crate::support::raw::{self, string};
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};

fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    connect.properties.session_expiry = connect.version.is_v5().then_some(60);
}

/// [v3.1.1 MQTT-3.1.3-2]
#[test]
fn mqtt_3_1_3_2_state_belongs_to_a_client_id() {
    let server = Server::start();
    for version in VERSIONS {
        for (name, topic) in [("one", "t/1"), ("two", "t/2"), ("One", "t/3")] {
            Client::connect(&server, V5, name).disconnect();
            let (mut client, _) = Client::connect_with(&server, version, name, kept);
            client.subscribe(topic, QoS::AtLeastOnce);
            client.disconnect();
        }
        let mut publisher = Client::connect(&server, version, "publisher");
        for topic in ["t/1", "t/2", "t/3"] {
            publisher.publish(topic, "x", QoS::AtLeastOnce);
        }
        for (name, topic) in [("two", "t/2"), ("One", "t/3"), ("one", "t/1")] {
            let (mut client, _) = Client::connect_with(&server, version, name, kept);
            assert_eq!(client.take().topic, topic, "{version}: {name}");
            client.expect_nothing();
        }
    }
}

/// [v3.1.1 MQTT-3.1.3-5]
#[test]
fn mqtt_3_1_3_5_every_id_of_1_to_23_letters_and_digits_is_allowed() {
    let server = Server::start();
    let characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for version in VERSIONS {
        for start in (0..characters.len()).step_by(20) {
            let name = &characters[start..characters.len().min(start + 23)];
            Client::connect(&server, version, name).disconnect();
        }
        (1..=23).for_each(|length| Client::connect(&server, version, &characters[..length]).disconnect());
    }
}

/// More than has to be allowed: longer ones, in MQTT 3.1 too, and any character. What MQTT 3.1 says of 23 bytes no broker
/// has ever held its clients to.
#[test]
fn mqtt_3_1_3_5_longer_ids_and_other_characters_are_allowed_in_every_version() {
    let server = Server::start();
    for version in VERSIONS {
        for name in ["x".repeat(24), "x".repeat(1024), "a/b+c#d $e".to_owned(), "Ünïcödé 🦟".to_owned()] {
            let (mut client, _) = Client::connect_with(&server, version, &name, kept);
            client.subscribe("t", QoS::AtMostOnce);
            client.disconnect();
            let (mut client, _) = Client::connect_with(&server, version, &name, kept);
            client.publish("t", "back", QoS::AtMostOnce);
            assert_eq!(client.receive().text(), "back", "{version}: {name}");
        }
    }
}

/// [MQTT-3.1.3-7] [MQTT-3.2.2-16]
#[test]
fn mqtt_3_1_3_6_a_client_without_id_is_given_one_of_its_own() {
    let server = Server::start();
    let introduce = |clean_start: bool| {
        let mut client = Client::open(server.address(), V5);
        let mut hello = connect(V5, "");
        kept(&mut hello);
        hello.clean_start = clean_start;
        client.send(&Packet::Connect(Box::new(hello)));
        let id = client.connack(|connack| {
            assert!(!connack.session_present);
            connack.properties.assigned_client_id.unwrap().to_owned()
        });
        (client, id)
    };
    let (mut first, name) = introduce(true);
    first.subscribe("t", QoS::AtLeastOnce);
    first.disconnect();
    let others = [introduce(true), introduce(false)];
    assert!(!name.is_empty() && others[0].1 != name && others[1].1 != name && others[0].1 != others[1].1);
    // It is that client's id from then on.
    let (mut back, present) = Client::connect_with(&server, V5, &name, kept);
    assert!(present);
    back.publish("t", "mine", QoS::AtLeastOnce);
    assert_eq!(back.take().text(), "mine");
    for (mut other, _) in others {
        other.ping();
    }
    // Who has an id is given none.
    let mut named = Client::open(server.address(), V5);
    named.send(&Packet::Connect(Box::new(connect(V5, "named"))));
    named.connack(|connack| assert_eq!(connack.properties.assigned_client_id, None));
}

/// Each has a session of its own: none takes over another's.
#[test]
fn v311_3_1_3_6_clients_without_id_are_different_clients() {
    let server = Server::start();
    let mut clients = [0, 1, 2].map(|_| Client::connect(&server, V311, ""));
    clients[0].subscribe("t", QoS::AtMostOnce);
    clients[1].publish("t", "x", QoS::AtLeastOnce);
    assert_eq!(clients[0].receive().text(), "x");
    for client in &mut clients {
        client.expect_nothing();
    }
}

/// [v3.1.1 MQTT-3.1.3-7]
#[test]
fn v311_3_1_3_8_without_id_a_session_cannot_be_kept() {
    let server = Server::start();
    let mut client = Client::open(server.address(), V311);
    client.send_bytes(&raw::connect(V311, 0, &[&string("")]));
    assert_eq!(client.bytes_until_close(), [0x20, 2, 0, 2]);
    // MQTT 3.1 has no clients without id at all.
    for flags in [0, 2] {
        let mut client = Client::open(server.address(), V31);
        client.send_bytes(&raw::connect(V31, flags, &[&string("")]));
        assert_eq!(client.bytes_until_close(), [0x20, 2, 0, 2]);
    }
}

/// [MQTT-3.2.2-7] [v3.1.1 MQTT-3.1.3-9]
#[test]
fn mqtt_3_1_3_8_an_id_that_is_too_long_is_refused_and_the_connection_closed() {
    let server = Server::with("[limits]\nclient_id_bytes_max = 30");
    for version in VERSIONS {
        Client::connect(&server, version, &"x".repeat(30)).disconnect();
        let mut client = Client::open(server.address(), version);
        client.send_bytes(&raw::connect(version, 2, &[&string("x".repeat(31))]));
        let answer: &[u8] = if version.is_v5() { &[0x20, 3, 0, 0x85, 0] } else { &[0x20, 2, 0, 2] };
        assert_eq!(client.bytes_until_close(), answer, "{version}");
    }
    server.logged(&["longer than 30 bytes"]);
}
