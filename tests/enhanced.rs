//! Enhanced authentication beyond the letter of the standard: the plugin `scram`, limits, failures, and what a new grant
//! changes. The statements of chapters 3.15 and 4.12 are in `conformance/enhanced.rs`.

mod grants;
mod limits;
mod scram;

use midge_protocol::ProtocolVersion;

use crate::hostile::plugin;
use crate::support::auth::Said;
use crate::support::{Client, Server};

const METHOD: &str = "CHALLENGER";

/// A broker with the plugin `challenger`, which does what each step's data says.
fn challenger(more: &str) -> Server {
    Server::with(&format!("{}\n{more}", plugin("challenger", "")))
}

fn open(server: &Server) -> Client {
    Client::open(server.address(), ProtocolVersion::V5)
}

/// A client that was let in, by its first word.
fn connected(server: &Server, client_id: &str, data: &str) -> Client {
    let mut client = open(server);
    client.begin(client_id, METHOD, data);
    let name = data.split(' ').nth(1).unwrap();
    assert_eq!(client.hear(), Said::accepted(METHOD, &format!("welcome {name}")));
    client
}
