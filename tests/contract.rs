//! The plugin contract on the real broker: what `wit/` promises beyond the decisions that `plugins`, `enhanced` and
//! `hostile` show. The guests are those of `tests/guests`.

mod admin;
mod admission;
mod deliver;
mod leave;
mod redirects;
mod settings;
mod tcp;
mod ticker;

use midge_protocol::{Packet, ProtocolVersion};

use crate::support::client::connect;
use crate::support::{Client, Server};

/// What a guest tells in CONNACK came of `what` with `argument`: in a user property if it let the client in, else as the
/// reason why not.
fn ask(server: &Server, what: &str, argument: &str) -> Result<String, String> {
    let mut client = tell(server, ProtocolVersion::V5, what, (what, argument));
    client.connack(|connack| {
        let reason = &connack.properties.reason;
        let said = reason.user_properties.iter().find(|(name, _)| *name == "said").map(|(_, said)| said.to_owned());
        said.ok_or_else(|| format!("{}: {}", connack.reason, reason.reason_string.unwrap_or("")))
    })
}

/// Sends the CONNECT of a client that has a guest do `what` with `argument`.
fn tell(server: &Server, version: ProtocolVersion, client_id: &str, (what, argument): (&str, &str)) -> Client {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, client_id);
    hello.username = Some(what);
    hello.password = Some(argument.as_bytes());
    client.send(&Packet::Connect(Box::new(hello)));
    client
}
