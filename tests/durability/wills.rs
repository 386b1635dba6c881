//! Wills whose clients cannot be asked any more.

use std::thread::sleep;
use std::time::Duration;

use midge_protocol::{Connect, MessageProperties, ProtocolVersion, QoS, Will};
use rustix::process::Signal;

use super::{away, back, durable, kept, settle};
use crate::support::{Client, Server};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

fn mortal<'a>(connect: &mut Connect<'a>, payload: &'a [u8], delay: u32) {
    kept(connect);
    connect.will = Some(Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "wills",
        payload,
        delay: Some(delay),
        properties: MessageProperties { content_type: Some("text/plain"), ..MessageProperties::default() },
    });
}

fn witness(server: &Server) {
    away(server, VERSION, "witness", "wills", QoS::AtLeastOnce);
}

/// [MQTT-3.1.2-8]
#[test]
fn the_will_of_a_client_that_was_connected_is_published_after_its_delay() {
    let mut server = durable();
    witness(&server);
    let (client, _) = Client::connect_with(&server, VERSION, "mortal", |connect| mortal(connect, b"gone", 1));
    server.again(Signal::KILL);
    drop(client);
    let mut witness = back(&server, VERSION, "witness");
    let will = witness.take();
    assert_eq!((will.text(), will.content_type.as_deref()), ("gone", Some("text/plain")));
    witness.expect_nothing();
    drop(witness);
    settle(&server);
    server.again(Signal::KILL);
    back(&server, VERSION, "witness").expect_nothing();
}

/// [MQTT-3.1.3-9]
#[test]
fn a_delay_goes_on_while_the_broker_is_down() {
    let mut server = durable();
    witness(&server);
    drop(Client::connect_with(&server, VERSION, "mortal", |connect| mortal(connect, b"gone", 2)));
    server.logged(&["client disconnected", "mortal"]);
    settle(&server);
    server.end(Signal::KILL);
    sleep(Duration::from_millis(2100));
    server.begin();
    let mut witness = back(&server, VERSION, "witness");
    assert_eq!(witness.take().text(), "gone");
}

/// [MQTT-3.1.3-9]
#[test]
fn who_is_back_in_time_has_no_will_published() {
    let mut server = durable();
    witness(&server);
    drop(Client::connect_with(&server, VERSION, "mortal", |connect| mortal(connect, b"old", 2)));
    server.logged(&["client disconnected", "mortal"]);
    settle(&server);
    server.again(Signal::KILL);
    let (client, present) = Client::connect_with(&server, VERSION, "mortal", kept);
    assert!(present);
    client.disconnect();
    sleep(Duration::from_millis(2500));
    back(&server, VERSION, "witness").expect_nothing();
}
