//! How the broker starts, and how it stops.

use std::time::Duration;

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode, Will};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Client, Server};

#[test]
fn a_stop_takes_leave_of_every_client() {
    let mut server = Server::start();
    let mut new = Client::connect(&server, ProtocolVersion::V5, "new");
    let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
    server.signal(Signal::TERM);
    new.expect_disconnect(ReasonCode::ServerShuttingDown);
    old.expect_close();
    let status = server.ended();
    assert!(status.success(), "{status}");
}

#[test]
fn what_was_under_way_is_delivered_before_the_end() {
    let mut server = Server::start();
    let mut subscriber = Client::connect(&server, ProtocolVersion::V311, "subscriber");
    subscriber.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    publisher.publish("t", &"x".repeat(500_000), QoS::AtLeastOnce);
    server.signal(Signal::INT);
    assert_eq!(subscriber.receive().payload.len(), 500_000);
    subscriber.expect_close();
    assert!(server.ended().success());
}

#[test]
fn a_client_that_takes_nothing_cannot_hold_up_the_end() {
    let mut server = Server::with("[shutdown]\ndrain_ms = 500");
    let mut deaf = Client::connect(&server, ProtocolVersion::V311, "deaf");
    deaf.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V311, "publisher");
    let payload = vec![b'x'; 100_000];
    for _ in 0..200 {
        publisher.send(&Packet::Publish(crate::support::message::publish("t", &payload)));
    }
    publisher.ping();
    server.signal(Signal::TERM);
    server.ended();
}

#[test]
fn a_stop_does_not_lose_wills_that_are_due() {
    let mut server = Server::start();
    let mut witness = Client::connect(&server, ProtocolVersion::V311, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    let (client, _) = Client::connect_with(&server, ProtocolVersion::V311, "mortal", |connect| {
        connect.will = Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "wills",
            payload: b"gone",
            delay: None,
            properties: midge_protocol::MessageProperties::default(),
        });
    });
    drop(client);
    assert_eq!(witness.receive().text(), "gone");
    server.signal(Signal::TERM);
    server.ended();
}

#[test]
fn a_busy_port_ends_the_start_with_2_and_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    let text = format!(
        "[[listener]]\nname = \"front\"\naddress = \"{address}\"\n[admin]\nenabled = false\n\
         [runtime]\ndata_dir = {:?}\n",
        directory.path().join("data")
    );
    std::fs::write(&file, text).unwrap();
    let output = Server::output(&["run", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("front") && said.contains(&address.to_string()), "{said}");
}

#[test]
fn a_wrong_key_ends_the_start_with_2_and_names_file_and_key() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    std::fs::write(&file, "[limits]\nqueued_mesages_max = 3\n").unwrap();
    for arguments in [&["run", "--config"][..], &["run", "--check", "--config"]] {
        let mut arguments = arguments.to_vec();
        arguments.push(file.to_str().unwrap());
        let output = Server::output(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("midge.toml") && said.contains("queued_mesages_max"), "{said}");
        assert!(said.contains("queued_messages_max"), "what would be accepted: {said}");
    }
}

#[test]
fn the_admin_port_answers_health_and_metrics() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "measured");
    client.publish("t", "x", QoS::AtLeastOnce);
    for path in ["/healthz", "/readyz"] {
        let answer = server.page(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let metrics = server.page("/metrics");
    assert!(metrics.contains("midge_") && metrics.contains("connections"), "{metrics}");
    assert!(server.page("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn an_end_is_one_line_with_its_reason() {
    let server = Server::start();
    Client::connect(&server, ProtocolVersion::V5, "leaves").disconnect();
    server.logged(&["leaves", "disconnect"]);
    drop(Client::connect(&server, ProtocolVersion::V5, "drops"));
    server.logged(&["drops", "closed"]);
    std::thread::sleep(Duration::from_millis(100));
    let log = server.log();
    for name in ["leaves", "drops"] {
        let ends = log.lines().filter(|line| line.contains(name) && line.contains("client disconnected")).count();
        assert_eq!(ends, 1, "{log}");
    }
}
