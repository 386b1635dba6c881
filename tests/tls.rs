//! TLS, as clients see it.

use std::sync::Arc;

use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::Signal;
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::support::pki::Pki;
use crate::support::{Client, PATIENCE, Server, VERSIONS, stream};

const TLS: &str = r#"
[[listener]]
name = "tls"
address = "127.0.0.1:0"
anonymous = true
tls = { certificate = "server.pem", key = "server.key" }

[[listener]]
name = "mutual"
address = "127.0.0.1:0"
anonymous = true
tls = { certificate = "server.pem", key = "server.key", client_ca = "ca.pem", client_certificate = "required" }
"#;

fn start() -> (Server, Pki) {
    let directory = TempDir::new().unwrap();
    let pki = Pki::in_directory(&directory);
    (Server::beside(directory, TLS), pki)
}

fn over_tls(server: &Server, name: &str, config: Arc<ClientConfig>, version: ProtocolVersion) -> Client {
    Client::over(Box::new(stream::tls(server.address_of(name), config)), version)
}

#[test]
fn messages_travel_encrypted() {
    let (server, pki) = start();
    for version in VERSIONS {
        let mut client = over_tls(&server, "tls", pki.client(None), version);
        client.say_hello("secret", |_| {});
        client.subscribe("t", QoS::ExactlyOnce);
        let large = "large ".repeat(50_000);
        for (qos, text) in [(QoS::AtMostOnce, "a"), (QoS::AtLeastOnce, large.as_str()), (QoS::ExactlyOnce, "c")] {
            client.publish("t", text, qos);
            assert_eq!(client.take().text(), text);
        }
        client.disconnect();
    }
}

#[test]
fn who_must_show_a_certificate_is_let_in_with_it_and_not_without() {
    let (server, pki) = start();
    let mut known = over_tls(&server, "mutual", pki.client(Some("device")), ProtocolVersion::V5);
    known.say_hello("device", |_| {});
    let mut stranger = over_tls(&server, "mutual", pki.client(None), ProtocolVersion::V5);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stranger.say_hello("stranger", |_| {})));
    assert!(refused.is_err());
    server.logged(&["mutual", "handshake failed"]);
    known.ping();
}

#[test]
fn a_hangup_takes_the_new_certificate_and_disturbs_nobody() {
    let (server, pki) = start();
    let mut client = over_tls(&server, "tls", pki.client(None), ProtocolVersion::V311);
    client.say_hello("stays", |_| {});
    let renewed = pki.issue_server(server.directory());
    server.signal(Signal::HUP);
    let deadline = std::time::Instant::now() + PATIENCE;
    while certificate(&server, &pki) != renewed {
        assert!(std::time::Instant::now() < deadline, "still the old certificate");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    client.ping();
}

fn certificate(server: &Server, pki: &Pki) -> Vec<u8> {
    let mut stream = stream::tls(server.address_of("tls"), pki.client(None));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn a_client_that_speaks_no_tls_is_closed() {
    let (server, _pki) = start();
    let mut client = Client::open(server.address_of("tls"), ProtocolVersion::V311);
    client.send_bytes(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a");
    client.bytes_until_close();
    server.logged(&["tls", "handshake failed"]);
}
