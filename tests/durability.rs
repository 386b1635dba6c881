//! What survives the end of the process, on the real disk: a stop, and a crash at any moment after an acknowledgement.

mod clients;
mod disk;
mod in_flight;
mod levels;
mod plugins;
mod retained;
mod sessions;
mod shared;
mod tools;
mod wills;

use midge_protocol::{Connect, ProtocolVersion, QoS};
use rustix::process::Signal;

use crate::support::{Client, Server};

/// A broker whose store is on the disk.
fn durable() -> Server {
    with("")
}

/// As [`durable`], with more in its configuration.
fn with(config: &str) -> Server {
    Server::with(&format!("[store]\ndurability = \"fsync\"\n{config}"))
}

/// Both ways in which a broker ends: it is asked to, or it is not.
const ENDS: [Signal; 2] = [Signal::TERM, Signal::KILL];

/// Asks for the session of before, and for an hour of it after the connection.
fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry = Some(3600);
    }
}

/// A client with a lasting session that is new.
fn stay(server: &Server, version: ProtocolVersion, client_id: &str) -> Client {
    let (client, present) = Client::connect_with(server, version, client_id, kept);
    assert!(!present, "{client_id} is new");
    client
}

/// A lasting session with this subscription, whose client has left.
fn away(server: &Server, version: ProtocolVersion, client_id: &str, filter: &str, qos: QoS) {
    let mut client = stay(server, version, client_id);
    client.subscribe(filter, qos);
    client.disconnect();
}

/// The same client later: its session is there.
fn back(server: &Server, version: ProtocolVersion, client_id: &str) -> Client {
    let (client, present) = Client::connect_with(server, version, client_id, kept);
    // Version 3.1 does not say.
    assert!(present || version == ProtocolVersion::V31, "the session of {client_id} is gone");
    client
}

/// Has everything that was done before committed, also what nobody waits for, such as that a message was acknowledged by its
/// subscriber: a crash may undo that, and the message comes again.
fn settle(server: &Server) {
    let mut client = Client::connect(server, ProtocolVersion::V5, "settles");
    client.retain("settled", "x", QoS::AtLeastOnce);
    client.disconnect();
}
