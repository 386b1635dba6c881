//! Keep Alive, the client's and the broker's.

use std::time::{Duration, Instant};

use midge_protocol::{Packet, ProtocolVersion, ReasonCode};

use crate::support::client::connect;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::V5;

/// A version 5 client with this Keep Alive, and the Server Keep Alive it was told.
fn keeping_alive(server: &Server, keep_alive: u16) -> (Client, Option<u16>) {
    let mut client = Client::open(server.address(), V5);
    let mut hello = connect(V5, "client");
    hello.keep_alive = keep_alive;
    client.send(&Packet::Connect(Box::new(hello)));
    let told = client.connack(|connack| connack.properties.server_keep_alive);
    (client, told)
}

/// What a client must do, in the absence of anything else, is what keeps it: PINGREQ, or any other packet.
///
/// [MQTT-3.1.2-20] [v3.1.1 MQTT-3.1.2-23] [v3.1.1 MQTT-3.1.2-24]
#[test]
fn mqtt_3_1_2_22_a_client_that_pings_stays_and_one_that_does_not_is_closed() {
    let server = Server::start();
    let connected = Instant::now();
    let open = |version, name: &str| Client::connect_with(&server, version, name, |connect| connect.keep_alive = 1).0;
    let mut pinging = VERSIONS.map(|version| open(version, &format!("pinging {version}")));
    let mut silent = VERSIONS.map(|version| open(version, &format!("silent {version}")));
    for _ in 0..15 {
        std::thread::sleep(Duration::from_millis(300));
        pinging.iter_mut().for_each(Client::ping);
    }
    for client in &mut silent {
        client.expect_disconnect(ReasonCode::KeepAliveTimeout);
    }
    assert!(connected.elapsed() >= Duration::from_millis(1500), "{:?}", connected.elapsed());
    pinging.iter_mut().for_each(Client::ping);
}

/// Zero is no Keep Alive: such a client may be silent for as long as it likes.
#[test]
fn mqtt_3_2_2_22_without_a_server_keep_alive_the_clients_holds() {
    let server = Server::with("[limits]\nkeep_alive_max_s = 30");
    let (mut brief, told) = keeping_alive(&server, 1);
    assert_eq!(told, None);
    brief.expect_disconnect(ReasonCode::KeepAliveTimeout);
    let (_, told) = keeping_alive(&server, 30);
    assert_eq!(told, None);

    let server = Server::start();
    let mut silent = VERSIONS.map(|version| Client::connect(&server, version, &version.to_string()));
    let (mut brief, told) = keeping_alive(&server, 1);
    assert_eq!(told, None);
    brief.expect_disconnect(ReasonCode::KeepAliveTimeout);
    silent.iter_mut().for_each(Client::ping);
}

/// [MQTT-3.2.2-21]
#[test]
fn mqtt_3_1_2_21_the_server_keep_alive_holds_in_place_of_the_clients() {
    let server = Server::with("[limits]\nkeep_alive_max_s = 1");
    for asked in [0, 2, 600] {
        let connected = Instant::now();
        let (mut client, told) = keeping_alive(&server, asked);
        assert_eq!(told, Some(1));
        client.expect_disconnect(ReasonCode::KeepAliveTimeout);
        assert!(connected.elapsed() >= Duration::from_millis(1500), "{:?}", connected.elapsed());
    }
    // Who cannot be told keeps its own.
    let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
    keeping_alive(&server, 0).0.expect_disconnect(ReasonCode::KeepAliveTimeout);
    old.ping();
}
