//! Listeners open when the plugins are well that are required.

use std::io::Read;
use std::time::Duration;

use midge_protocol::{Packet, ProtocolVersion};
use rustix::process::Signal;

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::stream::{Stream, tcp};
use crate::support::{Client, Server};

const UNWELL: &str = "config = { health = \"err\" }\n";

#[test]
fn listeners_stay_closed_while_a_required_plugin_is_unwell() {
    let mut server = Server::unready(&plugin("hostile", &format!("{UNWELL}hooks = [\"authz\"]\nrequired = true")));
    server.logged(&[
        "listeners stay closed until this plugin is well",
        "plugin=\"hostile\"",
        "the guest's backend failed",
    ]);
    let page = server.page("/readyz");
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    for part in ["its listeners take no clients", "hostile", "the guest's backend failed", "\"unwell\":"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let mut stream = tcp(server.address());
    let mut hello = Vec::new();
    Packet::Connect(Box::new(connect(ProtocolVersion::V5, "early"))).encode(ProtocolVersion::V5, &mut hello).unwrap();
    std::io::Write::write_all(&mut stream, &hello).unwrap();
    stream.set_patience(Duration::from_millis(200));
    assert!(stream.read(&mut [0; 16]).is_err(), "nobody answers");
    server.signal(Signal::TERM);
    assert!(server.ended().success());
}

#[test]
fn a_plugin_that_is_not_required_is_shown_as_unwell_and_clients_are_served() {
    for more in ["hooks = [\"sink\"]", "hooks = [\"authz\"]"] {
        let server = Server::with(&plugin("hostile", &format!("{UNWELL}{more}")));
        let page = server.page("/readyz");
        assert!(page.starts_with("HTTP/1.1 503") && page.contains("\"unwell\":\"plugin"), "{page}");
        Client::connect(&server, ProtocolVersion::V5, "c").ping();
    }
}
