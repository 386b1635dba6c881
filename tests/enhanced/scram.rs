//! The bundled plugin `scram`, against a client written from the RFC.

use std::process::Command;

use midge_protocol::{ProtocolVersion, ReasonCode};
use tempfile::TempDir;

use crate::hostile::bundled;
use crate::interop::{SCRIPT_MAX, mqtt_js, script};
use crate::support::auth::Said;
use crate::support::pki::Pki;
use crate::support::program::finish;
use crate::support::scram::Scram;
use crate::support::{Client, PATIENCE, Server, stream};

const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";

const LISTENERS: &str = r#"
[[listener]]
name = "tcp"
address = "127.0.0.1:0"

[[listener]]
name = "tls"
address = "127.0.0.1:0"
tls = { certificate = "server.pem", key = "server.key" }
"#;

/// A broker whose only user is alice, with the password "wonderland".
fn start(more: &str) -> (Server, Pki) {
    let directory = TempDir::new().unwrap();
    let users = directory.path().join("users");
    let path = users.to_str().unwrap();
    let made = Server::output_with_input(
        &["passwd", "--scram", "--iterations", "4096", "--password-stdin", path, "alice"],
        "wonderland",
    );
    assert!(made.status.success(), "{made:?}");
    let pki = Pki::in_directory(&directory);
    let plugin = format!(
        "[[plugin]]\nname = \"scram\"\npath = {:?}\nconfig = {{ file = \"users\"{more} }}\n\
         allow = {{ files = [\"users\"] }}\n",
        bundled("scram")
    );
    (Server::beside(directory, &(LISTENERS.to_owned() + &plugin)), pki)
}

fn plain<'a>(user: &'a str, password: &'a str) -> Scram<'a> {
    Scram { user, password, header: "n,,", binding: b"" }
}

fn over_tcp(server: &Server) -> Client {
    Client::open(server.address_of("tcp"), ProtocolVersion::V5)
}

/// Both messages of the client. Says what the broker answered, and what it should if all is well.
fn exchange(client: &mut Client, method: &str, scram: &Scram<'_>) -> (Said, String) {
    client.begin("c", method, &scram.first());
    let challenge = client.hear();
    assert_eq!(challenge, Said::challenge(method, challenge.data.as_deref().unwrap_or_default()));
    let (last, signature) = scram.last(&challenge.data.unwrap());
    client.auth(ReasonCode::ContinueAuthentication, method, &last);
    (client.hear(), signature)
}

#[test]
fn both_sides_prove_that_they_know_the_password() {
    let (server, _pki) = start("");
    let mut client = over_tcp(&server);
    let (said, signature) = exchange(&mut client, PLAIN, &plain("alice", "wonderland"));
    assert_eq!(said, Said::accepted(PLAIN, &signature));
    client.ping();
    server.logged(&["client connected", "principal=alice"]);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_alike() {
    let (server, _pki) = start("");
    let said = [("alice", "looking-glass"), ("mallory", "wonderland")].map(|(user, password)| {
        let mut client = over_tcp(&server);
        let (said, _) = exchange(&mut client, PLAIN, &plain(user, password));
        client.expect_close();
        said
    });
    assert_eq!((said[0].is_connack, said[0].reason), (true, ReasonCode::BadUserNameOrPassword));
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_client_that_proves_itself_again_and_again_stays() {
    let (server, _pki) = start(", lifetime_s = 2");
    let scram = plain("alice", "wonderland");
    let mut client = over_tcp(&server);
    exchange(&mut client, PLAIN, &scram);
    let mut silent = over_tcp(&server);
    silent.begin("silent", PLAIN, &scram.first());
    let challenge = silent.hear().data.unwrap();
    silent.auth(ReasonCode::ContinueAuthentication, PLAIN, &scram.last(&challenge).0);
    assert_eq!(silent.hear().reason, ReasonCode::Success);

    let has_ended = || server.metric("midge_connections_closed_total", &[("reason", "identity_expired")]) >= 1.0;
    let deadline = std::time::Instant::now() + PATIENCE;
    while !has_ended() {
        assert!(std::time::Instant::now() < deadline, "the silent client stays");
        let (said, signature) = again(&mut client, &scram);
        assert_eq!(said, Some(Said::auth(ReasonCode::Success, PLAIN, &signature)));
    }
    silent.expect_disconnect(ReasonCode::NotAuthorized);
    client.ping();

    again(&mut client, &plain("mallory", "wonderland"));
    client.expect_disconnect(ReasonCode::NotAuthorized);
}

/// As [`exchange`], on a connection that is open; nothing said for a user who is not let in.
fn again(client: &mut Client, scram: &Scram<'_>) -> (Option<Said>, String) {
    client.auth(ReasonCode::ReAuthenticate, PLAIN, &scram.first());
    let challenge = client.hear();
    assert_eq!(challenge.reason, ReasonCode::ContinueAuthentication);
    let (last, signature) = scram.last(&challenge.data.unwrap());
    client.auth(ReasonCode::ContinueAuthentication, PLAIN, &last);
    ((scram.user == "alice").then(|| client.hear()), signature)
}

/// A client that nobody here wrote.
#[test]
fn mqtt_js_authenticates_and_does_it_again() {
    let (server, _pki) = start("");
    let port = server.address_of("tcp").port().to_string();
    let mut node = Command::new("node");
    node.arg(script("mqtt_js_scram.cjs")).args([&port, "alice", "wonderland"]).env("NODE_PATH", mqtt_js());
    finish(&mut node, SCRIPT_MAX);
    server.logged(&["client authenticated again", "principal=alice"]);
}

/// A TLS connection, and its channel bindings as the client computes them.
fn over_tls(server: &Server, pki: &Pki) -> (Client, [(&'static str, Vec<u8>); 2]) {
    let mut stream = stream::tls(server.address_of("tls"), pki.client(None));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    let exporter = stream.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
    let certificate = stream.conn.peer_certificates().unwrap()[0].to_vec();
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate);
    let bindings = [("tls-exporter", exporter.to_vec()), ("tls-server-end-point", digest.as_ref().to_vec())];
    (Client::over(Box::new(stream), ProtocolVersion::V5), bindings)
}

#[test]
fn an_exchange_over_tls_is_bound_to_its_connection() {
    let (server, pki) = start("");
    for kind in 0..2 {
        let (mut client, bindings) = over_tls(&server, &pki);
        let header = format!("p={},,", bindings[kind].0);
        let scram = Scram { header: &header, binding: &bindings[kind].1, ..plain("alice", "wonderland") };
        let (said, signature) = exchange(&mut client, PLUS, &scram);
        assert_eq!(said, Said::accepted(PLUS, &signature), "{header}");

        // Who stands in between has other data.
        let (mut client, _) = over_tls(&server, &pki);
        let scram = Scram { header: &header, binding: &[7; 32], ..plain("alice", "wonderland") };
        let (said, _) = exchange(&mut client, PLUS, &scram);
        assert_eq!((said.is_connack, said.reason), (true, ReasonCode::NotAuthorized), "{header}");
        client.expect_close();
    }
}

#[test]
fn a_downgrade_is_noticed_and_without_tls_there_is_nothing_to_bind_to() {
    let (server, pki) = start("");
    let first = |header| Scram { header, ..plain("alice", "wonderland") }.first();
    let (mut client, _) = over_tls(&server, &pki);
    client.begin("c", PLAIN, &first("y,,"));
    client.expect_connack_refusal(ReasonCode::NotAuthorized);
    let (mut client, _) = over_tls(&server, &pki);
    let (said, _) = exchange(&mut client, PLAIN, &plain("alice", "wonderland"));
    assert_eq!(said.reason, ReasonCode::Success, "a client that can do no better");
    let mut client = over_tcp(&server);
    client.begin("c", PLUS, &first("p=tls-exporter,,"));
    client.expect_connack_refusal(ReasonCode::BadAuthenticationMethod);
}

#[test]
fn binding_can_be_required() {
    let (server, pki) = start(", channel_binding = \"require\"");
    let (mut client, _) = over_tls(&server, &pki);
    client.begin("c", PLAIN, &plain("alice", "wonderland").first());
    client.expect_connack_refusal(ReasonCode::BadAuthenticationMethod);
}
