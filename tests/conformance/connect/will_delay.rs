//! The Will Delay Interval, and the session that may end before it.

use std::time::{Duration, Instant};

use midge_protocol::{Connect, Disconnect, MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will};

use crate::support::{Client, Server};

use ProtocolVersion::V5;

/// A Will delayed so long, in a session that is kept so long.
fn delayed(delay: u32, session_expiry: u32) -> impl FnOnce(&mut Connect<'static>) {
    move |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(session_expiry);
        let properties = MessageProperties { message_expiry: Some(100), ..MessageProperties::default() };
        let (qos, retain) = (QoS::AtMostOnce, false);
        connect.will = Some(Will { qos, retain, topic: "wills", payload: b"gone", delay: Some(delay), properties });
    }
}

fn mortal(server: &Server, delay: u32, session_expiry: u32) -> Client {
    Client::connect_with(server, V5, "mortal", delayed(delay, session_expiry)).0
}

fn witness(server: &Server) -> Client {
    let mut witness = Client::connect(server, V5, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    witness
}

/// Its Message Expiry Interval begins when it is published.
///
/// [MQTT-3.1.2-7]
#[test]
fn mqtt_3_1_2_8_a_delayed_will_is_published_when_its_delay_has_passed() {
    let server = Server::start();
    let mut witness = witness(&server);
    let lost = Instant::now();
    drop(mortal(&server, 2, 600));
    let message = witness.receive();
    assert!(lost.elapsed() >= Duration::from_secs(2), "{:?}", lost.elapsed());
    assert_eq!((message.text(), message.message_expiry), ("gone", Some(100)));
    // It is published once: neither the end of the session nor another loss brings it back.
    Client::connect(&server, V5, "mortal").disconnect();
    witness.expect_nothing();
}

#[test]
fn mqtt_3_1_2_8_a_session_that_ends_before_the_delay_publishes_the_will() {
    let server = Server::start();
    let mut witness = witness(&server);
    // With its connection.
    drop(mortal(&server, 600, 0));
    assert_eq!(witness.receive().text(), "gone");
    // After a time that is shorter than the delay.
    drop(mortal(&server, 600, 1));
    assert_eq!(witness.receive().text(), "gone");
    // By the DISCONNECT that asks for the Will.
    let mut client = mortal(&server, 600, 600);
    let mut goodbye = Disconnect::new(ReasonCode::DisconnectWithWill);
    goodbye.session_expiry = Some(0);
    client.send(&Packet::Disconnect(goodbye));
    assert_eq!(witness.receive().text(), "gone");
    // By a clean start, of a session without a connection and of one with it.
    drop(mortal(&server, 600, 600));
    witness.expect_nothing();
    Client::connect(&server, V5, "mortal").disconnect();
    assert_eq!(witness.receive().text(), "gone");
    let mut old = mortal(&server, 600, 600);
    let new = Client::connect(&server, V5, "mortal");
    old.expect_disconnect(ReasonCode::SessionTakenOver);
    assert_eq!(witness.receive().text(), "gone");
    new.disconnect();
    witness.expect_nothing();
}

/// Whether the old connection was already lost or is taken over. A Will without delay is published: the connection it
/// belongs to is closed.
#[test]
fn mqtt_3_1_3_9_a_client_that_is_back_before_the_delay_takes_its_will_back() {
    let server = Server::start();
    let mut witness = witness(&server);
    drop(mortal(&server, 600, 600));
    let mut old = mortal(&server, 600, 600);
    let new = mortal(&server, 0, 600);
    old.expect_disconnect(ReasonCode::SessionTakenOver);
    witness.expect_nothing();
    let newest = mortal(&server, 600, 600);
    assert_eq!(witness.receive().text(), "gone", "the one without delay");
    newest.disconnect();
    drop(new);
    Client::connect(&server, V5, "mortal").disconnect();
    witness.expect_nothing();
}
