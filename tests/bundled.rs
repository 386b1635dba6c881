//! The bundled plugins that change and check messages, and that write down what happens: with clients that know nothing of
//! them.

mod audit;
mod rewrite;
mod schema;

use midge_protocol::{Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::hostile::bundled;
use crate::support::message::publish;
use crate::support::{Client, Server};

/// The `[[plugin]]` of a bundled plugin, with more keys and tables of its own behind it.
fn plugin(name: &str, more: &str) -> String {
    format!("[[plugin]]\nname = {name:?}\npath = {:?}\n{more}\n", bundled(name))
}

/// A client of version 5 that gets everything.
fn witness(server: &Server) -> Client {
    let mut client = Client::connect(server, ProtocolVersion::V5, "witness");
    assert_eq!(client.subscribe("#", QoS::ExactlyOnce), ReasonCode::granted(QoS::ExactlyOnce));
    client
}

/// What PUBACK says to a QoS 1 message: its reason, and its Reason String.
fn puback(client: &mut Client, topic: &str, payload: &[u8]) -> (ReasonCode, Option<String>) {
    let packet_id = Some(client.new_id());
    client.send(&Packet::Publish(Publish { qos: QoS::AtLeastOnce, packet_id, ..publish(topic, payload) }));
    client.next(|packet| match packet {
        Packet::Puback(ack) => (ack.reason, ack.properties.reason_string.map(str::to_owned)),
        other => panic!("{other:?} instead of PUBACK"),
    })
}

/// How a start with this configuration fails.
fn refused_start(config: &str) -> String {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    std::fs::write(&file, config).unwrap();
    let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
    assert!(!output.status.success(), "{config}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
