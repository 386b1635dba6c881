//! Limits: of connections, of packet sizes, of queues, of rates.

use std::time::{Duration, Instant};

use midge_protocol::{Connect, Packet, ProtocolVersion, QoS, ReasonCode};

use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server};

#[test]
fn one_connection_more_than_the_listener_allows_is_closed() {
    let server = Server::with("[[listener]]\nname = \"small\"\naddress = \"127.0.0.1:0\"\nconnections_max = 2");
    let first = Client::connect(&server, ProtocolVersion::V311, "1");
    let mut second = Client::connect(&server, ProtocolVersion::V311, "2");
    let mut third = Client::open(server.address(), ProtocolVersion::V311);
    third.expect_close();
    second.ping();
    first.disconnect();
    // The place is free when the broker has done with the first client, which may be a moment after its end.
    let deadline = Instant::now() + crate::support::PATIENCE;
    loop {
        let mut again = Client::open(server.address(), ProtocolVersion::V311);
        again.send(&Packet::Connect(Box::new(connect(ProtocolVersion::V311, "3"))));
        if again.bytes_or_close(4) == [0x20, 2, 0, 0] {
            break;
        }
        assert!(Instant::now() < deadline, "the place is not free again");
    }
}

#[test]
fn a_full_queue_loses_the_oldest_and_says_so() {
    let server = Server::with("[limits]\nqueued_messages_max = 10");
    let kept = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(60);
    };
    let (mut away, _) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
    away.subscribe("t", QoS::AtLeastOnce);
    away.disconnect();
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for number in 0..25 {
        publisher.publish("t", &number.to_string(), QoS::AtLeastOnce);
    }
    let (mut back, _) = Client::connect_with(&server, ProtocolVersion::V5, "away", kept);
    for number in 15..25 {
        assert_eq!(back.take().text(), number.to_string());
    }
    back.expect_nothing();
    server.logged(&["away", "drop"]);
}

#[test]
fn a_slow_reader_does_not_hold_up_the_others() {
    let server = Server::start();
    let mut slow = Client::connect(&server, ProtocolVersion::V311, "slow");
    slow.subscribe("flood", QoS::AtMostOnce);
    let mut quick = Client::connect(&server, ProtocolVersion::V311, "quick");
    quick.subscribe("done", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    let payload = vec![b'x'; 60_000];
    // More than sockets and the outbox hold together.
    for _ in 0..500 {
        publisher.send(&Packet::Publish(publish("flood", &payload)));
    }
    publisher.publish("done", "x", QoS::AtLeastOnce);
    assert_eq!(quick.receive().text(), "x");
    server.logged(&["slow", "drop"]);
    // What was not dropped arrives whole, and the connection lives.
    assert!(slow.messages_until_pong() > 0);
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_disconnected() {
    let server = Server::with("[limits]\nwrite_stall_max_s = 1");
    let mut stuck = Client::connect(&server, ProtocolVersion::V311, "stuck");
    stuck.subscribe("flood", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    let payload = vec![b'x'; 60_000];
    for _ in 0..200 {
        publisher.send(&Packet::Publish(publish("flood", &payload)));
    }
    server.logged(&["stuck", "slow_consumer"]);
    publisher.ping();
}

#[test]
fn a_rate_slows_its_client_down() {
    let server = Server::with("[limits]\nmessages_per_second = 20");
    let mut client = Client::connect(&server, ProtocolVersion::V311, "fast");
    let started = Instant::now();
    // What is read at once is carried out at once, and paid for afterwards.
    for _ in 0..4 {
        for _ in 0..20 {
            client.send(&Packet::Publish(publish("t", b"x")));
        }
        client.ping();
    }
    assert!(started.elapsed() >= Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[test]
fn a_topic_may_have_so_many_levels() {
    let server = Server::with("[limits]\ntopic_levels_max = 4");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "deep");
    assert!(!client.publish("1/2/3/4", "x", QoS::AtLeastOnce).is_error());
    assert_eq!(client.subscribe("1/2/3/4/#", QoS::AtMostOnce), ReasonCode::TopicFilterInvalid);
    client.publish_refused("1/2/3/4/5", ReasonCode::TopicNameInvalid);
}

#[test]
fn a_version_may_be_refused() {
    let server = Server::with("[[listener]]\nname = \"new\"\naddress = \"127.0.0.1:0\"\nversions = [\"5\"]");
    let mut old = Client::open(server.address(), ProtocolVersion::V311);
    old.send(&Packet::Connect(Box::new(connect(ProtocolVersion::V311, "old"))));
    assert_eq!(old.bytes_until_close(), [0x20, 2, 0, 1]);
    Client::connect(&server, ProtocolVersion::V5, "new").ping();
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
