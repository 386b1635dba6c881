//! Keep Alive, and the time a client has for its CONNECT.

use std::time::{Duration, Instant};

use midge_protocol::{Packet, ProtocolVersion, ReasonCode};

use crate::support::client::connect;
use crate::support::{Client, Server, VERSIONS};

#[test]
fn mqtt_3_1_2_22_a_silent_client_is_closed_after_one_and_a_half_times_its_keep_alive() {
    let server = Server::start();
    let connected = Instant::now();
    let mut clients = VERSIONS.map(|version| {
        Client::connect_with(&server, version, &version.to_string(), |connect| connect.keep_alive = 1).0
    });
    for client in &mut clients {
        client.expect_disconnect(ReasonCode::KeepAliveTimeout);
    }
    assert!(connected.elapsed() >= Duration::from_millis(1500), "{:?}", connected.elapsed());
    server.logged(&["keep"]);
}

#[test]
fn a_client_that_pings_stays() {
    let server = Server::start();
    let (mut client, _) =
        Client::connect_with(&server, ProtocolVersion::V311, "alive", |connect| connect.keep_alive = 1);
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(300));
        client.ping();
    }
}

#[test]
fn the_broker_may_ask_for_a_shorter_keep_alive() {
    let server = Server::with("[limits]\nkeep_alive_max_s = 30");
    for asked in [0, 600] {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        let mut hello = connect(ProtocolVersion::V5, "long");
        hello.keep_alive = asked;
        client.send(&Packet::Connect(Box::new(hello)));
        assert_eq!(client.connack(|connack| connack.properties.server_keep_alive), Some(30));
    }
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_connect_timeout() {
    let server = Server::with("[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nconnect_timeout_ms = 300");
    let mut silent = Client::open(server.address(), ProtocolVersion::V311);
    let mut halfway = Client::open(server.address(), ProtocolVersion::V311);
    halfway.send_bytes(b"\x10\x0d\0\x04MQ");
    silent.expect_close();
    halfway.expect_close();
    let mut connected = Client::connect(&server, ProtocolVersion::V311, "in time");
    std::thread::sleep(Duration::from_millis(500));
    connected.ping();
}
